//! Rows that show another run's job: its journal is read until its cluster knows
//! the job, from then on the cluster tells of it.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    conduct::{Answer, Conducting, What},
    observe::is_news,
};
use crate::{
    domain::{
        ids::{ClusterId, JobIx, JobKey},
        plan::JobAction,
        run::{Accepted, Followed, JobFacts, Record, Run},
        status::{Cause, Status},
    },
    journal::{Replay, RunDir, living_owner},
};

/// How often the journal of another run is read while its job is not sent yet.
const FOLLOW: Duration = Duration::from_secs(3);

impl Conducting<'_> {
    /// Rows that show another run's job take its life over.
    pub(super) fn follow_others(&mut self) {
        let rows: Vec<(JobIx, crate::domain::ids::RunId, JobIx)> = (0..)
            .map(JobIx)
            .zip(&self.s.run.jobs)
            .filter(|(_, j)| {
                !j.action.sends()
                    && !j.status.is_ended()
                    && j.attempt().is_none_or(|a| a.remote_id.is_none())
            })
            .filter_map(|(ix, j)| match &j.action {
                JobAction::Attach { run, job } | JobAction::Reuse { run, job } => {
                    Some((ix, run.clone(), *job))
                }
                _ => None,
            })
            .collect();
        if rows.is_empty() || self.following {
            return;
        }
        self.following = true;
        self.next_follow = None;
        let state = self.s.engine.state.clone();
        let run = Arc::new(self.s.run.id.clone());
        let at = self.s.now();
        self.tasks.spawn(async move {
            let read = tokio::task::spawn_blocking(move || {
                let mut known: std::collections::HashMap<_, Option<(Run, bool)>> =
                    std::collections::HashMap::new();
                rows.into_iter()
                    .map(|(ix, other, job)| {
                        let replay = known.entry(other.clone()).or_insert_with(|| {
                            let dir = RunDir::new(state.run(&other));
                            let run = Replay::read(&dir).ok()?.run;
                            Some((run, living_owner(&dir).is_some()))
                        });
                        match replay.as_ref().and_then(|(run, led)| followed(run, job, *led)) {
                            Some(followed) => {
                                Record::Follows { job: ix, followed: Box::new(followed) }
                            }
                            None => gone(ix, &other, job, at),
                        }
                    })
                    .collect()
            });
            let records = read.await.unwrap_or_default();
            Answer {
                cluster: ClusterId::new(run.as_str()),
                took: Duration::ZERO,
                what: What::Followed(records),
            }
        });
    }

    /// Takes over what has changed in those journals.
    pub(super) fn take_followed(&mut self, records: Vec<Record>) {
        self.following = false;
        for record in records {
            if !self.shows(&record) {
                self.record(record);
            }
        }
        self.plan_follow();
    }

    fn shows(&self, record: &Record) -> bool {
        let Record::Follows { job, followed } = record else { return false };
        let Some((row, last)) = self.s.run.job(*job).and_then(|row| Some((row, row.attempt()?)))
        else {
            return false;
        };
        let remote_id = followed.accepted.as_ref().map(|a| a.remote_id.as_str());
        last.follows.as_deref() == Some(&followed.key)
            && last.remote_id.as_deref() == remote_id
            && !is_news(row, last, &followed.facts)
    }

    fn plan_follow(&mut self) {
        let open = self.s.run.jobs.iter().any(|j| {
            !j.action.sends()
                && !j.status.is_ended()
                && j.attempt().is_none_or(|a| a.remote_id.is_none())
        });
        self.next_follow = open.then(|| Instant::now() + FOLLOW);
    }

    pub(super) fn follow_if_due(&mut self) {
        if !self.following && self.next_follow.is_some_and(|t| t <= Instant::now()) {
            self.follow_others();
        }
    }
}

/// A job of another run, as it is there. `led`: somebody conducts that run.
fn followed(run: &Run, ix: JobIx, led: bool) -> Option<Followed> {
    let row = run.job(ix)?;
    let cluster = row.cluster.clone()?;
    let last = row.attempt();
    let mut facts = JobFacts::of(match row.status {
        Status::Waiting | Status::Submitting | Status::Unknown => Status::Pending,
        other => other,
    });
    facts.cause = row.cause;
    facts.blocked = row.blocked;
    facts.reason = match row.status {
        Status::Waiting => {
            let asked = row.attempt().is_some_and(|a| a.asked);
            let why = match &run.held {
                Some(why) if !asked => Some(format!("held in run {}: {why}", run.id)),
                _ if !led => Some(format!("never sent in run {}, which nobody carries on", run.id)),
                _ => None,
            };
            facts.blocked = why.is_some();
            Some(match why {
                Some(why) => format!("{why}; `jobdeck send {}` goes on", run.id),
                None => format!("waiting in run {}", run.id),
            })
        }
        Status::Submitting | Status::Unknown => {
            Some(format!("{} in run {}", row.status.label(), run.id))
        }
        _ => run.reason(ix).as_ref().map(ToString::to_string),
    };
    let number = last.map_or(1, |a| a.number);
    let mut accepted = None;
    let mut submitted_at = None;
    if let Some(last) = last {
        facts.node = last.node.as_ref().map(ToString::to_string);
        facts.exit_code = last.exit_code;
        facts.signal = last.signal;
        facts.error = last.error.as_ref().map(ToString::to_string);
        facts.started_at = last.started_at;
        facts.finished_at = last.finished_at;
        submitted_at = last.submitted_at;
        accepted = last.remote_id.as_ref().map(|id| Accepted {
            remote_id: id.to_string(),
            remote_name: last.remote_name.as_ref().map(ToString::to_string),
            url: last.url.as_ref().map(ToString::to_string),
            log_path: last.log_path.as_ref().map(ToString::to_string),
        });
    }
    Some(Followed { key: run.key(ix, number), cluster, accepted, facts, submitted_at })
}

/// The run that was to be followed is not there any more.
fn gone(ix: JobIx, run: &crate::domain::ids::RunId, job: JobIx, at: Timestamp) -> Record {
    let mut facts = JobFacts::of(Status::Lost);
    facts.cause = Some(Cause::Lost);
    facts.reason = Some(format!("run {run}, whose job it was to take over, is gone"));
    facts.finished_at = Some(at);
    Record::Follows {
        job: ix,
        followed: Box::new(Followed {
            key: JobKey { run: run.clone(), job, attempt: 1 },
            cluster: ClusterId::new(""),
            accepted: None,
            facts,
            submitted_at: None,
        }),
    }
}

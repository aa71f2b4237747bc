//! Rows that show another run's job: its journal is read until its cluster knows
//! the job, from then on the cluster tells of it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    conduct::{Answer, Conducting, What},
    observe::is_news,
};
use crate::{
    config::paths::StateDir,
    domain::{
        ids::{ClusterId, JobIx, JobKey, RunId},
        plan::JobAction,
        run::{Accepted, Followed, JobFacts, Record, Run, RunJob},
        status::{Cause, Status},
    },
    journal::{Replay, RunDir, living_owner},
};

/// How often the journal of another run is read while its job is not sent yet.
const FOLLOW: Duration = Duration::from_secs(3);

impl Conducting<'_> {
    /// Rows that show another run's job take its life over.
    pub(super) fn follow_others(&mut self) {
        let rows = Followers::of(&self.s.run);
        if rows.is_empty() || self.following {
            return;
        }
        self.following = true;
        self.next_follow = None;
        let state = self.s.engine.state.clone();
        let run = Arc::new(self.s.run.id.clone());
        let at = self.s.now();
        self.tasks.spawn(async move {
            let read = tokio::task::spawn_blocking(move || rows.read(&state, at));
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
            if !shows(&self.s.run, &record) {
                self.record(record);
            }
        }
        let open = self.s.run.jobs.iter().any(follows_a_journal);
        self.next_follow = open.then(|| Instant::now() + FOLLOW);
    }

    pub(super) fn follow_if_due(&mut self) {
        if !self.following && self.next_follow.is_some_and(|t| t <= Instant::now()) {
            self.follow_others();
        }
    }
}

/// It shows another run's job, of which only that run's journal can tell.
fn follows_a_journal(row: &RunJob) -> bool {
    !row.action.sends()
        && !row.status.is_ended()
        && row.attempt().is_none_or(|a| a.remote_id.is_none())
}

/// Rows that follow the journals of other runs: the row, the run, its job.
pub(in crate::runtime) struct Followers(Vec<(JobIx, RunId, JobIx)>);

impl Followers {
    pub(in crate::runtime) fn of(run: &Run) -> Self {
        let rows = (0..).map(JobIx).zip(&run.jobs).filter(|(_, row)| follows_a_journal(row));
        let follow = |(ix, row): (JobIx, &RunJob)| match &row.action {
            JobAction::Attach { run, job } | JobAction::Reuse { run, job } => {
                Some((ix, run.clone(), *job))
            }
            _ => None,
        };
        Self(rows.filter_map(follow).collect())
    }

    pub(in crate::runtime) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What those journals say now, each read once. Blocks.
    pub(in crate::runtime) fn read(self, state: &StateDir, at: Timestamp) -> Vec<Record> {
        let mut known: HashMap<RunId, Option<(Run, bool)>> = HashMap::new();
        let mut read = |(ix, other, job): (JobIx, RunId, JobIx)| {
            let replay = known.entry(other.clone()).or_insert_with(|| {
                let dir = RunDir::new(state.run(&other));
                let run = Replay::read(&dir).ok()?.run;
                Some((run, living_owner(&dir).is_some()))
            });
            match replay.as_ref().and_then(|(run, led)| followed(run, job, *led)) {
                Some(followed) => Record::Follows { job: ix, followed: Box::new(followed) },
                None => gone(ix, &other, job, at),
            }
        };
        self.0.into_iter().map(&mut read).collect()
    }
}

/// The row shows already what the record says.
pub(in crate::runtime) fn shows(run: &Run, record: &Record) -> bool {
    let Record::Follows { job, followed } = record else { return false };
    let Some((row, last)) = run.job(*job).and_then(|row| Some((row, row.attempt()?))) else {
        return false;
    };
    let remote_id = followed.accepted.as_ref().map(|a| a.remote_id.as_str());
    last.follows.as_deref() == Some(&followed.key)
        && last.remote_id.as_deref() == remote_id
        && !is_news(row, last, &followed.facts)
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
fn gone(ix: JobIx, run: &RunId, job: JobIx, at: Timestamp) -> Record {
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

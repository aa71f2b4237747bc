//! Looking up what may exist, and ending what a person wants ended.

use std::time::Duration;

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    conduct::{Conducting, What},
    observe::{sought, watched},
    poll::ANSWER,
    send::no_answer,
};
use crate::{
    cluster::{ActOutcome, ClusterError, Found, RemoteAction, Sought},
    domain::{
        ids::{ClusterId, JobIx, JobKey},
        run::{Record, Run, RunJob},
        status::Status,
    },
    error::{Kind, Report},
};

impl Conducting<'_> {
    /// Looks up what may exist, after a lost answer or a crash.
    pub(super) fn look_up(&mut self) {
        let now = Instant::now();
        let due: Vec<ClusterId> = self
            .sites
            .iter()
            .filter(|(_, s)| {
                !s.looking_up
                    && !s.is_closed(now)
                    && s.next_look.is_some_and(|t| t <= now)
                    && self.has_unknown(s)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            let run = &self.s.run;
            let Some(site) = self.sites.get_mut(&id) else { continue };
            let asked: Vec<(JobIx, u32)> = site
                .live
                .iter()
                .filter_map(|ix| {
                    let row = run.job(*ix).filter(|j| j.status == Status::Unknown)?;
                    Some((*ix, row.attempt()?.number))
                })
                .collect();
            let sought: Vec<Sought> =
                asked.iter().filter_map(|(ix, attempt)| sought(run, *ix, *attempt)).collect();
            site.looking_up = true;
            let cluster = site.cluster.clone();
            self.beside(
                id,
                ANSWER,
                async move { cluster.find(&sought).await },
                |cluster, why| Err(no_answer(cluster, why)),
                move |result| What::LookedUp(asked, result),
            );
        }
    }

    pub(super) fn looked_up(
        &mut self,
        id: &ClusterId,
        took: Duration,
        asked: &[(JobIx, u32)],
        result: Result<Vec<(JobKey, Found)>, ClusterError>,
    ) {
        let (now, at) = (Instant::now(), self.s.now());
        let Some(site) = self.sites.get_mut(id) else { return };
        site.looking_up = false;
        let spacing = Duration::from_secs(site.capabilities.absent_spacing_secs);
        // Silence about a job is no answer: it is asked about again.
        site.next_look = Some(now + spacing.max(Duration::from_secs(1)));
        let looks = site.capabilities.absent_looks.max(1);
        match result {
            Err(error) => site.failed(now, &error),
            Ok(found) => {
                site.answered(now, at, took);
                site.poll_soon(now);
                for (key, found) in found {
                    let (job, attempt) = (key.job, key.attempt);
                    let known = asked.contains(&(job, attempt)) && key.run == self.s.run.id;
                    let last =
                        self.s.run.job(job).and_then(|j| j.attempt()).filter(|a| {
                            known && a.number == attempt && a.status == Status::Unknown
                        });
                    let Some(last) = last else { continue };
                    match found {
                        Found::Present(accepted) => {
                            self.record(Record::Accepted { job, attempt, accepted });
                        }
                        Found::Absent => {
                            let absent_looks = last.absent_looks + 1;
                            self.record(Record::LookedUp { job, attempt, absent_looks });
                            if absent_looks >= looks {
                                self.record(Record::NotSent {
                                    jobs: vec![(job, attempt)],
                                    why: "looked up: it is not there".to_owned(),
                                });
                            }
                        }
                    }
                }
            }
        }
        self.tell_health(id);
    }

    /// Hands cancels over, as many as there are in one request.
    pub(super) fn hand_over_cancels(&mut self) {
        if self.to_cancel.is_empty() {
            return;
        }
        let now = Instant::now();
        let rows = std::mem::take(&mut self.to_cancel);
        let wanted = |row: &RunJob| {
            row.cancel_asked && matches!(row.status, Status::Pending | Status::Running)
        };
        for (id, jobs) in self.by_cluster(rows, wanted) {
            let run = &self.s.run;
            let Some(site) = self.sites.get_mut(&id) else { continue };
            if site.acting || site.is_closed(now) {
                self.to_cancel.extend(jobs);
                continue;
            }
            let mut rows = Vec::new();
            let mut watch = Vec::new();
            for ix in jobs {
                let Some(number) = run.job(ix).and_then(|j| j.attempt()).map(|a| a.number) else {
                    continue;
                };
                if site.cancelled.insert((ix, number)) {
                    rows.push((ix, number));
                    watch.extend(watched(run, ix));
                }
            }
            if rows.is_empty() {
                continue;
            }
            site.acting = true;
            let cluster = site.cluster.clone();
            self.beside(
                id,
                ANSWER,
                async move { cluster.act(RemoteAction::Cancel, &watch).await },
                |cluster, why| Err(no_answer(cluster, why)),
                move |result| What::Acted(RemoteAction::Cancel, rows, result),
            );
        }
    }

    /// Rows by the cluster that has them.
    fn by_cluster(
        &self,
        rows: Vec<JobIx>,
        wanted: impl Fn(&RunJob) -> bool,
    ) -> IndexMap<ClusterId, Vec<JobIx>> {
        let mut by_cluster: IndexMap<ClusterId, Vec<JobIx>> = IndexMap::new();
        for ix in rows {
            let row = self.s.run.job(ix).filter(|row| wanted(row));
            if let Some(cluster) = row.and_then(|row| row.cluster.clone()) {
                by_cluster.entry(cluster).or_default().push(ix);
            }
        }
        by_cluster
    }

    /// Hands over what else a person asked for. Unlike a cancel it is tried once: what
    /// it meant may no longer be so when the cluster answers again.
    pub(super) fn hand_over_actions(&mut self) {
        for (action, rows) in std::mem::take(&mut self.to_act) {
            for (id, jobs) in self.by_cluster(rows, |row| action.suits(row).is_ok()) {
                let run = &self.s.run;
                let Some(site) = self.sites.get_mut(&id) else { continue };
                if site.acting {
                    self.to_act.push((action, jobs));
                    continue;
                }
                let number = |ix: &JobIx| Some((*ix, run.job(*ix)?.attempt()?.number));
                let rows: Vec<_> = jobs.iter().filter_map(number).collect();
                let watch: Vec<_> = jobs.iter().filter_map(|ix| watched(run, *ix)).collect();
                site.acting = true;
                let cluster = site.cluster.clone();
                self.beside(
                    id,
                    ANSWER,
                    async move { cluster.act(action, &watch).await },
                    |cluster, why| Err(no_answer(cluster, why)),
                    move |result| What::Acted(action, rows, result),
                );
            }
        }
    }

    pub(super) fn acted(
        &mut self,
        id: &ClusterId,
        took: Duration,
        action: RemoteAction,
        rows: &[(JobIx, u32)],
        result: Result<Vec<ActOutcome>, ClusterError>,
    ) {
        let (now, at) = (Instant::now(), self.s.now());
        let Some(site) = self.sites.get_mut(id) else { return };
        site.acting = false;
        match result {
            Ok(outcomes) => {
                site.answered(now, at, took);
                site.poll_soon(now);
                for words in not_done(&self.s.run, action, &outcomes) {
                    self.s.trouble(Report::new(Kind::Usage, words));
                }
            }
            Err(error) => {
                site.failed(now, &error);
                if action == RemoteAction::Cancel {
                    for row in rows {
                        site.cancelled.remove(row);
                        self.to_cancel.push(row.0);
                    }
                }
                self.s.trouble(Report::new(
                    Kind::Unreachable,
                    format!("the {} did not reach {id}: {error}", action.word()),
                ));
            }
        }
        self.tell_health(id);
    }
}

/// What a cluster would not do, once for all jobs of which it said the same.
fn not_done(run: &Run, action: RemoteAction, outcomes: &[ActOutcome]) -> Vec<String> {
    let mut refused: IndexMap<&str, Vec<&JobKey>> = IndexMap::new();
    for outcome in outcomes {
        if let Err(words) = &outcome.result {
            refused.entry(words).or_default().push(&outcome.key);
        }
    }
    let told = |(words, keys): (&str, Vec<&JobKey>)| {
        let name = |key: &JobKey| {
            run.job(key.job).map_or_else(|| key.to_string(), |job| job.spec.name.clone())
        };
        let who = match keys.as_slice() {
            [one] => name(one),
            [first, rest @ ..] => format!("{} and {} more", name(first), rest.len()),
            [] => String::new(),
        };
        format!("{who} could not be {}: {words}", action.done())
    };
    refused.into_iter().map(told).collect()
}

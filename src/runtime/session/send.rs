//! Sending: rules, intents, requests, and what comes back.
//!
//! ```text
//! ready ─▶ Intent (on disk) ─▶ outbox ─▶ submit ─▶ Accepted │ Refused │ NotSent
//!                                           └ answer lost: Unconfirmed ─▶ look-up
//! ```

use std::{collections::BTreeMap, time::Duration};

use indexmap::IndexMap;
use tokio::time::Instant;

use super::{
    conduct::{Conducting, What},
    state_report,
};
use crate::{
    cluster::{ClusterError, CodeBundle, Outcome, SubmitError},
    domain::{
        ids::{ClusterId, JobIx, JobKey},
        run::{Record, Sendable, Site, Sites, ready},
        status::{Cause, Status},
    },
};

/// Longest time for a request to be answered; then its jobs are looked up.
const ANSWER: Duration = Duration::from_mins(2);
/// Longest time for code to be sent before it.
const SEND_CODE: Duration = Duration::from_mins(15);
/// After the journal could not be written.
const JOURNAL_PAUSE: Duration = Duration::from_secs(5);

impl Conducting<'_> {
    /// New attempts that `max_retries` opens.
    pub(super) fn retry_automatically(&mut self) {
        if !self.s.active || self.s.leaving.is_some() || self.give_way {
            self.to_retry.clear();
            return;
        }
        for ix in std::mem::take(&mut self.to_retry) {
            let Some(row) = self.s.run.job(ix) else { continue };
            if self.s.run.will_retry(row) && self.s.run.held.is_none() {
                let attempt = row.retry_number();
                self.record(Record::Retried {
                    job: ix,
                    attempt,
                    spec: None,
                    replicas: None,
                    code: None,
                    automatic: true,
                });
            }
        }
    }

    fn sites_now(&self, now: Instant) -> Sites {
        self.sites
            .iter()
            .map(|(id, site)| {
                let open = site.facts.is_some();
                let view = Site {
                    capabilities: site.capabilities.clone(),
                    open: open && !site.is_closed(now),
                    take: if open { site.take(now) } else { 0 },
                    room: site.room(),
                    appeal: site.appeal,
                };
                (id.clone(), view)
            })
            .collect()
    }

    /// Asks the rules and does what they say.
    pub(super) fn send_ready(&mut self) {
        let now = Instant::now();
        if self.s.leaving.is_some() || self.give_way {
            return;
        }
        if self.no_intent_before.is_some_and(|t| t <= now) {
            self.no_intent_before = None;
            self.dirty = true;
        }
        if self.s.run.count(Status::Waiting) > 0 {
            self.learn(now);
        }
        if !(self.dirty || self.reopened(now)) || self.no_intent_before.is_some() {
            return;
        }
        // What is given up may give up others in turn.
        loop {
            self.dirty = false;
            let sites = self.sites_now(now);
            let answer = ready(&self.s.run, &sites, self.s.now(), !self.s.active);
            if let Some(reason) = answer.hold
                && self.s.active
                && let Err(error) = self.commit(vec![Record::Held { reason }])
            {
                self.journal_failed(now, &error);
                return;
            }
            let again = !answer.never.is_empty() || !answer.revive.is_empty();
            if self.s.active || self.asked() {
                let mut given_up: BTreeMap<(Cause, String), Vec<JobIx>> = BTreeMap::new();
                for (ix, cause, reason) in answer.never {
                    given_up.entry((cause, reason)).or_default().push(ix);
                }
                for ((cause, reason), jobs) in given_up {
                    self.record(Record::NotSubmitted { jobs, cause: Some(cause), reason });
                }
                if !answer.revive.is_empty() {
                    self.record(Record::Revived { jobs: answer.revive });
                }
                if again {
                    continue;
                }
            }
            self.dirty = false;
            if !answer.send.is_empty() {
                self.intend(now, answer.send);
                // The next wave is asked for when this one is through.
            }
            return;
        }
    }

    /// A person asked for something by this window; dependents follow.
    pub(super) fn asked(&self) -> bool {
        self.s.asked_unsent()
    }

    /// A cluster that could not be sent to may be sent to again.
    fn reopened(&mut self, now: Instant) -> bool {
        let mut any = false;
        for site in self.sites.values_mut() {
            if site.not_before.is_some_and(|t| t <= now) {
                site.not_before = None;
                any = true;
            }
        }
        any
    }

    /// Version, limits and ids of a cluster, before the first request is rendered.
    fn learn(&mut self, now: Instant) {
        let unknown: Vec<ClusterId> = self
            .sites
            .iter()
            .filter(|(_, s)| s.facts.is_none() && !s.learning && !s.is_closed(now))
            .map(|(id, _)| id.clone())
            .collect();
        for id in unknown {
            let Some(site) = self.sites.get_mut(&id) else { continue };
            site.learning = true;
            let cluster = site.cluster.clone();
            self.beside(
                id,
                ANSWER,
                async move { cluster.facts().await },
                |cluster, why| Err(no_answer(cluster, why)),
                What::Facts,
            );
        }
    }

    /// Writes the intents down and puts the requests into the outboxes.
    fn intend(&mut self, now: Instant, send: Vec<Sendable>) {
        let mut by_cluster: IndexMap<ClusterId, Vec<Sendable>> = IndexMap::new();
        for job in send {
            by_cluster.entry(job.cluster.clone()).or_default().push(job);
        }
        let intents = by_cluster
            .iter()
            .map(|(cluster, jobs)| Record::Intent {
                cluster: cluster.clone(),
                jobs: jobs.iter().map(|j| (j.job, j.attempt)).collect(),
            })
            .collect();
        if let Err(error) = self.commit(intents) {
            self.journal_failed(now, &error);
            return;
        }
        for (id, jobs) in by_cluster {
            self.render(&id, jobs);
        }
    }

    fn journal_failed(&mut self, now: Instant, error: &crate::journal::JournalError) {
        self.no_intent_before = Some(now + JOURNAL_PAUSE);
        self.s.trouble(state_report(error));
    }

    fn render(&mut self, id: &ClusterId, jobs: Vec<Sendable>) {
        let mut keyed = Vec::with_capacity(jobs.len());
        for job in jobs {
            match self.prepare(id, &job) {
                Ok(ready) => keyed.push(ready),
                Err(words) => self.refuse(job.job, job.attempt, words, Cause::Launch),
            }
        }
        let one_by_one = !self.s.run.head.continue_on_error;
        let Some(site) = self.sites.get_mut(id) else { return };
        let facts = site.facts.clone().unwrap_or_default();
        let mut rendered = Vec::new();
        // Where the first refusal stops the rest every job must have its own answer
        // before the next is sent.
        for jobs in keyed.chunks(if one_by_one { 1 } else { keyed.len().max(1) }) {
            rendered.push(site.cluster.render(jobs, &facts));
        }
        let mut covered = std::collections::HashSet::new();
        let mut words = String::new();
        for part in rendered {
            for finding in &part.findings {
                if finding.is_error() && words.is_empty() {
                    words.clone_from(&finding.message);
                }
            }
            for request in part.requests {
                covered.extend(request.jobs.iter().map(|j| j.key.clone()));
                site.outbox.push_back(request);
            }
        }
        if words.is_empty() {
            "this kind of cluster cannot be asked for it".clone_into(&mut words);
        }
        for job in keyed.iter().filter(|j| !covered.contains(&j.key)) {
            self.refuse(job.key.job, job.key.attempt, words.clone(), Cause::Rejected);
        }
    }

    fn refuse(&mut self, job: JobIx, attempt: u32, words: String, cause: Cause) {
        self.record(Record::Refused { job, attempt, words, cause });
    }

    /// Sends what lies in the outboxes, as much at once as each cluster allows.
    pub(super) fn dispatch(&mut self) {
        #[cfg(test)]
        if self.s.engine.faults.crashed() {
            return;
        }
        let one_by_one = !self.s.run.head.continue_on_error;
        let now = Instant::now();
        let ids: Vec<ClusterId> = self.sites.keys().cloned().collect();
        for id in ids {
            loop {
                let busy = self.sites.values().any(|s| s.sending > 0);
                let Some(site) = self.sites.get_mut(&id) else { break };
                let most = if one_by_one { 1 } else { site.concurrency };
                if site.sending >= most || (one_by_one && busy) || site.is_closed(now) {
                    break;
                }
                let Some(request) = site.outbox.pop_front() else { break };
                #[cfg(test)]
                if self.s.engine.faults.moment() {
                    return;
                }
                let jobs: Vec<(JobIx, u32)> =
                    request.jobs.iter().map(|j| (j.key.job, j.key.attempt)).collect();
                let cancelled = jobs
                    .iter()
                    .all(|(ix, _)| self.s.run.job(*ix).is_some_and(|row| row.cancel_asked));
                if cancelled {
                    self.record(Record::NotSent { jobs, why: "cancelled".to_owned() });
                    continue;
                }
                site.sending += 1;
                let cluster = site.cluster.clone();
                let facts = site.facts.clone().unwrap_or_default();
                let mut code: Vec<CodeBundle> = Vec::new();
                for bundle in request.jobs.iter().flat_map(|job| &job.code) {
                    if !code.contains(bundle) {
                        code.push(bundle.clone());
                    }
                }
                let limit = if code.is_empty() { ANSWER } else { ANSWER + SEND_CODE };
                self.beside(
                    id.clone(),
                    limit,
                    async move {
                        for bundle in &code {
                            cluster
                                .stage(bundle, &facts)
                                .await
                                .map_err(SubmitError::Unavailable)?;
                        }
                        cluster.submit(&request).await
                    },
                    |cluster, why| Err(SubmitError::Unknown(no_answer(cluster, why))),
                    move |result| What::Sent(jobs, result),
                );
            }
        }
        // A cluster that stopped answering: what was not sent waits again.
        let closed: Vec<ClusterId> = self
            .sites
            .iter()
            .filter(|(_, s)| s.is_closed(now) && !s.outbox.is_empty() && s.sending == 0)
            .map(|(id, _)| id.clone())
            .collect();
        for id in closed {
            let why = self
                .sites
                .get(&id)
                .and_then(|s| s.health.error.clone())
                .unwrap_or_else(|| "not sent".to_owned());
            self.empty_outbox(&id, &why);
        }
    }

    pub(super) fn empty_outboxes(&mut self, why: &str) {
        let ids: Vec<ClusterId> = self.sites.keys().cloned().collect();
        for id in ids {
            self.empty_outbox(&id, why);
        }
    }

    fn empty_outbox(&mut self, id: &ClusterId, why: &str) {
        let Some(site) = self.sites.get_mut(id) else { return };
        let jobs: Vec<(JobIx, u32)> = std::mem::take(&mut site.outbox)
            .iter()
            .flat_map(|r| r.jobs.iter().map(|j| (j.key.job, j.key.attempt)))
            .collect();
        if !jobs.is_empty() {
            self.record(Record::NotSent { jobs, why: why.to_owned() });
        }
    }

    /// The answer to a request.
    pub(super) fn sent(
        &mut self,
        id: &ClusterId,
        took: Duration,
        jobs: Vec<(JobIx, u32)>,
        result: Result<Vec<(JobKey, Outcome)>, SubmitError>,
    ) {
        let now = Instant::now();
        let at = self.s.now();
        // The next wave may be asked for.
        self.dirty = true;
        let Some(site) = self.sites.get_mut(id) else { return };
        site.sending = site.sending.saturating_sub(1);
        match result {
            Ok(outcomes) => {
                site.answered(now, at, took);
                site.poll_soon(now);
                let mut open: std::collections::BTreeSet<_> = jobs.into_iter().collect();
                for (key, outcome) in outcomes {
                    let (job, attempt) = (key.job, key.attempt);
                    if key.run != self.s.run.id || !open.remove(&(job, attempt)) {
                        continue;
                    }
                    match outcome {
                        Outcome::Accepted(accepted) => {
                            self.record(Record::Accepted { job, attempt, accepted });
                        }
                        Outcome::Rejected(words) => {
                            self.refuse(job, attempt, words, Cause::Rejected);
                        }
                    }
                }
                if !open.is_empty() {
                    self.doubt(id, open.into_iter().collect(), "no answer for this job");
                }
            }
            Err(SubmitError::Unknown(error)) => {
                site.failed(now, &error);
                self.doubt(id, jobs, &error.to_string());
            }
            Err(SubmitError::Unavailable(ClusterError::Refused { words, .. })) => {
                site.answered(now, at, took);
                for (job, attempt) in jobs {
                    self.refuse(job, attempt, words.clone(), Cause::Rejected);
                }
            }
            Err(SubmitError::Unavailable(error @ ClusterError::Unsupported { .. })) => {
                site.answered(now, at, took);
                for (job, attempt) in jobs {
                    self.refuse(job, attempt, error.to_string(), Cause::Rejected);
                }
            }
            Err(SubmitError::Unavailable(error)) => {
                site.failed(now, &error);
                self.record(Record::NotSent { jobs, why: error.to_string() });
            }
        }
        let refused = self.s.run.count(Status::Rejected) > 0;
        if refused && !self.s.run.head.continue_on_error {
            self.empty_outboxes("an earlier job was refused");
        }
        self.tell_health(id);
    }

    /// The jobs may exist: they are looked up before anything else.
    fn doubt(&mut self, id: &ClusterId, jobs: Vec<(JobIx, u32)>, why: &str) {
        self.record(Record::Unconfirmed { jobs, why: why.to_owned() });
        if let Some(site) = self.sites.get_mut(id) {
            let spacing = Duration::from_secs(site.capabilities.absent_spacing_secs);
            site.next_look = Some(Instant::now() + spacing);
        }
    }
}

pub(super) fn no_answer(cluster: &ClusterId, why: &str) -> ClusterError {
    ClusterError::Unreachable { cluster: cluster.clone(), why: why.to_owned(), retry_after: None }
}

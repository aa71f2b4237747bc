//! What a record does to a run.
//!
//! The rules that make every reader agree: records of a stale epoch are void; an
//! attempt that has ended stays as it ended, except `lost`, which a later word
//! of the cluster corrects; what does not fit the state it meets changes nothing.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Attempt, Record, Rows, Run, RunJob, Stamped,
    row::{Words, set},
};
use crate::domain::{ids::JobIx, plan::Approved, status::Status};

/// What a record changed, so that a window updates just that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Rows, each at most once.
    pub jobs: Vec<JobIx>,
    /// The hold or the conductor.
    pub run: bool,
}

impl Run {
    /// A run of which nothing was sent yet.
    pub fn new(approved: &Approved) -> Self {
        let jobs: Rows = approved
            .jobs()
            .iter()
            .map(|planned| RunJob {
                spec: planned.spec.clone(),
                cluster: planned.cluster.clone(),
                may_go: planned.may_go.clone(),
                action: planned.action.clone(),
                replicas: planned.replicas,
                total_gpus: planned.total_gpus,
                depends_on: planned.depends_on.clone(),
                status: Status::Waiting,
                cause: None,
                reason: None,
                blocked: false,
                cancel_asked: false,
                cancel_why: None,
                automatic_retries: 0,
                attempts: Vec::new(),
            })
            .collect();
        let counts = BTreeMap::from([(Status::Waiting, jobs.len())]);
        let has_dependencies = jobs.iter().any(|j| !j.depends_on.is_empty());
        Self {
            id: approved.run().clone(),
            head: approved.head().clone(),
            created_at: approved.at(),
            jobs,
            held: None,
            conductor: None,
            epoch: 0,
            last_record_at: approved.at(),
            counts,
            has_dependencies,
            failures_forgiven: 0,
            rooms: Arc::default(),
            left_alone: false,
        }
    }

    /// Folds one record in. Cost: of the jobs it names, whatever the size of the
    /// run (a take-over also looks for requests that were under way).
    pub fn apply(&mut self, stamped: &Stamped) -> Changed {
        if stamped.epoch < self.epoch {
            return Changed::default();
        }
        let at = stamped.at;
        self.last_record_at = self.last_record_at.max(at);
        let mut changed = Changed::default();
        match &stamped.record {
            Record::Opened { conductor } => {
                self.epoch = stamped.epoch;
                self.conductor = Some(conductor.clone());
                changed.run = true;
                changed.jobs = self.doubt_what_was_under_way();
            }
            Record::Closed { held } => {
                self.conductor = None;
                if let Some(why) = held {
                    self.hold(why);
                }
                changed.run = true;
            }
            Record::Held { reason } => {
                self.hold(reason);
                changed.run = true;
            }
            Record::Released => {
                self.held = None;
                self.failures_forgiven = self.failures();
                changed.run = true;
            }
            Record::Done { .. } => {}
            Record::Intent { cluster, jobs } => {
                for (job, attempt) in jobs {
                    self.touch(*job, &mut changed, |row| row.intend(*attempt, cluster, at));
                }
            }
            Record::Accepted { job, attempt, accepted } => {
                self.touch(*job, &mut changed, |row| {
                    row.with(*attempt, |a| {
                        a.remote_id = Some(accepted.remote_id.as_str().into());
                        set(&mut a.remote_name, accepted.remote_name.as_deref());
                        set(&mut a.url, accepted.url.as_deref());
                        set(&mut a.log_path, accepted.log_path.as_deref());
                        if matches!(a.status, Status::Submitting | Status::Unknown) {
                            a.status = Status::Pending;
                            a.reason = None;
                            a.absent_looks = 0;
                        }
                    })
                });
            }
            Record::Refused { job, attempt, words, cause } => {
                self.touch(*job, &mut changed, |row| {
                    row.with(*attempt, |a| {
                        if !a.status.is_ended() && a.status != Status::Waiting {
                            a.status = Status::Rejected;
                            a.cause = Some(*cause);
                            a.error = Some(words.as_str().into());
                            a.reason = Some(words.as_str().into());
                            a.finished_at = Some(at);
                        }
                    })
                });
            }
            Record::NotSent { jobs, why } => {
                for (job, attempt) in jobs {
                    self.touch(*job, &mut changed, |row| row.void(*attempt, why, at));
                }
            }
            Record::Unconfirmed { jobs, why } => {
                for (job, attempt) in jobs {
                    self.touch(*job, &mut changed, |row| {
                        row.with(*attempt, |a| {
                            if a.status == Status::Submitting {
                                a.status = Status::Unknown;
                                a.reason = Some(why.as_str().into());
                                a.absent_looks = 0;
                            }
                        })
                    });
                }
            }
            Record::LookedUp { job, attempt, absent_looks } => {
                self.touch(*job, &mut changed, |row| {
                    row.with(*attempt, |a| a.absent_looks = *absent_looks)
                });
            }
            Record::Follows { job, followed } => {
                self.touch(*job, &mut changed, |row| {
                    if row.attempts.iter().any(|a| a.follows.is_none()) {
                        return false;
                    }
                    let mut attempt = Attempt::open(1);
                    attempt.follows = Some(Arc::new(followed.key.clone()));
                    attempt.cluster = Some(followed.cluster.clone());
                    attempt.submitted_at = Some(followed.submitted_at.unwrap_or(at));
                    attempt.status = Status::Pending;
                    if let Some(accepted) = &followed.accepted {
                        attempt.remote_id = Some(accepted.remote_id.as_str().into());
                        set(&mut attempt.remote_name, accepted.remote_name.as_deref());
                        set(&mut attempt.url, accepted.url.as_deref());
                        set(&mut attempt.log_path, accepted.log_path.as_deref());
                    }
                    attempt.learn(&followed.facts, at);
                    row.blocked = followed.facts.blocked;
                    row.attempts = vec![attempt];
                    row.mirror();
                    true
                });
            }
            Record::Observed { job, attempt, facts } => {
                self.touch(*job, &mut changed, |row| row.observe(*attempt, facts, at));
            }
            Record::Waits { job, reason } => {
                self.touch(*job, &mut changed, |row| {
                    row.status == Status::Waiting && {
                        row.reason = Some(reason.as_str().into());
                        true
                    }
                });
            }
            Record::NotSubmitted { jobs, cause, reason } => {
                for job in jobs {
                    self.touch(*job, &mut changed, |row| {
                        row.status == Status::Waiting
                            && row.end_unsent(Status::NotSubmitted, *cause, reason, at)
                    });
                }
            }
            Record::Revived { jobs } => {
                for job in jobs {
                    self.touch(*job, &mut changed, |row| {
                        row.status == Status::NotSubmitted && row.wait_again()
                    });
                }
            }
            Record::Retried { job, attempt, spec, replicas, code, automatic } => {
                self.touch(*job, &mut changed, |row| {
                    if !row.status.is_ended() || *attempt != row.retry_number() {
                        return false;
                    }
                    row.open_retry(*attempt, *automatic);
                    if let Some(spec) = spec {
                        row.change(spec.clone(), *replicas);
                    }
                    if let (Some(code), Some(last)) = (code, row.attempts.last_mut()) {
                        last.code = Some(code.clone());
                    }
                    true
                });
            }
            Record::CancelAsked { jobs, why } => {
                for job in jobs {
                    self.touch(*job, &mut changed, |row| row.cancel(why.as_ref(), at));
                }
            }
        }
        changed
    }

    /// Failures that count for `max_failures`.
    pub(super) fn failures(&self) -> usize {
        self.counts.iter().filter(|(s, _)| s.is_failure()).map(|(_, n)| *n).sum()
    }

    fn hold(&mut self, why: &str) {
        self.held = Some(why.into());
        for at in 0..self.jobs.len() {
            let asked = |row: &RunJob| row.attempt().is_some_and(|a| a.asked);
            if self.jobs.get(at).is_some_and(asked)
                && let Some(last) = self.jobs.get_mut(at).and_then(|row| row.attempts.last_mut())
            {
                last.asked = false;
            }
        }
    }

    /// A new conductor cannot know what became of requests that were being sent.
    fn doubt_what_was_under_way(&mut self) -> Vec<JobIx> {
        if self.count(Status::Submitting) == 0 {
            return Vec::new();
        }
        let under_way: Vec<JobIx> = (0..)
            .map(JobIx)
            .zip(&self.jobs)
            .filter(|(_, row)| row.status == Status::Submitting)
            .map(|(ix, _)| ix)
            .collect();
        let mut changed = Changed::default();
        for ix in under_way {
            self.touch(ix, &mut changed, |row| {
                let Some(last) = row.attempts.last_mut() else { return false };
                last.status = Status::Unknown;
                last.absent_looks = 0;
                last.reason = Some("it was being sent when its conductor ended".into());
                row.mirror();
                true
            });
        }
        changed.jobs
    }

    /// Lets `change` work on a row and keeps the counts right.
    fn touch(
        &mut self,
        job: JobIx,
        changed: &mut Changed,
        change: impl FnOnce(&mut RunJob) -> bool,
    ) {
        let neighbour = job.index().checked_sub(1).and_then(|at| self.jobs.get(at)?.attempt());
        let words = neighbour.map(Words::of).unwrap_or_default();
        let Some(row) = self.jobs.get_mut(job.index()) else { return };
        let before = row.status;
        if !change(row) {
            return;
        }
        row.share(&words);
        let after = row.status;
        if before != after {
            if let Some(n) = self.counts.get_mut(&before) {
                *n = n.saturating_sub(1);
            }
            *self.counts.entry(after).or_default() += 1;
        }
        changed.jobs.push(job);
    }
}

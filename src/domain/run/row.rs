//! What a record does to one row and its attempts.
//!
//! Every method says whether it changed anything; what does not fit the state it
//! meets does not.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Attempt, JobFacts, RunJob};
use crate::domain::{
    ids::ClusterId,
    plan::JobAction,
    status::{Cause, Status},
};

pub(super) fn set(slot: &mut Option<Arc<str>>, text: Option<&str>) {
    if let Some(text) = text {
        *slot = Some(text.into());
    }
}

/// Texts that the jobs of a batch often have in common.
#[derive(Debug, Default)]
pub(super) struct Words([Option<Arc<str>>; 3]);

impl Words {
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self([attempt.reason.clone(), attempt.node.clone(), attempt.error.clone()])
    }
}

impl RunJob {
    /// Words that are also its neighbour's are kept once for both.
    pub(super) fn share(&mut self, neighbour: &Words) {
        let Some(last) = self.attempts.last_mut() else { return };
        let own = [&mut last.reason, &mut last.node, &mut last.error];
        for (own, known) in own.into_iter().zip(&neighbour.0) {
            if own == known {
                own.clone_from(known);
            }
        }
        if self.reason == last.reason {
            self.reason.clone_from(&last.reason);
        }
    }

    /// Takes just the room it needs: most rows never have another.
    fn add(&mut self, attempt: Attempt) {
        self.attempts.reserve_exact(1);
        self.attempts.push(attempt);
    }

    /// The row shows its newest attempt.
    pub(super) fn mirror(&mut self) {
        let Some(last) = self.attempts.last() else { return };
        self.status = last.status;
        self.cause = last.cause;
        self.reason.clone_from(&last.reason);
        if let Some(cluster) = &last.cluster {
            self.cluster = Some(cluster.clone());
        }
        if self.status != Status::Pending {
            self.blocked = false;
        }
        if self.status.is_ended() {
            self.cancel_asked = false;
        }
    }

    pub(super) fn with(&mut self, attempt: u32, change: impl FnOnce(&mut Attempt)) -> bool {
        let Some(known) = self.attempts.iter_mut().find(|a| a.number == attempt) else {
            return false;
        };
        change(known);
        self.mirror();
        true
    }

    pub(super) fn intend(&mut self, attempt: u32, cluster: &ClusterId, at: Timestamp) -> bool {
        if self.status != Status::Waiting || attempt != self.next_attempt() {
            return false;
        }
        if self.attempts.last().is_none_or(|last| last.number != attempt) {
            let mut opened = Attempt::open(attempt);
            opened.spec = self.attempts.last().and_then(|a| a.spec.clone());
            opened.code = self.attempts.last().and_then(|a| a.code.clone());
            self.add(opened);
        }
        self.with(attempt, |a| {
            a.status = Status::Submitting;
            a.cluster = Some(cluster.clone());
            a.submitted_at = Some(at);
            a.reason = None;
            a.absent_looks = 0;
        })
    }

    /// The request did not leave, or the job did not come to be.
    pub(super) fn void(&mut self, attempt: u32, why: &str, at: Timestamp) -> bool {
        let cancelled = self.cancel_asked.then(|| self.with_why("cancelled before it was sent"));
        let is_open = !self.may_go.is_empty();
        if is_open && self.status == Status::Submitting {
            // Nothing left this machine, so any of its clusters may have it. After a
            // lost answer it goes to the same one again, which would know it.
            self.cluster = None;
        }
        self.with(attempt, |a| {
            if matches!(a.status, Status::Submitting | Status::Unknown) {
                if is_open && a.status == Status::Submitting {
                    a.cluster = None;
                }
                a.submitted_at = None;
                a.absent_looks = 0;
                a.reason = Some(why.into());
                a.status = Status::Waiting;
                if let Some(reason) = cancelled {
                    a.status = Status::Stopped;
                    a.cause = Some(Cause::Cancelled);
                    a.reason = Some(reason);
                    a.finished_at = Some(at);
                }
            }
        })
    }

    pub(super) fn observe(&mut self, sent_as: u32, facts: &JobFacts, at: Timestamp) -> bool {
        let known = self.started_as(sent_as);
        let cancel_why = self.cancel_why.clone();
        let attempts = self.attempts.len();
        let Some(at_ix) = self.attempts.iter().rposition(|a| a.sent_as == sent_as) else {
            return false;
        };
        let Some(attempt) = self.attempts.get_mut(at_ix) else { return false };
        let may_change = match attempt.status {
            Status::Waiting => false,
            Status::Lost => facts.status != Status::Lost,
            status => !status.is_ended(),
        };
        if !may_change {
            return false;
        }
        let newest = at_ix + 1 == attempts;
        // The cluster began the job anew under the same key: the old attempt is
        // over, the facts are those of the next.
        if newest && facts.restarts >= known {
            attempt.status = Status::Failed;
            attempt.cause = Some(facts.restarted.unwrap_or(Cause::Other));
            attempt.reason = Some(why_again(facts.restarted).into());
            attempt.finished_at = Some(facts.started_at.unwrap_or(at));
            let mut next = attempt.clone();
            next.number += 1;
            next.automatic = true;
            next.status = Status::Pending;
            next.cause = None;
            next.node = None;
            next.exit_code = None;
            next.signal = None;
            next.error = None;
            next.started_at = None;
            next.finished_at = None;
            next.learn(facts, at);
            self.add(next);
        } else {
            attempt.learn(facts, at);
            if newest && attempt.cause == Some(Cause::Cancelled) && cancel_why.is_some() {
                let plain = attempt.reason.as_deref().unwrap_or("cancelled");
                attempt.reason = Some(because(plain, cancel_why.as_deref()));
            }
        }
        if newest {
            self.blocked = facts.blocked;
            self.mirror();
        }
        true
    }

    /// How often the cluster has started what was sent with this attempt's key.
    pub fn starts(&self, attempt: &Attempt) -> u32 {
        self.started_as(attempt.sent_as)
    }

    fn started_as(&self, sent_as: u32) -> u32 {
        let one = |a: &Attempt| u32::from(a.sent_as == sent_as);
        self.attempts.iter().map(one).sum()
    }

    /// Ends a row of which nothing was sent.
    pub(super) fn end_unsent(
        &mut self,
        status: Status,
        cause: Option<Cause>,
        reason: &str,
        at: Timestamp,
    ) -> bool {
        if let Some(last) = self.attempts.last_mut()
            && last.status == Status::Waiting
        {
            last.status = status;
            last.cause = cause;
            last.reason = Some(reason.into());
            last.finished_at = Some(at);
        }
        self.status = status;
        self.cause = cause;
        self.reason = Some(reason.into());
        true
    }

    /// Back in the queue; an attempt that was never sent is taken up again.
    pub(super) fn wait_again(&mut self) -> bool {
        if let Some(last) = self.attempts.last_mut()
            && !last.was_sent()
        {
            last.status = Status::Waiting;
            last.cause = None;
            last.reason = None;
            last.finished_at = None;
        }
        self.status = Status::Waiting;
        self.cause = None;
        self.reason = None;
        self.blocked = false;
        self.cancel_asked = false;
        self.cancel_why = None;
        true
    }

    /// The number a retry opens: one that was never sent is used again.
    pub fn retry_number(&self) -> u32 {
        match self.attempts.last() {
            Some(last) if last.was_sent() => last.number + 1,
            Some(last) => last.number,
            None => 1,
        }
    }

    pub(super) fn open_retry(&mut self, number: u32, automatic: bool) {
        if self.attempts.last().is_none_or(|last| last.number != number) {
            let mut opened = Attempt::open(number);
            if let Some(last) = self.attempts.last() {
                opened.spec.clone_from(&last.spec);
                opened.code.clone_from(&last.code);
            }
            self.add(opened);
        }
        self.wait_again();
        if let Some(last) = self.attempts.last_mut() {
            last.automatic = automatic;
            last.asked = !automatic;
        }
        if !self.may_go.is_empty() {
            self.cluster = None;
        }
        // The row is sent for itself from now on, whatever it followed before.
        if !self.action.sends() {
            self.action = JobAction::Submit;
        }
        self.automatic_retries = if automatic { self.automatic_retries + 1 } else { 0 };
    }

    pub(super) fn change(&mut self, spec: Arc<crate::domain::job::JobSpec>, replicas: Option<u32>) {
        if let Some(replicas) = replicas {
            self.replicas = replicas;
        }
        self.total_gpus = spec.gpus.times(u64::from(self.replicas));
        if let Some(last) = self.attempts.last_mut() {
            last.spec = Some(spec);
        }
    }

    pub(super) fn cancel(&mut self, why: Option<&Arc<str>>, at: Timestamp) -> bool {
        if !self.status.is_ended() {
            self.cancel_why = why.cloned();
        }
        match self.status {
            Status::Waiting => {
                let reason = self.with_why("cancelled before it was sent");
                self.end_unsent(Status::Stopped, Some(Cause::Cancelled), &reason, at)
            }
            // Another run's job: this row stops following, the job goes on there.
            _ if !self.status.is_ended()
                && self.attempts.last().is_some_and(|a| a.follows.is_some()) =>
            {
                let attempt = self.attempts.last().map_or(1, |a| a.number);
                let why = self.cancel_why.clone();
                self.with(attempt, |a| {
                    let from = a.follows.as_ref().map(|k| k.run.to_string()).unwrap_or_default();
                    let plain = format!("no longer followed; it goes on in run {from}");
                    a.status = Status::Stopped;
                    a.cause = Some(Cause::Cancelled);
                    a.reason = Some(because(&plain, why.as_deref()));
                    a.finished_at = Some(at);
                })
            }
            status if status.is_ended() => false,
            _ => {
                self.cancel_asked = true;
                true
            }
        }
    }

    /// What happened, and why a person wanted it.
    fn with_why(&self, what: &str) -> Arc<str> {
        because(what, self.cancel_why.as_deref())
    }
}

/// What happened, and why it was asked for: `cancelled: wrong data`.
fn because(what: &str, why: Option<&str>) -> Arc<str> {
    match why {
        Some(why) => format!("{what}: {why}").into(),
        None => what.into(),
    }
}

/// Words for a start that the cluster ended to make another one.
fn why_again(cause: Option<Cause>) -> &'static str {
    match cause {
        Some(Cause::Node) => "its node failed; the cluster started it again",
        Some(Cause::Preempted) => "preempted by another job; the cluster started it again",
        Some(Cause::Launch) => "its launch failed; the cluster started it again",
        _ => "the cluster started it again",
    }
}

impl Attempt {
    pub(super) fn learn(&mut self, facts: &JobFacts, at: Timestamp) {
        self.status = facts.status;
        self.cause = facts.cause;
        self.reason = facts.reason.as_deref().map(Into::into);
        self.absent_looks = 0;
        set(&mut self.node, facts.node.as_deref());
        set(&mut self.url, facts.url.as_deref());
        set(&mut self.error, facts.error.as_deref());
        if facts.exit_code.is_some() {
            self.exit_code = facts.exit_code;
        }
        if facts.signal.is_some() {
            self.signal = facts.signal;
        }
        if facts.started_at.is_some() {
            self.started_at = facts.started_at;
        } else if facts.status == Status::Running && self.started_at.is_none() {
            self.started_at = Some(at);
        }
        self.finished_at =
            if facts.status.is_ended() { Some(facts.finished_at.unwrap_or(at)) } else { None };
    }
}

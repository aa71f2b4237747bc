//! What may be sent now, and what never will be: the rules of a batch, pure.
//!
//! Dependencies, `max_concurrent`, `max_failures`, `continue_on_error` and the
//! hold all meet here. Where a cluster can keep a rule itself it is handed over
//! with the job, so that nobody has to stay awake for it; where that would not be
//! sound the rule is kept here and the job waits.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

use super::{Run, RunJob};
use crate::domain::{
    ids::{ClusterId, JobIx, JobKey},
    job::DependencyCondition,
    placement::{Asks, Deal, OVERTAKES, Offer, Vacancy, need, shortage},
    site::{Appeal, Capabilities, KeepsLimit, NodeCapacity},
    status::{Cause, Status},
};

/// One cluster as the rules see it.
#[derive(Clone, Debug)]
pub struct Site {
    pub capabilities: Capabilities,
    /// It answers.
    pub open: bool,
    /// Jobs it may be sent now; 0 while it does not answer or is busy with ours.
    pub take: usize,
    /// Only asked of a cluster without a queue; `None`: not known, nothing is sent.
    pub room: Option<Vec<NodeCapacity>>,
    pub appeal: Appeal,
}

impl Site {
    fn offer(&self) -> Offer {
        Offer {
            open: self.open,
            take: self.take,
            room: match &self.room {
                _ if self.capabilities.queue => Vacancy::Queue,
                None => Vacancy::Unknown,
                Some(nodes) => Vacancy::Nodes(nodes.clone()),
            },
            appeal: self.appeal,
        }
    }
}

/// The enabled clusters, in the order of the configuration.
pub type Sites = IndexMap<ClusterId, Site>;

/// A job that may be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Sendable {
    pub job: JobIx,
    pub attempt: u32,
    pub cluster: ClusterId,
    /// Handed to the cluster to wait for.
    pub after: Vec<(JobKey, DependencyCondition)>,
    /// Handed to the cluster to keep.
    pub run_limit: Option<u32>,
}

/// The answer; every list in batch order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ready {
    pub send: Vec<Sendable>,
    /// Will not be sent, with cause and reason.
    pub never: Vec<(JobIx, Cause, String)>,
    /// What stood in their way is gone: they wait again.
    pub revive: Vec<JobIx>,
    /// The run must be held, for this reason.
    pub hold: Option<String>,
}

enum Dependencies {
    Met,
    /// Handed to the cluster.
    Handed(Vec<(JobKey, DependencyCondition)>),
    Wait,
    Unmet(String),
}

/// Whether the cluster can be trusted with a run's `max_concurrent`: all jobs
/// that are sent go to that one cluster, and it keeps such limits. With `max_failures`
/// they are sent in waves all the same, and none should stand there that need not.
fn keeps_run_limit(run: &Run, sites: &Sites) -> bool {
    if run.head.max_failures.is_some() {
        return false;
    }
    let mut clusters = run.jobs.iter().filter(|j| j.action.sends()).map(|j| j.cluster.as_ref());
    let Some(Some(first)) = clusters.next() else { return false };
    if !clusters.all(|c| c == Some(first)) {
        return false;
    }
    let Some(can) = sites.get(first).map(|site| &site.capabilities) else { return false };
    match can.run_limit {
        KeepsLimit::No => false,
        KeepsLimit::Always => true,
        KeepsLimit::OneRequest => {
            // All of them now, or it would be another request that knows nothing of
            // the first.
            let mut jobs = run.jobs.iter().filter(|j| j.action.sends());
            let all_new = |j: &RunJob| j.status == Status::Waiting && j.attempts.is_empty();
            let Some(one) = jobs.next() else { return false };
            run.head.is_sent_at_once()
                && all_new(one)
                && run.jobs.len() <= can.jobs_per_request
                && jobs.all(|j| all_new(j) && j.spec.is_alike(&one.spec))
        }
    }
}

/// What to send now, and what the rules say of the rest. With `only_asked` just
/// what a person asked for by a retry is sent, as in a held run.
pub fn ready(run: &Run, sites: &Sites, now: Timestamp, only_asked: bool) -> Ready {
    let mut answer = Ready::default();
    let revivable = run.has_dependencies && run.count(Status::NotSubmitted) > 0;
    if run.count(Status::Waiting) == 0 && !revivable {
        return answer;
    }
    let stop = run.refused_and_stops();
    let failed = run.failures().saturating_sub(run.failures_forgiven);
    let budget = run.head.max_failures.map(|max| (max as usize).saturating_sub(failed));
    if budget == Some(0) && run.held.is_none() && run.count(Status::Waiting) > 0 {
        answer.hold = Some(format!(
            "{failed} {}job{} failed, `max_failures` is {}",
            if run.failures_forgiven > 0 { "more " } else { "" },
            if failed == 1 { "" } else { "s" },
            run.head.max_failures.unwrap_or_default()
        ));
    }
    let sends_all = !only_asked && run.held.is_none() && answer.hold.is_none();

    // What stands in a cluster's queue starts whatever fails before it. So with
    // `max_failures` only as many stand there as may still fail; those that run do not
    // count, or the batch would never be at full width.
    let mut wave = budget.map(|left| left.saturating_sub(run.queued()));
    let handed_limit = run.head.max_concurrent.filter(|_| keeps_run_limit(run, sites));
    let mut width = match (run.head.max_concurrent, handed_limit) {
        (Some(max), None) => Some((max as usize).saturating_sub(run.live())),
        _ => None,
    };
    let mut deal = Deal::new(sites.iter().map(|(id, site)| (id, site.offer())));
    let waited = now.duration_since(run.created_at).unsigned_abs();
    let may_pass = run.has_been_sent();
    let mut sent_before = 0;
    // Without rules that judge every row it is enough to go on until nothing more
    // can be sent.
    let judges_all = stop || run.has_dependencies;
    // A person who asks for a row knows what was refused or has failed before it.
    let asks = |j: &RunJob| j.status == Status::Waiting && j.attempt().is_some_and(|a| a.asked);
    let any_asked = wave == Some(0) && run.jobs.iter().any(asks);

    for (ix, job) in (0..).map(JobIx).zip(&run.jobs) {
        let full = width == Some(0) || deal.is_over();
        let spent = wave == Some(0);
        if (full || (spent && !any_asked)) && !judges_all {
            break;
        }
        match job.status {
            Status::NotSubmitted if job.cause == Some(Cause::Dependency) => {
                if matches!(run.dependencies(job, sites), Dependencies::Met) {
                    answer.revive.push(ix);
                }
                continue;
            }
            Status::Waiting if job.action.sends() => {}
            Status::Waiting | Status::NotSubmitted => continue,
            _ => {
                sent_before += 1;
                continue;
            }
        }
        let asked = asks(job);
        if stop && !asked {
            answer.never.push((
                ix,
                Cause::Rejected,
                "an earlier job was refused and `continue_on_error` is false".to_owned(),
            ));
            continue;
        }
        let after = match run.dependencies(job, sites) {
            Dependencies::Met => Vec::new(),
            Dependencies::Handed(after) => after,
            Dependencies::Wait => continue,
            Dependencies::Unmet(why) => {
                answer.never.push((ix, Cause::Dependency, why));
                continue;
            }
        };
        if !(asked || (sends_all && !spent)) || full {
            continue;
        }
        let asks = Asks {
            fixed: job.cluster.as_ref(),
            choice: &job.spec.cluster,
            may_go: &job.may_go,
            need: need(job.spec_now(), job.replicas),
            waited,
        };
        let Some(cluster) = deal.deal(&asks).cloned() else {
            if may_pass.saturating_sub(sent_before) >= OVERTAKES {
                deal.keep(&asks);
            }
            continue;
        };
        for left in [&mut wave, &mut width].into_iter().flatten() {
            *left = left.saturating_sub(1);
        }
        answer.send.push(Sendable {
            job: ix,
            attempt: job.next_attempt(),
            cluster,
            after,
            run_limit: handed_limit,
        });
    }
    answer
}

fn is_met(parent: &RunJob, condition: DependencyCondition) -> bool {
    match condition {
        DependencyCondition::Succeeded => parent.status == Status::Succeeded,
        // What will not be sent never ends; it counts as ended all the same.
        DependencyCondition::Ended => parent.status.is_ended(),
    }
}

impl Run {
    /// Jobs that were sent and have not started, as far as is known.
    fn queued(&self) -> usize {
        [Status::Submitting, Status::Unknown, Status::Pending].map(|s| self.count(s)).iter().sum()
    }

    /// Jobs that were sent, whatever became of them.
    fn has_been_sent(&self) -> usize {
        let unsent = [Status::Waiting, Status::NotSubmitted].map(|s| self.count(s));
        self.jobs.len() - unsent.iter().sum::<usize>().min(self.jobs.len())
    }

    /// Jobs under way.
    fn live(&self) -> usize {
        self.counts.iter().filter(|(s, _)| s.is_live()).map(|(_, n)| *n).sum()
    }

    /// `continue_on_error: false`, and a job was refused that nobody tried again.
    fn refused_and_stops(&self) -> bool {
        !self.head.continue_on_error && self.count(Status::Rejected) > 0
    }

    fn dependencies(&self, job: &RunJob, sites: &Sites) -> Dependencies {
        let mut handed = Vec::new();
        let mut wait = false;
        for (on, condition) in job.depends_on.iter() {
            let Some(parent) = self.job(*on) else { continue };
            if is_met(parent, *condition) {
                continue;
            }
            if let Some(why) = self.hindered_by(parent) {
                return Dependencies::Unmet(why);
            }
            match self.hand_over(job, *on, parent, sites) {
                Some(key) => handed.push((key, *condition)),
                None => wait = true,
            }
        }
        match (wait, handed.is_empty()) {
            (true, _) => Dependencies::Wait,
            (false, true) => Dependencies::Met,
            (false, false) => Dependencies::Handed(handed),
        }
    }

    /// Why a job that must succeed never will; `None` while it still may.
    fn hindered_by(&self, parent: &RunJob) -> Option<String> {
        // An end that `max_retries` will still try to mend is no end yet.
        if !parent.status.is_ended() || self.will_retry(parent) {
            return None;
        }
        let what = match parent.status {
            Status::NotSubmitted => "was not submitted",
            Status::Rejected => "was rejected",
            Status::Lost => "is lost",
            Status::Stopped => "was stopped",
            _ => "failed",
        };
        Some(format!("{} {what}", parent.spec.name))
    }

    /// What stands in the way of a job that was given up, as it is now: what it
    /// waits for may have been tried again since.
    fn hindrance(&self, row: &RunJob) -> Arc<str> {
        let unmet = row
            .depends_on
            .iter()
            .filter_map(|(on, condition)| Some((self.job(*on)?, *condition)))
            .filter(|(parent, condition)| !is_met(parent, *condition));
        let mut tried_again = None;
        for (parent, _) in unmet {
            match self.hindered_by(parent) {
                Some(why) => return why.into(),
                None => tried_again = tried_again.or(Some(&parent.spec.name)),
            }
        }
        match tried_again {
            Some(name) => format!("waits for {name}, which is tried again").into(),
            None => "what it waited for has succeeded since".into(),
        }
    }

    /// A dependency can be the cluster's own affair when both jobs go there, the
    /// parent is known there under its last key, and nothing here could still
    /// change what is to be sent.
    fn hand_over(&self, job: &RunJob, on: JobIx, parent: &RunJob, sites: &Sites) -> Option<JobKey> {
        let cluster = job.cluster.as_ref()?;
        let native = sites.get(cluster).is_some_and(|s| s.capabilities.dependencies);
        let sound = parent.cluster.as_ref() == Some(cluster)
            && parent.action.sends()
            && parent.spec_now().max_retries == 0
            && self.head.max_failures.is_none()
            && matches!(parent.status, Status::Pending | Status::Running);
        (native && sound).then(|| self.key(on, parent.attempt().map_or(1, |a| a.number)))
    }

    /// `max_retries` will open another attempt for it.
    pub fn will_retry(&self, job: &RunJob) -> bool {
        job.action.sends()
            && matches!(job.status, Status::Failed | Status::Lost | Status::Rejected)
            && job.cause.is_some_and(Cause::is_retried_automatically)
            && job.automatic_retries < job.spec_now().max_retries
    }

    /// `max_retries` could still open another attempt, should the job fail.
    fn might_retry(job: &RunJob) -> bool {
        job.action.sends()
            && job.status.is_live()
            && job.automatic_retries < job.spec_now().max_retries
    }

    /// Somebody must carry this run on: there is something to send, to look up or
    /// to try again. A held run needs nobody.
    pub fn needs_conductor(&self) -> bool {
        if self.count(Status::Unknown) + self.count(Status::Submitting) > 0 {
            return true;
        }
        if self
            .jobs
            .iter()
            .any(|j| j.status == Status::Waiting && j.attempt().is_some_and(|a| a.asked))
        {
            return true;
        }
        self.held.is_none()
            && (self
                .jobs
                .iter()
                .any(|j| j.status == Status::Waiting || self.will_retry(j) || Self::might_retry(j))
                || self.may_revive())
    }

    /// A dependent that was given up may still be wanted, because what it waits
    /// for is being tried again.
    fn may_revive(&self) -> bool {
        self.count(Status::NotSubmitted) > 0
            && self.jobs.iter().any(|j| {
                j.status == Status::NotSubmitted
                    && j.cause == Some(Cause::Dependency)
                    && j.depends_on.iter().all(|(on, _)| {
                        self.job(*on)
                            .is_some_and(|p| p.status == Status::Succeeded || !p.status.is_ended())
                    })
            })
    }

    /// Why none of its clusters has room for it, where they get only what fits.
    fn shortage(&self, row: &RunJob) -> Option<String> {
        let may_go = |id: &ClusterId| match &row.cluster {
            Some(fixed) => fixed == id,
            None => row.may_go.contains(id),
        };
        shortage(
            &need(row.spec_now(), row.replicas),
            self.rooms.iter().filter(|(id, _)| may_go(id)),
        )
    }

    /// Why a row is in the state it is, in words for people; for a waiting row
    /// what it waits for.
    pub fn reason(&self, job: JobIx) -> Option<Arc<str>> {
        let row = self.job(job)?;
        if row.status == Status::NotSubmitted && row.cause == Some(Cause::Dependency) {
            return Some(self.hindrance(row));
        }
        if row.status != Status::Waiting {
            return match (row.cancel_asked, &row.reason) {
                (true, None) => Some("cancel asked".into()),
                (true, Some(why)) => Some(format!("cancel asked; {why}").into()),
                (false, why) => why.clone(),
            };
        }
        if let Some(why) = &self.held
            && !row.attempt().is_some_and(|a| a.asked)
        {
            return Some(format!("held: {why}").into());
        }
        let open: Vec<&str> = row
            .depends_on
            .iter()
            .filter_map(|(on, _)| self.job(*on))
            .filter(|p| !p.status.is_ended())
            .map(|p| p.spec.name.as_str())
            .collect();
        match open.as_slice() {
            [] => {}
            [one] => return Some(format!("waits for {one}").into()),
            [one, rest @ ..] => {
                return Some(format!("waits for {one} and {} more", rest.len()).into());
            }
        }
        if self.left_alone {
            return Some("never sent, and nobody carries the run on".into());
        }
        if let Some(why) = self.shortage(row) {
            return Some(why.into());
        }
        if row.reason.is_some() {
            return row.reason.clone();
        }
        match self.head.max_concurrent {
            Some(max) if self.live() >= max as usize => {
                Some(format!("at most {max} of the batch at once").into())
            }
            _ if self.head.max_failures.is_some() && self.queued() > 0 => {
                Some("`max_failures`: sent when those before it have started".into())
            }
            _ => Some("to be sent".into()),
        }
    }
}

//! An approved plan being submitted and watched: the fold of its records.
//!
//! The conductor, a second window, `status` after a crash and the tests all see
//! the same run, because all of them fold the same [`Record`]s with
//! [`Run::apply`]. The journal stores records; windows receive them.
//!
//! ```text
//! Approved ─new▶ Run ─apply(Stamped)▶ Run ─ready▶ what to send now
//!                                      └─outstanding▶ what to try again
//! ```
//! A run is never deleted by folding: ended jobs keep every attempt, and a retry
//! opens the next one in the same row.

use std::{collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ids::{ClusterId, JobIx, JobKey, RunId},
    job::{DependencyCondition, JobSpec},
    plan::{BatchHead, JobAction},
    resources::Gpus,
    site::Capacity,
    status::{Cause, Status},
};

mod fold;
mod ready;
mod record;
mod retry;
mod row;
mod rows;
mod select;
#[cfg(test)]
mod tests;

pub use fold::Changed;
pub use ready::{Ready, Sendable, Site, Sites, ready};
pub use record::{Accepted, Followed, JobFacts, Record, Stamped};
pub use retry::{Outstanding, Selection, outstanding};
pub use rows::Rows;
pub use select::UnknownJob;

/// One try at a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// From 1. Counts what was handed to a cluster, not what ran there: a cluster that
    /// held the job for another and then gave it up has used a number, since a key is
    /// never handed over twice.
    pub number: u32,
    /// Attempt in the key it travels under. Differs from `number` when the
    /// cluster started the job again by itself.
    pub sent_as: u32,
    /// Set when a retry changed the job; else the job's own.
    pub spec: Option<Arc<JobSpec>>,
    /// Content hash of the code it runs with, when not the code as first sent.
    pub code: Option<Arc<str>>,
    /// Another run's job whose life this attempt shows (`attach`, `reuse`).
    pub follows: Option<Arc<JobKey>>,
    /// Opened by `max_retries`, not by a person.
    pub automatic: bool,
    /// A person asked for it since the run was last held: it is sent all the same.
    pub asked: bool,
    pub cluster: Option<ClusterId>,
    pub status: Status,
    pub cause: Option<Cause>,
    pub reason: Option<Arc<str>>,
    /// The cluster's own id; opaque, may be reused there.
    pub remote_id: Option<Arc<str>>,
    pub remote_name: Option<Arc<str>>,
    pub url: Option<Arc<str>>,
    pub node: Option<Arc<str>>,
    pub log_path: Option<Arc<str>>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub submitted_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The cluster's own words, when it refused or failed the job.
    pub error: Option<Arc<str>>,
    /// Times in a row the cluster said that it does not know the job.
    pub absent_looks: u32,
}

impl Attempt {
    pub(crate) fn open(number: u32) -> Self {
        Self {
            number,
            sent_as: number,
            spec: None,
            code: None,
            follows: None,
            automatic: false,
            asked: false,
            cluster: None,
            status: Status::Waiting,
            cause: None,
            reason: None,
            remote_id: None,
            remote_name: None,
            url: None,
            node: None,
            log_path: None,
            exit_code: None,
            signal: None,
            submitted_at: None,
            started_at: None,
            finished_at: None,
            error: None,
            absent_looks: 0,
        }
    }

    /// A request for it may have left this machine.
    pub fn was_sent(&self) -> bool {
        self.submitted_at.is_some()
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct RunJob {
    /// As first approved; see [`RunJob::spec_now`].
    pub spec: Arc<JobSpec>,
    pub cluster: Option<ClusterId>,
    /// The clusters it may go to while it is given to none.
    pub may_go: Arc<[ClusterId]>,
    pub action: JobAction,
    pub replicas: u32,
    pub total_gpus: Gpus,
    /// Shared by the jobs of a group.
    pub depends_on: Arc<[(JobIx, DependencyCondition)]>,
    /// Of the newest attempt, or of the job itself while none was sent.
    pub status: Status,
    pub cause: Option<Cause>,
    /// As last told; for a waiting job ask [`Run::reason`].
    pub reason: Option<Arc<str>>,
    /// Pending, and will never start by itself; the reason says what to do.
    pub blocked: bool,
    /// A cancel was asked for and its end was not seen yet.
    pub cancel_asked: bool,
    /// Why, in the words of who asked for the last cancel.
    pub cancel_why: Option<Arc<str>>,
    /// Attempts that `max_retries` has opened since a person last asked for one.
    pub automatic_retries: u32,
    /// Oldest first; empty while nothing was sent.
    pub attempts: Vec<Attempt>,
}

impl RunJob {
    /// The newest attempt.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// The newest attempt, unless the job ended without ever having been anywhere:
    /// a cluster may hold a job for another that then fails.
    pub fn sent(&self) -> Option<&Attempt> {
        self.attempt().filter(|_| self.status != Status::NotSubmitted)
    }

    /// What the newest attempt runs: the job as a retry changed it.
    pub fn spec_now(&self) -> &Arc<JobSpec> {
        self.attempts.last().and_then(|a| a.spec.as_ref()).unwrap_or(&self.spec)
    }

    /// What attempt `number` ran; the job's own for one that is not known.
    pub fn spec_of(&self, number: u32) -> &Arc<JobSpec> {
        self.attempts
            .iter()
            .find(|a| a.number == number)
            .and_then(|a| a.spec.as_ref())
            .unwrap_or(&self.spec)
    }

    /// The number the next request for this job goes under.
    pub fn next_attempt(&self) -> u32 {
        match self.attempts.last() {
            Some(last) if last.status == Status::Waiting => last.number,
            Some(last) => last.number + 1,
            None => 1,
        }
    }
}

/// Who carries a run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conductor {
    pub host: String,
    pub boot: String,
    pub pid: u32,
    /// Start time of the process in clock ticks since boot; guards against pid reuse.
    pub start: u64,
    pub epoch: u64,
    /// A background process.
    pub background: bool,
    /// It gives way to whoever of the same host asks: a background process, or a
    /// window that only looks.
    #[serde(default)]
    pub yields: bool,
}

/// A run as it stands. A clone is a snapshot that shares its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub id: RunId,
    pub head: BatchHead,
    pub created_at: Timestamp,
    pub jobs: Rows,
    /// Why nothing more is sent for now; `None`: sending goes on.
    pub held: Option<Arc<str>>,
    /// The conductor that wrote last and has not said that it left.
    pub conductor: Option<Conductor>,
    /// Highest epoch seen; records of lower ones are void.
    pub epoch: u64,
    pub last_record_at: Timestamp,
    /// Jobs by status.
    pub counts: BTreeMap<Status, usize>,
    /// Some job waits for another.
    pub(super) has_dependencies: bool,
    /// Failures before this many are forgiven: a person released the run after
    /// `max_failures` had held it.
    pub failures_forgiven: usize,
    /// What the clusters without a queue have free, as last heard; not recorded.
    pub(super) rooms: Arc<Rooms>,
    /// Nobody carries it on, as far as was looked; not recorded.
    pub(super) left_alone: bool,
}

/// By cluster, in the order of the configuration.
pub type Rooms = IndexMap<ClusterId, Capacity>;

impl Run {
    /// As its records alone tell it.
    #[cfg(test)]
    pub(crate) fn as_recorded(&self) -> Self {
        Self { rooms: Arc::default(), left_alone: false, ..self.clone() }
    }

    /// Takes note that nobody carries it on, so that what waits can say so.
    pub fn learn_that_nobody_carries_it_on(&mut self) {
        self.left_alone = true;
    }

    /// Takes note of what the clusters without a queue have free, so that jobs can
    /// tell what they wait for. Whether that is news.
    pub fn learn_rooms(&mut self, rooms: Rooms) -> bool {
        let is_news = *self.rooms != rooms;
        if is_news {
            self.rooms = Arc::new(rooms);
        }
        is_news
    }

    pub fn count(&self, status: Status) -> usize {
        self.counts.get(&status).copied().unwrap_or(0)
    }

    pub fn job(&self, job: JobIx) -> Option<&RunJob> {
        self.jobs.get(job.index())
    }

    /// Every job has ended.
    pub fn is_ended(&self) -> bool {
        self.counts.iter().all(|(status, n)| *n == 0 || status.is_ended())
    }

    /// When the last of its jobs ended, as the clusters told; what was recorded of
    /// the run later changes nothing. Before that, and of jobs that were never
    /// anywhere: when it was last heard of.
    pub fn ended_at(&self) -> Timestamp {
        let last = self.jobs.iter().filter_map(|job| job.sent()?.finished_at).max();
        last.filter(|_| self.is_ended()).unwrap_or(self.last_record_at)
    }

    /// Every job has ended, or is a workspace that is up.
    pub fn is_settled(&self) -> bool {
        let open: usize = self.counts.iter().filter(|(s, _)| !s.is_ended()).map(|(_, n)| *n).sum();
        open == 0
            || (open == self.count(Status::Running)
                && self
                    .jobs
                    .iter()
                    .filter(|j| j.status == Status::Running)
                    .all(|j| j.spec.job_type == super::job::JobType::Workspace))
    }

    /// Jobs that were approved and not sent yet.
    pub fn unsent(&self) -> usize {
        self.count(Status::Waiting)
    }

    /// Some job failed, was rejected or is lost.
    pub fn has_failures(&self) -> bool {
        self.counts.iter().any(|(s, n)| *n > 0 && s.is_failure())
    }

    /// GPUs of running jobs, as asked for.
    pub fn gpus_in_use(&self) -> Gpus {
        self.jobs.iter().filter(|j| j.status == Status::Running).map(|j| j.total_gpus).sum()
    }

    /// The key attempt `number` of a job is known by on its cluster.
    pub fn key(&self, job: JobIx, attempt: u32) -> JobKey {
        let known = self.job(job).and_then(|j| j.attempts.iter().find(|a| a.number == attempt));
        match known {
            Some(Attempt { follows: Some(key), .. }) => JobKey::clone(key),
            Some(a) => JobKey { run: self.id.clone(), job, attempt: a.sent_as },
            None => JobKey { run: self.id.clone(), job, attempt },
        }
    }
}

//! A batch expanded, placed on clusters and checked.
//!
//! ```text
//! Batch ─expand▶ [JobSpec] ─place▶ Plan ─approve▶ Approved ─▶ Run
//! ```
//! A `Plan` can always be made: what is wrong is a [`Finding`]. [`Plan::approve`]
//! is the only road to submission; replaying a journal is the only other.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    finding::Finding,
    ids::{ClusterId, JobIx, RunId},
    job::{JobSpec, JobType},
    placement::Outlook,
    resources::Gpus,
    site::{Capabilities, KeepsLimit},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnExisting {
    #[default]
    Submit,
    Reuse,
}

/// The head of a batch, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchHead {
    pub name: String,
    pub continue_on_error: bool,
    pub max_concurrent: Option<u32>,
    pub max_failures: Option<u32>,
    pub on_existing: OnExisting,
    /// `dry_run: true` stood in the file: `submit` only previews.
    #[serde(default)]
    pub dry_run: bool,
}

impl BatchHead {
    /// No rule makes its jobs wait for each other's fate.
    pub fn is_sent_at_once(&self) -> bool {
        self.continue_on_error && self.max_failures.is_none()
    }

    /// What holds when the document says nothing.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            continue_on_error: true,
            max_concurrent: None,
            max_failures: None,
            on_existing: OnExisting::Submit,
            dry_run: false,
        }
    }
}

/// What will be done with a job, by `on_existing`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum JobAction {
    #[default]
    Submit,
    /// An identical job is live: follow it.
    Attach { run: RunId, job: JobIx },
    /// An identical job succeeded: take its result.
    Reuse { run: RunId, job: JobIx },
    /// An identical job failed: send it again.
    Resubmit { run: RunId, job: JobIx },
}

impl JobAction {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Attach { .. } => "attach",
            Self::Reuse { .. } => "reuse",
            Self::Resubmit { .. } => "resubmit",
        }
    }
    /// A request will be made for it.
    pub fn sends(&self) -> bool {
        matches!(self, Self::Submit | Self::Resubmit { .. })
    }
}

/// One job of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedJob {
    pub spec: Arc<JobSpec>,
    /// `None`: not placed yet (`auto` on clusters without a queue of their own).
    pub cluster: Option<ClusterId>,
    /// The clusters it may go to while it is placed on none; shared by the jobs of an
    /// entry.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub may_go: Arc<[ClusterId]>,
    /// Where it would go now, while it is placed on none; of the plan, not of the run.
    #[serde(skip)]
    pub outlook: Option<Outlook>,
    #[serde(flatten)]
    pub action: JobAction,
    pub replicas: u32,
    pub total_gpus: Gpus,
    /// Jobs of this plan it waits for, with how they must end.
    /// Shared by the jobs of a group.
    #[serde(default, skip_serializing_if = "is_empty_slice")]
    pub depends_on: Arc<[(JobIx, super::job::DependencyCondition)]>,
}

impl PlannedJob {
    /// `lab`, or for a job that is placed when it is sent `auto`, `auto → lab` where it
    /// would go now, `auto, waits` where it would wait.
    pub fn goes_to(&self) -> Cow<'_, str> {
        match (&self.cluster, &self.outlook) {
            (Some(cluster), _) => cluster.as_str().into(),
            (None, Some(Outlook { cluster: Some(now), .. })) => format!("auto → {now}").into(),
            (None, Some(_)) => "auto, waits".into(),
            (None, None) => "auto".into(),
        }
    }
}

fn is_empty_slice(jobs: &Arc<[(JobIx, super::job::DependencyCondition)]>) -> bool {
    jobs.is_empty()
}

/// One entry of the batch as a row: what Compose lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntrySummary {
    /// Position in the document, from 0.
    pub entry: usize,
    /// As written, placeholders and all; empty when it has none.
    pub name: String,
    pub job_type: JobType,
    /// Where its jobs go: a cluster, `auto`, or several joined by `, `.
    pub cluster: String,
    /// GPUs of one job as people write them: `2`, `4×2`, `4×2+2`, `1…8`.
    pub gpus: String,
    pub jobs: usize,
    pub total_gpus: Gpus,
    pub is_group: bool,
    pub errors: usize,
    pub warnings: usize,
}

/// Sums over a plan. Jobs that are reused or attached need no GPUs of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub jobs: usize,
    pub by_type: IndexMap<JobType, usize>,
    pub gpus: Gpus,
    /// Most GPUs used at once, given `max_concurrent`.
    pub peak_gpus: Gpus,
    /// `"auto"` for jobs that are not placed yet.
    pub gpus_by_cluster: IndexMap<String, Gpus>,
    pub gpus_by_project: BTreeMap<String, Gpus>,
}

/// A checked batch; may hold errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub head: BatchHead,
    pub jobs: Vec<PlannedJob>,
    /// In the order of the document.
    pub findings: Vec<Finding>,
    pub totals: Totals,
    /// One row an entry of the document, also for entries that could not be read.
    pub entries: Vec<EntrySummary>,
}

impl Plan {
    /// The plan of a text that could not be read: no jobs, and why.
    pub fn unreadable(name: &str, finding: Finding) -> Self {
        Self {
            head: BatchHead::named(name),
            jobs: Vec::new(),
            findings: vec![finding],
            totals: Totals::default(),
            entries: Vec::new(),
        }
    }

    /// The cluster can be trusted with `max_concurrent`: all jobs that are sent go
    /// there, and it holds such limits, if need be because they go in one request.
    pub fn keeps_limit(&self, cluster: &ClusterId, can: &Capabilities) -> bool {
        let mut jobs = self.jobs.iter().filter(|job| job.action.sends());
        let here = |job: &PlannedJob| job.cluster.as_ref() == Some(cluster);
        match can.run_limit {
            KeepsLimit::No => false,
            KeepsLimit::Always => jobs.all(here),
            KeepsLimit::OneRequest => {
                let Some(first) = jobs.next() else { return false };
                self.head.is_sent_at_once()
                    && here(first)
                    && self.jobs.len() <= can.jobs_per_request
                    && jobs.all(|job| here(job) && job.spec.is_alike(&first.spec))
            }
        }
    }

    pub fn is_ok(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }

    /// The only road to submission. A plan with errors, or without jobs, comes back.
    ///
    /// # Errors
    /// The plan itself, when it may not be submitted.
    pub fn approve(self, run: RunId, at: Timestamp) -> Result<Approved, Box<Plan>> {
        if !self.is_ok() || self.jobs.is_empty() {
            return Err(Box::new(self));
        }
        Ok(Approved { run, at, head: self.head, jobs: self.jobs })
    }
}

/// A plan that a person (or `--yes`) has approved. Fields are private: only
/// [`Plan::approve`] makes one, and only a journal is made from it.
#[derive(Clone, Debug, PartialEq)]
pub struct Approved {
    run: RunId,
    at: Timestamp,
    head: BatchHead,
    jobs: Vec<PlannedJob>,
}

impl Approved {
    /// As it was approved before: read back from a journal.
    pub(crate) fn replayed(
        run: RunId,
        at: Timestamp,
        head: BatchHead,
        jobs: Vec<PlannedJob>,
    ) -> Self {
        Self { run, at, head, jobs }
    }

    pub fn run(&self) -> &RunId {
        &self.run
    }
    pub fn at(&self) -> Timestamp {
        self.at
    }
    pub fn head(&self) -> &BatchHead {
        &self.head
    }
    pub fn jobs(&self) -> &[PlannedJob] {
        &self.jobs
    }
}

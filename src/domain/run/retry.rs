//! What a retry takes: a pure question to a run.

use super::Run;
use crate::domain::{
    ids::JobIx,
    status::{Cause, Status},
};

/// Which jobs a person means. What is given narrows: with names and causes, the
/// named jobs that ended of one of these causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `None`: all jobs of the run.
    pub jobs: Option<Vec<JobIx>>,
    /// Only `failed`, `rejected` and `lost`.
    pub failed: bool,
    /// Only those that ended of one of these; empty: of any.
    pub causes: Vec<Cause>,
}

impl Selection {
    /// Everything that failed, was rejected or is lost.
    pub fn failed() -> Self {
        Self { failed: true, ..Self::default() }
    }

    /// These jobs, however they ended.
    pub fn jobs(jobs: impl Into<Vec<JobIx>>) -> Self {
        Self { jobs: Some(jobs.into()), ..Self::default() }
    }

    fn narrows(&self) -> bool {
        self.failed || !self.causes.is_empty()
    }
}

/// The answer, in batch order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outstanding {
    /// Gets a new attempt.
    pub retry: Vec<JobIx>,
    /// Was named and cannot be tried again now, with the state it is in.
    pub skipped: Vec<(JobIx, Status)>,
}

/// What of `selection` can be tried again. Jobs that have not ended are never
/// taken, so a retry can never double a job. A selection that names nothing and
/// narrows nothing means what failed.
pub fn outstanding(run: &Run, selection: &Selection) -> Outstanding {
    let mut answer = Outstanding::default();
    let mut consider = |ix: JobIx, named: bool| {
        let Some(job) = run.job(ix) else { return };
        let fits = (!selection.failed || job.status.is_failure())
            && (selection.causes.is_empty()
                || job.cause.is_some_and(|cause| selection.causes.contains(&cause)))
            && (named || selection.narrows() || job.status.is_failure());
        if fits && job.status.is_ended() {
            answer.retry.push(ix);
        } else if named {
            answer.skipped.push((ix, job.status));
        }
    };
    match &selection.jobs {
        Some(jobs) => {
            let mut jobs = jobs.clone();
            jobs.sort_unstable();
            jobs.dedup();
            for ix in jobs {
                consider(ix, true);
            }
        }
        None => {
            for ix in (0..).map(JobIx).take(run.jobs.len()) {
                consider(ix, false);
            }
        }
    }
    answer
}

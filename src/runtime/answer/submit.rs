//! `submit` and `retry`, with the statistics of a multi-job request.

use serde::Serialize;

use super::SCHEMA_VERSION;
use crate::domain::{
    ids::JobIx,
    plan::JobAction,
    run::{Run, RunJob},
    status::Status,
};

/// What became of one job's submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ResultAnswer {
    pub name: String,
    #[serde(rename = "type")]
    pub job_type: &'static str,
    pub cluster: Option<String>,
    pub status: &'static str,
    pub job_id: Option<String>,
    pub error: Option<String>,
    pub attempt: u32,
    pub action: &'static str,
}

/// The whole submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubmitAnswer {
    pub schema_version: u32,
    pub run: String,
    pub batch: String,
    pub total_jobs: usize,
    /// Taken by a cluster.
    pub successful_submissions: usize,
    /// Refused by a cluster.
    pub failed_submissions: usize,
    /// Succeeded, or reused because they had.
    pub completed_jobs: usize,
    /// Not ended: held here, queued or running there.
    pub in_progress_jobs: usize,
    /// Sent because an identical job had failed, or as another attempt.
    pub resubmitted_jobs: usize,
    pub results: Vec<ResultAnswer>,
}

impl ResultAnswer {
    fn of(job: &RunJob, retried: bool) -> Self {
        let spec = job.spec_now();
        let last = job.attempt();
        Self {
            name: spec.name.clone(),
            job_type: spec.job_type.word(),
            cluster: job.cluster.as_ref().map(ToString::to_string),
            status: job.status.word(),
            job_id: last.and_then(|a| a.remote_id.as_ref()).map(ToString::to_string),
            error: last.and_then(|a| a.error.as_ref()).map(ToString::to_string),
            attempt: last.map_or(0, |a| a.number),
            action: if retried { "resubmit" } else { job.action.word() },
        }
    }
}

impl SubmitAnswer {
    /// After `submit`: of all jobs.
    pub fn of(run: &Run) -> Self {
        Self::with(run, run.jobs.iter().map(|j| (j, false)))
    }

    /// After `retry`: of the jobs that got a new attempt.
    pub fn of_retry(run: &Run, jobs: &[JobIx]) -> Self {
        Self::with(run, jobs.iter().filter_map(|ix| run.job(*ix)).map(|j| (j, true)))
    }

    fn with<'a>(run: &Run, jobs: impl Iterator<Item = (&'a RunJob, bool)>) -> Self {
        let mut answer = Self {
            schema_version: SCHEMA_VERSION,
            run: run.id.to_string(),
            batch: run.head.name.clone(),
            total_jobs: 0,
            successful_submissions: 0,
            failed_submissions: 0,
            completed_jobs: 0,
            in_progress_jobs: 0,
            resubmitted_jobs: 0,
            results: Vec::new(),
        };
        for (job, retried) in jobs {
            answer.total_jobs += 1;
            let taken = job.attempt().is_some_and(|a| a.remote_id.is_some() && a.follows.is_none());
            answer.successful_submissions += usize::from(taken);
            answer.failed_submissions += usize::from(job.status == Status::Rejected);
            answer.completed_jobs += usize::from(job.status == Status::Succeeded);
            answer.in_progress_jobs += usize::from(!job.status.is_ended());
            answer.resubmitted_jobs += usize::from(
                (retried || matches!(job.action, JobAction::Resubmit { .. }))
                    && job.status != Status::NotSubmitted,
            );
            answer.results.push(ResultAnswer::of(job, retried));
        }
        answer
    }
}

//! `submit` and `retry`, with the statistics of a multi-job request.

use serde::{Serialize, Serializer};

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
#[derive(Clone, Debug, Serialize)]
pub struct SubmitAnswer<'a> {
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
    pub results: ResultAnswers<'a>,
}

/// What became of each job, made when it is written.
#[derive(Clone, Copy, Debug)]
pub struct ResultAnswers<'a> {
    run: &'a Run,
    /// Those that got a new attempt; `None`: a submission of all jobs.
    retried: Option<&'a [JobIx]>,
}

impl<'a> ResultAnswers<'a> {
    fn jobs(&self) -> impl Iterator<Item = &'a RunJob> + use<'a> {
        let (run, retried) = (self.run, self.retried);
        let all = run.jobs.iter().take(if retried.is_some() { 0 } else { usize::MAX });
        all.chain(retried.unwrap_or_default().iter().filter_map(|ix| run.job(*ix)))
    }

    /// In batch order.
    pub fn iter(&self) -> impl Iterator<Item = ResultAnswer> + use<'a> {
        let retried = self.retried.is_some();
        self.jobs().map(move |job| ResultAnswer::of(job, retried))
    }
}

impl Serialize for ResultAnswers<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
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
            job_id: job.sent().and_then(|a| a.remote_id.as_ref()).map(ToString::to_string),
            error: last.and_then(|a| a.error.as_ref()).map(ToString::to_string),
            attempt: last.map_or(0, |a| a.number),
            action: if retried { "resubmit" } else { job.action.word() },
        }
    }
}

impl<'a> SubmitAnswer<'a> {
    /// After `submit`: of all jobs.
    pub fn of(run: &'a Run) -> Self {
        Self::with(ResultAnswers { run, retried: None })
    }

    /// After `retry`: of the jobs that got a new attempt.
    pub fn of_retry(run: &'a Run, jobs: &'a [JobIx]) -> Self {
        Self::with(ResultAnswers { run, retried: Some(jobs) })
    }

    fn with(results: ResultAnswers<'a>) -> Self {
        let run = results.run;
        let retried = results.retried.is_some();
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
            results,
        };
        for job in results.jobs() {
            answer.total_jobs += 1;
            let taken = job.sent().is_some_and(|a| a.remote_id.is_some() && a.follows.is_none());
            answer.successful_submissions += usize::from(taken);
            answer.failed_submissions += usize::from(job.status == Status::Rejected);
            answer.completed_jobs += usize::from(job.status == Status::Succeeded);
            answer.in_progress_jobs += usize::from(!job.status.is_ended());
            answer.resubmitted_jobs += usize::from(
                (retried || matches!(job.action, JobAction::Resubmit { .. }))
                    && job.status != Status::NotSubmitted,
            );
        }
        answer
    }
}

//! `status` and `wait`.

use indexmap::IndexMap;
use serde::{Serialize, Serializer};

use super::SCHEMA_VERSION;
use crate::{
    domain::{
        ids::JobIx,
        resources::Gpus,
        run::{Attempt, Run, RunJob},
        status::{Cause, Status},
    },
    runtime::handle::{Health, Healths},
};

/// One try at a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttemptAnswer {
    pub attempt: u32,
    pub status: &'static str,
    pub cause: Option<&'static str>,
    pub job_id: Option<String>,
    pub exit_code: Option<i32>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub signal: Option<i32>,
    pub error: Option<String>,
    pub log_path: Option<String>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct JobAnswer {
    pub name: String,
    pub group: Option<String>,
    #[serde(rename = "type")]
    pub job_type: &'static str,
    pub cluster: Option<String>,
    pub project: Option<String>,
    pub status: &'static str,
    pub cause: Option<&'static str>,
    pub reason: Option<String>,
    pub blocked: bool,
    pub job_id: Option<String>,
    pub remote_name: Option<String>,
    /// The newest; 0 while nothing was sent.
    pub attempt: u32,
    pub attempts: Vec<AttemptAnswer>,
    pub gpus: Gpus,
    pub total_gpus: Gpus,
    pub submitted_at: Option<String>,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
    pub exit_code: Option<i32>,
    pub error: Option<String>,
    pub node: Option<String>,
    pub url: Option<String>,
    pub log_path: Option<String>,
    pub params: crate::domain::params::Params,
    pub action: &'static str,
}

/// Who carries the run on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConductorAnswer {
    pub host: String,
    pub pid: u32,
    pub last_seen: Option<String>,
    pub background: bool,
}

/// What a cluster last said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthAnswer {
    /// `null`: not asked.
    pub reachable: Option<bool>,
    pub last_seen: Option<String>,
    pub error: Option<String>,
    pub needs_login: bool,
}

impl From<&Health> for HealthAnswer {
    fn from(health: &Health) -> Self {
        Self {
            reachable: health.reachable,
            last_seen: health.last_seen.map(|t| t.to_string()),
            error: health.error.clone(),
            needs_login: health.needs_login,
        }
    }
}

/// The whole table.
#[derive(Clone, Debug, Serialize)]
pub struct StatusAnswer<'a> {
    pub schema_version: u32,
    pub run: String,
    pub batch: String,
    pub created_at: String,
    pub ended: bool,
    /// Only statuses that occur.
    pub counts: IndexMap<&'static str, usize>,
    pub unsent: usize,
    /// Why nothing more is sent for now.
    pub held: Option<String>,
    pub conductor: Option<ConductorAnswer>,
    pub gpus_in_use: Gpus,
    pub clusters: IndexMap<String, HealthAnswer>,
    pub jobs: JobAnswers<'a>,
}

/// The rows of a run, each made when it is written: of a large run the answer is
/// many times the run itself.
#[derive(Clone, Copy, Debug)]
pub struct JobAnswers<'a>(&'a Run);

impl<'a> JobAnswers<'a> {
    pub fn len(&self) -> usize {
        self.0.jobs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.jobs.is_empty()
    }

    pub fn get(&self, ix: JobIx) -> Option<JobAnswer> {
        self.0.job(ix).map(|job| JobAnswer::of(self.0, ix, job))
    }

    /// In batch order.
    pub fn iter(&self) -> impl Iterator<Item = JobAnswer> + 'a {
        let run = self.0;
        (0..).map(JobIx).zip(&run.jobs).map(move |(ix, job)| JobAnswer::of(run, ix, job))
    }
}

impl Serialize for JobAnswers<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

/// Jobs by status, in the order they are shown; only what occurs.
pub(super) fn counts(run: &Run) -> IndexMap<&'static str, usize> {
    Status::ALL.into_iter().map(|s| (s.word(), run.count(s))).filter(|(_, n)| *n > 0).collect()
}

fn text(value: Option<&std::sync::Arc<str>>) -> Option<String> {
    value.map(ToString::to_string)
}

fn time(value: Option<jiff::Timestamp>) -> Option<String> {
    value.map(|at| at.to_string())
}

impl AttemptAnswer {
    fn of(attempt: &Attempt) -> Self {
        let sent = Some(attempt).filter(|a| a.status != Status::NotSubmitted);
        Self {
            attempt: attempt.number,
            status: attempt.status.word(),
            cause: attempt.cause.map(Cause::word),
            job_id: sent.and_then(|a| text(a.remote_id.as_ref())),
            exit_code: attempt.exit_code,
            started_at: time(attempt.started_at),
            finished_at: time(attempt.finished_at),
            signal: attempt.signal,
            error: text(attempt.error.as_ref()),
            log_path: sent.and_then(|a| text(a.log_path.as_ref())),
        }
    }
}

impl JobAnswer {
    fn of(run: &Run, ix: JobIx, job: &RunJob) -> Self {
        let spec = job.spec_now();
        let last = job.attempt();
        let sent = job.sent();
        Self {
            name: spec.name.clone(),
            group: text(spec.group.as_ref()),
            job_type: spec.job_type.word(),
            cluster: job.cluster.as_ref().map(ToString::to_string),
            project: text(spec.project.as_ref()),
            status: job.status.word(),
            cause: job.cause.map(Cause::word),
            reason: text(run.reason(ix).as_ref()),
            blocked: job.blocked,
            job_id: sent.and_then(|a| text(a.remote_id.as_ref())),
            remote_name: sent.and_then(|a| text(a.remote_name.as_ref())),
            attempt: last.map_or(0, |a| a.number),
            attempts: job.attempts.iter().map(AttemptAnswer::of).collect(),
            gpus: spec.gpus,
            total_gpus: job.total_gpus,
            submitted_at: sent.and_then(|a| time(a.submitted_at)),
            started_at: last.and_then(|a| time(a.started_at)),
            finished_at: last.and_then(|a| time(a.finished_at)),
            exit_code: last.and_then(|a| a.exit_code),
            error: last.and_then(|a| text(a.error.as_ref())),
            node: last.and_then(|a| text(a.node.as_ref())),
            url: sent.and_then(|a| text(a.url.as_ref())),
            log_path: sent.and_then(|a| text(a.log_path.as_ref())),
            params: spec.params.clone(),
            action: job.action.word(),
        }
    }
}

impl<'a> StatusAnswer<'a> {
    /// The table of a run. `conductor`: who carries it on now, if anybody lives.
    pub fn of(run: &'a Run, health: &Healths, conductor: Option<ConductorAnswer>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            run: run.id.to_string(),
            batch: run.head.name.clone(),
            created_at: run.created_at.to_string(),
            ended: run.is_ended(),
            counts: counts(run),
            unsent: run.unsent(),
            held: text(run.held.as_ref()),
            conductor,
            gpus_in_use: run.gpus_in_use(),
            clusters: health.iter().map(|(id, h)| (id.to_string(), h.into())).collect(),
            jobs: JobAnswers(run),
        }
    }
}

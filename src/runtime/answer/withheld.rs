//! What `retry`, `cancel` and `send` would do, answered when nobody has confirmed it.

use indexmap::IndexMap;
use serde::Serialize;

use super::SCHEMA_VERSION;
use crate::{
    domain::{
        ids::JobIx,
        resources::Gpus,
        run::{Run, RunJob},
    },
    error::Report,
};

/// One job as it stands, before anything was done to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithheldJob {
    pub name: String,
    #[serde(rename = "type")]
    pub job_type: &'static str,
    pub cluster: Option<String>,
    pub status: &'static str,
    /// The newest; 0 while nothing was sent.
    pub attempt: u32,
    pub total_gpus: Gpus,
}

/// What would be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithheldAction {
    /// The command's own word.
    pub action: &'static str,
    pub run: String,
    pub batch: String,
    pub total_jobs: usize,
    /// Fields that new attempts would change, with their new text.
    pub changes: IndexMap<String, String>,
    /// In batch order.
    pub jobs: Vec<WithheldJob>,
}

/// The error of every unconfirmed command, with what it would have done.
#[derive(Clone, Debug, Serialize)]
pub struct WithheldAnswer<'a> {
    pub schema_version: u32,
    pub error: &'a Report,
    pub preview: WithheldAction,
}

impl<'a> WithheldAnswer<'a> {
    pub fn of(error: &'a Report, preview: WithheldAction) -> Self {
        Self { schema_version: SCHEMA_VERSION, error, preview }
    }
}

impl WithheldAction {
    pub fn of(
        action: &'static str,
        run: &Run,
        jobs: &[JobIx],
        changes: &[(String, String)],
    ) -> Self {
        Self {
            action,
            run: run.id.to_string(),
            batch: run.head.name.clone(),
            total_jobs: jobs.len(),
            changes: changes.iter().cloned().collect(),
            jobs: jobs.iter().filter_map(|ix| run.job(*ix)).map(WithheldJob::of).collect(),
        }
    }
}

impl WithheldJob {
    fn of(job: &RunJob) -> Self {
        let spec = job.spec_now();
        Self {
            name: spec.name.clone(),
            job_type: spec.job_type.word(),
            cluster: job.cluster.as_ref().map(ToString::to_string),
            status: job.status.word(),
            attempt: job.attempt().map_or(0, |a| a.number),
            total_gpus: job.total_gpus,
        }
    }
}

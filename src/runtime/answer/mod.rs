//! The JSON answers of runs and clusters: what scripts read.
//!
//! Every listed key is always there, `null` where there is nothing; jobs stand in
//! batch order; times are RFC 3339 in UTC. Fields may be added, never changed.

use indexmap::IndexMap;
use serde::Serialize;

use crate::domain::resources::Gpus;

mod plan;
mod status;
mod submit;

pub use plan::RequestAnswer;
pub use status::{AttemptAnswer, ConductorAnswer, HealthAnswer, JobAnswer, StatusAnswer};
pub use submit::{ResultAnswer, SubmitAnswer};

/// Of every answer.
pub const SCHEMA_VERSION: u32 = 1;

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunAnswer {
    pub run: String,
    pub batch: String,
    pub created_at: String,
    pub ended: bool,
    /// Only statuses that occur.
    pub counts: IndexMap<&'static str, usize>,
}

/// `jobdeck runs`, newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunsAnswer {
    pub schema_version: u32,
    pub runs: Vec<RunAnswer>,
}

/// One configured cluster and what it last said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClusterAnswer {
    pub name: String,
    pub kind: &'static str,
    /// `null`: switched off, or not asked.
    pub reachable: Option<bool>,
    pub error: Option<String>,
    pub latency_ms: Option<u64>,
    pub gpus_total: Option<Gpus>,
    pub gpus_free: Option<Gpus>,
    /// Jobs waiting there, ours and others'.
    pub queue: Option<u64>,
    pub version: Option<String>,
    pub last_seen: Option<String>,
    pub needs_login: bool,
}

/// `jobdeck clusters`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClustersAnswer {
    pub schema_version: u32,
    pub clusters: Vec<ClusterAnswer>,
}

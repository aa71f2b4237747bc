//! The JSON answers of runs, clusters and templates: what scripts read.
//!
//! Every listed key is always there, `null` where there is nothing; jobs stand in
//! batch order; times are RFC 3339 in UTC. Fields may be added, never changed.

use indexmap::IndexMap;
use serde::Serialize;

use crate::domain::resources::Gpus;

mod logs;
mod plan;
mod status;
mod submit;
mod templates;
mod withheld;

pub use logs::{LogAnswer, LogsAnswer};
pub use plan::RequestAnswer;
pub use status::{
    AttemptAnswer, ConductorAnswer, HealthAnswer, JobAnswer, JobAnswers, StatusAnswer,
};
pub use submit::{ResultAnswer, ResultAnswers, SubmitAnswer};
pub use templates::{FaultAnswer, TemplateAnswer, TemplateTextAnswer, TemplatesAnswer};
pub use withheld::{WithheldAction, WithheldAnswer, WithheldJob};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::sample,
        domain::{run::JobFacts, status::Status},
        runtime::handle::Healths,
    };

    #[test]
    fn what_never_ran_has_no_id_and_no_log() {
        let mut run = sample::small();
        let facts = JobFacts::of(Status::NotSubmitted);
        let mut records = sample::sent(19, 1, "lab", 722);
        records.push(sample::observed(19, 1, 723, facts));
        let before = SubmitAnswer::of(&run).successful_submissions;
        for record in &records {
            run.apply(record);
        }
        let status = serde_json::to_value(StatusAnswer::of(&run, &Healths::new(), None)).unwrap();
        let row = &status["jobs"][19];
        assert_eq!(row["status"], "not_submitted");
        for key in ["job_id", "remote_name", "submitted_at", "url", "log_path"] {
            assert!(row[key].is_null(), "{key}: {row}");
        }
        for key in ["job_id", "log_path"] {
            assert!(row["attempts"][0][key].is_null(), "{key}: {row}");
        }
        let answer = SubmitAnswer::of(&run);
        assert_eq!(answer.successful_submissions, before);
        let result = answer.results.iter().nth(19).unwrap();
        assert_eq!((result.status, result.job_id), ("not_submitted", None));
    }
}

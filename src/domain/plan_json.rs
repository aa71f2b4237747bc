//! The JSON answer of `plan`: a document of the program's contract. Fields may be
//! added, never changed; every field is always there, `null` where absent.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::{
    finding::{Finding, Severity},
    ids::{ClusterId, RunId},
    job::{Command, DependencyCondition, JobType},
    params::Params,
    placement::Outlook,
    plan::{Plan, PlannedJob},
    resources::Gpus,
    totals::AUTO,
    tree::Step,
};

/// The whole answer. `R` is one request as rendered by a cluster.
#[derive(Clone, Debug, Serialize)]
pub struct PlanAnswer<'a, R> {
    pub schema_version: u32,
    pub batch: String,
    /// As given: a path, or `-`.
    pub file: Option<String>,
    /// No finding is an error.
    pub ok: bool,
    pub total_jobs: usize,
    pub jobs_by_type: IndexMap<JobType, usize>,
    pub total_gpus: Gpus,
    pub peak_gpus: Gpus,
    pub gpus_by_cluster: IndexMap<String, Gpus>,
    pub gpus_by_project: BTreeMap<String, Gpus>,
    /// Jobs by what is done with them.
    pub jobs_by_action: IndexMap<&'static str, usize>,
    pub findings: Vec<FindingAnswer>,
    pub jobs: JobAnswers<'a>,
    pub requests: Option<Vec<R>>,
    /// When clusters expect to start what they would be sent; `null`: not asked.
    pub estimates: Option<Vec<Estimate>>,
}

/// A cluster's own estimate for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Estimate {
    pub cluster: ClusterId,
    /// Names of the jobs.
    pub jobs: Vec<String>,
    pub starts_at: Timestamp,
}

/// The jobs, each made when it is written.
#[derive(Clone, Copy, Debug)]
pub struct JobAnswers<'a>(&'a [PlannedJob]);

impl Serialize for JobAnswers<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.0.iter().map(JobAnswer::of))
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct FindingAnswer {
    pub severity: Severity,
    /// Name of the job or group.
    pub job: Option<String>,
    /// The last key of the path.
    pub field: Option<String>,
    pub path: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub message: String,
    pub hint: Option<String>,
}

impl FindingAnswer {
    pub fn of(finding: &Finding) -> Self {
        let key = finding.path.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Index(_) => None,
        });
        let path = finding.path.to_string();
        Self {
            severity: finding.severity,
            job: finding.job.clone(),
            field: key,
            path: Some(path).filter(|p| !p.is_empty()),
            line: finding.span.map(|s| s.start.line),
            column: finding.span.map(|s| s.start.column),
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct JobAnswer {
    /// `null` for a job without one.
    pub name: Option<String>,
    pub group: Option<String>,
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// `auto`: decided when it is sent.
    pub cluster: String,
    /// Where a job that is placed when it is sent would go now, and why; `null` where
    /// it is placed already, or its clusters have not said what they have.
    pub outlook: Option<Outlook>,
    pub project: Option<String>,
    pub image: Option<String>,
    /// As it will be run; `<run>` stands for the run's id.
    pub command: Option<Command>,
    pub args: Option<Command>,
    pub gpus: Gpus,
    pub replicas: u32,
    pub total_gpus: Gpus,
    pub action: &'static str,
    /// Names of jobs and groups.
    pub depends_on: Vec<DependencyAnswer>,
    pub params: Params,
}

/// A name, or `{name: ended}`.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum DependencyAnswer {
    Succeeded(String),
    Ended(BTreeMap<String, DependencyCondition>),
}

impl JobAnswer {
    pub fn of(job: &PlannedJob) -> Self {
        let text = |t: &Option<std::sync::Arc<str>>| t.as_deref().map(str::to_owned);
        let spec = job.spec.filled(&RunId::hole(), 1);
        let depends_on = spec.depends_on.iter().map(|d| match d.condition {
            DependencyCondition::Succeeded => DependencyAnswer::Succeeded(d.target.clone()),
            DependencyCondition::Ended => {
                DependencyAnswer::Ended([(d.target.clone(), d.condition)].into())
            }
        });
        Self {
            name: Some(spec.name.clone()).filter(|n| !n.is_empty()),
            group: text(&spec.group),
            job_type: spec.job_type,
            cluster: job.cluster.as_ref().map_or_else(|| AUTO.to_owned(), ToString::to_string),
            outlook: job.outlook.clone(),
            project: text(&spec.project),
            image: text(&spec.image),
            command: spec.command.clone(),
            args: spec.args.clone(),
            gpus: spec.gpus,
            replicas: job.replicas,
            total_gpus: job.total_gpus,
            action: job.action.word(),
            depends_on: depends_on.collect(),
            params: spec.params.clone(),
        }
    }
}

impl<'a, R> PlanAnswer<'a, R> {
    pub fn new(
        plan: &'a Plan,
        file: Option<&str>,
        requests: Option<Vec<R>>,
        estimates: Option<Vec<Estimate>>,
    ) -> Self {
        let mut jobs_by_action = IndexMap::new();
        for job in &plan.jobs {
            *jobs_by_action.entry(job.action.word()).or_insert(0) += 1;
        }
        let totals = &plan.totals;
        Self {
            schema_version: 1,
            batch: plan.head.name.clone(),
            file: file.map(str::to_owned),
            ok: plan.is_ok(),
            total_jobs: totals.jobs,
            jobs_by_type: totals.by_type.clone(),
            total_gpus: totals.gpus,
            peak_gpus: totals.peak_gpus,
            gpus_by_cluster: totals.gpus_by_cluster.clone(),
            gpus_by_project: totals.gpus_by_project.clone(),
            jobs_by_action,
            findings: plan.findings.iter().map(FindingAnswer::of).collect(),
            jobs: JobAnswers(&plan.jobs),
            requests,
            estimates,
        }
    }
}

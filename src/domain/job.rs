//! One job with every value resolved: defaults merged, placeholders filled in,
//! units read. What is previewed from this is what is sent.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    ids::ClusterId,
    params::Params,
    resources::{Gpus, Memory, TimeLimit},
};

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum JobType {
    #[default]
    Training,
    Distributed,
    Workspace,
    /// A registered method applied to a registered file (dsHPC).
    Method,
}

impl JobType {
    pub const ALL: [Self; 4] = [Self::Training, Self::Distributed, Self::Workspace, Self::Method];

    pub fn word(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Distributed => "distributed",
            Self::Workspace => "workspace",
            Self::Method => "method",
        }
    }
}

/// What is run: a string goes to a shell, a list is an exact argument vector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    Shell(String),
    Argv(Vec<String>),
}

/// Where a job may go, before it is placed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ClusterChoice {
    /// The config's default, else the only cluster there is.
    Default,
    /// In order of preference.
    Listed(Vec<Candidate>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Candidate {
    Named(ClusterId),
    /// Any enabled cluster that can run it; never `local` unless it is the only one.
    Auto,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DependencyCondition {
    Succeeded,
    /// Ended in any way.
    Ended,
}

/// A job's name, or a group's for all its jobs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dependency {
    pub target: String,
    pub condition: DependencyCondition,
}

/// A job as it will be sent. Absent options are not serialised, so that
/// `plan.json` stays small with many jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    pub name: String,
    /// Name of the sweep entry it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// Entry of the batch file it came from, from 0.
    #[serde(default)]
    pub entry: u32,
    #[serde(rename = "type", default)]
    pub job_type: JobType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Arc<str>>,
    pub cluster: ClusterChoice,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Appended to the command; each element one argument. A string form in the
    /// file is kept as `Shell` and appended as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Command>,
    /// Per replica.
    #[serde(default)]
    pub gpus: Gpus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u32>,
    /// Canonical lower case: pytorch, tensorflow, mpi, jax, xgboost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_type: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Values may be secret references (`env:NAME`, `file:PATH`, `cmd:PROGRAM`);
    /// they are kept as references here and resolved when sent.
    /// Shared by the jobs of a group.
    #[serde(default, skip_serializing_if = "is_empty_map")]
    pub env: Arc<IndexMap<String, String>>,
    /// Absolute, or relative to the home folder on a remote cluster. `None`: the
    /// job starts where its code was sent to, else in `base_dir`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src_dir: Option<Arc<str>>,
    /// The batch file's folder, absolute; not part of a job's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_dir: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub libraries: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<TimeLimit>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Narrow where it may go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cluster_tags: Vec<String>,
    #[serde(default, skip_serializing_if = "is_empty_map")]
    pub metadata: Arc<IndexMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub max_retries: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub exclusive: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_hash: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method_name: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Arc<JsonMap>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submission_id: Option<String>,
    /// What only one kind of cluster knows, keyed by kind word (`slurm`, `ray`, …).
    #[serde(default, skip_serializing_if = "is_empty_object")]
    pub options: Arc<JsonMap>,
    /// Sweep parameters in the order of the sweep, as text.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
    /// `{run}` and `{attempt}` stand in its strings, to be filled in when it is
    /// sent ([`JobSpec::filled`]).
    #[serde(default, skip_serializing_if = "is_false")]
    pub holes: bool,
}

/// A JSON object that keeps the order of its keys.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;

fn is_empty_map(map: &Arc<IndexMap<String, String>>) -> bool {
    map.is_empty()
}
fn is_empty_object(map: &Arc<JsonMap>) -> bool {
    map.is_empty()
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(b: &bool) -> bool {
    !*b
}

impl JobSpec {
    /// The two differ only in what a parameter can express, so that they can be
    /// tasks of one request: not in resources, kind of job, image, code or options.
    pub fn is_alike(&self, other: &Self) -> bool {
        let resources = |s: &Self| {
            (s.job_type, s.gpus, s.gpu_type.clone(), s.workers, s.nodes, s.cpus, s.exclusive)
        };
        resources(self) == resources(other)
            && (self.memory, self.time_limit) == (other.memory, other.time_limit)
            && (&self.image, &self.framework) == (&other.image, &other.framework)
            && (&self.src_dir, &self.libraries) == (&other.src_dir, &other.libraries)
            && self.options == other.options
            && self.depends_on == other.depends_on
    }

    /// What people call it among others: its group, else itself.
    pub fn label(&self) -> Arc<str> {
        self.group.clone().unwrap_or_else(|| self.name.as_str().into())
    }

    /// A job with a name and nothing else.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            group: None,
            entry: 0,
            job_type: JobType::Training,
            project: None,
            cluster: ClusterChoice::Default,
            image: None,
            command: None,
            args: None,
            gpus: Gpus::ZERO,
            gpu_type: None,
            workers: None,
            nodes: None,
            framework: None,
            workspace_type: None,
            depends_on: Vec::new(),
            env: Arc::default(),
            working_dir: None,
            src_dir: None,
            base_dir: None,
            libraries: Vec::new(),
            cpus: None,
            memory: None,
            time_limit: None,
            tags: Vec::new(),
            cluster_tags: Vec::new(),
            metadata: Arc::default(),
            priority: None,
            max_retries: 0,
            exclusive: false,
            file: None,
            file_hash: None,
            method_name: None,
            parameters: None,
            submission_id: None,
            options: Arc::default(),
            params: Params::default(),
            holes: false,
        }
    }
}

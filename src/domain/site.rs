//! What is known of a cluster when planning: what its kind can do, what the
//! configuration allows, and what it last said it has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    action::RemoteAction,
    ids::ClusterId,
    job::JobType,
    resources::{Gpus, Memory},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterKind {
    Local,
    Slurm,
    Ray,
    Runai,
    RunaiKube,
    Dshpc,
}

impl ClusterKind {
    pub const ALL: [Self; 6] =
        [Self::Local, Self::Slurm, Self::Ray, Self::Runai, Self::RunaiKube, Self::Dshpc];

    pub fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
            Self::Ray => "ray",
            Self::Runai => "runai",
            Self::RunaiKube => "runai-kube",
            Self::Dshpc => "dshpc",
        }
    }
}

/// Whether a cluster holds `max_concurrent` of a run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepsLimit {
    No,
    /// Over all jobs of a run.
    Always,
    /// Only over jobs that go in one request, which must be alike.
    OneRequest,
}

/// What a kind of cluster can do; constant per adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    pub job_types: BTreeSet<JobType>,
    /// GPU fractions below one.
    pub gpu_fractions: bool,
    /// Has a queue of its own: jobs may be sent before they fit.
    pub queue: bool,
    /// Holds dependencies between jobs of one run itself.
    pub dependencies: bool,
    /// Holds `max_concurrent` of a run itself.
    pub run_limit: KeepsLimit,
    pub needs_image: bool,
    pub uses_image: bool,
    pub needs_project: bool,
    pub needs_command: bool,
    /// `max_batch`-style bounds of the protocol: jobs in one request.
    pub jobs_per_request: usize,
    /// Requests that may be under way at once.
    pub concurrency: usize,
    /// Looks after a lost answer before a job may be sent again, and seconds
    /// between them.
    pub absent_looks: u32,
    pub absent_spacing_secs: u64,
    /// Distributed jobs have a master beside the workers.
    pub adds_master: bool,
    pub logs: bool,
    /// The workers of a distributed job have a log each; else they share the job's.
    pub worker_logs: bool,
    /// What a job writes to both its outputs is one log.
    pub one_log: bool,
    /// Jobs in its queue can be held and released, running ones put back into it.
    pub requeue: bool,
    pub suspend: bool,
    /// A person can log in to it at the terminal.
    pub login: bool,
    /// Takes a job once, however often it is sent under one key.
    pub idempotent: bool,
    /// Code is sent there, to a folder named by its content.
    pub sends_code: bool,
    /// Shortest sensible time between polls, in milliseconds.
    pub min_interval_ms: u64,
}

impl Capabilities {
    /// Whether this can be done to jobs there.
    pub fn can(&self, action: RemoteAction) -> bool {
        match action {
            RemoteAction::Cancel => true,
            RemoteAction::Hold | RemoteAction::Release | RemoteAction::Requeue => self.requeue,
            RemoteAction::Suspend | RemoteAction::Resume => self.suspend,
        }
    }

    /// What every cluster of this kind can do.
    pub fn of(kind: ClusterKind) -> Self {
        use JobType::{Distributed, Method, Training, Workspace};
        let base = Self {
            job_types: [Training, Distributed, Workspace].into(),
            gpu_fractions: false,
            queue: true,
            dependencies: false,
            run_limit: KeepsLimit::No,
            needs_image: false,
            uses_image: false,
            needs_project: false,
            needs_command: true,
            jobs_per_request: 1,
            concurrency: 4,
            absent_looks: 1,
            absent_spacing_secs: 0,
            adds_master: false,
            logs: true,
            worker_logs: false,
            one_log: false,
            requeue: false,
            suspend: false,
            login: false,
            idempotent: false,
            sends_code: false,
            min_interval_ms: 3_000,
        };
        match kind {
            ClusterKind::Local => Self {
                gpu_fractions: true,
                dependencies: true,
                run_limit: KeepsLimit::Always,
                idempotent: true,
                worker_logs: true,
                jobs_per_request: 1_000,
                concurrency: 1,
                min_interval_ms: 250,
                ..base
            },
            ClusterKind::Slurm => Self {
                dependencies: true,
                run_limit: KeepsLimit::OneRequest,
                jobs_per_request: 1_000,
                concurrency: 1,
                absent_looks: 2,
                absent_spacing_secs: 15,
                requeue: true,
                suspend: true,
                sends_code: true,
                min_interval_ms: 5_000,
                ..base
            },
            ClusterKind::Ray => Self {
                job_types: [Training, Distributed].into(),
                gpu_fractions: true,
                queue: false,
                // It takes an id once, so what is not found may be sent again soon.
                absent_looks: 2,
                absent_spacing_secs: 1,
                idempotent: true,
                one_log: true,
                sends_code: true,
                min_interval_ms: 2_000,
                ..base
            },
            ClusterKind::Runai | ClusterKind::RunaiKube => Self {
                gpu_fractions: true,
                needs_image: true,
                uses_image: true,
                needs_project: true,
                needs_command: false,
                absent_looks: 2,
                absent_spacing_secs: 5,
                adds_master: true,
                suspend: true,
                ..base
            },
            ClusterKind::Dshpc => Self {
                job_types: [Method].into(),
                needs_command: false,
                jobs_per_request: 1_000,
                concurrency: 1,
                absent_looks: 2,
                absent_spacing_secs: 5,
                logs: false,
                ..base
            },
        }
    }
}

/// Bounds from the configuration; what is `None` does not limit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    pub max_batch_size: Option<u64>,
    /// Per worker for distributed jobs.
    pub max_gpus_per_job: Option<Gpus>,
    /// `None` or a list holding `*`: all.
    pub allowed_projects: Option<Vec<String>>,
    /// These two only spare the question of `submit` on a terminal.
    pub require_confirmation: Option<bool>,
    pub dry_run_default: Option<bool>,
}

/// What a cluster has, now and in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    pub gpus_total: Option<Gpus>,
    pub gpus_free: Option<Gpus>,
    pub cpus_total: Option<f64>,
    pub cpus_free: Option<f64>,
    pub memory_total: Option<u64>,
    /// Most GPUs that one replica can get (one node); `None`: unknown.
    pub gpus_per_node: Option<Gpus>,
    /// Jobs waiting there, ours and others'.
    pub queue: Option<u64>,
    pub running: Option<u64>,
    pub version: Option<String>,
    /// Node by node, where a job must fit on one and the cluster tells; else empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeCapacity>,
    /// When the cluster itself drew this up, in seconds on its own clock; `None`:
    /// when it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<f64>,
}

/// What one node has, now and in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeCapacity {
    /// The cluster's own name of it.
    pub id: String,
    pub total: Amounts,
    pub free: Amounts,
}

/// An amount of each thing that jobs share a node by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amounts {
    pub gpus: Gpus,
    pub cpus: f64,
    /// Bytes.
    pub memory: u64,
}

impl Amounts {
    /// `2 GPUs, 4 CPUs, 16G of memory`; what is none is left out.
    pub fn in_words(&self) -> String {
        let gpus = (!self.gpus.is_zero()).then(|| self.gpus.in_words());
        let cpus = (self.cpus > 0.0).then(|| cpus_in_words(self.cpus));
        let memory = (self.memory > 0).then(|| memory_in_words(self.memory));
        let words: Vec<String> = [gpus, cpus, memory].into_iter().flatten().collect();
        words.join(", ")
    }

    /// There is at least as much of everything.
    pub fn holds(&self, need: &Self) -> bool {
        // Sums of fractions of a core are not exact.
        const SLACK: f64 = 1e-6;
        self.gpus >= need.gpus && self.cpus + SLACK >= need.cpus && self.memory >= need.memory
    }

    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self {
            gpus: self.gpus.saturating_sub(other.gpus),
            cpus: (self.cpus - other.cpus).max(0.0),
            memory: self.memory.saturating_sub(other.memory),
        }
    }

    /// As much as both have in common.
    #[must_use]
    pub fn at_most(self, most: Self) -> Self {
        Self {
            gpus: self.gpus.min(most.gpus),
            cpus: self.cpus.min(most.cpus),
            memory: self.memory.min(most.memory),
        }
    }
}

/// `1 CPU`, `1.5 CPUs`.
pub fn cpus_in_words(cpus: f64) -> String {
    let number = ((cpus * 100.0).round() / 100.0).to_string();
    let unit = if number == "1" { "CPU" } else { "CPUs" };
    format!("{number} {unit}")
}

/// `16G of memory`, in whole MiB.
pub fn memory_in_words(bytes: u64) -> String {
    format!("{} of memory", Memory::from_bytes(bytes >> 20 << 20))
}

impl std::ops::Add for Amounts {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            gpus: self.gpus + other.gpus,
            cpus: self.cpus + other.cpus,
            memory: self.memory.saturating_add(other.memory),
        }
    }
}

/// How much a cluster is wanted where several have room for a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Appeal {
    /// Its score is multiplied by this.
    pub weight: f64,
    pub prefer: bool,
    /// How long a job that prefers this cluster waits for room there before another
    /// may have it.
    pub patience: Duration,
}

impl Default for Appeal {
    fn default() -> Self {
        Self { weight: 1.0, prefer: false, patience: Duration::from_secs(10) }
    }
}

/// A name that a field of a job may have on a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub value: String,
    /// What the cluster tells of it, in a few words; empty: nothing.
    #[serde(default)]
    pub note: String,
}

/// The names a cluster told for fields that only its kind has, by the fields' keys
/// (`options.partition`).
pub type Offers = BTreeMap<String, Vec<Offer>>;

/// Everything the pure planner may know of one configured cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterView {
    pub id: ClusterId,
    pub kind: ClusterKind,
    pub enabled: bool,
    pub tags: Vec<String>,
    pub appeal: Appeal,
    pub capabilities: Capabilities,
    pub limits: Limits,
    /// What was last learned, and when.
    pub capacity: Option<(Timestamp, Capacity)>,
    /// Known projects, where the kind lists them; empty: unknown.
    pub projects: Vec<String>,
    /// For fields of its own; `None`: not asked yet.
    pub offers: Option<Arc<Offers>>,
    /// This build can drive its kind; else it is known by name only.
    pub drivable: bool,
    /// Jobs run on another machine, where local paths mean nothing.
    pub remote: bool,
    /// `jupyter` is on the PATH there; `None`: not known.
    pub has_jupyter: Option<bool>,
    /// Jobs that name none start in a folder that its entry in the configuration names.
    pub has_folder: bool,
}

impl ClusterView {
    /// A cluster of which nothing is known but its kind.
    pub fn new(id: ClusterId, kind: ClusterKind) -> Self {
        Self {
            id,
            kind,
            enabled: true,
            tags: Vec::new(),
            appeal: Appeal::default(),
            capabilities: Capabilities::of(kind),
            limits: Limits::default(),
            capacity: None,
            projects: Vec::new(),
            offers: None,
            drivable: true,
            remote: kind != ClusterKind::Local,
            has_jupyter: None,
            has_folder: false,
        }
    }
}

/// The clusters in the order of the configuration.
pub type ClusterViews = IndexMap<ClusterId, ClusterView>;

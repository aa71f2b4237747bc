//! The configuration, in layers; later wins field by field.
//!
//! ```text
//! built-in < /etc/jobdeck/config.yaml < user's config.yaml < --config < JOBDECK_* < flags
//! ```
//! Limits and `min_interval` set under `/etc` bound what later layers may set.

use std::{path::PathBuf, time::Duration};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::ClusterId,
    site::{Appeal, ClusterKind, Limits},
};

pub mod fields;
mod layer;
mod load;
pub mod paths;
mod ray_clusters;
mod read;
pub mod schema;

pub use load::{ConfigErrors, Sources, load};
pub use read::duration_ms;

/// How many slots the local executor has for GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalGpus {
    /// What `nvidia-smi -L` lists; none when it is absent.
    #[default]
    Auto,
    Count(u32),
}

/// Settings of `kind: local`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalSettings {
    pub gpus: LocalGpus,
    /// CPU cores that jobs may use together; default: the cores of the machine.
    pub cpus: Option<f64>,
    /// Seconds between TERM and KILL at a cancel or time limit; default 10.
    pub grace_secs: Option<u64>,
}

/// How a Slurm cluster runs images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageRunner {
    Apptainer,
    /// NVIDIA's plugin for `srun`, with enroot.
    Pyxis,
}

/// Settings of `kind: slurm`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlurmSettings {
    /// `user@host`, or a name from the user's ssh configuration; `None`: Slurm's
    /// commands are on this machine.
    pub ssh: Option<String>,
    /// More arguments of ssh, each as it is.
    pub ssh_options: Vec<String>,
    pub partition: Option<String>,
    pub account: Option<String>,
    pub qos: Option<String>,
    pub constraint: Option<String>,
    /// Folder there for scripts, code and logs; default `jobdeck` in the home folder.
    pub remote_dir: Option<String>,
    /// Shell text at the start of every script: modules, conda.
    pub bash_setup: Option<String>,
    /// Shell text before every command on the login node.
    pub prefix: Option<String>,
    pub images: Option<ImageRunner>,
    /// Defaults of `options: {slurm: …}`.
    pub options: crate::domain::job::JsonMap,
}

/// Settings of `kind: ray`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RaySettings {
    /// The dashboard's address, `http://host:8265`; a path before `/api` is kept.
    pub address: String,
    /// Address for Ray clients; shown, not used.
    pub head_address: Option<String>,
    /// What every job's runtime environment is merged with.
    pub runtime_env: crate::domain::job::JsonMap,
    /// Preferred where several clusters have room.
    pub prefer: bool,
    /// Weight of its score where several have room; default 1.
    pub weight: Option<f64>,
    /// How long a job that prefers this cluster waits for room here before another
    /// cluster may have it, in milliseconds; default 10 s.
    pub patience_ms: Option<u64>,
    /// Bearer token, or a reference to it.
    pub token: Option<String>,
    /// Paths of this machine by what they are called there; the beginnings of words.
    pub path_map: crate::domain::job::JsonMap,
}

/// What only one kind of cluster is configured with.
#[derive(Clone, Debug, PartialEq)]
pub enum KindSettings {
    Local(LocalSettings),
    Slurm(Box<SlurmSettings>),
    Ray(Box<RaySettings>),
    /// A kind this build knows by name and cannot drive yet; its fields as read.
    Other(serde_json::Map<String, serde_json::Value>),
}

/// One cluster's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterEntry {
    pub kind: ClusterKind,
    pub enabled: bool,
    pub limits: Limits,
    pub tags: Vec<String>,
    /// Shortest time between polls, in milliseconds.
    pub min_interval_ms: Option<u64>,
    pub max_inflight: Option<u32>,
    pub settings: KindSettings,
}

impl ClusterEntry {
    /// How much it is wanted where several clusters have room for a job.
    pub fn appeal(&self) -> Appeal {
        let usual = Appeal::default();
        match &self.settings {
            KindSettings::Ray(ray) => Appeal {
                weight: ray.weight.unwrap_or(usual.weight),
                prefer: ray.prefer,
                patience: ray.patience_ms.map_or(usual.patience, Duration::from_millis),
            },
            _ => usual,
        }
    }
}

/// What the terminal UI is configured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UiSettings {
    /// Name of a theme, or a path to one; `None`: chosen from the terminal.
    pub theme: Option<String>,
    /// Above this many jobs the confirm box wants the number typed first.
    pub confirm_jobs: u64,
    /// Above this many GPUs likewise.
    pub confirm_gpus: u64,
    pub mouse: bool,
}

impl Default for UiSettings {
    fn default() -> Self {
        Self { theme: None, confirm_jobs: 100, confirm_gpus: 64, mouse: true }
    }
}

/// The merged configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub default_cluster: Option<ClusterId>,
    pub limits: Limits,
    /// Never empty: with none configured there is `local`.
    pub clusters: IndexMap<ClusterId, ClusterEntry>,
    pub ui: UiSettings,
    /// Files that were read, lowest layer first.
    pub sources: Vec<PathBuf>,
    /// What was odd but did not stop the program, for `doctor` and standard error.
    pub warnings: Vec<String>,
    /// What could be better, for `doctor` alone.
    pub advice: Vec<String>,
}

impl Config {
    /// What there is without any file: one cluster, `local`.
    pub fn built_in() -> Self {
        let local = ClusterEntry {
            kind: ClusterKind::Local,
            enabled: true,
            limits: Limits::default(),
            tags: Vec::new(),
            min_interval_ms: None,
            max_inflight: None,
            settings: KindSettings::Local(LocalSettings::default()),
        };
        Self {
            default_cluster: None,
            limits: Limits::default(),
            clusters: [(ClusterId::new("local"), local)].into_iter().collect(),
            ui: UiSettings::default(),
            sources: Vec::new(),
            warnings: Vec::new(),
            advice: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;

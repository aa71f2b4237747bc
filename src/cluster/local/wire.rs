//! What lies on disk between the processes of the local executor.
//!
//! All of it is JSON in lines that people can read; times are RFC 3339.

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::slots::Share;
use crate::{
    cluster::Awaited,
    config::{LocalGpus, LocalSettings},
    domain::{
        ids::{JobKey, RunId},
        job::{DependencyCondition, JobType},
        resources::Gpus,
        status::{Cause, Status},
    },
    procs::ProcId,
};

/// One job as it is queued: one line of a request file, and what the preview
/// shows. Secrets stand in it as references only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueuedJob {
    pub key: JobKey,
    pub name: String,
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// The process that is started for every replica.
    pub argv: Vec<String>,
    /// `None`: where the submitting process was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// Per replica.
    pub gpus: Gpus,
    pub replicas: u32,
    /// Per replica.
    pub cpus: f64,
    /// MiB per replica; 0: it said nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memory: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exclusive: bool,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<u64>,
    /// At most this many jobs of its run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_limit: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<After>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What decides when a queued job starts: the rest of its line is read by its
/// supervisor.
#[derive(Clone, Debug, Deserialize)]
pub struct QueuedBrief {
    pub key: JobKey,
    #[serde(default)]
    pub name: Box<str>,
    pub gpus: Gpus,
    pub replicas: u32,
    pub cpus: f64,
    #[serde(default)]
    pub memory: u64,
    #[serde(default)]
    pub exclusive: bool,
    #[serde(default)]
    pub run_limit: Option<u32>,
    #[serde(default)]
    pub after: Vec<After>,
}

/// Attempts that must have ended before a job may start: neighbours of one run
/// in one item, since whole groups are waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    pub run: RunId,
    /// Jobs counted from 1, both ends included.
    pub jobs: (u32, u32),
    pub attempt: u32,
    #[serde(rename = "when")]
    pub condition: DependencyCondition,
}

impl After {
    /// Joins neighbours; the order is kept.
    pub fn joined(after: &[Awaited]) -> Vec<Self> {
        let mut joined: Vec<Self> = Vec::new();
        for Awaited { key, condition, .. } in after {
            let number = key.job.0.saturating_add(1);
            match joined.last_mut() {
                Some(last)
                    if last.run == key.run
                        && last.attempt == key.attempt
                        && last.condition == *condition
                        && last.jobs.1.checked_add(1) == Some(number) =>
                {
                    last.jobs.1 = number;
                }
                _ => joined.push(Self {
                    run: key.run.clone(),
                    jobs: (number, number),
                    attempt: key.attempt,
                    condition: *condition,
                }),
            }
        }
        joined
    }

    pub fn keys(&self) -> impl Iterator<Item = JobKey> + '_ {
        (self.jobs.0..=self.jobs.1).filter_map(|number| {
            let job = crate::domain::ids::JobIx(number.checked_sub(1)?);
            Some(JobKey { run: self.run.clone(), job, attempt: self.attempt })
        })
    }
}

/// First line of a job's state file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub key: JobKey,
    pub name: String,
    /// `None`: it ended without ever having been started.
    pub claim: Option<Claim>,
}

/// Written and synced before a job's processes are started; who holds it is the
/// only one to start them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub supervisor: ProcId,
    pub started_at: Timestamp,
    /// Per replica; what the job owns until it has ended.
    pub shares: Vec<Vec<Share>>,
}

/// Second line: the leader of each replica's process group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaders {
    pub leaders: Vec<Leader>,
}

/// A process of the supervisor's own host and boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    pub pid: u32,
    pub start: u64,
}

/// Third line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    pub reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The line of its output that says most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub finished_at: Timestamp,
}

/// The settings of the newest submission, as the executor takes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// `None`: what `nvidia-smi` lists.
    pub gpus: Option<u32>,
    pub cpus: Option<f64>,
    pub grace_secs: Option<u64>,
    /// What the submitting process was itself confined to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_devices: Option<String>,
}

/// Seconds between TERM and KILL when nothing else is configured.
const GRACE_SECS: u64 = 10;

impl Settings {
    pub fn of(settings: &LocalSettings, visible_devices: Option<String>) -> Self {
        Self {
            gpus: match settings.gpus {
                LocalGpus::Auto => None,
                LocalGpus::Count(n) => Some(n),
            },
            cpus: settings.cpus,
            grace_secs: settings.grace_secs,
            visible_devices,
        }
    }

    pub fn grace(&self) -> u64 {
        self.grace_secs.unwrap_or(GRACE_SECS)
    }
}

/// Who is the executor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incumbent {
    pub process: ProcId,
    pub epoch: u64,
    pub version: String,
}

/// What the executor last knew, for those who ask for capacity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `None`: not looked for yet, no job asked for a GPU.
    pub gpus_total: Option<Gpus>,
    pub gpus_free: Option<Gpus>,
    pub milli_cpus_total: u64,
    pub milli_cpus_free: u64,
    /// MiB.
    #[serde(default)]
    pub memory_total: u64,
    #[serde(default)]
    pub memory_free: u64,
    pub waiting: u64,
    pub running: u64,
}

/// What a supervisor is told to do; one argument of its command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub key: JobKey,
    pub epoch: u64,
    /// Number of the request file, and where in it the job's line lies.
    pub request: u64,
    pub offset: u64,
    pub len: u64,
    /// Per replica.
    pub shares: Vec<Vec<Share>>,
    pub grace_secs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::JobIx;

    #[test]
    fn neighbours_are_joined_and_come_back() {
        let key = |job, attempt| JobKey { run: RunId::new("r").unwrap(), job: JobIx(job), attempt };
        let condition = DependencyCondition::Succeeded;
        let all: Vec<_> = [key(0, 1), key(1, 1), key(2, 1), key(5, 1), key(6, 2)]
            .map(|key| Awaited { key, condition, remote_id: None, label: "a".into() })
            .to_vec();
        let joined = After::joined(&all);
        assert_eq!(joined.iter().map(|a| a.jobs).collect::<Vec<_>>(), [(1, 3), (6, 6), (7, 7)]);
        let back: Vec<_> = joined.iter().flat_map(After::keys).collect();
        assert_eq!(back, all.into_iter().map(|a| a.key).collect::<Vec<_>>());
    }
}

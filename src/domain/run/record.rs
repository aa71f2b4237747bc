//! What can happen to a run, one record at a time; the lines of a journal.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Conductor;
use crate::domain::{
    ids::{ClusterId, JobIx, JobKey},
    job::JobSpec,
    status::{Cause, Status},
};

/// What a cluster says of a job it knows; times where the cluster tells them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobFacts {
    pub status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub blocked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Times the cluster has started the job again by itself under this key.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u32,
    /// Why the start before this one was over, where the cluster tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted: Option<Cause>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl JobFacts {
    pub fn of(status: Status) -> Self {
        Self {
            status,
            cause: None,
            reason: None,
            blocked: false,
            node: None,
            url: None,
            exit_code: None,
            signal: None,
            error: None,
            started_at: None,
            finished_at: None,
            restarts: 0,
            restarted: None,
        }
    }
}

/// A job the cluster has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub remote_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_path: Option<String>,
}

/// Another run's job that a row of this run shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    pub key: JobKey,
    pub cluster: ClusterId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<Accepted>,
    pub facts: JobFacts,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<Timestamp>,
}

/// One thing that happened to a run. Job and attempt are named by (ix, attempt)
/// pairs, the run being known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A conductor took over; fences off lower epochs.
    Opened {
        conductor: Conductor,
    },
    /// It left in good order. `held`: what it left unsent waits for a person.
    Closed {
        held: Option<String>,
    },
    /// Synced to disk before the request leaves.
    Intent {
        cluster: ClusterId,
        jobs: Vec<(JobIx, u32)>,
    },
    Accepted {
        job: JobIx,
        attempt: u32,
        accepted: Accepted,
    },
    Refused {
        job: JobIx,
        attempt: u32,
        words: String,
        cause: Cause,
    },
    /// Nothing left this machine: the intent is void.
    NotSent {
        jobs: Vec<(JobIx, u32)>,
        why: String,
    },
    /// The answer was lost; the jobs may exist.
    Unconfirmed {
        jobs: Vec<(JobIx, u32)>,
        why: String,
    },
    /// Looked up, and the cluster answered that it is not there.
    LookedUp {
        job: JobIx,
        attempt: u32,
        absent_looks: u32,
    },
    /// `attach` and `reuse`: the row takes the life of an earlier run's job.
    Follows {
        job: JobIx,
        followed: Box<Followed>,
    },
    /// A change the cluster told of. `attempt` is the one in the job's key.
    Observed {
        job: JobIx,
        attempt: u32,
        facts: JobFacts,
    },
    /// The row's reason while it waits here.
    Waits {
        job: JobIx,
        reason: String,
    },
    /// Will not be sent.
    NotSubmitted {
        jobs: Vec<JobIx>,
        cause: Option<Cause>,
        reason: String,
    },
    /// Waits again, after it was `not_submitted`.
    Revived {
        jobs: Vec<JobIx>,
    },
    /// A new attempt was asked for; `spec` when it differs from the one before.
    Retried {
        job: JobIx,
        attempt: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        spec: Option<Arc<JobSpec>>,
        /// Replicas of `spec`, where it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replicas: Option<u32>,
        /// Content hash of other code than the one before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<Arc<str>>,
        automatic: bool,
    },
    CancelAsked {
        jobs: Vec<JobIx>,
        /// In the words of who asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Arc<str>>,
    },
    /// Nothing more is sent until a person says so.
    Held {
        reason: String,
    },
    /// Sending goes on; earlier failures no longer count for `max_failures`.
    Released,
    /// A request from another process was carried out.
    Done {
        request: String,
        outcome: serde_json::Value,
    },
}

/// A record with its time and the epoch of who wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stamped {
    pub at: Timestamp,
    pub epoch: u64,
    pub record: Record,
}

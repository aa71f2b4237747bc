//! The port every kind of cluster implements, and what passes through it.
//!
//! ```text
//! render (pure) ─▶ Request ─submit▶ Outcome per job
//!                     │ answer lost: find by key ─▶ adopt, or send again
//!                     └ watched: observe (one poll, all jobs) ─▶ Observed
//! ```
//! Adding a kind is one folder here, one line in [`registry`] and one in the
//! contract test. Wire types never leave their folder.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    finding::Finding,
    ids::{ClusterId, JobKey},
    job::{DependencyCondition, JobSpec},
    run::{Accepted, JobFacts},
    site::{Capabilities, Capacity, ClusterKind, Offers},
};

pub use crate::domain::action::RemoteAction;

pub mod local;
pub mod origin;
pub mod ray;
pub mod slurm;

/// A job with its key, ready to be rendered.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyedJob {
    pub key: JobKey,
    pub spec: Arc<JobSpec>,
    pub replicas: u32,
    /// Attempts it waits for, given only to a cluster that holds dependencies
    /// itself ([`Capabilities::dependencies`]).
    pub after: Vec<Awaited>,
    /// At most this many jobs of the run at once, given only to a cluster that
    /// holds such limits itself ([`Capabilities::run_limit`]).
    pub run_limit: Option<u32>,
    /// Code that must be at its place there first, given only to a cluster that
    /// code is sent to ([`Capabilities::sends_code`]).
    pub code: Vec<CodeBundle>,
}

/// An attempt that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    pub key: JobKey,
    pub condition: DependencyCondition,
    /// What the cluster calls it; `None` in a preview.
    pub remote_id: Option<Arc<str>>,
    /// What people call it: its group's name, else its own.
    pub label: Arc<str>,
}

/// The code that jobs run with: a folder by its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeBundle {
    pub hash: String,
    /// The folder's own name.
    pub name: String,
    /// The copy of it in the run's folder.
    pub path: std::path::PathBuf,
}

/// A job that may be there, to be found by its key.
#[derive(Clone, Debug, PartialEq)]
pub struct Sought {
    pub key: JobKey,
    pub spec: Arc<JobSpec>,
    /// When it was first sent.
    pub sent_at: Option<Timestamp>,
}

/// What was learned of a cluster and is cached: versions, limits, ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteFacts {
    pub version: Option<String>,
    /// Most jobs in one request, where the site tells.
    #[serde(default)]
    pub jobs_per_request: Option<usize>,
    /// Names for fields of its own, for pick-lists.
    #[serde(default)]
    pub offers: Offers,
    /// Free form per kind; known to the adapter only.
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// The bytes of one request, as shown in the preview.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    Http { method: String, path: String, body: serde_json::Value },
    Command { argv: Vec<String>, stdin: Option<String>, files: IndexMap<String, String> },
}

/// One request, carrying one job or many.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub cluster: ClusterId,
    pub jobs: Vec<KeyedJob>,
    pub payload: Payload,
}

/// What `render` makes: requests in the order they must be sent, and what it
/// cannot express.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rendered {
    pub requests: Vec<Request>,
    pub findings: Vec<Finding>,
}

/// What a cluster's own dry run of a request told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    pub findings: Vec<Finding>,
    /// When it would start, were it sent now: the cluster's estimate.
    pub starts_at: Option<Timestamp>,
}

/// How the cluster answered for one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Accepted(Accepted),
    /// Refused, in the cluster's own words.
    Rejected(String),
}

/// The answer of a look-up by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Present(Accepted),
    Absent,
}

/// A job to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub key: JobKey,
    pub remote_id: Option<Arc<str>>,
    pub log_path: Option<Arc<str>>,
    /// How often the cluster has started it under this key, as far as is known.
    pub starts: u32,
}

/// What a poll says of one job. A job that is not mentioned is not known either
/// way: silence means nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    pub key: JobKey,
    /// `None`: the cluster answered and does not know the job.
    pub facts: Option<JobFacts>,
}

/// The answer to an action on one job; `Err` in the cluster's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActOutcome {
    pub key: JobKey,
    pub result: Result<(), String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    #[default]
    Stdout,
    Stderr,
}

/// Which of a job's logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogSource {
    pub stream: LogStream,
    /// Rank of a distributed job's worker; always 0 where its workers share a log.
    pub worker: u32,
}

/// Where to begin reading a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogCursor {
    /// This many bytes before the end (the whole, when it is shorter).
    Tail(u64),
    /// At this byte.
    Offset(u64),
}

/// A piece of a log, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Where in the log `bytes` begins.
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Size of the log when this was read.
    pub total: u64,
    /// The job has ended and this reaches the end: nothing more will come.
    pub complete: bool,
}

/// A cluster did not do what was asked. Variants say what the user can do.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// No answer: wait, or look at the network.
    #[error("{cluster} cannot be reached: {why}")]
    Unreachable { cluster: ClusterId, why: String, retry_after: Option<Duration> },
    /// Credentials are missing or refused.
    #[error("{cluster} needs a login: {why}")]
    NeedsLogin { cluster: ClusterId, why: String },
    /// It answered, and refused the request as a whole.
    #[error("{cluster}: {words}")]
    Refused { cluster: ClusterId, words: String },
    /// It answered with what cannot be understood.
    #[error("{cluster} answered with {what}")]
    Garbled { cluster: ClusterId, what: String },
    /// This kind cannot do that.
    #[error("{cluster}: {what} is not possible on this kind of cluster")]
    Unsupported { cluster: ClusterId, what: &'static str },
}

/// A submission without an answer per job.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// Nothing was sent: it may be tried again.
    #[error(transparent)]
    Unavailable(ClusterError),
    /// The answer was lost: the jobs may exist; ask first.
    #[error("no answer after sending: {0}")]
    Unknown(ClusterError),
}

/// Why a request to a cluster has no answer.
#[derive(Clone, Debug)]
pub enum Failed {
    /// It did not leave this machine: nothing was done.
    Before(ClusterError),
    /// It may have arrived, and what it did is not known.
    Amid(ClusterError),
}

impl From<Failed> for ClusterError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Before(error) | Failed::Amid(error) => error,
        }
    }
}

impl From<Failed> for SubmitError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Before(error) => Self::Unavailable(error),
            Failed::Amid(error) => Self::Unknown(error),
        }
    }
}

/// One configured cluster.
#[async_trait]
pub trait Cluster: Send + Sync + std::fmt::Debug + 'static {
    fn id(&self) -> &ClusterId;
    fn kind(&self) -> ClusterKind;
    fn capabilities(&self) -> &Capabilities;

    /// Version, limits, pick-lists.
    async fn facts(&self) -> Result<SiteFacts, ClusterError>;
    /// GPUs free and total, the queue. One request, also the health check.
    async fn capacity(&self) -> Result<Capacity, ClusterError>;

    /// Pure: the very bytes `submit` will send, in order, and what cannot be
    /// expressed. The same jobs and facts give the same requests.
    fn render(&self, jobs: &[KeyedJob], facts: &SiteFacts) -> Rendered;

    /// The cluster's own dry run, where it has one; an answer for each request.
    async fn check(&self, requests: &[Request]) -> Result<Vec<Checked>, ClusterError> {
        Ok(vec![Checked::default(); requests.len()])
    }

    /// Where code with this hash and name lies on a cluster that code is sent to;
    /// `None`: jobs run where their code is.
    fn code_place(&self, _hash: &str, _name: &str, _facts: &SiteFacts) -> Option<String> {
        None
    }

    /// Sends code to its place unless it is there. Before the first request that
    /// names the place.
    async fn stage(&self, _code: &CodeBundle, _facts: &SiteFacts) -> Result<(), ClusterError> {
        Ok(())
    }

    /// A command that is given the terminal so that a person can log in; `None`:
    /// this cluster has no such login.
    fn login(&self) -> Option<std::process::Command> {
        None
    }

    /// Sends one request. Must be idempotent by key where the cluster allows it.
    async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError>;

    /// After a lost answer or a crash.
    async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError>;

    /// One poll for all jobs, in as few requests as the protocol allows.
    async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError>;

    async fn act(
        &self,
        action: RemoteAction,
        jobs: &[Watched],
    ) -> Result<Vec<ActOutcome>, ClusterError>;

    /// Follows one log until the job has ended and everything was read, or until
    /// the stream is dropped. With `follow: false` it ends at the present end.
    fn logs(
        &self,
        job: &Watched,
        source: LogSource,
        from: LogCursor,
        follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, ClusterError>>;

    /// Bytes that it keeps of these jobs on this machine.
    async fn size_here(&self, _jobs: &[Watched]) -> Result<u64, ClusterError> {
        Ok(0)
    }

    /// Removes what the cluster keeps of ended jobs (logs, folders).
    async fn clean(&self, _jobs: &[Watched]) -> Result<(), ClusterError> {
        Ok(())
    }
}

/// Kinds of cluster that this build can drive; the others it knows by name.
pub const DRIVABLE: [ClusterKind; 3] = [ClusterKind::Local, ClusterKind::Slurm, ClusterKind::Ray];

/// The configured clusters, in the order of the configuration.
pub type Clusters = IndexMap<ClusterId, Arc<dyn Cluster>>;

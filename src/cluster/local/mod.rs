//! The built-in local executor: jobs as real processes on this machine, the way a
//! cluster of one node would run them.
//!
//! ```text
//! LocalCluster ─enqueue▶ queue on disk ◀─ executor ─start▶ supervisor ─▶ processes
//!      │  ▲                  ▲            (one a host)     (one a job)     of the job
//!      │  └──── observe ─────┴──────── state files, events ─────┘
//!      └─ starts an executor when there is work and none
//! ```
//! Every arrow is a file; a process that is killed loses nothing but time. What a
//! file means is said where it is written: [`queue`] (what was accepted, in which
//! order), [`state`] (claimed once, ended once). The pure parts are [`schedule`]
//! (who starts next), [`slots`] (on what), [`index`] (the queue in memory),
//! [`post_mortem`] (why it ended), [`render`] and [`map`].
//!
//! An executor lives while there is something queued or running; a supervisor
//! lives as long as its job; [`LocalCluster`] as long as its program.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::adapter::{Local, site_facts};
use super::{
    ActOutcome, Checked, Cluster, ClusterError, Found, KeyedJob, LogChunk, LogCursor, LogSource,
    Observed, Outcome, RemoteAction, Rendered, Request, SiteFacts, Sought, SubmitError, Watched,
};
use crate::{
    config::LocalSettings,
    domain::{
        ids::{ClusterId, JobKey},
        site::{Capabilities, Capacity, ClusterKind},
    },
};

mod adapter;
mod devices;
pub mod executor;
mod files;
mod index;
mod launch_env;
mod logs;
mod map;
mod observe;
mod post_mortem;
mod processes;
mod queue;
pub mod render;
pub mod schedule;
pub mod slots;
mod state;
pub mod supervisor;
mod vigil;
mod waits;
mod wake;
mod wire;

pub use files::size_of;

/// The hidden subcommand of the executor process.
pub const EXECUTOR: &str = "__executor";
/// The hidden subcommand of a supervisor process.
pub const SUPERVISE: &str = "__supervise";

/// `jupyter` can be started from here, so a workspace needs no command.
pub fn has_jupyter() -> bool {
    devices::on_path("jupyter")
}

/// The local executor as a cluster.
#[derive(Clone, Debug)]
pub struct LocalCluster {
    inner: Arc<Local>,
}

impl LocalCluster {
    /// `root`: the folder of this host's queue; `exe`: the jobdeck program, which
    /// is started as executor. Touches nothing yet.
    pub fn new(id: ClusterId, settings: &LocalSettings, root: PathBuf, exe: PathBuf) -> Self {
        Self { inner: Arc::new(Local::new(id, settings, root, exe)) }
    }

    /// Runs what blocks on the disk off the runtime's own threads.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Local) -> Result<T, ClusterError> + Send + 'static,
    ) -> Result<T, ClusterError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|error| Err(self.inner.refused(format!("a bug: {error}"))))
    }
}

#[async_trait]
impl Cluster for LocalCluster {
    fn id(&self) -> &ClusterId {
        &self.inner.id
    }
    fn kind(&self) -> ClusterKind {
        ClusterKind::Local
    }
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        self.off_thread(|_| Ok(site_facts())).await
    }

    async fn capacity(&self) -> Result<Capacity, ClusterError> {
        self.off_thread(Local::capacity).await
    }

    fn render(&self, jobs: &[KeyedJob], facts: &SiteFacts) -> Rendered {
        render::render(&self.inner.id, jobs, facts)
    }

    async fn check(&self, requests: &[Request]) -> Result<Vec<Checked>, ClusterError> {
        let requests = requests.to_vec();
        self.off_thread(move |_| {
            let facts = site_facts();
            let check = |request: &Request| Checked {
                findings: request
                    .jobs
                    .iter()
                    .filter_map(|job| render::findings(&job.spec, &facts))
                    .collect(),
                starts_at: None,
            };
            Ok(requests.iter().map(check).collect())
        })
        .await
    }

    async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        let done = tokio::task::spawn_blocking(move || inner.submit(&request)).await;
        done.unwrap_or_else(|error| {
            Err(SubmitError::Unknown(self.inner.refused(format!("a bug: {error}"))))
        })
    }

    async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
        self.off_thread(move |inner| inner.find(&keys)).await
    }

    async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        let jobs = jobs.to_vec();
        self.off_thread(move |inner| inner.observe(&jobs)).await
    }

    async fn act(
        &self,
        action: RemoteAction,
        jobs: &[Watched],
    ) -> Result<Vec<ActOutcome>, ClusterError> {
        if action != RemoteAction::Cancel {
            let cluster = self.inner.id.clone();
            return Err(ClusterError::Unsupported { cluster, what: "anything but a cancel" });
        }
        let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
        self.off_thread(move |inner| inner.cancel(&keys)).await
    }

    fn logs(
        &self,
        job: &Watched,
        source: LogSource,
        from: LogCursor,
        follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
        let root = &self.inner.root;
        let path = root.log(&job.key, source);
        logs::follow(self.inner.id.clone(), root, &job.key, path, from, follow)
    }

    async fn size_here(&self, jobs: &[Watched]) -> Result<u64, ClusterError> {
        let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
        self.off_thread(move |inner| Ok(keys.iter().map(|key| inner.size(key)).sum())).await
    }

    async fn clean(&self, jobs: &[Watched]) -> Result<(), ClusterError> {
        let keys: Vec<JobKey> = jobs.iter().map(|job| job.key.clone()).collect();
        self.off_thread(move |inner| inner.clean(&keys)).await
    }
}

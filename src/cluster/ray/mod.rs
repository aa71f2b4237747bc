//! Ray, by the REST interface of its dashboard.
//!
//! ```text
//!                  render (pure): one body for each job
//! RayCluster ─ http ─▶ /api/jobs/ · packages · cluster_status · v0/nodes · v0/logs
//!                  map (pure): wire ─▶ our words
//! ```
//! Ray has a queue that nobody should stand in: a job in it cannot be cancelled or
//! moved, and fails after a quarter of an hour. So the queue is ours, and a job is
//! sent when it fits (`domain::placement`). The id of a job is its key, which Ray
//! takes once.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::adapter::Ray;
use super::{
    ActOutcome, Cluster, ClusterError, Found, KeyedJob, LogChunk, LogCursor, LogSource, Observed,
    Outcome, RemoteAction, Rendered, Request, SiteFacts, Sought, SubmitError, Watched,
    origin::Origin,
};
use crate::{
    config::RaySettings,
    domain::{
        ids::{ClusterId, JobKey},
        site::{Capabilities, Capacity, ClusterKind},
    },
};

mod adapter;
mod http;
mod logs;
mod map;
mod options;
mod package;
pub mod render;
mod wire;

/// One Ray cluster.
#[derive(Clone, Debug)]
pub struct RayCluster {
    inner: Arc<Ray>,
}

impl RayCluster {
    /// Touches nothing yet.
    pub fn new(id: ClusterId, settings: RaySettings, origin: Origin) -> Self {
        Self { inner: Arc::new(Ray::new(id, settings, origin)) }
    }
}

#[async_trait]
impl Cluster for RayCluster {
    fn id(&self) -> &ClusterId {
        &self.inner.id
    }
    fn kind(&self) -> ClusterKind {
        ClusterKind::Ray
    }
    fn capabilities(&self) -> &Capabilities {
        &self.inner.capabilities
    }

    async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        self.inner.facts().await
    }

    async fn capacity(&self) -> Result<Capacity, ClusterError> {
        self.inner.capacity().await
    }

    fn render(&self, jobs: &[KeyedJob], _facts: &SiteFacts) -> Rendered {
        render::render(self.inner.target(), jobs)
    }

    fn code_place(&self, hash: &str, name: &str, _facts: &SiteFacts) -> Option<String> {
        Some(package::place(hash, name))
    }

    async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        self.inner.submit(request).await
    }

    async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        self.inner.find(jobs).await
    }

    async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        self.inner.observe(jobs).await
    }

    async fn act(
        &self,
        action: RemoteAction,
        jobs: &[Watched],
    ) -> Result<Vec<ActOutcome>, ClusterError> {
        match action {
            RemoteAction::Cancel => self.inner.stop(jobs).await,
            _ => Err(ClusterError::Unsupported {
                cluster: self.inner.id.clone(),
                what: "anything but a cancel",
            }),
        }
    }

    fn logs(
        &self,
        job: &Watched,
        _source: LogSource,
        from: LogCursor,
        follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
        logs::follow(Arc::clone(&self.inner), job, from, follow)
    }

    async fn clean(&self, jobs: &[Watched]) -> Result<(), ClusterError> {
        self.inner.delete(jobs).await
    }
}

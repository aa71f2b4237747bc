//! Slurm, by its own commands, on this machine or over ssh to a login node.
//!
//! ```text
//!            render (pure): jobs that differ in what a script can tell ─▶ one array
//! SlurmCluster ─ transport ─▶ sbatch · squeue · sacct · scancel · scontrol
//!                                queue (pure): text ─▶ our jobs, by their names
//! ```
//! A job is known by its name and its index in the array ([`names`]); what one
//! answer does not mention is asked of the accounting before it is called absent.
//! The pure parts are [`render`] with [`script`] and [`options`], [`queue`] with
//! [`states`] and [`ids`], [`site`] and [`refusals`].

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use futures::stream::BoxStream;

use self::adapter::Slurm;
use super::{
    ActOutcome, Checked, Cluster, ClusterError, CodeBundle, Found, LogChunk, LogCursor, LogSource,
    Observed, Outcome, RemoteAction, Rendered, Request, SiteFacts, Sought, SubmitError, Watched,
};
use crate::{
    cluster::{KeyedJob, origin::Origin},
    config::SlurmSettings,
    domain::{
        ids::{ClusterId, JobKey},
        site::{Capabilities, Capacity, ClusterKind},
    },
};

mod adapter;
mod code;
pub mod ids;
mod logs;
pub mod names;
mod options;
pub mod queue;
pub mod refusals;
pub mod render;
pub mod script;
pub mod site;
pub mod states;
pub mod transport;

/// One Slurm cluster.
#[derive(Clone, Debug)]
pub struct SlurmCluster {
    inner: Arc<Slurm>,
}

impl SlurmCluster {
    /// `sockets`: a folder with a short path for the shared ssh connection.
    /// Touches nothing yet.
    pub fn new(id: ClusterId, settings: SlurmSettings, sockets: &Path, origin: Origin) -> Self {
        Self { inner: Arc::new(Slurm::new(id, settings, sockets, origin)) }
    }

    /// With a script that answers in place of Slurm's commands.
    #[cfg(test)]
    pub fn scripted(
        id: ClusterId,
        settings: SlurmSettings,
        origin: Origin,
        script: transport::scripted::Script,
    ) -> Self {
        let mut slurm = Slurm::new(id, settings, Path::new("/nonexistent"), origin);
        slurm.transport.script = Some(script);
        Self { inner: Arc::new(slurm) }
    }
}

#[async_trait]
impl Cluster for SlurmCluster {
    fn id(&self) -> &ClusterId {
        &self.inner.id
    }
    fn kind(&self) -> ClusterKind {
        ClusterKind::Slurm
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

    fn render(&self, jobs: &[KeyedJob], facts: &SiteFacts) -> Rendered {
        render::render(self.inner.place(&site::Site::of(facts)), jobs)
    }

    async fn check(&self, requests: &[Request]) -> Result<Vec<Checked>, ClusterError> {
        self.inner.check(requests).await
    }

    fn code_place(&self, hash: &str, name: &str, facts: &SiteFacts) -> Option<String> {
        Some(code::place(&self.inner.place(&site::Site::of(facts)).folder(), hash, name))
    }

    async fn stage(&self, code: &CodeBundle, facts: &SiteFacts) -> Result<(), ClusterError> {
        let folder = self.inner.place(&site::Site::of(facts)).folder();
        code::stage(&self.inner, &folder, code).await
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
        self.inner.act(action, jobs).await
    }

    fn logs(
        &self,
        job: &Watched,
        source: LogSource,
        from: LogCursor,
        follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
        logs::follow(Arc::clone(&self.inner), job.clone(), source.stream, from, follow)
    }

    async fn clean(&self, jobs: &[Watched]) -> Result<(), ClusterError> {
        self.inner.clean(jobs).await
    }

    fn login(&self) -> Option<std::process::Command> {
        self.inner.transport.login()
    }
}

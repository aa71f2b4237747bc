//! The engine that the terminal UI and the commands share: clusters, runs and
//! their history. It holds no state of its own beyond what lies on disk.
//!
//! ```text
//! Engine::new ─▶ views, plan_context ─▶ (plan) ─▶ start(Approved) ─▶ RunHandle
//!                                 runs, resolve_run ─▶ open ─▶ RunHandle
//!                                                      look, clean, export, logs
//! ```
//! Cheap to clone; lives as long as the program.

use std::{ffi::OsString, fmt, path::PathBuf, sync::Arc};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use super::handle::{Health, Healths, Mode, Until};
use crate::{
    cluster::Clusters,
    config::{Config, paths::StateDir},
    domain::{
        ids::{ClusterId, RunId},
        run::{Conductor, Rooms, Run},
        site::{Capabilities, ClusterKind},
        status::Status,
    },
    journal::RunDir,
};

mod background;
mod clean;
mod clusters;
mod export;
mod history;
mod look;
mod planning;
mod start;
#[cfg(test)]
mod tests;

pub use background::conduct;
pub(crate) use background::spawn_background;

/// How a run is started or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub mode: Mode,
    pub until: Until,
    /// Leave a background process behind for what is unsent; else it is held.
    pub background: bool,
    /// This process is that background process.
    pub is_background: bool,
    /// Carry on a run whose last conductor was on another host and has not said
    /// that it left. Only a person can know that it is gone.
    pub take_over: bool,
    /// Clusters are asked nothing that is only for looking, until
    /// [`Command::PausePolling`](super::handle::Command::PausePolling) says otherwise.
    pub paused: bool,
}

impl Options {
    /// A command that works on an existing run, or only reads it.
    pub fn look() -> Self {
        Self {
            mode: Mode::Look,
            until: Until::Told,
            background: true,
            is_background: false,
            take_over: false,
            paused: false,
        }
    }

    /// The background process. With `only_asked` it sends just what a person asked
    /// for by a retry. A window's pause is the window's: this one polls.
    pub(crate) fn background(only_asked: bool) -> Self {
        Self {
            mode: if only_asked { Mode::Look } else { Mode::Conduct },
            until: Until::Carried,
            background: false,
            is_background: true,
            ..Self::look()
        }
    }

    /// A window on an existing run: it takes over from a background process, and
    /// otherwise only looks.
    pub fn window() -> Self {
        Self { mode: Mode::Window, ..Self::look() }
    }

    /// Carries the run on until this.
    pub fn conduct(until: Until) -> Self {
        Self { mode: Mode::Conduct, until, ..Self::look() }
    }
}

/// One line of the run history.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    pub run: RunId,
    pub batch: String,
    pub created_at: Timestamp,
    pub ended: bool,
    pub counts: IndexMap<Status, usize>,
    pub total_gpus: crate::domain::resources::Gpus,
    pub unsent: usize,
    pub held: Option<String>,
    /// Who carries it on now, alive as far as can be told from here.
    pub conductor: Option<Conductor>,
    /// The run cannot be read; why.
    pub damaged: Option<String>,
}

/// A run as it is now, without opening it.
#[derive(Clone, Debug)]
pub struct Look {
    pub run: Run,
    pub health: Healths,
    /// Alive as far as can be told from here, with when it was last heard of.
    pub conductor: Option<(Conductor, Timestamp)>,
    /// Damage in the journal, with its line.
    pub warnings: Vec<String>,
}

/// What `clean` is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Cleaning {
    Run(RunId),
    /// Runs that ended longer ago than this.
    Older(SignedDuration),
}

/// A run that `clean` removes.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    pub run: RunSummary,
    /// What its records, logs and code take on this machine.
    pub bytes: u64,
    /// Runs that stay and show results of its jobs: their logs go with it.
    pub used_by: Vec<RunId>,
}

/// What `clean` would remove, or has removed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CleanPlan {
    pub runs: Vec<Removal>,
    /// Runs that stay, with why: they are not over, or somebody conducts them.
    pub kept: Vec<(RunId, String)>,
    /// Folders and logs on clusters go as well.
    pub remote: bool,
}

/// One configured cluster and how it is.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterHealth {
    pub id: ClusterId,
    pub kind: ClusterKind,
    pub enabled: bool,
    pub can: Capabilities,
    pub health: Health,
}

/// Tells the time; tests have their own.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) state: StateDir,
    pub(crate) exe: PathBuf,
    pub(crate) clusters: Clusters,
    /// Global flags the background process needs to see the same configuration.
    pub(crate) conduct_args: Vec<OsString>,
    pub(crate) clock: Clock,
    /// What a plan depends on, for a moment: a form plans at every key.
    recent: planning::Recent,
    #[cfg(test)]
    pub(crate) faults: super::faults::Faults,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.state)
            .field("clusters", &self.clusters)
            .finish_non_exhaustive()
    }
}

/// The engine; see the module.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

impl Engine {
    /// `exe`: this program, for the background process and the local executor.
    pub fn new(config: Config, state: StateDir, exe: PathBuf) -> Self {
        let clusters = clusters::registry(&config, &state, &exe);
        Self::with_clusters(config, state, exe, clusters)
    }

    /// With clusters made elsewhere; for tests.
    pub fn with_clusters(
        config: Config,
        state: StateDir,
        exe: PathBuf,
        clusters: Clusters,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                config,
                state,
                exe,
                clusters,
                conduct_args: Vec::new(),
                clock: Arc::new(Timestamp::now),
                recent: planning::Recent::default(),
                #[cfg(test)]
                faults: super::faults::Faults::default(),
            }),
        }
    }

    /// Global flags (`--config FILE` …, absolute paths) that a background process
    /// must be started with to see the same configuration. To be called before the
    /// engine is cloned.
    #[must_use]
    pub fn with_conduct_args(mut self, args: Vec<OsString>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.conduct_args = args;
        }
        self
    }

    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    pub fn state(&self) -> &StateDir {
        &self.inner.state
    }

    /// The enabled clusters this build can drive.
    pub fn clusters(&self) -> &Clusters {
        &self.inner.clusters
    }

    pub(crate) fn dir(&self, run: &RunId) -> RunDir {
        RunDir::new(self.inner.state.run(run))
    }
}

/// What the clusters of a run last said, as its conductor kept it.
pub(crate) fn stored_health(dir: &RunDir) -> Healths {
    std::fs::read(dir.health())
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}

impl Inner {
    /// What those without a queue have free, of all that is known of clusters.
    pub(crate) fn rooms(&self, known: &Healths) -> Rooms {
        let has_queue = |id: &ClusterId| {
            self.clusters.get(id).is_none_or(|cluster| cluster.capabilities().queue)
        };
        let rooms = known.iter().filter(|(id, _)| !has_queue(id));
        rooms.filter_map(|(id, health)| Some((id.clone(), health.capacity.clone()?))).collect()
    }
}

/// Keeps it; failing to is no harm.
pub(crate) fn store_health(dir: &RunDir, health: &Healths) {
    if let Ok(text) = serde_json::to_vec(health) {
        let _ = crate::journal::replace(&dir.health(), &text, false);
    }
}

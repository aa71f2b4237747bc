//! The configured clusters: making their adapters, asking how they are.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClusterHealth, Engine, Health};
use crate::{
    cluster::{
        Cluster, ClusterError, Clusters, SiteFacts,
        local::{LocalCluster, has_jupyter},
        origin::Origin,
        ray::RayCluster,
        slurm::SlurmCluster,
    },
    config::{Config, KindSettings, paths::StateDir},
    domain::{
        action::RemoteAction,
        ids::ClusterId,
        site::{Capabilities, Capacity, ClusterKind, ClusterView, ClusterViews, Offers},
    },
    procs,
};

/// Longest time for one cluster to say how it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// The enabled clusters whose kind this build can drive. A new kind is one line
/// here.
pub(super) fn registry(config: &Config, state: &StateDir, exe: &Path) -> Clusters {
    config
        .clusters
        .iter()
        .filter(|(_, entry)| entry.enabled)
        .filter_map(|(id, entry)| {
            let cluster: Arc<dyn Cluster> = match &entry.settings {
                KindSettings::Local(settings) => {
                    // One queue a host and cluster: what several jobdeck processes
                    // send to it never oversubscribes it.
                    let root = state.local(procs::host()).join(id.as_str());
                    Arc::new(LocalCluster::new(id.clone(), settings, root, exe.to_owned()))
                }
                KindSettings::Slurm(settings) => {
                    let sockets = crate::config::paths::sockets();
                    let origin = Origin::new(state.origin());
                    Arc::new(SlurmCluster::new(id.clone(), (**settings).clone(), &sockets, origin))
                }
                KindSettings::Ray(settings) => {
                    let origin = Origin::new(state.origin());
                    Arc::new(RayCluster::new(id.clone(), (**settings).clone(), origin))
                }
                KindSettings::Other(_) => return None,
            };
            Some((id.clone(), cluster))
        })
        .collect()
}

/// What was last learned of a cluster, kept between processes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) at: Option<Timestamp>,
    pub(super) capacity: Option<Capacity>,
    #[serde(default)]
    pub(super) facts: SiteFacts,
}

type AllKnown = IndexMap<ClusterId, Known>;

impl Engine {
    fn known_file(&self) -> std::path::PathBuf {
        self.inner.state.path().join("clusters.json")
    }

    fn known(&self) -> AllKnown {
        std::fs::read(self.known_file())
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    fn keep(&self, fresh: AllKnown) {
        let mut all = self.known();
        all.extend(fresh);
        all.retain(|id, _| self.inner.config.clusters.contains_key(id));
        let made = std::fs::create_dir_all(self.inner.state.path());
        if let (Ok(()), Ok(text)) = (made, serde_json::to_vec(&all)) {
            // Losing it costs an age in a preview, nothing else.
            let _ = crate::journal::replace(&self.known_file(), &text, false);
        }
    }

    /// What was last learned of a cluster's versions, limits and ids.
    pub fn facts(&self, cluster: &ClusterId) -> SiteFacts {
        self.known().shift_remove(cluster).map(|k| k.facts).unwrap_or_default()
    }

    /// What the planner may know of each configured cluster, with the capacity
    /// that was last learned. Asks nobody.
    pub fn views(&self) -> ClusterViews {
        let known = self.known();
        self.inner
            .config
            .clusters
            .iter()
            .map(|(id, entry)| {
                let mut view = ClusterView::new(id.clone(), entry.kind);
                view.enabled = entry.enabled;
                view.tags.clone_from(&entry.tags);
                view.appeal = entry.appeal();
                view.limits = entry.limits.clone();
                match self.inner.clusters.get(id) {
                    Some(cluster) => view.capabilities = cluster.capabilities().clone(),
                    None => view.drivable = !entry.enabled && drivable(&entry.settings),
                }
                if let KindSettings::Slurm(settings) = &entry.settings {
                    view.remote = settings.ssh.is_some();
                    view.capabilities.uses_image = settings.images.is_some();
                }
                if let KindSettings::Ray(settings) = &entry.settings {
                    view.has_folder = settings.runtime_env.contains_key("working_dir");
                }
                if entry.kind == ClusterKind::Local {
                    view.has_jupyter = Some(has_jupyter());
                }
                if let Some(Known { at: Some(at), capacity: Some(capacity), facts }) = known.get(id)
                {
                    view.capacity = Some((*at, capacity.clone()));
                    view.offers = told(facts);
                }
                (id.clone(), view)
            })
            .collect()
    }

    /// What a configured cluster can do; of a kind that this build cannot drive,
    /// what such clusters can.
    pub(crate) fn capabilities(&self, id: &ClusterId, kind: ClusterKind) -> Capabilities {
        let cluster = self.inner.clusters.get(id);
        cluster.map_or_else(|| Capabilities::of(kind), |c| c.capabilities().clone())
    }

    /// Whether this can be done to jobs of a cluster; `None`: none of that name is
    /// configured.
    pub fn can(&self, id: &ClusterId, action: RemoteAction) -> Option<bool> {
        Some(self.inner.clusters.get(id)?.capabilities().can(action))
    }

    /// As [`Engine::views`], with the local executor asked first, which costs nothing.
    pub(crate) async fn views_now(&self) -> ClusterViews {
        self.ask_here().await;
        self.views()
    }

    /// Asks the local executor what it has.
    pub(super) async fn ask_here(&self) {
        let here = self
            .inner
            .clusters
            .iter()
            .filter(|(_, c)| c.kind() == ClusterKind::Local)
            .map(|(id, c)| (id.clone(), c.clone()))
            .collect();
        self.ask(here).await;
    }

    /// Asks these clusters for their capacity, all at once, and keeps the answers.
    pub(super) async fn ask(
        &self,
        clusters: Vec<(ClusterId, Arc<dyn Cluster>)>,
    ) -> IndexMap<ClusterId, Health> {
        let asked = clusters.into_iter().map(|(id, cluster)| async move {
            let begin = Instant::now();
            let answer = tokio::time::timeout(PATIENCE, async {
                let capacity = cluster.capacity().await?;
                Ok::<_, ClusterError>((capacity, cluster.facts().await.unwrap_or_default()))
            })
            .await
            .unwrap_or_else(|_| {
                Err(ClusterError::Unreachable {
                    cluster: id.clone(),
                    why: format!("no answer in {} s", PATIENCE.as_secs()),
                    retry_after: None,
                })
            });
            (id, answer, begin.elapsed())
        });
        let mut fresh = AllKnown::new();
        let mut healths = IndexMap::new();
        let before = self.known();
        for (id, answer, took) in futures::future::join_all(asked).await {
            let mut health = Health { requests_per_minute: 1, ..Health::default() };
            match answer {
                Ok((capacity, facts)) => {
                    let at = (self.inner.clock)();
                    health.reachable = Some(true);
                    health.last_seen = Some(at);
                    health.latency_ms = Some(took.as_millis().try_into().unwrap_or(u64::MAX));
                    health.capacity = Some(capacity.clone());
                    health.offers = told(&facts);
                    fresh.insert(
                        id.clone(),
                        Known { at: Some(at), capacity: Some(capacity), facts },
                    );
                }
                Err(error) => {
                    health.reachable = Some(!matches!(error, ClusterError::Unreachable { .. }));
                    health.needs_login = matches!(error, ClusterError::NeedsLogin { .. });
                    health.error = Some(error.to_string());
                    // What was known stays known, with its age.
                    if let Some(known) = before.get(&id) {
                        health.last_seen = known.at;
                        health.capacity.clone_from(&known.capacity);
                        health.offers = told(&known.facts);
                    }
                }
            }
            healths.insert(id, health);
        }
        if !fresh.is_empty() {
            self.keep(fresh);
        }
        healths
    }

    /// Asks every enabled cluster for its capacity, all at once, each for at most
    /// a few seconds; what they say is kept for [`Engine::views`].
    pub async fn check_clusters(&self) -> Vec<ClusterHealth> {
        let all = self.inner.clusters.iter().map(|(id, c)| (id.clone(), c.clone())).collect();
        let mut healths = self.ask(all).await;
        self.inner
            .config
            .clusters
            .iter()
            .map(|(id, entry)| ClusterHealth {
                id: id.clone(),
                kind: entry.kind,
                enabled: entry.enabled,
                can: self.capabilities(id, entry.kind),
                health: healths.shift_remove(id).unwrap_or_else(|| Health {
                    error: entry.enabled.then(|| {
                        format!(
                            "this build cannot drive clusters of kind `{}` yet",
                            entry.kind.word()
                        )
                    }),
                    ..Health::default()
                }),
            })
            .collect()
    }
}

/// Names for fields of its own that a cluster told; `None`: it did not.
fn told(facts: &SiteFacts) -> Option<Arc<Offers>> {
    (!facts.offers.is_empty()).then(|| Arc::new(facts.offers.clone()))
}

fn drivable(settings: &KindSettings) -> bool {
    !matches!(settings, KindSettings::Other(_))
}

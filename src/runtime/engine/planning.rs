//! What a plan depends on beside its document: clusters, earlier work, code.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{Engine, start::blocking};
use crate::{
    domain::{
        identity::History,
        planner::PlanContext,
        tree::{Node, Value},
    },
    error::Report,
    runtime::code,
};

/// How long what a plan depends on is taken to be as it was.
const RECENT: Duration = Duration::from_secs(3);

/// What was read for the last plan.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    at: Option<Instant>,
    /// Counts what made earlier readings old; one that began before does not count.
    forgotten: u64,
    history: Arc<History>,
    /// Hash by folder; `None`: it cannot be read.
    code: BTreeMap<PathBuf, Option<String>>,
}

impl Recent {
    /// A run was made: the next plan must know of it.
    pub(super) fn forget(&self) {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.at = None;
        read.forgotten += 1;
    }
}

impl Engine {
    /// Earlier work has changed: the next plan reads it anew.
    pub fn forget_recent(&self) {
        self.inner.recent.forget();
    }

    /// Everything a plan of this document depends on: clusters as last known (the
    /// local executor is asked, which costs nothing), earlier work, the hash of
    /// the code it names. `base_dir` is where its relative paths start.
    ///
    /// # Errors
    /// The history cannot be read. A `src_dir` that cannot be read has no hash,
    /// which the planner tells of.
    pub async fn plan_context(
        &self,
        document: &Node,
        base_dir: Option<&Path>,
        reuse: bool,
        fresh: bool,
    ) -> Result<PlanContext, Report> {
        let folders = code_folders(document, base_dir);
        let (history, hashes) = self.recent(folders.keys()).await?;
        let mut code = BTreeMap::new();
        for (folder, names) in folders {
            // Empty: the planner tells that it cannot be read.
            let hash = hashes.get(&folder).cloned().flatten().unwrap_or_default();
            code.extend(names.into_iter().map(|name| (name, hash.clone())));
        }
        Ok(PlanContext {
            default_cluster: self.inner.config.default_cluster.clone(),
            limits: self.inner.config.limits.clone(),
            clusters: self.views(),
            history,
            code,
            reuse,
            fresh,
            now: (self.inner.clock)(),
            home: std::env::var_os("HOME").map(PathBuf::from),
        })
    }

    /// Earlier work and the hashes of code, read anew when what was read is old. The
    /// local executor is asked then as well.
    async fn recent(
        &self,
        folders: impl Iterator<Item = &PathBuf>,
    ) -> Result<(Arc<History>, BTreeMap<PathBuf, Option<String>>), Report> {
        let (fresh, began, history, mut code) = {
            let read = self.inner.recent.0.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = read.at.is_some_and(|at| at.elapsed() < RECENT);
            let code = if fresh { read.code.clone() } else { BTreeMap::new() };
            (fresh, read.forgotten, read.history.clone(), code)
        };
        let missing: Vec<PathBuf> = folders.filter(|f| !code.contains_key(*f)).cloned().collect();
        if fresh && missing.is_empty() {
            return Ok((history, code));
        }
        let history = if fresh {
            history
        } else {
            self.ask_here().await;
            Arc::new(self.history().await?)
        };
        let skip = self.inner.state.path().to_owned();
        let hashed = blocking(move || {
            let hash = |f: PathBuf| {
                let hash = code::hash(&f, &skip).ok().map(|entry| entry.hash);
                (f, hash)
            };
            missing.into_iter().map(hash).collect::<Vec<_>>()
        })
        .await?;
        code.extend(hashed);
        let mut read = self.inner.recent.0.lock().unwrap_or_else(PoisonError::into_inner);
        if read.forgotten != began {
            return Ok((history, code));
        }
        if !fresh {
            read.at = Some(Instant::now());
        }
        read.history = history.clone();
        read.code.clone_from(&code);
        Ok((history, code))
    }

    /// Jobs of all runs by the work they are, oldest run first.
    async fn history(&self) -> Result<History, Report> {
        let runs = self.summaries(true).await?;
        let state = self.inner.state.clone();
        blocking(move || {
            let mut history = History::default();
            for summary in runs.iter().rev().filter_map(|s| s.as_ref().ok()) {
                let dir = crate::journal::RunDir::new(state.run(&summary.run));
                summary.add_to(&dir, &mut history);
            }
            history
        })
        .await
    }
}

/// The folders of code a document names, each with the ways its path may be
/// written once it is absolute.
fn code_folders(document: &Node, base: Option<&Path>) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut folders: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    let mut open = vec![document];
    while let Some(node) = open.pop() {
        match &node.value {
            Value::Seq(items) => open.extend(items),
            Value::Map(entries) => {
                for entry in entries {
                    if entry.key == "src_dir"
                        && let Some(text) = entry.value.as_scalar()
                        && !text.is_null()
                        && !text.text.trim().is_empty()
                    {
                        let written = expand_home(text.text.trim());
                        let path = base.map_or(written.clone(), |base| base.join(&written));
                        let plain = plain(&path);
                        let names = folders.entry(plain.clone()).or_default();
                        names.insert(planned(text.text.trim(), base));
                        names.insert(path.display().to_string());
                        names.insert(plain.display().to_string());
                    } else {
                        open.push(&entry.value);
                    }
                }
            }
            Value::Scalar(_) => {}
        }
    }
    folders
}

/// As the planner writes it.
fn planned(text: &str, base: Option<&Path>) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    crate::domain::batch::value::path(text, base, home.as_deref())
}

fn expand_home(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(text),
    }
}

/// Without `.` and, where that is certain, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cluster::Clusters,
        config::{Config, paths::StateDir},
    };

    #[test]
    fn what_was_forgotten_is_read_anew() {
        // One thread for the disk, so that the test can keep it busy.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(forgotten());
    }

    async fn forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path().join("state"));
        let engine =
            Engine::with_clusters(Config::built_in(), state, PathBuf::new(), Clusters::default());
        let none = || std::iter::empty::<&PathBuf>();
        let (first, _) = engine.recent(none()).await.unwrap();
        engine.forget_recent();
        let (second, _) = engine.recent(none()).await.unwrap();
        assert!(!Arc::ptr_eq(&first, &second));

        // A reading that began before something changed is not kept for others.
        engine.forget_recent();
        let (go_on, gate) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || gate.recv());
        let mut reading = Box::pin(engine.recent(none()));
        assert!(futures::poll!(&mut reading).is_pending(), "it waits for the disk");
        engine.forget_recent();
        drop(go_on);
        assert!(busy.await.unwrap().is_err());
        let (old, _) = reading.await.unwrap();
        let (new, _) = engine.recent(none()).await.unwrap();
        assert!(!Arc::ptr_eq(&old, &new));
    }
}

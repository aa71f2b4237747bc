//! Starting and opening runs, and reading their logs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::stream::BoxStream;

use super::{Engine, Options};
use crate::{
    app::msg::CodeSince,
    cluster::{ClusterError, LogChunk, LogCursor, LogSource, Watched},
    domain::{
        ids::{ClusterId, JobIx, RunId},
        placement,
        plan::Approved,
        run::{Attempt, Run},
        site::ClusterKind,
    },
    error::{Kind, Report},
    journal::{CodeEntry, JournalError, Replay, RunDir, Stored, create},
    runtime::{
        code,
        handle::{Command, RunHandle},
        session::{Session, state_report},
    },
};

impl Engine {
    /// Starts an approved plan. The run is on disk before the first request. With
    /// the id of an existing run of the same content that run is carried on.
    ///
    /// # Errors
    /// [`Kind::Usage`]: the id belongs to a run of other content. [`Kind::State`]:
    /// the run cannot be recorded, so nothing was sent.
    pub async fn start(&self, approved: Approved, options: Options) -> Result<RunHandle, Report> {
        let run = approved.run().clone();
        let dir = self.dir(&run);
        if !dir.plan().exists() {
            let (engine, made, approved) = (self.clone(), dir.clone(), approved.clone());
            if let Some(replay) = blocking(move || engine.make(&made, approved)).await?? {
                return Ok(Session::start(self.inner.clone(), dir, replay, options));
            }
        }
        let stored = {
            let dir = dir.clone();
            blocking(move || Stored::read(&dir)).await?.map_err(|e| state_report(&e))?
        };
        let same = Stored::new(approved, BTreeMap::new()).content == stored.content;
        if !same {
            return Err(taken(&run));
        }
        let handle = self.open(&run, options).await?;
        // The person has approved it again: what was held goes on.
        if handle.run.held.is_some() {
            handle.commands.send(Command::Send);
        }
        Ok(handle)
    }

    /// Puts a new run on disk; `None` when somebody was faster.
    fn make(&self, dir: &RunDir, approved: Approved) -> Result<Option<Replay>, Report> {
        self.inner.state.make()?;
        std::fs::create_dir_all(dir.path())
            .map_err(JournalError::io(dir.path()))
            .map_err(|e| state_report(&e))?;
        let code = self.copy_code(dir, &approved)?;
        let stored = Stored::new(approved, code);
        match create(dir, &stored) {
            Ok(()) => {
                // Only the next plan wants them: nobody waits, and what a crash
                // leaves undone is done then.
                self.inner.recent.forget();
                let (there, same) = (dir.clone(), stored.clone());
                std::thread::spawn(move || same.save_identities(&there));
                Replay::of(dir, stored).map(Some).map_err(|e| state_report(&e))
            }
            Err(JournalError::Io { error, .. })
                if error.kind() == std::io::ErrorKind::AlreadyExists =>
            {
                Ok(None)
            }
            Err(error) => Err(state_report(&error)),
        }
    }

    /// Copies the code of jobs that run on this machine, or that it is sent for.
    fn copy_code(
        &self,
        dir: &RunDir,
        approved: &Approved,
    ) -> Result<BTreeMap<String, CodeEntry>, Report> {
        let mut folders = BTreeSet::new();
        let mut identities = BTreeSet::new();
        for job in approved.jobs().iter().filter(|j| j.action.sends()) {
            let copied = job.cluster.as_ref().is_some_and(|id| {
                self.inner
                    .clusters
                    .get(id)
                    .is_some_and(|c| c.kind() == ClusterKind::Local || c.capabilities().sends_code)
            });
            let Some(top) = job.spec.src_dir.as_deref() else {
                if copied {
                    folders.extend(job.spec.libraries.iter().map(String::as_str));
                }
                continue;
            };
            if copied {
                folders.insert(top);
                folders.extend(job.spec.libraries.iter().map(String::as_str));
            } else {
                identities.insert(top);
            }
        }
        let skip = self.inner.state.path();
        let mut code = BTreeMap::new();
        for top in folders {
            let entry = code::snapshot(top.as_ref(), &dir.code(), skip)?;
            code.insert(top.to_owned(), entry);
        }
        for top in identities {
            if !code.contains_key(top)
                && let Ok(entry) = code::hash(top.as_ref(), skip)
            {
                code.insert(top.to_owned(), entry);
            }
        }
        Ok(code)
    }

    /// Which of these folders of code are not as they were when the run was first
    /// sent. Reads all of them: for a thread that may wait.
    ///
    /// # Errors
    /// There is no such run, or its plan cannot be read.
    pub fn compare_code(
        &self,
        run: &RunId,
        folders: &[Arc<str>],
    ) -> Result<Vec<(Arc<str>, CodeSince)>, Report> {
        let stored = Stored::read(&self.dir(run)).map_err(|e| state_report(&e))?;
        let skip = self.inner.state.path();
        let since = |top: &Arc<str>| {
            let sent = stored.code.get(top).map(|entry| entry.hash.as_str());
            Some((Arc::clone(top), code::since(top.as_ref().as_ref(), sent, skip)?))
        };
        Ok(folders.iter().filter_map(since).collect())
    }

    /// Opens a run that was started before.
    ///
    /// # Errors
    /// [`Kind::Usage`]: there is no such run. [`Kind::State`]: it cannot be read.
    pub async fn open(&self, run: &RunId, options: Options) -> Result<RunHandle, Report> {
        let dir = self.dir(run);
        let replay = {
            let dir = dir.clone();
            blocking(move || Replay::read(&dir)).await?.map_err(|e| state_report(&e))?
        };
        Ok(Session::start(self.inner.clone(), dir, replay, options))
    }

    /// A log of one attempt (`None`: the newest) and one worker. `run` is a replica or
    /// [`super::Look::run`].
    ///
    /// # Errors
    /// The job was never sent, has no such worker, or its cluster is not configured.
    pub fn logs(
        &self,
        run: &Run,
        job: JobIx,
        attempt: Option<u32>,
        source: LogSource,
        from: LogCursor,
        follow: bool,
    ) -> Result<BoxStream<'static, Result<LogChunk, ClusterError>>, Report> {
        let row = run.job(job).ok_or_else(|| Report::new(Kind::Usage, "there is no such job"))?;
        let name = &row.spec.name;
        let known = match attempt {
            None => row.attempts.iter().rev().find(|a| a.was_sent()).or(row.attempt()),
            Some(number) => {
                Some(row.attempts.iter().find(|a| a.number == number).ok_or_else(|| {
                    Report::new(Kind::Usage, format!("{name} has no attempt {number}"))
                })?)
            }
        };
        let attempt: &Attempt = known
            .filter(|a| a.was_sent())
            .ok_or_else(|| Report::new(Kind::Usage, format!("{name} has not been sent yet")))?;
        let cluster =
            attempt.cluster.as_ref().and_then(|id| self.inner.clusters.get(id)).ok_or_else(
                || {
                    let id = attempt.cluster.as_ref().map(ToString::to_string).unwrap_or_default();
                    Report::new(Kind::Config, format!("the cluster `{id}` is not configured"))
                },
            )?;
        if let Some(key) = &attempt.follows
            && cluster.kind() == ClusterKind::Local
            && !self.dir(&key.run).plan().exists()
        {
            let owner = &key.run;
            return Err(Report::new(
                Kind::Usage,
                format!("{name} was a job of run {owner}, which was removed, and its log with it"),
            ));
        }
        let logs = placement::logs(row.spec_of(attempt.number), cluster.capabilities());
        if source.worker >= logs {
            return Err(no_such_worker(name, logs, cluster.id()));
        }
        let watched = Watched {
            key: run.key(job, attempt.number),
            remote_id: attempt.remote_id.clone(),
            log_path: attempt.log_path.clone(),
            starts: row.starts(attempt),
        };
        Ok(cluster.logs(&watched, source, from, follow))
    }
}

/// `logs`: how many the job has.
fn no_such_worker(job: &str, logs: u32, cluster: &ClusterId) -> Report {
    Report::new(
        Kind::Usage,
        match logs {
            ..=1 => format!("{job} has one log on `{cluster}`, whatever its workers"),
            logs => format!("the workers of {job} are 0 to {}", logs - 1),
        },
    )
}

fn taken(run: &RunId) -> Report {
    Report::new(Kind::Usage, format!("the run `{run}` exists and is of another batch"))
        .hint("choose another --run-id, or leave it out")
}

/// Runs what waits for the disk off the runtime's own threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Report> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Report::new(Kind::Internal, format!("a task ended without a word: {e}")))
}

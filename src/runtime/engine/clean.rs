//! Removing runs: records, code and logs, after a preview.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{CleanPlan, Cleaning, Engine, Removal, RunSummary, start::blocking};
use crate::{
    cluster::{Watched, local::size_of},
    domain::{
        ids::{ClusterId, JobIx, RunId},
        run::Run,
        site::ClusterKind,
        status::Status,
    },
    error::{Kind, Report},
    journal::{Acquire, JournalError, Ownership, Replay, living_owner},
    runtime::session::state_report,
};

impl Engine {
    /// What [`Engine::clean`] would remove.
    ///
    /// # Errors
    /// The runs cannot be read, or there is no such run.
    pub async fn clean_preview(&self, what: &Cleaning, remote: bool) -> Result<CleanPlan, Report> {
        let mut plan = CleanPlan { remote, ..CleanPlan::default() };
        let all = self.runs().await?;
        let chosen: Vec<RunSummary> = match what {
            Cleaning::Run(run) => {
                let found: Vec<_> = all.into_iter().filter(|s| s.run == *run).collect();
                if found.is_empty() {
                    return Err(Report::new(Kind::Usage, format!("there is no run `{run}`")));
                }
                found
            }
            Cleaning::Older(age) => {
                let before = (self.inner.clock)()
                    .saturating_sub(*age)
                    .map_err(|e| Report::new(Kind::Usage, format!("that is too long ago: {e}")))?;
                let mut old = Vec::new();
                for summary in all {
                    if summary.damaged.is_none() && self.ended_before(&summary, before).await? {
                        old.push(summary);
                    }
                }
                old
            }
        };
        for summary in chosen {
            if let Some(why) = why_kept(&summary, matches!(what, Cleaning::Older(_))) {
                plan.kept.push((summary.run, why));
                continue;
            }
            let bytes = self.size(&summary.run).await?;
            plan.runs.push(Removal { run: summary, bytes, used_by: Vec::new() });
        }
        self.find_users(&mut plan).await?;
        Ok(plan)
    }

    /// Bytes of a run's folder and of what clusters keep of its jobs here.
    async fn size(&self, run: &RunId) -> Result<u64, Report> {
        let dir = self.dir(run);
        let (mut bytes, replay) =
            blocking(move || (size_of(dir.path()), Replay::read(&dir).ok())).await?;
        for (cluster, jobs) in replay.iter().flat_map(|replay| kept_there(&replay.run)) {
            if let Some(cluster) = self.inner.clusters.get(&cluster) {
                bytes += cluster.size_here(&jobs).await.unwrap_or(0);
            }
        }
        Ok(bytes)
    }

    /// Which of the runs that stay show results of those that go.
    async fn find_users(&self, plan: &mut CleanPlan) -> Result<(), Report> {
        let all = self.summaries(false).await?;
        let going: BTreeSet<RunId> = plan.runs.iter().map(|gone| gone.run.run.clone()).collect();
        for user in all.iter().flatten().filter(|summary| !going.contains(&summary.run)) {
            let used = plan.runs.iter_mut().filter(|gone| user.shows.contains(&gone.run.run));
            used.for_each(|gone| gone.used_by.push(user.run.clone()));
        }
        Ok(())
    }

    async fn ended_before(
        &self,
        summary: &RunSummary,
        before: jiff::Timestamp,
    ) -> Result<bool, Report> {
        if summary.created_at >= before {
            return Ok(false);
        }
        let dir = self.dir(&summary.run);
        let last = blocking(move || crate::journal::Summary::read(&dir)).await?;
        Ok(last.is_ok_and(|s| s.last_at < before))
    }

    /// Removes what a preview listed; a run that came to life since is kept.
    ///
    /// # Errors
    /// The first folder that could not be removed.
    pub async fn clean(&self, plan: &CleanPlan) -> Result<CleanPlan, Report> {
        let mut done = CleanPlan { remote: plan.remote, ..CleanPlan::default() };
        for removal in &plan.runs {
            match self.clean_one(&removal.run.run, plan.remote).await? {
                None => done.runs.push(removal.clone()),
                Some(why) => done.kept.push((removal.run.run.clone(), why)),
            }
        }
        Ok(done)
    }

    /// `Some(why)`: it was kept.
    async fn clean_one(&self, id: &RunId, remote: bool) -> Result<Option<String>, Report> {
        let dir = self.dir(id);
        let reading = dir.clone();
        let owned = blocking(move || -> Result<_, JournalError> {
            let run = match Replay::read(&reading) {
                Ok(replay) => Some(replay.run),
                // Damaged: there is nothing to ask clusters about, but it may go.
                Err(JournalError::Damaged { .. }) => None,
                Err(error) => return Err(error),
            };
            let epoch = run.as_ref().map_or(0, |r| r.epoch);
            Ok((run, Ownership::acquire(&reading, epoch, false, false, false)?))
        })
        .await?;
        let (run, ownership) = match owned {
            Ok((run, Acquire::Got(ownership))) => (run, ownership),
            Ok((_, Acquire::Busy(_) | Acquire::Elsewhere(_))) => {
                return Ok(Some("somebody conducts it now".to_owned()));
            }
            Err(JournalError::NoRun(_)) => return Ok(None),
            Err(error) => return Err(state_report(&error)),
        };
        if let Some(run) = &run {
            if run.counts.iter().any(|(s, n)| *n > 0 && s.is_live()) {
                return Ok(Some("some of its jobs are under way".to_owned()));
            }
            for (cluster, jobs) in kept_there(run) {
                let Some(cluster) = self.inner.clusters.get(&cluster) else { continue };
                if (remote || cluster.kind() == ClusterKind::Local)
                    && let Err(error) = cluster.clean(&jobs).await
                {
                    return Ok(Some(format!("its jobs could not be removed there: {error}")));
                }
            }
        }
        let folder = dir.path().to_owned();
        blocking(move || {
            // Out of the list at once; a crash leaves a folder that is no run.
            let aside = folder.with_file_name(format!(
                ".cleaned-{}",
                folder.file_name().unwrap_or_default().to_string_lossy()
            ));
            let _ = fs::remove_dir_all(&aside);
            fs::rename(&folder, &aside)?;
            drop(ownership);
            fs::remove_dir_all(&aside)
        })
        .await?
        .map_err(|error| {
            Report::new(Kind::State, format!("run {id} could not be removed: {error}"))
        })?;
        Ok(None)
    }
}

fn why_kept(summary: &RunSummary, only_ended: bool) -> Option<String> {
    if let Some(conductor) = &summary.conductor {
        return Some(format!("process {} on {} conducts it", conductor.pid, conductor.host));
    }
    if summary.counts.iter().any(|(s, n): (&Status, &usize)| *n > 0 && s.is_live()) {
        return Some("some of its jobs are under way".to_owned());
    }
    (only_ended && !summary.ended).then(|| format!("{} not sent yet", summary.unsent))
}

/// What each cluster keeps of a run's own jobs, all attempts.
fn kept_there(run: &Run) -> BTreeMap<ClusterId, Vec<Watched>> {
    let mut there: BTreeMap<ClusterId, Vec<Watched>> = BTreeMap::new();
    for (ix, row) in (0..).map(JobIx).zip(&run.jobs) {
        for attempt in row.attempts.iter().filter(|a| a.follows.is_none() && a.was_sent()) {
            if let Some(cluster) = &attempt.cluster {
                there.entry(cluster.clone()).or_default().push(Watched {
                    key: run.key(ix, attempt.number),
                    remote_id: attempt.remote_id.clone(),
                    log_path: attempt.log_path.clone(),
                    starts: row.starts(attempt),
                });
            }
        }
    }
    there
}

impl Engine {
    /// Whether somebody conducts a run now, as far as can be told from here.
    pub fn is_conducted(&self, run: &RunId) -> bool {
        living_owner(&self.dir(run)).is_some()
    }
}

//! The runs there are.

use super::{Engine, RunSummary, start::blocking};
use crate::{
    domain::{ids::RunId, run::Conductor, status::Status},
    error::{Kind, Report},
    journal::{JournalError, RunDir, Summary, living_owner},
    runtime::session::state_report,
};

/// Runs that nobody conducts and that have jobs under way are looked at, so that
/// the history tells how they are; this many of the newest.
const LOOKED_AT: usize = 20;

/// A run that cannot be read, and why.
pub(super) struct Unreadable {
    pub(super) run: RunId,
    why: JournalError,
}

impl Engine {
    /// The runs' names, newest first; none where there is no state folder.
    fn run_ids(&self) -> Result<Vec<RunId>, Report> {
        let folder = self.inner.state.runs();
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(Report::new(
                    Kind::State,
                    format!("the runs in {} cannot be read: {error}", folder.display()),
                ));
            }
        };
        let mut runs: Vec<(std::time::SystemTime, RunId)> = entries
            .flatten()
            .filter_map(|entry| {
                let run = RunId::new(entry.file_name().to_str()?).ok()?;
                // Written once, when the run was made; without it there is no run.
                let made = RunDir::new(entry.path()).plan().metadata().ok()?.modified().ok()?;
                Some((made, run))
            })
            .collect();
        runs.sort_by(|a, b| b.cmp(a));
        Ok(runs.into_iter().map(|(_, run)| run).collect())
    }

    /// Every run's summary, newest first; none where there is no state folder. With `look` those that nobody conducts
    /// are brought up to date first.
    pub(super) async fn summaries(
        &self,
        look: bool,
    ) -> Result<Vec<Result<Summary, Unreadable>>, Report> {
        let engine = self.clone();
        let ids = blocking(move || engine.run_ids()).await??;
        let state = self.inner.state.clone();
        let mut all: Vec<Result<Summary, Unreadable>> = blocking(move || {
            ids.into_iter()
                .map(|run| {
                    let dir = RunDir::new(state.run(&run));
                    Summary::read(&dir).map_err(|why| Unreadable { run, why })
                })
                .collect()
        })
        .await?;
        if look {
            let stale: Vec<(usize, RunId)> = all
                .iter()
                .enumerate()
                .filter_map(|(i, s)| Some((i, s.as_ref().ok()?)))
                .filter(|(_, s)| s.counts.keys().any(|status| status.is_live()))
                .filter(|(_, s)| living_owner(&self.dir(&s.run)).is_none())
                .take(LOOKED_AT)
                .map(|(i, s)| (i, s.run.clone()))
                .collect();
            for (i, run) in stale {
                let Ok(look) = self.look(&run).await else { continue };
                if let Some(Ok(summary)) = all.get_mut(i) {
                    summary.update(&look.run);
                }
            }
        }
        Ok(all)
    }

    /// Every run there is, newest first. Cheap: runs are summed up when they end.
    ///
    /// # Errors
    /// The state folder can be neither read nor made. A damaged run is in the list,
    /// marked.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, Report> {
        let all = self.summaries(true).await?;
        if all.is_empty() {
            self.inner.state.make()?;
        }
        Ok(all
            .into_iter()
            .map(|summary| match summary {
                Ok(summary) => {
                    let owner = living_owner(&self.dir(&summary.run)).map(|(c, _)| c);
                    listed(&summary, owner)
                }
                Err(Unreadable { run, why }) => damaged(run, &why),
            })
            .collect())
    }

    /// A run id, a unique prefix of one, or `last`.
    ///
    /// # Errors
    /// [`Kind::Usage`]: nothing fits, or several do. [`Kind::State`]: the state
    /// folder can be neither read nor made.
    pub fn resolve_run(&self, text: &str) -> Result<RunId, Report> {
        let runs = self.run_ids()?;
        if runs.is_empty() {
            self.inner.state.make()?;
        }
        let list = "see `jobdeck runs` for those there are";
        if text == "last" {
            return runs
                .into_iter()
                .next()
                .ok_or_else(|| Report::new(Kind::Usage, "there is no run yet"));
        }
        if let Some(exact) = runs.iter().find(|run| run.as_str() == text) {
            return Ok(exact.clone());
        }
        let fits: Vec<&RunId> =
            runs.iter().filter(|run| !text.is_empty() && run.as_str().starts_with(text)).collect();
        match fits.as_slice() {
            [one] => Ok(RunId::clone(one)),
            [] => Err(Report::new(Kind::Usage, format!("there is no run `{text}`")).hint(list)),
            several => {
                let names: Vec<&str> = several.iter().take(5).map(|r| r.as_str()).collect();
                Err(Report::new(
                    Kind::Usage,
                    format!("`{text}` fits {} runs: {}", several.len(), names.join(", ")),
                )
                .hint("give more of the id"))
            }
        }
    }
}

fn listed(summary: &Summary, conductor: Option<Conductor>) -> RunSummary {
    RunSummary {
        run: summary.run.clone(),
        batch: summary.batch.clone(),
        created_at: summary.created_at,
        ended: summary.ended,
        counts: Status::ALL
            .into_iter()
            .filter_map(|s| Some((s, *summary.counts.get(&s)?)))
            .filter(|(_, n)| *n > 0)
            .collect(),
        total_gpus: summary.total_gpus,
        unsent: summary.unsent(),
        held: summary.held.clone(),
        conductor,
        damaged: None,
    }
}

fn damaged(run: RunId, why: &JournalError) -> RunSummary {
    RunSummary {
        run,
        batch: String::new(),
        created_at: jiff::Timestamp::UNIX_EPOCH,
        ended: true,
        counts: indexmap::IndexMap::new(),
        total_gpus: crate::domain::resources::Gpus::ZERO,
        unsent: 0,
        held: None,
        conductor: None,
        damaged: Some(state_report(why).message),
    }
}

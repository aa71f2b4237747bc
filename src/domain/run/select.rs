//! Naming jobs of a run: by job, by group, by position.

use std::collections::{BTreeSet, HashMap};

use super::Run;
use crate::domain::ids::JobIx;

/// Names that no job and no group of the run has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("run {run} has no job named {}", names(.missing))]
pub struct UnknownJob {
    pub run: String,
    /// As they were given.
    pub missing: Vec<String>,
}

fn names(missing: &[String]) -> String {
    missing.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

impl Run {
    /// The jobs with these names, each once, in batch order. A name is a job's or
    /// a group's (all its jobs); `#3` is the third row. A job's name wins over a
    /// group's.
    ///
    /// # Errors
    /// All names that fit nothing.
    pub fn select(&self, names: &[String]) -> Result<Vec<JobIx>, UnknownJob> {
        let mut by_name: HashMap<&str, JobIx> = HashMap::with_capacity(self.jobs.len());
        let mut by_group: HashMap<&str, Vec<JobIx>> = HashMap::new();
        for (ix, job) in (0..).map(JobIx).zip(&self.jobs) {
            by_name.entry(&job.spec.name).or_insert(ix);
            if let Some(group) = job.spec.group.as_deref() {
                by_group.entry(group).or_default().push(ix);
            }
        }
        let mut chosen = BTreeSet::new();
        let mut missing = Vec::new();
        for name in names {
            if let Some(ix) = by_name.get(name.as_str()) {
                chosen.insert(*ix);
            } else if let Some(group) = by_group.get(name.as_str()) {
                chosen.extend(group);
            } else if let Some(ix) = self.row(name) {
                chosen.insert(ix);
            } else {
                missing.push(name.clone());
            }
        }
        if missing.is_empty() {
            Ok(chosen.into_iter().collect())
        } else {
            Err(UnknownJob { run: self.id.to_string(), missing })
        }
    }

    fn row(&self, name: &str) -> Option<JobIx> {
        let number: u32 = name.strip_prefix('#')?.parse().ok()?;
        let ix = JobIx(number.checked_sub(1)?);
        self.job(ix).map(|_| ix)
    }
}

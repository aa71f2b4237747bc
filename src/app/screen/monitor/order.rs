//! In which order rows stand: every sort is a number per job, so that a change
//! moves one row instead of sorting all of them again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::roster::Roster;
use crate::{
    app::text,
    domain::{
        ids::{ClusterId, JobIx},
        run::{Run, RunJob},
        status::Status,
    },
};

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    #[default]
    Batch,
    /// What needs attention first.
    State,
    Name,
    Cluster,
    /// Most first.
    Gpus,
    /// Those that still wait first, longest first; then the others, longest first.
    Waited,
    /// Those that still run first, longest first; then the others, longest first.
    Ran,
    /// What ended last first.
    Finished,
}

impl Sort {
    pub const ALL: [Self; 8] = [
        Self::Batch,
        Self::State,
        Self::Name,
        Self::Cluster,
        Self::Gpus,
        Self::Waited,
        Self::Ran,
        Self::Finished,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch order",
            Self::State => "state",
            Self::Name => "name",
            Self::Cluster => "cluster",
            Self::Gpus => "GPUs",
            Self::Waited => "waited",
            Self::Ran => "ran",
            Self::Finished => "ended last",
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        Self::ALL.get(at + 1).copied().unwrap_or_default()
    }
}

/// Failures first, then what moves, then what waits, then what is well.
fn urgency(status: Status) -> u64 {
    match status {
        Status::Failed => 0,
        Status::Rejected => 1,
        Status::Lost => 2,
        Status::Unknown => 3,
        Status::Running => 4,
        Status::Submitting => 5,
        Status::Pending => 6,
        Status::Waiting => 7,
        Status::Stopped => 8,
        Status::NotSubmitted => 9,
        Status::Succeeded => 10,
    }
}

/// The clusters rows stand on, numbered in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterRanks(Vec<ClusterId>);

impl ClusterRanks {
    /// Whether it had to be added, which changes the numbers of others.
    pub fn learn(&mut self, cluster: Option<&ClusterId>) -> bool {
        let Some(cluster) = cluster else { return false };
        match self.0.binary_search(cluster) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, cluster.clone());
                true
            }
        }
    }

    pub fn has(&self, cluster: &ClusterId) -> bool {
        self.0.binary_search(cluster).is_ok()
    }

    /// Columns the widest name takes.
    pub fn widest(&self) -> u16 {
        self.0.iter().map(|c| text::width(c.as_str()).min(60) as u16).max().unwrap_or(0)
    }

    fn rank(&self, cluster: Option<&ClusterId>) -> u64 {
        cluster.and_then(|c| self.0.binary_search(c).ok()).map_or(u64::MAX, |at| at as u64)
    }
}

/// The number a job is sorted by, ascending. It depends on the job alone, never
/// on the present time: what still runs sorts by when it started.
pub fn key(sort: Sort, job: &RunJob, ix: JobIx, roster: &Roster, clusters: &ClusterRanks) -> u64 {
    let last = job.attempt();
    match sort {
        Sort::Batch => u64::from(ix.0),
        Sort::State => urgency(job.status),
        Sort::Name => u64::from(roster.rank(ix)),
        Sort::Cluster => clusters.rank(job.cluster.as_ref()),
        Sort::Gpus => u64::MAX - job.total_gpus.micros(),
        Sort::Waited => {
            let Some(from) = last.and_then(|a| a.submitted_at) else { return u64::MAX };
            match last.and_then(|a| a.started_at.or(a.finished_at)) {
                None => moment(from),
                Some(to) => HALF + longest_first(from, to),
            }
        }
        Sort::Ran => {
            let Some(from) = last.and_then(|a| a.started_at) else { return u64::MAX };
            match last.and_then(|a| a.finished_at) {
                None => moment(from),
                Some(to) => HALF + longest_first(from, to),
            }
        }
        Sort::Finished => last.and_then(|a| a.finished_at).map_or(u64::MAX, |at| HALF - moment(at)),
    }
}

const HALF: u64 = 1 << 62;

fn moment(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0).min(HALF - 1)
}

fn longest_first(from: Timestamp, to: Timestamp) -> u64 {
    HALF - 1 - moment(to).saturating_sub(moment(from))
}

/// All jobs of a run in order, and how it changes when jobs change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    sort: Sort,
    reverse: bool,
    clusters: ClusterRanks,
    /// Of each job, in batch order.
    keys: Vec<u64>,
    jobs: Vec<JobIx>,
}

impl Order {
    pub fn sort(&self) -> Sort {
        self.sort
    }

    pub fn reverse(&self) -> bool {
        self.reverse
    }

    pub fn clusters(&self) -> &ClusterRanks {
        &self.clusters
    }

    pub fn jobs(&self) -> &[JobIx] {
        &self.jobs
    }

    /// Sorts all of it.
    pub fn set(&mut self, sort: Sort, reverse: bool, run: &Run, roster: &Roster) {
        self.sort = sort;
        self.reverse = reverse;
        for job in &run.jobs {
            self.clusters.learn(job.cluster.as_ref());
        }
        self.keys =
            run.jobs.iter().zip(0..).map(|(job, ix)| self.key(job, JobIx(ix), roster)).collect();
        self.sort_all();
    }

    fn sort_all(&mut self) {
        let mut pairs: Vec<(u64, JobIx)> =
            self.keys.iter().copied().zip((0..).map(JobIx)).collect();
        if !pairs.is_sorted() {
            pairs.sort_unstable();
        }
        self.jobs = pairs.into_iter().map(|(_, job)| job).collect();
    }

    fn key(&self, job: &RunJob, ix: JobIx, roster: &Roster) -> u64 {
        let key = key(self.sort, job, ix, roster, &self.clusters);
        // What has no such value stays at the end either way.
        if self.reverse && key != u64::MAX { u64::MAX - 1 - key } else { key }
    }

    /// Takes in changed jobs (each once); whether any of them moved. One pass over
    /// the order for the whole batch of changes, not one for each.
    pub fn update(&mut self, run: &Run, changed: &[JobIx], roster: &Roster) -> bool {
        let new_cluster = changed
            .iter()
            .filter_map(|ix| run.job(*ix))
            .filter(|job| self.clusters.learn(job.cluster.as_ref()))
            .count()
            > 0;
        if new_cluster && self.sort == Sort::Cluster {
            self.set(self.sort, self.reverse, run, roster);
            return true;
        }
        let mut moved: Vec<(u64, JobIx)> = Vec::new();
        for ix in changed {
            let Some(job) = run.job(*ix) else { continue };
            let key = self.key(job, *ix, roster);
            if let Some(known) = self.keys.get_mut(ix.index())
                && *known != key
            {
                *known = key;
                moved.push((key, *ix));
            }
        }
        if moved.is_empty() {
            return false;
        }
        moved.sort_unstable();
        let mut gone: Vec<JobIx> = moved.iter().map(|(_, ix)| *ix).collect();
        gone.sort_unstable();
        let mut arriving = moved.into_iter().peekable();
        let mut jobs = Vec::with_capacity(self.jobs.len());
        for ix in &self.jobs {
            if gone.binary_search(ix).is_ok() {
                continue;
            }
            let at = (self.keys.get(ix.index()).copied().unwrap_or(0), *ix);
            while let Some((_, earlier)) = arriving.next_if(|next| *next < at) {
                jobs.push(earlier);
            }
            jobs.push(*ix);
        }
        jobs.extend(arriving.map(|(_, ix)| ix));
        self.jobs = jobs;
        true
    }
}

//! Sums over a run that are kept up to date row by row: what the header and the
//! rows of groups say.

use super::{cause::Troubles, roster::Roster};
use crate::domain::{
    ids::{ClusterId, JobIx},
    job::JobType,
    resources::Gpus,
    run::{Run, RunJob},
    status::{Cause, Status},
};

/// Jobs by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u32; Status::ALL.len()]);

impl Counts {
    fn slot(&mut self, status: Status) -> Option<&mut u32> {
        let at = Status::ALL.iter().position(|s| *s == status)?;
        self.0.get_mut(at)
    }

    pub fn add(&mut self, status: Status) {
        if let Some(n) = self.slot(status) {
            *n += 1;
        }
    }

    fn remove(&mut self, status: Status) {
        if let Some(n) = self.slot(status) {
            *n = n.saturating_sub(1);
        }
    }

    /// Statuses that occur, in the order they are shown.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u32)> {
        Status::ALL.into_iter().zip(self.0).filter(|(_, n)| *n > 0)
    }

    pub fn get(&self, status: Status) -> u32 {
        Status::ALL.into_iter().zip(self.0).find(|(s, _)| *s == status).map_or(0, |(_, n)| n)
    }
}

/// What a job added to the sums when it was last looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    status: Status,
    trouble: Option<u32>,
    gpus: Gpus,
    /// A person stopped it from being sent.
    put_off: bool,
    /// Seconds it ran, when it ran to its end and is no workspace.
    ran: Option<u32>,
}

/// Where the jobs of a group are, and the GPUs they ask for together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub gpus: Gpus,
    /// `None`: none was given to a cluster yet.
    pub cluster: Option<ClusterId>,
    /// There are, or were, other clusters too.
    pub others: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    seen: Vec<Option<Seen>>,
    groups: Vec<Counts>,
    places: Vec<Place>,
    gpus_in_use: Gpus,
    put_off: usize,
    ran_count: u32,
    ran_secs: u64,
    pub troubles: Troubles,
}

impl Tally {
    pub fn new(run: &Run, roster: &Roster) -> Self {
        let mut tally = Self {
            seen: vec![None; run.jobs.len()],
            groups: vec![Counts::default(); roster.group_count()],
            places: vec![Place::default(); roster.group_count()],
            ..Self::default()
        };
        for ix in (0..).map(JobIx).take(run.jobs.len()) {
            tally.update(run, ix, roster);
        }
        tally
    }

    /// Takes in a job that may have changed; whether its trouble is another.
    pub fn update(&mut self, run: &Run, ix: JobIx, roster: &Roster) -> bool {
        let Some(job) = run.job(ix) else { return false };
        let trouble = self.troubles.of(job);
        let now = Seen {
            status: job.status,
            trouble,
            gpus: job.total_gpus,
            put_off: is_put_off(job),
            ran: ran(job),
        };
        let Some(slot) = self.seen.get_mut(ix.index()) else { return false };
        let before = slot.replace(now);
        let group = roster.group_of(ix).map(|id| id as usize);
        if let Some(place) = group.and_then(|id| self.places.get_mut(id)) {
            place.gpus = place.gpus.saturating_sub(before.map_or(Gpus::ZERO, |b| b.gpus));
            place.gpus += now.gpus;
            match (&place.cluster, &job.cluster) {
                (Some(known), Some(own)) => place.others |= known != own,
                (None, own) => place.cluster.clone_from(own),
                (Some(_), None) => {}
            }
        }
        if let Some(group) = group.and_then(|id| self.groups.get_mut(id)) {
            if let Some(before) = before {
                group.remove(before.status);
            }
            group.add(now.status);
        }
        if let Some(before) = before {
            if before.status == Status::Running {
                self.gpus_in_use = self.gpus_in_use.saturating_sub(before.gpus);
            }
            self.put_off -= usize::from(before.put_off);
            if let Some(secs) = before.ran {
                self.ran_count -= 1;
                self.ran_secs -= u64::from(secs);
            }
            if let Some(id) = before.trouble {
                self.troubles.remove(id);
            }
        }
        self.put_off += usize::from(now.put_off);
        if now.status == Status::Running {
            self.gpus_in_use += now.gpus;
        }
        if let Some(secs) = now.ran {
            self.ran_count += 1;
            self.ran_secs += u64::from(secs);
        }
        if let Some(id) = trouble {
            self.troubles.add(id);
        }
        before.is_none_or(|before| before.trouble != trouble)
    }

    pub fn trouble_of(&self, ix: JobIx) -> Option<u32> {
        self.seen.get(ix.index()).copied().flatten().and_then(|seen| seen.trouble)
    }

    pub fn group(&self, id: u32) -> Counts {
        self.groups.get(id as usize).copied().unwrap_or_default()
    }

    pub fn place(&self, id: u32) -> Option<&Place> {
        self.places.get(id as usize)
    }

    /// Jobs a person stopped from being sent.
    pub fn put_off(&self) -> usize {
        self.put_off
    }

    pub fn gpus_in_use(&self) -> Gpus {
        self.gpus_in_use
    }

    /// Seconds until the last job ends, were the rest to run as long as those that
    /// succeeded and as many at once as now. `None` while that would be a guess: how
    /// long a job may run is known where others of its group have, and nearly all of
    /// the rest must be such jobs.
    pub fn seconds_left(&self, run: &Run) -> Option<u64> {
        const KNOWN: u32 = 3;
        const OPEN: [Status; 5] = [
            Status::Running,
            Status::Pending,
            Status::Submitting,
            Status::Waiting,
            Status::Unknown,
        ];
        let running = run.count(Status::Running) as u64;
        let open = OPEN.iter().map(|s| run.count(*s) as u64).sum::<u64>();
        let known = self.groups.iter().filter(|group| group.get(Status::Succeeded) >= KNOWN);
        let foreseen = known.flat_map(|group| OPEN.map(|s| u64::from(group.get(s)))).sum::<u64>();
        if self.ran_count == 0 || running == 0 || foreseen * 10 < open * 9 || run.held.is_some() {
            return None;
        }
        let waiting = open - running;
        let mean = self.ran_secs / u64::from(self.ran_count);
        // Those that run now are half-way, on average.
        Some(mean * waiting / running + mean / 2).filter(|secs| *secs > 0)
    }
}

/// Not sent because a person stopped the sending; sending can go on with it.
pub fn is_put_off(job: &RunJob) -> bool {
    job.status == Status::NotSubmitted && job.cause == Some(Cause::Cancelled)
}

fn ran(job: &RunJob) -> Option<u32> {
    let last = job.attempt()?;
    if job.status != Status::Succeeded || job.spec.job_type == JobType::Workspace {
        return None;
    }
    let secs = last.finished_at?.duration_since(last.started_at?).as_secs();
    u32::try_from(secs.max(0)).ok()
}

//! What the executor keeps in memory of the queue: some eighty bytes a job,
//! whatever the jobs themselves look like. Pure; the disk is asked by closures.
//!
//! ```text
//! add ─▶ awaiting (a job it depends on) ─▶ ready ─start▶ started ─▶ ended
//!                                             ◀─put_back─┘
//! ```
//! Ready jobs of one run that need the same are one class, in order of arrival:
//! only the first of each class can be the next to start, so that a decision costs
//! as much as there are classes, not jobs.

mod dependencies;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use dependencies::Awaited;
pub use dependencies::{Met, Standing};

use super::{queue::QueuedAt, schedule::Head, slots::Need, wire::QueuedBrief};
use crate::domain::ids::{JobIx, JobKey, RunId};

/// Where in the order of arrival a job stands: number of its request, and its
/// position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub request: u64,
    pub line: u32,
}

/// A job key with its run by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id {
    run: u32,
    job: u32,
    attempt: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Awaiting,
    Ready,
    Started,
    Ended,
}

#[derive(Debug)]
struct Queued {
    id: Id,
    offset: u64,
    len: u32,
    class: u32,
    /// 0: none.
    run_limit: u32,
    overtaken: u32,
    phase: Phase,
    after: Box<[Awaited]>,
    /// How many of the awaited jobs, in order, are known to be well.
    met: u32,
}

#[derive(Debug, Default)]
struct Request {
    jobs: Vec<Queued>,
    open: u32,
    queued: u32,
}

/// Everything needed to start one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    pub offset: u64,
    pub len: u64,
    pub need: Need,
}

#[derive(Debug, Default)]
pub struct Index {
    runs: Vec<RunId>,
    run_numbers: HashMap<RunId, u32>,
    classes: Vec<Need>,
    class_numbers: HashMap<Need, u32>,
    requests: BTreeMap<u64, Request>,
    ready: BTreeMap<(u32, u32), BTreeSet<Place>>,
    awaiting: HashMap<Id, Vec<Place>>,
    /// Started and not ended, by run.
    started: HashMap<u32, u32>,
    waiting: usize,
    waiting_for_gpus: usize,
}

impl Index {
    fn run_number(&mut self, run: &RunId) -> u32 {
        if let Some(number) = self.run_numbers.get(run) {
            return *number;
        }
        let number = self.runs.len() as u32;
        self.runs.push(run.clone());
        self.run_numbers.insert(run.clone(), number);
        number
    }

    fn class_number(&mut self, need: Need) -> u32 {
        let next = self.classes.len() as u32;
        let number = *self.class_numbers.entry(need).or_insert(next);
        if number == next {
            self.classes.push(need);
        }
        number
    }

    fn id(&mut self, key: &JobKey) -> Id {
        Id { run: self.run_number(&key.run), job: key.job.0, attempt: key.attempt }
    }

    /// Takes up one job of a request, the next of it. It waits until
    /// [`Self::settle`] has looked at its dependencies.
    pub fn add(&mut self, request: u64, job: QueuedAt) -> Place {
        let brief = job.brief;
        let id = self.id(&brief.key);
        let need = need(&brief);
        let class = self.class_number(need);
        let after = brief.after.iter().filter_map(|after| self.awaited(after)).collect();
        let queued = Queued {
            id,
            offset: job.offset,
            len: u32::try_from(job.len).unwrap_or(u32::MAX),
            class,
            run_limit: brief.run_limit.unwrap_or(0),
            overtaken: 0,
            phase: Phase::Awaiting,
            after,
            met: 0,
        };
        let entry = self.requests.entry(request).or_default();
        let place = Place { request, line: entry.jobs.len() as u32 };
        entry.jobs.push(queued);
        entry.open += 1;
        entry.queued += 1;
        self.waiting += 1;
        self.waiting_for_gpus += usize::from(need.uses_gpus());
        place
    }

    fn queued(&self, place: Place) -> Option<&Queued> {
        self.requests.get(&place.request)?.jobs.get(place.line as usize)
    }
    fn queued_mut(&mut self, place: Place) -> Option<&mut Queued> {
        self.requests.get_mut(&place.request)?.jobs.get_mut(place.line as usize)
    }

    fn key_of(&self, id: Id) -> Option<JobKey> {
        let run = self.runs.get(id.run as usize)?.clone();
        Some(JobKey { run, job: JobIx(id.job), attempt: id.attempt })
    }

    pub fn key(&self, place: Place) -> Option<JobKey> {
        self.key_of(self.queued(place)?.id)
    }

    pub fn line(&self, place: Place) -> Option<Line> {
        let queued = self.queued(place)?;
        let need = *self.classes.get(queued.class as usize)?;
        Some(Line { offset: queued.offset, len: queued.len.into(), need })
    }

    /// The first of each class whose run has room, oldest first.
    pub fn heads(&self) -> Vec<(Place, Head)> {
        let mut heads: Vec<(Place, Head)> = self
            .ready
            .iter()
            .filter_map(|((run, class), places)| {
                let place = *places.first()?;
                let queued = self.queued(place)?;
                let started = self.started.get(run).copied().unwrap_or(0);
                if queued.run_limit > 0 && started >= queued.run_limit {
                    return None;
                }
                let need = *self.classes.get(*class as usize)?;
                Some((place, Head { need, overtaken: queued.overtaken }))
            })
            .collect();
        heads.sort_unstable_by_key(|(place, _)| *place);
        heads
    }

    /// A younger job has started before this one.
    pub fn overtake(&mut self, place: Place) {
        if let Some(queued) = self.queued_mut(place) {
            queued.overtaken = queued.overtaken.saturating_add(1);
        }
    }

    fn leave_queue(&mut self, place: Place) -> bool {
        let Some(queued) = self.queued(place) else { return false };
        let (phase, run, class) = (queued.phase, queued.id.run, queued.class);
        match phase {
            Phase::Started | Phase::Ended => return false,
            Phase::Awaiting => {}
            Phase::Ready => {
                if let Some(places) = self.ready.get_mut(&(run, class)) {
                    places.remove(&place);
                    if places.is_empty() {
                        self.ready.remove(&(run, class));
                    }
                }
            }
        }
        self.waiting -= 1;
        let gpus = self.classes.get(class as usize).is_some_and(Need::uses_gpus);
        self.waiting_for_gpus -= usize::from(gpus);
        if let Some(request) = self.requests.get_mut(&place.request) {
            request.queued -= 1;
        }
        true
    }

    /// It runs, or is about to.
    pub fn start(&mut self, place: Place) {
        if !self.leave_queue(place) {
            return;
        }
        if let Some(queued) = self.queued_mut(place) {
            queued.phase = Phase::Started;
            let run = queued.id.run;
            *self.started.entry(run).or_default() += 1;
        }
    }

    /// It did not start after all: it waits where it was.
    pub fn put_back(&mut self, place: Place) {
        let Some(queued) = self.queued_mut(place) else { return };
        if queued.phase != Phase::Started {
            return;
        }
        queued.phase = Phase::Ready;
        let (run, class) = (queued.id.run, queued.class);
        self.forget_start(run);
        self.ready.entry((run, class)).or_default().insert(place);
        self.waiting += 1;
        let gpus = self.classes.get(class as usize).is_some_and(Need::uses_gpus);
        self.waiting_for_gpus += usize::from(gpus);
        if let Some(request) = self.requests.get_mut(&place.request) {
            request.queued += 1;
        }
    }

    /// It has ended, whether it ran or not.
    pub fn end(&mut self, place: Place) {
        self.leave_queue(place);
        let Some(queued) = self.queued_mut(place) else { return };
        let (before, run) = (queued.phase, queued.id.run);
        queued.phase = Phase::Ended;
        queued.after = Box::default();
        if before == Phase::Started {
            self.forget_start(run);
        }
        if before != Phase::Ended
            && let Some(request) = self.requests.get_mut(&place.request)
        {
            request.open -= 1;
        }
    }

    fn forget_start(&mut self, run: u32) {
        if let Some(started) = self.started.get_mut(&run) {
            *started -= 1;
            if *started == 0 {
                self.started.remove(&run);
            }
        }
    }

    /// The waiting jobs among these, wherever they stand.
    pub fn find_waiting(&mut self, keys: &[JobKey]) -> Vec<Place> {
        let ids: HashSet<Id> = keys.iter().map(|key| self.id(key)).collect();
        let mut found = Vec::new();
        for (number, request) in &self.requests {
            for (line, queued) in request.jobs.iter().enumerate() {
                let waits = matches!(queued.phase, Phase::Awaiting | Phase::Ready);
                if waits && ids.contains(&queued.id) {
                    found.push(Place { request: *number, line: line as u32 });
                }
            }
        }
        found
    }

    /// Takes out the requests whose jobs have all ended.
    pub fn take_finished(&mut self) -> Vec<u64> {
        let finished: Vec<u64> =
            self.requests.iter().filter(|(_, r)| r.open == 0).map(|(n, _)| *n).collect();
        for number in &finished {
            self.requests.remove(number);
        }
        finished
    }

    /// Requests of which nothing waits any more.
    pub fn without_waiting(&self) -> Vec<u64> {
        self.requests.iter().filter(|(_, r)| r.queued == 0).map(|(n, _)| *n).collect()
    }

    pub fn waiting(&self) -> usize {
        self.waiting
    }
    pub fn waits_for_gpus(&self) -> bool {
        self.waiting_for_gpus > 0
    }
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

/// What a queued job takes.
pub fn need(brief: &QueuedBrief) -> Need {
    let cpus = brief.cpus;
    let each = if cpus.is_finite() && cpus > 0.0 { (cpus * 1000.0).round() as u64 } else { 0 };
    let replicas = brief.replicas.max(1);
    Need {
        gpus: brief.gpus,
        replicas,
        milli_cpus: each.saturating_mul(replicas.into()),
        memory: brief.memory.saturating_mul(replicas.into()),
        exclusive: brief.exclusive,
    }
}

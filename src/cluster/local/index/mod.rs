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

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{queue::QueuedAt, schedule::Head, slots::Need, wire::After};
use crate::domain::{
    ids::{JobIx, JobKey, RunId},
    job::DependencyCondition,
};

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

/// Neighbours that must have ended.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    run: u32,
    first: u32,
    last: u32,
    attempt: u32,
    condition: DependencyCondition,
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

/// How a job that another one depends on stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the queue or running.
    Live,
    /// Never heard of; it may still come.
    Unknown,
    Succeeded,
    /// Ended otherwise, in words: `lr-3 failed`.
    Ended(String),
}

/// What became of a job's dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    All,
    NotYet,
    /// Never will be, in words.
    Never(String),
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
        let need = need(brief.gpus, brief.replicas, brief.cpus, brief.exclusive);
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

    fn awaited(&mut self, after: &After) -> Option<Awaited> {
        let (first, last) = after.jobs;
        Some(Awaited {
            run: self.run_number(&after.run),
            first: first.checked_sub(1)?,
            last: last.checked_sub(1)?,
            attempt: after.attempt,
            condition: after.condition,
        })
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

    /// Looks on at the dependencies of a waiting job: it becomes ready, goes on
    /// waiting, or can never start (then it is the caller's to end it).
    pub fn settle(&mut self, place: Place, standing: impl Fn(&JobKey) -> Standing) -> Met {
        let (Some(queued), Some(line)) = (self.queued(place), self.line(place)) else {
            return Met::NotYet;
        };
        if queued.phase != Phase::Awaiting {
            return Met::NotYet;
        }
        let (run, class, mut met) = (queued.id.run, queued.class, queued.met);
        debug_assert_eq!(self.classes.get(class as usize), Some(&line.need));
        while let Some((id, condition)) = awaited_at(&queued.after, met) {
            let Some(key) = self.key_of(id) else { break };
            let words = match (standing(&key), condition) {
                (Standing::Succeeded, _) | (Standing::Ended(_), DependencyCondition::Ended) => None,
                (Standing::Ended(words), DependencyCondition::Succeeded) => Some(words),
                (Standing::Live | Standing::Unknown, _) => {
                    self.awaiting.entry(id).or_default().push(place);
                    if let Some(queued) = self.queued_mut(place) {
                        queued.met = met;
                    }
                    return Met::NotYet;
                }
            };
            if let Some(words) = words {
                return Met::Never(words);
            }
            met += 1;
        }
        if let Some(queued) = self.queued_mut(place) {
            queued.phase = Phase::Ready;
            queued.after = Box::default();
        }
        self.ready.entry((run, class)).or_default().insert(place);
        Met::All
    }

    /// Jobs that waited for this one, to be settled again.
    pub fn freed_by(&mut self, key: &JobKey) -> Vec<Place> {
        let id = self.id(key);
        self.awaiting.remove(&id).unwrap_or_default()
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

/// The n-th awaited job.
fn awaited_at(after: &[Awaited], n: u32) -> Option<(Id, DependencyCondition)> {
    let mut left = n;
    for item in after {
        let count = item.last.checked_sub(item.first).map_or(0, |span| span.saturating_add(1));
        if left < count {
            let id = Id { run: item.run, job: item.first + left, attempt: item.attempt };
            return Some((id, item.condition));
        }
        left -= count;
    }
    None
}

/// What a queued job takes.
pub fn need(
    gpus: crate::domain::resources::Gpus,
    replicas: u32,
    cpus: f64,
    exclusive: bool,
) -> Need {
    let each = if cpus.is_finite() && cpus > 0.0 { (cpus * 1000.0).round() as u64 } else { 0 };
    let replicas = replicas.max(1);
    Need { gpus, replicas, milli_cpus: each.saturating_mul(replicas.into()), exclusive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cluster::local::wire::QueuedBrief, domain::resources::Gpus};

    fn key(job: u32) -> JobKey {
        JobKey { run: RunId::new("r").unwrap(), job: JobIx(job), attempt: 1 }
    }

    fn job(n: u32, after: Vec<After>, run_limit: Option<u32>) -> QueuedAt {
        let brief = QueuedBrief {
            key: key(n),
            name: Box::default(),
            gpus: Gpus::ZERO,
            replicas: 1,
            cpus: 1.0,
            exclusive: false,
            run_limit,
            after,
        };
        QueuedAt { offset: 0, len: 10, brief }
    }

    fn after(first: u32, last: u32) -> Vec<After> {
        vec![After {
            run: RunId::new("r").unwrap(),
            jobs: (first + 1, last + 1),
            attempt: 1,
            condition: DependencyCondition::Succeeded,
        }]
    }

    #[test]
    fn a_job_waits_for_all_it_depends_on_and_looks_at_each_once() {
        let mut index = Index::default();
        for n in 0..3 {
            let place = index.add(1, job(n, Vec::new(), None));
            assert_eq!(index.settle(place, |_| Standing::Live), Met::All);
        }
        let last = index.add(1, job(3, after(0, 2), None));
        let done = std::cell::RefCell::new(HashSet::new());
        let looks = std::cell::Cell::new(0);
        let standing = |k: &JobKey| {
            looks.set(looks.get() + 1);
            if done.borrow().contains(k) { Standing::Succeeded } else { Standing::Live }
        };
        assert_eq!(index.settle(last, standing), Met::NotYet);
        for n in [2, 0, 1] {
            done.borrow_mut().insert(key(n));
            for place in index.freed_by(&key(n)) {
                index.settle(place, standing);
            }
        }
        assert_eq!(index.heads().len(), 1, "one class of one run");
        assert_eq!(looks.get(), 5);
        for line in 0..4 {
            let place = Place { request: 1, line };
            index.start(place);
            index.end(place);
        }
        assert_eq!(index.take_finished(), [1]);
        assert!(index.is_empty() && index.waiting() == 0);
    }

    #[test]
    fn a_failed_dependency_is_final() {
        let mut index = Index::default();
        let place = index.add(1, job(3, after(0, 0), None));
        let met = index.settle(place, |_| Standing::Ended("lr-1 failed".into()));
        assert_eq!(met, Met::Never("lr-1 failed".into()));
        index.end(place);
        assert_eq!(index.waiting(), 0);
    }

    #[test]
    fn a_run_at_its_limit_offers_nothing_and_a_failed_start_gives_room_back() {
        let mut index = Index::default();
        let places: Vec<_> = (0..3).map(|n| index.add(1, job(n, Vec::new(), Some(1)))).collect();
        for place in &places {
            index.settle(*place, |_| Standing::Live);
        }
        assert_eq!(index.heads().first().map(|h| h.0), places.first().copied());
        index.start(places[0]);
        assert!(index.heads().is_empty());
        index.put_back(places[0]);
        assert_eq!(index.heads().first().map(|h| h.0), places.first().copied());
        assert_eq!(index.waiting(), 3);
        assert_eq!(index.find_waiting(&[key(1), key(9)]), [places[1]]);
    }

    #[test]
    fn a_queued_job_is_small() {
        assert!(size_of::<Queued>() <= 64, "{}", size_of::<Queued>());
    }
}

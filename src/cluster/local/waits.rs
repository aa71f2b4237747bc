//! Why a job in the queue has not started yet, in words for its row.
//!
//! The executor knows, but is not asked: what it goes by lies on disk, and what it
//! has to spare is in its summary. So this is an explanation, not a promise.

use std::{
    collections::{BTreeSet, HashMap},
    io,
};

use super::{
    index::{self, Standing},
    map,
    queue::Root,
    slots::Need,
    wire::{After, QueuedBrief, Summary},
};
use crate::domain::{
    ids::{JobKey, RunId},
    job::DependencyCondition,
    resources::Memory,
    run::JobFacts,
};

/// What is known of one waiting job.
#[derive(Debug)]
struct Waiting {
    request: u64,
    name: Box<str>,
    need: Need,
    run_limit: Option<u32>,
    after: Box<[After]>,
    /// Awaited jobs, in order, that are known to be well.
    met: usize,
}

/// The waiting jobs of all requests that were read.
#[derive(Debug, Default)]
pub struct Waits {
    jobs: HashMap<JobKey, Waiting>,
    read: BTreeSet<u64>,
}

/// What the words are made from, besides the job itself.
pub struct View<'a> {
    pub summary: &'a Summary,
    /// Why no executor works: nothing starts, whatever else is in order.
    pub trouble: Option<&'a str>,
    /// The disk that the queue lies on takes nothing more.
    pub disk_full: bool,
    /// Jobs of a run that run now.
    pub running: &'a dyn Fn(&RunId) -> u32,
    pub standing: &'a dyn Fn(&JobKey) -> Standing,
    /// What a job that has been started is called.
    pub name: &'a dyn Fn(&JobKey) -> Option<String>,
}

/// Waiting jobs that were asked about before this one. What they take first is not
/// to be had: the words for those behind them stay the same from poll to poll.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    pub of_run: u32,
    pub in_all: u32,
}

/// The dependency that holds a job up.
enum Hindrance {
    Live(JobKey),
    Unknown(JobKey),
    /// The executor is about to end the job.
    Broken(String),
}

impl Waits {
    /// Reads requests that have come, forgets those that are done.
    ///
    /// # Errors
    /// What the disk says.
    pub fn refresh(&mut self, root: &Root) -> io::Result<()> {
        let present: BTreeSet<u64> = root.list_requests()?.into_iter().collect();
        if self.read.iter().any(|number| !present.contains(number)) {
            self.jobs.retain(|_, job| present.contains(&job.request));
            self.read.retain(|number| present.contains(number));
        }
        for number in present {
            if self.read.contains(&number) {
                continue;
            }
            let jobs = &mut self.jobs;
            let read = root.read_request(number, |at| {
                jobs.insert(at.brief.key.clone(), Waiting::of(number, at.brief));
            });
            match read {
                // It was done with just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => {
                    other?;
                    self.read.insert(number);
                }
            }
        }
        Ok(())
    }

    pub fn knows(&self, key: &JobKey) -> bool {
        self.jobs.contains_key(key)
    }

    /// What a waiting job is called.
    pub fn name(&self, key: &JobKey) -> Option<&str> {
        self.jobs.get(key).map(|job| &*job.name)
    }

    /// A waiting job with the reason why.
    pub fn explain(&mut self, key: &JobKey, ahead: Ahead, view: &View<'_>) -> JobFacts {
        if let Some(words) = view.trouble {
            return map::queued(words, true);
        }
        let Some(waiting) = self.jobs.get_mut(key) else {
            return map::queued("queued on this machine", false);
        };
        match waiting.dependency(view) {
            Some(Hindrance::Broken(words)) => map::queued(&words, false),
            Some(Hindrance::Unknown(other)) => {
                let words = format!("waits for {other}, which was never queued here; cancel it");
                map::queued(&words, true)
            }
            Some(Hindrance::Live(other)) => {
                let name = self.name(&other).map(str::to_owned).or_else(|| (view.name)(&other));
                let name = name.unwrap_or_else(|| other.to_string());
                map::queued(&format!("waits for {name}"), false)
            }
            None => waiting.limit_or_room(key, ahead, view),
        }
    }
}

impl Waiting {
    fn of(request: u64, brief: QueuedBrief) -> Self {
        Self {
            request,
            need: index::need(&brief),
            name: brief.name,
            run_limit: brief.run_limit,
            after: brief.after.into_boxed_slice(),
            met: 0,
        }
    }

    fn limit_or_room(&self, key: &JobKey, ahead: Ahead, view: &View<'_>) -> JobFacts {
        if let Some(limit) = self.run_limit {
            let running = (view.running)(&key.run);
            let comes_to_it = running.saturating_add(ahead.of_run) >= limit;
            if running >= limit || (comes_to_it && self.holds(limit, view.summary)) {
                return map::queued(&format!("its run may have {limit} running at once"), false);
            }
        }
        if view.disk_full {
            // Neither a claim nor the summary can be written: no job can be started,
            // and what the summary says may be old.
            return map::queued("no space left on the disk of the queue; make room there", false);
        }
        self.room(ahead.in_all > 0, view.summary)
    }

    /// The first job it waits for. All that have ended meanwhile are passed, and
    /// never looked at again.
    fn dependency(&mut self, view: &View<'_>) -> Option<Hindrance> {
        let ahead = self.after.iter().flat_map(|a| a.keys().map(|key| (key, a.condition)));
        let mut found = None;
        let mut passed = 0;
        for (key, condition) in ahead.skip(self.met) {
            found = match ((view.standing)(&key), condition) {
                (Standing::Succeeded, _) | (Standing::Ended(_), DependencyCondition::Ended) => {
                    passed += 1;
                    continue;
                }
                (Standing::Live, _) => Some(Hindrance::Live(key)),
                (Standing::Unknown, _) => Some(Hindrance::Unknown(key)),
                (Standing::Ended(words), DependencyCondition::Succeeded) => {
                    Some(Hindrance::Broken(words))
                }
            };
            break;
        }
        self.met += passed;
        found
    }

    /// The whole machine holds that many such jobs at once.
    fn holds(&self, jobs: u32, has: &Summary) -> bool {
        let jobs = u64::from(jobs);
        let gpus = self.need.gpus.of_replicas(u64::from(self.need.replicas)).times(jobs);
        let cpus = self.need.milli_cpus.saturating_mul(jobs);
        has.gpus_total.is_none_or(|total| gpus <= total) && cpus <= has.milli_cpus_total
    }

    fn room(&self, is_behind: bool, has: &Summary) -> JobFacts {
        let wanted = self.need.gpus.of_replicas(u64::from(self.need.replicas));
        if let (Some(total), Some(free)) = (has.gpus_total, has.gpus_free)
            && self.need.uses_gpus()
        {
            if wanted > total {
                let words = format!(
                    "needs {}, this machine has {total}; cancel it, or configure more",
                    wanted.in_words()
                );
                return map::queued(&words, true);
            }
            if is_behind {
                return map::queued(&format!("waits for {}", wanted.in_words()), false);
            }
            if wanted > free {
                return map::queued(
                    &format!("waits for {}, {free} free", wanted.in_words()),
                    false,
                );
            }
        }
        if self.need.exclusive && has.running > 0 {
            return map::queued("waits to have the machine for itself", false);
        }
        let wanted = self.need.milli_cpus.min(has.milli_cpus_total);
        if wanted > if is_behind { 0 } else { has.milli_cpus_free } {
            let words = match self.need.milli_cpus.div_ceil(1000) {
                1 => "waits for a free core".to_owned(),
                cores => format!("waits for {cores} free cores"),
            };
            return map::queued(&words, false);
        }
        let wanted = self.need.memory.min(has.memory_total);
        if wanted > if is_behind { 0 } else { has.memory_free } {
            let memory = Memory::from_bytes(self.need.memory << 20);
            return map::queued(&format!("waits for {memory} of memory"), false);
        }
        map::queued("waits for its turn", false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resources::Gpus;

    fn key(job: u32) -> JobKey {
        format!("jd-r-{job}-1").parse().unwrap()
    }

    fn waits(gpus: &str, run_limit: Option<u32>, after: Vec<After>) -> Waits {
        let brief = QueuedBrief {
            key: key(1),
            name: "one".into(),
            gpus: gpus.parse().unwrap(),
            replicas: 1,
            cpus: 1.0,
            memory: 0,
            exclusive: false,
            run_limit,
            after,
        };
        let jobs = [(key(1), Waiting::of(1, brief))].into();
        Waits { jobs, read: BTreeSet::new() }
    }

    fn explained(
        waits: &mut Waits,
        running: u32,
        standing: &dyn Fn(&JobKey) -> Standing,
    ) -> (String, bool) {
        explained_behind(waits, running, Ahead::default(), standing)
    }

    fn explained_behind(
        waits: &mut Waits,
        running: u32,
        ahead: Ahead,
        standing: &dyn Fn(&JobKey) -> Standing,
    ) -> (String, bool) {
        let summary = Summary {
            gpus_total: Some(Gpus::whole(2)),
            gpus_free: Some(Gpus::whole(1)),
            milli_cpus_total: 2000,
            milli_cpus_free: 500,
            memory_total: 1024,
            memory_free: 512,
            waiting: 1,
            running: 1,
        };
        let view = View {
            summary: &summary,
            trouble: None,
            disk_full: false,
            running: &|_| running,
            standing,
            name: &|key| Some(format!("job {key}")),
        };
        let facts = waits.explain(&key(1), ahead, &view);
        (facts.reason.unwrap(), facts.blocked)
    }

    #[test]
    fn each_kind_of_waiting_has_its_words() {
        let live = |_: &JobKey| Standing::Live;
        for (gpus, limit, running, words, blocked) in [
            ("2", None, 0, "waits for 2 GPUs, 1 free", false),
            ("3", None, 0, "needs 3 GPUs, this machine has 2; cancel it, or configure more", true),
            ("0", None, 0, "waits for a free core", false),
            ("0", Some(3), 3, "its run may have 3 running at once", false),
        ] {
            let said = explained(&mut waits(gpus, limit, Vec::new()), running, &live);
            assert_eq!(said, (words.to_owned(), blocked));
        }
    }

    #[test]
    fn behind_others_the_words_do_not_change_with_every_job_that_ends() {
        let live = |_: &JobKey| Standing::Live;
        for (gpus, limit, words) in [
            ("1", None, "waits for 1 GPU"),
            ("0", None, "waits for a free core"),
            ("0", Some(2), "its run may have 2 running at once"),
            // Two cores never run four.
            ("0", Some(4), "waits for a free core"),
        ] {
            for running in 1..=3 {
                let ahead = Ahead { of_run: 5, in_all: 5 };
                let mut waits = waits(gpus, limit, Vec::new());
                let said = explained_behind(&mut waits, running, ahead, &live);
                assert_eq!(said, (words.to_owned(), false));
            }
        }
    }

    #[test]
    fn a_full_disk_is_told_before_what_may_be_old() {
        let summary =
            Summary { milli_cpus_total: 2000, milli_cpus_free: 2000, ..Summary::default() };
        let explain = |disk_full| {
            let view = View {
                summary: &summary,
                trouble: None,
                disk_full,
                running: &|_| 0,
                standing: &|_| Standing::Live,
                name: &|_| None,
            };
            let facts = waits("0", None, Vec::new()).explain(&key(1), Ahead::default(), &view);
            (facts.reason.unwrap(), facts.blocked)
        };
        assert_eq!(explain(false), ("waits for its turn".to_owned(), false));
        let (words, blocked) = explain(true);
        assert!(!blocked && words.starts_with("no space left"), "{words}");
    }

    #[test]
    fn the_first_unfinished_dependency_is_named_and_finished_ones_are_not_asked_again() {
        let after = |first, last| After {
            run: RunId::new("r").unwrap(),
            jobs: (first, last),
            attempt: 1,
            condition: DependencyCondition::Succeeded,
        };
        let mut waits = waits("0", None, vec![after(2, 4)]);
        let looks = std::cell::Cell::new(0);
        let standing = |k: &JobKey| {
            looks.set(looks.get() + 1);
            if *k == key(4) { Standing::Live } else { Standing::Succeeded }
        };
        for _ in 0..2 {
            assert_eq!(explained(&mut waits, 0, &standing).0, "waits for job jd-r-4-1");
        }
        assert_eq!(looks.get(), 4);
        let (words, blocked) = explained(&mut waits, 0, &|_| Standing::Unknown);
        assert!(blocked && words.contains("never queued here"), "{words}");
    }
}

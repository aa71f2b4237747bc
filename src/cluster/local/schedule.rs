//! Which waiting job starts next: a pure decision.
//!
//! First come, first served within what fits. A job that does not fit now is
//! passed by younger jobs that do, but at most [`OVERTAKES`] times by jobs that
//! use what it needs; from then on whatever becomes free of that is kept for it.
//! Jobs that need nothing of the same kind (a CPU job behind a GPU job) pass
//! freely, since they cannot delay it. So nothing starves, as long as jobs end.
//!
//! A job that this machine can never hold (more GPUs than there are) holds
//! nothing up; it waits for a machine that has grown.

use super::slots::{Machine, Need, Share};

/// How often a waiting job is overtaken by younger ones that use what it needs.
pub const OVERTAKES: u32 = 4;

/// A job that could start: its dependencies are met and its run has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub need: Need,
    /// Times a younger job has already started before it.
    pub overtaken: u32,
}

/// The decision: this one starts, on these slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Position among the heads.
    pub at: usize,
    /// What each replica gets of which slots.
    pub shares: Vec<Vec<Share>>,
    /// Positions of older heads that this start overtakes.
    pub overtook: Vec<usize>,
}

/// What is kept for an older job that was overtaken too often.
#[derive(Clone, Copy, Default)]
struct Kept {
    gpus: bool,
    cpus: bool,
    memory: bool,
    all: bool,
}

impl Kept {
    fn bars(self, need: &Need) -> bool {
        self.all
            || need.exclusive && (self.gpus || self.cpus || self.memory)
            || self.gpus && need.uses_gpus()
            || self.cpus && need.uses_cpus()
            || self.memory && need.uses_memory()
    }
}

/// The next job to start, if any; `heads` oldest first. Deterministic. Call it
/// again after the start is booked, until it has no more to say.
pub fn pick(heads: &[Head], machine: &Machine) -> Option<Pick> {
    let mut kept = Kept::default();
    let mut passed: Vec<usize> = Vec::new();
    for (at, head) in heads.iter().enumerate() {
        if kept.bars(&head.need) {
            continue;
        }
        if let Some(shares) = machine.fit(&head.need) {
            passed.retain(|&older| heads.get(older).is_some_and(|h| h.need.competes(&head.need)));
            return Some(Pick { at, shares, overtook: passed });
        }
        if !machine.can_ever(&head.need) {
            continue;
        }
        if head.overtaken < OVERTAKES {
            passed.push(at);
        } else {
            kept.gpus |= head.need.uses_gpus();
            kept.cpus |= head.need.uses_cpus();
            kept.memory |= head.need.uses_memory();
            kept.all |= head.need.exclusive;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{cluster::local::slots::WHOLE, domain::resources::Gpus};

    /// Of the machine, in MiB.
    const MEMORY: u64 = 900;

    fn need(gpus: f64, replicas: u32, cpus: u64) -> Need {
        Need {
            gpus: Gpus::from_micros((gpus * f64::from(WHOLE)) as u64),
            replicas,
            milli_cpus: cpus * 1000,
            memory: 0,
            exclusive: false,
        }
    }

    /// A queue and a machine that are played through: (id, need, overtaken).
    struct Play {
        machine: Machine,
        waiting: Vec<(usize, Need, u32)>,
        running: Vec<(usize, Need, Vec<Vec<Share>>)>,
        started: Vec<usize>,
    }

    impl Play {
        fn new(slots: u32, cpus: u64) -> Self {
            let names = (0..slots).map(|i| i.to_string()).collect();
            let machine = Machine::new(names, cpus * 1000, MEMORY);
            Self { machine, waiting: Vec::new(), running: Vec::new(), started: Vec::new() }
        }

        fn arrive(&mut self, id: usize, need: Need) {
            self.waiting.push((id, need, 0));
        }

        fn start_all(&mut self) {
            loop {
                let heads: Vec<Head> = self
                    .waiting
                    .iter()
                    .map(|(_, need, overtaken)| Head { need: *need, overtaken: *overtaken })
                    .collect();
                let Some(pick) = pick(&heads, &self.machine) else { return };
                for older in &pick.overtook {
                    self.waiting[*older].2 += 1;
                }
                let (id, need, _) = self.waiting.remove(pick.at);
                self.machine.take(&need, &pick.shares);
                self.started.push(id);
                self.running.push((id, need, pick.shares));
            }
        }

        fn end(&mut self, at: usize) {
            let (_, need, shares) = self.running.remove(at);
            self.machine.give_back(&need, &shares);
        }
    }

    #[test]
    fn a_large_job_is_overtaken_a_few_times_and_then_starts() {
        let mut play = Play::new(2, 8);
        play.arrive(0, need(1.0, 1, 0));
        play.start_all();
        play.arrive(1, need(2.0, 1, 0));
        for id in 2..20 {
            play.arrive(id, need(1.0, 1, 0));
        }
        play.start_all();
        // One slot is always busy; the younger ones end first each time.
        while !play.started.contains(&1) {
            let youngest = play.running.len() - 1;
            play.end(youngest);
            play.start_all();
            assert!(play.started.len() < 20);
        }
        let position = play.started.iter().position(|id| *id == 1).unwrap();
        assert_eq!(position, 1 + OVERTAKES as usize);
    }

    #[test]
    fn cpu_jobs_pass_a_waiting_gpu_job_for_ever() {
        let mut play = Play::new(1, 2);
        play.arrive(0, need(1.0, 1, 0));
        play.arrive(1, need(1.0, 1, 0));
        for id in 2..40 {
            play.arrive(id, need(0.0, 1, 1));
        }
        play.start_all();
        for _ in 2..40 {
            let youngest = play.running.len() - 1;
            play.end(youngest);
            play.start_all();
        }
        assert_eq!(play.started.len(), 39);
    }

    #[test]
    fn what_can_never_fit_holds_nothing_up() {
        let mut play = Play::new(2, 2);
        play.arrive(0, need(3.0, 1, 0));
        for id in 1..20 {
            play.arrive(id, need(1.0, 1, 0));
        }
        play.start_all();
        while !play.running.is_empty() {
            play.end(0);
            play.start_all();
        }
        assert_eq!(play.started.len(), 19);
        assert!(!play.started.contains(&0));
    }

    #[test]
    fn an_exclusive_job_runs_alone() {
        let mut play = Play::new(2, 2);
        play.arrive(0, need(1.0, 1, 0));
        play.start_all();
        play.arrive(1, Need { exclusive: true, ..need(1.0, 1, 0) });
        for id in 2..30 {
            play.arrive(id, need(0.0, 1, 1));
        }
        play.start_all();
        while !play.started.contains(&1) {
            assert!(play.started.len() < 12, "{:?}", play.started);
            play.end(0);
            play.start_all();
        }
        assert_eq!(play.running.len(), 1);
    }

    fn any_need() -> impl Strategy<Value = Need> {
        (prop_oneof![Just(0.0), Just(0.25), Just(0.5), Just(1.0), Just(2.0), Just(3.0)], 1..3u32)
            .prop_flat_map(|(gpus, replicas)| {
                let asked = (0..3u64, 0..3u64, prop::bool::weighted(0.05));
                asked.prop_map(move |(cpus, memory, exclusive)| Need {
                    exclusive,
                    memory: memory * MEMORY / 3,
                    ..need(gpus, replicas, if gpus == 0.0 { cpus + 1 } else { cpus })
                })
            })
    }

    proptest! {
        /// Whatever arrives and whenever it ends: no slot, core or memory is given
        /// twice, everything that can run does run, nothing is overtaken more
        /// often than promised, and the same history gives the same starts.
        #[test]
        fn never_oversubscribed_never_starved(
            slots in 0..4u32,
            cpus in 1..4u64,
            arrivals in prop::collection::vec((any_need(), 0..3usize, any::<prop::sample::Index>()), 1..40),
        ) {
            let history = || {
                let mut play = Play::new(slots, cpus);
                for (id, (need, ends, which)) in arrivals.iter().enumerate() {
                    play.arrive(id, *need);
                    play.start_all();
                    for _ in 0..*ends {
                        if !play.running.is_empty() {
                            play.end(which.index(play.running.len()));
                            play.start_all();
                        }
                    }
                    check(&play, slots, cpus);
                }
                while !play.running.is_empty() {
                    play.end(play.running.len() - 1);
                    play.start_all();
                    check(&play, slots, cpus);
                }
                play
            };
            let play = history();
            for (_, need, overtaken) in &play.waiting {
                prop_assert!(!play.machine.can_ever(need), "{need:?} never started");
                prop_assert_eq!(*overtaken, 0);
            }
            prop_assert_eq!(&play.started, &history().started);
        }
    }

    fn check(play: &Play, slots: u32, cpus: u64) {
        let mut used = vec![0u64; slots as usize];
        let mut taken_cpus = 0;
        let taken_memory: u64 = play.running.iter().map(|(_, need, _)| need.memory).sum();
        assert!(taken_memory <= MEMORY);
        for (_, need, shares) in &play.running {
            assert_eq!(shares.len(), need.replicas as usize);
            taken_cpus += need.milli_cpus.min(cpus * 1000);
            for replica in shares {
                let got: u64 = replica.iter().map(|s| u64::from(s.micros)).sum();
                assert_eq!(got, need.gpus.micros());
                for share in replica {
                    used[share.slot.parse::<usize>().unwrap()] += u64::from(share.micros);
                }
            }
        }
        assert!(used.iter().all(|u| *u <= u64::from(WHOLE)), "{used:?}");
        assert!(taken_cpus <= cpus * 1000);
        let alone = play.running.iter().filter(|(_, n, _)| n.exclusive).count();
        assert!(alone == 0 || play.running.len() == 1);
        assert!(play.waiting.iter().all(|(_, _, overtaken)| *overtaken <= OVERTAKES));
    }
}

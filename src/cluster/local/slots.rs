//! What the machine has and what of it is taken: GPU slots, fractions of them,
//! CPU cores, memory. Pure; [`super::devices`] finds out what there is.
//!
//! A replica that asks for whole GPUs gets slots of its own; one that asks for a
//! fraction shares a slot, up to 1.0 in all. All replicas of a job are placed or
//! none. CPU jobs take one core unless they ask for more, GPU jobs only what they
//! ask for; who asks for more cores or memory than there are gets all of them, so
//! that nothing waits for ever for a larger machine. Memory is counted, not
//! enforced: a job that says nothing of it counts as none.

use serde::{Deserialize, Serialize};

use crate::domain::resources::Gpus;

/// Millionths in one slot.
pub const WHOLE: u32 = 1_000_000;

/// What a job takes while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Need {
    /// Per replica.
    pub gpus: Gpus,
    pub replicas: u32,
    /// Thousandths of a core, for all replicas together.
    pub milli_cpus: u64,
    /// MiB, for all replicas together.
    pub memory: u64,
    /// Nothing else runs beside it.
    pub exclusive: bool,
}

impl Need {
    pub fn uses_gpus(&self) -> bool {
        !self.gpus.is_zero()
    }
    pub fn uses_cpus(&self) -> bool {
        self.milli_cpus > 0
    }
    pub fn uses_memory(&self) -> bool {
        self.memory > 0
    }
    /// Both want something of the same kind, so that one can delay the other.
    pub fn competes(&self, other: &Self) -> bool {
        self.exclusive
            || other.exclusive
            || self.uses_gpus() && other.uses_gpus()
            || self.uses_cpus() && other.uses_cpus()
            || self.uses_memory() && other.uses_memory()
    }
}

/// A part of one slot, or all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The device as `CUDA_VISIBLE_DEVICES` names it.
    pub slot: String,
    /// Millionths of it.
    pub micros: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot {
    name: String,
    taken: u64,
}

impl Slot {
    fn free(&self) -> u32 {
        u32::try_from(u64::from(WHOLE).saturating_sub(self.taken)).unwrap_or(0)
    }
}

/// The machine with what is taken of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    slots: Vec<Slot>,
    cpus_total: u64,
    cpus_taken: u64,
    memory_total: u64,
    memory_taken: u64,
    jobs: u32,
    exclusive: u32,
}

impl Machine {
    /// Slots by the names of their devices, cores in thousandths, memory in MiB.
    pub fn new(slots: Vec<String>, milli_cpus: u64, memory: u64) -> Self {
        Self {
            slots: slots.into_iter().map(|name| Slot { name, taken: 0 }).collect(),
            cpus_total: milli_cpus,
            cpus_taken: 0,
            memory_total: memory,
            memory_taken: 0,
            jobs: 0,
            exclusive: 0,
        }
    }

    pub fn gpus_total(&self) -> Gpus {
        Gpus::whole(self.slots.len() as u64)
    }
    pub fn gpus_free(&self) -> Gpus {
        self.slots.iter().map(|s| Gpus::from_micros(u64::from(s.free()))).sum()
    }
    pub fn milli_cpus_total(&self) -> u64 {
        self.cpus_total
    }
    pub fn milli_cpus_free(&self) -> u64 {
        self.cpus_total.saturating_sub(self.cpus_taken)
    }

    pub fn memory_total(&self) -> u64 {
        self.memory_total
    }
    pub fn memory_free(&self) -> u64 {
        self.memory_total.saturating_sub(self.memory_taken)
    }

    fn memory_of(&self, need: &Need) -> u64 {
        need.memory.min(self.memory_total)
    }

    fn cpus_of(&self, need: &Need) -> u64 {
        need.milli_cpus.min(self.cpus_total)
    }

    /// Where the job would go now; `None` when it does not fit.
    pub fn fit(&self, need: &Need) -> Option<Vec<Vec<Share>>> {
        if self.exclusive > 0 || (need.exclusive && self.jobs > 0) {
            return None;
        }
        if self.cpus_of(need) > self.milli_cpus_free() || self.memory_of(need) > self.memory_free()
        {
            return None;
        }
        place(&self.slots, need)
    }

    /// The job would fit if nothing else ran.
    pub fn can_ever(&self, need: &Need) -> bool {
        if !need.uses_gpus() {
            return true;
        }
        let empty: Vec<Slot> =
            self.slots.iter().map(|s| Slot { name: s.name.clone(), taken: 0 }).collect();
        place(&empty, need).is_some()
    }

    /// Books a job that has started. Slots that are no longer part of the machine
    /// are not booked: a job that owns one keeps it until it ends.
    pub fn take(&mut self, need: &Need, shares: &[Vec<Share>]) {
        self.jobs += 1;
        self.exclusive += u32::from(need.exclusive);
        self.cpus_taken += self.cpus_of(need);
        self.memory_taken += self.memory_of(need);
        self.book(shares, |taken, micros| taken + micros);
    }

    /// The job has ended. Must be the need and the shares it was booked with.
    pub fn give_back(&mut self, need: &Need, shares: &[Vec<Share>]) {
        self.jobs = self.jobs.saturating_sub(1);
        self.exclusive = self.exclusive.saturating_sub(u32::from(need.exclusive));
        self.cpus_taken = self.cpus_taken.saturating_sub(self.cpus_of(need));
        self.memory_taken = self.memory_taken.saturating_sub(self.memory_of(need));
        self.book(shares, u64::saturating_sub);
    }

    fn book(&mut self, shares: &[Vec<Share>], change: impl Fn(u64, u64) -> u64) {
        for share in shares.iter().flatten() {
            if let Some(slot) = self.slots.iter_mut().find(|s| s.name == share.slot) {
                slot.taken = change(slot.taken, u64::from(share.micros));
            }
        }
    }
}

/// Places every replica, or none.
fn place(slots: &[Slot], need: &Need) -> Option<Vec<Vec<Share>>> {
    let replicas = need.replicas as usize;
    if !need.uses_gpus() {
        return Some(vec![Vec::new(); replicas]);
    }
    // Nothing can hold that many; do not even count them out.
    if need.gpus.of_replicas(u64::from(need.replicas)) > Gpus::whole(slots.len() as u64) {
        return None;
    }
    let mut free: Vec<u32> = slots.iter().map(Slot::free).collect();
    let mut placed = Vec::with_capacity(replicas);
    for _ in 0..replicas {
        let mut left = need.gpus.micros();
        let mut shares = Vec::new();
        while left > 0 {
            let want = u32::try_from(left.min(u64::from(WHOLE))).unwrap_or(WHOLE);
            // The fullest slot that still holds it, the first of equals; a replica
            // never gets two parts of one slot.
            let (at, room) = free
                .iter_mut()
                .enumerate()
                .filter(|(_, room)| **room >= want)
                .filter(|(i, _)| slots.get(*i).is_some_and(|s| !has(&shares, &s.name)))
                .min_by_key(|(_, room)| **room)?;
            *room -= want;
            let slot = slots.get(at)?.name.clone();
            shares.push(Share { slot, micros: want });
            left -= u64::from(want);
        }
        placed.push(shares);
    }
    Some(placed)
}

fn has(shares: &[Share], name: &str) -> bool {
    shares.iter().any(|s| s.slot == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        ids::ClusterId,
        job::{JobSpec, JobType},
        placement::{Room, room},
        site::{Capacity, ClusterKind, ClusterView},
    };

    fn machine(slots: u32) -> Machine {
        Machine::new((0..slots).map(|i| i.to_string()).collect(), 2000, 1024)
    }

    fn gpus(text: &str, replicas: u32) -> Need {
        Need { gpus: text.parse().unwrap(), replicas, milli_cpus: 0, memory: 0, exclusive: false }
    }

    fn names(shares: &[Vec<Share>]) -> Vec<Vec<&str>> {
        shares.iter().map(|r| r.iter().map(|s| s.slot.as_str()).collect()).collect()
    }

    #[test]
    fn fractions_share_a_slot_up_to_one() {
        let mut m = machine(2);
        for expected in ["0", "0", "1", "1"] {
            let need = gpus("0.5", 1);
            let shares = m.fit(&need).unwrap();
            assert_eq!(names(&shares), [[expected]]);
            m.take(&need, &shares);
        }
        assert!(m.fit(&gpus("0.1", 1)).is_none());
        assert_eq!(m.gpus_free(), Gpus::ZERO);
    }

    #[test]
    fn a_fraction_leaves_whole_slots_whole() {
        let mut m = machine(2);
        let half = gpus("0.5", 1);
        let shares = m.fit(&half).unwrap();
        m.take(&half, &shares);
        assert_eq!(names(&m.fit(&gpus("0.3", 1)).unwrap()), [["0"]]);
        assert_eq!(names(&m.fit(&gpus("1", 1)).unwrap()), [["1"]]);
        assert!(m.fit(&gpus("2", 1)).is_none());
        m.give_back(&half, &shares);
        assert_eq!(names(&m.fit(&gpus("2", 1)).unwrap()), [["0", "1"]]);
    }

    #[test]
    fn a_gang_is_placed_whole_or_not_at_all() {
        let m = machine(4);
        assert_eq!(names(&m.fit(&gpus("2", 2)).unwrap()), [["0", "1"], ["2", "3"]]);
        assert!(m.fit(&gpus("2", 3)).is_none());
        assert!(!m.can_ever(&gpus("2", 3)));
        assert!(!m.can_ever(&gpus("1", u32::MAX)));
    }

    #[test]
    fn more_cores_than_there_are_means_all() {
        let mut m = machine(0);
        let need = Need { milli_cpus: 64_000, ..gpus("0", 1) };
        let shares = m.fit(&need).unwrap();
        m.take(&need, &shares);
        assert_eq!(m.milli_cpus_free(), 0);
        m.give_back(&need, &shares);
        assert_eq!(m.milli_cpus_free(), 2000);
    }

    #[test]
    fn memory_is_shared_like_cores() {
        let mut m = machine(0);
        let need = |memory| Need { memory, ..gpus("0", 1) };
        m.take(&need(700), &[Vec::new()]);
        assert!(m.fit(&need(400)).is_none());
        assert!(m.fit(&need(324)).is_some() && m.fit(&need(0)).is_some());
        m.give_back(&need(700), &[Vec::new()]);
        m.take(&need(9999), &[Vec::new()]);
        assert_eq!(m.memory_free(), 0, "more than there is means all");
    }

    proptest! {
        /// What a plan takes for possible can start, and what it refuses never could.
        #[test]
        fn a_plan_and_the_machine_agree_on_what_fits(
            micros in prop_oneof![1..u64::from(WHOLE), (0..12_u64).prop_map(|n| n * u64::from(WHOLE))],
            replicas in 1..40_u32,
            slots in 0..8_u32,
        ) {
            let gpus = Gpus::from_micros(micros);
            let need = Need { gpus, replicas, milli_cpus: 0, memory: 0, exclusive: false };
            let mut spec = JobSpec::named("gang");
            spec.job_type = JobType::Distributed;
            spec.workers = Some(replicas);
            spec.gpus = gpus;
            let all = Some(Gpus::whole(u64::from(slots)));
            let capacity = Capacity { gpus_total: all, gpus_per_node: all, ..Capacity::default() };
            let mut view = ClusterView::new(ClusterId::new("local"), ClusterKind::Local);
            view.capacity = Some((jiff::Timestamp::UNIX_EPOCH, capacity));
            let planned = room(&spec, &view) == Room::Enough;
            prop_assert_eq!(planned, machine(slots).can_ever(&need));
        }
    }
}

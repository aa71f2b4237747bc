//! Dealing jobs out over clusters as they stand: which one a job is sent to now, or
//! that it waits. Pure: the same facts, in the same order, give the same answer.
//!
//! A cluster with a queue of its own takes a job whether it fits now or not. One
//! without gets a job only when a single node has room for it, and of several such
//! clusters the one that scores best:
//!
//! ```text
//! (CPUs + 0.1 · GiB + 5 · GPUs, all of them free) · weight · (1.2 if preferred) · (1 − use)
//! ```
//! where `use` is the highest share in use among the things the job asks for. First
//! come, first served within what fits; a job that younger ones have overtaken
//! [`OVERTAKES`] times keeps the room of one node for itself, so that none starves.

use std::time::Duration;

use indexmap::IndexMap;

use crate::domain::{
    ids::ClusterId,
    job::{Candidate, ClusterChoice},
    site::{Amounts, Appeal, NodeCapacity},
};

/// How many younger jobs may be sent before one that found no room.
pub const OVERTAKES: usize = 4;

/// A cluster as jobs are dealt out to it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// It answers, and takes jobs.
    pub open: bool,
    /// Jobs it may be sent now; 0 while it is busy with others of ours.
    pub take: usize,
    pub room: Vacancy,
    pub appeal: Appeal,
}

/// What a cluster has room for.
#[derive(Clone, Debug, PartialEq)]
pub enum Vacancy {
    /// It has a queue of its own.
    Queue,
    /// It has not said what it has: nothing is sent.
    Unknown,
    Nodes(Vec<NodeCapacity>),
}

/// What a job asks for.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'j> {
    /// Where it was given to already.
    pub fixed: Option<&'j ClusterId>,
    pub choice: &'j ClusterChoice,
    /// Those of its choice that may take it; empty: all.
    pub may_go: &'j [ClusterId],
    /// On one node.
    pub need: Amounts,
    /// Time since it was first to be sent.
    pub waited: Duration,
}

impl Asks<'_> {
    fn may_go(&self, id: &ClusterId) -> bool {
        match self.fixed {
            Some(fixed) => fixed == id,
            None => self.may_go.is_empty() || self.may_go.contains(id),
        }
    }
}

/// What is left of the clusters while jobs are dealt out, in the order of the
/// configuration.
#[derive(Clone, Debug)]
pub struct Deal<'a>(IndexMap<&'a ClusterId, Offer>);

impl<'a> Deal<'a> {
    pub fn new(offers: impl IntoIterator<Item = (&'a ClusterId, Offer)>) -> Self {
        Self(offers.into_iter().collect())
    }

    /// Nothing more can be sent anywhere.
    pub fn is_over(&self) -> bool {
        self.0.values().all(|offer| offer.take == 0)
    }

    /// The cluster the job is sent to now, with its room taken; `None`: it waits.
    pub fn deal(&mut self, asks: &Asks<'_>) -> Option<&'a ClusterId> {
        if let Some(fixed) = asks.fixed {
            return self.give(fixed, asks.need);
        }
        let ClusterChoice::Listed(candidates) = asks.choice else { return self.best(asks) };
        let is_open_choice = candidates.contains(&Candidate::Auto);
        for candidate in candidates {
            match candidate {
                Candidate::Named(id) if asks.may_go(id) => {
                    if let Some(found) = self.give(id, asks.need) {
                        return Some(found);
                    }
                    if is_open_choice && self.is_worth_waiting_for(id, asks) {
                        return None;
                    }
                }
                Candidate::Named(_) => {}
                Candidate::Auto => {
                    if let Some(found) = self.best(asks) {
                        return Some(found);
                    }
                }
            }
        }
        None
    }

    /// How many of the clusters it may go to have room for it now.
    pub fn with_room(&self, asks: &Asks<'_>) -> usize {
        let fits = |(id, offer): &(&&ClusterId, &Offer)| {
            offer.take > 0 && asks.may_go(id) && offer.score(&asks.need).is_some()
        };
        self.0.iter().filter(fits).count()
    }

    /// What is left on the nodes of a cluster; `None`: it has a queue, or has not said.
    pub fn nodes(&self, id: &ClusterId) -> Option<&[NodeCapacity]> {
        match &self.0.get(id)?.room {
            Vacancy::Nodes(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// Keeps the room of one node for a job that found none, where too many younger
    /// ones were sent before it. What it does not need there stays free for others.
    pub fn keep(&mut self, asks: &Asks<'_>) {
        let nodes = self.0.iter_mut().filter(|(id, offer)| offer.open && asks.may_go(id));
        let able = nodes
            .filter_map(|(_, offer)| match &mut offer.room {
                Vacancy::Nodes(nodes) => Some(nodes),
                _ => None,
            })
            .flatten()
            .filter(|node| node.total.holds(&asks.need));
        if let Some(node) = able.max_by(|a, b| freer(&a.free, &b.free)) {
            node.free = node.free.less(asks.need);
        }
    }

    /// A job prefers this cluster, which could hold it and is only busy now.
    fn is_worth_waiting_for(&self, id: &ClusterId, asks: &Asks<'_>) -> bool {
        self.0.get(id).is_some_and(|offer| {
            let could = match &offer.room {
                Vacancy::Queue => true,
                Vacancy::Unknown => false,
                Vacancy::Nodes(nodes) => nodes.iter().any(|node| node.total.holds(&asks.need)),
            };
            offer.open && could && asks.waited < offer.appeal.patience
        })
    }

    /// The best of all it may go to: one with room now, else one with a queue.
    fn best(&mut self, asks: &Asks<'_>) -> Option<&'a ClusterId> {
        let mut found: Option<(f64, &'a ClusterId)> = None;
        for (id, offer) in self.0.iter().filter(|(id, offer)| offer.take > 0 && asks.may_go(id)) {
            if let Some(score) = offer.score(&asks.need)
                && found.is_none_or(|(best, _)| score > best)
            {
                found = Some((score, *id));
            }
        }
        let queue = || {
            let mut takes = self.0.iter().filter(|(id, offer)| offer.take > 0 && asks.may_go(id));
            takes.find(|(_, offer)| offer.room == Vacancy::Queue).map(|(id, _)| *id)
        };
        let chosen = found.map(|(_, id)| id).or_else(queue)?;
        self.give(chosen, asks.need)
    }

    fn give(&mut self, id: &ClusterId, need: Amounts) -> Option<&'a ClusterId> {
        let (_, id, offer) = self.0.get_full_mut(id)?;
        if offer.take == 0 {
            return None;
        }
        match &mut offer.room {
            Vacancy::Queue => {}
            Vacancy::Unknown => return None,
            Vacancy::Nodes(nodes) => {
                let fits = nodes.iter_mut().filter(|node| node.free.holds(&need));
                let node = fits.max_by(|a, b| freer(&a.free, &b.free))?;
                node.free = node.free.less(need);
            }
        }
        offer.take -= 1;
        Some(*id)
    }
}

impl Offer {
    /// How well the job would do there now; `None`: no node has room.
    fn score(&self, need: &Amounts) -> Option<f64> {
        const GIB: f64 = (1u64 << 30) as f64;
        let Vacancy::Nodes(nodes) = &self.room else { return None };
        if !nodes.iter().any(|node| node.free.holds(need)) {
            return None;
        }
        let free = nodes.iter().fold(Amounts::default(), |sum, node| sum + node.free);
        let total = nodes.iter().fold(Amounts::default(), |sum, node| sum + node.total);
        let share = |free: f64, total: f64| if total > 0.0 { 1.0 - free / total } else { 0.0 };
        let in_use = [
            (!need.gpus.is_zero()).then(|| share(free.gpus.as_f64(), total.gpus.as_f64())),
            (need.cpus > 0.0).then(|| share(free.cpus, total.cpus)),
            (need.memory > 0).then(|| share(free.memory as f64, total.memory as f64)),
        ];
        let in_use = in_use.into_iter().flatten().fold(0.0, f64::max);
        let has = free.cpus + 0.1 * free.memory as f64 / GIB + 5.0 * free.gpus.as_f64();
        let prefer = if self.appeal.prefer { 1.2 } else { 1.0 };
        Some(has * self.appeal.weight * prefer * (1.0 - in_use))
    }
}

/// By free GPUs, then CPUs, then memory.
pub(super) fn freer(a: &Amounts, b: &Amounts) -> std::cmp::Ordering {
    a.gpus.cmp(&b.gpus).then(a.cpus.total_cmp(&b.cpus)).then(a.memory.cmp(&b.memory))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::resources::Gpus;

    fn amounts(gpus: u64, cpus: u64) -> Amounts {
        Amounts { gpus: Gpus::whole(gpus), cpus: cpus as f64, memory: 0 }
    }

    /// Nodes of so many GPUs and CPUs, with so many of them free.
    fn nodes(has: &[(u64, u64, u64)]) -> Vacancy {
        let node = |(ix, (total, free, cpus)): (usize, &(u64, u64, u64))| NodeCapacity {
            id: ix.to_string(),
            total: amounts(*total, *cpus),
            free: amounts(*free, *cpus),
        };
        Vacancy::Nodes(has.iter().enumerate().map(node).collect())
    }

    fn offer(room: Vacancy) -> Offer {
        Offer { open: true, take: usize::MAX, room, appeal: Appeal::default() }
    }

    fn ids() -> [ClusterId; 2] {
        ["a", "b"].map(ClusterId::new)
    }

    fn listed(words: &[&str]) -> ClusterChoice {
        let candidate = |word: &&str| match *word {
            "auto" => Candidate::Auto,
            id => Candidate::Named(ClusterId::new(id)),
        };
        ClusterChoice::Listed(words.iter().map(candidate).collect())
    }

    fn asks(choice: &ClusterChoice, gpus: u64) -> Asks<'_> {
        let need = amounts(gpus, 1);
        Asks { fixed: None, choice, may_go: &[], need, waited: Duration::ZERO }
    }

    /// Where a job of so many GPUs goes; `-`: it waits.
    fn goes<'a>(
        choice: &[&str],
        gpus: u64,
        offers: [&Offer; 2],
        ids: &'a [ClusterId; 2],
    ) -> &'a str {
        let mut deal = Deal::new(ids.iter().zip(offers.map(Clone::clone)));
        deal.deal(&asks(&listed(choice), gpus)).map_or("-", ClusterId::as_str)
    }

    #[test]
    fn the_best_score_wins_and_the_first_of_equals() {
        let ids = ids();
        let (large, small) = (offer(nodes(&[(8, 8, 16)])), offer(nodes(&[(4, 4, 8)])));
        assert_eq!(goes(&["auto"], 1, [&large, &small], &ids), "a");
        assert_eq!(goes(&["auto"], 1, [&small, &large], &ids), "b");
        assert_eq!(goes(&["auto"], 1, [&small, &small], &ids), "a");
        let weighty = Offer { appeal: Appeal { weight: 3.0, ..small.appeal }, ..small.clone() };
        assert_eq!(goes(&["auto"], 1, [&large, &weighty], &ids), "b");
        let liked = Offer { appeal: Appeal { prefer: true, ..small.appeal }, ..small.clone() };
        assert_eq!(goes(&["auto"], 1, [&small, &liked], &ids), "b");
        // As much is free, in a cluster that is busier.
        let busy = offer(nodes(&[(4, 4, 8), (8, 0, 0)]));
        assert_eq!(goes(&["auto"], 1, [&busy, &small], &ids), "b");
    }

    #[test]
    fn a_job_must_fit_on_one_node() {
        let ids = ids();
        let split = offer(nodes(&[(4, 2, 8), (4, 2, 8)]));
        assert_eq!(goes(&["auto"], 4, [&split, &offer(Vacancy::Unknown)], &ids), "-");
        assert_eq!(goes(&["auto"], 4, [&split, &offer(nodes(&[(4, 4, 8)]))], &ids), "b");
        let closed = Offer { take: 0, ..offer(nodes(&[(4, 4, 8)])) };
        assert_eq!(goes(&["auto"], 4, [&split, &closed], &ids), "-");
    }

    #[test]
    fn a_preferred_cluster_is_waited_for_a_while_a_list_is_not() {
        let ids = ids();
        let (full, free) = (offer(nodes(&[(8, 0, 16)])), offer(nodes(&[(8, 8, 16)])));
        assert_eq!(goes(&["a", "auto"], 1, [&full, &free], &ids), "-");
        assert_eq!(goes(&["a", "b"], 1, [&full, &free], &ids), "b");
        assert_eq!(goes(&["b", "a"], 1, [&free, &full], &ids), "a");
        let choice = listed(&["a", "auto"]);
        let patient = Asks { waited: Duration::from_secs(11), ..asks(&choice, 1) };
        let mut deal = Deal::new(ids.iter().zip([full.clone(), free.clone()]));
        assert_eq!(deal.deal(&patient).map(ClusterId::as_str), Some("b"));
        // One that is down, too small, or of which nothing is known is not waited for.
        let down = Offer { open: false, take: 0, ..full.clone() };
        assert_eq!(goes(&["a", "auto"], 1, [&down, &free], &ids), "b");
        assert_eq!(goes(&["a", "auto"], 8, [&offer(nodes(&[(4, 4, 8)])), &free], &ids), "b");
        assert_eq!(goes(&["a", "auto"], 1, [&offer(Vacancy::Unknown), &free], &ids), "b");
    }

    #[test]
    fn a_queue_takes_what_fits_nowhere_now() {
        let ids = ids();
        let (queue, full) = (offer(Vacancy::Queue), offer(nodes(&[(8, 0, 16)])));
        assert_eq!(goes(&["auto"], 1, [&full, &queue], &ids), "b");
        assert_eq!(goes(&["auto"], 1, [&queue, &offer(nodes(&[(8, 1, 16)]))], &ids), "b");
    }

    #[test]
    fn only_what_it_may_go_to_counts() {
        let ids = ids();
        let free = offer(nodes(&[(8, 8, 16)]));
        let choice = listed(&["auto"]);
        let mut deal = Deal::new(ids.iter().zip([free.clone(), free]));
        let narrowed = Asks { may_go: &ids[1..], ..asks(&choice, 1) };
        assert_eq!(deal.deal(&narrowed).map(ClusterId::as_str), Some("b"));
        let given = Asks { fixed: Some(&ids[0]), ..narrowed };
        assert_eq!(deal.deal(&given).map(ClusterId::as_str), Some("a"));
    }

    #[test]
    fn room_that_is_kept_is_not_given_away() {
        let ids = ids();
        let choice = listed(&["auto"]);
        let mut deal =
            Deal::new(ids.iter().zip([offer(nodes(&[(8, 5, 16)])), offer(nodes(&[(4, 4, 16)]))]));
        deal.keep(&asks(&choice, 8));
        assert_eq!(deal.deal(&asks(&choice, 5)), None, "it waits for these");
        assert_eq!(deal.deal(&asks(&choice, 0)).map(ClusterId::as_str), Some("b"));
        assert_eq!(deal.deal(&asks(&choice, 4)).map(ClusterId::as_str), Some("b"));
    }

    fn rooms() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
        let node = (1..=8u64, 0..=16u64)
            .prop_flat_map(|(total, cpus)| (Just(total), 0..=total, Just(cpus)));
        prop::collection::vec(node, 0..4)
    }

    proptest! {
        #[test]
        fn never_more_than_is_free_and_always_the_same(
            a in rooms(),
            b in rooms(),
            needs in prop::collection::vec((0..=8u64, 0..3usize), 0..40),
        ) {
            let ids = ids();
            let choices = [listed(&["auto"]), listed(&["b", "a"]), listed(&["a", "auto"])];
            let deal = || {
                let mut deal = Deal::new(ids.iter().zip([offer(nodes(&a)), offer(nodes(&b))]));
                let dealt = needs.iter().map(|(gpus, how)| {
                    deal.deal(&asks(&choices[*how], *gpus)).map(|id| id.as_str().to_owned())
                });
                dealt.collect::<Vec<_>>()
            };
            let dealt = deal();
            prop_assert_eq!(&dealt, &deal());
            for (id, room) in [("a", &a), ("b", &b)] {
                let given = || needs.iter().zip(&dealt).filter(|(_, to)| to.as_deref() == Some(id));
                let gpus: u64 = given().map(|((gpus, _), _)| gpus).sum();
                prop_assert!(gpus <= room.iter().map(|(_, free, _)| free).sum());
                prop_assert!(given().count() as u64 <= room.iter().map(|(_, _, cpus)| cpus).sum());
            }
        }
    }
}

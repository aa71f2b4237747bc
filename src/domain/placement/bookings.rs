//! What was sent to a cluster and its own books may not show yet.
//!
//! A cluster draws up what it has free every few seconds, so its answer knows
//! nothing of the jobs that were sent since, and still counts those that ended
//! since. All times are the cluster's own, from its answers:
//!
//! ```text
//! sent ──────────── seen running ────────────── ended ──────▶
//!  takes its room    │ an answer younger than     │ gives its room back, where
//!  off every answer  │ the next one counts it     │ the answer is older than this
//! ```
//! What is left by these books is never more than there is; for some seconds it may
//! be less.

use std::collections::BTreeMap;

use super::deal::freer;
use crate::domain::{
    ids::JobIx,
    site::{Amounts, Capacity, NodeCapacity},
    status::Status,
};

/// Seconds on the cluster's clock.
type At = f64;

/// See the module; of one cluster and one run.
#[derive(Clone, Debug, Default)]
pub struct Bookings {
    jobs: BTreeMap<JobIx, Booking>,
    /// When the last answer was drawn up.
    latest: Option<At>,
}

/// A job as it stands at its cluster.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    pub attempt: u32,
    pub status: Status,
    pub need: Amounts,
    /// Where it runs, as far as is known.
    pub node: Option<&'a str>,
    pub finished_at: Option<At>,
}

#[derive(Clone, Debug)]
struct Booking {
    attempt: u32,
    need: Amounts,
    node: Option<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Not seen running yet.
    Sent,
    /// Seen running; no answer was heard since.
    Runs,
    /// Every answer younger than this one counts it.
    Counted(At),
    /// Answers that were drawn up before still count it.
    Ended(At),
}

impl Bookings {
    /// The cluster has answered what it has.
    pub fn answered(&mut self, as_of: At) {
        self.latest = Some(as_of);
        for job in self.jobs.values_mut().filter(|job| job.state == State::Runs) {
            job.state = State::Counted(as_of);
        }
        self.jobs.retain(|_, job| !matches!(job.state, State::Ended(at) if at <= as_of));
    }

    /// A job stands there so now.
    pub fn note(&mut self, job: JobIx, now: Standing<'_>) {
        if self.jobs.get(&job).is_some_and(|known| known.attempt != now.attempt) {
            self.jobs.remove(&job);
        }
        if now.status.is_ended() {
            self.end(job, now.finished_at);
            return;
        }
        if !now.status.is_live() {
            self.jobs.remove(&job);
            return;
        }
        let booking = self.jobs.entry(job).or_insert(Booking {
            attempt: now.attempt,
            need: now.need,
            node: None,
            state: State::Sent,
        });
        if now.node.is_some() {
            booking.node = now.node.map(Into::into);
        }
        if now.status == Status::Running && booking.state == State::Sent {
            booking.state = State::Runs;
        }
    }

    /// Nothing is known of it any more.
    pub fn forget(&mut self, job: JobIx) {
        self.jobs.remove(&job);
    }

    /// What the last answer counts although it has ended is given back; of the rest
    /// there is nothing to give.
    fn end(&mut self, job: JobIx, finished_at: Option<At>) {
        let latest = self.latest;
        let Some(booking) = self.jobs.get_mut(&job) else { return };
        let counts = |since: At| latest.filter(|at| *at > since);
        match (booking.state, finished_at) {
            (State::Ended(_), _) => {}
            (State::Counted(since), Some(end)) if counts(since).is_some_and(|at| at < end) => {
                booking.state = State::Ended(end);
            }
            _ => {
                self.jobs.remove(&job);
            }
        }
    }

    /// The nodes of the last answer, with what is really free.
    pub fn free(&self, said: &Capacity) -> Vec<NodeCapacity> {
        let mut nodes = said.nodes.clone();
        for booking in self.jobs.values() {
            let counted = |since: At| self.latest.is_some_and(|at| at > since);
            let known = booking.node.as_ref();
            let known = known.and_then(|id| nodes.iter().position(|node| node.id == *id));
            match booking.state {
                State::Counted(since) if counted(since) => {}
                State::Ended(_) => {
                    if let Some(node) = known.and_then(|at| nodes.get_mut(at)) {
                        node.free = (node.free + booking.need).at_most(node.total);
                    }
                }
                _ => {
                    let at = known.or_else(|| freest(&nodes, booking.need));
                    if let Some(node) = at.and_then(|at| nodes.get_mut(at)) {
                        node.free = node.free.less(booking.need);
                    }
                }
            }
        }
        nodes
    }
}

/// Where a job of which no node is known may have gone: of those that could hold it
/// the one with the most room.
fn freest(nodes: &[NodeCapacity], need: Amounts) -> Option<usize> {
    let able = nodes.iter().enumerate().filter(|(_, node)| node.total.holds(&need));
    able.max_by(|(_, a), (_, b)| freer(&a.free, &b.free)).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::resources::Gpus;

    const GPUS: u64 = 8;

    fn gpus(n: u64) -> Amounts {
        Amounts { gpus: Gpus::whole(n), cpus: 0.0, memory: 0 }
    }

    fn said(free: u64, as_of: At) -> Capacity {
        let node = NodeCapacity { id: "n".into(), total: gpus(GPUS), free: gpus(free) };
        Capacity { nodes: vec![node], as_of: Some(as_of), ..Capacity::default() }
    }

    fn free(books: &Bookings, said: &Capacity) -> u64 {
        books.free(said)[0].free.gpus.ceil()
    }

    fn standing(status: Status, need: u64) -> Standing<'static> {
        Standing { attempt: 1, status, need: gpus(need), node: Some("n"), finished_at: None }
    }

    #[test]
    fn a_job_takes_its_room_from_when_it_is_sent_until_it_has_ended() {
        let mut books = Bookings::default();
        let job = JobIx(0);
        books.answered(0.0);
        books.note(job, standing(Status::Submitting, 2));
        assert_eq!(free(&books, &said(8, 0.0)), 6, "its cluster knows nothing of it yet");
        books.note(job, standing(Status::Running, 2));
        books.answered(5.0);
        assert_eq!(free(&books, &said(8, 5.0)), 6, "this may be from before its start");
        books.answered(10.0);
        assert_eq!(free(&books, &said(6, 10.0)), 6, "now it is counted there");
        let ended = Standing { finished_at: Some(11.0), ..standing(Status::Failed, 2) };
        books.note(job, ended);
        assert_eq!(free(&books, &said(6, 10.0)), 8, "its room is free before the next answer");
        books.answered(15.0);
        assert_eq!(free(&books, &said(8, 15.0)), 8);
    }

    #[test]
    fn nothing_is_given_back_that_was_not_counted() {
        for (status, finished_at) in [
            (Status::Waiting, None),
            (Status::Rejected, None),
            (Status::Failed, Some(0.5)),
            (Status::Lost, None),
        ] {
            let mut books = Bookings::default();
            books.answered(0.0);
            books.note(JobIx(0), standing(Status::Submitting, 2));
            books.note(JobIx(0), Standing { finished_at, ..standing(status, 2) });
            assert_eq!(free(&books, &said(5, 0.0)), 5, "{status:?}");
        }
        // Another attempt is another job.
        let mut books = Bookings::default();
        books.note(JobIx(0), standing(Status::Pending, 2));
        let again = Standing { attempt: 2, ..standing(Status::Pending, 2) };
        books.note(JobIx(0), again);
        assert_eq!(free(&books, &said(8, 0.0)), 6);
    }

    /// What may happen in a second.
    #[derive(Clone, Debug)]
    enum Event {
        /// A job of so many GPUs is sent, should it fit by our books.
        Send(u64),
        /// One of those that were sent starts; one that runs ends.
        Start(usize),
        End(usize),
        /// The cluster draws up what it has.
        Draw,
        /// It is asked for its list, or for what it has.
        List,
        Ask,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        prop::collection::vec(
            prop_oneof![
                (1..=GPUS).prop_map(Event::Send),
                (0..9usize).prop_map(Event::Start),
                (0..9usize).prop_map(Event::End),
                Just(Event::Draw),
                Just(Event::List),
                Just(Event::Ask),
            ],
            0..200,
        )
    }

    proptest! {
        /// A model of one node: whatever the order of starts, ends, lists and late
        /// answers, what the books call free is free.
        #[test]
        fn never_more_is_sent_than_there_is_room_for(events in events()) {
            let mut books = Bookings::default();
            let mut jobs: Vec<(Status, u64, Option<At>)> = Vec::new();
            let (mut drawn, mut heard) = (said(GPUS, 0.0), None);
            for (at, event) in (1..).map(f64::from).zip(events) {
                let taken = |jobs: &[(Status, u64, Option<At>)], counts: fn(Status) -> bool| {
                    jobs.iter().filter(|job| counts(job.0)).map(|job| job.1).sum::<u64>()
                };
                match event {
                    Event::Send(need) => {
                        let Some(said) = &heard else { continue };
                        if free(&books, said) < need {
                            continue;
                        }
                        books.note(JobIx(jobs.len() as u32), standing(Status::Submitting, need));
                        jobs.push((Status::Pending, need, None));
                        let used = taken(&jobs, |status| !status.is_ended());
                        prop_assert!(used <= GPUS, "{used} of {GPUS}");
                    }
                    Event::Start(n) => {
                        if let Some(job) = jobs.get_mut(n).filter(|j| j.0 == Status::Pending) {
                            job.0 = Status::Running;
                        }
                    }
                    Event::End(n) => {
                        if let Some(job) = jobs.get_mut(n).filter(|j| j.0 == Status::Running) {
                            *job = (Status::Succeeded, job.1, Some(at));
                        }
                    }
                    Event::Draw => {
                        let used = taken(&jobs, |status| status == Status::Running);
                        drawn = said(GPUS - used, at);
                    }
                    Event::List => {
                        for (ix, (status, need, finished_at)) in (0..).zip(&jobs) {
                            let finished_at = *finished_at;
                            let now = Standing { finished_at, ..standing(*status, *need) };
                            books.note(JobIx(ix), now);
                        }
                    }
                    Event::Ask => {
                        books.answered(drawn.as_of.unwrap());
                        heard = Some(drawn.clone());
                    }
                }
            }
        }
    }
}

//! One cluster as its conductor sees it: what is under way there, when it is
//! asked next, how it answered.
//!
//! The interval follows interest and news: right after a change a cluster is
//! asked soon again, then ever less often, up to 3 s while somebody watches or a
//! job waits for room and 30 s in the background; never more often than its kind
//! or the site allows. Failures back off, doubling up to five minutes with some
//! jitter; what the server asks for (`Retry-After`) is honoured.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    cluster::{Cluster, ClusterError, Request, SiteFacts},
    domain::{
        ids::JobIx,
        placement::Bookings,
        site::{Appeal, Capabilities, NodeCapacity},
    },
    runtime::handle::{Health, Interest},
};

const WATCHED: Duration = Duration::from_secs(3);
/// A cluster that may be asked often is asked more often than [`WATCHED`] says:
/// after this many of its shortest intervals.
const PATIENCE: u32 = 4;
const BACKGROUND: Duration = Duration::from_secs(30);
const MOST: Duration = Duration::from_mins(5);
/// Jobs handed to one cluster in one go; more waits its turn, so that a stop is
/// soon obeyed.
const WAVE: usize = 2_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct SiteState {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) capabilities: Capabilities,
    /// Shortest time between polls.
    min_interval: Duration,
    /// Requests that may be under way at once.
    pub(crate) concurrency: usize,
    /// Rows that may be live there at once, as configured.
    max_inflight: Option<usize>,
    /// Rows that are live there.
    pub(crate) live: BTreeSet<JobIx>,

    pub(crate) facts: Option<SiteFacts>,
    /// Somebody is asking for the facts.
    pub(crate) learning: bool,
    /// How much it is wanted where several have room.
    pub(crate) appeal: Appeal,
    /// What was sent there and its answers may not show yet; kept for clusters
    /// without a queue.
    pub(crate) bookings: Bookings,
    /// It has said what it has since it last failed to answer.
    pub(crate) room_is_known: bool,

    /// Rendered, journalled, not yet sent.
    pub(crate) outbox: VecDeque<Request>,
    pub(crate) sending: usize,
    pub(crate) polling: bool,
    /// A person wants the next poll, even while polling is paused.
    pub(crate) asked_for: bool,
    pub(crate) looking_up: bool,
    pub(crate) acting: bool,
    /// Attempts whose cancel was handed over.
    pub(crate) cancelled: HashSet<(JobIx, u32)>,

    interval: Duration,
    pub(crate) next_poll: Option<Instant>,
    pub(crate) next_look: Option<Instant>,
    /// Nothing is asked before.
    pub(crate) not_before: Option<Instant>,
    failures: u32,
    pub(crate) health: Health,
    asked: VecDeque<Instant>,
}

impl SiteState {
    pub(crate) fn new(
        cluster: Arc<dyn Cluster>,
        min_interval_ms: Option<u64>,
        max_inflight: Option<u32>,
        appeal: Appeal,
    ) -> Self {
        let capabilities = cluster.capabilities().clone();
        let min_interval =
            Duration::from_millis(min_interval_ms.unwrap_or(capabilities.min_interval_ms));
        let concurrency = capabilities.concurrency.max(1);
        Self {
            cluster,
            min_interval,
            concurrency,
            max_inflight: max_inflight.map(|n| n as usize),
            capabilities,
            live: BTreeSet::new(),
            facts: None,
            learning: false,
            appeal,
            bookings: Bookings::default(),
            room_is_known: false,
            outbox: VecDeque::new(),
            sending: 0,
            polling: false,
            asked_for: false,
            looking_up: false,
            acting: false,
            cancelled: HashSet::new(),
            interval: min_interval,
            next_poll: None,
            next_look: None,
            not_before: None,
            failures: 0,
            health: Health::default(),
            asked: VecDeque::new(),
        }
    }

    /// Backing off after a failure.
    pub(crate) fn is_closed(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|t| t > now)
    }

    /// A look-up is under way or about to be.
    pub(crate) fn looks_soon(&self) -> bool {
        let soon = Instant::now() + Duration::from_millis(50);
        self.looking_up || self.next_look.is_some_and(|t| t <= soon)
    }

    /// Jobs it may be given now.
    pub(crate) fn take(&self, now: Instant) -> usize {
        if self.is_closed(now) || !self.outbox.is_empty() || self.sending > 0 {
            return 0;
        }
        let wave = self.capabilities.jobs_per_request.saturating_mul(self.concurrency);
        let left =
            self.max_inflight.map_or(usize::MAX, |most| most.saturating_sub(self.live.len()));
        WAVE.min(wave).max(1).min(left)
    }

    /// What is free on its nodes, as far as is known; asked only of a cluster without
    /// a queue.
    pub(crate) fn room(&self) -> Option<Vec<NodeCapacity>> {
        let asks = !self.capabilities.queue && self.room_is_known;
        let said = self.health.capacity.as_ref().filter(|_| asks)?;
        Some(self.bookings.free(said))
    }

    /// A request leaves.
    pub(crate) fn count_request(&mut self, now: Instant) {
        self.asked.push_back(now);
    }

    fn requests_per_minute(&mut self, now: Instant) -> u32 {
        while self.asked.front().is_some_and(|t| now.duration_since(*t) > Duration::from_mins(1)) {
            self.asked.pop_front();
        }
        self.asked.len() as u32
    }

    /// It answered.
    pub(crate) fn answered(&mut self, now: Instant, at: Timestamp, took: Duration) {
        self.failures = 0;
        self.not_before = None;
        self.health.reachable = Some(true);
        self.health.last_seen = Some(at);
        self.health.error = None;
        self.health.needs_login = false;
        self.health.latency_ms = Some(took.as_millis().try_into().unwrap_or(u64::MAX));
        self.health.requests_per_minute = self.requests_per_minute(now);
    }

    /// It did not, or not to the point. What was known stays known.
    pub(crate) fn failed(&mut self, now: Instant, error: &ClusterError) {
        self.failures = self.failures.saturating_add(1);
        self.room_is_known = false;
        let doubled = Duration::from_secs(1)
            .saturating_mul(1u32.checked_shl(self.failures.min(16)).unwrap_or(u32::MAX))
            .clamp(self.min_interval.max(Duration::from_secs(1)), MOST);
        let jittered = doubled.mul_f64(1.0 + 0.25 * fastrand::f64());
        let wait = match error {
            ClusterError::Unreachable { retry_after: Some(asked), .. } => jittered.max(*asked),
            _ => jittered,
        };
        self.not_before = Some(now + wait);
        self.next_poll = self.next_poll.map(|t| t.max(now + wait));
        self.health.reachable = Some(!matches!(error, ClusterError::Unreachable { .. }));
        self.health.needs_login = matches!(error, ClusterError::NeedsLogin { .. });
        self.health.error = Some(error.to_string());
        self.health.requests_per_minute = self.requests_per_minute(now);
    }

    /// When to ask after an answer: soon when it brought news.
    pub(crate) fn schedule(&mut self, now: Instant, news: bool, interest: Interest, urgent: bool) {
        let most = match (interest, urgent) {
            (Interest::Watched, _) | (_, true) => {
                WATCHED.min(self.min_interval.saturating_mul(PATIENCE))
            }
            (Interest::Background, false) => BACKGROUND,
        }
        .max(self.min_interval);
        self.interval = if news { self.min_interval } else { self.interval.mul_f64(1.5).min(most) };
        self.next_poll = Some(now + self.interval.max(Duration::from_millis(50)));
    }

    /// Something there has just been changed by us: ask soon.
    pub(crate) fn poll_soon(&mut self, now: Instant) {
        self.interval = self.min_interval;
        let soon = now + self.min_interval.min(Duration::from_millis(200));
        // Never sooner than the site allows after the last one.
        let soon = match self.asked.back() {
            Some(last) => soon.max(*last + self.min_interval),
            None => soon,
        };
        self.next_poll = Some(self.next_poll.map_or(soon, |t| t.min(soon)));
    }

    /// A person wants to see it now.
    pub(crate) fn poll_now(&mut self, now: Instant) {
        self.interval = self.min_interval;
        self.next_poll = Some(now);
        self.not_before = None;
        self.asked_for = true;
    }
}

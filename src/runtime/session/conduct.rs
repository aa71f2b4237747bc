//! Conducting: the loop that sends, asks, records and tells.
//!
//! One task owns run, journal and clusters; what takes time runs beside it and
//! comes back as an [`Answer`]. Every step ends with [`Conducting::flush`]: first
//! the journal, then the windows.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use indexmap::IndexMap;
use tokio::{task::JoinSet, time::Instant};

use super::{SLOW_LOOK, Session, observe::Asked, site::SiteState, state_report};
use crate::{
    cluster::{ActOutcome, ClusterError, Found, Observed, Outcome, SiteFacts, SubmitError},
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx, JobKey},
        run::{Changed, Record},
        site::Capacity,
    },
    error::Report,
    journal::{Journal, JournalError, Replay},
    runtime::{
        folder_watch::FolderWatch,
        handle::{Event, Finish, Role, Until},
    },
};

/// What a task beside the loop brings back.
#[derive(Debug)]
pub(super) enum What {
    Facts(Result<SiteFacts, ClusterError>),
    Room(Result<Capacity, ClusterError>),
    Sent(Vec<(JobIx, u32)>, Result<Vec<(JobKey, Outcome)>, SubmitError>),
    LookedUp(Vec<(JobIx, u32)>, Result<Vec<(JobKey, Found)>, ClusterError>),
    Polled(Asked, Result<Vec<Observed>, ClusterError>),
    Acted(RemoteAction, Vec<(JobIx, u32)>, Result<Vec<ActOutcome>, ClusterError>),
    /// What other runs' journals say of the jobs this run follows.
    Followed(Vec<Record>),
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) cluster: ClusterId,
    pub(super) took: Duration,
    pub(super) what: What,
}

/// Why conducting ended.
enum Out {
    Finished(Option<bool>),
    /// Somebody else goes on, or there is nothing to do.
    Follow,
    /// The run's folder is gone, or another process has taken it over.
    Fenced(JournalError),
    /// A test ends the process here, without a word.
    #[cfg(test)]
    Crashed,
}

pub(super) struct Conducting<'a> {
    pub(super) s: &'a mut Session,
    pub(super) journal: Journal,
    pub(super) sites: IndexMap<ClusterId, SiteState>,
    pub(super) tasks: JoinSet<Answer>,
    /// Something was recorded and not told yet; the rows it changed.
    pub(super) fresh: Option<Vec<JobIx>>,
    /// The rules must be asked again.
    pub(super) dirty: bool,
    /// Rows that `max_retries` may open again.
    pub(super) to_retry: Vec<JobIx>,
    /// Rows whose cancel must still be handed over.
    pub(super) to_cancel: Vec<JobIx>,
    /// What else must be handed over.
    pub(super) to_act: Vec<(RemoteAction, Vec<JobIx>)>,
    /// Nothing is sent before: the journal could not be written.
    pub(super) no_intent_before: Option<Instant>,
    /// Somebody of this host wants to conduct.
    pub(super) give_way: bool,
    pub(super) fenced: Option<JournalError>,
    pub(super) last_kept: Option<Instant>,
    last_inbox: Option<Instant>,
    /// Something of another run is followed that its cluster does not know yet.
    pub(super) next_follow: Option<Instant>,
    pub(super) following: bool,
}

impl Session {
    /// Conducts until something ends it. `None`: go on following.
    pub(super) async fn conduct(&mut self, journal: Journal) -> Option<Finish> {
        let conductor = journal.ownership().conductor().clone();
        let mut conducting = Conducting::new(self, journal);
        if let Err(error) = conducting.commit(vec![Record::Opened { conductor }]) {
            let report = state_report(&error);
            drop(conducting);
            #[cfg(test)]
            if self.engine.faults.crashed() {
                return Some(self.finish(None, std::collections::BTreeMap::new()));
            }
            self.trouble(report);
            // Not in a tight circle: the disk is full or the folder read-only.
            tokio::time::sleep(SLOW_LOOK).await;
            return None;
        }
        conducting.s.set_role(Role::Conducting);
        conducting.take_stock();
        let out = conducting.run().await;
        match out {
            Out::Follow => {
                conducting.close(None).await;
                let own = conducting.journal.epoch();
                drop(conducting);
                self.read_on(own);
                None
            }
            Out::Fenced(error) => {
                drop(conducting);
                self.trouble(state_report(&error));
                self.start_over();
                None
            }
            Out::Finished(background) => Some(conducting.finish(background).await),
            #[cfg(test)]
            Out::Crashed => {
                drop(conducting);
                Some(self.finish(None, std::collections::BTreeMap::new()))
            }
        }
    }

    /// What this session wrote itself must not be folded again.
    fn read_on(&mut self, own: u64) {
        match self.tail.skip_own(&self.dir, own) {
            Ok(records) => self.fold_others(&records),
            Err(error) => self.trouble(state_report(&error)),
        }
        self.set_role(Role::Looking);
    }

    /// What this session believed may not be what counts: the journal is read anew.
    fn start_over(&mut self) {
        self.set_role(Role::Looking);
        self.active = false;
        match Replay::read(&self.dir) {
            Ok(replay) => {
                self.run = replay.run;
                self.tail = replay.tail;
                self.tell(Event::Replaced(Box::new(self.run.clone())));
            }
            Err(error) => {
                self.trouble(state_report(&error));
                self.leaving = Some(false);
            }
        }
    }
}

impl<'a> Conducting<'a> {
    fn new(s: &'a mut Session, journal: Journal) -> Self {
        let mut sites = IndexMap::new();
        for job in &s.run.jobs {
            let Some(id) = &job.cluster else { continue };
            if !sites.contains_key(id)
                && let Some(site) = s.site(id)
            {
                sites.insert(id.clone(), site);
            }
        }
        // One that is tried again may go elsewhere.
        if s.run.jobs.iter().any(|j| j.cluster.is_none() || !j.may_go.is_empty()) {
            for id in s.engine.clusters.keys() {
                if !sites.contains_key(id)
                    && let Some(site) = s.site(id)
                {
                    sites.insert(id.clone(), site);
                }
            }
        }
        Self {
            s,
            journal,
            sites,
            tasks: JoinSet::new(),
            fresh: None,
            dirty: true,
            to_retry: Vec::new(),
            to_cancel: Vec::new(),
            to_act: Vec::new(),
            no_intent_before: None,
            give_way: false,
            fenced: None,
            last_kept: None,
            last_inbox: None,
            next_follow: None,
            following: false,
        }
    }

    /// What the journal left behind: live rows, failures to try again, cancels.
    fn take_stock(&mut self) {
        let all = (0..self.s.run.jobs.len() as u32).map(JobIx).collect();
        self.note_changes(&Changed { jobs: all, run: true });
        let now = Instant::now();
        for site in self.sites.values_mut().filter(|site| !site.live.is_empty()) {
            site.next_poll = Some(now);
            site.next_look = Some(now);
        }
        let missing: Vec<String> = self
            .s
            .run
            .jobs
            .iter()
            .filter(|j| !j.status.is_ended())
            .filter_map(|j| j.cluster.as_ref())
            .filter(|id| !self.sites.contains_key(*id))
            .map(ToString::to_string)
            .collect();
        if let Some(name) = missing.first() {
            self.s.trouble(
                Report::new(
                    crate::error::Kind::Config,
                    format!("this run needs the cluster `{name}`, which is not configured"),
                )
                .hint("add it to the configuration, or enable it again"),
            );
        }
        self.follow_others();
    }

    async fn run(&mut self) -> Out {
        let mut watch = FolderWatch::new(&self.s.dir, true);
        loop {
            self.read_inbox().await;
            self.follow_if_due();
            self.advance();
            self.flush();
            if let Some(error) = self.fenced.take() {
                return Out::Fenced(error);
            }
            #[cfg(test)]
            if self.s.engine.faults.moment() {
                return Out::Crashed;
            }
            if let Some(out) = self.over() {
                return out;
            }
            let now = Instant::now();
            let wake = self.next_wake(now);
            let nap = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ask = self.s.asks.recv() => {
                    if let Some((command, reply)) = ask {
                        self.asked_here(command, reply).await;
                    } else {
                        let background = self.s.options.background;
                        self.s.leaving = self.s.leaving.or(Some(background));
                    }
                }
                Some(joined) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    if let Ok(answer) = joined {
                        self.take(answer);
                    }
                    while let Some(joined) = self.tasks.try_join_next() {
                        if let Ok(answer) = joined {
                            self.take(answer);
                        }
                    }
                }
                () = watch.changed(Some(SLOW_LOOK.max(Duration::from_secs(5)))) => {
                    self.last_inbox = None;
                    if let Err(error) = self.journal.ownership().check(&self.s.dir) {
                        self.fenced = Some(error);
                    }
                }
                () = nap => {}
            }
        }
    }

    /// One step of everything that may go on now.
    fn advance(&mut self) {
        self.retry_automatically();
        self.send_ready();
        self.dispatch();
        self.look_up();
        self.hand_over_cancels();
        self.hand_over_actions();
        self.poll();
    }

    async fn read_inbox(&mut self) {
        // A request may come while this runs; the watch tells of it.
        let now = Instant::now();
        if self.last_inbox.is_some_and(|t| now.duration_since(t) < SLOW_LOOK) {
            return;
        }
        self.last_inbox = Some(now);
        let requests = crate::journal::inbox::read(&self.s.dir).unwrap_or_default();
        for request in requests {
            self.asked_by_inbox(request).await;
        }
    }

    /// When something is due, whatever happens until then.
    fn next_wake(&self, now: Instant) -> Option<Instant> {
        let mut wake: Option<Instant> = None;
        let mut at = |time: Option<Instant>| {
            if let Some(time) = time {
                wake = Some(wake.map_or(time, |w| w.min(time)));
            }
        };
        for site in self.sites.values() {
            let closed = site.not_before.filter(|t| *t > now);
            if closed.is_some() {
                at(closed);
                continue;
            }
            if !site.polling {
                at(site.next_poll.filter(|_| self.needs_poll(site)));
            }
            if !site.looking_up && self.has_unknown(site) {
                at(site.next_look);
            }
        }
        at(self.no_intent_before.filter(|t| *t > now));
        if !self.following {
            at(self.next_follow);
        }
        // What is due already was just seen to.
        wake.map(|t| t.max(now + Duration::from_millis(5)))
    }

    /// Runs something beside the loop, bounded in time.
    pub(super) fn beside<T, F>(
        &mut self,
        cluster: ClusterId,
        limit: Duration,
        work: F,
        late: impl FnOnce(&ClusterId, &'static str) -> T + Send + 'static,
        what: impl FnOnce(T) -> What + Send + 'static,
    ) where
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        if let Some(site) = self.sites.get_mut(&cluster) {
            site.count_request(Instant::now());
        }
        self.tasks.spawn(async move {
            let begin = Instant::now();
            let bounded = tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind());
            let result = match bounded.await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => late(&cluster, "its adapter crashed"),
                Err(_) => late(&cluster, "no answer in time"),
            };
            Answer { cluster, took: begin.elapsed(), what: what(result) }
        });
    }

    /// Nothing is under way that an answer must be awaited of.
    pub(super) fn at_safe_point(&self) -> bool {
        self.sites.values().all(|s| s.sending == 0 && s.outbox.is_empty() && !s.acting)
    }

    /// Whether this session's part is done.
    fn over(&mut self) -> Option<Out> {
        if self.s.leaving.is_some() || self.give_way {
            self.empty_outboxes("not sent: its conductor was told to leave");
            if !self.at_safe_point() {
                return None;
            }
            if let Some(background) = self.s.leaving {
                return Some(Out::Finished(Some(background)));
            }
            self.give_way = false;
            if self.s.options.is_background {
                return Some(Out::Finished(None));
            }
            self.s.active = false;
            self.s.options.mode = crate::runtime::handle::Mode::Look;
            return Some(Out::Follow);
        }
        let quiet = self.at_safe_point()
            && self.to_cancel.is_empty()
            && self.to_act.is_empty()
            && self.to_retry.is_empty();
        if !quiet || !self.s.pending.is_empty() {
            return None;
        }
        let run = &self.s.run;
        match self.s.until {
            Until::Told => {
                (!self.s.has_work() && self.next_follow.is_none()).then_some(Out::Follow)
            }
            Until::Sent => {
                let learning = self.sites.values().any(|s| s.learning);
                let doubtful = self
                    .sites
                    .values()
                    .any(|s| self.has_unknown(s) && !s.is_closed(Instant::now()) && s.looks_soon());
                let blocked = self.no_intent_before.is_some();
                (!learning && (!doubtful || blocked) && !self.dirty)
                    .then_some(Out::Finished(Some(self.s.options.background)))
            }
            Until::Carried => {
                let over = if self.s.active { !run.needs_conductor() } else { !self.asked() };
                over.then_some(Out::Finished(None))
            }
            Until::Settled => {
                // A workspace that is up is live and settled all the same.
                let more = if self.s.active { run.needs_conductor() } else { self.asked() };
                let over = run.is_settled() && !more;
                let stuck = run.held.is_some() && !self.s.has_work();
                (over || stuck).then_some(Out::Finished(None))
            }
        }
    }
}

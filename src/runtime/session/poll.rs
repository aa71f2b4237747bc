//! Asking the clusters: polls, look-ups after a lost answer, cancels, room; and
//! the journals of other runs whose jobs are followed here.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    conduct::{Answer, Conducting, What},
    observe::{Asked, is_observable, records, watched},
    send::no_answer,
    site::SiteState,
};
use crate::{
    cluster::{ClusterError, Observed},
    domain::{
        ids::{ClusterId, JobIx},
        run::Record,
        site::Capacity,
        status::Status,
    },
    runtime::handle::Event,
};

/// Longest time for a poll.
pub(super) const ANSWER: Duration = Duration::from_mins(1);
/// How often the owner's file and the clusters' health are written.
const KEEP: Duration = Duration::from_secs(5);

impl Conducting<'_> {
    /// An answer from beside the loop.
    pub(super) fn take(&mut self, answer: Answer) {
        #[cfg(test)]
        if self.s.engine.faults.moment() {
            return;
        }
        let Answer { cluster: id, took, what } = answer;
        match what {
            What::Facts(result) => {
                let (now, at) = (Instant::now(), self.s.now());
                self.dirty = true;
                if let Some(site) = self.sites.get_mut(&id) {
                    site.learning = false;
                    match result {
                        Ok(facts) => {
                            site.answered(now, at, took);
                            if let Some(most) = facts.jobs_per_request {
                                site.capabilities.jobs_per_request = most;
                            }
                            site.facts = Some(facts);
                        }
                        Err(error) => site.failed(now, &error),
                    }
                }
                self.tell_health(&id);
            }
            What::Room(result) => self.room(&id, took, result),
            What::Sent(jobs, result) => self.sent(&id, took, jobs, result),
            What::LookedUp(asked, result) => self.looked_up(&id, took, &asked, result),
            What::Polled(asked, result) => self.polled(&id, took, &asked, result),
            What::Acted(action, rows, result) => self.acted(&id, took, action, &rows, result),
            What::Followed(records) => self.take_followed(records),
        }
    }

    pub(super) fn has_unknown(&self, site: &SiteState) -> bool {
        self.s.run.count(Status::Unknown) > 0
            && site
                .live
                .iter()
                .any(|ix| self.s.run.job(*ix).is_some_and(|j| j.status == Status::Unknown))
    }

    /// Jobs wait for room on a cluster without a queue of its own.
    fn needs_room(&self, site: &SiteState) -> bool {
        !site.capabilities.queue
            && self.s.active
            && self.s.run.held.is_none()
            && self.s.run.unsent() > 0
    }

    pub(super) fn needs_poll(&self, site: &SiteState) -> bool {
        self.needs_room(site) || self.may_observe(site) && self.has_observable(site)
    }

    /// Whether the cluster may be asked how its jobs are.
    fn may_observe(&self, site: &SiteState) -> bool {
        !self.s.paused || site.asked_for
    }

    fn has_observable(&self, site: &SiteState) -> bool {
        site.live.iter().any(|ix| self.s.run.job(*ix).is_some_and(is_observable))
    }

    /// One poll for all live jobs of each cluster that is due.
    pub(super) fn poll(&mut self) {
        let now = Instant::now();
        let interest = self.s.interest;
        let mut due = Vec::new();
        let ids: Vec<ClusterId> = self.sites.keys().cloned().collect();
        for id in ids {
            let Some(site) = self.sites.get(&id) else { continue };
            let needed = self.needs_poll(site);
            let urgent = self.s.run.unsent() > 0 && self.s.active;
            let Some(site) = self.sites.get_mut(&id) else { continue };
            if !needed {
                site.next_poll = None;
                site.asked_for = false;
                continue;
            }
            match site.next_poll {
                None => site.schedule(now, true, interest, urgent),
                Some(at) if at <= now && !site.polling && !site.is_closed(now) => due.push(id),
                Some(_) => {}
            }
        }
        for id in due {
            let run = &self.s.run;
            let Some(site) = self.sites.get(&id) else { continue };
            let room = self.needs_room(site);
            let may_observe = self.may_observe(site);
            let mut asked = Asked::new();
            let mut watch = Vec::new();
            let lost = run.count(Status::Lost) > 0;
            let also_lost = (0..run.jobs.len() as u32).map(JobIx).filter(|ix| {
                run.job(*ix)
                    .is_some_and(|j| j.status == Status::Lost && j.cluster.as_ref() == Some(&id))
            });
            let rows: Vec<JobIx> = match lost {
                _ if !may_observe => Vec::new(),
                true => site.live.iter().copied().chain(also_lost).collect(),
                false => site.live.iter().copied().collect(),
            };
            for ix in rows {
                if run.job(ix).is_some_and(is_observable)
                    && let Some(job) = watched(run, ix)
                {
                    asked.insert(job.key.clone(), ix);
                    watch.push(job);
                }
            }
            let Some(site) = self.sites.get_mut(&id) else { continue };
            site.polling = true;
            site.asked_for = false;
            let cluster = site.cluster.clone();
            if room {
                let cluster = cluster.clone();
                self.beside(
                    id.clone(),
                    ANSWER,
                    async move { cluster.capacity().await },
                    |cluster, why| Err(no_answer(cluster, why)),
                    What::Room,
                );
            }
            if watch.is_empty() {
                let Some(site) = self.sites.get_mut(&id) else { continue };
                site.polling = false;
                site.schedule(now, false, interest, true);
                continue;
            }
            self.beside(
                id,
                ANSWER,
                async move { cluster.observe(&watch).await },
                |cluster, why| Err(no_answer(cluster, why)),
                move |result| What::Polled(asked, result),
            );
        }
    }

    fn polled(
        &mut self,
        id: &ClusterId,
        took: Duration,
        asked: &Asked,
        result: Result<Vec<Observed>, ClusterError>,
    ) {
        let (now, at) = (Instant::now(), self.s.now());
        let interest = self.s.interest;
        let urgent = self.s.run.unsent() > 0 && self.s.active;
        let Some(site) = self.sites.get_mut(id) else { return };
        site.polling = false;
        match result {
            Ok(answer) => {
                site.answered(now, at, took);
                let news = records(&self.s.run, asked, &answer, site.capabilities.absent_looks);
                site.schedule(now, !news.is_empty(), interest, urgent);
                for record in news {
                    if let Some(site) = self.sites.get_mut(id) {
                        forget_untimed(site, &record);
                    }
                    self.record(record);
                }
            }
            Err(error) => {
                site.schedule(now, false, interest, urgent);
                site.failed(now, &error);
            }
        }
        self.tell_health(id);
    }

    fn room(&mut self, id: &ClusterId, took: Duration, result: Result<Capacity, ClusterError>) {
        let (now, at) = (Instant::now(), self.s.now());
        let Some(site) = self.sites.get_mut(id) else { return };
        match result {
            Ok(capacity) => {
                site.answered(now, at, took);
                site.room_is_known = true;
                site.bookings.answered(capacity.as_of.unwrap_or_else(|| seconds(at)));
                site.health.capacity = Some(capacity);
                self.dirty = true;
                self.tell_rooms();
            }
            Err(error) => site.failed(now, &error),
        }
        self.tell_health(id);
    }

    /// What jobs that wait for room are told of it.
    fn tell_rooms(&mut self) {
        let rooms = self.sites.iter().filter_map(|(id, site)| {
            let said = site.health.capacity.as_ref()?;
            Some((id.clone(), Capacity { nodes: site.room()?, ..said.clone() }))
        });
        let rooms = rooms.collect();
        if self.s.run.learn_rooms(rooms) && self.s.run.unsent() > 0 {
            self.fresh.get_or_insert_default();
        }
    }

    /// Tells how a cluster is, and keeps it for those who read along.
    pub(super) fn tell_health(&mut self, id: &ClusterId) {
        let Some(site) = self.sites.get(id) else { return };
        let health = site.health.clone();
        self.s.health.insert(id.clone(), health.clone());
        self.s.tell(Event::Health(id.clone(), health));
        let now = Instant::now();
        if self.last_kept.is_none_or(|t| now.duration_since(t) >= KEEP) {
            self.last_kept = Some(now);
            self.journal.ownership().touch();
            crate::runtime::engine::store_health(&self.s.dir, &self.s.health);
        }
    }
}

/// Of an end without a time of the cluster's own it cannot be told whether its books
/// have it already.
fn forget_untimed(site: &mut SiteState, record: &Record) {
    if let Record::Observed { job, facts, .. } = record
        && facts.status.is_ended()
        && facts.finished_at.is_none()
    {
        site.bookings.forget(*job);
    }
}

/// Seconds, as clusters tell when they drew up what they have.
pub(super) fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}

//! Reading along while somebody else conducts, or nobody needs to.

use std::{collections::BTreeMap, time::Duration};

use super::{Pending, SLOW_LOOK, Session, state_report};
use crate::{
    domain::status::Status,
    error::{Kind, Report},
    journal::{inbox, living_owner},
    runtime::{
        folder_watch::FolderWatch,
        handle::{Ask, Command, Done, Event, Finish, Role, Successor, Until},
    },
};

/// How long a conductor elsewhere may take to carry out a request.
const PATIENCE: Duration = Duration::from_secs(30);

impl Session {
    /// One step: waits for something to happen and takes it in.
    pub(super) async fn follow(&mut self) {
        let owner = living_owner(&self.dir).map(|(c, _)| c);
        self.set_role(owner.map_or(Role::Looking, Role::Following));
        let mut watch = FolderWatch::new(&self.dir, false);
        // What was written before the watch began.
        self.take_in();
        if self.finished_following().is_some() {
            return;
        }
        // Nothing tells of a conductor that was killed.
        let restless = !self.run.is_ended() || !self.pending.is_empty();
        let at_most = match restless {
            true if self.wants_to_conduct() => Some(Duration::from_millis(500)),
            true => Some(SLOW_LOOK),
            false => None,
        };
        tokio::select! {
            ask = self.asks.recv() => match ask {
                Some(ask) => self.ask_while_following(ask),
                None => self.leaving = self.leaving.or(Some(self.options.background)),
            },
            () = watch.changed(at_most) => {}
        }
        self.take_in();
        self.give_up_waiting();
    }

    /// Tells whoever waits for a conductor that does not answer. The request stays
    /// where it is: it is carried out when somebody conducts again.
    fn give_up_waiting(&mut self) {
        let late: Vec<_> = self
            .pending
            .extract_if(|_, pending| pending.since.elapsed() >= PATIENCE)
            .map(|(_, pending)| pending.reply)
            .collect();
        for reply in late {
            let who = match &self.role {
                Role::Following(owner) => format!("process {} on {}", owner.pid, owner.host),
                _ => "nobody".to_owned(),
            };
            let report = Report::new(
                Kind::State,
                format!("{who} conducts this run and has not answered; the request stays there"),
            )
            .hint("look again with `jobdeck status`");
            self.reply(reply, Err(report));
        }
    }

    fn take_in(&mut self) {
        if let Err(error) = self.catch_up() {
            self.trouble(state_report(&error));
            if !self.dir.plan().exists() {
                self.leaving = Some(false);
            }
        }
        let health = crate::runtime::engine::stored_health(&self.dir);
        for (cluster, health) in health {
            if self.health.get(&cluster) != Some(&health) {
                self.health.insert(cluster.clone(), health.clone());
                self.tell(Event::Health(cluster, health));
            }
        }
        if self.run.learn_rooms(self.engine.rooms(&self.health)) {
            self.tell_changed(Vec::new());
        }
    }

    fn ask_while_following(&mut self, (command, reply): Ask) {
        match command {
            Command::Detach { background } => {
                self.leaving = Some(background);
                self.reply(reply, Ok(Done::default()));
            }
            Command::Until(until) => {
                self.until = until;
                self.reply(reply, Ok(Done::default()));
            }
            Command::SetInterest(interest) => {
                self.interest = interest;
                self.reply(reply, Ok(Done::default()));
            }
            Command::PausePolling(paused) => {
                self.paused = paused;
                self.reply(reply, Ok(Done::default()));
            }
            Command::Poll => {
                // Whoever conducts asks the clusters; nobody waits for it.
                if matches!(self.role, Role::Following(_)) {
                    let _ = inbox::post(&self.dir, &Command::Poll, self.now());
                }
                self.reply(reply, Ok(Done::default()));
            }
            command => match inbox::post(&self.dir, &command, self.now()) {
                Ok(id) => {
                    let since = tokio::time::Instant::now();
                    self.pending.insert(id, Pending { reply, since });
                }
                Err(error) => self.reply(reply, Err(state_report(&error))),
            },
        }
    }

    /// The condition is met without this session conducting.
    pub(super) fn finished_following(&self) -> Option<Finish> {
        let finish = || self.finish(self.successor(), BTreeMap::new());
        if self.leaving.is_some() && self.pending.is_empty() {
            return Some(finish());
        }
        if !self.pending.is_empty() {
            return None;
        }
        let under_way = self.run.count(Status::Submitting) > 0;
        let elsewhere = matches!(self.role, Role::Following(_));
        let over = match self.until {
            Until::Told => false,
            Until::Sent => !self.has_work() || (elsewhere && !under_way && !self.asked_unsent()),
            Until::Carried => {
                !self.run.needs_conductor()
                    // A background process is not needed beside somebody who stays.
                    || matches!(&self.role, Role::Following(owner) if !owner.yields)
            }
            Until::Settled => {
                let more = if elsewhere || self.active {
                    self.run.needs_conductor()
                } else {
                    self.asked_unsent()
                };
                self.run.is_settled() && !more || self.run.held.is_some() && !self.has_work()
            }
        };
        over.then(finish)
    }

    fn successor(&self) -> Option<Successor> {
        match &self.role {
            Role::Following(owner) => Some(owner.into()),
            _ => None,
        }
    }

    pub(super) fn asked_unsent(&self) -> bool {
        self.run.count(Status::Waiting) > 0
            && self
                .run
                .jobs
                .iter()
                .any(|j| j.status == Status::Waiting && j.attempt().is_some_and(|a| a.asked))
    }
}

//! The task behind a run's handle.
//!
//! ```text
//!            nobody conducts, and there is something to do
//!   follow ─────────────────────────────────────────────────▶ conduct
//!     ▲  reads along, puts commands into the inbox              │ sends, polls, journals
//!     └──────────── gave way, was fenced off, nothing to do ◀───┘
//!     └──────▶ Finished ◀── told to, or the condition is met ◀──┘
//! ```
//! There is one session a handle, and at any time at most one of all sessions on
//! a run, in all processes, conducts it. A session that merely looks may conduct
//! as well, so that what the clusters say is recorded; it then sends nothing but
//! what a person asks for through it, and gives way to whoever wants to do more.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    engine::{Inner, Options},
    handle::{Ask, Command, Commands, Done, Event, Finish, Healths, Interest, Mode, Role},
    handle::{RunHandle, Successor, Until},
};
use crate::{
    domain::{
        ids::{ClusterId, JobIx},
        run::{Record, Run, Stamped},
    },
    error::{Kind, Report},
    journal::{
        Acquire, Code, Journal, JournalError, Ownership, Replay, RunDir, Summary, Tail, inbox,
        inbox::RequestId,
    },
};

mod act;
mod again;
mod close;
mod command;
mod conduct;
mod follow;
pub(crate) mod observe;
pub(super) mod others;
mod poll;
mod prepare;
mod send;
mod site;
#[cfg(test)]
mod tests;
mod write;

type Reply = oneshot::Sender<Result<Done, Report>>;

/// A command that lies in the inbox.
struct Pending {
    reply: Option<Reply>,
    since: tokio::time::Instant,
}

/// See the module.
pub(crate) struct Session {
    engine: Arc<Inner>,
    dir: RunDir,
    code: Code,
    run: Run,
    tail: Tail,
    options: Options,
    until: Until,
    interest: Interest,
    /// The clusters are not asked how jobs are, but once when a person wants it.
    paused: bool,
    /// Sends whatever may be sent; else only what a person asks for here.
    active: bool,
    events: mpsc::UnboundedSender<Event>,
    asks: mpsc::UnboundedReceiver<Ask>,
    /// Commands of this handle that lie in the inbox.
    pending: HashMap<RequestId, Pending>,
    /// Requests that were carried out before.
    done: HashSet<RequestId>,
    health: Healths,
    role: Role,
    /// Told to leave, with or without somebody behind.
    leaving: Option<bool>,
    /// The owner that was already asked to give way, by its epoch.
    asked_to_yield: Option<u64>,
    told: HashSet<String>,
}

impl Session {
    /// Opens a run and starts its task.
    pub(crate) fn start(
        engine: Arc<Inner>,
        dir: RunDir,
        replay: Replay,
        options: Options,
    ) -> RunHandle {
        let (events, receiver) = mpsc::unbounded_channel();
        let (sender, asks) = mpsc::unbounded_channel();
        for damage in &replay.damage {
            let _ = events.send(Event::Trouble(Report::new(Kind::State, damage.to_string())));
        }
        let owner = crate::journal::living_owner(&dir).map(|(c, _)| c);
        let mut options = options;
        if options.mode == Mode::Window {
            let here =
                owner.as_ref().is_some_and(|o| o.background && o.host == crate::procs::host());
            options.mode = if here { Mode::Conduct } else { Mode::Look };
        }
        let role = owner.map_or(Role::Looking, Role::Following);
        let health = super::engine::stored_health(&dir);
        let handle = RunHandle {
            id: replay.run.id.clone(),
            run: replay.run.clone(),
            health: health.clone(),
            role: role.clone(),
            events: receiver,
            commands: Commands(sender),
        };
        let session = Self {
            engine,
            dir,
            code: replay.code,
            run: replay.run,
            tail: replay.tail,
            active: options.mode == Mode::Conduct,
            until: options.until,
            interest: if options.is_background { Interest::Background } else { Interest::Watched },
            paused: options.paused,
            options,
            events,
            asks,
            pending: HashMap::new(),
            done: replay.done,
            health,
            role,
            leaving: None,
            asked_to_yield: None,
            told: HashSet::new(),
        };
        tokio::spawn(session.run_to_end());
        handle
    }

    async fn run_to_end(mut self) {
        let finish = loop {
            if let Some(finish) = self.finished_following() {
                break finish;
            }
            if self.wants_to_conduct()
                && let Some(journal) = self.acquire()
                && let Some(finish) = self.conduct(journal).await
            {
                break finish;
            }
            self.follow().await;
        };
        #[cfg(test)]
        if self.engine.faults.crashed() {
            return;
        }
        let _ = self.events.send(Event::Finished(finish));
    }

    /// There is something that only a conductor can do, as far as this session is
    /// concerned.
    fn has_work(&self) -> bool {
        let live = self.run.counts.iter().any(|(s, n)| *n > 0 && s.is_live());
        live || (self.active && self.run.needs_conductor()) || self.asked_unsent()
    }

    fn wants_to_conduct(&self) -> bool {
        !self.pending.is_empty() || (self.leaving.is_none() && self.has_work())
    }

    /// The right to write, if it is free. Asks who gives way to do so.
    fn acquire(&mut self) -> Option<Journal> {
        let got = self.catch_up().and_then(|()| {
            Ownership::acquire(
                &self.dir,
                self.tail.epoch(),
                self.options.is_background,
                !self.active,
                self.options.take_over,
            )
        });
        match got {
            Ok(Acquire::Got(mut ownership)) => {
                // What was written between the last look and the lock.
                let journal = self
                    .catch_up()
                    .and_then(|()| ownership.raise(self.tail.epoch()))
                    .and_then(|()| Journal::open(&self.dir, ownership, self.tail.offset()));
                match journal {
                    Ok(journal) => Some(journal),
                    Err(error) => {
                        self.trouble(state_report(&error));
                        None
                    }
                }
            }
            Ok(Acquire::Busy(owner)) => {
                if let Some(owner) = owner {
                    let give_way = self.active
                        && owner.yields
                        && owner.host == crate::procs::host()
                        && self.asked_to_yield != Some(owner.epoch);
                    if give_way {
                        self.asked_to_yield = Some(owner.epoch);
                        let give_way = Command::Yield { epoch: owner.epoch };
                        if let Err(error) = inbox::post(&self.dir, &give_way, self.now()) {
                            self.trouble(state_report(&error));
                        }
                    }
                    self.set_role(Role::Following(owner));
                }
                None
            }
            Ok(Acquire::Elsewhere(owner)) => {
                self.trouble(
                    Report::new(
                        Kind::State,
                        format!("this run is conducted by process {} on {}", owner.pid, owner.host),
                    )
                    .hint(format!("work on it on {}", owner.host))
                    .hint(format!(
                        "if that machine is gone for good, remove {}",
                        self.dir.owner().display()
                    )),
                );
                self.set_role(Role::Following(owner));
                None
            }
            Err(error) => {
                self.trouble(state_report(&error));
                None
            }
        }
    }

    /// Reads and folds what others have written.
    fn catch_up(&mut self) -> Result<(), JournalError> {
        let mut damage = Vec::new();
        let records = self.tail.read(&self.dir, &mut damage)?;
        for found in damage {
            self.trouble(Report::new(Kind::State, found.to_string()));
        }
        self.fold_others(&records);
        Ok(())
    }

    /// Folds what others have written, and tells it.
    fn fold_others(&mut self, records: &[Stamped]) {
        if records.is_empty() {
            return;
        }
        let mut changed = Vec::new();
        for stamped in records {
            changed.extend(self.run.apply(stamped).jobs);
            self.answer_if_done(&stamped.record);
        }
        self.tell_changed(changed);
    }

    /// The run as it stands, shared with whoever looks at it.
    fn tell_changed(&self, mut changed: Vec<JobIx>) {
        changed.sort_unstable();
        changed.dedup();
        self.tell(Event::Changed(Box::new(self.run.clone()), changed.into()));
    }

    /// Answers the commands of this handle that somebody has carried out.
    fn answer_if_done(&mut self, record: &Record) {
        let Record::Done { request, outcome } = record else { return };
        self.done.insert(request.clone());
        let Some(pending) = self.pending.remove(request) else { return };
        self.reply(pending.reply, command::read_outcome(outcome));
    }

    fn reply(&mut self, reply: Option<Reply>, outcome: Result<Done, Report>) {
        match (reply, outcome) {
            (Some(reply), outcome) => {
                let _ = reply.send(outcome);
            }
            (None, Ok(done)) if done == Done::default() => {}
            (None, Ok(done)) => self.tell(Event::Did(done)),
            (None, Err(report)) => self.tell(Event::Trouble(report)),
        }
    }

    /// One cluster of the run; `None` when it is not configured any more.
    fn site(&self, id: &ClusterId) -> Option<site::SiteState> {
        let cluster = self.engine.clusters.get(id)?.clone();
        let entry = self.engine.config.clusters.get(id);
        Some(site::SiteState::new(
            cluster,
            entry.and_then(|e| e.min_interval_ms),
            entry.and_then(|e| e.max_inflight),
            entry.map(crate::config::ClusterEntry::appeal).unwrap_or_default(),
        ))
    }

    fn now(&self) -> jiff::Timestamp {
        (self.engine.clock)()
    }

    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    /// Tells a trouble once, until another one was told.
    fn trouble(&mut self, report: Report) {
        if self.told.insert(report.message.clone()) {
            self.tell(Event::Trouble(report));
        }
    }

    fn set_role(&mut self, role: Role) {
        if self.role != role {
            self.role = role.clone();
            self.tell(Event::Role(role));
        }
    }

    fn finish(
        &self,
        successor: Option<Successor>,
        unreachable: BTreeMap<ClusterId, String>,
    ) -> Finish {
        Finish {
            settled: self.run.is_settled(),
            unsent: self.run.unsent(),
            held: self.run.held.as_ref().map(ToString::to_string),
            successor,
            unreachable,
        }
    }
}

/// How long the slow look behind the kernel's notices waits.
const SLOW_LOOK: Duration = Duration::from_secs(2);

pub(crate) fn state_report(error: &JournalError) -> Report {
    let report = Report::new(
        match error {
            JournalError::NoRun(_) => Kind::Usage,
            _ => Kind::State,
        },
        error.to_string(),
    );
    match error {
        JournalError::NoRun(_) => report.hint("see `jobdeck runs` for those there are"),
        JournalError::Newer { .. } => report.hint("use that newer jobdeck for this run"),
        error if error.is_full() => {
            report.hint("free some space; nothing is sent until it can be recorded")
        }
        error if error.is_denied() => report.hint(
            "jobdeck must be able to write there; else set JOBDECK_STATE_DIR to another folder",
        ),
        _ => report,
    }
}

/// A record with its time and epoch.
fn stamp(record: Record, at: jiff::Timestamp, epoch: u64) -> Stamped {
    Stamped { at, epoch, record }
}

/// Keeps what the history shows of a run.
fn save_summary(run: &Run, code: &Code, dir: &RunDir, journal: u64) {
    Summary::of(run, code, journal).save(dir);
}

//! One opened run: what a window or a command holds of it.
//!
//! ```text
//! Engine::start │ Engine::open ─▶ RunHandle ─events▶ window (gets the run as it stands)
//!                                     └─commands▶ conductor (here, or another process by its inbox)
//! ```
//! Dropping the handle leaves the run in good order, as [`Command::Detach`] with
//! a background process does. [`Event::Finished`] is the last event.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::{
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx, RunId},
        run::{Conductor, Run},
        site::{Capacity, Offers},
    },
    error::{Kind, Report},
};

/// How a run is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Never sends. Watches the journal while somebody conducts, asks the clusters
    /// itself while nobody does. A command that must write takes the run over for
    /// as long as it needs.
    Look,
    /// Carries the run on: sends what is waiting unless it is held. Asks a
    /// background process of this host to give way; while another window or
    /// another host conducts it reads along, and takes over when that one leaves.
    Conduct,
    /// As [`Mode::Conduct`] when a background process of this host conducts, which
    /// then gives way; else as [`Mode::Look`].
    Window,
}

/// When a handle is done with its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// When told to detach: a window.
    Told,
    /// When nothing can be sent at this moment and every request was answered.
    /// What is left goes to the background: `submit`, `retry`, `send`, `cancel`.
    Sent,
    /// When nothing is left to send, to look up or to try again: the background
    /// process.
    Carried,
    /// When every job has ended (a running workspace counts): `wait`. A held run
    /// with nothing under way is done as well.
    Settled,
}

/// How soon changes are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interest {
    /// Somebody looks at it.
    #[default]
    Watched,
    Background,
}

/// Which code a retry runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Code {
    /// As first sent.
    #[default]
    Original,
    /// What `src_dir` holds now.
    Current,
}

/// What can be asked of a run. The first group also travels between processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Ends these jobs; those not sent yet become `stopped` at once.
    Cancel {
        jobs: Vec<JobIx>,
        /// In the words of who asks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Asks the clusters to do this to these jobs, once; those that it does not suit
    /// are left alone.
    Act {
        action: RemoteAction,
        jobs: Vec<JobIx>,
    },
    /// New attempts. Jobs that have not ended are left alone. `changes` are fields
    /// with new values as on the command line (`gpus` `2`, `env.SEED` `7`,
    /// `command` …); an empty value removes the field.
    Retry {
        jobs: Vec<JobIx>,
        #[serde(default)]
        changes: Vec<(String, String)>,
        #[serde(default)]
        code: Code,
    },
    /// Goes on sending what is held, and what a person stopped from being sent.
    Send,
    /// What is not sent yet will not be.
    StopSending,
    /// The conductor of this epoch gives way at its next safe point, if it does so at
    /// all. Whoever comes after it is not meant.
    Yield {
        epoch: u64,
    },

    /// Asks the clusters now, whatever the interval; once while polling is paused.
    Poll,
    /// Asks the clusters nothing that is only for looking, or goes on. What sending
    /// needs goes on meanwhile: requests, look-ups after a lost answer, room, cancels.
    /// Jobs that wait for the end of others wait until it is seen.
    PausePolling(bool),
    SetInterest(Interest),
    /// Replaces the condition of [`Event::Finished`].
    Until(Until),
    /// Leaves at the next safe point: requests under way are answered first. What
    /// is unsent goes to a background process, or is held.
    Detach {
        background: bool,
    },
}

impl Command {
    /// It changes the run, so only its conductor can do it.
    pub fn writes(&self) -> bool {
        matches!(
            self,
            Self::Cancel { .. }
                | Self::Act { .. }
                | Self::Retry { .. }
                | Self::Send
                | Self::StopSending
                | Self::Yield { .. }
        )
    }
}

/// A command was carried out; what it did, in words and numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// For people: `3 jobs get a new attempt`.
    pub message: String,
    /// Rows it worked on.
    #[serde(default)]
    pub jobs: Vec<JobIx>,
    /// What should be known beside it, e.g. that `src_dir` has changed since.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What is known of a cluster's answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// `None`: not asked yet.
    pub reachable: Option<bool>,
    /// The last good answer.
    pub last_seen: Option<Timestamp>,
    /// Of the last request, when it failed.
    pub error: Option<String>,
    pub needs_login: bool,
    pub latency_ms: Option<u64>,
    /// Requests sent in the last minute.
    #[serde(default)]
    pub requests_per_minute: u32,
    #[serde(default)]
    pub capacity: Option<Capacity>,
    /// Names for fields of its own; `None`: not asked.
    #[serde(skip)]
    pub offers: Option<Arc<Offers>>,
}

/// Clusters of a run, in batch order of their first job.
pub type Healths = IndexMap<ClusterId, Health>;

/// Who carries the run on, as this handle sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// This process.
    Conducting,
    /// Somebody else; this handle reads along.
    Following(Conductor),
    /// Nobody.
    Looking,
}

/// What happens to an opened run.
#[derive(Clone, Debug)]
pub enum Event {
    /// The run as it stands now, and the rows that changed since it was last told,
    /// each once. The rest of its rows is shared with the run as told before.
    Changed(Box<Run>, Arc<[JobIx]>),
    /// What was told before is not what counts: this is the run.
    Replaced(Box<Run>),
    Health(ClusterId, Health),
    Role(Role),
    /// What goes wrong and is not told by a row: the journal, the conductor.
    Trouble(Report),
    /// A command of this handle that nobody awaited was carried out.
    Did(Done),
    /// The last event.
    Finished(Finish),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Every job has ended or is settled.
    pub settled: bool,
    /// Jobs not sent.
    pub unsent: usize,
    /// Why they are not, when they are held.
    pub held: Option<String>,
    /// Who carries the run on from here.
    pub successor: Option<Successor>,
    /// Clusters that were needed and did not answer, with why.
    pub unreachable: BTreeMap<ClusterId, String>,
}

/// A process that carries on a run which another one has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    pub pid: u32,
    /// Where it runs, when that is another machine.
    pub host: Option<String>,
    /// A background process; else a window, or a command that waits.
    pub background: bool,
}

impl Successor {
    /// A background process of this machine.
    pub fn background(pid: u32) -> Self {
        Self { pid, host: None, background: true }
    }

    /// `a background process (pid 12)`, `an open window or command (pid 12 on node7)`.
    pub fn in_words(&self) -> String {
        let what =
            if self.background { "a background process" } else { "an open window or command" };
        match &self.host {
            None => format!("{what} (pid {})", self.pid),
            Some(host) => format!("{what} (pid {} on {host})", self.pid),
        }
    }
}

impl From<&Conductor> for Successor {
    fn from(conductor: &Conductor) -> Self {
        let elsewhere = conductor.host != crate::procs::host();
        Self {
            pid: conductor.pid,
            host: elsewhere.then(|| conductor.host.clone()),
            background: conductor.background,
        }
    }
}

pub(crate) type Ask = (Command, Option<oneshot::Sender<Result<Done, Report>>>);

/// Sends commands to an opened run; cheap to clone.
#[derive(Clone, Debug)]
pub struct Commands(pub(crate) mpsc::UnboundedSender<Ask>);

impl Commands {
    /// Without waiting; what comes of it is told by [`Event::Did`] or
    /// [`Event::Trouble`]. Nothing happens once the handle has finished.
    pub fn send(&self, command: Command) {
        let _ = self.0.send((command, None));
    }

    /// Waits until it was carried out, here or by the conductor elsewhere.
    ///
    /// # Errors
    /// Why it could not be done.
    pub async fn ask(&self, command: Command) -> Result<Done, Report> {
        let gone = || Report::new(Kind::State, "the run is no longer open here");
        let (reply, answer) = oneshot::channel();
        self.0.send((command, Some(reply))).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// An opened run.
#[derive(Debug)]
pub struct RunHandle {
    pub id: RunId,
    /// As it stood when it was opened; [`RunHandle::next`] keeps it up to date.
    pub run: Run,
    pub health: Healths,
    pub role: Role,
    pub events: mpsc::UnboundedReceiver<Event>,
    pub commands: Commands,
}

impl RunHandle {
    /// The next event, folded into `run`, `health` and `role`. `None` after the
    /// last.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.events.recv().await?;
        self.fold(&event);
        Some(event)
    }

    /// Like [`RunHandle::next`] for one that is already there.
    pub fn try_next(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        self.fold(&event);
        Some(event)
    }

    fn fold(&mut self, event: &Event) {
        match event {
            Event::Changed(run, _) | Event::Replaced(run) => self.run = Run::clone(run),
            Event::Health(cluster, health) => {
                self.health.insert(cluster.clone(), health.clone());
            }
            Event::Role(role) => self.role = role.clone(),
            Event::Trouble(_) | Event::Did(_) | Event::Finished(_) => {}
        }
    }

    /// Waits for the end, telling `on` everything on the way.
    ///
    /// # Errors
    /// The task behind the handle is gone without a word, which is a bug.
    pub async fn finished(
        &mut self,
        mut on: impl FnMut(&Event, &Run) + Send,
    ) -> Result<Finish, Report> {
        while let Some(event) = self.next().await {
            on(&event, &self.run);
            if let Event::Finished(finish) = event {
                return Ok(finish);
            }
        }
        Err(Report::new(Kind::Internal, "the conductor ended without a word"))
    }

    /// Waits for the end at most this long; `None` when the time is over.
    ///
    /// # Errors
    /// As [`RunHandle::finished`].
    pub async fn finished_within(
        &mut self,
        time: Duration,
        on: impl FnMut(&Event, &Run) + Send,
    ) -> Result<Option<Finish>, Report> {
        tokio::time::timeout(time, self.finished(on)).await.ok().transpose()
    }
}

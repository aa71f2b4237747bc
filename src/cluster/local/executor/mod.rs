//! The executor: one process for each host and state folder, started on demand.
//! It decides what starts when and on which slots; supervisors do the rest.
//!
//! ```text
//! lock ─▶ new epoch (fences off what earlier executors sent) ─▶ read the queue
//!  ┌─▶ new requests · cancels · ended supervisors ─▶ start what fits ─▶ sleep ─┐
//!  └───────────────── a knock, or the end of a supervisor ◀────────────────────┘
//!                     nothing queued, nothing running, for a while ─▶ leave
//! ```
//! It sleeps without timers. Leaving is decided under the submit lock, so a job
//! that arrives at that moment either is seen or finds no executor and starts one.
//! Killed at any point, the next one finds everything on disk: what is claimed and
//! whose supervisor lives is running, what is not claimed is waiting.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs::{self, OpenOptions},
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    devices,
    files::{self, Lock},
    index::{Index, Place},
    queue::Root,
    slots::{Machine, Need, Share},
    wake::{self, Bell, FolderWatch},
    wire::{Incumbent, Settings, Summary},
};
use crate::{
    domain::{ids::JobKey, status::Cause},
    procs::{self, ProcId},
};

mod intake;
pub mod lost;
mod starts;

/// What is written to the executor's bell: a request was accepted, something is
/// to be cancelled, a supervisor has claimed or ended.
pub const REQUEST: u8 = b'r';
pub const CANCEL: u8 = b'c';
pub const SUPERVISOR: u8 = b's';

/// How long an executor without work stays for more.
const LINGER: Duration = Duration::from_millis(500);
/// How long a new one waits for the lock of one that is on its way out.
const SUCCESSION: Duration = Duration::from_secs(5);
/// After a start that failed for want of something, until it is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Supervisors of one job that may vanish without a claim.
const MAX_TRIES: u32 = 5;
/// Between looks at supervisors where the system does not tell of their end.
const LOOK: Duration = Duration::from_secs(1);
/// Size at which the list of events is begun anew.
const MAX_EVENTS: u64 = 4 << 20;

/// Entry point of the hidden subcommand; its argument is the root folder.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    procs::leave_session();
    let Some(path) = args.next() else { return ExitCode::from(2) };
    let root = Root::new(path);
    // Not to keep the folder of whoever started us in use.
    let _ = std::env::set_current_dir("/");
    match Executor::open(root.clone()) {
        Ok(Some(mut executor)) => match executor.run() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => complain(&root, &error),
        },
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => complain(&root, &error),
    }
}

/// Leaves a word for whoever wonders why nothing starts; the next executor that
/// comes to work removes it.
fn complain(root: &Root, error: &io::Error) -> ExitCode {
    if root.requests().exists() {
        let complaint = Complaint { at: Timestamp::now(), error: error.to_string() };
        let _ = files::write_json(&root.complaint(), &complaint);
    }
    ExitCode::FAILURE
}

/// Why the last executor has ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    at: Timestamp,
    error: String,
}

impl Complaint {
    pub fn words(&self) -> String {
        format!("the local executor cannot work: {}", self.error)
    }
}

/// The last executor's, if it has left one.
pub fn complaint(root: &Root) -> Option<Complaint> {
    files::read_json(&root.complaint())
}

/// A job between its start and its end.
#[derive(Debug)]
struct Running {
    key: JobKey,
    need: Need,
    shares: Vec<Vec<Share>>,
    supervisor: Supervisor,
    /// Readable when the supervisor has ended; `None` when that cannot be told.
    ended: Option<OwnedFd>,
    claimed: bool,
    /// Its supervisor is gone, and somebody is ending what it left.
    orphaned: bool,
}

/// The supervisor of a running job, as we know it.
#[derive(Debug)]
enum Supervisor {
    /// Started by us: the system tells us how it ends.
    Child(u32),
    /// Started by an earlier executor.
    Adopted(ProcId),
}

/// A process that has ended, with its exit code where that is told.
#[derive(Clone, Copy, Debug)]
struct Gone {
    code: Option<i32>,
}

impl Supervisor {
    fn gone(&self) -> Option<Gone> {
        match self {
            Self::Child(pid) => reap(*pid),
            Self::Adopted(id) => (!id.is_alive()).then_some(Gone { code: None }),
        }
    }
}

#[derive(Debug)]
struct Executor {
    root: Root,
    exe: PathBuf,
    epoch: u64,
    settings: Settings,
    /// `None` until a job asks for a GPU: finding them takes a while.
    devices: Option<Vec<String>>,
    machine: Machine,
    index: Index,
    running: BTreeMap<Place, Running>,
    /// Starts that failed, by job.
    tries: BTreeMap<Place, u32>,
    /// Newest request that was read.
    newest: u64,
    /// Requests whose environment file is gone.
    env_removed: BTreeSet<u64>,
    /// When to try again what failed for want of something.
    retry_at: Option<Instant>,
    /// Ends that the disk did not take yet.
    unrecorded: Vec<(Place, Cause, String)>,
    /// Supervisors that have said their last word and are about to end.
    leaving: Vec<u32>,
    told: Option<Summary>,
    bell: Bell,
    folder: FolderWatch,
    lock: Option<Lock>,
}

impl Executor {
    /// Becomes the executor; `None` when there is one already.
    fn open(root: Root) -> io::Result<Option<Self>> {
        let Some(lock) = succeed(&root)? else { return Ok(None) };
        let epoch = {
            let _fence = root.lock_claims(true)?;
            let epoch = root.read_epoch()?.saturating_add(1);
            root.write_epoch(epoch)?;
            epoch
        };
        let incumbent = Incumbent {
            process: ProcId::current(),
            epoch,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        files::overwrite_json(&root.incumbent(), &incumbent)?;
        let bell = Bell::open(&root.wake())?;
        let mut executor = Self {
            exe: own_exe()?,
            epoch,
            settings: Settings::default(),
            devices: None,
            machine: Machine::new(Vec::new(), 0, 0),
            index: Index::default(),
            running: BTreeMap::new(),
            tries: BTreeMap::new(),
            newest: 0,
            env_removed: BTreeSet::new(),
            retry_at: None,
            unrecorded: Vec::new(),
            leaving: Vec::new(),
            told: None,
            folder: FolderWatch::new(root.path(), "requests"),
            bell,
            root,
            lock: Some(lock),
        };
        executor.trim_events();
        executor.take_settings();
        {
            let _submit = executor.root.lock_submit()?;
            executor.root.complete_unfinished()?;
        }
        executor.take_requests(true)?;
        executor.take_cancels()?;
        let _ = fs::remove_file(executor.root.complaint());
        Ok(Some(executor))
    }

    fn run(&mut self) -> io::Result<()> {
        loop {
            if self.folder.is_gone() {
                return Ok(());
            }
            self.start_what_fits();
            self.tidy();
            self.tell();
            let idle = self.index.is_empty() && self.running.is_empty();
            if !self.sleep(idle)? && idle && self.leave()? {
                return Ok(());
            }
        }
    }

    /// Sleeps until there is something to do, and takes it up. `false`: the time
    /// was up and there was nothing.
    fn sleep(&mut self, idle: bool) -> io::Result<bool> {
        let timeout = self.timeout(idle);
        let places: Vec<Place> = self.running.keys().copied().collect();
        let woken = {
            let mut fds: Vec<BorrowedFd<'_>> = vec![self.bell.as_fd()];
            fds.extend(self.folder.fd());
            fds.extend(self.running.values().filter_map(|r| r.ended.as_ref()).map(OwnedFd::as_fd));
            wake::wait(&fds, timeout)?.into_iter().any(|ready| ready)
        };
        self.folder.drain();
        let heard = self.bell.drain();
        let everything = heard.len() > 4096;
        let has = |byte| everything || heard.contains(&byte);
        // What is cancelled may have arrived a moment before.
        if has(REQUEST) || has(CANCEL) {
            self.take_settings();
            self.take_requests(false)?;
        }
        if has(CANCEL) {
            self.take_cancels()?;
        }
        for place in places {
            self.look_at(place);
        }
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.retry_at = None;
            for (place, cause, reason) in std::mem::take(&mut self.unrecorded) {
                self.end_unstarted(place, cause, reason);
            }
        }
        self.leaving.retain(|pid| reap(*pid).is_none());
        Ok(woken)
    }

    fn timeout(&self, idle: bool) -> Option<Duration> {
        let linger = idle.then_some(LINGER);
        let blind = self.running.values().any(|r| r.ended.is_none() && !r.orphaned);
        let look = blind.then_some(LOOK);
        let retry = self.retry_at.map(|at| at.saturating_duration_since(Instant::now()));
        [linger, look, retry].into_iter().flatten().min()
    }

    /// Decides to leave, unless something has arrived.
    fn leave(&mut self) -> io::Result<bool> {
        let _submit = self.root.lock_submit()?;
        self.root.complete_unfinished()?;
        self.take_settings();
        self.take_requests(false)?;
        self.take_cancels()?;
        if !self.index.is_empty() {
            return Ok(false);
        }
        // Whoever comes after us must not find us alive and ring in vain, nor find
        // our lock taken: both go before the submit lock does.
        files::overwrite_json(&self.root.incumbent(), &())?;
        self.lock = None;
        Ok(true)
    }

    /// The settings of the newest submission; what runs keeps what it has.
    fn take_settings(&mut self) {
        let settings = files::read_json(&self.root.settings()).unwrap_or_default();
        if settings != self.settings || self.machine.milli_cpus_total() == 0 {
            self.devices = None;
            self.settings = settings;
            self.rebuild_machine();
        }
    }

    fn rebuild_machine(&mut self) {
        let slots = self.devices.clone().unwrap_or_default();
        let memory = devices::memory().map_or(u64::MAX, |bytes| bytes >> 20);
        let mut machine = Machine::new(slots, devices::milli_cpus(&self.settings), memory);
        for running in self.running.values() {
            machine.take(&running.need, &running.shares);
        }
        self.machine = machine;
    }

    /// Removes what is no longer needed.
    fn tidy(&mut self) {
        for number in self.index.take_finished() {
            self.forget_request(number);
        }
        for number in self.index.without_waiting() {
            let starting = self
                .running
                .range(Place { request: number, line: 0 }..Place { request: number + 1, line: 0 })
                .any(|(_, r)| !r.claimed);
            if !starting && self.env_removed.insert(number) {
                let _ = fs::remove_file(self.root.request_env(number));
            }
        }
    }

    /// Tells those who ask for capacity.
    fn tell(&mut self) {
        let known = self.devices.is_some();
        let summary = Summary {
            gpus_total: known.then(|| self.machine.gpus_total()),
            gpus_free: known.then(|| self.machine.gpus_free()),
            milli_cpus_total: self.machine.milli_cpus_total(),
            milli_cpus_free: self.machine.milli_cpus_free(),
            memory_total: self.machine.memory_total(),
            memory_free: self.machine.memory_free(),
            waiting: self.index.waiting() as u64,
            running: self.running.len() as u64,
        };
        if self.told.as_ref() != Some(&summary)
            && files::overwrite_json(&self.root.summary(), &summary).is_ok()
        {
            self.told = Some(summary);
        }
    }

    fn trim_events(&self) {
        if fs::metadata(self.root.events()).is_ok_and(|m| m.len() > MAX_EVENTS) {
            let emptied = OpenOptions::new().write(true).open(self.root.events());
            let _ = emptied.and_then(|file| file.set_len(0));
            self.root.touch_resync();
        }
    }
}

/// Takes the executor's lock; `None` when its holder is alive and well. One that
/// is just leaving, or was just killed, is waited for.
fn succeed(root: &Root) -> io::Result<Option<Lock>> {
    let deadline = Instant::now() + SUCCESSION;
    loop {
        if let Some(lock) = Lock::try_exclusive(&root.executor_lock())? {
            return Ok(Some(lock));
        }
        let incumbent: Option<Incumbent> = files::read_json(&root.incumbent());
        if incumbent.is_some_and(|i| i.process.is_alive()) || Instant::now() > deadline {
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Our own program, even when its file was replaced meanwhile.
fn own_exe() -> io::Result<PathBuf> {
    let link = PathBuf::from("/proc/self/exe");
    if link.exists() { Ok(link) } else { std::env::current_exe() }
}

/// Reaps a child that has ended.
fn reap(pid: u32) -> Option<Gone> {
    let pid = procs::as_pid(pid)?;
    match rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG) {
        Ok(None) | Err(rustix::io::Errno::INTR) => None,
        Ok(Some((_, status))) => Some(Gone { code: status.exit_status() }),
        // It was reaped before.
        Err(_) => Some(Gone { code: None }),
    }
}

//! Who may write: an OS lock, and a record of who holds it.
//!
//! The lock ends with its process, so a crash never leaves one behind. It is not
//! enough alone: network file systems grant it to two hosts at times. So the
//! owner is written down as well, the owner of another host is never replaced
//! without a person's word, and every line bears the owner's epoch.

use std::{
    fs::{self, File, OpenOptions},
    time::SystemTime,
};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use super::{
    JournalError, RunDir,
    dir::{read_if_there, replace},
};
use crate::{
    domain::run::Conductor,
    procs::{Liveness, ProcId},
};

/// The right to write; given back when dropped.
#[derive(Debug)]
pub struct Ownership {
    /// Holds the lock.
    _lock: File,
    dir: RunDir,
    conductor: Conductor,
}

/// The answer to asking for it.
#[derive(Debug)]
pub enum Acquire {
    Got(Ownership),
    /// A living process has it; `None`: it has not written down who it is yet.
    Busy(Option<Conductor>),
    /// The last owner was on another host and has not said that it left.
    Elsewhere(Conductor),
}

impl Conductor {
    /// The process behind it.
    pub fn process(&self) -> ProcId {
        ProcId {
            host: self.host.clone(),
            boot: self.boot.clone(),
            pid: self.pid,
            start: self.start,
        }
    }
}

impl Ownership {
    /// Asks for it. `epoch`: the highest in the journal. `yields`: gives way to
    /// whoever asks. `take_over`: a person says that the owner on another host is
    /// gone.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn acquire(
        dir: &RunDir,
        epoch: u64,
        background: bool,
        yields: bool,
        take_over: bool,
    ) -> Result<Acquire, JournalError> {
        let path = dir.lock();
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(JournalError::io(&path))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Acquire::Busy(owner(dir))),
            Err(error) => return Err(JournalError::Io { path, error: error.into() }),
        }
        let before = owner(dir);
        let me = ProcId::current();
        if let Some(before) = &before
            && before.process() != me
        {
            match before.process().liveness() {
                Liveness::Gone => {}
                Liveness::Alive => return Ok(Acquire::Busy(Some(before.clone()))),
                Liveness::Elsewhere if take_over => {}
                Liveness::Elsewhere => return Ok(Acquire::Elsewhere(before.clone())),
            }
        }
        let epoch = epoch.max(before.map_or(0, |c| c.epoch)) + 1;
        let conductor = Conductor {
            host: me.host,
            boot: me.boot,
            pid: me.pid,
            start: me.start,
            epoch,
            background,
            yields: background || yields,
        };
        let ownership = Self { _lock: lock, dir: dir.clone(), conductor };
        ownership.write()?;
        Ok(Acquire::Got(ownership))
    }

    pub fn conductor(&self) -> &Conductor {
        &self.conductor
    }

    pub fn epoch(&self) -> u64 {
        self.conductor.epoch
    }

    /// Still ours, and the folder is still there.
    ///
    /// # Errors
    /// [`JournalError::Fenced`]; the folder's own trouble.
    pub fn check(&self, dir: &RunDir) -> Result<(), JournalError> {
        let path = dir.owner();
        let text = read_if_there(&path).map_err(JournalError::io(path))?;
        match text.and_then(|t| serde_json::from_slice::<Conductor>(&t).ok()) {
            Some(owner) if owner == self.conductor => Ok(()),
            _ => Err(JournalError::Fenced),
        }
    }

    /// Makes sure that the epoch is higher than `seen`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn raise(&mut self, seen: u64) -> Result<(), JournalError> {
        if self.conductor.epoch > seen {
            return Ok(());
        }
        self.conductor.epoch = seen + 1;
        self.write()
    }

    fn write(&self) -> Result<(), JournalError> {
        let text = serde_json::to_vec(&self.conductor).unwrap_or_default();
        replace(&self.dir.owner(), &text, false).map_err(JournalError::io(self.dir.owner()))
    }

    /// Writes down whether it gives way from now on.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_yields(&mut self, yields: bool) -> Result<(), JournalError> {
        if self.conductor.yields == yields {
            return Ok(());
        }
        self.check(&self.dir)?;
        self.conductor.yields = yields;
        self.write()
    }

    /// Says that the owner is alive and at work.
    pub fn touch(&self) {
        if let Ok(file) = OpenOptions::new().append(true).open(self.dir.owner()) {
            let _ = file.set_modified(SystemTime::now());
        }
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        if self.check(&self.dir).is_ok() {
            let _ = fs::remove_file(self.dir.owner());
        }
    }
}

/// Who is written down as the owner.
fn owner(dir: &RunDir) -> Option<Conductor> {
    serde_json::from_slice(&fs::read(dir.owner()).ok()?).ok()
}

/// The owner, if it lives as far as can be told from here, and when it last said
/// so.
pub(crate) fn living_owner(dir: &RunDir) -> Option<(Conductor, Timestamp)> {
    let conductor = owner(dir)?;
    if conductor.process().liveness() == Liveness::Gone {
        return None;
    }
    let seen = fs::metadata(dir.owner()).and_then(|m| m.modified()).ok()?;
    Some((conductor, Timestamp::try_from(seen).ok()?))
}

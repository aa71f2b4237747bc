//! Faults on purpose, for tests: a crash at any step, a full disk.

use std::{
    io,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

use crate::{domain::run::Stamped, journal::JournalError};

/// None by default.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Steps until the crash; 0: never.
    left: AtomicUsize,
    crashed: AtomicBool,
    full: AtomicBool,
}

impl Faults {
    pub(crate) fn crash_after(&self, steps: usize) {
        self.left.store(steps, Ordering::SeqCst);
        self.crashed.store(false, Ordering::SeqCst);
    }

    pub(crate) fn fill_disk(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// From here on nothing happens any more.
    pub(crate) fn crashed(&self) -> bool {
        self.crashed.load(Ordering::SeqCst)
    }

    /// One of the moments at which a process can die.
    pub(crate) fn step(&self) {
        let before = self.left.load(Ordering::SeqCst);
        if before > 0 {
            self.left.store(before - 1, Ordering::SeqCst);
            if before == 1 {
                self.crashed.store(true, Ordering::SeqCst);
            }
        }
    }

    /// [`Faults::step`], and whether it was the last.
    pub(crate) fn moment(&self) -> bool {
        self.step();
        self.crashed()
    }

    pub(crate) fn before_commit(&self, _records: &[Stamped]) -> Result<(), JournalError> {
        self.step();
        if self.crashed() || self.full.load(Ordering::SeqCst) {
            let error = io::Error::from(io::ErrorKind::StorageFull);
            return Err(JournalError::Io { path: PathBuf::from("journal.jsonl"), error });
        }
        Ok(())
    }

    pub(crate) fn after_commit(&self) {
        self.step();
    }
}

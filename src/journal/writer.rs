//! Appending to a journal.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io::{self, Write as _},
};

use super::{JournalError, Ownership, RunDir, lines::encode};
use crate::domain::run::Stamped;

/// Where lines go. The disk, or a test that says the disk is full.
pub trait Medium: Send + Sync + fmt::Debug {
    /// Appends all of it; on an error any part may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything is on disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts everything behind `len` bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}

/// The writing end of a run's journal; only with the run's lock.
#[derive(Debug)]
pub struct Journal {
    dir: RunDir,
    medium: Box<dyn Medium>,
    ownership: Ownership,
    /// Bytes of whole lines in the file.
    len: u64,
    /// A line that could not be written whole could not be cut off either.
    torn: bool,
    /// Whole lines that are not in the file yet.
    backlog: Vec<u8>,
}

impl Journal {
    /// Opens it for appending behind `len` bytes of whole lines; what is there
    /// behind them is a torn line and is cut off.
    ///
    /// # Errors
    /// It cannot be opened or cut.
    pub fn open(dir: &RunDir, ownership: Ownership, len: u64) -> Result<Self, JournalError> {
        let path = dir.journal();
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .and_then(|file| {
                if file.metadata()?.len() > len {
                    file.set_len(len)?;
                }
                Ok(file)
            })
            .map_err(JournalError::io(path))?;
        Ok(Self::on(Box::new(file), dir, ownership, len))
    }

    /// On another medium; for tests.
    pub fn on(medium: Box<dyn Medium>, dir: &RunDir, ownership: Ownership, len: u64) -> Self {
        Self { dir: dir.clone(), medium, ownership, len, torn: false, backlog: Vec::new() }
    }

    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    pub fn ownership_mut(&mut self) -> &mut Ownership {
        &mut self.ownership
    }

    pub fn epoch(&self) -> u64 {
        self.ownership.epoch()
    }

    /// Bytes of whole lines in the file.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Nothing is in the file.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// To be written with the next [`Journal::flush`] or [`Journal::commit`]. What
    /// cannot be written is kept and tried again.
    pub fn note(&mut self, record: &Stamped) {
        encode(record, &mut self.backlog);
    }

    /// Writes what was noted.
    ///
    /// # Errors
    /// It is still noted.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        if self.backlog.is_empty() {
            return Ok(());
        }
        let backlog = std::mem::take(&mut self.backlog);
        let written = self.write(&backlog);
        if written.is_err() {
            self.backlog = backlog;
        }
        written
    }

    /// Writes these records (behind what was noted) and returns when they are on
    /// disk. All or nothing: after an error they are not part of the journal, and
    /// what they announce must not be done.
    ///
    /// # Errors
    /// The disk's, or [`JournalError::Fenced`] when another process has taken the
    /// run over.
    pub fn commit(&mut self, records: &[Stamped]) -> Result<(), JournalError> {
        self.ownership.check(&self.dir)?;
        self.flush()?;
        let before = self.len;
        let mut lines = Vec::new();
        for record in records {
            encode(record, &mut lines);
        }
        self.write(&lines)?;
        if let Err(error) = self.medium.sync() {
            // Whether it is on disk cannot be known; it must not count.
            self.cut_to(before);
            return Err(JournalError::Io { path: self.dir.journal(), error });
        }
        Ok(())
    }

    /// Everything noted is on disk when this returns.
    ///
    /// # Errors
    /// The disk's.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.flush()?;
        self.medium.sync().map_err(JournalError::io(self.dir.journal()))
    }

    fn write(&mut self, lines: &[u8]) -> Result<(), JournalError> {
        if self.torn {
            self.cut_to(self.len);
        }
        if self.torn {
            // The rest of a torn line becomes a damaged line of its own.
            self.medium.append(b"\n").map_err(JournalError::io(self.dir.journal()))?;
            self.torn = false;
            self.len += 1;
        }
        match self.medium.append(lines) {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = true;
                self.cut_to(self.len);
                Err(JournalError::Io { path: self.dir.journal(), error })
            }
        }
    }

    fn cut_to(&mut self, len: u64) {
        match self.medium.cut(len) {
            Ok(()) => {
                self.len = len;
                self.torn = false;
            }
            Err(_) => self.torn = true,
        }
    }
}

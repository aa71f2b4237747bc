//! The lines of a journal: read whole, or read along while another process
//! writes.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Code, JournalError, RunDir, Stored};
use crate::domain::{
    ids::RunId,
    run::{Record, Run, Stamped},
};

/// Version of the layout; a higher one is refused.
pub const FORMAT: u64 = 1;

/// Bytes read at a time.
const BLOCK: usize = 256 * 1024;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) jobdeck_journal: u64,
    pub(crate) run: RunId,
}

/// A line that cannot be read. It is skipped, the rest counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal.jsonl line {line}: {why}")]
pub struct Damage {
    /// From 1.
    pub line: u64,
    pub why: String,
}

/// A record as a line, newline included.
pub(crate) fn encode(stamped: &Stamped, into: &mut Vec<u8>) {
    // A record holds only strings, numbers and maps keyed by strings.
    if serde_json::to_writer(&mut *into, stamped).is_ok() {
        into.push(b'\n');
    }
}

/// Reads a journal forward, as far as whole lines go.
#[derive(Debug)]
pub struct Tail {
    file: File,
    /// Bytes of whole lines read so far.
    offset: u64,
    line: u64,
    epoch: u64,
    /// The start of a line whose end is not there yet.
    partial: Vec<u8>,
}

impl Tail {
    /// At the beginning of a run's journal.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(dir: &RunDir) -> Result<Self, JournalError> {
        let path = dir.journal();
        let file = File::open(&path).map_err(JournalError::io(path))?;
        Ok(Self { file, offset: 0, line: 0, epoch: 0, partial: Vec::new() })
    }

    /// Bytes of whole lines read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Highest epoch seen.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes of a last line that has no end (yet).
    pub fn torn(&self) -> usize {
        self.partial.len()
    }

    /// What was appended since. Records of stale epochs are left out.
    ///
    /// # Errors
    /// The file cannot be read, or is of a newer format.
    pub fn read(
        &mut self,
        dir: &RunDir,
        damage: &mut Vec<Damage>,
    ) -> Result<Vec<Stamped>, JournalError> {
        let mut records = Vec::new();
        self.each(dir, damage, |stamped| records.push(stamped))?;
        Ok(records)
    }

    /// As [`Tail::read`], one record at a time, so that a long journal is never
    /// in memory as a whole.
    ///
    /// # Errors
    /// As [`Tail::read`].
    pub fn each(
        &mut self,
        dir: &RunDir,
        damage: &mut Vec<Damage>,
        mut take: impl FnMut(Stamped),
    ) -> Result<(), JournalError> {
        let Self { file, offset, line: count, epoch, partial } = self;
        // The unfinished line is read again: its writer may have died and a new
        // one may have cut it off.
        partial.clear();
        file.seek(SeekFrom::Start(*offset)).map_err(JournalError::io(dir.journal()))?;
        let mut lines = BufReader::with_capacity(BLOCK, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            lines.read_until(b'\n', &mut line).map_err(JournalError::io(dir.journal()))?;
            if line.last() != Some(&b'\n') {
                *partial = line;
                return Ok(());
            }
            *offset += line.len() as u64;
            *count += 1;
            line.pop();
            if *count == 1 {
                if let Err(why) = check_header(&line, &dir.journal())? {
                    damage.push(Damage { line: 1, why });
                }
                continue;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice::<Stamped>(&line) {
                Ok(stamped) => {
                    if matches!(stamped.record, Record::Opened { .. }) {
                        *epoch = (*epoch).max(stamped.epoch);
                    }
                    if stamped.epoch >= *epoch {
                        take(stamped);
                    }
                }
                Err(error) => {
                    damage.push(Damage { line: *count, why: error.to_string() });
                }
            }
        }
    }

    /// Goes on behind what this process wrote itself and has folded already.
    /// Returns what others wrote in between.
    ///
    /// # Errors
    /// As [`Tail::read`].
    pub fn skip_own(&mut self, dir: &RunDir, own: u64) -> Result<Vec<Stamped>, JournalError> {
        let mut records = Vec::new();
        self.each(dir, &mut Vec::new(), |stamped| {
            if stamped.epoch != own {
                records.push(stamped);
            }
        })?;
        Ok(records)
    }
}

/// `Ok(Err(why))`: damaged; the rest of the file still counts.
fn check_header(line: &[u8], path: &Path) -> Result<Result<(), String>, JournalError> {
    match serde_json::from_slice::<Header>(line) {
        Ok(header) if header.jobdeck_journal > FORMAT => {
            Err(JournalError::Newer { path: path.to_owned(), format: header.jobdeck_journal })
        }
        Ok(_) => Ok(Ok(())),
        Err(error) => Ok(Err(format!("the header cannot be read: {error}"))),
    }
}

/// A run read from its folder.
#[derive(Debug)]
pub struct Replay {
    pub code: Code,
    pub run: Run,
    /// To read on from here.
    pub tail: Tail,
    pub damage: Vec<Damage>,
    /// Requests of other processes that were carried out.
    pub done: std::collections::HashSet<String>,
}

impl Replay {
    /// Reads plan and journal and folds them.
    ///
    /// # Errors
    /// There is no such run, its plan is damaged, or it was written by a newer
    /// jobdeck.
    pub fn read(dir: &RunDir) -> Result<Self, JournalError> {
        Self::of(dir, Stored::read(dir)?)
    }

    /// Reads the journal of a run whose plan is known.
    ///
    /// # Errors
    /// The journal cannot be read, or was written by a newer jobdeck.
    pub fn of(dir: &RunDir, stored: Stored) -> Result<Self, JournalError> {
        let Stored { approved, code, .. } = stored;
        let mut run = Run::new(&approved);
        drop(approved);
        let mut damage = Vec::new();
        let mut done = std::collections::HashSet::new();
        let mut tail = Tail::open(dir)?;
        tail.each(dir, &mut damage, |stamped| {
            run.apply(&stamped);
            if let Record::Done { request, .. } = stamped.record {
                done.insert(request);
            }
        })?;
        Ok(Self { code, run, tail, damage, done })
    }
}

//! The state file of one job: claimed once, ended once.
//!
//! ```text
//! absent ─claim (exclusive)▶ Head{claim} · Leaders · … ─▶ End
//!    └────────── ended in the queue (exclusive) ─────────▶ Head{no claim} · End
//! ```
//! Three lines of JSON. The file is created with all the room that the later two
//! need, written out and synced: a full disk can keep a job from starting, but can
//! never lose its exit code. A line that is still blank, or half written, does not
//! parse and counts as not there.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::wire::{End, Head, Leaders};

/// Room for the end record, in bytes; the texts in it are cut to fit.
const END_ROOM: usize = 2048;
/// Room for one replica's leader, in bytes.
const LEADER_ROOM: usize = 48;

/// What a state file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub head: Head,
    pub leaders: Leaders,
    pub end: Option<End>,
}

/// Reads one; `None` when there is none, or only the beginnings of one.
///
/// # Errors
/// Anything but «not found».
pub fn read(path: &Path) -> io::Result<Option<State>> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(text: &str) -> Option<State> {
    fn line<T: DeserializeOwned>(line: Option<&str>) -> Option<T> {
        serde_json::from_str(line?.trim_end()).ok()
    }
    let mut lines = text.split('\n');
    let head = line(lines.next())?;
    let leaders = line(lines.next()).unwrap_or_default();
    Some(State { head, leaders, end: line(lines.next()) })
}

/// A state file that is ours to write.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    leaders_at: u64,
    leaders_room: usize,
}

impl StateFile {
    /// Takes the job: creates the file, with room for everything, and syncs it.
    ///
    /// # Errors
    /// `AlreadyExists` when somebody else has it; what the disk says, with
    /// nothing left behind.
    pub fn create(path: &Path, head: &Head, replicas: u32) -> io::Result<Self> {
        let mut text = serde_json::to_string(head)?;
        text.push('\n');
        let leaders_at = text.len() as u64;
        let leaders_room = 32 + LEADER_ROOM * replicas as usize;
        for room in [leaders_room, END_ROOM] {
            text.extend(std::iter::repeat_n(' ', room));
            text.push('\n');
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let written = file.write_all_at(text.as_bytes(), 0).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // Nobody else touches it: the name is ours since it was created.
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        Ok(Self { file, leaders_at, leaders_room })
    }

    /// Opens the file of a job whose supervisor is gone, to write its end.
    ///
    /// # Errors
    /// What the disk says.
    pub fn open(path: &Path, head: &Head, replicas: u32) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        let leaders_at = serde_json::to_string(head)?.len() as u64 + 1;
        Ok(Self { file, leaders_at, leaders_room: 32 + LEADER_ROOM * replicas as usize })
    }

    /// # Errors
    /// What the disk says.
    pub fn write_leaders(&self, leaders: &Leaders) -> io::Result<()> {
        let line = padded(leaders, self.leaders_room)?;
        self.file.write_all_at(line.as_bytes(), self.leaders_at)
    }

    /// Writes how it ended, and syncs that.
    ///
    /// # Errors
    /// What the disk says; a full disk is no reason.
    pub fn write_end(&self, end: &End) -> io::Result<()> {
        let line = padded(&fitting(end), END_ROOM)?;
        let at = self.leaders_at + self.leaders_room as u64 + 1;
        self.file.write_all_at(line.as_bytes(), at)?;
        self.file.sync_data()
    }
}

/// JSON, filled up with blanks to exactly `room`.
fn padded(value: &impl Serialize, room: usize) -> io::Result<String> {
    let mut line = serde_json::to_string(value)?;
    if line.len() > room {
        return Err(io::Error::other("a record does not fit its room in the state file"));
    }
    line.extend(std::iter::repeat_n(' ', room - line.len()));
    Ok(line)
}

/// The record with its texts cut so that it fits, whatever is in them.
fn fitting(end: &End) -> End {
    let mut end = end.clone();
    for limit in [400, 100, 0] {
        let fits = serde_json::to_string(&end).is_ok_and(|text| text.len() <= END_ROOM);
        if fits {
            break;
        }
        end.reason = end.reason.chars().take(limit).collect();
        end.error = end.error.map(|e| e.chars().take(limit).collect());
    }
    end
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        cluster::local::wire::{Claim, Leader},
        domain::status::{Cause, Status},
        procs::ProcId,
    };

    fn head() -> Head {
        Head {
            key: "jd-r-1-1".parse().unwrap(),
            name: "añb".into(),
            claim: Some(Claim {
                supervisor: ProcId::current(),
                started_at: Timestamp::UNIX_EPOCH,
                shares: vec![Vec::new()],
            }),
        }
    }

    fn end(reason: &str) -> End {
        End {
            status: Status::Failed,
            cause: Some(Cause::Exit),
            reason: reason.into(),
            exit_code: Some(3),
            signal: None,
            error: Some(reason.into()),
            finished_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_job_is_claimed_once_and_its_end_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert_eq!(read(&path).unwrap(), None);
        let file = StateFile::create(&path, &head(), 2).unwrap();
        let second = StateFile::create(&path, &head(), 2).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::AlreadyExists);
        let leaders = Leaders {
            leaders: vec![
                Leader { pid: u32::MAX, start: u64::MAX },
                Leader { pid: u32::MAX, start: u64::MAX },
            ],
        };
        file.write_leaders(&leaders).unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        let running = read(&path).unwrap().unwrap();
        assert_eq!((running.leaders, running.end), (leaders, None));
        StateFile::open(&path, &running.head, 2).unwrap().write_end(&end("exit 3")).unwrap();
        let state = read(&path).unwrap().unwrap();
        assert_eq!(state.end, Some(end("exit 3")));
        assert_eq!(std::fs::metadata(&path).unwrap().len(), size, "an end needs no new room");
    }

    #[test]
    fn whatever_a_job_prints_its_end_fits() {
        let dir = tempfile::tempdir().unwrap();
        for (i, text) in
            ["\u{1}".repeat(5000), "語".repeat(5000), "\"\\".repeat(5000)].into_iter().enumerate()
        {
            let path = dir.path().join(i.to_string());
            let file = StateFile::create(&path, &head(), 1).unwrap();
            file.write_end(&end(&text)).unwrap();
            let read_back = read(&path).unwrap().unwrap().end.unwrap();
            assert_eq!(read_back.exit_code, Some(3));
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_never_misread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let file = StateFile::create(&path, &head(), 1).unwrap();
        file.write_leaders(&Leaders { leaders: vec![Leader { pid: 7, start: 9 }] }).unwrap();
        file.write_end(&end("exit 3")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            let text = String::from_utf8_lossy(whole.get(..cut).unwrap()).into_owned();
            if let Some(state) = parse(&text) {
                assert_eq!(state.head, head());
                assert!(state.end.is_none() || state.end == Some(end("exit 3")));
            }
        }
    }
}

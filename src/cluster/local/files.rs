//! Small files and locks: whole or not there, overwritten in place, line by line.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::FlockOperation;
use serde::{Serialize, de::DeserializeOwned};

/// Room of a file that is overwritten in place.
const IN_PLACE: usize = 1024;

/// Digits of a number file, always as many: it is overwritten in place, which
/// needs no room on the disk.
const DIGITS: usize = 20;

/// An exclusive or shared lock, given back when dropped. Closed on exec.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for it.
    ///
    /// # Errors
    /// What the system says.
    pub fn take(path: &Path, operation: FlockOperation) -> io::Result<Self> {
        let file = open_lock(path)?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?,
            }
        }
        Ok(Self { _file: file })
    }

    /// `None` when somebody else has it.
    ///
    /// # Errors
    /// What the system says.
    pub fn try_exclusive(path: &Path) -> io::Result<Option<Self>> {
        let file = open_lock(path)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// A name beside `path` that no other writer has, in this process or another.
fn draft_of(path: &Path) -> PathBuf {
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}-{number}.tmp", std::process::id()))
}

/// Puts a file in the place of another, if any: readers see the old one or the whole
/// new one.
fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let draft = draft_of(path);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| fill(&mut file))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// Replaces a small JSON file so that readers see the old or the new one.
///
/// # Errors
/// What the disk says.
pub fn write_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    replace(path, |file| file.write_all(&serde_json::to_vec(value)?))
}

/// Overwrites a small JSON file in place: it needs no room on the disk once it was
/// written. A reader may see half of it, and takes that for nothing.
///
/// # Errors
/// What the disk says.
pub fn overwrite_json(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_string(value)?;
    text.extend(std::iter::repeat_n(' ', IN_PLACE.saturating_sub(text.len())));
    OpenOptions::new().write(true).open(path)?.write_all_at(text.as_bytes(), 0)
}

/// Whether the disk under a path has no room for another byte, as far as it tells.
pub fn is_full(path: &Path) -> bool {
    // Some file systems have no blocks to count.
    rustix::fs::statvfs(path).is_ok_and(|space| space.f_blocks > 0 && space.f_bavail == 0)
}

/// A small JSON file; `None` when it is not there or not whole.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// A file that is there whole, and synced, or not at all.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, |file| {
        file.write_all(bytes)?;
        file.sync_all()
    })?;
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Calls for every complete line, with the byte at which it begins.
pub fn for_each_line(path: &Path, mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let mut offset = 0;
    while reader.read_until(b'\n', &mut line)? > 0 {
        if let Some(text) = line.strip_suffix(b"\n") {
            each(offset, text);
        }
        offset += line.len() as u64;
        line.clear();
    }
    Ok(())
}

pub fn read_number(path: &Path) -> io::Result<u64> {
    let mut text = String::new();
    match File::open(path).and_then(|mut file| file.read_to_string(&mut text)) {
        Ok(_) => text
            .trim()
            .parse()
            .or_else(|_| if text.trim().is_empty() { Ok(0) } else { Err(()) })
            .map_err(|()| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{} does not hold a number", path.display()),
                )
            }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

pub fn write_number(path: &Path, number: u64) -> io::Result<()> {
    let file =
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.write_all_at(format!("{number:0DIGITS$}").as_bytes(), 0)
}

/// Bytes of everything below a folder.
pub fn size_of(folder: &Path) -> u64 {
    let mut open = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_writers_of_one_file_do_not_take_each_others_drafts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..50 {
                        write_json(path, &writer).unwrap();
                    }
                });
            }
        });
        assert!(read_json::<u32>(&path).is_some_and(|writer| writer < 8));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }
}

//! Requests of other processes to a run's conductor, one file each.
//!
//! ```text
//! post ─▶ inbox/<id>.json ─read▶ carried out ─▶ Done record ─▶ file removed
//! ```
//! A request that was carried out and whose file is still there (a crash in
//! between) is known by its `Done` record and only removed.

use std::{
    fs, io,
    sync::atomic::{AtomicU32, Ordering},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{JournalError, RunDir, dir::replace};
use crate::procs;

/// Name of a request; sorts by the time it was made.
pub type RequestId = String;

/// A request as it lies in the inbox.
#[derive(Clone, Debug, PartialEq)]
pub struct Request<C> {
    pub id: RequestId,
    /// `Err`: it cannot be read, and why.
    pub command: Result<C, String>,
}

/// Puts a request into a run's inbox.
///
/// # Errors
/// It cannot be written.
pub fn post<C: Serialize>(
    dir: &RunDir,
    command: &C,
    at: jiff::Timestamp,
) -> Result<RequestId, JournalError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let folder = dir.inbox();
    let id = format!(
        "{:020}-{}-{}-{}",
        at.as_nanosecond(),
        procs::host(),
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    );
    let path = folder.join(format!("{id}.json"));
    let text =
        serde_json::to_vec(command).map_err(io::Error::other).map_err(JournalError::io(&path))?;
    fs::create_dir_all(&folder)
        .and_then(|()| replace(&path, &text, true))
        .map_err(JournalError::io(&path))?;
    Ok(id)
}

/// What lies in the inbox, oldest first.
///
/// # Errors
/// The folder cannot be read; that there is none means that nothing is in it.
pub fn read<C: DeserializeOwned>(dir: &RunDir) -> Result<Vec<Request<C>>, JournalError> {
    let folder = dir.inbox();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(JournalError::Io { path: folder, error }),
    };
    let mut requests = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(id) = name.to_str().and_then(|n| n.strip_suffix(".json")) else { continue };
        let command = match fs::read(entry.path()) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| e.to_string()),
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => Err(error.to_string()),
        };
        requests.push(Request { id: id.to_owned(), command });
    }
    requests.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(requests)
}

/// Removes a request that was carried out, or that nobody waits for any longer.
pub fn remove(dir: &RunDir, id: &str) {
    let _ = fs::remove_file(dir.inbox().join(format!("{id}.json")));
}

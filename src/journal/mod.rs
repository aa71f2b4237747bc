//! The crash-safe record of runs: one folder a run, each its own fault domain.
//!
//! ```text
//! <run>/plan.json       the approved jobs, written once, whole or not at all
//!       journal.jsonl   what happened, one JSON line a record, only appended to
//!       lock owner.json who may append: an OS lock, and who holds it
//!       inbox/          requests of other processes, one file each
//!       summary.json    the run in a few numbers, made anew whenever it is stale
//!       identities.json what work its jobs are, for `on_existing: reuse`
//! ```
//! A request leaves only after its intent is on disk ([`Journal::commit`]); all
//! else may be written a moment later ([`Journal::note`]), because what is lost
//! with it can be asked of the cluster again. A torn last line is cut by the next
//! writer, damage elsewhere is told with its line and skipped, and lines of a
//! writer that was replaced are void by their epoch.
//!
//! A run's folder begins with [`create`], is read with [`Replay`] and ends with
//! `clean`.

mod dir;
pub mod inbox;
mod lines;
mod lock;
mod plan_file;
mod summary;
#[cfg(test)]
mod tests;
mod writer;

pub use dir::RunDir;
pub(crate) use dir::replace;
pub use lines::{Damage, FORMAT, Replay, Tail};
pub(crate) use lock::living_owner;
pub use lock::{Acquire, Ownership};
pub(crate) use plan_file::hex;
pub use plan_file::{Code, CodeEntry, Stored, create};
pub use summary::Summary;
pub use writer::{Journal, Medium};

use std::{io, path::PathBuf};

/// The record of a run cannot be read or written. Variants say what the user can
/// do.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{}: {error}", .path.display())]
    Io { path: PathBuf, error: io::Error },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NoRun(String),
    /// Its `plan.json` is not what we wrote.
    #[error("{}: {why}", .path.display())]
    Damaged { path: PathBuf, why: String },
    /// A newer jobdeck wrote it.
    #[error("{} was written by a newer jobdeck (format {format})", .path.display())]
    Newer { path: PathBuf, format: u64 },
    /// Another process has taken the run over.
    #[error("another process has taken this run over")]
    Fenced,
}

impl JournalError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    /// The disk is full, or a quota is used up.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { error, .. } if matches!(
            error.kind(),
            io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge
        ))
    }

    /// The folder cannot be written, by its permissions or by how it is mounted.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { error, .. } if matches!(
            error.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        ))
    }
}

//! Reading a document's bytes: from a file or standard input, refusing at once
//! what would block or never end.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{MAX_BYTES, too_large};

/// A document as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub bytes: Vec<u8>,
    /// As given, for messages: `-` for standard input.
    pub file: String,
    /// The file's stem, for the name of the batch; `batch` for standard input.
    pub stem: String,
    /// Absolute folder where relative paths start.
    pub base_dir: Option<PathBuf>,
}

/// Why it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{file}: no such file")]
    Missing { file: String },
    #[error("{file} is {what}, not a file")]
    NotAFile { file: String, what: &'static str },
    #[error("{file}: {message}")]
    TooLarge { file: String, message: String },
    #[error("{file} cannot be read: {source}")]
    Io { file: String, source: std::io::Error },
}

/// Reads a file, or standard input for `-`. A directory, FIFO, socket or device
/// is refused without being read; so is a file above the bound.
pub fn read_source(path: &Path) -> Result<Source, SourceError> {
    if path == Path::new("-") {
        let here = std::env::current_dir().ok();
        let bytes = read_bounded(std::io::stdin().lock(), "-", MAX_BYTES)?;
        return Ok(Source { bytes, file: "-".into(), stem: "batch".into(), base_dir: here });
    }
    read_file(path, MAX_BYTES)
}

/// Reads a file of at most this many bytes, as [`read_source`] does.
pub fn read_file(path: &Path, most: usize) -> Result<Source, SourceError> {
    let here = std::env::current_dir().ok();
    let file = path.display().to_string();
    let io = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => SourceError::Missing { file: file.clone() },
        _ => SourceError::Io { file: file.clone(), source },
    };
    // Looked at before it is opened, because opening a FIFO waits for a writer; opened
    // without waiting and looked at again, because it may change in between.
    let refuse = |what| SourceError::NotAFile { file: file.clone(), what };
    odd_kind(std::fs::metadata(path).map_err(io)?.file_type())
        .map_or(Ok(()), |w| Err(refuse(w)))?;
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let handle: File =
        OpenOptions::new().read(true).custom_flags(nonblock).open(path).map_err(io)?;
    let metadata = handle.metadata().map_err(io)?;
    odd_kind(metadata.file_type()).map_or(Ok(()), |w| Err(refuse(w)))?;
    if metadata.len() > most as u64 {
        let message = too_large(metadata.len(), most).message;
        return Err(SourceError::TooLarge { file, message });
    }
    let bytes = read_bounded(handle, &file, most)?;
    let absolute = std::path::absolute(path).ok();
    Ok(Source {
        bytes,
        stem: path
            .file_stem()
            .map_or_else(|| "batch".into(), |stem| stem.to_string_lossy().into_owned()),
        base_dir: absolute.and_then(|p| p.parent().map(Path::to_path_buf)).or(here),
        file,
    })
}

/// Reads to the end, or until it is clear that it is too large.
fn read_bounded(from: impl Read, file: &str, most: usize) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    from.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| SourceError::Io { file: file.to_owned(), source })?;
    if bytes.len() > most {
        let message = format!("the text is too large: more than {} MiB", most >> 20);
        return Err(SourceError::TooLarge { file: file.to_owned(), message });
    }
    Ok(bytes)
}

fn odd_kind(kind: std::fs::FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

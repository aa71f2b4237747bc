//! Names in a run's folder, and safe ways to write there.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// The folder of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir(PathBuf);

impl RunDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn plan(&self) -> PathBuf {
        self.0.join("plan.json")
    }
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.jsonl")
    }
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
    pub fn owner(&self) -> PathBuf {
        self.0.join("owner.json")
    }
    pub fn inbox(&self) -> PathBuf {
        self.0.join("inbox")
    }
    pub fn summary(&self) -> PathBuf {
        self.0.join("summary.json")
    }
    pub fn identities(&self) -> PathBuf {
        self.0.join("identities.json")
    }
    /// What the clusters last said, as the conductor saw it.
    pub fn health(&self) -> PathBuf {
        self.0.join("health.json")
    }
    /// Code as it was sent, one folder a content hash.
    pub fn code(&self) -> PathBuf {
        self.0.join("code")
    }
    /// What the background process has to say when it cannot go on.
    pub fn background_log(&self) -> PathBuf {
        self.0.join("background.log")
    }
}

/// Replaces a file: readers see the old or the new content, whole. With `durable`
/// the new one is on disk when this returns.
pub(crate) fn replace(path: &Path, content: &[u8], durable: bool) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    temp.write_all(content)?;
    if durable {
        temp.as_file().sync_all()?;
    }
    temp.persist(path).map_err(|e| e.error)?;
    if durable {
        sync_folder(folder)?;
    }
    Ok(())
}

/// Makes what was created or renamed in a folder last.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The content, or `None` when there is no such file.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

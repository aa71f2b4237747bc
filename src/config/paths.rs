//! Where things lie on disk.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    domain::ids::RunId,
    error::{Kind, Report},
};

/// The state folder: `$JOBDECK_STATE_DIR`, else `$XDG_STATE_HOME/jobdeck`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
    /// The usual place, seen from this process's environment.
    ///
    /// # Errors
    /// When nothing says where it is.
    pub fn from_environment() -> Result<Self, Report> {
        Self::resolve(|name| std::env::var_os(name))
    }

    fn resolve(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, Report> {
        if let Some(own) = variable("JOBDECK_STATE_DIR").filter(|v| !v.is_empty()) {
            // A background process outlives the folder it was started in.
            return std::path::absolute(PathBuf::from(own)).map(Self).map_err(|e| {
                Report::new(Kind::State, format!("JOBDECK_STATE_DIR cannot be used: {e}"))
            });
        }
        let state = absolute(variable("XDG_STATE_HOME"))
            .or_else(|| absolute(variable("HOME")).map(|home| home.join(".local/state")));
        state.map(|state| Self(state.join("jobdeck"))).ok_or_else(|| {
            Report::new(Kind::State, "no folder for runs: HOME is not set")
                .hint("set HOME, or JOBDECK_STATE_DIR to a folder of your own")
        })
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
    /// Makes the folder where it does not exist yet.
    ///
    /// # Errors
    /// [`Kind::State`]: it cannot be made, so that nothing can have been kept there.
    pub fn make(&self) -> Result<(), Report> {
        std::fs::create_dir_all(&self.0).map_err(|e| {
            let shown = self.0.display();
            Report::new(Kind::State, format!("the state folder {shown} cannot be made: {e}"))
                .hint("set JOBDECK_STATE_DIR to a folder of your own")
        })
    }
    /// One folder a run.
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }
    /// The local executor's queue, one root per host (state may lie on NFS).
    pub fn local(&self, host: &str) -> PathBuf {
        self.0.join("local").join(host)
    }
    /// What tells this folder's runs from those of others on the same cluster.
    pub fn origin(&self) -> PathBuf {
        self.0.join("origin")
    }
    /// Unsaved batches.
    pub fn drafts(&self) -> PathBuf {
        self.0.join("drafts")
    }
    /// What the UI remembers.
    pub fn ui(&self) -> PathBuf {
        self.0.join("ui.json")
    }
    /// Bugs of our own that were met, where nobody may have seen them.
    pub fn panics(&self) -> PathBuf {
        self.0.join("log").join("panics.log")
    }
}

/// Where shared ssh connections have their sockets: a short path, since a socket's
/// may have a hundred bytes, and the user's own.
pub fn sockets() -> PathBuf {
    match absolute(std::env::var_os("XDG_RUNTIME_DIR")).filter(|path| path.is_dir()) {
        Some(folder) if folder.as_os_str().len() < 40 => folder.join("jobdeck"),
        _ => {
            let uid = rustix::process::getuid().as_raw();
            PathBuf::from(format!("/tmp/jobdeck-{uid}"))
        }
    }
}

/// A folder from a variable; relative ones count as unset, as the XDG rules say.
pub(super) fn absolute(value: Option<OsString>) -> Option<PathBuf> {
    value.map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(variables: &[(&str, &str)]) -> Result<StateDir, Report> {
        StateDir::resolve(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v))
        })
    }

    #[test]
    fn the_nearest_word_on_the_state_folder_wins() {
        let home = ("HOME", "/home/ada");
        let xdg = ("XDG_STATE_HOME", "/scratch/state");
        let own = ("JOBDECK_STATE_DIR", "/tmp/decks");
        let path = |variables: &[_]| resolve(variables).unwrap().path().to_owned();
        assert_eq!(path(&[home]), Path::new("/home/ada/.local/state/jobdeck"));
        assert_eq!(path(&[home, xdg]), Path::new("/scratch/state/jobdeck"));
        assert_eq!(path(&[home, xdg, own]), Path::new("/tmp/decks"));
        assert_eq!(path(&[home, ("XDG_STATE_HOME", "")]), path(&[home]));
        assert_eq!(path(&[home, ("XDG_STATE_HOME", "relative")]), path(&[home]));
        let report = resolve(&[]).unwrap_err();
        assert!(report.message.contains("HOME is not set"), "{report}");
        assert_eq!(report.hints.len(), 1);
    }
}

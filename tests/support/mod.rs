//! The real binary in a world of its own: home, configuration, state and batch
//! files in one temporary folder.

#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "tests may end by a panic")]

pub mod wait;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
pub use wait::{Answer, answer_of};

/// A cluster that takes one job at a time, so that the rest waits here.
pub const NARROW: &str = "clusters: {local: {kind: local, max_inflight: 1}}\n";

pub struct World {
    folder: TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("jobdeck-test-").tempdir().unwrap();
        for own in ["home", "run"] {
            fs::create_dir(folder.path().join(own)).unwrap();
        }
        Self { folder }
    }

    /// With this as `batch.yaml`.
    pub fn with_batch(batch: &str) -> Self {
        let world = Self::new();
        world.file("batch.yaml", batch);
        world
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn state(&self) -> PathBuf {
        self.path().join("state")
    }

    /// Where shared connections have their sockets.
    pub fn runtime(&self) -> PathBuf {
        self.path().join("run")
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The user's configuration.
    pub fn config(&self, text: &str) {
        self.file("home/.config/jobdeck/config.yaml", text);
    }

    /// The program, without arguments: no terminal, nothing of this machine's
    /// environment but the PATH.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobdeck"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path().join("home"))
            .env("JOBDECK_STATE_DIR", self.state())
            .env("JOBDECK_ETC_DIR", self.path().join("etc"))
            .env("XDG_RUNTIME_DIR", self.runtime())
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it on a line of arguments without spaces in them.
    pub fn run(&self, line: &str) -> Answer {
        self.run_args(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn run_args(&self, args: &[&str]) -> Answer {
        answer_of(self.command().args(args))
    }

    /// The one JSON document of an answer that has this exit code.
    #[track_caller]
    pub fn json(&self, line: &str, code: i32) -> Value {
        let answer = self.run(line);
        assert_eq!(answer.code, code, "{line}: {answer:#?}");
        answer.json()
    }

    /// Waits until a job has made this file.
    #[track_caller]
    pub fn until_file(&self, name: &str) {
        wait::until_so(&format!("{name} is made"), || self.path().join(name).exists());
    }

    /// Waits until the run's status fits.
    #[track_caller]
    pub fn until(&self, run: &str, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait::until(what, || {
            let status = self.json(&format!("status {run} --json"), 0);
            if fits(&status) { Ok(status) } else { Err(status) }
        })
    }
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON document: {e}\n{self:#?}"))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl Drop for World {
    /// Ends what was started here: jobs and background processes that name this
    /// world's folder, each by its own id.
    fn drop(&mut self) {
        let mark = self.path().to_string_lossy().into_owned();
        let Ok(processes) = fs::read_dir("/proc") else { return };
        for entry in processes.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok())
            else {
                continue;
            };
            let names_us = |file: &str| {
                fs::read(entry.path().join(file))
                    .is_ok_and(|text| String::from_utf8_lossy(&text).contains(&mark))
            };
            if (names_us("environ") || names_us("cmdline"))
                && let Some(pid) = rustix::process::Pid::from_raw(pid)
            {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

/// The row of a job in the document of `status`.
#[track_caller]
pub fn job<'a>(status: &'a Value, name: &str) -> &'a Value {
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}"))
}

pub fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

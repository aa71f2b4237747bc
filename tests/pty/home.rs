//! Where the program is at home in these tests, and how it is started there.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use portable_pty::CommandBuilder;

use crate::{
    term::Term,
    wait::{Answer, answer_of},
};

/// A home of its own, with a configuration that has eight GPU slots.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary folder");
        let config = dir.path().join(".config/jobdeck");
        std::fs::create_dir_all(&config).expect("config folder");
        std::fs::write(
            config.join("config.yaml"),
            "clusters: {local: {kind: local, gpus: 8, grace: 1s}}\n",
        )
        .expect("config file");
        Self { dir }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("write file");
        path
    }

    /// The program in this home.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobdeck"));
        command.args(args).current_dir(self.path()).env_clear().envs(self.env());
        command
    }

    /// Runs the program without a terminal in this home.
    pub fn run(&self, args: &[&str]) -> Answer {
        answer_of(self.command(args).stdin(Stdio::null()))
    }

    /// Starts the program in this home on a terminal of this size.
    pub fn start(&self, args: &[&str], cols: u16, rows: u16) -> Term {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_jobdeck"));
        command.args(args);
        command.env_clear();
        for (key, value) in self.env() {
            command.env(key, value);
        }
        command.cwd(self.path());
        Term::spawn(command, cols, rows)
    }

    fn env(&self) -> Vec<(String, String)> {
        let home = self.path().display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        vec![
            ("HOME".into(), home.clone()),
            ("XDG_CONFIG_HOME".into(), format!("{home}/.config")),
            ("XDG_STATE_HOME".into(), format!("{home}/.state")),
            ("JOBDECK_ETC_DIR".into(), format!("{home}/etc")),
            ("PATH".into(), path),
            ("LANG".into(), "C.UTF-8".into()),
            ("TERM".into(), "xterm-256color".into()),
        ]
    }
}

/// Enter, Escape and friends as a terminal sends them.
pub mod key {
    pub const ENTER: &str = "\r";
    pub const ESC: &str = "\x1b";
    pub const CTRL_S: &str = "\x13";
    pub const CTRL_T: &str = "\x14";
    pub const CTRL_C: &str = "\x03";
}

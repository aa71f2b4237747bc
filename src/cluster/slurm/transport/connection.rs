//! The one shared ssh connection: made when it is first needed, kept for a while,
//! and made by a person where it asks for a password or a code.

use std::{
    io::{Read as _, Seek as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use super::Transport;
use crate::{cluster::ClusterError, config::SlurmSettings};

/// Time for the connection to come about, in which ssh itself gives up.
const CONNECT_SECS: u64 = 15;

/// The shared connection is kept ten minutes after the last call. It notices by
/// itself when the other side is gone; what goes through it does not.
const MASTER: [&str; 8] = [
    "-o",
    "ControlMaster=yes",
    "-o",
    "ControlPersist=600",
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
];

#[derive(Debug)]
pub(super) struct Ssh {
    pub(super) host: String,
    options: Vec<String>,
    socket: PathBuf,
    /// Held while the shared connection is made.
    connecting: tokio::sync::Mutex<()>,
}

impl Ssh {
    /// `sockets`: a folder with a short path. `None`: Slurm is on this machine.
    pub(super) fn of(settings: &SlurmSettings, sockets: &Path) -> Option<Self> {
        Some(Self {
            host: settings.ssh.clone()?,
            options: settings.ssh_options.clone(),
            socket: sockets.join("%C"),
            connecting: tokio::sync::Mutex::default(),
        })
    }

    fn control_path(&self) -> String {
        format!("ControlPath={}", self.socket.display())
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(&self.options).arg("-o").arg(self.control_path());
        command.args(["-o", "BatchMode=yes", "-o", &format!("ConnectTimeout={CONNECT_SECS}")]);
        command
    }
}

impl Transport {
    /// What ssh's own failure means.
    pub(super) fn refused(&self, code: Option<i32>, said: &str) -> ClusterError {
        let login = ["Permission denied", "Host key verification failed", "authentication"];
        if self.ssh.is_some() && login.iter().any(|words| said.contains(words)) {
            return ClusterError::NeedsLogin {
                cluster: self.cluster.clone(),
                why: said.to_owned(),
            };
        }
        let said = match (said, code) {
            ("", Some(code)) => format!("ended with code {code}"),
            ("", None) => "was killed".to_owned(),
            (said, _) => said.to_owned(),
        };
        self.unreachable(said)
    }

    /// Makes the shared connection when there is none.
    pub(super) async fn connect(&self, ssh: &Ssh) -> Result<(), ClusterError> {
        let _one = ssh.connecting.lock().await;
        let mut check = ssh.command();
        check.args(["-O", "check", "--", &ssh.host]);
        check.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        if check.status().await.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        if let Some(folder) = ssh.socket.parent() {
            private_folder(folder).map_err(|why| self.unreachable(why))?;
        }
        let words = tempfile::tempfile().map_err(|e| self.unreachable(e.to_string()))?;
        let kept = words.try_clone().map_err(|e| self.unreachable(e.to_string()))?;
        let mut master = ssh.command();
        master.args(MASTER).args(["-f", "-N", "--", &ssh.host]);
        master.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        master.process_group(0).kill_on_drop(true);
        match master.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.refused(status.code(), &last_words(kept))),
            Err(error) => Err(self.unreachable(format!("ssh cannot be started: {error}"))),
        }
    }

    /// The command that asks a person at the terminal for what ssh wants to know,
    /// and leaves the shared connection behind; `None`: there is no ssh.
    pub fn login(&self) -> Option<std::process::Command> {
        let ssh = self.ssh.as_ref()?;
        if let Some(folder) = ssh.socket.parent() {
            private_folder(folder).ok()?;
        }
        let mut command = std::process::Command::new("ssh");
        command.args(&ssh.options).arg("-o").arg(ssh.control_path());
        command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=8h"]);
        command.args(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]);
        command.args(["--", &ssh.host, "true"]);
        Some(command)
    }
}

/// The last thing ssh said that is not a mere notice.
pub(super) fn last_words(mut file: std::fs::File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.take(1 << 16).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.last().map(|line| (*line).to_owned()).unwrap_or_default()
}

/// A folder that is the user's own: whoever can write there could answer for the
/// cluster.
fn private_folder(path: &Path) -> Result<(), String> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let meta = made.and_then(|()| std::fs::symlink_metadata(path));
    match meta {
        Err(error) => Err(format!("{} cannot be used: {error}", path.display())),
        Ok(meta)
            if meta.is_dir()
                && meta.uid() == rustix::process::getuid().as_raw()
                && meta.mode().trailing_zeros() >= 6 =>
        {
            Ok(())
        }
        Ok(_) => {
            Err(format!("{} must be a folder of yours that nobody else can enter", path.display()))
        }
    }
}

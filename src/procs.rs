//! Which process is meant, and starting processes that outlive us.
//!
//! A pid alone proves nothing: it is reused. A [`ProcId`] adds the host, the boot
//! and the start time, so that a record read after a crash or a reboot is never
//! mistaken for a stranger who happens to bear the same number.
//!
//! Detached processes are started in two steps, without `unsafe`: our own binary
//! runs once as `__detach` in a process group of its own (a Ctrl-C in the terminal
//! cannot reach it), starts the real process and ends; the real process is then an
//! orphan that leaves the session with [`leave_session`] as its first act. Nothing
//! is left for the starter to reap, and no descriptor is inherited.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::OnceLock,
};

use serde::{Deserialize, Serialize};

/// The hidden subcommand of the first of the two steps.
pub const DETACH: &str = "__detach";

/// The folder of the local job that a process belongs to, in its environment; what
/// is detached is no part of the job that started it.
pub const JOB_FOLDER: &str = "JOBDECK_JOB_FOLDER";

/// One process of one boot of one host.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcId {
    pub host: String,
    /// The kernel's boot id; empty where there is none.
    pub boot: String,
    pub pid: u32,
    /// Clock ticks since boot at which it started; 0 where the system does not tell.
    pub start: u64,
}

/// What can be said of a process that a record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    Alive,
    /// It ended, or its machine was restarted.
    Gone,
    /// It belongs to another host: nothing can be said from here.
    Elsewhere,
}

impl ProcId {
    pub fn current() -> Self {
        let pid = std::process::id();
        Self::with(pid, start_ticks(pid).unwrap_or(0))
    }

    /// The process that bears this pid now; `None` when there is none (a zombie
    /// counts as none).
    pub fn of(pid: u32) -> Option<Self> {
        running(pid).then(|| Self::with(pid, start_ticks(pid).unwrap_or(0)))
    }

    fn with(pid: u32, start: u64) -> Self {
        Self { host: host().to_owned(), boot: boot_id().to_owned(), pid, start }
    }

    pub fn liveness(&self) -> Liveness {
        if self.host != host() {
            return Liveness::Elsewhere;
        }
        let same_boot = self.boot == boot_id();
        if same_boot && running(self.pid) && start_ticks(self.pid).unwrap_or(0) == self.start {
            Liveness::Alive
        } else {
            Liveness::Gone
        }
    }

    pub fn is_alive(&self) -> bool {
        self.liveness() == Liveness::Alive
    }

    /// It ran before this machine was last started.
    pub fn is_of_earlier_boot(&self) -> bool {
        self.host == host() && self.boot != boot_id()
    }
}

/// Name of this machine; usable as a folder name.
pub fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let name: String =
            name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        if name.is_empty() || name.starts_with('.') { format!("host{name}") } else { name }
    })
}

/// Identity of the present boot; empty where the system has none.
pub fn boot_id() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .map(|text| text.trim().to_owned())
            .unwrap_or_default()
    })
}

/// Fields of `/proc/<pid>/stat` from the third (the state) on; the second, the
/// name, may itself hold spaces and brackets.
fn stat_fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_ascii_whitespace().map(str::to_owned).collect())
}

/// Start time in clock ticks since boot; `None` when it is gone or unknown.
pub fn start_ticks(pid: u32) -> Option<u64> {
    stat_fields(pid)?.get(19)?.parse().ok()
}

/// Parent of a process; `None` when it is gone or unknown.
pub fn parent(pid: u32) -> Option<u32> {
    stat_fields(pid)?.get(1)?.parse().ok()
}

#[cfg(target_os = "linux")]
fn running(pid: u32) -> bool {
    stat_fields(pid).and_then(|f| f.first().cloned()).is_some_and(|s| s != "Z" && s != "X")
}

#[cfg(not(target_os = "linux"))]
fn running(pid: u32) -> bool {
    as_pid(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

/// A pid as system calls want it.
pub(crate) fn as_pid(pid: u32) -> Option<rustix::process::Pid> {
    i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
}

/// Starts `exe args…` so that it outlives us: no terminal, no inherited
/// descriptors, not our child. `env` is added to our environment. Returns its pid.
///
/// The program must be jobdeck itself (it is also the helper of the first step)
/// and must call [`leave_session`] first.
///
/// # Errors
/// What the system said, when either step could not be started.
pub fn spawn_detached<A: AsRef<OsStr>>(
    exe: &Path,
    args: &[A],
    env: &[(&str, &str)],
) -> io::Result<u32> {
    use std::os::unix::process::CommandExt as _;
    let output = Command::new(exe)
        .arg(DETACH)
        .args(args)
        .env_remove(JOB_FOLDER)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let why = text.trim();
        let why = if why.is_empty() { "no answer" } else { why };
        io::Error::other(format!("{} {DETACH}: {why}", exe.display()))
    })
}

/// The first of the two steps: starts our own binary with `args` and prints its
/// pid. Called by `main` for [`DETACH`], before anything else is set up.
pub fn detach_main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let started = std::env::current_exe().and_then(|exe| {
        Command::new(exe)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    });
    match started {
        Ok(child) => {
            println!("{}", child.id());
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Leaves the terminal's session for one of our own, so that neither a hang-up
/// nor a key press reaches this process. Already leading one is fine.
pub fn leave_session() {
    // The only error is EPERM: we lead a process group already, which serves as well.
    let _ = rustix::process::setsid();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_look_alikes_are_not() {
        let me = ProcId::current();
        assert!(me.is_alive());
        assert_eq!(ProcId::of(me.pid), Some(me.clone()));
        if cfg!(target_os = "linux") {
            assert!(!ProcId { start: me.start + 1, ..me.clone() }.is_alive());
        }
        let rebooted = ProcId { boot: "earlier".into(), ..me.clone() };
        assert_eq!(rebooted.liveness(), Liveness::Gone);
        assert!(rebooted.is_of_earlier_boot());
        let far = ProcId { host: "elsewhere".into(), ..me };
        assert_eq!(far.liveness(), Liveness::Elsewhere);
    }

    #[test]
    fn a_zombie_is_gone() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = as_pid(child.id()).unwrap();
        rustix::process::waitid(
            rustix::process::WaitId::Pid(pid),
            rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT,
        )
        .unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(ProcId::of(child.id()), None);
        }
        child.wait().unwrap();
    }
}

//! This machine: state folder, GPUs, logging out, the terminal.

use std::{
    fs::{self, File, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Check;
use crate::{
    cli::{out::Out, records::amount},
    config::{Config, KindSettings, LocalGpus, paths::StateDir},
};

/// Below this much space a warning is due: logs of jobs lie there.
const LITTLE_SPACE: u64 = 1 << 30;

/// Whether runs can be recorded there.
pub fn state_folder(state: &StateDir, checks: &mut Vec<Check>) -> bool {
    const NAME: &str = "state folder";
    let path = state.path();
    let shown = path.display();
    if let Err(e) = write_and_lock(path) {
        checks.push(
            Check::problem(NAME, format!("{shown} cannot be used: {e}"))
                .hint("set JOBDECK_STATE_DIR to a folder of your own"),
        );
        return false;
    }
    checks.push(Check::ok(NAME, format!("{shown} can be written and locked")));
    if let Some(kind) = network_file_system(path) {
        checks.push(
            Check::note(NAME, format!("it lies on {kind}, shared with other machines")).hint(
                "carry a run on from one machine at a time; set JOBDECK_STATE_DIR to a local disk \
                 for speed",
            ),
        );
    }
    if let Ok(space) = rustix::fs::statvfs(path) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        if free < LITTLE_SPACE {
            checks.push(
                Check::warning(NAME, format!("only {} are free there", amount(free)))
                    .hint("remove old runs: `jobdeck clean --older 30d`"),
            );
        }
    }
    true
}

/// Tries what the journal does: make a file, write, sync, lock it.
fn write_and_lock(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|e| e.to_string())?;
    let mut file = tempfile::NamedTempFile::new_in(path).map_err(|e| e.to_string())?;
    file.write_all(b"jobdeck doctor\n").map_err(|e| e.to_string())?;
    file.as_file().sync_all().map_err(|e| format!("it cannot be synced: {e}"))?;
    // A second handle: a lock binds the open file, not the path.
    let other = File::open(file.path()).map_err(|e| e.to_string())?;
    file.as_file().try_lock().map_err(|e| format!("files there cannot be locked: {e}"))?;
    match other.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(()),
        _ => Err("locks there do not hold".into()),
    }
}

/// The kind of network file system the path lies on.
#[cfg(target_os = "linux")]
fn network_file_system(path: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(path).ok()?.f_type;
    // Magic numbers of statfs(2), compared as they are given.
    match kind as u64 & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b | 0xfe53_4d42 | 0xff53_4d42 => Some("SMB"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x4750_4653 => Some("GPFS"),
        0x00c3_6400 => Some("Ceph"),
        0x1983_0326 => Some("BeeGFS"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// What the local executor will find.
pub fn gpus(config: &Config, checks: &mut Vec<Check>) {
    const NAME: &str = "GPUs here";
    let local = config.clusters.values().find_map(|cluster| match &cluster.settings {
        KindSettings::Local(settings) if cluster.enabled => Some(settings),
        _ => None,
    });
    let Some(local) = local else { return };
    if let LocalGpus::Count(n) = local.gpus {
        checks.push(Check::ok(NAME, format!("{n} slots, as configured")));
        return;
    }
    let listed = Command::new("nvidia-smi")
        .arg("-L")
        .stdin(Stdio::null())
        .output()
        .map(|output| (output.status.success(), output.stdout));
    checks.push(match listed {
        Ok((true, text)) => {
            let text = String::from_utf8_lossy(&text);
            let n = text.lines().filter(|line| line.starts_with("GPU ")).count();
            Check::ok(NAME, format!("nvidia-smi lists {n}"))
        }
        Ok((false, _)) => Check::warning(NAME, "nvidia-smi fails: the local executor has no GPUs")
            .hint("run `nvidia-smi` to see why; or set `gpus: N` in the cluster's entry"),
        Err(_) => Check::note(NAME, "no nvidia-smi: the local executor runs CPU jobs only")
            .hint("`gpus: N` in the cluster's entry makes N slots all the same"),
    });
}

/// Whether background processes outlive the session.
pub fn logout(checks: &mut Vec<Check>) {
    const NAME: &str = "logging out";
    if !Path::new("/run/systemd/system").exists() || std::env::var_os("XDG_SESSION_ID").is_none() {
        return;
    }
    let kills = setting("KillUserProcesses").is_some_and(|value| {
        matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
    });
    let user = std::env::var("USER").unwrap_or_default();
    let lingers = !user.is_empty() && Path::new("/var/lib/systemd/linger").join(&user).exists();
    checks.push(if kills && !lingers {
        Check::warning(
            NAME,
            "this machine ends your processes when you log out (KillUserProcesses)",
        )
        .hint(format!(
            "allow them to stay: `loginctl enable-linger {user}`; else local jobs end with the \
                 session and unsent jobs are held until you come back"
        ))
    } else {
        Check::ok(NAME, "background processes outlive the session")
    });
}

/// The last value that logind's files give a setting.
fn setting(name: &str) -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/systemd/logind.conf")];
    for folder in ["/usr/lib/systemd/logind.conf.d", "/etc/systemd/logind.conf.d"] {
        let mut more: Vec<PathBuf> = fs::read_dir(folder)
            .map(|entries| entries.filter_map(|e| Some(e.ok()?.path())).collect())
            .unwrap_or_default();
        more.sort();
        files.extend(more);
    }
    files
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .filter_map(|text| value_of(&text, name))
        .next_back()
}

fn value_of(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .next_back()
}

/// What the UI will look like.
pub fn terminal(out: &Out, checks: &mut Vec<Check>) {
    const NAME: &str = "terminal";
    if !out.terminal {
        checks.push(Check::note(
            NAME,
            "standard output is no terminal: commands work, the UI does not",
        ));
        return;
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let term = variable("TERM");
    let colours = if !variable("NO_COLOR").is_empty() {
        "none (NO_COLOR)"
    } else if matches!(variable("COLORTERM").as_str(), "truecolor" | "24bit") {
        "24 bit"
    } else if term.contains("256color") {
        "256"
    } else {
        "16"
    };
    let (width, height) = crossterm::terminal::size().unwrap_or((0, 0));
    let text = format!("{term}, {width}×{height}, colours: {colours}");
    checks.push(if width < 60 || height < 16 {
        Check::warning(NAME, text).hint("the UI wants at least 60×16; 80×24 is comfortable")
    } else {
        Check::ok(NAME, text)
    });
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let locale = locale.iter().find(|value| !value.is_empty()).cloned().unwrap_or_default();
    if !locale.to_ascii_lowercase().replace('-', "").contains("utf8") {
        checks.push(
            Check::warning(
                NAME,
                format!("the locale `{locale}` is not UTF-8; symbols may look odd"),
            )
            .hint("set LANG=C.UTF-8"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_setting_counts() {
        let text =
            "[Login]\n#KillUserProcesses=no\nKillUserProcesses = no\nKillUserProcesses=yes\n";
        assert_eq!(value_of(text, "KillUserProcesses").as_deref(), Some("yes"));
        assert_eq!(value_of("[Login]\n#KillUserProcesses=yes\n", "KillUserProcesses"), None);
    }

    #[test]
    fn a_folder_that_can_be_used_is_told_from_one_that_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let mut checks = Vec::new();
        assert!(state_folder(&StateDir::new(folder.path().join("state")), &mut checks));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(!state_folder(&StateDir::new(file.join("state")), &mut checks));
    }
}

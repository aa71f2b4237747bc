//! The processes of a job: ending all of them, wherever they have gone.
//!
//! Every replica leads a process group of its own, which takes most of its
//! descendants along. Those that made a session of their own are found by their
//! parents while these live, and by the job's folder in their environment.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::wire::Leader;
use crate::procs::{self, JOB_FOLDER};

/// A process that exists now; `None` when it is gone.
pub fn leader(pid: u32) -> Option<Leader> {
    procs::ProcId::of(pid).map(|id| Leader { pid, start: id.start })
}

/// It is still that very process, and no zombie.
pub fn is_alive(process: Leader) -> bool {
    leader(process.pid) == Some(process)
}

/// Signals one process, if it still is the one that is meant.
pub fn signal(process: Leader, signal: Signal) {
    if let Some(pid) = procs::as_pid(process.pid)
        && is_alive(process)
    {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Signals a process group. Only for groups whose number cannot have been reused:
/// their leader is our child, or alive, or members are known to be left.
pub fn signal_group(group: u32, signal: Signal) {
    if let Some(pid) = procs::as_pid(group) {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
}

/// No process that we may signal is left in the group. Its leader must have been
/// reaped (a zombie counts as a member).
pub fn group_is_empty(group: u32) -> bool {
    procs::as_pid(group).is_none_or(|pid| {
        use rustix::io::Errno;
        let asked = rustix::process::test_kill_process_group(pid);
        matches!(asked, Err(Errno::SRCH | Errno::PERM))
    })
}

fn all_pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|e| e.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Everything that descends from these processes.
pub fn descendants(roots: &[u32]) -> Vec<Leader> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all_pids() {
        if let Some(parent) = procs::parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut seen: HashSet<u32> = roots.iter().copied().collect();
    let mut open: Vec<u32> = roots.to_vec();
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if seen.insert(*child) {
                open.push(*child);
                found.extend(leader(*child));
            }
        }
    }
    found
}

/// Every process that was started by the job, by the folder in its environment.
pub fn marked(job: &Path) -> Vec<Leader> {
    let mark = [JOB_FOLDER.as_bytes(), b"=", job.as_os_str().as_bytes()].concat();
    let me = std::process::id();
    all_pids()
        .into_iter()
        .filter(|pid| *pid != me)
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|var| var == mark))
        })
        .filter_map(leader)
        .collect()
}

/// Ends what is left of a job whose supervisor is gone: TERM, and KILL once the
/// grace period is over. Returns whether there was anything left. Blocks.
pub fn end_orphans(job: &Path, leaders: &[Leader], grace: Duration) -> bool {
    let left = || {
        let mut left = marked(job);
        left.extend(leaders.iter().copied().filter(|l| is_alive(*l)));
        left
    };
    let mut orphans = left();
    if orphans.is_empty() {
        return false;
    }
    // A group may hold members whose environment was overwritten.
    let groups: Vec<Leader> = leaders.iter().copied().filter(|l| is_alive(*l)).collect();
    for group in &groups {
        signal_group(group.pid, Signal::TERM);
    }
    for orphan in &orphans {
        signal(*orphan, Signal::TERM);
    }
    let deadline = Instant::now() + grace;
    while !orphans.is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
        orphans.retain(|o| is_alive(*o));
    }
    for group in groups.iter().filter(|g| is_alive(**g)) {
        signal_group(group.pid, Signal::KILL);
    }
    // More may have been started meanwhile.
    for _ in 0..100 {
        let orphans = left();
        if orphans.is_empty() {
            break;
        }
        for orphan in orphans {
            signal(orphan, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// How often the kernel has killed a process for want of memory: on the whole
/// machine and in our own control group, whatever can be read.
pub fn oom_kills() -> u64 {
    let counter = |text: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix("oom_kill "))
            .and_then(|n| n.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let read = |path: &str| fs::read_to_string(path).map_or(0, |text| counter(&text));
    let mut kills = read("/proc/vmstat");
    for line in fs::read_to_string("/proc/self/cgroup").unwrap_or_default().lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(kinds), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        kills += match kinds {
            "" => read(&format!("/sys/fs/cgroup{path}/memory.events")),
            "memory" => read(&format!("/sys/fs/cgroup/memory{path}/memory.oom_control")),
            _ => 0,
        };
    }
    kills
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{os::unix::process::CommandExt as _, process::Command};

    use super::*;

    #[test]
    fn orphans_are_found_by_folder_even_in_a_session_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path();
        let mut child = Command::new("sh")
            .args(["-c", "trap '' TERM; setsid sleep 600 & wait; sleep 600"])
            .env(JOB_FOLDER, folder)
            .process_group(0)
            .spawn()
            .unwrap();
        let me = leader(child.id()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while descendants(&[child.id()]).is_empty() || marked(folder).len() < 2 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        let reaper = std::thread::spawn(move || child.wait());
        assert!(end_orphans(folder, &[me], Duration::from_millis(200)));
        assert!(marked(folder).is_empty());
        reaper.join().unwrap().unwrap();
        assert!(!end_orphans(folder, &[me], Duration::ZERO));
    }
}

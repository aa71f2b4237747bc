//! Killed processes, a rebooted machine, a full disk, a folder that vanishes: what
//! was accepted runs exactly once, what was claimed at most once, nothing lies.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use jobdeck::{
    cluster::{Cluster as _, Found, KeyedJob, SubmitError},
    config::{LocalGpus, LocalSettings},
    domain::{
        ids::{ClusterId, JobKey},
        status::{Cause, Status},
    },
};

use crate::{
    machine::{Machine, exe, is_alive, job, key, keyed, kill},
    wait,
};

fn keys(jobs: &[KeyedJob]) -> Vec<JobKey> {
    jobs.iter().map(|j| j.key.clone()).collect()
}

/// Jobs that each leave their number in one file.
fn counting(m: &Machine, count: u32, seconds: &str) -> Vec<KeyedJob> {
    let file = m.file("ran");
    (0..count)
        .map(|ix| {
            let script = format!("sleep {seconds}; echo {ix} >> {}", file.display());
            keyed("r", ix, job(&format!("j{ix}"), &script))
        })
        .collect()
}

fn assert_ran_once(m: &Machine, count: u32) {
    let mut ran: Vec<u32> = m.text("ran").lines().map(|l| l.parse().unwrap()).collect();
    ran.sort_unstable();
    assert_eq!(ran, (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_killed_executor_costs_nothing_but_time() {
    let m = Machine::new(0, 4.0);
    let jobs = counting(&m, 40, "0.05");
    m.submit(&jobs).await;
    let keys = keys(&jobs);
    for _ in 0..8 {
        // At another moment each time; observing starts the next one.
        let ended = m.text("ran").lines().count();
        wait::until_so("an executor and progress", || {
            m.text("ran").lines().count() > ended || m.text("ran").lines().count() == 40
        });
        if let Some(pid) = m.executor() {
            kill(pid);
            wait::until_so("it is gone", || !is_alive(pid));
        }
        m.observe(&keys).await;
    }
    for facts in m.until_ended(&keys).await {
        assert_eq!(facts.status, Status::Succeeded, "{facts:?}");
    }
    assert_ran_once(&m, 40);
}

#[tokio::test]
async fn running_jobs_outlive_the_executor_and_keep_their_slots() {
    let m = Machine::new(1, 4.0);
    let gpu = |ix, script: &str| {
        let mut spec = job("j", script);
        spec.gpus = "1".parse().unwrap();
        keyed("r", ix, spec)
    };
    let go = m.file("go");
    let first = gpu(0, &format!("until [ -e {} ]; do sleep 0.02; done", go.display()));
    let second = gpu(1, "true");
    m.submit(&[first.clone(), second.clone()]).await;
    m.until_running(&first.key).await;
    kill(m.executor().unwrap());
    wait::until_so("the executor is gone", || m.executor().is_none());
    assert_eq!(m.facts(&first.key).await.status, Status::Running);
    wait::until_so("another executor", || m.executor().is_some());
    // It has seen the queue by the time it answers for the slots.
    wait::until_async("it knows of the running job", async || {
        let running = m.cluster.capacity().await.unwrap().running;
        if running == Some(1) { Ok(()) } else { Err(running) }
    })
    .await;
    assert_eq!(m.facts(&second.key).await.status, Status::Pending, "its slot is taken");
    fs::write(go, "").unwrap();
    for facts in m.until_ended(&[first.key, second.key]).await {
        assert_eq!(facts.status, Status::Succeeded, "{facts:?}");
    }
}

#[tokio::test]
async fn a_killed_supervisor_fails_its_job_once_and_leaves_nothing_running() {
    let m = Machine::new(0, 1.0);
    let script = format!(
        "echo $$ >> {0}; setsid sh -c 'echo $$ >> {0}; sleep 600' & sleep 600",
        m.file("pids").display()
    );
    let (lost, next) = (keyed("r", 0, job("lost", &script)), keyed("r", 1, job("next", "true")));
    m.submit(&[lost.clone(), next.clone()]).await;
    wait::until_so("both processes", || m.text("pids").lines().count() == 2);
    kill(m.supervisor(&lost.key));
    let facts = m.until_ended(&[lost.key.clone(), next.key]).await;
    assert_eq!((facts[0].status, facts[0].cause), (Status::Failed, Some(Cause::Node)));
    assert!(facts[0].reason.as_ref().unwrap().contains("supervisor was killed"));
    assert!(facts[0].started_at.is_some() && facts[0].exit_code.is_none());
    assert_eq!(facts[1].status, Status::Succeeded);
    let pids: Vec<u32> = m.text("pids").lines().map(|l| l.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2, "it was not started again");
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

#[tokio::test]
async fn executor_and_supervisor_killed_together() {
    let m = Machine::new(0, 1.0);
    let lost = keyed(
        "r",
        0,
        job("lost", &format!("echo $$ >> {}; exec sleep 600", m.file("pids").display())),
    );
    m.submit(std::slice::from_ref(&lost)).await;
    wait::until_so("it runs", || m.text("pids").lines().count() == 1);
    kill(m.executor().unwrap());
    kill(m.supervisor(&lost.key));
    let facts = m.until_ended(std::slice::from_ref(&lost.key)).await;
    assert_eq!((facts[0].status, facts[0].cause), (Status::Failed, Some(Cause::Node)));
    assert!(!is_alive(m.text("pids").trim().parse().unwrap()));
}

#[tokio::test]
async fn a_restarted_machine_fails_what_ran_and_runs_what_waited() {
    let m = Machine::new(0, 1.0);
    let script = format!("echo x >> {}; exec sleep 600", m.file("starts").display());
    let (ran, waited) = (keyed("r", 0, job("ran", &script)), keyed("r", 1, job("waited", "true")));
    m.submit(&[ran.clone(), waited.clone()]).await;
    wait::until_so("it runs", || m.text("starts") == "x\n");
    let state = m.root().join("jobs").join(ran.key.to_string()).join("state");
    wait::until_so("its process is recorded", || {
        fs::read_to_string(&state).unwrap().lines().nth(1).unwrap().contains("pid")
    });
    kill(m.executor().unwrap());
    kill(m.supervisor(&ran.key));
    // As after a boot: the claim bears another boot id, its pid is somebody else's.
    let text = fs::read_to_string(&state).unwrap();
    let boot = jobdeck::procs::boot_id();
    let other = "0".repeat(boot.len());
    let me = std::process::id();
    let theirs = format!("\"pid\":{}", m.supervisor(&ran.key));
    let ours = format!("\"pid\":{me:0>width$}", width = theirs.len() - 6);
    let ours = if me.to_string().len() == theirs.len() - 6 { ours } else { theirs.clone() };
    let orphan = text.lines().nth(1).unwrap().to_owned();
    fs::write(&state, text.replacen(boot, &other, 1).replacen(&theirs, &ours, 1)).unwrap();
    let facts = m.until_ended(&[ran.key.clone(), waited.key]).await;
    assert_eq!((facts[0].status, facts[0].cause), (Status::Failed, Some(Cause::Node)));
    assert_eq!(facts[0].reason.as_deref(), Some("the machine was restarted while it ran"));
    assert_eq!(facts[1].status, Status::Succeeded);
    assert_eq!(m.text("starts"), "x\n", "it was not started again");
    // A real restart would have ended its process.
    let leaders: serde_json::Value = serde_json::from_str(orphan.trim()).unwrap();
    kill(u32::try_from(leaders["leaders"][0]["pid"].as_u64().unwrap()).unwrap());
}

#[tokio::test]
async fn an_idle_executor_leaves_and_no_arrival_is_lost() {
    let m = Machine::new(0, 1.0);
    for round in 0..24 {
        let job = keyed("r", round, job("j", "true"));
        m.submit(std::slice::from_ref(&job)).await;
        m.until_ended(&[job.key]).await;
        // Not waiting for anything, but looking for the moment at which it decides to
        // leave: every few milliseconds earlier or later.
        let pause = Duration::from_millis(470 + u64::from(round) * 4);
        tokio::time::sleep(pause).await;
    }
    wait::until_so("it leaves", || m.executor().is_none());
    let left: Vec<_> = fs::read_dir(m.root().join("requests")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn an_executor_that_cannot_start_says_why() {
    let m = Machine::new(0, 1.0);
    m.submit(&[keyed("r", 0, job("j", "true"))]).await;
    m.until_ended(&[key("r", 0)]).await;
    wait::until_so("it leaves", || m.executor().is_none());
    let epoch = m.root().join("epoch");
    let good = fs::read(&epoch).unwrap();
    fs::write(&epoch, "garbage").unwrap();
    m.submit(&[keyed("r", 1, job("j", "true"))]).await;
    let job = [Machine::watched(&key("r", 1))];
    // However often it is looked at: the row says why, and so does the machine.
    for _ in 0..3 {
        let facts = wait::until_async("the row says why", async || {
            let seen = m.cluster.observe(&job).await.unwrap();
            let facts = seen.into_iter().next().and_then(|observed| observed.facts);
            facts.filter(|f| f.blocked).ok_or("not blocked")
        })
        .await;
        assert!(facts.reason.unwrap().ends_with("does not hold a number"));
    }
    let error = m.cluster.capacity().await.unwrap_err().to_string();
    assert!(error.contains("does not hold a number"), "{error}");
    fs::write(&epoch, good).unwrap();
    m.until_ended_after_all(&key("r", 1)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_waiting_executor_uses_no_cpu() {
    let m = Machine::new(1, 1.0);
    let mut never = job("never", "true");
    never.gpus = "8".parse().unwrap();
    let (never, long) = (keyed("r", 0, never), keyed("r", 1, job("long", "exec sleep 600")));
    m.submit(&[never.clone(), long.clone()]).await;
    m.until_running(&long.key).await;
    let used = |pid: u32| -> (u64, u64) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap()
            .split_whitespace()
            .filter_map(|f| f.parse().ok())
            .collect();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let woken =
            status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        (fields[10] + fields[11], woken.trim().parse().unwrap())
    };
    let pids = [m.executor().unwrap(), m.supervisor(&long.key)];
    // What is still on its way may wake them; one that looks again and again by
    // itself never leaves so much time between.
    let mut last = (pids.map(used), Instant::now());
    wait::until("two seconds in which nothing wakes", || {
        let now = pids.map(used);
        if now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() >= Duration::from_secs(2) { Ok(()) } else { Err(now) }
    });
    let both = [never.key, long.key];
    m.cancel(&both).await;
    m.until_ended(&both).await;
}

#[tokio::test]
async fn everything_ends_when_the_root_folder_vanishes() {
    let m = Machine::new(0, 1.0);
    let script = format!("echo $$ >> {}; exec sleep 600", m.file("pids").display());
    let (runs, waits) = (keyed("r", 0, job("runs", &script)), keyed("r", 1, job("waits", "true")));
    m.submit(&[runs.clone(), waits]).await;
    wait::until_so("it runs", || m.text("pids").lines().count() == 1);
    let pids =
        [m.executor().unwrap(), m.supervisor(&runs.key), m.text("pids").trim().parse().unwrap()];
    fs::remove_dir_all(m.root()).unwrap();
    for (who, pid) in ["executor", "supervisor", "job"].into_iter().zip(pids) {
        wait::until_so(&format!("{who} {pid} ends"), || !is_alive(pid));
    }
    assert!(!m.root().exists(), "nothing was made anew");
}

/// A small file system of our own; `None` where we may not mount one.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn new(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|o| o.status.success());
        mounted.then_some(Self { dir })
    }
    fn path(&self) -> &Path {
        self.dir.path()
    }
    /// Takes all the room that is left.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::create(self.path().join("filler")).unwrap();
        for size in [65536, 4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }
    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).output();
    }
}

fn on_disk(disk: &SmallDisk) -> Machine {
    let settings =
        LocalSettings { gpus: LocalGpus::Count(0), cpus: Some(1.0), grace_secs: Some(1) };
    let root = disk.path().join("root");
    let cluster =
        jobdeck::cluster::local::LocalCluster::new(ClusterId::new("local"), &settings, root, exe());
    Machine { dir: tempfile::tempdir().unwrap(), cluster }
}

#[tokio::test]
async fn a_full_disk_accepts_nothing_and_starts_nothing() {
    let Some(disk) = SmallDisk::new("size=2m") else { return };
    let m = on_disk(&disk);
    let ran = m.file("ran");
    let counting = |ix: u32| keyed("r", ix, job("j", &format!("echo {ix} >> {}", ran.display())));
    m.submit(&[counting(0)]).await;
    m.until_ended(&[key("r", 0)]).await;
    disk.fill();
    let refused = m.try_submit(&[counting(1), counting(2)]).await;
    assert!(matches!(refused, Err(SubmitError::Unavailable(_))), "{refused:?}");
    for ix in [1, 2] {
        assert_eq!(m.find(&key("r", ix)).await, Found::Absent);
    }
    disk.make_room();
    m.submit(&[counting(1), counting(2)]).await;
    m.until_ended(&[key("r", 1), key("r", 2)]).await;
    assert_ran_once(&m, 3);
}

#[tokio::test]
async fn a_disk_that_fills_up_loses_no_exit_code_and_holds_back_what_waits() {
    let Some(disk) = SmallDisk::new("size=2m") else { return };
    let m = on_disk(&disk);
    let (ran, go) = (m.file("ran"), m.file("go"));
    let script = format!(
        "echo 0 >> {}; until [ -e {} ]; do sleep 0.02; done; echo lost; exit 42",
        ran.display(),
        go.display()
    );
    let first = keyed("r", 0, job("first", &script));
    let second = keyed("r", 1, job("second", &format!("echo 1 >> {}", ran.display())));
    m.submit(&[first.clone(), second.clone()]).await;
    wait::until_so("it runs", || m.text("ran") == "0\n");
    disk.fill();
    fs::write(&go, "").unwrap();
    let facts = m.until_ended(std::slice::from_ref(&first.key)).await;
    assert_eq!(facts[0].exit_code, Some(42), "{facts:?}");
    assert_eq!(m.facts(&second.key).await.status, Status::Pending);
    assert_eq!(m.text("ran"), "0\n", "it was not started without a record");
    disk.make_room();
    let facts = m.until_ended(std::slice::from_ref(&second.key)).await;
    assert_eq!(facts[0].status, Status::Succeeded);
    assert_ran_once(&m, 2);
}

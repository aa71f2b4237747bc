//! What starts when, and on what: slots, fractions, arrival, limits, dependencies.

use std::fs;

use jobdeck::{
    cluster::KeyedJob,
    config::{LocalGpus, LocalSettings},
    domain::{
        ids::{ClusterId, JobKey},
        job::DependencyCondition,
        status::{Cause, Status},
    },
};

use crate::{
    machine::{Machine, awaited, exe, job, key, keyed, succeeded},
    wait,
};

fn keys(jobs: &[KeyedJob]) -> Vec<JobKey> {
    jobs.iter().map(|j| j.key.clone()).collect()
}

/// Marks its beginning and its end in a file, to count how many run at once.
fn marking(m: &Machine, name: &str, seconds: &str) -> String {
    let file = m.file("marks");
    format!(
        "echo b {name} $CUDA_VISIBLE_DEVICES >> {0}; sleep {seconds}; echo e >> {0}",
        file.display()
    )
}

fn most_at_once(marks: &str) -> usize {
    let (mut now, mut most) = (0usize, 0);
    for line in marks.lines() {
        if line.starts_with('b') {
            now += 1;
        } else {
            now -= 1;
        }
        most = most.max(now);
    }
    most
}

/// Names in the order in which they began.
fn begun(marks: &str) -> Vec<String> {
    let names = marks.lines().filter_map(|l| l.strip_prefix("b "));
    names.filter_map(|l| l.split_whitespace().next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_slot_has_one_owner_whoever_submits() {
    let m = Machine::new(2, 8.0);
    let lock = m.file("slot");
    let script = format!(
        "exec 9>{0}.$CUDA_VISIBLE_DEVICES; flock -n 9 || echo clash >> {0}; sleep 0.05",
        lock.display()
    );
    let all: Vec<JobKey> =
        (0..4).flat_map(|run| (0..5).map(move |ix| key(&format!("r{run}"), ix))).collect();
    // Several programs submit at the same time, each starting an executor if need be.
    let (m, script) = (&m, &script);
    let submissions = (0..4).map(|run| {
        let jobs: Vec<KeyedJob> = (0..5)
            .map(|ix| {
                let mut spec = job(&format!("j{ix}"), script);
                spec.gpus = "1".parse().unwrap();
                keyed(&format!("r{run}"), ix, spec)
            })
            .collect();
        async move { m.submit(&jobs).await }
    });
    futures::future::join_all(submissions).await;
    for facts in m.until_ended(&all).await {
        assert_eq!(facts.status, Status::Succeeded, "{facts:?}");
    }
    assert_eq!(m.text("slot"), "", "two jobs had one slot");
    assert!(m.file("slot.0").exists() && m.file("slot.1").exists());
}

#[tokio::test]
async fn fractions_share_a_slot() {
    let m = Machine::new(1, 8.0);
    let jobs: Vec<_> = (0..4)
        .map(|ix| {
            let mut spec = job(&format!("j{ix}"), &marking(&m, "x", "0.3"));
            spec.gpus = "0.5".parse().unwrap();
            keyed("r", ix, spec)
        })
        .collect();
    m.submit(&jobs).await;
    m.until_ended(&keys(&jobs)).await;
    assert_eq!(most_at_once(&m.text("marks")), 2);
    assert!(m.text("marks").lines().filter(|l| l.starts_with('b')).all(|l| l == "b x 0"));
}

#[tokio::test]
async fn first_come_first_served_over_all_submissions() {
    let m = Machine::new(0, 1.0);
    let jobs: Vec<_> = (0..12)
        .map(|ix| keyed("r", ix, job(&ix.to_string(), &marking(&m, &ix.to_string(), "0.01"))))
        .collect();
    for part in jobs.chunks(5) {
        m.submit(part).await;
    }
    m.until_ended(&keys(&jobs)).await;
    let expected: Vec<String> = (0..12).map(|ix| ix.to_string()).collect();
    assert_eq!(begun(&m.text("marks")), expected);
    assert_eq!(most_at_once(&m.text("marks")), 1);
}

#[tokio::test]
async fn memory_that_is_asked_for_is_not_given_twice() {
    let m = Machine::new(0, 8.0);
    let asking = |ix: u32| {
        let mut spec = job(&ix.to_string(), &marking(&m, &ix.to_string(), "0.2"));
        // More than there is means all of it.
        spec.memory = Some("64T".parse().unwrap());
        keyed("r", ix, spec)
    };
    let jobs: Vec<_> = (0..3).map(asking).collect();
    m.submit(&jobs).await;
    m.until_ended(&keys(&jobs)).await;
    assert_eq!(most_at_once(&m.text("marks")), 1);
}

#[tokio::test]
async fn small_jobs_do_not_starve_a_large_one() {
    let m = Machine::new(2, 8.0);
    let gpu = |ix: u32, name: &str, gpus: &str, seconds: &str| {
        let mut spec = job(name, &marking(&m, name, seconds));
        spec.gpus = gpus.parse().unwrap();
        keyed("r", ix, spec)
    };
    let mut jobs = vec![gpu(0, "first", "1", "0.5"), gpu(1, "large", "2", "0.05")];
    jobs.extend((2..16).map(|ix| gpu(ix, &format!("small{ix}"), "1", "0.2")));
    jobs.push(keyed("r", 16, job("cpu", &marking(&m, "cpu", "0.01"))));
    m.submit(&jobs).await;
    m.until_ended(&keys(&jobs)).await;
    let order = begun(&m.text("marks"));
    let position = order.iter().filter(|n| *n != "cpu").position(|n| n == "large").unwrap();
    assert!((2..=5).contains(&position), "what fits may pass, a few times: {order:?}");
    assert!(order.iter().take(4).any(|n| n == "cpu"), "it needs no GPU: {order:?}");
}

#[tokio::test]
async fn a_run_keeps_to_its_limit_and_others_go_on() {
    let m = Machine::new(0, 8.0);
    let mut jobs: Vec<_> =
        (0..6).map(|ix| keyed("r", ix, job("j", &marking(&m, "j", "0.1")))).collect();
    for job in &mut jobs {
        job.run_limit = Some(2);
    }
    let other = keyed("other", 0, job("other", &format!("touch {}", m.file("other").display())));
    m.submit(&jobs).await;
    m.submit(std::slice::from_ref(&other)).await;
    m.until_ended(std::slice::from_ref(&other.key)).await;
    assert!(begun(&m.text("marks")).len() < 6, "it did not wait for the other run");
    m.until_ended(&keys(&jobs)).await;
    assert_eq!(most_at_once(&m.text("marks")), 2);
}

#[tokio::test]
async fn dependencies_are_kept_and_broken_ones_are_said() {
    let m = Machine::new(0, 8.0);
    let a = keyed("r", 0, job("a", &marking(&m, "a", "0.2")));
    let b = keyed("r", 1, job("b", "exit 1"));
    let mut after_a = keyed("r", 2, job("after-a", &marking(&m, "after-a", "0")));
    after_a.after = vec![succeeded(&a.key)];
    let mut after_b = keyed("r", 3, job("after-b", "true"));
    after_b.after = vec![succeeded(&a.key), succeeded(&b.key)];
    let mut after_that = keyed("r", 4, job("after-that", "true"));
    after_that.after = vec![succeeded(&after_b.key)];
    let mut ended = keyed("r", 5, job("ended", "true"));
    ended.after = vec![awaited(&after_b.key, DependencyCondition::Ended)];
    // Sent before what it depends on is known.
    let mut early = keyed("r", 6, job("early", "true"));
    early.after = vec![succeeded(&key("r", 7))];
    let late = keyed("r", 7, job("late", "true"));
    let jobs = [a, b, after_a, after_b, after_that, ended, early];
    m.submit(&jobs).await;
    m.until_ended(&keys(&jobs)[..6]).await;
    let early = m.facts(&key("r", 6)).await;
    assert_eq!((early.status, early.blocked), (Status::Pending, true));
    assert!(early.reason.as_ref().unwrap().contains("never queued here"), "{early:?}");
    m.submit(&[late]).await;
    let facts = m.until_ended(&keys(&jobs)).await;
    let statuses: Vec<Status> = facts.iter().map(|f| f.status).collect();
    let (ok, no) = (Status::Succeeded, Status::NotSubmitted);
    assert_eq!(statuses, [ok, Status::Failed, ok, no, no, ok, ok]);
    assert_eq!(
        (facts[3].cause, facts[3].reason.as_deref()),
        (Some(Cause::Dependency), Some("b failed"))
    );
    assert_eq!(facts[4].reason.as_deref(), Some("after-b was not started"));
    assert_eq!(begun(&m.text("marks")), ["a", "after-a"]);
}

#[tokio::test]
async fn the_same_key_is_accepted_once() {
    let m = Machine::new(0, 1.0);
    let jobs: Vec<_> = (0..3)
        .map(|ix| keyed("r", ix, job("j", &format!("echo {ix} >> {}", m.file("ran").display()))))
        .collect();
    let twice = [jobs[0].clone(), jobs[0].clone()];
    m.submit(&twice).await;
    futures::future::join_all((0..5).map(|_| m.submit(&jobs))).await;
    m.until_ended(&keys(&jobs)).await;
    m.submit(&jobs).await;
    let last = keyed("final", 0, job("last", "true"));
    m.submit(std::slice::from_ref(&last)).await;
    m.until_ended(&[last.key]).await;
    let mut ran: Vec<String> = m.text("ran").lines().map(str::to_owned).collect();
    ran.sort();
    assert_eq!(ran, ["0", "1", "2"]);
}

#[tokio::test]
async fn the_newest_settings_hold() {
    let m = Machine::new(1, 8.0);
    let gpu = |ix: u32| {
        let mut spec = job("j", &marking(&m, "j", "600"));
        spec.gpus = "1".parse().unwrap();
        keyed("r", ix, spec)
    };
    m.submit(&[gpu(0), gpu(1)]).await;
    m.until_running(&key("r", 0)).await;
    let waiting = m.facts(&key("r", 1)).await;
    assert_eq!(waiting.status, Status::Pending);
    assert_eq!(waiting.reason.as_deref(), Some("waits for 1 GPU, 0 free"));
    let settings =
        LocalSettings { gpus: LocalGpus::Count(2), cpus: Some(8.0), grace_secs: Some(1) };
    let root = m.root();
    let grown =
        jobdeck::cluster::local::LocalCluster::new(ClusterId::new("local"), &settings, root, exe());
    let grown = Machine { cluster: grown, dir: tempfile::tempdir().unwrap() };
    grown.submit(&[keyed("more", 0, job("more", "true"))]).await;
    m.until_running(&key("r", 1)).await;
    let two = [key("r", 0), key("r", 1)];
    m.cancel(&two).await;
    m.until_ended(&two).await;
}

#[tokio::test]
async fn capacity_says_what_is_free() {
    use jobdeck::cluster::Cluster as _;
    let m = Machine::new(4, 3.0);
    let idle = m.cluster.capacity().await.unwrap();
    assert_eq!(idle.gpus_total.unwrap().to_string(), "4");
    assert_eq!((idle.gpus_free, idle.cpus_free), (idle.gpus_total, Some(3.0)));
    let mut spec = job("half", "sleep 600");
    spec.gpus = "1.5".parse().unwrap();
    let half = keyed("r", 0, spec);
    m.submit(std::slice::from_ref(&half)).await;
    m.until_running(&half.key).await;
    // The executor tells of it a moment after the job runs.
    let busy = wait::until_async("what it has free", async || {
        let busy = m.cluster.capacity().await.unwrap();
        let told = (busy.running, busy.queue) == (Some(1), Some(0));
        if told { Ok(busy) } else { Err(busy) }
    })
    .await;
    assert_eq!(busy.gpus_free.unwrap().to_string(), "2.5");
    m.cancel(std::slice::from_ref(&half.key)).await;
    m.until_ended(&[half.key]).await;
}

#[tokio::test]
async fn gpus_are_what_nvidia_smi_lists() {
    // The program of that name on PATH of whoever asks; here there is none or a real one.
    use jobdeck::cluster::Cluster as _;
    let m = Machine::with(&LocalSettings::default());
    let listed = std::process::Command::new("nvidia-smi")
        .arg("-L")
        .output()
        .map_or(0, |o| String::from_utf8_lossy(&o.stdout).matches("GPU ").count());
    let capacity = m.cluster.capacity().await.unwrap();
    if std::env::var_os("CUDA_VISIBLE_DEVICES").is_none() {
        assert!(capacity.gpus_total.unwrap().ceil() as usize <= listed);
    }
    assert!(capacity.cpus_total.unwrap() >= 1.0 && capacity.memory_total.unwrap() > 0);
    assert!(!m.root().exists(), "asking leaves no trace");
}

#[tokio::test]
async fn clean_removes_what_has_ended_only() {
    use jobdeck::cluster::Cluster as _;
    let m = Machine::new(0, 2.0);
    let (done, live) =
        (keyed("r", 0, job("done", "true")), keyed("r", 1, job("live", "sleep 600")));
    m.submit(&[done.clone(), live.clone()]).await;
    m.until_ended(std::slice::from_ref(&done.key)).await;
    m.until_running(&live.key).await;
    let watched = [Machine::watched(&done.key), Machine::watched(&live.key)];
    m.cluster.clean(&watched).await.unwrap();
    assert!(!m.root().join("jobs").join(done.key.to_string()).exists());
    assert_eq!(m.observe(&[done.key]).await, [None]);
    assert_eq!(m.facts(&live.key).await.status, Status::Running);
    m.cancel(std::slice::from_ref(&live.key)).await;
    m.until_ended(&[live.key]).await;
    let _ = fs::metadata(m.root()).unwrap();
}

/// Programs of their own, with one state folder: the slots are still given once.
#[test]
fn several_programs_share_one_set_of_slots() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("slot");
    let config = dir.path().join("config.yaml");
    fs::write(&config, "clusters: {local: {kind: local, gpus: 2, cpus: 8}}\n").unwrap();
    let script = format!(
        "exec 9>{0}.$CUDA_VISIBLE_DEVICES; flock -n 9 || echo clash >> {0}; echo x >> {0}.ran; sleep 0.05",
        lock.display()
    );
    let batch = dir.path().join("batch.yaml");
    let text = serde_json::json!({
        "name": "b",
        "jobs": [{"name": "j-{i}", "gpus": 1, "command": script.as_str(), "env": {"I": "{i}"},
                  "sweep": {"i": [1, 2, 3, 4, 5]}}],
    });
    fs::write(&batch, text.to_string().replace("$CUDA_VISIBLE_DEVICES", "${CUDA_VISIBLE_DEVICES}"))
        .unwrap();
    let programs: Vec<_> = (0..4)
        .map(|_| {
            std::process::Command::new(exe())
                .args(["submit", "--yes", "--wait", "--config"])
                .arg(&config)
                .arg(&batch)
                .env("JOBDECK_STATE_DIR", dir.path().join("state"))
                .env("HOME", dir.path())
                .env_remove("XDG_CONFIG_HOME")
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for program in programs {
        let answer = wait::answer(program);
        assert_eq!(answer.code, 0, "{answer:#?}");
    }
    assert!(!lock.exists(), "two jobs had one slot");
    let ran = fs::read_to_string(dir.path().join("slot.ran")).unwrap();
    assert_eq!(ran.lines().count(), 20);
}

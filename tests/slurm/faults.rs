//! Kills, lost answers, a controller that is away: each job runs exactly once.

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use crate::lab::{Lab, disturb};

/// Sixty jobs in three requests, each of which leaves its name when it starts.
fn sixty(lab: &Lab) -> String {
    let started = lab.world.path().join("started");
    format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{0}\n  sweep: {{i: {{range: [0, 20]}}}}\n\
         - name: b\n  cpus: 2\n  command: echo $JOBDECK_JOB >>{0}\n  sweep: {{i: {{range: [0, 20]}}}}\n\
         - name: c\n  cpus: 3\n  command: echo $JOBDECK_JOB >>{0}\n  sweep: {{i: {{range: [0, 20]}}}}\n",
        started.display()
    )
}

#[track_caller]
fn each_once(lab: &Lab, count: usize, what: &str) {
    let lines = lab.started();
    let mut unique = lines.clone();
    unique.dedup();
    assert_eq!(lines.len(), unique.len(), "{what}: started twice: {lines:?}");
    assert_eq!(lines.len(), count, "{what}: {lines:?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_submission_killed_at_any_moment_starts_each_job_once() {
    for kill in 0..20u64 {
        let lab = Lab::new("");
        let file = lab.world.file("batch.yaml", sixty(&lab)).display().to_string();
        let submit = ["submit", &file, "--yes", "--run-id", "r"];
        let mut command = lab.world.command();
        let mut child =
            command.args(submit).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = Instant::now() + Duration::from_millis(kill * 40);
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lab.world.run_args(&[&submit[..], &["--wait"]].concat());
        lab.send_unlaunched_again("r");
        each_once(&lab, 60, &format!("killed after {} ms", kill * 40));
    }
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn an_answer_that_is_lost_is_found_again() {
    let lab = Lab::new("");
    // The first request gets through, and nobody hears of it.
    let once = lab.world.path().join("lost");
    lab.wrap(
        "sbatch",
        &format!(
            "[[ -e {0} || $1 != --parsable ]] && exec \"$real\" \"$@\"\n\"$real\" \"$@\" >/dev/null; touch {0}\n\
             echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\nexit 1",
            once.display()
        ),
    );
    lab.submit("r", &sixty(&lab), true).expect(0);
    each_once(&lab, 60, "an answer was lost");
    assert_eq!(lab.requests().len(), 3);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_request_that_never_arrived_is_sent_again_after_two_looks() {
    let lab = Lab::new("");
    let once = lab.world.path().join("lost");
    lab.wrap(
        "sbatch",
        &format!(
            "[[ -e {0} || $1 != --parsable ]] && exec \"$real\" \"$@\"\ntouch {0}\n\
             echo 'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)' >&2\nexit 1",
            once.display()
        ),
    );
    lab.submit("r", &sixty(&lab), true).expect(0);
    each_once(&lab, 60, "a request was lost");
    assert_eq!(lab.requests().len(), 4);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn code_is_sent_once_for_fifty_jobs() {
    let lab = Lab::new("");
    lab.world.file("src/train.sh", "echo trained $1\n");
    let batch = "jobs:\n- name: a\n  src_dir: src\n  command: sh train.sh {i}\n  sweep: {i: {range: [0, 50]}}\n";
    lab.submit("r", batch, true).expect(0);
    lab.submit("s", batch, true).expect(0);
    let names = lab.code();
    assert_eq!(names.iter().filter(|name| !name.contains(".used")).count(), 1, "{names:?}");
    assert!(lab.world.run("logs s a-50").stdout.contains("trained 49"));
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_controller_that_goes_away_and_comes_back_costs_nothing_but_time() {
    let lab = Lab::alone("");
    let started = lab.world.path().join("started");
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{}; sleep 8\n  sweep: {{i: {{range: [0, 4]}}}}\n",
        started.display()
    );
    lab.submit("r", &batch, false).expect(0);
    // What it saved last it still knows after that.
    lab.world.until("r", "running", |s| s["counts"]["running"] == 4);
    let saved = Instant::now() + Duration::from_secs(6);
    lab.world.until("r", "saved", |_| Instant::now() > saved);
    let stopped = disturb("stop slurmctld", "start slurmctld");
    let away = lab.world.until("r", "away", |s| s["clusters"]["lab"]["reachable"] == false);
    let counts = &away["counts"];
    assert!(
        counts["lost"].as_u64().unwrap_or(0) + counts["failed"].as_u64().unwrap_or(0) == 0,
        "{away:#}"
    );
    drop(stopped);
    lab.world.run("wait r").expect(0);
    each_once(&lab, 4, "the controller was away");
}

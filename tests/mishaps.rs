//! When things go otherwise than hoped: what the commands say of it, and their exit
//! codes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod support;

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rustix::process::Signal;
use serde_json::Value;
use support::{NARROW, World, job, signal, wait};

#[test]
fn a_held_run_was_waited_for_in_vain() {
    let world =
        World::with_batch("jobs: [{name: a, command: 'true'}, {name: b, command: 'true'}]\n");
    world.config(NARROW);
    world.run("submit batch.yaml --yes --no-background --run-id held").expect(0);
    world.until("held", "a has ended", |s| job(s, "a")["status"] == "succeeded");
    let answer = world.run("wait held").expect(1);
    assert!(answer.stderr.contains("1 job never sent, held"), "{answer:#?}");
    assert!(answer.stderr.contains("jobdeck send held"), "{answer:#?}");
    assert_eq!(world.json("wait held --json", 1)["unsent"], 1);
    // A retry that did what it was asked for is none the worse for it.
    world.run("retry held a --yes --wait").expect(0);
    world.run("send held --yes").expect(0);
    world.run("wait held").expect(0);
}

#[test]
fn a_second_interrupt_leaves_jobs_that_were_asked_to_stop() {
    let stubborn = "touch started; trap '' TERM; while :; do sleep 1; done";
    let world =
        World::with_batch(&format!("jobs: [{{name: stubborn, command: \"{stubborn}\"}}]\n"));
    world.config("clusters: {local: {kind: local, grace: 60s}}\n");
    let mut child = world
        .command()
        .args(["submit", "batch.yaml", "--yes", "--wait", "--stop-on-interrupt"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    world.until_file("started");
    signal(&child, Signal::INT);
    assert!(said.by_ref().any(|line| line.unwrap().starts_with("interrupted")));
    signal(&child, Signal::INT);
    let rest: String = said.map(|line| line.unwrap() + "\n").collect();
    assert_eq!(wait::end(&mut child).code(), Some(130), "{rest}");
    assert!(rest.contains("stopped 0 jobs; 1 asked to stop and not ended yet"), "{rest}");
    assert!(rest.contains("1 job is ending") && !rest.contains("goes on"), "{rest}");
}

#[test]
fn whoever_carries_on_is_called_what_it_is() {
    let world = World::with_batch(
        "jobs: [{name: a, command: 'until [ -e go ]; do sleep 0.1; done'}, {name: b, command: 'true'}, {name: c, command: 'true'}]\n",
    );
    world.config(NARROW);
    world.run("submit batch.yaml --yes --run-id r").expect(0);
    let mut waiting = world
        .command()
        .args(["wait", "r"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pid = waiting.id();
    world.until("r", "the wait conducts", |s| s["conductor"]["pid"] == pid);
    let answer = world.run("send r --yes").expect(0);
    let words = format!("an open window or command (pid {pid}) carries on");
    assert!(answer.stderr.contains(&words), "{answer:#?}");
    world.file("go", "");
    assert!(wait::end(&mut waiting).success());
}

#[test]
fn a_retry_of_all_that_failed_says_what_it_leaves_out() {
    let world = World::with_batch("jobs: [{name: long, command: 'sleep 600'}]\n");
    world.run("submit batch.yaml --yes").expect(0);
    world.run("cancel last --yes").expect(0);
    let answer = world.run("retry last --yes").expect(0);
    assert!(answer.stderr.contains("nothing to retry"), "{answer:#?}");
    assert!(answer.stderr.contains("--cause cancelled"), "{answer:#?}");
    let help = world.run("retry --help").expect(0).stdout;
    assert!(!help.contains("without any, all"), "{help}");
}

#[test]
fn what_a_held_run_has_not_sent_is_not_waited_for() {
    let world = World::with_batch(
        "jobs: [{name: one, command: echo one}, {name: two, command: echo two}]\n",
    );
    world.config(NARROW);
    world.run("submit batch.yaml --yes --no-background --run-id first").expect(0);
    world.until("first", "one has ended", |s| job(s, "one")["status"] == "succeeded");
    world.file(
        "again.yaml",
        "on_existing: reuse\njobs: [{name: one, command: echo one}, {name: two, command: echo two}, \
         {name: dep, command: 'true', depends_on: [two]}]\n",
    );
    let plan = world.json("plan again.yaml --json", 0);
    let actions: Vec<_> =
        plan["jobs"].as_array().unwrap().iter().map(|job| job["action"].clone()).collect();
    assert_eq!(actions, ["reuse", "submit", "submit"], "{plan:#}");
    assert!(plan["findings"].to_string().contains("held in run first"), "{plan:#}");
    let status = world.json("submit again.yaml --yes --wait --json", 0);
    assert_eq!(status["completed_jobs"], 3, "{status:#}");
}

#[test]
fn a_cancel_that_reaches_no_cluster_is_no_success() {
    let world = World::with_batch("jobs: [{name: long, cluster: here, command: 'sleep 600'}]\n");
    world.config("clusters: {here: {kind: local}, other: {kind: local}}\n");
    world.run("submit batch.yaml --yes").expect(0);
    world.until("last", "it runs", |s| job(s, "long")["status"] == "running");
    world.config("clusters: {other: {kind: local}}\n");
    let error = world.json("cancel last --yes --json", 5);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("1 job goes on: `here` is not configured"), "{message}");
    world.config("clusters: {here: {kind: local}, other: {kind: local}}\n");
    assert_eq!(world.json("status --json", 0)["jobs"][0]["status"], "running");
    world.run("cancel last --yes").expect(0);
}

#[test]
fn a_cancel_may_say_why() {
    let world = World::with_batch("jobs: [{name: long, command: 'sleep 600'}]\n");
    world.run("submit batch.yaml --yes").expect(0);
    world.until("last", "it runs", |s| job(s, "long")["status"] == "running");
    let why = "wrong data\u{1b}[2J";
    world.run_args(&["cancel", "last", "--yes", "--reason", why]).expect(0);
    let status = world.json("status --json", 0);
    let reason = job(&status, "long")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("cancelled") && reason.ends_with(why), "{reason}");
    let shown = world.run("status").expect(0).stdout;
    assert!(shown.contains("wrong data") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn with_max_failures_all_jobs_run_side_by_side() {
    let meet =
        "touch $JOBDECK_JOB; until [ -e j-1 ] && [ -e j-2 ] && [ -e j-3 ]; do sleep 0.1; done";
    let world = World::with_batch(&format!(
        "max_failures: 1\njobs: [{{name: j, command: '{meet}', sweep: {{i: [1, 2, 3]}}}}]\n"
    ));
    world.config("clusters: {local: {kind: local, cpus: 4}}\n");
    let plan = world.run("plan batch.yaml").expect(0).stdout;
    assert!(plan.contains("sent in waves"), "{plan}");
    world.run("submit batch.yaml --yes --wait").expect(0);
}

#[test]
fn after_so_many_failures_nothing_starts_however_many_went_well_before() {
    let world = World::with_batch(concat!(
        "max_failures: 1\nmax_concurrent: 1\njobs:\n",
        "  - {name: ok, command: 'true # {i}', sweep: {i: {range: [0, 6]}}}\n",
        "  - {name: bad, command: 'exit 1'}\n",
        "  - {name: later, command: 'true # {i}', sweep: {i: {range: [0, 9]}}}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(1);
    let status = world.json("status --json", 0);
    let counts = serde_json::json!({"succeeded": 6, "failed": 1, "waiting": 9});
    assert_eq!(status["counts"], counts, "{status:#}");
}

/// Sent one after the other by a conductor; the first waits for a file `go`.
const ONE_BY_ONE: &str = concat!(
    "max_failures: 1\nmax_concurrent: 1\njobs:\n",
    "  - {name: first, command: 'until [ -e go ]; do sleep 0.05; done'}\n",
    "  - {name: second, command: 'true'}\n",
);

#[test]
fn what_a_killed_conductor_has_not_sent_is_no_live_work() {
    let world = World::with_batch(ONE_BY_ONE);
    let mut submit = world
        .command()
        .args(["submit", "batch.yaml", "--yes", "--wait", "--run-id", "killed"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let plan = world.state().join("runs/killed/plan.json");
    wait::until_so("the run is made", || plan.exists());
    world.until("killed", "the first runs", |s| job(s, "first")["status"] == "running");
    signal(&submit, Signal::KILL);
    wait::end(&mut submit);
    world.file("again.yaml", format!("on_existing: reuse\n{ONE_BY_ONE}"));
    let plan = world.json("plan again.yaml --json", 0);
    let actions: Vec<_> = plan["jobs"].as_array().unwrap().iter().map(|j| &j["action"]).collect();
    assert_eq!(actions, ["attach", "submit"], "{plan:#}");
    world.file("go", "");
    world.run("send killed --yes").expect(0);
    world.run("wait killed").expect(0);
}

#[test]
fn a_look_follows_what_another_run_has_sent_since() {
    let world = World::with_batch(ONE_BY_ONE);
    world.run("submit batch.yaml --yes --run-id leads").expect(0);
    world.until("leads", "the first runs", |s| job(s, "first")["status"] == "running");
    world.run("submit batch.yaml --yes --reuse --run-id follows").expect(0);
    let status = world.json("status follows --json", 0);
    let second = job(&status, "second");
    assert_eq!((&second["status"], &second["action"]), (&"pending".into(), &"attach".into()));
    world.file("go", "");
    world.run("wait leads").expect(0);
    world.until("follows", "it has seen the end", |s| job(s, "second")["status"] == "succeeded");
}

/// The file that fences off earlier executors of the cluster `local`.
fn epoch_file(world: &World) -> std::path::PathBuf {
    let mut hosts = std::fs::read_dir(world.state().join("local")).unwrap();
    hosts.next().unwrap().unwrap().path().join("local/epoch")
}

#[test]
fn an_executor_that_cannot_work_says_why() {
    let world = World::with_batch("jobs: [{name: a, command: 'true'}]\n");
    world.run("submit batch.yaml --yes --wait").expect(0);
    let epoch = epoch_file(&world);
    wait::until("the executor has left", || {
        let status = world.run("clusters").expect(0).stdout;
        let owner = std::fs::read_to_string(epoch.with_file_name("executor.json")).unwrap();
        if owner.trim() == "null" { Ok(()) } else { Err(status) }
    });
    std::fs::write(&epoch, "{{garbage").unwrap();
    world.run("submit batch.yaml --yes --run-id r --fresh").expect(0);
    let why = "cannot work";
    let status = world.until("r", "the row says why", |s| {
        job(s, "a")["reason"].as_str().is_some_and(|reason| reason.contains(why))
    });
    assert_eq!(job(&status, "a")["blocked"], true, "{status:#}");
    assert!(job(&status, "a")["reason"].to_string().contains("epoch does not hold a number"));
    let clusters = world.run("clusters").expect(0).stdout;
    assert!(clusters.contains("trouble") && clusters.contains(why), "{clusters}");
    let doctor = world.run("doctor").stdout;
    assert!(doctor.contains(why) && !doctor.contains("does not answer"), "{doctor}");

    let waiting = world
        .command()
        .args(["wait", "r"])
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(world.path().join("said")).unwrap())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(world.path().join("said")).unwrap();
    wait::until_so("it says that nothing goes on", || said().contains(why));
    std::fs::write(&epoch, "9").unwrap();
    wait::answer(waiting).expect(0);
    assert_eq!(said().matches("nothing goes on by itself").count(), 1, "{}", said());
    let clusters = world.run("clusters").expect(0).stdout;
    assert!(clusters.contains("✓ answers"), "{clusters}");
}

#[test]
fn where_there_is_no_log_the_reason_is_told() {
    let world = World::with_batch(concat!(
        "jobs:\n",
        "  - {name: refused, command: 'true', env: {S: 'env:NOT_SET_ANYWHERE'}}\n",
        "  - {name: missing, command: [/nonexistent/x]}\n",
        "  - {name: nowhere, command: 'true', working_dir: /nonexistent/y}\n",
        "  - {name: killed, command: 'kill -9 $$'}\n",
        "  - {name: loud, command: 'echo out; echo err >&2; exit 3'}\n",
        "  - {name: dep, command: 'true', depends_on: [missing]}\n",
        "  - {name: quiet, command: 'true'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(1);
    let answer = world.run("logs last --failed --stderr").expect(0);
    for line in [
        "refused: no log: ",
        "missing: nothing on standard error: ",
        "nowhere: nothing on standard error: ",
        "killed: nothing on standard error: ",
    ] {
        assert!(answer.stderr.contains(line), "{line}: {answer:#?}");
    }
    assert!(!answer.stderr.contains("loud") && answer.stdout.contains("err"), "{answer:#?}");
    for line in ["logs last dep", "logs last dep -f"] {
        let dep = world.run(line).expect(0);
        assert!(dep.stderr.contains("dep: no log: missing failed"), "{dep:#?}");
    }
    let quiet = world.run("logs last quiet").expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""), "nothing is amiss");
}

#[test]
fn a_cleaned_result_is_neither_promised_nor_shown() {
    let world = World::with_batch(
        "on_existing: reuse\njobs: [{name: a, command: 'head -c 50000 /dev/zero | tr \"\\0\" x'}]\n",
    );
    for run in ["one", "two"] {
        world.run_args(&["submit", "batch.yaml", "--yes", "--wait", "--run-id", run]).expect(0);
    }
    assert_eq!(world.json("status two --json", 0)["jobs"][0]["action"], "reuse");
    assert_eq!(world.run("logs two").expect(0).stdout.len(), 50_000);

    let preview = world.json("clean one --json", 4);
    assert!(preview["runs"][0]["bytes"].as_u64().unwrap() > 50_000, "{preview:#}");
    assert_eq!(preview["runs"][0]["used_by"], serde_json::json!(["two"]));
    let cleaned = world.run("clean one --yes").expect(0);
    assert!(cleaned.stderr.contains("run two uses results of one"), "{cleaned:#?}");

    let logs = world.run("logs two").expect(2);
    assert!(logs.stderr.contains("run one, which was removed"), "{logs:#?}");
    let plan = world.json("plan batch.yaml --json", 0);
    assert_eq!(plan["jobs"][0]["action"], "submit", "{plan:#}");
}

/// Makes a run's files say that they were written long ago.
fn age(world: &World, run: &str, files: &[&str]) {
    let status = world.json(&format!("status {run} --json"), 0);
    let folder = world.state().join("runs").join(run);
    for file in files {
        let mut text = std::fs::read_to_string(folder.join(file)).unwrap();
        for time in [&status["created_at"], &status["jobs"][0]["finished_at"]] {
            let day = time.as_str().map_or("never", |time| &time[..10]);
            text = text.replace(&format!("\"{day}T"), "\"2020-02-02T");
        }
        std::fs::write(folder.join(file), text).unwrap();
    }
    std::fs::remove_file(folder.join("summary.json")).unwrap();
}

#[test]
fn cleaning_by_age_takes_what_ended_long_ago() {
    let world = World::with_batch("jobs: [{name: a, command: 'true'}]\n");
    for run in ["old", "begun-long-ago", "new"] {
        world.run_args(&["submit", "batch.yaml", "--yes", "--wait", "--run-id", run]).expect(0);
    }
    world.config(NARROW);
    world.file("two.yaml", "jobs: [{name: a, command: 'true'}, {name: b, command: 'true'}]\n");
    world.run("submit two.yaml --yes --no-background --run-id held").expect(0);
    world.until("held", "a has ended", |s| job(s, "a")["status"] == "succeeded");
    for run in ["old", "held"] {
        age(&world, run, &["plan.json", "journal.jsonl"]);
    }
    age(&world, "begun-long-ago", &["plan.json"]);

    let preview = world.json("clean --older 30d --json", 4);
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|r| r["run"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&preview["runs"]), ["old"], "{preview:#}");
    assert_eq!(names(&preview["kept"]), ["held"], "{preview:#}");
    world.run("clean --older 30d --yes").expect(0);
    let mut left = names(&world.json("runs --json", 0)["runs"]);
    left.sort();
    assert_eq!(left, ["begun-long-ago", "held", "new"]);
}

//! Lost answers, heads that go, and windows that are killed: no job is lost, none is
//! started twice.

use jobdeck::simulate::ray::Fault;
use rustix::process::Signal;

use crate::{
    lab::{Lab, column, count, node},
    support::{job, signal},
    wait,
};

#[test]
fn a_job_whose_answer_was_lost_is_found_and_runs_once() {
    let lab = Lab::new(&[node(16.0, 8.0)]);
    lab.head(0).set_fault(Fault::DropsAnswers);
    let batch = format!(
        "jobs: [{{name: t, command: '{}', cluster: a, sweep: {{n: {{range: [0, 6]}}}}, env: {{N: '{{n}}'}}}}]",
        lab.mark()
    );
    lab.submit("r", &batch, true).expect(0);
    assert_eq!(lab.started().len(), 6);
}

#[test]
fn a_head_that_was_restarted_knows_nothing_and_its_jobs_are_tried_elsewhere() {
    // Only `b` has room at first; `a` has it for what is tried again.
    let lab = Lab::new(&[node(16.0, 4.0), node(16.0, 4.0)]);
    let fill = "jobs: [{name: fill, command: sleep 600, gpus: 4, cluster: a}]";
    lab.submit("fill", fill, false).expect(0);
    // Another run knows of it by what the cluster says is free.
    wait::until("a is full", || {
        let told = lab.world.json("clusters --json", 0);
        if told["clusters"][0]["gpus_free"] == 0 { Ok(()) } else { Err(told) }
    });
    let go = lab.world.path().join("go");
    let batch = format!(
        "jobs: [{{name: t, command: 'until [ -e {} ]; do sleep 0.1; done', gpus: 1, cluster: auto, \
         max_retries: 2, sweep: {{n: {{range: [0, 4]}}}}, env: {{N: '{{n}}'}}}}]",
        go.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "all run", |status| status["counts"]["running"] == 4);
    lab.world.run("cancel fill --yes").expect(0);
    lab.head(1).restart();
    lab.head(1).set_fault(Fault::NoAgent);
    std::fs::write(go, "").unwrap();
    lab.world.run("wait r").expect(0);
    let status = lab.status("r");
    assert_eq!(column(&status, "status"), ["succeeded"; 4]);
    assert_eq!(column(&status, "cluster"), ["a"; 4]);
    let first = &job(&status, "t-1")["attempts"][0];
    assert_eq!((&first["status"], &first["cause"]), (&"lost".into(), &"lost".into()));
}

#[test]
fn a_head_whose_node_is_dead_has_lost_its_jobs() {
    let lab = Lab::new(&[node(16.0, 4.0)]);
    lab.submit("r", "jobs: [{name: t, command: sleep 600, cluster: a}]", false).expect(0);
    lab.world.until("r", "it runs", |status| status["counts"]["running"] == 1);
    lab.head(0).set_fault(Fault::Zombie);
    lab.world.run("wait r").expect(1);
    assert_eq!(column(&lab.status("r"), "status"), ["lost"]);
    let clusters = lab.world.run("clusters --json").json();
    let error = clusters["clusters"][0]["error"].as_str().unwrap();
    assert!(error.contains("the head's node is dead"), "{error}");
}

#[test]
fn a_cluster_that_does_not_answer_has_failed_nothing() {
    let mut lab = Lab::new(&[node(16.0, 4.0)]);
    lab.submit("r", "jobs: [{name: t, command: sleep 600, cluster: a}]", false).expect(0);
    lab.world.until("r", "it runs", |status| status["counts"]["running"] == 1);
    lab.kill(0);
    lab.world.run("wait r --timeout 3s").expect(124);
    assert_eq!(lab.status("r")["clusters"]["a"]["reachable"], false);
    assert_eq!(column(&lab.status("r"), "status"), ["running"]);
}

#[test]
fn a_cancel_reaches_what_runs_and_what_was_never_sent() {
    let lab = Lab::new(&[node(2.0, 2.0)]);
    let batch = "jobs: [{name: t, command: sleep 600, gpus: 1, cluster: a, sweep: {n: {range: [0, 6]}}, env: {N: '{n}'}}]";
    lab.submit("r", batch, false).expect(0);
    lab.world.until("r", "two run", |status| status["counts"]["running"] == 2);
    lab.world.run("cancel r --yes").expect(0);
    let status = lab.world.until("r", "all stopped", |status| status["counts"]["stopped"] == 6);
    assert_eq!(count(&column(&status, "cause"), "cancelled"), 6);
}

#[test]
fn killed_at_any_moment_every_job_runs_once() {
    let lab = Lab::new(&[node(16.0, 4.0), node(8.0, 2.0)]);
    let batch = format!(
        "jobs: [{{name: t, command: '{}; sleep 0.1', gpus: 1, cluster: auto, sweep: {{n: {{range: [0, 40]}}}}, \
         env: {{N: '{{n}}'}}}}]",
        lab.mark()
    );
    let file = lab.world.file("batch.yaml", batch).display().to_string();
    let line = ["submit", &file, "--yes", "--wait", "--no-background", "--run-id", "r"];
    for kills in 1..=8 {
        let mut child = lab.world.command().args(line).spawn().unwrap();
        let wanted = (kills * 4).min(36);
        wait::until_so("some have started", || lab.started().len() >= wanted);
        signal(&child, Signal::KILL);
        wait::end(&mut child);
    }
    lab.world.run_args(&line).expect(0);
    let mut names: Vec<String> = (1..=40).map(|n| format!("t-{n}")).collect();
    names.sort();
    assert_eq!(lab.started(), names);
}

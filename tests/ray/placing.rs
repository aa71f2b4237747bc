//! One batch over several clusters: nothing is sent that does not fit, each job goes
//! where there is room, and what waits says why.

use crate::{
    lab::{Lab, column, count, node},
    support::job,
};

#[test]
fn a_batch_is_dealt_out_over_both_and_nothing_waits_there() {
    let lab = Lab::new(&[node(16.0, 4.0), node(8.0, 2.0)]);
    let batch = format!(
        "jobs:\n  - {{name: t, command: '{}; sleep 0.5', gpus: 1, cluster: auto, sweep: {{n: {{range: [0, 24]}}}}, \
         env: {{N: '{{n}}'}}}}\n",
        lab.mark()
    );
    lab.submit("r", &batch, true).expect(0);
    assert_eq!(lab.started().len(), 24, "each once");
    let clusters = column(&lab.status("r"), "cluster");
    assert!(count(&clusters, "a") > 8 && count(&clusters, "b") > 3, "{clusters:?}");
    assert_eq!((lab.head(0).had_to_wait(), lab.head(1).had_to_wait()), (0, 0));
}

#[test]
fn what_waits_for_room_says_for_what() {
    let lab = Lab::new(&[node(16.0, 2.0), node(8.0, 0.0)]);
    let batch = "jobs:\n  - {name: long, command: sleep 600, gpus: 1, cluster: auto}\n  \
                 - {name: large, command: 'true', gpus: 2, cluster: auto, depends_on: [{small: ended}]}\n  \
                 - {name: small, command: 'true', cluster: a}\n";
    lab.submit("r", batch, false).expect(0);
    let status = lab.world.until("r", "large waits for room", |status| {
        job(status, "large")["reason"].as_str().is_some_and(|why| why.starts_with("needs"))
    });
    assert_eq!(job(&status, "large")["status"], "waiting");
    assert_eq!(
        job(&status, "large")["reason"],
        "needs 2 GPUs on one node; a has 1 free, b no node that large"
    );
    lab.world.run("cancel r long --yes").expect(0);
    lab.world.run("wait r").expect(0);
    assert_eq!(job(&lab.status("r"), "large")["cluster"], "a");
}

#[test]
fn what_never_fits_is_refused_before_anything_is_sent() {
    let lab = Lab::new(&[node(16.0, 8.0), node(8.0, 4.0)]);
    lab.world.run("clusters").expect(0);
    let answer = lab.submit("r", "jobs: [{name: t, command: x, gpus: 64, cluster: auto}]", true);
    assert_eq!(answer.code, 2, "{answer:#?}");
    assert!(answer.stdout.contains("no machine of `a` has more than 8"), "{answer:#?}");
    assert_eq!(lab.head(0).requests("POST") + lab.head(1).requests("POST"), 0);
}

#[test]
fn one_that_is_away_is_not_waited_for() {
    let mut lab = Lab::new(&[node(16.0, 2.0), node(8.0, 2.0)]);
    lab.kill(0);
    let batch = "jobs: [{name: t, command: 'true', gpus: 1, preferred_cluster: a, sweep: {n: {range: [0, 4]}}, env: {N: '{n}'}}]";
    lab.submit("r", batch, true).expect(0);
    assert_eq!(column(&lab.status("r"), "cluster"), ["b", "b", "b", "b"]);
}

#[test]
fn no_more_are_there_at_once_than_is_allowed() {
    let lab = Lab::with(&[node(16.0, 8.0)], ", max_inflight: 2");
    let batch = "jobs: [{name: t, command: sleep 600, cluster: a, sweep: {n: {range: [0, 4]}}, env: {N: '{n}'}}]";
    lab.submit("r", batch, false).expect(0);
    lab.world.until("r", "two run", |status| status["counts"]["running"] == 2);
    let status = lab.status("r");
    assert_eq!(status["counts"]["waiting"], 2);
    lab.world.run("cancel r --yes").expect(0);
    lab.world.until("r", "all stopped", |status| status["counts"]["stopped"] == 4);
}

#[test]
fn a_document_of_the_scheduler_runs_as_it_is() {
    let lab = Lab::new(&[node(16.0, 2.0), node(8.0, 2.0)]);
    let clusters = format!(
        "clusters:\n  cpu_cluster: {{head_address: '127.0.0.1:10001', dashboard: '{}', tags: [cpu]}}\n  \
         gpu_cluster: {{head_address: '127.0.0.1:10002', dashboard: '{}', tags: [gpu], weight: 0.8, \
         runtime_env: {{env_vars: ['WHO=cluster', 'BOTH=cluster']}}}}\n",
        lab.url(0),
        lab.url(1)
    );
    let file = lab.world.file("clusters.yaml", clusters).display().to_string();
    lab.world.config("");
    let batch = format!(
        "- entrypoint: 'echo $WHO $BOTH > {}/out'\n  job_id: my_job\n  submission_id: sub-1\n  \
         preferred_cluster: gpu_cluster\n  resource_requirements: {{CPU: 2, GPU: 1, memory: 1.0}}\n  \
         runtime_env: {{env_vars: {{BOTH: job}}}}\n  tags: [gpu]\n  metadata: {{user: alice}}\n",
        lab.world.path().display()
    );
    let batch = lab.world.file("batch.yaml", batch).display().to_string();
    let args = ["submit", &batch, "--clusters", &file, "--yes", "--wait", "--run-id", "r"];
    lab.world.run_args(&args).expect(0);
    let args = ["status", "r", "--json", "--clusters", &file];
    let status = lab.world.run_args(&args).json();
    assert_eq!(job(&status, "my_job")["cluster"], "gpu_cluster");
    assert_eq!(job(&status, "my_job")["job_id"], "sub-1");
    let out = std::fs::read_to_string(lab.world.path().join("out")).unwrap();
    assert_eq!(out, "cluster job\n");
}

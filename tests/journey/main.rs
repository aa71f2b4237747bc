//! The whole way on the local executor, with the real program: plan, submit,
//! wait, status, logs, retry, cancel, reuse, clean.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod again;
mod confirm;
mod logs;
#[path = "../support/mod.rs"]
mod support;
mod waiting;

use serde_json::Value;
use support::{World, job};

/// Four short jobs; `flaky` fails until its second attempt.
const BATCH: &str = "\
name: journey
jobs:
  - {name: first, command: 'echo out; echo err >&2'}
  - name: grid
    command: echo lr={lr}
    sweep: {lr: [1e-3, 1e-2]}
  - name: flaky
    command: |
      echo \"attempt $JOBDECK_ATTEMPT\"
      [ \"$JOBDECK_ATTEMPT\" = 2 ] || { echo 'no luck' >&2; exit 3; }
  - {name: report, command: echo done, depends_on: [grid]}
";

#[track_caller]
fn has_keys(value: &Value, keys: &str) {
    for key in keys.split_whitespace() {
        assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
    }
}

#[test]
fn plan_submit_look_retry_clean() {
    let world = World::with_batch(BATCH);
    let plan = world.json("plan batch.yaml --json --requests", 0);
    has_keys(
        &plan,
        "schema_version batch ok total_jobs jobs_by_type total_gpus peak_gpus gpus_by_cluster \
         gpus_by_project findings jobs requests",
    );
    assert_eq!(plan["ok"], true, "{plan:#}");
    assert_eq!(plan["total_jobs"], 5);
    assert_eq!(plan["jobs_by_type"], serde_json::json!({ "training": 5 }));
    has_keys(
        &plan["jobs"][1],
        "name group type cluster project image command gpus replicas total_gpus action depends_on params",
    );
    assert_eq!(plan["jobs"][1]["name"], "grid-1");
    assert_eq!(plan["jobs"][1]["params"], serde_json::json!({ "lr": "1e-3" }));
    assert!(!world.state().join("runs").exists(), "a plan leaves nothing behind");

    let answer = world.run("submit batch.yaml --yes --wait --json").expect(1);
    let submitted = answer.json();
    has_keys(
        &submitted,
        "schema_version run batch total_jobs successful_submissions failed_submissions \
         completed_jobs in_progress_jobs resubmitted_jobs results",
    );
    has_keys(&submitted["results"][0], "name type cluster status job_id error attempt action");
    assert_eq!(submitted["successful_submissions"], 5, "{submitted:#}");
    assert_eq!(submitted["completed_jobs"], 4, "{submitted:#}");
    let run = submitted["run"].as_str().unwrap();
    assert!(answer.stderr.contains(run), "the run id goes to standard error: {answer:#?}");

    let status = world.json("status --json", 0);
    has_keys(
        &status,
        "schema_version run batch created_at ended counts unsent conductor gpus_in_use clusters jobs",
    );
    has_keys(
        &status["jobs"][0],
        "name group type cluster project status cause reason blocked job_id remote_name attempt \
         attempts gpus total_gpus submitted_at started_at finished_at exit_code error node url \
         log_path params",
    );
    has_keys(
        &status["jobs"][0]["attempts"][0],
        "attempt status cause job_id exit_code started_at finished_at",
    );
    assert_eq!(status["run"], run);
    assert_eq!(status["ended"], true);
    assert_eq!(status["counts"], serde_json::json!({ "succeeded": 4, "failed": 1 }));
    assert_eq!(status["unsent"], 0);
    let flaky = job(&status, "flaky");
    assert_eq!((&flaky["exit_code"], &flaky["cause"]), (&3.into(), &"exit".into()));
    assert!(status["created_at"].as_str().unwrap().ends_with('Z'));

    let table = world.run("status").expect(0).stdout;
    assert!(table.contains("✗ failed") && table.contains("flaky"), "{table}");
    let csv = world.run("status --csv").expect(0).stdout;
    assert!(csv.lines().next().unwrap().ends_with(",lr"), "{csv}");
    assert_eq!(csv.lines().count(), 6, "{csv}");

    assert_eq!(world.run("logs last first").expect(0).stdout, "out\n");
    assert_eq!(world.run("logs last first --stderr").expect(0).stdout, "err\n");
    assert_eq!(world.run("logs last --failed --stderr").expect(0).stdout, "no luck\n");
    let logs = world.json("logs last first grid --json", 0);
    assert_eq!(logs["run"], run);
    has_keys(&logs["logs"][0], "job attempt stream worker text offset error");
    assert_eq!(logs["logs"][0]["text"], "out\n", "{logs:#}");
    assert_eq!(logs["logs"][2]["text"], "lr=1e-2\n", "{logs:#}");
    let tail = world.json("logs last grid-1 --json --tail 1", 0);
    assert_eq!(
        (&tail["logs"][0]["stream"], &tail["logs"][0]["attempt"]),
        (&"stdout".into(), &1.into())
    );
    world.json("logs last -f --json", 2);
    let grid = world.run("logs last grid").expect(0).stdout;
    assert_eq!(grid, "grid-1 │ lr=1e-3\ngrid-2 │ lr=1e-2\n");

    // Without a terminal a retry wants its confirmation.
    world.run("retry last --failed").expect(4);
    let retried = world.json("retry last --failed --yes --wait --json", 0);
    assert_eq!(retried["total_jobs"], 1, "{retried:#}");
    assert_eq!(retried["resubmitted_jobs"], 1, "{retried:#}");
    let status = world.json("status last --json", 0);
    let flaky = job(&status, "flaky");
    assert_eq!((&flaky["status"], &flaky["attempt"]), (&"succeeded".into(), &2.into()));
    assert_eq!(flaky["attempts"][0]["status"], "failed");
    assert_eq!(world.run("logs last flaky").expect(0).stdout, "attempt 2\n");
    assert_eq!(world.run("logs last flaky --attempt 1").expect(0).stdout, "attempt 1\n");
    let nothing = world.json("retry last --failed --yes --json", 0);
    assert_eq!(nothing["total_jobs"], 0);

    let runs = world.json("runs --json", 0);
    has_keys(&runs["runs"][0], "run batch created_at ended counts");
    assert_eq!(runs["runs"][0]["run"], run);

    // What is exported can be submitted again.
    let exported = world.run("export last").expect(0).stdout;
    world.file("exported.yaml", &exported);
    let plan = world.json("plan exported.yaml --json", 0);
    assert_eq!(plan["total_jobs"], 5, "{exported}");
    assert!(exported.contains("lr: [1e-3, 1e-2]"), "{exported}");

    world.run("clean last").expect(4);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 1);
    let cleaned = world.json("clean last --yes --json", 0);
    assert_eq!(cleaned["runs"][0]["run"], run);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);
    world.run("status").expect(2);
}

#[test]
fn clusters_and_doctor_answer() {
    let world = World::new();
    world.config("clusters: {here: {kind: local, gpus: 3}, off: {kind: local, enabled: false}}\n");
    let answer = world.json("clusters --json", 0);
    has_keys(
        &answer["clusters"][0],
        "name kind reachable error latency_ms gpus_total gpus_free queue version",
    );
    assert_eq!(answer["clusters"][0]["name"], "here");
    assert_eq!(answer["clusters"][0]["gpus_total"], 3, "{answer:#}");
    assert_eq!(answer["clusters"][0]["gpus_free"], 3);
    let doctor = world.json("doctor --json", 0);
    assert_eq!(doctor["ok"], true, "{doctor:#}");
}

#[test]
fn the_quickstart_runs_to_its_end() {
    let world = World::new();
    world.config("clusters: {local: {kind: local, cpus: 8}}\n");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/quickstart.yaml");
    world.run_args(&["submit", file, "--yes", "--wait"]).expect(1);
    let status = world.json("status --json", 0);
    assert_eq!(status["counts"], serde_json::json!({ "succeeded": 7, "failed": 1 }), "{status:#}");
    let flaky = job(&status, "flaky");
    assert_eq!((&flaky["status"], &flaky["exit_code"]), (&"failed".into(), &3.into()));
    let why = world.run("logs last --failed --stderr").expect(0).stdout;
    assert_eq!(why, "data store is not ready yet\n");
    world.run("retry last --failed --yes --wait").expect(0);
    let status = world.json("status --json", 0);
    assert_eq!(status["counts"], serde_json::json!({ "succeeded": 8 }), "{status:#}");
    assert_eq!(job(&status, "flaky")["attempt"], 2);
}

#[test]
fn hostile_names_cannot_steer_the_terminal() {
    let world = World::with_batch(
        "name: \"\\e[2Jbatch\"\njobs: [{name: ok, command: \"printf '\\\\033[2J'\", tags: [\"\\x9b1m\"]}]\n",
    );
    for line in [
        "plan batch.yaml",
        "plan batch.yaml --json",
        "submit batch.yaml --yes --wait",
        "status",
        "runs",
    ] {
        let answer = world.run(line);
        assert!(
            !answer
                .stdout
                .chars()
                .chain(answer.stderr.chars())
                .any(|c| c.is_control() && c != '\n'),
            "{line}: {answer:#?}"
        );
    }
}

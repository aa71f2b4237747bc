//! The whole way on the local executor, with the real program: plan, submit,
//! wait, status, logs, retry, cancel, reuse, clean.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod support;

use std::{
    fs,
    io::Read,
    process::{Child, Stdio},
};

use serde_json::Value;
use support::{World, wait};

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

fn world_with(batch: &str) -> World {
    let world = World::new();
    world.file("batch.yaml", batch);
    world
}

fn job<'a>(status: &'a Value, name: &str) -> &'a Value {
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().find(|job| job["name"] == name).unwrap_or_else(|| panic!("no {name}: {status:#}"))
}

#[track_caller]
fn has_keys(value: &Value, keys: &str) {
    for key in keys.split_whitespace() {
        assert!(value.get(key).is_some(), "no `{key}` in {value:#}");
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn plan_submit_look_retry_clean() {
    let world = world_with(BATCH);
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
    assert!(exported.contains("JOBDECK_PARAM_LR: '1e-3'"), "{exported}");

    world.run("clean last").expect(4);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 1);
    let cleaned = world.json("clean last --yes --json", 0);
    assert_eq!(cleaned["runs"][0]["run"], run);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);
    world.run("status").expect(2);
}

#[test]
fn nothing_is_sent_without_a_confirmation() {
    let world = world_with("confirmed: true\njobs: [{name: a, command: 'true'}]\n");
    let answer = world.run("submit batch.yaml").expect(4);
    assert!(answer.stdout.contains("nothing has been submitted"), "{answer:#?}");
    assert!(answer.stdout.contains("confirmed"), "a warning says that it confirms nothing");
    let plan = world.json("submit batch.yaml --json", 4);
    assert_eq!(plan["total_jobs"], 1);
    // Settings spare a question, not a confirmation.
    world.config("limits: {require_confirmation: false, dry_run_default: false}\n");
    world.run("submit batch.yaml").expect(4);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);

    let world = world_with("dry_run: true\njobs: [{name: a, command: 'true'}]\n");
    let plan = world.json("submit batch.yaml --yes --json", 4);
    assert_eq!(plan["ok"], true);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);
}

#[test]
fn a_batch_with_errors_is_exit_2_and_tells_all_of_them() {
    let world = world_with(
        "jobs:\n  - {name: a, comand: echo, gpus: two}\n  - {name: a, command: echo, cluster: lbas}\n",
    );
    for command in ["plan", "submit --yes"] {
        let answer = world.run(&format!("{command} batch.yaml")).expect(2);
        for text in ["batch.yaml:2:", "batch.yaml:3:", "did you mean `command`?", "lbas"] {
            assert!(answer.stdout.contains(text), "{text}: {answer:#?}");
        }
        let plan = world.json(&format!("{command} batch.yaml --json"), 2);
        assert_eq!(plan["ok"], false);
        let findings = plan["findings"].as_array().unwrap();
        assert!(findings.len() >= 4, "{plan:#}");
        for finding in findings {
            has_keys(finding, "severity job field path line column message hint");
        }
    }
    for (text, what) in
        [("jobs: [", "no YAML"), ("a\0b", "NUL"), ("", "nothing"), ("jobs: []", "no jobs")]
    {
        world.file("bad.yaml", text);
        let plan = world.json("plan bad.yaml --json", 2);
        assert_eq!(plan["ok"], false, "{what}");
        world.run("submit bad.yaml --yes").expect(2);
    }
}

#[test]
fn a_batch_may_come_through_a_pipe() {
    let world = World::new();
    let child = world
        .command()
        .args(["submit", "-", "--yes", "--wait", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = child;
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"[{name: a, command: pwd}]")
        .unwrap();
    let answer = wait::answer(child).expect(0).json();
    assert_eq!(answer["completed_jobs"], 1, "{answer:#}");
    let here = world.path().canonicalize().unwrap();
    assert_eq!(world.run("logs last").expect(0).stdout.trim(), here.to_str().unwrap());
}

#[test]
fn the_same_run_id_carries_on_the_same_content_only() {
    let world = world_with("jobs: [{name: a, command: echo once >> tally}]\n");
    let one = world.json("submit batch.yaml --yes --wait --json --run-id night-1", 0);
    assert_eq!(one["run"], "night-1");
    let two = world.json("submit batch.yaml --yes --wait --json --run-id night-1", 0);
    assert_eq!(two["run"], "night-1");
    assert_eq!(fs::read_to_string(world.path().join("tally")).unwrap(), "once\n");
    world.file("batch.yaml", "jobs: [{name: b, command: echo other}]\n");
    let error = world.json("submit batch.yaml --yes --wait --json --run-id night-1", 2);
    assert_eq!(error["error"]["kind"], "usage", "{error:#}");
    for id in ["last", "../x", "a b"] {
        let answer = world.run_args(&["submit", "batch.yaml", "--yes", "--run-id", id]).expect(2);
        assert!(answer.stderr.contains("run id"), "{answer:#?}");
    }
}

#[test]
fn waiting_has_a_limit_and_an_end() {
    let world = world_with("jobs: [{name: long, command: sleep 600}]\n");
    let answer = world.json("submit batch.yaml --yes --json", 0);
    assert_eq!(answer["in_progress_jobs"], 1, "{answer:#}");
    let timed_out = world.json("wait last --timeout 1s --json", 124);
    assert_eq!(timed_out["error"]["kind"], "timed_out");
    assert_eq!(timed_out["ended"], false);
    world.run("cancel last").expect(4);
    let cancelled = world.json("cancel last --yes --json", 0);
    assert_eq!(cancelled["cancelled"], 1);
    assert_eq!(cancelled["results"][0]["status"], "stopped");
    // Stopped by a person is no failure.
    let ended = world.json("wait last --json", 0);
    assert_eq!(ended["counts"], serde_json::json!({ "stopped": 1 }));
    assert_eq!(ended["jobs"][0]["cause"], "cancelled");
}

#[test]
fn what_does_not_exist_is_exit_2() {
    let world = world_with("jobs: [{name: alpha, command: 'true'}]\n");
    for line in [
        "status",
        "wait last",
        "logs nope",
        "retry nope --yes",
        "cancel nope --yes",
        "send nope --yes",
        "clean nope --yes",
        "export nope",
    ] {
        let error = world
            .json(&format!("{line} --json").replace("logs nope --json", "wait nope --json"), 2);
        assert_eq!(error["error"]["kind"], "usage", "{line}: {error:#}");
    }
    world.run("submit batch.yaml --yes --wait").expect(0);
    for line in ["logs last alfa", "retry last alfa --yes", "cancel last alfa --yes"] {
        let answer = world.run(line).expect(2);
        assert!(answer.stderr.contains("did you mean `alpha`?"), "{line}: {answer:#?}");
    }
    let answer = world.run("logs last alpha --attempt 7").expect(2);
    assert!(!answer.stderr.is_empty());
}

#[test]
fn ctrl_c_leaves_jobs_running_and_stops_them_only_when_asked() {
    for (flag, left) in [("", "running"), ("--stop-on-interrupt", "stopped")] {
        let world = world_with("jobs: [{name: long, command: 'touch started; sleep 600'}]\n");
        let mut command = world.command();
        command.args(["submit", "batch.yaml", "--yes", "--wait"]);
        if !flag.is_empty() {
            command.arg(flag);
        }
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        world.until_file("started");
        signal(&child, rustix::process::Signal::INT);
        let answer = wait::answer(child).expect(130);
        assert!(
            answer.stderr.contains(if flag.is_empty() { "goes on" } else { "stopped 1 job" }),
            "{answer:#?}"
        );
        let status = world.json("status --json", 0);
        assert_eq!(status["jobs"][0]["status"], left, "{status:#}");
        world.run("cancel last --yes").expect(0);
    }
}

/// A cluster that takes one job at a time, so that the rest waits here.
const NARROW: &str = "clusters: {local: {kind: local, max_inflight: 1}}\n";

#[test]
fn the_background_process_sends_what_waits() {
    let world =
        world_with("jobs: [{name: j, command: 'sleep 0.3', sweep: {i: {range: [0, 4]}}}]\n");
    world.config(NARROW);
    let answer = world.run("submit batch.yaml --yes").expect(0);
    assert!(answer.stderr.contains("a background process"), "{answer:#?}");
    let status = world.until("last", "all done", |s| s["counts"]["succeeded"] == 4);
    assert_eq!(status["ended"], true);
    // It ends by itself, and says so.
    world.until("last", "left alone", |s| s["conductor"].is_null());
}

#[test]
fn without_a_background_process_the_rest_is_held_until_it_is_sent() {
    let world = world_with("jobs: [{name: a, command: 'sleep 0.3'}, {name: b, command: 'true'}]\n");
    world.config(NARROW);
    let answer = world.run("submit batch.yaml --yes --no-background").expect(0);
    assert!(answer.stderr.contains("held"), "{answer:#?}");
    let status = world.until("last", "a has ended", |s| job(s, "a")["status"] == "succeeded");
    assert_eq!(job(&status, "b")["status"], "waiting", "looking never sends");
    assert_eq!(status["unsent"], 1);
    assert!(status["conductor"].is_null());
    let table = world.run("status").expect(0).stdout;
    assert!(table.contains("1 never sent, held"), "{table}");
    world.run("send last").expect(4);
    world.json("send last --yes --json", 0);
    world.until("last", "b was sent", |s| job(s, "b")["status"] == "succeeded");
    let nothing = world.json("send last --yes --json", 0);
    assert_eq!(nothing["in_progress_jobs"], 0);
}

#[test]
fn retries_by_cause_and_with_changes() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: slow, command: sleep 600, time_limit: 1s}\n",
        "  - {name: code, command: 'echo n=$N; exit $N', env: {N: '4'}}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(1);
    let status = world.json("status --json", 0);
    assert_eq!(job(&status, "slow")["cause"], "timeout", "{status:#}");
    let retried = world.json("retry last --cause exit --set env.N=0 --yes --wait --json", 1);
    assert_eq!(retried["total_jobs"], 1, "{retried:#}");
    let status = world.json("status --json", 0);
    assert_eq!(job(&status, "code")["status"], "succeeded", "{status:#}");
    assert_eq!(job(&status, "slow")["attempt"], 1);
    assert_eq!(world.run("logs last code").expect(0).stdout, "n=0\n");
    let answer = world.run("retry last slow --set gpsu=1 --yes").expect(2);
    assert!(answer.stderr.contains("gpsu"), "{answer:#?}");
    // The same where there is nothing to retry.
    world.run("retry last code --set gpus=0 --yes").expect(0);
    world.run("wait last").expect(1);
    for (line, word) in [
        ("retry last --cause oom --set gpsu=1", "did you mean `gpus`?"),
        ("retry last --cause oom --set gpus=many", "gpus"),
        ("retry last --cause oom --set workers=2", "only distributed jobs"),
    ] {
        let answer = world.run(line).expect(2);
        assert!(answer.stderr.contains(word), "{line}: {answer:#?}");
    }
    world.run("retry last --cause oom --set gpus=0").expect(0);
    // Told before anybody is asked.
    let answer = world.run("retry last slow --set gpus=50").expect(2);
    assert!(answer.stderr.contains("50 GPUs"), "{answer:#?}");
}

#[test]
fn what_is_not_confirmed_is_told_in_the_document() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: bad, command: 'exit 1'}\n",
        "  - {name: long, command: 'touch up; sleep 600', max_retries: 1}\n",
        "  - {name: rest, command: 'true', depends_on: [long]}\n",
    ));
    world.run("submit batch.yaml --yes").expect(0);
    world.until("last", "bad has failed", |s| job(s, "bad")["status"] == "failed");
    world.until_file("up");
    let preview = |line: &str| {
        let document = world.json(line, 4);
        has_keys(&document["error"], "kind message hints");
        assert_eq!(document["error"]["kind"], "confirmation", "{document:#}");
        has_keys(&document["preview"], "action run batch total_jobs changes jobs");
        let jobs = document["preview"]["jobs"].as_array().unwrap().clone();
        for job in &jobs {
            has_keys(job, "name type cluster status attempt total_gpus");
        }
        let names = jobs.iter().map(|job| job["name"].as_str().unwrap().to_owned());
        (document["preview"].clone(), names.collect::<Vec<_>>())
    };
    let (retry, names) = preview("retry last --failed --set env.N=1 --json");
    assert_eq!((retry["action"].as_str(), names), (Some("retry"), vec!["bad".to_owned()]));
    assert_eq!(retry["changes"], serde_json::json!({ "env.N": "1" }));
    assert_eq!(
        (&retry["jobs"][0]["status"], &retry["jobs"][0]["attempt"]),
        (&"failed".into(), &1.into())
    );
    let (cancel, names) = preview("cancel last --json");
    assert_eq!((cancel["action"].as_str(), names.len()), (Some("cancel"), 2), "{cancel:#}");
    let (send, names) = preview("send last --json");
    assert_eq!((send["action"].as_str(), names), (Some("send"), vec!["rest".to_owned()]));
    assert_eq!(send["jobs"][0]["attempt"], 0);
    let status = world.json("status --json", 0);
    assert_eq!(job(&status, "long")["status"], "running", "nothing was done: {status:#}");
    assert_eq!(job(&status, "bad")["attempt"], 1);
    let cancelled = world.json("cancel last --yes --json", 0);
    has_keys(&cancelled["results"][0], "name status reason");
}

#[test]
fn earlier_results_are_reused_on_request() {
    let world = world_with("jobs: [{name: a, command: echo run >> tally}]\n");
    world.run("submit batch.yaml --yes --wait").expect(0);
    let plan = world.json("plan batch.yaml --reuse --json", 0);
    assert_eq!(plan["jobs"][0]["action"], "reuse", "{plan:#}");
    let answer = world.json("submit batch.yaml --reuse --yes --wait --json", 0);
    assert_eq!(answer["completed_jobs"], 1, "{answer:#}");
    assert_eq!(fs::read_to_string(world.path().join("tally")).unwrap(), "run\n");
    world.run("submit batch.yaml --fresh --yes --wait").expect(0);
    assert_eq!(fs::read_to_string(world.path().join("tally")).unwrap(), "run\nrun\n");
}

#[test]
fn logs_from_the_end_and_as_they_come() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: many, command: 'seq 1 50000'}\n",
        "  - name: live\n",
        "    command: 'echo one; touch live.started; while [ ! -e go ]; do sleep 0.1; done; echo two'\n",
    ));
    world.run("submit batch.yaml --yes").expect(0);
    world.until("last", "many has ended", |s| job(s, "many")["status"] == "succeeded");
    assert_eq!(world.run("logs last many --tail 2").expect(0).stdout, "49999\n50000\n");
    assert_eq!(world.run("logs last many --tail 0").expect(0).stdout, "");
    assert_eq!(world.run("logs last many").expect(0).stdout.lines().count(), 50_000);
    assert_eq!(world.run("logs last many -n 100000").expect(0).stdout.lines().count(), 50_000);

    world.until_file("live.started");
    let mut child = world
        .command()
        .args(["logs", "last", "live", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"one\n");
    world.file("go", "");
    let answer = wait::answer(child).expect(0);
    assert_eq!(answer.stdout, "two\n");
}

#[test]
fn following_a_job_that_waits_says_what_for() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: first, command: 'while [ ! -e go ]; do sleep 0.1; done'}\n",
        "  - {name: second, command: 'echo here'}\n",
    ));
    world.config("clusters: {local: {kind: local, max_inflight: 1}}\n");
    world.run("submit batch.yaml --yes --no-background").expect(0);
    let words = world.path().join("words");
    let child = world
        .command()
        .args(["logs", "last", "second", "-f"])
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&words).unwrap())
        .spawn()
        .unwrap();
    let read = || fs::read_to_string(&words).unwrap();
    wait::until_so("it says that it waits", || read().ends_with('\n'));
    let told = read();
    assert!(told.starts_with("no log yet: second: held: "), "{told}");
    assert!(told.contains("`jobdeck send "), "{told}");
    world.run("send last --yes").expect(0);
    world.file("go", "");
    assert_eq!(wait::answer(child).expect(0).stdout, "here\n");
}

#[test]
fn a_retry_runs_the_code_as_first_sent_unless_the_present_one_is_asked_for() {
    let world = world_with("jobs: [{name: c, src_dir: src, command: sh run.sh}]\n");
    fs::create_dir(world.path().join("src")).unwrap();
    world.file("src/run.sh", "echo v1; exit 1\n");
    world.run("submit batch.yaml --yes --wait").expect(1);
    world.file("src/run.sh", "echo v2; exit 1\n");
    world.run("retry last --code current --yes --wait").expect(1);
    assert_eq!(world.run("logs last c").expect(0).stdout, "v2\n");
    world.run("retry last --yes --wait").expect(1);
    assert_eq!(world.run("logs last c").expect(0).stdout, "v1\n");
    assert_eq!(world.run("logs last c --attempt 2").expect(0).stdout, "v2\n");
}

#[test]
fn a_secret_file_lies_beside_the_batch_whoever_asks_from_where() {
    let world = World::new();
    world.file("secret", "of the caller's folder\n");
    fs::create_dir(world.path().join("sub")).unwrap();
    world.file("sub/secret", "of the batch's folder\n");
    world.file(
        "sub/batch.yaml",
        "jobs: [{name: n, command: 'echo $F; [ $JOBDECK_ATTEMPT = 2 ]', env: {F: 'file:secret'}}]\n",
    );
    world.run("submit sub/batch.yaml --yes --wait").expect(1);
    world.run("retry last --yes --wait").expect(0);
    for attempt in ["1", "2"] {
        let log = world.run(&format!("logs last n --attempt {attempt}")).expect(0).stdout;
        assert_eq!(log, "of the batch's folder\n");
    }
    world.run("retry last n --set env.F=file:../secret --yes --wait").expect(1);
    assert_eq!(world.run("logs last n").expect(0).stdout, "of the caller's folder\n");
}

#[test]
fn an_exported_run_keeps_literal_braces() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: s, command: 'echo {{name}} {x} {{run}} ${HOME:+h} $V', sweep: {x: [1]}, env: {V: '{{name}}'}}\n",
        "  - {name: plain, command: 'echo {name} {{}}'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(0);
    let first = world.run("logs last").expect(0).stdout;
    assert_eq!(first, "s-1 │ {name} 1 {run} h {name}\nplain │ plain {{}}\n");
    let exported = world.run("export last").expect(0).stdout;
    world.file("again.yaml", exported);
    world.run("submit again.yaml --yes --wait").expect(0);
    assert_eq!(world.run("logs last").expect(0).stdout, first);
}

#[test]
fn the_gpus_that_nvidia_smi_lists_are_given_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = world_with(concat!(
        "jobs:\n",
        "  - {name: gpu, gpus: 1, command: 'echo $CUDA_VISIBLE_DEVICES {n}', sweep: {n: [1, 2, 3]}}\n",
        "  - {name: two, gpus: 2, command: 'echo $CUDA_VISIBLE_DEVICES', depends_on: [gpu]}\n",
        "  - {name: cpu, command: 'echo [$CUDA_VISIBLE_DEVICES]'}\n",
        "  - {name: all, gpus: 4, command: 'echo $CUDA_VISIBLE_DEVICES'}\n",
    ));
    let program = world.file(
        "bin/nvidia-smi",
        "#!/bin/sh\n[ \"$1\" = -L ] || exit 9\n\
         for n in 0 1 2; do echo \"GPU $n: A100 (UUID: GPU-$n)\"; done\n",
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |line: &str| {
        let mut path = world.path().join("bin").into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        wait::answer_of(world.command().env("PATH", path).args(line.split_whitespace()))
    };
    let clusters = run("clusters --json").expect(0).json();
    assert_eq!(clusters["clusters"][0]["gpus_total"], 3, "{clusters:#}");
    let refused = run("plan batch.yaml").expect(2).stdout;
    assert!(refused.contains("no machine of `local` has more than 3"), "{refused}");
    let batch = fs::read_to_string(world.path().join("batch.yaml")).unwrap();
    world.file("batch.yaml", batch.replace("gpus: 4", "gpus: 3"));
    run("submit batch.yaml --yes --wait").expect(0);
    let log = run("logs last").expect(0).stdout;
    let device = |line: &str| line.split(" │ ").nth(1).map(str::to_owned).unwrap();
    let lines: Vec<String> = log.lines().map(device).collect();
    assert_eq!(lines.len(), 6, "{log}");
    assert!(lines[..3].iter().all(|line| ["0", "1", "2"].contains(&&line[..1])), "{log}");
    assert_eq!(lines[3..], ["0,1", "[]", "0,1,2"], "{log}");
}

#[test]
fn each_worker_of_a_gang_has_a_log() {
    let world = world_with(concat!(
        "jobs:\n",
        "  - {type: distributed, name: gang, workers: 2, framework: pytorch, command: 'echo rank $RANK'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(0);
    assert_eq!(world.run("logs last gang").expect(0).stdout, "rank 0\n");
    assert_eq!(world.run("logs last gang --worker 1").expect(0).stdout, "rank 1\n");
    assert_eq!(world.run("logs last gang -f --worker 1").expect(0).stdout, "rank 1\n");
    let refused = world.run("logs last gang --worker 2").expect(2);
    assert!(refused.stderr.contains("the workers of gang are 0 to 1"), "{}", refused.stderr);
}

#[test]
fn an_exported_run_starts_where_it_did_first() {
    let world = world_with("jobs: [{name: here, command: 'cat here.txt'}]\n");
    world.file("here.txt", "found\n");
    world.run("submit batch.yaml --yes --wait").expect(0);
    let exported = world.run("export last").expect(0).stdout;
    fs::create_dir(world.path().join("elsewhere")).unwrap();
    world.file("elsewhere/again.yaml", exported);
    world.run("submit elsewhere/again.yaml --yes --wait").expect(0);
    assert_eq!(world.run("logs last").expect(0).stdout, "found\n");
}

#[test]
fn sending_does_not_ask_about_what_it_will_not_send() {
    let world = world_with(concat!(
        "continue_on_error: false\n",
        "jobs:\n",
        "  - {name: refused, command: 'true', env: {E: 'env:JOBDECK_TEST_UNSET'}}\n",
        "  - {name: given-up, command: 'true'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(1);
    let answer = world.run("send last").expect(0);
    assert!(answer.stderr.contains("nothing is left to send"), "{answer:#?}");
}

#[test]
fn following_the_only_job_of_a_run_ends_with_it() {
    let world = world_with("jobs: [{name: one, command: 'echo one; touch up; sleep 0.3'}]\n");
    world.run("submit batch.yaml --yes").expect(0);
    world.until_file("up");
    for line in ["logs last -f", "logs last one -f", "logs last -f --tail 1"] {
        let child = world.command().args(line.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait::answer(child).expect(0).stdout, "one\n", "{line}");
    }
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
fn hostile_names_cannot_steer_the_terminal() {
    let world = world_with(
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

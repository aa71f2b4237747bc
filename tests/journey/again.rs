//! Running something again: retries, reuse, exported runs.

use std::fs;

use crate::support::{World, job};

#[test]
fn retries_by_cause_and_with_changes() {
    let world = World::with_batch(concat!(
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
fn earlier_results_are_reused_on_request() {
    let world = World::with_batch("jobs: [{name: a, command: echo run >> tally}]\n");
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
fn a_retry_runs_the_code_as_first_sent_unless_the_present_one_is_asked_for() {
    let world = World::with_batch("jobs: [{name: c, src_dir: src, command: sh run.sh}]\n");
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
    let world = World::with_batch(concat!(
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
fn an_exported_run_is_the_same_work() {
    let world = World::with_batch(concat!(
        "name: again\n",
        "on_existing: reuse\n",
        "jobs:\n",
        "  - {name: g, command: 'echo {x} $JOBDECK_PARAM_X', sweep: {x: [1e-3, a b]}}\n",
        "  - {name: after, command: 'true', depends_on: [g]}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(0);
    world.file("again.yaml", world.run("export last").expect(0).stdout);
    let first = world.json("plan batch.yaml --json", 0);
    let again = world.json("plan again.yaml --json", 0);
    assert_eq!(again["jobs"], first["jobs"], "{again:#}");
    let actions: Vec<_> =
        again["jobs"].as_array().unwrap().iter().map(|job| &job["action"]).collect();
    assert_eq!(actions, ["reuse", "reuse", "reuse"], "{again:#}");
}

#[test]
fn an_exported_run_starts_where_it_did_first() {
    let world = World::with_batch("jobs: [{name: here, command: 'cat here.txt'}]\n");
    world.file("here.txt", "found\n");
    world.run("submit batch.yaml --yes --wait").expect(0);
    let exported = world.run("export last").expect(0).stdout;
    fs::create_dir(world.path().join("elsewhere")).unwrap();
    world.file("elsewhere/again.yaml", exported);
    world.run("submit elsewhere/again.yaml --yes --wait").expect(0);
    assert_eq!(world.run("logs last").expect(0).stdout, "found\n");
}

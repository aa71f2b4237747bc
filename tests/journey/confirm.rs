//! What is sent, and what is told instead of sending.

use std::{fs, process::Stdio};

use super::has_keys;
use crate::support::{World, job, wait};

#[test]
fn nothing_is_sent_without_a_confirmation() {
    let world = World::with_batch("confirmed: true\njobs: [{name: a, command: 'true'}]\n");
    let answer = world.run("submit batch.yaml").expect(4);
    assert!(answer.stdout.contains("nothing has been submitted"), "{answer:#?}");
    assert!(answer.stdout.contains("confirmed"), "a warning says that it confirms nothing");
    let plan = world.json("submit batch.yaml --json", 4);
    assert_eq!(plan["total_jobs"], 1);
    // Settings spare a question, not a confirmation.
    world.config("limits: {require_confirmation: false, dry_run_default: false}\n");
    world.run("submit batch.yaml").expect(4);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);

    let world = World::with_batch("dry_run: true\njobs: [{name: a, command: 'true'}]\n");
    let plan = world.json("submit batch.yaml --yes --json", 4);
    assert_eq!(plan["ok"], true);
    assert_eq!(world.json("runs --json", 0)["runs"].as_array().unwrap().len(), 0);
}

#[test]
fn a_batch_with_errors_is_exit_2_and_tells_all_of_them() {
    let world = World::with_batch(
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
    let world = World::with_batch("jobs: [{name: a, command: echo once >> tally}]\n");
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
fn what_does_not_exist_is_exit_2() {
    let world = World::with_batch("jobs: [{name: alpha, command: 'true'}]\n");
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
fn what_is_not_confirmed_is_told_in_the_document() {
    let world = World::with_batch(concat!(
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
fn sending_does_not_ask_about_what_it_will_not_send() {
    let world = World::with_batch(concat!(
        "continue_on_error: false\n",
        "jobs:\n",
        "  - {name: refused, command: 'true', env: {E: 'env:JOBDECK_TEST_UNSET'}}\n",
        "  - {name: given-up, command: 'true'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(1);
    let answer = world.run("send last").expect(0);
    assert!(answer.stderr.contains("nothing is left to send"), "{answer:#?}");
}

//! Waiting for jobs, leaving them, and who carries a run on.

use std::{fs, process::Stdio};

use crate::support::{NARROW, World, job, signal, wait};

#[test]
fn waiting_has_a_limit_and_an_end() {
    let world = World::with_batch("jobs: [{name: long, command: sleep 600}]\n");
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
fn ctrl_c_leaves_jobs_running_and_stops_them_only_when_asked() {
    for (flag, left) in [("", "running"), ("--stop-on-interrupt", "stopped")] {
        let world =
            World::with_batch("jobs: [{name: long, command: 'touch started; sleep 600'}]\n");
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

#[test]
fn the_background_process_sends_what_waits() {
    let world =
        World::with_batch("jobs: [{name: j, command: 'sleep 0.3', sweep: {i: {range: [0, 4]}}}]\n");
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
    let world =
        World::with_batch("jobs: [{name: a, command: 'sleep 0.3'}, {name: b, command: 'true'}]\n");
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
fn the_gpus_that_nvidia_smi_lists_are_given_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::with_batch(concat!(
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

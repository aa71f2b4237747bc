//! Real kills of the real program: every job starts exactly once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use support::{World, wait, wait::DEADLINE};

/// Fifty jobs, each of which writes its name to a file when it starts.
fn batch(world: &World, head: &str) -> String {
    let out = world.path().join("started");
    let text = format!(
        "{head}\njobs:\n  - name: job\n    command: echo $JOBDECK_JOB {{i}} >> {}\n    \
         sweep: {{i: {{range: [0, 50]}}}}\n",
        out.display()
    );
    world.file("batch.yaml", text).display().to_string()
}

#[track_caller]
fn each_once(world: &World, what: &str) {
    let text = fs::read_to_string(world.path().join("started")).unwrap_or_default();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    let once: BTreeSet<&str> = lines.iter().copied().collect();
    assert_eq!(lines.len(), once.len(), "{what}: started twice");
    assert_eq!(lines.len(), 50, "{what}: {lines:?}");
}

fn start(world: &World, args: &[&str]) -> Child {
    let mut command = world.command();
    command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Lines of a run's journal.
fn lines(world: &World, run: &str) -> usize {
    let path = world.state().join("runs").join(run).join("journal.jsonl");
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Waits until this is so; false when the process ended before.
fn until(child: &mut Child, is_so: impl Fn() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(begin.elapsed() < DEADLINE, "it neither gets there nor ends");
        std::thread::park_timeout(Duration::from_micros(200));
    }
}

/// Kills the submission when its journal has so many lines, then carries it on.
fn killed_at(head: &str, at: usize) -> bool {
    let world = World::new();
    let file = batch(&world, head);
    let submit = ["submit", &file, "--yes", "--run-id", "r"];
    let mut child = start(&world, &submit);
    let got_there = until(&mut child, || lines(&world, "r") >= at);
    child.kill().unwrap();
    child.wait().unwrap();
    let again = world.run_args(&[&submit[..], &["--wait"]].concat()).expect(0);
    assert!(again.stdout.contains("50 succeeded"), "{again:#?}");
    each_once(&world, &format!("killed at line {at}"));
    got_there
}

#[test]
fn a_submission_killed_at_any_line_of_its_journal() {
    // One request for all of them: few lines, told apart by what is in them.
    for at in 0..5 {
        killed_at("name: at-once", at);
    }
    // A request for each: a line for every step of every job.
    let mut steps = 0;
    for at in [1, 2, 3, 4, 7, 12, 23, 38, 49, 52] {
        steps += usize::from(killed_at("continue_on_error: false", at));
    }
    assert!(steps > 6, "{steps} kills in time");
}

#[test]
fn a_submission_killed_at_any_moment() {
    for millis in (0..60).step_by(6) {
        let world = World::new();
        let file = batch(&world, "continue_on_error: false");
        let submit = ["submit", &file, "--yes", "--run-id", "r"];
        let mut child = start(&world, &submit);
        let moment = Instant::now() + Duration::from_millis(millis);
        until(&mut child, || Instant::now() >= moment);
        child.kill().unwrap();
        child.wait().unwrap();
        world.run_args(&[&submit[..], &["--wait"]].concat()).expect(0);
        each_once(&world, &format!("killed after {millis} ms"));
    }
}

/// The process that conducts a run now.
fn conductor(world: &World, run: &str) -> Option<i32> {
    let path = world.state().join("runs").join(run).join("owner.json");
    let owner: serde_json::Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    i32::try_from(owner["pid"].as_i64()?).ok()
}

#[test]
fn a_background_process_killed_again_and_again() {
    let world = World::new();
    // Kept here and sent in waves, so that somebody must stay behind.
    let file = batch(&world, "max_failures: 3");
    world.run_args(&["submit", &file, "--yes", "--run-id", "r"]).expect(0);
    let begin = Instant::now();
    for kill in 0.. {
        let before = lines(&world, "r");
        // Whoever it is, the moment it has written something more.
        let pid = loop {
            assert!(begin.elapsed() < DEADLINE);
            let status = world.json("status r --json", 0);
            if status["unsent"] == 0 {
                break None;
            }
            if let Some(pid) = conductor(&world, "r").and_then(rustix::process::Pid::from_raw)
                && lines(&world, "r") > before
            {
                break Some(pid);
            }
            if status["conductor"].is_null() {
                let alone = "never sent, and nobody carries the run on";
                assert!(status.to_string().contains(alone), "{status:#}");
                world.run("send r --yes").expect(0);
            }
        };
        let Some(pid) = pid else {
            assert!(kill > 0, "nothing was left for a background process");
            break;
        };
        if kill < 6 {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    world.run("wait r").expect(0);
    each_once(&world, "background killed");
}

#[test]
fn two_submissions_of_one_run_at_once() {
    for _ in 0..3 {
        let world = World::new();
        let file = batch(&world, "max_concurrent: 4");
        let submit = ["submit", &file, "--yes", "--wait", "--run-id", "r"];
        let mut both = [start(&world, &submit), start(&world, &submit)];
        for child in &mut both {
            assert!(wait::end(child).success());
        }
        each_once(&world, "two at once");
    }
}

#[test]
fn a_killed_window_leaves_a_run_that_others_carry_on() {
    let world = World::new();
    let file = batch(&world, "max_failures: 2");
    let mut first = start(&world, &["submit", &file, "--yes", "--wait", "--run-id", "r"]);
    until(&mut first, || lines(&world, "r") > 6);
    let mut second = start(&world, &["wait", "r"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(wait::end(&mut second).success());
    each_once(&world, "window killed");
}

/// Runs the program with a bound on the size of any file it writes, which is what
/// a full disk looks like to it.
fn bounded(world: &World, blocks: u32, args: &[&str]) -> support::Answer {
    let inner = world.command();
    let mut shell = std::process::Command::new("sh");
    shell.env_clear();
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    shell
        .current_dir(world.path())
        .arg("-c")
        .arg(format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""))
        .arg(env!("CARGO_BIN_EXE_jobdeck"))
        .args(args)
        .stdin(Stdio::null());
    support::answer_of(&mut shell)
}

#[test]
fn nothing_is_started_that_cannot_be_recorded() {
    for blocks in [1, 8, 24, 32, 40, 48] {
        let world = World::new();
        let file = batch(&world, "continue_on_error: false");
        let submit = ["submit", &file, "--yes", "--no-background", "--run-id", "r"];
        bounded(&world, blocks, &submit);
        let started = fs::read_to_string(world.path().join("started")).unwrap_or_default();
        let journal = world.state().join("runs/r/journal.jsonl");
        let recorded = fs::read_to_string(journal).unwrap_or_default();
        // An intent names its jobs by pairs of position and attempt.
        let intended = recorded.lines().filter(|line| line.contains("intent")).count();
        let intended = if intended == 0 { 0 } else { recorded.matches(",1]").count() };
        assert!(
            started.lines().count() <= intended,
            "{blocks} blocks: {} started, {intended} recorded",
            started.lines().count()
        );
        // With room again everything is there, once.
        world.run_args(&["submit", &file, "--yes", "--wait", "--run-id", "r"]).expect(0);
        each_once(&world, &format!("{blocks} blocks"));
    }
}

//! Against the real clusters that `tests/engines/ray.sh` has started.

use std::{
    env, fs,
    process::{Command, Stdio},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Instant,
};

use rustix::process::Signal;

use crate::{
    lab::{column, count},
    support::{World, answer_of, job, signal},
    wait,
};

/// Tests share the clusters; one that disturbs them, or needs their room, has them to
/// itself.
static CLUSTERS: RwLock<()> = RwLock::new(());

enum Quiet {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

fn shared() -> Quiet {
    Quiet::Shared { _guard: CLUSTERS.read().unwrap_or_else(PoisonError::into_inner) }
}

fn alone() -> Quiet {
    Quiet::Alone { _guard: CLUSTERS.write().unwrap_or_else(PoisonError::into_inner) }
}

/// What the engine's script tells a suite.
fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/engines/ray.sh"))
}

struct Real {
    world: World,
    _quiet: Quiet,
}

impl Real {
    fn new(quiet: Quiet) -> Self {
        let real = Self { world: World::new(), _quiet: quiet };
        let entry = |name: &str| {
            let url = told(&format!("ENGINE_TEST_RAY_{}", name.to_uppercase()));
            format!("  {name}: {{kind: ray, address: \"{url}\", min_interval: 500ms}}\n")
        };
        real.world.config(&format!("clusters:\n{}{}", entry("a"), entry("b")));
        real
    }

    fn batch(&self, text: &str) -> String {
        self.world.file("batch.yaml", text).display().to_string()
    }

    /// Ends are awaited as long as the real thing takes.
    fn submit(&self, run: &str, batch: &str) {
        let file = self.batch(batch);
        self.world.run_args(&["submit", &file, "--yes", "--run-id", run]).expect(0);
    }

    fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.path().join("started")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn mark(&self) -> String {
        format!("echo $JOBDECK_JOB >> {}/started", self.world.path().display())
    }
}

/// A run id that no other test, and no earlier suite, has used on these clusters.
fn run_id(name: &str) -> String {
    format!("{name}-{:08x}", fastrand::u32(..))
}

/// Waits in pieces, each of which a busy machine has time for.
#[track_caller]
fn wait_for(world: &World, run: &str) -> i32 {
    for _ in 0..8 {
        let code = world.run(&format!("wait {run} --timeout 45s")).code;
        if code != 124 {
            return code;
        }
    }
    panic!("never ended: {:#?}", world.json(&format!("status {run} --json"), 0))
}

fn control(line: &str) {
    let mut command = Command::new("bash");
    command.arg(told("ENGINE_TEST_RAY_CONTROL")).args(line.split_whitespace());
    answer_of(&mut command).expect(0);
}

/// Puts right what was disturbed, also when the test fails.
struct Undo(&'static str);

impl Drop for Undo {
    fn drop(&mut self) {
        control(self.0);
    }
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn a_hundred_mixed_jobs_over_both_each_run_once() {
    let real = Real::new(alone());
    let mark = real.mark();
    let batch = format!(
        "defaults: {{cluster: auto}}\njobs:\n\
         - {{name: gpu, command: '{mark}', gpus: 1, sweep: {{i: {{range: [0, 50]}}}}}}\n\
         - {{name: two, command: '{mark}', gpus: 2, sweep: {{i: {{range: [0, 15]}}}}}}\n\
         - {{name: half, command: '{mark}', gpus: 0.5, sweep: {{i: {{range: [0, 15]}}}}}}\n\
         - {{name: cpu, command: '{mark}', cpus: 2, memory: 1G, sweep: {{i: {{range: [0, 19]}}}}}}\n\
         - {{name: bad, command: '{mark}; exit 3', cluster: [b, auto]}}\n"
    );
    let run = run_id("hundred");
    real.submit(&run, &batch);
    assert_eq!(wait_for(&real.world, &run), 1);
    let status = real.world.json(&format!("status {run} --json"), 0);
    let states = column(&status, "status");
    assert_eq!((count(&states, "succeeded"), count(&states, "failed")), (99, 1), "{states:?}");
    let clusters = column(&status, "cluster");
    assert!(count(&clusters, "a") > 20 && count(&clusters, "b") > 10, "{clusters:?}");
    assert_eq!(job(&status, "bad")["exit_code"], 3);
    let started = real.started();
    let mut unique = started.clone();
    unique.dedup();
    assert_eq!((started.len(), unique.len()), (100, 100), "{started:?}");
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn killed_at_random_moments_every_job_runs_once() {
    let real = Real::new(alone());
    let batch = format!(
        "jobs: [{{name: t, command: '{}', gpus: 0.2, cluster: auto, sweep: {{n: {{range: [0, 60]}}}}, \
         env: {{N: '{{n}}'}}}}]",
        real.mark()
    );
    let file = real.batch(&batch);
    let run = run_id("killed");
    let line = ["submit", &file, "--yes", "--wait", "--no-background", "--run-id", &run];
    for _ in 0..20 {
        let mut command = real.world.command();
        let mut child =
            command.args(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let moment = Instant::now() + std::time::Duration::from_millis(fastrand::u64(20..1_500));
        wait::until_so("the moment", || Instant::now() >= moment);
        signal(&child, Signal::KILL);
        wait::end(&mut child);
    }
    let code = real.world.run_args(&["send", &run, "--yes"]).code;
    assert!([0, 2].contains(&code), "there may be nothing left to send");
    assert_eq!(wait_for(&real.world, &run), 0);
    let mut names: Vec<String> = (1..=60).map(|n| format!("t-{n}")).collect();
    names.sort();
    assert_eq!(real.started(), names);
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn a_cluster_killed_half_way_loses_its_jobs_and_the_other_takes_them() {
    let real = Real::new(alone());
    let batch = "jobs: [{name: t, command: sleep 8, gpus: 1, cluster: [b, auto], max_retries: 3, \
                 sweep: {n: {range: [0, 8]}}, env: {N: '{n}'}}]";
    let run = run_id("half");
    real.submit(&run, batch);
    real.world.until(&run, "some run on b", |status| {
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter().any(|job| job["cluster"] == "b" && job["status"] == "running")
    });
    let undo = Undo("start b");
    control("kill b");
    // A head that does not answer has lost nothing; one that knows nothing has.
    drop(undo);
    assert_eq!(wait_for(&real.world, &run), 0);
    let status = real.world.json(&format!("status {run} --json"), 0);
    let lost = status["jobs"].as_array().unwrap().iter().filter(|job| {
        job["attempts"].as_array().unwrap().iter().any(|attempt| attempt["status"] == "lost")
    });
    assert!(lost.count() > 0, "{status:#}");
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn a_preferred_cluster_that_is_down_is_fallen_back_from() {
    let real = Real::new(alone());
    let _undo = Undo("start b");
    control("kill b");
    let run = run_id("down");
    real.submit(&run, "jobs: [{name: t, command: 'true', gpus: 1, preferred_cluster: b}]");
    assert_eq!(wait_for(&real.world, &run), 0);
    let status = real.world.json(&format!("status {run} --json"), 0);
    assert_eq!(column(&status, "cluster"), ["a"]);
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn what_no_node_holds_is_refused_before_it_is_sent() {
    let real = Real::new(shared());
    real.world.run("clusters").expect(0);
    let file = real.batch("jobs: [{name: t, command: x, gpus: 64, cluster: auto}]");
    let answer = real.world.run_args(&["submit", &file, "--yes"]).expect(2);
    assert!(answer.stdout.contains("no machine of `a` has more than 8"), "{answer:#?}");
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn code_goes_along_and_logs_keep_their_bytes() {
    let real = Real::new(shared());
    real.world.file("src/main.py", "import mine.part\nprint('value', mine.part.VALUE)\n");
    real.world.file("src/run.sh", "python main.py; printf 'odd \\377\\376\\n'\n");
    real.world.file("lib/mine/__init__.py", "");
    real.world.file("lib/mine/part.py", "VALUE = 7\n");
    let run = run_id("code");
    real.submit(
        &run,
        "jobs: [{name: t, command: sh run.sh, src_dir: src, libraries: [lib/mine], cluster: a, \
         sweep: {n: {range: [0, 5]}}, env: {N: '{n}'}}]",
    );
    assert_eq!(wait_for(&real.world, &run), 0);
    let mut command = real.world.command();
    let log = command.args(["logs", &run, "t-1"]).output().unwrap().stdout;
    let text = String::from_utf8_lossy(&log);
    assert!(text.contains("value 7\n") && text.contains("odd "), "{text}");
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn a_cancel_stops_what_runs() {
    let real = Real::new(shared());
    let run = run_id("cancel");
    real.submit(&run, "jobs: [{name: t, command: sleep 600, cluster: a}]");
    real.world.until(&run, "it runs", |status| status["counts"]["running"] == 1);
    real.world.run(&format!("cancel {run} --yes")).expect(0);
    real.world.until(&run, "it is stopped", |status| status["counts"]["stopped"] == 1);
}

#[test]
#[ignore = "needs the clusters of tests/engines/ray.sh"]
fn a_cluster_with_a_token_wants_it() {
    let real = Real::new(shared());
    let (url, token) = (told("ENGINE_TEST_RAY_C"), told("ENGINE_TEST_RAY_TOKEN"));
    let file = real.world.file("token", format!("{token}\n")).display().to_string();
    let entry = |token: &str| {
        real.world.config(&format!("clusters: {{c: {{kind: ray, address: \"{url}\"{token}}}}}"));
    };
    entry("");
    let clusters = real.world.run("clusters --json").json();
    let error = clusters["clusters"][0]["error"].as_str().unwrap();
    assert!(error.contains("needs a login"), "{error}");
    entry(&format!(", token: \"file:{file}\""));
    let run = run_id("token");
    real.submit(&run, "jobs: [{name: t, command: 'true', gpus: 1}]");
    assert_eq!(wait_for(&real.world, &run), 0);
}

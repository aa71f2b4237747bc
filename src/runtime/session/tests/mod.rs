//! Conducting against a scripted cluster, on a clock that runs when nothing else
//! does.

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::super::{
    engine::{Engine, Options},
    handle::{Command, Event, Finish, RunHandle, Until},
};
use crate::{
    cluster::{Cluster, Clusters},
    config::{Config, paths::StateDir},
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx, RunId},
        job::{Command as JobCommand, DependencyCondition, JobSpec},
        plan::{Approved, BatchHead, JobAction, Plan, PlannedJob, Totals},
        resources::Gpus,
        run::Run,
        status::{Cause, Status},
    },
};

mod calls;
mod crash;
pub(crate) mod fake;
mod lost;
mod pause;
mod room;
mod rules;
mod windows;

use fake::{Fake, Next};

/// A folder for state, and engines on it as if they were processes.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    clusters: Vec<Arc<Fake>>,
}

impl Bench {
    pub(crate) fn new(clusters: &[&Arc<Fake>]) -> Self {
        let clusters = clusters.iter().map(|c| Arc::clone(c)).collect();
        Self { folder: tempfile::tempdir().unwrap(), clusters }
    }

    pub(crate) fn engine(&self) -> Engine {
        engine_at(self.folder.path(), &self.clusters)
    }
}

fn engine_at(folder: &Path, fakes: &[Arc<Fake>]) -> Engine {
    let mut clusters = Clusters::new();
    for fake in fakes {
        clusters.insert(fake.id().clone(), Arc::clone(fake) as Arc<dyn Cluster>);
    }
    engine_of(folder, clusters)
}

fn engine_of(folder: &Path, clusters: Clusters) -> Engine {
    // No background process in these tests: its program does not exist.
    let exe = folder.join("no-such-program");
    let state = StateDir::new(folder.join("state"));
    let mut engine = Engine::with_clusters(Config::built_in(), state, exe, clusters);
    let begin = tokio::time::Instant::now();
    let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    if let Some(inner) = Arc::get_mut(&mut engine.inner) {
        inner.clock = Arc::new(move || base + begin.elapsed());
    }
    engine
}

/// One job of a batch in a test.
pub(crate) fn job(name: &str, cluster: &str, command: &str) -> PlannedJob {
    let mut spec = JobSpec::named(name);
    spec.command = Some(JobCommand::Shell(command.into()));
    PlannedJob {
        spec: Arc::new(spec),
        cluster: Some(ClusterId::new(cluster)),
        may_go: Arc::default(),
        outlook: None,
        action: JobAction::Submit,
        replicas: 1,
        total_gpus: Gpus::ZERO,
        depends_on: Arc::default(),
    }
}

pub(crate) fn after(mut job: PlannedJob, on: &[u32]) -> PlannedJob {
    job.depends_on = on.iter().map(|ix| (JobIx(*ix), DependencyCondition::Succeeded)).collect();
    job
}

pub(crate) fn jobs(n: usize, cluster: &str, command: &str) -> Vec<PlannedJob> {
    (0..n).map(|i| job(&format!("job-{}", i + 1), cluster, command)).collect()
}

pub(crate) fn approve(
    id: &str,
    jobs: Vec<PlannedJob>,
    change: impl FnOnce(&mut BatchHead),
) -> Approved {
    let mut head = BatchHead::named("test");
    change(&mut head);
    let plan =
        Plan { head, jobs, findings: Vec::new(), totals: Totals::default(), entries: Vec::new() };
    plan.approve(RunId::new(id).unwrap(), "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// Runs to the end of the condition; nothing here takes longer than hours.
pub(crate) async fn end(handle: &mut RunHandle) -> Finish {
    handle
        .finished_within(Duration::from_hours(48), |_, _| {})
        .await
        .unwrap()
        .expect("it does not end")
}

/// Waits until so many jobs run.
pub(crate) async fn until_running(handle: &mut RunHandle, count: usize) {
    let running = async {
        while handle.run.count(Status::Running) < count {
            handle.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_hours(48), running).await.expect("they never all run");
}

pub(crate) async fn settle(engine: &Engine, approved: Approved) -> Run {
    let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
    end(&mut handle).await;
    replica_is_the_journal(engine, &handle.run);
    handle.run
}

/// What a window keeps is what a reader of the journal sees.
fn replica_is_the_journal(engine: &Engine, run: &Run) {
    let read = crate::journal::Replay::read(&engine.dir(&run.id)).unwrap();
    assert!(read.damage.is_empty(), "{:?}", read.damage);
    assert_eq!(read.run, run.as_recorded());
}

pub(crate) fn each_once(fake: &Fake, count: usize) {
    let state = fake.lock();
    let keys: HashSet<_> = state.started.iter().collect();
    assert_eq!(keys.len(), state.started.len(), "started twice: {:?}", state.started);
    let rows: HashSet<_> = state.started.iter().map(|k| k.job).collect();
    assert_eq!(rows.len(), count);
}

#[tokio::test(start_paused = true)]
async fn a_batch_runs_to_its_end() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let run = settle(&bench.engine(), approve("r", jobs(25, "a", "true"), |_| {})).await;
    assert_eq!(run.count(Status::Succeeded), 25);
    each_once(&fake, 25);
    let state = fake.lock();
    assert_eq!(state.requests, 3, "ten jobs a request");
    assert!(state.polls < 10, "{} polls", state.polls);
}

#[tokio::test(start_paused = true)]
async fn submit_leaves_when_all_is_sent() {
    let fake = Fake::new("a", |_| {});
    fake.lock().ends = false;
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(5, "a", "true"), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Sent)).await.unwrap();
    let finish = end(&mut handle).await;
    assert_eq!((finish.unsent, finish.successor, finish.settled), (0, None, false));
    assert_eq!(fake.lock().started.len(), 5);
    // Looking later sees what became of them, and records it.
    fake.lock().ends = true;
    let id = handle.id.clone();
    engine.look(&id).await.unwrap();
    let look = engine.look(&id).await.unwrap();
    assert_eq!(look.run.count(Status::Succeeded), 5);
    replica_is_the_journal(&engine, &look.run);
    assert!(look.conductor.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_same_run_id_carries_on_or_is_refused() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let first = settle(&engine, approve("r", jobs(3, "a", "true"), |_| {})).await;
    let again = settle(&engine, approve("r", jobs(3, "a", "true"), |_| {})).await;
    assert_eq!(first.counts, again.counts);
    each_once(&fake, 3);
    let other = approve("r", jobs(4, "a", "true"), |_| {});
    let refused = engine.start(other, Options::conduct(Until::Sent)).await.unwrap_err();
    assert_eq!(refused.kind.exit_code(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_job_does_not_stop_the_rest() {
    let fake = Fake::new("a", |_| {});
    fake.script([Next::RejectsFirst]);
    let bench = Bench::new(&[&fake]);
    let run = settle(&bench.engine(), approve("r", jobs(5, "a", "true"), |_| {})).await;
    assert_eq!(run.count(Status::Rejected), 1);
    assert_eq!(run.jobs[0].cause, Some(Cause::Rejected));
    assert_eq!(run.jobs[0].reason.as_deref(), Some("too big"));
    assert_eq!(run.count(Status::Succeeded), 4);
}

#[tokio::test(start_paused = true)]
async fn cancelling_stops_what_runs_and_what_waits() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let mut list = jobs(4, "a", "run");
    list.push(after(job("last", "a", "true"), &[0]));
    let approved = approve("r", list, |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
    until_running(&mut handle, 4).await;
    let all = (0..5).map(JobIx).collect();
    let done = handle.commands.ask(Command::Cancel { jobs: all, why: None }).await.unwrap();
    assert!(done.message.contains("4 jobs; 1 not sent yet"), "{}", done.message);
    let finish = end(&mut handle).await;
    assert!(finish.settled);
    assert_eq!(handle.run.count(Status::Stopped), 5);
    assert_eq!(fake.lock().cancels.len(), 4);
    replica_is_the_journal(&engine, &handle.run);
}

#[tokio::test(start_paused = true)]
async fn what_else_is_asked_of_a_cluster_is_asked_once() {
    let (able, unable) = (Fake::new("a", |_| {}), Fake::new("b", |c| c.requeue = false));
    let bench = Bench::new(&[&able, &unable]);
    let engine = bench.engine();
    let mut list = jobs(2, "a", "run");
    list.push(job("other", "b", "run"));
    let approved = approve("r", list, |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Told)).await.unwrap();
    until_running(&mut handle, 3).await;
    let act = |action, jobs: &[u32]| Command::Act {
        action,
        jobs: jobs.iter().copied().map(JobIx).collect(),
    };
    let done = handle.commands.ask(act(RemoteAction::Requeue, &[0, 1, 2])).await.unwrap();
    assert_eq!(done.message, "requeue asked for 2 jobs");
    assert_eq!(done.notes, ["other is on b, which cannot requeue jobs"]);
    while handle.run.jobs.iter().take(2).any(|row| row.attempts.len() < 2) {
        handle.next().await.unwrap();
    }
    assert_eq!((able.lock().steered.len(), unable.lock().steered.len()), (2, 0));
    assert_eq!(able.lock().started.len(), 2, "nothing was sent again");

    let why = handle.commands.ask(act(RemoteAction::Requeue, &[2])).await.unwrap_err();
    assert_eq!(why.message, "nothing to requeue: other is on b, which cannot requeue jobs");

    // What the cluster says to it is told once, and nothing asks again.
    until_running(&mut handle, 3).await;
    handle.commands.ask(act(RemoteAction::Suspend, &[0, 1])).await.unwrap();
    assert_eq!(trouble(&mut handle).await, "job-1 and 1 more could not be suspended: not today");
    able.lock().down = true;
    handle.commands.ask(act(RemoteAction::Requeue, &[0])).await.unwrap();
    assert!(trouble(&mut handle).await.starts_with("the requeue did not reach a: "));
    able.lock().down = false;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(able.lock().steered.len(), 4);
}

/// The next trouble that is told.
async fn trouble(handle: &mut RunHandle) -> String {
    loop {
        if let Event::Trouble(report) = handle.next().await.unwrap() {
            return report.message;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_cluster_keeps_its_jobs_waiting() {
    let fake = Fake::new("a", |_| {});
    fake.lock().down = true;
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(3, "a", "true"), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Sent)).await.unwrap();
    let finish = end(&mut handle).await;
    assert_eq!(finish.unsent, 3);
    assert_eq!(finish.unreachable.len(), 1);
    // It comes back while somebody waits.
    let id = handle.id.clone();
    let mut handle = engine.open(&id, Options::conduct(Until::Settled)).await.unwrap();
    tokio::time::sleep(Duration::from_mins(2)).await;
    fake.lock().down = false;
    assert!(end(&mut handle).await.settled);
    assert_eq!(handle.run.count(Status::Succeeded), 3);
    each_once(&fake, 3);
}

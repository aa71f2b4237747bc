//! One list of behaviours, run against every kind of cluster: what the rest of
//! the program relies on, whoever answers. A new kind adds its line to [`kinds`].

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

#[path = "support/wait.rs"]
mod wait;

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::StreamExt as _;
use jiff::Timestamp;
use jobdeck::{
    cluster::{
        Cluster, Found, KeyedJob, LogCursor, LogSource, LogStream, Outcome, RemoteAction,
        SiteFacts, Sought, Watched, local::LocalCluster, origin::Origin, ray::RayCluster,
        slurm::SlurmCluster,
    },
    config::{LocalGpus, LocalSettings, RaySettings, SlurmSettings},
    domain::{
        ids::{ClusterId, JobIx, JobKey, RunId},
        job::{Command, JobSpec, JobType},
        run::JobFacts,
        status::{Cause, Status},
    },
    simulate::ray::{NodeSize, Server, Settings},
};
use tokio::runtime::Runtime;

/// A cluster, and what answers for it while it is used.
type Made = (Arc<dyn Cluster>, Option<Server>);
type Make = fn(&Path, &Runtime) -> Made;

/// Every kind that this build can drive, fresh and empty in a folder of its own,
/// with room for at least two jobs and one GPU.
///
/// A kind that needs a real engine is on the list while its suite runs the tests
/// (`tests/engines/`).
fn kinds() -> Vec<(&'static str, Make)> {
    let mut kinds: Vec<(&'static str, Make)> = vec![("local", local), ("simulated ray", ray)];
    if std::env::var_os("ENGINE_TEST_RAY_A").is_some() {
        kinds.push(("ray", real_ray));
    }
    if std::env::var_os("ENGINE_TEST_SLURM_DIR").is_some() {
        kinds.push(("slurm", slurm));
    }
    kinds
}

fn slurm(folder: &Path, _: &Runtime) -> Made {
    let told = |name: &str| std::env::var(name).unwrap();
    let settings = SlurmSettings {
        remote_dir: Some(folder.join("remote").display().to_string()),
        prefix: Some(format!("export SLURM_CONF={}", told("SLURM_CONF"))),
        ..SlurmSettings::default()
    };
    let origin = Origin::new(folder.join("origin"));
    (
        Arc::new(SlurmCluster::new(ClusterId::new("lab"), settings, &folder.join("ssh"), origin)),
        None,
    )
}

fn ray(folder: &Path, runtime: &Runtime) -> Made {
    let settings = Settings {
        nodes: vec![NodeSize { cpus: 4.0, gpus: 2.0, memory: 1e10 }],
        token: Some("s3cret".into()),
        start_delay: Duration::ZERO,
        ..Settings::default()
    };
    let server = runtime.block_on(Server::start(settings, 0)).unwrap();
    let settings = RaySettings {
        address: server.url(),
        token: Some("s3cret".into()),
        ..RaySettings::default()
    };
    let origin = Origin::new(folder.join("origin"));
    (Arc::new(RayCluster::new(ClusterId::new("sim"), settings, origin)), Some(server))
}

fn real_ray(folder: &Path, _: &Runtime) -> Made {
    let address = std::env::var("ENGINE_TEST_RAY_A").unwrap();
    let settings = RaySettings { address, ..RaySettings::default() };
    let origin = Origin::new(folder.join("origin"));
    (Arc::new(RayCluster::new(ClusterId::new("ray"), settings, origin)), None)
}

thread_local! {
    /// The run of the behaviour that is looked at: clusters may be shared.
    static RUN: RefCell<RunId> = RefCell::new(RunId::hole());
}

fn local(folder: &Path, _: &Runtime) -> Made {
    let settings =
        LocalSettings { gpus: LocalGpus::Count(2), cpus: Some(2.0), grace_secs: Some(1) };
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_jobdeck"));
    (Arc::new(LocalCluster::new(ClusterId::new("here"), &settings, folder.join("root"), exe)), None)
}

fn job(ix: u32, command: &str) -> KeyedJob {
    let mut spec = JobSpec::named(format!("job-{ix}"));
    spec.command = Some(Command::Shell(command.into()));
    KeyedJob {
        key: JobKey { run: RUN.with_borrow(Clone::clone), job: JobIx(ix), attempt: 1 },
        spec: Arc::new(spec),
        replicas: 1,
        after: Vec::new(),
        run_limit: None,
        code: Vec::new(),
    }
}

/// Sends the jobs as the conductor does; how each was answered, in their order.
async fn send(cluster: &dyn Cluster, jobs: &[KeyedJob]) -> Vec<Outcome> {
    let facts = cluster.facts().await.unwrap();
    let mut answers = Vec::new();
    for request in &cluster.render(jobs, &facts).requests {
        answers.extend(cluster.submit(request).await.unwrap());
    }
    let of = |key: &JobKey| answers.iter().find(|(k, _)| k == key).map(|(_, o)| o.clone());
    jobs.iter().map(|job| of(&job.key).unwrap()).collect()
}

fn watched(job: &KeyedJob, outcome: &Outcome) -> Watched {
    let Outcome::Accepted(accepted) = outcome else { panic!("{}: {outcome:?}", job.key) };
    Watched {
        key: job.key.clone(),
        remote_id: Some(accepted.remote_id.as_str().into()),
        log_path: accepted.log_path.as_deref().map(Into::into),
        starts: 1,
    }
}

/// Polls until what is known of the job fits.
async fn until(
    cluster: &dyn Cluster,
    job: &Watched,
    what: &str,
    fits: impl Fn(&JobFacts) -> bool,
) -> JobFacts {
    wait::until_async(what, async || {
        let seen = cluster.observe(std::slice::from_ref(job)).await.unwrap();
        let facts = seen.into_iter().find(|o| o.key == job.key).and_then(|o| o.facts);
        facts.clone().filter(|facts| fits(facts)).ok_or(facts)
    })
    .await
}

/// Runs the behaviour against every kind.
fn against_all<F: Future<Output = ()>>(behaviour: impl Fn(Arc<dyn Cluster>, PathBuf) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for (name, make) in kinds() {
        println!("{name}");
        let folder = tempfile::tempdir().unwrap();
        RUN.set(RunId::new(&format!("contract-{:08x}", fastrand::u32(..))).unwrap());
        let (cluster, _engine) = make(folder.path(), &runtime);
        runtime.block_on(behaviour(cluster, folder.path().to_owned()));
    }
}

#[test]
fn the_same_jobs_make_the_same_requests_and_each_job_is_in_one() {
    against_all(|cluster, _| async move {
        let jobs: Vec<KeyedJob> = (0..5).map(|ix| job(ix, "true")).collect();
        let facts = SiteFacts::default();
        let rendered = cluster.render(&jobs, &facts);
        assert_eq!(rendered, cluster.render(&jobs, &facts));
        let mut keys: Vec<_> =
            rendered.requests.iter().flat_map(|r| r.jobs.iter().map(|j| j.key.clone())).collect();
        keys.sort();
        assert_eq!(keys, jobs.iter().map(|j| j.key.clone()).collect::<Vec<_>>());
        let most = cluster.capabilities().jobs_per_request;
        assert!(rendered.requests.iter().all(|r| r.jobs.len() <= most));
        assert!(rendered.requests.iter().all(|r| r.cluster == *cluster.id()));
    });
}

#[test]
fn a_job_that_got_through_twice_is_one_after_a_look() {
    against_all(|cluster, _| async move {
        let one = job(0, "sleep 600");
        let first = send(&*cluster, std::slice::from_ref(&one)).await;
        let _second = send(&*cluster, std::slice::from_ref(&one)).await;
        let sought = Sought {
            key: one.key.clone(),
            spec: Arc::clone(&one.spec),
            sent_at: Some(Timestamp::now()),
        };
        let found = cluster.find(&[sought]).await.unwrap();
        let kept = watched(&one, &first[0]);
        let [(_, Found::Present(accepted))] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(Some(accepted.remote_id.as_str()), kept.remote_id.as_deref(), "the older one");
        until(&*cluster, &kept, "running", |f| f.status == Status::Running).await;
        cluster.act(RemoteAction::Cancel, std::slice::from_ref(&kept)).await.unwrap();
        until(&*cluster, &kept, "stopped", |f| f.status == Status::Stopped).await;
    });
}

#[test]
fn a_job_runs_once_however_often_it_is_sent() {
    against_all(|cluster, folder| async move {
        if !cluster.capabilities().idempotent {
            return;
        }
        let ran = folder.join("ran");
        let one = job(0, &format!("echo $JOBDECK_JOB >> '{}'; exit 3", ran.display()));
        let first = send(&*cluster, std::slice::from_ref(&one)).await;
        let again = send(&*cluster, std::slice::from_ref(&one)).await;
        assert_eq!(first, again);
        let job = watched(&one, &first[0]);
        let facts = until(&*cluster, &job, "ended", |f| f.status.is_ended()).await;
        assert_eq!((facts.status, facts.cause), (Status::Failed, Some(Cause::Exit)));
        assert_eq!(facts.exit_code, Some(3));
        assert!(facts.started_at <= facts.finished_at && facts.finished_at.is_some());
        // An end stays an end, also when it is sent once more.
        send(&*cluster, std::slice::from_ref(&one)).await;
        assert_eq!(until(&*cluster, &job, "told of", |_| true).await, facts);
        assert_eq!(std::fs::read_to_string(ran).unwrap(), "job-0\n");
    });
}

#[test]
fn what_is_there_is_found_and_what_is_not_is_said_to_be_absent() {
    against_all(|cluster, _| async move {
        let there = job(0, "true");
        let not = job(1, "true");
        send(&*cluster, std::slice::from_ref(&there)).await;
        let sought = [&there, &not].map(|job| Sought {
            key: job.key.clone(),
            spec: Arc::clone(&job.spec),
            sent_at: Some(Timestamp::now()),
        });
        let found = cluster.find(&sought).await.unwrap();
        let of = |key: &JobKey| found.iter().find(|(k, _)| k == key).map(|(_, f)| f);
        assert!(matches!(of(&there.key), Some(Found::Present(_))), "{found:?}");
        assert_eq!(of(&not.key), Some(&Found::Absent));
        // Silence means nothing, so a poll must say it too.
        let job = Watched { key: not.key.clone(), remote_id: None, log_path: None, starts: 1 };
        let seen = cluster.observe(&[job]).await.unwrap();
        assert!(seen.iter().any(|o| o.key == not.key && o.facts.is_none()), "{seen:?}");
    });
}

#[test]
fn a_cancelled_job_ends_as_stopped() {
    against_all(|cluster, _| async move {
        let long = job(0, "sleep 600");
        let job = watched(&long, &send(&*cluster, std::slice::from_ref(&long)).await[0]);
        until(&*cluster, &job, "running", |f| f.status == Status::Running).await;
        let acted = cluster.act(RemoteAction::Cancel, std::slice::from_ref(&job)).await.unwrap();
        assert!(acted.iter().all(|o| o.result.is_ok()), "{acted:?}");
        let facts = until(&*cluster, &job, "stopped", |f| f.status.is_ended()).await;
        assert_eq!((facts.status, facts.cause), (Status::Stopped, Some(Cause::Cancelled)));
    });
}

/// The bytes of a log from there on, followed to its end.
async fn read_log(
    cluster: &dyn Cluster,
    job: &Watched,
    stream: LogStream,
    from: LogCursor,
) -> Vec<u8> {
    let mut chunks = cluster.logs(job, LogSource { stream, worker: 0 }, from, true);
    let mut bytes = Vec::new();
    let mut complete = false;
    // It ends by itself, since the job has ended.
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        complete |= chunk.complete;
        bytes.extend(chunk.bytes);
    }
    assert!(complete, "its end is told");
    bytes
}

#[test]
fn a_log_is_read_from_any_byte_as_it_is() {
    against_all(|cluster, _| async move {
        if !cluster.capabilities().logs {
            return;
        }
        let one = job(0, r"printf 'first\nsecond\377\n'; printf 'trouble\n' >&2");
        let job = watched(&one, &send(&*cluster, std::slice::from_ref(&one)).await[0]);
        until(&*cluster, &job, "ended", |f| f.status.is_ended()).await;
        let read = async |stream, from| read_log(&*cluster, &job, stream, from).await;
        let whole = read(LogStream::Stdout, LogCursor::Offset(0)).await;
        if cluster.capabilities().one_log {
            // The cluster itself writes to it as well.
            let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
            for line in [&b"first\n"[..], b"second\xff\n", b"trouble\n"] {
                assert!(lines.contains(&line), "{}", String::from_utf8_lossy(&whole));
            }
            assert_eq!(read(LogStream::Stderr, LogCursor::Offset(0)).await, whole);
        } else {
            assert_eq!(whole, b"first\nsecond\xff\n");
            assert_eq!(read(LogStream::Stderr, LogCursor::Tail(1 << 20)).await, b"trouble\n");
        }
        for skip in [1, 6, whole.len() - 1] {
            let rest = read(LogStream::Stdout, LogCursor::Offset(skip as u64)).await;
            assert_eq!(rest, whole[skip..], "from byte {skip}");
        }
        for last in [2, whole.len(), 1 << 20] {
            let begin = whole.len().saturating_sub(last);
            let tail = read(LogStream::Stdout, LogCursor::Tail(last as u64)).await;
            assert_eq!(tail, whole[begin..], "the last {last}");
        }
    });
}

#[test]
fn a_log_is_followed_while_its_job_writes() {
    against_all(|cluster, folder| async move {
        if !cluster.capabilities().logs {
            return;
        }
        let go_on = folder.join("go-on");
        let command = format!(
            "echo before; until [ -e '{}' ]; do sleep 0.1; done; echo after",
            go_on.display()
        );
        let one = job(0, &command);
        let job = watched(&one, &send(&*cluster, std::slice::from_ref(&one)).await[0]);
        let mut chunks = cluster.logs(&job, LogSource::default(), LogCursor::Tail(1 << 20), true);
        let (mut seen, mut at) = (Vec::new(), None);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.unwrap();
            if !chunk.bytes.is_empty() {
                assert!(at.is_none_or(|at| at == chunk.offset), "no byte twice, none left out");
                at = Some(chunk.offset + chunk.bytes.len() as u64);
            }
            seen.extend(chunk.bytes);
            if seen.windows(7).any(|w| w == b"before\n") {
                std::fs::write(&go_on, "").unwrap();
            }
        }
        // The cluster itself may write to it as well, and repeat the command.
        let seen = String::from_utf8_lossy(&seen);
        let own: Vec<&str> =
            seen.lines().filter(|line| ["before", "after"].contains(line)).collect();
        assert_eq!(own, ["before", "after"], "{seen}");
    });
}

#[test]
fn capacity_and_capabilities_agree_with_what_it_does() {
    against_all(|cluster, _| async move {
        let capacity = cluster.capacity().await.unwrap();
        if let (Some(free), Some(total)) = (capacity.gpus_free, capacity.gpus_total) {
            assert!(free <= total);
        }
        let can = cluster.capabilities();
        assert!(can.jobs_per_request > 0 && can.concurrency > 0 && can.min_interval_ms > 0);
        assert!(can.absent_looks > 0, "a lost answer must be asked about at least once");
        assert!(can.job_types.contains(&JobType::Training));
    });
}

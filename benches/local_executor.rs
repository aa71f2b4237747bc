//! What the local executor costs: overhead of a job, of a look at the queue. Beside
//! it, for comparison: the same commands under `xargs -P2`.
#![allow(clippy::expect_used, reason = "this is a measurement")]

use std::{
    hint::black_box,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use jobdeck::{
    cluster::{Cluster, KeyedJob, SiteFacts, Watched, local::LocalCluster},
    config::{LocalGpus, LocalSettings},
    domain::{
        ids::{ClusterId, JobIx, JobKey, RunId},
        job::{Command, JobSpec},
    },
};

/// Jobs of one batch.
const JOBS: u32 = 1_000;

/// The same commands without a journal, a queue or records of how they ended.
fn xargs() -> Duration {
    let begun = Instant::now();
    let script = format!("seq {JOBS} | xargs -P2 -I{{}} sh -c true");
    let ended = std::process::Command::new("sh").args(["-c", &script]).status();
    assert!(ended.expect("a shell").success());
    begun.elapsed()
}

fn machine(cpus: f64) -> (tempfile::TempDir, LocalCluster) {
    let dir = tempfile::tempdir().expect("a folder");
    let settings =
        LocalSettings { gpus: LocalGpus::Count(0), cpus: Some(cpus), grace_secs: Some(1) };
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_jobdeck"));
    let root = dir.path().join("root");
    (dir, LocalCluster::new(ClusterId::new("local"), &settings, root, exe))
}

fn jobs(run: &str, count: u32, command: &str) -> Vec<KeyedJob> {
    (0..count)
        .map(|ix| {
            let mut spec = JobSpec::named(format!("j{ix}"));
            spec.command = Some(Command::Shell(command.into()));
            let run = RunId::new(run).expect("a run id");
            KeyedJob {
                key: JobKey { run, job: JobIx(ix), attempt: 1 },
                spec: Arc::new(spec),
                replicas: 1,
                after: Vec::new(),
                run_limit: None,
                code: Vec::new(),
            }
        })
        .collect()
}

async fn submit(cluster: &LocalCluster, jobs: &[KeyedJob]) -> Vec<Watched> {
    for request in &cluster.render(jobs, &SiteFacts::default()).requests {
        cluster.submit(request).await.expect("accepted");
    }
    let watched = |job: &KeyedJob| Watched {
        key: job.key.clone(),
        remote_id: None,
        log_path: None,
        starts: 1,
    };
    jobs.iter().map(watched).collect()
}

/// How many of them have ended.
async fn ended(cluster: &LocalCluster, watched: &[Watched]) -> usize {
    let observed = cluster.observe(watched).await.expect("an answer");
    observed.iter().filter(|o| o.facts.as_ref().is_some_and(|f| f.status.is_ended())).count()
}

fn cost(c: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("local executor");
    group.sample_size(10).measurement_time(Duration::from_secs(20));

    group.bench_function("one of 1,000 jobs of `true` on 2 cores", |b| {
        b.iter_custom(|rounds| {
            let mut all = Duration::ZERO;
            for round in 0..rounds {
                all += runtime.block_on(async {
                    let (_dir, cluster) = machine(2.0);
                    let jobs = jobs(&format!("r{round}"), JOBS, "true");
                    let begun = Instant::now();
                    let watched = submit(&cluster, &jobs).await;
                    while ended(&cluster, &watched).await < watched.len() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                    begun.elapsed() / JOBS
                });
            }
            all
        });
    });

    group.bench_function("one of 1,000 under xargs -P2, for comparison", |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| xargs() / JOBS).sum());
    });

    // One job holds the only core, so that everything else stays queued.
    let (_dir, cluster) = machine(1.0);
    let watched = runtime.block_on(async {
        submit(&cluster, &jobs("first", 1, "exec sleep 3600")).await;
        submit(&cluster, &jobs("queued", 10_000, "true")).await
    });
    group.bench_function("a look at 10,000 queued jobs", |b| {
        b.iter(|| runtime.block_on(async { black_box(ended(&cluster, &watched).await) }));
    });
    group.finish();
}

criterion_group!(benches, cost);
criterion_main!(benches);

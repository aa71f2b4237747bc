//! Runs and models to look at: for tests of screens, for measurements and for
//! the pictures in the documentation. Always the same for the same arguments.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    effect::Effect,
    model::{Model, Settings},
    msg::{ClusterHealth, Msg},
    update::update,
};
use crate::domain::{
    ids::{ClusterId, JobIx, RunId},
    job::{Command, DependencyCondition, JobSpec, JobType},
    plan::{BatchHead, JobAction, Plan, PlannedJob, Totals},
    resources::Gpus,
    run::{Accepted, Conductor, JobFacts, Record, Run, Stamped},
    site::{Capabilities, Capacity, ClusterKind},
    status::{Cause, Status},
};

/// When the samples were submitted.
pub fn start() -> Timestamp {
    Timestamp::from_second(1_750_000_000).unwrap_or_default()
}

/// This many seconds after [`start`].
pub fn after(secs: i64) -> Timestamp {
    start().checked_add(SignedDuration::from_secs(secs)).unwrap_or_default()
}

/// The present of the samples: twelve minutes after the start.
pub fn now() -> Timestamp {
    after(720)
}

fn planned(spec: JobSpec, cluster: &str, replicas: u32) -> PlannedJob {
    let total_gpus = spec.gpus.times(u64::from(replicas));
    PlannedJob {
        spec: Arc::new(spec),
        cluster: Some(ClusterId::new(cluster)),
        may_go: Arc::default(),
        outlook: None,
        action: JobAction::Submit,
        replicas,
        total_gpus,
        depends_on: Arc::default(),
    }
}

fn job(name: &str, gpus: u64, command: &str) -> JobSpec {
    let mut spec = JobSpec::named(name);
    spec.gpus = Gpus::whole(gpus);
    spec.command = Some(Command::Shell(command.to_owned()));
    spec.project = Some("project-01".into());
    spec
}

fn sweep(group: &Arc<str>, number: usize, gpus: u64) -> JobSpec {
    const RATES: [&str; 3] = ["1e-3", "1e-2", "1e-1"];
    let at = number - 1;
    let rate = RATES.get(at % 3).copied().unwrap_or("1e-3");
    let seed = (at / 3).to_string();
    let command = format!("python train.py --lr {rate} --seed {seed}");
    let mut spec = job(&format!("{group}-{number}"), gpus, &command);
    spec.group = Some(group.clone());
    spec.memory = "16G".parse().ok();
    spec.time_limit = "4h".parse().ok();
    spec.params =
        [("lr".to_owned(), rate.to_owned()), ("seed".to_owned(), seed)].into_iter().collect();
    spec
}

fn begin(name: &str, id: &str, jobs: Vec<PlannedJob>) -> Option<Run> {
    let plan = Plan {
        head: BatchHead::named(name),
        jobs,
        findings: Vec::new(),
        totals: Totals::default(),
        entries: Vec::new(),
    };
    let mut run = Run::new(&plan.approve(RunId::new(id).ok()?, start()).ok()?);
    run.apply(&stamped(
        0,
        Record::Opened {
            conductor: Conductor {
                host: "login01".into(),
                boot: "b".into(),
                pid: 4711,
                start: 1,
                epoch: 1,
                background: false,
                yields: false,
            },
        },
    ));
    Some(run)
}

fn stamped(secs: i64, record: Record) -> Stamped {
    Stamped { at: after(secs), epoch: 1, record }
}

/// The records of a job that was sent and taken.
pub fn sent(job: u32, attempt: u32, cluster: &str, secs: i64) -> Vec<Stamped> {
    let jobs = vec![(JobIx(job), attempt)];
    vec![
        stamped(secs, Record::Intent { cluster: ClusterId::new(cluster), jobs }),
        stamped(
            secs,
            Record::Accepted {
                job: JobIx(job),
                attempt,
                accepted: Accepted {
                    remote_id: (90_000 + job).to_string(),
                    remote_name: None,
                    url: None,
                    log_path: Some(format!("/home/me/runs/{job}-{attempt}.out")),
                },
            },
        ),
    ]
}

/// What a cluster says of a job.
pub fn observed(job: u32, attempt: u32, secs: i64, facts: JobFacts) -> Stamped {
    stamped(secs, Record::Observed { job: JobIx(job), attempt, facts })
}

/// It runs since `from`.
pub fn running(from: i64, node: &str) -> JobFacts {
    JobFacts {
        started_at: Some(after(from)),
        node: Some(node.to_owned()),
        ..JobFacts::of(Status::Running)
    }
}

/// It ran from `from` to `to`.
pub fn ended(status: Status, from: i64, to: i64) -> JobFacts {
    JobFacts {
        started_at: Some(after(from)),
        finished_at: Some(after(to)),
        exit_code: Some(i32::from(status != Status::Succeeded)),
        cause: (status != Status::Succeeded).then_some(Cause::Exit),
        ..JobFacts::of(status)
    }
}

/// A run of twenty jobs in every state there is.
pub fn small() -> Run {
    let mut jobs = vec![planned(job("job1", 2, "python train.py"), "lab", 1)];
    let mut dist = job("dist-training", 2, "torchrun train.py");
    dist.job_type = JobType::Distributed;
    dist.workers = Some(4);
    jobs.push(planned(dist, "lab", 4));
    let mut space = job("analysis", 1, "jupyter lab");
    space.job_type = JobType::Workspace;
    jobs.push(planned(space, "runai", 1));
    let group: Arc<str> = "fine-tune".into();
    for number in 1..=12 {
        jobs.push(planned(sweep(&group, number, 1), "lab", 1));
    }
    jobs.push(planned(job("训练-模型 🚀", 1, "python 训练.py"), "lab", 1));
    let mut refused = job("too-big", 8, "python big.py");
    refused.image = Some("pytorch/pytorch:latest".into());
    jobs.push(planned(refused, "runai", 1));
    jobs.push(planned(job("gone", 1, "./gone.sh"), "lab", 1));
    jobs.push(planned(job("stopped-by-hand", 0, "sleep 900"), "lab", 1));
    let mut report = planned(job("report", 0, "python report.py"), "lab", 1);
    report.depends_on = (3..15).map(|ix| (JobIx(ix), DependencyCondition::Succeeded)).collect();
    jobs.push(report);
    let Some(mut run) = begin("fine-tune-mlp", "7k2f9xab", jobs) else { unreachable_run() };

    let mut records = Vec::new();
    for ix in 0..19 {
        let cluster = if matches!(ix, 2 | 16) { "runai" } else { "lab" };
        if ix != 16 {
            records.extend(sent(ix, 1, cluster, 2));
        }
    }
    let oom = |from, to| JobFacts {
        cause: Some(Cause::Oom),
        error: Some(
            "Traceback (most recent call last):\n  File \"train.py\", line 81\n\
             torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB"
                .into(),
        ),
        ..ended(Status::Failed, from, to)
    };
    let pending = JobFacts {
        reason: Some("waits for a free GPU (Resources)".into()),
        ..JobFacts::of(Status::Pending)
    };
    records.push(observed(0, 1, 10, running(6, "gpu03")));
    records.push(observed(1, 1, 60, running(58, "gpu[04-05]")));
    records.push(observed(2, 1, 40, running(33, "node-2")));
    for ix in 3..9 {
        let from = 8 + i64::from(ix);
        records.push(observed(ix, 1, 300, ended(Status::Succeeded, from, from + 190)));
    }
    records.push(observed(9, 1, 400, oom(20, 181)));
    records.push(observed(10, 1, 400, oom(20, 184)));
    let timed_out = JobFacts { cause: Some(Cause::Timeout), ..ended(Status::Failed, 20, 500) };
    records.push(observed(11, 1, 510, timed_out));
    records.push(observed(12, 1, 420, running(405, "gpu03")));
    records.push(observed(13, 1, 30, pending.clone()));
    records.push(observed(
        14,
        1,
        30,
        JobFacts {
            blocked: true,
            reason: Some("the partition is down: choose another".into()),
            ..pending.clone()
        },
    ));
    records.push(observed(15, 1, 420, running(415, "gpu07")));
    records.push(stamped(
        3,
        Record::Intent { cluster: ClusterId::new("runai"), jobs: vec![(JobIx(16), 1)] },
    ));
    records.push(stamped(
        4,
        Record::Refused {
            job: JobIx(16),
            attempt: 1,
            words: "quota of team-a exceeded: 8 of 8 GPUs in use".into(),
            cause: Cause::Rejected,
        },
    ));
    let lost = JobFacts {
        cause: Some(Cause::Lost),
        reason: Some("the cluster does not know it any more".into()),
        ..JobFacts::of(Status::Lost)
    };
    records.push(observed(17, 1, 500, lost));
    let stopped = JobFacts {
        cause: Some(Cause::Cancelled),
        exit_code: None,
        ..ended(Status::Stopped, 20, 100)
    };
    records.push(observed(18, 1, 100, stopped));
    // One failed job was tried again with more memory.
    let mut larger = run.job(JobIx(9)).map_or_else(|| JobSpec::named("x"), |j| (*j.spec).clone());
    larger.memory = "32G".parse().ok();
    records.push(stamped(
        520,
        Record::Retried {
            job: JobIx(9),
            attempt: 2,
            spec: Some(Arc::new(larger)),
            replicas: Some(1),
            code: None,
            automatic: false,
        },
    ));
    records.extend(sent(9, 2, "lab", 521));
    records.push(observed(9, 2, 540, oom(530, 700)));
    for record in &records {
        run.apply(record);
    }
    run
}

/// Batches here are never empty and never have findings.
fn unreachable_run() -> ! {
    unreachable!("a sample without errors is approved")
}

/// A run of this many jobs, half-way: one sweep of most of them, the rest single
/// jobs; about one in forty has failed.
pub fn large(jobs: usize) -> Run {
    let singles = jobs / 10;
    let group: Arc<str> = "sweep".into();
    let mut planned_jobs: Vec<PlannedJob> = (0..singles)
        .map(|n| planned(job(&format!("single-{n}"), 1, "./one.sh"), "lab", 1))
        .collect();
    for number in 1..=jobs - singles {
        let cluster = if number % 5 == 0 { "ray-a" } else { "lab" };
        planned_jobs.push(planned(sweep(&group, number, 1), cluster, 1));
    }
    let Some(mut run) = begin("large-sweep", "8h3k2mxq", planned_jobs) else { unreachable_run() };
    for ix in 0..u32::try_from(jobs).unwrap_or(u32::MAX) {
        for record in life(ix) {
            run.apply(&record);
        }
    }
    run
}

/// As [`large`], with all of its jobs ended.
pub fn over(jobs: usize) -> Run {
    let mut run = large(jobs);
    for ix in 0..u32::try_from(jobs).unwrap_or(u32::MAX) {
        let unsent = run.job(JobIx(ix)).is_some_and(|job| job.attempt().is_none());
        if unsent {
            for record in &sent(ix, 1, "lab", 300) {
                run.apply(record);
            }
        }
        run.apply(&observed(ix, 1, 700, ended(Status::Succeeded, 310, 690)));
    }
    run
}

/// What had happened to job `ix` of [`large`].
fn life(ix: u32) -> Vec<Stamped> {
    let mix = ix.wrapping_mul(2_654_435_761) >> 16;
    if mix % 100 >= 80 {
        return Vec::new();
    }
    let secs = i64::from(mix % 300);
    let mut records = sent(ix, 1, if ix.is_multiple_of(5) { "ray-a" } else { "lab" }, secs);
    let facts = match mix % 40 {
        0 => JobFacts {
            cause: Some(Cause::Oom),
            error: Some(format!("CUDA out of memory. Tried to allocate {} MiB", mix % 900)),
            ..ended(Status::Failed, secs + 5, secs + 90)
        },
        1..=10 => running(secs + 10, &format!("gpu{:02}", mix % 64)),
        11..=15 => JobFacts {
            reason: Some("waits for a free GPU (Resources)".into()),
            ..JobFacts::of(Status::Pending)
        },
        _ => ended(Status::Succeeded, secs + 5, secs + 60 + i64::from(mix % 120)),
    };
    records.push(observed(ix, 1, secs + 100, facts));
    records
}

/// Records that change `count` jobs of [`large`], spread over the run; `round`
/// counts up, so that every call brings something new.
pub fn news(jobs: usize, count: usize, round: u32) -> Vec<Stamped> {
    let jobs = u32::try_from(jobs).unwrap_or(u32::MAX).max(1);
    (0..u32::try_from(count).unwrap_or(u32::MAX))
        .map(|n| {
            let ix = n.wrapping_mul(7919).wrapping_add(round.wrapping_mul(104_729)) % jobs;
            let facts = if (n + round).is_multiple_of(3) {
                ended(Status::Succeeded, 200, 600 + i64::from(round % 100))
            } else {
                running(200, &format!("gpu{:02}", (n + round) % 64))
            };
            observed(ix, 1, 600 + i64::from(round % 100), facts)
        })
        .collect()
}

/// Clusters of the samples; `stale`: `lab` does not answer for four minutes.
pub fn health(stale: bool) -> Vec<ClusterHealth> {
    let one = |name: &str, kind, total, free| ClusterHealth {
        id: ClusterId::new(name),
        kind,
        enabled: true,
        can: Capabilities::of(kind),
        capacity: Some(Capacity {
            gpus_total: Some(Gpus::whole(total)),
            gpus_free: Some(Gpus::whole(free)),
            ..Capacity::default()
        }),
        offers: None,
        last_seen: Some(after(717)),
        error: None,
        needs_login: false,
        latency_ms: Some(40),
        requests_per_minute: 12,
    };
    let mut lab = one("lab", ClusterKind::Slurm, 64, 12);
    if stale {
        lab.last_seen = Some(after(480));
        lab.error = Some("connection timed out".into());
    }
    vec![lab, one("runai", ClusterKind::Runai, 8, 0), one("ray-a", ClusterKind::Ray, 8, 8)]
}

/// A screen of this size that shows a run in Monitor.
pub fn model(run: Run, width: u16, height: u16) -> Model {
    let mut model = Model::new(Settings::default(), now(), width, height);
    update(&mut model, Msg::Clusters(health(false)));
    update(&mut model, Msg::RunOpened { run: Box::new(run), conducting: true });
    model
}

/// Folds these records into a run; what a window that shows it is told then.
pub fn told(run: &mut Run, records: &[Stamped]) -> Msg {
    let mut changed: Vec<JobIx> = records.iter().flat_map(|r| run.apply(r).jobs).collect();
    changed.sort_unstable();
    changed.dedup();
    Msg::RunNews { run: Box::new(run.clone()), changed: changed.into() }
}

/// Tells the window what these records change in the run it shows.
pub fn tell(model: &mut Model, records: &[Stamped]) -> Vec<Effect> {
    let Some(mut run) = model.monitor.opened().map(|o| o.run().clone()) else { return Vec::new() };
    update(model, told(&mut run, records))
}

//! What a run of 100,000 jobs costs on disk: making it, reading it back, folding.

use std::{collections::BTreeMap, hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use jobdeck::{
    domain::{
        ids::{ClusterId, JobIx, RunId},
        job::{Command, JobSpec},
        plan::{Approved, BatchHead, JobAction, Plan, PlannedJob, Totals},
        resources::Gpus,
        run::{Accepted, JobFacts, Record, Stamped},
        status::Status,
    },
    journal::{Acquire, Journal, Ownership, Replay, RunDir, Stored, create},
};

const JOBS: u32 = 100_000;
/// Records of 100,000 in all: a third of the jobs from intent to end.
const LIVED: u32 = 33_333;

fn approved() -> Option<Approved> {
    let jobs = (0..JOBS).map(|i| {
        let mut spec = JobSpec::named(format!("lr-{}", i + 1));
        spec.group = Some("lr".into());
        spec.command = Some(Command::Shell(format!("python train.py --seed {i}")));
        spec.params = [("seed".to_owned(), i.to_string())].into_iter().collect();
        PlannedJob {
            spec: Arc::new(spec),
            cluster: Some(ClusterId::new("lab")),
            action: JobAction::Submit,
            replicas: 1,
            total_gpus: Gpus::whole(1),
            depends_on: Arc::default(),
        }
    });
    let plan = Plan {
        head: BatchHead::named("bench"),
        jobs: jobs.collect(),
        findings: Vec::new(),
        totals: Totals::default(),
        entries: Vec::new(),
    };
    plan.approve(RunId::new("bench").ok()?, Timestamp::UNIX_EPOCH).ok()
}

fn life(epoch: u64) -> Vec<Stamped> {
    let jobs = (0..LIVED).map(|i| (JobIx(i), 1)).collect();
    let mut records = vec![Record::Intent { cluster: ClusterId::new("lab"), jobs }];
    for i in 0..LIVED {
        let accepted = Accepted {
            remote_id: format!("4711_{i}"),
            remote_name: Some(format!("jd-bench-{}-1", i + 1)),
            url: None,
            log_path: Some(format!("/home/user/.jobdeck/runs/bench/{i}.out")),
        };
        records.push(Record::Accepted { job: JobIx(i), attempt: 1, accepted });
        for status in [Status::Running, Status::Succeeded] {
            let facts = JobFacts::of(status);
            records.push(Record::Observed { job: JobIx(i), attempt: 1, facts });
        }
    }
    records.into_iter().map(|record| Stamped { at: Timestamp::UNIX_EPOCH, epoch, record }).collect()
}

fn replay(c: &mut Criterion) {
    let (Ok(folder), Some(approved)) = (tempfile::tempdir(), approved()) else { return };
    let dir = RunDir::new(folder.path().join("bench"));
    if create(&dir, &Stored::new(approved.clone(), BTreeMap::new())).is_err() {
        return;
    }
    let Ok(Acquire::Got(ownership)) = Ownership::acquire(&dir, 0, false, false, false) else {
        return;
    };
    let epoch = ownership.epoch();
    let Ok(tail) = Replay::read(&dir).map(|r| r.tail.offset()) else { return };
    let Ok(mut journal) = Journal::open(&dir, ownership, tail) else { return };
    if journal.commit(&life(epoch)).is_err() {
        return;
    }
    let mut group = c.benchmark_group("journal");
    group.sample_size(10);
    group.bench_function("replay 100,000 records of 100,000 jobs", |b| {
        b.iter(|| black_box(Replay::read(&dir).is_ok()));
    });
    group.bench_function("make a run of 100,000 jobs", |b| {
        b.iter_batched(
            || tempfile::tempdir().ok(),
            |folder| {
                let dir = folder.as_ref().map(|f| RunDir::new(f.path().join("bench")));
                let stored = Stored::new(approved.clone(), BTreeMap::new());
                black_box(dir.is_some_and(|dir| create(&dir, &stored).is_ok()));
                folder
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);

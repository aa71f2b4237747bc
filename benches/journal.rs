//! What a run of 100,000 jobs costs on disk: making it, reading it back, folding.
//! Beside it, for comparison: the same lines read as JSON and nothing more.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a measurement")]

mod made;

use std::{collections::BTreeMap, hint::black_box};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jobdeck::journal::{Replay, RunDir, Stored, create};

const JOBS: u32 = 100_000;
/// Records of 100,000 in all: a third of the jobs from intent to end.
const LIVED: u32 = 33_333;

fn replay(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let approved = made::approved(JOBS);
    let dir = RunDir::new(folder.path().join("bench"));
    made::run(&dir, &approved, LIVED);
    let mut group = c.benchmark_group("journal");
    group.sample_size(10);
    group.bench_function("replay 100,000 records of 100,000 jobs", |b| {
        b.iter(|| black_box(Replay::read(&dir).is_ok()));
    });
    group.bench_function("the same files as JSON values, for comparison", |b| {
        b.iter(|| {
            let plan = std::fs::read(dir.plan()).expect("a plan");
            let plan: serde_json::Value = serde_json::from_slice(&plan).expect("JSON");
            let journal = std::fs::read_to_string(dir.journal()).expect("a journal");
            let lines: Vec<serde_json::Value> =
                journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
            black_box((plan, lines))
        });
    });
    group.bench_function("make a run of 100,000 jobs", |b| {
        b.iter_batched(
            || tempfile::tempdir().expect("a folder"),
            |folder| {
                let dir = RunDir::new(folder.path().join("bench"));
                let stored = Stored::new(approved.clone(), BTreeMap::new());
                black_box(create(&dir, &stored).is_ok());
                folder
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);

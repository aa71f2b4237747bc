//! What Slurm's adapter costs: reading the answer of a poll, and handing over a sweep.
//! Beside it, for comparison: the same jobs as Slurm's JSON, and a call of `sbatch` for
//! each job. The second needs a cluster: `tests/engines/slurm.sh up`, then
//! `tests/engines/slurm.sh run cargo bench --bench slurm`.
#![allow(clippy::expect_used, reason = "this is a measurement")]

use std::{
    fmt::Write as _,
    hint::black_box,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use criterion::{Criterion, criterion_group, criterion_main};
use jobdeck::cluster::slurm::queue::{self, Separator};

/// Jobs in the queue.
const QUEUED: u32 = 5_000;
/// Jobs of one sweep.
const SWEEP: u32 = 200;
/// Fields of a job in Slurm's JSON: as many as make the size that version 22.05 has.
const JSON_FIELDS: usize = 100;

/// The word that ends fields, from the call that asks for it.
fn separator(drawn: &Separator) -> String {
    let call = queue::squeue(drawn);
    let format = call.last().expect("a format");
    let first = format.split(',').next().expect("a field");
    first.strip_prefix("JobArrayID:").expect("its suffix").to_owned()
}

/// An answer of `squeue` with a task of an array in every record.
fn text(end: &str) -> String {
    let mut answer = String::new();
    for n in 0..QUEUED {
        let id = format!("{}_{}", 100 + n / 1_000, n % 1_000);
        let name = format!("lr.abc123.jd-7k2f9xab-{}-1", n / 1_000 * 1_000 + 1);
        let raw = (10_000 + n).to_string();
        let fields = [
            &id,
            &raw,
            "RUNNING",
            "0",
            "1772445600",
            "1772445610",
            "1772532010",
            "0",
            "gpu1",
            "None",
            "jd-7k2f9xab-1-1",
            &name,
        ];
        for field in fields {
            answer.push_str(field);
            answer.push_str(end);
        }
        answer.push('\n');
    }
    answer
}

/// The same jobs as Slurm's JSON has them.
fn json() -> String {
    let mut answer = String::from("{\"jobs\": [");
    for n in 0..QUEUED {
        answer.push_str(if n == 0 { "{" } else { ", {" });
        for field in 0..JSON_FIELDS {
            let gap = if field == 0 { "" } else { ", " };
            let _ = write!(answer, "{gap}\"some_field_{field:02}\": \"a value {n}\"");
        }
        answer.push('}');
    }
    answer.push_str("]}");
    answer
}

fn poll(c: &mut Criterion) {
    let drawn = Separator::draw();
    let (text, json) = (text(&separator(&drawn)), json());
    assert_eq!(queue::read_squeue(&text, &drawn, "abc123").len(), QUEUED as usize);
    println!("a poll of {QUEUED} jobs: {} bytes; as JSON {}", text.len(), json.len());
    let mut group = c.benchmark_group("poll of 5,000 jobs");
    group.sample_size(20);
    group.bench_function("read", |b| {
        b.iter(|| black_box(queue::read_squeue(black_box(&text), &drawn, "abc123").len()));
    });
    group.bench_function("as JSON values, for comparison", |b| {
        b.iter(|| black_box(serde_json::from_str::<serde_json::Value>(black_box(&json)).is_ok()));
    });
    group.finish();
}

/// Two hundred jobs handed over by jobdeck, until its process has ended.
fn one_array() -> Duration {
    let world = tempfile::tempdir().expect("a folder");
    let config = world.path().join("config.yaml");
    let remote = world.path().join("remote");
    let entry = format!("clusters: {{lab: {{kind: slurm, remote_dir: {}}}}}\n", remote.display());
    std::fs::write(&config, entry).expect("a configuration");
    let batch = world.path().join("b.yaml");
    let jobs =
        format!("jobs: [{{name: a, command: 'true', sweep: {{i: {{range: [0, {SWEEP}]}}}}}}]\n");
    std::fs::write(&batch, jobs).expect("a batch");
    let begun = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_jobdeck"))
        .arg("--config")
        .arg(&config)
        .args(["submit", "--yes", "--no-background"])
        .arg(&batch)
        .env("JOBDECK_STATE_DIR", world.path().join("state"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let took = begun.elapsed();
    assert!(status.expect("jobdeck").success());
    took
}

/// A call of `sbatch` for each.
fn one_by_one() -> Duration {
    let begun = Instant::now();
    for _ in 0..SWEEP {
        let call = ["--parsable", "--output=/dev/null", "--wrap=true"];
        let status = Command::new("sbatch").args(call).stdout(Stdio::null()).status();
        assert!(status.expect("sbatch").success());
    }
    begun.elapsed()
}

fn hand_over(_: &mut Criterion) {
    if std::env::var_os("ENGINE_TEST_SLURM_DIR").is_none() {
        println!("NOT MEASURED: handing over a sweep; it needs a cluster (see the file)");
        return;
    }
    let median = |of: fn() -> Duration| {
        let mut times: Vec<Duration> = (0..5).map(|_| of()).collect();
        times.sort();
        times[times.len() / 2]
    };
    let (array, single) = (median(one_array), median(one_by_one));
    println!(
        "{SWEEP} jobs: {array:.2?} by jobdeck, {single:.2?} by {SWEEP} calls of sbatch: {:.2} of it",
        array.as_secs_f64() / single.as_secs_f64()
    );
}

criterion_group!(benches, poll, hand_over);
criterion_main!(benches);

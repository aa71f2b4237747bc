//! Planning: a document read, expanded, placed, checked and summed. Beside it, for
//! comparison: the same text read by the YAML parser and nothing more.
//!
//! Aim: a sweep of 100,000 jobs well under a second.

use std::{fmt::Write, hint::black_box, path::Path};

use criterion::{Criterion, criterion_group, criterion_main};
use jobdeck::{
    domain::{
        ids::ClusterId,
        planner::PlanContext,
        site::{ClusterKind, ClusterView},
    },
    yaml,
};

fn context() -> PlanContext {
    let mut cx = PlanContext::default();
    let id = ClusterId::new("local");
    cx.clusters.insert(id.clone(), ClusterView::new(id, ClusterKind::Local));
    cx
}

/// A sweep of `seeds` × 100 jobs.
fn sweep(seeds: usize) -> String {
    format!(
        "jobs:\n- name: s\n  gpus: 1\n  env: {{A: '1', B: '{{a}}'}}\n  project: p\n  \
         command: python train.py --lr {{a}} --seed {{b}} --out '{{name}}'\n  \
         sweep: {{a: {{range: [0, 100]}}, b: {{range: [0, {seeds}]}}}}\n  \
         exclude: [{{a: 1, b: 2}}]\n"
    )
}

/// Entries of their own.
fn entries(count: usize) -> String {
    let mut text = String::from("defaults: {project: p, time_limit: 4h}\njobs:\n");
    for i in 0..count {
        let _ = writeln!(
            text,
            "- name: job-{i}\n  gpus: 1\n  command: python train.py --seed {i}\n  \
             env: {{SEED: '{i}'}}\n  tags: [a, b]\n  memory: 16G"
        );
    }
    text
}

fn plan(c: &mut Criterion) {
    let cx = context();
    let mut group = c.benchmark_group("plan");
    group.sample_size(10);
    for (name, text) in [
        ("sweep of 10,000", sweep(100)),
        ("sweep of 100,000", sweep(1000)),
        ("10,000 entries", entries(10_000)),
        ("100,000 entries", entries(100_000)),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let plan = yaml::plan(text.as_bytes(), "b", Some(Path::new("/w")), &cx);
                assert!(plan.is_ok() && plan.jobs.len() > 9_000);
                black_box(plan)
            });
        });
    }
    let text = entries(100_000);
    group.bench_function("100,000 entries, the YAML read and no more, for comparison", |b| {
        b.iter(|| {
            let events = saphyr_parser::Parser::new_from_str(&text);
            black_box(events.flatten().count())
        });
    });
    group.finish();
}

criterion_group!(benches, plan);
criterion_main!(benches);

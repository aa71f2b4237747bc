//! From a document to a plan: every sentence about batch files, as a test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod answer;
mod findings;
mod forms;
mod hostile;
mod placement;
mod schema;
mod sweeps;

use std::path::Path;

use jobdeck::{
    domain::{
        finding::Finding,
        ids::ClusterId,
        job::Command,
        plan::{Plan, PlannedJob},
        planner::PlanContext,
        resources::Gpus,
        site::{Capacity, ClusterKind, ClusterView},
    },
    yaml,
};

/// One local cluster with eight GPUs and sixteen cores.
fn local() -> PlanContext {
    let mut cx = PlanContext::default();
    add(&mut cx, view("local", ClusterKind::Local, Some(8)));
    cx
}

fn view(name: &str, kind: ClusterKind, gpus: Option<u64>) -> ClusterView {
    let mut view = ClusterView::new(ClusterId::new(name), kind);
    view.capacity = gpus.map(|n| {
        let has = Capacity {
            gpus_total: Some(Gpus::whole(n)),
            gpus_free: Some(Gpus::whole(n)),
            cpus_total: Some(16.0),
            ..Capacity::default()
        };
        (jiff::Timestamp::UNIX_EPOCH, has)
    });
    view
}

fn add(cx: &mut PlanContext, view: ClusterView) {
    cx.clusters.insert(view.id.clone(), view);
}

fn plan_in(text: &str, cx: &PlanContext) -> Plan {
    yaml::plan(text.as_bytes(), "batch", Some(Path::new("/data/batches")), cx)
}

fn plan(text: &str) -> Plan {
    plan_in(text, &local())
}

/// A plan without errors.
fn good(text: &str) -> Plan {
    let plan = plan(text);
    assert!(plan.is_ok(), "{text}\n{:#?}", errors(&plan));
    plan
}

fn show(finding: &Finding) -> String {
    let place = finding
        .span
        .map_or_else(|| "-".to_owned(), |s| format!("{}:{}", s.start.line, s.start.column));
    let hint = finding.hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default();
    format!("{} {place} {}{hint}", finding.path, finding.message)
}

fn errors(plan: &Plan) -> Vec<String> {
    plan.findings.iter().filter(|f| f.is_error()).map(show).collect()
}

fn warnings(plan: &Plan) -> Vec<String> {
    plan.findings.iter().filter(|f| !f.is_error()).map(show).collect()
}

/// There is exactly one error, and it holds all these words.
fn one_error(text: &str, words: &[&str]) {
    one_error_in(text, &local(), words);
}

fn one_error_in(text: &str, cx: &PlanContext, words: &[&str]) {
    let errors = errors(&plan_in(text, cx));
    assert_eq!(errors.len(), 1, "{text}\n{errors:#?}");
    for word in words {
        assert!(errors[0].contains(word), "`{word}` is not in: {}", errors[0]);
    }
}

/// The plan is fine but for one warning, which holds all these words.
fn one_warning(text: &str, words: &[&str]) {
    let plan = good(text);
    let warnings = warnings(&plan);
    assert_eq!(warnings.len(), 1, "{text}\n{warnings:#?}");
    for word in words {
        assert!(warnings[0].contains(word), "`{word}` is not in: {}", warnings[0]);
    }
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(|j| j.spec.name.as_str()).collect()
}

fn job<'p>(plan: &'p Plan, name: &str) -> &'p PlannedJob {
    plan.jobs.iter().find(|j| j.spec.name == name).unwrap_or_else(|| panic!("no job {name}"))
}

fn shell(job: &PlannedJob) -> &str {
    match &job.spec.command {
        Some(Command::Shell(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn commands(plan: &Plan) -> Vec<&str> {
    plan.jobs.iter().map(shell).collect()
}

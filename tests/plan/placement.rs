//! Where jobs go, and what exists already.

use std::sync::Arc;

use jobdeck::domain::{
    identity::{Earlier, History, Identity},
    ids::{JobIx, RunId},
    plan::JobAction,
    site::{Amounts, NodeCapacity},
    status::Status,
};

use super::*;

fn cluster_of(plan: &Plan, ix: usize) -> Option<&str> {
    plan.jobs[ix].cluster.as_ref().map(ClusterId::as_str)
}

#[test]
fn the_only_cluster_or_the_default() {
    assert_eq!(cluster_of(&good("[{name: a, command: x}]"), 0), Some("local"));
    let mut cx = local();
    add(&mut cx, view("lab", ClusterKind::Slurm, None));
    one_error_in(
        "[{name: a, command: x}]",
        &cx,
        &["jobs[0].cluster", "no cluster is chosen", "local, lab"],
    );
    cx.default_cluster = Some(ClusterId::new("lab"));
    assert_eq!(cluster_of(&plan_in("[{name: a, command: x}]", &cx), 0), Some("lab"));
    cx.default_cluster = Some(ClusterId::new("gone"));
    one_error_in("[{name: a, command: x}]", &cx, &["default cluster `gone` is not configured"]);
}

#[test]
fn named_listed_and_auto() {
    let mut cx = local();
    let mut off = view("off", ClusterKind::Slurm, None);
    off.enabled = false;
    add(&mut cx, off);
    add(&mut cx, view("small", ClusterKind::Slurm, Some(2)));
    add(&mut cx, view("large", ClusterKind::Slurm, Some(64)));
    let text = "
- {name: a, command: x, cluster: small}
- {name: b, command: x, cluster: [small, large], gpus: 2}
- {name: c, command: x, cluster: [small, large], gpus: 2}
- {name: d, command: x, cluster: auto, gpus: 16}
- {name: e, command: x, cluster: [off, auto], gpus: 1}
- {name: f, command: x, cluster: [local, auto], gpus: 1}
";
    let plan = plan_in(text, &cx);
    assert!(plan.is_ok(), "{:#?}", errors(&plan));
    let at: Vec<_> = (0..6).map(|ix| cluster_of(&plan, ix).unwrap()).collect();
    // b takes what small has free, so c goes on to large; auto passes over local.
    assert_eq!(at, ["small", "small", "large", "large", "large", "local"]);
    one_error_in("[{name: a, command: x, cluster: off}]", &cx, &["`off` is disabled"]);
    one_error_in(
        "[{name: a, command: x, cluster: smal}]",
        &cx,
        &["no cluster is named `smal`", "did you mean `small`"],
    );
    assert_eq!(
        cluster_of(&plan_in("[{name: a, command: x, cluster: auto}]", &local()), 0),
        Some("local")
    );
}

#[test]
fn without_a_queue_the_choice_stays_open() {
    let mut cx = PlanContext::default();
    add(&mut cx, view("a", ClusterKind::Ray, None));
    add(&mut cx, view("b", ClusterKind::Ray, None));
    let plan = plan_in(
        "[{name: x, command: y, cluster: [a, b], gpus: 2}, {name: z, command: y, cluster: a}]",
        &cx,
    );
    assert_eq!((cluster_of(&plan, 0), cluster_of(&plan, 1)), (None, Some("a")));
    assert_eq!(plan.totals.gpus_by_cluster["auto"], Gpus::whole(2));
    assert_eq!(plan.entries[0].cluster, "auto");
}

/// A Ray cluster of one node with so many GPUs in all and free, and 16 CPUs.
fn ray(name: &str, total: u64, free: u64) -> ClusterView {
    let has = |gpus| Amounts { gpus: Gpus::whole(gpus), cpus: 16.0, memory: 64 << 30 };
    let node = NodeCapacity { id: "n".into(), total: has(total), free: has(free) };
    let mut view = view(name, ClusterKind::Ray, Some(total));
    if let Some((_, capacity)) = &mut view.capacity {
        capacity.nodes = vec![node];
    }
    view
}

#[test]
fn an_open_choice_tells_where_it_would_go_now() {
    let mut cx = PlanContext::default();
    add(&mut cx, ray("a", 8, 3));
    add(&mut cx, ray("b", 4, 4));
    let text = "
- {name: first, command: x, cluster: auto, gpus: 2}
- {name: second, command: x, cluster: auto, gpus: 4}
- {name: third, command: x, cluster: [a, b], gpus: 1}
- {name: fourth, command: x, cluster: auto, gpus: 4}
- {name: after, command: x, cluster: auto, depends_on: [first]}
- {name: liked, command: x, preferred_cluster: a, gpus: 4}
- {name: given, command: x, cluster: a}
";
    let plan = plan_in(text, &cx);
    assert!(plan.is_ok(), "{:#?}", errors(&plan));
    let told: Vec<String> = plan
        .jobs
        .iter()
        .map(|job| {
            let why = job.outlook.as_ref().map_or("", |outlook| &*outlook.why);
            format!("{}; {why}", job.goes_to())
        })
        .collect();
    assert_eq!(
        told,
        [
            "auto → b; the best of 2 with room now; 2 GPUs stay free there",
            "auto, waits; needs 4 GPUs on one node; a has 3 free, b 2 free",
            "auto → a; the best of 2 with room now; 2 GPUs stay free there",
            "auto, waits; needs 4 GPUs on one node; a has 2 free, b 2 free",
            "auto, waits; placed when what it waits for has ended",
            "auto, waits; needs 4 GPUs on one node; a has 2 free, b 2 free",
            "a; ",
        ]
    );
    // What fits on no node at all is an error, and what is not known has no outlook.
    let plan = plan_in("[{name: x, command: y, cluster: auto, gpus: 1, cpus: 17}]", &cx);
    assert!(errors(&plan)[0].contains("no cluster of its choice can run it"));
    let mut silent = PlanContext::default();
    add(&mut silent, view("a", ClusterKind::Ray, None));
    add(&mut silent, view("b", ClusterKind::Ray, None));
    let plan = plan_in("[{name: x, command: y, cluster: auto, gpus: 1}]", &silent);
    assert_eq!(plan.jobs[0].goes_to(), "auto");
}

#[test]
fn cluster_tags_narrow() {
    let mut cx = PlanContext::default();
    let mut a = view("a", ClusterKind::Slurm, None);
    a.tags = vec!["cpu".into()];
    let mut b = view("b", ClusterKind::Slurm, None);
    b.tags = vec!["gpu".into(), "stable".into()];
    add(&mut cx, a);
    add(&mut cx, b);
    let plan = plan_in("[{name: x, command: y, cluster: auto, cluster_tags: [gpu, stable]}]", &cx);
    assert_eq!(cluster_of(&plan, 0), Some("b"));
    one_error_in(
        "[{name: x, command: y, cluster: auto, cluster_tags: [gpuu]}]",
        &cx,
        &["jobs[0].cluster_tags", "did you mean `gpu`"],
    );
}

#[test]
fn what_a_cluster_needs_is_told_all_at_once() {
    let mut cx = PlanContext::default();
    let mut kube = view("kube", ClusterKind::Runai, None);
    kube.projects = vec!["team-a".into()];
    add(&mut cx, kube);
    let found = errors(&plan_in("[{name: a, command: x}]", &cx));
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].contains("needs a project") && found[1].contains("needs an image"));
    one_error_in(
        "[{name: a, image: 'x:1', project: team-b}]",
        &cx,
        &["`kube` has no project `team-b`", "did you mean `team-a`"],
    );
    let plan = plan_in("[{name: a, image: jupyter/scipy-notebook, project: team-a}]", &cx);
    assert!(plan.is_ok());
    assert!(warnings(&plan)[0].contains("no tag"), "{:?}", warnings(&plan));
    for image in ["x:1", "host:5000/x:1", "x@sha256:0a"] {
        let text = format!("[{{name: a, image: '{image}', project: team-a}}]");
        assert!(plan_in(&text, &cx).findings.is_empty(), "{image}");
    }
    let text = "[{name: a, image: 'host:5000/x', project: team-a}]";
    assert_eq!(warnings(&plan_in(text, &cx)).len(), 1);
    // The master is counted on Run:ai, except where the framework has none.
    let text = "[{name: a, type: distributed, workers: 4, gpus: 2, image: 'x:1', project: team-a}]";
    let plan = plan_in(text, &cx);
    assert_eq!((plan.jobs[0].replicas, plan.totals.gpus.ceil()), (5, 10));
    assert_eq!(plan.entries[0].gpus, "4×2+2");
    let plan = plan_in(&text.replace("gpus: 2", "gpus: 2, framework: mpi"), &cx);
    assert_eq!(plan.totals.gpus.ceil(), 8);
}

#[test]
fn kinds_that_cannot_be_driven_yet() {
    let mut cx = local();
    let mut lab = view("lab", ClusterKind::Slurm, None);
    lab.drivable = false;
    add(&mut cx, lab);
    one_error_in(
        "[{name: a, command: x, cluster: lab}]",
        &cx,
        &["cannot drive `lab`", "kind slurm"],
    );
    // Work that is meant for a cluster does not end up on this machine instead.
    for choice in ["auto", "[lab, auto]"] {
        let text = format!("[{{name: a, command: x, cluster: {choice}}}]");
        one_error_in(&text, &cx, &["cannot drive `lab`"]);
    }
    add(&mut cx, view("hpc", ClusterKind::Slurm, None));
    let plan = plan_in("[{name: a, command: x, cluster: auto}]", &cx);
    assert_eq!(cluster_of(&plan, 0), Some("hpc"), "auto takes what can be driven");
}

#[test]
fn a_job_that_can_never_fit_is_an_error() {
    one_error(
        "[{name: a, command: x, gpus: 9}]",
        &["jobs[0].gpus", "needs 9 GPUs, and `local` has 8 in all"],
    );
    one_error(
        "[{name: a, type: distributed, workers: 5, gpus: 2, command: x}]",
        &["needs 10 GPUs"],
    );
    one_error("[{name: a, command: x, cpus: 17}]", &["jobs[0].cpus", "17 CPUs"]);
    let mut cx = PlanContext::default();
    add(&mut cx, view("local", ClusterKind::Local, Some(0)));
    one_error_in("[{name: a, command: x, gpus: 1}]", &cx, &["`local` has none"]);
    // While one of its clusters has not answered, it is a warning.
    let mut cx = PlanContext::default();
    add(&mut cx, view("a", ClusterKind::Slurm, Some(4)));
    add(&mut cx, view("b", ClusterKind::Slurm, None));
    let text = "[{name: x, command: y, cluster: [a, b], gpus: 5}]";
    let plan = plan_in(text, &cx);
    assert!(plan.is_ok());
    assert!(warnings(&plan)[0].contains("`b` has not said"), "{:?}", warnings(&plan));
    assert_eq!(cluster_of(&plan, 0), Some("b"));
    add(&mut cx, view("b", ClusterKind::Slurm, Some(4)));
    one_error_in(
        text,
        &cx,
        &["jobs[0].cluster", "no cluster of its choice can run it", "a: it needs 5"],
    );
    // Nothing is known of a cluster that has never answered.
    let mut cx = PlanContext::default();
    add(&mut cx, view("b", ClusterKind::Slurm, None));
    assert!(plan_in(&text.replace("[a, b]", "b"), &cx).findings.is_empty());
}

#[test]
fn all_that_is_in_the_way_is_told_at_once() {
    let mut cx = local();
    if let Some(view) = cx.clusters.values_mut().next() {
        view.has_jupyter = Some(false);
        view.enabled = false;
    }
    let text = "[{name: a, type: workspace, gpus: 9, cluster: local}]";
    let found = errors(&plan_in(text, &cx));
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().any(|e| e.contains("disabled")));
    assert!(found.iter().any(|e| e.contains("jupyter")));
    assert!(found.iter().any(|e| e.contains("9 GPUs")));
}

#[test]
fn code_that_cannot_be_read_is_told() {
    let mut cx = local();
    cx.code.insert("/data/batches/src".into(), String::new());
    let text = "[{name: a, command: x, src_dir: src}, {name: b, command: x, src_dir: other}]";
    one_error_in(text, &cx, &["jobs[0].src_dir", "/data/batches/src cannot be read"]);
}

#[test]
fn a_batch_larger_than_the_cluster_is_a_warning() {
    let text = "{jobs: [{name: a, command: x, gpus: 6}, {name: b, command: x, gpus: 6}]}";
    one_warning(text, &["asks for 12 GPUs, and `local` has 8 in all", "take turns"]);
    let mut cx = local();
    if let Some(view) = cx.clusters.values_mut().next()
        && let Some((_, has)) = &mut view.capacity
    {
        has.gpus_free = Some(Gpus::whole(1));
    }
    let plan = plan_in("[{name: a, command: x, gpus: 6}]", &cx);
    assert!(plan.is_ok() && warnings(&plan)[0].contains("has 1 free now"), "{:?}", warnings(&plan));
}

#[test]
fn images_on_plain_processes_are_told_once() {
    let text = "[{name: a, command: x, image: y}, {name: b, command: x, image: z}]";
    one_warning(text, &["jobs[0].image", "images are not used"]);
}

#[test]
fn fractions_where_they_are_possible() {
    good("[{name: a, command: x, gpus: 0.25}]");
    let mut cx = PlanContext::default();
    add(&mut cx, view("lab", ClusterKind::Slurm, None));
    one_error_in(
        "[{name: a, command: x, gpus: 0.25}]",
        &cx,
        &["`lab` (slurm) gives whole GPUs only"],
    );
}

#[test]
fn commands_where_they_are_needed() {
    one_error("[{name: a}]", &["jobs[0].command", "there is no command"]);
    // A document written for images is readable here, but would not run.
    let plan = good("[{name: a, image: 'x:1'}, {name: b, image: 'x:1'}]");
    let warnings = warnings(&plan);
    assert_eq!(warnings.len(), 3, "{warnings:#?}");
    assert!(warnings[0].contains("does not run the image's own"));
    let workspace = "[{name: a, type: workspace}]";
    let with = |jupyter| {
        let mut cx = local();
        if let Some(view) = cx.clusters.values_mut().next() {
            view.has_jupyter = jupyter;
        }
        cx
    };
    assert!(plan_in(workspace, &with(Some(true))).is_ok());
    one_error_in(workspace, &with(Some(false)), &["jobs[0].command", "no jupyter on its PATH"]);
    one_error(
        "[{name: a, type: workspace, workspace_type: vscode}]",
        &["cannot start vscode by itself"],
    );
}

/// What an earlier run did with the jobs of a text.
fn history(text: &str, status: &[Status]) -> PlanContext {
    let mut cx = local();
    let mut history = History::default();
    for (run, status) in status.iter().enumerate() {
        for (ix, job) in plan(text).jobs.iter().enumerate() {
            let run = RunId::new(&format!("r{run}")).unwrap();
            let earlier = Earlier { run, job: JobIx(ix as u32), status: *status, held: false };
            history.add(Identity::of(&job.spec, None), earlier);
        }
    }
    cx.history = Arc::new(history);
    cx
}

fn action(status: &[Status]) -> String {
    let text = "{on_existing: reuse, jobs: [{name: a, command: x, gpus: 1}]}";
    let plan = plan_in(text, &history(text, status));
    match &plan.jobs[0].action {
        JobAction::Submit => "submit".into(),
        JobAction::Attach { run, .. } => format!("attach {run}"),
        JobAction::Reuse { run, .. } => format!("reuse {run}"),
        JobAction::Resubmit { run, .. } => format!("resubmit {run}"),
    }
}

#[test]
fn existing_work_is_attached_to_reused_or_sent_again() {
    use Status::{
        Failed, Lost, NotSubmitted, Pending, Rejected, Running, Stopped, Succeeded, Unknown,
    };
    for (status, expected) in [
        (&[][..], "submit"),
        (&[Running], "attach r0"),
        (&[Unknown], "attach r0"),
        (&[Succeeded], "reuse r0"),
        (&[Failed], "resubmit r0"),
        (&[Pending, Succeeded, Failed], "attach r0"),
        (&[Succeeded, Failed], "reuse r0"),
        (&[Succeeded, Succeeded], "reuse r1"),
        (&[Stopped], "submit"),
        (&[Lost], "submit"),
        (&[Rejected], "submit"),
        (&[NotSubmitted], "submit"),
        (&[Failed, Stopped], "resubmit r0"),
    ] {
        assert_eq!(action(status), expected, "{status:?}");
    }
}

#[test]
fn what_exists_needs_no_gpus_and_fresh_ignores_it() {
    let text = "{on_existing: reuse, jobs: [{name: a, command: x, gpus: 1}, {name: b, command: y, gpus: 2}]}";
    let mut cx = history(
        "[{name: other, command: x, gpus: 1, priority: p, tags: [t]}]",
        &[Status::Succeeded],
    );
    let plan = plan_in(text, &cx);
    assert_eq!(plan.jobs[0].action.word(), "reuse", "names, tags and priority do not matter");
    assert_eq!((plan.totals.jobs, plan.totals.gpus.ceil()), (2, 2));
    assert!(warnings(&plan)[0].contains("code is not compared"), "{:?}", warnings(&plan));
    cx.fresh = true;
    let plan = plan_in(text, &cx);
    assert!(plan.jobs.iter().all(|j| j.action == JobAction::Submit) && plan.findings.is_empty());
    cx.fresh = false;
    cx.reuse = true;
    let plan = plan_in("[{name: q, command: x, gpus: 1}]", &cx);
    assert_eq!(plan.jobs[0].action.word(), "reuse", "asked for on the command line");
}

#[test]
fn identical_live_work_is_a_warning_without_reuse() {
    let text = "[{name: a, command: x}]";
    let plan = plan_in(text, &history(text, &[Status::Running]));
    assert_eq!(plan.jobs[0].action, JobAction::Submit);
    assert!(warnings(&plan)[0].contains("live in run r0"), "{:?}", warnings(&plan));
    assert!(plan_in(text, &history(text, &[Status::Succeeded])).findings.is_empty());
    let twice = "{on_existing: reuse, jobs: [{name: a, command: x}, {name: b, command: x}]}";
    let plan = plan_in(twice, &local());
    assert!(warnings(&plan).iter().any(|w| w.contains("`b` is the same work as `a`")));
}

#[test]
fn identity_is_what_is_run_and_not_what_it_is_called() {
    let of = |fields: &str| {
        let plan = good(&format!("[{{{fields}}}]"));
        Identity::of(&plan.jobs[0].spec, None)
    };
    let base = of("name: a, command: x");
    for same in [
        "name: b, command: x",
        "name: a, command: x, cluster: local, tags: [t], metadata: {k: v}",
        "name: a, command: x, priority: high, max_retries: 2, time_limit: 1h",
    ] {
        assert_eq!(of(same), base, "{same}");
    }
    for other in [
        "name: a, command: y",
        "name: a, command: [x]",
        "name: a, command: x, args: [y]",
        "name: a, command: x, gpus: 1",
        "name: a, command: x, memory: 1G",
        "name: a, command: x, env: {A: b}",
        "name: a, command: x, project: p",
        "name: a, command: x, options: {local: {a: 1}}",
        "name: a, command: x, type: workspace",
        "name: a, command: x, working_dir: w",
    ] {
        assert_ne!(of(other), base, "{other}");
    }
    assert_eq!(
        of("name: a, command: x, env: {A: a, B: b}"),
        of("name: a, command: x, env: {B: b, A: a}")
    );
    let spec = &good("[{name: a, command: x}]").jobs[0].spec;
    assert_ne!(Identity::of(spec, Some("abc")), Identity::of(spec, None));
}

//! What is exported makes the same jobs again.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;

use super::*;
use crate::domain::{
    change::changed,
    identity::Identity,
    ids::{ClusterId, JobIx},
    plan::Plan,
    planner::{self, PlanContext},
    resources::Gpus,
    run::{Record, Stamped},
    site::{Capacity, ClusterKind, ClusterView},
    status::Cause,
};

fn context() -> PlanContext {
    let mut view = ClusterView::new(ClusterId::new("here"), ClusterKind::Local);
    let has = Capacity { gpus_total: Some(Gpus::whole(8)), ..Capacity::default() };
    view.capacity = Some((Timestamp::UNIX_EPOCH, has));
    PlanContext {
        clusters: [(view.id.clone(), view)].into_iter().collect(),
        ..PlanContext::default()
    }
}

fn plan(text: &str) -> Plan {
    let node = yaml::parse(text.as_bytes()).unwrap();
    let plan = planner::make("b", Some(Path::new("/data/batches")), &node, &context());
    let errors: Vec<_> = plan.findings.iter().filter(|f| f.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}\n{text}");
    plan
}

fn run(text: &str) -> Run {
    let id = RunId::new("r").unwrap();
    Run::new(&plan(text).approve(id, Timestamp::UNIX_EPOCH).unwrap())
}

/// What has to be the same.
type Sameness = (String, Option<String>, String, String, Vec<Dependency>, Vec<JobIx>);

fn jobs(plan: &Plan) -> Vec<Sameness> {
    let job = |job: &crate::domain::plan::PlannedJob| {
        let spec = &job.spec;
        (
            spec.name.clone(),
            spec.group.as_deref().map(str::to_owned),
            spec.params.to_string(),
            Identity::of(spec, None).to_string(),
            spec.depends_on.clone(),
            job.depends_on.iter().map(|(ix, _)| *ix).collect(),
        )
    };
    plan.jobs.iter().map(job).collect()
}

#[test]
fn every_batch_comes_back_as_it_was() {
    for batch in [
        "- {name: a, command: 'echo {name} {{name}} {x} {{', env: {V: '{name}', W: '{{run}}'}}",
        "- {name: g, command: 'train --lr {lr} --seed {seed}', sweep: {lr: [1e-3, 0.10], seed: {range: [0, 3]}}}
- {name: after, command: 'true', depends_on: [g, {g-2: ended}]}",
        "- {name: g, command: \"echo '{x}' {x} > {run}/{name}\", sweep: {x: [\"it's\", 'a b', '{', '{{y}}']}}",
        "- {name: g, gpus: '{n}', memory: '{m}G', command: 'x {{n}} {{', sweep: {n: [0, 1, 0.5], m: [1, 2, 3]}, sweep_mode: zip}",
        "- {name: g, command: [run, '--{x}', '{x}'], env: {A: '{x}', B: '{{x}}'}, tags: ['{x}', same], sweep: {x: [a, b]}, depends_on: [z]}
- {name: z, command: 'true'}",
        "- {name: 'at-{x}', command: c, sweep: {x: [1, 007, '08']}, exclude: [{x: 007}], include: [{x: 9}]}",
        "- {name: g, command: c, sweep: {x: [1, 2], y: [3]}, include: [{x: 9}, {x: 1, y: 5}]}",
        "- {name: g, command: 'c {x}', metadata: {a: 'v{x}'}, priority: '{p}', working_dir: 'in/{p}', sweep: {x: [null, true, ''], p: [low, low, high]}, sweep_mode: zip}",
    ] {
        let exported = text(&run(batch), &context().clusters);
        assert!(!exported.contains("empty") && !exported.starts_with('#'), "{exported}");
        assert_eq!(jobs(&plan(&exported)), jobs(&plan(batch)), "{exported}");
    }
}

/// The first attempt of a job was refused; the next is another in this.
fn retried(run: &mut Run, job: u32, (field, value): (&str, &str)) {
    let job = JobIx(job);
    let spec = changed(&run.job(job).unwrap().spec, &[(field.into(), value.into())]).unwrap();
    let mut apply = |record| {
        run.apply(&Stamped { at: Timestamp::UNIX_EPOCH, epoch: 0, record });
    };
    apply(Record::Intent { cluster: ClusterId::new("here"), jobs: vec![(job, 1)] });
    apply(Record::Refused { job, attempt: 1, words: "no".into(), cause: Cause::Rejected });
    let spec = Some(Arc::new(spec));
    apply(Record::Retried { job, attempt: 2, spec, replicas: None, code: None, automatic: false });
    assert_eq!(run.job(job).unwrap().attempts.len(), 2);
}

const GROUP: &str = "- {name: g, gpus: 1, command: 't {a}', sweep: {a: [x, y]}}\n\
- {name: after, command: 'true', depends_on: [g]}";

#[test]
fn what_a_retry_changed_for_one_job_becomes_a_parameter_and_is_told() {
    let mut run = run(GROUP);
    retried(&mut run, 1, ("gpus", "2"));
    let exported = text(&run, &context().clusters);
    assert!(exported.starts_with("# g: `gpus` differed"), "{exported}");
    let plan = plan(&exported);
    assert_eq!(plan.jobs[1].spec.gpus, Gpus::whole(2));
    assert_eq!(plan.jobs[1].spec.params.to_string(), "a=y gpus=2");
    assert_eq!(plan.jobs[2].spec.depends_on[0].target, "g", "{exported}");
}

#[test]
fn what_no_sweep_gives_is_written_job_by_job_and_told() {
    let mut run = run(GROUP);
    retried(&mut run, 1, ("env.V", "{name}"));
    let exported = text(&run, &context().clusters);
    assert!(exported.starts_with("# g: no sweep gives"), "{exported}");
    let plan = plan(&exported);
    assert_eq!(plan.jobs[0].spec.env["JOBDECK_PARAM_A"], "x");
    assert_eq!(plan.jobs[1].spec.env["V"], "g-2");
    let after: Vec<&str> =
        plan.jobs[2].spec.depends_on.iter().map(|on| on.target.as_str()).collect();
    assert_eq!(after, ["g-1", "g-2"]);
}

#[test]
fn secrets_stay_out_and_that_is_told() {
    let exported = text(
        &run("- {name: a, command: c, env: {MY_TOKEN: s3cret, OTHER_TOKEN: 'env:X'}}"),
        &context().clusters,
    );
    assert!(!exported.contains("s3cret") && exported.starts_with("# MY_TOKEN"), "{exported}");
    assert!(!exported.contains("# OTHER_TOKEN"), "{exported}");
}

#[test]
fn a_grid_is_written_as_one() {
    let batch = "- {name: g, command: 't {a} {b}', sweep: {a: [u, v], b: [1, 2]}}";
    let exported = text(&run(batch), &context().clusters);
    assert!(exported.contains("command: t {a} {b}"), "{exported}");
    assert!(exported.contains("a: [u, v]") && !exported.contains("zip"), "{exported}");
}

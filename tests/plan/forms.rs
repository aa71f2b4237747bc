//! Documents in all their forms.

use jobdeck::domain::{
    job::{
        Candidate, ClusterChoice, Command,
        DependencyCondition::{self, Ended, Succeeded},
        JobType,
    },
    plan::OnExisting,
};

use super::*;

#[test]
fn a_whole_document() {
    let plan = good(
        "name: fine-tune-mlp
continue_on_error: false
max_concurrent: 3
max_failures: 10
on_existing: reuse
defaults: {cluster: local, project: project-01}
jobs:
  - {type: training, name: job1, gpus: 2, command: python train.py}
  - {type: distributed, name: dist, workers: 4, gpus: 2, framework: pytorch, command: python d.py}
  - {type: workspace, name: analysis, gpus: 1, workspace_type: jupyter, command: jupyter lab}
  - name: lr
    command: python train.py --lr {lr} --seed {seed}
    sweep:
      lr: [1e-3, 1e-2, 1e-1]
      seed: {range: [0, 3]}
    sweep_mode: grid
    exclude: [{lr: 1e-1, seed: 2}]
    include: [{lr: 1.0, seed: 9}]
  - {name: report, command: python report.py, depends_on: [lr]}
",
    );
    assert_eq!(plan.head.name, "fine-tune-mlp");
    assert!(!plan.head.continue_on_error);
    assert_eq!((plan.head.max_concurrent, plan.head.max_failures), (Some(3), Some(10)));
    assert_eq!(plan.head.on_existing, OnExisting::Reuse);
    assert_eq!(plan.jobs.len(), 13);
    assert_eq!(plan.totals.gpus.to_string(), "11");
    assert_eq!(plan.totals.peak_gpus.to_string(), "11");
    assert_eq!(plan.totals.by_type[&JobType::Training], 11);
    assert_eq!(plan.totals.by_type.get(&JobType::Method), None);
    assert_eq!(plan.totals.gpus_by_project["project-01"].to_string(), "11");
    assert_eq!(shell(job(&plan, "lr-1")), "python train.py --lr 1e-3 --seed 0");
    assert_eq!(shell(job(&plan, "lr-9")), "python train.py --lr 1.0 --seed 9");
    assert_eq!(job(&plan, "report").depends_on.len(), 9);
    let rows: Vec<_> =
        plan.entries.iter().map(|e| (e.name.as_str(), e.gpus.as_str(), e.jobs)).collect();
    assert_eq!(
        rows,
        [
            ("job1", "2", 1),
            ("dist", "4×2", 1),
            ("analysis", "1", 1),
            ("lr", "0", 9),
            ("report", "0", 1)
        ]
    );
}

#[test]
fn lists_and_single_jobs_are_batches_too() {
    let plan = good("- {name: a, command: 'true'}\n- {name: b, command: true}\n");
    assert_eq!(names(&plan), ["a", "b"]);
    assert_eq!(plan.head.name, "batch");
    assert_eq!(shell(&plan.jobs[1]), "true");
    let plan = good("command: python x.py\ngpus: 1\nmax_concurrent: 2\n");
    assert_eq!(names(&plan), ["batch"]);
    assert_eq!(plan.head.max_concurrent, Some(2));
}

/// The three documents of the batch submission guide, as to their structure.
#[test]
fn documents_of_the_submission_guide() {
    for (text, jobs, gpus) in [
        (include_str!("../fixtures/guide-training.json"), 3, "7"),
        (include_str!("../fixtures/guide-mixed.json"), 3, "11"),
        (include_str!("../fixtures/guide-projects.json"), 3, "7"),
    ] {
        let mut cx = PlanContext::default();
        add(&mut cx, view("kube", ClusterKind::Runai, Some(64)));
        let plan = plan_in(text, &cx);
        assert!(plan.is_ok(), "{:#?}", errors(&plan));
        assert_eq!(plan.totals.jobs, jobs);
        let gpus = if gpus == "11" { "13" } else { gpus };
        assert_eq!(plan.totals.gpus.to_string(), gpus, "with the master of the distributed job");
        assert!(warnings(&plan).iter().any(|w| w.contains("confirms nothing")));
        assert!(!plan.head.dry_run);
    }
    let plan = plan(include_str!("../fixtures/guide-mixed.json"));
    assert_eq!(plan.totals.gpus.to_string(), "11", "no master on this machine");
    assert!(warnings(&plan).iter().any(|w| w.contains("images are not used")));
}

#[test]
fn heads_of_the_guide() {
    let plan = plan("{jobs: [{name: a, command: x}], dry_run: true, confirmed: true}");
    assert!(plan.head.dry_run);
    assert!(warnings(&plan)[0].contains("--yes"), "{:?}", warnings(&plan));
    assert_eq!(warnings(&good("{jobs: [{name: a, command: x}], confirmed: false}")).len(), 0);
}

#[test]
fn rays_own_words() {
    let text = "
- entrypoint: python /home/user/train.py
  job_id: my_job_001
  preferred_cluster: gpu_cluster
  resource_requirements: {CPU: 4, GPU: 1, memory: 16.0}
  runtime_env: {pip: [numpy], env_vars: {OMP_NUM_THREADS: '1'}}
  submission_id: sub-1
  metadata: {user: alice, priority: high}
  tags: [training]
";
    let mut cx = PlanContext::default();
    let mut gpu = view("gpu_cluster", ClusterKind::Ray, None);
    gpu.tags = vec!["gpu".into()];
    let mut cpu = view("cpu_cluster", ClusterKind::Ray, None);
    cpu.tags = vec!["training".into()];
    add(&mut cx, gpu);
    add(&mut cx, cpu);
    let plan = plan_in(text, &cx);
    assert!(plan.is_ok(), "{:#?}", errors(&plan));
    let spec = &plan.jobs[0].spec;
    assert_eq!(spec.name, "my_job_001");
    assert_eq!(shell(&plan.jobs[0]), "python /home/user/train.py");
    assert_eq!(
        spec.cluster,
        ClusterChoice::Listed(vec![
            Candidate::Named(ClusterId::new("gpu_cluster")),
            Candidate::Auto
        ])
    );
    assert_eq!((spec.cpus, spec.gpus), (Some(4.0), Gpus::whole(1)));
    assert_eq!(spec.memory.unwrap().bytes(), 16 << 30);
    assert_eq!(spec.metadata["priority"], "high");
    assert_eq!(spec.options["ray"]["runtime_env"]["pip"][0], "numpy");
    // In Ray's documents tags label and narrow.
    assert_eq!(spec.tags, ["training"]);
    assert_eq!(plan.jobs[0].cluster, Some(ClusterId::new("cpu_cluster")));
    // Elsewhere they only label: Ray has no queue, so the choice is left open.
    let plain = text.replace("entrypoint", "command").replace("preferred_cluster", "cluster");
    let plain = plain.replace("resource_requirements: {CPU: 4, GPU: 1, memory: 16.0}", "gpus: 1");
    let plain =
        plain.replace("  runtime_env: {pip: [numpy], env_vars: {OMP_NUM_THREADS: '1'}}\n", "");
    let plan = plan_in(&plain.replace("cluster: gpu_cluster", "cluster: auto"), &cx);
    assert_eq!(plan.jobs[0].cluster, None);
    assert_eq!(plan.totals.gpus_by_cluster["auto"], Gpus::whole(1));
}

#[test]
fn two_words_for_the_same_are_told() {
    one_error("[{name: a, command: x, entrypoint: y}]", &["jobs[0].entrypoint", "mean the same"]);
    one_error(
        "[{name: a, command: x, gpus: 1, resource_requirements: {GPU: 2}}]",
        &["jobs[0].resource_requirements.GPU", "says again"],
    );
    one_error(
        "[{name: a, command: x, resource_requirements: {GPUs: 2}}]",
        &["unknown resource `GPUs`", "did you mean `GPU`"],
    );
}

#[test]
fn defaults_fill_in_what_a_job_leaves_out() {
    let plan = good(
        "defaults:
  gpus: 1
  env: {A: '1', B: '2'}
  metadata: {team: x}
  tags: [one, two]
  project: p
  time_limit: 4h
jobs:
  - {name: a, command: x, env: {B: '3', A: null, C: '4'}, tags: [three], project: null}
  - {name: b, command: x, gpus: 2, metadata: {team: y, k: 1}}
",
    );
    let [a, b] = [&plan.jobs[0].spec, &plan.jobs[1].spec];
    assert_eq!(serde_json::to_string(&a.env).unwrap(), r#"{"B":"3","C":"4"}"#);
    assert_eq!((a.tags.as_slice(), a.project.as_deref()), (&["three".to_owned()][..], None));
    assert_eq!((a.gpus, b.gpus), (Gpus::whole(1), Gpus::whole(2)));
    assert_eq!(a.time_limit.unwrap().secs(), 4 * 3600);
    assert_eq!(serde_json::to_string(&b.metadata).unwrap(), r#"{"team":"y","k":"1"}"#);
    assert_eq!(serde_json::to_string(&b.env).unwrap(), r#"{"A":"1","B":"2"}"#);
}

#[test]
fn some_fields_cannot_be_defaulted() {
    let plan = plan(
        "defaults: {name: x, sweep: {a: [1]}, depends_on: [b], gpuz: 1}
jobs: [{name: a, command: x}]",
    );
    let errors = errors(&plan);
    assert_eq!(errors.len(), 4, "{errors:#?}");
    assert!(errors[0].contains("defaults.name") && errors[0].contains("cannot stand under"));
    assert!(errors[3].contains("did you mean `gpus`"), "{}", errors[3]);
}

#[test]
fn a_fault_that_one_job_has_by_the_defaults_names_it() {
    let text = "defaults: {command: 'echo {lr}'}\njobs:
- {name: a, sweep: {lr: [1]}}
- {name: b, sweep: {x: [1]}, env: {X: '{x}'}}
- {name: c, command: x}";
    let errors = errors(&plan(text));
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("b: the placeholder `{lr}` has no value"), "{errors:?}");
}

#[test]
fn a_fault_of_the_defaults_is_told_once() {
    one_error(
        "defaults: {gpus: two}\njobs: [{name: a, command: x}, {name: b, command: x}]",
        &["defaults.gpus 1:18", "`two` is not a number of GPUs", "write `2`"],
    );
    // Defaults for another type of job are not meant for this one.
    let text = "defaults: {framework: jax, workers: 2}\njobs: [{name: a, command: x}]";
    assert!(good(text).findings.is_empty());
}

#[test]
fn options_that_the_local_executor_does_not_know_are_told_once() {
    one_warning(
        "[{name: a, command: x, options: {partition: gpu, bogus: 1}}]",
        &["jobs[0].options", "local executor knows no options `partition`, `bogus`", "key options"],
    );
    one_warning(
        "[{name: a, command: x, options: {local: {foo: 1}}}]",
        &["jobs[0].options", "the local executor knows no option `foo`", "remove"],
    );
    one_warning(
        "[{name: 'a{s}', command: 'x {s}', sweep: {s: [1, 2, 3]}, options: {queue: '{s}'}}]",
        &["knows no option `queue`"],
    );
    for fine in ["{slurm: {partition: gpu}}", "{local: {}}", "{local: null}"] {
        let plan = good(&format!("[{{name: a, command: x, options: {fine}}}]"));
        assert_eq!(warnings(&plan), [""; 0], "{fine}");
    }
}

#[test]
fn options_are_keyed_by_kind() {
    let mut cx = PlanContext::default();
    add(&mut cx, view("lab", ClusterKind::Slurm, None));
    add(&mut cx, view("other", ClusterKind::Slurm, None));
    add(&mut cx, view("ray", ClusterKind::Ray, None));
    let text = "
defaults: {options: {slurm: {partition: cpu, qos: low}, ray: {resources: {x: 1}}}}
jobs:
  - {name: a, command: x, cluster: lab, options: {partition: gpu}}
  - {name: b, command: x, cluster: [lab, other], options: {slurm: {qos: null, account: t}}}
  - {name: c, command: x, cluster: [lab, ray], options: {slurm: {partition: big}}}
";
    let plan = plan_in(text, &cx);
    assert!(plan.is_ok(), "{:#?}", errors(&plan));
    let slurm = |ix: usize| plan.jobs[ix].spec.options["slurm"].to_string();
    assert_eq!(slurm(0), r#"{"partition":"gpu","qos":"low"}"#);
    assert_eq!(slurm(1), r#"{"partition":"cpu","account":"t"}"#);
    assert_eq!(slurm(2), r#"{"partition":"big","qos":"low"}"#);
    assert_eq!(plan.jobs[2].spec.options["ray"]["resources"]["x"], 1);
    one_error_in(
        "[{name: a, command: x, cluster: [lab, ray], options: {partition: gpu}}]",
        &cx,
        &["options", "several kinds of cluster: ray, slurm", "key the options by kind"],
    );
    one_error_in(
        "[{name: a, command: x, cluster: lab, options: {slrum: {partition: gpu}}}]",
        &cx,
        &["`slrum` is no kind", "did you mean `slurm`"],
    );
}

#[test]
fn values_with_units() {
    let plan = good(
        "- {name: a, command: x, gpus: 0.5, memory: 16G, time_limit: 1-00:00:00, cpus: 1.5}
- {name: b, command: [python, 'a b.py', 3], gpus: '2', memory: 4, time_limit: 90s, args: --x 1}
",
    );
    let [a, b] = [&plan.jobs[0].spec, &plan.jobs[1].spec];
    assert_eq!(a.gpus.to_string(), "0.5");
    assert_eq!(a.memory.unwrap().bytes(), 16 << 30);
    assert_eq!(a.time_limit.unwrap().secs(), 86_400);
    assert_eq!(b.memory.unwrap().bytes(), 4 << 30);
    assert_eq!(b.command, Some(Command::Argv(vec!["python".into(), "a b.py".into(), "3".into()])));
    assert_eq!(b.args, Some(Command::Shell("--x 1".into())));
    assert_eq!(plan.totals.gpus.to_string(), "2.5");
    one_error("[{name: a, command: x, time_limit: 90}]", &["no unit"]);
}

#[test]
fn relative_paths_start_at_the_documents_folder() {
    let mut cx = local();
    add(&mut cx, view("lab", ClusterKind::Slurm, None));
    cx.home = Some("/home/u".into());
    let text = "
defaults: {src_dir: ./src, libraries: [../common, /abs], working_dir: runs/a}
jobs:
  - {name: here, command: x, cluster: local}
  - {name: there, command: x, cluster: lab}
  - {name: home, command: x, cluster: local, working_dir: ~/w}
";
    let plan = plan_in(text, &cx);
    let [here, there, home] = [0, 1, 2].map(|i| &plan.jobs[i].spec);
    assert_eq!(here.src_dir.as_deref(), Some("/data/batches/src"));
    assert_eq!(here.libraries, ["/data/batches/../common", "/abs"]);
    assert_eq!(here.working_dir.as_deref(), Some("/data/batches/runs/a"));
    assert_eq!(here.base_dir.as_deref(), Some("/data/batches"));
    assert_eq!(there.working_dir.as_deref(), Some("runs/a"), "on another machine as written");
    assert_eq!(home.working_dir.as_deref(), Some("/home/u/w"));
}

#[test]
fn methods_and_their_parameters() {
    let mut cx = PlanContext::default();
    add(&mut cx, view("dshpc", ClusterKind::Dshpc, None));
    let plan = plan_in(
        "[{type: method, name: s, file_hash: 00123, method_name: Example Method, \
         parameters: {t: 0.5, v: true, n: null, s: '1', l: [1, 1e3]}}]",
        &cx,
    );
    assert!(plan.findings.is_empty(), "{:#?}", plan.findings);
    let spec = &plan.jobs[0].spec;
    assert_eq!(spec.file_hash.as_deref(), Some("00123"));
    let parameters = serde_json::to_string(spec.parameters.as_ref().unwrap()).unwrap();
    assert_eq!(parameters, r#"{"t":0.5,"v":true,"n":null,"s":"1","l":[1,1000.0]}"#);
    one_error_in("[{type: method, name: s, file_hash: x}]", &cx, &["method_name", "needs"]);
    one_error_in(
        "[{name: s, command: x}]",
        &cx,
        &["`dshpc` (dshpc) does not run jobs of type training"],
    );
}

#[test]
fn resolved_values_are_shown() {
    let plan = good(
        "- {name: d, type: Distributed, workers: 2, framework: TF, command: x}
- {name: e, type: distributed, workers: 2, command: x}
- {name: w, type: workspace, command: x}
",
    );
    assert_eq!(plan.jobs[0].spec.framework.as_deref(), Some("tensorflow"));
    assert_eq!(plan.jobs[1].spec.framework.as_deref(), Some("pytorch"));
    assert_eq!(plan.jobs[2].spec.workspace_type.as_deref(), Some("jupyter"));
    one_warning("[{name: d, type: distributed, command: x}]", &["no number of workers"]);
    one_warning("[{name: d, workers: 3, command: x}]", &["means nothing", "type: distributed"]);
}

#[test]
fn dependencies_of_jobs_and_groups() {
    let plan = good(
        "- {name: a, command: x}
- {name: g, command: 'x {i}', sweep: {i: [1, 2]}, depends_on: a}
- {name: b, command: x, depends_on: [g-2, {a: ended}]}
- {name: c, command: x, depends_on: {g: ended}}
",
    );
    let waits = |name: &str| -> Vec<(u32, DependencyCondition)> {
        job(&plan, name).depends_on.iter().map(|(ix, c)| (ix.0, *c)).collect()
    };
    assert_eq!(waits("g-1"), [(0, Succeeded)]);
    assert_eq!(waits("b"), [(2, Succeeded), (0, Ended)]);
    assert_eq!(waits("c"), [(1, Ended), (2, Ended)]);
    assert_eq!(job(&plan, "c").spec.depends_on[0].target, "g");
}

#[test]
fn peak_gpus_follow_max_concurrent() {
    let text = "{max_concurrent: 2, jobs: [{name: a, command: x, gpus: 1}, \
                {name: b, command: x, gpus: 3}, {name: c, command: x, gpus: 2}]}";
    let plan = good(text);
    assert_eq!((plan.totals.gpus.ceil(), plan.totals.peak_gpus.ceil()), (6, 5));
}

#[test]
fn anchors_and_notes_of_ones_own() {
    let plan = good(
        "x-common: &common {gpus: 1, command: python a.py}
$schema: https://example.org/batch.json
jobs:
  - {<<: *common, name: a}
  - {<<: *common, name: b, gpus: 2, x-note: anything}
",
    );
    assert_eq!(plan.totals.gpus.ceil(), 3);
}

#[test]
fn a_name_of_blanks_names_nothing() {
    let plan = plan("{jobs: [{name: a, command: x}, {name: \"\\n\"}], defaults: {command: []}}");
    let of_command = plan.findings.iter().find(|f| f.path.to_string() == "defaults.command");
    assert_eq!(of_command.unwrap().message, "the command is empty");
}

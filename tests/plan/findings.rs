//! What a check finds: everything at once, each with its place and what to do.

use std::fmt::Write;

use super::*;

#[test]
fn everything_is_told_at_once_in_the_order_of_the_document() {
    let plan = plan(
        "jobz: 1
defaults:
  imag: x
jobs:
  - name: a
    command: x
    gpus: two
  - name: a
    command: ' '
    workers: 1000
    type: distribted
  - just text
  - {name: c/d, command: x, clutser: lab, time_limit: 90}
",
    );
    let errors = errors(&plan);
    let places: Vec<_> =
        errors.iter().map(|e| e.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "jobz 1:1",
            "defaults.imag 3:3",
            "jobs[0].gpus 7:11",
            "jobs[1].name 8:11",
            "jobs[1].command 9:14",
            "jobs[1].workers 10:14",
            "jobs[1].type 11:11",
            "jobs[2] 12:5",
            "jobs[3].name 13:12",
            "jobs[3].clutser 13:29",
            "jobs[3].time_limit 13:55",
        ],
        "{errors:#?}"
    );
    assert!(errors[0].contains("did you mean `jobs`"));
    assert!(errors[1].contains("did you mean `image`"));
    assert!(errors[6].contains("did you mean `distributed`"));
    assert!(errors[9].contains("did you mean `cluster`"));
    assert_eq!(plan.jobs.len(), 3, "faulty jobs stand in the plan too");
    let rows: Vec<_> = plan.entries.iter().map(|e| (e.entry, e.errors, e.jobs)).collect();
    assert_eq!(rows, [(0, 1, 1), (1, 4, 1), (2, 1, 0), (3, 3, 1)]);
    assert_eq!(plan.findings[2].job.as_deref(), Some("a"));
    assert!(
        plan.approve(jobdeck::domain::ids::RunId::hole(), jiff::Timestamp::UNIX_EPOCH).is_err()
    );
}

#[test]
fn values_of_the_wrong_type() {
    for (field, word) in [
        ("gpus: two", "write `2`"),
        ("gpus: [1]", "a list where a number of GPUs"),
        ("gpus: true", "`true` is not a number"),
        ("gpus: -1", "negative (write `0`"),
        ("gpus: 1e300", "absurd (check for a slip"),
        ("gpus: 1.5", "only whole numbers"),
        ("gpus: 1000000", "absurdly"),
        ("gpus: .inf", "not a number"),
        ("cpus: 0", "zero"),
        ("cpus: many", "not a number"),
        ("memory: lots", "16G"),
        ("memory: 16 parsecs", "unit"),
        ("memory: 'a; write b'", "`a; write b` has no unit"),
        ("memory: 1e300", "absurd (check for a slip"),
        ("time_limit: soon", "not a time limit"),
        ("time_limit: 90", "write `90m`"),
        ("exclusive: yes", "write `true`"),
        ("max_retries: -1", "negative"),
        ("max_retries: 1.5", "not a whole number"),
        ("max_retries: 10000", "absurdly"),
        ("env: [A=1]", "a list where a map"),
        ("env: {A: [1]}", "a list where text"),
        ("env: {1A: x}", "name of a variable"),
        ("tags: {a: 1}", "a map where text"),
        ("command: {a: 1}", "a map where text"),
        ("image: ' '", "only blanks"),
        ("image: ''", "empty"),
        ("project: \"a\\tb\"", "cannot stand here (remove it"),
        ("cluster: []", "empty"),
        ("options: 3", "a number where a map"),
        ("parameters: 3", "a number where a map"),
    ] {
        let text = if field.starts_with("command") {
            format!("[{{name: a, {field}}}]")
        } else {
            format!("[{{name: a, command: x, {field}}}]")
        };
        let plan = plan(&text);
        let errors = errors(&plan);
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].contains(word), "{field}: {}", errors[0]);
        let key = field.split(':').next().unwrap();
        assert!(errors[0].contains(&format!("jobs[0].{key}")), "{}", errors[0]);
    }
    for (workers, word) in
        [("0", "too small"), ("1000", "absurdly many"), ("x", "not a whole number")]
    {
        one_error(
            &format!("[{{name: a, type: distributed, command: x, workers: {workers}}}]"),
            &["jobs[0].workers", word],
        );
    }
    one_error(
        "[{name: a, type: distributed, command: x, workers: 2, framework: pytroch}]",
        &["unknown framework", "did you mean `pytorch`"],
    );
    one_error(
        "[{name: a, type: workspace, command: x, workspace_type: jupiter}]",
        &["unknown workspace type", "did you mean `jupyter`"],
    );
}

#[test]
fn heads_with_wrong_values() {
    for (head, word) in [
        ("max_concurrent: 0", "at least 1"),
        ("max_concurrent: many", "not a whole number"),
        ("max_failures: 0", "at least 1"),
        ("on_existing: reus", "did you mean `reuse`"),
        ("continue_on_error: maybe", "not true or false"),
        ("dry_run: 1", "write `true`"),
        ("image: x", "stand under `defaults`"),
        ("continue_on_eror: true", "did you mean `continue_on_error`"),
        ("defaults: [1]", "a list where a map"),
    ] {
        one_error(&format!("{head}\njobs: [{{name: a, command: x}}]"), &[word]);
    }
    one_error("[{name: a, command: x, max_concurrent: 2}]", &["belongs to the batch"]);
}

#[test]
fn names_that_cannot_be() {
    for (name, word) in [
        ("''", "empty"),
        ("'  '", "blanks"),
        ("a b", "write `a-b`"),
        ("a/b", "slash"),
        ("../x", "slash"),
        ("\"a\\nb\"", "control character"),
        ("\"a\\e[31m\"", "control character"),
        ("'-x'", "begins with a letter or a digit"),
        ("a;rm", "`;`"),
        ("\"a\\u202eb\"", "cannot hold"),
        ("[a]", "a list where text"),
    ] {
        let plan = plan(&format!("[{{name: {name}, command: x}}]"));
        let errors = errors(&plan);
        assert!(!errors.is_empty() && errors[0].contains("jobs[0].name"), "{name}: {errors:#?}");
        assert!(errors.iter().any(|e| e.contains(word)), "{name}: {errors:#?}");
    }
    let long = "x".repeat(101);
    one_error(&format!("[{{name: {long}, command: x}}]"), &["101 characters"]);
    one_error("[{command: x, gpus: 1}, {name: b, command: x}]", &["jobs[0].name", "no name"]);
    one_error("[{name: null, command: x}]", &["no name"]);
    for name in ["训练-1", "🚀", "Job_1.2", "lr=1e-3", "123"] {
        good(&format!("[{{name: {name}, command: x}}]"));
    }
}

#[test]
fn names_are_unique_over_the_expanded_batch() {
    one_error(
        "- {name: a, command: x}\n- {name: b, command: x}\n- {name: a, command: x}",
        &["jobs[2].name 3:10", "`a` is taken by jobs[0], line 1"],
    );
    one_error(
        "- {name: a-2, command: x}\n- {name: a, command: 'x {i}', sweep: {i: [1, 2]}}",
        &["jobs[1].name", "`a-2` is taken by jobs[0]"],
    );
    one_error(
        "- {name: a, command: x}\n- {name: a, command: 'x {i}', sweep: {i: [1, 2]}}",
        &["jobs[1].name", "`a` is taken"],
    );
}

#[test]
fn duplicate_keys() {
    one_error(
        "- name: a\n  command: x\n  gpus: 1\n  gpus: 2",
        &["jobs[0].gpus 4:3", "stands here twice (line 3)"],
    );
    one_error("{jobs: [{name: a, command: x}], name: x, name: y}", &["name", "twice"]);
    one_error("[{name: a, command: x, env: {A: 1, A: 2}}]", &["env.A", "twice"]);
}

#[test]
fn documents_that_are_no_batch() {
    for (text, word) in [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("just text", "text where a batch"),
        ("[]", "the list of jobs is empty"),
        ("jobs:", "the list of jobs is empty"),
        ("jobs: []", "the list of jobs is empty"),
        ("jobs: {a: 1}", "a map where a list of jobs"),
        ("name: x", "no list of jobs"),
        ("a: [", "not valid YAML"),
        ("jobs:\n  - name: a\n   command: x", "not valid YAML"),
    ] {
        let plan = plan(text);
        assert!(!plan.is_ok(), "{text}");
        let errors = errors(&plan);
        assert_eq!(errors.len(), 1, "{text}: {errors:#?}");
        assert!(errors[0].contains(word), "{text}: {}", errors[0]);
        assert!(plan.findings[0].hint.is_some() || word == "not valid YAML", "{}", errors[0]);
    }
}

#[test]
fn dependencies_that_cannot_be() {
    one_error(
        "- {name: prepare, command: x}\n- {name: b, command: x, depends_on: [prepar]}",
        &["jobs[1].depends_on[0] 2:38", "no job or group named `prepar`", "did you mean `prepare`"],
    );
    one_error("[{name: a, command: x, depends_on: a}]", &["`a` would wait for itself"]);
    one_error(
        "[{name: g, command: 'x {i}', sweep: {i: [1, 2]}, depends_on: [g-1]}]",
        &["would wait for itself"],
    );
    one_error(
        "- {name: a, command: x, depends_on: c}
- {name: b, command: x, depends_on: a}
- {name: c, command: x, depends_on: [b]}",
        &["dependency cycle", "a → c → b → a"],
    );
    one_error(
        "[{name: a, command: x}, {name: b, command: x, depends_on: [{a: done}]}]",
        &["depends_on", "unknown condition"],
    );
    one_warning("[{name: a, command: x}, {name: b, command: x, depends_on: [a, a]}]", &["twice"]);
    // Long chains neither overflow nor take long.
    let mut text = String::from("- {name: j0, command: x}\n");
    for i in 1..20_000 {
        let _ = writeln!(text, "- {{name: j{i}, command: x, depends_on: j{}}}", i - 1);
    }
    assert!(good(&text).findings.is_empty());
}

#[test]
fn absurdly_many_dependencies_are_refused() {
    let text = "
- {name: a, command: 'x {i}', sweep: {i: {range: [0, 4000]}}}
- {name: b, command: 'x {i}', sweep: {i: {range: [0, 4000]}}, depends_on: a}
";
    one_error(text, &["jobs[1].depends_on", "dependencies between jobs", "put one job between"]);
}

#[test]
fn limits_of_the_configuration() {
    let mut cx = local();
    cx.limits.max_batch_size = Some(2);
    cx.limits.max_gpus_per_job = Some(Gpus::whole(2));
    cx.limits.allowed_projects = Some(vec!["project-01".into()]);
    one_error_in(
        "jobs:\n- {name: a, command: 'x {i}', sweep: {i: [1, 2, 3]}}",
        &cx,
        &["jobs 1:1", "exceeds the maximum: 3 jobs", "at most 2", "max_batch_size"],
    );
    one_error_in("[{name: a, command: x, gpus: 3}]", &cx, &["jobs[0].gpus", "exceed", "(2)"]);
    one_error_in(
        "[{name: a, type: distributed, workers: 2, command: x, gpus: 3}]",
        &cx,
        &["jobs[0].gpus", "GPUs per worker (3) exceed"],
    );
    // Per worker: two workers of two GPUs are within the limit.
    let fine = "[{name: a, type: distributed, workers: 2, command: x, gpus: 2}]";
    assert!(plan_in(fine, &cx).is_ok());
    one_error_in(
        "[{name: a, command: x, project: project-1}]",
        &cx,
        &["jobs[0].project", "is not among", "did you mean `project-01`"],
    );
    cx.limits.allowed_projects = Some(vec!["*".into()]);
    assert!(plan_in("[{name: a, command: x, project: anything}]", &cx).is_ok());
    // A cluster's own limits come on top.
    let mut cx = local();
    if let Some(view) = cx.clusters.values_mut().next() {
        view.limits.max_batch_size = Some(1);
        view.limits.max_gpus_per_job = Some(Gpus::whole(1));
        view.limits.allowed_projects = Some(vec!["p".into()]);
    }
    let plan = plan_in("[{name: a, command: x, gpus: 2, project: q}, {name: b, command: x}]", &cx);
    assert_eq!(errors(&plan).len(), 3, "{:#?}", errors(&plan));
    assert!(errors(&plan).iter().all(|e| e.contains("`local`")));
}

#[test]
fn yaml_slips_with_braces_say_what_to_do() {
    let plan = plan("[{name: a, command: x {lr}, sweep: {lr: [1]}}]");
    assert!(errors(&plan)[0].contains("quote a text that holds braces"), "{:?}", errors(&plan));
}

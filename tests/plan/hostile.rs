//! Whatever is written, a plan is made, at once.

use std::fmt::Write;

use jobdeck::domain::{
    fields::{HEAD, JOB},
    planner,
    tree::{Entry, Node, Scalar, Span, Value},
};
use proptest::prelude::*;

use super::*;

fn node(value: Value) -> Node {
    Node { span: Span::default(), value }
}

fn any_scalar() -> impl Strategy<Value = Node> {
    let words = vec![
        "",
        "a",
        "b",
        "auto",
        "local",
        "lab",
        "1",
        "2",
        "-1",
        "0.5",
        "1e-3",
        "1e999",
        "16G",
        "4h",
        "true",
        "null",
        "~",
        "{p}",
        "{q}",
        "x {p} {name}",
        "{run}",
        "`{p}`",
        "a b",
        "a/b",
        "grid",
        "zip",
        "training",
        "distributed",
        "reuse",
        "\u{0}",
        "\n",
        "训练",
        "{",
        "}}",
        "${p}",
        "99999999999999999999",
        "$'{p}'",
        "<<E\n{p}\nE",
        ".nan",
        "007",
    ];
    (prop::sample::select(words), any::<bool>())
        .prop_map(|(text, plain)| node(Value::Scalar(Scalar { text: text.into(), plain })))
}

fn map_of(
    keys: Vec<&'static str>,
    values: impl Strategy<Value = Node>,
) -> impl Strategy<Value = Node> {
    proptest::collection::vec((prop::sample::select(keys), values), 0..6).prop_map(|entries| {
        let entry = |(key, value): (&str, Node)| Entry {
            key: key.to_owned(),
            key_span: Span::default(),
            value,
        };
        node(Value::Map(entries.into_iter().map(entry).collect()))
    })
}

fn list_of(items: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    proptest::collection::vec(items, 0..4).prop_map(|items| node(Value::Seq(items)))
}

fn any_value() -> BoxedStrategy<Node> {
    let inner_keys =
        vec!["p", "q", "range", "slurm", "local", "ended", "CPU", "GPU", "A", "name", ""];
    let leaf = prop_oneof![4 => any_scalar(), 1 => list_of(any_scalar())];
    let one = prop_oneof![3 => leaf.clone(), 1 => map_of(inner_keys.clone(), leaf)];
    prop_oneof![3 => one.clone(), 1 => list_of(one.clone()), 1 => map_of(inner_keys, one)].boxed()
}

fn any_document() -> impl Strategy<Value = Node> {
    let job_keys: Vec<&str> = JOB
        .iter()
        .flat_map(|f| std::iter::once(f.key).chain(f.aliases.iter().copied()))
        .chain(["sweep", "sweep", "command", "name", "name", "gpuz"])
        .collect();
    let head_keys: Vec<&str> = HEAD.iter().map(|f| f.key).filter(|k| *k != "jobs").collect();
    let job = prop_oneof![8 => map_of(job_keys, any_value()), 1 => any_value()];
    (list_of(job.clone()), map_of(head_keys, any_value()), job, 0..4).prop_map(
        |(jobs, head, defaults, form)| match (form, head.value) {
            (0, _) => jobs,
            (1, _) => defaults,
            (_, Value::Map(mut entries)) => {
                let entry = |key: &str, value| Entry {
                    key: key.to_owned(),
                    key_span: Span::default(),
                    value,
                };
                entries.push(entry("jobs", jobs));
                entries.push(entry("defaults", defaults));
                node(Value::Map(entries))
            }
            (_, other) => node(other),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_is_always_made(document in any_document()) {
        let mut cx = local();
        add(&mut cx, view("lab", ClusterKind::Slurm, None));
        cx.default_cluster = Some(ClusterId::new("lab"));
        let plan = planner::make("b", Some(Path::new("/w")), &document, &cx);
        prop_assert_eq!(plan.totals.jobs, plan.jobs.len());
        let rows: usize = plan.entries.iter().map(|e| e.jobs).sum();
        prop_assert_eq!(rows, plan.jobs.len());
        for finding in &plan.findings {
            prop_assert!(!finding.message.is_empty());
            prop_assert!(!finding.message.ends_with('.') && finding.message.trim() == finding.message);
        }
        if plan.is_ok() {
            let mut names = std::collections::HashSet::new();
            for job in &plan.jobs {
                prop_assert!(!job.spec.name.is_empty() && names.insert(job.spec.name.clone()));
                prop_assert!(job.spec.gpus <= Gpus::whole(1024));
                // A job survives being written down and read again.
                let text = serde_json::to_string(job).unwrap();
                let again: PlannedJob = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&again, job);
            }
        }
        // The same from text: places change nothing but places.
        let text = yaml::emit(&document);
        let from_text = yaml::plan(text.as_bytes(), "b", Some(Path::new("/w")), &cx);
        prop_assert_eq!(&from_text.jobs, &plan.jobs, "{}", text);
        let messages = |plan: &Plan| {
            let mut all: Vec<_> =
                plan.findings.iter().map(|f| (f.path.to_string(), f.severity)).collect();
            all.sort();
            all
        };
        prop_assert_eq!(messages(&from_text), messages(&plan), "{}", text);
    }
}

#[test]
fn alias_bombs_are_a_finding() {
    let mut text = String::from("x-0: &a0 [a,b,c,d,e,f,g,h]\n");
    for i in 1..12 {
        let aliases = vec![format!("*a{}", i - 1); 8].join(",");
        let _ = writeln!(text, "x-{i}: &a{i} [{aliases}]");
    }
    text.push_str("jobs: *a11\n");
    let plan = plan(&text);
    assert!(errors(&plan)[0].contains("aliases"), "{:?}", errors(&plan));
}

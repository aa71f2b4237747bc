use proptest::prelude::*;

use super::{edit::Rank, entries::NewName, meaning::same, *};
use crate::domain::tree::{Entry, Scalar, Span, Value};

const ORDER: [&str; 6] = ["type", "name", "gpus", "command", "env", "tags"];

fn rank(key: &str) -> usize {
    ORDER.iter().position(|k| *k == key).unwrap_or(ORDER.len())
}

const RANK: Rank<'static> = &rank;

fn node(value: Value) -> Node {
    Node { span: Span::default(), value }
}
fn text(t: &str) -> Node {
    node(Value::Scalar(Scalar { text: t.into(), plain: false }))
}
fn plain(t: &str) -> Node {
    node(Value::Scalar(Scalar { text: t.into(), plain: true }))
}
fn map(pairs: &[(&str, Node)]) -> Node {
    node(Value::Map(
        pairs
            .iter()
            .map(|(k, v)| Entry { key: (*k).into(), key_span: Span::default(), value: v.clone() })
            .collect(),
    ))
}
fn seq(items: &[Node]) -> Node {
    node(Value::Seq(items.to_vec()))
}

const HAND_MADE: &str = "\
# my batch
name: mine   # the name
defaults: {cluster: lab}

jobs:
  # the first
  - type: training
    name: a      # keep me
    command: |   # and me
      python x.py \\
        --a 1

    env:  # of the job
      A: 1
      # between
      B: two

  # the second
  - {name: b, gpus: 2, tags: [x, y]}   # flow
  - name: c
  # the fourth
  -
    name: d
    gpus: 1
# the end
";

/// A copy that keeps its name.
fn copy_of(entry: usize) -> NewName<'static> {
    NewName { entry, name: None }
}

#[test]
fn one_field_changes_and_nothing_else() {
    let mut doc = Document::new(HAND_MADE);
    doc.set(0, "name", Some(&text("renamed")), None, RANK).unwrap();
    doc.set(1, "gpus", Some(&plain("4")), None, RANK).unwrap();
    doc.set(2, "command", Some(&text("run\nit\n")), None, RANK).unwrap();
    doc.set(3, "tags", Some(&seq(&[text("t"), text("u, v")])), None, RANK).unwrap();
    doc.set_head("max_concurrent", Some(&plain("3")), None, &|k| {
        usize::from(k == "jobs") * 2 + usize::from(k == "max_concurrent")
    })
    .unwrap();
    let expected = HAND_MADE
        .replace("name: a      # keep me", "name: renamed      # keep me")
        .replace("gpus: 2,", "gpus: 4,")
        .replace("  - name: c\n", "  - name: c\n    command: |\n      run\n      it\n")
        .replace("    gpus: 1\n", "    gpus: 1\n    tags: [t, \"u, v\"]\n")
        .replace("defaults: {cluster: lab}\n", "defaults: {cluster: lab}\nmax_concurrent: 3\n");
    assert_eq!(doc.text(), expected);
}

#[test]
fn several_lines_and_comments() {
    let mut doc = Document::new(HAND_MADE);
    doc.set(0, "command", Some(&text("short")), None, RANK).unwrap();
    doc.set(0, "env", Some(&map(&[("C", text("x"))])), None, RANK).unwrap();
    doc.set(0, "name", Some(&text("two\nlines")), None, RANK).unwrap();
    assert!(
        doc.text().contains("    name: |-      # keep me\n      two\n      lines\n"),
        "{}",
        doc.text()
    );
    assert!(doc.text().contains("    command: short\n"), "{}", doc.text());
    assert!(doc.text().contains("    env: # of the job\n      C: x\n"), "{}", doc.text());
}

#[test]
fn entries_come_and_go_with_their_comments() {
    let mut doc = Document::new(HAND_MADE);
    doc.remove(&[1], RANK).unwrap();
    assert!(
        !doc.text().contains("the second") && !doc.text().contains("name: b"),
        "{}",
        doc.text()
    );
    assert!(doc.text().contains("B: two\n\n  - name: c\n"), "{}", doc.text());
    doc.undo();
    assert_eq!(doc.text(), HAND_MADE);
    doc.redo();
    doc.undo();
    doc.swap_with_next(2, RANK).unwrap();
    assert!(
        doc.text().contains(
            "# flow\n  # the fourth\n  -\n    name: d\n    gpus: 1\n  - name: c\n# the end\n"
        ),
        "{}",
        doc.text()
    );
    doc.undo();
    doc.duplicate(&[copy_of(1)], RANK).unwrap();
    assert_eq!(doc.text().matches("{name: b, gpus: 2, tags: [x, y]}   # flow\n").count(), 2);
    doc.insert(0, &[map(&[("name", text("zero"))])], RANK).unwrap();
    assert!(
        doc.text().contains("jobs:\n  # the first\n  - name: zero\n")
            || doc.text().contains("jobs:\n  - name: zero\n"),
        "{}",
        doc.text()
    );
    let mut doc = Document::new(HAND_MADE);
    doc.remove(&[0, 1, 2, 3], RANK).unwrap();
    assert_eq!(doc.len(), 0);
    assert!(doc.text().starts_with("# my batch\nname: mine   # the name\n"), "{}", doc.text());
    doc.insert(0, &[map(&[("name", text("new"))])], RANK).unwrap();
    assert!(doc.text().contains("jobs:\n  - name: new\n"), "{}", doc.text());
}

#[test]
fn defaults_change_in_place() {
    let set = |doc: &mut Document, key: &str, value: Option<&Node>| {
        doc.set_default(key, value, None, RANK, &|k| usize::from(k == "jobs")).unwrap();
    };
    let mut doc = Document::new(HAND_MADE);
    set(&mut doc, "tags", Some(&seq(&[text("x")])));
    assert!(doc.text().contains("\ndefaults: {tags: [x], cluster: lab}\n"), "{}", doc.text());
    set(&mut doc, "cluster", None);
    set(&mut doc, "tags", None);
    assert!(!doc.text().contains("defaults"), "{}", doc.text());
    set(&mut doc, "command", Some(&text("a\nb\n")));
    assert!(
        doc.text().contains("defaults:\n  command: |\n    a\n    b\n\njobs:")
            || doc.text().contains("defaults:\n  command: |\n    a\n    b\n"),
        "{}",
        doc.text()
    );
    set(&mut doc, "gpus", Some(&plain("1")));
    assert!(doc.text().contains("defaults:\n  gpus: 1\n  command: |\n"), "{}", doc.text());
    assert_eq!(doc.len(), 4);
}

#[test]
fn many_at_once() {
    let mut doc = Document::new(HAND_MADE);
    let places = [(0, "gpus"), (1, "gpus"), (3, "gpus")];
    doc.set_many(&places, Some(&plain("8")), None, RANK).unwrap();
    assert_eq!(doc.text().matches("gpus: 8").count(), 3, "{}", doc.text());
    assert_eq!(doc.scalar(2, "gpus"), None);
    doc.set_many(&places, None, None, RANK).unwrap();
    assert!(!doc.text().contains("gpus"));
    doc.undo();
    doc.undo();
    assert_eq!(doc.text(), HAND_MADE);
    let named = |entry, name: &str| NewName { entry, name: Some(("name", name.to_owned())) };
    doc.duplicate(&[named(0, "a2"), named(1, "b2"), named(3, "d2")], RANK).unwrap();
    let names: Vec<_> = (0..7).map(|i| doc.scalar(i, "name").unwrap_or("?")).collect();
    assert_eq!(names, ["a", "a2", "b", "b2", "c", "d", "d2"]);
    assert_eq!(doc.text().matches("# keep me").count(), 2);
    doc.undo();
    assert_eq!(doc.text(), HAND_MADE);
}

#[test]
fn starting_from_nothing() {
    let mut doc = Document::new("");
    doc.insert(0, &[map(&[("name", text("job1")), ("command", text("true"))])], RANK).unwrap();
    assert_eq!(doc.text(), "jobs:\n  - name: job1\n    command: \"true\"\n");
    doc.set_head("name", Some(&text("mine")), None, &|k| usize::from(k == "jobs")).unwrap();
    assert_eq!(doc.text(), "name: mine\njobs:\n  - name: job1\n    command: \"true\"\n");
    let mut doc = Document::new("# notes\n");
    doc.set_head("name", Some(&text("mine")), None, RANK).unwrap();
    doc.insert(0, &[map(&[("name", text("a"))])], RANK).unwrap();
    assert_eq!(doc.text(), "# notes\nname: mine\njobs:\n  - name: a\n");
}

#[test]
fn bare_lists_and_json() {
    let mut doc = Document::new("# two\n- name: a\n- name: b\n");
    doc.set_head("name", Some(&text("mine")), None, RANK).unwrap();
    assert_eq!(doc.text(), "# two\nname: mine\njobs:\n- name: a\n- name: b\n");
    doc.insert(2, &[map(&[("name", text("c"))])], RANK).unwrap();
    assert!(doc.text().ends_with("- name: b\n- name: c\n"));

    let json = "{\n  \"jobs\": [\n    {\n      \"name\": \"a\",\n      \"gpus\": 2\n    },\n    {\"name\": \"b\"}\n  ],\n  \"dry_run\": false\n}\n";
    let mut doc = Document::new(json);
    doc.set(0, "command", Some(&text("say \"hi\"\nthere")), None, RANK).unwrap();
    doc.set(1, "gpus", Some(&plain("1")), None, RANK).unwrap();
    doc.duplicate(&[copy_of(1)], RANK).unwrap();
    doc.set_head("name", Some(&text("x")), None, RANK).unwrap();
    let value: serde_json::Value = serde_json::from_str(doc.text()).expect("it is still JSON");
    assert_eq!(value["jobs"][0]["command"], "say \"hi\"\nthere");
    assert_eq!(value["jobs"][2]["gpus"], 1);
    assert_eq!(value["name"], "x");
    assert!(doc.text().contains("      \"gpus\": 2,\n      \"command\":"), "{}", doc.text());
    doc.remove(&[0, 1, 2], RANK).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(doc.text()).is_ok(), "{}", doc.text());
}

#[test]
fn json_may_escape_what_yaml_cannot() {
    let doc = Document::new(r#"{"jobs": [{"name": "a\\\ud83d\ude00\n", "command": "x\u00e9"}]}"#);
    assert!(doc.error().is_none());
    assert_eq!(doc.scalar(0, "name"), Some("a\\😀\n"));
    assert_eq!(doc.scalar(0, "command"), Some("xé"));
}

#[test]
fn anchors_are_followed() {
    let text_in = "jobs:\n  - &base\n    name: a\n    env: &e {A: 1}\n  - name: b\n    env: *e\n";
    let mut doc = Document::new(text_in);
    assert_eq!(doc.field(Some(1), "env").unwrap().get("A").unwrap().kind(), "a number");
    doc.set(1, "env", Some(&map(&[("B", text("x"))])), None, RANK).unwrap();
    assert!(doc.text().contains("env: &e {A: 1}"), "{}", doc.text());
    doc.set(0, "env", None, None, RANK).unwrap();
    assert!(doc.field(Some(0), "env").is_none());
    assert!(doc.field(Some(1), "env").is_some());
}

#[test]
fn a_syntax_error_keeps_the_last_good_tree() {
    let mut doc = Document::new(HAND_MADE);
    let at = doc.text().find("{name: b").unwrap();
    doc.edit_text(Splice::new(at..at, "}"), None);
    assert_eq!(doc.len(), 4);
    assert!(doc.error().is_some());
    assert!(doc.set(0, "name", Some(&text("x")), None, RANK).is_err());
    doc.undo();
    assert!(doc.error().is_none());
    assert_eq!(doc.text(), HAND_MADE);
}

#[test]
fn typing_in_a_field_is_one_undo_step() {
    let mut doc = Document::new(HAND_MADE);
    for typed in ["p", "py", "pyt"] {
        doc.set(2, "command", Some(&text(typed)), Some("2.command"), RANK).unwrap();
    }
    doc.seal();
    doc.set(2, "command", Some(&text("again")), Some("2.command"), RANK).unwrap();
    doc.undo();
    assert_eq!(doc.scalar(2, "command"), Some("pyt"));
    doc.undo();
    assert_eq!(doc.text(), HAND_MADE);
    assert!(!doc.can_undo());
}

fn any_value() -> impl Strategy<Value = Node> {
    prop_oneof![
        "[a-zA-Z0-9 ,:#'\"{}-]{0,10}".prop_map(|t| text(&t)),
        "(0|[1-9][0-9]{0,2}|007)".prop_map(|t| plain(&t)),
        Just(text("line one\n  line two\n")),
        prop::collection::vec("[a-z]{1,4}", 0..3)
            .prop_map(|v| seq(&v.iter().map(|t| text(t)).collect::<Vec<_>>())),
        prop::collection::vec("[a-z0-9:]{1,4}", 0..3).prop_map(|v| node(Value::Map(
            v.iter()
                .enumerate()
                .map(|(i, t)| Entry {
                    key: format!("K{i}"),
                    key_span: Span::default(),
                    value: text(t)
                })
                .collect()
        ))),
    ]
}

#[derive(Clone, Debug)]
enum Op {
    Set(usize, usize, Option<Node>),
    Head(usize, Option<Node>),
    Insert(usize, Node),
    Duplicate(usize),
    Remove(usize),
    Swap(usize),
    Undo,
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..6usize, 0..ORDER.len(), prop::option::weighted(0.8, any_value()))
            .prop_map(|(e, k, v)| Op::Set(e, k, v)),
        1 => (0..3usize, prop::option::weighted(0.8, any_value())).prop_map(|(k, v)| Op::Head(k, v)),
        1 => (0..6usize, any_value()).prop_map(|(at, v)| Op::Insert(at, map(&[("name", v)]))),
        1 => (0..6usize).prop_map(Op::Duplicate),
        1 => (0..6usize).prop_map(Op::Remove),
        1 => (0..6usize).prop_map(Op::Swap),
        1 => Just(Op::Undo),
    ]
}

const STARTS: [&str; 8] = [
    HAND_MADE,
    "",
    "# nothing yet\n",
    "- name: a\n  gpus: 1\n-   name: b\n\n- {name: c,}\n",
    "{\"jobs\": [{\"name\": \"a\"}, {\"name\": \"b\", \"gpus\": 2}]}",
    "[{\"name\": \"a\"},\n {\"name\": \"b\"}]\n",
    "jobs:\n- name: ü\n  command: >-\n    folded\n    text\n\n  # c\n- 'just text'\n-\n- name: é\n  tags:\n  - x\n  - y\nname: last",
    "name: x\njobs: [{name: a}, {name: b, k},\n  {name: c}]\n",
];

/// The text of every entry but one.
fn others(doc: &Document, but: usize) -> Vec<String> {
    let slice = |e: &EntrySource| doc.text()[e.start..e.start + e.item.end].to_owned();
    doc.tree()
        .entries
        .iter()
        .enumerate()
        .filter(|(i, _)| *i != but)
        .map(|(_, e)| slice(e))
        .collect()
}

fn same_map(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().all(|x| b.iter().any(|y| x.key == y.key && same(&x.value, &y.value)))
        }
        _ => same(a, b),
    }
}

/// JSON has no `007`.
fn writable(doc: &Document, value: &Node) -> Node {
    match &value.value {
        Value::Scalar(s) if doc.tree().json && s.text == "007" => text("007"),
        _ => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn any_edit_says_exactly_what_was_meant(start in 0..STARTS.len(), ops in prop::collection::vec(any_op(), 1..12)) {
        let mut doc = Document::new(STARTS[start]);
        prop_assert!(doc.error().is_none());
        for op in ops {
            let before = doc.clone();
            let mut meant = doc.nodes();
            let n = meant.len();
            match &op {
                Op::Set(e, k, v) if *e < n => {
                    let key = ORDER[*k];
                    let untouched = others(&doc, *e);
                    if let Value::Map(entries) = &mut meant[*e].value {
                        entries.retain(|x| x.key != key);
                    } else if v.is_some() {
                        meant[*e] = map(&[]);
                    }
                    if let (Some(v), Value::Map(entries)) = (v, &mut meant[*e].value) {
                        entries.push(Entry { key: key.into(), key_span: Span::default(), value: v.clone() });
                    }
                    let v = v.as_ref().map(|v| writable(&doc, v));
                    if let Value::Map(entries) = &mut meant[*e].value
                        && let (Some(last), Some(v)) = (entries.last_mut(), &v)
                    {
                        last.value = v.clone();
                    }
                    doc.set(*e, key, v.as_ref(), None, RANK).unwrap();
                    prop_assert_eq!(untouched, others(&doc, *e), "{:?}\n{}\n→\n{}", op, before.text(), doc.text());
                }
                Op::Head(k, v) => {
                    let key = ["name", "max_concurrent", "defaults"][*k];
                    let untouched = others(&doc, usize::MAX);
                    let v = v.as_ref().map(|v| writable(&doc, v));
                    doc.set_head(key, v.as_ref(), None, RANK).unwrap();
                    let got = doc.field(None, key);
                    prop_assert!(got.is_some() == v.is_some() && got.iter().zip(&v).all(|(a, b)| same(a, b)));
                    prop_assert_eq!(untouched, others(&doc, usize::MAX), "{:?}\n{}\n→\n{}", op, before.text(), doc.text());
                }
                Op::Insert(at, v) => {
                    let v = &map(&[("name", writable(&doc, v.get("name").unwrap()))]);
                    let at = (*at).min(n);
                    meant.insert(at, v.clone());
                    doc.insert(at, std::slice::from_ref(v), RANK).unwrap();
                }
                Op::Duplicate(e) if *e < n => {
                    meant.insert(e + 1, meant[*e].clone());
                    doc.duplicate(&[copy_of(*e)], RANK).unwrap();
                }
                Op::Remove(e) if *e < n => {
                    meant.remove(*e);
                    doc.remove(&[*e], RANK).unwrap();
                }
                Op::Swap(e) if e + 1 < n => {
                    meant.swap(*e, e + 1);
                    doc.swap_with_next(*e, RANK).unwrap();
                }
                Op::Undo => {
                    doc.seal();
                    let version = doc.text().to_owned();
                    if doc.undo().is_some() {
                        doc.redo();
                        prop_assert_eq!(&version, doc.text());
                    }
                }
                _ => {}
            }
            doc.seal();
            let got = doc.nodes();
            prop_assert!(
                got.len() == meant.len() && got.iter().zip(&meant).all(|(a, b)| same_map(a, b)),
                "{:?}\n{}\n→\n{}", op, before.text(), doc.text()
            );
            let fresh = Document::new(doc.text());
            prop_assert!(fresh.error().is_none());
            prop_assert_eq!(&fresh.tree, &doc.tree, "{:?}\n{}\n→\n{}", op, before.text(), doc.text());
        }
    }
}

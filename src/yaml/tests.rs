use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::domain::tree::{Entry, Scalar, Value};

fn read(text: &str) -> Node {
    parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e:?} in:\n{text}"))
}

fn fails(bytes: &[u8]) -> (String, Pos) {
    let error = parse(bytes).expect_err("it should be refused");
    (error.message, error.pos.unwrap_or_default())
}

fn at(line: u32, column: u32) -> Pos {
    Pos { line, column }
}

/// The tree as JSON-like text, plain scalars bare.
fn show(node: &Node) -> String {
    match &node.value {
        Value::Scalar(s) if s.plain => s.text.clone(),
        Value::Scalar(s) => format!("{:?}", s.text),
        Value::Seq(items) => {
            format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(","))
        }
        Value::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|e| format!("{}:{}", e.key, show(&e.value))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

#[test]
fn values_keep_their_text_and_place() {
    let node = read("a: 1e-3\nb: '007'\nc:\n  - 007\n  - é: x\n");
    assert_eq!(show(&node), r#"{a:1e-3,b:"007",c:[007,{é:x}]}"#);
    let x = node.get("c").and_then(|c| match &c.value {
        Value::Seq(items) => items.get(1)?.get("é"),
        _ => None,
    });
    assert_eq!(x.unwrap().span.start, at(5, 8), "columns count characters");
}

#[test]
fn json_is_read_with_places_and_surrogates() {
    let text = "{\n\t\"é\": \"\\ud83d\\ude00\\/\", \"x\": [1.50, true, null]\n}";
    let node = read(text);
    assert_eq!(show(&node), "{é:\"😀/\",x:[1.50,true,null]}");
    assert_eq!(node.get("x").unwrap().span.start, at(2, 30));
    // What is not quite JSON may still be YAML.
    assert_eq!(show(&read("{a: [1, 2,], 'b': 3}")), "{a:[1,2],b:3}");
    assert_eq!(show(&read("[]")), "[]");
    assert_eq!(show(&read("{} ")), "{}");
}

#[test]
fn aliases_and_merge_keys() {
    let node = read("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: {<<: [{c: 1}, *x], a: 9}\n");
    assert_eq!(show(&node), "{x:{a:1,b:2},y:{b:3,a:1},z:{a:9,c:1,b:2}}");
    let (message, _) = fails(b"a: {<<: 3}");
    assert!(message.contains("<<"), "{message}");
    let (message, _) = fails(b"a: &a [*a]");
    assert!(message.contains("anchor"), "{message}");
}

#[test]
fn an_alias_bomb_is_refused_before_it_is_built() {
    let mut text = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for i in 1..20 {
        let aliases = vec![format!("*a{}", i - 1); 10].join(",");
        let _ = writeln!(text, "a{i}: &a{i} [{aliases}]");
    }
    let (message, pos) = fails(text.as_bytes());
    assert!(message.contains("aliases"), "{message}");
    assert!(pos.line < 10);
    // Large texts by alias count too.
    let mut text = format!("a: &a {}\nb: [", "x".repeat(1 << 20));
    text.push_str(&"*a,".repeat(100));
    text.push(']');
    assert!(fails(text.as_bytes()).0.contains("aliases"));
    // Aliases must not build depth that dropping would trip over.
    let mut text = String::from("a0: &a0 [x]\n");
    for i in 1..300 {
        let _ = writeln!(text, "a{i}: &a{i} [*a{}]", i - 1);
    }
    assert!(fails(text.as_bytes()).0.contains("deep"));
}

#[test]
fn deep_nesting_is_refused_in_every_form() {
    for text in [
        "[".repeat(10_000),
        "{\"a\":".repeat(10_000),
        "- ".repeat(10_000),
        "[ ".repeat(10_000) + &" ]".repeat(10_000),
        (0..10_000).fold(String::new(), |mut text, i| {
            let _ = writeln!(text, "{}a:", " ".repeat(i));
            text
        }),
        "? ".repeat(10_000),
        "a: ".repeat(10_000),
    ] {
        let head: String = text.chars().take(20).collect();
        let message = fails(text.as_bytes()).0;
        assert!(message.contains("deep") || message.contains("cannot stand"), "{head}: {message}");
    }
}

#[test]
fn what_is_no_text_is_refused_with_its_place() {
    let (message, pos) = fails(b"a: 1\nb: x\0y\n");
    assert!(message.contains("NUL"), "{message}");
    assert_eq!(pos, at(2, 5));
    let (message, pos) = fails(b"a: 1\nb: caf\xe9\n");
    assert!(message.contains("not UTF-8") && message.contains("offset 11"), "{message}");
    assert_eq!(pos, at(2, 7));
    assert!(fails(b"\xff\xfea\0").0.contains("UTF-16"));
    assert!(fails(b"a: \x1b[31m").0.contains("U+001B"));
    assert_eq!(show(&read("\u{feff}a: 1")), "{a:1}");
    assert_eq!(read("\u{feff}a: 1").span.start, at(1, 1));
}

#[test]
fn size_is_bounded() {
    let text = vec![b' '; MAX_BYTES + 1];
    assert!(fails(&text).0.contains("too large"));
}

#[test]
fn hints_fit_what_stands_there() {
    let hint = |text: &str| parse(text.as_bytes()).unwrap_err().hint.unwrap_or_default();
    assert_eq!(hint("jobs:\n- command:\tx\n"), "replace the tab by a space");
    assert_eq!(hint("- {command:\tx}\n"), "replace the tab by a space");
    assert!(hint("a: 1\n---\nb: 2\n").ends_with("remove the line `---`"));
    assert!(hint("a: 1\n...\nb: 2\n").ends_with("remove the line `...`"));
}

#[test]
fn odd_documents_are_refused() {
    let (message, pos) = fails(b"a: 1\n---\nb: 2\n");
    assert!(message.contains("second document"), "{message}");
    assert_eq!(pos.line, 2);
    assert!(fails(b"a: !foo x").0.contains("`!foo`"));
    assert!(fails(b"a: !!binary x").0.contains("`!!binary`"));
    assert!(fails(b"{a: 1}: 2").0.contains("cannot be a key"));
    let (message, pos) = fails(b"a: b: c");
    assert!(message.contains("cannot stand here"), "{message}");
    assert_eq!(pos.line, 1);
    assert_eq!(show(&read("a: !!str 12")), "{a:\"12\"}");
    assert_eq!(show(&read("--- \na: 1\n...\n")), "{a:1}");
    assert_eq!(show(&read("")), "");
    assert_eq!(show(&read("# only a remark\n")), "");
}

#[test]
fn line_ends_of_other_systems() {
    let node = read("a: 1\r\nb: |\r\n  x\r\n  y\r\n");
    assert_eq!(show(&node), "{a:1,b:\"x\\ny\\n\"}");
}

#[test]
fn emitted_text_is_pleasant() {
    let node = read(
        "{name: a, list: [1, two, '3'], command: \"python a\\n  b\\n\", none: , map: {}, \
         jobs: [{name: x, sweep: {lr: [1e-3, 1e-2]}}, [a, [b]], ''], yes: 'no', e: \"a: b\"}",
    );
    let text = "\
name: a
list: [1, two, '3']
command: |
  python a
    b
none:
map: {}
jobs:
  - name: x
    sweep:
      lr: [1e-3, 1e-2]
  - - a
    - [b]
  - ''
yes: 'no'
e: 'a: b'
";
    assert_eq!(emit(&node), text);
    assert!(same(&node, &read(text)));
}

#[test]
fn json_values_emit_too() {
    let value = serde_json::json!({"a": [1, 2.5, "x"], "b": null, "c": "1", "d": true});
    assert_eq!(emit(&node_of_json(&value)), "a: [1, 2.5, x]\nb: null\nc: '1'\nd: true\n");
}

/// Equal as values: plain or quoted matters only where it makes another type.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => {
            let typed =
                |s: &Scalar| s.is_null() || s.as_bool().is_some() || s.as_number().is_some();
            (a.text == b.text || (a.is_null() && b.is_null()))
                && (a.plain == b.plain || (!typed(a) && !typed(b)))
        }
        (Value::Seq(a), Value::Seq(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && a.iter().zip(b).all(|(a, b)| a.key == b.key && same(&a.value, &b.value))
        }
        _ => false,
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::string::string_regex("[ -~]{0,12}").unwrap(),
        proptest::string::string_regex("([ -~\t]{0,6}\n){0,4}[ -~]{0,5}").unwrap(),
        proptest::collection::vec(any::<char>(), 0..8).prop_map(|c| c.into_iter().collect()),
        prop::sample::select(vec![
            "", "null", "~", "yes", "1e-3", "007", "-", "- a", "a: b", "---"
        ])
        .prop_map(str::to_owned),
        prop::sample::select(vec![
            "{lr}", "\u{feff}", "#x", "a #b", "|", "> x", "<<", "...", "\n\n"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_node() -> impl Strategy<Value = Node> {
    let node = |value| Node { span: Span::default(), value };
    let plain = prop::sample::select(vec!["", "null", "true", "12", "1e-3", "007", "-1.5", "word"]);
    let leaf = prop_oneof![
        any_text().prop_map(|text| Scalar { text, plain: false }),
        plain.prop_map(|text| Scalar { text: text.to_owned(), plain: true }),
    ]
    .prop_map(move |s| node(Value::Scalar(s)));
    leaf.prop_recursive(4, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(move |v| node(Value::Seq(v))),
            proptest::collection::vec((any_text(), inner), 0..5).prop_map(move |entries| {
                let entry = |(key, value)| Entry { key, key_span: Span::default(), value };
                node(Value::Map(entries.into_iter().map(entry).collect()))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_emitted_reads_back_the_same(node in any_node()) {
        let text = emit(&node);
        let again = parse(text.as_bytes());
        prop_assert!(again.as_ref().is_ok_and(|n| same(n, &node)), "{node:?}\n{text}\n{again:?}");
    }

    #[test]
    fn no_text_makes_the_reader_fall_over(text in any_text(), more in "[-\\[\\]{}:,#&*!|>'\"%@ \na?<]{0,30}") {
        let _ = parse(text.as_bytes());
        let _ = parse(more.as_bytes());
    }

    #[test]
    fn json_reads_as_json(value in any_node()) {
        // Through our own JSON writer: what serde_json writes must read back too.
        fn json(node: &Node) -> serde_json::Value {
            match &node.value {
                Value::Scalar(s) => serde_json::Value::String(s.text.clone()),
                Value::Seq(items) => items.iter().map(json).collect(),
                Value::Map(entries) => {
                    entries.iter().map(|e| (e.key.clone(), json(&e.value))).collect()
                }
            }
        }
        let value = json(&value);
        let text = serde_json::to_string_pretty(&value).unwrap();
        if value.is_array() || value.is_object() {
            prop_assert!(same(&parse(text.as_bytes()).unwrap(), &node_of_json(&value)));
        }
    }
}

mod sources {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn odd_files_are_refused_without_being_read() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        let link = dir.path().join("link.yaml");
        symlink(&fifo, &link).unwrap();
        for (path, what) in [
            (dir.path(), "a directory"),
            (&fifo, "a FIFO"),
            (&link, "a FIFO"),
            (Path::new("/dev/zero"), "a device"),
        ] {
            match read_source(path) {
                Err(SourceError::NotAFile { what: found, .. }) => assert_eq!(found, what),
                other => panic!("{other:?}"),
            }
        }
        let missing = read_source(&dir.path().join("nothing"));
        assert!(matches!(missing, Err(SourceError::Missing { .. })));
    }

    #[test]
    fn a_huge_file_is_refused_by_its_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("huge.yaml");
        // Sparse: if it were read, this would be slow and large.
        std::fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
        let error = read_source(&path).unwrap_err();
        assert!(error.to_string().contains("200 MiB"), "{error}");
    }

    #[test]
    fn a_file_brings_its_folder_and_stem() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("my.batch.yaml");
        std::fs::write(&path, "jobs: []").unwrap();
        let source = read_source(&path).unwrap();
        assert_eq!(source.stem, "my.batch");
        assert_eq!(source.base_dir.as_deref(), Some(dir.path()));
        assert_eq!(source.bytes, b"jobs: []");
    }

    use std::path::Path;
}

//! A field's value as text to edit, and back, by the kind of the field.

use crate::{
    app::screen::compose::document::{
        emit::{self, Style},
        source,
    },
    domain::{
        fields::FieldKind,
        resources::{Gpus, Memory, TimeLimit},
        tree::{Entry, Node, Scalar, Span, Value},
    },
};

use super::sweep;

fn node(value: Value) -> Node {
    Node { span: Span::default(), value }
}

/// A string.
pub fn string(text: &str) -> Node {
    node(Value::Scalar(Scalar { text: text.to_owned(), plain: false }))
}

/// A number, a boolean or null, as written.
pub fn plain(text: &str) -> Node {
    node(Value::Scalar(Scalar { text: text.to_owned(), plain: true }))
}

/// Reads one YAML value; why not, as a fragment.
pub fn parse(text: &str) -> Result<Node, String> {
    match source::read(text) {
        Ok(parsed) => Ok(parsed.root.map_or_else(|| plain("null"), |root| root.node())),
        Err(e) => Err(format!("line {}: {}", e.at.line, e.message)),
    }
}

/// `a, b, {c: d}` as a list; what is not YAML is split at commas.
pub fn flow_list(text: &str) -> Node {
    let bracketed = format!("[{text}\n]");
    if let Ok(list) = parse(&bracketed)
        && let Value::Seq(items) = &list.value
        && !text.contains('#')
    {
        return node(Value::Seq(items.clone()));
    }
    let items = text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(string).collect();
    node(Value::Seq(items))
}

/// Whether a field of this kind has room for several lines.
pub fn is_area(kind: FieldKind) -> bool {
    matches!(
        kind,
        FieldKind::Command
            | FieldKind::Map
            | FieldKind::Tree
            | FieldKind::Sweep
            | FieldKind::Combinations
            | FieldKind::Jobs
            | FieldKind::Defaults
            | FieldKind::RayResources
    )
}

/// How a field of this kind is written in a form, where that differs from the
/// document.
pub fn writing(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Sweep => "One a line: lr 1e-3, 1e-2 or seed 0 … 8 (0..8 does too).",
        FieldKind::Map => "One a line: KEY=VALUE.",
        FieldKind::List | FieldKind::Paths => "With commas between.",
        FieldKind::Tree | FieldKind::RayResources => "As YAML: key: value.",
        FieldKind::Combinations => "As YAML: - {lr: 1e-1, seed: 2}.",
        _ => "",
    }
}

/// The value as text.
pub fn show(kind: FieldKind, value: &Node) -> String {
    if value.is_null() {
        return "null".into();
    }
    match (&value.value, kind) {
        (Value::Map(_), FieldKind::Map) => show_map(value),
        (Value::Map(_), FieldKind::Sweep) => sweep::show(value),
        (
            Value::Map(_) | Value::Seq(_),
            FieldKind::Tree
            | FieldKind::Combinations
            | FieldKind::Jobs
            | FieldKind::Defaults
            | FieldKind::RayResources,
        ) => emit::block_lines(value, 0),
        (Value::Scalar(scalar), _) => {
            scalar.text.strip_suffix('\n').unwrap_or(&scalar.text).to_owned()
        }
        (
            Value::Seq(items),
            FieldKind::List | FieldKind::Paths | FieldKind::Cluster | FieldKind::Dependencies,
        ) => items.iter().map(|v| emit::inline(v, Style::Flow)).collect::<Vec<_>>().join(", "),
        _ => emit::inline(value, Style::Flow),
    }
}

/// The text as a value; `None`: the field is not there. `previous` is what the
/// document has now, so that what did not change keeps its way of writing.
/// `inherited` is what the field has without a value of its own: the word `null`
/// takes it away, and in a map a key alone takes that key away.
///
/// # Errors
/// Why the text says nothing yet.
pub fn read(
    kind: FieldKind,
    text: &str,
    previous: Option<&Node>,
    inherited: Option<&Node>,
) -> Result<Option<Node>, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Ok(None);
    }
    if matches!(trimmed, "null" | "~")
        && (inherited.is_some() || previous.is_some_and(Node::is_null))
    {
        return Ok(Some(plain("null")));
    }
    let was_list = previous.is_some_and(|p| matches!(p.value, Value::Seq(_)));
    let numeric = Scalar { text: trimmed.to_owned(), plain: true }.as_number().is_some();
    Ok(Some(match kind {
        FieldKind::Text | FieldKind::Name | FieldKind::Path | FieldKind::Choice(_) => {
            string(trimmed)
        }
        FieldKind::Flag => match trimmed {
            "true" | "yes" | "on" => plain("true"),
            "false" | "no" | "off" => plain("false"),
            other => string(other),
        },
        FieldKind::Whole { .. }
        | FieldKind::Number { .. }
        | FieldKind::Gpus
        | FieldKind::TimeLimit
        | FieldKind::Memory => {
            if numeric {
                plain(trimmed)
            } else {
                string(trimmed)
            }
        }
        FieldKind::Command => {
            if was_list
                && let Ok(list) = parse(trimmed)
                && matches!(list.value, Value::Seq(_))
            {
                list
            } else if text.contains('\n') {
                string(&format!("{}\n", text.trim_end()))
            } else {
                string(text.trim_end())
            }
        }
        FieldKind::List | FieldKind::Paths => {
            let list = flow_list(trimmed);
            match &list.value {
                Value::Seq(items) if items.len() == 1 && !was_list && previous.is_some() => {
                    items.first().cloned().unwrap_or(list)
                }
                _ => list,
            }
        }
        FieldKind::Cluster | FieldKind::Dependencies => {
            let list = flow_list(trimmed);
            match &list.value {
                Value::Seq(items) if items.len() == 1 && !was_list => {
                    items.first().cloned().unwrap_or(list)
                }
                _ => list,
            }
        }
        FieldKind::Map => read_map(text, previous, inherited)?,
        FieldKind::Sweep => sweep::read(text, previous)?,
        FieldKind::Tree
        | FieldKind::Combinations
        | FieldKind::Jobs
        | FieldKind::Defaults
        | FieldKind::RayResources => {
            let node = parse(text)?;
            if node.as_scalar().is_some() && previous.is_none_or(|p| p.as_scalar().is_none()) {
                return Err("write it as `key: value`, or as a list with `- `".into());
            }
            node
        }
    }))
}

/// One `KEY=VALUE` a line; a value that has line ends or blanks at its edges is
/// in double quotes, a key alone takes a default away.
fn show_map(map: &Node) -> String {
    let Value::Map(entries) = &map.value else { return String::new() };
    entries
        .iter()
        .map(|e| match &e.value.value {
            Value::Scalar(s) if s.is_null() => e.key.clone(),
            Value::Scalar(s) => format!("{}={}", e.key, show_map_value(&s.text)),
            _ => format!("{}={}", e.key, emit::inline(&e.value, Style::Flow)),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn show_map_value(text: &str) -> String {
    let odd = text.contains(['\n', '\t'])
        || text.starts_with(['"', ' ', '{', '['])
        || text.ends_with(' ');
    if odd {
        // JSON's double quotes are YAML's too.
        emit::scalar_inline(&Scalar { text: text.to_owned(), plain: false }, Style::Json)
    } else {
        text.to_owned()
    }
}

fn read_map(text: &str, previous: Option<&Node>, inherited: Option<&Node>) -> Result<Node, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        // People paste what a shell would read.
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key.trim(), Some(value.trim())),
            None => match line.split_once(": ") {
                Some((key, value)) => (key.trim(), Some(value.trim())),
                None => (line, None),
            },
        };
        if key.is_empty() {
            return Err(format!("line {}: write KEY=VALUE", i + 1));
        }
        let is_there = |node: Option<&Node>| node.is_some_and(|map| map.get(key).is_some());
        let was_removed = previous.and_then(|map| map.get(key)).is_some_and(Node::is_null);
        if value.is_none() && !was_removed && !is_there(inherited) {
            return Err(format!("line {}: write KEY=VALUE", i + 1));
        }
        if entries.iter().any(|e| e.key == key) {
            return Err(format!("line {}: `{key}` is there twice", i + 1));
        }
        let before = previous.and_then(|p| p.get(key));
        let value = match value {
            None => plain("null"),
            Some(value) => {
                let text = match value.strip_prefix('"') {
                    Some(_) => parse(value)
                        .ok()
                        .and_then(|n| n.as_scalar().map(|s| s.text.clone()))
                        .unwrap_or_else(|| value.to_owned()),
                    None => value.to_owned(),
                };
                match before {
                    Some(node)
                        if node.as_scalar().is_some_and(|s| s.text == text && !s.is_null()) =>
                    {
                        node.clone()
                    }
                    Some(node)
                        if node.as_scalar().is_none()
                            && emit::inline(node, Style::Flow) == value =>
                    {
                        node.clone()
                    }
                    _ => string(&text),
                }
            }
        };
        entries.push(Entry { key: key.to_owned(), key_span: Span::default(), value });
    }
    Ok(node(Value::Map(entries)))
}

/// What is wrong with the text, said at once while typing; the plan says the rest.
pub fn check(kind: FieldKind, text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || matches!(text, "null" | "~") || text.contains('{') {
        return None;
    }
    let fails = |e: crate::domain::resources::AmountError| e.to_string();
    match kind {
        FieldKind::Gpus => text.parse::<Gpus>().err().map(fails),
        FieldKind::Memory => text.parse::<Memory>().err().map(fails),
        FieldKind::TimeLimit => text.parse::<TimeLimit>().err().map(fails),
        FieldKind::Whole { min, max } => match text.parse::<u64>() {
            Ok(n) if n < min => Some(format!("it must be at least {min}")),
            Ok(n) if n > max => Some(format!("it can be at most {max}")),
            Ok(_) => None,
            Err(_) => Some(format!("`{text}` is not a whole number")),
        },
        FieldKind::Number { max } => match text.parse::<f64>() {
            Ok(n) if n > 0.0 && n <= max => None,
            Ok(n) if n > max => Some(format!("it can be at most {max}")),
            Ok(_) => Some("it must be more than zero".into()),
            Err(_) => Some(format!("`{text}` is not a number")),
        },
        FieldKind::Choice(words) => {
            (!words.contains(&text)).then(|| format!("`{text}` is not one of {}", words.join(", ")))
        }
        FieldKind::Flag => (!matches!(text, "true" | "false" | "yes" | "no" | "on" | "off"))
            .then(|| "write true or false".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_show(kind: FieldKind, text: &str) -> String {
        let node = read(kind, text, None, None).unwrap().unwrap();
        emit::inline(&node, Style::Flow)
    }

    #[test]
    fn by_kind() {
        assert_eq!(read_show(FieldKind::Gpus, "0.5"), "0.5");
        assert_eq!(read_show(FieldKind::Gpus, "{g}"), "\"{g}\"");
        assert_eq!(read_show(FieldKind::Name, "007"), "\"007\"");
        assert_eq!(read_show(FieldKind::Memory, "16G"), "16G");
        assert_eq!(read_show(FieldKind::Flag, "yes"), "true");
        assert_eq!(read_show(FieldKind::List, "a, b c"), "[a, b c]");
        assert_eq!(read_show(FieldKind::Cluster, "lab"), "lab");
        assert_eq!(read_show(FieldKind::Cluster, "lab, auto"), "[lab, auto]");
        assert_eq!(read_show(FieldKind::Dependencies, "a, {b: ended}"), "[a, {b: ended}]");
        assert_eq!(read_show(FieldKind::Dependencies, "a, b: ended"), "[a, {b: ended}]");
        assert_eq!(read_show(FieldKind::Command, "[ -f x ] && y"), "\"[ -f x ] && y\"");
        assert_eq!(read_show(FieldKind::Command, "null"), "\"null\"");
        assert!(
            read(FieldKind::Command, "~", None, Some(&string("x"))).unwrap().unwrap().is_null()
        );
        assert_eq!(read(FieldKind::Text, "  ", None, None), Ok(None));
        assert!(read(FieldKind::Tree, "{a: [", None, None).is_err());
    }

    #[test]
    fn environment_lines() {
        let map = parse("{SEED: 1, A: 'x y', B: \"l1\\nl2\", GONE: null, Q: '\"q\"'}").unwrap();
        let text = show(FieldKind::Map, &map);
        assert_eq!(text, "SEED=1\nA=x y\nB=\"l1\\nl2\"\nGONE\nQ=\"\\\"q\\\"\"");
        assert_eq!(read(FieldKind::Map, &text, Some(&map), None).unwrap().unwrap(), map);
        let pasted =
            read(FieldKind::Map, "export A=b=c\nTOKEN=env:TOKEN", None, None).unwrap().unwrap();
        assert_eq!(emit::inline(&pasted, Style::Flow), "{A: b=c, TOKEN: env:TOKEN}");
        assert!(read(FieldKind::Map, "A=1\nA=2", None, None).unwrap_err().contains("twice"));
        assert!(read(FieldKind::Map, "not a pair", None, None).unwrap_err().contains("KEY=VALUE"));
    }

    #[test]
    fn an_argument_list_stays_one() {
        let argv = parse("[python, 'x y']").unwrap();
        let text = show(FieldKind::Command, &argv);
        let edited = format!("{}, --fast]", text.trim_end_matches(']'));
        let read = read(FieldKind::Command, &edited, Some(&argv), None).unwrap().unwrap();
        assert_eq!(emit::inline(&read, Style::Flow), "[python, x y, --fast]");
    }

    #[test]
    fn amounts_are_checked_at_once() {
        assert!(check(FieldKind::TimeLimit, "90").unwrap().contains("no unit"));
        assert!(check(FieldKind::Memory, "lots").is_some());
        assert!(check(FieldKind::Gpus, "{g}").is_none());
        assert!(check(FieldKind::Whole { min: 1, max: 5 }, "9").unwrap().contains("at most 5"));
        assert!(check(FieldKind::Choice(&["a", "b"]), "c").unwrap().contains("a, b"));
    }
}

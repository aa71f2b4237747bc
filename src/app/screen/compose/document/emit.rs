//! Values as YAML text: what an edit writes into the document.
//!
//! Scalars keep the text they were written with; strings are written plain where
//! that is safe, several lines as a literal block. In a JSON document everything
//! is written as JSON.

use std::fmt::Write as _;

use crate::domain::tree::{Node, Scalar, Value};

/// How to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Keys and values on lines of their own.
    Block,
    /// In brackets, on one line.
    Flow,
    /// As JSON, on one line.
    Json,
}

/// A value on one line, for flow style and JSON.
pub fn inline(node: &Node, style: Style) -> String {
    let mut out = String::new();
    write_inline(&mut out, node, style);
    out
}

fn write_inline(out: &mut String, node: &Node, style: Style) {
    match &node.value {
        Value::Scalar(scalar) => out.push_str(&scalar_inline(scalar, style)),
        Value::Seq(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_inline(out, item, style);
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (i, entry) in entries.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                out.push_str(&key(&entry.key, style));
                out.push_str(": ");
                write_inline(out, &entry.value, style);
            }
            out.push('}');
        }
    }
}

/// A key without its colon.
pub fn key(text: &str, style: Style) -> String {
    scalar_inline(&Scalar { text: text.to_owned(), plain: false }, style)
}

/// A scalar on one line.
pub fn scalar_inline(scalar: &Scalar, style: Style) -> String {
    if style == Style::Json {
        return json_scalar(scalar);
    }
    if scalar.plain && scalar.is_null() {
        return "null".into();
    }
    let flow = style == Style::Flow;
    let says_text = scalar.as_number().is_none() && scalar.as_bool().is_none();
    if scalar.plain && !says_text {
        return scalar.text.clone();
    }
    if plain_is_safe(&scalar.text, flow) && (scalar.plain || reads_as_text(&scalar.text)) {
        return scalar.text.clone();
    }
    quoted(&scalar.text)
}

fn json_scalar(scalar: &Scalar) -> String {
    if scalar.plain {
        if scalar.is_null() {
            return "null".into();
        }
        if let Some(value) = scalar.as_bool() {
            return value.to_string();
        }
        // JSON has fewer ways to write a number than YAML: keep only what both know.
        if scalar.as_number().is_some()
            && serde_json::from_str::<serde_json::Number>(&scalar.text).is_ok()
        {
            return scalar.text.clone();
        }
    }
    double_quoted(&scalar.text)
}

/// Whether the text, written plain, comes back as a string, also in tools that
/// still read YAML 1.1.
fn reads_as_text(text: &str) -> bool {
    let plain = Scalar { text: text.to_owned(), plain: true };
    if plain.is_null() || plain.as_bool().is_some() || plain.as_number().is_some() {
        return false;
    }
    !matches!(
        text.to_ascii_lowercase().as_str(),
        "yes" | "no" | "on" | "off" | "y" | "n" | ".inf" | "-.inf" | "+.inf" | ".nan" | "=" | "<<"
    ) && !text.starts_with("0x")
        && !text.starts_with("0o")
}

/// Whether the text can stand without quotes.
fn plain_is_safe(text: &str, flow: bool) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    let starts_well = match first {
        '-' | '?' | ':' => {
            second.is_some_and(|c| !(c.is_whitespace() || flow && ",[]{}".contains(c)))
        }
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' => false,
        c => !c.is_whitespace(),
    };
    starts_well
        && !text.ends_with(char::is_whitespace)
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}'))
        && !(flow
            && (text.contains([',', '[', ']', '{', '}'])
                || text.ends_with(" -")
                || text.ends_with(" ?")))
}

fn quoted(text: &str) -> String {
    let simple = !text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}'));
    if simple && (text.contains(['"', '\\']) || !text.contains('\'')) {
        if text.contains(['"', '\\']) || text.is_empty() {
            return format!("'{}'", text.replace('\'', "''"));
        }
        return format!("\"{text}\"");
    }
    double_quoted(text)
}

/// With double quotes and escapes that YAML and JSON share.
fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}') => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What stands behind `key:` in block style, its leading blank included. `column`
/// is the column of the key; lines that follow are deeper.
pub fn behind_colon(node: &Node, column: usize) -> String {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            format!("\n{}", block_lines(node, column + 2))
        }
        Value::Seq(items) if !items.is_empty() => {
            if items.iter().all(is_scalar) {
                let line = inline(node, Style::Flow);
                if line.chars().count() <= 80 {
                    return format!(" {line}");
                }
            }
            format!("\n{}", block_lines(node, column + 2))
        }
        Value::Scalar(scalar) => format!(" {}", scalar_block(scalar, column + 2)),
        _ => format!(" {}", inline(node, Style::Flow)),
    }
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.value, Value::Scalar(_))
}

/// A collection as lines from `column`, without a line end after the last.
pub fn block_lines(node: &Node, column: usize) -> String {
    let pad = " ".repeat(column);
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => entries
            .iter()
            .map(|e| {
                format!("{pad}{}:{}", key(&e.key, Style::Block), behind_colon(&e.value, column))
            })
            .collect::<Vec<_>>()
            .join("\n"),
        Value::Seq(items) if !items.is_empty() => items
            .iter()
            .map(|item| format!("{pad}{}", list_item(item, column)))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => format!("{pad}{}", inline(node, Style::Flow)),
    }
}

/// A list item with its dash at `column`, its own first line not indented.
pub fn list_item(node: &Node, column: usize) -> String {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            format!("- {}", block_lines(node, column + 2).trim_start())
        }
        Value::Scalar(scalar) => format!("- {}", scalar_block(scalar, column + 2)),
        _ => format!("- {}", inline(node, Style::Flow)),
    }
}

/// A scalar in block context: several lines as a literal block where it can be.
fn scalar_block(scalar: &Scalar, column: usize) -> String {
    let text = &scalar.text;
    if !text.contains('\n') || !literal_is_safe(text) {
        return scalar_inline(scalar, Style::Block);
    }
    let body = text.trim_end_matches('\n');
    let chomp = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    // An indented first line needs its depth spelled out.
    let depth = if body.starts_with([' ', '\n']) { "2" } else { "" };
    let pad = " ".repeat(column);
    let mut out = format!("|{depth}{chomp}");
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
    }
    out
}

fn literal_is_safe(text: &str) -> bool {
    let body = text.trim_end_matches('\n');
    !body.is_empty()
        && !body.lines().any(|line| !line.is_empty() && line.trim().is_empty())
        && !text.chars().any(|c| {
            (c.is_control() && c != '\n' && c != '\t')
                || matches!(c, '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{85}')
        })
        && !body.starts_with('\t')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::source, *};
    use crate::domain::tree::{Entry, Span};

    fn text(text: &str) -> Node {
        Node {
            span: Span::default(),
            value: Value::Scalar(Scalar { text: text.into(), plain: false }),
        }
    }

    #[test]
    fn strings_are_plain_where_that_is_safe() {
        let block = |t: &str| behind_colon(&text(t), 0);
        assert_eq!(block("python train.py --lr {lr}"), " python train.py --lr {lr}");
        assert_eq!(block("{g}"), " \"{g}\"");
        assert_eq!(block("007"), " \"007\"");
        assert_eq!(block("true"), " \"true\"");
        assert_eq!(block("no"), " \"no\"");
        assert_eq!(block(""), " ''");
        assert_eq!(block("4:00:00"), " 4:00:00");
        assert_eq!(block("a: b"), " \"a: b\"");
        assert_eq!(block("it's \"so\""), " it's \"so\"");
        assert_eq!(block("'a' \"b\""), " '''a'' \"b\"'");
        assert_eq!(block("one\ntwo\n"), " |\n  one\n  two");
        assert_eq!(block("one\n\n two"), " |-\n  one\n\n   two");
        assert_eq!(inline(&text("a,b"), Style::Flow), "\"a,b\"");
        assert_eq!(inline(&text("pytorch/pytorch:latest"), Style::Flow), "pytorch/pytorch:latest");
        assert_eq!(inline(&text("a"), Style::Json), "\"a\"");
    }

    fn meaning(node: &Node) -> String {
        match &node.value {
            Value::Scalar(s) if s.is_null() => "null".into(),
            Value::Scalar(s) if s.as_bool().is_some() || s.as_number().is_some() => s.text.clone(),
            Value::Scalar(s) => format!("{:?}", s.text),
            Value::Seq(items) => format!("{:?}", items.iter().map(meaning).collect::<Vec<_>>()),
            Value::Map(entries) => {
                format!(
                    "{:?}",
                    entries.iter().map(|e| (&e.key, meaning(&e.value))).collect::<Vec<_>>()
                )
            }
        }
    }

    fn odd_text() -> impl Strategy<Value = String> {
        prop_oneof![
            "[ -~]{0,12}",
            "[a-z:#,{}\\[\\]'\" \n\t-]{0,16}",
            "\\PC{0,8}",
            Just("null".to_owned()),
            Just("1e3".to_owned()),
            Just("a\n\nb\n\n".to_owned()),
            Just(" lead\nx".to_owned()),
        ]
    }

    fn any_node() -> impl Strategy<Value = Node> {
        let node = |value| Node { span: Span::default(), value };
        let leaf = odd_text().prop_map(move |t| text(&t));
        leaf.prop_recursive(3, 16, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(move |items| node(Value::Seq(items))),
                prop::collection::vec((odd_text(), inner), 0..4).prop_map(move |pairs| {
                    node(Value::Map(
                        pairs
                            .into_iter()
                            .enumerate()
                            .map(|(i, (key, value))| Entry {
                                key: format!("{i}{key}"),
                                key_span: Span::default(),
                                value,
                            })
                            .collect(),
                    ))
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(node in any_node()) {
            for written in [
                format!("k:{}\nz: 1\n", behind_colon(&node, 0)),
                format!("k: {}\nz: 1\n", inline(&node, Style::Flow)),
                format!("{{\"k\": {}, \"z\": 1}}\n", inline(&node, Style::Json)),
            ] {
                let read = source::read(&written).map_err(|e| TestCaseError::fail(format!("{e:?}\n{written}")))?;
                let root = read.root.unwrap().node();
                prop_assert_eq!(meaning(root.get("k").unwrap()), meaning(&node), "{}", written);
                prop_assert_eq!(meaning(root.get("z").unwrap()), "1");
            }
        }
    }
}

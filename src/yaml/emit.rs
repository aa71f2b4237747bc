//! A tree to YAML text that people like to read and that reads back the same.

use std::fmt::Write;

use crate::domain::tree::{Entry, Node, Scalar, Span, Value};

/// Lists of short words are written on one line up to this width.
const FLOW_WIDTH: usize = 76;
/// Longer keys must be marked as such.
const LONG_KEY: usize = 500;

/// Writes a document in block style, ending with a line break. Reading it again
/// gives the same values; places and comments are not kept.
pub fn emit(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => map(&mut out, entries, 0),
        Value::Seq(items) if !items.is_empty() && flow(items, 0).is_none() => {
            seq(&mut out, items, 0);
        }
        _ => {
            inline(&mut out, node, 0);
            out.push('\n');
        }
    }
    out
}

/// A JSON value as a tree without places.
pub fn node_of_json(value: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let scalar = |text: String, plain| Value::Scalar(Scalar { text, plain });
    let value = match value {
        Json::Null => scalar("null".into(), true),
        Json::Bool(b) => scalar(b.to_string(), true),
        Json::Number(n) => scalar(n.to_string(), true),
        Json::String(s) => scalar(s.clone(), false),
        Json::Array(items) => Value::Seq(items.iter().map(node_of_json).collect()),
        Json::Object(map) => Value::Map(
            map.iter()
                .map(|(key, value)| Entry {
                    key: key.clone(),
                    key_span: Span::default(),
                    value: node_of_json(value),
                })
                .collect(),
        ),
    };
    Node { span: Span::default(), value }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// The entries, each on a line of its own; the first begins where `out` ends.
fn map(out: &mut String, entries: &[Entry], indent: usize) {
    for (i, entry) in entries.iter().enumerate() {
        if i > 0 {
            pad(out, indent);
        }
        let key = key_text(&entry.key);
        if key.len() > LONG_KEY {
            let _ = writeln!(out, "? {key}");
            pad(out, indent);
            out.push(':');
        } else {
            let _ = write!(out, "{key}:");
        }
        value(out, &entry.value, indent);
    }
}

/// What follows `key:`.
fn value(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            out.push('\n');
            pad(out, indent + 2);
            map(out, entries, indent + 2);
        }
        Value::Seq(items) if !items.is_empty() && flow(items, indent).is_none() => {
            out.push('\n');
            pad(out, indent + 2);
            seq(out, items, indent + 2);
        }
        Value::Scalar(s) if s.plain && s.text.is_empty() => out.push('\n'),
        _ => {
            out.push(' ');
            inline(out, node, indent);
            out.push('\n');
        }
    }
}

fn seq(out: &mut String, items: &[Node], indent: usize) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            pad(out, indent);
        }
        out.push('-');
        match &item.value {
            Value::Map(entries) if !entries.is_empty() => {
                out.push(' ');
                map(out, entries, indent + 2);
            }
            Value::Seq(inner) if !inner.is_empty() && flow(inner, indent + 2).is_none() => {
                out.push(' ');
                seq(out, inner, indent + 2);
            }
            Value::Scalar(s) if s.plain && s.text.is_empty() => out.push('\n'),
            _ => {
                out.push(' ');
                inline(out, item, indent);
                out.push('\n');
            }
        }
    }
}

/// Scalars, empty lists and maps, lists that fit on a line. No line break at the end.
fn inline(out: &mut String, node: &Node, indent: usize) {
    match &node.value {
        Value::Scalar(scalar) => match literal(scalar, indent + 2) {
            Some(block) => out.push_str(&block),
            None => out.push_str(&scalar_text(scalar, false)),
        },
        Value::Seq(items) => out.push_str(&flow(items, indent).unwrap_or_else(|| "[]".into())),
        Value::Map(_) => out.push_str("{}"),
    }
}

/// `[a, b]`, when all items are scalars and it fits on a line.
fn flow(items: &[Node], indent: usize) -> Option<String> {
    let mut text = String::from("[");
    for (i, item) in items.iter().enumerate() {
        let scalar = item.as_scalar()?;
        if i > 0 {
            text.push_str(", ");
        }
        match scalar_text(scalar, true) {
            word if word.is_empty() => text.push_str("null"),
            word => text.push_str(&word),
        }
        if indent + text.len() > FLOW_WIDTH {
            return None;
        }
    }
    text.push(']');
    Some(text)
}

/// Text of several lines as a `|` block, where it survives that.
fn literal(scalar: &Scalar, indent: usize) -> Option<String> {
    let text = scalar.text.as_str();
    if scalar.plain || !text.contains('\n') {
        return None;
    }
    let body = text.trim_end_matches('\n');
    let ends = text.len() - body.len();
    let lines_are_safe = body.split('\n').all(|line| {
        // A line of blanks would be taken for indentation.
        (line.is_empty() || !line.trim().is_empty())
            && line.chars().all(|c| c == '\t' || !needs_escape(c))
    });
    if body.is_empty() || !lines_are_safe {
        return None;
    }
    // The first line tells the indentation, so it must not begin with a blank.
    let first = body.split('\n').find(|line| !line.is_empty())?;
    if first.starts_with([' ', '\t']) {
        return None;
    }
    let mut out = String::from(match ends {
        0 => "|-",
        1 => "|",
        _ => "|+",
    });
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            pad(&mut out, indent);
            out.push_str(line);
        }
    }
    out.extend(std::iter::repeat_n('\n', ends.saturating_sub(1)));
    Some(out)
}

fn key_text(key: &str) -> String {
    // Keys are text, whatever they look like: `<<` must not merge.
    let scalar = Scalar { text: key.to_owned(), plain: true };
    let bare = key != "<<" && !scalar.is_null();
    scalar_text(&Scalar { plain: bare, ..scalar }, true)
}

/// One scalar on one line.
fn scalar_text(scalar: &Scalar, in_flow: bool) -> String {
    let text = scalar.text.as_str();
    let bare = is_plain_safe(text, in_flow) && (scalar.plain || !looks_typed(text));
    if bare || (scalar.plain && text.is_empty()) {
        text.to_owned()
    } else if text.chars().any(needs_escape) {
        double_quoted(text)
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Another reader might take it for something else than text.
fn looks_typed(text: &str) -> bool {
    let scalar = Scalar { text: text.to_owned(), plain: true };
    let word = text.to_ascii_lowercase();
    scalar.is_null()
        || scalar.as_bool().is_some()
        || matches!(word.as_str(), "y" | "n" | "yes" | "no" | "on" | "off" | "<<" | "=")
        || word.starts_with(|c: char| c.is_ascii_digit())
        || (word.starts_with(['.', '-', '+']) && word.bytes().any(|b| b.is_ascii_digit()))
        || matches!(word.trim_start_matches(['-', '+']), ".inf" | ".nan")
}

/// It can stand without quotes and is read back as it is.
fn is_plain_safe(text: &str, in_flow: bool) -> bool {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return false };
    let second = chars.next();
    let starts_well = match first {
        '-' | '?' | ':' => second.is_some_and(|c| !c.is_whitespace() && !",[]{}".contains(c)),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
        | '@' | '`' => false,
        _ => true,
    };
    starts_well
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.ends_with(':')
        && !text.contains(": ")
        && !text.contains(" #")
        && text.trim() == text
        && !text.chars().any(|c| needs_escape(c) || c == '\t')
        && !(in_flow && (text.contains([',', '[', ']', '{', '}']) || text.contains(':')))
}

/// It cannot stand in a text as itself.
fn needs_escape(c: char) -> bool {
    (c.is_control() && c != '\t')
        || matches!(c, '\u{85}' | '\u{a0}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || (c as u32 & 0xfffe) == 0xfffe
        || ('\u{fdd0}'..='\u{fdef}').contains(&c)
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => {
                let code = c as u32;
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

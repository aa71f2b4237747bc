//! A sweep as lines of text: `name   values`, values as a comma list or a range
//! `0 … 8`, and how many jobs they make.

use super::value::{flow_list, parse};
use crate::{
    app::screen::compose::document::emit::{self, Style},
    domain::tree::{Entry, Node, Scalar, Span, Value},
};

fn node(value: Value) -> Node {
    Node { span: Span::default(), value }
}

fn number(n: i64) -> Node {
    node(Value::Scalar(Scalar { text: n.to_string(), plain: true }))
}

fn whole(node: &Node) -> Option<i64> {
    node.as_scalar().filter(|s| s.plain)?.text.parse().ok()
}

/// Start, end (not included) and step of `{range: [..]}` in whole numbers.
fn range(values: &Node) -> Option<(i64, i64, i64)> {
    let Value::Map(entries) = &values.value else { return None };
    let [entry] = entries.as_slice() else { return None };
    let (true, Value::Seq(items)) = (entry.key == "range", &entry.value.value) else { return None };
    match items.as_slice() {
        [a, b] => Some((whole(a)?, whole(b)?, 1)),
        [a, b, step] => Some((whole(a)?, whole(b)?, whole(step)?)),
        _ => None,
    }
    .filter(|(a, b, step)| *step > 0 && a < b && b.checked_sub(*a).is_some())
}

/// Values of one parameter as a person would write them.
fn show_values(values: &Node) -> String {
    if let Some((a, b, step)) = range(values) {
        let last = a + (b - 1 - a) / step * step;
        return if step == 1 {
            format!("{a} … {last}")
        } else {
            format!("{a} … {last} step {step}")
        };
    }
    match &values.value {
        Value::Seq(items) => {
            items.iter().map(|v| emit::inline(v, Style::Flow)).collect::<Vec<_>>().join(", ")
        }
        _ => emit::inline(values, Style::Flow),
    }
}

/// The sweep as lines, names aligned.
pub fn show(sweep: &Node) -> String {
    let Value::Map(entries) = &sweep.value else { return emit::inline(sweep, Style::Flow) };
    let width = entries.iter().map(|e| e.key.chars().count()).max().unwrap_or(0).min(16);
    entries
        .iter()
        .map(|e| format!("{:width$}   {}", e.key, show_values(&e.value)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `0 … 8`, `0..8`, `0 ... 8 step 2`: whole numbers, the last one included.
fn read_range(text: &str) -> Option<Node> {
    let (from, rest) = ["…", "...", ".."].iter().find_map(|dots| text.split_once(dots))?;
    let (to, step) = match rest.split_once("step") {
        Some((to, step)) => (to, step.trim().parse::<i64>().ok()?),
        None => (rest, 1),
    };
    let (a, last) = (from.trim().parse::<i64>().ok()?, to.trim().parse::<i64>().ok()?);
    let end = last.checked_add(1)?;
    let mut items = vec![number(a), number(end)];
    if step != 1 {
        items.push(number(step));
    }
    Some(node(Value::Map(vec![Entry {
        key: "range".into(),
        key_span: Span::default(),
        value: node(Value::Seq(items)),
    }])))
}

fn read_values(text: &str) -> Result<Node, String> {
    if let Some(range) = read_range(text) {
        return Ok(range);
    }
    if text.starts_with(['{', '[']) {
        return parse(text);
    }
    Ok(flow_list(text))
}

/// Reads the lines. A parameter that still reads as `previous` showed it keeps
/// its own way of writing.
pub fn read(text: &str, previous: Option<&Node>) -> Result<Node, String> {
    let mut entries: Vec<Entry> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let end =
            line.find(|c: char| c.is_whitespace() || matches!(c, ':' | '=')).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        let values = rest.trim_start().trim_start_matches([':', '=']).trim();
        if values.is_empty() {
            return Err(format!("line {}: give `{name}` values, such as 1, 2, 3 or 0 … 8", i + 1));
        }
        if entries.iter().any(|e| e.key == name) {
            return Err(format!("line {}: `{name}` is there twice", i + 1));
        }
        let kept = previous.and_then(|p| p.get(name)).filter(|v| show_values(v) == values);
        let value = match kept {
            Some(value) => value.clone(),
            None => read_values(values).map_err(|why| format!("line {}: {why}", i + 1))?,
        };
        entries.push(Entry { key: name.to_owned(), key_span: Span::default(), value });
    }
    Ok(node(Value::Map(entries)))
}

/// Number of values of each parameter; `None` where that is not plain to see.
fn counts(sweep: &Node) -> Option<Vec<u64>> {
    let Value::Map(entries) = &sweep.value else { return None };
    entries
        .iter()
        .map(|e| {
            if let Some((a, b, step)) = range(&e.value) {
                return Some(((b - 1 - a) / step + 1).unsigned_abs());
            }
            match &e.value.value {
                Value::Seq(items) => Some(items.len() as u64),
                Value::Scalar(_) => Some(1),
                Value::Map(_) => None,
            }
        })
        .collect()
}

/// `3 × 9 = 27 jobs`, or `3 zipped = 3 jobs`.
pub fn count_line(sweep: &Node, zip: bool) -> Option<String> {
    let counts = counts(sweep)?;
    let each = |sep: &str| counts.iter().map(u64::to_string).collect::<Vec<_>>().join(sep);
    let jobs = |n: u64| if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") };
    match counts.as_slice() {
        [] => None,
        [n] => Some(jobs(*n)),
        [first, rest @ ..] if zip => {
            if rest.iter().all(|n| n == first) {
                Some(format!("{} zipped = {}", each(" with "), jobs(*first)))
            } else {
                Some(format!("{}: zip wants as many of each", each(" with ")))
            }
        }
        _ => {
            let product = counts.iter().try_fold(1u64, |p, n| p.checked_mul(*n))?;
            Some(format!("{} = {}", each(" × "), jobs(product)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(text: &str) -> String {
        emit::inline(&read(text, None).unwrap(), Style::Flow)
    }

    #[test]
    fn values_as_people_write_them() {
        assert_eq!(
            round("lr  1e-3, 1e-2\nseed: 0 … 8\nk = 0..10 step 5"),
            "{lr: [1e-3, 1e-2], seed: {range: [0, 9]}, k: {range: [0, 11, 5]}}"
        );
        assert_eq!(round("f  a b, 'c, d', 007"), "{f: [a b, \"c, d\", 007]}");
        assert_eq!(round("v  1.5..2"), "{v: [1.5..2]}");
        assert!(read("lr", None).unwrap_err().contains("give `lr` values"));
        assert!(read("a 1\na 2", None).unwrap_err().contains("twice"));
    }

    #[test]
    fn shown_and_read_again() {
        let sweep =
            parse("{lr: [1e-3, 0.10], seed: {range: [0, 10, 3]}, odd: {range: [0, 1, 0.5]}}")
                .unwrap();
        let text = show(&sweep);
        assert_eq!(text, "lr     1e-3, 0.10\nseed   0 … 9 step 3\nodd    {range: [0, 1, 0.5]}");
        assert_eq!(read(&text, Some(&sweep)).unwrap(), sweep);
        assert_eq!(count_line(&sweep, false), None);
    }

    #[test]
    fn how_many_jobs() {
        let sweep = read("a 1, 2, 3\nb 0 … 8", None).unwrap();
        assert_eq!(count_line(&sweep, false).unwrap(), "3 × 9 = 27 jobs");
        assert!(count_line(&sweep, true).unwrap().contains("as many"));
        let one = read("a 1, 2", None).unwrap();
        assert_eq!(count_line(&one, false).unwrap(), "2 jobs");
    }
}

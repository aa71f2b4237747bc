//! The parts of a sweep as written: names, values, ranges, combinations.

use std::{collections::HashSet, sync::Arc};

use indexmap::IndexMap;

use super::{
    MAX_JOBS, Value,
    range::{self, NoRange},
};
use crate::domain::{
    batch::sink::{Place, Sink},
    nearest::nearest,
    placeholder::is_identifier,
    send::param_variable,
    tree::{Node, Value as TreeValue},
};

pub(super) fn name_is_sound(name: &str, before: &[Arc<str>], at: &Place, sink: &mut Sink) -> bool {
    if !is_identifier(name) {
        sink.error(at, format!("`{name}` cannot be the name of a parameter"))
            .hint("use letters, digits and `_`, not beginning with a digit");
        return false;
    }
    if matches!(name, "name" | "run" | "attempt") {
        sink.error(at, format!("`{{{name}}}` always stands for the job's own; it cannot be swept"))
            .hint("give the parameter another name");
        return false;
    }
    let variable = param_variable(name);
    if let Some(other) = before.iter().find(|n| param_variable(n) == variable) {
        sink.warning(at, format!("`{name}` and `{other}` both arrive as {variable}"))
            .hint("give one of them another name");
    }
    true
}

/// The values of one parameter: a list, or `{range: [start, stop, step]}`. In a
/// zip the same value may well stand at several places.
pub(super) fn read_values(
    node: &Node,
    zip: bool,
    place: &Place,
    sink: &mut Sink,
) -> Option<Vec<Value>> {
    const HINT: &str = "write a list, `[1e-3, 1e-2]`, or `{range: [0, 10, 2]}`";
    let items = match &node.value {
        TreeValue::Seq(items) => items,
        TreeValue::Map(entries) => {
            let [entry] = entries.as_slice() else {
                sink.error(place, "a map where values are expected").hint(HINT);
                return None;
            };
            if entry.key != "range" {
                sink.error(place, format!("unknown key `{}`", entry.key))
                    .did_you_mean_or(nearest(&entry.key, ["range"]), HINT);
                return None;
            }
            return read_range(&entry.value, &place.key("range", entry.value.span), sink);
        }
        TreeValue::Scalar(_) => {
            sink.error(place, format!("{} where a list of values is expected", node.kind()))
                .hint(HINT);
            return None;
        }
    };
    if items.is_empty() {
        sink.error(place, "the parameter has no values").hint(HINT);
        return None;
    }
    let mut values: Vec<Value> = Vec::with_capacity(items.len());
    let mut seen = HashSet::new();
    let mut again: IndexMap<&str, Place> = IndexMap::new();
    for (i, item) in items.iter().enumerate() {
        let at = place.index(i, item.span);
        let Some(scalar) = item.as_scalar() else {
            sink.error(&at, format!("{} where one value is expected", item.kind()));
            return None;
        };
        if scalar.text.contains('\0') {
            sink.error(&at, "a value cannot hold a NUL character");
            return None;
        }
        let value = Value::of(scalar);
        if !seen.insert((Arc::clone(&value.text), value.plain)) {
            again.entry(&scalar.text).or_insert(at);
        }
        values.push(value);
    }
    if !zip {
        tell_repeats(&again, sink);
    }
    Some(values)
}

/// One finding a parameter, however many of its values repeat.
fn tell_repeats(again: &IndexMap<&str, Place>, sink: &mut Sink) {
    const SHOWN: usize = 3;
    let Some((first, at)) = again.first() else { return };
    let message = if again.len() == 1 {
        format!("the value `{first}` stands here more than once")
    } else {
        let shown: Vec<String> = again.keys().take(SHOWN).map(|v| format!("`{v}`")).collect();
        let more = if again.len() > SHOWN { ", …" } else { "" };
        format!("{} values stand here more than once: {}{more}", again.len(), shown.join(", "))
    };
    sink.warning(at, message).hint("remove the repeats; each makes the same jobs again");
}

fn read_range(node: &Node, place: &Place, sink: &mut Sink) -> Option<Vec<Value>> {
    const HINT: &str = "write `{range: [start, stop]}` or `{range: [start, stop, step]}`";
    let items = match &node.value {
        TreeValue::Seq(items) if matches!(items.len(), 2 | 3) => items,
        _ => {
            sink.error(place, "a range takes two or three numbers").hint(HINT);
            return None;
        }
    };
    let mut texts = items.iter().map(|i| i.as_scalar().map(|s| s.text.as_str()));
    let (Some(Some(start)), Some(Some(stop))) = (texts.next(), texts.next()) else {
        sink.error(place, "a range takes two or three numbers").hint(HINT);
        return None;
    };
    let step = texts.next().flatten().unwrap_or("1");
    match range::values(start, stop, step, MAX_JOBS) {
        Ok(list) => Some(list.into_iter().map(|t| Value { text: t.into(), plain: true }).collect()),
        Err(why @ NoRange::TooMany(_)) => {
            sink.error(place, why.to_string())
                .hint("it makes too many values: take larger steps, or bounds closer together");
            None
        }
        Err(why) => {
            sink.error(place, why.to_string()).hint(HINT);
            None
        }
    }
}

/// The maps of a list, or a single map, each with its place.
pub(super) fn maps_of<'a>(
    node: &'a Node,
    place: &Place,
    sink: &mut Sink,
) -> Vec<(&'a Node, Place)> {
    const HINT: &str = "write a list of combinations, `[{lr: 1e-1, seed: 2}]`";
    let is_map = |n: &Node| matches!(n.value, TreeValue::Map(_));
    match &node.value {
        TreeValue::Map(_) => vec![(node, place.clone())],
        TreeValue::Seq(items) => {
            let mut maps = Vec::new();
            for (i, item) in items.iter().enumerate() {
                let at = place.index(i, item.span);
                if is_map(item) {
                    maps.push((item, at));
                } else {
                    sink.error(&at, format!("{} where a combination is expected", item.kind()))
                        .hint(HINT);
                }
            }
            maps
        }
        TreeValue::Scalar(_) => {
            sink.error(place, format!("{} where combinations are expected", node.kind()))
                .hint(HINT);
            Vec::new()
        }
    }
}

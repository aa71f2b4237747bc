//! Edits of a map's pair as the smallest change of the text.
//!
//! Each function proposes one [`Splice`]; whoever applies it reads the result
//! back and compares it with what was meant, so a proposal may be wrong for an
//! odd text but never goes unnoticed.

use std::ops::Range;

use super::{
    emit::{self, Style},
    source::{Body, Item, Pair},
};
use crate::domain::tree::Node;

/// Replace these bytes by this text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splice {
    pub at: Range<usize>,
    pub with: String,
}

impl Splice {
    pub fn new(at: Range<usize>, with: impl Into<String>) -> Self {
        Self { at, with: with.into() }
    }
}

/// Several splices, in the order of the text and apart, as one.
pub fn joined(text: &str, splices: &[Splice]) -> Option<Splice> {
    let (first, last) = (splices.first()?, splices.last()?);
    let mut with = String::new();
    let mut at = first.at.start;
    for splice in splices {
        with.push_str(text.get(at..splice.at.start)?);
        with.push_str(&splice.with);
        at = splice.at.end;
    }
    Some(Splice::new(first.at.start..last.at.end, with))
}

/// Start of the line that holds this byte.
pub fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|t| t.rfind('\n')).map_or(0, |i| i + 1)
}

/// The line end (or text end) at or behind this byte.
pub fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|t| t.find('\n')).map_or(text.len(), |i| at + i)
}

/// Sets a pair of a map: replaces its value or adds it. `rank` gives the usual
/// order of keys, so that a new one lands beside its neighbours.
pub fn set(
    text: &str,
    map: &Item,
    key: &str,
    value: &Node,
    json: bool,
    rank: &dyn Fn(&str) -> usize,
) -> Option<Splice> {
    let Body::Map { flow, pairs } = &map.body else { return None };
    let inline = if json { Style::Json } else { Style::Flow };
    if *flow {
        return match pairs.iter().find(|p| p.key == key) {
            Some(pair) => Some(match pair.slot {
                Some(slot) if pair.value.start == pair.value.end => {
                    Splice::new(slot..slot, format!(" {}", emit::inline(value, inline)))
                }
                Some(_) => {
                    Splice::new(pair.value.start..pair.value.end, emit::inline(value, inline))
                }
                None => Splice::new(
                    pair.key_end..pair.key_end,
                    format!(": {}", emit::inline(value, inline)),
                ),
            }),
            None => Some(add_in_flow(text, map, pairs, key, value, inline, rank)),
        };
    }
    match pairs.iter().find(|p| p.key == key) {
        Some(pair) => replace_in_block(text, pair, value),
        None => add_in_block(text, pairs, key, value, rank),
    }
}

/// Column of a key; only blanks and dashes stand before the first key of a map.
fn column(text: &str, at: usize) -> usize {
    at - line_start(text, at)
}

fn replace_in_block(text: &str, pair: &Pair, value: &Node) -> Option<Splice> {
    let slot = pair.slot?;
    let written = emit::behind_colon(value, column(text, pair.key_start));
    let end = pair.value.end.max(slot);
    // A comment on the key's own line stays there.
    let behind_slot = text.get(slot..line_end(text, slot))?;
    let value_there = pair.value.start > slot && pair.value.start < slot + behind_slot.len();
    if !value_there && let Some(hash) = behind_slot.find('#') {
        let comment = behind_slot.get(hash..)?;
        let (first, rest) = split_line(&written);
        return Some(Splice::new(
            slot..end.max(line_end(text, slot)),
            format!("{first} {comment}{rest}"),
        ));
    }
    let tail = text.get(end..line_end(text, end))?;
    if written.contains('\n') && !tail.trim().is_empty() {
        let (first, rest) = split_line(&written);
        return Some(Splice::new(slot..end + tail.len(), format!("{first}{tail}{rest}")));
    }
    // The gap people use for alignment stays too.
    let gap = text.get(slot..pair.value.start)?;
    if value_there && !written.starts_with('\n') && gap.trim().is_empty() && !gap.is_empty() {
        return Some(Splice::new(pair.value.start..end, written.trim_start().to_owned()));
    }
    Some(Splice::new(slot..end, written))
}

/// The first line and the rest with its line end.
fn split_line(text: &str) -> (&str, &str) {
    text.find('\n').map_or((text, ""), |i| text.split_at(i))
}

fn neighbour<'a>(pairs: &'a [Pair], key: &str, rank: &dyn Fn(&str) -> usize) -> Option<&'a Pair> {
    pairs.iter().rfind(|p| rank(&p.key) < rank(key))
}

fn add_in_block(
    text: &str,
    pairs: &[Pair],
    key: &str,
    value: &Node,
    rank: &dyn Fn(&str) -> usize,
) -> Option<Splice> {
    let first = pairs.first()?;
    let column = column(text, first.key_start);
    let written = format!("{}:{}", emit::key(key, Style::Block), emit::behind_colon(value, column));
    let pad = " ".repeat(column);
    match neighbour(pairs, key, rank) {
        Some(pair) => {
            let at = line_end(text, pair.value.end.max(pair.slot.unwrap_or(pair.key_end)));
            Some(Splice::new(at..at, format!("\n{pad}{written}")))
        }
        None => Some(Splice::new(first.key_start..first.key_start, format!("{written}\n{pad}"))),
    }
}

fn add_in_flow(
    text: &str,
    map: &Item,
    pairs: &[Pair],
    key: &str,
    value: &Node,
    style: Style,
    rank: &dyn Fn(&str) -> usize,
) -> Splice {
    let written = format!("{}: {}", emit::key(key, style), emit::inline(value, style));
    let Some(first) = pairs.first() else {
        let inside = map.start + 1..map.end.saturating_sub(1).max(map.start + 1);
        return Splice::new(inside, written);
    };
    // One pair a line stays one pair a line.
    let opening = text.get(map.start..first.key_start).unwrap_or_default();
    let gap = match opening.rfind('\n') {
        Some(i) => format!("\n{}", opening.get(i + 1..).unwrap_or_default()),
        None => " ".to_owned(),
    };
    match neighbour(pairs, key, rank) {
        Some(pair) => {
            let at = pair.value.end.max(pair.slot.unwrap_or(pair.key_end));
            Splice::new(at..at, format!(",{gap}{written}"))
        }
        None => Splice::new(first.key_start..first.key_start, format!("{written},{gap}")),
    }
}

/// Removes a pair of a map; `None` when it is not there or cannot go by itself.
pub fn remove(text: &str, map: &Item, key: &str) -> Option<Splice> {
    let Body::Map { flow, pairs } = &map.body else { return None };
    let index = pairs.iter().position(|p| p.key == key)?;
    let pair = pairs.get(index)?;
    let end = pair.value.end.max(pair.slot.unwrap_or(pair.key_end));
    if pairs.len() == 1 {
        let with = if *flow { "" } else { "{}" };
        return Some(Splice::new(pair.key_start..end, with));
    }
    if *flow {
        return Some(match index.checked_sub(1).and_then(|i| pairs.get(i)) {
            Some(before) => {
                let from = before.value.end.max(before.slot.unwrap_or(before.key_end));
                Splice::new(from..end, "")
            }
            None => Splice::new(pair.key_start..pairs.get(1)?.key_start, ""),
        });
    }
    if index == 0 {
        // The first key may share its line with the dash of its list item.
        let next = pairs.get(1)?.key_start;
        let between = text.get(line_end(text, end)..next)?;
        return Some(if between.trim().is_empty() {
            Splice::new(pair.key_start..next, "")
        } else {
            Splice::new(pair.key_start..line_end(text, end), "")
        });
    }
    let from = line_start(text, pair.key_start);
    let to = line_end(text, end);
    let to = if to < text.len() { to + 1 } else { to };
    if text.get(from..pair.key_start)?.trim().is_empty() {
        let from =
            if to == text.len() && !text.ends_with('\n') { from.saturating_sub(1) } else { from };
        return Some(Splice::new(from..to, ""));
    }
    None
}

//! Fields inside of an entry's `options`, which forms show as fields of their own.
//!
//! ```text
//! options.partition ─▶ options: {partition: gpu}           where options are not keyed
//!                      options: {slurm: {partition: gpu}}  where they are, by kind
//! ```

use super::{
    Document, Item,
    edit::Rank,
    meaning::with_key,
    splice::{self, Splice},
};
use crate::domain::{
    fields,
    site::ClusterKind,
    tree::{Entry, Node, Span, Value},
};

/// The keys that lead to a field of an entry: one, or those inside its `options`.
pub(super) fn path<'k>(map: Option<&Item>, key: &'k str) -> Vec<&'k str> {
    let Some(inside) = fields::within_options(key) else { return vec![key] };
    let options = map.and_then(|map| map.get("options")).map(|pair| &pair.value);
    let is_kind = |key: &str| ClusterKind::ALL.iter().any(|kind| kind.word() == key);
    let keyed = options.and_then(Item::pairs).is_some_and(|pairs| {
        pairs.iter().any(|pair| is_kind(&pair.key) && pair.value.pairs().is_some())
    });
    if keyed { vec!["options", ClusterKind::Slurm.word(), inside] } else { vec!["options", inside] }
}

/// The value at the end of a path.
pub(super) fn get<'i>(map: &'i Item, path: &[&str]) -> Option<&'i Item> {
    path.iter().try_fold(map, |map, key| Some(&map.get(key)?.value))
}

/// Whether a value can be put at the end of a path without taking another's place.
pub(super) fn is_free(map: &Item, path: &[&str]) -> bool {
    let Some((_, above)) = path.split_last() else { return false };
    (1..=above.len()).all(|depth| match get(map, &path[..depth]) {
        None => true,
        Some(item) => item.pairs().is_some() || item.node().is_null(),
    })
}

/// The map with the value at the end of a path set or removed; maps that are left
/// empty go with it.
pub(super) fn with(map: &Node, path: &[&str], value: Option<&Node>) -> Node {
    let Some((key, rest)) = path.split_first() else { return map.clone() };
    if rest.is_empty() {
        return with_key(map, key, value);
    }
    let inner = map.get(key).cloned().unwrap_or_else(|| map_of(Vec::new()));
    let inner = with(&inner, rest, value);
    let is_empty = matches!(&inner.value, Value::Map(entries) if entries.is_empty());
    with_key(map, key, (!is_empty).then_some(&inner))
}

fn map_of(entries: Vec<Entry>) -> Node {
    Node { span: Span::default(), value: Value::Map(entries) }
}

/// The value inside of maps with one key each.
fn wrapped(path: &[&str], value: &Node) -> Node {
    path.iter().rev().fold(value.clone(), |value, key| {
        map_of(vec![Entry { key: (*key).to_owned(), key_span: Span::default(), value }])
    })
}

impl Document {
    /// The fields that an entry has: its keys, those inside its `options` that are
    /// fields of their own, and `options` itself only for what is in it beside them.
    pub fn fields_of(&self, entry: usize) -> Vec<String> {
        let Some(item) = self.entry(entry) else { return Vec::new() };
        let mut keys = item.keys();
        let inside = fields::SLURM.iter().filter(|f| get(item, &path(Some(item), f.key)).is_some());
        let inside: Vec<String> = inside.map(|f| f.key.to_owned()).collect();
        let bare = |node: &Node, key: &str| with(node, &path(Some(item), key), None);
        let rest = inside.iter().fold(item.node(), |node, key| bare(&node, key));
        if rest.get("options").is_none() {
            keys.retain(|key| key != "options");
        }
        keys.extend(inside);
        keys
    }

    /// The splice that sets or removes the value at the end of a path. `map` has its
    /// places in the text.
    pub(super) fn nested_proposal(
        &self,
        map: &Item,
        path: &[&str],
        value: Option<&Node>,
        rank: Rank<'_>,
    ) -> Option<Splice> {
        // The deepest map that stays, with what is set or removed in it.
        let is_map = |depth: &usize| get(map, &path[..*depth]).is_some_and(|m| m.pairs().is_some());
        let mut depth = (0..path.len()).take_while(is_map).last()?;
        if value.is_none() {
            let alone = |at: usize| {
                get(map, &path[..at]).and_then(Item::pairs).is_some_and(|pairs| pairs.len() == 1)
            };
            while depth > 0 && alone(depth) {
                depth -= 1;
            }
        }
        let (key, rest) = path.get(depth..)?.split_first()?;
        let at = get(map, &path[..depth])?;
        // Inside, a new key comes last.
        let last = |other: &str| usize::from(other == *key);
        let rank = if depth == 0 { rank } else { &last };
        match value {
            Some(value) => {
                splice::set(&self.text, at, key, &wrapped(rest, value), self.tree.json, rank)
            }
            None => splice::remove(&self.text, at, key),
        }
    }
}

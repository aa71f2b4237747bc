//! What an edit means, apart from how it is written: values compared, keys set,
//! and what the entries are to be afterwards.

use std::sync::Arc;

use super::{Document, Item, edit::Rank};
use crate::domain::tree::{Entry, Node, Scalar, Span, Value};

/// Whether two values mean the same, wherever and however they are written.
pub fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Scalar(a), Value::Scalar(b)) => {
            let typed =
                |s: &Scalar| s.is_null() || s.as_bool().is_some() || s.as_number().is_some();
            if a.is_null() || b.is_null() {
                return a.is_null() && b.is_null();
            }
            a.text == b.text && typed(a) == typed(b)
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

/// The map with a key set or removed; order is not the point.
pub(super) fn with_key(map: &Node, key: &str, value: Option<&Node>) -> Node {
    let mut entries = match &map.value {
        Value::Map(entries) => entries.clone(),
        _ => Vec::new(),
    };
    match (entries.iter_mut().find(|e| e.key == key), value) {
        (Some(entry), Some(value)) => entry.value = value.clone(),
        (None, Some(value)) => entries.push(Entry {
            key: key.to_owned(),
            key_span: Span::default(),
            value: value.clone(),
        }),
        (Some(_), None) => entries.retain(|e| e.key != key),
        (None, None) => {}
    }
    Node { span: Span::default(), value: Value::Map(entries) }
}

/// As [`same`], but maps may differ in the order of their keys at the top.
pub(super) fn same_map(a: &Node, b: &Node) -> bool {
    let (Value::Map(a), Value::Map(b)) = (&a.value, &b.value) else { return same(a, b) };
    a.len() == b.len()
        && a.iter().all(|x| b.iter().any(|y| x.key == y.key && same(&x.value, &y.value)))
}

/// Keys in their usual order, for an entry that is written anew.
pub(super) fn ordered(mut node: Node, rank: Rank<'_>) -> Node {
    if let Value::Map(entries) = &mut node.value {
        entries.sort_by_key(|e| rank(&e.key));
    }
    node
}

/// A list of entries as a value.
pub(super) fn list(items: Vec<Node>) -> Node {
    Node { span: Span::default(), value: Value::Seq(items) }
}

/// What one entry is to be after an edit.
#[derive(Clone, Debug)]
pub(super) enum Meant {
    /// What it was; cheap to keep and to compare.
    Kept(Arc<Item>),
    /// Another value; the order of its keys is not the point.
    New(Node),
}

impl Meant {
    /// The value, for writing it anew.
    pub(super) fn node(&self) -> Node {
        match self {
            Self::Kept(item) => item.node(),
            Self::New(node) => node.clone(),
        }
    }

    fn is(&self, item: &Item) -> bool {
        match self {
            Self::Kept(was) => **was == *item || same(&was.node(), &item.node()),
            Self::New(node) => same_map(node, &item.node()),
        }
    }
}

impl Document {
    /// All entries as they are.
    pub(super) fn kept(&self) -> Vec<Meant> {
        self.tree.entries.iter().map(|e| Meant::Kept(e.item.clone())).collect()
    }

    /// Whether the entries read as meant.
    pub(super) fn says(&self, meant: &[Meant]) -> bool {
        self.len() == meant.len()
            && self.tree.entries.iter().zip(meant).all(|(e, meant)| meant.is(&e.item))
    }

    /// All entries as values.
    pub fn nodes(&self) -> Vec<Node> {
        self.tree.entries.iter().map(|e| e.item.node()).collect()
    }

    /// The head as a value; its `jobs` say nothing.
    pub(super) fn head_node(&self) -> Node {
        let node = self.head().map_or_else(|| list(Vec::new()), Item::node);
        with_key(&node, "jobs", None)
    }
}

//! The batch text as a tree that knows where every part stands, in bytes.
//!
//! The reader for plans (`crate::yaml`) answers "what does it say"; this one
//! answers "where exactly is it written, and how", which is what editing a text
//! without touching the rest of it needs: block or flow style, the place behind
//! each colon, the end of each value without the comment that follows.

mod locate;
mod read;

use std::sync::Arc;

pub use locate::skip_trivia;
pub use read::read;

use crate::domain::tree::{Entry, Node, Pos, Scalar, Span, Value};

/// Nodes that aliases may add when a value is read out.
const MAX_RESOLVED: usize = 20_000;

/// A node with its place: bytes from the first character (a tag or an anchor
/// included) to just behind the last, comments not included.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub start: usize,
    pub end: usize,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// `block`: written with `|` or `>`.
    Scalar {
        scalar: Scalar,
        block: bool,
    },
    /// `dashes`: where each item's dash stands, in block style.
    Seq {
        flow: bool,
        items: Vec<Item>,
        dashes: Vec<usize>,
    },
    Map {
        flow: bool,
        pairs: Vec<Pair>,
    },
    /// What the alias stands for; `None` when it is not known (yet).
    Alias(Option<Arc<Item>>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub key: String,
    pub key_start: usize,
    pub key_end: usize,
    /// Just behind the colon; `None` for a lone key in flow style.
    pub slot: Option<usize>,
    pub value: Item,
}

/// The text cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub at: Pos,
    pub message: String,
}

/// What was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// `None`: nothing but comments.
    pub root: Option<Item>,
    /// Anchors make parts depend on each other.
    pub anchors: bool,
}

impl Item {
    fn empty(at: usize) -> Self {
        let scalar = Scalar { text: String::new(), plain: true };
        Self { start: at, end: at, body: Body::Scalar { scalar, block: false } }
    }

    fn is_nothing(&self) -> bool {
        matches!(&self.body, Body::Scalar { scalar, .. } if scalar.plain && scalar.text.is_empty())
    }

    /// Moves every place by the same distance.
    #[must_use]
    pub fn shifted(mut self, by: isize) -> Self {
        self.shift(by);
        self
    }

    fn shift(&mut self, by: isize) {
        let moved = |at: usize| at.saturating_add_signed(by);
        self.start = moved(self.start);
        self.end = moved(self.end);
        match &mut self.body {
            Body::Seq { items, dashes, .. } => {
                for item in items {
                    item.shift(by);
                }
                for at in dashes {
                    *at = moved(*at);
                }
            }
            Body::Map { pairs, .. } => {
                for pair in pairs {
                    pair.key_start = moved(pair.key_start);
                    pair.key_end = moved(pair.key_end);
                    pair.slot = pair.slot.map(moved);
                    pair.value.shift(by);
                }
            }
            Body::Scalar { .. } | Body::Alias(_) => {}
        }
    }

    pub fn pairs(&self) -> Option<&[Pair]> {
        match &self.body {
            Body::Map { pairs, .. } => Some(pairs),
            _ => None,
        }
    }

    /// The keys of a map.
    pub fn keys(&self) -> Vec<String> {
        self.pairs().unwrap_or_default().iter().map(|pair| pair.key.clone()).collect()
    }

    pub fn get(&self, key: &str) -> Option<&Pair> {
        self.pairs()?.iter().find(|pair| pair.key == key)
    }

    /// The value alone, aliases resolved, without places.
    pub fn node(&self) -> Node {
        let mut budget = MAX_RESOLVED;
        self.resolve(&mut budget)
    }

    fn resolve(&self, budget: &mut usize) -> Node {
        let value = match &self.body {
            Body::Scalar { scalar, .. } => Value::Scalar(scalar.clone()),
            Body::Seq { items, .. } => {
                Value::Seq(items.iter().map(|item| item.resolve(budget)).collect())
            }
            Body::Map { pairs, .. } => Value::Map(
                pairs
                    .iter()
                    .map(|pair| Entry {
                        key: pair.key.clone(),
                        key_span: Span::default(),
                        value: pair.value.resolve(budget),
                    })
                    .collect(),
            ),
            Body::Alias(Some(target)) if *budget > 0 => {
                *budget -= 1;
                return target.resolve(budget);
            }
            Body::Alias(_) => Value::Scalar(Scalar { text: String::new(), plain: true }),
        };
        Node { span: Span::default(), value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# head\nname: x   # c\njobs:\n  # first\n  - name: a\n    command: |  # why\n      foo\n      # not a comment\n\n    # in\n    env:\n      A: 1\n      B: 'q''x' # t\n  # second\n  - {name: b, gpus: 2, k, t: , l: [1, 2,],}\n  - name: ü c\n    x:\n    multi: a b\n      c d\n    al: &q {z: 1}\n    bl: &r\n      y: 2\n    r: *q\n    tt: !!str 5\n    \"quo\": >-\n      folded\n\n  -\n# tail\n";

    fn written<'a>(text: &'a str, item: &Item) -> &'a str {
        &text[item.start..item.end]
    }

    #[test]
    fn every_value_knows_where_it_is_written() {
        let parsed = read(SAMPLE).unwrap();
        let root = parsed.root.unwrap();
        let Body::Seq { items, flow: false, .. } = &root.get("jobs").unwrap().value.body else {
            panic!("jobs is a block list")
        };
        let got = |entry: usize, key: &str| written(SAMPLE, &items[entry].get(key).unwrap().value);
        assert_eq!(written(SAMPLE, &root.get("name").unwrap().value), "x");
        assert_eq!(got(0, "command"), "|  # why\n      foo\n      # not a comment");
        assert_eq!(got(0, "env"), "A: 1\n      B: 'q''x'");
        assert_eq!(written(SAMPLE, &items[1]), "{name: b, gpus: 2, k, t: , l: [1, 2,],}");
        assert_eq!(got(1, "k"), "");
        assert!(items[1].get("k").unwrap().slot.is_none());
        assert_eq!(got(1, "l"), "[1, 2,]");
        assert_eq!(got(2, "name"), "ü c");
        assert_eq!(got(2, "x"), "");
        assert_eq!(got(2, "multi"), "a b\n      c d");
        assert_eq!(got(2, "al"), "&q {z: 1}");
        assert_eq!(got(2, "bl"), "&r\n      y: 2");
        assert_eq!(got(2, "r"), "*q");
        assert_eq!(got(2, "tt"), "!!str 5");
        assert_eq!(got(2, "quo"), ">-\n      folded");
        assert_eq!(items[2].get("r").unwrap().value.node().get("z").unwrap().kind(), "a number");
        assert_eq!(written(SAMPLE, &items[3]), "");
        assert!(parsed.anchors);
    }

    #[test]
    fn json_is_yaml_too() {
        let text = "{\n  \"jobs\": [\n    {\"name\": \"a\", \"gpus\": 2},\n    {}\n  ],\n  \"dry_run\": false\n}\n";
        let root = read(text).unwrap().root.unwrap();
        assert_eq!(written(text, &root), text.trim_end());
        let Body::Seq { flow: true, items, .. } = &root.get("jobs").unwrap().value.body else {
            panic!("jobs is a flow list")
        };
        assert_eq!(written(text, &items[0]), "{\"name\": \"a\", \"gpus\": 2}");
        assert_eq!(written(text, &items[1]), "{}");
    }

    #[test]
    fn nothing_and_broken_and_too_deep() {
        assert_eq!(read("").unwrap().root, None);
        assert_eq!(read("# only this\n").unwrap().root, None);
        assert_eq!(read("a: [1, 2\nb: 3\n").unwrap_err().at.line, 2);
        assert!(read(&"[".repeat(5000)).is_err());
        assert!(read("---\na: 1\n---\nb: 2\n").unwrap_err().message.contains("second document"));
    }
}

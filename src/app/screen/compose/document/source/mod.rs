//! The batch text as a tree that knows where every part stands, in bytes.
//!
//! The reader for plans (`crate::yaml`) answers "what does it say"; this one
//! answers "where exactly is it written, and how", which is what editing a text
//! without touching the rest of it needs: block or flow style, the place behind
//! each colon, the end of each value without the comment that follows.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use crate::domain::tree::{Entry, Node, Pos, Scalar, Span, Value};

/// Deeper than any batch; bounds recursion.
const MAX_DEPTH: usize = 64;
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

/// Reads a text into a located tree.
pub fn read(text: &str) -> Result<Parsed, SyntaxError> {
    let bytes = Offsets::new(text);
    let mut builder = Builder { stack: Vec::new(), root: None, anchors: Vec::new() };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, marks) = event.map_err(|e| SyntaxError {
            at: pos(e.marker().line(), e.marker().col()),
            message: e.info().to_owned(),
        })?;
        let at = |message: &str| SyntaxError {
            at: pos(marks.start.line(), marks.start.col()),
            message: message.to_owned(),
        };
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    return Err(at("a second document begins here; a batch is one document"));
                }
            }
            Event::StreamEnd => break,
            event => builder.take(event, &marks, &bytes).map_err(at)?,
        }
    }
    let anchors = !builder.anchors.is_empty();
    let mut root = builder.root.filter(|item| !is_nothing(item));
    if let Some(item) = &mut root {
        locate(text, item);
    }
    Ok(Parsed { root, anchors })
}

fn is_nothing(item: &Item) -> bool {
    matches!(&item.body, Body::Scalar { scalar, .. } if scalar.plain && scalar.text.is_empty())
}

/// Line counts from 1 and column from 0 as the parser has them, to our columns from 1.
fn pos(line: usize, column: usize) -> Pos {
    Pos { line: line as u32, column: column as u32 + 1 }
}

/// Character positions to byte positions; free for pure ASCII.
struct Offsets(Option<Vec<u32>>, usize);

impl Offsets {
    fn new(text: &str) -> Self {
        let table =
            (!text.is_ascii()).then(|| text.char_indices().map(|(i, _)| i as u32).collect());
        Self(table, text.len())
    }
    fn byte(&self, index: usize) -> usize {
        match &self.0 {
            None => index.min(self.1),
            Some(table) => table.get(index).map_or(self.1, |at| *at as usize),
        }
    }
}

/// An open collection.
struct Frame {
    item: Item,
    /// Key of the pair whose value comes next.
    key: Option<(String, usize, usize)>,
    anchor: usize,
}

struct Builder {
    stack: Vec<Frame>,
    root: Option<Item>,
    anchors: Vec<(usize, Arc<Item>)>,
}

impl Builder {
    fn take(
        &mut self,
        event: Event<'_>,
        marks: &Marks,
        bytes: &Offsets,
    ) -> Result<(), &'static str> {
        let (start, end) = (bytes.byte(marks.start.index()), bytes.byte(marks.end.index()));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let item = if plain && text.is_empty() && anchor == 0 {
                    Item::empty(start)
                } else {
                    let scalar = Scalar { text: text.into_owned(), plain };
                    Item { start, end, body: Body::Scalar { scalar, block } }
                };
                self.complete(item, anchor)
            }
            Event::Alias(anchor) => {
                let target =
                    self.anchors.iter().rev().find(|(id, _)| *id == anchor).map(|(_, i)| i.clone());
                self.complete(Item { start, end, body: Body::Alias(target) }, 0)
            }
            Event::SequenceStart(anchor, _) => {
                let body = Body::Seq { flow: start != end, items: Vec::new(), dashes: Vec::new() };
                self.open(Item { start, end, body }, anchor)
            }
            Event::MappingStart(anchor, _) => {
                let body = Body::Map { flow: start != end, pairs: Vec::new() };
                self.open(Item { start, end, body }, anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut frame) = self.stack.pop() {
                    frame.item.end = end;
                    self.complete(frame.item, frame.anchor)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, item: Item, anchor: usize) -> Result<(), &'static str> {
        if self.stack.len() >= MAX_DEPTH {
            return Err("nested too deeply");
        }
        self.stack.push(Frame { item, key: None, anchor });
        Ok(())
    }

    fn complete(&mut self, item: Item, anchor: usize) -> Result<(), &'static str> {
        if anchor != 0 {
            self.anchors.push((anchor, Arc::new(item.clone())));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(item);
            return Ok(());
        };
        match &mut frame.item.body {
            Body::Seq { items, .. } => items.push(item),
            Body::Map { pairs, .. } => match frame.key.take() {
                Some((key, key_start, key_end)) => {
                    pairs.push(Pair { key, key_start, key_end, slot: None, value: item });
                }
                None => match item.body {
                    Body::Scalar { scalar, .. } => {
                        frame.key = Some((scalar.text, item.start, item.end));
                    }
                    _ => return Err("a key must be text"),
                },
            },
            Body::Scalar { .. } | Body::Alias(_) => {}
        }
        Ok(())
    }
}

/// Puts right what the parser's marks leave open: where values really start
/// (tags, anchors, the header of a block scalar) and end (not with the comments
/// and blank lines that follow).
fn locate(text: &str, item: &mut Item) {
    let first = text.as_bytes().get(item.start).copied();
    match &mut item.body {
        Body::Scalar { scalar, block } => {
            if *block {
                item.end = trimmed_end(text, item.end).max(header_end(text, item.start));
            } else if let Some(end) = quoted_end(text, item.start, item.end) {
                item.end = end;
            } else if item.end > item.start {
                item.end = trimmed_end(text, item.end).max(item.start);
            }
            if scalar.plain && scalar.text.is_empty() && item.end < item.start {
                item.end = item.start;
            }
        }
        Body::Alias(_) => {}
        Body::Seq { flow, items, dashes } => {
            // An anchor on a block collection gives it a mark of its own.
            *flow =
                *flow && opens(text, item.start, item.end, items.first().map(|i| i.start), b'[');
            let mut at = if *flow { after(text, item.start, b'[') } else { item.start };
            for child in &mut *items {
                let slot = if *flow {
                    skip_commas(text, at)
                } else {
                    let behind = after(text, skip_trivia(text, at), b'-');
                    dashes.push(behind.saturating_sub(1));
                    behind
                };
                place(text, child, slot);
                at = child.end;
            }
            item.end = if *flow { closing(text, at, b']') } else { at };
        }
        Body::Map { flow, pairs } => {
            *flow = *flow
                && opens(text, item.start, item.end, pairs.first().map(|p| p.key_start), b'{');
            let mut at = if *flow && first == Some(b'{') {
                item.start + 1
            } else if *flow {
                after(text, item.start, b'{')
            } else {
                item.start
            };
            for pair in &mut *pairs {
                let colon = skip_trivia(text, pair.key_end);
                pair.slot = (text.as_bytes().get(colon) == Some(&b':')).then_some(colon + 1);
                let slot = pair.slot.unwrap_or(pair.key_end);
                place(text, &mut pair.value, slot);
                at = pair.value.end.max(slot);
            }
            item.end = if *flow { closing(text, at, b'}') } else { at };
        }
    }
}

/// Locates a value that is written somewhere behind `slot`.
fn place(text: &str, item: &mut Item, slot: usize) {
    if is_nothing(item) {
        (item.start, item.end) = (slot, slot);
        return;
    }
    item.start = skip_trivia(text, slot);
    locate(text, item);
}

/// Whether a collection that has a mark of its own is opened by this bracket.
fn opens(text: &str, start: usize, end: usize, first: Option<usize>, bracket: u8) -> bool {
    let upto = first.unwrap_or(end).min(text.len());
    text.as_bytes().get(start..upto).is_some_and(|b| {
        b.iter().rev().find(|c| !c.is_ascii_whitespace()) == Some(&bracket) || b.contains(&bracket)
    })
}

/// Just behind the next such character.
fn after(text: &str, at: usize, wanted: u8) -> usize {
    text.as_bytes()
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| *b == wanted))
        .map_or(at, |i| at + i + 1)
}

/// Just behind the closing bracket of a flow collection, from its last child.
fn closing(text: &str, at: usize, bracket: u8) -> usize {
    let at = skip_commas(text, at);
    if text.as_bytes().get(at) == Some(&bracket) { at + 1 } else { at }
}

fn skip_commas(text: &str, mut at: usize) -> usize {
    loop {
        at = skip_trivia(text, at);
        if text.as_bytes().get(at) != Some(&b',') {
            return at;
        }
        at += 1;
    }
}

/// Over blanks, line ends and comments.
pub fn skip_trivia(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
            Some(b'#')
                if at == 0
                    || bytes.get(at - 1).is_some_and(|b| {
                        b.is_ascii_whitespace() || matches!(b, b',' | b'{' | b'[' | b':' | b'-')
                    }) =>
            {
                while bytes.get(at).is_some_and(|b| *b != b'\n') {
                    at += 1;
                }
            }
            _ => return at,
        }
    }
}

fn trimmed_end(text: &str, end: usize) -> usize {
    text.get(..end).map_or(end, |t| t.trim_end().len())
}

/// Just behind the closing quote of a quoted scalar; the parser's mark may
/// include a comment that follows. `None`: it is not quoted.
fn quoted_end(text: &str, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    // Over a tag and an anchor.
    while matches!(text.as_bytes().get(at), Some(b'!' | b'&')) {
        let rest = text.get(at..end)?;
        at = skip_trivia(text, at + rest.find(char::is_whitespace)?);
    }
    let quote = *text.as_bytes().get(at)?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let bytes = text.as_bytes();
    at += 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b if b == quote => {
                if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
                    at += 2;
                } else {
                    return Some(at + 1);
                }
            }
            _ => at += 1,
        }
    }
}

/// Just behind `|-` or `>2+` at the start of a block scalar.
fn header_end(text: &str, at: usize) -> usize {
    text.as_bytes()
        .get(at..)
        .map_or(at, |rest| at + rest.iter().take_while(|b| !b.is_ascii_whitespace()).count())
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

//! The parser's events into a tree.

use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as Marks};

use super::{Body, Item, Pair, Parsed, SyntaxError, locate::locate};
use crate::domain::tree::{Pos, Scalar, fault};

/// Deeper than any batch; bounds recursion.
const MAX_DEPTH: usize = 64;

/// Reads a text into a located tree.
pub fn read(text: &str) -> Result<Parsed, SyntaxError> {
    let bytes = Offsets::new(text);
    let mut builder = Builder { stack: Vec::new(), root: None, anchors: Vec::new() };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    let mut open: Vec<Pos> = Vec::new();
    while let Some(event) = parser.next_event() {
        let (event, marks) = event.map_err(|e| {
            let (at, why) = fault(text, pos(e.marker().line(), e.marker().col()), &open);
            let message = why.map_or_else(String::new, |why| format!("{why}: ")) + e.info();
            SyntaxError { at, message }
        })?;
        match event {
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                open.push(pos(marks.start.line(), marks.start.col()));
            }
            Event::SequenceEnd | Event::MappingEnd => drop(open.pop()),
            _ => {}
        }
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
    let mut root = builder.root.filter(|item| !item.is_nothing());
    if let Some(item) = &mut root {
        locate(text, item);
    }
    Ok(Parsed { root, anchors })
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

//! YAML events to a tree: anchors, aliases and merge keys resolved, all of it
//! under a budget.
//!
//! Life-cycle: one builder a text; frames for open lists and maps lie on a stack
//! of our own, so nesting costs no call stack.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::{MAX_COPIES, MAX_DEPTH, MAX_NODES, YamlError, too_deep, too_many};
use crate::domain::tree::{Entry, Node, Pos, Scalar, Span, Value, fault};

/// A list or map that is still open.
struct Frame {
    start: Pos,
    anchor: usize,
    open: Open,
}

enum Open {
    Seq(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        key: Option<(Scalar, Span)>,
        /// Values of `<<` keys.
        merges: Vec<Node>,
    },
}

#[derive(Default)]
struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
    copies: usize,
}

pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    let mut parser = Parser::new_from_str(text);
    let mut builder = Builder::default();
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|e| {
            let open: Vec<Pos> = builder.stack.iter().map(|frame| frame.start).collect();
            syntax(&e, text, &open)
        })?;
        let span = Span { start: pos(&span.start), end: pos(&span.end) };
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            Event::DocumentStart(is_marked) => {
                documents += 1;
                if documents > 1 {
                    // Without a mark of its own it begins because the first has an end.
                    let mark = if is_marked { "---" } else { "..." };
                    return Err(YamlError::new(span.start, "a second document begins here")
                        .hint(format!("write one document a file; remove the line `{mark}`")));
                }
            }
            Event::Alias(id) => {
                let node = builder.copy(id, span)?;
                builder.add(node, 0)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = plainness(style, tag.as_deref(), span.start)?;
                let scalar = Scalar { text: text.into_owned(), plain };
                builder.add(Node { span, value: Value::Scalar(scalar) }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "seq", span.start)?;
                builder.open(span.start, anchor, Open::Seq(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                collection_tag(tag.as_deref(), "map", span.start)?;
                let open = Open::Map { entries: Vec::new(), key: None, merges: Vec::new() };
                builder.open(span.start, anchor, open)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close(span.end)?,
        }
    }
    let start = Pos { line: 1, column: 1 };
    Ok(builder.root.unwrap_or(Node {
        span: Span { start, end: start },
        value: Value::Scalar(Scalar { text: String::new(), plain: true }),
    }))
}

impl Builder {
    fn open(&mut self, start: Pos, anchor: usize, open: Open) -> Result<(), YamlError> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(start));
        }
        self.stack.push(Frame { start, anchor, open });
        Ok(())
    }

    fn close(&mut self, end: Pos) -> Result<(), YamlError> {
        let Some(frame) = self.stack.pop() else { return Ok(()) };
        let value = match frame.open {
            Open::Seq(items) => Value::Seq(items),
            Open::Map { entries, merges, .. } => Value::Map(merged(entries, merges)?),
        };
        let node = Node { span: Span { start: frame.start, end }, value };
        self.add(node, frame.anchor)
    }

    /// Puts a finished value where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_many(node.span.start));
        }
        if anchor > 0 {
            self.spend(&node, node.span.start)?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut().map(|f| &mut f.open) {
            None => self.root = Some(node),
            Some(Open::Seq(items)) => items.push(node),
            Some(Open::Map { entries, key, merges }) => match key.take() {
                None => *key = Some((key_of(&node)?, node.span)),
                Some((name, _)) if name.plain && name.text == "<<" => merges.push(node),
                Some((name, key_span)) => {
                    entries.push(Entry { key: name.text, key_span, value: node });
                }
            },
        }
        Ok(())
    }

    /// What an alias stands for.
    fn copy(&mut self, id: usize, span: Span) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&id) else {
            return Err(YamlError::new(span.start, "an anchor cannot hold itself"));
        };
        if self.stack.len() + depth(node) > MAX_DEPTH {
            return Err(too_deep(span.start));
        }
        // Measured before it is copied: the budget must hold before the memory is used.
        let cost = weight(node);
        self.copies += cost;
        if self.copies > MAX_COPIES {
            return Err(bomb(span.start));
        }
        let mut node = node.clone();
        node.span = span;
        Ok(node)
    }

    fn spend(&mut self, node: &Node, at: Pos) -> Result<(), YamlError> {
        self.copies += weight(node);
        if self.copies > MAX_COPIES { Err(bomb(at)) } else { Ok(()) }
    }
}

fn bomb(pos: Pos) -> YamlError {
    YamlError::new(pos, format!("aliases (`*name`) repeat more than {MAX_COPIES} values and bytes"))
        .hint("write less by alias; a sweep makes many jobs from one entry")
}

/// Values and bytes of text in a tree.
fn weight(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(s) => 1 + s.text.len(),
        Value::Seq(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Map(entries) => {
            1 + entries.iter().map(|e| e.key.len() + weight(&e.value)).sum::<usize>()
        }
    }
}

/// Levels of lists and maps in a tree.
fn depth(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 0,
        Value::Seq(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|e| depth(&e.value)).max().unwrap_or(0),
    }
}

fn key_of(node: &Node) -> Result<Scalar, YamlError> {
    match &node.value {
        Value::Scalar(s) => Ok(s.clone()),
        Value::Map(_) => Err(YamlError::new(node.span.start, "a map cannot be a key")
            .hint("quote a text that begins with a brace: \"{lr}\"")),
        Value::Seq(_) => Err(YamlError::new(node.span.start, "a list cannot be a key")
            .hint("quote a text that begins with a bracket")),
    }
}

/// Entries with those of the merged maps that they do not have themselves; of
/// several merged maps the first wins.
fn merged(mut entries: Vec<Entry>, merges: Vec<Node>) -> Result<Vec<Entry>, YamlError> {
    if merges.is_empty() {
        return Ok(entries);
    }
    let mut known: HashSet<String> = entries.iter().map(|e| e.key.clone()).collect();
    let mut take = |node: Node| match node.value {
        Value::Map(more) => {
            entries.extend(more.into_iter().filter(|e| known.insert(e.key.clone())));
            Ok(())
        }
        _ => Err(YamlError::new(node.span.start, "`<<` takes a map or a list of maps")
            .hint("write `<<: *name`, where `&name` marks a map")),
    };
    for node in merges {
        match node.value {
            Value::Seq(items) => items.into_iter().try_for_each(&mut take)?,
            _ => take(node)?,
        }
    }
    Ok(entries)
}

/// Whether the scalar may be a number, a truth value or null.
fn plainness(style: ScalarStyle, tag: Option<&Tag>, at: Pos) -> Result<bool, YamlError> {
    let plain = style == ScalarStyle::Plain;
    match tag {
        None => Ok(plain),
        Some(tag) if is_core(tag) => match tag.suffix.as_str() {
            "str" => Ok(false),
            "int" | "float" | "bool" | "null" => Ok(true),
            _ => Err(unknown_tag(tag, at)),
        },
        // `! text`: explicitly no number.
        Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => Ok(false),
        Some(tag) => Err(unknown_tag(tag, at)),
    }
}

fn collection_tag(tag: Option<&Tag>, wanted: &str, at: Pos) -> Result<(), YamlError> {
    match tag {
        Some(tag) if !(is_core(tag) && tag.suffix == wanted) => Err(unknown_tag(tag, at)),
        _ => Ok(()),
    }
}

fn is_core(tag: &Tag) -> bool {
    tag.handle == "tag:yaml.org,2002:" || tag.handle == "!!"
}

fn unknown_tag(tag: &Tag, at: Pos) -> YamlError {
    let name = if is_core(tag) {
        format!("!!{}", tag.suffix)
    } else {
        format!("{}{}", tag.handle, tag.suffix)
    };
    YamlError::new(at, format!("the tag `{name}` means nothing here"))
        .hint("remove it, or quote the text")
}

fn pos(marker: &Marker) -> Pos {
    Pos { line: marker.line() as u32, column: marker.col() as u32 + 1 }
}

/// The reader's words, with what to do about the common ones.
fn syntax(error: &ScanError, text: &str, open: &[Pos]) -> YamlError {
    let (at, why) = fault(text, pos(error.marker()), open);
    let info = error.info();
    let line = text.lines().nth((at.line as usize).saturating_sub(1)).unwrap_or_default();
    let (message, hint) = match info {
        "recursion limit exceeded" => return too_deep(at),
        "while parsing node, found unknown anchor" => (
            "this alias has no anchor before it",
            Some("mark a value with `&name` first, or quote the text"),
        ),
        "mapping values are not allowed in this context" => (
            "`: ` cannot stand here",
            Some("quote a text that holds `: `, or check the indentation"),
        ),
        "while scanning a quoted scalar, found unexpected end of stream" => {
            ("this quoted text has no end", Some("close it with the quote it begins with"))
        }
        "while parsing a flow mapping, did not find expected ',' or '}'"
        | "while parsing a flow sequence, expected ',' or ']'"
            if line.contains('{') =>
        {
            (info, Some("quote a text that holds braces, brackets or commas: \"--lr {lr}\""))
        }
        "simple key expected" | "simple key expect ':'" => {
            ("a key without `:`", Some("write `key: value`, or check the indentation"))
        }
        "while parsing a block mapping, did not find expected key" => {
            ("this does not line up with the keys above", Some("indent it like its neighbours"))
        }
        "while parsing a block collection, did not find expected '-' indicator" => {
            ("this does not line up with the list above", Some("indent it like its neighbours"))
        }
        "while parsing a node, did not find expected node content" => {
            ("a value is missing or is closed too early", None)
        }
        _ if info.contains("valid YAML whitespace") && line.contains('\t') => {
            ("a tab behind `:`", Some("replace the tab by a space"))
        }
        _ if info.contains("tab") => (info, Some("indent with spaces")),
        _ => (info, None),
    };
    let message = match why {
        Some(why) => format!("not valid YAML: {why} ({message})"),
        None => format!("not valid YAML: {message}"),
    };
    let mut error = YamlError::new(at, message);
    error.hint = hint.map(str::to_owned);
    error
}

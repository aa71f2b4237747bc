//! The batch as a text that can be edited by its parts.
//!
//! The text is the truth: comments and hand formatting survive, because an edit
//! of a field is a splice of that field's bytes. Every edit is read back and
//! compared with what was meant; where the splice does not say it, just that
//! entry is written anew, and where even that fails, the whole document.
//!
//! ```text
//! text ─source::read─▶ head pairs + entries, each with its place
//!   ▲                         │ set, insert, remove, move
//!   └────── splice ◀──────────┘   (recorded in the history for undo)
//! ```
//! While the text has a syntax error the last good tree stays, marked stale, and
//! only the text itself can be edited.

mod apply;
pub mod edit;
pub mod emit;
pub mod entries;
pub mod history;
pub mod meaning;
mod nested;
pub mod source;
pub mod splice;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use history::History;
use source::{Body, Item, SyntaxError};
use splice::Splice;

use crate::domain::tree::Node;

/// One entry of the job list: its start in the text, and its tree with places
/// counted from there.
#[derive(Clone, Debug, PartialEq)]
pub struct EntrySource {
    pub start: usize,
    pub item: Arc<Item>,
}

/// How the document is built.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Nothing but comments.
    Empty,
    /// A map; the value of its `jobs` is left empty here, since [`Tree::entries`] has it.
    Map(Item),
    /// A bare list of jobs.
    List,
    /// Something that is not a batch.
    Odd(&'static str),
}

/// The job list itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ListSource {
    pub start: usize,
    pub end: usize,
    pub flow: bool,
    /// Place of each entry's dash, in block style.
    pub dashes: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    pub shape: Shape,
    /// `None`: there is no list yet.
    pub list: Option<ListSource>,
    pub entries: Vec<EntrySource>,
    /// Written as JSON.
    pub json: bool,
    /// Anchors tie parts together: every edit reads the whole text again.
    anchors: bool,
}

impl Tree {
    fn read(text: &str) -> Result<Self, SyntaxError> {
        let parsed = source::read(text)?;
        let json = parsed.root.as_ref().is_some_and(|root| is_json(text, root));
        let mut tree = Self {
            shape: Shape::Empty,
            list: None,
            entries: Vec::new(),
            json,
            anchors: parsed.anchors,
        };
        let Some(mut root) = parsed.root else { return Ok(tree) };
        match &mut root.body {
            Body::Seq { .. } => {
                tree.take_list(root);
                tree.shape = Shape::List;
            }
            Body::Map { pairs, .. } => {
                if let Some(pair) = pairs.iter_mut().find(|p| p.key == "jobs")
                    && matches!(pair.value.body, Body::Seq { .. })
                {
                    let Item { start, end, .. } = pair.value;
                    let hollow = Body::Seq { flow: true, items: Vec::new(), dashes: Vec::new() };
                    let list =
                        std::mem::replace(&mut pair.value, Item { start, end, body: hollow });
                    tree.take_list(list);
                }
                tree.shape = Shape::Map(root);
            }
            Body::Scalar { .. } => tree.shape = Shape::Odd("it is a single value"),
            Body::Alias(_) => tree.shape = Shape::Odd("it is an alias"),
        }
        Ok(tree)
    }

    fn take_list(&mut self, list: Item) {
        let Body::Seq { flow, items, dashes } = list.body else { return };
        self.entries = items
            .into_iter()
            .map(|item| {
                let start = item.start;
                EntrySource { start, item: Arc::new(item.shifted(-start.cast_signed())) }
            })
            .collect();
        self.list = Some(ListSource { start: list.start, end: list.end, flow, dashes });
    }
}

/// JSON writes some characters as two escapes (`\ud83d\ude00`), which YAML does
/// not know: they become the characters they stand for.
fn plain_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let half = |from: usize| {
            let digits = escape.get(from..from + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let pair = half(0).zip(half(6)).and_then(|(high, low)| {
            char::decode_utf16([high, low]).next()?.ok().filter(|c| *c as u32 > 0xffff)
        });
        // Any other escape is two characters or more; the second is never one itself.
        let len = if let Some(c) = pair {
            out.push(c);
            12
        } else {
            let len = 1 + escape.chars().nth(1).map_or(0, char::len_utf8);
            out.push_str(escape.get(..len).unwrap_or(escape));
            len
        };
        rest = escape.get(len..).unwrap_or("");
    }
    out.push_str(rest);
    out
}

fn is_json(text: &str, root: &Item) -> bool {
    let quoted = |at: usize| text.as_bytes().get(at) == Some(&b'"');
    match &root.body {
        Body::Map { flow: true, pairs } => pairs.iter().all(|p| quoted(p.key_start)),
        Body::Seq { flow: true, items, .. } => items.iter().all(|item| match &item.body {
            Body::Map { flow, pairs } => *flow && pairs.iter().all(|p| quoted(p.key_start)),
            _ => false,
        }),
        _ => false,
    }
}

/// A step was undone or done again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undone {
    /// The entry the cursor was at.
    pub entry: Option<usize>,
    /// Byte of the text where it changed.
    pub at: usize,
}

/// A batch being edited.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    text: String,
    tree: Tree,
    /// Why the tree is older than the text.
    error: Option<SyntaxError>,
    /// The text was edited and not read yet.
    unread: bool,
    history: History,
    /// Line ends are written back as they came.
    crlf: bool,
    /// Counts changes of the text.
    version: u64,
    /// The entry the cursor is at, for undo to go back to.
    here: Option<usize>,
}

impl Default for Document {
    fn default() -> Self {
        Self::new("")
    }
}

impl Document {
    /// Texts up to this size are read again at every key in the editor pane;
    /// larger ones when the pane is left or a plan arrives.
    const READ_AT_ONCE: usize = 64 << 10;

    pub fn new(text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let crlf = text.contains("\r\n");
        let text = if text.contains('\r') {
            text.replace("\r\n", "\n").replace('\r', "\n")
        } else {
            text.to_owned()
        };
        let empty = Tree {
            shape: Shape::Empty,
            list: None,
            entries: Vec::new(),
            json: false,
            anchors: false,
        };
        let is_json = text.trim_start().starts_with(['{', '[']);
        let (text, tree, error) = match Tree::read(&text) {
            Ok(tree) => (text, tree, None),
            Err(error) => {
                let plain = if is_json { plain_escapes(&text) } else { String::new() };
                match Tree::read(&plain) {
                    Ok(tree) if is_json => (plain, tree, None),
                    _ => (text, empty, Some(error)),
                }
            }
        };
        Self {
            text,
            tree,
            error,
            unread: false,
            history: History::default(),
            crlf,
            version: 0,
            here: None,
        }
    }

    /// The text, with `\n` at line ends.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as it goes to a file.
    pub fn file_text(&self) -> String {
        if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() }
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The syntax error that keeps the tree behind the text.
    pub fn error(&self) -> Option<&SyntaxError> {
        self.error.as_ref()
    }

    pub fn len(&self) -> usize {
        self.tree.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tree.entries.is_empty()
    }

    /// An entry's tree; places are relative.
    pub fn entry(&self, index: usize) -> Option<&Item> {
        self.tree.entries.get(index).map(|e| &*e.item)
    }

    /// A field's value as written in an entry, or in the head of the batch.
    pub fn field(&self, entry: Option<usize>, key: &str) -> Option<Node> {
        let map = match entry {
            Some(index) => self.entry(index)?,
            None => self.head()?,
        };
        Some(nested::get(map, &nested::path(Some(map), key))?.node())
    }

    /// A plain text of a scalar field, for tables; cheap.
    pub fn scalar(&self, entry: usize, key: &str) -> Option<&str> {
        let map = self.entry(entry)?;
        match &nested::get(map, &nested::path(Some(map), key))?.body {
            Body::Scalar { scalar, .. } if !scalar.is_null() => Some(&scalar.text),
            _ => None,
        }
    }

    /// The map around the job list, where there is one.
    pub fn head(&self) -> Option<&Item> {
        match &self.tree.shape {
            Shape::Map(item) => Some(item),
            _ => None,
        }
    }

    /// Value of a default that entries inherit.
    pub fn default_of(&self, key: &str) -> Option<Node> {
        let defaults = &self.head()?.get("defaults")?.value;
        Some(nested::get(defaults, &nested::path(Some(defaults), key))?.node())
    }

    pub fn can_undo(&self) -> bool {
        self.history.can_undo()
    }

    pub fn can_redo(&self) -> bool {
        self.history.can_redo()
    }

    /// Says where the cursor is before an edit, for undo to go back to.
    pub fn remember(&mut self, entry: Option<usize>) {
        self.here = entry;
    }

    /// Ends the present undo step: what follows is undone by itself.
    pub fn seal(&mut self) {
        self.history.seal();
    }

    /// Undoes the newest step; gives the entry the cursor was at.
    pub fn undo(&mut self) -> Option<Undone> {
        let (splices, entry) = self.history.undo()?;
        Some(Undone { entry, at: self.replay(&splices) })
    }

    pub fn redo(&mut self) -> Option<Undone> {
        let (splices, entry) = self.history.redo()?;
        Some(Undone { entry, at: self.replay(&splices) })
    }

    fn replay(&mut self, splices: &[Splice]) -> usize {
        for splice in splices {
            if self.text.get(splice.at.clone()).is_some() {
                self.text.replace_range(splice.at.clone(), &splice.with);
            }
        }
        self.version += 1;
        self.read();
        splices.last().map_or(0, |s| s.at.start + s.with.len())
    }

    /// Edits the text itself, as the editor pane does.
    pub fn edit_text(&mut self, splice: Splice, group: Option<&str>) {
        if self.splice(splice, group) {
            if self.text.len() <= Self::READ_AT_ONCE {
                self.read();
            } else {
                self.unread = true;
            }
        }
    }

    /// Reads the text if the tree is behind it.
    pub fn settle(&mut self) {
        if self.unread {
            self.read();
        }
    }

    fn read(&mut self) {
        self.unread = false;
        match Tree::read(&self.text) {
            Ok(tree) => {
                self.tree = tree;
                self.error = None;
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Replaces bytes and records it; the tree is the caller's business.
    fn splice(&mut self, splice: Splice, group: Option<&str>) -> bool {
        let Some(old) = self.text.get(splice.at.clone()).map(str::to_owned) else { return false };
        if old == splice.with {
            return false;
        }
        self.text.replace_range(splice.at.clone(), &splice.with);
        self.history.record(splice.at.start, old, splice.with, group, self.here);
        self.version += 1;
        true
    }
}

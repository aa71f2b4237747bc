//! Edits of whole entries: they come, go, move and are copied, with the comment
//! lines right above them.

use super::{
    Document, Shape,
    edit::{EditError, Rank},
    emit::{self, Style},
    meaning::{Meant, list, with_key},
    splice::{self, Splice, line_end, line_start},
};
use crate::domain::tree::{Node, Scalar, Span, Value};

/// An entry to copy, with the key and the name its copy gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewName<'a> {
    pub entry: usize,
    /// `None`: it has no name, and neither has the copy.
    pub name: Option<(&'a str, String)>,
}

fn text_node(text: &str) -> Node {
    let scalar = Scalar { text: text.to_owned(), plain: false };
    Node { span: Span::default(), value: Value::Scalar(scalar) }
}

impl Document {
    /// Inserts entries so that the first of them has index `at`.
    pub fn insert(&mut self, at: usize, nodes: &[Node], rank: Rank<'_>) -> Result<(), EditError> {
        self.insert_as(at, nodes, None, rank)
    }

    /// The same as a part of a step that is taken back as a whole.
    pub fn insert_as(
        &mut self,
        at: usize,
        nodes: &[Node],
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        let at = at.min(self.len());
        let mut meant = self.kept();
        meant.splice(at..at, nodes.iter().cloned().map(Meant::New));
        let head = self.head_node();
        if let Some(splice) = self.insertion(at, nodes)
            && self.try_whole(splice, group, &head, &meant)
        {
            return Ok(());
        }
        self.rewrite_all(&head, &meant, group, rank)
    }

    fn insertion(&self, at: usize, nodes: &[Node]) -> Option<Splice> {
        let text = &self.text;
        let style = if self.tree.json { Style::Json } else { Style::Flow };
        let Some(place) = self.tree.list.as_ref().filter(|_| !self.is_empty()) else {
            let value = list(nodes.to_vec());
            return match &self.tree.shape {
                Shape::Map(head) => {
                    splice::set(text, head, "jobs", &value, self.tree.json, &|key| {
                        usize::from(key == "jobs")
                    })
                }
                Shape::List => {
                    let place = self.tree.list.as_ref()?;
                    Some(Splice::new(place.start..place.end, emit::inline(&value, style)))
                }
                Shape::Empty => {
                    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                    let body = emit::block_lines(&value, 2);
                    Some(Splice::new(text.len()..text.len(), format!("{gap}jobs:\n{body}\n")))
                }
                Shape::Odd(_) => None,
            };
        };
        if place.flow {
            let first = self.tree.entries.first()?.start;
            let opening = text.get(place.start + 1..first)?;
            let gap = match opening.rfind('\n') {
                Some(i) => format!("\n{}", opening.get(i + 1..)?),
                None => " ".to_owned(),
            };
            let bodies: Vec<String> = nodes.iter().map(|n| emit::inline(n, style)).collect();
            let separator = format!(",{gap}");
            let body = bodies.join(&separator);
            let before = at.checked_sub(1).and_then(|i| self.tree.entries.get(i));
            return Some(if let Some(before) = before {
                let end = before.start + before.item.end;
                Splice::new(end..end, format!("{separator}{body}"))
            } else {
                Splice::new(first..first, format!("{body}{separator}"))
            });
        }
        let column = self.column()?;
        let pad = " ".repeat(column);
        let bodies: Vec<String> =
            nodes.iter().map(|n| format!("{pad}{}", emit::list_item(n, column))).collect();
        self.lines_at(at, &bodies.join("\n"))
    }

    /// The splice that puts lines before entry `at` of a block list.
    fn lines_at(&self, at: usize, lines: &str) -> Option<Splice> {
        Some(if let Some(before) = at.checked_sub(1) {
            let (_, end) = self.unit(before)?;
            Splice::new(end..end, format!("\n{lines}"))
        } else {
            let first_dash = *self.tree.list.as_ref()?.dashes.first()?;
            let start = line_start(&self.text, first_dash);
            Splice::new(start..start, format!("{lines}\n"))
        })
    }

    /// Inserts the entries of another document as they are written there, comments and
    /// all, so that the first of them has index `at`. Between lists that are not both
    /// in block style only what they say comes over.
    pub fn insert_from(
        &mut self,
        at: usize,
        other: &Self,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        let at = at.min(self.len());
        let nodes = other.nodes();
        let mut meant = self.kept();
        meant.splice(at..at, nodes.iter().cloned().map(Meant::New));
        let head = self.head_node();
        let splice = self
            .column()
            .and_then(|column| other.lines_from(column))
            .and_then(|lines| self.lines_at(at, &lines));
        if let Some(splice) = splice
            && self.try_whole(splice, None, &head, &meant)
        {
            return Ok(());
        }
        self.insert(at, &nodes, rank)
    }

    /// Column of the dashes of a block list.
    fn column(&self) -> Option<usize> {
        let dash = *self.tree.list.as_ref().filter(|list| !list.flow)?.dashes.first()?;
        Some(dash - line_start(&self.text, dash))
    }

    /// The lines of a block list, with its dashes moved to this column.
    fn lines_from(&self, column: usize) -> Option<String> {
        let own = self.column()?;
        let (from, _) = self.unit(0)?;
        let (_, to) = self.unit(self.len().checked_sub(1)?)?;
        let moved = self.text.get(from..to)?.lines().map(|line| {
            if line.trim().is_empty() {
                return Some(String::new());
            }
            Some(format!("{}{}", " ".repeat(column), line.strip_prefix(&*" ".repeat(own))?))
        });
        Some(moved.collect::<Option<Vec<_>>>()?.join("\n"))
    }

    /// Inserts copies of entries, each right behind its own, comments inside and
    /// all; a copy's name goes under the key it has there. Entries in ascending
    /// order.
    pub fn duplicate(&mut self, copies: &[NewName<'_>], rank: Rank<'_>) -> Result<(), EditError> {
        self.ready()?;
        let mut meant = self.kept();
        let mut splices = Vec::with_capacity(copies.len());
        let mut by_splices = !self.tree.anchors;
        for (done, copy) in copies.iter().enumerate() {
            let source = self.tree.entries.get(copy.entry).ok_or(EditError::NoEntry)?;
            let name = copy.name.as_ref().map(|(key, name)| (*key, text_node(name)));
            let mut node = source.item.node();
            if let Some((key, name)) = &name {
                node = with_key(&node, key, Some(name));
            }
            meant.insert((copy.entry + done + 1).min(meant.len()), Meant::New(node));
            match self.copied(copy.entry, name.as_ref(), rank) {
                Some(splice) => splices.push(splice),
                // An anchor may stand only once in a text, for one.
                None => by_splices = false,
            }
        }
        let head = self.head_node();
        if by_splices
            && let Some(splice) = splice::joined(&self.text, &splices)
            && self.try_whole(splice, None, &head, &meant)
        {
            return Ok(());
        }
        self.rewrite_all(&head, &meant, None, rank)
    }

    /// The splice that puts a copy of an entry behind it.
    fn copied(&self, entry: usize, name: Option<&(&str, Node)>, rank: Rank<'_>) -> Option<Splice> {
        let source = self.tree.entries.get(entry)?;
        let flow = self.tree.list.as_ref().is_some_and(|l| l.flow);
        let (from, to) = if flow {
            (source.start, source.start + source.item.end)
        } else {
            (self.dash_line(entry)?, self.unit(entry)?.1)
        };
        let mut text = self.text.get(from..to)?.to_owned();
        if let Some((key, name)) = name {
            let item = (*source.item).clone().shifted(source.start.cast_signed());
            let renamed = splice::set(&self.text, &item, key, name, self.tree.json, rank)?;
            let inside = renamed.at.start.checked_sub(from)?..renamed.at.end.checked_sub(from)?;
            text.get(inside.clone())?;
            text.replace_range(inside, &renamed.with);
        }
        let gap = if flow { format!(",{}", self.flow_gap()) } else { "\n".to_owned() };
        Some(Splice::new(to..to, format!("{gap}{text}")))
    }

    fn flow_gap(&self) -> String {
        let gap = || {
            let place = self.tree.list.as_ref()?;
            let opening = self.text.get(place.start + 1..self.tree.entries.first()?.start)?;
            let line = opening.rfind('\n')?;
            Some(format!("\n{}", opening.get(line + 1..)?))
        };
        gap().unwrap_or_else(|| " ".to_owned())
    }

    /// Removes entries; `gone` in ascending order.
    pub fn remove(&mut self, gone: &[usize], rank: Rank<'_>) -> Result<(), EditError> {
        self.ready()?;
        let mut index = 0;
        let mut meant = self.kept();
        meant.retain(|_| {
            index += 1;
            gone.binary_search(&(index - 1)).is_err()
        });
        let head = self.head_node();
        if let Some(splice) = self.removal(gone)
            && self.try_whole(splice, None, &head, &meant)
        {
            return Ok(());
        }
        self.rewrite_all(&head, &meant, None, rank)
    }

    fn removal(&self, gone: &[usize]) -> Option<Splice> {
        let place = self.tree.list.as_ref()?;
        let text = &self.text;
        if gone.len() >= self.len() {
            return match &self.tree.shape {
                Shape::Map(head) => {
                    splice::set(text, head, "jobs", &list(Vec::new()), self.tree.json, &|_| 0)
                }
                Shape::List if place.flow => Some(Splice::new(place.start..place.end, "[]")),
                _ => {
                    let start = line_start(text, place.start);
                    let end = line_end(text, place.end);
                    Some(Splice::new(start..(end + 1).min(text.len()), ""))
                }
            };
        }
        // One splice from the first to the last of them, keeping what stays between.
        let mut ranges = Vec::with_capacity(gone.len());
        for &i in gone {
            ranges.push(if place.flow { self.flow_unit(i, gone)? } else { self.block_unit(i)? });
        }
        let (from, to) = (ranges.first()?.0, ranges.last()?.1);
        let mut kept = String::new();
        let mut at = from;
        for (start, end) in ranges {
            kept.push_str(text.get(at..start.max(at))?);
            at = at.max(end);
        }
        Some(Splice::new(from..to, kept))
    }

    /// An entry of a flow list with one comma.
    fn flow_unit(&self, i: usize, gone: &[usize]) -> Option<(usize, usize)> {
        let entry = self.tree.entries.get(i)?;
        let end = entry.start + entry.item.end;
        // With all before it gone there is no comma left there; take the one behind.
        let leading =
            gone.iter().take(i + 1).enumerate().all(|(n, g)| n == *g) && gone.get(i) == Some(&i);
        if leading {
            return Some((entry.start, self.tree.entries.get(i + 1)?.start));
        }
        let before = self.tree.entries.get(i.checked_sub(1)?)?;
        Some((before.start + before.item.end, end))
    }

    /// An entry of a block list: its comment lines, its lines, the last line end.
    fn block_unit(&self, i: usize) -> Option<(usize, usize)> {
        let (start, end) = self.unit(i)?;
        Some(if end < self.text.len() { (start, end + 1) } else { (start.saturating_sub(1), end) })
    }

    pub(super) fn dash_line(&self, i: usize) -> Option<usize> {
        let dash = *self.tree.list.as_ref()?.dashes.get(i)?;
        let start = line_start(&self.text, dash);
        self.text.get(start..dash)?.trim().is_empty().then_some(start)
    }

    /// The lines of an entry in a block list, comment lines right above it
    /// included (but not a comment that opens the file), without the last line end.
    pub(super) fn unit(&self, i: usize) -> Option<(usize, usize)> {
        let entry = self.tree.entries.get(i)?;
        let mut start = self.dash_line(i)?;
        let dash = *self.tree.list.as_ref()?.dashes.get(i)?;
        let floor = match i.checked_sub(1).and_then(|b| self.tree.entries.get(b)) {
            Some(before) => line_end(&self.text, before.start + before.item.end),
            None => 0,
        };
        let dash_column = dash - start;
        while start > floor + 1 {
            let above = line_start(&self.text, start - 1);
            let line = self.text.get(above..start - 1)?;
            let ours = line.trim_start().starts_with('#')
                && line.len() - line.trim_start().len() >= dash_column
                && above > floor;
            if !ours || (i == 0 && above == 0) {
                break;
            }
            start = above;
        }
        if i == 0 && line_start(&self.text, dash) != start && self.tree.shape == Shape::List {
            // Comments that open a bare list speak of the whole file.
            start = line_start(&self.text, dash);
        }
        let end = line_end(&self.text, (entry.start + entry.item.end).max(dash + 1));
        Some((start, end))
    }

    /// Swaps an entry with the next one.
    pub fn swap_with_next(&mut self, i: usize, rank: Rank<'_>) -> Result<(), EditError> {
        self.ready()?;
        if i + 1 >= self.len() {
            return Err(EditError::NoEntry);
        }
        let mut meant = self.kept();
        meant.swap(i, i + 1);
        let head = self.head_node();
        let flow = self.tree.list.as_ref().is_some_and(|l| l.flow);
        let range = |at: usize| {
            if flow {
                let entry = self.tree.entries.get(at)?;
                Some((entry.start, entry.start + entry.item.end))
            } else {
                self.unit(at)
            }
        };
        let proposal = range(i).zip(range(i + 1)).and_then(|(a, b)| {
            let text = |from: usize, to: usize| self.text.get(from..to);
            Some(Splice::new(
                a.0..b.1,
                format!("{}{}{}", text(b.0, b.1)?, text(a.1, b.0)?, text(a.0, a.1)?),
            ))
        });
        if let Some(splice) = proposal
            && self.try_whole(splice, None, &head, &meant)
        {
            return Ok(());
        }
        self.rewrite_all(&head, &meant, None, rank)
    }
}

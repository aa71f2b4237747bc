//! Splices applied, read back and kept only when they say what was meant.
//!
//! An edit inside one entry reads only that entry again; every other reads the
//! whole text. Where no splice says it, the entry is written anew, and where that
//! fails, the document.

use std::sync::Arc;

use super::{
    Body, Document, EntrySource, Item, Shape, Tree,
    edit::{EditError, Rank},
    emit::{self, Style},
    meaning::{Meant, list, ordered, same_map, with_key},
    source::{self, Pair},
    splice::{Splice, line_end, line_start},
};
use crate::domain::tree::Node;

impl Document {
    /// Applies a splice inside one entry if the entry then reads as meant.
    pub(super) fn try_entry(
        &mut self,
        entry: usize,
        splice: Splice,
        meant: &Node,
        group: Option<&str>,
    ) -> bool {
        if self.tree.anchors {
            let (head, entries) = (self.head_node(), self.with_entry(entry, meant));
            return self.try_whole(splice, group, &head, &entries);
        }
        let Some(at) = self.tree.entries.get(entry) else { return false };
        let (start, end) = (at.start, at.start + at.item.end);
        if splice.at.start < start || splice.at.end > line_end(&self.text, end) {
            return false;
        }
        let grown =
            splice.with.len().cast_signed() - (splice.at.end - splice.at.start).cast_signed();
        let (Some(before), Some(after)) = (
            self.text.get(start..splice.at.start),
            self.text.get(splice.at.end..splice.at.end.max(end)),
        ) else {
            return false;
        };
        let column = start - line_start(&self.text, start);
        let block = self.tree.list.as_ref().is_some_and(|l| !l.flow);
        let pad = if block { column } else { 0 };
        let mut fragment = " ".repeat(pad);
        fragment.push_str(before);
        fragment.push_str(&splice.with);
        fragment.push_str(after);
        let Ok(parsed) = source::read(&fragment) else { return false };
        let Some(root) = parsed.root else { return false };
        if parsed.anchors || root.start != pad || !same_map(&root.node(), meant) {
            return false;
        }
        let item = Arc::new(root.shifted(-pad.cast_signed()));
        if !self.splice(splice, group) {
            return true;
        }
        self.shift_after(entry, grown);
        if let Some(slot) = self.tree.entries.get_mut(entry) {
            *slot = EntrySource { start, item };
        }
        if let Some(last) = self.tree.entries.last() {
            let end = last.start + last.item.end;
            if let Some(list) = &mut self.tree.list
                && !list.flow
            {
                list.end = end.max(list.dashes.last().map_or(0, |d| d + 1));
            }
        }
        self.sync_jobs_place();
        true
    }

    /// Moves everything behind an entry by `grown` bytes.
    fn shift_after(&mut self, entry: usize, grown: isize) {
        let moved = |at: usize| at.saturating_add_signed(grown);
        for later in self.tree.entries.iter_mut().skip(entry + 1) {
            later.start = moved(later.start);
        }
        let Some(list) = &mut self.tree.list else { return };
        let (old_start, old_end) = (list.start, list.end);
        list.end = moved(list.end);
        for dash in list.dashes.iter_mut().skip(entry + 1) {
            *dash = moved(*dash);
        }
        if let Shape::Map(head) = &mut self.tree.shape {
            if let Body::Map { pairs, .. } = &mut head.body {
                for pair in pairs {
                    shift_pair(pair, old_end, old_start, grown);
                }
            }
            if head.end >= old_end {
                head.end = moved(head.end);
            }
        }
    }

    /// The hollow value of `jobs` in the head spans what the list spans.
    fn sync_jobs_place(&mut self) {
        let Some(list) = &self.tree.list else { return };
        if let Shape::Map(head) = &mut self.tree.shape
            && let Body::Map { flow, pairs } = &mut head.body
        {
            if let Some(pair) = pairs.iter_mut().find(|p| p.key == "jobs") {
                (pair.value.start, pair.value.end) = (list.start, list.end);
            }
            if !*flow && let Some(last) = pairs.last() {
                head.end = last.value.end.max(last.slot.unwrap_or(last.key_end));
            }
        }
    }

    /// The entries as they are, but for one.
    fn with_entry(&self, entry: usize, node: &Node) -> Vec<Meant> {
        let mut meant = self.kept();
        if let Some(slot) = meant.get_mut(entry) {
            *slot = Meant::New(node.clone());
        }
        meant
    }

    /// Applies a splice if head and entries then read as meant.
    pub(super) fn try_whole(
        &mut self,
        splice: Splice,
        group: Option<&str>,
        head: &Node,
        entries: &[Meant],
    ) -> bool {
        let Some(old) = self.text.get(splice.at.clone()).map(str::to_owned) else { return false };
        let (at, new_end) = (splice.at.start, splice.at.start + splice.with.len());
        self.text.replace_range(splice.at.clone(), &splice.with);
        let restore = |doc: &mut Self| doc.text.replace_range(at..new_end, &old);
        let Ok(tree) = Tree::read(&self.text) else {
            restore(self);
            return false;
        };
        let before = std::mem::replace(&mut self.tree, tree);
        if !self.says(entries) || !same_map(&self.head_node(), head) {
            self.tree = before;
            restore(self);
            return false;
        }
        if old != splice.with {
            self.history.record(at, old, splice.with, group, self.here);
            self.version += 1;
        }
        true
    }

    /// Writes one entry anew; its comments inside are lost.
    pub(super) fn rewrite_entry(
        &mut self,
        entry: usize,
        meant: &Node,
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        let at = self.tree.entries.get(entry).ok_or(EditError::NoEntry)?;
        let flow = self.tree.list.as_ref().is_some_and(|l| l.flow);
        let style = if self.tree.json { Style::Json } else { Style::Flow };
        let entries = self.with_entry(entry, meant);
        let fresh = ordered(meant.clone(), rank);
        let proposal = if flow {
            Some(Splice::new(at.start..at.start + at.item.end, emit::inline(&fresh, style)))
        } else {
            self.dash_line(entry).zip(self.unit(entry)).map(|(from, (_, to))| {
                let dash = self.tree.list.as_ref().and_then(|l| l.dashes.get(entry)).copied();
                let column = dash.unwrap_or(from) - from;
                Splice::new(
                    from..to,
                    format!("{}{}", " ".repeat(column), emit::list_item(&fresh, column)),
                )
            })
        };
        let head = self.head_node();
        if let Some(splice) = proposal
            && self.try_whole(splice, group, &head, &entries)
        {
            return Ok(());
        }
        self.rewrite_all(&head, &entries, group, rank)
    }

    /// The last resort: the whole document written anew.
    pub(super) fn rewrite_all(
        &mut self,
        head: &Node,
        entries: &[Meant],
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        let jobs = entries.iter().map(|entry| ordered(entry.node(), rank)).collect();
        let whole = with_key(head, "jobs", Some(&list(jobs)));
        let written = if self.tree.json {
            format!("{}\n", emit::inline(&whole, Style::Json))
        } else {
            format!("{}\n", emit::block_lines(&whole, 0))
        };
        let splice = Splice::new(0..self.text.len(), written);
        if self.try_whole(splice, group, head, entries) {
            Ok(())
        } else {
            Err(EditError::Unwritable)
        }
    }
}

/// Moves a pair of the head that stands behind the list, or ends with it.
fn shift_pair(pair: &mut Pair, list_end: usize, list_start: usize, grown: isize) {
    let moved = |at: usize| at.saturating_add_signed(grown);
    if pair.key_start >= list_end {
        pair.key_start = moved(pair.key_start);
        pair.key_end = moved(pair.key_end);
        pair.slot = pair.slot.map(moved);
        let value =
            std::mem::replace(&mut pair.value, Item { start: 0, end: 0, body: Body::Alias(None) });
        pair.value = value.shifted(grown);
    } else if pair.value.start == list_start && pair.value.end == list_end {
        pair.value.end = moved(pair.value.end);
    }
}

//! Edits of fields: of an entry, of many, of the batch's head and its defaults.

use super::{
    Document, Item, Shape,
    emit::{self, Style},
    meaning::{Meant, ordered, same, with_key},
    nested,
    splice::{self, Splice, line_start},
};
use crate::domain::tree::{Node, Span, Value};

/// Why a document cannot be edited by its parts just now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("the text has a syntax error at line {0}; press E to mend it")]
    Syntax(u32),
    #[error("the document is not a batch: {0}; press E to change the text")]
    NotABatch(&'static str),
    #[error("there is no such entry")]
    NoEntry,
    #[error("this cannot be written here; press E to change the text")]
    Unwritable,
}

/// The usual order of keys.
pub type Rank<'a> = &'a dyn Fn(&str) -> usize;

impl Document {
    /// Whether entries and fields can be edited.
    pub fn editable(&self) -> Result<(), EditError> {
        if let Some(error) = &self.error {
            return Err(EditError::Syntax(error.at.line));
        }
        match self.tree.shape {
            Shape::Odd(why) => Err(EditError::NotABatch(why)),
            _ => Ok(()),
        }
    }

    pub(super) fn ready(&mut self) -> Result<(), EditError> {
        self.settle();
        self.editable()
    }

    /// Sets a field of an entry, or removes it with `None`.
    pub fn set(
        &mut self,
        entry: usize,
        key: &str,
        value: Option<&Node>,
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        let at = self.tree.entries.get(entry).ok_or(EditError::NoEntry)?;
        let path = nested::path(Some(&at.item), key);
        let before = at.item.node();
        let now = nested::get(&at.item, &path).map(Item::node);
        if now.is_none() && value.is_none()
            || now.as_ref().zip(value).is_some_and(|(a, b)| same(a, b))
        {
            return Ok(());
        }
        if !nested::is_free(&at.item, &path) {
            return Err(EditError::Unwritable);
        }
        let meant = nested::with(&before, &path, value);
        if let Some(splice) = self.proposal(entry, &path, value, rank)
            && self.try_entry(entry, splice, &meant, group)
        {
            return Ok(());
        }
        self.rewrite_entry(entry, &meant, group, rank)
    }

    /// Sets or removes a field of many entries, each under the key it has there,
    /// in one pass over the text. Entries in ascending order.
    pub fn set_many(
        &mut self,
        places: &[(usize, &str)],
        value: Option<&Node>,
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        if let [(entry, key)] = places {
            return self.set(*entry, key, value, group, rank);
        }
        let mut meant = self.kept();
        let mut splices = Vec::with_capacity(places.len());
        let mut by_splices = true;
        for (entry, key) in places {
            let at = self.tree.entries.get(*entry).ok_or(EditError::NoEntry)?;
            let path = nested::path(Some(&at.item), key);
            let now = nested::get(&at.item, &path).map(Item::node);
            if now.is_none() && value.is_none()
                || now.as_ref().zip(value).is_some_and(|(a, b)| same(a, b))
            {
                continue;
            }
            if !nested::is_free(&at.item, &path) {
                return Err(EditError::Unwritable);
            }
            if let Some(slot) = meant.get_mut(*entry) {
                *slot = Meant::New(nested::with(&at.item.node(), &path, value));
            }
            match self.proposal(*entry, &path, value, rank) {
                Some(splice) => splices.push(splice),
                None => by_splices = false,
            }
        }
        if splices.is_empty() && by_splices {
            return Ok(());
        }
        let head = self.head_node();
        if by_splices
            && let Some(splice) = splice::joined(&self.text, &splices)
            && self.try_whole(splice, group, &head, &meant)
        {
            return Ok(());
        }
        for (entry, key) in places {
            self.set(*entry, key, value, group, rank)?;
        }
        Ok(())
    }

    /// The splice that sets or removes a field of an entry.
    fn proposal(
        &self,
        entry: usize,
        path: &[&str],
        value: Option<&Node>,
        rank: Rank<'_>,
    ) -> Option<Splice> {
        let at = self.tree.entries.get(entry)?;
        let item = (*at.item).clone().shifted(at.start.cast_signed());
        self.nested_proposal(&item, path, value, rank)
    }

    /// Sets a pair of the batch's head, or removes it.
    pub fn set_head(
        &mut self,
        key: &str,
        value: Option<&Node>,
        group: Option<&str>,
        rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        let now = self.field(None, key);
        if now.is_none() && value.is_none()
            || now.as_ref().zip(value).is_some_and(|(a, b)| same(a, b))
        {
            return Ok(());
        }
        let proposal = match &self.tree.shape {
            Shape::Map(head) => match value {
                Some(value) => splice::set(&self.text, head, key, value, self.tree.json, rank),
                None => splice::remove(&self.text, head, key),
            },
            Shape::Empty | Shape::List if value.is_none() => return Ok(()),
            Shape::Empty => value.map(|value| {
                let end = self.text.len();
                let gap = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { "\n" };
                Splice::new(
                    end..end,
                    format!(
                        "{gap}{}:{}\n",
                        emit::key(key, Style::Block),
                        emit::behind_colon(value, 0)
                    ),
                )
            }),
            Shape::List => self.wrap_list(key, value),
            Shape::Odd(_) => None,
        };
        let jobs = self.kept();
        let meant = with_key(&self.head_node(), key, value);
        if let Some(splice) = proposal
            && self.try_whole(splice, group, &meant, &jobs)
        {
            return Ok(());
        }
        self.rewrite_all(&meant, &jobs, group, rank)
    }

    /// Sets a pair of the batch's `defaults`, or removes it; the last one takes
    /// `defaults` along.
    pub fn set_default(
        &mut self,
        key: &str,
        value: Option<&Node>,
        group: Option<&str>,
        rank: Rank<'_>,
        head_rank: Rank<'_>,
    ) -> Result<(), EditError> {
        self.ready()?;
        let now = self.default_of(key);
        if now.is_none() && value.is_none()
            || now.as_ref().zip(value).is_some_and(|(a, b)| same(a, b))
        {
            return Ok(());
        }
        let before = self
            .field(None, "defaults")
            .unwrap_or(Node { span: Span::default(), value: Value::Map(Vec::new()) });
        let meant = with_key(&before, key, value);
        if matches!(&meant.value, Value::Map(entries) if entries.is_empty()) {
            return self.set_head("defaults", None, group, head_rank);
        }
        let place = self.head().and_then(|h| h.get("defaults")).map(|p| &p.value);
        let proposal = place.filter(|item| item.start < item.end).and_then(|item| match value {
            Some(value) => splice::set(&self.text, item, key, value, self.tree.json, rank),
            None => splice::remove(&self.text, item, key),
        });
        let meant = ordered(meant, rank);
        let head = with_key(&self.head_node(), "defaults", Some(&meant));
        let jobs = self.kept();
        if let Some(splice) = proposal
            && self.try_whole(splice, group, &head, &jobs)
        {
            return Ok(());
        }
        self.set_head("defaults", Some(&meant), group, head_rank)
    }

    /// A bare list becomes a map with `jobs`.
    fn wrap_list(&self, key: &str, value: Option<&Node>) -> Option<Splice> {
        let (value, place) = (value?, self.tree.list.as_ref()?);
        if place.flow {
            let style = if self.tree.json { Style::Json } else { Style::Flow };
            return Some(Splice::new(
                place.start..place.end,
                format!(
                    "{{{}: {}, {}: {}}}",
                    emit::key(key, style),
                    emit::inline(value, style),
                    emit::key("jobs", style),
                    self.text.get(place.start..place.end)?
                ),
            ));
        }
        let at = line_start(&self.text, *place.dashes.first()?);
        Some(Splice::new(
            at..at,
            format!("{}:{}\njobs:\n", emit::key(key, Style::Block), emit::behind_colon(value, 0)),
        ))
    }
}

//! The row under the cursor and how far the table is scrolled. Both stick to the
//! row, not to its number: when rows come and go, the cursor stays on its row and
//! the row stays where it is on the screen.

use super::index::{Index, RowKey};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    key: Option<RowKey>,
    at: usize,
    top: usize,
}

impl Cursor {
    pub fn key(&self) -> Option<RowKey> {
        self.key
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// First row to draw when `height` rows have room.
    pub fn top(&self, rows: usize, height: usize) -> usize {
        let height = height.max(1);
        let last = rows.saturating_sub(height);
        self.top.min(last).max((self.at + 1).saturating_sub(height)).min(self.at)
    }

    /// Goes to a row by number; too large a number is the last row.
    pub fn go(&mut self, index: &Index, at: usize, height: usize) {
        let rows = index.rows();
        self.at = at.min(rows.len().saturating_sub(1));
        self.key = rows.get(self.at).copied();
        self.top = self.top(rows.len(), height);
    }

    pub fn step(&mut self, index: &Index, by: isize, height: usize) {
        self.go(index, self.at.saturating_add_signed(by), height);
    }

    /// Scrolls by rows; the cursor comes along when it would leave the screen.
    pub fn scroll(&mut self, index: &Index, by: isize, height: usize) {
        let rows = index.rows().len();
        let top = self.top(rows, height).saturating_add_signed(by).min(rows.saturating_sub(height));
        let at = self.at.clamp(top, top + height.saturating_sub(1));
        self.top = top;
        self.go(index, at, height);
    }

    /// Goes to a row by what it is; whether it is there.
    pub fn find(&mut self, index: &Index, key: RowKey, height: usize) -> bool {
        let Some(at) = index.rows().iter().position(|row| *row == key) else { return false };
        self.go(index, at, height);
        true
    }

    /// After rows were laid out anew. A job that was folded away gives the cursor
    /// to its head, any other row that is gone to the row now in its place.
    pub fn settle(&mut self, index: &Index, height: usize) {
        let rows = index.rows();
        let offset = self.at.saturating_sub(self.top(usize::MAX, height.max(1)));
        let place = |key: RowKey| {
            if rows.get(self.at) == Some(&key) {
                return Some(self.at);
            }
            rows.iter().position(|row| *row == key)
        };
        let at = self.key.and_then(|key| {
            place(key).or_else(|| match key {
                RowKey::Job(ix) if index.passes(ix) => index.head_of(ix).and_then(place),
                _ => None,
            })
        });
        if rows.is_empty() {
            // The place is kept for when rows come back; the row is gone.
            self.key = None;
            return;
        }
        self.at = at.unwrap_or(self.at).min(rows.len() - 1);
        self.key = rows.get(self.at).copied();
        self.top = self.at.saturating_sub(offset);
        self.top = self.top(rows.len(), height);
    }
}

//! The filter of a table while it is typed, the same in every view: each key
//! narrows the rows at once, Enter keeps the filter, Esc puts back the one before
//! and the row the cursor was on, arrows move in the rows meanwhile.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::line::Line;

/// What a key made of the filter; `K` names a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed<K> {
    /// Not a key of the line: a movement in the rows.
    Elsewhere,
    /// The filter stays as it is.
    Same,
    /// Enter: the line closes, the filter stays as it is.
    Kept,
    /// This is the filter now, and the cursor goes to `home` where it is shown.
    Now { text: String, home: Option<K>, open: bool },
}

/// A filter being typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterLine<K> {
    pub line: Line,
    /// The filter as it was before.
    former: String,
    /// The row the cursor was on.
    home: Option<K>,
}

impl<K: Clone> FilterLine<K> {
    /// Goes on with the filter that is there.
    pub fn new(filter: &str, home: Option<K>) -> Self {
        Self { line: Line::new(filter), former: filter.to_owned(), home }
    }

    pub fn on_key(&mut self, key: KeyEvent) -> Typed<K> {
        match key.code {
            KeyCode::Enter => Typed::Kept,
            KeyCode::Esc => {
                self.line.set(self.former.as_str());
                self.now(false)
            }
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => Typed::Elsewhere,
            // Esc and a key at once; the shell takes them apart.
            KeyCode::Char(_) if key.modifiers.contains(KeyModifiers::ALT) => Typed::Elsewhere,
            _ => {
                let before = self.line.text().to_owned();
                self.line.on_key(key);
                if self.line.text() == before { Typed::Same } else { self.now(true) }
            }
        }
    }

    pub fn on_paste(&mut self, text: &str) -> Typed<K> {
        self.line.insert(text.trim_end_matches(['\n', '\r']));
        self.now(true)
    }

    fn now(&self, open: bool) -> Typed<K> {
        Typed::Now { text: self.line.text().to_owned(), home: self.home.clone(), open }
    }
}

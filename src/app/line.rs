//! One line of text being typed: a value with `on_key`, for prompts, filters and
//! the palette.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use super::text;

/// Text with a cursor between graphemes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Byte offset, always at a grapheme's edge.
    cursor: usize,
}

impl Line {
    /// The cursor stands at the end.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn set(&mut self, text: impl Into<String>) {
        *self = Self::new(text);
    }

    pub fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or("")
    }

    pub fn after_cursor(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or("")
    }

    /// Inserts at the cursor; line ends and control characters do not get in.
    pub fn insert(&mut self, piece: &str) {
        let clean: String = piece
            .chars()
            .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
            .filter(|c| text::is_typed(*c))
            .collect();
        self.text.insert_str(self.cursor, &clean);
        self.cursor += clean.len();
    }

    fn step_back(&self) -> usize {
        self.before_cursor().grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn step_on(&self) -> usize {
        self.cursor + self.after_cursor().graphemes(true).next().map_or(0, str::len)
    }

    fn word_back(&self) -> usize {
        let before = self.before_cursor().trim_end_matches([' ', '/']);
        before.rfind([' ', '/']).map_or(0, |at| at + 1)
    }

    /// Whether the key was an edit or a movement in the line; everything else
    /// (Enter, Esc, Tab, up, down) is left to the owner.
    pub fn on_key(&mut self, key: KeyEvent) -> bool {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let code = match key.code {
            KeyCode::Char('a') if ctrl => KeyCode::Home,
            KeyCode::Char('e') if ctrl => KeyCode::End,
            code => code,
        };
        match code {
            KeyCode::Char(c) if !ctrl && !alt => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            KeyCode::Left => self.cursor = self.step_back(),
            KeyCode::Right => self.cursor = self.step_on(),
            KeyCode::Char('u') if ctrl => {
                self.text.drain(..self.cursor);
                self.cursor = 0;
            }
            KeyCode::Char('k') if ctrl => self.text.truncate(self.cursor),
            KeyCode::Char('w') if ctrl => self.cut_to(self.word_back()),
            KeyCode::Backspace if ctrl || alt => self.cut_to(self.word_back()),
            KeyCode::Backspace => self.cut_to(self.step_back()),
            KeyCode::Delete => {
                let end = self.step_on();
                self.text.drain(self.cursor..end);
            }
            _ => return false,
        }
        true
    }

    fn cut_to(&mut self, from: usize) {
        self.text.drain(from..self.cursor);
        self.cursor = from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn edits_by_grapheme() {
        let mut line = Line::new("训👩‍👩‍👧x");
        line.on_key(key(KeyCode::Left));
        line.on_key(key(KeyCode::Backspace));
        assert_eq!((line.text(), line.before_cursor()), ("训x", "训"));
        line.on_key(key(KeyCode::Delete));
        line.insert("a\nb\u{1b}c");
        assert_eq!(line.text(), "训a bc");
        line.on_key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(line.text(), "训a ");
        assert!(!line.on_key(key(KeyCode::Enter)));
    }
}

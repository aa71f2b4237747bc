//! A text area as a value: lines, a cursor, and what keys do to them.
//!
//! Used for every field of a form and for the batch as YAML. It knows nothing of
//! the screen but the number of lines a page has.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::UnicodeSegmentation;

use crate::app::text;

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not for a text, or the cursor cannot go there: the owner may use it.
    Ignored,
    Moved,
    Changed,
}

/// Text with a cursor between graphemes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Editor {
    /// Never empty.
    lines: Vec<String>,
    row: usize,
    /// Byte offset in the line, at a grapheme's edge.
    column: usize,
    /// The display column that up and down aim for.
    goal: Option<usize>,
    /// Enter makes a new line.
    many: bool,
    /// Enter indents like the line before, Tab inserts blanks.
    code: bool,
}

impl Default for Editor {
    fn default() -> Self {
        Self::line("")
    }
}

impl Editor {
    fn with(text: &str, many: bool, code: bool) -> Self {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        if !many && lines.len() > 1 {
            lines = vec![lines.join(" ")];
        }
        let mut editor = Self { lines, row: 0, column: 0, goal: None, many, code };
        editor.go_to_end();
        editor
    }

    /// One line; the cursor at its end.
    pub fn line(text: &str) -> Self {
        Self::with(text, false, false)
    }

    /// Several lines; the cursor at the end.
    pub fn area(text: &str) -> Self {
        Self::with(text, true, false)
    }

    /// Several lines of YAML; the cursor at the start.
    pub fn code(text: &str) -> Self {
        let mut editor = Self::with(text, true, true);
        editor.go(0, 0);
        editor
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    pub fn is_many(&self) -> bool {
        self.many
    }

    pub fn is_blank(&self) -> bool {
        self.lines.iter().all(String::is_empty)
    }

    /// Line and byte column of the cursor, from 0.
    pub fn cursor(&self) -> (usize, usize) {
        (self.row, self.column)
    }

    /// Display column of the cursor.
    pub fn cursor_width(&self) -> usize {
        text::width(&text::safe(self.before()))
    }

    fn current(&self) -> &str {
        self.lines.get(self.row).map_or("", String::as_str)
    }

    fn before(&self) -> &str {
        self.current().get(..self.column).unwrap_or("")
    }

    fn after(&self) -> &str {
        self.current().get(self.column..).unwrap_or("")
    }

    fn go_to_end(&mut self) {
        self.row = self.lines.len().saturating_sub(1);
        self.column = self.current().len();
    }

    /// Puts the cursor at a line and byte column, as near as there is text.
    pub fn go(&mut self, row: usize, column: usize) {
        self.row = row.min(self.lines.len().saturating_sub(1));
        let line = self.current();
        let mut column = column.min(line.len());
        while !line.is_char_boundary(column) {
            column -= 1;
        }
        self.column = column;
        self.goal = None;
    }

    /// Puts the cursor at a byte of the whole text.
    pub fn go_to_byte(&mut self, at: usize) {
        let mut left = at;
        for (row, line) in self.lines.iter().enumerate() {
            if left <= line.len() {
                return self.go(row, left);
            }
            left -= line.len() + 1;
        }
        self.go_to_end();
    }

    /// Byte of the whole text the cursor is at.
    pub fn byte(&self) -> usize {
        self.lines.iter().take(self.row).map(|l| l.len() + 1).sum::<usize>() + self.column
    }

    /// Puts the cursor where a click was: line, and display column in it.
    pub fn click(&mut self, row: usize, width: usize) {
        self.row = row.min(self.lines.len().saturating_sub(1));
        self.column = self.column_at(width);
        self.goal = None;
    }

    fn column_at(&self, wanted: usize) -> usize {
        let mut used = 0;
        for (at, grapheme) in self.current().grapheme_indices(true) {
            used += text::width(&text::safe(grapheme));
            if used > wanted {
                return at;
            }
        }
        self.current().len()
    }

    /// Inserts a piece of text at the cursor. In one line, line ends become blanks.
    pub fn insert(&mut self, piece: &str) {
        let clean: String = piece
            .replace("\r\n", "\n")
            .replace('\r', "\n")
            .chars()
            .map(|c| if c == '\n' && !self.many { ' ' } else { c })
            .filter(|c| *c == '\n' || *c == '\t' || text::is_typed(*c))
            .collect();
        let clean = if self.code { clean.replace('\t', "  ") } else { clean };
        let mut parts = clean.split('\n');
        let (row, column) = (self.row, self.column);
        let Some(line) = self.lines.get_mut(row) else { return };
        let tail = line.split_off(column.min(line.len()));
        line.push_str(parts.next().unwrap_or(""));
        let rest: Vec<String> = parts.map(str::to_owned).collect();
        self.row += rest.len();
        self.lines.splice((row + 1)..=row, rest);
        if let Some(last) = self.lines.get_mut(self.row) {
            self.column = last.len();
            last.push_str(&tail);
        }
        self.goal = None;
    }

    fn left(&self) -> Option<(usize, usize)> {
        if let Some((at, _)) = self.before().grapheme_indices(true).next_back() {
            return Some((self.row, at));
        }
        let row = self.row.checked_sub(1)?;
        Some((row, self.lines.get(row)?.len()))
    }

    fn right(&self) -> Option<(usize, usize)> {
        match self.after().graphemes(true).next() {
            Some(grapheme) => Some((self.row, self.column + grapheme.len())),
            None if self.row + 1 < self.lines.len() => Some((self.row + 1, 0)),
            None => None,
        }
    }

    fn word_left(&self) -> Option<(usize, usize)> {
        let before = self.before();
        let trimmed = before.trim_end_matches(|c: char| !is_word(c));
        if trimmed.is_empty() && self.column == 0 {
            return self.left();
        }
        let start = trimmed.rfind(|c: char| !is_word(c)).map_or(0, |at| {
            at + trimmed.get(at..).and_then(|t| t.chars().next()).map_or(1, char::len_utf8)
        });
        Some((self.row, start))
    }

    fn word_right(&self) -> Option<(usize, usize)> {
        let after = self.after();
        let Some(start) = after.find(is_word) else {
            return if after.is_empty() {
                self.right()
            } else {
                Some((self.row, self.current().len()))
            };
        };
        let end = after
            .get(start..)
            .and_then(|t| t.find(|c: char| !is_word(c)))
            .map_or(after.len(), |n| start + n);
        Some((self.row, self.column + end))
    }

    /// Removes what is between the cursor and another place.
    fn cut(&mut self, other: Option<(usize, usize)>) -> Outcome {
        let Some(other) = other else { return Outcome::Ignored };
        let here = (self.row, self.column);
        let (from, to) = if other < here { (other, here) } else { (here, other) };
        if from == to {
            return Outcome::Moved;
        }
        let tail = self.lines.get(to.0).and_then(|l| l.get(to.1..)).unwrap_or_default().to_owned();
        if let Some(line) = self.lines.get_mut(from.0) {
            line.truncate(from.1);
            line.push_str(&tail);
        }
        self.lines.drain(from.0 + 1..=to.0);
        (self.row, self.column) = from;
        self.goal = None;
        Outcome::Changed
    }

    fn step(&mut self, to: Option<(usize, usize)>) -> Outcome {
        let Some((row, column)) = to else { return Outcome::Ignored };
        (self.row, self.column) = (row, column);
        self.goal = None;
        Outcome::Moved
    }

    fn vertical(&mut self, by: isize) -> Outcome {
        let last = self.lines.len().saturating_sub(1);
        let row = self.row.saturating_add_signed(by).min(last);
        if row == self.row {
            return Outcome::Ignored;
        }
        let goal = self.goal.unwrap_or_else(|| self.cursor_width());
        self.row = row;
        self.column = self.column_at(goal);
        self.goal = Some(goal);
        Outcome::Moved
    }

    fn new_line(&mut self) -> Outcome {
        if !self.many {
            return Outcome::Ignored;
        }
        let mut piece = String::from("\n");
        if self.code {
            let before = self.before();
            let indent = before.len() - before.trim_start_matches(' ').len();
            piece.push_str(&" ".repeat(indent));
            // A key or a list item that opens a deeper level.
            let opened = before.trim_end();
            if opened.ends_with(':') {
                piece.push_str("  ");
                if opened.trim_start().starts_with("- ") {
                    piece.push_str("  ");
                }
            } else if opened.trim_start().starts_with("- ") && opened.contains(": ") {
                piece.push_str("  ");
            }
        }
        self.insert(&piece);
        Outcome::Changed
    }

    /// Smart home: first to the text, then to the margin.
    fn home(&mut self) -> Outcome {
        let line = self.current();
        let text = line.len() - line.trim_start().len();
        let column = if self.column == text { 0 } else { text };
        self.step(Some((self.row, column)))
    }

    /// What a key does here. `page`: lines of a page.
    pub fn on_key(&mut self, key: KeyEvent, page: usize) -> Outcome {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        let page = page.saturating_sub(1).max(1).cast_signed();
        let end = (self.row, self.current().len());
        let last_row = self.lines.len().saturating_sub(1);
        match key.code {
            KeyCode::Char('a') if ctrl => self.home(),
            KeyCode::Char('e') if ctrl => self.step(Some(end)),
            KeyCode::Char('b') if ctrl => self.step(self.left()),
            KeyCode::Char('f') if ctrl => self.step(self.right()),
            KeyCode::Char('b') if alt => self.step(self.word_left()),
            KeyCode::Char('f') if alt => self.step(self.word_right()),
            KeyCode::Char('d') if alt => self.cut(self.word_right()),
            KeyCode::Char('d') if ctrl => self.cut(self.right()),
            KeyCode::Char('h') if ctrl => self.cut(self.left()),
            KeyCode::Char('w') if ctrl => self.cut(self.word_left()),
            KeyCode::Char('u') if ctrl => self.cut(Some((self.row, 0))),
            KeyCode::Char('k') if ctrl => {
                // At the end of a line the line end goes too.
                let to = if self.after().is_empty() { self.right() } else { Some(end) };
                self.cut(to)
            }
            KeyCode::Char(c) if !ctrl && !alt => {
                self.insert(c.encode_utf8(&mut [0; 4]));
                Outcome::Changed
            }
            KeyCode::Backspace if ctrl || alt => self.cut(self.word_left()),
            KeyCode::Backspace => {
                // In YAML, blanks at the margin go by level.
                let before = self.before();
                if self.code && before.len() >= 2 && before.chars().all(|c| c == ' ') {
                    let to = (before.len() - 1) / 2 * 2;
                    return self.cut(Some((self.row, to)));
                }
                self.cut(self.left())
            }
            KeyCode::Delete if ctrl || alt => self.cut(self.word_right()),
            KeyCode::Delete => self.cut(self.right()),
            KeyCode::Left if ctrl || alt => self.step(self.word_left()),
            KeyCode::Right if ctrl || alt => self.step(self.word_right()),
            KeyCode::Left => self.step(self.left()),
            KeyCode::Right => self.step(self.right()),
            KeyCode::Home if ctrl => self.step(Some((0, 0))),
            KeyCode::End if ctrl => {
                let len = self.lines.last().map_or(0, String::len);
                self.step(Some((last_row, len)))
            }
            KeyCode::Home => self.home(),
            KeyCode::End => self.step(Some(end)),
            KeyCode::Up => self.vertical(-1),
            KeyCode::Down => self.vertical(1),
            KeyCode::PageUp if self.code => self.vertical(-page),
            KeyCode::PageDown if self.code => self.vertical(page),
            KeyCode::Enter => self.new_line(),
            KeyCode::Tab if self.code => {
                self.insert("  ");
                Outcome::Changed
            }
            KeyCode::BackTab if self.code => self.dedent(),
            _ => Outcome::Ignored,
        }
    }

    fn dedent(&mut self) -> Outcome {
        let line = self.current();
        let blanks = (line.len() - line.trim_start_matches(' ').len()).min(2);
        if blanks == 0 {
            return Outcome::Moved;
        }
        if let Some(line) = self.lines.get_mut(self.row) {
            line.drain(..blanks);
        }
        self.column = self.column.saturating_sub(blanks);
        self.goal = None;
        Outcome::Changed
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(editor: &mut Editor, keys: &[(KeyCode, KeyModifiers)]) {
        for (code, modifiers) in keys {
            editor.on_key(KeyEvent::new(*code, *modifiers), 10);
        }
    }
    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CTRL: KeyModifiers = KeyModifiers::CONTROL;

    #[test]
    fn pasted_lines_stay_lines_where_there_may_be_several() {
        let mut area = Editor::area("ab");
        area.go(0, 1);
        area.insert("1\r\n2\u{1b}\n3");
        assert_eq!(area.text(), "a1\n2\n3b");
        assert_eq!(area.cursor(), (2, 1));
        let mut line = Editor::line("");
        line.insert("x\ny");
        assert_eq!(line.text(), "x y");
    }

    #[test]
    fn words_lines_and_graphemes() {
        let mut area = Editor::area("one two\n👩‍👩‍👧x");
        press(&mut area, &[(KeyCode::Left, NONE), (KeyCode::Backspace, NONE)]);
        assert_eq!(area.text(), "one two\nx");
        press(&mut area, &[(KeyCode::Backspace, NONE), (KeyCode::Char('w'), CTRL)]);
        assert_eq!(area.text(), "one x");
        press(&mut area, &[(KeyCode::Char('k'), CTRL), (KeyCode::Char('u'), CTRL)]);
        assert_eq!(area.text(), "");
        assert_eq!(area.on_key(KeyEvent::new(KeyCode::Up, NONE), 5), Outcome::Ignored);
    }

    #[test]
    fn up_and_down_keep_the_column() {
        let mut area = Editor::area("long line\nx\nlong again");
        press(&mut area, &[(KeyCode::Up, NONE), (KeyCode::Up, NONE)]);
        assert_eq!(area.cursor(), (0, 9));
        press(&mut area, &[(KeyCode::Down, NONE), (KeyCode::Down, NONE)]);
        assert_eq!(area.cursor(), (2, 10));
    }

    #[test]
    fn yaml_lines_indent_themselves() {
        let mut code = Editor::code("jobs:\n  - name: a");
        code.go(1, 99);
        press(&mut code, &[(KeyCode::Enter, NONE)]);
        code.insert("env:");
        press(&mut code, &[(KeyCode::Enter, NONE)]);
        code.insert("A: 1");
        assert_eq!(code.text(), "jobs:\n  - name: a\n    env:\n      A: 1");
        press(&mut code, &[(KeyCode::Enter, NONE), (KeyCode::Backspace, NONE)]);
        assert_eq!(code.lines().last().map(String::as_str), Some("    "));
        code.go_to_byte(6);
        assert_eq!((code.cursor(), code.byte()), ((1, 0), 6));
    }
}

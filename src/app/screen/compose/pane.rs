//! The batch as YAML: an editor over the document's own text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEventKind};

use super::{Compose, Focus, document::splice::Splice};
use crate::{
    app::{
        form::{
            Target,
            editor::{Editor, Outcome},
        },
        keymap::Action,
        screen::{Context, Step},
    },
    domain::{
        finding::{Finding, Severity},
        tree::Pos,
    },
};

/// The editor pane.
#[derive(Clone, Debug, PartialEq)]
pub struct Pane {
    pub editor: Editor,
    /// First line shown.
    pub top: usize,
}

impl Compose {
    /// `E`: opens the pane at the current entry, or closes it.
    pub(super) fn toggle_pane(&mut self, cx: &Context<'_>) {
        if self.focus == Focus::Yaml {
            self.leave_pane();
        } else {
            self.open_pane();
        }
        self.scroll_pane(cx);
    }

    pub(super) fn open_pane(&mut self) {
        self.leave_field();
        let mut editor = Editor::code(self.doc.text());
        let wrong = self.planned.of_target(self.cursor).find_map(|f| f.span);
        if let Some(error) = self.doc.error() {
            go_to(&mut editor, error.at);
        } else if let Some(span) = wrong.filter(|_| self.is_planned()) {
            go_to(&mut editor, span.start);
        } else if let Target::Entry(i) = self.cursor
            && let Some(entry) = self.doc.tree().entries.get(i)
        {
            editor.go_to_byte(entry.start);
        }
        self.pane = Some(Pane { editor, top: 0 });
        self.focus = Focus::Yaml;
    }

    /// Opens the pane with the cursor at a place of the text, where one is known.
    pub(super) fn open_pane_at(&mut self, at: Option<Pos>) {
        self.open_pane();
        if let (Some(pane), Some(at)) = (&mut self.pane, at) {
            go_to(&mut pane.editor, at);
        }
    }

    /// The text has changed behind the pane's back.
    pub(super) fn reload_pane(&mut self, at: usize, cx: &Context<'_>) {
        if let Some(pane) = &mut self.pane {
            pane.editor = Editor::code(self.doc.text());
            pane.editor.go_to_byte(at);
            self.scroll_pane(cx);
        }
    }

    fn leave_pane(&mut self) {
        self.doc.seal();
        self.doc.settle();
        if let Some(pane) = self.pane.take()
            && self.doc.error().is_none()
        {
            // The cursor of the table follows the cursor of the text.
            let at = pane.editor.byte();
            let behind = self.doc.tree().entries.partition_point(|e| e.start <= at);
            self.cursor = behind.checked_sub(1).map_or(Target::Batch, Target::Entry);
        }
        self.focus = Focus::Table;
        self.refilter();
        self.clamp();
        self.rebuild_form();
    }

    pub(super) fn pane_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        match action {
            Action::Back => self.leave_pane(),
            Action::NextFailed => {
                self.next_finding();
                self.scroll_pane(cx);
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn pane_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        if key.code == KeyCode::Esc {
            self.leave_pane();
            self.keep_in_sight(cx);
            return Some(Vec::new());
        }
        let page = self.layout(cx).pane_rows();
        let pane = self.pane.as_mut()?;
        let before = pane.editor.cursor();
        let outcome = pane.editor.on_key(key, page);
        let steps = match outcome {
            Outcome::Changed => {
                // Typing in a line is one step of undo.
                let same_line = before.0 == pane.editor.cursor().0;
                let group = format!("text.{}", before.0);
                let steps = self.write_text(Some(&group), cx);
                if !same_line {
                    self.doc.seal();
                }
                steps
            }
            Outcome::Moved => {
                self.doc.seal();
                Vec::new()
            }
            Outcome::Ignored => {
                let plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
                let text = matches!(key.code, KeyCode::Char(_)) && plain;
                let moves =
                    matches!(
                        key.code,
                        KeyCode::Up
                            | KeyCode::Down
                            | KeyCode::Left
                            | KeyCode::Right
                            | KeyCode::PageUp
                            | KeyCode::PageDown
                            | KeyCode::Backspace
                            | KeyCode::Delete
                            | KeyCode::Tab
                            | KeyCode::BackTab
                    ) || matches!(key.code, KeyCode::Char('u' | 'd' | 'k' | 'w' | 'b' | 'f' | 'h'));
                if !(text || moves) {
                    return None;
                }
                Vec::new()
            }
        };
        self.scroll_pane(cx);
        Some(steps)
    }

    pub(super) fn pane_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        let Some(pane) = &mut self.pane else { return Vec::new() };
        pane.editor.insert(text);
        self.doc.seal();
        let steps = self.write_text(None, cx);
        self.scroll_pane(cx);
        steps
    }

    pub(super) fn pane_mouse(
        &mut self,
        kind: MouseEventKind,
        column: u16,
        row: u16,
        cx: &Context<'_>,
    ) {
        let gutter = self.gutter();
        let Some(pane) = &mut self.pane else { return };
        match kind {
            MouseEventKind::ScrollDown => pane.top = pane.top.saturating_add(3),
            MouseEventKind::ScrollUp => pane.top = pane.top.saturating_sub(3),
            MouseEventKind::Down(MouseButton::Left) if row > 0 => {
                let line = pane.top + usize::from(row) - 1;
                pane.editor.click(line, usize::from(column).saturating_sub(gutter));
            }
            _ => return,
        }
        if matches!(kind, MouseEventKind::Down(_)) {
            self.scroll_pane(cx);
        } else if let Some(pane) = &mut self.pane {
            pane.top = pane.top.min(pane.editor.lines().len().saturating_sub(1));
        }
    }

    /// Columns of the line numbers and marks.
    pub fn gutter(&self) -> usize {
        let lines = self.pane.as_ref().map_or(0, |p| p.editor.lines().len());
        lines.to_string().len().max(2) + 4
    }

    fn scroll_pane(&mut self, cx: &Context<'_>) {
        let page = self.layout(cx).pane_rows().max(1);
        if let Some(pane) = &mut self.pane {
            let (row, _) = pane.editor.cursor();
            pane.top = pane.top.min(row).max((row + 1).saturating_sub(page));
        }
    }

    /// Brings the pane's text into the document.
    fn write_text(&mut self, group: Option<&str>, cx: &Context<'_>) -> Vec<Step> {
        let Some(pane) = &self.pane else { return Vec::new() };
        let now = pane.editor.text();
        let splice = difference(self.doc.text(), &now);
        self.keeping_unwritten(|compose| compose.doc.edit_text(splice, group));
        if self.doc.error().is_none() && self.planned.entries.len() != self.doc.len() {
            self.planned.entries.resize(self.doc.len(), None);
            self.planned.forget_places();
            self.marks.clear();
            self.refilter();
            self.clamp();
        }
        self.changed(cx)
    }

    /// Findings by their line (from 0), the worst of a line first.
    pub fn findings_at(&self, line: usize) -> impl Iterator<Item = &Finding> {
        let wanted = line as u32 + 1;
        self.planned.findings.iter().filter(move |f| f.span.is_some_and(|s| s.start.line == wanted))
    }

    /// Lines (from 0) between two that have a finding, with how bad it is.
    pub fn marked_lines(&self, from: usize, to: usize) -> Vec<(usize, Severity)> {
        let mut marks: Vec<(usize, Severity)> = self
            .planned
            .findings
            .iter()
            .filter_map(|f| Some((f.span?.start.line.checked_sub(1)? as usize, f.severity)))
            .filter(|(line, _)| (from..to).contains(line))
            .collect();
        if let Some(error) = self.doc.error() {
            marks.push((error.at.line.saturating_sub(1) as usize, Severity::Error));
        }
        marks.sort_unstable();
        marks.dedup_by_key(|(line, _)| *line);
        marks
    }

    fn next_finding(&mut self) {
        let Some(pane) = &mut self.pane else { return };
        let here = pane.editor.cursor().0 as u32 + 1;
        let mut places: Vec<Pos> =
            self.planned.findings.iter().filter_map(|f| Some(f.span?.start)).collect();
        places.sort_unstable();
        let next = places.iter().find(|p| p.line > here).or(places.first());
        if let Some(place) = next {
            go_to(&mut pane.editor, *place);
        }
    }
}

/// Puts the cursor at a line and column that count characters from 1.
fn go_to(editor: &mut Editor, at: Pos) {
    let row = at.line.saturating_sub(1) as usize;
    let column = editor.lines().get(row).map_or(0, |line| {
        line.char_indices()
            .nth(at.column.saturating_sub(1) as usize)
            .map_or(line.len(), |(byte, _)| byte)
    });
    editor.go(row, column);
}

/// The one splice that makes `new` of `old`.
fn difference(old: &str, new: &str) -> Splice {
    let mut start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    while !old.is_char_boundary(start) || !new.is_char_boundary(start) {
        start -= 1;
    }
    let (old_rest, new_rest) = (old.len() - start, new.len() - start);
    let mut tail = old
        .bytes()
        .rev()
        .zip(new.bytes().rev())
        .take(old_rest.min(new_rest))
        .take_while(|(a, b)| a == b)
        .count();
    while !old.is_char_boundary(old.len() - tail) || !new.is_char_boundary(new.len() - tail) {
        tail -= 1;
    }
    let with = new.get(start..new.len() - tail).unwrap_or_default();
    Splice::new(start..old.len() - tail, with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_what_was_typed() {
        for (old, new) in
            [("", "a"), ("abc", "abXc"), ("aa", "aaa"), ("héé", "hé"), ("é", "è"), ("x", "x")]
        {
            let splice = difference(old, new);
            let mut text = old.to_owned();
            text.replace_range(splice.at, &splice.with);
            assert_eq!(text, new);
        }
    }
}

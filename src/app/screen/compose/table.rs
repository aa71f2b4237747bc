//! The job list: moving, marking, filtering.

use std::collections::BTreeSet;

use crossterm::event::{MouseButton, MouseEventKind};

use super::{Compose, Focus, Layout};
use crate::{
    app::{
        filter::{FilterLine, Typed},
        form::Target,
        keymap::Action,
        screen::{Context, Step},
    },
    domain::job::JobType,
};

/// Rows of the table, at least one; while it is covered by the form too.
fn table_page(cx: &Context<'_>) -> usize {
    let height = cx.height.saturating_sub(2);
    Layout::new(cx.width, height, Focus::Table).table_rows().max(1)
}

impl Compose {
    /// Rows of the table: the batch itself, then the entries that are shown.
    pub fn row_count(&self) -> usize {
        1 + self.visible.as_ref().map_or(self.doc.len(), Vec::len)
    }

    /// What a row stands for.
    pub fn row(&self, at: usize) -> Option<Target> {
        match at.checked_sub(1) {
            None => Some(Target::Batch),
            Some(i) => match &self.visible {
                Some(visible) => visible.get(i).copied().map(Target::Entry),
                None => (i < self.doc.len()).then_some(Target::Entry(i)),
            },
        }
    }

    /// The row under the cursor.
    pub fn cursor_row(&self) -> usize {
        match (self.cursor, &self.visible) {
            (Target::Batch, _) => 0,
            (Target::Entry(i), None) => i + 1,
            (Target::Entry(i), Some(visible)) => match visible.binary_search(&i) {
                Ok(at) => at + 1,
                Err(at) => at.min(visible.len()),
            },
        }
    }

    /// Keeps the cursor's row in sight and no row hidden that there is room for.
    pub(crate) fn keep_in_sight(&mut self, cx: &Context<'_>) {
        let page = table_page(cx);
        let at = self.cursor_row();
        self.top = self.top.min(at).max((at + 1).saturating_sub(page));
        self.top = self.top.min(self.row_count().saturating_sub(page));
        if self.form.target != self.cursor {
            self.rebuild_form();
        }
    }

    fn go_to_row(&mut self, at: usize) {
        let at = at.min(self.row_count().saturating_sub(1));
        if let Some(target) = self.row(at) {
            self.cursor = target;
        }
    }

    pub(super) fn table_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        let at = self.cursor_row();
        let page = table_page(cx).saturating_sub(1).max(1);
        match action {
            Action::Up => self.go_to_row(at.saturating_sub(1)),
            Action::Down => self.go_to_row(at + 1),
            Action::PageUp => self.go_to_row(at.saturating_sub(page)),
            Action::PageDown => self.go_to_row(at + page),
            Action::Top => self.go_to_row(0),
            Action::Bottom => self.go_to_row(usize::MAX),
            Action::Activate | Action::EditJob => {
                if let Err(why) = self.doc.editable() {
                    return vec![Step::Notice(why.to_string())];
                }
                let wrong = self.first_wrong_field();
                self.enter_form(wrong.as_deref());
            }
            Action::Right => {
                self.enter_form(None);
            }
            Action::NextPane if self.doc.editable().is_ok() => {
                self.enter_form(None);
                self.first_field();
            }
            Action::PreviousPane if self.doc.editable().is_ok() => {
                self.enter_form(None);
                self.last_field();
            }
            Action::Mark => {
                if let Target::Entry(i) = self.cursor {
                    if !self.marks.remove(&i) {
                        self.marks.insert(i);
                    }
                    self.go_to_row(at + 1);
                }
            }
            Action::MarkAll => {
                let shown: BTreeSet<usize> = (1..self.row_count())
                    .filter_map(|at| match self.row(at) {
                        Some(Target::Entry(i)) => Some(i),
                        _ => None,
                    })
                    .collect();
                if shown.is_subset(&self.marks) {
                    self.marks.clear();
                } else {
                    self.marks.extend(shown);
                }
            }
            Action::NewJob => self.ask_type(),
            Action::Templates => return self.ask_template(),
            Action::SaveTemplate => return self.ask_template_name(),
            Action::NextFailed => {
                self.open_pane();
                return self.pane_action(action, cx);
            }
            Action::DuplicateJob => return self.duplicate(cx),
            Action::DeleteJob => return self.delete(cx),
            Action::MoveJobDown => return self.swap(1, cx),
            Action::MoveJobUp => return self.swap(-1, cx),
            Action::Filter => {
                self.typing = Some(FilterLine::new(&self.filter, Some(self.cursor)));
            }
            Action::Back => {
                if !self.marks.is_empty() {
                    self.marks.clear();
                } else if !self.filter.is_empty() {
                    self.set_filter("");
                } else {
                    return vec![Step::Back];
                }
            }
            _ => {}
        }
        Vec::new()
    }

    pub(super) fn table_mouse(
        &mut self,
        kind: MouseEventKind,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let at = self.cursor_row();
        match kind {
            MouseEventKind::ScrollDown => self.go_to_row(at + 3),
            MouseEventKind::ScrollUp => self.go_to_row(at.saturating_sub(3)),
            MouseEventKind::Down(MouseButton::Left) if row > 0 => {
                let wanted = self.top + usize::from(row) - 1;
                if wanted < self.row_count() {
                    self.leave_field();
                    self.focus = Focus::Table;
                    if wanted == at && self.doc.editable().is_ok() {
                        self.enter_form(None);
                    } else {
                        self.go_to_row(wanted);
                    }
                }
            }
            _ => {}
        }
        self.keep_in_sight(cx);
        Vec::new()
    }

    /// What was typed into the filter; `None`: it was not for it.
    pub(super) fn typed(&mut self, typed: Typed<Target>, cx: &Context<'_>) -> Option<Vec<Step>> {
        match typed {
            Typed::Elsewhere => return None,
            Typed::Same => {}
            Typed::Kept => self.typing = None,
            Typed::Now { text, home, open } => {
                if !open {
                    self.typing = None;
                }
                self.set_filter(&text);
                if let Some(home) = home.filter(|home| self.is_shown(*home)) {
                    self.cursor = home;
                }
                self.keep_in_sight(cx);
            }
        }
        Some(Vec::new())
    }

    /// Whether the filter lets it through.
    fn is_shown(&self, target: Target) -> bool {
        match (target, &self.visible) {
            (Target::Entry(i), Some(visible)) => visible.binary_search(&i).is_ok(),
            _ => true,
        }
    }

    pub(super) fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.refilter();
    }

    pub(super) fn refilter(&mut self) {
        if self.filter.trim().is_empty() {
            self.visible = None;
            return;
        }
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |i: usize| {
            let mut row = self.entry_type(i).word().to_owned();
            for key in ["name", "job_id", "cluster", "project", "image"] {
                row.push(' ');
                row.push_str(self.doc.scalar(i, key).unwrap_or_default());
            }
            let row = row.to_lowercase();
            words.iter().all(|w| row.contains(w))
        };
        let visible: Vec<usize> = (0..self.doc.len()).filter(|i| fits(*i)).collect();
        if let Target::Entry(i) = self.cursor
            && visible.binary_search(&i).is_err()
        {
            let next = visible.iter().find(|v| **v > i).or(visible.last());
            self.cursor = next.map_or(Target::Batch, |i| Target::Entry(*i));
        }
        self.visible = Some(visible);
    }

    /// Type of an entry as written or inherited; training where that says nothing.
    pub fn entry_type(&self, entry: usize) -> JobType {
        let word = match self.doc.scalar(entry, "type") {
            Some(word) => Some(word.to_owned()),
            None => self.doc.default_of("type").and_then(|n| n.as_scalar().map(|s| s.text.clone())),
        };
        JobType::ALL.into_iter().find(|t| word.as_deref() == Some(t.word())).unwrap_or_default()
    }

    /// Name of an entry, under whichever word it is written.
    pub fn entry_name(&self, entry: usize) -> Option<&str> {
        self.doc.scalar(entry, "name").or_else(|| self.doc.scalar(entry, "job_id"))
    }

    pub(super) fn names(&self) -> BTreeSet<&str> {
        (0..self.doc.len()).filter_map(|i| self.entry_name(i)).collect()
    }
}

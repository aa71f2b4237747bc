//! The form of what is under the cursor: its rows, moving between them, keys.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Compose, Focus, document::source::Item, is_ctrl};
use crate::{
    app::{
        form::{
            self, Row, Target,
            editor::{Editor, Outcome},
            picker::Picked,
            value,
        },
        keymap::Action,
        screen::{Context, Step},
    },
    domain::{
        fields::FieldKind,
        finding::Finding,
        job::JobType,
        site::ClusterKind,
        tree::{Node, Value},
    },
};

impl Compose {
    /// Kind of the clusters an entry may go to, where that is plain to see.
    fn kind_of(&self, target: Target) -> Option<ClusterKind> {
        let of = |name: &String| {
            let known = self.kinds.iter().find(|(id, _)| id == name).map(|(_, kind)| *kind);
            known.or((name == "local").then_some(ClusterKind::Local))
        };
        let names = self.clusters_of(target);
        let mut kinds = names.iter().map(of);
        let first = kinds.next()??;
        kinds.all(|kind| kind == Some(first)).then_some(first)
    }

    /// The clusters that an entry names, or else those it would go to.
    pub(super) fn clusters_of(&self, target: Target) -> Vec<String> {
        let written = match target {
            Target::Entry(i) => self.doc.field(Some(i), "cluster"),
            Target::Batch => None,
        };
        let value = written.or_else(|| self.doc.default_of("cluster"));
        let name = |node: &Node| node.as_scalar().map(|name| name.text.clone());
        match value {
            Some(Node { value: Value::Seq(names), .. }) => names.iter().filter_map(name).collect(),
            Some(node) if !node.is_null() => name(&node).into_iter().collect(),
            _ => self.default_cluster.iter().cloned().collect(),
        }
    }

    /// Makes the rows of the form anew; the focused field stays where it can.
    pub(super) fn rebuild_form(&mut self) {
        let focused = self.focused_row().and_then(|r| r.key().map(str::to_owned));
        let same = self.form.target == self.cursor;
        let prefilled = same && self.form.prefilled;
        self.form.target = self.cursor;
        let present = match self.cursor {
            Target::Batch => self.doc.head().map(Item::keys).unwrap_or_default(),
            Target::Entry(i) => self.doc.fields_of(i),
        };
        let present: Vec<&str> = present.iter().map(String::as_str).collect();
        let defaults = self.doc.head().and_then(|h| h.get("defaults")).map(|p| &p.value);
        let inherited: Vec<String> = defaults
            .and_then(|item| item.pairs())
            .map(|pairs| pairs.iter().map(|p| p.key.clone()).collect())
            .unwrap_or_default();
        let job_type = match self.cursor {
            Target::Entry(i) => self.entry_type(i),
            Target::Batch => JobType::Training,
        };
        let wrong: Vec<String> = self
            .planned
            .of_target(self.cursor)
            .filter_map(|f| form::field_of(&f.path).map(str::to_owned))
            .collect();
        self.form.rows = form::rows(
            self.cursor,
            job_type,
            self.kind_of(self.cursor),
            &present,
            &inherited,
            &|key| wrong.iter().any(|w| w == key),
            self.form.open,
        );
        let back = focused
            .and_then(|key| self.form.rows.iter().position(|r| r.key() == Some(key.as_str())));
        // A form that was not used yet begins at the name, not at the type.
        let name = || self.form.rows.iter().position(|r| r.key() == Some("name")).unwrap_or(0);
        self.form.focus = back.unwrap_or_else(name);
        if !same {
            self.form.picker = None;
        }
        self.load_field();
        self.form.prefilled = prefilled && back.is_some();
    }

    pub fn focused_row(&self) -> Option<&Row> {
        self.form.rows.get(self.form.focus)
    }

    /// The field that the first finding of the current row is about.
    pub(super) fn first_wrong_field(&self) -> Option<String> {
        let mut findings: Vec<&Finding> = self.planned.of_target(self.cursor).collect();
        findings.sort_by_key(|f| f.severity);
        findings
            .into_iter()
            .find_map(|f| form::field_of(&f.path).map(str::to_owned))
            .filter(|key| key != "jobs")
    }

    /// Gives the form the keys, at a field or where it was. Whether it could go
    /// there.
    pub(super) fn enter_form(&mut self, field: Option<&str>) -> bool {
        if self.doc.editable().is_err() {
            return false;
        }
        self.focus = Focus::Form;
        self.pane = None;
        self.rebuild_form();
        let found = field.is_none_or(|field| self.find_field(field));
        self.load_field();
        found
    }

    /// Puts the focus on a field, if need be behind the fold.
    fn find_field(&mut self, field: &str) -> bool {
        let place = |rows: &[Row]| {
            rows.iter().position(|row| match row {
                Row::Field(spec) | Row::Default(spec) => {
                    spec.key == field || spec.aliases.contains(&field)
                }
                row => row.key() == Some(field),
            })
        };
        let mut at = place(&self.form.rows);
        if at.is_none() && !self.form.open {
            self.form.open = true;
            self.rebuild_form();
            at = place(&self.form.rows);
            if at.is_none() {
                self.form.open = false;
                self.rebuild_form();
            }
        }
        if let Some(at) = at {
            self.form.focus = at;
        }
        at.is_some()
    }

    /// Takes the text of the focused field into the editor.
    pub(super) fn load_field(&mut self) {
        let Some(row) = self.focused_row().cloned() else {
            self.form.editor = Editor::line("");
            return;
        };
        let text = self.field_text(self.form.target, &row);
        let area = value::is_area(row.kind()) || text.contains('\n');
        self.form.editor = if area { Editor::area(&text) } else { Editor::line(&text) };
        self.form.trouble = self.unreadable(&row);
        self.form.picker = None;
        self.form.prefilled = false;
    }

    /// Ends the undo step of the field that was edited.
    pub(super) fn leave_field(&mut self) {
        self.doc.seal();
        self.form.picker = None;
    }

    fn leave_form(&mut self) {
        self.leave_field();
        self.focus = Focus::Table;
        self.rebuild_form();
    }

    fn focus_row(&mut self, at: usize) {
        self.leave_field();
        self.form.focus = at.min(self.form.rows.len().saturating_sub(1));
        self.load_field();
    }

    /// A click on a row of the form; on the fold it opens or closes it.
    pub(super) fn click_field(&mut self, at: usize) {
        if self.focus == Focus::Form || self.enter_form(None) {
            self.focus_row(at);
            self.toggle_more();
        }
    }

    pub(super) fn first_field(&mut self) {
        self.focus_row(0);
    }

    pub(super) fn last_field(&mut self) {
        self.focus_row(usize::MAX);
    }

    fn next_field(&mut self, around: bool) {
        if self.form.focus + 1 < self.form.rows.len() {
            self.focus_row(self.form.focus + 1);
        } else if around {
            self.leave_form();
        }
    }

    fn previous_field(&mut self, around: bool) {
        match self.form.focus.checked_sub(1) {
            Some(at) => self.focus_row(at),
            None if around => self.leave_form(),
            None => {}
        }
    }

    /// Actions while the form has the keys: from the palette or the mouse.
    pub(super) fn form_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        match action {
            Action::PageDown | Action::PageUp => self.other_job(action == Action::PageDown, cx),
            Action::Back => self.leave_form(),
            Action::NextPane | Action::Down => self.next_field(action == Action::NextPane),
            Action::PreviousPane | Action::Up => {
                self.previous_field(action == Action::PreviousPane);
            }
            Action::Activate => self.toggle_more(),
            _ => {}
        }
        Vec::new()
    }

    fn toggle_more(&mut self) {
        if let Some(Row::More { .. }) = self.focused_row() {
            self.form.open = !self.form.open;
            let at = self.form.focus;
            self.rebuild_form();
            self.form.focus = at.min(self.form.rows.len().saturating_sub(1));
            self.load_field();
        }
    }

    pub(super) fn form_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        if let Some(picker) = &mut self.form.picker {
            if ['s', 'o', 'y', 'z'].iter().any(|c| is_ctrl(key, *c)) {
                return None;
            }
            let picked = picker.on_key(key);
            return Some(match picked {
                Picked::Open => Vec::new(),
                Picked::Closed => {
                    self.form.picker = None;
                    Vec::new()
                }
                Picked::Value(word) => self.take(&word, cx),
            });
        }
        let plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
        match key.code {
            KeyCode::Esc => {
                self.leave_form();
                return Some(Vec::new());
            }
            KeyCode::Tab => {
                self.next_field(true);
                return Some(Vec::new());
            }
            KeyCode::BackTab => {
                self.previous_field(true);
                return Some(Vec::new());
            }
            _ => {}
        }
        let row = self.focused_row().cloned()?;
        if matches!(row, Row::More { .. }) {
            return match key.code {
                KeyCode::Enter
                | KeyCode::Char(' ' | 'l' | 'h')
                | KeyCode::Left
                | KeyCode::Right => {
                    self.toggle_more();
                    Some(Vec::new())
                }
                KeyCode::Down => {
                    self.next_field(false);
                    Some(Vec::new())
                }
                KeyCode::Up => {
                    self.previous_field(false);
                    Some(Vec::new())
                }
                _ => None,
            };
        }
        // Words that are all known: typing narrows the list.
        let closed = matches!(row.kind(), FieldKind::Choice(_) | FieldKind::Flag);
        if closed && plain {
            match key.code {
                KeyCode::Char(' ') | KeyCode::Enter => {
                    self.open_picker(&row, cx);
                    return Some(Vec::new());
                }
                KeyCode::Char(_) => {
                    self.open_picker(&row, cx);
                    if let Some(picker) = &mut self.form.picker {
                        picker.on_key(key);
                    }
                    return Some(Vec::new());
                }
                KeyCode::Backspace | KeyCode::Delete => {
                    self.form.editor = Editor::line("");
                    return Some(self.write(cx));
                }
                _ => {}
            }
        }
        if key.code == KeyCode::Enter && plain && !self.form.editor.is_many() {
            if self.choices(&row, cx).is_empty() {
                self.next_field(false);
            } else {
                self.open_picker(&row, cx);
            }
            return Some(Vec::new());
        }
        let replaces = matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace | KeyCode::Delete);
        if std::mem::take(&mut self.form.prefilled) && plain && replaces {
            self.form.editor = Editor::line("");
            if !matches!(key.code, KeyCode::Char(_)) {
                return Some(self.write(cx));
            }
        }
        match self.form.editor.on_key(key, 8) {
            Outcome::Changed => Some(self.write(cx)),
            Outcome::Moved => Some(Vec::new()),
            Outcome::Ignored => match key.code {
                KeyCode::Down => {
                    self.next_field(false);
                    Some(Vec::new())
                }
                KeyCode::Up => {
                    self.previous_field(false);
                    Some(Vec::new())
                }
                // Nothing typed in a field may be taken for a command.
                KeyCode::Char(_) if plain => Some(Vec::new()),
                KeyCode::Left | KeyCode::Right | KeyCode::Backspace | KeyCode::Delete => {
                    Some(Vec::new())
                }
                KeyCode::Char('u' | 'd' | 'k' | 'w' | 'b' | 'f' | 'h') => Some(Vec::new()),
                _ => None,
            },
        }
    }

    pub(super) fn form_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        if let Some(picker) = &mut self.form.picker {
            picker.filter.insert(text);
            picker.selected = 0;
            return Vec::new();
        }
        if matches!(self.focused_row(), None | Some(Row::More { .. })) {
            return Vec::new();
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        if std::mem::take(&mut self.form.prefilled) {
            self.form.editor = Editor::line("");
        }
        self.form.editor.insert(text);
        self.write(cx)
    }

    /// The same field of the next or previous job.
    fn other_job(&mut self, next: bool, cx: &Context<'_>) {
        self.leave_field();
        let at = self.cursor_row();
        let to = if next { at + 1 } else { at.saturating_sub(1) };
        if let Some(target) = self.row(to) {
            self.cursor = target;
            self.rebuild_form();
            self.keep_in_sight(cx);
        }
    }
}

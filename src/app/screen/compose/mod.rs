//! The compose view: the batch as a table of jobs, a form for the current one,
//! and the whole as YAML.
//!
//! ```text
//! key ─▶ table · form · pane ─▶ Document (the text) ─▶ Effect::Plan, Effect::SaveDraft
//!                                   ▲                          │
//!                     rows, fields ─┘        Msg::Planned ─▶ Planned (counts, findings)
//! ```
//! Planning happens in the runtime; the newest revision wins, so typing never
//! waits for it. Everything typed is in the document at once, and the document in
//! a draft, so that nothing is lost by leaving, by Esc or by a lost connection.

mod change;
pub mod chooser;
pub mod document;
mod fields;
mod files;
mod import;
mod input;
mod jobs;
pub mod layout;
mod names;
mod pane;
pub mod planned;
mod table;
mod templates;
#[cfg(test)]
pub(crate) mod tests;
mod values;
#[cfg(test)]
mod walk;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{Context, Step, View};
use crate::{
    app::{
        filter::FilterLine,
        form::{Row, Target, editor::Editor, picker::Picker},
        keymap::{Action, Scope},
        msg::{Draft, Msg},
        overlay::PromptPurpose,
    },
    domain::{
        site::{ClusterKind, Offers},
        tree::Pos,
    },
};
use chooser::Chooser;
use document::Document;
use layout::Layout;
use pane::Pane;
use planned::Planned;
use templates::{ask_to_replace, template_saved};

/// What has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    #[default]
    Table,
    Form,
    Yaml,
    /// The list of drafts that an earlier session left.
    Drafts,
}

/// The form of what is under the cursor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Form {
    pub target: Target,
    pub rows: Vec<Row>,
    pub focus: usize,
    /// The less common fields are shown.
    pub open: bool,
    /// Text of the focused field.
    pub editor: Editor,
    pub picker: Option<Picker>,
    /// The text was made up by the program: what is typed first replaces it.
    pub prefilled: bool,
    /// Why that text is not in the document.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compose {
    pub doc: Document,
    pub path: Option<PathBuf>,
    /// The text as the file has it.
    saved: String,
    /// Text as it came from a run or the quickstart, which can be had again.
    came: String,
    pub unsaved: bool,
    /// Nothing is at `path` yet: saving makes the file.
    pub is_new: bool,
    pub focus: Focus,
    pub cursor: Target,
    /// First row of the table shown.
    pub top: usize,
    /// Entries that are marked.
    pub marks: BTreeSet<usize>,
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<FilterLine<Target>>,
    /// Entries that the filter lets through; `None`: all.
    visible: Option<Vec<usize>>,
    pub form: Form,
    pub pane: Option<Pane>,
    /// A list over the view: types of a new job, templates.
    pub chooser: Option<Chooser>,
    pub planned: Planned,
    revision: u64,
    /// Texts of fields that say nothing yet, by target and key.
    unwritten: BTreeMap<(Target, String), String>,
    pub drafts: Vec<Draft>,
    pub draft: usize,
    draft_id: Option<String>,
    /// The file's text as it was last read or written, byte for byte.
    on_disk: Option<String>,
    /// What is on its way to a file: the text, and as the file will have it.
    saving: Option<(String, String)>,
    /// Name of a batch that came without a file.
    given_name: Option<String>,
    kinds: Vec<(String, ClusterKind)>,
    /// What clusters told for fields of their own.
    offers: BTreeMap<String, Arc<Offers>>,
    default_cluster: Option<String>,
}

impl Compose {
    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        match self.focus {
            Focus::Table | Focus::Drafts => Scope::Compose,
            Focus::Form => Scope::Form,
            Focus::Yaml => Scope::Text,
        }
    }

    /// Answers an action of this scope or a movement. `Back` with nothing of its
    /// own to close is answered with [`Step::Back`].
    pub fn on_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        self.learn(cx);
        let steps = match action {
            Action::Save => self.save(),
            Action::SaveAs => self.save_as(),
            Action::Open => self.open(),
            Action::Undo => self.undo(cx),
            Action::Redo => self.redo(cx),
            Action::EditYaml => {
                self.toggle_pane(cx);
                Vec::new()
            }
            Action::Preview => {
                self.leave_field();
                self.unreadable_first().unwrap_or_else(|| vec![Step::Go(View::Preview)])
            }
            _ => match self.focus {
                Focus::Drafts => self.drafts_action(action, cx),
                Focus::Table => self.table_action(action, cx),
                Focus::Form => self.form_action(action, cx),
                Focus::Yaml => self.pane_action(action, cx),
            },
        };
        self.keep_in_sight(cx);
        steps
    }

    /// Whether the action makes sense now; `Err` says why not.
    pub fn enabled(&self, action: Action) -> Result<(), &'static str> {
        let entry = matches!(self.cursor, Target::Entry(_)) && !self.doc.is_empty();
        let parts = || match self.doc.editable() {
            Ok(()) => Ok(()),
            Err(document::edit::EditError::Syntax(_)) => {
                Err("the text has a syntax error; press E to mend it")
            }
            Err(_) => Err("the text is not a batch; press E to mend it"),
        };
        let some_job =
            || if entry || !self.marks.is_empty() { Ok(()) } else { Err("no job is chosen") };
        match action {
            Action::NewJob | Action::EditJob | Action::Templates => parts(),
            Action::DuplicateJob | Action::DeleteJob | Action::SaveTemplate => {
                if self.focus == Focus::Drafts && action == Action::DeleteJob {
                    return Ok(());
                }
                parts().and_then(|()| some_job())
            }
            Action::MoveJobDown | Action::MoveJobUp => {
                parts()?;
                if !self.filter.is_empty() {
                    return Err("clear the filter first (Esc)");
                }
                if entry { Ok(()) } else { Err("no job is chosen") }
            }
            Action::NextFailed
                if self.planned.findings.is_empty() && self.doc.error().is_none() =>
            {
                Err("nothing is wrong")
            }
            Action::Activate if self.focus == Focus::Form && !self.may_choose() => {
                Err("this field has no list")
            }
            Action::Undo if !self.doc.can_undo() => Err("nothing to undo"),
            Action::Redo if !self.doc.can_redo() => Err("nothing to redo"),
            Action::Mark | Action::MarkAll | Action::Filter if self.doc.is_empty() => {
                Err("there is no job yet")
            }
            Action::Preview if self.doc.is_empty() && self.doc.error().is_none() => {
                Err("there is no job yet; press n to make one")
            }
            _ => Ok(()),
        }
    }

    /// The answer to a prompt this view opened.
    pub fn on_prompt(&mut self, purpose: PromptPurpose, text: &str) -> Vec<Step> {
        match purpose {
            PromptPurpose::OpenPath => self.open_path(text),
            PromptPurpose::SavePath => self.save_path(text),
            PromptPurpose::TemplateName => self.save_template(text),
        }
    }

    /// News for this view.
    pub fn on_msg(&mut self, msg: Msg, cx: &Context<'_>) -> Vec<Step> {
        self.learn(cx);
        match msg {
            Msg::FileOpened { path, text } => self.opened(path, &text, cx),
            Msg::FileNew { path } => self.new_file(path, cx),
            Msg::FileSaved { path } => self.file_saved(path),
            Msg::FileDiffers { path, new } => self.file_differs(path, new),
            Msg::Cloned { name, text } => self.cloned(name, &text, cx),
            Msg::Templates(library) => self.show_templates(library, cx),
            Msg::TemplateExists { name, path, text } => ask_to_replace(name, &path, text),
            Msg::TemplateSaved { name, path, shadows } => template_saved(&name, &path, &shadows),
            Msg::Drafts(drafts) => {
                self.found_drafts(drafts);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// From a finding in Preview: go to that field, or to its place in the text
    /// when no form has the field.
    pub fn focus_field(&mut self, target: Target, field: Option<&str>, at: Option<Pos>) {
        if self.doc.editable().is_err() {
            return self.open_pane_at(at);
        }
        self.set_filter("");
        self.cursor = match target {
            Target::Entry(i) if i < self.doc.len() => target,
            _ => Target::Batch,
        };
        self.pane = None;
        if !self.enter_form(field) && at.is_some() {
            self.open_pane_at(at);
        }
    }

    /// Goes to a field whose text is not in the batch, if there is one: the batch
    /// is not what was typed.
    pub fn unreadable_first(&mut self) -> Option<Vec<Step>> {
        let (target, key) = self.unwritten.keys().next().cloned()?;
        self.cursor = target;
        self.set_filter("");
        self.enter_form(Some(&key));
        let words = "mend or empty this field first";
        Some(vec![Step::Go(View::Compose), Step::Notice(words.into())])
    }

    /// What leaving now would lose or leave undone, a line each, for the quit box.
    pub fn would_lose(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.unsaved && self.doc.text() != self.came {
            lines.push(format!("{} has changes that are not saved", self.title()));
        }
        if !self.unwritten.is_empty() {
            let count = self.unwritten.len();
            let fields =
                if count == 1 { "a field has".into() } else { format!("{count} fields have") };
            lines.push(format!("{fields} text that cannot be read yet"));
        }
        lines
    }

    /// The batch's name, as the header shows it.
    pub fn title(&self) -> String {
        let head = self.doc.head().and_then(|h| h.get("name")).map(|p| p.value.node());
        if let Some(name) = head.as_ref().and_then(|n| n.as_scalar()).filter(|s| !s.is_null()) {
            return name.text.clone();
        }
        self.default_name()
    }

    /// What the batch is called when it does not say.
    fn default_name(&self) -> String {
        self.path
            .as_ref()
            .and_then(|p| p.file_stem())
            .map(|stem| stem.to_string_lossy().into_owned())
            .or_else(|| self.given_name.clone())
            .unwrap_or_else(|| "batch".into())
    }

    pub fn layout(&self, cx: &Context<'_>) -> Layout {
        Layout::new(cx.width, cx.height.saturating_sub(2), self.focus)
    }

    /// Name of a configured cluster, for an example.
    pub fn a_cluster(&self) -> Option<&str> {
        self.kinds.first().map(|(name, _)| name.as_str())
    }

    fn learn(&mut self, cx: &Context<'_>) {
        let cached = cx.settings.views.iter().map(|(id, view)| (id, &view.offers));
        let told = cx.clusters.iter().map(|cluster| (&cluster.id, &cluster.offers));
        let known = cached.chain(told);
        self.offers = known
            .filter_map(|(id, offers)| Some((id.as_str().to_owned(), Arc::clone(offers.as_ref()?))))
            .collect();
        if self.kinds.len() != cx.clusters.len() {
            self.kinds = cx.clusters.iter().map(|c| (c.id.as_str().to_owned(), c.kind)).collect();
        }
        if self.default_cluster != cx.settings.default_cluster || self.default_cluster.is_none() {
            self.default_cluster = cx.settings.default_cluster.clone().or_else(|| {
                match cx.settings.cluster_names.as_slice() {
                    [only] => Some(only.clone()),
                    _ => None,
                }
            });
        }
    }

    /// Keeps the cursor on something that is there.
    fn clamp(&mut self) {
        if let Target::Entry(i) = self.cursor
            && i >= self.doc.len()
        {
            self.cursor = self.doc.len().checked_sub(1).map_or(Target::Batch, Target::Entry);
        }
        self.marks.retain(|i| *i < self.doc.len());
        if self.form.target != self.cursor {
            self.rebuild_form();
        }
    }
}

/// Ctrl with a letter.
fn is_ctrl(key: KeyEvent, letter: char) -> bool {
    key.modifiers.contains(KeyModifiers::CONTROL)
        && matches!(key.code, KeyCode::Char(c) if c.eq_ignore_ascii_case(&letter))
}

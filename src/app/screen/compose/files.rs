//! Opening, saving, and drafts.

use std::path::PathBuf;

use super::{Compose, Focus, document::Document};
use crate::app::{
    effect::Effect,
    form::Target,
    keymap::Action,
    msg::{Draft, HalfTyped},
    overlay::{Confirm, Confirmed, Overlay, Prompt, PromptPurpose},
    screen::{Context, Step},
    text::count,
};

impl Compose {
    pub(super) fn save(&mut self) -> Vec<Step> {
        self.leave_field();
        match self.path.clone() {
            Some(path) => vec![self.write_file(path)],
            None => self.save_as(),
        }
    }

    pub(super) fn save_as(&mut self) -> Vec<Step> {
        let suggestion = match &self.path {
            Some(path) => path.to_string_lossy().into_owned(),
            None => format!("{}.yaml", self.title()),
        };
        let prompt = Prompt::new("Save as", suggestion, PromptPurpose::SavePath);
        vec![Step::Push(Overlay::Prompt(prompt))]
    }

    pub(super) fn save_path(&mut self, text: &str) -> Vec<Step> {
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        vec![self.write_file(PathBuf::from(text))]
    }

    fn write_file(&mut self, path: PathBuf) -> Step {
        let text = self.doc.file_text();
        self.saving = Some((self.doc.text().to_owned(), text.clone()));
        let known = self.on_disk.clone().filter(|_| self.path.as_ref() == Some(&path));
        Step::Do(Effect::SaveFile { path, text, known, replace: false })
    }

    /// Something else is where the batch was to be saved: it is replaced only
    /// after a `y`.
    pub(super) fn file_differs(&mut self, path: PathBuf, new: bool) -> Vec<Step> {
        let Some((_, text)) = &self.saving else { return Vec::new() };
        let why = if new {
            "a file of this name is there already"
        } else {
            "it was changed by something else since it was opened here"
        };
        let title = format!("Replace {}?", path.display());
        let save = Effect::SaveFile { path, text: text.clone(), known: None, replace: true };
        let confirm = Confirm::new(title, vec![why.into()], Confirmed::Discard(Box::new(save)));
        vec![Step::Push(Overlay::Confirm(confirm))]
    }

    pub(super) fn file_saved(&mut self, path: PathBuf) -> Vec<Step> {
        let Some((saved, on_disk)) = self.saving.take() else { return Vec::new() };
        self.on_disk = Some(on_disk);
        self.is_new = false;
        let renamed = self.path.as_ref() != Some(&path);
        let notice = Step::Notice(format!("saved {}", path.display()));
        self.path = Some(path);
        self.saved = saved;
        self.unsaved = self.doc.text() != self.saved;
        let mut steps = vec![notice];
        if !self.unsaved && self.unwritten.is_empty() {
            steps.extend(self.forget_draft());
        }
        if renamed {
            // The name and where relative paths start may be others now.
            steps.push(self.plan(false));
        }
        steps
    }

    pub(super) fn open(&mut self) -> Vec<Step> {
        self.leave_field();
        let folder = self
            .path
            .as_ref()
            .and_then(|p| p.parent())
            .filter(|p| !p.as_os_str().is_empty())
            .map(|p| format!("{}/", p.display()))
            .unwrap_or_default();
        vec![Step::Push(Overlay::Prompt(Prompt::new("Open", folder, PromptPurpose::OpenPath)))]
    }

    pub(super) fn open_path(&mut self, text: &str) -> Vec<Step> {
        let text = text.trim();
        if text.is_empty() {
            return Vec::new();
        }
        let open = Effect::OpenFile { path: PathBuf::from(text), may_be_new: false };
        let lost = self.would_lose();
        if lost.is_empty() {
            return vec![Step::Do(open)];
        }
        let confirm =
            Confirm::new(format!("Open {text} instead?"), lost, Confirmed::Discard(Box::new(open)));
        vec![Step::Push(Overlay::Confirm(confirm))]
    }

    pub(super) fn opened(&mut self, path: PathBuf, text: &str, cx: &Context<'_>) -> Vec<Step> {
        let mut steps: Vec<Step> = self.forget_draft().into_iter().collect();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if let Some(imported) = super::import::file(&name, text) {
            // The script or table itself is never written over.
            let stem = path.file_stem().map(|n| n.to_string_lossy().into_owned());
            self.replace("", None, stem);
            let kind = imported.kind;
            if let Err(why) = self.put_imported(0, imported) {
                return vec![Step::Notice(why.to_string())];
            }
            let made = self.doc.text().to_owned();
            self.replace(&made, None, self.given_name.clone());
            steps.extend(self.changed(cx));
            steps.push(Step::Notice(format!("made of {kind}: ^S saves it as a batch")));
            self.keep_in_sight(cx);
            return steps;
        }
        self.replace(text, Some(path), None);
        self.on_disk = Some(text.to_owned());
        self.doc.text().clone_into(&mut self.saved);
        self.unsaved = false;
        steps.push(self.plan(false));
        self.offer_drafts();
        self.keep_in_sight(cx);
        steps
    }

    /// An empty batch that will be saved under a name nothing has yet.
    pub(super) fn new_file(&mut self, path: PathBuf, cx: &Context<'_>) -> Vec<Step> {
        let mut steps: Vec<Step> = self.forget_draft().into_iter().collect();
        let words = format!("new file: ^S makes {}", path.display());
        self.replace("", Some(path), None);
        self.is_new = true;
        steps.push(self.plan(false));
        steps.push(Step::Notice(words));
        self.offer_drafts();
        self.keep_in_sight(cx);
        steps
    }

    /// A batch that came without a file: cloned from a run, or the quickstart.
    /// Whether what was there may go was asked before.
    pub(super) fn cloned(&mut self, name: String, text: &str, cx: &Context<'_>) -> Vec<Step> {
        let mut steps: Vec<Step> = self.forget_draft().into_iter().collect();
        self.replace(text, None, Some(name));
        self.doc.text().clone_into(&mut self.came);
        steps.extend(self.changed(cx));
        self.keep_in_sight(cx);
        steps
    }

    fn replace(&mut self, text: &str, path: Option<PathBuf>, name: Option<String>) {
        self.doc = Document::new(text);
        self.path = path;
        self.given_name = name;
        self.saved = String::new();
        self.came = String::new();
        self.draft_id = None;
        self.on_disk = None;
        self.is_new = false;
        self.saving = None;
        self.marks.clear();
        self.unwritten.clear();
        self.pane = None;
        self.chooser = None;
        self.planned = super::Planned::default();
        self.set_filter("");
        self.cursor = if self.doc.is_empty() { Target::Batch } else { Target::Entry(0) };
        self.top = 0;
        self.focus = Focus::Table;
        self.form = super::Form::default();
        self.rebuild_form();
    }

    pub(super) fn found_drafts(&mut self, drafts: Vec<Draft>) {
        self.drafts = drafts;
        self.drafts.sort_by_key(|d| std::cmp::Reverse(d.saved_at));
        self.offer_drafts();
    }

    /// Shows the drafts unless something is being written already.
    fn offer_drafts(&mut self) {
        if !self.drafts.is_empty() && !self.unsaved && self.focus == Focus::Table {
            self.focus = Focus::Drafts;
            // The one of the file that is open comes first.
            let own = |draft: &Draft| self.path.is_some() && draft.path == self.path;
            self.draft = self.drafts.iter().position(own).unwrap_or(0);
        }
    }

    /// Whether the drafts that are offered are all of the file that is open.
    pub fn offers_own_drafts(&self) -> bool {
        self.path.is_some() && self.drafts.iter().all(|draft| draft.path == self.path)
    }

    /// A draft was thrown away.
    pub fn draft_gone(&mut self, id: &str) {
        self.drafts.retain(|draft| draft.id != id);
        self.draft = self.draft.min(self.drafts.len().saturating_sub(1));
        if self.drafts.is_empty() && self.focus == Focus::Drafts {
            self.focus = Focus::Table;
        }
    }

    pub(super) fn drafts_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        let last = self.drafts.len().saturating_sub(1);
        match action {
            Action::Up => self.draft = self.draft.saturating_sub(1),
            Action::Down => self.draft = (self.draft + 1).min(last),
            Action::Top => self.draft = 0,
            Action::Bottom => self.draft = last,
            Action::Activate | Action::EditJob => return self.restore(cx),
            Action::DeleteJob => return self.ask_to_forget(),
            Action::Back => self.focus = Focus::Table,
            Action::NewJob | Action::Templates => {
                self.focus = Focus::Table;
                return self.table_action(action, cx);
            }
            _ => {}
        }
        Vec::new()
    }

    /// The question before the draft under the cursor is thrown away.
    fn ask_to_forget(&self) -> Vec<Step> {
        let Some(draft) = self.drafts.get(self.draft) else { return Vec::new() };
        let of = draft.path.as_ref().map_or_else(
            || "a batch that has no file".to_owned(),
            |path| path.display().to_string(),
        );
        let lines = draft.text.lines().count() as u64;
        let lines = vec![of, format!("{} that are in no file", count(lines, "line"))];
        let forget = Effect::SaveDraft {
            id: draft.id.clone(),
            path: draft.path.clone(),
            text: None,
            half_typed: Vec::new(),
        };
        let action = Confirmed::Discard(Box::new(forget));
        let question = Confirm::new("Throw this draft away?", lines, action);
        vec![Step::Push(Overlay::Confirm(question))]
    }

    /// Goes on with the draft under the cursor.
    fn restore(&mut self, cx: &Context<'_>) -> Vec<Step> {
        if self.draft >= self.drafts.len() {
            return Vec::new();
        }
        let draft = self.drafts.remove(self.draft);
        let is_open = draft.path.is_some() && draft.path == self.path;
        let file = (self.saved.clone(), self.on_disk.take(), self.is_new);
        self.replace(&draft.text, draft.path.clone(), None);
        if is_open {
            // What is in the file was read a moment ago.
            (self.saved, self.on_disk, self.is_new) = file;
        }
        self.draft_id = Some(draft.id);
        for HalfTyped { entry, field, text } in draft.half_typed {
            let target = entry.map_or(Target::Batch, Target::Entry);
            if entry.is_none_or(|i| i < self.doc.len()) {
                self.unwritten.insert((target, field), text);
            }
        }
        self.rebuild_form();
        let mut steps = self.changed(cx);
        steps.push(Step::Notice("the draft is back; ^S saves it".into()));
        self.keep_in_sight(cx);
        steps
    }
}

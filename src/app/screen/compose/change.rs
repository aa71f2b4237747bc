//! The text has changed: it is planned and kept as a draft, and can be taken back.

use std::path::PathBuf;

use super::{Compose, document::Undone, planned::Planned};
use crate::{
    app::{
        effect::Effect,
        form::Target,
        msg::HalfTyped,
        screen::{Context, Step},
    },
    domain::plan::Plan,
};

impl Compose {
    /// The text has changed: plan it, keep it as a draft.
    pub(super) fn changed(&mut self, cx: &Context<'_>) -> Vec<Step> {
        self.unsaved = self.doc.text() != self.saved;
        let mut steps = vec![self.plan(false)];
        steps.extend(self.keep_draft(cx));
        steps
    }

    /// What would be lost is kept; a draft of what would not be is not needed.
    pub(super) fn keep_draft(&mut self, cx: &Context<'_>) -> Option<Step> {
        if !self.unsaved && self.unwritten.is_empty() {
            return self.forget_draft();
        }
        let id = self.draft_id.get_or_insert_with(|| cx.now.as_millisecond().to_string()).clone();
        let half_typed = self.unwritten.iter().map(|((target, field), text)| HalfTyped {
            entry: match target {
                Target::Batch => None,
                Target::Entry(i) => Some(*i),
            },
            field: field.clone(),
            text: text.clone(),
        });
        Some(Step::Do(Effect::SaveDraft {
            id,
            path: self.path.clone(),
            text: Some(self.doc.file_text()),
            half_typed: half_typed.collect(),
        }))
    }

    pub(super) fn plan(&mut self, again: bool) -> Step {
        self.revision += 1;
        Step::Do(Effect::Plan {
            revision: self.revision,
            name: self.default_name(),
            base_dir: self.path.as_ref().and_then(|p| p.parent()).map(PathBuf::from),
            text: self.doc.text().to_owned(),
            again,
        })
    }

    /// The same text once more, because what it is planned against has changed;
    /// `None`: there is no text yet.
    pub fn plan_again(&mut self) -> Option<Step> {
        (self.revision > 0).then(|| self.plan(true))
    }

    /// The plan is of the text as it is now.
    pub fn is_planned(&self) -> bool {
        self.planned.revision == self.revision
    }

    /// The plan of the newest revision, for findings under their fields.
    pub fn on_planned(&mut self, revision: u64, plan: &Plan, cx: &Context<'_>) {
        if revision != self.revision {
            return;
        }
        self.learn(cx);
        self.doc.settle();
        self.clamp();
        let fresh = Planned::of(revision, plan, self.doc.len());
        let before = std::mem::replace(&mut self.planned, fresh);
        if self.doc.error().is_some() {
            // The rows are those of the last good text, and so are their numbers.
            self.planned.entries = before.entries;
            self.planned.totals = before.totals;
        }
    }

    /// The batch was approved and is on its way: its draft is not needed any more.
    pub fn submitted(&mut self) -> Option<Effect> {
        match self.forget_draft() {
            Some(Step::Do(effect)) => Some(effect),
            _ => None,
        }
    }

    pub(super) fn forget_draft(&mut self) -> Option<Step> {
        let id = self.draft_id.take()?;
        Some(Step::Do(Effect::SaveDraft {
            id,
            path: self.path.clone(),
            text: None,
            half_typed: Vec::new(),
        }))
    }

    pub(super) fn undo(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let done = self.keeping_unwritten(|compose| compose.doc.undo());
        self.after_undo(done, cx)
    }

    pub(super) fn redo(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let done = self.keeping_unwritten(|compose| compose.doc.redo());
        self.after_undo(done, cx)
    }

    pub(super) fn after_undo(&mut self, done: Option<Undone>, cx: &Context<'_>) -> Vec<Step> {
        let Some(done) = done else {
            return vec![Step::Notice("nothing more".into())];
        };
        if let Some(entry) = done.entry {
            self.cursor = Target::Entry(entry);
        }
        if self.planned.entries.len() != self.doc.len() {
            self.marks.clear();
            self.planned.forget_places();
            self.planned.entries.resize(self.doc.len(), None);
        }
        self.refilter();
        self.clamp();
        self.rebuild_form();
        self.reload_pane(done.at, cx);
        self.changed(cx)
    }
}

//! A list over the view: of types for a new job, or of templates.

use crossterm::event::{KeyCode, KeyEvent};

use super::Compose;
use crate::{
    app::{
        form::picker::{Picked, Picker},
        screen::{Context, Step},
    },
    domain::{
        job::JobType,
        library::{Library, Template},
    },
};

/// What is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Choosing {
    JobType,
    /// `None`: the libraries are still being read.
    Template(Option<Library>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Chooser {
    pub what: Choosing,
    pub picker: Picker,
    /// Enter was the last key, and came before there was anything to take.
    pub(super) takes: bool,
}

impl Chooser {
    pub(super) fn new(what: Choosing, picker: Picker) -> Self {
        Self { what, picker, takes: false }
    }

    /// What can be chosen is not known yet.
    pub fn is_waiting(&self) -> bool {
        self.what == Choosing::Template(None)
    }

    /// The template under the cursor.
    pub fn template(&self) -> Option<&Template> {
        let Choosing::Template(Some(library)) = &self.what else { return None };
        library.get(&self.picker.shown().get(self.picker.selected)?.value)
    }
}

impl Compose {
    pub(super) fn chooser_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Vec<Step> {
        let Some(chooser) = &mut self.chooser else { return Vec::new() };
        let is_enter = matches!(key.code, KeyCode::Enter | KeyCode::Tab);
        chooser.takes = is_enter && chooser.is_waiting();
        if chooser.takes {
            return Vec::new();
        }
        match chooser.picker.on_key(key) {
            Picked::Open => Vec::new(),
            Picked::Closed => {
                self.chooser = None;
                Vec::new()
            }
            Picked::Value(_) if chooser.what != Choosing::JobType => self.take_template(cx),
            Picked::Value(word) => {
                self.chooser = None;
                let job_type =
                    JobType::ALL.into_iter().find(|t| t.word() == word).unwrap_or_default();
                self.add(job_type, cx)
            }
        }
    }
}

//! What lies over a screen: a stack in the model, top takes the keys.

pub mod confirm;
pub mod error;
pub mod help;
pub mod palette;
pub mod prompt;

use std::path::PathBuf;

use crate::{
    app::{
        effect::{Effect, RunCommand},
        line::Line,
    },
    domain::{ids::RunId, plan::Plan},
    error::Report,
};

/// What a `y` in the confirm box does. Confirmation is data, so that a test can
/// see what was asked and that nothing else leads there.
#[derive(Clone, Debug, PartialEq)]
pub enum Confirmed {
    Submit(Box<Plan>),
    Run {
        run: RunId,
        command: RunCommand,
    },
    /// Leave the program although something would be lost.
    Quit,
    /// Throw the present document away and go on with this.
    Discard(Box<Effect>),
}

/// The one confirm box: only `y` does it, every other key closes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Confirm {
    pub title: String,
    pub lines: Vec<String>,
    /// Must be typed before `y` counts.
    pub must_type: Option<String>,
    pub typed: String,
    pub action: Confirmed,
}

impl Confirm {
    pub fn new(title: impl Into<String>, lines: Vec<String>, action: Confirmed) -> Self {
        Self { title: title.into(), lines, must_type: None, typed: String::new(), action }
    }

    /// Wants this number typed before `y` counts.
    #[must_use]
    pub fn must_type(mut self, number: u64) -> Self {
        self.must_type = Some(number.to_string());
        self
    }
}

/// A question for the path of a file, or for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    pub label: String,
    pub input: Line,
    pub purpose: PromptPurpose,
    /// The folder that was listed last, and what is in it (folders: `true`).
    pub folder: Option<(PathBuf, Vec<(String, bool)>)>,
    /// Completion under the cursor.
    pub selected: Option<usize>,
}

impl Prompt {
    pub fn new(label: impl Into<String>, text: impl Into<String>, purpose: PromptPurpose) -> Self {
        Self { label: label.into(), input: Line::new(text), purpose, folder: None, selected: None }
    }
}

/// What the answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptPurpose {
    OpenPath,
    SavePath,
    /// A name, no path: nothing is completed.
    TemplateName,
}

/// The `:` palette.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    pub query: Line,
    pub selected: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Overlay {
    /// Scrolled by this many lines.
    Help(usize),
    Palette(Palette),
    Confirm(Confirm),
    Prompt(Prompt),
    Error(Report),
}

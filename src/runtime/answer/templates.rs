//! `jobdeck templates`.

use serde::Serialize;

use super::SCHEMA_VERSION;
use crate::domain::library::{Content, Template};

/// One template of the libraries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TemplateAnswer {
    pub name: String,
    /// `built-in`, `site` or `user`.
    pub tier: &'static str,
    /// `null`: it is in the program.
    pub path: Option<String>,
    /// Tiers that have one of this name too, which this one hides.
    pub shadows: Vec<&'static str>,
    /// Expanded jobs; `null` when it cannot be used.
    pub jobs: Option<usize>,
    pub description: Option<String>,
    pub fault: Option<FaultAnswer>,
}

/// Why a template cannot be used, and where its file says so.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultAnswer {
    pub message: String,
    pub hint: Option<String>,
    pub line: Option<u32>,
    pub column: Option<u32>,
}

impl TemplateAnswer {
    pub fn of(template: &Template) -> Self {
        let content = template.content.as_ref();
        let fault = content.err().map(|fault| FaultAnswer {
            message: fault.message.clone(),
            hint: fault.hint.clone(),
            line: fault.at.map(|at| at.line),
            column: fault.at.map(|at| at.column),
        });
        Self {
            name: template.name.clone(),
            tier: template.tier.word(),
            path: template.path.as_ref().map(|path| path.display().to_string()),
            shadows: template.shadows.iter().map(|tier| tier.word()).collect(),
            jobs: content.ok().map(|content| content.jobs),
            description: content.ok().map(|content| content.description.clone()),
            fault,
        }
    }
}

/// All of them, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TemplatesAnswer {
    pub schema_version: u32,
    pub templates: Vec<TemplateAnswer>,
    /// Folders that could not be read, or not to the end.
    pub problems: Vec<String>,
}

/// One, with its text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TemplateTextAnswer {
    pub schema_version: u32,
    #[serde(flatten)]
    pub template: TemplateAnswer,
    pub batch_file: String,
}

impl TemplateTextAnswer {
    pub fn of(template: &Template, content: &Content) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            template: TemplateAnswer::of(template),
            batch_file: content.text.clone(),
        }
    }
}

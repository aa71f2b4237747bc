//! What a check found. An error blocks, a warning does not. All of them are
//! collected; a check never stops at the first.

use serde::{Deserialize, Serialize};

use super::tree::{FieldPath, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One thing found, with its place. Messages are lower-case fragments without a
/// full stop; hints are imperative.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// Entry of the batch file it concerns, from 0; `None`: the whole batch.
    pub entry: Option<usize>,
    /// Name of the job or group, where it has one.
    pub job: Option<String>,
    pub path: FieldPath,
    /// `None` when the batch did not come from a text.
    pub span: Option<Span>,
    pub message: String,
    pub hint: Option<String>,
}

impl Finding {
    pub fn error(path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, path, message)
    }

    pub fn warning(path: FieldPath, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, path, message)
    }

    fn new(severity: Severity, path: FieldPath, message: impl Into<String>) -> Self {
        Self {
            severity,
            entry: None,
            job: None,
            path,
            span: None,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    #[must_use]
    pub fn of_job(mut self, entry: usize, name: Option<&str>) -> Self {
        self.entry = Some(entry);
        self.job = name.map(str::to_owned);
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

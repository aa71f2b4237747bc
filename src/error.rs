//! One report at the edge, whatever went wrong inside.
//!
//! Errors inside are `thiserror` enums whose variants say what the user can do.
//! At the edge they become a [`Report`]: a panel in the UI, located text on
//! standard error, or the `error` object with `--json`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of trouble it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Wrong usage, unknown run or job, or the batch has errors.
    Usage,
    /// The batch file cannot be read or has errors.
    Batch,
    Config,
    /// Confirmation is needed; nothing was sent.
    Confirmation,
    /// A cluster that was needed could not be reached.
    Unreachable,
    /// The state folder cannot be read or written.
    State,
    Interrupted,
    TimedOut,
    /// A bug of ours.
    Internal,
}

impl Kind {
    /// The process exit code of the contract.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage | Self::Batch => 2,
            Self::Config | Self::State => 3,
            Self::Confirmation => 4,
            Self::Unreachable => 5,
            Self::Internal => 70,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
        }
    }
}

/// A place in a file, for `file:line:column`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

/// Trouble as it is told to a person. The message is a lower-case fragment
/// without a full stop; hints are imperative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    pub kind: Kind,
    pub message: String,
    pub hints: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl Report {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), location: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: u32, column: u32) -> Self {
        self.location = Some(Location { file: file.into(), line, column });
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = &self.location {
            write!(f, "{}:{}:{}: ", at.file, at.line, at.column)?;
        }
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

//! The answer of `logs`.

use serde::Serialize;

use super::SCHEMA_VERSION;

/// `jobdeck logs --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogsAnswer {
    pub schema_version: u32,
    pub run: String,
    pub logs: Vec<LogAnswer>,
}

/// One log, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogAnswer {
    pub job: String,
    /// `null`: it was never sent.
    pub attempt: Option<u32>,
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// Rank in a distributed job.
    pub worker: u32,
    /// `null`: there is none, and `error` says why. Bytes that are not UTF-8 are replaced.
    pub text: Option<String>,
    /// Bytes of the log that stand before the text and are left out.
    pub offset: u64,
    pub error: Option<String>,
}

impl LogsAnswer {
    pub fn new(run: String) -> Self {
        Self { schema_version: SCHEMA_VERSION, run, logs: Vec::new() }
    }
}

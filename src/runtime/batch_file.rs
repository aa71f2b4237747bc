//! From a batch file to its plan, as `plan` and `submit` do it.
//!
//! ```text
//! path │ - ─read▶ Source ─plan▶ Plan (always: a text that cannot be read is a finding)
//! ```

use std::path::Path;

use crate::{
    domain::{plan::Plan, planner},
    error::{Kind, Report},
    runtime::{engine::Engine, requests},
    yaml::{self, Source, SourceError},
};

/// Reads a batch; `-` is standard input.
///
/// # Errors
/// [`Kind::Batch`]: it is not there, no file, or too large.
pub fn read(path: &Path) -> Result<Source, Report> {
    yaml::read_source(path).map_err(|e| {
        let report = Report::new(Kind::Batch, e.to_string());
        match e {
            SourceError::Missing { .. } => {
                report.hint("check the path; `jobdeck` alone opens the UI to compose a batch")
            }
            SourceError::NotAFile { what: "a FIFO", .. } => report.hint("read a pipe with `-`"),
            SourceError::TooLarge { .. } => {
                report.hint("write less: a sweep makes many jobs from one entry")
            }
            _ => report,
        }
    })
}

/// Plans a document.
///
/// # Errors
/// What the plan depends on cannot be read: history, code. A faulty document is
/// no error: its plan says what is wrong.
pub async fn plan(
    engine: &Engine,
    source: &Source,
    reuse: bool,
    fresh: bool,
) -> Result<Plan, Report> {
    let node = match yaml::parse(&source.bytes) {
        Ok(node) => node,
        Err(e) => return Ok(Plan::unreadable(&source.stem, e.finding())),
    };
    let base_dir = source.base_dir.as_deref();
    let context = engine.plan_context(&node, base_dir, reuse, fresh).await?;
    let mut plan = planner::make(&source.stem, base_dir, &node, &context);
    plan.findings.extend(requests::findings(&plan, &node, engine));
    Ok(plan)
}

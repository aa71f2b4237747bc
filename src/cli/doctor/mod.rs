//! `doctor`: what can't work here, and what to do about it.
//!
//! Every check ends in one line; none of them stops the others.

use serde::Serialize;

use super::{
    Answer,
    args::Global,
    context,
    out::{Out, Paint, several_lines},
};
use crate::{
    config::{self, Config, ConfigErrors, paths::StateDir},
    error::{Kind, Report},
    runtime::{answer::SCHEMA_VERSION, engine::Engine},
};

mod machine;
mod work;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    /// Works, and should be known.
    Note,
    /// Works badly, or not for everything.
    Warning,
    /// Does not work.
    Problem,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    pub status: Outcome,
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Check {
    fn new(name: &'static str, status: Outcome, message: impl Into<String>) -> Self {
        Self { name, status, message: message.into(), hint: None }
    }
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Outcome::Ok, message)
    }
    fn note(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Outcome::Note, message)
    }
    fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Outcome::Warning, message)
    }
    fn problem(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Outcome::Problem, message)
    }
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// `doctor`.
pub async fn doctor(global: &Global, out: &Out) -> Answer {
    let mut checks = Vec::new();
    let mut code = 0;
    let config = configuration(global, &mut checks).unwrap_or_else(|| {
        code = Kind::Config.exit_code();
        Config::built_in()
    });
    match StateDir::from_environment() {
        Ok(state) => {
            let usable = machine::state_folder(&state, &mut checks);
            if usable {
                let exe = std::env::current_exe().unwrap_or_else(|_| "jobdeck".into());
                let engine = Engine::new(config.clone(), state, exe);
                work::clusters(&engine, &mut checks).await;
                work::runs(&engine, &mut checks).await;
            } else {
                code = Kind::State.exit_code();
            }
        }
        Err(report) => {
            code = report.kind.exit_code();
            checks.push(of_report("state folder", &report));
        }
    }
    machine::gpus(&config, &mut checks);
    machine::logout(&mut checks);
    machine::terminal(out, &mut checks);
    let ok = checks.iter().all(|check| check.status != Outcome::Problem);
    if out.json {
        out.document(&serde_json::json!({
            "schema_version": SCHEMA_VERSION,
            "ok": ok,
            "checks": checks,
        }))?;
    } else {
        print(out, &checks);
    }
    Ok(code)
}

fn of_report(name: &'static str, report: &Report) -> Check {
    let place = report.location.as_ref();
    let place = place.map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
    let check = Check::problem(name, format!("{}{}", place.unwrap_or_default(), report.message));
    if report.hints.is_empty() { check } else { check.hint(report.hints.join("; ")) }
}

fn configuration(global: &Global, checks: &mut Vec<Check>) -> Option<Config> {
    const NAME: &str = "configuration";
    let sources = context::sources(global);
    match config::load(&sources) {
        Ok(config) => {
            if config.sources.is_empty() {
                checks.push(
                    Check::note(NAME, "no file: built-in settings, one cluster `local`")
                        .hint("write a first one with `jobdeck init`"),
                );
            }
            for path in &config.sources {
                checks.push(Check::ok(NAME, format!("read {}", path.display())));
            }
            let of_theme = context::theme_problems(&config);
            for warning in config.warnings.iter().chain(&of_theme) {
                checks.push(Check::warning(NAME, warning.clone()));
            }
            for advice in &config.advice {
                checks.push(Check::warning("secrets", advice.clone()));
            }
            Some(config)
        }
        Err(ConfigErrors(reports)) => {
            checks.extend(reports.iter().map(|report| of_report(NAME, report)));
            None
        }
    }
}

fn print(out: &Out, checks: &[Check]) {
    for check in checks {
        let (mark, paint) = match check.status {
            Outcome::Ok => ("✓ ok     ", Paint::Good),
            Outcome::Note => ("· note   ", Paint::Dim),
            Outcome::Warning => ("! warning", Paint::Odd),
            Outcome::Problem => ("✗ problem", Paint::Bad),
        };
        let message = several_lines(&check.message);
        out.line(format!("{}  {:<15}{message}", out.paint(paint, mark), check.name));
        if let Some(hint) = &check.hint {
            out.line(format!("{:28}{}", "", out.paint(Paint::Dim, &several_lines(hint))));
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (problems, warnings) = (count(Outcome::Problem), count(Outcome::Warning));
    out.line(match (problems, warnings) {
        (0, 0) => "everything works".to_owned(),
        _ => format!("problems: {problems}, warnings: {warnings}"),
    });
}

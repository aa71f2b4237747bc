//! What every command that does something needs: configuration and engine.

use std::{ffi::OsString, io::IsTerminal};

use super::{args::Global, out::Out};
use crate::{
    config::{self, Config, ConfigErrors, Sources, paths::StateDir},
    error::{Kind, Report},
    runtime::{engine::Engine, themes},
};

/// The configuration read, its warnings told.
#[derive(Debug)]
pub struct Context<'a> {
    pub out: &'a Out,
    pub engine: Engine,
}

impl<'a> Context<'a> {
    /// # Errors
    /// All that is wrong with the configuration; no state folder.
    pub fn new(global: &Global, out: &'a Out) -> Result<Self, Report> {
        let config = configuration(global, out)?;
        for warning in &config.warnings {
            out.warn(warning);
        }
        for warning in theme_problems(&config) {
            out.warn(&warning);
        }
        Ok(Self { out, engine: engine(config)?.with_conduct_args(flags(global)) })
    }

    pub fn config(&self) -> &Config {
        self.engine.config()
    }
}

/// What is wrong with the theme that the configuration names. The UI tells it itself.
pub fn theme_problems(config: &Config) -> Vec<String> {
    // Without a name there is nothing to look for.
    let named = config.ui.theme.is_some();
    if named { themes::choose(config, true).1 } else { Vec::new() }
}

/// The engine on this configuration and the usual state folder.
///
/// # Errors
/// Nothing says where the state folder is, or this program cannot find itself.
pub fn engine(config: Config) -> Result<Engine, Report> {
    let state = StateDir::from_environment()?;
    let exe = std::env::current_exe()
        .map_err(|e| Report::new(Kind::State, format!("cannot find this program's file: {e}")))?;
    Ok(Engine::new(config, state, exe))
}

/// The flags with which a background process sees the same configuration.
fn flags(global: &Global) -> Vec<OsString> {
    let files = [("--config", &global.config), ("--clusters", &global.clusters)];
    let given = files.into_iter().filter_map(|(flag, file)| {
        Some([flag.into(), std::path::absolute(file.as_ref()?).ok()?.into_os_string()])
    });
    given.flatten().collect()
}

/// Where the layers come from, given these flags.
pub fn sources(global: &Global) -> Sources {
    let mut sources = Sources::from_environment();
    sources.explicit = global.config.clone().or(sources.explicit);
    sources.clusters = global.clusters.clone().or(sources.clusters);
    sources
}

/// All problems are told; the last of them is the answer.
fn configuration(global: &Global, out: &Out) -> Result<Config, Report> {
    config::load(&sources(global)).map_err(|ConfigErrors(mut problems)| {
        if out.json && !problems.is_empty() {
            // One document: the others follow as hints, each with its place.
            let first = problems.remove(0);
            return problems.iter().fold(first, |all, problem| {
                let mut all = all.hint(format!("also: {}", one_line(problem)));
                all.hints.extend(problem.hints.iter().cloned());
                all
            });
        }
        // The last one is told by whoever gets it.
        let last = problems.pop();
        for problem in &problems {
            out.report(problem);
        }
        last.unwrap_or_else(|| {
            Report::new(Kind::Internal, "the configuration was refused without a reason")
        })
    })
}

fn one_line(report: &Report) -> String {
    let place = report.location.as_ref();
    let place = place.map(|at| format!("{}:{}:{}: ", at.file, at.line, at.column));
    format!("{}{}", place.unwrap_or_default(), report.message)
}

/// The terminal UI was asked for where there is none.
pub fn no_terminal() -> Report {
    let missing = if std::io::stdin().is_terminal() { "output" } else { "input" };
    Report::new(
        Kind::Usage,
        format!("the terminal UI needs a terminal, and standard {missing} is none"),
    )
    .hint(
        "use a command instead: `jobdeck plan FILE`, `jobdeck submit FILE --yes`, `jobdeck status`",
    )
    .hint("see `jobdeck --help`")
}

//! Opening the terminal UI: on a file, or on the demo.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
};

use clap::CommandFactory;

use super::{
    Answer,
    args::{Cli, Global},
    context::{self, Context},
    out::Out,
};
use crate::{
    config::{Config, KindSettings, LocalGpus, paths::StateDir},
    domain::nearest::nearest,
    error::{Kind, Report},
    runtime::{
        engine::Engine,
        tui::{Start, tui},
    },
};

/// The batch that newcomers meet.
const QUICKSTART: &str = include_str!("../../configs/quickstart.yaml");

/// `jobdeck` and `jobdeck FILE`.
pub async fn open(global: &Global, file: Option<PathBuf>, out: &Out) -> Answer {
    if let Some(path) = &file {
        exists_or_is_new(path)?;
    }
    has_terminal()?;
    let cx = Context::new(global, out)?;
    tui(Start { engine: cx.engine, file, no_color: global.no_color }).await
}

/// `demo`: the quickstart in a state folder of its own, which goes when the UI
/// is left. The local executor pretends to have GPUs.
pub async fn demo(global: &Global) -> Answer {
    const SLOTS: u32 = 4;
    has_terminal()?;
    let failed = |e: io::Error| Report::new(Kind::State, format!("cannot prepare the demo: {e}"));
    let folder = tempfile::Builder::new().prefix("jobdeck-demo-").tempdir().map_err(failed)?;
    let batch = folder.path().join("quickstart.yaml");
    std::fs::write(&batch, QUICKSTART).map_err(failed)?;
    let mut config = Config::built_in();
    for cluster in config.clusters.values_mut() {
        if let KindSettings::Local(local) = &mut cluster.settings {
            local.gpus = LocalGpus::Count(SLOTS);
        }
    }
    let exe = std::env::current_exe().map_err(failed)?;
    let engine = Engine::new(config, StateDir::new(folder.path().join("state")), exe);
    tui(Start { engine, file: Some(batch), no_color: global.no_color }).await
}

/// # Errors
/// There is no terminal to draw on.
fn has_terminal() -> Result<(), Report> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        Ok(())
    } else {
        Err(context::no_terminal())
    }
}

/// A word that is no file was surely meant as a command.
fn exists_or_is_new(path: &Path) -> Result<(), Report> {
    let word = path.to_string_lossy();
    if path.exists() || word.contains(['/', '.']) {
        return Ok(());
    }
    let command = Cli::command();
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let report = Report::new(Kind::Usage, format!("no command and no file is called `{word}`"));
    Err(match nearest(&word, names.iter().copied()) {
        Some(near) => report.hint(format!("did you mean `jobdeck {near}`?")),
        None => report.hint("`jobdeck --help` lists the commands"),
    })
}

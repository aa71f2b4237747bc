//! Opening the terminal UI: on a file, or on the demo.

use std::{
    ffi::OsString,
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

/// What a file is given for must be there, or be a name for one to be written in a
/// folder that is there. A word that is no file was surely meant as a command.
fn exists_or_is_new(path: &Path) -> Result<(), Report> {
    if path.is_dir() {
        let message = format!("{} is a folder, not a batch file", path.display());
        return Err(Report::new(Kind::Usage, message));
    }
    if path.exists() {
        return Ok(());
    }
    let word = path.to_string_lossy();
    if !word.contains(['/', '.']) {
        return Err(no_such_command(&word));
    }
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => {
            let folder = folder.display();
            let message = format!("{word}: the folder {folder} does not exist");
            Err(Report::new(Kind::Usage, message).hint(format!("make it first: mkdir -p {folder}")))
        }
        _ => Ok(()),
    }
}

fn no_such_command(word: &str) -> Report {
    let report = Report::new(Kind::Usage, format!("no command and no file is called `{word}`"));
    match command_near(word) {
        Some(near) => report.hint(format!("did you mean `jobdeck {near}`?")),
        None => report.hint("`jobdeck --help` lists the commands"),
    }
}

fn command_near(word: &str) -> Option<String> {
    let command = Cli::command();
    let names = command.get_subcommands().filter(|c| !c.is_hide_set());
    nearest(word, names.map(clap::Command::get_name)).map(str::to_owned)
}

/// The report for arguments that cannot be read because their first word is no file,
/// and not quite a command.
pub fn misspelt_command(arguments: &[OsString]) -> Option<Report> {
    let first = arguments.iter().skip(1).find(|word| !word.as_encoded_bytes().starts_with(b"-"))?;
    let word = first.to_str().filter(|word| !word.contains(['/', '.']))?;
    let known = Cli::command().find_subcommand(word).is_some();
    (!known && !Path::new(word).exists() && command_near(word).is_some())
        .then(|| no_such_command(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_needs_its_folder_and_a_word_is_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |path: &Path| exists_or_is_new(path).unwrap_err().to_string();
        assert!(exists_or_is_new(&folder.path().join("new.yaml")).is_ok());
        assert!(exists_or_is_new(Path::new("surely-new.yaml")).is_ok());
        assert!(refused(&folder.path().join("none/new.yaml")).contains("mkdir -p"));
        assert!(refused(folder.path()).contains("is a folder"));
        assert!(refused(Path::new("statsu")).contains("jobdeck status"));
    }
}

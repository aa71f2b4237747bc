//! The command line: what may be typed, and the help that says so.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{config, domain::status::Cause};

/// Compose, check, submit and watch batches of GPU jobs from the terminal.
///
/// Without a command it opens the terminal UI, on FILE when one is given.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "jobdeck",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 ok · 1 a job failed or was refused · 2 usage, or the batch has errors ·
3 configuration · 4 confirmation needed, nothing sent · 5 a cluster cannot be reached ·
70 a bug · 124 `wait` timed out · 130 interrupted

First steps: `jobdeck init`, then `jobdeck` and press n, or try configs/quickstart.yaml."
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,

    /// Open the terminal UI on this batch file.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags that stand before or after the command.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Read this configuration on top of the usual ones.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// Read Ray clusters from a file of the Ray multi-cluster scheduler.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub clusters: Option<PathBuf>,

    /// Answer with one JSON document on standard output.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub json: bool,

    /// No colours. `NO_COLOR` in the environment does the same.
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub no_color: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Dry run: expand, place and check a batch. Never submits.
    Plan(Plan),
    /// Plan a batch, confirm, submit.
    Submit(Submit),
    /// Earlier runs, newest first.
    Runs,
    /// A run's jobs and how they are.
    Status(Status),
    /// Wait until every job of a run has ended; sends what is still to be sent.
    Wait(Wait),
    /// What jobs have written.
    Logs(Logs),
    /// New attempts at jobs of a run.
    Retry(Retry),
    /// Stop jobs of a run.
    Cancel(Cancel),
    /// Keep jobs in their cluster's queue from starting.
    Hold(Jobs),
    /// Let held jobs start.
    Release(Jobs),
    /// End running jobs and let their cluster start them anew.
    Requeue(Requeue),
    /// Go on sending what is held.
    Send(SendHeld),
    /// Remove records and logs of ended runs, after a preview.
    Clean(Clean),
    /// A run as a batch file, without secrets.
    Export(Export),
    /// Batches to begin with: built in, the site's, your own.
    Templates(Templates),
    /// Clusters: health, free and total GPUs, queue.
    Clusters,
    /// What can't work here, and what to do about it.
    Doctor,
    /// Write a first configuration from what is found on this machine.
    Init,
    /// Interactive ssh authentication for a cluster.
    Login(Login),
    /// JSON Schema of batch files or of the configuration, for editors.
    Schema(Schema),
    /// Shell completions, on standard output.
    Completions(Completions),
    /// The manual page, on standard output.
    Man,
    /// Serve a faithful fake of a kind of cluster on loopback.
    Simulate(Simulate),
    /// Open the terminal UI with a prepared batch, in a state folder of its own.
    Demo,
    /// What a window or a command leaves behind for its unsent jobs.
    #[command(name = "__conduct", hide = true)]
    Conduct(Conduct),
}

#[derive(Clone, Debug, Args)]
pub struct Conduct {
    /// The run to carry on.
    #[arg(long)]
    pub run: crate::domain::ids::RunId,
    /// Only what a person asked for by a retry.
    #[arg(long)]
    pub asked: bool,
}

/// A batch file.
#[derive(Clone, Debug, Args)]
pub struct Batch {
    /// The batch file; `-` reads standard input.
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub batch: Batch,
    /// Show exactly what would be sent.
    #[arg(long)]
    pub requests: bool,
    /// Ask the clusters for capacity, quota and their own checks.
    #[arg(long)]
    pub online: bool,
    /// Use results of earlier runs, as with `on_existing: reuse`.
    #[arg(long, conflicts_with = "fresh")]
    pub reuse: bool,
    /// Send everything, whatever exists.
    #[arg(long)]
    pub fresh: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    pub batch: Batch,
    /// Submit without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Wait until every job has ended.
    #[arg(short, long)]
    pub wait: bool,
    /// With --wait: Ctrl-C stops the jobs that were submitted.
    #[arg(long, requires = "wait")]
    pub stop_on_interrupt: bool,
    /// Leave no background process: what is unsent when this command ends is held.
    #[arg(long)]
    pub no_background: bool,
    /// The run's id. The same id with the same content carries on that run.
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// Use results of earlier runs, as with `on_existing: reuse`.
    #[arg(long, conflicts_with = "fresh")]
    pub reuse: bool,
    /// Send everything, whatever exists.
    #[arg(long)]
    pub fresh: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Run id, a unique prefix of one, or `last`.
    #[arg(default_value = "last")]
    pub run: String,
    /// The table as CSV, one column per parameter.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Wait {
    /// Run id, a unique prefix of one, or `last`.
    pub run: String,
    /// Give up after this long (exit code 124): 90s, 5m, 2h.
    #[arg(long, value_name = "TIME", value_parser = timeout)]
    pub timeout: Option<std::time::Duration>,
    /// Leave no background process: what is unsent when this command ends is held.
    #[arg(long)]
    pub no_background: bool,
}

/// A run and some of its jobs.
#[derive(Clone, Debug, Args)]
pub struct Jobs {
    /// Run id, a unique prefix of one, or `last`.
    pub run: String,
    /// Names of jobs or of groups; without any, all.
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Logs {
    #[command(flatten)]
    pub jobs: Jobs,
    /// Go on as more is written, until the jobs have ended.
    #[arg(short, long)]
    pub follow: bool,
    /// Standard error instead of standard output.
    #[arg(long)]
    pub stderr: bool,
    /// An earlier attempt; from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// A worker of a distributed job, by its rank; from 0.
    #[arg(long, value_name = "RANK", default_value_t = 0, hide_default_value = true)]
    pub worker: u32,
    /// Only the last N lines.
    #[arg(short = 'n', long, value_name = "N")]
    pub tail: Option<u64>,
    /// Only jobs that failed, were rejected or are lost.
    #[arg(long)]
    pub failed: bool,
}

/// Which code a retry runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Code {
    /// As first sent.
    #[default]
    Original,
    /// What `src_dir` holds now.
    Current,
}

#[derive(Clone, Debug, Args)]
pub struct Retry {
    /// Run id, a unique prefix of one, or `last`.
    pub run: String,
    /// Names of jobs or of groups, however they ended; without any, those that failed,
    /// were rejected or are lost.
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// All jobs that failed, were rejected or are lost.
    #[arg(long)]
    pub failed: bool,
    /// All jobs that ended for this cause; may be repeated.
    #[arg(long, value_name = "CAUSE", value_parser = cause)]
    pub cause: Vec<Cause>,
    /// Change a field for the new attempts; may be repeated.
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = change)]
    pub changes: Vec<(String, String)>,
    /// Which code the new attempts run with.
    #[arg(long, value_enum, default_value_t)]
    pub code: Code,
    /// Retry without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Wait until every job has ended.
    #[arg(short, long)]
    pub wait: bool,
    /// Leave no background process: what is unsent when this command ends is held.
    #[arg(long)]
    pub no_background: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Cancel {
    #[command(flatten)]
    pub jobs: Jobs,
    /// Why, in your own words; shown with the jobs from then on.
    #[arg(long, value_name = "WORDS")]
    pub reason: Option<String>,
    /// Cancel without asking.
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Requeue {
    #[command(flatten)]
    pub jobs: Jobs,
    /// Requeue without asking.
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct SendHeld {
    /// Run id, a unique prefix of one, or `last`.
    pub run: String,
    /// Send without asking.
    #[arg(short, long)]
    pub yes: bool,
    /// Leave no background process: what is unsent when this command ends is held.
    #[arg(long)]
    pub no_background: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Clean {
    /// Run id, a unique prefix of one, or `last`.
    #[arg(required_unless_present = "older", conflicts_with = "older")]
    pub run: Option<String>,
    /// All ended runs older than this: 30d, 12h.
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older: Option<std::time::Duration>,
    /// Also remove what the clusters keep of the jobs.
    #[arg(long)]
    pub remote: bool,
    /// Remove without asking.
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Clone, Debug, Args)]
pub struct Export {
    /// Run id, a unique prefix of one, or `last`.
    pub run: String,
}

#[derive(Clone, Debug, Args)]
pub struct Templates {
    /// Print this template, for `jobdeck templates sweep > batch.yaml`.
    pub name: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub struct Login {
    /// Name of the cluster in the configuration.
    pub cluster: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    Batch,
    Config,
}

#[derive(Clone, Debug, Args)]
pub struct Schema {
    #[arg(value_enum)]
    pub of: SchemaOf,
}

#[derive(Clone, Debug, Args)]
pub struct Completions {
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Clone, Debug, Args)]
pub struct Simulate {
    /// The kind of cluster.
    pub kind: String,
    /// Port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
}

fn timeout(text: &str) -> Result<std::time::Duration, String> {
    // Zero is a fair question: how is it right now?
    if text == "0" || text == "0s" {
        return Ok(std::time::Duration::ZERO);
    }
    config::duration_ms(text)
        .map(std::time::Duration::from_millis)
        .ok_or_else(|| "write `90s`, `5m`, `2h` or a number of seconds, up to a day".into())
}

fn age(text: &str) -> Result<std::time::Duration, String> {
    let limit: crate::domain::resources::TimeLimit =
        text.parse().map_err(|e: crate::domain::resources::AmountError| e.to_string())?;
    Ok(std::time::Duration::from_secs(limit.secs()))
}

fn cause(text: &str) -> Result<Cause, String> {
    text.parse().map_err(|_| {
        let words = Cause::ALL.map(Cause::word);
        match crate::domain::nearest::nearest(text, words) {
            Some(near) => format!("no such cause; did you mean `{near}`?"),
            None => format!("no such cause; use one of {}", words.join(", ")),
        }
    })
}

fn change(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.trim().is_empty() => {
            Ok((field.trim().to_owned(), value.to_owned()))
        }
        _ => Err("write FIELD=VALUE, for example `gpus=2`".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_command() {
        for line in [
            "jobdeck --json --config c.yaml plan b.yaml",
            "jobdeck plan b.yaml --json --config c.yaml",
            "jobdeck plan --json b.yaml --config=c.yaml",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert!(cli.global.json, "{line}");
            assert_eq!(cli.global.config, Some("c.yaml".into()), "{line}");
            assert!(cli.file.is_none(), "{line}");
            assert!(matches!(cli.command, Some(Command::Plan(_))), "{line}");
        }
    }

    #[test]
    fn a_file_alone_opens_the_ui_on_it() {
        let cli = Cli::try_parse_from(["jobdeck", "b.yaml", "--no-color"]).unwrap();
        assert_eq!(cli.file, Some("b.yaml".into()));
        assert!(cli.command.is_none());
    }

    #[test]
    fn clean_wants_exactly_one_of_run_and_age() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        assert!(parse("jobdeck clean").is_err());
        assert!(parse("jobdeck clean last --older 30d").is_err());
        assert!(parse("jobdeck clean last").is_ok());
        assert!(parse("jobdeck clean --older 30d --remote --yes").is_ok());
        assert!(parse("jobdeck clean --older 30").is_err());
    }
}

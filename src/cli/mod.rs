//! The commands: the engine without a screen.
//!
//! ```text
//! arguments ─▶ Cli ─▶ Context (configuration, engine, output) ─▶ one command ─▶ exit code
//!                                                       └─ Report ─▶ words or JSON ─▶ exit code
//! ```
//! Answers go to standard output, one JSON document with `--json`; words for
//! people that are not the answer go to standard error.

use std::{
    ffi::OsString,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;

use crate::{
    error::{Kind, Report},
    runtime::terminal,
};

pub mod args;
mod change;
mod confirm;
mod context;
mod csv;
mod docs;
mod doctor;
mod follow;
mod init;
mod job_table;
mod lines;
mod logs;
mod out;
mod plan;
mod preview;
mod records;
mod runs;
mod simulate;
mod steer;
mod table;
mod templates;
mod ui;

use args::{Cli, Command};
use context::Context;
use out::Out;

/// Exit code of an answered command, or why there is no answer.
type Answer = Result<u8, Report>;

/// Runs the program and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let said = |flag: &str| {
        arguments.iter().skip(1).take_while(|a| *a != "--").any(|argument| argument == flag)
    };
    // Known before the arguments are read, so that wrong ones are answered in kind.
    let out = Out::new(said("--json"), said("--no-color"));
    let code = guarded(&out, || run(&arguments, &out));
    let code = match out.finish() {
        Ok(()) => code,
        Err(report) => {
            out.report(&report);
            if code == 0 { report.kind.exit_code() } else { code }
        }
    };
    ExitCode::from(code)
}

/// The exit code of an answer, whatever becomes of it.
fn guarded(out: &Out, answer: impl FnOnce() -> Answer) -> u8 {
    match panic::catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(code)) => code,
        Ok(Err(report)) => fail(out, &report),
        Err(_) => {
            // The panic's own words went to standard error when it happened.
            let report = Report::new(Kind::Internal, "jobdeck met a bug of its own and stopped")
                .hint("report it with the lines above; runs and their journals are not affected");
            fail(out, &report)
        }
    }
}

fn run(arguments: &[OsString], out: &Out) -> Answer {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(e) => return usage(out, &e, arguments),
    };
    if let (Some(file), Some(_)) = (&cli.file, &cli.command) {
        let message = format!("a command does not stand after a file (`{}`)", file.display());
        return Err(Report::new(Kind::Usage, message).hint("see `jobdeck --help`"));
    }
    if matches!(cli.command, Some(Command::Conduct(_))) {
        crate::procs::leave_session();
    }
    match cli.command {
        Some(Command::Schema(which)) => docs::schema(out, which.of),
        Some(Command::Completions(which)) => docs::completions(out, which.shell),
        Some(Command::Man) => docs::man(out),
        Some(Command::Init) => init::init(&cli.global, out),
        Some(Command::Templates(args)) => templates::templates(out, &args),
        command => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|e| Report::new(Kind::State, format!("cannot start: {e}")))?;
            let answer = runtime.block_on(dispatch(&cli.global, command.as_ref(), cli.file, out));
            // What still runs is of no use to anybody: the answer stands.
            runtime.shutdown_background();
            answer
        }
    }
}

async fn dispatch(
    global: &args::Global,
    command: Option<&Command>,
    file: Option<PathBuf>,
    out: &Out,
) -> Answer {
    let command = match command {
        None => return ui::open(global, file, out).await,
        Some(Command::Demo) => return ui::demo(global).await,
        Some(Command::Doctor) => return doctor::doctor(global, out).await,
        Some(Command::Simulate(args)) => return simulate::simulate(args).await,
        Some(command) => command,
    };
    let cx = Context::new(global, out)?;
    match command {
        Command::Plan(args) => plan::plan(&cx, args).await,
        Command::Submit(args) => plan::submit(&cx, args).await,
        Command::Runs => runs::runs(&cx).await,
        Command::Status(args) => runs::status(&cx, args).await,
        Command::Wait(args) => change::wait(&cx, args).await,
        Command::Logs(args) => logs::logs(&cx, args).await,
        Command::Retry(args) => change::retry(&cx, args).await,
        Command::Cancel(args) => change::cancel(&cx, args).await,
        Command::Hold(args) => steer::hold(&cx, args).await,
        Command::Release(args) => steer::release(&cx, args).await,
        Command::Requeue(args) => steer::requeue(&cx, args).await,
        Command::Send(args) => change::send(&cx, args).await,
        Command::Clean(args) => records::clean(&cx, args).await,
        Command::Export(args) => records::export(&cx, args).await,
        Command::Clusters => runs::clusters(&cx).await,
        Command::Login(args) => runs::login(&cx, &args.cluster),
        Command::Conduct(args) => {
            let log = cx.engine.state().panics();
            panic::set_hook(Box::new(move |info| terminal::keep(&log, info)));
            Ok(crate::runtime::engine::conduct(&cx.engine, &args.run, args.asked).await)
        }
        other => Err(Report::new(Kind::Internal, format!("{other:?} has no way to be done"))),
    }
}

/// `--help` and `--version` are answers; everything else is wrong usage.
fn usage(out: &Out, error: &clap::Error, arguments: &[OsString]) -> Answer {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, UnknownArgument,
    };
    // A misspelt command is read as a file, and what follows it is too much.
    if error.kind() == UnknownArgument
        && let Some(report) = ui::misspelt_command(arguments)
    {
        return Err(report);
    }
    if matches!(
        error.kind(),
        DisplayHelp | DisplayVersion | DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        let _ = error.print();
        return Ok(if error.use_stderr() { Kind::Usage.exit_code() } else { 0 });
    }
    if !out.json {
        let _ = error.print();
        return Ok(Kind::Usage.exit_code());
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or("wrong usage");
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let hints = lines.map(|line| line.strip_prefix("tip: ").unwrap_or(line).to_owned());
    let mut report = Report::new(Kind::Usage, message);
    report.hints = hints.collect();
    Err(report)
}

/// Tells what went wrong, in words or as the one document.
fn fail(out: &Out, report: &Report) -> u8 {
    if out.json {
        let answer = serde_json::json!({ "schema_version": 1, "error": report });
        if out.document(&answer).is_err() {
            out.report(report);
        }
    } else {
        out.report(report);
    }
    report.kind.exit_code()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_exit_70_and_errors_have_the_code_of_their_kind() {
        let out = Out::new(true, true);
        assert_eq!(guarded(&out, || Ok(1)), 1);
        assert_eq!(guarded(&out, || Err(Report::new(Kind::Config, "wrong"))), 3);
        assert_eq!(guarded(&out, || panic!("a bug, on purpose")), 70);
    }
}

//! The background process: carries on what a window or a command left unsent.
//!
//! It is this program again (`jobdeck __conduct --run ID`), without a terminal. It
//! ends by itself when nothing is left to send, gives way to a window that opens
//! the run, and ends when the run's folder is gone.

use std::{ffi::OsString, io, io::Write as _};

use tokio::signal::unix::{SignalKind, signal};

use super::{Engine, Inner, Options};
use crate::{
    domain::ids::RunId,
    procs,
    runtime::handle::{Command, Event},
};

/// The hidden subcommand.
pub const CONDUCT: &str = "__conduct";

/// Starts it. With `only_asked` it sends just what a person asked for by a retry.
/// Returns its process id.
pub(crate) fn spawn_background(engine: &Inner, run: &RunId, only_asked: bool) -> io::Result<u32> {
    let mut args: Vec<OsString> = vec![CONDUCT.into(), "--run".into(), run.as_str().into()];
    if only_asked {
        args.push("--asked".into());
    }
    args.extend(engine.conduct_args.iter().cloned());
    let state = engine.state.path().to_string_lossy();
    procs::spawn_detached(&engine.exe, &args, &[("JOBDECK_STATE_DIR", &state)])
}

/// What that process does. The caller has left its session already
/// ([`procs::leave_session`]). Returns the exit code, which nobody reads.
pub async fn conduct(engine: &Engine, run: &RunId, only_asked: bool) -> u8 {
    let mut handle = match engine.open(run, Options::background(only_asked)).await {
        Ok(handle) => handle,
        Err(report) => {
            note(engine, run, &report.to_string());
            return report.kind.exit_code();
        }
    };
    let mut ends: Vec<_> = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()]
        .into_iter()
        .filter_map(|kind| signal(kind).ok())
        .collect();
    loop {
        let told = async {
            if ends.is_empty() {
                std::future::pending::<()>().await;
            }
            futures::future::select_all(ends.iter_mut().map(|s| Box::pin(s.recv()))).await;
        };
        tokio::select! {
            () = told => handle.commands.send(Command::Detach { background: false }),
            event = handle.next() => match event {
                Some(Event::Trouble(report)) => note(engine, run, &report.to_string()),
                Some(Event::Finished(_)) | None => return 0,
                Some(_) => {}
            },
        }
    }
}

/// Nobody reads its output; what it has to say lies in the run's folder.
fn note(engine: &Engine, run: &RunId, text: &str) {
    let path = engine.dir(run).background_log();
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(path) {
        let _ = writeln!(file, "{} {text}", (engine.inner.clock)());
    }
}

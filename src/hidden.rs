//! Subcommands that jobdeck calls on itself; looked at before anything else is
//! set up, because one of them is started for every local job and must be quick.

use std::process::ExitCode;

use crate::{cluster::local, procs};

/// Runs the hidden subcommand that the arguments of this process name; `None`
/// when they name none.
pub fn run() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    match args.next()?.to_str()? {
        procs::DETACH => Some(procs::detach_main(args)),
        local::EXECUTOR => Some(local::executor::main(args)),
        local::SUPERVISE => Some(local::supervisor::main(args)),
        _ => None,
    }
}

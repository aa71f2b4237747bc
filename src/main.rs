//! Arguments in, exit code out; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = jobdeck::hidden::run() {
        return code;
    }
    jobdeck::cli::main(std::env::args_os())
}

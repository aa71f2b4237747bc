//! Waiting in tests: for a condition, never for a time, and never for ever.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "tests may end by a panic"
)]

use std::{
    fmt::Debug,
    io,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// Everything a test waits for happens within this time, or never; on a busy
/// machine too.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Between two looks at what nothing announces.
const GLANCE: Duration = Duration::from_millis(10);

/// Looks until there is what is wanted. What was seen instead stands in the panic
/// that ends a vain wait.
#[track_caller]
pub fn until<T, E: Debug>(what: &str, mut look: impl FnMut() -> Result<T, E>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => {
                assert!(Instant::now() < deadline, "not in time: {what}; seen: {seen:#?}");
            }
        }
        thread::sleep(GLANCE);
    }
}

/// Looks until this is so.
#[track_caller]
pub fn until_so(what: &str, is_so: impl Fn() -> bool) {
    until(what, || if is_so() { Ok(()) } else { Err(()) });
}

/// As [`until`], for looks that are tasks.
pub async fn until_async<T, E: Debug>(
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(Instant::now() < deadline, "not in time: {what}; seen: {seen:#?}");
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end; see [`answer`].
#[track_caller]
pub fn answer_of(command: &mut Command) -> Answer {
    answer(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// What a command has answered at its end. One that does not end is killed, which
/// is an answer with the code -1; one whose output somebody else holds open fails
/// the test.
#[track_caller]
pub fn answer(child: Child) -> Answer {
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, end) = mpsc::channel::<io::Result<Output>>();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let output = match end.recv_timeout(2 * DEADLINE) {
        Err(RecvTimeoutError::Timeout) => {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            end.recv_timeout(DEADLINE).expect("its output is held open")
        }
        other => other.expect("the thread answers"),
    };
    output.unwrap().into()
}

/// Waits for a child's end without reading its output: small outputs only. One that
/// does not end is killed and fails the test.
#[track_caller]
pub fn end(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it never ended");
        }
        thread::sleep(GLANCE);
    }
}

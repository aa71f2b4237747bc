//! The real binary against a real Slurm. Started by `tests/engines/slurm.sh`, which
//! brings the cluster; without one the tests are listed as ignored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may end by a panic"
)]

mod arrays;
mod disturbed;
mod ends;
mod faults;
mod lab;
mod login;
mod origins;
mod plans;
mod queue;
mod remote;
mod steering;
#[path = "../support/mod.rs"]
mod support;
#[path = "../pty/term.rs"]
mod term;

use support::wait;

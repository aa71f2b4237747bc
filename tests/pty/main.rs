//! The real binary on a real pseudo-terminal: what a person's terminal sees.

#![allow(clippy::expect_used, reason = "a test that cannot go on should say so and stop")]

mod hang_up;
mod home;
mod journey;
mod shell;
mod term;
mod terminal;
#[path = "../support/wait.rs"]
mod wait;

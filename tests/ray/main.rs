//! The real binary against Ray: a simulated head in this process, and, where
//! `tests/engines/ray.sh` has started them, real clusters. Without those the tests
//! that need them are listed as ignored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may end by a panic"
)]

mod faults;
mod lab;
mod placing;
mod real;
mod sending;
#[path = "../support/mod.rs"]
mod support;

use support::wait;

//! The local executor as its users meet it: the real binary, real processes, a
//! queue on disk, driven through the cluster port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests")]

mod ends;
mod machine;
mod order;
mod survival;
#[path = "../support/wait.rs"]
mod wait;

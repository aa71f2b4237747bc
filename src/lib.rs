//! jobdeck: compose, check, submit and watch batches of GPU jobs.
//!
//! `ARCHITECTURE.md` has the map and the rules; start there.

pub mod app;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod error;
pub mod hidden;
pub mod journal;
pub mod procs;
pub mod runtime;
pub mod secrets;
pub mod simulate;
pub mod ui;
pub mod yaml;

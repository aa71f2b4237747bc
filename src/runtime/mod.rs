//! The loop, effects as tasks, submission, polling, the terminal.

pub mod answer;
pub mod app_loop;
pub mod batch_file;
pub mod code;
pub mod effects;
pub mod engine;
#[cfg(test)]
mod faults;
mod folder_watch;
pub mod handle;
mod keyboard;
pub mod requests;
mod session;
pub mod templates;
pub mod terminal;
pub mod themes;
pub mod tui;
mod ui_file;

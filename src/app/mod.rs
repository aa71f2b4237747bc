//! The application without a terminal: model, messages, update, effects.
//!
//! ```text
//! key, paste, tick, news ─▶ Msg ─▶ update(&mut Model) ─▶ [Effect] ─▶ runtime
//!                                      │                               │
//!                                      └──▶ ui::draw(&Model)           └──▶ Msg
//! ```
//! Everything here is pure: no clock (time arrives in messages), no files, no
//! network, no tokio, no ratatui. Effects are plain data, so that a test can say
//! what a key sequence would have done, above all that it would not have
//! submitted anything.

pub mod chrome;
pub mod effect;
pub mod filter;
pub mod form;
pub mod keymap;
pub mod line;
pub mod list;
pub mod log;
pub mod model;
pub mod msg;
pub mod orders;
pub mod overlay;
#[doc(hidden)]
pub mod sample;
pub mod screen;
pub mod templates;
pub mod text;
pub mod update;
pub mod values;

//! The text of a job's log: bytes in, lines that are safe to draw out, in
//! bounded memory whatever the size of the file.
//!
//! ```text
//! bytes at an offset ─▶ Decoder ─▶ LogLine ─▶ LogText (a window on the log)
//!                                              ▲ append: what was written since
//!                                              └ prepend: an earlier part
//! ```
//! A window grows at its end while the log is followed and at its beginning when
//! somebody scrolls up; what no longer fits falls off at the other side.

mod decode;
mod errors;
mod line;
mod style;
#[cfg(test)]
mod tests;
mod window;

pub use decode::{Decoder, SEGMENT};
pub use errors::looks_like_error;
pub use line::LogLine;
pub use style::{Attribute, LogColor, LogStyle};
pub use window::{LogText, Needle};

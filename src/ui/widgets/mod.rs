//! Pieces that several views draw.

pub mod bar;
pub mod boxed;
pub mod input;
pub mod scroll;
pub mod table;

pub mod text {
    //! Text made safe and cut to a width; see [`crate::app::text`].
    pub use crate::app::text::{
        age, bytes, count, duration, fit, fit_end, left, right, safe, safe_lines, width, wrap,
    };
}

use ratatui::text::Span;

use super::theme::Theme;
use crate::domain::status::Status;

/// Columns of [`status`].
pub const STATUS_WIDTH: u16 = 15;

/// A job's state: its symbol and its word, always the same width.
pub fn status(status: Status, theme: &Theme) -> Span<'static> {
    let words = format!("{} {}", status.symbol(), status.label());
    Span::styled(text::left(&words, usize::from(STATUS_WIDTH)), theme.status(status))
}

//! A box over the screen.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    widgets::{Block, BorderType, Clear},
};

use super::text;
use crate::ui::theme::Theme;

/// A rectangle of at most this size in the middle of `area`.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// What is inside of the border, with a column of air at either side.
pub fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + 2,
        y: area.y + 1,
        width: area.width.saturating_sub(4),
        height: area.height.saturating_sub(2),
    }
}

/// Clears `area`, draws a border with a title and gives the inside.
pub fn draw(frame: &mut Frame<'_>, area: Rect, title: &str, border: Style, theme: &Theme) -> Rect {
    let title = format!(" {} ", text::fit(title, usize::from(area.width.saturating_sub(6))));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.overlay.patch(border))
        .style(theme.text.patch(theme.overlay))
        .title(title)
        .title_style(theme.overlay.patch(theme.strong));
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    inside(area)
}

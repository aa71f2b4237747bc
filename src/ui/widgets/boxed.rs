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

/// Clears `area`, draws a border with a title and gives the inside, with a column
/// of air at either side.
pub fn draw(frame: &mut Frame<'_>, area: Rect, title: &str, border: Style, theme: &Theme) -> Rect {
    let title = format!(" {} ", text::fit(title, usize::from(area.width.saturating_sub(6))));
    let block = Block::bordered()
        .border_type(BorderType::Rounded)
        .border_style(theme.overlay.patch(border))
        .style(theme.text.patch(theme.overlay))
        .title(title)
        .title_style(theme.overlay.patch(theme.strong));
    let inside = block.inner(area);
    frame.render_widget(Clear, area);
    frame.render_widget(block, area);
    Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside }
}

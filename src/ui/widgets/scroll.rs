//! A scroll bar at the right edge, drawn only when there is something to scroll.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::ui::theme::Theme;

/// Draws it over the last column of `area`: `len` rows, the first shown is `top`.
pub fn draw(buf: &mut Buffer, area: Rect, len: usize, top: usize, theme: &Theme) {
    let page = usize::from(area.height);
    if page == 0 || area.width == 0 || len <= page {
        return;
    }
    let thumb = (page * page / len).clamp(1, page);
    let room = page - thumb;
    let last = len - page;
    let start = (top.min(last) * room + last / 2) / last;
    for row in 0..area.height {
        let inside = (start..start + thumb).contains(&usize::from(row));
        let (symbol, style) = if inside { ("┃", theme.dim) } else { ("│", theme.border) };
        if let Some(cell) = buf.cell_mut((area.right() - 1, area.y + row)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }
}

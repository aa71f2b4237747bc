//! One line of typed text, scrolled so that the cursor is in view.

use ratatui::{Frame, layout::Rect, text::Span};
use unicode_segmentation::UnicodeSegmentation;

use super::text;
use crate::{app::line::Line, ui::theme::Theme};

/// ` filter lr=1e-3`: the filter of a table, while it is typed or when it is set.
pub fn filter(frame: &mut Frame<'_>, area: Rect, typing: Option<&Line>, set: &str, theme: &Theme) {
    frame.render_widget(Span::styled(" filter", theme.accent), area);
    let place = Rect { x: area.x + 8, width: area.width.saturating_sub(8), ..area };
    if let Some(line) = typing {
        return draw(frame, place, line, theme);
    }
    let words = text::fit(set, usize::from(place.width));
    frame.render_widget(Span::styled(words, theme.matched), place);
}

/// Draws the line and puts the terminal's cursor into it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, line: &Line, theme: &Theme) {
    let columns = usize::from(area.width);
    if columns == 0 || area.height == 0 {
        return;
    }
    let mut before = line.before_cursor();
    while text::width(before) >= columns {
        let first = before.graphemes(true).next().map_or(0, str::len);
        before = before.get(first.max(1)..).unwrap_or("");
    }
    let at = text::width(before);
    let mut shown = before.to_owned();
    for grapheme in line.after_cursor().graphemes(true) {
        if text::width(&shown) + text::width(grapheme) > columns {
            break;
        }
        shown.push_str(grapheme);
    }
    let style = theme.input_focused;
    frame.buffer_mut().set_style(area, style);
    frame.render_widget(Span::styled(shown, style), area);
    frame.set_cursor_position((area.x + at as u16, area.y));
}

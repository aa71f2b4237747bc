//! A pick-list: what is typed, then the values that match.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::Span,
};

use crate::{
    app::{form::picker::Picker, msg::Hit},
    ui::{
        theme::Theme,
        widgets::{scroll, table as cells, text},
    },
};

pub(super) fn choice_at(inside: Rect, picker: &Picker, at: Position) -> Option<Hit> {
    let list = list_of(inside);
    let row = top_of(picker, list) + usize::from(at.y.checked_sub(list.y)?);
    (list.contains(at) && row < picker.shown().len()).then_some(Hit::Choice(row))
}

/// The values of a pick-list, under what is typed.
pub(super) fn list_of(inside: Rect) -> Rect {
    Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside }
}

/// The first value shown.
pub(super) fn top_of(picker: &Picker, list: Rect) -> usize {
    (picker.selected + 1).saturating_sub(usize::from(list.height).max(1))
}

/// A pick-list: what is typed, then the values that match.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, picker: &Picker, theme: &Theme) {
    let shown = picker.shown();
    let list = list_of(area);
    if picker.filter.is_empty() {
        let hint = "type to narrow · Enter takes · Esc closes";
        cells::write(
            frame.buffer_mut(),
            Rect { height: 1, ..area },
            &[Span::styled(hint, theme.dim)],
            false,
        );
    } else {
        let words = [
            Span::styled("› ", theme.key),
            Span::styled(picker.filter.text(), theme.input_focused),
        ];
        cells::write(frame.buffer_mut(), Rect { height: 1, ..area }, &words, false);
    }
    if shown.is_empty() {
        let words = if picker.free {
            "not in the list; Enter takes it as it is"
        } else {
            "nothing matches"
        };
        cells::write(frame.buffer_mut(), list, &[Span::styled(words, theme.dim)], false);
        return;
    }
    let top = top_of(picker, list);
    let wide = shown.iter().map(|c| text::width(&c.value)).max().unwrap_or(0);
    let wide = wide.min(usize::from(list.width) / 2);
    for ((at, choice), y) in shown.iter().enumerate().skip(top).zip(list.y..list.bottom()) {
        let line = Rect { y, height: 1, ..list };
        let selected = at == picker.selected;
        let mark = if selected { "▌ " } else { "  " };
        let spans = [
            Span::styled(mark, theme.accent),
            Span::raw(text::left(&choice.value, wide)),
            Span::styled(format!("   {}", choice.note), theme.dim),
        ];
        cells::write(frame.buffer_mut(), line, &spans, false);
        if selected {
            frame.buffer_mut().set_style(line, theme.selected);
        }
    }
    scroll::draw(frame.buffer_mut(), list, shown.len(), top, theme);
}

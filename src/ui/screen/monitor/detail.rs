//! The detail pane, drawn.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::View;
use crate::{
    app::screen::monitor::detail::{self, LABEL, Tone},
    ui::widgets::{scroll, text},
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, top: usize, view: &View<'_>) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    let theme = view.theme;
    let Some(ix) = view.opened.subject() else { return };
    let name = view.opened.run().job(ix).map_or("", |job| job.spec.name.as_str());
    title(frame, area, vec![Span::styled(name.to_owned(), theme.strong)], "", view);
    let inner =
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let lines = detail::lines(view.opened.run(), ix, view.now, view.zone, usize::from(inner.width));
    let top = top.min(lines.len().saturating_sub(usize::from(inner.height)));
    let buf = frame.buffer_mut();
    for (line, y) in lines.iter().skip(top).zip(inner.y..inner.bottom()) {
        let style = match line.tone {
            Tone::Plain => theme.text,
            Tone::Heading => theme.strong,
            Tone::Status(status) => theme.status(status),
            Tone::Bad => theme.error,
            Tone::Dim => theme.dim,
        };
        let value = Span::styled(line.text.as_str(), style);
        let drawn = if line.tone == Tone::Heading {
            Line::from(value)
        } else {
            Line::from(vec![Span::styled(text::left(line.label, LABEL), theme.dim), value])
        };
        buf.set_line(inner.x, y, &drawn, inner.width);
    }
    let bar = Rect { x: area.x, width: area.width, ..inner };
    scroll::draw(buf, bar, lines.len(), top, theme);
}

/// The line above a pane: a rule with a title at the left and words at the right.
pub(super) fn title(
    frame: &mut Frame<'_>,
    area: Rect,
    left: Vec<Span<'_>>,
    right: &str,
    view: &View<'_>,
) {
    let theme = view.theme;
    let border = if view.opened.in_pane() { theme.border_focused } else { theme.border };
    let buf = frame.buffer_mut();
    buf.set_stringn(
        area.x,
        area.y,
        "─".repeat(usize::from(area.width)),
        usize::from(area.width),
        border,
    );
    let right_width = if right.is_empty() { 0 } else { text::width(right) + 3 };
    let room = usize::from(area.width).saturating_sub(right_width + 4);
    let mut spans = vec![Span::raw(" ")];
    let mut used = 0;
    for span in left {
        let words = text::fit(&span.content, room.saturating_sub(used)).into_owned();
        used += text::width(&words);
        spans.push(Span::styled(words, span.style));
    }
    spans.push(Span::raw(" "));
    buf.set_line(area.x + 1, area.y, &Line::from(spans), area.width.saturating_sub(2));
    if !right.is_empty() {
        let words = format!(" {} ", text::safe(right));
        let at = area.right().saturating_sub(text::width(&words) as u16 + 1);
        if usize::from(at) > usize::from(area.x) + used + 4 {
            buf.set_string(at, area.y, words, theme.dim);
        }
    }
}

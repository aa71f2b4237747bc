//! The batch as YAML in an editor pane.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::block::skip_columns;
use crate::{
    app::model::Model,
    ui::{
        theme::Theme,
        widgets::{scroll, table as cells},
    },
};

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let Some(pane) = &compose.pane else { return };
    if area.height < 2 {
        return;
    }
    let editor = &pane.editor;
    let (row, _) = editor.cursor();
    let at = editor.cursor_width();
    let mut title = vec![
        Span::styled("YAML", theme.strong),
        Span::styled(format!("   line {}, column {}", row + 1, at + 1), theme.dim),
    ];
    if compose.doc.error().is_some() {
        title.push(Span::styled(
            "   ✗ syntax error: the table shows the last good text",
            theme.error,
        ));
    }
    cells::write(frame.buffer_mut(), Rect { height: 1, ..area }, &title, false);
    let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let page = usize::from(body.height);
    let gutter = compose.gutter() as u16;
    let width = usize::from(body.width.saturating_sub(gutter + 1));
    let shift = (at + 1).saturating_sub(width);
    let marks = compose.marked_lines(pane.top, pane.top + page);
    for ((n, line), y) in
        editor.lines().iter().enumerate().skip(pane.top).zip(body.y..body.bottom())
    {
        let mark = marks.iter().find(|(line, _)| *line == n);
        let (symbol, style) =
            mark.map_or((" ", theme.dim), |(_, severity)| super::foot::sign(*severity, theme));
        let digits = usize::from(gutter).saturating_sub(4);
        let number = if n == row { theme.accent } else { theme.dim };
        let spans =
            [Span::styled(symbol, style), Span::styled(format!(" {:>digits$}  ", n + 1), number)];
        cells::write(
            frame.buffer_mut(),
            Rect { y, height: 1, width: gutter, ..body },
            &spans,
            false,
        );
        let place = Rect { x: body.x + gutter, y, width: width as u16, height: 1 };
        let shown = coloured(&skip_columns(line, shift), theme);
        cells::write(frame.buffer_mut(), place, &shown.spans, false);
    }
    scroll::draw(frame.buffer_mut(), body, editor.lines().len(), pane.top, theme);
    if model.overlays.is_empty() && (pane.top..pane.top + page).contains(&row) {
        let x = body.x + gutter + (at - shift) as u16;
        frame.set_cursor_position((x.min(body.right() - 1), body.y + (row - pane.top) as u16));
    }
}

/// A line with its comment set back and its key set off.
fn coloured(line: &str, theme: &Theme) -> Line<'static> {
    let comment = comment_start(line).unwrap_or(line.len());
    let (code, comment) = line.split_at(comment);
    let mut spans = Vec::new();
    let key = code.find(": ").or_else(|| code.trim_end().strip_suffix(':').map(str::len));
    match key {
        Some(end) if !code.trim_start().starts_with(['"', '\'', '{', '[']) => {
            let (key, rest) = code.split_at(end);
            spans.push(Span::styled(key.to_owned(), theme.strong));
            spans.push(Span::raw(rest.to_owned()));
        }
        _ => spans.push(Span::raw(code.to_owned())),
    }
    spans.push(Span::styled(comment.to_owned(), theme.dim));
    Line::from(spans)
}

/// Where a comment begins, if there seems to be one outside of quotes.
fn comment_start(line: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') if before.is_whitespace() => return Some(at),
            (None, '"' | '\'') if before.is_whitespace() || "[{,:".contains(before) => {
                quote = Some(c);
            }
            (Some(q), c) if c == q => quote = None,
            _ => {}
        }
        before = c;
    }
    None
}

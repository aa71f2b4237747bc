//! The first line: the batch, and how much it is.

use ratatui::{Frame, layout::Rect, text::Span};

use super::{count, is_blank};
use crate::{
    app::screen::compose::Compose,
    ui::{
        theme::Theme,
        widgets::{table as cells, text},
    },
};

/// `fine-tune-mlp ● unsaved      5 entries → 31 jobs · 41 GPUs · 1 error`
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let planned = &compose.planned;
    let mut right: Vec<Span<'_>> = Vec::new();
    if !compose.doc.is_empty() {
        let entries = count(compose.doc.len(), "entry", "entries");
        let old = if compose.is_planned() { theme.text } else { theme.stale };
        right.push(Span::styled(entries, theme.text));
        if planned.revision > 0 {
            let jobs = count(planned.totals.jobs, "job", "jobs");
            right.push(Span::styled(format!(" → {jobs}"), old.patch(theme.strong)));
            right.push(Span::styled(format!(" · {}", planned.totals.gpus.in_words()), old));
        } else {
            right.push(Span::styled(" …", theme.dim));
        }
    }
    let between = if right.is_empty() { "" } else { " · " };
    if is_blank(compose) {
        // What is missing is no error yet.
    } else if compose.doc.error().is_some() {
        right.push(Span::styled(format!("{between}✗ syntax error"), theme.error));
    } else {
        if planned.errors > 0 {
            let words = count(planned.errors, "error", "errors");
            right.push(Span::styled(format!(" · ✗ {words}"), theme.error));
        }
        if planned.warnings > 0 {
            let words = count(planned.warnings, "warning", "warnings");
            right.push(Span::styled(format!(" · ⚠ {words}"), theme.warning));
        }
    }
    let width = right.iter().map(|s| text::width(&s.content)).sum::<usize>() as u16;
    let width = width.min(inner.width);
    cells::write(frame.buffer_mut(), inner, &right, true);
    let mut left = vec![Span::styled(compose.title(), theme.strong)];
    if compose.unsaved {
        left.push(Span::styled(" ● unsaved", theme.warning));
    }
    if compose.is_new {
        left.push(Span::styled("  new file", theme.accent));
    }
    let room = Rect { width: inner.width.saturating_sub(width + 2), ..inner };
    if let Some(path) = &compose.path {
        let taken: usize = left.iter().map(|s| text::width(&s.content)).sum();
        let free = usize::from(room.width).saturating_sub(taken + 2);
        if free > 8 {
            let path = text::fit_end(&path.to_string_lossy(), free).into_owned();
            left.push(Span::styled(format!("  {path}"), theme.dim));
        }
    }
    cells::write(frame.buffer_mut(), room, &left, false);
}

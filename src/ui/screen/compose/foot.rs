//! The last line: what is wrong, or what could be done.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{count, form, is_blank};
use crate::{
    app::{
        form::field_of,
        screen::compose::{Compose, Focus},
    },
    domain::finding::{Finding, Severity},
    ui::{
        theme::Theme,
        widgets::{input, table as cells, text},
    },
};

/// Symbol and style of a finding.
pub(super) fn sign(severity: Severity, theme: &Theme) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("✗", theme.error),
        Severity::Warning => ("⚠", theme.warning),
    }
}

/// `✗ row 5 cluster: no cluster named lbas; did you mean lab?`
pub(super) fn finding_line(finding: &Finding, with_place: bool, theme: &Theme) -> Line<'static> {
    let (symbol, style) = sign(finding.severity, theme);
    let mut spans = vec![Span::styled(format!("{symbol} "), style)];
    if with_place {
        let mut at = match finding.entry {
            Some(entry) => format!("row {}", entry + 1),
            None => "batch".to_owned(),
        };
        if let Some(field) = field_of(&finding.path) {
            at = format!("{at} {}", text::safe(field));
        }
        spans.push(Span::styled(format!("{at}: "), theme.strong));
    }
    spans.push(Span::raw(text::safe(&finding.message).into_owned()));
    if let Some(hint) = &finding.hint {
        spans.push(Span::styled(format!("; {}", text::safe(hint)), theme.dim));
    }
    Line::from(spans)
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    if area.height == 0 {
        return;
    }
    let line = "─".repeat(usize::from(area.width));
    frame.buffer_mut().set_string(area.x, area.y, line, theme.border);
    let inner = Rect {
        x: area.x + 1,
        y: area.y + 1,
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(1),
    };
    if inner.height == 0 {
        return;
    }
    if let Some(filter) = &compose.typing {
        let line = Rect { x: area.x, width: area.width, ..inner };
        return input::filter(frame, line, Some(&filter.line), "", theme);
    }
    let (words, aside) = foot_words(compose, theme);
    let mut room = inner;
    if compose.doc.error().is_some() && words.width() > usize::from(inner.width) {
        // What is wrong is said in full, in place of the line above too.
        let all: String = words.spans.iter().map(|span| span.content.as_ref()).collect();
        let lines = text::wrap(&all, usize::from(inner.width));
        let whole = Rect { y: area.y, height: 1, ..area };
        frame.buffer_mut().set_string(
            whole.x,
            whole.y,
            " ".repeat(usize::from(area.width)),
            theme.text,
        );
        for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
            frame.buffer_mut().set_string(inner.x, y, line, theme.error);
        }
        return;
    }
    if !aside.is_empty() {
        let width = text::width(aside) as u16;
        let spare = usize::from(inner.width).saturating_sub(words.width());
        if width + 30 < inner.width
            && (compose.doc.error().is_none() || usize::from(width) + 2 <= spare)
        {
            let style = theme.dim;
            let x = inner.right() - width;
            frame.buffer_mut().set_string(x, inner.y, aside, style);
            room.width = room.width.saturating_sub(width + 2);
        }
    }
    cells::write(frame.buffer_mut(), room, &words.spans, false);
}

/// What the last line says, and a hint at its right.
pub(super) fn foot_words(compose: &Compose, theme: &Theme) -> (Line<'static>, &'static str) {
    let dim = |words: &str| Line::styled(words.to_owned(), theme.dim);
    if compose.focus == Focus::Drafts {
        return (dim("Enter goes on with the draft · x throws it away · Esc later"), "");
    }
    if compose.focus == Focus::Yaml {
        if let Some(error) = compose.doc.error() {
            let words = format!("✗ line {}: {}", error.at.line, text::safe(&error.message));
            return (Line::styled(words, theme.error), "Esc back, the text stays");
        }
        let line = compose.pane.as_ref().map_or(0, |p| p.editor.cursor().0);
        if let Some(finding) = compose.findings_at(line).next() {
            return (finding_line(finding, false, theme), "F8 next finding");
        }
        return (dim("Esc back · ^Z undo · ^S save · F8 next finding"), "");
    }
    if let Some(error) = compose.doc.error() {
        let words = format!(
            "✗ the text has a syntax error at line {}: {}",
            error.at.line,
            text::safe(&error.message)
        );
        return (Line::styled(words, theme.error), "E mends the text");
    }
    if compose.focus == Focus::Form {
        return (form::foot(compose, theme), "");
    }
    if is_blank(compose) {
        return (Line::default(), "");
    }
    if !compose.marks.is_empty() {
        let words = count(compose.marks.len(), "job is marked", "jobs are marked");
        return (
            Line::from(vec![
                Span::styled(format!("• {words}: "), theme.marked),
                Span::styled("e edits a field of all · D duplicates · x deletes", theme.dim),
            ]),
            "Esc takes the marks away",
        );
    }
    if !compose.filter.is_empty() {
        let shown = compose.row_count() - 1;
        let words = format!(
            "filter {}: {shown} of {} jobs",
            text::safe(&compose.filter),
            compose.doc.len()
        );
        return (Line::styled(words, theme.matched), "Esc shows all");
    }
    let mut own: Vec<&Finding> = compose.planned.of_target(compose.cursor).collect();
    own.sort_by_key(|f| f.severity);
    if let Some(first) = own.first() {
        return (finding_line(first, true, theme), "Enter goes to the field");
    }
    let mut all = compose.planned.findings.iter();
    let worst = all.clone().find(|f| f.is_error()).or_else(|| all.next());
    match worst {
        Some(finding) => (finding_line(finding, true, theme), ""),
        None if compose.doc.is_empty() => (Line::default(), ""),
        None if !compose.is_planned() => (dim("checking …"), ""),
        None => (dim("nothing is wrong; p shows what would be submitted"), ""),
    }
}

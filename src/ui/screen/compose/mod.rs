//! The compose view, drawn: the batch in one line, the job table beside the form
//! or the text, and a last line with what is wrong or what a field is for.

mod form;
mod pane;
mod table;
#[cfg(test)]
mod tests;

use ratatui::{
    Frame,
    layout::{Position, Rect},
    style::Style,
    text::{Line, Span},
};

use crate::{
    app::{
        form::{Target, field_of, picker::Picker},
        model::Model,
        msg::Hit,
        screen::compose::{Compose, Focus, layout::Area},
    },
    domain::finding::{Finding, Severity},
    ui::{
        theme::Theme,
        widgets::{boxed, scroll, table as cells, text},
    },
};

/// Rows of a pick-list.
const PICKER_ROWS: u16 = 10;

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let layout = compose.layout(&model.context());
    head(frame, place(area, layout.head), compose, theme);
    let empty = compose.doc.is_empty()
        && compose.doc.error().is_none()
        && compose.focus == Focus::Table
        && compose.cursor == Target::Batch;
    match (layout.table, layout.side) {
        (Some(left), side) => {
            let left = place(area, left);
            if empty || compose.focus == Focus::Drafts {
                let whole = side.map_or(left, |side| left.union(place(area, side)));
                if compose.focus == Focus::Drafts {
                    drafts(frame, whole, model, theme);
                } else {
                    nothing_yet(frame, whole, compose, theme);
                }
            } else {
                table::draw(frame, left, compose, theme);
                if let Some(side) = side {
                    let side = place(area, side);
                    rule(frame, Rect { x: side.x - 1, width: 1, ..side }, theme);
                    draw_side(frame, side, model, theme);
                }
            }
        }
        (None, Some(side)) => draw_side(frame, place(area, side), model, theme),
        (None, None) => {}
    }
    foot(frame, place(area, layout.foot), compose, theme);
    if let Some(picker) = &compose.new_job {
        let area = new_job_box(area, picker);
        let inside = boxed::draw(frame, area, "New job: which type?", theme.border_focused, theme);
        pick_list(frame, inside, picker, theme);
    }
}

fn new_job_box(area: Rect, picker: &Picker) -> Rect {
    boxed::centred(area, 60, picker.choices.len() as u16 + 3)
}

/// The field or the value of a pick-list at a place of the screen.
pub fn under(area: Rect, model: &Model, at: Position) -> Option<Hit> {
    let compose = &model.compose;
    if let Some(picker) = &compose.new_job {
        return choice_at(boxed::inside(new_job_box(area, picker)), picker, at);
    }
    let side = place(area, compose.layout(&model.context()).side?);
    let shown = compose.focus == Focus::Form || !compose.doc.is_empty();
    if compose.focus == Focus::Yaml || compose.focus == Focus::Drafts || !shown {
        return None;
    }
    form::under(inner(side), compose, at)
}

fn choice_at(inside: Rect, picker: &Picker, at: Position) -> Option<Hit> {
    let list = list_of(inside);
    let row = top_of(picker, list) + usize::from(at.y.checked_sub(list.y)?);
    (list.contains(at) && row < picker.shown().len()).then_some(Hit::Choice(row))
}

/// A part of the layout on the screen.
fn place(area: Rect, part: Area) -> Rect {
    Rect { x: area.x + part.x, y: area.y + part.y, width: part.width, height: part.height }
        .intersection(area)
}

fn rule(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    for y in area.y..area.bottom() {
        if let Some(cell) = frame.buffer_mut().cell_mut((area.x, y)) {
            cell.set_symbol("│").set_style(theme.border);
        }
    }
}

/// A side without its air.
fn inner(side: Rect) -> Rect {
    Rect { x: side.x + 1, width: side.width.saturating_sub(2), ..side }
}

fn draw_side(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let inner = inner(area);
    if model.compose.focus == Focus::Yaml {
        pane::draw(frame, inner, model, theme);
    } else {
        form::draw(frame, inner, model, theme);
    }
}

fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// `fine-tune-mlp ● unsaved      5 entries → 31 jobs · 41 GPUs · 1 error`
fn head(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
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
            right.push(Span::styled(format!(" · {} GPUs", planned.totals.gpus), old));
        } else {
            right.push(Span::styled(" …", theme.dim));
        }
    }
    if is_blank(compose) {
        // What is missing is no error yet.
    } else if compose.doc.error().is_some() {
        right.push(Span::styled(" · ✗ syntax error", theme.error));
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

/// Nothing is written yet.
fn is_blank(compose: &Compose) -> bool {
    compose.doc.text().trim().is_empty()
}

/// Symbol and style of a finding.
fn sign(severity: Severity, theme: &Theme) -> (&'static str, Style) {
    match severity {
        Severity::Error => ("✗", theme.error),
        Severity::Warning => ("⚠", theme.warning),
    }
}

/// `✗ row 5 cluster: no cluster named lbas; did you mean lab?`
fn finding_line(finding: &Finding, with_place: bool, theme: &Theme) -> Line<'static> {
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

fn foot(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
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
    let (words, aside) = foot_words(compose, theme);
    let mut room = inner;
    if !aside.is_empty() {
        let width = text::width(aside) as u16;
        if width + 30 < inner.width {
            let style = theme.dim;
            let x = inner.right() - width;
            frame.buffer_mut().set_string(x, inner.y, aside, style);
            room.width = room.width.saturating_sub(width + 2);
        }
    }
    cells::write(frame.buffer_mut(), room, &words.spans, false);
}

/// What the last line says, and a hint at its right.
fn foot_words(compose: &Compose, theme: &Theme) -> (Line<'static>, &'static str) {
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

/// The screen of a batch without jobs: what to press.
fn nothing_yet(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    let key = |key: &str, words: &str| {
        Line::from(vec![
            Span::styled(format!("{key:>4}"), theme.key),
            Span::raw(format!("   {words}")),
        ])
    };
    let mut lines = vec![
        Line::styled("This batch has no job yet.", theme.strong),
        Line::default(),
        key("n", "make a job: choose its type, fill in a form"),
        key("Q", "open the quickstart, an example that runs on any machine"),
        key("^O", "open a batch file (YAML or JSON)"),
        key("E", "write or paste the batch as YAML"),
        Line::default(),
        key("4", "earlier runs: open one, or make a new batch of it"),
        key("?", "every key"),
    ];
    if !compose.drafts.is_empty() {
        let words = count(compose.drafts.len(), "draft", "drafts");
        lines.push(Line::default());
        lines.push(Line::styled(
            format!("{words} of earlier sessions will be offered again at the next start"),
            theme.dim,
        ));
    }
    lines.push(Line::default());
    lines.push(Line::styled(
        "Nothing is submitted before you have seen the preview (p) and said y.",
        theme.dim,
    ));
    let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16;
    let block = boxed::centred(area, width, lines.len() as u16);
    for (line, y) in lines.into_iter().zip(block.y..block.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..block });
    }
}

/// Drafts that an earlier session left.
fn drafts(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let rows = compose.drafts.len() as u16;
    let block = boxed::centred(area, 76, rows + 5);
    let inside = boxed::draw(
        frame,
        block,
        "Unsaved work of an earlier session",
        theme.border_focused,
        theme,
    );
    let list = Rect { y: inside.y + 1, height: inside.height.saturating_sub(3), ..inside };
    let page = usize::from(list.height).max(1);
    let top = (compose.draft + 1).saturating_sub(page);
    for ((at, draft), y) in compose.drafts.iter().enumerate().skip(top).zip(list.y..list.bottom()) {
        let name = draft.path.as_ref().map_or_else(
            || first_words(&draft.text),
            |p| text::fit_end(&p.to_string_lossy(), 40).into_owned(),
        );
        let age = text::age(model.now.duration_since(draft.saved_at).as_secs());
        let lines = count(draft.text.lines().count(), "line", "lines");
        let words = format!(
            "{}  {}",
            text::left(&name, usize::from(list.width).saturating_sub(26)),
            text::left(&format!("{age} ago · {lines}"), 22)
        );
        let line = Rect { y, height: 1, ..list };
        let selected = at == compose.draft;
        let style = if selected { theme.selected } else { theme.text };
        let mark = if selected { "▌ " } else { "  " };
        cells::write(
            frame.buffer_mut(),
            line,
            &[Span::styled(mark, theme.accent), Span::styled(words, style)],
            false,
        );
    }
    let y = inside.bottom().saturating_sub(1);
    let keys = Line::from(vec![
        Span::styled("Enter", theme.key),
        Span::raw(" go on with it   "),
        Span::styled("x", theme.key),
        Span::raw(" throw it away   "),
        Span::styled("Esc", theme.key),
        Span::raw(" later"),
    ]);
    frame.render_widget(keys, Rect { y, height: 1, ..inside });
}

/// What a draft without a file is about.
fn first_words(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with('#') && *l != "jobs:" && *l != "---")
        .unwrap_or("empty")
        .to_owned()
}

/// The values of a pick-list, under what is typed.
fn list_of(inside: Rect) -> Rect {
    Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside }
}

/// The first value shown.
fn top_of(picker: &Picker, list: Rect) -> usize {
    (picker.selected + 1).saturating_sub(usize::from(list.height).max(1))
}

/// A pick-list: what is typed, then the values that match.
fn pick_list(frame: &mut Frame<'_>, area: Rect, picker: &Picker, theme: &Theme) {
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

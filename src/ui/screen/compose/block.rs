//! One field of a form as lines: its label, value, notes and findings.

use ratatui::{
    style::Style,
    text::{Line, Span},
};
use unicode_segmentation::UnicodeSegmentation;

use super::foot::{finding_line, sign};
use crate::{
    app::{
        form::{Row, Target, editor::Editor, sweep, value},
        screen::compose::{Compose, Focus},
    },
    domain::{
        fields::{FieldKind, Required},
        job::JobType,
    },
    ui::{theme::Theme, widgets::text},
};

/// Columns of the labels: those of the batch have more to say.
pub(super) fn labels(target: Target) -> u16 {
    match target {
        Target::Batch => 23,
        Target::Entry(_) => 17,
    }
}

/// Lines of a field while it is edited, and otherwise.
const EDITED_LINES: usize = 10;
const SHOWN_LINES: usize = 3;

/// A field's lines, ready to be placed.
pub(super) struct Block {
    pub row: usize,
    pub lines: Vec<Line<'static>>,
    /// The line with the label: a heading may stand before it.
    pub first: usize,
    /// Line and column of the cursor in it.
    pub cursor: Option<(u16, u16)>,
}

/// A field with its label, value, notes and findings.
pub(super) fn block(compose: &Compose, at: usize, row: &Row, width: usize, theme: &Theme) -> Block {
    let focused = compose.focus == Focus::Form && at == compose.form.focus;
    if let Row::More { count, open } = row {
        let words = if *open {
            format!("▾ {count} more fields")
        } else {
            format!("▸ {count} more fields")
        };
        let style = if focused { theme.accent } else { theme.dim };
        let line = Line::from(vec![Span::raw("  "), Span::styled(words, style)]);
        return Block { row: at, lines: vec![line], first: 0, cursor: focused.then_some((0, 0)) };
    }
    let target = compose.form.target;
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut cursor = None;
    let findings = compose.field_findings(row);
    let trouble = compose.local_trouble(row).filter(|_| findings.is_empty());
    let wrong = findings.iter().any(|f| f.is_error()) || trouble.is_some();
    let label_style = if wrong {
        theme.error
    } else if focused {
        theme.accent
    } else {
        theme.dim
    };
    if let Row::Default(_) = row
        && !at
            .checked_sub(1)
            .and_then(|b| compose.form.rows.get(b))
            .is_some_and(|before| matches!(before, Row::Default(_) | Row::More { .. }))
    {
        lines.push(Line::default());
        lines.push(Line::from(vec![
            Span::raw("  "),
            Span::styled("Defaults", theme.strong),
            Span::styled("  for every job that does not say otherwise", theme.dim),
        ]));
    }
    let first = lines.len();
    let required = match row {
        Row::Field(spec) => spec.required == Required::Always,
        _ => false,
    };
    let labels = usize::from(labels(target));
    let label = format!("{}{}", row.label(), if required { " *" } else { "" });
    let label = Span::styled(format!("  {} ", text::left(&label, labels - 3)), label_style);
    let indent = || Span::raw(" ".repeat(labels));
    let note = note(compose, row, focused, theme);
    let values: Vec<Line<'static>> = if focused {
        let taken: usize = note.iter().map(|s| text::width(&s.content)).sum();
        let room = width.saturating_sub(taken).max(width / 2);
        let editor = &compose.form.editor;
        let (shown, place) = if editor.is_many() {
            wrapped_lines(editor, room, theme)
        } else {
            edited(editor, room, theme.input_focused)
        };
        cursor = Some((place.0 + lines.len() as u16, place.1));
        if compose.form.editor.is_blank() {
            placeholder(compose, target, row, theme)
        } else if compose.form.prefilled {
            vec![Line::from(Span::styled(text::safe(&editor.text()).into_owned(), theme.selected))]
        } else {
            shown
        }
    } else {
        let shown = compose.field_text(target, row);
        if shown.is_empty() {
            match compose.inherited(target, row) {
                Some(value) => inherited(row, &value, theme),
                None => vec![Line::styled(implied(row), theme.placeholder)],
            }
        } else {
            quiet(row, &shown, width, theme)
        }
    };
    for (n, line) in values.into_iter().enumerate() {
        let mut spans = vec![if n == 0 { label.clone() } else { indent() }];
        spans.extend(line.spans);
        if n == 0 {
            spans.extend(note.iter().cloned());
        }
        lines.push(Line::from(spans));
    }
    let below = |line: Line<'static>| {
        let mut spans = vec![indent()];
        spans.extend(line.spans);
        Line::from(spans)
    };
    if let Some(rest) = compose.inherited_keys(target, row) {
        lines.extend(inherited(row, &rest, theme).into_iter().map(below));
    }
    if row.kind() == FieldKind::Sweep
        && let Some(words) = sweep_count(compose, target, row)
    {
        lines.push(below(Line::styled(words, theme.strong)));
    }
    let wrapped = |words: &str, style: Style| -> Vec<Line<'static>> {
        text::wrap(words, width).into_iter().map(|l| Line::styled(l, style)).collect()
    };
    if let Some(why) = &trouble {
        lines.extend(wrapped(&format!("✗ {why}"), theme.error).into_iter().map(below));
    }
    for finding in findings.iter().take(if focused { 4 } else { 1 }) {
        let line = finding_line(finding, false, theme);
        if focused {
            let (_, style) = sign(finding.severity, theme);
            let words: String = line.spans.iter().map(|s| s.content.as_ref()).collect();
            lines.extend(wrapped(&words, style).into_iter().map(below));
        } else {
            lines.push(below(line));
        }
    }
    if focused {
        let unknown = compose.not_offered(row).unwrap_or_default();
        let help = format!("{} {} {unknown}", row.help(), value::writing(row.kind()));
        lines.extend(wrapped(help.trim_end(), theme.dim).into_iter().map(below));
    }
    Block { row: at, lines, first, cursor }
}

/// An empty field that is edited: what it inherits, or an example.
fn placeholder(compose: &Compose, target: Target, row: &Row, theme: &Theme) -> Vec<Line<'static>> {
    if let Some(value) = compose.inherited(target, row) {
        return inherited(row, &value, theme);
    }
    vec![match row {
        _ if !implied(row).is_empty() => Line::styled(implied(row), theme.placeholder),
        Row::Field(spec) | Row::Default(spec) => {
            let example = match (spec.kind, compose.a_cluster()) {
                // Only one that is there.
                (FieldKind::Cluster, Some(name)) => name.to_owned(),
                _ => value::parse(spec.example)
                    .map_or_else(|_| spec.example.to_owned(), |node| value::show(spec.kind, &node)),
            };
            let first = text::safe(example.lines().next().unwrap_or_default()).into_owned();
            Line::styled(format!("e.g. {first}"), theme.placeholder)
        }
        _ => Line::default(),
    }]
}

/// What an absent field means.
fn implied(row: &Row) -> &'static str {
    match row {
        Row::Field(spec) => match spec.key {
            "type" => "training",
            "framework" => "pytorch",
            "workspace_type" => "jupyter",
            "sweep_mode" => "grid",
            "on_existing" => "submit",
            "continue_on_error" => "true",
            "dry_run" | "exclusive" => "false",
            _ => "",
        },
        _ => "",
    }
}

/// What a field has from the defaults: of a map every key, else the first line.
fn inherited(row: &Row, value: &str, theme: &Theme) -> Vec<Line<'static>> {
    let most = if row.kind() == FieldKind::Map { EDITED_LINES } else { 1 };
    let mut lines: Vec<Line<'static>> = value
        .lines()
        .take(most)
        .map(|line| Line::from(Span::styled(text::safe(line).into_owned(), theme.placeholder)))
        .collect();
    if let Some(first) = lines.first_mut() {
        first.push_span(Span::styled("  from defaults", theme.dim));
    }
    lines
}

/// The lines of a field that is not edited.
fn quiet(row: &Row, shown: &str, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    let mut lines: Vec<String> = match row.kind() {
        FieldKind::Command => text::wrap(shown, width),
        _ => shown.lines().map(|l| text::fit(l, width).into_owned()).collect(),
    };
    if lines.len() > SHOWN_LINES {
        let more = lines.len() - (SHOWN_LINES - 1);
        lines.truncate(SHOWN_LINES - 1);
        lines.push(format!("… {more} more lines"));
    }
    lines.into_iter().map(|l| Line::styled(l, theme.input)).collect()
}

/// The line of the field that is edited, scrolled so that the cursor is in view,
/// with a mark where it goes on; and where the cursor is.
fn edited(editor: &Editor, width: usize, style: Style) -> (Vec<Line<'static>>, (u16, u16)) {
    let at = editor.cursor_width();
    let shift = (at + 1).saturating_sub(width);
    let line = editor.lines().first().map_or("", String::as_str);
    let rest = skip_columns(line, shift);
    let mut shown = text::left(&rest, width);
    if shift > 0 {
        shown = format!("‹{}", skip_columns(&shown, 1));
    }
    if text::width(&rest) > width && at - shift + 1 < width {
        shown = format!("{}›", text::left(&rest, width - 1));
    }
    (vec![Line::from(Span::styled(shown, style))], (0, (at - shift) as u16))
}

/// The lines of the text that is edited, wrapped, those around the cursor; and
/// where that is.
fn wrapped_lines(editor: &Editor, width: usize, theme: &Theme) -> (Vec<Line<'static>>, (u16, u16)) {
    let (row, _) = editor.cursor();
    let mut lines: Vec<String> = Vec::new();
    let mut cursor = (0, 0);
    for (n, line) in editor.lines().iter().enumerate() {
        let mut pieces = cut(&text::safe(line), width);
        if n == row {
            let mut left = editor.cursor_width();
            let mut piece = 0;
            while pieces.get(piece).is_some_and(|p| left >= text::width(p).max(1)) {
                // At the end of the text, with room behind it.
                if piece + 1 == pieces.len() && left < width {
                    break;
                }
                left -= pieces.get(piece).map_or(0, |p| text::width(p));
                piece += 1;
            }
            if piece == pieces.len() {
                pieces.push(String::new());
            }
            cursor = (lines.len() + piece, left);
        }
        lines.extend(pieces);
    }
    let top = (cursor.0 + 1).saturating_sub(EDITED_LINES);
    let shown = lines
        .iter()
        .skip(top)
        .take(EDITED_LINES)
        .map(|line| Line::from(Span::styled(text::left(line, width), theme.input_focused)))
        .collect();
    (shown, ((cursor.0 - top) as u16, cursor.1 as u16))
}

/// The text in pieces of at most so many columns; at least one.
fn cut(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for grapheme in line.graphemes(true) {
        let columns = text::width(grapheme);
        if used + columns > width.max(2) {
            pieces.push(String::new());
            used = 0;
        }
        used += columns;
        if let Some(last) = pieces.last_mut() {
            last.push_str(grapheme);
        }
    }
    pieces
}

/// The text without its first columns.
pub(super) fn skip_columns(line: &str, columns: usize) -> String {
    let safe = text::safe(line);
    if columns == 0 {
        return safe.into_owned();
    }
    let mut used = 0;
    let mut rest = String::new();
    for c in safe.chars() {
        let w = text::width(c.encode_utf8(&mut [0; 4]));
        if used >= columns {
            rest.push(c);
        } else if used + w > columns {
            rest.push(' ');
        }
        used += w;
    }
    rest
}

/// A word behind a value: that there is a list, what an amount is per.
fn note(compose: &Compose, row: &Row, focused: bool, theme: &Theme) -> Vec<Span<'static>> {
    let (Row::Field(spec) | Row::Default(spec)) = row else { return Vec::new() };
    let listed = matches!(
        spec.kind,
        FieldKind::Choice(_) | FieldKind::Cluster | FieldKind::Flag | FieldKind::Dependencies
    ) || compose.offered(spec.key).is_some_and(|all| !all.is_empty());
    if listed {
        return if focused {
            vec![Span::styled(" ▾ Enter lists", theme.dim)]
        } else {
            Vec::new()
        };
    }
    let Target::Entry(entry) = compose.form.target else { return Vec::new() };
    let distributed = compose.entry_type(entry) == JobType::Distributed;
    if spec.key == "gpus" && distributed {
        let total = compose.planned.entry(entry).filter(|_| compose.is_planned());
        let words = match total {
            // As in the table: what is wrong may be a number that this counts with.
            Some(summary) if summary.jobs > 0 && summary.errors == 0 => {
                format!("  per worker · {} in all", summary.total_gpus.in_words())
            }
            _ => "  per worker".to_owned(),
        };
        return vec![Span::styled(words, theme.dim)];
    }
    Vec::new()
}

/// `3 × 9 = 27 jobs`; what the plan counts where it knows better.
fn sweep_count(compose: &Compose, target: Target, row: &Row) -> Option<String> {
    let node = compose.field_node(target, row)?;
    let Target::Entry(entry) = target else { return None };
    let zip = compose.doc.scalar(entry, "sweep_mode") == Some("zip");
    let line = sweep::count_line(&node, zip)?;
    let planned = compose.planned.entry(entry).filter(|_| compose.is_planned());
    match planned {
        Some(summary)
            if summary.jobs > 0 && !line.ends_with(&format!(" {} jobs", summary.jobs)) =>
        {
            let jobs = super::count(summary.jobs, "job", "jobs");
            if line == jobs {
                Some(line)
            } else {
                Some(format!("{line}, with exclude and include {jobs}"))
            }
        }
        _ => Some(line),
    }
}

//! The job table; only rows in view are built.

use ratatui::{Frame, layout::Rect, style::Style, text::Span};

use crate::{
    app::{
        form::Target,
        screen::compose::{Compose, Focus},
    },
    domain::{
        finding::Severity,
        job::JobType,
        tree::{Node, Value},
    },
    ui::{
        theme::Theme,
        widgets::table::{Cell, Column, Table},
    },
};

pub fn draw(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    let digits = compose.doc.len().to_string().len().max(2) as u16;
    let columns = [
        Column::fixed("", 2, 20),
        Column::fixed("#", digits, 8).right(),
        Column::fixed("type", 11, 5),
        Column::flex("name", 14, 3, 10),
        Column::flex("cluster", 7, 1, 4),
        Column::fixed("GPUs", 6, 6).right(),
        Column::fixed("jobs", 5, 7).right(),
    ];
    let table = Table {
        columns: &columns,
        len: compose.row_count(),
        top: compose.top,
        cursor: Some(compose.cursor_row()),
        focused: compose.focus == Focus::Table,
        heading: true,
    };
    let stale = compose.doc.error().is_some();
    table.draw(frame.buffer_mut(), area, theme, |at| {
        let (cells, style) = match compose.row(at) {
            Some(Target::Entry(entry)) => entry_row(compose, entry, theme),
            _ => batch_row(compose, theme),
        };
        (cells, if stale { theme.stale } else { style })
    });
}

/// The row of the batch's own settings, with the sums.
fn batch_row(compose: &Compose, theme: &Theme) -> (Vec<Cell<'static>>, Style) {
    let planned = &compose.planned;
    let worst = planned.of_target(Target::Batch).map(|f| f.severity).min();
    let cells = vec![
        signs(false, worst, theme),
        Cell::new(""),
        Cell::styled("batch", theme.dim),
        Cell::styled(compose.title(), theme.dim),
        Cell::styled(
            compose.doc.default_of("cluster").map_or_else(String::new, |n| words(&n)),
            theme.dim,
        ),
        Cell::styled(planned.totals.gpus.to_string(), theme.dim),
        Cell::styled(planned.totals.jobs.to_string(), theme.dim),
    ];
    (cells, Style::new())
}

fn entry_row(compose: &Compose, entry: usize, theme: &Theme) -> (Vec<Cell<'static>>, Style) {
    let summary = compose.planned.entry(entry);
    let marked = compose.marks.contains(&entry);
    let worst = summary.and_then(|s| {
        if s.errors > 0 {
            Some(Severity::Error)
        } else {
            (s.warnings > 0).then_some(Severity::Warning)
        }
    });
    let name = match compose.entry_name(entry) {
        Some(name) => Cell::new(name.to_owned()),
        None => Cell::styled("(no name)", theme.placeholder),
    };
    let written =
        compose.doc.field(Some(entry), "cluster").or_else(|| compose.doc.default_of("cluster"));
    let cluster = match (&written, summary) {
        (Some(node), _) => Cell::new(words(node)),
        (None, Some(summary)) => Cell::styled(summary.cluster.clone(), theme.dim),
        (None, None) => Cell::new(""),
    };
    let gpus = match summary {
        Some(summary) if compose.is_planned() && summary.errors == 0 => summary.gpus.clone(),
        _ => gpus(compose, entry),
    };
    let jobs = match summary {
        Some(summary) => summary.jobs.to_string(),
        None => "…".into(),
    };
    let cells = vec![
        signs(marked, worst, theme),
        Cell::styled((entry + 1).to_string(), theme.dim),
        Cell::new(compose.entry_type(entry).word()),
        name,
        cluster,
        Cell::new(gpus),
        Cell::new(jobs),
    ];
    (cells, if marked { theme.marked } else { Style::new() })
}

/// Mark and worst finding of a row, each with a symbol.
fn signs(marked: bool, worst: Option<Severity>, theme: &Theme) -> Cell<'static> {
    let mark = if marked { "•" } else { " " };
    let (symbol, style) = worst.map_or((" ", Style::new()), |s| super::foot::sign(s, theme));
    Cell { spans: vec![Span::styled(mark, theme.marked), Span::styled(symbol, style)] }
}

/// A name or a list of names.
fn words(node: &Node) -> String {
    match &node.value {
        Value::Scalar(s) if s.is_null() => String::new(),
        Value::Scalar(s) => s.text.clone(),
        Value::Seq(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Map(_) => "?".into(),
    }
}

/// GPUs as written, until the plan says it better.
fn gpus(compose: &Compose, entry: usize) -> String {
    let scalar = |key: &str| {
        compose.doc.scalar(entry, key).map(str::to_owned).or_else(|| {
            compose.doc.default_of(key).and_then(|n| n.as_scalar().map(|s| s.text.clone()))
        })
    };
    let gpus = scalar("gpus").unwrap_or_else(|| "0".into());
    match scalar("workers") {
        Some(workers) if compose.entry_type(entry) == JobType::Distributed => {
            format!("{workers}×{gpus}")
        }
        _ => gpus,
    }
}

//! The runs view, drawn.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::{
    app::{
        model::Model,
        msg::RunSummary,
        screen::runs::{failures, jobs, state},
    },
    ui::{
        theme::Theme,
        widgets::{
            bar, input,
            table::{Cell, Column, Table},
            text,
        },
    },
};

const COLUMNS: [Column; 8] = [
    Column::fixed("", 11, 9),
    Column::flex("batch", 12, 3, 8),
    Column::flex("run", 8, 1, 7),
    Column::fixed("created", 12, 6),
    Column::fixed("jobs", 6, 6).right(),
    Column::fixed("failed", 6, 5).right(),
    Column::fixed("", 16, 2),
    Column::flex("", 12, 3, 3),
];

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let view = &model.runs;
    head(frame, Rect { height: 1, ..area }, model, theme);
    if view.is_empty() {
        return empty(frame, area, model, theme);
    }
    let rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let table = Table {
        columns: &COLUMNS,
        len: view.len(),
        top: view.cursor.top,
        cursor: Some(view.cursor.at),
        focused: true,
        heading: true,
    };
    table.draw(frame.buffer_mut(), rest, theme, |row| {
        let Some(run) = view.row(row) else { return (Vec::new(), Style::new()) };
        (cells(run, model, theme), Style::new())
    });
}

fn head(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let view = &model.runs;
    let count = if view.len() == view.total() {
        text::count(view.total() as u64, "run")
    } else {
        format!("{} of {} runs", view.len(), view.total())
    };
    let order = if view.reverse {
        format!("{}, turned round", view.sort.word())
    } else {
        view.sort.word().to_owned()
    };
    let right = Line::from_iter([
        Span::styled(count, theme.strong),
        Span::styled(format!(" · {order} "), theme.dim),
    ]);
    let room = area.width.saturating_sub(right.width() as u16 + 2);
    let place = Rect { width: room, ..area };
    let typing = view.typing.as_ref().map(|filter| &filter.line);
    if typing.is_some() || !view.filter.is_empty() {
        input::filter(frame, place, typing, &view.filter, theme);
    } else {
        frame.render_widget(Span::styled(" Runs", theme.strong), area);
    }
    frame.render_widget(right.right_aligned(), area);
}

fn empty(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let view = &model.runs;
    let lines = if !view.is_loaded() {
        vec![Line::from("reading the runs …")]
    } else if view.total() > 0 {
        vec![
            Line::styled("no run matches the filter", theme.strong),
            Line::from_iter([Span::styled("Esc", theme.key), Span::raw("  takes it away")]),
        ]
    } else {
        vec![
            Line::styled("no runs yet", theme.strong),
            Line::default(),
            Line::from_iter([
                Span::styled("1", theme.key),
                Span::raw("  write a batch in Compose, then "),
                Span::styled("p", theme.key),
                Span::raw(" and "),
                Span::styled("S", theme.key),
            ]),
        ]
    };
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.into_iter().enumerate() {
        let place = Rect { y: area.y + top + i as u16, height: 1, ..area };
        frame.render_widget(line.centered(), place.intersection(area));
    }
}

fn cells<'a>(run: &'a RunSummary, model: &Model, theme: &Theme) -> Vec<Cell<'a>> {
    let created = run.created_at.to_zoned(model.settings.time_zone.clone());
    let age = model.now.duration_since(run.created_at).as_secs();
    // A time of day for this week, a date for everything before.
    let format = if age < 6 * 86_400 { "%a %H:%M" } else { "%Y-%m-%d" };
    let created = created.strftime(format).to_string();
    if let Some(why) = &run.damaged {
        return vec![
            Cell::styled("! damaged", theme.error),
            Cell::new(run.batch.as_str()),
            Cell::styled(run.run.as_str(), theme.dim),
            Cell::styled(created, theme.dim),
            Cell::default(),
            Cell::default(),
            Cell::default(),
            Cell::styled(why.as_str(), theme.error),
        ];
    }
    let (status, word) = state(run);
    let failed = failures(run);
    let failed = match failed {
        0 => Cell::styled("–", theme.dim),
        n => Cell::styled(n.to_string(), theme.failed),
    };
    let note = if let Some(why) = &run.held {
        format!("{} not sent: {why}", run.unsent)
    } else if let Some(who) = &run.conductor {
        let unsent =
            if run.unsent > 0 { format!("{} to send, ", run.unsent) } else { String::new() };
        format!("{unsent}carried on by {who}")
    } else if run.unsent > 0 && !run.ended {
        format!("{} never sent", run.unsent)
    } else {
        String::new()
    };
    vec![
        Cell::styled(format!("{} {word}", status.symbol()), theme.status(status)),
        Cell::new(run.batch.as_str()),
        Cell::styled(run.run.as_str(), theme.dim),
        Cell::styled(created, theme.dim),
        Cell::new(jobs(run).to_string()),
        failed,
        Cell::from(bar::run(&run.counts, 16, theme)),
        Cell::styled(text::fit(&note, 60).into_owned(), theme.dim),
    ]
}

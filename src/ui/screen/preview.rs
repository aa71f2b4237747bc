//! The preview, drawn: totals, findings, jobs, the values of one, the requests.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::{
    app::{
        model::Model,
        screen::preview::{self, Layout, Pane, Preview, Requests},
    },
    domain::{finding::Finding, plan::Plan, resources::Gpus},
    ui::{
        theme::Theme,
        widgets::{
            bar, input, scroll,
            table::{Cell, Column, Table},
            text,
        },
    },
};

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let view = &model.preview;
    banner(frame, Rect { height: 1, ..area }, view, theme);
    let Some(plan) = &view.plan else {
        return nothing(frame, area, view, theme);
    };
    if let Some(open) = &view.requests {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        return requests(frame, below, open, theme);
    }
    let at = view.layout(model.width, model.height);
    if view.pane == Pane::Values && at.values == 0 {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        return values(frame, below, model, at, theme);
    }
    let head = Rect { y: area.y + 1, height: at.summary.saturating_sub(1), ..area };
    summary(frame, head, model, plan, at, theme);
    let y = area.y + at.summary;
    let height = at.findings + at.finding_text + 1;
    findings(frame, Rect { y, height, ..area }, (view, plan), at, theme);
    let y = y + height;
    let rest = Rect { y, height: at.jobs + 1, ..area }.intersection(area);
    if at.values > 0 && !plan.jobs.is_empty() {
        let left = Rect { width: rest.width - at.values, ..rest };
        let right = Rect { x: left.right(), width: at.values, ..rest };
        jobs(frame, left, view, theme);
        values(frame, right, model, at, theme);
    } else {
        jobs(frame, rest, view, theme);
    }
}

fn put(frame: &mut Frame<'_>, area: Rect, row: u16, line: Line<'_>) {
    let place = Rect { y: area.y + row, height: 1, ..area }.intersection(area);
    if place.height > 0 {
        frame.render_widget(line, place);
    }
}

fn banner(frame: &mut Frame<'_>, area: Rect, view: &Preview, theme: &Theme) {
    let words = Line::from_iter([
        Span::styled(" DRY RUN", theme.strong),
        Span::styled(" · nothing has been submitted", theme.text),
    ]);
    let taken = words.width();
    frame.render_widget(words, area);
    let state = match () {
        () if view.is_rechecking() => "checking again …  ",
        () if view.is_planning() => "planning …  ",
        () => "",
    };
    let name = view.plan.as_ref().map_or("", |p| p.head.name.as_str());
    let room = usize::from(area.width).saturating_sub(taken + state.len() + 3);
    let name = text::fit(name, room);
    let right = Line::from_iter([
        Span::styled(state, theme.accent),
        Span::styled(name, theme.strong),
        Span::raw(" "),
    ]);
    frame.render_widget(right.right_aligned(), area);
}

fn nothing(frame: &mut Frame<'_>, area: Rect, view: &Preview, theme: &Theme) {
    let key = |k| Span::styled(k, theme.key);
    let lines = if view.is_planning() {
        vec![Line::from("planning the batch …")]
    } else {
        vec![
            Line::styled("nothing to preview yet", theme.strong),
            Line::default(),
            Line::from_iter([key("1"), Span::raw("  write a batch in Compose")]),
            Line::from_iter([key(": quickstart"), Span::raw("  open the example batch")]),
        ]
    };
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.into_iter().enumerate() {
        put(frame, area, top + i as u16, line.centered());
    }
}

fn summary(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    plan: &Plan,
    at: Layout,
    theme: &Theme,
) {
    let view = &model.preview;
    let totals = &plan.totals;
    let mut row = 0;
    let mut line = vec![
        Span::styled(format!("  {}", text::count(totals.jobs as u64, "job")), theme.strong),
        Span::styled(format!("  {}", totals.gpus.in_words()), theme.strong),
    ];
    if totals.peak_gpus < totals.gpus {
        line.push(Span::styled(format!(" ({} at once)", totals.peak_gpus), theme.text));
    }
    let types: Vec<String> =
        totals.by_type.iter().map(|(t, n)| format!("{n} {}", t.word())).collect();
    line.push(Span::styled(format!("  {}", types.join(" · ")), theme.dim));
    put(frame, area, row, Line::from(line));
    row += 1;
    if view.summary.has_actions() {
        let words = preview::actions(&view.summary);
        put(frame, area, row, Line::styled(format!("  existing work: {words}"), theme.text));
        row += 1;
    }
    let shares = &view.summary.clusters;
    let names = shares.keys().map(|n| text::width(n)).max().unwrap_or(0).clamp(4, 14);
    for (name, share) in shares.iter().take(usize::from(at.clusters)) {
        let place = Rect { y: area.y + row, height: 1, ..area }.intersection(area);
        cluster(frame, place, model, (name, names), share, theme);
        row += 1;
    }
    if shares.len() > usize::from(at.clusters) {
        let more = shares.len() - usize::from(at.clusters);
        let words = format!("  … and {} (5 shows all)", text::count(more as u64, "cluster more"));
        put(frame, area, row, Line::styled(words, theme.dim));
        row += 1;
    }
    if let Some(words) = view.starts(model.now) {
        let words = text::fit(&words, usize::from(area.width).saturating_sub(3)).into_owned();
        put(frame, area, row, Line::styled(format!("  {words}"), theme.text));
        row += 1;
    }
    if !totals.gpus_by_project.is_empty() {
        let each: Vec<String> = totals
            .gpus_by_project
            .iter()
            .map(|(name, n)| format!("{} {}", text::fit(name, 24), n.in_words()))
            .collect();
        let room = usize::from(area.width).saturating_sub(14);
        let words = text::fit(&each.join(" · "), room).into_owned();
        let line = Line::from_iter([
            Span::styled("  projects  ", theme.dim),
            Span::styled(words, theme.text),
        ]);
        put(frame, area, row, line);
        row += 1;
    }
    if view.summary.sent.jobs > 0 {
        let who = preview::awake(plan, &model.health).join(" · ");
        let who = if who.is_empty() { "not known yet".to_owned() } else { who };
        let room = usize::from(area.width).saturating_sub(22);
        let line = Line::from_iter([
            Span::styled("  must stay awake: ", theme.dim),
            Span::styled(text::fit(&who, room).into_owned(), theme.text),
        ]);
        put(frame, area, row, line);
        row += 1;
    }
    if let Some(words) = &view.summary.waves {
        let words = text::fit(words, usize::from(area.width).saturating_sub(2)).into_owned();
        put(frame, area, row, Line::styled(format!("  {words}"), theme.text));
    }
}

/// `lab   29 GPUs of 64 · 12 free now   ████▒▒▒▒`
fn cluster(
    frame: &mut Frame<'_>,
    area: Rect,
    model: &Model,
    (name, names): (&str, usize),
    share: &preview::Share,
    theme: &Theme,
) {
    let health = model.health.iter().find(|h| h.id.as_str() == name);
    let capacity = health.and_then(|h| h.capacity.as_ref());
    let mut words = vec![
        Span::styled(format!("  {}  ", text::left(name, names)), theme.accent),
        Span::raw(text::count(share.jobs as u64, "job")),
    ];
    if share.gpus.is_zero() {
        words.push(Span::styled(" · no GPUs asked for", theme.dim));
    } else {
        words.push(Span::raw(" → "));
        words.push(Span::styled(share.gpus.in_words(), theme.strong));
    }
    let total = capacity.and_then(|c| c.gpus_total);
    let free = capacity.and_then(|c| c.gpus_free);
    if name == "auto" {
        words.push(Span::styled(" · placed when there is room", theme.dim));
    } else if health.is_some_and(|h| h.error.is_some()) {
        words.push(Span::styled(" · ✗ the cluster does not answer", theme.warning));
    } else if let Some(total) = total {
        if !share.gpus.is_zero() {
            words.push(Span::raw(format!(" of {total}")));
        }
        if let Some(free) = free
            && !total.is_zero()
            && !share.gpus.is_zero()
        {
            words.push(Span::raw(format!(" · {free} free now")));
            if share.gpus > free {
                let over = share.gpus.saturating_sub(free);
                words.push(Span::styled(format!(", {over} must wait"), theme.dim));
            }
        }
        if let Some(queue) = capacity.and_then(|c| c.queue).filter(|q| *q > 0) {
            words.push(Span::styled(format!(" · {queue} queued there"), theme.dim));
        }
    } else {
        words.push(Span::styled(" · what it has is not known yet", theme.dim));
    }
    let line = Line::from(words);
    let used = line.width() as u16 + 3;
    frame.render_widget(line, area);
    if let (Some(total), Some(free)) = (total, free)
        && !total.is_zero()
        && area.width > used + 12
    {
        let width = (area.width - used - 1).min(34);
        let place = Rect { x: area.right() - width - 1, width, ..area };
        let busy = total.saturating_sub(free);
        let starts = share.gpus.micros().min(free.micros());
        let rest = Gpus::from_micros(free.micros() - starts);
        let bar = bar::stacked(
            &[
                (busy.micros(), "█", theme.dim),
                (starts, "▓", theme.running),
                (rest.micros(), "░", theme.border),
            ],
            width,
        );
        frame.render_widget(bar, place);
    }
}

fn findings(
    frame: &mut Frame<'_>,
    area: Rect,
    (view, plan): (&Preview, &Plan),
    at: Layout,
    theme: &Theme,
) {
    let sum = &view.summary;
    let focused = view.pane == Pane::Findings;
    let mut head = vec![Span::raw(" ")];
    if plan.findings.is_empty() {
        head.push(Span::styled("✓ no errors, no warnings", theme.success));
    } else {
        if sum.errors > 0 {
            let words = format!("✗ {}", text::count(sum.errors as u64, "error"));
            head.push(Span::styled(words, theme.error));
            head.push(Span::raw("   "));
        }
        if sum.warnings > 0 {
            let words = format!("⚠ {}", text::count(sum.warnings as u64, "warning"));
            head.push(Span::styled(words, theme.warning));
        }
        if focused {
            head.push(Span::styled("   Enter goes to the field", theme.dim));
        }
    }
    put(frame, area, 0, Line::from(head));
    let rows = Rect { y: area.y + 1, height: at.findings, ..area };
    if at.finding_text > 0
        && let Some(finding) = plan.findings.get(view.findings.at)
    {
        let hint = finding.hint.as_deref().map(|h| format!("; {h}")).unwrap_or_default();
        let words = format!("{}{hint}", finding.message);
        let lines = text::wrap(&words, usize::from(area.width.saturating_sub(6)));
        for (y, line) in (rows.bottom()..rows.bottom() + at.finding_text).zip(lines) {
            let place = Rect { x: area.x + 4, y, width: area.width.saturating_sub(5), height: 1 };
            frame.render_widget(Line::styled(line, theme.text), place);
        }
    }
    for (y, (i, finding)) in
        (rows.y..rows.bottom()).zip(plan.findings.iter().enumerate().skip(view.findings.top))
    {
        let place = Rect { y, height: 1, ..rows };
        frame.render_widget(finding_line(finding, usize::from(rows.width), theme), place);
        if i == view.findings.at {
            let style = if focused { theme.selected } else { theme.selected_unfocused };
            frame.buffer_mut().set_style(place, style);
        }
    }
    scroll::draw(frame.buffer_mut(), rows, plan.findings.len(), view.findings.top, theme);
}

/// `✗ job 5 cluster  23:14  no cluster named …; did you mean …`
fn finding_line<'a>(finding: &'a Finding, width: usize, theme: &Theme) -> Line<'a> {
    let (sign, style) =
        if finding.is_error() { ("✗", theme.error) } else { ("⚠", theme.warning) };
    let place = match (&finding.job, finding.entry) {
        (Some(job), _) => text::fit(job, 20).into_owned(),
        (None, Some(entry)) => format!("job {}", entry + 1),
        (None, None) => "batch".to_owned(),
    };
    let field: String = finding
        .path
        .0
        .iter()
        .skip(if finding.entry.is_some() { 2 } else { 0 })
        .map(|step| match step {
            crate::domain::tree::Step::Key(key) => format!(".{key}"),
            crate::domain::tree::Step::Index(i) => format!("[{i}]"),
        })
        .collect();
    let field = text::fit(field.trim_start_matches('.'), 24).into_owned();
    let at = finding
        .span
        .map(|s| format!(" line {}:{}", s.start.line, s.start.column))
        .unwrap_or_default();
    let gap = if field.is_empty() { "" } else { " " };
    let head = format!("{place}{gap}{field}{at}  ");
    let room = width.saturating_sub(text::width(&head) + 5);
    let hint = finding.hint.as_deref().map(|h| format!("; {h}")).unwrap_or_default();
    let message = text::fit(&format!("{}{hint}", finding.message), room).into_owned();
    Line::from_iter([
        Span::styled(format!(" {sign} "), style),
        Span::styled(head, theme.dim),
        Span::styled(message, theme.text),
    ])
}

const COLUMNS: [Column; 7] = [
    Column::fixed("#", 6, 3).right(),
    Column::flex("job", 14, 3, 9),
    Column::fixed("type", 11, 4),
    Column::flex("cluster", 8, 1, 6),
    Column::fixed("GPUs", 5, 7).right(),
    Column::fixed("action", 8, 8),
    Column::flex("with", 10, 4, 5),
];

fn jobs(frame: &mut Frame<'_>, area: Rect, view: &Preview, theme: &Theme) {
    let filtering = view.typing.is_some() || !view.filter.is_empty();
    if filtering {
        filter_line(frame, Rect { height: 1, ..area }, view, theme);
        if view.is_empty() {
            let words = "   no job matches the filter · Esc takes it away";
            return put(frame, area, 1, Line::styled(words, theme.dim));
        }
    } else if view.is_empty() {
        return put(frame, area, 1, Line::styled("   no job can be made of this", theme.dim));
    }
    let table = Table {
        columns: &COLUMNS,
        len: view.len(),
        top: view.jobs.top,
        cursor: (!view.is_empty()).then_some(view.jobs.at),
        focused: view.pane == Pane::Jobs,
        heading: !filtering,
    };
    table.draw(frame.buffer_mut(), area, theme, |row| {
        let Some((at, job)) = view.job(row) else { return (Vec::new(), theme.text) };
        let spec = &job.spec;
        let cluster = job.goes_to();
        let with = if spec.params.is_empty() {
            spec.command.as_ref().map(crate::app::values::command).unwrap_or_default()
        } else {
            spec.params.to_string()
        };
        let action = if job.action.sends() { theme.text } else { theme.success };
        let cells = vec![
            Cell::styled((at + 1).to_string(), theme.dim),
            Cell::new(spec.name.as_str()),
            Cell::styled(spec.job_type.word(), theme.dim),
            Cell::new(cluster),
            Cell::new(job.total_gpus.to_string()),
            Cell::styled(job.action.word(), action),
            Cell::styled(with, theme.dim),
        ];
        (cells, Style::new())
    });
}

fn filter_line(frame: &mut Frame<'_>, area: Rect, view: &Preview, theme: &Theme) {
    let found = format!("{} of {}", view.len(), view.plan.as_ref().map_or(0, |p| p.jobs.len()));
    let width = found.len() as u16 + 2;
    let place = Rect { width: area.width.saturating_sub(width), ..area };
    let typing = view.typing.as_ref().map(|filter| &filter.line);
    input::filter(frame, place, typing, &view.filter, theme);
    frame.render_widget(Line::styled(format!("{found} "), theme.dim).right_aligned(), area);
}

fn values(frame: &mut Frame<'_>, area: Rect, model: &Model, at: Layout, theme: &Theme) {
    let view = &model.preview;
    let focused = view.pane == Pane::Values;
    let beside = at.values > 0;
    if beside {
        let style = if focused { theme.border_focused } else { theme.border };
        for y in area.y..area.bottom() {
            frame.buffer_mut().set_string(area.x, y, "│", style);
        }
    }
    let inner = Rect { x: area.x + 2, width: area.width.saturating_sub(3), ..area };
    let columns = Preview::value_columns(at, model.width);
    let lines = view.value_lines(columns);
    let title = match view.job(view.jobs.at) {
        Some((at, job)) => format!("job {} · {}", at + 1, job.spec.name),
        None => String::new(),
    };
    let title = text::fit(&title, usize::from(inner.width)).into_owned();
    put(frame, inner, 0, Line::styled(title, theme.strong));
    let rows = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    let count = lines.len();
    for (y, (label, value)) in (rows.y..rows.bottom()).zip(lines.into_iter().skip(view.values.top))
    {
        let line = Line::from_iter([
            Span::styled(text::left(label, 14), theme.dim),
            Span::styled(value, theme.text),
        ]);
        frame.render_widget(line, Rect { y, height: 1, ..rows });
    }
    let bar = Rect { width: rows.width + 1, ..rows };
    scroll::draw(frame.buffer_mut(), bar, count, view.values.top, theme);
}

fn requests(frame: &mut Frame<'_>, area: Rect, open: &Requests, theme: &Theme) {
    let head = Line::from_iter([
        Span::styled(" exactly what would be sent", theme.strong),
        Span::styled("   v or Esc closes · ← → for long lines", theme.dim),
    ]);
    put(frame, area, 0, head);
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let Some(lines) = &open.lines else {
        put(frame, rows, 0, Line::styled("   …", theme.dim));
        return;
    };
    let columns = usize::from(rows.width.saturating_sub(3));
    for (y, line) in (rows.y..rows.bottom()).zip(lines.iter().skip(open.top)) {
        let style = if line.starts_with("──") {
            theme.accent
        } else if line.starts_with('┄') || line.starts_with('$') {
            theme.strong
        } else {
            theme.text
        };
        let from = line.char_indices().nth(open.left).map_or(line.len(), |(at, _)| at);
        let shown = text::fit(line.get(from..).unwrap_or(""), columns).into_owned();
        frame.render_widget(
            Line::styled(shown, style),
            Rect { x: rows.x + 1, y, width: rows.width.saturating_sub(2), height: 1 },
        );
    }
    scroll::draw(frame.buffer_mut(), rows, lines.len(), open.top, theme);
}

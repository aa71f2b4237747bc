//! The clusters view, drawn: a line each, and all that is known of one.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::{
    app::{
        model::Model,
        msg::ClusterHealth,
        screen::clusters::{ClustersView, State, advice},
    },
    domain::resources::{Gpus, Memory},
    ui::{
        theme::Theme,
        widgets::{
            bar, input,
            table::{Cell, Column, Table},
            text,
        },
    },
};

const COLUMNS: [Column; 9] = [
    Column::flex("cluster", 10, 2, 9),
    Column::fixed("kind", 10, 4),
    Column::fixed("state", 14, 8),
    Column::fixed("GPUs in use", 11, 7).right(),
    Column::fixed("", 14, 2),
    Column::fixed("queue", 6, 5).right(),
    Column::fixed("answer", 8, 3).right(),
    Column::fixed("age", 5, 6).right(),
    Column::fixed("req/min", 7, 1).right(),
];

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    head(frame, Rect { height: 1, ..area }, model, theme);
    let all = &model.health;
    if all.is_empty() {
        let place = Rect { y: area.y + area.height / 2, height: 1, ..area };
        frame.render_widget(Line::from("asking the clusters …").centered(), place);
        return;
    }
    let shown = model.clusters.shown(all);
    let page = ClustersView::page(model.height, all.len()) as u16;
    let rows = Rect { y: area.y + 1, height: page + 1, ..area };
    let table = Table {
        columns: &COLUMNS,
        len: shown.len(),
        top: model.clusters.cursor.top,
        cursor: Some(model.clusters.cursor.at),
        focused: true,
        heading: true,
    };
    table.draw(frame.buffer_mut(), rows, theme, |row| {
        shown.get(row).map_or_else(
            || (Vec::new(), Style::new()),
            |health| (cells(health, model, theme), Style::new()),
        )
    });
    let below = Rect { y: rows.bottom() + 1, ..area };
    let below = Rect { height: area.bottom().saturating_sub(below.y), ..below };
    match shown.get(model.clusters.cursor.at) {
        Some(health) => detail(frame, below, health, model, theme),
        None => none_matches(frame, below, theme),
    }
}

fn none_matches(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let line = Line::from_iter([
        Span::raw("no cluster matches the filter; "),
        Span::styled("Esc", theme.key),
        Span::raw(" takes it away"),
    ]);
    frame.render_widget(line.centered(), Rect { height: area.height.min(1), ..area });
}

/// What the view is, or the filter and how many match.
fn head(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let view = &model.clusters;
    let typing = view.typing.as_ref().map(|filter| &filter.line);
    if typing.is_some() || !view.filter.is_empty() {
        let (shown, all) = (view.shown(&model.health).len(), model.health.len());
        let count = Span::styled(format!("{shown} of {all} clusters "), theme.strong);
        let room = area.width.saturating_sub(count.width() as u16 + 2);
        input::filter(frame, Rect { width: room, ..area }, typing, &view.filter, theme);
        frame.render_widget(Line::from(count).right_aligned(), area);
        return;
    }
    let asked = if model.paused {
        "   not asked while polling is paused; "
    } else {
        "   asked every 10 seconds while you look; "
    };
    let title = Line::from_iter([
        Span::styled(" Clusters", theme.strong),
        Span::styled(asked, theme.dim),
        Span::styled("^R", theme.key),
        Span::styled(" asks now", theme.dim),
    ]);
    frame.render_widget(title, area);
}

fn state(health: &ClusterHealth, theme: &Theme) -> Span<'static> {
    let state = State::of(health);
    let (symbol, style) = match state {
        State::SwitchedOff => ("–", theme.dim),
        State::NeedsLogin => ("!", theme.warning),
        State::NoAnswer => ("✗", theme.error),
        State::Answers => ("✓", theme.success),
        State::Asking => ("…", theme.dim),
    };
    Span::styled(format!("{symbol} {}", state.word()), style)
}

fn age(health: &ClusterHealth, model: &Model) -> Option<String> {
    health.last_seen.map(|at| text::age(model.now.duration_since(at).as_secs()))
}

/// GPUs in use and in all.
fn gpus(health: &ClusterHealth) -> Option<(Gpus, Gpus)> {
    let capacity = health.capacity.as_ref()?;
    let total = capacity.gpus_total?;
    Some((total.saturating_sub(capacity.gpus_free.unwrap_or(Gpus::ZERO)), total))
}

fn gpu_bar(health: &ClusterHealth, width: u16, theme: &Theme) -> Line<'static> {
    let Some((used, total)) = gpus(health).filter(|(_, total)| !total.is_zero()) else {
        return Line::default();
    };
    let free = total.saturating_sub(used);
    let parts = [(used.micros(), "█", theme.running), (free.micros(), "░", theme.border)];
    bar::stacked(&parts, width)
}

fn cells<'a>(health: &'a ClusterHealth, model: &Model, theme: &Theme) -> Vec<Cell<'a>> {
    let capacity = health.capacity.as_ref();
    let old = health.error.is_some();
    let base = if old { theme.stale } else { theme.text };
    let in_use = gpus(health).map(|(used, total)| format!("{used}/{total}")).unwrap_or_default();
    let queue = capacity.and_then(|c| c.queue).map(|n| n.to_string()).unwrap_or_default();
    let latency = health.latency_ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
    vec![
        Cell::styled(health.id.as_str(), theme.text),
        Cell::styled(health.kind.word(), theme.dim),
        Cell::from(state(health, theme)),
        Cell::styled(in_use, base),
        Cell::from(gpu_bar(health, 14, theme)),
        Cell::styled(queue, base),
        Cell::styled(latency, theme.dim),
        Cell::styled(age(health, model).unwrap_or_default(), base),
        Cell::styled(health.requests_per_minute.to_string(), theme.dim),
    ]
}

fn detail(frame: &mut Frame<'_>, area: Rect, health: &ClusterHealth, model: &Model, theme: &Theme) {
    if area.height < 2 {
        return;
    }
    let width = usize::from(area.width);
    let rule = format!("─ {} ", text::fit(health.id.as_str(), width / 2));
    let rest = "─".repeat(width.saturating_sub(text::width(&rule)));
    let rule =
        Line::from_iter([Span::styled(rule, theme.strong), Span::styled(rest, theme.border)]);
    frame.render_widget(rule, Rect { height: 1, ..area });
    let columns = width.saturating_sub(18);
    let mut lines: Vec<(&str, String, Style)> = Vec::new();
    if let Some(error) = &health.error {
        lines.push(("no answer", error.clone(), theme.error));
    }
    for advice in advice(health) {
        lines.push(("what to do", advice, theme.text));
    }
    if let Some(at) = health.last_seen {
        let time = at.to_zoned(model.settings.time_zone.clone());
        let words = format!(
            "{}, {} ago",
            time.strftime("%H:%M:%S"),
            age(health, model).unwrap_or_default()
        );
        lines.push(("last answer", words, theme.text));
    }
    if let Some(capacity) = &health.capacity {
        if let Some((used, total)) = gpus(health) {
            let free = total.saturating_sub(used);
            let node = capacity.gpus_per_node.map(|n| format!(", at most {n} for one worker"));
            let words = if total.is_zero() {
                "none".to_owned()
            } else {
                format!("{total} in all, {free} free{}", node.unwrap_or_default())
            };
            lines.push(("GPUs", words, theme.text));
        }
        if let Some(total) = capacity.cpus_total {
            let free = capacity.cpus_free.map(|n| format!(", {n} free")).unwrap_or_default();
            lines.push(("CPUs", format!("{total} in all{free}"), theme.text));
        }
        if let Some(bytes) = capacity.memory_total {
            let memory = Memory::from_bytes(bytes >> 20 << 20);
            lines.push(("memory", text::bytes(memory.bytes()), theme.text));
        }
        let jobs: Vec<String> = [(capacity.running, "running"), (capacity.queue, "waiting")]
            .into_iter()
            .filter_map(|(n, word)| n.map(|n| format!("{n} {word}")))
            .collect();
        if !jobs.is_empty() {
            lines.push(("jobs there", jobs.join(", "), theme.text));
        }
        if let Some(version) = &capacity.version {
            lines.push(("version", version.clone(), theme.text));
        }
    }
    let mut y = area.y + 1;
    for (label, words, style) in lines {
        for (i, line) in text::wrap(&words, columns).into_iter().enumerate() {
            if y >= area.bottom() {
                return;
            }
            let label = if i == 0 { label } else { "" };
            let line = Line::from_iter([
                Span::styled(format!("  {}", text::left(label, 14)), theme.dim),
                Span::styled(line, style),
            ]);
            frame.render_widget(line, Rect { y, height: 1, ..area });
            y += 1;
        }
    }
}

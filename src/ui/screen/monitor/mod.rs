//! The monitor view, drawn: two lines that tell of the whole run, the table, the
//! pane beside or under it, the line that is typed in.

mod detail;
mod header;
mod input;
mod log;
mod row;
mod table;
#[cfg(test)]
mod tests;

use jiff::{Timestamp, tz::TimeZone};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use crate::{
    app::{
        model::Model,
        msg::ClusterHealth,
        screen::monitor::{Input, Opened, Pane, layout},
    },
    domain::ids::ClusterId,
    ui::{theme::Theme, widgets::text},
};

/// What every part needs to be drawn.
struct View<'a> {
    opened: &'a Opened,
    now: Timestamp,
    zone: &'a TimeZone,
    clusters: &'a [ClusterHealth],
    /// That polling is paused, in words.
    paused: Option<String>,
    theme: &'a Theme,
}

/// A cluster does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stale {
    /// It did this many seconds ago.
    Since(i64),
    /// It never has.
    Always,
}

impl View<'_> {
    /// How old the news of a cluster is; `None` while it answers.
    fn stale(&self, cluster: Option<&ClusterId>) -> Option<Stale> {
        let health = self.clusters.iter().find(|h| Some(&h.id) == cluster)?;
        health.error.as_ref()?;
        Some(match health.last_seen {
            Some(at) => Stale::Since(self.now.duration_since(at).as_secs()),
            None => Stale::Always,
        })
    }
}

/// That no cluster is asked, how old what is shown is, and the key that goes on.
fn paused(model: &Model, opened: &Opened) -> Option<String> {
    let age = model.data_age(|id| opened.index().uses(id));
    let age = age.map(|age| format!(", data {} old", text::age(age))).unwrap_or_default();
    model.paused.then(|| format!("polling paused{age}: P goes on"))
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let Some(opened) = model.monitor.opened() else { return empty(frame, area, theme) };
    let view = View {
        opened,
        now: model.now,
        zone: &model.settings.time_zone,
        clusters: &model.health,
        paused: paused(model, opened),
        theme,
    };
    let layout = opened.layout(area.width, area.height);
    let place = |part: layout::Area| {
        Rect::new(area.x + part.x, area.y + part.y, part.width, part.height).intersection(area)
    };
    header::draw(frame, place(layout.header), &view);
    table::draw(frame, place(layout.table), &view);
    if let Some(part) = layout.pane {
        let place = place(part);
        match opened.pane() {
            Pane::Closed => {}
            Pane::Detail { scroll } => detail::draw(frame, place, *scroll, &view),
            Pane::Log(pane) => log::draw(frame, place, pane, &view),
        }
        if layout.beside {
            let x = place.x.saturating_sub(1);
            for y in place.y..place.bottom() {
                frame.buffer_mut().set_string(x, y, "│", theme.border);
            }
        }
    }
    if let Some(part) = layout.input {
        input::line(frame, place(part), &view);
    }
    if let Input::Retry(form) = opened.input() {
        input::retry(frame, area, form, &view);
    }
}

fn empty(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    let lines = [
        Line::from(Span::styled("No run is open", theme.strong)),
        Line::default(),
        Line::from(vec![
            Span::styled("4", theme.key),
            Span::raw("  earlier runs: Enter opens one"),
        ]),
        Line::from(vec![
            Span::styled("1", theme.key),
            Span::raw("  compose a batch and submit it"),
        ]),
    ];
    let top = area.height.saturating_sub(lines.len() as u16) / 2;
    let left = area.width.saturating_sub(34) / 2;
    for (line, y) in lines.iter().zip(area.y + top..area.bottom()) {
        frame.buffer_mut().set_line(area.x + left, y, line, area.width - left);
    }
}

/// `100,000`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

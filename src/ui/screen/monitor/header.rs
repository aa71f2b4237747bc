//! The two lines at the top: which run and how far, then the states and what
//! should be known about its sending.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{Stale, View, grouped};
use crate::{
    domain::{resources::Gpus, status::Status},
    ui::widgets::{bar, text},
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    if area.height == 0 {
        return;
    }
    run(frame, Rect { height: 1, ..area }, view);
    if area.height > 1 {
        states(frame, Rect { y: area.y + 1, height: 1, ..area }, view);
    }
}

/// Which run, the bar, GPUs in use.
fn run(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let (run, theme) = (view.opened.run(), view.theme);
    let width = usize::from(area.width);
    let age = if let Some(ended) = view.opened.ended_at() {
        let took = ended.duration_since(run.created_at).as_secs();
        // A moment, not an age: nothing wakes the screen up any more.
        let ended = ended.to_zoned(view.zone.clone());
        let today = view.now.to_zoned(view.zone.clone()).date() == ended.date();
        let ended = ended.strftime(if today { "%H:%M" } else { "%b %d %H:%M" });
        format!("took {} · ended {ended}", text::duration(took))
    } else {
        text::age(view.now.duration_since(run.created_at).as_secs())
    };
    let about = format!(" · run {} · {age}", run.id);
    let name = text::fit(&run.head.name, (width / 3).max(12));
    let about = text::fit(&about, width.saturating_sub(text::width(&name) + 2));
    let left = Line::from(vec![
        Span::raw(" "),
        Span::styled(name.into_owned(), theme.strong),
        Span::styled(about.into_owned(), theme.dim),
    ]);
    let total: Gpus = view.opened.index().tally().gpus_in_use();
    let gpus = format!("{} in use ", total.in_words());
    let buf = frame.buffer_mut();
    let (mut x, _) = buf.set_line(area.x, area.y, &left, area.width);
    let right = area.right().saturating_sub(text::width(&gpus) as u16);
    if right <= x + 2 {
        return;
    }
    buf.set_string(right, area.y, &gpus, theme.text);
    x += 2;
    // As wide as there is room, but the same from one second to the next.
    let room = right.saturating_sub(x + 2).min(60);
    if room >= 8 {
        let counts: Vec<(Status, usize)> = run.counts.iter().map(|(s, n)| (*s, *n)).collect();
        let bar = bar::run(&counts, room, theme);
        buf.set_line(right - 2 - room, area.y, &bar, room);
    }
}

/// Counts by state at the left, what to know at the right.
fn states(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let theme = view.theme;
    let urgent = urgent(view);
    let note_width = |notes: &[(String, Style)]| {
        notes.iter().map(|(words, _)| text::width(words) + 3).sum::<usize>()
    };
    let width = usize::from(area.width);
    // Words give way only to what must be known.
    let mut counts = counts(view, true);
    if counts.width() + note_width(urgent.get(..1).unwrap_or_default()) > width {
        counts = self::counts(view, false);
    }
    let buf = frame.buffer_mut();
    let (x, _) = buf.set_line(area.x, area.y, &counts, area.width);
    // The most important note comes first; the last give way.
    let mut notes = urgent;
    let room = usize::from(area.right().saturating_sub(x + 2));
    let least = notes.len().min(1);
    notes.extend(asides(view));
    while notes.len() > least && note_width(&notes) > room {
        notes.pop();
    }
    let mut spans = Vec::new();
    for (i, (words, style)) in notes.iter().enumerate() {
        if i > 0 {
            spans.push(Span::styled(" · ", theme.dim));
        }
        spans.push(Span::styled(text::fit(words, room.saturating_sub(1)), *style));
    }
    spans.push(Span::raw(" "));
    let line = Line::from(spans);
    let at = area.right().saturating_sub(line.width() as u16);
    if at > x {
        buf.set_line(at, area.y, &line, area.right() - at);
    }
}

fn counts(view: &View<'_>, words: bool) -> Line<'static> {
    let run = view.opened.run();
    let mut spans = vec![Span::raw(" ")];
    for status in Status::ALL {
        let n = run.count(status);
        if n == 0 {
            continue;
        }
        if spans.len() > 1 {
            spans.push(Span::raw("  "));
        }
        let style = view.theme.status(status);
        let text = if words {
            let word = if status == Status::Succeeded { "done" } else { status.label() };
            format!("{} {} {word}", status.symbol(), grouped(n))
        } else {
            format!("{}{}", status.symbol(), grouped(n))
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

/// What must be known, most important first.
fn urgent(view: &View<'_>) -> Vec<(String, Style)> {
    let (opened, run, theme) = (view.opened, view.opened.run(), view.theme);
    let mut notes: Vec<_> =
        view.paused.iter().map(|words| (words.clone(), theme.warning)).collect();
    let unsent = opened.unsent();
    let total = run.jobs.len();
    let sendable = opened.sendable();
    if sendable > 0 {
        notes.push((format!("{} never sent: S sends", grouped(sendable)), theme.warning));
        notes.extend(run.held.as_ref().map(|why| (why.to_string(), theme.warning)));
    } else if unsent > 0 && opened.is_sending() {
        let sent = total - unsent;
        notes.push(if run.count(Status::Submitting) > 0 {
            (format!("sending {} of {}: X stops", grouped(sent), grouped(total)), theme.accent)
        } else {
            (format!("{} still to be sent", grouped(unsent)), theme.text)
        });
    }
    for health in view.clusters {
        if let Some(age) = view.stale(Some(&health.id))
            && opened.index().uses(&health.id)
        {
            let since = match age {
                Stale::Always => "no answer yet".to_owned(),
                Stale::Since(secs) => format!("no answer for {}", text::age(secs)),
            };
            let login = if health.needs_login { ", needs a login" } else { "" };
            notes.push((format!("{}: {since}{login}", health.id), theme.warning));
        }
    }
    if let Some(other) = opened.other_conductor() {
        notes.push((format!("carried on by {other}"), theme.dim));
    }
    if !opened.marks().is_empty() {
        notes.push((format!("{} marked", grouped(opened.marks().len())), theme.marked));
    }
    notes
}

/// What is good to know where there is room.
fn asides(view: &View<'_>) -> Vec<(String, Style)> {
    let (opened, run, theme) = (view.opened, view.opened.run(), view.theme);
    let mut notes = Vec::new();
    if !run.is_ended()
        && let Some(secs) = opened.index().tally().seconds_left(run)
    {
        let left = i64::try_from(secs).unwrap_or(i64::MAX);
        notes.push((format!("about {} left", text::age(left)), theme.dim));
    }
    if opened.conducting() && opened.is_sending() {
        notes.push(("this window sends".to_owned(), theme.dim));
    }
    if run.counts.iter().any(|(status, n)| *n > 0 && status.is_live()) {
        notes.extend(view.clusters.iter().filter(|h| opened.index().uses(&h.id)).filter_map(|h| {
            let seen = h.last_seen.filter(|_| h.error.is_none())?;
            let age = text::age(view.now.duration_since(seen).as_secs());
            Some((format!("{} {age} ago {}/min", h.id, h.requests_per_minute), theme.dim))
        }));
    }
    notes
}

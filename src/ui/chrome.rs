//! The header with its tabs and cluster meters, the footer with its keys, and
//! what is shown instead when there is too little room.

use ratatui::{
    Frame,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Clear,
};

use super::{theme::Theme, widgets::text};
use crate::app::{
    chrome,
    keymap::{self, Action, Entry},
    model::Model,
    msg::ClusterHealth,
    overlay::Overlay,
    update,
};

/// Data older than this is called old.
const OLD_SECS: i64 = 60;

pub fn header(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    frame.buffer_mut().set_style(area, theme.header);
    let mut right_edge = area.x;
    let mut tabs = chrome::tabs(area.width).peekable();
    if let Some((_, first)) = tabs.peek()
        && usize::from(first.start) > chrome::TITLE.len()
    {
        let title = Line::styled(format!(" {}", chrome::TITLE), theme.strong);
        frame.render_widget(title, Rect { width: first.start, ..area });
    }
    for (n, (view, columns)) in tabs.enumerate() {
        let active = view == model.view;
        let style = if active { theme.tab_active } else { theme.header };
        let number = if active { theme.tab_active } else { theme.dim };
        let line = Line::from_iter([
            Span::styled(format!(" {}", n + 1), number),
            Span::styled(format!(" {} ", view.title()), style),
        ]);
        let place = Rect { x: area.x + columns.start, width: columns.end - columns.start, ..area };
        frame.render_widget(line, place.intersection(area));
        right_edge = place.right();
    }
    // Meters from the right, each as long as there is room; those that do not fit
    // at all drop out, the default's last.
    let mut x = area.right();
    let paused = model.paused.then(|| paused(model, theme));
    let meters = model.health.iter().filter(|h| h.enabled).map(|h| meter(h, model, theme));
    let fits: Vec<(Vec<Span<'_>>, u16)> = paused
        .into_iter()
        .chain(meters)
        .scan(area.right().saturating_sub(right_edge), |room, forms| {
            let width = |spans: &[Span<'_>]| {
                spans.iter().map(|s| text::width(&s.content) as u16).sum::<u16>() + 2
            };
            let spans = forms.into_iter().find(|form| width(form) <= *room)?;
            let width = width(&spans);
            *room -= width;
            Some((spans, width))
        })
        .collect();
    for (spans, width) in fits.into_iter().rev() {
        x = x.saturating_sub(width);
        frame.render_widget(Line::from(spans), Rect { x, width, ..area });
    }
}

/// That no cluster is asked how jobs are, and how old what is shown is. The longest
/// form first.
fn paused(model: &Model, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let mut forms = Vec::new();
    if let Some(age) = model.data_age(|_| true) {
        let age = text::age(age);
        forms.push(format!("polling paused, data {age} old"));
        forms.push(format!("polling paused {age}"));
    }
    forms.extend(["polling paused".to_owned(), "paused".to_owned()]);
    forms.into_iter().map(|words| vec![Span::styled(words, theme.warning)]).collect()
}

/// `lab 12/64 GPU`, `lab 2m old 12/64`: name, age of the data where it is worth a
/// word, GPUs in use of all. The longest form first; the state is the last to go.
fn meter<'a>(health: &'a ClusterHealth, model: &Model, theme: &Theme) -> Vec<Vec<Span<'a>>> {
    let name = text::fit(health.id.as_str(), 16);
    let in_words = |words: &[String], style: Style| {
        words.iter().map(|words| vec![Span::styled(format!("{name} {words}"), style)]).collect()
    };
    if health.needs_login {
        return in_words(&["needs a login".to_owned(), "login".to_owned()], theme.warning);
    }
    let seen = health.last_seen.map(|at| model.now.duration_since(at).as_secs());
    if health.error.is_some() {
        let age = seen.map(|s| format!(" {}", text::age(s))).unwrap_or_default();
        let words = [format!("✗ no answer{age}"), "✗ no answer".to_owned(), "✗".to_owned()];
        return in_words(&words, theme.error);
    }
    let mut short = vec![Span::styled(name.clone(), theme.dim)];
    match seen {
        None => short.push(Span::styled(" …", theme.dim)),
        Some(age) if age >= OLD_SECS => {
            short.push(Span::styled(format!(" {} old", text::age(age)), theme.stale));
        }
        Some(_) => {}
    }
    let Some((capacity, total)) =
        health.capacity.as_ref().and_then(|capacity| Some((capacity, capacity.gpus_total?)))
    else {
        return vec![short];
    };
    let used = capacity.gpus_free.map(|free| total.saturating_sub(free));
    let used = used.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let mut amounts = short.clone();
    amounts.push(Span::raw(format!(" {used}/{total}")));
    let mut whole = amounts.clone();
    whole.push(Span::raw(" GPU"));
    vec![whole, amounts, short]
}

/// One hint of the footer: keys and word.
fn hint(entry: &Entry, model: &Model) -> Option<(String, &'static str)> {
    let key = model.keymap.keys(entry.action, model.scope()).first()?.to_string();
    Some((key, entry.short))
}

fn width_of((key, word): &(String, &'static str)) -> usize {
    text::width(key) + 1 + text::width(word)
}

pub fn footer(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    frame.buffer_mut().set_style(area, theme.footer);
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let mut room = usize::from(inner.width);
    if let Some((_, words)) = &model.notice {
        // A passing word takes at most the right half, and keys stay at the left; a
        // longer one takes their place, and as many lines as it needs.
        if text::width(&text::safe(words)) > room * 3 / 5 {
            return long_notice(frame, inner, words, theme);
        }
        let words = text::safe(words).into_owned();
        let width = text::width(&words) as u16;
        let place = Rect { x: inner.right().saturating_sub(width), width, ..inner };
        frame.render_widget(Span::styled(words, theme.accent), place);
        room = room.saturating_sub(usize::from(width) + 3);
    }
    if model.is_filtering() {
        let keys = [("Enter", " keeps the filter   "), ("Esc", " puts the former back   ")];
        let keys = keys.into_iter().chain([("↑ ↓", " move")]);
        let line: Line<'_> =
            keys.flat_map(|(key, does)| [Span::styled(key, theme.key), Span::raw(does)]).collect();
        frame.render_widget(line, Rect { width: room as u16, ..inner });
        return;
    }
    let is_general = |a: Action| matches!(a, Action::Help | Action::Palette);
    let mut hints: Vec<(&Entry, (String, &'static str))> = keymap::entries(model.scope())
        .filter(|e| !e.short.is_empty() && update::enabled(model, e.action).is_ok())
        .filter(|e| model.notice.is_none() || !is_general(e.action))
        .filter_map(|e| hint(e, model).map(|h| (e, h)))
        .collect();
    let need = |hints: &[(&Entry, (String, &'static str))]| {
        hints.iter().map(|(_, h)| width_of(h)).sum::<usize>() + 2 * hints.len().saturating_sub(1)
    };
    while hints.len() > 1 && need(&hints) > room {
        let least = (0..hints.len())
            .rev()
            .min_by_key(|i| hints.get(*i).map_or(0, |(e, _)| e.weight))
            .unwrap_or(0);
        hints.remove(least);
    }
    let (general, own): (Vec<_>, Vec<_>) =
        hints.into_iter().partition(|(e, _)| is_general(e.action));
    let line = |hints: Vec<(&Entry, (String, &'static str))>| {
        let mut spans: Vec<Span<'static>> = Vec::new();
        for (_, (key, word)) in hints {
            if !spans.is_empty() {
                spans.push(Span::raw("  "));
            }
            spans.push(Span::styled(key, theme.key));
            spans.push(Span::styled(format!(" {word}"), Style::new()));
        }
        Line::from(spans)
    };
    let right = line(general);
    let width = right.width() as u16;
    frame.render_widget(line(own), inner);
    frame.render_widget(right, Rect { x: inner.right().saturating_sub(width), width, ..inner });
}

/// Most lines that a passing word takes.
const NOTICE_LINES: usize = 4;

/// A passing word for which the footer alone may be too short: its last line is the
/// footer's.
fn long_notice(frame: &mut Frame<'_>, footer: Rect, words: &str, theme: &Theme) {
    let columns = usize::from(footer.width);
    let mut lines = text::wrap(&text::fit(words, columns * NOTICE_LINES), columns);
    if lines.len() > NOTICE_LINES {
        let rest = lines.split_off(NOTICE_LINES - 1).join(" ");
        lines.push(text::fit(&rest, columns).into_owned());
    }
    let top = footer.bottom().saturating_sub(lines.len() as u16);
    for (line, y) in lines.into_iter().zip(top..) {
        let place = Rect { x: footer.x - 1, y, width: footer.width + 2, height: 1 };
        frame.render_widget(Clear, place);
        frame.buffer_mut().set_style(place, theme.footer);
        frame.render_widget(Span::styled(line, theme.accent), Rect { y, height: 1, ..footer });
    }
}

/// Instead of everything, below the least size.
pub fn too_small(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let mut lines = vec![
        Line::styled("too little room", theme.strong),
        Line::from(format!(
            "{}×{}; jobdeck needs {}×{}",
            area.width,
            area.height,
            chrome::MIN_WIDTH,
            chrome::MIN_HEIGHT
        )),
        Line::styled("make the window larger · q quits", theme.dim),
    ];
    if let Some(Overlay::Confirm(question)) = model.overlays.last() {
        let title = text::fit(&question.title, usize::from(area.width.saturating_sub(24)));
        lines.push(Line::styled(format!("«{title}» waits for an answer"), theme.warning));
    }
    if model.leaving.is_some() {
        lines.push(Line::styled("press Ctrl-C again to leave", theme.accent));
    }
    let y = area.y + area.height.saturating_sub(lines.len() as u16) / 2;
    for (i, line) in lines.into_iter().enumerate() {
        let place = Rect { x: area.x, y: y + i as u16, width: area.width, height: 1 };
        frame.render_widget(line.centered(), place.intersection(area));
    }
}

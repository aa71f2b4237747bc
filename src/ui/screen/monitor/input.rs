//! What is typed: the filter and the search at the bottom, the form of a retry
//! with changes in a box.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::{View, grouped};
use crate::{
    app::screen::monitor::{Input, retry::RetryForm},
    ui::widgets::{boxed, input, text},
};

const HELP: &str = "words  state:failed  cluster:  cause:  gpus:>1  lr=1e-3  !not  ~regex";

pub(super) fn line(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let theme = view.theme;
    let (label, typed) = match view.opened.input() {
        Input::Filter(filter) => ("filter ", Some(&filter.line)),
        Input::Search { line, .. } => ("search ", Some(line)),
        Input::Reason { line, .. } => ("reason ", Some(line)),
        Input::None | Input::Retry(_) => ("filter ", None),
    };
    let right = match view.opened.input() {
        Input::Search { .. } => "Enter goes to the match  Esc".to_owned(),
        Input::Reason { .. } => "Enter asks before it cancels  Esc".to_owned(),
        _ => {
            let (shown, all) = (view.opened.index().shown(), view.opened.run().jobs.len());
            format!("{} of {}", grouped(shown), grouped(all))
        }
    };
    let filters = matches!(view.opened.input(), Input::Filter(_));
    let buf = frame.buffer_mut();
    let (x, _) = buf.set_stringn(area.x + 1, area.y, label, 8, theme.accent);
    let at = area.right().saturating_sub(text::width(&right) as u16 + 1);
    if at > x {
        buf.set_string(at, area.y, &right, theme.dim);
    }
    let room = at.saturating_sub(x + 2);
    let Some(line) = typed else {
        let words = text::fit(view.opened.filter_text(), usize::from(room)).into_owned();
        buf.set_string(x, area.y, words, theme.matched);
        return;
    };
    if line.is_empty() && filters {
        let help = text::fit(HELP, usize::from(room.saturating_sub(1)));
        buf.set_string(x + 1, area.y, help, theme.placeholder);
        input::draw(frame, Rect { x, width: 1, ..area }, line, theme);
    } else {
        input::draw(frame, Rect { x, width: room, ..area }, line, theme);
    }
}

pub(super) fn retry(frame: &mut Frame<'_>, area: Rect, form: &RetryForm, view: &View<'_>) {
    let theme = view.theme;
    let width = 68.min(area.width);
    let inside = usize::from(width - 4);
    let mut below: Vec<Line<'_>> = Vec::new();
    match &form.error {
        Some(error) => {
            for line in text::wrap(error, inside) {
                below.push(Line::from(Span::styled(format!("✗ {line}"), theme.error)));
            }
        }
        None => below.push(Line::from(Span::styled(
            text::fit("field=value …   env.NAME=value   field= takes it away", inside),
            theme.placeholder,
        ))),
    }
    let now = format!("now: {}", form.now);
    below.push(Line::styled(text::fit(&now, inside).into_owned(), theme.dim));
    below.push(Line::default());
    for suggestion in &form.suggestions {
        below.push(Line::from(vec![
            Span::styled("Tab ", theme.key),
            Span::styled(suggestion.change.clone(), theme.strong),
            Span::styled(format!("   {}", text::safe(&suggestion.why)), theme.dim),
        ]));
    }
    if form.has_code {
        let (now, sent) = ("as it is now", "as first sent");
        let (code, other) = if form.current_code { (now, sent) } else { (sent, now) };
        below.push(Line::from(vec![
            Span::raw(format!("code: {code} · ")),
            Span::styled("^O", theme.key),
            Span::styled(format!(": {other}"), theme.dim),
        ]));
        for line in form.since.iter().flat_map(|words| text::wrap(words, inside)) {
            below.push(Line::styled(line, theme.warning));
        }
    }
    below.push(Line::from(vec![
        Span::styled("Enter", theme.key),
        Span::styled(" asks before anything is sent   ", theme.dim),
        Span::styled("Esc", theme.key),
        Span::styled(" back", theme.dim),
    ]));
    let count = text::count(form.jobs.len() as u64, "job");
    let height = below.len() as u16 + 3;
    let place = boxed::centred(area, width, height);
    let title = format!("Retry {count} with changes");
    let inner = boxed::draw(frame, place, &title, theme.border_focused, theme);
    input::draw(frame, Rect { height: 1, ..inner }, &form.line, theme);
    for (line, y) in below.iter().zip(inner.y + 1..inner.bottom()) {
        frame.buffer_mut().set_line(inner.x, y, line, inner.width);
    }
}

//! Boxes over the screen: the question before anything is sent, help, the
//! palette, prompts, errors.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::Clear,
};

use super::{
    theme::Theme,
    widgets::{boxed, input, scroll, text},
};
use crate::{
    app::{
        model::Model,
        overlay::{
            Confirm, Overlay, Palette, Prompt,
            help::{self, HelpLine},
            palette, prompt,
        },
    },
    error::Report,
};

pub fn draw(frame: &mut Frame<'_>, area: Rect, overlay: &Overlay, model: &Model, theme: &Theme) {
    match overlay {
        Overlay::Confirm(confirm) => draw_confirm(frame, area, confirm, theme),
        Overlay::Error(report) => draw_error(frame, area, report, theme),
        Overlay::Help(top) => draw_help(frame, area, *top, model, theme),
        Overlay::Palette(palette) => draw_palette(frame, area, palette, model, theme),
        Overlay::Prompt(prompt) => draw_prompt(frame, area, prompt, theme),
    }
}

fn lines_at(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn draw_confirm(frame: &mut Frame<'_>, area: Rect, confirm: &Confirm, theme: &Theme) {
    let (does, leaves) = confirm.action.words();
    let otherwise = Span::raw(format!(" · any other key closes this and {leaves}"));
    let y = Span::styled("y", theme.key);
    let keys = match &confirm.must_type {
        Some(number) if confirm.awaits_number() => vec![
            Span::raw("Type "),
            Span::styled(number.clone(), theme.key),
            Span::raw(", then "),
            y,
            otherwise,
            Span::raw("  "),
            Span::styled(format!("{:<6}", confirm.typed), theme.input_focused),
        ],
        Some(number) => vec![
            Span::styled(format!("{number} ✓ "), theme.success),
            y,
            Span::raw(format!(" {does}")),
            otherwise,
        ],
        None => vec![y, Span::raw(format!(" {does}")), otherwise],
    };
    let keys = Line::from(keys);
    let widest = confirm.lines.iter().map(|l| text::width(&text::safe(l))).max().unwrap_or(0);
    let wanted = widest.max(keys.width()).max(text::width(&text::safe(&confirm.title)) + 4).max(40);
    let width = (wanted as u16 + 4).min(area.width.saturating_sub(4));
    let columns = usize::from(width.saturating_sub(4));
    let mut lines: Vec<Line<'_>> = vec![Line::default()];
    for line in &confirm.lines {
        lines.extend(text::wrap(line, columns).into_iter().map(Line::from));
    }
    // The question itself is always seen, however much there is to say.
    let room = usize::from(area.height.saturating_sub(5));
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled("…", theme.dim));
    }
    lines.push(Line::default());
    lines.push(keys);
    let place = boxed::centred(area, width, lines.len() as u16 + 2);
    let inside = boxed::draw(frame, place, &confirm.title, theme.warning, theme);
    lines_at(frame, inside, lines);
}

fn draw_error(frame: &mut Frame<'_>, area: Rect, report: &Report, theme: &Theme) {
    let width = area.width.saturating_sub(8).min(84);
    let columns = usize::from(width.saturating_sub(4));
    let mut lines: Vec<Line<'_>> = Vec::new();
    if let Some(at) = &report.location {
        let at = format!("{}:{}:{}", at.file, at.line, at.column);
        lines.push(Line::styled(text::fit_end(&at, columns).into_owned(), theme.dim));
    }
    lines.extend(text::wrap(&report.message, columns).into_iter().map(Line::from));
    for hint in &report.hints {
        for (i, line) in text::wrap(hint, columns.saturating_sub(2)).into_iter().enumerate() {
            let sign = if i == 0 { "→ " } else { "  " };
            lines.push(Line::from_iter([Span::styled(sign, theme.accent), Span::raw(line)]));
        }
    }
    lines.truncate(usize::from(area.height.saturating_sub(4)));
    lines.push(Line::default());
    lines.push(Line::from_iter([
        Span::styled("Esc", theme.key),
        Span::raw(" close   "),
        Span::styled("y", theme.key),
        Span::raw(" copy"),
    ]));
    let place = boxed::centred(area, width, lines.len() as u16 + 2);
    let inside = boxed::draw(frame, place, "✗ That did not work", theme.error, theme);
    lines_at(frame, inside, lines);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect, top: usize, model: &Model, theme: &Theme) {
    let help = help::lines(model);
    let keys = help
        .iter()
        .filter_map(|l| if let HelpLine::Key(k, ..) = l { Some(text::width(k)) } else { None })
        .max()
        .unwrap_or(0)
        .min(24);
    let place = boxed::centred(area, 76.min(area.width.saturating_sub(2)), help.len() as u16 + 2);
    let title = format!("Keys · {}", model.view.title());
    let inside = boxed::draw(frame, place, &title, theme.border_focused, theme);
    let columns = usize::from(inside.width);
    let lines = help
        .into_iter()
        .skip(top)
        .map(|line| match line {
            HelpLine::Gap => Line::default(),
            HelpLine::Heading(title) => Line::styled(title, theme.strong),
            HelpLine::Key(key, doc, why_not) => {
                let mut spans = vec![Span::styled(
                    text::left(&key, keys),
                    if why_not.is_some() { theme.dim } else { theme.key },
                )];
                let room = columns.saturating_sub(keys + 2);
                let doc = match why_not {
                    Some(why) => format!("  {doc} (now: {why})"),
                    None => format!("  {doc}"),
                };
                let doc = text::fit(&doc, room + 2).into_owned();
                let style = if why_not.is_some() { theme.dim } else { theme.overlay };
                spans.push(Span::styled(doc, style));
                Line::from(spans)
            }
        })
        .collect();
    lines_at(frame, inside, lines);
    let bar = Rect { width: inside.width + 2, ..inside };
    scroll::draw(frame.buffer_mut(), bar, help::lines(model).len(), top, theme);
}

fn draw_palette(
    frame: &mut Frame<'_>,
    area: Rect,
    palette: &Palette,
    model: &Model,
    theme: &Theme,
) {
    let found = palette::found(model, palette.query.text());
    let rows = found.len().clamp(1, 12).min(usize::from(area.height.saturating_sub(5)));
    let place = Rect {
        y: area.y + 1,
        ..boxed::centred(area, 72.min(area.width.saturating_sub(4)), rows as u16 + 4)
    };
    let inside = boxed::draw(frame, place, "Commands", theme.border_focused, theme);
    input::draw(frame, Rect { height: 1, ..inside }, &palette.query, theme);
    let list = Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside };
    if found.is_empty() {
        lines_at(frame, list, vec![Line::styled("nothing is called that", theme.dim)]);
        return;
    }
    let page = usize::from(list.height);
    let top = palette.selected.saturating_sub(page.saturating_sub(1));
    let columns = usize::from(list.width);
    for (y, (i, item)) in (list.y..list.bottom()).zip(found.iter().enumerate().skip(top)) {
        let key = item.key(model).map(|key| key.to_string()).unwrap_or_default();
        let usable = item.why_not.is_none();
        let name = text::left(item.entry.name, 18);
        let doc = item.why_not.unwrap_or(item.entry.doc);
        let doc = match item.elsewhere {
            Some(view) => format!("{} · {doc}", view.title()),
            None => doc.to_owned(),
        };
        let doc = text::left(&doc, columns.saturating_sub(18 + 2 + 10));
        let base = if usable { theme.overlay } else { theme.dim };
        let line = Line::from_iter([
            Span::styled(name, base),
            Span::styled(format!("  {doc}"), theme.dim),
            Span::styled(text::right(&key, 10), theme.key),
        ]);
        let place = Rect { y, height: 1, ..list };
        frame.render_widget(line, place);
        if i == palette.selected {
            frame.buffer_mut().set_style(place, theme.selected);
        }
    }
}

fn draw_prompt(frame: &mut Frame<'_>, area: Rect, prompt: &Prompt, theme: &Theme) {
    let names = prompt::completions(prompt);
    let rows = names.len().min(8).min(usize::from(area.height.saturating_sub(6)));
    let height = 4 + if rows > 0 { rows as u16 + 1 } else { 0 };
    let width = 76.min(area.width.saturating_sub(4));
    let place = Rect { y: area.y + 2, ..boxed::centred(area, width, height) };
    let inside = boxed::draw(frame, place, &prompt.label, theme.border_focused, theme);
    frame.render_widget(Clear, Rect { height: 1, ..inside });
    input::draw(frame, Rect { height: 1, ..inside }, &prompt.input, theme);
    let keys: Line<'_> = [("Enter", " do it   "), ("Tab", " complete   "), ("Esc", " back")]
        .into_iter()
        .filter(|(key, _)| *key != "Tab" || !names.is_empty())
        .flat_map(|(key, word)| [Span::styled(key, theme.key), Span::styled(word, theme.dim)])
        .collect();
    let list = Rect { y: inside.y + 1, height: rows as u16, ..inside };
    let page = rows.max(1);
    let top = prompt.selected.map_or(0, |at| at.saturating_sub(page - 1));
    for (y, (i, name)) in (list.y..list.bottom()).zip(names.iter().enumerate().skip(top)) {
        let place = Rect { y, height: 1, ..list };
        let style = if name.ends_with('/') { theme.accent } else { theme.overlay };
        let shown = text::fit(name, usize::from(list.width)).into_owned();
        frame.render_widget(Line::styled(shown, style), place);
        if prompt.selected == Some(i) {
            frame.buffer_mut().set_style(place, theme.selected);
        }
    }
    let last = Rect { y: inside.bottom().saturating_sub(1), height: 1, ..inside };
    frame.render_widget(keys, last);
}

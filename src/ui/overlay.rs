//! Boxes over the screen: the question before anything is sent, help, the
//! palette, prompts, errors.

use ratatui::{
    Frame,
    layout::{Position, Rect},
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
        msg::Hit,
        overlay::{
            Confirm, Overlay, Palette, Prompt, PromptPurpose,
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

/// The row of the palette or of the file names at a place of the screen.
pub fn under(area: Rect, overlay: &Overlay, model: &Model, at: Position) -> Option<Hit> {
    let (list, top, rows) = match overlay {
        Overlay::Palette(palette) => {
            let found = palette::found(model, palette.query.text()).len();
            let list = palette_list(boxed::inside(palette_place(area, found)));
            (list, top_of(palette.selected, list), found)
        }
        Overlay::Prompt(prompt) => {
            let names = prompt::completions(prompt).len();
            let list = prompt_list(boxed::inside(prompt_place(area, names)));
            (list, top_of(prompt.selected.unwrap_or(0), list), names)
        }
        Overlay::Confirm(_) | Overlay::Error(_) | Overlay::Help(_) => return None,
    };
    let row = top + usize::from(at.y.checked_sub(list.y)?);
    (list.contains(at) && row < rows).then_some(Hit::Choice(row))
}

/// The first row shown of a list, so that the selected one is.
fn top_of(selected: usize, list: Rect) -> usize {
    (selected + 1).saturating_sub(usize::from(list.height).max(1))
}

fn palette_place(area: Rect, found: usize) -> Rect {
    let rows = found.clamp(1, 12).min(usize::from(area.height.saturating_sub(5)));
    let width = 72.min(area.width.saturating_sub(4));
    Rect { y: area.y + 1, ..boxed::centred(area, width, rows as u16 + 4) }
}

/// Under the line that is typed.
fn palette_list(inside: Rect) -> Rect {
    Rect { y: inside.y + 2, height: inside.height.saturating_sub(2), ..inside }
}

fn prompt_place(area: Rect, names: usize) -> Rect {
    let rows = names.min(8).min(usize::from(area.height.saturating_sub(6)));
    let height = 4 + if rows > 0 { rows as u16 + 1 } else { 0 };
    let width = 76.min(area.width.saturating_sub(4));
    Rect { y: area.y + 2, ..boxed::centred(area, width, height) }
}

/// Between the line that is typed and the keys, with a blank line before these.
fn prompt_list(inside: Rect) -> Rect {
    Rect { y: inside.y + 1, height: inside.height.saturating_sub(3), ..inside }
}

fn lines_at(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'_>>) {
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

fn draw_confirm(frame: &mut Frame<'_>, area: Rect, confirm: &Confirm, theme: &Theme) {
    let keys = confirm_keys(confirm, theme);
    let [does, leaves] = &keys;
    let in_one: Line<'_> = does.iter().chain([&Span::raw(" · ")]).chain(leaves).cloned().collect();
    let most = usize::from(area.width.saturating_sub(8));
    let keys: Vec<Line<'_>> = if in_one.width() <= most {
        vec![in_one]
    } else {
        keys.into_iter().map(Line::from).collect()
    };
    let widest = confirm.lines.iter().map(|l| text::width(&text::safe(l))).max().unwrap_or(0);
    let columns = keys
        .iter()
        .map(Line::width)
        .chain([widest, text::width(&text::safe(&confirm.title)) + 4, 40])
        .max()
        .unwrap_or(0)
        .min(most);
    let width = columns as u16 + 4;
    let mut lines: Vec<Line<'_>> = vec![Line::default()];
    for line in &confirm.lines {
        lines.extend(text::wrap(line, columns).into_iter().map(Line::from));
    }
    // The question itself is always seen, however much there is to say.
    let room = usize::from(area.height.saturating_sub(4)).saturating_sub(keys.len());
    if lines.len() > room {
        lines.truncate(room.saturating_sub(1));
        lines.push(Line::styled("…", theme.dim));
    }
    lines.push(Line::default());
    lines.extend(keys);
    let place = boxed::centred(area, width, lines.len() as u16 + 2);
    let inside = boxed::draw(frame, place, &confirm.title, theme.warning, theme);
    lines_at(frame, inside, lines);
}

/// What `y` does, the number typed so far before it; and what any other key does.
fn confirm_keys<'a>(confirm: &Confirm, theme: &Theme) -> [Vec<Span<'a>>; 2] {
    let (does, leaves) = confirm.action.words();
    let otherwise = vec![Span::raw(format!("any other key closes this and {leaves}"))];
    let y = Span::styled("y", theme.key);
    let keys = match &confirm.must_type {
        Some(number) if confirm.awaits_number() => vec![
            Span::raw("Type "),
            Span::styled(number.clone(), theme.key),
            Span::raw(" "),
            Span::styled(format!("{:<6}", confirm.typed), theme.input_focused),
            Span::raw(" then "),
            y,
            Span::raw(format!(" {does}")),
        ],
        Some(number) => vec![
            Span::styled(format!("{number} ✓ "), theme.success),
            y,
            Span::raw(format!(" {does}")),
        ],
        None => vec![y, Span::raw(format!(" {does}"))],
    };
    [keys, otherwise]
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
    let longest = help.iter().map(|line| help_width(line, keys)).max().unwrap_or(0) as u16 + 4;
    let wide = longest.max(76).min(area.width.saturating_sub(2));
    let place = boxed::centred(area, wide, help.len() as u16 + 2);
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
                let doc = help_doc(doc, why_not);
                let mut spans = vec![Span::styled(
                    text::left(&key, keys),
                    if why_not.is_some() { theme.dim } else { theme.key },
                )];
                let room = columns.saturating_sub(keys + 2);
                let doc = format!("  {}", text::fit(&doc, room));
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

/// What a key does, and why not now.
fn help_doc(doc: &str, why_not: Option<&str>) -> String {
    match why_not {
        Some(why) => format!("{doc} (now: {why})"),
        None => doc.to_owned(),
    }
}

/// Columns of a line whose keys take `keys`.
fn help_width(line: &HelpLine, keys: usize) -> usize {
    match line {
        HelpLine::Gap => 0,
        HelpLine::Heading(title) => text::width(title),
        HelpLine::Key(_, doc, why_not) => keys + 2 + text::width(&help_doc(doc, *why_not)),
    }
}

fn draw_palette(
    frame: &mut Frame<'_>,
    area: Rect,
    palette: &Palette,
    model: &Model,
    theme: &Theme,
) {
    let found = palette::found(model, palette.query.text());
    let place = palette_place(area, found.len());
    let inside = boxed::draw(frame, place, "Commands", theme.border_focused, theme);
    input::draw(frame, Rect { height: 1, ..inside }, &palette.query, theme);
    let list = palette_list(inside);
    if found.is_empty() {
        lines_at(frame, list, vec![Line::styled("nothing is called that", theme.dim)]);
        return;
    }
    let top = top_of(palette.selected, list);
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
    let place = prompt_place(area, names.len());
    let inside = boxed::draw(frame, place, &prompt.label, theme.border_focused, theme);
    frame.render_widget(Clear, Rect { height: 1, ..inside });
    input::draw(frame, Rect { height: 1, ..inside }, &prompt.input, theme);
    let does = match prompt.purpose {
        PromptPurpose::OpenPath => " open   ",
        PromptPurpose::SavePath | PromptPurpose::TemplateName => " save   ",
    };
    let keys: Line<'_> = [("Enter", does), ("Tab", " complete   "), ("Esc", " back")]
        .into_iter()
        .filter(|(key, _)| *key != "Tab" || !names.is_empty())
        .flat_map(|(key, word)| [Span::styled(key, theme.key), Span::styled(word, theme.dim)])
        .collect();
    let list = prompt_list(inside);
    let top = top_of(prompt.selected.unwrap_or(0), list);
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        app::{model::Settings, msg::Msg, overlay::palette::found, screen::View, update::update},
        ui::snapshot,
    };

    fn model(overlay: Overlay) -> Model {
        let mut model = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24);
        model.overlays.push(overlay);
        model
    }

    /// What is drawn in each line where a click meets a row, and which row.
    fn hits(model: &Model) -> Vec<(usize, String)> {
        let buffer = snapshot::buffer(model, &Theme::basic());
        let body = Rect { x: 0, y: 1, width: 80, height: 22 };
        let overlay = model.overlays.last().unwrap();
        (0..24)
            .filter_map(|y| match under(body, overlay, model, (40, y).into())? {
                Hit::Choice(at) => {
                    Some((at, (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>()))
                }
                Hit::Field(_) => None,
            })
            .collect()
    }

    #[test]
    fn a_click_in_the_palette_means_the_row_drawn_there() {
        for selected in [0, 30] {
            let mut m = model(Overlay::Palette(Palette { selected, ..Palette::default() }));
            let all = found(&m, "");
            let hits = hits(&m);
            assert_eq!(hits.len(), 12);
            for (at, line) in hits {
                assert!(line.contains(all[at].entry.name), "{line}");
            }
            let runs = all.iter().position(|f| f.entry.name == "go to Runs").unwrap();
            update(&mut m, Msg::Click(Hit::Choice(runs)));
            assert_eq!((m.view, m.overlays.len()), (View::Runs, 0));
        }
    }

    #[test]
    fn the_typed_number_is_seen_at_every_width() {
        use crate::app::overlay::{Confirm, Confirmed};
        for width in [60, 80, 120] {
            let lines = vec!["131 jobs · 141 GPUs, of which a few words are told here".into()];
            let mut question = Confirm::new("Submit it?", lines, Confirmed::Quit).must_type(131);
            question.typed = "13".into();
            let mut m = model(Overlay::Confirm(question));
            m.width = width;
            let drawn = snapshot::screen(&snapshot::buffer(&m, &Theme::basic()));
            for words in ["Type 131 13", "then y leaves", "closes this and stays here"] {
                assert!(drawn.contains(words), "{words} at {width}:\n{drawn}");
            }
        }
    }

    #[test]
    fn a_click_on_a_file_name_takes_it() {
        let mut prompt = Prompt::new("Open", "", PromptPurpose::OpenPath);
        let names = (0..20).map(|n| (format!("b{n:02}.yaml"), false)).collect();
        prompt.folder = Some((".".into(), names));
        prompt.selected = Some(14);
        let mut m = model(Overlay::Prompt(prompt));
        let hits = hits(&m);
        assert_eq!(hits.len(), 8);
        for (at, line) in hits {
            assert!(line.contains(&format!("b{at:02}.yaml")), "{line}");
        }
        let effects = update(&mut m, Msg::Click(Hit::Choice(10)));
        assert!(format!("{effects:?}").contains("b10.yaml"), "{effects:?}");
    }
}

//! The log pane, drawn. Colours of the log are shown where the theme has
//! colours; matches of a search are marked.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
    text::Span,
};
use unicode_segmentation::UnicodeSegmentation;

use super::{View, detail::title};
use crate::{
    app::{
        effect::Stream,
        log::{Attribute, LogColor, LogLine, LogStyle},
        screen::monitor::log_pane::{LogPane, LogRow, LogState},
    },
    domain::status::Status,
    ui::{theme::Theme, widgets::text},
};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, pane: &LogPane, view: &View<'_>) {
    if area.height < 2 || area.width < 4 {
        return;
    }
    let theme = view.theme;
    let job = view.opened.run().job(pane.job);
    let name = job.map_or("", |job| job.spec.name.as_str());
    let stream = match pane.stream {
        Stream::Stdout => "out",
        Stream::Stderr => "err",
    };
    let mut left = vec![
        Span::styled(name.to_owned(), theme.strong),
        Span::styled(format!(" · {stream}"), theme.text),
    ];
    let attempts = job.map_or(0, |job| job.attempts.len());
    if let Some(attempt) = pane.attempt.filter(|_| attempts > 1) {
        left.push(Span::styled(format!(" · try {attempt} of {attempts}"), theme.text));
    }
    let workers = view.opened.log_workers(view.clusters);
    if workers > 1 {
        left.push(Span::styled(
            format!(" · worker {} of 0–{}", pane.worker, workers - 1),
            theme.text,
        ));
    }
    if pane.only {
        left.push(Span::styled(" · only matches", theme.matched));
    }
    left.push(Span::raw(" · "));
    left.push(state(pane, theme));
    title(frame, area, left, &position(pane), view);

    let inner =
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let buf = frame.buffer_mut();
    let rows = pane.visible(usize::from(inner.width), usize::from(inner.height));
    if rows.is_empty() {
        let words = match &pane.state {
            LogState::NotStarted => match job.map(|job| job.status) {
                Some(Status::Rejected) => "it was refused, so there is no log",
                Some(Status::NotSubmitted | Status::Stopped) => {
                    "it was never sent: there is no log"
                }
                _ => "not taken by the cluster yet: the log opens by itself",
            },
            LogState::Lost(why) => why,
            _ if pane.is_loading() => "reading …",
            LogState::Ended => "it wrote nothing here · Tab shows the other stream",
            _ => "nothing was written yet",
        };
        let words = text::fit(words, usize::from(inner.width)).into_owned();
        buf.set_stringn(inner.x, inner.y, words, usize::from(inner.width), theme.dim);
        return;
    }
    for (row, y) in rows.iter().zip(inner.y..inner.bottom()) {
        let Some(line) = pane.text.line(row.line) else { continue };
        draw_row(buf, Rect { y, height: 1, ..inner }, line, *row, pane, theme);
    }
}

/// Whether it is followed, in a symbol and a word.
fn state(pane: &LogPane, theme: &Theme) -> Span<'static> {
    match &pane.state {
        LogState::NotStarted => Span::styled("○ not started", theme.dim),
        LogState::Following => Span::styled("● following", theme.running),
        LogState::Paused { .. } => Span::styled("‖ paused: f follows", theme.warning),
        LogState::Ended => Span::styled("■ ended", theme.dim),
        LogState::Lost(why) => Span::styled(format!("! {}", text::safe(why)), theme.error),
    }
}

/// `last 256.0 KiB of 1.2 GiB`, or the size alone when all of it is loaded; how far
/// a search has come.
fn position(pane: &LogPane) -> String {
    if let Some(words) = pane.hunt_words() {
        return words;
    }
    let total = pane.text.total();
    if total == 0 {
        return String::new();
    }
    let (from, to) = (pane.text.start_offset(), pane.text.end_offset());
    if from == 0 && to >= total {
        return text::bytes(total);
    }
    let part = text::bytes(to.saturating_sub(from));
    let which = if to >= total { "last " } else { "" };
    format!("{which}{part} of {}", text::bytes(total))
}

fn draw_row(
    buf: &mut Buffer,
    area: Rect,
    line: &LogLine,
    row: LogRow,
    pane: &LogPane,
    theme: &Theme,
) {
    let matches: Vec<(usize, usize)> = pane
        .needle
        .as_ref()
        .map(|needle| {
            let here = |(_, to): &(usize, usize)| *to > row.from;
            needle.matches(line.text()).filter(here).take(1000).collect()
        })
        .unwrap_or_default();
    let found = pane.found.filter(|found| found.line == row.line);
    let whole = pane.needle.is_none() && found.is_some();
    let skip = if pane.wrap { 0 } else { pane.left };
    let width = usize::from(area.width);
    // Column of the text, before it is scrolled sideways.
    let mut column = 0;
    let mut at = 0;
    for (part, style) in line.spans() {
        let style = style_of(style, theme);
        for (i, grapheme) in part.grapheme_indices(true) {
            let byte = at + i;
            if byte < row.from || byte >= row.to {
                continue;
            }
            let wide = text::width(grapheme);
            let from = column;
            column += wide;
            if from < skip {
                continue;
            }
            if column - skip > width {
                mark_cut(buf, area, theme);
                return;
            }
            let style = if whole {
                style.patch(theme.matched)
            } else if let Some((from, _)) =
                matches.iter().find(|(from, to)| (*from..*to).contains(&byte))
            {
                let here = found.is_some_and(|found| found.at == *from);
                let style = style.patch(theme.matched);
                if here { style.add_modifier(Modifier::REVERSED) } else { style }
            } else {
                style
            };
            buf.set_stringn(area.x + (from - skip) as u16, area.y, grapheme, wide, style);
        }
        at += part.len();
    }
    if skip > 0 && column > 0 {
        buf.set_stringn(area.x, area.y, "‹", 1, theme.dim);
    }
}

/// The line goes on to the right.
fn mark_cut(buf: &mut Buffer, area: Rect, theme: &Theme) {
    buf.set_stringn(area.right() - 1, area.y, "›", 1, theme.dim);
}

fn style_of(style: LogStyle, theme: &Theme) -> Style {
    let mut colors = Style::new();
    colors.fg = style.fg.map(color_of);
    colors.bg = style.bg.map(color_of);
    let mut out = theme.text.patch(theme.reduced(colors));
    for (attribute, modifier) in [
        (Attribute::Bold, Modifier::BOLD),
        (Attribute::Dim, Modifier::DIM),
        (Attribute::Italic, Modifier::ITALIC),
        (Attribute::Underline, Modifier::UNDERLINED),
        (Attribute::Reverse, Modifier::REVERSED),
        (Attribute::Strike, Modifier::CROSSED_OUT),
    ] {
        if style.has(attribute) {
            out = out.add_modifier(modifier);
        }
    }
    out
}

fn color_of(color: LogColor) -> Color {
    const BASIC: [Color; 16] = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match color {
        LogColor::Indexed(n) if n < 16 => BASIC.get(usize::from(n)).copied().unwrap_or_default(),
        LogColor::Indexed(n) => Color::Indexed(n),
        LogColor::Rgb(r, g, b) => Color::Rgb(r, g, b),
    }
}

//! A screen as text that people can read and a test can compare: the characters,
//! then the same grid with a letter for each style, then what the letters mean.

use std::fmt::Write as _;

use ratatui::{
    Terminal,
    backend::TestBackend,
    buffer::Buffer,
    style::{Color, Modifier},
};

use super::theme::Theme;
use crate::app::{model::Model, text};

/// Draws a model on a screen of its own size.
///
/// # Panics
/// Never: a screen in memory cannot fail.
#[allow(clippy::unwrap_used, reason = "the backend in memory has no errors")]
pub fn buffer(model: &Model, theme: &Theme) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.width, model.height)).unwrap();
    terminal.draw(|frame| super::draw(frame, model, theme)).unwrap();
    terminal.backend().buffer().clone()
}

/// The characters alone, a line a row, without trailing spaces.
pub fn characters(buffer: &Buffer) -> String {
    rows(buffer, |buffer, x, y| buffer[(x, y)].symbol().to_owned())
}

/// Characters, styles and their legend.
pub fn screen(buffer: &Buffer) -> String {
    let mut styles: Vec<String> = Vec::new();
    let letters = rows(buffer, |buffer, x, y| {
        let cell = &buffer[(x, y)];
        let look = look(cell.fg, cell.bg, cell.modifier, cell.symbol() == " ");
        let letter = if look.is_empty() {
            '.'
        } else {
            let known = styles.iter().position(|known| *known == look);
            let at = known.unwrap_or_else(|| {
                styles.push(look);
                styles.len() - 1
            });
            char::from(b'a' + (at % 26) as u8)
        };
        letter.to_string().repeat(text::width(cell.symbol()).max(1))
    });
    let mut out = characters(buffer);
    out.push('\n');
    for line in letters.lines() {
        let _ = writeln!(out, "{}", line.trim_end_matches('.'));
    }
    for (at, look) in styles.iter().enumerate() {
        let _ = writeln!(out, "{} {look}", char::from(b'a' + (at % 26) as u8));
    }
    out
}

/// One string a row; a wide character takes the place of the cell behind it too.
fn rows(buffer: &Buffer, mut cell: impl FnMut(&Buffer, u16, u16) -> String) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = text::width(buffer[(x, y)].symbol()).saturating_sub(1);
            line.push_str(&cell(buffer, x, y));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The look of a cell in words; a space has no colour of its own.
fn look(fg: Color, bg: Color, modifier: Modifier, blank: bool) -> String {
    let mut words = Vec::new();
    if fg != Color::Reset && !(blank && modifier.is_empty()) {
        words.push(format!("{fg}"));
    }
    if bg != Color::Reset {
        words.push(format!("on {bg}"));
    }
    for (one, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
        (Modifier::CROSSED_OUT, "struck"),
    ] {
        if modifier.contains(one)
            && !(blank && matches!(one, Modifier::BOLD | Modifier::ITALIC | Modifier::DIM))
        {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}

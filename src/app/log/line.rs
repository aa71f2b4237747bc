//! One line of a log, or one segment of a very long one.

use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;

use super::style::{Attribute, LogColor, LogStyle};
use crate::app::text;

/// A line without control characters, and how its stretches look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine {
    pub(super) text: String,
    /// Where a style begins, in bytes of the text, ascending; before the first
    /// the text is plain.
    pub(super) spans: Vec<(u32, LogStyle)>,
    /// Where its bytes begin in the log.
    pub start: u64,
    /// Behind its last byte, line end included.
    pub end: u64,
    /// It goes on the line before: that one was too long for one piece.
    pub continues: bool,
}

impl LogLine {
    pub(super) fn starting_at(start: u64, continues: bool) -> Self {
        Self { start, end: start, continues, ..Self::default() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Stretches of one style each, in order; together they are the text.
    pub fn spans(&self) -> impl Iterator<Item = (&str, LogStyle)> {
        let starts = std::iter::once((0, LogStyle::default()))
            .chain(self.spans.iter().map(|(at, style)| (*at as usize, *style)));
        let ends = self.spans.iter().map(|(at, _)| *at as usize).chain([self.text.len()]);
        starts.zip(ends).filter_map(|((from, style), to)| {
            self.text.get(from..to).filter(|part| !part.is_empty()).map(|part| (part, style))
        })
    }

    /// Memory it takes, in bytes, roughly.
    pub fn cost(&self) -> usize {
        size_of::<Self>()
            + self.text.capacity()
            + self.spans.capacity() * size_of::<(u32, LogStyle)>()
    }

    /// Where each row begins, in bytes, when the line is broken at `columns`; the
    /// first is always 0. A grapheme is never cut.
    pub fn rows(&self, columns: usize) -> Vec<usize> {
        let columns = columns.max(1);
        if self.text.is_ascii() {
            return (0..self.text.len().max(1)).step_by(columns).collect();
        }
        let mut rows = vec![0];
        let mut used = 0;
        for (at, grapheme) in self.text.grapheme_indices(true) {
            let wide = text::width(grapheme);
            if used + wide > columns && used > 0 {
                rows.push(at);
                used = 0;
            }
            used += wide;
        }
        rows
    }

    /// The line for a terminal: safe text, with its colours when `colors`.
    pub fn to_terminal(&self, colors: bool) -> String {
        if !colors || self.spans.is_empty() {
            return self.text.clone();
        }
        let mut out = String::with_capacity(self.text.len() + 16);
        for (part, style) in self.spans() {
            if style.is_plain() {
                out.push_str(part);
            } else {
                let _ = write!(out, "\u{1b}[{}m{part}\u{1b}[0m", codes(style));
            }
        }
        out
    }

    pub(super) fn push(&mut self, text: &str, style: LogStyle) {
        let last = self.spans.last().map_or(LogStyle::default(), |(_, style)| *style);
        if style != last {
            let at = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
            // A style that nothing was written in leaves no trace.
            if self.spans.last().is_some_and(|(from, _)| *from == at) {
                self.spans.pop();
            }
            let before = self.spans.last().map_or(LogStyle::default(), |(_, style)| *style);
            if style != before {
                self.spans.push((at, style));
            }
        }
        self.text.push_str(text);
    }

    pub(super) fn pop(&mut self) -> Option<char> {
        let last = self.text.pop();
        while self.spans.last().is_some_and(|(from, _)| *from as usize >= self.text.len()) {
            self.spans.pop();
        }
        last
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.spans.clear();
    }
}

fn codes(style: LogStyle) -> String {
    let mut out = String::new();
    let mut add = |code: &str| {
        if !out.is_empty() {
            out.push(';');
        }
        out.push_str(code);
    };
    for (attribute, code) in [
        (Attribute::Bold, "1"),
        (Attribute::Dim, "2"),
        (Attribute::Italic, "3"),
        (Attribute::Underline, "4"),
        (Attribute::Reverse, "7"),
        (Attribute::Strike, "9"),
    ] {
        if style.has(attribute) {
            add(code);
        }
    }
    for (color, ground) in [(style.fg, 38), (style.bg, 48)] {
        match color {
            Some(LogColor::Indexed(n @ 0..=7)) => add(&(u16::from(n) + ground - 8).to_string()),
            Some(LogColor::Indexed(n @ 8..=15)) => add(&(u16::from(n) + ground + 44).to_string()),
            Some(LogColor::Indexed(n)) => add(&format!("{ground};5;{n}")),
            Some(LogColor::Rgb(r, g, b)) => add(&format!("{ground};2;{r};{g};{b}")),
            None => {}
        }
    }
    out
}

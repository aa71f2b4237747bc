//! Bytes of a log to lines that are safe to draw.
//!
//! Kept: text, and the colours and weights of SGR sequences. A carriage return
//! starts the line over, so of a progress bar only its last state is left. Every
//! other escape sequence and control character is dropped, invalid UTF-8 becomes
//! `�`, tabs become spaces. An escape sequence never outlives its line: an
//! unfinished one cannot swallow the rest of the log.
//!
//! The machine is written out here, instead of taken from a terminal library,
//! since it has to be a plain value (cloned and compared with the model) and its
//! memory has to stay bounded whatever a log holds: parameters are kept up to a
//! limit, strings (titles, images, clipboard contents) are not kept at all.
//!
//! Fed byte by byte or all at once, the lines are the same.

use unicode_width::UnicodeWidthChar;

use super::{LogLine, style::LogStyle};
use crate::app::text;

/// Longest line kept in one piece, in bytes of decoded text; a longer one is cut
/// into segments.
pub const SEGMENT: usize = 8 * 1024;
/// Parameters of a control sequence longer than this are not understood.
const PARAMETERS: usize = 256;
/// Combining marks on one character.
const MARKS: u32 = 8;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    Escape,
    /// `ESC` and an intermediate byte: one more byte ends it.
    EscapeIntermediate,
    /// `ESC [` up to the final byte.
    Csi,
    /// A string (OSC, DCS, APC, PM, SOS) up to BEL or `ESC \`.
    Text,
}

/// Decodes one log from one offset on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    state: State,
    parameters: Vec<u8>,
    parameters_overflow: bool,
    partial: [u8; 4],
    partial_len: usize,
    style: LogStyle,
    /// Offset of the next byte.
    offset: u64,
    line: LogLine,
    /// Columns the line takes so far, for tabs.
    column: usize,
    marks: u32,
    /// A carriage return came; what follows starts the line over.
    returned: bool,
    /// Where the character that is being printed begins.
    at: u64,
}

impl Decoder {
    pub fn new(offset: u64) -> Self {
        Self { offset, line: LogLine::starting_at(offset, false), ..Self::default() }
    }

    /// Offset of the next byte it expects.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The line that has not ended yet, as it looks now; `None` when it is empty.
    pub fn unfinished(&self) -> Option<LogLine> {
        if self.line.text.is_empty() && self.partial_len == 0 {
            return None;
        }
        let mut line = self.line.clone();
        if self.partial_len > 0 {
            line.push("\u{fffd}", self.style);
        }
        line.end = self.offset;
        Some(line)
    }

    /// Decodes the next bytes; every line that is complete goes to `out`.
    pub fn feed(&mut self, bytes: &[u8], out: &mut impl FnMut(LogLine)) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let plain = if self.state == State::Ground && self.partial_len == 0 {
                rest.iter().take_while(|b| matches!(b, 0x20..=0x7e)).count()
            } else {
                0
            };
            if plain > 0 {
                let room =
                    SEGMENT.saturating_sub(if self.returned { 0 } else { self.line.text.len() });
                let (run, after) = rest.split_at(plain.min(room.max(1)));
                // Bytes 0x20 to 0x7e are text of their own.
                let run = std::str::from_utf8(run).unwrap_or_default();
                self.at = self.offset;
                self.print(run, run.len(), out);
                self.marks = 0;
                self.offset += run.len() as u64;
                rest = after;
            } else {
                self.byte(byte, out);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
    }

    fn byte(&mut self, byte: u8, out: &mut impl FnMut(LogLine)) {
        if byte == b'\n' {
            self.flush_partial(out);
            self.offset += 1;
            self.state = State::Ground;
            self.end_line(self.offset, false, out);
            return;
        }
        self.step(byte, out);
        self.offset += 1;
    }

    fn step(&mut self, byte: u8, out: &mut impl FnMut(LogLine)) {
        if self.partial_len == 0 {
            self.at = self.offset;
        }
        match (self.state, byte) {
            (State::Ground, 0x80..) => self.utf8(byte, out),
            (State::Text, 0x80..) => {}
            // No sequence holds these: it is broken off, and text goes on.
            (_, 0x80..) => {
                self.state = State::Ground;
                self.utf8(byte, out);
            }
            (_, 0x1b) => {
                self.flush_partial(out);
                self.state = State::Escape;
            }
            (State::Ground, _) => {
                self.flush_partial(out);
                self.at = self.offset;
                self.control_or_ascii(byte, out);
            }
            // Cancel and substitute end any sequence.
            (_, 0x18 | 0x1a) | (State::Text, 0x07) => self.state = State::Ground,
            (State::Text, _) => {}
            (_, 0x00..=0x1f) => self.control_or_ascii(byte, out),
            (State::Escape, b'[') => {
                self.parameters.clear();
                self.parameters_overflow = false;
                self.state = State::Csi;
            }
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => self.state = State::Text,
            (State::Escape | State::EscapeIntermediate, 0x20..=0x2f) => {
                self.state = State::EscapeIntermediate;
            }
            (State::Escape | State::EscapeIntermediate, _) => self.state = State::Ground,
            (State::Csi, 0x40..=0x7e) => {
                self.state = State::Ground;
                self.control_sequence(byte);
            }
            (State::Csi, _) => {
                if self.parameters.len() < PARAMETERS {
                    self.parameters.push(byte);
                } else {
                    self.parameters_overflow = true;
                }
            }
        }
    }

    fn control_or_ascii(&mut self, byte: u8, out: &mut impl FnMut(LogLine)) {
        match byte {
            0x20..=0x7e => {
                self.marks = 0;
                self.print(char::from(byte).encode_utf8(&mut [0; 4]), 1, out);
            }
            b'\r' => self.returned = true,
            b'\t' => {
                let column = if self.returned { 0 } else { self.column };
                let spaces = 8 - column % 8;
                self.print("        ".get(..spaces).unwrap_or(" "), spaces, out);
            }
            0x08 => {
                if !self.returned
                    && let Some(last) = self.line.pop()
                {
                    self.column = self.column.saturating_sub(last.width().unwrap_or(0));
                }
            }
            _ => {}
        }
    }

    /// One more byte of a character that takes several.
    fn utf8(&mut self, byte: u8, out: &mut impl FnMut(LogLine)) {
        if let Some(slot) = self.partial.get_mut(self.partial_len) {
            *slot = byte;
            self.partial_len += 1;
        }
        let seen = self.partial;
        let seen = seen.get(..self.partial_len).unwrap_or_default();
        match std::str::from_utf8(seen) {
            Ok(text) => {
                self.partial_len = 0;
                if let Some(c) = text.chars().next() {
                    self.character(c, out);
                }
            }
            Err(error) => {
                if let Some(bad) = error.error_len() {
                    self.partial_len = 0;
                    self.character('\u{fffd}', out);
                    for again in seen.get(bad..).unwrap_or_default() {
                        self.utf8(*again, out);
                    }
                }
            }
        }
    }

    fn flush_partial(&mut self, out: &mut impl FnMut(LogLine)) {
        if self.partial_len > 0 {
            self.partial_len = 0;
            self.character('\u{fffd}', out);
        }
    }

    fn character(&mut self, c: char, out: &mut impl FnMut(LogLine)) {
        let mut buffer = [0; 4];
        let shown = text::safe(c.encode_utf8(&mut buffer));
        if shown.is_empty() {
            return;
        }
        let columns = text::width(&shown);
        if columns == 0 {
            self.marks += 1;
            if self.marks > MARKS || self.line.text.is_empty() {
                return;
            }
        } else {
            self.marks = 0;
        }
        self.print(&shown, columns, out);
    }

    fn print(&mut self, text: &str, columns: usize, out: &mut impl FnMut(LogLine)) {
        if self.returned {
            self.returned = false;
            self.start_over();
        }
        if self.line.text.len() + text.len() > SEGMENT {
            self.end_line(self.at, true, out);
        }
        self.line.push(text, self.style);
        self.column += columns;
    }

    fn start_over(&mut self) {
        self.line.clear();
        self.column = 0;
        self.marks = 0;
    }

    fn control_sequence(&mut self, last: u8) {
        if self.parameters_overflow {
            return;
        }
        match (last, self.parameters.as_slice()) {
            (b'm', parameters) if parameters.iter().all(|b| matches!(b, b'0'..=b';')) => {
                self.style.apply(&self.parameters);
            }
            // Erase the whole line; the cursor to the first column.
            (b'K', b"2") => self.start_over(),
            (b'G', b"" | b"0" | b"1") => self.returned = true,
            _ => {}
        }
    }

    /// Ends the line, or only a segment of it.
    fn end_line(&mut self, at: u64, continues: bool, out: &mut impl FnMut(LogLine)) {
        let next = LogLine::starting_at(at, continues);
        let mut line = std::mem::replace(&mut self.line, next);
        line.end = at;
        self.column = 0;
        self.marks = 0;
        self.returned = false;
        line.text.shrink_to_fit();
        line.spans.shrink_to_fit();
        out(line);
    }
}

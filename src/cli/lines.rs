//! Log bytes on their way out: raw to a pipe, harmless to a terminal, with a
//! prefix when several jobs are mixed.

use std::sync::Arc;

use super::out::{Out, Paint};
use crate::app::text::safe;

/// A line that grows beyond this is let out in pieces.
const LONGEST: usize = 64 << 10;

/// One job's lines.
#[derive(Debug)]
pub struct Lines<'a> {
    out: &'a Out,
    /// Name of the job.
    prefix: Option<Arc<str>>,
    rest: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub fn new(out: &'a Out, prefix: Option<Arc<str>>) -> Self {
        Self { out, prefix, rest: Vec::new() }
    }

    /// More of the log.
    pub fn take(&mut self, bytes: &[u8]) {
        if self.prefix.is_none() && !self.out.terminal {
            self.out.bytes(bytes);
            return;
        }
        self.rest.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(length) = self.rest.get(from..).and_then(line_length) {
            if let Some(line) = self.rest.get(from..from + length) {
                self.emit(line);
            }
            from += length;
        }
        self.rest.drain(..from);
    }

    /// What is left without a line end.
    pub fn end(&mut self) {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            self.emit(&rest);
        }
    }

    fn emit(&self, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if let Some(name) = &self.prefix {
            let name = format!("{} │ ", safe(name));
            self.out.bytes(self.out.paint(Paint::Dim, &name).as_bytes());
        }
        if self.out.terminal {
            self.out.bytes(harmless(text, self.out.colours()).as_bytes());
        } else {
            self.out.bytes(text);
        }
        self.out.bytes(b"\n");
    }
}

/// Length of the first line with its end, or of a piece of a very long one.
fn line_length(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().take(LONGEST).position(|byte| *byte == b'\n').map(|at| at + 1);
    end.or_else(|| (bytes.len() >= LONGEST).then_some(LONGEST))
}

/// A line as a terminal may have it: colours stay (and end with the line), of a
/// progress bar that paints over itself the last state, everything else visible.
fn harmless(line: &[u8], colours: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.strip_suffix('\r').unwrap_or(&text);
    let text = text.rsplit('\r').next().unwrap_or(text);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut coloured = false;
    while let Some(at) = rest.find("\x1b[") {
        let (before, from) = rest.split_at(at);
        push(&mut out, before);
        if let Some(length) = colour_length(from) {
            let (sequence, after) = from.split_at(length);
            if colours {
                out.push_str(sequence);
                coloured = true;
            }
            rest = after;
        } else {
            push(&mut out, "\x1b[");
            rest = from.get(2..).unwrap_or_default();
        }
    }
    push(&mut out, rest);
    if coloured {
        out.push_str("\x1b[0m");
    }
    out
}

/// Safe, but tabs stay: a terminal knows what to do with them.
fn push(out: &mut String, text: &str) {
    for (i, part) in text.split('\t').enumerate() {
        if i > 0 {
            out.push('\t');
        }
        out.push_str(&safe(part));
    }
}

/// Bytes of the colour sequence (`ESC [ … m`) that the text begins with.
fn colour_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    parameters.get(end..)?.starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stay_and_nothing_else_steers_the_terminal() {
        assert_eq!(harmless(b"\x1b[31mred\x1b[0m", true), "\x1b[31mred\x1b[0m\x1b[0m");
        assert_eq!(harmless(b"\x1b[31mred\x1b[0m", false), "red");
        assert_eq!(harmless(b"\x1b[2Jgone\x1b]0;title\x07", true), "␛[2Jgone␛]0;title␇");
        assert_eq!(harmless(b"\x1b[1;1Hx", true), "␛[1;1Hx");
        assert_eq!(harmless(b"a\tb\xff", true), "a\tb\u{fffd}");
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(harmless(b"10%\r50%\r100%\r", true), "100%");
        assert_eq!(harmless(b"windows\r", true), "windows");
    }

    #[test]
    fn long_lines_come_in_pieces() {
        assert_eq!(line_length(b"ab\ncd"), Some(3));
        assert_eq!(line_length(b"ab"), None);
        assert_eq!(line_length(&vec![b'x'; LONGEST + 5]), Some(LONGEST));
    }
}

//! What a command writes: the answer to standard output, words for people to
//! standard error, and nothing from outside that could steer the terminal.
//!
//! A reader that goes away (`| head`) ends the output without a word.

use std::{
    io::{self, IsTerminal, Write},
    sync::{Mutex, PoisonError},
};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::{
    app::text::safe,
    domain::status::Status,
    error::{Kind, Report},
};

/// The colours of plain output; meaning is never in the colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Dim,
    Bold,
    Good,
    Bad,
    Odd,
    Busy,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Good => "32",
            Self::Bad => "31",
            Self::Odd => "33",
            Self::Busy => "36",
        }
    }

    pub fn of(status: Status) -> Self {
        match status {
            Status::Succeeded => Self::Good,
            Status::Failed | Status::Rejected | Status::Lost => Self::Bad,
            Status::Running | Status::Submitting => Self::Busy,
            Status::Unknown => Self::Odd,
            Status::Pending => Self::Plain,
            Status::Waiting | Status::Stopped | Status::NotSubmitted => Self::Dim,
        }
    }
}

#[derive(Debug)]
struct Sink {
    buffer: io::BufWriter<io::Stdout>,
    /// Something was to be written. Else what stdout itself still holds is a screen's,
    /// which may be gone.
    used: bool,
    /// The reader went away: the rest is dropped.
    closed: bool,
    failed: Option<io::Error>,
}

/// Where one command writes.
#[derive(Debug)]
pub struct Out {
    pub json: bool,
    /// Standard output is a terminal.
    pub terminal: bool,
    /// Standard error is one.
    pub error_terminal: bool,
    colour: bool,
    error_colour: bool,
    sink: Mutex<Sink>,
}

impl Out {
    pub fn new(json: bool, no_color: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
        let plain = no_color
            || set("NO_COLOR")
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let (terminal, error_terminal) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            json,
            terminal,
            error_terminal,
            colour: terminal && !plain,
            error_colour: error_terminal && !plain,
            sink: Mutex::new(Sink {
                buffer: io::BufWriter::with_capacity(1 << 16, io::stdout()),
                used: false,
                closed: false,
                failed: None,
            }),
        }
    }

    /// Standard output may have colours.
    pub fn colours(&self) -> bool {
        self.colour
    }

    /// Width for tables; unbounded where nobody looks.
    pub fn width(&self) -> usize {
        if !self.terminal {
            return usize::MAX;
        }
        columns().max(40)
    }

    /// A line of the answer, as it is; callers make what is from outside safe.
    pub fn line(&self, text: impl AsRef<str>) {
        self.bytes(text.as_ref().as_bytes());
        self.bytes(b"\n");
    }

    /// Bytes of the answer, as they are.
    pub fn bytes(&self, bytes: &[u8]) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // A sink keeps what went wrong until the end.
        let _ = sink.write_all(bytes);
    }

    /// Sends what was written on its way.
    pub fn flush(&self) {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = sink.flush();
    }

    /// Nobody reads any more.
    pub fn closed(&self) -> bool {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).closed
    }

    /// Flushes, and says what went wrong with writing, if anything did.
    ///
    /// # Errors
    /// The answer could not be written in full, for another reason than a reader
    /// that left.
    pub fn finish(&self) -> Result<(), Report> {
        self.flush();
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        match sink.failed.take() {
            Some(e) => Err(Report::new(Kind::State, format!("cannot write the answer: {e}"))),
            None => Ok(()),
        }
    }

    /// The answer, as the one JSON document; written as it is made.
    ///
    /// # Errors
    /// It cannot be put into JSON, which is a bug.
    pub fn document(&self, answer: &impl Serialize) -> Result<(), Report> {
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut json = serde_json::Serializer::with_formatter(&mut *sink, SafeJson::default());
        answer
            .serialize(&mut json)
            .map_err(|e| Report::new(Kind::Internal, format!("cannot write the answer: {e}")))?;
        drop(sink);
        self.line("");
        Ok(())
    }

    /// Words for people beside the answer.
    pub fn say(&self, text: impl AsRef<str>) {
        // What was answered before comes first; nobody is told when standard error
        // is gone.
        self.flush();
        let _ = writeln!(io::stderr(), "{}", text.as_ref());
    }

    /// Words for people, without a line end; the next ones replace them.
    pub fn progress(&self, text: &str) {
        self.flush();
        let _ = write!(io::stderr(), "\r{text}\x1b[K");
        let _ = io::stderr().flush();
    }

    /// Colours text for standard output.
    pub fn paint(&self, paint: Paint, text: &str) -> String {
        coloured(self.colour, paint, text)
    }

    /// Colours text for standard error.
    pub fn paint_error(&self, paint: Paint, text: &str) -> String {
        coloured(self.error_colour, paint, text)
    }

    /// What went wrong, for people.
    pub fn report(&self, report: &Report) {
        let place = report.location.as_ref();
        let place = place.map(|at| format!("{}:{}:{}: ", safe(&at.file), at.line, at.column));
        let word = self.paint_error(Paint::Bad, "error:");
        let message = several_lines(&report.message);
        self.say(format!("{}{word} {message}", place.unwrap_or_default()));
        for hint in &report.hints {
            self.say(format!("  hint: {}", several_lines(hint)));
        }
    }

    pub fn warn(&self, warning: &str) {
        let word = self.paint_error(Paint::Odd, "warning:");
        self.say(format!("{word} {}", several_lines(warning)));
    }
}

impl Sink {
    fn end(&mut self, error: io::Error) {
        self.closed = true;
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.failed = Some(error);
        }
    }
}

/// Never fails: what went wrong is kept, and the rest is dropped.
impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.used = true;
        if !self.closed
            && let Err(e) = self.buffer.write_all(bytes)
        {
            self.end(e);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.used
            && !self.closed
            && let Err(e) = self.buffer.flush()
        {
            self.end(e);
        }
        Ok(())
    }
}

/// Columns of the terminal; 80 where it does not say, as many pseudo-terminals do.
pub fn columns() -> usize {
    match crossterm::terminal::size() {
        Ok((width, _)) if width > 0 => usize::from(width),
        _ => 80,
    }
}

fn coloured(on: bool, paint: Paint, text: &str) -> String {
    if on && paint != Paint::Plain {
        format!("\x1b[{}m{text}\x1b[0m", paint.code())
    } else {
        text.to_owned()
    }
}

/// Pretty JSON in which the characters are escaped that JSON itself lets through
/// and a terminal obeys: DEL, C1 controls, changes of direction.
#[derive(Default)]
struct SafeJson(PrettyFormatter<'static>);

/// Passes these on as they are.
macro_rules! as_pretty {
    ($($name:ident $(($flag:ident))?),*) => {$(
        fn $name<W: ?Sized + Write>(&mut self, out: &mut W $(, $flag: bool)?) -> io::Result<()> {
            self.0.$name(out $(, $flag)?)
        }
    )*};
}

impl Formatter for SafeJson {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        mut text: &str,
    ) -> io::Result<()> {
        let obeyed = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        while let Some((at, c)) = text.char_indices().find(|(_, c)| obeyed(*c)) {
            let (before, rest) = text.split_at(at);
            out.write_all(before.as_bytes())?;
            write!(out, "\\u{:04x}", u32::from(c))?;
            text = rest.strip_prefix(c).unwrap_or_default();
        }
        out.write_all(text.as_bytes())
    }

    as_pretty!(
        begin_array,
        end_array,
        begin_array_value(first),
        end_array_value,
        begin_object,
        end_object,
        begin_object_key(first),
        begin_object_value,
        end_object_value
    );
}

/// Safe, with its own line ends kept.
pub fn several_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_steer_a_terminal_and_says_the_same() {
        let hostile = serde_json::json!({ "name": "a\u{1b}[2J\u{9b}31m\u{202e}b\u{7f}é" });
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::with_formatter(&mut text, SafeJson::default());
        hostile.serialize(&mut json).unwrap();
        let text = String::from_utf8(text).unwrap();
        let steers = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(steers), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), hostile);
    }
}

//! Where in a script a place stands: in which quotes, which here-document, which
//! substitution. Enough of the shell's grammar for that, and no more.

use super::{Context, HereDoc, RESERVED};

/// What a place of a script lies in.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    /// `"…"`
    Double,
    /// `'…'`
    Single,
    /// `$'…'`, which not every shell knows.
    AnsiC,
    /// `$(…)`
    Substitution,
    /// `(…)`
    Paren,
    /// `$((…))`, with the parentheses still open.
    Arithmetic(usize),
    /// `` `…` ``
    Backtick,
    /// To the end of the line.
    Comment,
    Here(HereDoc),
}

/// Reads a script and knows where it is.
#[derive(Debug)]
pub struct Lexer {
    frames: Vec<Frame>,
    /// Here-documents whose text begins with the next line.
    pending: Vec<HereDoc>,
    /// A backslash was read; what follows is literal.
    escaped: bool,
    /// `$NAME` was read up to here; with the length of the name.
    variable: Option<usize>,
    /// Nothing of the current word was read yet.
    word_start: bool,
    /// Nothing of the current command was read yet.
    command_start: bool,
    /// The word at the start of a command, as far as it was read.
    word: String,
    /// At the start of a line of a here-document.
    line_start: bool,
}

impl Default for Lexer {
    fn default() -> Self {
        Self {
            frames: Vec::new(),
            pending: Vec::new(),
            escaped: false,
            variable: None,
            word_start: true,
            command_start: true,
            word: String::new(),
            line_start: false,
        }
    }
}

impl Lexer {
    /// Reads literal text.
    pub fn text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = self.step(c, rest);
            rest = rest.get(taken.max(c.len_utf8())..).unwrap_or_default();
        }
    }

    /// Mends the text just read, so that a value may follow it: a backslash must
    /// not escape the value's first character, and `$NAME` must end here.
    pub fn before_value(&mut self, text: &mut String) {
        if self.escaped {
            self.escaped = false;
            match self.frames.last() {
                // In quotes a backslash before another character is just itself.
                Some(Frame::Double | Frame::Arithmetic(_) | Frame::Here(_)) => text.push('\\'),
                _ => {
                    text.pop();
                }
            }
        }
        if let Some(length) = self.variable.take().filter(|n| *n > 0 && *n < text.len()) {
            text.insert(text.len() - length, '{');
            text.push('}');
        }
    }

    /// The context of a value that stands here, before `next`.
    ///
    /// # Errors
    /// The name of the place, when values cannot be quoted in it.
    pub fn value(&mut self, next: Option<char>) -> Result<Context, &'static str> {
        let command = self.command_start;
        self.word_start = false;
        self.command_start = false;
        self.word.clear();
        self.line_start = false;
        self.variable = None;
        self.escaped = false;
        if self.frames.contains(&Frame::Backtick) {
            return Err("backticks; write $(…) instead");
        }
        Ok(match self.frames.last() {
            Some(Frame::AnsiC) => return Err("$'…'; write '…' instead"),
            Some(Frame::Double | Frame::Arithmetic(_)) => Context::Double,
            Some(Frame::Single) => Context::Single,
            Some(Frame::Comment) => Context::Comment,
            Some(Frame::Here(here)) => Context::Here(here.clone()),
            None | Some(Frame::Substitution | Frame::Paren | Frame::Backtick) => {
                Context::Bare { command, redirect: matches!(next, Some('<' | '>')) }
            }
        })
    }

    /// Reads one character (or a little more: how many bytes), given the text from it on.
    fn step(&mut self, c: char, rest: &str) -> usize {
        if self.escaped {
            self.escaped = false;
            self.word_start = false;
            self.command_start = false;
            return 1;
        }
        self.variable = match self.variable {
            Some(n) if c.is_ascii_alphabetic() || c == '_' || (n > 0 && c.is_ascii_digit()) => {
                Some(n + 1)
            }
            _ => None,
        };
        match self.frames.last() {
            Some(Frame::Single) => {
                self.close_on(c, '\'');
                1
            }
            Some(Frame::AnsiC) => {
                self.escaped = c == '\\';
                self.close_on(c, '\'');
                1
            }
            Some(Frame::Comment) => {
                if c == '\n' {
                    self.frames.pop();
                    self.newline();
                }
                1
            }
            Some(Frame::Here(_)) => self.here(c, rest),
            Some(Frame::Double) => {
                if c == '"' {
                    self.frames.pop();
                    1
                } else {
                    self.expansion(c, rest)
                }
            }
            Some(Frame::Arithmetic(open)) => {
                let open = match c {
                    '(' => open + 1,
                    ')' => open.saturating_sub(1),
                    _ => return self.expansion(c, rest),
                };
                self.frames.pop();
                if open > 0 {
                    self.frames.push(Frame::Arithmetic(open));
                }
                1
            }
            None | Some(Frame::Substitution | Frame::Paren | Frame::Backtick) => self.bare(c, rest),
        }
    }

    fn close_on(&mut self, c: char, quote: char) {
        if c == quote && !self.escaped {
            self.frames.pop();
        }
    }

    /// Outside of quotes.
    fn bare(&mut self, c: char, rest: &str) -> usize {
        let (word_start, command_start) = (self.word_start, self.command_start);
        self.word_start = false;
        self.command_start = false;
        let word = std::mem::take(&mut self.word);
        match c {
            ' ' | '\t' | '\r' => {
                // A command may follow `do`, `then`, `{` … and an assignment.
                self.word_start = true;
                self.command_start = command_start
                    || RESERVED.contains(&word.as_str())
                    || matches!(word.as_str(), "{" | "!")
                    || word.contains('=');
            }
            '\n' => self.newline(),
            ';' | '&' | '|' => {
                self.word_start = true;
                self.command_start = true;
            }
            '(' => {
                self.frames.push(Frame::Paren);
                self.word_start = true;
                self.command_start = true;
            }
            ')' => {
                if matches!(self.frames.last(), Some(Frame::Paren | Frame::Substitution)) {
                    self.frames.pop();
                }
            }
            '#' if word_start => self.frames.push(Frame::Comment),
            '\'' => self.frames.push(Frame::Single),
            '"' => self.frames.push(Frame::Double),
            '$' if rest.starts_with("$'") => {
                self.frames.push(Frame::AnsiC);
                return 2;
            }
            '<' if rest.starts_with("<<<") => {
                self.word_start = true;
                return 3;
            }
            '<' if rest.starts_with("<<") => {
                self.word_start = true;
                return self.here_operator(rest);
            }
            '<' | '>' => self.word_start = true,
            _ => {
                if command_start || !word.is_empty() {
                    self.word = word;
                    self.word.push(c);
                }
                return self.expansion(c, rest);
            }
        }
        1
    }

    /// What is special outside of quotes and inside `"…"` alike.
    fn expansion(&mut self, c: char, rest: &str) -> usize {
        match c {
            '\\' => self.escaped = true,
            '`' => match self.frames.iter().rposition(|f| *f == Frame::Backtick) {
                Some(at) => self.frames.truncate(at),
                None => self.open(Frame::Backtick),
            },
            '$' if rest.starts_with("$((") => {
                self.frames.push(Frame::Arithmetic(2));
                return 3;
            }
            '$' if rest.starts_with("$(") => {
                self.open(Frame::Substitution);
                return 2;
            }
            '$' => self.variable = Some(0),
            _ => {}
        }
        1
    }

    fn open(&mut self, frame: Frame) {
        self.frames.push(frame);
        self.word_start = true;
        self.command_start = true;
    }

    /// The end of a line outside of quotes: here-documents begin.
    fn newline(&mut self) {
        self.word_start = true;
        self.command_start = true;
        if !self.pending.is_empty() {
            self.frames.push(Frame::Here(self.pending.remove(0)));
            self.line_start = true;
        }
    }

    /// `<<WORD`: remembers the document; answers the length of the operator.
    fn here_operator(&mut self, rest: &str) -> usize {
        let mut here = HereDoc::default();
        let mut chars = rest.char_indices().skip(2).peekable();
        if chars.next_if(|(_, c)| *c == '-').is_some() {
            here.tabs = true;
        }
        while chars.next_if(|(_, c)| matches!(c, ' ' | '\t')).is_some() {}
        let mut quote = None;
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match (quote, c) {
                (Some(q), c) if c == q => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    here.raw = true;
                }
                (None, '\\') => {
                    here.raw = true;
                    here.end.extend(chars.next().map(|(_, c)| c));
                }
                (None, c) if c.is_whitespace() || ";|&<>()".contains(c) => {
                    end = at;
                    break;
                }
                (_, c) => here.end.push(c),
            }
        }
        if !here.end.is_empty() {
            self.pending.push(here);
        }
        end
    }

    /// Inside a here-document.
    fn here(&mut self, c: char, rest: &str) -> usize {
        let Some(Frame::Here(here)) = self.frames.last() else { return 1 };
        if std::mem::take(&mut self.line_start) {
            let line = rest.split('\n').next().unwrap_or_default();
            if here.is_end(line) {
                self.frames.pop();
                if rest.len() > line.len() {
                    self.newline();
                    return line.len() + 1;
                }
                return line.len();
            }
        }
        if c == '\n' {
            self.line_start = true;
            1
        } else if here.raw {
            1
        } else {
            self.expansion(c, rest)
        }
    }
}

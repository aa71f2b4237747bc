//! JSON to a tree with places.

use super::{MAX_DEPTH, MAX_NODES, YamlError, too_deep, too_many};
use crate::domain::tree::{Entry, Node, Pos, Scalar, Span, Value};

/// Why it is not JSON.
pub(super) struct NotJson {
    pub error: YamlError,
    /// It is too deep or too large, whatever it is.
    pub is_bound: bool,
}

impl From<YamlError> for NotJson {
    fn from(error: YamlError) -> Self {
        Self { error, is_bound: false }
    }
}

pub(super) fn parse(text: &str) -> Result<Node, NotJson> {
    let mut reader = Reader { rest: text, line: 1, column: 1, nodes: 0 };
    reader.space();
    let node = reader.value(0)?;
    reader.space();
    if !reader.rest.is_empty() {
        return Err(reader.bad("more text after the end").into());
    }
    Ok(node)
}

struct Reader<'a> {
    rest: &'a str,
    line: u32,
    column: u32,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn pos(&self) -> Pos {
        Pos { line: self.line, column: self.column }
    }

    fn bad(&self, message: &str) -> YamlError {
        YamlError::new(self.pos(), format!("not valid JSON: {message}"))
    }

    /// Takes `n` bytes, which must end between characters.
    fn take(&mut self, n: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(n).unwrap_or((self.rest, ""));
        self.rest = rest;
        for c in taken.chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        taken
    }

    fn space(&mut self) {
        let n = self.rest.bytes().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.take(n);
    }

    fn eat(&mut self, c: u8) -> bool {
        let found = self.rest.as_bytes().first() == Some(&c);
        if found {
            self.take(1);
        }
        found
    }

    fn value(&mut self, depth: usize) -> Result<Node, NotJson> {
        let start = self.pos();
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(NotJson { error: too_many(start), is_bound: true });
        }
        let value = match self.rest.as_bytes().first() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => {
                return Err(NotJson { error: too_deep(start), is_bound: true });
            }
            Some(b'{') => Value::Map(self.map(depth)?),
            Some(b'[') => Value::Seq(self.list(depth)?),
            Some(b'"') => Value::Scalar(Scalar { text: self.string()?, plain: false }),
            _ => Value::Scalar(Scalar { text: self.word()?, plain: true }),
        };
        Ok(Node { span: Span { start, end: self.pos() }, value })
    }

    fn map(&mut self, depth: usize) -> Result<Vec<Entry>, NotJson> {
        self.take(1);
        self.space();
        let mut entries = Vec::new();
        if self.eat(b'}') {
            return Ok(entries);
        }
        loop {
            let start = self.pos();
            let key = self.string()?;
            let key_span = Span { start, end: self.pos() };
            self.space();
            if !self.eat(b':') {
                return Err(self.bad("expected `:`").into());
            }
            self.space();
            entries.push(Entry { key, key_span, value: self.value(depth + 1)? });
            self.space();
            if self.eat(b'}') {
                return Ok(entries);
            }
            if !self.eat(b',') {
                return Err(self.bad("expected `,` or `}`").into());
            }
            self.space();
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, NotJson> {
        self.take(1);
        self.space();
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                return Ok(items);
            }
            if !self.eat(b',') {
                return Err(self.bad("expected `,` or `]`").into());
            }
            self.space();
        }
    }

    /// A number, `true`, `false` or `null`, as written.
    fn word(&mut self) -> Result<String, YamlError> {
        let n = self
            .rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.'))
            .count();
        let word = self.rest.get(..n).unwrap_or_default();
        if !matches!(word, "true" | "false" | "null") && !is_number(word) {
            return Err(self.bad("expected a value"));
        }
        Ok(self.take(n).to_owned())
    }

    fn string(&mut self) -> Result<String, YamlError> {
        if !self.eat(b'"') {
            return Err(self.bad("expected a quoted text"));
        }
        let mut text = String::new();
        loop {
            let Some(n) = self.rest.bytes().position(|b| matches!(b, b'"' | b'\\' | b'\n')) else {
                return Err(self.bad("this quoted text has no end"));
            };
            text.push_str(self.take(n));
            if self.eat(b'"') {
                return Ok(text);
            }
            if !self.eat(b'\\') {
                return Err(self.bad("a line ends inside quotes"));
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, YamlError> {
        let letter = self.rest.as_bytes().first().copied().unwrap_or_default();
        let plain = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.take(1);
                return self.unicode();
            }
            _ => return Err(self.bad("unknown escape")),
        };
        self.take(1);
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, YamlError> {
        let high = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if !self.rest.starts_with("\\u") {
                return Err(self.bad("half a character"));
            }
            self.take(2);
            let low = self.hex()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(self.bad("half a character"));
            }
            0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or_else(|| self.bad("half a character"))
    }

    fn hex(&mut self) -> Result<u32, YamlError> {
        let digits = self.rest.get(..4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.bad("expected four hexadecimal digits"))?;
        self.take(4);
        Ok(code)
    }
}

/// By JSON's grammar: no leading zeros, no leading `+`, digits around the point.
fn is_number(word: &str) -> bool {
    let rest = word.strip_prefix('-').unwrap_or(word);
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((m, e)) => (m, Some(e.strip_prefix(['+', '-']).unwrap_or(e))),
        None => (rest, None),
    };
    let (whole, part) = match mantissa.split_once('.') {
        Some((w, p)) => (w, Some(p)),
        None => (mantissa, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && part.is_none_or(digits)
        && exponent.is_none_or(digits)
}

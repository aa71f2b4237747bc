//! A bounded window on a log of any size.

use std::collections::VecDeque;

use super::{Decoder, LogLine};

/// Consecutive lines of a log. A line has a number that stays its own while lines
/// come and go around it, so that a scroll position sticks to the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogText {
    lines: VecDeque<LogLine>,
    /// Number of the first line; negative after earlier parts were loaded.
    first: i64,
    decoder: Decoder,
    /// The line at the end that is still being written.
    tail: Option<LogLine>,
    /// Offset of the first byte that is kept.
    start: u64,
    /// Size of the log, as last told.
    total: u64,
    pub(super) cost: usize,
    capacity: usize,
    fresh: bool,
}

impl Default for LogText {
    fn default() -> Self {
        Self::new(4 * 1024 * 1024)
    }
}

impl LogText {
    /// `capacity`: bytes of memory for lines; the newest or oldest go when it is
    /// passed, whichever are farther from where lines were added.
    pub fn new(capacity: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            decoder: Decoder::default(),
            tail: None,
            start: 0,
            total: 0,
            cost: 0,
            capacity,
            fresh: true,
        }
    }

    /// Number of the first line.
    pub fn first(&self) -> i64 {
        self.first
    }

    /// Number behind the last line.
    pub fn end(&self) -> i64 {
        self.first + count(self.lines.len()) + i64::from(self.tail.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.tail.is_none()
    }

    pub fn line(&self, number: i64) -> Option<&LogLine> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        if at == self.lines.len() { self.tail.as_ref() } else { self.lines.get(at) }
    }

    /// Offset of the first byte that is kept; 0: the log's own beginning.
    pub fn start_offset(&self) -> u64 {
        self.start
    }

    /// Offset behind the last byte that is kept.
    pub fn end_offset(&self) -> u64 {
        self.decoder.offset()
    }

    /// Size of the log, as last told.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether it reaches the end of the log as last told.
    pub fn reaches_end(&self) -> bool {
        self.end_offset() >= self.total
    }

    /// Adds bytes at the end. Bytes it has are skipped; a gap, or a log that has
    /// become shorter, starts the window anew at `offset`.
    pub fn append(&mut self, offset: u64, bytes: &[u8], total: u64) {
        let shrunk = total < self.end_offset();
        self.total = total.max(offset + bytes.len() as u64);
        if self.fresh || shrunk || offset > self.end_offset() {
            self.begin(offset, bytes);
        } else {
            let known = usize::try_from(self.end_offset() - offset).unwrap_or(usize::MAX);
            self.feed(bytes.get(known..).unwrap_or_default());
        }
        self.trim_front();
    }

    /// Adds the bytes that lie before the window; `offset` is where they begin.
    /// What does not touch the window is ignored.
    pub fn prepend(&mut self, offset: u64, bytes: &[u8]) {
        let Some(room) = self.start.checked_sub(offset).filter(|n| *n > 0) else { return };
        let Some(bytes) = usize::try_from(room).ok().and_then(|n| bytes.get(..n)) else { return };
        let skip = if offset == 0 { 0 } else { unaligned(bytes) };
        let mut decoder = Decoder::new(offset + skip as u64);
        let mut earlier = Vec::new();
        decoder.feed(bytes.get(skip..).unwrap_or_default(), &mut |line| earlier.push(line));
        earlier.extend(decoder.unfinished());
        self.start = offset + skip as u64;
        self.first -= count(earlier.len());
        for line in earlier.into_iter().rev() {
            self.cost += line.cost();
            self.lines.push_front(line);
        }
        self.trim_back();
    }

    fn begin(&mut self, offset: u64, bytes: &[u8]) {
        self.first = self.end();
        self.lines.clear();
        self.tail = None;
        self.cost = 0;
        self.fresh = false;
        let skip = if offset == 0 { 0 } else { unaligned(bytes) };
        self.start = offset + skip as u64;
        self.decoder = Decoder::new(self.start);
        self.feed(bytes.get(skip..).unwrap_or_default());
    }

    fn feed(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Self { decoder, lines, cost, .. } = self;
        decoder.feed(bytes, &mut |line| {
            *cost += line.cost();
            lines.push_back(line);
        });
        self.tail = self.decoder.unfinished();
    }

    fn trim_front(&mut self) {
        while self.cost > self.capacity
            && self.lines.len() > 1
            && let Some(gone) = self.lines.pop_front()
        {
            self.cost = self.cost.saturating_sub(gone.cost());
            self.start = gone.end;
            self.first += 1;
        }
    }

    fn trim_back(&mut self) {
        if self.cost <= self.capacity {
            return;
        }
        self.tail = None;
        let mut end = self.lines.back().map_or(self.start, |line| line.end);
        while self.cost > self.capacity
            && self.lines.len() > 1
            && let Some(gone) = self.lines.pop_back()
        {
            self.cost = self.cost.saturating_sub(gone.cost());
            end = gone.start;
        }
        self.decoder = Decoder::new(end);
    }

    /// The nearest line whose text is wanted, from line `from` on (itself not
    /// included); with `around` also beyond the ends, back to that line.
    pub fn search(
        &self,
        is_wanted: impl Fn(&str) -> bool,
        from: i64,
        backwards: bool,
        around: bool,
    ) -> Option<i64> {
        let wanted = |n: &i64| self.line(*n).is_some_and(|line| is_wanted(line.text()));
        let (first, end) = (self.first, self.end());
        if backwards {
            let behind = || (from.max(first)..end).rev().find(wanted);
            let before = (first..from.min(end)).rev().find(wanted);
            before.or_else(|| if around { behind() } else { None })
        } else {
            let before = || (first..end.min(from.saturating_add(1))).find(wanted);
            let behind = (from.saturating_add(1).max(first)..end).find(wanted);
            behind.or_else(|| if around { before() } else { None })
        }
    }
}

fn count(lines: usize) -> i64 {
    i64::try_from(lines).unwrap_or(i64::MAX)
}

/// Bytes before the first whole line. Where there is none, a very long line is
/// shown from its middle, and only the rest of a cut character goes.
fn unaligned(bytes: &[u8]) -> usize {
    let inside = bytes.split_last().map_or(bytes, |(_, inside)| inside);
    inside.iter().position(|b| *b == b'\n').map_or_else(
        || bytes.iter().take(3).take_while(|b| matches!(b, 0x80..=0xbf)).count(),
        |at| at + 1,
    )
}

/// A text that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle {
    text: String,
    exact: bool,
}

impl Needle {
    /// `None`: nothing to look for.
    pub fn new(text: &str) -> Option<Self> {
        let exact = text.chars().any(char::is_uppercase);
        (!text.is_empty()).then(|| Self { text: text.to_owned(), exact })
    }

    pub fn is_in(&self, text: &str) -> bool {
        self.find(text, 0).is_some()
    }

    /// Bytes `from..to` of the first match at or after `at`.
    pub fn find(&self, text: &str, at: usize) -> Option<(usize, usize)> {
        let rest = text.get(at..)?;
        if self.exact {
            let from = at + rest.find(&self.text)?;
            return Some((from, from + self.text.len()));
        }
        rest.char_indices().find_map(|(i, _)| {
            let len = starts_with_folded(rest.get(i..)?, &self.text)?;
            Some((at + i, at + i + len))
        })
    }

    /// Every match in a text, in order, not overlapping.
    pub fn matches<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            let found = self.find(text, at)?;
            at = found.1.max(at + 1);
            Some(found)
        })
    }
}

/// Bytes of `text` that equal `needle` but for case.
fn starts_with_folded(text: &str, needle: &str) -> Option<usize> {
    let mut chars = text.chars();
    for wanted in needle.chars() {
        let c = chars.next()?;
        if c != wanted && !c.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    Some(text.len() - chars.as_str().len())
}

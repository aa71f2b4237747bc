//! A search that goes on beyond the part of a log that is loaded: part by part,
//! round the ends, until something is found, all was looked at, or it is stopped.

use crate::app::{
    effect::LogRange,
    log::{LogText, Needle, SEGMENT, looks_like_error},
};

/// Bytes looked at with one request.
const WINDOW: u64 = 1024 * 1024;
/// Parts overlap by this much, so that a line at an edge is seen whole.
const OVERLAP: u64 = 2 * SEGMENT as u64;
/// Bytes kept on either side of what was found.
const AROUND: u64 = 128 * 1024;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quarry {
    Text(Needle),
    Error,
}

impl Quarry {
    pub fn is_in(&self, line: &str) -> bool {
        match self {
            Self::Text(needle) => needle.is_in(line),
            Self::Error => looks_like_error(line),
        }
    }
}

/// A search under way, or stopped on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Hunt {
    pub(super) quarry: Quarry,
    pub(super) backwards: bool,
    /// It reads; else somebody stopped it.
    pub(super) is_running: bool,
    /// The log was followed before.
    pub(super) followed: bool,
    /// The line it set out from.
    pub(super) from: i64,
    /// Offset up to which everything was looked at, in the direction it goes.
    at: u64,
    /// Bytes it still has to look at.
    left: u64,
    /// Size of the log when it set out.
    total: u64,
    /// A part that has come: its offset and bytes.
    pub(super) read: Option<(u64, Vec<u8>)>,
}

impl Hunt {
    /// From the edge of what is loaded on to its other edge.
    pub(super) fn new(quarry: Quarry, backwards: bool, from: i64, loaded: &LogText) -> Self {
        let (start, end, total) = (loaded.start_offset(), loaded.end_offset(), loaded.total());
        Self {
            quarry,
            backwards,
            is_running: true,
            followed: false,
            from,
            at: if backwards { start } else { end },
            left: total.saturating_sub(end.saturating_sub(start)),
            total,
            read: None,
        }
    }

    /// Bytes of the log that were looked at, those that were loaded included.
    pub fn searched(&self) -> u64 {
        self.total.saturating_sub(self.left)
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// The next stretch: its lower end and its length; `None`: all was looked at.
    fn stretch(&mut self) -> Option<(u64, u64)> {
        if self.left == 0 {
            return None;
        }
        if self.backwards {
            self.at = if self.at == 0 { self.total } else { self.at };
            let len = WINDOW.min(self.left).min(self.at);
            Some((self.at - len, len))
        } else {
            self.at = if self.at >= self.total { 0 } else { self.at };
            Some((self.at, WINDOW.min(self.left).min(self.total - self.at)))
        }
    }

    /// What is to be read next.
    pub(super) fn range(&mut self) -> Option<LogRange> {
        let (low, len) = self.stretch()?;
        let (offset, end) = if self.backwards {
            (low, (low + len + OVERLAP).min(self.total))
        } else {
            (low.saturating_sub(OVERLAP), low + len)
        };
        Some(LogRange::Window { offset, len: end - offset })
    }

    /// Looks through the part that has come: the log around what was found there,
    /// and that line's number in it. Without a find it has passed the part.
    pub(super) fn look(&mut self) -> Option<(LogText, i64)> {
        let (offset, bytes) = self.read.take()?;
        let (low, len) = self.stretch()?;
        let mut text = LogText::new(usize::MAX);
        text.append(offset, &bytes, self.total);
        let high = low + len;
        let wanted = |number: &i64| {
            text.line(*number).is_some_and(|line| {
                let is_new = if self.backwards { line.start < high } else { line.end > low };
                is_new && self.quarry.is_in(line.text())
            })
        };
        let mut lines = text.first()..text.end();
        let found = if self.backwards { lines.rev().find(wanted) } else { lines.find(wanted) };
        self.left -= len;
        self.at = if self.backwards { low } else { high };
        let place = text.line(found?)?.start;
        let from = place.saturating_sub(AROUND).max(offset);
        let cut = |to: u64| usize::try_from(to - offset).unwrap_or(usize::MAX).min(bytes.len());
        let mut around = LogText::default();
        around.append(from, bytes.get(cut(from)..cut(place + AROUND))?, self.total);
        let number = (around.first()..around.end()).find(|number| {
            around
                .line(*number)
                .is_some_and(|line| line.end > place && self.quarry.is_in(line.text()))
        })?;
        Some((around, number))
    }
}

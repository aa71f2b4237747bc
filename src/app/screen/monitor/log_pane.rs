//! The log pane: which log, which part of it is loaded, what of that is shown,
//! and whether it is followed.
//!
//! ```text
//! Following ─ f, scrolling up ─▶ Paused ─ f, End ─▶ Following
//!     └ the job has ended ─▶ Ended        any ─ it cannot be read ─▶ Lost
//! ```
//! While it is paused nothing is read but the parts somebody scrolls to. Answers
//! carry the number of the request; those of former requests are ignored.

mod search;

pub use search::{Found, Searched};

use super::hunt::Hunt;
use crate::{
    app::{
        effect::{LogRange, Stream},
        log::{LogText, Needle},
        msg::LogPart,
    },
    domain::ids::JobIx,
};

/// Bytes read at once, from the end or when somebody scrolls.
pub const PART: u64 = 256 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LogState {
    /// Nothing was sent yet, so there is no log.
    #[default]
    NotStarted,
    Following,
    /// `by_hand`: stays so until it is asked to follow again.
    Paused {
        by_hand: bool,
    },
    /// The job has ended and all of its log was read.
    Ended,
    /// It cannot be read, and why.
    Lost(String),
}

/// What must be asked of the runtime after something was done to the pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Read(LogRange),
    Stop,
}

/// A part that was asked for; it may come in several pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pending {
    place: Place,
    offset: u64,
    len: u64,
    bytes: Vec<u8>,
}

/// Where a part goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before what is loaded, or after it.
    Beside,
    /// Instead of what is loaded; shown from its beginning or its end.
    Instead { to_end: bool },
    /// To the search; what is shown stays.
    Hunt,
}

/// One row of the screen: a stretch of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Number of the line in the [`LogText`].
    pub line: i64,
    pub from: usize,
    pub to: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogPane {
    pub job: JobIx,
    /// `None` while no attempt was sent.
    pub attempt: Option<u32>,
    /// A person chose the attempt; else it is the newest.
    pub chosen: bool,
    pub stream: Stream,
    /// Rank of a distributed job's worker.
    pub worker: u32,
    pub state: LogState,
    pub wrap: bool,
    /// Columns scrolled to the right, when lines are not wrapped.
    pub left: usize,
    pub needle: Option<Needle>,
    /// Only lines with a match are shown.
    pub only: bool,
    /// The match the search stands at.
    pub found: Option<Found>,
    /// It ended while the job was still told to run.
    pub ended_early: bool,
    pub text: LogText,
    /// A search beyond what is loaded.
    pub hunt: Option<Hunt>,
    serial: u64,
    pending: Option<Pending>,
    /// Where the part that is asked for next goes.
    jump: Option<Place>,
    /// Nothing has come since the log was begun.
    awaiting: bool,
    /// Line and row of it at the top, while not at the end.
    top: (i64, usize),
    at_end: bool,
}

impl LogPane {
    pub fn new(job: JobIx, stream: Stream, wrap: bool) -> Self {
        Self {
            job,
            attempt: None,
            chosen: false,
            stream,
            worker: 0,
            state: LogState::NotStarted,
            wrap,
            left: 0,
            needle: None,
            only: false,
            found: None,
            ended_early: false,
            text: LogText::default(),
            hunt: None,
            serial: 0,
            pending: None,
            jump: None,
            awaiting: false,
            top: (0, 0),
            at_end: true,
        }
    }

    /// Number of the request whose answers count.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Something was asked for and has not come.
    pub fn is_loading(&self) -> bool {
        (self.awaiting || self.pending.is_some()) && self.text.is_empty()
    }

    /// Notes that `range` is being asked for as request `serial`.
    pub fn asked(&mut self, serial: u64, range: LogRange) {
        self.serial = serial;
        self.awaiting = true;
        match range {
            LogRange::Follow { .. } => {
                self.hunt = None;
                self.pending = None;
                self.state = LogState::Following;
            }
            LogRange::Window { offset, len } => {
                let place = self.jump.take().unwrap_or(Place::Beside);
                if place != Place::Hunt {
                    self.hunt = None;
                }
                self.pending = Some(Pending { place, offset, len, bytes: Vec::new() });
            }
        }
    }

    /// Begins the log of this attempt from its end.
    pub fn begin(&mut self, attempt: u32) -> Ask {
        self.attempt = Some(attempt);
        self.text = LogText::default();
        self.found = None;
        self.hunt = None;
        self.ended_early = false;
        self.left = 0;
        self.follow()
    }

    fn follow(&mut self) -> Ask {
        self.at_end = true;
        self.jump = None;
        Ask::Read(LogRange::Follow { tail: PART })
    }

    /// Reads the end once more; what is shown stays.
    pub fn look_again(&mut self) -> Ask {
        self.ended_early = false;
        self.jump = None;
        Ask::Read(LogRange::Follow { tail: PART })
    }

    /// `f`: stops when it follows, follows when it does not. Where nothing is shown
    /// there is nothing to stop at.
    pub fn toggle_follow(&mut self, width: usize, height: usize) -> Option<Ask> {
        match self.state {
            LogState::NotStarted => None,
            LogState::Following if self.text.total() == 0 => None,
            LogState::Following => Some(self.pause(true, width, height)),
            _ => Some(self.follow()),
        }
    }

    fn pause(&mut self, by_hand: bool, width: usize, height: usize) -> Ask {
        self.top = self.top(width, height);
        self.at_end = false;
        self.pending = None;
        self.jump = None;
        self.state = LogState::Paused { by_hand };
        Ask::Stop
    }

    /// An answer to request [`LogPane::serial`].
    pub fn part(&mut self, part: &LogPart) {
        self.awaiting = false;
        if let Some(pending) = &mut self.pending {
            pending.bytes.extend_from_slice(&part.bytes);
            let end = pending.offset + pending.bytes.len() as u64;
            let whole = pending.bytes.len() as u64 >= pending.len || end >= part.total;
            if !whole && !part.complete {
                return;
            }
            let Some(Pending { place, offset, bytes, .. }) = self.pending.take() else { return };
            match place {
                Place::Hunt => {
                    if let Some(hunt) = &mut self.hunt {
                        hunt.read = Some((offset, bytes));
                    }
                }
                Place::Instead { to_end } => {
                    self.text = LogText::default();
                    self.text.append(offset, &bytes, part.total);
                    self.at_end = to_end;
                    self.top = (self.text.first(), 0);
                }
                Place::Beside if offset < self.text.start_offset() => {
                    self.text.prepend(offset, &bytes);
                }
                Place::Beside => self.text.append(offset, &bytes, part.total),
            }
            return;
        }
        self.text.append(part.offset, &part.bytes, part.total);
        if part.complete && self.text.reaches_end() && self.state == LogState::Following {
            self.state = LogState::Ended;
        }
    }

    /// Request [`LogPane::serial`] cannot be answered.
    pub fn failed(&mut self, why: String) {
        self.pending = None;
        self.hunt = None;
        self.state = LogState::Lost(why);
    }

    /// Rows a line takes.
    fn rows_of(&self, line: i64, width: usize) -> usize {
        if !self.wrap {
            return 1;
        }
        self.text.line(line).map_or(1, |line| line.rows(width).len())
    }

    /// Whether a line is shown, or left out for having no match.
    fn shows(&self, line: i64) -> bool {
        match &self.needle {
            Some(needle) if self.only => {
                self.text.line(line).is_some_and(|line| needle.is_in(line.text()))
            }
            _ => true,
        }
    }

    /// The nearest line before this one that is shown.
    fn before(&self, line: i64) -> Option<i64> {
        (self.text.first()..line).rev().find(|line| self.shows(*line))
    }

    /// This line, or the nearest after it that is shown.
    fn from(&self, line: i64) -> Option<i64> {
        (line.max(self.text.first())..self.text.end()).find(|line| self.shows(*line))
    }

    /// The place at the top of the screen.
    pub fn top(&self, width: usize, height: usize) -> (i64, usize) {
        let last = self.last_top(width, height);
        if self.at_end {
            return last;
        }
        let top = self.top.max((self.text.first(), 0)).min(last);
        (top.0, top.1.min(self.rows_of(top.0, width).saturating_sub(1)))
    }

    /// The place at the top when the end is at the bottom.
    fn last_top(&self, width: usize, height: usize) -> (i64, usize) {
        let mut line = self.text.end();
        let mut missing = height.max(1);
        while let Some(before) = self.before(line) {
            line = before;
            let rows = self.rows_of(line, width);
            if rows >= missing {
                return (line, rows - missing);
            }
            missing -= rows;
        }
        (line.min(self.text.end()), 0)
    }

    /// The rows to draw, from the top.
    pub fn visible(&self, width: usize, height: usize) -> Vec<LogRow> {
        let (mut line, mut skip) = self.top(width, height);
        let mut rows = Vec::with_capacity(height);
        while rows.len() < height
            && let Some(shown) = self.from(line)
            && let Some(text) = self.text.line(shown)
        {
            line = shown;
            let end = text.text().len();
            if self.wrap {
                let starts = text.rows(width);
                let ends = starts.iter().skip(1).copied().chain([end]);
                rows.extend(
                    starts
                        .iter()
                        .zip(ends)
                        .skip(skip)
                        .take(height - rows.len())
                        .map(|(from, to)| LogRow { line, from: *from, to }),
                );
            } else {
                rows.push(LogRow { line, from: 0, to: end });
            }
            skip = 0;
            line += 1;
        }
        rows
    }

    /// Scrolls by rows, up when negative, and says what must be read for it.
    pub fn scroll(&mut self, by: isize, width: usize, height: usize) -> Option<Ask> {
        let (mut line, mut row) = self.top(width, height);
        let last = self.last_top(width, height);
        if by < 0 {
            for _ in 0..by.unsigned_abs() {
                if row > 0 {
                    row -= 1;
                } else if let Some(before) = self.before(line) {
                    line = before;
                    row = self.rows_of(line, width).saturating_sub(1);
                } else {
                    break;
                }
            }
        } else {
            for _ in 0..by.unsigned_abs() {
                if (line, row) >= last {
                    break;
                }
                row += 1;
                if row >= self.rows_of(line, width) {
                    (line, row) = (self.from(line + 1).unwrap_or(line), 0);
                }
            }
        }
        self.show(line, row, width, height)
    }

    /// Puts a place at the top of the screen.
    fn show(&mut self, line: i64, row: usize, width: usize, height: usize) -> Option<Ask> {
        let at_end = (line, row) >= self.last_top(width, height);
        let stop = (!at_end && self.state == LogState::Following)
            .then(|| self.pause(false, width, height));
        self.top = (line, row);
        self.at_end = at_end && self.text.reaches_end();
        if stop.is_some() {
            return stop;
        }
        if self.at_end && self.state == (LogState::Paused { by_hand: false }) {
            return Some(self.follow());
        }
        self.wanted(height)
    }

    /// The part that somebody who scrolls on will want next.
    fn wanted(&self, height: usize) -> Option<Ask> {
        if self.pending.is_some()
            || matches!(self.state, LogState::Following | LogState::NotStarted)
        {
            return None;
        }
        let near = i64::try_from(height * 2).unwrap_or(i64::MAX);
        let start = self.text.start_offset();
        if start > 0 && self.top.0 - self.text.first() < near {
            let len = PART.min(start);
            return Some(Ask::Read(LogRange::Window { offset: start - len, len }));
        }
        if !self.text.reaches_end() && self.text.end() - self.top.0 < near * 2 {
            let offset = self.text.end_offset();
            return Some(Ask::Read(LogRange::Window { offset, len: PART }));
        }
        None
    }

    /// After a part has come: what should be read further.
    pub fn next(&self, height: usize) -> Option<Ask> {
        if self.at_end { None } else { self.wanted(height) }
    }

    /// To the beginning of the log.
    pub fn to_start(&mut self, width: usize, height: usize) -> Vec<Ask> {
        if self.text.start_offset() == 0 {
            return self.show(self.text.first(), 0, width, height).into_iter().collect();
        }
        let mut asks = Vec::new();
        if self.state == LogState::Following {
            asks.push(self.pause(false, width, height));
        }
        self.jump = Some(Place::Instead { to_end: false });
        asks.push(Ask::Read(LogRange::Window { offset: 0, len: PART }));
        asks
    }

    /// To the end of the log; follows again what was not stopped by hand.
    pub fn to_end(&mut self) -> Option<Ask> {
        match self.state {
            LogState::NotStarted | LogState::Following => {
                self.at_end = true;
                None
            }
            LogState::Paused { by_hand: false } => Some(self.follow()),
            _ if self.text.reaches_end() => {
                self.at_end = true;
                None
            }
            _ => {
                let offset = self.text.total().saturating_sub(PART);
                self.jump = Some(Place::Instead { to_end: true });
                Some(Ask::Read(LogRange::Window { offset, len: PART }))
            }
        }
    }

    /// Scrolls sideways; only while lines are not wrapped.
    pub fn sideways(&mut self, by: isize) {
        if !self.wrap {
            self.left = self.left.saturating_add_signed(by).min(crate::app::log::SEGMENT);
        }
    }
}

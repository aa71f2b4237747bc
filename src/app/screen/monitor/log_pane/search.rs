//! Searching the log: in what is loaded first, then part by part in the rest.

use super::{Ask, LogPane, LogState, Place};
use crate::app::{
    log::Needle,
    screen::monitor::hunt::{Hunt, Quarry},
    text as words,
};

/// What the search stands at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Number of the line.
    pub line: i64,
    /// Where the match begins in it, in bytes; 0 where the line as a whole was
    /// looked for.
    pub at: usize,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Searched {
    Found(Option<Ask>),
    /// Not in what is loaded: it goes on in the rest.
    Beyond(Vec<Ask>),
    /// In all of the log.
    Nowhere(Option<Ask>),
}

impl LogPane {
    /// Goes to the next match, or the one before. `None`: nothing is looked for.
    pub fn search(&mut self, backwards: bool, width: usize, height: usize) -> Option<Searched> {
        let needle = self.needle.clone()?;
        if let Some(found) = self.in_same_line(&needle, backwards) {
            self.hunt = None;
            return Some(Searched::Found(self.go_to(found, width, height)));
        }
        let quarry = Quarry::Text(needle);
        let from = match self.found {
            Some(found) => found.line,
            None if backwards => self.text.end(),
            // From where one looks; so that the first line counts too.
            None => self.top(width, height).0 - 1,
        };
        Some(self.seek(quarry, from, backwards, width, height))
    }

    /// The next match in the line the search stands at, or the one before.
    fn in_same_line(&self, needle: &Needle, backwards: bool) -> Option<Found> {
        let Found { line, at } = self.found?;
        let mut places = needle.matches(self.text.line(line)?.text()).map(|(from, _)| from);
        let next = if backwards {
            places.take_while(|from| *from < at).last()
        } else {
            places.find(|from| *from > at)
        };
        next.map(|at| Found { line, at })
    }

    /// The first match in a line, or the last: what a search comes upon first.
    fn place_in(&self, line: i64, quarry: &Quarry, backwards: bool) -> Found {
        let at = match (quarry, self.text.line(line)) {
            (Quarry::Text(needle), Some(text)) => {
                let mut places = needle.matches(text.text()).map(|(from, _)| from);
                if backwards { places.last() } else { places.next() }
            }
            _ => None,
        };
        Found { line, at: at.unwrap_or(0) }
    }

    /// Goes to what a search has found in this line.
    fn arrive(
        &mut self,
        line: i64,
        quarry: &Quarry,
        backwards: bool,
        (width, height): (usize, usize),
    ) -> Searched {
        if *quarry == Quarry::Error {
            self.needle = None;
            self.only = false;
        }
        let found = self.place_in(line, quarry, backwards);
        Searched::Found(self.go_to(found, width, height))
    }

    /// Goes to the next line that looks like an error, from the beginning of what
    /// is loaded at first.
    pub fn next_error(&mut self, width: usize, height: usize) -> Searched {
        let from = if self.needle.is_none() { self.found } else { None };
        let from = from.map_or_else(|| self.text.first() - 1, |found| found.line);
        self.seek(Quarry::Error, from, false, width, height)
    }

    fn is_whole(&self) -> bool {
        self.text.start_offset() == 0 && self.text.reaches_end()
    }

    fn seek(
        &mut self,
        quarry: Quarry,
        from: i64,
        backwards: bool,
        width: usize,
        height: usize,
    ) -> Searched {
        let same = |hunt: &Hunt| hunt.quarry == quarry && hunt.backwards == backwards;
        if self.hunt.as_ref().is_some_and(same) {
            return self.hunt_on(width, height);
        }
        self.hunt = None;
        let is_wanted = |line: &str| quarry.is_in(line);
        if let Some(line) = self.text.search(is_wanted, from, backwards, self.is_whole()) {
            return self.arrive(line, &quarry, backwards, (width, height));
        }
        if self.is_whole() || self.attempt.is_none() {
            return Searched::Nowhere(None);
        }
        let mut hunt = Hunt::new(quarry, backwards, from, &self.text);
        let mut asks = Vec::new();
        if self.state == LogState::Following {
            hunt.followed = true;
            asks.push(self.pause(false, width, height));
        }
        self.hunt = Some(hunt);
        match self.hunt_on(width, height) {
            Searched::Beyond(more) => asks.extend(more),
            other => return other,
        }
        Searched::Beyond(asks)
    }

    /// A part has come that a search waits for.
    pub fn has_prey(&self) -> bool {
        self.hunt.as_ref().is_some_and(|hunt| hunt.read.is_some())
    }

    /// Looks through the part that has come for the search, and asks for the next.
    pub fn hunt_on(&mut self, width: usize, height: usize) -> Searched {
        let Some(hunt) = &mut self.hunt else { return Searched::Nowhere(None) };
        if hunt.is_running && hunt.read.is_none() && self.pending.is_some() {
            return Searched::Beyond(Vec::new());
        }
        hunt.is_running = true;
        let (quarry, backwards) = (hunt.quarry.clone(), hunt.backwards);
        if let Some((text, line)) = hunt.look() {
            self.hunt = None;
            self.text = text;
            return self.arrive(line, &quarry, backwards, (width, height));
        }
        if let Some(range) = hunt.range() {
            self.jump = Some(Place::Hunt);
            return Searched::Beyond(vec![Ask::Read(range)]);
        }
        let (from, followed) = (hunt.from, hunt.followed);
        self.hunt = None;
        match self.text.search(|line| quarry.is_in(line), from, backwards, true) {
            Some(line) => self.arrive(line, &quarry, backwards, (width, height)),
            None => Searched::Nowhere(followed.then(|| self.follow())),
        }
    }

    /// Stops a search that goes on in the rest of the log; whether there was one.
    pub fn stop_hunt(&mut self) -> Option<Ask> {
        let hunt = self.hunt.as_mut().filter(|hunt| hunt.is_running)?;
        hunt.is_running = false;
        self.pending = None;
        // What still comes of it is not for the text.
        self.serial = 0;
        Some(Ask::Stop)
    }

    /// How far a search beyond what is loaded has come.
    pub fn hunt_words(&self) -> Option<String> {
        let hunt = self.hunt.as_ref()?;
        let part = format!("{} of {}", words::bytes(hunt.searched()), words::bytes(hunt.total()));
        let key = if hunt.quarry == Quarry::Error { "!" } else { "n" };
        Some(match (hunt.is_running(), hunt.backwards) {
            (true, _) => format!("searching … {part} · Esc stops"),
            (false, true) => format!("searched {part} · N goes on"),
            (false, false) => format!("searched {part} · {key} goes on"),
        })
    }

    /// Shows what was found, a third from the top, and stays there.
    fn go_to(&mut self, found: Found, width: usize, height: usize) -> Option<Ask> {
        self.found = Some(found);
        let mut place = (found.line, self.show_match(found, width));
        for _ in 0..height / 3 {
            place = match (place.1.checked_sub(1), self.before(place.0)) {
                (Some(row), _) => (place.0, row),
                (None, Some(before)) => (before, self.rows_of(before, width).saturating_sub(1)),
                (None, None) => break,
            };
        }
        let place = place.min(self.last_top(width, height));
        let ask = if self.state == LogState::Following {
            // One who looks at a match wants it to stay.
            self.top = place;
            Some(self.pause(false, width, height))
        } else {
            None
        };
        self.top = place;
        self.at_end = false;
        ask.or_else(|| self.wanted(height))
    }

    /// The row of a wrapped line that holds what was found; a line that is not
    /// wrapped is scrolled sideways to it.
    fn show_match(&mut self, Found { line, at }: Found, width: usize) -> usize {
        let Some(text) = self.text.line(line) else { return 0 };
        if self.wrap {
            return text.rows(width).iter().rposition(|start| *start <= at).unwrap_or(0);
        }
        let text = text.text();
        let needle = self.needle.as_ref();
        let to = needle.and_then(|needle| needle.find(text, at)).map_or(at, |(_, to)| to);
        let columns = |to: usize| words::width(text.get(..to).unwrap_or(text));
        let (first, last, end) = (columns(at), columns(to), columns(text.len()));
        // What is cut off is marked in the first and the last column.
        let shows = |left: usize| {
            let (before, after) = (usize::from(left > 0), usize::from(end > left + width));
            first >= left + before && last + after <= left + width
        };
        if !shows(self.left) {
            self.left = if shows(0) { 0 } else { first.saturating_sub(width / 3) };
        }
        0
    }
}

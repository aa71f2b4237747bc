//! Searching the log: in what is loaded first, then part by part in the rest.

use super::{Ask, LogPane, LogState, Place};
use crate::app::{
    screen::monitor::hunt::{Hunt, Quarry},
    text as words,
};

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
        let quarry = Quarry::Text(self.needle.clone()?);
        let from = self.found.unwrap_or_else(|| {
            // From where one looks; so that the first line counts too.
            let top = self.top(width, height).0;
            if backwards { self.text.end() } else { top - 1 }
        });
        Some(self.seek(quarry, from, backwards, width, height))
    }

    /// Goes to the next line that looks like an error, from the beginning of what
    /// is loaded at first.
    pub fn next_error(&mut self, width: usize, height: usize) -> Searched {
        let from = if self.needle.is_none() { self.found } else { None };
        let from = from.unwrap_or_else(|| self.text.first() - 1);
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
            return Searched::Found(self.go_to(line, &quarry, width, height));
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
        let quarry = hunt.quarry.clone();
        if let Some((text, line)) = hunt.look() {
            self.hunt = None;
            self.text = text;
            return Searched::Found(self.go_to(line, &quarry, width, height));
        }
        if let Some(range) = hunt.range() {
            self.jump = Some(Place::Hunt);
            return Searched::Beyond(vec![Ask::Read(range)]);
        }
        let (from, backwards, followed) = (hunt.from, hunt.backwards, hunt.followed);
        self.hunt = None;
        match self.text.search(|line| quarry.is_in(line), from, backwards, true) {
            Some(line) => Searched::Found(self.go_to(line, &quarry, width, height)),
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

    /// Shows a line with what was found in it, a third from the top, and stays there.
    fn go_to(&mut self, line: i64, quarry: &Quarry, width: usize, height: usize) -> Option<Ask> {
        self.found = Some(line);
        if *quarry == Quarry::Error {
            self.needle = None;
            self.only = false;
        }
        let row = self.show_match(line, quarry, width);
        let mut place = (line, row);
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
    fn show_match(&mut self, line: i64, quarry: &Quarry, width: usize) -> usize {
        let Some(text) = self.text.line(line) else { return 0 };
        let (from, to) = match quarry {
            Quarry::Text(needle) => needle.find(text.text(), 0).unwrap_or((0, 0)),
            Quarry::Error => (0, 0),
        };
        if self.wrap {
            return text.rows(width).iter().rposition(|start| *start <= from).unwrap_or(0);
        }
        let columns = |to: usize| words::width(text.text().get(..to).unwrap_or(""));
        let (first, last) = (columns(from), columns(to));
        if first < self.left || last > self.left + width {
            self.left = if last <= width { 0 } else { first.saturating_sub(width / 3) };
        }
        0
    }
}

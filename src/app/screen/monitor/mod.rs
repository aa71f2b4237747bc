//! The monitor view: the jobs of one run as a live table, with the details and
//! the log of one of them beside it.
//!
//! It holds a replica of the run and folds the same records as everybody else
//! ([`Run::apply`]); what changed goes to the [`index::Index`], which keeps the
//! rows. Nothing here sends or cancels anything: keys that would, push a confirm
//! box.
//!
//! A run is opened by `Msg::RunOpened`, kept up to date by `Msg::RunNews`, and
//! stays until another one is opened.

use crossterm::event::{KeyCode, KeyEvent};
use jiff::Timestamp;

use super::{Context, Step};
use crate::{
    app::{effect::Effect, filter::Typed, keymap::Scope, msg::Msg, orders::SortedBy},
    domain::{ids::JobIx, run::Run},
};

mod actions;
pub mod ask;
pub mod cause;
mod cursor;
pub mod detail;
pub mod filter;
pub mod hunt;
pub mod index;
pub mod layout;
pub mod log_pane;
mod logs;
mod marks;
mod mouse;
mod opened;
pub mod order;
pub mod retry;
pub mod roster;
pub mod tally;
#[cfg(test)]
mod tests;

use layout::Layout;
use log_pane::{Ask, LogPane, LogState};
pub use opened::{Input, Opened, Pane};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    opened: Option<Box<Opened>>,
    /// Number of the last request for a log.
    serial: u64,
    /// Lines of logs are wrapped; kept from one log to the next.
    unwrapped: bool,
    /// How the first run that is opened is sorted.
    sorted: SortedBy<order::Sort>,
}

/// Width and height of the body: all but the header and the footer.
fn body(cx: &Context<'_>) -> (u16, u16) {
    (cx.width, cx.height.saturating_sub(2))
}

fn layout(opened: &Opened, cx: &Context<'_>) -> Layout {
    let (width, height) = body(cx);
    opened.layout(width, height)
}

impl Monitor {
    /// The run that is shown.
    pub fn opened(&self) -> Option<&Opened> {
        self.opened.as_deref()
    }

    /// How rows are sorted, or will be once there are some.
    pub fn sorted(&self) -> SortedBy<order::Sort> {
        self.opened().map_or(self.sorted, |opened| {
            let (by, reverse) = opened.index.sort();
            SortedBy { by, reverse }
        })
    }

    /// To be sorted as in an earlier session.
    pub fn set_sorted(&mut self, sorted: SortedBy<order::Sort>) {
        self.sorted = sorted;
    }

    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        match self.opened() {
            Some(Opened { pane: Pane::Log(_), in_pane: true, .. }) => Scope::Logs,
            _ => Scope::Monitor,
        }
    }

    /// A time goes on while nothing else happens: something runs or is queued.
    pub fn ticks(&self) -> bool {
        self.opened()
            .is_some_and(|o| o.run.counts.iter().any(|(status, n)| *n > 0 && status.is_live()))
    }

    /// Text entry takes keys before the keymap does; `None`: not consumed.
    pub fn on_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        let opened = self.opened.as_deref_mut()?;
        let rows = layout(opened, cx).table_rows();
        match &mut opened.input {
            Input::None => return None,
            Input::Filter(line) => match (key.code, line.on_key(key)) {
                (KeyCode::Down, _) => opened.cursor.step(&opened.index, 1, rows),
                (KeyCode::Up, _) => opened.cursor.step(&opened.index, -1, rows),
                (_, Typed::Elsewhere) => return None,
                (_, typed) => opened.typed(typed, rows),
            },
            Input::Search { line, former } => match key.code {
                KeyCode::Enter => {
                    opened.input = Input::None;
                    return Some(self.search(false, cx));
                }
                KeyCode::Esc => {
                    let former = former.take();
                    opened.input = Input::None;
                    if let Pane::Log(pane) = &mut opened.pane {
                        pane.only &= former.is_some();
                        pane.needle = former;
                        pane.found = None;
                    }
                }
                _ => {
                    if line.on_key(key)
                        && let Pane::Log(pane) = &mut opened.pane
                    {
                        pane.needle = crate::app::log::Needle::new(line.text());
                        pane.found = None;
                    }
                }
            },
            Input::Reason { jobs, line } => match key.code {
                KeyCode::Enter => {
                    let why = line.text().trim();
                    let why = (!why.is_empty()).then(|| why.to_owned());
                    let asked = ask::cancel(&opened.run, std::mem::take(jobs), why);
                    opened.input = Input::None;
                    return Some(actions::asking(asked));
                }
                KeyCode::Esc => opened.input = Input::None,
                _ => {
                    line.on_key(key);
                }
            },
            Input::Retry(form) => match form.on_key(key) {
                retry::Answer::Open => {}
                retry::Answer::Close => {
                    opened.left_retry = Some(form.clone());
                    opened.input = Input::None;
                }
                retry::Answer::Ask(changes) => {
                    let (jobs, current) = (form.jobs.clone(), form.current_code);
                    return Some(match ask::retry(&opened.run, jobs, changes, current, cx) {
                        Ok(confirm) => {
                            opened.left_retry = Some(form.clone());
                            opened.input = Input::None;
                            let compare = actions::compare_for(&opened.run, &confirm);
                            let ask = Step::Push(crate::app::overlay::Overlay::Confirm(confirm));
                            std::iter::once(ask).chain(compare).collect()
                        }
                        Err(why) => {
                            form.error = Some(why);
                            Vec::new()
                        }
                    });
                }
            },
        }
        Some(self.follow_cursor(cx))
    }

    /// Pasted text, while this view has the keys.
    pub fn on_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let rows = layout(opened, cx).table_rows();
        let text = text.trim_end_matches(['\n', '\r']);
        match &mut opened.input {
            Input::None => {}
            Input::Filter(line) => {
                let typed = line.on_paste(text);
                opened.typed(typed, rows);
            }
            Input::Search { line, .. } => {
                line.insert(text);
                if let Pane::Log(pane) = &mut opened.pane {
                    pane.needle = crate::app::log::Needle::new(line.text());
                    pane.found = None;
                }
            }
            Input::Retry(form) => form.line.insert(text),
            Input::Reason { line, .. } => line.insert(text),
        }
        self.follow_cursor(cx)
    }

    /// News for this view.
    pub fn on_msg(&mut self, msg: Msg, cx: &Context<'_>) -> Vec<Step> {
        match msg {
            Msg::RunOpened { run, conducting } => self.open(*run, conducting, cx),
            Msg::RunReplaced { run } => {
                let conducting = self.opened().is_some_and(|o| o.conducting);
                self.open(*run, conducting, cx)
            }
            Msg::RunNews { run, changed } => self.news(*run, &changed, cx),
            Msg::Conducting { run, conducting, other } => {
                if let Some(opened) = self.opened.as_deref_mut().filter(|o| o.run.id == run) {
                    opened.conducting = conducting;
                    opened.other = other;
                }
                Vec::new()
            }
            Msg::Log(part) => {
                let Some(pane) = self.log_pane().filter(|p| p.serial() == part.serial) else {
                    return Vec::new();
                };
                pane.part(&part);
                let (job, attempt) = (pane.job, pane.attempt);
                let over = self.has_ended(job, attempt);
                if let Some(pane) = self.log_pane() {
                    pane.ended_early |= pane.state == LogState::Ended && !over;
                }
                if let Some(steps) = self.hunt_on(cx) {
                    return steps;
                }
                let height = self.pane_text(cx).1;
                let next = self.log_pane().and_then(|pane| pane.next(height));
                self.carry_out(next)
            }
            Msg::LogFailed { serial, why } => {
                if let Some(pane) = self.log_pane().filter(|p| p.serial() == serial) {
                    pane.failed(why);
                }
                Vec::new()
            }
            Msg::CodeCompared { run, jobs, since } => {
                if let Some(opened) = self.opened.as_deref_mut().filter(|o| o.run.id == run)
                    && let Input::Retry(form) = &mut opened.input
                    && form.jobs == jobs
                {
                    form.since = retry::since_words(&since);
                }
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn open(&mut self, run: Run, conducting: bool, cx: &Context<'_>) -> Vec<Step> {
        match self.opened.as_deref_mut() {
            // The same run anew: the replica was out of step.
            Some(opened) if opened.run.id == run.id && opened.run.jobs.len() == run.jobs.len() => {
                let rows = layout(opened, cx).table_rows();
                opened.replace(run, conducting, rows);
                self.follow_attempt(cx)
            }
            _ => {
                let stop = self.opened().is_some_and(|o| matches!(o.pane, Pane::Log(_)));
                let sorted = self.sorted();
                let mut next = Opened::new(run, conducting);
                if sorted != SortedBy::default() {
                    next.index.set_sort(sorted.by, sorted.reverse, &next.run);
                }
                next.cursor.go(&next.index, 0, 1);
                self.opened = Some(Box::new(next));
                if stop { vec![Step::Do(Effect::StopLog)] } else { Vec::new() }
            }
        }
    }

    fn news(&mut self, run: Run, changed: &[JobIx], cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut().filter(|o| o.run.id == run.id) else {
            return Vec::new();
        };
        let rows = layout(opened, cx).table_rows();
        opened.take_in(run, changed, rows);
        self.follow_attempt(cx)
    }

    /// What leaving now would lose or leave undone, a line each, for the quit box.
    pub fn would_lose(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Seconds from `from` to `to`, or to `now` while there is no end.
pub fn seconds(from: Timestamp, to: Option<Timestamp>, now: Timestamp) -> i64 {
    to.unwrap_or(now).duration_since(from).as_secs()
}

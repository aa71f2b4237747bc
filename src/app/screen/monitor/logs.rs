//! The log pane in the view: what is asked of the runtime for it, what its keys do,
//! and which job and attempt it shows.

use super::{
    Ask, Context, Input, LogPane, Monitor, Opened, Pane, Step, hunt::Quarry, layout,
    log_pane::Searched,
};
use crate::{
    app::{
        effect::{Effect, LogRequest, Stream},
        keymap::Action,
        line::Line,
    },
    domain::{ids::JobIx, run::Attempt},
};

/// A request alone makes no log: the cluster must have taken the job.
fn has_log(attempt: &Attempt) -> bool {
    attempt.remote_id.is_some()
}

impl Monitor {
    pub(super) fn log_pane(&mut self) -> Option<&mut LogPane> {
        match self.opened.as_deref_mut() {
            Some(Opened { pane: Pane::Log(pane), .. }) => Some(pane),
            _ => None,
        }
    }

    pub(super) fn pane_text(&self, cx: &Context<'_>) -> (usize, usize) {
        self.opened().map_or((1, 1), |o| layout(o, cx).pane_text())
    }

    /// Asks the runtime for what a pane wants.
    pub(super) fn carry_out(&mut self, asks: impl IntoIterator<Item = Ask>) -> Vec<Step> {
        let mut steps = Vec::new();
        for ask in asks {
            let Some(Opened { pane: Pane::Log(pane), run, .. }) = self.opened.as_deref_mut() else {
                break;
            };
            match ask {
                Ask::Stop => steps.push(Step::Do(Effect::StopLog)),
                Ask::Read(range) => {
                    self.serial += 1;
                    pane.asked(self.serial, range);
                    steps.push(Step::Do(Effect::FollowLog(LogRequest {
                        serial: self.serial,
                        run: run.id.clone(),
                        job: pane.job,
                        attempt: pane.attempt,
                        stream: pane.stream,
                        worker: pane.worker,
                        range,
                    })));
                }
            }
        }
        steps
    }

    /// The newest attempt of a job that may have a log.
    pub(super) fn newest_sent(&self, job: JobIx) -> Option<u32> {
        let job = self.opened()?.run.job(job)?;
        job.attempts.iter().rev().find(|a| has_log(a)).map(|a| a.number)
    }

    pub(super) fn has_ended(&self, job: JobIx, attempt: Option<u32>) -> bool {
        self.opened()
            .and_then(|o| o.run.job(job))
            .and_then(|j| j.attempts.iter().find(|a| Some(a.number) == attempt))
            .is_some_and(|a| a.status.is_ended())
    }

    /// The log pane goes along with the cursor.
    pub(super) fn follow_cursor(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let current = opened.current();
        match &mut opened.pane {
            Pane::Log(pane) if current.is_some_and(|ix| ix != pane.job) => {
                let (stream, wrap, needle) = (pane.stream, pane.wrap, pane.needle.clone());
                let job = current.unwrap_or(pane.job);
                let mut next = LogPane::new(job, stream, wrap);
                next.needle = needle;
                let read = pane.attempt.is_some();
                opened.pane = Pane::Log(Box::new(next));
                let mut steps = self.follow_attempt(cx);
                if steps.is_empty() && read {
                    steps.push(Step::Do(Effect::StopLog));
                }
                steps
            }
            _ => Vec::new(),
        }
    }

    /// The log pane goes on to a new attempt, unless a person chose an older one.
    pub(super) fn follow_attempt(&mut self, _cx: &Context<'_>) -> Vec<Step> {
        let Some(pane) = self.log_pane() else { return Vec::new() };
        let (job, shown, chosen) = (pane.job, pane.attempt, pane.chosen);
        let newest = self.newest_sent(job);
        let over = self.has_ended(job, shown);
        match (newest, self.log_pane()) {
            // The log said that it was whole before the job had ended: look again.
            (_, Some(pane)) if over && pane.ended_early => {
                let ask = pane.look_again();
                self.carry_out([ask])
            }
            (Some(newest), Some(pane)) if !chosen && shown != Some(newest) => {
                let ask = pane.begin(newest);
                self.carry_out([ask])
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn in_log(&mut self, action: Action, cx: &Context<'_>) -> Option<Vec<Step>> {
        let (width, height) = self.pane_text(cx);
        let page = isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1);
        let pane = self.log_pane()?;
        let asks: Vec<Ask> = match action {
            Action::Up => pane.scroll(-1, width, height).into_iter().collect(),
            Action::Down => pane.scroll(1, width, height).into_iter().collect(),
            Action::PageUp => pane.scroll(-page, width, height).into_iter().collect(),
            Action::PageDown => pane.scroll(page, width, height).into_iter().collect(),
            Action::Top => pane.to_start(width, height),
            Action::Bottom => pane.to_end().into_iter().collect(),
            Action::Left => {
                pane.sideways(-8);
                Vec::new()
            }
            Action::Right => {
                pane.sideways(8);
                Vec::new()
            }
            Action::Follow => pane.toggle_follow(width, height).into_iter().collect(),
            Action::Wrap => {
                pane.wrap = !pane.wrap;
                pane.left = 0;
                let unwrapped = !pane.wrap;
                self.unwrapped = unwrapped;
                Vec::new()
            }
            Action::SwitchStream => {
                pane.stream = match pane.stream {
                    Stream::Stdout => Stream::Stderr,
                    Stream::Stderr => Stream::Stdout,
                };
                pane.attempt.map(|attempt| pane.begin(attempt)).into_iter().collect()
            }
            Action::PreviousAttempt => return Some(self.other_attempt(true)),
            Action::NextAttempt => return Some(self.other_attempt(false)),
            Action::PreviousWorker => return Some(self.other_worker(true, cx)),
            Action::NextWorker => return Some(self.other_worker(false, cx)),
            Action::NextMatch => return Some(self.search(false, cx)),
            Action::PreviousMatch => return Some(self.search(true, cx)),
            Action::NextError => {
                let searched = pane.next_error(width, height);
                return Some(self.searched(searched, "no line looks like an error"));
            }
            Action::OnlyMatches => {
                if pane.needle.is_none() {
                    return Some(vec![Step::Notice("nothing to search for: press /".into())]);
                }
                pane.only = !pane.only;
                Vec::new()
            }
            Action::Search | Action::Filter => {
                let former = pane.needle.clone();
                let stop = pane.stop_hunt();
                let opened = self.opened.as_deref_mut()?;
                opened.input = Input::Search { line: Line::default(), former };
                stop.into_iter().collect()
            }
            Action::Back => vec![pane.stop_hunt()?],
            Action::Activate => {
                let opened = self.opened.as_deref_mut()?;
                opened.zoomed = !opened.zoomed;
                Vec::new()
            }
            Action::NextPane | Action::PreviousPane => {
                let opened = self.opened.as_deref_mut()?;
                opened.in_pane = false;
                Vec::new()
            }
            _ => return None,
        };
        Some(self.carry_out(asks))
    }

    /// Goes to a match and says so when there is none.
    pub(super) fn search(&mut self, backwards: bool, cx: &Context<'_>) -> Vec<Step> {
        let (width, height) = self.pane_text(cx);
        let Some(pane) = self.log_pane() else { return Vec::new() };
        match pane.search(backwards, width, height) {
            Some(searched) => self.searched(searched, "not found"),
            None => vec![Step::Notice("nothing to search for: press /".into())],
        }
    }

    /// A part has come: a search that waits for it goes on.
    pub(super) fn hunt_on(&mut self, cx: &Context<'_>) -> Option<Vec<Step>> {
        let (width, height) = self.pane_text(cx);
        let pane = self.log_pane().filter(|pane| pane.has_prey())?;
        let is_error = pane.hunt.as_ref().is_some_and(|hunt| hunt.quarry == Quarry::Error);
        let nothing = if is_error { "no line looks like an error" } else { "not found" };
        let searched = pane.hunt_on(width, height);
        Some(self.searched(searched, nothing))
    }

    fn searched(&mut self, searched: Searched, nothing: &str) -> Vec<Step> {
        match searched {
            Searched::Found(ask) => self.carry_out(ask),
            Searched::Beyond(asks) => self.carry_out(asks),
            Searched::Nowhere(ask) => {
                let mut steps = self.carry_out(ask);
                steps.push(Step::Notice(nothing.into()));
                steps
            }
        }
    }

    pub(super) fn other_attempt(&mut self, earlier: bool) -> Vec<Step> {
        let Some(pane) = self.log_pane() else { return Vec::new() };
        let (job, shown) = (pane.job, pane.attempt);
        let sent: Vec<u32> = self
            .opened()
            .and_then(|o| o.run.job(job))
            .map(|j| j.attempts.iter().filter(|a| has_log(a)).map(|a| a.number).collect())
            .unwrap_or_default();
        let at = sent.iter().position(|n| Some(*n) == shown);
        let next = match (at, earlier) {
            (Some(at), true) => at.checked_sub(1),
            (Some(at), false) => Some(at + 1).filter(|at| *at < sent.len()),
            (None, _) => None,
        };
        let Some((at, number)) = next.and_then(|at| Some((at, *sent.get(at)?))) else {
            let words = if earlier { "no earlier attempt" } else { "no later attempt" };
            return vec![Step::Notice(words.into())];
        };
        let Some(pane) = self.log_pane() else { return Vec::new() };
        pane.chosen = at + 1 < sent.len();
        let ask = pane.begin(number);
        self.carry_out([ask])
    }

    fn other_worker(&mut self, before: bool, cx: &Context<'_>) -> Vec<Step> {
        let workers = self.opened().map_or(1, |opened| opened.log_workers(cx.clusters));
        let Some(pane) = self.log_pane() else { return Vec::new() };
        let Some(attempt) = pane.attempt else { return Vec::new() };
        let next = if before { pane.worker.checked_sub(1) } else { pane.worker.checked_add(1) };
        let Some(next) = next.filter(|next| *next < workers) else {
            let words = match (workers, before) {
                (..=1, _) => "this job has one log",
                (_, true) => "no worker before",
                (_, false) => "no worker after",
            };
            return vec![Step::Notice(words.into())];
        };
        pane.worker = next;
        let ask = pane.begin(attempt);
        self.carry_out([ask])
    }

    pub(super) fn toggle_logs(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let unwrapped = self.unwrapped;
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        if matches!(opened.pane, Pane::Log(_)) {
            return self.close_pane();
        }
        let Some(job) = opened.subject() else { return Vec::new() };
        opened.pane = Pane::Log(Box::new(LogPane::new(job, Stream::Stdout, !unwrapped)));
        opened.in_pane = true;
        self.follow_attempt(cx)
    }
}

//! The runs view: every earlier run, to look at again or to write anew.

use crossterm::event::{MouseButton, MouseEventKind};
use serde::{Deserialize, Serialize};

use super::{Context, Filtered, Step};
use crate::{
    app::{
        effect::Effect,
        filter::FilterLine,
        keymap::{Action, Scope},
        list::Cursor,
        msg::{Msg, RunSummary},
    },
    domain::{ids::RunId, status::Status},
};

/// What the rows are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Newest first.
    #[default]
    Created,
    Batch,
    Failed,
    Jobs,
}

impl Sort {
    fn next(self) -> Self {
        match self {
            Self::Created => Self::Batch,
            Self::Batch => Self::Failed,
            Self::Failed => Self::Jobs,
            Self::Jobs => Self::Created,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "newest first",
            Self::Batch => "by batch",
            Self::Failed => "most failures first",
            Self::Jobs => "most jobs first",
        }
    }
}

/// Failed, rejected and lost jobs of a run.
pub fn failures(run: &RunSummary) -> usize {
    run.counts.iter().filter(|(s, _)| s.is_failure()).map(|(_, n)| n).sum()
}

/// Jobs of a run.
pub fn jobs(run: &RunSummary) -> usize {
    run.counts.iter().map(|(_, n)| n).sum()
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// As they came, newest first; `None`: not read yet.
    known: Option<Vec<RunSummary>>,
    /// Rows that match the filter, sorted.
    shown: Vec<usize>,
    pub cursor: Cursor,
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<FilterLine<RunId>>,
    pub sort: Sort,
    pub reverse: bool,
}

impl Runs {
    pub fn is_loaded(&self) -> bool {
        self.known.is_some()
    }

    /// Runs in all, whatever the filter.
    pub fn total(&self) -> usize {
        self.known.as_ref().map_or(0, Vec::len)
    }

    pub fn len(&self) -> usize {
        self.shown.len()
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub fn row(&self, row: usize) -> Option<&RunSummary> {
        self.known.as_ref()?.get(*self.shown.get(row)?)
    }

    fn selected(&self) -> Option<RunId> {
        self.row(self.cursor.at).map(|run| run.run.clone())
    }

    /// Rows of the table, under a heading.
    fn page(cx: &Context<'_>) -> usize {
        usize::from(cx.height.saturating_sub(4))
    }

    /// Filters and sorts again; the cursor stays on its run.
    fn arrange(&mut self, cx: &Context<'_>) {
        let selected = self.selected();
        let Some(runs) = &self.known else { return };
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |run: &RunSummary| {
            let states = run.counts.iter().filter(|(_, n)| *n > 0).map(|(s, _)| s.word());
            let states: Vec<&str> = states.collect();
            let hay = format!("{} {} {}", run.run, run.batch, states.join(" ")).to_lowercase();
            words.iter().all(|word| hay.contains(word))
        };
        let mut shown: Vec<usize> =
            (0..runs.len()).filter(|at| runs.get(*at).is_some_and(fits)).collect();
        let key = |at: &usize| runs.get(*at);
        match self.sort {
            Sort::Created => {
                shown.sort_by_key(|at| std::cmp::Reverse(key(at).map(|r| r.created_at)));
            }
            Sort::Batch => shown.sort_by_key(|at| key(at).map(|r| r.batch.to_lowercase())),
            Sort::Failed => shown.sort_by_key(|at| std::cmp::Reverse(key(at).map(failures))),
            Sort::Jobs => shown.sort_by_key(|at| std::cmp::Reverse(key(at).map(jobs))),
        }
        if self.reverse {
            shown.reverse();
        }
        if let Some(id) = selected
            && let Some(at) = shown.iter().position(|at| key(at).is_some_and(|r| r.run == id))
        {
            self.cursor.at = at;
        }
        self.shown = shown;
        self.cursor.settle(self.shown.len(), Self::page(cx));
    }

    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        Scope::Runs
    }

    /// The cursor goes to a run, where it is shown.
    fn go_to(&mut self, id: &RunId, cx: &Context<'_>) {
        let here = |at: &usize| self.row(*at).is_some_and(|run| run.run == *id);
        if let Some(at) = (0..self.len()).find(here) {
            self.cursor.at = at;
            self.cursor.settle(self.len(), Self::page(cx));
        }
    }

    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        _column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let (len, page) = (self.len(), Self::page(cx));
        match kind {
            MouseEventKind::ScrollUp => self.cursor.scroll(-3, len, page),
            MouseEventKind::ScrollDown => self.cursor.scroll(3, len, page),
            MouseEventKind::Down(MouseButton::Left) if row >= 2 => {
                let at = self.cursor.top + usize::from(row - 2);
                if at < len && at == self.cursor.at {
                    return self.on_action(Action::Activate, cx);
                }
                self.cursor.at = at.min(len.saturating_sub(1));
            }
            _ => {}
        }
        Vec::new()
    }

    /// Answers an action of this scope or a movement. `Back` with nothing of its
    /// own to close is answered with [`Step::Back`].
    pub fn on_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        match action {
            Action::Back if self.filter.is_empty() => return vec![Step::Back],
            Action::Back => {
                self.filter.clear();
                self.arrange(cx);
            }
            Action::Filter => {
                self.typing = Some(FilterLine::new(&self.filter, self.selected()));
            }
            Action::Sort => {
                (self.sort, self.reverse) = (self.sort.next(), false);
                self.arrange(cx);
                return vec![Step::Notice(format!("sorted: {}", self.sort.word()))];
            }
            Action::SortReverse => {
                self.reverse = !self.reverse;
                self.arrange(cx);
            }
            Action::Activate => {
                if let Some(run) = self.selected() {
                    return vec![Step::Do(Effect::OpenRun { run })];
                }
            }
            Action::CloneRun => {
                if let Some(run) = self.selected() {
                    return vec![Step::Do(Effect::CloneRun { run })];
                }
            }
            action => {
                self.cursor.on_action(action, self.shown.len(), Self::page(cx));
            }
        }
        Vec::new()
    }

    /// News for this view.
    pub fn on_msg(&mut self, msg: Msg, cx: &Context<'_>) -> Vec<Step> {
        if let Msg::Runs(runs) = msg {
            let selected = self.selected();
            self.known = Some(runs);
            self.shown.clear();
            self.arrange(cx);
            if let Some(id) = selected {
                self.go_to(&id, cx);
            }
        }
        Vec::new()
    }

    /// Whether the action makes sense now; `Err` says why not.
    pub fn enabled(&self, action: Action) -> Result<(), &'static str> {
        match action {
            Action::Activate | Action::CloneRun => match self.row(self.cursor.at) {
                None => Err("there is no run here"),
                Some(run) if run.damaged.is_some() => Err("the record of this run is damaged"),
                Some(_) => Ok(()),
            },
            Action::Sort | Action::SortReverse | Action::Filter if self.total() == 0 => {
                Err("there are no runs yet")
            }
            Action::Mark | Action::MarkAll => Err("there is nothing to mark here"),
            _ => Ok(()),
        }
    }
}

/// How a run stands, in one word with its symbol's state.
pub fn state(run: &RunSummary) -> (Status, &'static str) {
    let has = |wanted: Status| run.counts.iter().any(|(s, n)| *s == wanted && *n > 0);
    if !run.ended {
        if run.held.is_some() {
            (Status::Waiting, "held")
        } else if has(Status::Running) {
            (Status::Running, "running")
        } else {
            (Status::Pending, "waiting")
        }
    } else if failures(run) > 0 {
        (Status::Failed, "failures")
    } else if has(Status::Stopped) || has(Status::NotSubmitted) {
        (Status::Stopped, "stopped")
    } else {
        (Status::Succeeded, "succeeded")
    }
}

impl Filtered for Runs {
    type Row = RunId;

    fn typing(&mut self) -> &mut Option<FilterLine<RunId>> {
        &mut self.typing
    }

    fn narrow(&mut self, filter: String, home: Option<RunId>, cx: &Context<'_>) {
        self.filter = filter;
        self.arrange(cx);
        if let Some(run) = home {
            self.go_to(&run, cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;
    use jiff::Timestamp;

    use super::*;
    use crate::{app::model::Settings, domain::resources::Gpus};

    fn run(id: &str, batch: &str, at: i64, failed: usize) -> RunSummary {
        RunSummary {
            run: RunId::new(id).unwrap(),
            batch: batch.into(),
            created_at: Timestamp::from_second(at).unwrap(),
            ended: true,
            counts: vec![(Status::Succeeded, 3), (Status::Failed, failed)],
            gpus: Gpus::ZERO,
            unsent: 0,
            held: None,
            damaged: None,
            conductor: None,
        }
    }

    #[test]
    fn sorts_filters_and_keeps_the_cursor_on_its_run() {
        let settings = Settings::default();
        let cx = Context {
            now: Timestamp::UNIX_EPOCH,
            width: 80,
            height: 24,
            settings: &settings,
            clusters: &[],
        };
        let mut view = Runs::default();
        let runs =
            || vec![run("c", "zeta", 30, 0), run("b", "alpha", 20, 2), run("a", "mid", 10, 1)];
        view.on_msg(Msg::Runs(runs()), &cx);
        view.on_action(Action::Down, &cx);
        assert_eq!(view.selected().unwrap().as_str(), "b");
        view.on_action(Action::Sort, &cx);
        assert_eq!((view.cursor.at, view.selected().unwrap().as_str()), (0, "b"));
        let mut more = runs();
        more.insert(0, run("d", "aaa", 40, 0));
        view.on_msg(Msg::Runs(more), &cx);
        assert_eq!(view.selected().unwrap().as_str(), "b", "news does not move the cursor");
        view.on_action(Action::Filter, &cx);
        for c in "failed".chars() {
            view.on_key(KeyCode::Char(c).into(), &cx);
        }
        assert_eq!(view.len(), 2);
        view.on_key(KeyCode::Enter.into(), &cx);
        let open = view.on_action(Action::Activate, &cx);
        assert_eq!(open, [Step::Do(Effect::OpenRun { run: RunId::new("b").unwrap() })]);
        view.on_action(Action::Back, &cx);
        assert_eq!(view.len(), 4);
        assert_eq!(view.on_action(Action::Back, &cx), [Step::Back]);
    }
}

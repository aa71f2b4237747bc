//! The run that is shown: its replica, its rows, the cursor on them, the pane.

use jiff::Timestamp;

use super::{
    Step,
    cursor::Cursor,
    filter::Filter,
    index::{Index, RowKey},
    layout::Layout,
    log_pane::LogPane,
    marks::Marks,
    retry::RetryForm,
};
use crate::{
    app::{
        effect::Effect,
        filter::{FilterLine, Typed},
        line::Line,
        log::Needle,
        msg::ClusterHealth,
    },
    domain::{ids::JobIx, placement::logs, run::Run, status::Status},
};

/// What stands beside or under the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Pane {
    #[default]
    Closed,
    /// Scrolled by this many lines.
    Detail {
        scroll: usize,
    },
    Log(Box<LogPane>),
}

/// What is being typed.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Input {
    #[default]
    None,
    Filter(FilterLine<RowKey>),
    /// The search; with the one before, for Esc.
    Search {
        line: Line,
        former: Option<Needle>,
    },
    Retry(RetryForm),
    /// Why these are to be cancelled.
    Reason {
        jobs: Vec<JobIx>,
        line: Line,
    },
}

/// The run that is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    pub(super) run: Run,
    /// When its last job ended, once all have: looked up with the news, since every
    /// frame tells it.
    ended_at: Option<Timestamp>,
    pub(super) index: Index,
    pub(super) conducting: bool,
    /// Who else conducts it, in words.
    pub(super) other: Option<String>,
    pub(super) cursor: Cursor,
    pub(super) marks: Marks,
    /// The row that was marked last, for marking up to another.
    pub(super) last_mark: Option<RowKey>,
    pub(super) filter_text: String,
    pub(super) input: Input,
    /// The form for a retry as it was left; opened again for the same jobs.
    pub(super) left_retry: Option<RetryForm>,
    pub(super) pane: Pane,
    /// The pane has the keys.
    pub(super) in_pane: bool,
    pub(super) zoomed: bool,
}

impl Opened {
    pub(super) fn new(run: Run, conducting: bool) -> Self {
        let index = Index::new(&run);
        let mut cursor = Cursor::default();
        cursor.go(&index, 0, 1);
        Self {
            ended_at: ended_at(&run),
            run,
            index,
            conducting,
            other: None,
            cursor,
            marks: Marks::default(),
            last_mark: None,
            filter_text: String::new(),
            input: Input::None,
            left_retry: None,
            pane: Pane::Closed,
            in_pane: false,
            zoomed: false,
        }
    }

    pub fn run(&self) -> &Run {
        &self.run
    }

    /// When its last job ended; `None` while some have not.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.ended_at
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    /// This window sends for the run.
    pub fn conducting(&self) -> bool {
        self.conducting
    }

    pub fn other_conductor(&self) -> Option<&str> {
        self.other.as_deref()
    }

    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn filter_text(&self) -> &str {
        &self.filter_text
    }

    pub fn input(&self) -> &Input {
        &self.input
    }

    pub fn is_filtering(&self) -> bool {
        matches!(self.input, Input::Filter(_))
    }

    pub fn pane(&self) -> &Pane {
        &self.pane
    }

    pub fn in_pane(&self) -> bool {
        self.in_pane
    }

    /// The parts of the view in a body of this size.
    pub fn layout(&self, width: u16, height: u16) -> Layout {
        let open = self.pane != Pane::Closed;
        let input =
            !matches!(self.input, Input::None | Input::Retry(_)) || !self.filter_text.is_empty();
        Layout::new(width, height, open, self.zoomed && self.in_pane, input)
    }

    /// The job under the cursor; a head has none.
    pub fn current(&self) -> Option<JobIx> {
        match self.cursor.key()? {
            RowKey::Job(ix) => Some(ix),
            _ => None,
        }
    }

    /// The job the pane tells of: under a head, the first of its jobs.
    pub fn subject(&self) -> Option<JobIx> {
        let key = self.cursor.key()?;
        self.current().or_else(|| self.index.first(key))
    }

    /// How many workers of the job in the log pane have a log of their own.
    pub fn log_workers(&self, clusters: &[ClusterHealth]) -> u32 {
        let Pane::Log(pane) = &self.pane else { return 1 };
        let found = || {
            let row = self.run.job(pane.job)?;
            let number = pane.attempt?;
            let attempt = row.attempts.iter().find(|a| a.number == number)?;
            let id = attempt.cluster.as_ref()?;
            let health = clusters.iter().find(|known| known.id == *id)?;
            Some(logs(row.spec_of(number), &health.can))
        };
        found().unwrap_or(1)
    }

    /// Approved jobs that were not sent yet.
    pub fn unsent(&self) -> usize {
        self.run.unsent()
    }

    /// Jobs are being sent now: by somebody, and nothing holds them.
    pub fn is_sending(&self) -> bool {
        self.run.held.is_none()
            && (self.conducting || self.other.is_some())
            && self.run.count(Status::Waiting) > 0
    }

    /// Jobs that `send` would send: held, stopped by a person, or left by a
    /// conductor that is gone.
    pub fn sendable(&self) -> usize {
        let waiting = if self.is_sending() { 0 } else { self.run.unsent() };
        waiting + self.index.tally().put_off()
    }

    /// The run as it stands now; `changed` are its rows that differ, each once.
    pub(super) fn take_in(&mut self, run: Run, changed: &[JobIx], rows: usize) {
        self.run = run;
        self.ended_at = ended_at(&self.run);
        if self.index.update(&self.run, changed) {
            self.cursor.settle(&self.index, rows);
        }
    }

    pub(super) fn replace(&mut self, run: Run, conducting: bool, rows: usize) {
        let former = std::mem::replace(&mut self.index, Index::new(&run));
        self.run = run;
        self.ended_at = ended_at(&self.run);
        self.conducting = conducting;
        self.index.take_view(&former, &self.run);
        self.cursor.settle(&self.index, rows);
    }

    pub(super) fn typed(&mut self, typed: Typed<RowKey>, rows: usize) {
        match typed {
            Typed::Elsewhere | Typed::Same => {}
            Typed::Kept => self.input = Input::None,
            Typed::Now { text, home, open } => {
                if !open {
                    self.input = Input::None;
                }
                self.set_filter(&text, rows);
                if let Some(home) = home {
                    self.cursor.find(&self.index, home, rows);
                }
            }
        }
    }

    pub(super) fn set_filter(&mut self, text: &str, rows: usize) {
        text.clone_into(&mut self.filter_text);
        self.index.set_filter(Filter::read(text), &self.run);
        self.cursor.settle(&self.index, rows);
    }
}

fn ended_at(run: &Run) -> Option<Timestamp> {
    run.is_ended().then(|| run.ended_at())
}

impl Opened {
    /// The marked jobs, else those of the row under the cursor.
    pub(super) fn targets(&self) -> Vec<JobIx> {
        if !self.marks.is_empty() {
            return self.marks.jobs();
        }
        self.cursor.key().map(|key| self.index.jobs_of(key)).unwrap_or_default()
    }

    /// Marks the rows from the one marked last to the one under the cursor.
    pub(super) fn mark_range(&mut self) {
        let rows = self.index.rows();
        let here = self.cursor.at();
        let from =
            self.last_mark.and_then(|key| rows.iter().position(|row| *row == key)).unwrap_or(here);
        let range: Vec<RowKey> =
            rows.get(from.min(here)..=from.max(here)).unwrap_or_default().to_vec();
        for row in range {
            for ix in self.index.jobs_of(row) {
                self.marks.set(ix, true);
            }
        }
        self.last_mark = self.cursor.key();
    }

    /// The head under the cursor, or that of the job under it.
    pub(super) fn head(&self) -> Option<RowKey> {
        match self.cursor.key()? {
            RowKey::Job(ix) => self.index.head_of(ix),
            head => Some(head),
        }
    }

    pub(super) fn toggle_fold(&mut self, rows: usize) {
        if let Some(head) = self.head() {
            let folded = self.index.is_folded(head);
            self.index.set_fold(head, !folded);
            self.cursor.settle(&self.index, rows);
        }
    }

    /// Gathers by cause, or no longer. The cursor goes to what its job is part of,
    /// and from a cause to one of its jobs.
    pub(super) fn toggle_causes(&mut self, rows: usize) {
        let on = !self.index.by_cause();
        let job = self.subject();
        self.index.set_by_cause(on);
        let trouble = job.filter(|ix| !on || self.index.tally().trouble_of(*ix).is_some());
        self.cursor.go(&self.index, 0, rows);
        if let Some(ix) = trouble
            && !self.cursor.find(&self.index, RowKey::Job(ix), rows)
            && let Some(head) = self.index.head_of(ix)
        {
            self.cursor.find(&self.index, head, rows);
        }
    }

    /// As in a tree: left folds or goes to the head, right unfolds.
    pub(super) fn fold_or_go_to_head(&mut self, left: bool, rows: usize) {
        let Some(head) = self.head() else { return };
        let on_head = self.cursor.key() == Some(head);
        if left && !on_head {
            self.cursor.find(&self.index, head, rows);
        } else if on_head && self.index.is_folded(head) != left {
            self.toggle_fold(rows);
        }
    }

    /// Goes to the next job that went wrong, round the end, into folded groups.
    pub(super) fn next_failed(&mut self, rows: usize) {
        let failed = |ix: &JobIx| self.run.job(*ix).is_some_and(|j| j.status.is_failure());
        let here = self.cursor.key();
        let order: Vec<JobIx> = self.in_row_order();
        let from = order
            .iter()
            .position(|ix| here == Some(RowKey::Job(*ix)))
            .map(|at| at + 1)
            .or_else(|| {
                order.iter().position(|ix| self.index.head_of(*ix).is_some_and(|h| here == Some(h)))
            })
            .unwrap_or(0);
        let next =
            order.iter().skip(from).chain(order.iter().take(from)).copied().find(|ix| failed(ix));
        let Some(next) = next else { return };
        if let Some(head) = self.index.head_of(next)
            && self.index.is_folded(head)
        {
            self.index.set_fold(head, false);
            self.cursor.settle(&self.index, rows);
        }
        self.cursor.find(&self.index, RowKey::Job(next), rows);
    }

    /// Jobs that pass as they stand in the rows, folded ones where their head is.
    pub(super) fn in_row_order(&self) -> Vec<JobIx> {
        let mut out = Vec::with_capacity(self.index.shown());
        let mut folded: std::collections::HashMap<RowKey, Vec<JobIx>> =
            std::collections::HashMap::new();
        for ix in self.index.jobs() {
            if let Some(head) = self.index.head_of(ix).filter(|h| self.index.is_folded(*h)) {
                folded.entry(head).or_default().push(ix);
            }
        }
        for row in self.index.rows() {
            match row {
                RowKey::Job(ix) => out.push(*ix),
                head => out.extend(folded.remove(head).unwrap_or_default()),
            }
        }
        out
    }

    pub(super) fn copy_id(&self) -> Vec<Step> {
        let Some(ix) = self.current() else { return Vec::new() };
        let job = self.run.job(ix);
        let last = job.and_then(|job| job.attempt());
        let runs = job.is_some_and(|job| job.status == Status::Running);
        let address = last.and_then(|a| a.url.as_deref()).filter(|_| runs);
        let id = address.or_else(|| last.and_then(|a| a.remote_id.as_deref())).map_or_else(
            || self.run.key(ix, last.map_or(1, |a| a.number)).to_string(),
            str::to_owned,
        );
        let shown = crate::app::text::fit(&id, 40).into_owned();
        vec![Step::Do(Effect::Copy { text: id }), Step::Notice(format!("copied {shown}"))]
    }

    /// Jobs that failed, were rejected or are lost.
    pub fn failures(&self) -> usize {
        [Status::Failed, Status::Rejected, Status::Lost].iter().map(|s| self.run.count(*s)).sum()
    }
}

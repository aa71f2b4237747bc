//! The rows of the table: jobs in order, let through by the filter, gathered in
//! groups or by cause, folded or not.
//!
//! ```text
//! run ─▶ order (sorted) ─▶ passes? ─▶ sections ─▶ rows
//! ```
//! News changes single jobs; the order is mended, not made again, and rows are
//! laid out in one pass. A row is four bytes and a tag, never a text.

use std::collections::BTreeMap;

use super::{
    filter::Filter,
    order::{Order, Sort},
    roster::Roster,
    tally::Tally,
};
use crate::domain::{
    ids::{ClusterId, JobIx},
    run::Run,
};

/// What a row is, whatever its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKey {
    Job(JobIx),
    /// Heads the jobs of a sweep.
    Group(u32),
    /// Heads the jobs that ended of one trouble.
    Cause(u32),
    /// Heads the jobs without trouble, when grouped by cause.
    Rest,
}

/// Groups larger than this start folded.
pub const BIG: u32 = 20;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Index {
    roster: Roster,
    tally: Tally,
    order: Order,
    filter: Filter,
    failed_only: bool,
    by_cause: bool,
    passes: Vec<bool>,
    /// What a person folded or unfolded; the rest is as [`Index::folds_by_itself`].
    folds: BTreeMap<RowKey, bool>,
    rows: Vec<RowKey>,
    shown: usize,
    /// Jobs that pass, by group or by trouble (the last: those without).
    members: Vec<u32>,
    /// The first of these.
    firsts: Vec<Option<JobIx>>,
}

impl Index {
    pub fn new(run: &Run) -> Self {
        let roster = Roster::new(run);
        let tally = Tally::new(run, &roster);
        let mut index = Self { roster, tally, ..Self::default() };
        index.order.set(Sort::Batch, false, run, &index.roster);
        index.pass_all(run);
        index.lay_out();
        index
    }

    /// Sorts, filters and folds as `former` did.
    pub fn take_view(&mut self, former: &Self, run: &Run) {
        let (sort, reverse) = former.sort();
        self.filter = former.filter.clone();
        self.failed_only = former.failed_only;
        self.by_cause = former.by_cause;
        self.folds = former.folds.clone();
        if self.by_cause {
            // Troubles are numbered by when they were first seen, which differs.
            self.folds.retain(|head, _| !matches!(head, RowKey::Cause(_)));
        }
        self.pass_all(run);
        self.set_sort(sort, reverse, run);
    }

    pub fn rows(&self) -> &[RowKey] {
        &self.rows
    }

    /// Jobs that pass the filter, folded or not.
    pub fn shown(&self) -> usize {
        self.shown
    }

    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    pub fn sort(&self) -> (Sort, bool) {
        (self.order.sort(), self.order.reverse())
    }

    pub fn failed_only(&self) -> bool {
        self.failed_only
    }

    pub fn by_cause(&self) -> bool {
        self.by_cause
    }

    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Something narrows what is shown.
    pub fn is_narrowed(&self) -> bool {
        self.failed_only || !self.filter.is_empty()
    }

    pub fn passes(&self, ix: JobIx) -> bool {
        self.passes.get(ix.index()).copied().unwrap_or(false)
    }

    /// Jobs that pass, in the order they are sorted, whether folded or not.
    pub fn jobs(&self) -> impl Iterator<Item = JobIx> {
        self.order.jobs().iter().copied().filter(|ix| self.passes(*ix))
    }

    /// The jobs a row stands for: its own, or those of its group that pass.
    pub fn jobs_of(&self, row: RowKey) -> Vec<JobIx> {
        if let RowKey::Job(ix) = row {
            return vec![ix];
        }
        let mut jobs: Vec<JobIx> =
            self.jobs().filter(|ix| self.head_of(*ix) == Some(row)).collect();
        jobs.sort_unstable();
        jobs
    }

    /// The row that heads a job, when there is one.
    pub fn head_of(&self, ix: JobIx) -> Option<RowKey> {
        if self.by_cause {
            Some(self.tally.trouble_of(ix).map_or(RowKey::Rest, RowKey::Cause))
        } else {
            self.roster.group_of(ix).map(RowKey::Group)
        }
    }

    /// Jobs under a head that pass.
    pub fn members(&self, head: RowKey) -> u32 {
        self.slot(head).and_then(|at| self.members.get(at)).copied().unwrap_or(0)
    }

    /// The first of the jobs under a head that pass.
    pub fn first(&self, head: RowKey) -> Option<JobIx> {
        self.slot(head).and_then(|at| self.firsts.get(at)).copied().flatten()
    }

    /// Some job of the run is, or was, on this cluster.
    pub fn uses(&self, cluster: &ClusterId) -> bool {
        self.order.clusters().has(cluster)
    }

    /// Columns the widest name of a cluster takes.
    pub fn widest_cluster(&self) -> u16 {
        self.order.clusters().widest()
    }

    fn slot(&self, head: RowKey) -> Option<usize> {
        match head {
            RowKey::Job(_) => None,
            RowKey::Group(id) | RowKey::Cause(id) => Some(id as usize),
            RowKey::Rest => Some(self.tally.troubles.known()),
        }
    }

    pub fn is_folded(&self, head: RowKey) -> bool {
        self.folds.get(&head).copied().unwrap_or_else(|| self.folds_by_itself(head))
    }

    /// Large groups and causes start folded; a filter looks into groups.
    fn folds_by_itself(&self, head: RowKey) -> bool {
        match head {
            RowKey::Job(_) => false,
            RowKey::Group(id) => {
                !self.is_narrowed() && self.roster.group(id).is_some_and(|g| g.size > BIG)
            }
            RowKey::Cause(_) | RowKey::Rest => true,
        }
    }

    pub fn set_fold(&mut self, head: RowKey, folded: bool) {
        self.folds.insert(head, folded);
        self.lay_out();
    }

    /// Folds every head that is shown, or unfolds them when all are folded.
    pub fn fold_all(&mut self) {
        let heads: Vec<RowKey> =
            self.rows.iter().copied().filter(|r| !matches!(r, RowKey::Job(_))).collect();
        let fold = heads.iter().any(|head| !self.is_folded(*head));
        for head in heads {
            self.folds.insert(head, fold);
        }
        self.lay_out();
    }

    pub fn set_sort(&mut self, sort: Sort, reverse: bool, run: &Run) {
        if sort == Sort::Name {
            self.roster.rank_names(run);
        }
        self.order.set(sort, reverse, run, &self.roster);
        self.lay_out();
    }

    pub fn set_filter(&mut self, filter: Filter, run: &Run) {
        if filter == self.filter {
            return;
        }
        let narrower = filter.narrows(&self.filter);
        self.filter = filter;
        if narrower {
            // Typed on: only what is still there can go.
            let mut passes = std::mem::take(&mut self.passes);
            for (ix, pass) in (0..).map(JobIx).zip(&mut passes) {
                *pass = *pass && self.lets_through(run, ix);
            }
            self.passes = passes;
        } else {
            self.pass_all(run);
        }
        self.lay_out();
    }

    pub fn set_failed_only(&mut self, failed_only: bool, run: &Run) {
        self.failed_only = failed_only;
        self.pass_all(run);
        self.lay_out();
    }

    pub fn set_by_cause(&mut self, by_cause: bool) {
        self.by_cause = by_cause;
        self.lay_out();
    }

    /// Takes in jobs that changed (each once). Whether rows came, went or moved.
    pub fn update(&mut self, run: &Run, changed: &[JobIx]) -> bool {
        let mut relay = false;
        for ix in changed {
            let other_trouble = self.tally.update(run, *ix, &self.roster);
            relay |= other_trouble && self.by_cause;
            let passes = self.lets_through(run, *ix);
            if let Some(slot) = self.passes.get_mut(ix.index())
                && *slot != passes
            {
                *slot = passes;
                relay = true;
            }
        }
        relay |= self.order.update(run, changed, &self.roster);
        if relay {
            self.lay_out();
        }
        relay
    }

    fn lets_through(&self, run: &Run, ix: JobIx) -> bool {
        (!self.failed_only || run.job(ix).is_some_and(|job| job.status.is_failure()))
            && self.filter.lets_through(run, ix, &self.roster)
    }

    fn pass_all(&mut self, run: &Run) {
        self.passes =
            (0..).map(JobIx).take(run.jobs.len()).map(|ix| self.lets_through(run, ix)).collect();
    }

    /// Lays the rows out anew, in time of the jobs that pass.
    fn lay_out(&mut self) {
        let slots =
            if self.by_cause { self.tally.troubles.known() + 1 } else { self.roster.group_count() };
        let mut members = vec![0_u32; slots];
        let mut firsts = vec![None; slots];
        // Heads stand where the first of their jobs does.
        let mut sections: Vec<RowKey> = Vec::new();
        let mut shown = 0;
        for ix in self.order.jobs() {
            if !self.passes(*ix) {
                continue;
            }
            shown += 1;
            let head = self.head_of(*ix);
            let slot = head.and_then(|head| self.slot(head));
            if let Some(at) = slot
                && let (Some(count), Some(first)) = (members.get_mut(at), firsts.get_mut(at))
            {
                *count += 1;
                if *count == 1 {
                    *first = Some(*ix);
                    sections.extend(head);
                }
            } else {
                sections.push(RowKey::Job(*ix));
            }
        }
        self.members = members;
        self.firsts = firsts;
        self.shown = shown;
        if self.by_cause {
            // The most frequent trouble first, what is well last.
            sections.sort_by_key(|head| match head {
                RowKey::Rest => (1, 0),
                head => (0, u32::MAX - self.members(*head)),
            });
        }
        let mut rows = Vec::with_capacity(shown + slots);
        let mut next = vec![None; slots];
        for section in sections {
            rows.push(section);
            if let Some(at) = self.slot(section)
                && !self.is_folded(section)
            {
                if let Some(place) = next.get_mut(at) {
                    *place = Some(rows.len());
                }
                let end = rows.len() + self.members(section) as usize;
                rows.resize(end, section);
            }
        }
        for ix in self.order.jobs() {
            if self.passes(*ix)
                && let Some(head) = self.head_of(*ix)
                && let Some(place) = self.slot(head).and_then(|at| next.get_mut(at))
                && let Some(at) = place
            {
                if let Some(row) = rows.get_mut(*at) {
                    *row = RowKey::Job(*ix);
                }
                *at += 1;
            }
        }
        self.rows = rows;
    }
}

//! Which plan is shown, and whether it is still true.

use std::sync::Arc;

use jiff::Timestamp;

use super::Preview;
use crate::{
    app::screen::{Context, Step},
    domain::{ids::RunId, job::JobSpec, run::Run},
};

/// Runs that are remembered.
const MET: usize = 8;

/// A run that was started or opened in this session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Met {
    pub(super) run: RunId,
    /// When it was submitted.
    pub(super) at: Timestamp,
    jobs: Vec<Arc<JobSpec>>,
}

impl Preview {
    /// A newer text than the one shown is being planned.
    pub fn is_planning(&self) -> bool {
        self.asked > self.revision
    }

    /// The text shown is being planned once more, against the present.
    pub fn is_rechecking(&self) -> bool {
        self.is_planning() && self.rechecked == self.asked
    }

    /// Earlier work is not what it was when the plan was asked for.
    pub fn outdate(&mut self) {
        self.stale = true;
    }

    /// A plan was approved and is on its way; the run it becomes is not known yet.
    pub fn submitting(&mut self) {
        self.submitting = true;
        self.stale = true;
    }

    /// A run was started or opened: its jobs are known as submitted.
    pub fn met(&mut self, run: &Run) {
        self.met.retain(|known| known.run != run.id);
        self.met.truncate(MET - 1);
        let jobs = run.jobs.iter().map(|job| job.spec.clone()).collect();
        self.met.insert(0, Met { run: run.id.clone(), at: run.created_at, jobs });
    }

    /// The newest run of this session with the very jobs that would be sent now.
    pub(super) fn submitted_before(&self) -> Option<&Met> {
        let jobs = &self.plan.as_ref()?.jobs;
        self.met.iter().find(|met| {
            met.jobs.len() == jobs.len() && met.jobs.iter().zip(jobs).all(|(a, b)| *a == b.spec)
        })
    }

    /// Whether a submission is on its way.
    pub fn is_submitting(&self) -> bool {
        self.submitting
    }

    /// The submission on its way, if any, became a run or nothing.
    pub fn settled(&mut self) {
        self.stale |= self.submitting;
        self.submitting = false;
    }

    /// Whether the plan must be made anew now; answered once.
    pub fn take_stale(&mut self) -> bool {
        !self.submitting && std::mem::take(&mut self.stale)
    }

    /// The text shown was asked to be planned once more.
    pub fn on_recheck(&mut self, revision: u64) {
        self.rechecked = revision;
    }

    /// A plan of this revision was asked for.
    pub fn on_asked(&mut self, revision: u64) {
        self.asked = self.asked.max(revision);
    }

    /// `S` before the new plan is there: its box opens with that one.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Something else was done meanwhile: a box must not open under other keys.
    pub fn unwant(&mut self) -> bool {
        std::mem::take(&mut self.wanted)
    }

    /// The box that waited for the plan that has come.
    pub fn wanted_box(&mut self, cx: &Context<'_>) -> Vec<Step> {
        if self.is_planning() || !self.unwant() {
            return Vec::new();
        }
        self.ask(cx)
    }
}

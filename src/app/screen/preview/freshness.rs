//! Which plan is shown, and whether it is still true.

use super::Preview;
use crate::app::screen::{Context, Step};

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

//! Undo and redo as the inverse of each change of the text.

use super::splice::Splice;

/// Text kept for undo, in bytes; older steps are dropped beyond it.
const MAX_BYTES: usize = 16 << 20;

/// One change: `old` stood at byte `at` where `new` stands now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    at: usize,
    old: String,
    new: String,
}

/// Changes that are undone together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Step {
    changes: Vec<Change>,
    group: Option<String>,
    /// Where the cursor stood before.
    entry: Option<usize>,
}

impl Step {
    fn bytes(&self) -> usize {
        self.changes.iter().map(|c| c.old.len() + c.new.len() + 64).sum()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    done: Vec<Step>,
    undone: Vec<Step>,
    bytes: usize,
    /// Nothing more joins the newest step.
    sealed: bool,
}

impl History {
    /// Records a change. Changes of the same `group` that follow each other are
    /// one step.
    pub fn record(
        &mut self,
        at: usize,
        old: String,
        new: String,
        group: Option<&str>,
        entry: Option<usize>,
    ) {
        self.undone.clear();
        let joins = !self.sealed
            && group.is_some()
            && self.done.last().is_some_and(|step| step.group.as_deref() == group);
        if !joins {
            self.done.push(Step { changes: Vec::new(), group: group.map(str::to_owned), entry });
            self.sealed = false;
        }
        if let Some(step) = self.done.last_mut() {
            self.bytes -= self.bytes.min(step.bytes());
            match step.changes.last_mut() {
                // Typing in one field replaces what was typed before.
                Some(last) if last.at == at && last.new == old => last.new = new,
                _ => step.changes.push(Change { at, old, new }),
            }
            self.bytes += step.bytes();
        }
        while self.bytes > MAX_BYTES && self.done.len() > 1 {
            self.bytes -= self.bytes.min(self.done.remove(0).bytes());
        }
    }

    /// Ends the newest step.
    pub fn seal(&mut self) {
        self.sealed = true;
    }

    pub fn can_undo(&self) -> bool {
        !self.done.is_empty()
    }

    pub fn can_redo(&self) -> bool {
        !self.undone.is_empty()
    }

    /// The splices that undo the newest step, in order, and where the cursor was.
    pub fn undo(&mut self) -> Option<(Vec<Splice>, Option<usize>)> {
        let step = self.done.pop()?;
        self.bytes -= self.bytes.min(step.bytes());
        let splices = step
            .changes
            .iter()
            .rev()
            .map(|c| Splice::new(c.at..c.at + c.new.len(), c.old.clone()))
            .collect();
        let entry = step.entry;
        self.undone.push(step);
        self.sealed = true;
        Some((splices, entry))
    }

    /// The splices that do the newest undone step again.
    pub fn redo(&mut self) -> Option<(Vec<Splice>, Option<usize>)> {
        let step = self.undone.pop()?;
        let splices = step
            .changes
            .iter()
            .map(|c| Splice::new(c.at..c.at + c.old.len(), c.new.clone()))
            .collect();
        let entry = step.entry;
        self.bytes += step.bytes();
        self.done.push(step);
        self.sealed = true;
        Some((splices, entry))
    }
}

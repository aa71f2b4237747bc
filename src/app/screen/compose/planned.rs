//! What the newest plan said about the batch, kept entry by entry.

use std::collections::HashMap;

use crate::{
    app::form::Target,
    domain::{
        finding::Finding,
        plan::{EntrySummary, Plan, Totals},
        tree::{FieldPath, Step},
    },
};

/// The parts of a plan that Compose shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planned {
    /// Of the document it was made from.
    pub revision: u64,
    /// In the order of the document; moved along when entries move, so that
    /// nothing jumps until the next plan is there.
    pub entries: Vec<Option<EntrySummary>>,
    pub totals: Totals,
    pub findings: Vec<Finding>,
    pub errors: usize,
    pub warnings: usize,
    by_entry: HashMap<usize, Vec<usize>>,
    of_batch: Vec<usize>,
}

impl Planned {
    pub fn of(revision: u64, plan: &Plan, entries: usize) -> Self {
        let mut by_entry: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut of_batch = Vec::new();
        for (at, finding) in plan.findings.iter().enumerate() {
            match finding.entry {
                Some(entry) => by_entry.entry(entry).or_default().push(at),
                None => of_batch.push(at),
            }
        }
        let mut rows = vec![None; entries];
        for summary in &plan.entries {
            if let Some(slot) = rows.get_mut(summary.entry) {
                *slot = Some(summary.clone());
            }
        }
        let errors = plan.findings.iter().filter(|f| f.is_error()).count();
        Self {
            revision,
            entries: rows,
            totals: plan.totals.clone(),
            errors,
            warnings: plan.findings.len() - errors,
            findings: plan.findings.clone(),
            by_entry,
            of_batch,
        }
    }

    pub fn entry(&self, index: usize) -> Option<&EntrySummary> {
        self.entries.get(index)?.as_ref()
    }

    /// Findings of an entry, or of the batch as a whole.
    pub fn of_target(&self, target: Target) -> impl Iterator<Item = &Finding> {
        let places = match target {
            Target::Batch => Some(&self.of_batch),
            Target::Entry(index) => self.by_entry.get(&index),
        };
        places.into_iter().flatten().filter_map(|at| self.findings.get(*at))
    }

    /// Findings of one field.
    pub fn of_field<'a>(
        &'a self,
        target: Target,
        key: &'a str,
    ) -> impl Iterator<Item = &'a Finding> + 'a {
        self.of_target(target).filter(move |f| field_of(&f.path) == Some(key))
    }

    /// Entries came, went or moved: findings are of other places now.
    pub fn forget_places(&mut self) {
        self.by_entry.clear();
    }
}

/// The field a path leads to: behind the entry's index, or of the head.
pub fn field_of(path: &FieldPath) -> Option<&str> {
    let steps = &path.0;
    let behind = steps.iter().position(|s| matches!(s, Step::Index(_))).map_or(0, |i| i + 1);
    match (steps.get(behind), steps.get(behind + 1)) {
        // A default is a field of its own in the batch's form.
        (Some(Step::Key(head)), Some(Step::Key(key))) if head == "defaults" && behind == 0 => {
            Some(key)
        }
        (Some(Step::Key(key)), _) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_of_a_path() {
        let root = FieldPath::root();
        assert_eq!(field_of(&root.key("jobs").index(3).key("env").key("A")), Some("env"));
        assert_eq!(field_of(&root.index(3).key("gpus")), Some("gpus"));
        assert_eq!(field_of(&root.key("max_concurrent")), Some("max_concurrent"));
        assert_eq!(field_of(&root.key("defaults").key("image")), Some("image"));
        assert_eq!(field_of(&root.key("jobs").index(3)), None);
    }
}

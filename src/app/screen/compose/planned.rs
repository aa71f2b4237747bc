//! What the newest plan said about the batch, kept entry by entry.

use std::collections::HashMap;

use crate::{
    app::form::{Target, field_of},
    domain::{
        finding::Finding,
        plan::{EntrySummary, Plan, Totals},
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

//! Jobs a person has marked.

use crate::domain::ids::JobIx;

/// A bit a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    words: Vec<u64>,
    count: usize,
}

impl Marks {
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn has(&self, ix: JobIx) -> bool {
        self.words.get(ix.index() / 64).is_some_and(|word| word >> (ix.index() % 64) & 1 == 1)
    }

    pub fn set(&mut self, ix: JobIx, on: bool) {
        if self.has(ix) == on {
            return;
        }
        let at = ix.index() / 64;
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        if let Some(word) = self.words.get_mut(at) {
            *word ^= 1 << (ix.index() % 64);
        }
        self.count = if on { self.count + 1 } else { self.count - 1 };
    }

    /// Marks all of these, or none of them when all are marked.
    pub fn toggle(&mut self, jobs: &[JobIx]) {
        let on = jobs.iter().any(|ix| !self.has(*ix));
        for ix in jobs {
            self.set(*ix, on);
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// In batch order.
    pub fn jobs(&self) -> Vec<JobIx> {
        (0..).map(JobIx).take(self.words.len() * 64).filter(|ix| self.has(*ix)).collect()
    }
}

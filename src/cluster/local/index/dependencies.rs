//! What a waiting job waits for, and what became of it.

use super::{Id, Index, Phase, Place};
use crate::{
    cluster::local::wire::After,
    domain::{ids::JobKey, job::DependencyCondition},
};

/// Neighbours that must have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Awaited {
    run: u32,
    first: u32,
    last: u32,
    attempt: u32,
    condition: DependencyCondition,
}

/// How a job that another one depends on stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// In the queue or running.
    Live,
    /// Never heard of; it may still come.
    Unknown,
    Succeeded,
    /// Ended otherwise, in words: `lr-3 failed`.
    Ended(String),
}

/// What became of a job's dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    All,
    NotYet,
    /// Never will be, in words.
    Never(String),
}

impl Index {
    pub(super) fn awaited(&mut self, after: &After) -> Option<Awaited> {
        let (first, last) = after.jobs;
        Some(Awaited {
            run: self.run_number(&after.run),
            first: first.checked_sub(1)?,
            last: last.checked_sub(1)?,
            attempt: after.attempt,
            condition: after.condition,
        })
    }

    /// Looks on at the dependencies of a waiting job: it becomes ready, goes on
    /// waiting, or can never start (then it is the caller's to end it).
    pub fn settle(&mut self, place: Place, standing: impl Fn(&JobKey) -> Standing) -> Met {
        let (Some(queued), Some(line)) = (self.queued(place), self.line(place)) else {
            return Met::NotYet;
        };
        if queued.phase != Phase::Awaiting {
            return Met::NotYet;
        }
        let (run, class, mut met) = (queued.id.run, queued.class, queued.met);
        debug_assert_eq!(self.classes.get(class as usize), Some(&line.need));
        while let Some((id, condition)) = awaited_at(&queued.after, met) {
            let Some(key) = self.key_of(id) else { break };
            let words = match (standing(&key), condition) {
                (Standing::Succeeded, _) | (Standing::Ended(_), DependencyCondition::Ended) => None,
                (Standing::Ended(words), DependencyCondition::Succeeded) => Some(words),
                (Standing::Live | Standing::Unknown, _) => {
                    self.awaiting.entry(id).or_default().push(place);
                    if let Some(queued) = self.queued_mut(place) {
                        queued.met = met;
                    }
                    return Met::NotYet;
                }
            };
            if let Some(words) = words {
                return Met::Never(words);
            }
            met += 1;
        }
        if let Some(queued) = self.queued_mut(place) {
            queued.phase = Phase::Ready;
            queued.after = Box::default();
        }
        self.ready.entry((run, class)).or_default().insert(place);
        Met::All
    }

    /// Jobs that waited for this one, to be settled again.
    pub fn freed_by(&mut self, key: &JobKey) -> Vec<Place> {
        let id = self.id(key);
        self.awaiting.remove(&id).unwrap_or_default()
    }
}

/// The n-th awaited job.
fn awaited_at(after: &[Awaited], n: u32) -> Option<(Id, DependencyCondition)> {
    let mut left = n;
    for item in after {
        let count = item.last.checked_sub(item.first).map_or(0, |span| span.saturating_add(1));
        if left < count {
            let id = Id { run: item.run, job: item.first + left, attempt: item.attempt };
            return Some((id, item.condition));
        }
        left -= count;
    }
    None
}

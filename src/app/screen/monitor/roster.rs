//! What never changes about the jobs of a run, laid out for quick questions:
//! the searchable text of each, its group, its place in the order of names.

use std::{cmp::Ordering, sync::Arc};

use indexmap::IndexMap;

use crate::{
    app::text,
    domain::{ids::JobIx, run::Run},
};

/// A group of a sweep with more than one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: Arc<str>,
    pub size: u32,
}

/// Built once for a run. One string holds all texts, since a string for each of a
/// hundred thousand rows costs more than the text itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    text: String,
    ends: Vec<usize>,
    group_of: Vec<u32>,
    groups: Vec<Group>,
    rank: Vec<u32>,
    widest_name: u16,
    widest_params: u16,
}

/// Columns from which on a wider text makes no difference.
const WIDE: usize = 60;

const NONE: u32 = u32::MAX;

impl Roster {
    pub fn new(run: &Run) -> Self {
        let mut roster = Self::default();
        let mut ids: IndexMap<Arc<str>, u32> = IndexMap::new();
        let mut last: Option<(Arc<str>, u32)> = None;
        for job in &run.jobs {
            let spec = &job.spec;
            roster.add_text(&spec.name);
            for part in [Some(spec.job_type.word()), spec.project.as_deref()].into_iter().flatten()
            {
                roster.text.push('\n');
                roster.add_text(part);
            }
            for (name, value) in spec.params.iter() {
                roster.text.push('\n');
                roster.add_text(name);
                roster.text.push('=');
                roster.add_text(value);
            }
            roster.ends.push(roster.text.len());
            let name = text::width(&spec.name).min(WIDE) as u16;
            roster.widest_name = roster.widest_name.max(name);
            let params = spec.params.iter().map(|(n, v)| text::width(n) + text::width(v) + 2);
            let params = params.sum::<usize>().saturating_sub(1).min(WIDE) as u16;
            roster.widest_params = roster.widest_params.max(params);
            let id = match (&spec.group, &last) {
                (None, _) => NONE,
                (Some(name), Some((before, id))) if Arc::ptr_eq(name, before) => *id,
                (Some(name), _) => {
                    let next = u32::try_from(ids.len()).unwrap_or(NONE);
                    let id = *ids.entry(name.clone()).or_insert(next);
                    last = Some((name.clone(), id));
                    id
                }
            };
            roster.group_of.push(id);
        }
        roster.groups = ids.into_keys().map(|name| Group { name, size: 0 }).collect();
        for id in &roster.group_of {
            if let Some(group) = roster.groups.get_mut(*id as usize) {
                group.size += 1;
            }
        }
        for id in &mut roster.group_of {
            if roster.groups.get(*id as usize).is_some_and(|group| group.size < 2) {
                *id = NONE;
            }
        }
        roster
    }

    fn add_text(&mut self, part: &str) {
        if part.is_ascii() {
            let from = self.text.len();
            self.text.push_str(part);
            if let Some(added) = self.text.get_mut(from..) {
                added.make_ascii_lowercase();
            }
        } else {
            self.text.push_str(&part.to_lowercase());
        }
    }

    /// Columns the widest name takes, and the widest parameters.
    pub fn widest(&self) -> (u16, u16) {
        (self.widest_name, self.widest_params)
    }

    /// Name, type, project and parameters of a job, in lower case, a line each.
    pub fn text(&self, job: JobIx) -> &str {
        let to = self.ends.get(job.index()).copied().unwrap_or(0);
        let from = job.index().checked_sub(1).and_then(|i| self.ends.get(i)).copied().unwrap_or(0);
        self.text.get(from..to).unwrap_or("")
    }

    /// The group a job is shown in; a sweep of one job has none.
    pub fn group_of(&self, job: JobIx) -> Option<u32> {
        self.group_of.get(job.index()).copied().filter(|id| *id != NONE)
    }

    pub fn group(&self, id: u32) -> Option<&Group> {
        self.groups.get(id as usize)
    }

    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// Place of a job in the order of names; [`Roster::rank_names`] comes first.
    pub fn rank(&self, job: JobIx) -> u32 {
        self.rank.get(job.index()).copied().unwrap_or(job.0)
    }

    /// Makes the order of names. Names do not change, so once is enough; it is
    /// put off until somebody sorts by name.
    pub fn rank_names(&mut self, run: &Run) {
        if self.rank.len() == run.jobs.len() {
            return;
        }
        let mut order: Vec<(&str, u32)> =
            run.jobs.iter().map(|job| job.spec.name.as_str()).zip(0..).collect();
        order.sort_by(|a, b| natural(a.0, b.0).then(a.1.cmp(&b.1)));
        self.rank = vec![0; order.len()];
        for (place, (_, job)) in (0..).zip(order) {
            if let Some(rank) = self.rank.get_mut(job as usize) {
                *rank = place;
            }
        }
    }
}

/// Compares names as people do: `lr-2` comes before `lr-10`.
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    loop {
        match (a.first(), b.first()) {
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (number_a, rest_a) = digits(a);
                let (number_b, rest_b) = digits(b);
                match number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b)) {
                    Ordering::Equal => (a, b) = (rest_a, rest_b),
                    unequal => return unequal,
                }
            }
            (Some(x), Some(y)) if x == y => {
                a = a.get(1..).unwrap_or_default();
                b = b.get(1..).unwrap_or_default();
            }
            (x, y) => return x.cmp(&y),
        }
    }
}

/// The number at the beginning without its leading zeros, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (number, rest) = text.split_at(count);
    let zeros = number.iter().take_while(|b| **b == b'0').count();
    (number.get(zeros..).unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = vec!["lr-10", "lr-2", "a", "lr-02b", "lr", "lr-1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "lr", "lr-1", "lr-2", "lr-02b", "lr-10"]);
        assert_eq!(natural("x1", "x01"), Ordering::Equal);
    }
}

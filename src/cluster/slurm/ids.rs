//! Slurm's own ids: `79`, `79_5`, and the sets of tasks it writes: `79_[0-2,5%3]`.

use std::{collections::BTreeMap, fmt};

/// A job, or one task of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlurmId {
    pub job: u64,
    pub task: Option<u32>,
}

impl fmt::Display for SlurmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            None => write!(f, "{}", self.job),
            Some(task) => write!(f, "{}_{task}", self.job),
        }
    }
}

/// Most tasks that one bracket may stand for; a site's arrays are smaller.
const MOST: usize = 4_000_001;

/// All ids that a text of `squeue` or `sacct` stands for; `None`: it is not one.
pub fn parse(text: &str) -> Option<Vec<SlurmId>> {
    let text = text.trim();
    let Some((job, tasks)) = text.split_once('_') else {
        return Some(vec![SlurmId { job: text.parse().ok()?, task: None }]);
    };
    let job = job.parse().ok()?;
    let Some(bracket) = tasks.strip_prefix('[') else {
        return Some(vec![SlurmId { job, task: Some(tasks.parse().ok()?) }]);
    };
    let list = bracket.strip_suffix(']')?.split('%').next()?;
    let mut ids = Vec::new();
    for part in list.split(',') {
        let (range, step) = match part.split_once(':') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|s| *s > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?),
            None => (range.parse().ok()?, range.parse().ok()?),
        };
        for task in (first..=last).step_by(step as usize) {
            if ids.len() >= MOST {
                return None;
            }
            ids.push(SlurmId { job, task: Some(task) });
        }
    }
    Some(ids)
}

/// `0-2,5` for ascending indices.
pub fn ranges(indices: impl IntoIterator<Item = u32>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for index in indices {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(index) => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let text = |(first, last): (u32, u32)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}-{last}"),
    };
    runs.into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// The shortest arguments that name these jobs: `79_[0-2,5]` for tasks of one array.
pub fn arguments(ids: impl IntoIterator<Item = SlurmId>) -> Vec<String> {
    let mut single = Vec::new();
    let mut arrays: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for id in ids {
        match id.task {
            None => single.push(id.to_string()),
            Some(task) => arrays.entry(id.job).or_default().push(task),
        }
    }
    single.extend(arrays.into_iter().map(|(job, mut tasks)| {
        tasks.sort_unstable();
        tasks.dedup();
        match tasks.as_slice() {
            [task] => format!("{job}_{task}"),
            tasks => format!("{job}_[{}]", ranges(tasks.iter().copied())),
        }
    }));
    single
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Option<Vec<String>> {
        parse(text).map(|ids| ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_form_is_read() {
        assert_eq!(text("79"), Some(vec!["79".into()]));
        assert_eq!(text("79_5"), Some(vec!["79_5".into()]));
        assert_eq!(text("79_[3,5-6%2]").unwrap().join(" "), "79_3 79_5 79_6");
        assert_eq!(text("79_[0-6:3]").unwrap().join(" "), "79_0 79_3 79_6");
        // Cut off: nothing can be told.
        for bad in
            ["79_[2-3,5,7", "", "x", "79_", "79_[a]", "79_[5-]", "79_[0-4294967295]", "79_[0-9:0]"]
        {
            assert_eq!(text(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(tasks in proptest::collection::btree_set(0u32..500, 1..60)) {
            let ids: Vec<_> = tasks.iter().map(|t| SlurmId { job: 7, task: Some(*t) }).collect();
            let written = arguments(ids.clone());
            prop_assert_eq!(written.len(), 1);
            prop_assert_eq!(parse(&written[0]), Some(ids));
        }

        #[test]
        fn no_text_makes_it_fall_over(text in "\\PC{0,40}|[0-9_,:%\\[\\]-]{0,40}") {
            let _ = parse(&text);
        }
    }
}

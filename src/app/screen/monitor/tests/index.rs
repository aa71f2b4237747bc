//! The index, kept up to date step by step, against one made anew.

use proptest::prelude::*;

use super::*;
use crate::app::screen::monitor::filter::Filter;

/// A row in words that do not depend on when troubles were first seen.
fn plain(index: &Index) -> Vec<String> {
    index
        .rows()
        .iter()
        .map(|row| match row {
            RowKey::Cause(id) => {
                format!("{:?} {}", index.tally().troubles.get(*id), index.members(*row))
            }
            row => format!("{row:?} {}", index.members(*row)),
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    News { count: usize, round: u32 },
    Fail { job: u32, words: &'static str },
    Sort(usize, bool),
    Filter(&'static str),
    FailedOnly(bool),
    ByCause(bool),
    Fold(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..40, any::<u32>()).prop_map(|(count, round)| Step::News { count, round: round % 5_000 }),
        3 => (0u32..150, prop::sample::select(vec!["boom", "out of 3 GiB", "out of 4 GiB", ""]))
            .prop_map(|(job, words)| Step::Fail { job, words }),
        1 => (0usize..Sort::ALL.len(), any::<bool>()).prop_map(|(s, r)| Step::Sort(s, r)),
        1 => prop::sample::select(vec![
            "", "s", "si", "single", "single state:run", "state:run", "lr=1e-3", "lr=1e-3 b",
            "!cluster:ray", "!cluster:ray b", "boom", "!b", "!bo", "~s", "~si",
        ])
            .prop_map(Step::Filter),
        1 => any::<bool>().prop_map(Step::FailedOnly),
        1 => any::<bool>().prop_map(Step::ByCause),
        1 => (0usize..30, any::<bool>()).prop_map(|(at, fold)| Step::Fold(at, fold)),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_is_what_a_fresh_one_would_be(steps in steps()) {
        const JOBS: usize = 150;
        let mut run = sample::large(JOBS);
        let mut index = Index::new(&run);
        for step in steps {
            let mut changed = Vec::new();
            match step {
                Step::News { count, round } => {
                    for record in sample::news(JOBS, count, round) {
                        changed.extend(run.apply(&record).jobs);
                    }
                }
                Step::Fail { job, words } => {
                    for record in sample::sent(job, 1, "new-cluster", 3) {
                        changed.extend(run.apply(&record).jobs);
                    }
                    let facts = crate::domain::run::JobFacts {
                        error: (!words.is_empty()).then(|| words.to_owned()),
                        ..sample::ended(Status::Failed, 5, 9 + i64::from(job))
                    };
                    changed.extend(run.apply(&sample::observed(job, 1, 20, facts)).jobs);
                }
                Step::Sort(at, reverse) => index.set_sort(Sort::ALL[at], reverse, &run),
                Step::Filter(text) => index.set_filter(Filter::read(text), &run),
                Step::FailedOnly(on) => index.set_failed_only(on, &run),
                Step::ByCause(on) => index.set_by_cause(on),
                Step::Fold(at, fold) => {
                    let heads: Vec<RowKey> = index
                        .rows()
                        .iter()
                        .copied()
                        .filter(|r| matches!(r, RowKey::Group(_) | RowKey::Rest))
                        .collect();
                    if let Some(head) = heads.get(at % heads.len().max(1)) {
                        index.set_fold(*head, fold);
                    }
                }
            }
            changed.sort_unstable();
            changed.dedup();
            index.update(&run, &changed);

            // Made anew from the run, it shows the same.
            let mut fresh = Index::new(&run);
            fresh.take_view(&index, &run);
            let (mut was, mut is) = (plain(&index), plain(&fresh));
            if index.by_cause() {
                // Causes with the same number of jobs may stand either way.
                was.sort();
                is.sort();
            }
            prop_assert_eq!(was, is);

            // And what it shows is right by the plainest reading of the rules.
            let (sort, reverse) = index.sort();
            let passing: Vec<JobIx> = (0..JOBS as u32)
                .map(JobIx)
                .filter(|ix| {
                    let job = run.job(*ix).unwrap();
                    (!index.failed_only() || job.status.is_failure())
                        && index.filter().lets_through(&run, *ix, index.roster())
                })
                .collect();
            prop_assert_eq!(index.shown(), passing.len());
            let mut jobs: Vec<JobIx> = index.jobs().collect();
            if sort == Sort::State && !reverse {
                let rank = |ix: &JobIx| run.job(*ix).unwrap().status;
                let first_done = jobs.iter().position(|ix| rank(ix) == Status::Succeeded);
                if let Some(at) = first_done {
                    prop_assert!(jobs[at..].iter().all(|ix| rank(ix) == Status::Succeeded));
                }
            }
            jobs.sort_unstable();
            prop_assert_eq!(jobs, passing);
            let mut under: Option<RowKey> = None;
            for row in index.rows() {
                match row {
                    RowKey::Job(ix) => {
                        if let Some(head) = index.head_of(*ix) {
                            prop_assert_eq!(under, Some(head), "jobs stand under their head");
                            prop_assert!(!index.is_folded(head));
                        }
                    }
                    head => under = Some(*head),
                }
            }
        }
    }
}

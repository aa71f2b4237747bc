//! The fold and the rules, against simple models and random lives.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    plan::{Approved, Plan, PlannedJob, Totals},
    site::{Amounts, Appeal, Capabilities, ClusterKind, KeepsLimit, NodeCapacity},
};

mod rows;
mod rules;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + secs).unwrap()
}

fn approved(n: u32, on: &[(u32, u32)]) -> Approved {
    let jobs = (0..n).map(|i| PlannedJob {
        spec: Arc::new(JobSpec::named(format!("j{i}"))),
        cluster: Some(ClusterId::new("lab")),
        may_go: Arc::default(),
        outlook: None,
        action: JobAction::Submit,
        replicas: 1,
        total_gpus: Gpus::whole(1),
        depends_on: on
            .iter()
            .filter(|(job, _)| *job == i)
            .map(|(_, on)| (JobIx(*on), DependencyCondition::Succeeded))
            .collect(),
    });
    let plan = Plan {
        head: BatchHead::named("test"),
        jobs: jobs.collect(),
        findings: Vec::new(),
        totals: Totals::default(),
        entries: Vec::new(),
    };
    plan.approve(RunId::new("r").unwrap(), at(0)).unwrap()
}

fn lab() -> Sites {
    let capabilities = Capabilities {
        dependencies: false,
        run_limit: KeepsLimit::No,
        ..Capabilities::of(ClusterKind::Slurm)
    };
    [(
        ClusterId::new("lab"),
        Site { capabilities, open: true, take: usize::MAX, room: None, appeal: Appeal::default() },
    )]
    .into_iter()
    .collect()
}

fn stamped(record: Record, secs: i64) -> Stamped {
    Stamped { at: at(secs), epoch: 1, record }
}

const JOBS: u32 = 4;

fn statuses() -> impl Strategy<Value = Status> {
    proptest::sample::select(Status::ALL.to_vec())
}

fn causes() -> impl Strategy<Value = Option<Cause>> {
    proptest::option::of(proptest::sample::select(Cause::ALL.to_vec()))
}

/// Any record, whether or not it fits.
fn records() -> impl Strategy<Value = Record> {
    let job = || (0..JOBS + 1).prop_map(JobIx);
    let some = || proptest::collection::vec((job(), 1_u32..4), 0..3);
    let rows = || proptest::collection::vec(job(), 0..3);
    let accepted = Accepted { remote_id: "1".into(), remote_name: None, url: None, log_path: None };
    prop_oneof![
        4 => some().prop_map(|jobs| Record::Intent { cluster: ClusterId::new("lab"), jobs }),
        4 => (job(), 1_u32..4).prop_map(move |(job, attempt)| Record::Accepted {
            job, attempt, accepted: accepted.clone()
        }),
        1 => (job(), 1_u32..4).prop_map(|(job, attempt)| Record::Refused {
            job, attempt, words: "no".into(), cause: Cause::Rejected
        }),
        1 => some().prop_map(|jobs| Record::NotSent { jobs, why: "x".into() }),
        1 => some().prop_map(|jobs| Record::Unconfirmed { jobs, why: "x".into() }),
        1 => (job(), 1_u32..4, 0_u32..3).prop_map(|(job, attempt, absent_looks)| {
            Record::LookedUp { job, attempt, absent_looks }
        }),
        6 => (job(), 1_u32..4, statuses(), causes(), 0_u32..2).prop_map(
            |(job, attempt, status, cause, restarts)| {
                let mut facts = JobFacts::of(status);
                facts.cause = cause;
                facts.restarts = restarts;
                Record::Observed { job, attempt, facts }
            }
        ),
        1 => rows().prop_map(|jobs| Record::NotSubmitted {
            jobs, cause: None, reason: "x".into()
        }),
        1 => rows().prop_map(|jobs| Record::Revived { jobs }),
        3 => (job(), 1_u32..4, any::<bool>()).prop_map(|(job, attempt, automatic)| {
            Record::Retried { job, attempt, spec: None, replicas: None, code: None, automatic }
        }),
        1 => rows().prop_map(|jobs| Record::CancelAsked { jobs, why: None }),
        1 => Just(Record::Held { reason: "x".into() }),
        1 => Just(Record::Released),
        1 => Just(Record::Closed { held: None }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is folded in: the counts are right, only what changed is named,
    /// and what has ended stays as it ended.
    #[test]
    fn any_life_keeps_the_rules(life in proptest::collection::vec(records(), 0..60)) {
        let mut run = Run::new(&approved(JOBS, &[]));
        for (secs, record) in (1..).zip(life) {
            let before = run.clone();
            let changed = run.apply(&stamped(record.clone(), secs));
            for status in Status::ALL {
                let counted = run.jobs.iter().filter(|j| j.status == status).count();
                prop_assert_eq!(run.count(status), counted);
            }
            for (ix, (was, is)) in (0..).map(JobIx).zip(before.jobs.iter().zip(&run.jobs)) {
                if was != is && !matches!(record, Record::Held { .. }) {
                    prop_assert!(changed.jobs.contains(&ix), "{:?} is not named", ix);
                }
                // Attempts are only added, and those that were sent keep their end.
                prop_assert!(was.attempts.len() <= is.attempts.len());
                for (old, new) in was.attempts.iter().zip(&is.attempts) {
                    prop_assert_eq!(old.number, new.number);
                    let sent = old.was_sent();
                    if old.status.is_ended() && old.status != Status::Lost && sent {
                        prop_assert_eq!(old.status, new.status);
                        prop_assert_eq!(old.finished_at, new.finished_at);
                    }
                }
                // A row leaves an end only by a retry, by revival, or as lost.
                if was.status.is_ended() && was.status != is.status {
                    let by_person = matches!(
                        record,
                        Record::Retried { .. } | Record::Revived { .. }
                    );
                    prop_assert!(by_person || was.status == Status::Lost);
                }
                // The row shows its newest attempt. Only one that never ran may be
                // followed by a cancel of the row that waited again.
                if let Some(last) = is.attempts.last()
                    && last.was_sent() && is.status != Status::Waiting
                    && (last.status, is.status) != (Status::NotSubmitted, Status::Stopped)
                {
                    prop_assert_eq!(last.status, is.status);
                }
                prop_assert_eq!(
                    is.attempts.iter().map(|a| a.number).collect::<Vec<_>>(),
                    (1..).take(is.attempts.len()).collect::<Vec<u32>>()
                );
            }
        }
    }

    /// A stale writer changes nothing.
    #[test]
    fn stale_records_are_void(life in proptest::collection::vec(records(), 0..20)) {
        let mut run = Run::new(&approved(JOBS, &[]));
        let conductor = Conductor {
            host: "h".into(), boot: "b".into(), pid: 1, start: 1, epoch: 5,
            background: false, yields: false,
        };
        run.apply(&Stamped { at: at(1), epoch: 5, record: Record::Opened { conductor } });
        let before = run.clone();
        for record in life {
            prop_assert_eq!(run.apply(&Stamped { at: at(2), epoch: 4, record }), Changed::default());
        }
        prop_assert_eq!(run, before);
    }

    /// A retry takes what a plain reading of the words takes.
    #[test]
    fn outstanding_is_what_the_words_say(
        rows in proptest::collection::vec((statuses(), causes()), 1..12),
        named in proptest::option::of(proptest::collection::vec(0_u32..12, 0..6)),
        failed in any::<bool>(),
        wanted in proptest::collection::vec(proptest::sample::select(Cause::ALL.to_vec()), 0..3),
    ) {
        let count = rows.len() as u32;
        let mut run = Run::new(&approved(count, &[]));
        for (row, (status, cause)) in run.jobs.iter_mut().zip(&rows) {
            row.status = *status;
            row.cause = *cause;
        }
        let selection = Selection {
            jobs: named.clone().map(|n| n.into_iter().map(JobIx).collect()),
            failed,
            causes: wanted.clone(),
        };
        let answer = outstanding(&run, &selection);
        for (ix, (status, cause)) in (0..count).zip(&rows) {
            let is_named = named.as_ref().is_some_and(|n| n.contains(&ix));
            let mut take = status.is_ended();
            if named.is_some() {
                take &= is_named;
            }
            if failed {
                take &= status.is_failure();
            }
            if !wanted.is_empty() {
                take &= cause.is_some_and(|c| wanted.contains(&c));
            }
            if named.is_none() && !failed && wanted.is_empty() {
                take &= status.is_failure();
            }
            prop_assert_eq!(answer.retry.contains(&JobIx(ix)), take, "row {}", ix);
            let skipped = answer.skipped.iter().any(|(j, _)| *j == JobIx(ix));
            prop_assert_eq!(skipped, is_named && !take);
        }
        let mut sorted = answer.retry.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(sorted, answer.retry);
    }

    /// However jobs end: nothing is sent before what it depends on has succeeded,
    /// and in the end everything was sent or given up.
    #[test]
    fn dependencies_are_never_overtaken(
        edges in proptest::collection::vec((0_u32..8, 0_u32..8), 0..12),
        good in proptest::collection::vec(any::<bool>(), 8),
        width in proptest::option::of(1_u32..4),
    ) {
        let edges: Vec<_> = edges.into_iter().filter(|(job, on)| job > on).collect();
        let mut run = Run::new(&approved(8, &edges));
        run.head.max_concurrent = width;
        let mut secs = 0;
        let mut tell = |run: &mut Run, record| {
            secs += 1;
            run.apply(&stamped(record, secs));
        };
        for _ in 0..40 {
            let now = ready(&run, &lab(), at(0), false);
            for (ix, cause, reason) in now.never {
                tell(&mut run, Record::NotSubmitted { jobs: vec![ix], cause: Some(cause), reason });
            }
            prop_assert!(now.revive.is_empty());
            for job in &now.send {
                for (on, _) in run.jobs[job.job.index()].depends_on.iter() {
                    prop_assert_eq!(run.jobs[on.index()].status, Status::Succeeded);
                }
                let jobs = vec![(job.job, job.attempt)];
                tell(&mut run, Record::Intent { cluster: job.cluster.clone(), jobs });
            }
            if let Some(width) = width {
                let live = run.jobs.iter().filter(|j| j.status.is_live()).count();
                prop_assert!(live <= width as usize);
            }
            // The first of those under way ends.
            let first = run.jobs.iter().position(|j| j.status.is_live());
            if let Some(ix) = first {
                let status = if good[ix] { Status::Succeeded } else { Status::Failed };
                let job = JobIx(ix as u32);
                tell(&mut run, Record::Observed { job, attempt: 1, facts: JobFacts::of(status) });
            }
        }
        prop_assert!(run.is_ended(), "{:?}", run.counts);
        prop_assert!(!run.needs_conductor());
    }
}

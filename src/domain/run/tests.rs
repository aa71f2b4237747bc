//! The fold and the rules, against simple models and random lives.

use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{
    plan::{Approved, Plan, PlannedJob, Totals},
    site::{Amounts, Appeal, Capabilities, ClusterKind, KeepsLimit, NodeCapacity},
};

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

#[test]
fn a_requeue_opens_the_next_attempt_of_the_same_job() {
    let mut run = Run::new(&approved(1, &[]));
    let job = JobIx(0);
    run.apply(&stamped(Record::Intent { cluster: ClusterId::new("lab"), jobs: vec![(job, 1)] }, 1));
    let mut facts = JobFacts::of(Status::Running);
    run.apply(&stamped(Record::Observed { job, attempt: 1, facts: facts.clone() }, 2));
    facts.status = Status::Pending;
    facts.restarts = 1;
    facts.restarted = Some(Cause::Node);
    run.apply(&stamped(Record::Observed { job, attempt: 1, facts: facts.clone() }, 3));
    let attempts = &run.jobs[0].attempts;
    assert_eq!(attempts.len(), 2);
    assert_eq!((attempts[0].status, attempts[0].cause), (Status::Failed, Some(Cause::Node)));
    assert!(
        attempts[0].reason.as_deref().is_some_and(|words| words.starts_with("its node failed"))
    );
    assert_eq!((attempts[1].status, attempts[1].sent_as), (Status::Pending, 1));
    assert_eq!(run.key(job, 2).attempt, 1, "it is known there as before");
    // Once more, and nobody tells why.
    facts.restarts = 2;
    facts.restarted = None;
    run.apply(&stamped(Record::Observed { job, attempt: 1, facts: facts.clone() }, 4));
    let attempts = &run.jobs[0].attempts;
    assert_eq!((attempts.len(), attempts[1].cause), (3, Some(Cause::Other)));
    facts.status = Status::Failed;
    run.apply(&stamped(Record::Observed { job, attempt: 1, facts }, 5));
    assert_eq!(run.jobs[0].status, Status::Failed);
    // A retry has a key of its own.
    let retry = Record::Retried {
        job,
        attempt: 4,
        spec: None,
        replicas: None,
        code: None,
        automatic: false,
    };
    run.apply(&stamped(retry, 6));
    assert_eq!(run.key(job, 4).attempt, 4);
}

#[test]
fn names_of_jobs_and_groups_and_rows() {
    let mut plan = approved(4, &[]);
    let mut run = Run::new(&plan);
    for (i, row) in run.jobs.iter_mut().enumerate().skip(1) {
        let mut spec = JobSpec::named(format!("lr-{i}"));
        spec.group = Some("lr".into());
        row.spec = Arc::new(spec);
    }
    let select = |names: &[&str]| {
        run.select(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>())
            .map(|jobs| jobs.into_iter().map(|j| j.0).collect::<Vec<_>>())
    };
    assert_eq!(select(&["lr"]).unwrap(), [1, 2, 3]);
    assert_eq!(select(&["lr-2", "j0", "lr-2", "#4"]).unwrap(), [0, 2, 3]);
    let error = select(&["lr-9", "j0", "x", "#0"]).unwrap_err();
    assert_eq!(error.to_string(), "run r has no job named `lr-9`, `x`, `#0`");
    plan = approved(1, &[]);
    assert_eq!(Run::new(&plan).select(&[]), Ok(vec![]));
}

#[test]
fn a_cluster_without_a_queue_gets_what_fits() {
    let run = Run::new(&approved(6, &[]));
    let mut sites = lab();
    for site in sites.values_mut() {
        site.capabilities.queue = false;
    }
    assert!(ready(&run, &sites, at(0), false).send.is_empty(), "nothing is known of its room");
    for site in sites.values_mut() {
        let has = Amounts { gpus: Gpus::ZERO, cpus: 4.0, memory: 0 };
        site.room = Some(vec![NodeCapacity { id: "n".into(), total: has, free: has }]);
    }
    assert_eq!(ready(&run, &sites, at(0), false).send.len(), 4);
}

#[test]
fn a_row_cancelled_while_it_waits_again_is_stopped() {
    let mut run = Run::new(&approved(JOBS, &[]));
    let lab = ClusterId::new("lab");
    let facts = JobFacts::of(Status::NotSubmitted);
    for (secs, record) in (1..).zip([
        Record::Intent { cluster: lab, jobs: vec![(JobIx(2), 1)] },
        Record::Observed { job: JobIx(2), attempt: 1, facts },
        Record::Revived { jobs: vec![JobIx(2)] },
        Record::CancelAsked { jobs: vec![JobIx(2)], why: None },
    ]) {
        run.apply(&stamped(record, secs));
    }
    let row = &run.jobs[2];
    assert_eq!(row.status, Status::Stopped);
    assert_eq!(row.attempts.last().map(|a| a.status), Some(Status::NotSubmitted));
}

#[test]
fn the_reason_of_a_cancel_is_told_wherever_it_ends() {
    let mut run = Run::new(&approved(JOBS, &[]));
    let (lab, why) = (ClusterId::new("lab"), || Some("wrong data".into()));
    let mut ended = JobFacts::of(Status::Stopped);
    ended.cause = Some(Cause::Cancelled);
    let mut ended_with_words = ended.clone();
    ended_with_words.reason = Some("cancelled before it started".into());
    let mut finished = JobFacts::of(Status::Succeeded);
    finished.reason = Some("done".into());
    let sent = (1..5).map(|job| (JobIx(job), 1)).collect();
    for (secs, record) in (1..).zip([
        Record::Intent { cluster: lab, jobs: sent },
        Record::CancelAsked { jobs: (0..4).map(JobIx).collect(), why: why() },
        Record::Observed { job: JobIx(1), attempt: 1, facts: ended.clone() },
        Record::Observed { job: JobIx(2), attempt: 1, facts: ended_with_words },
        // It was faster than the cancel.
        Record::Observed { job: JobIx(3), attempt: 1, facts: finished },
        // Cancelled there by somebody else.
        Record::Observed { job: JobIx(4), attempt: 1, facts: ended },
    ]) {
        run.apply(&stamped(record, secs));
    }
    let reason = |job: u32| run.reason(JobIx(job)).map(|why| why.to_string());
    assert_eq!(reason(0).as_deref(), Some("cancelled before it was sent: wrong data"));
    assert_eq!(reason(1).as_deref(), Some("cancelled: wrong data"));
    assert_eq!(reason(2).as_deref(), Some("cancelled before it started: wrong data"));
    assert_eq!(reason(3).as_deref(), Some("done"));
    assert_eq!(reason(4), None);
    assert_eq!(run.jobs[1].attempts[0].reason.as_deref(), Some("cancelled: wrong data"));
    // A new attempt has nothing to do with it any more.
    let again = Record::Retried {
        job: JobIx(1),
        attempt: 2,
        spec: None,
        replicas: None,
        code: None,
        automatic: false,
    };
    run.apply(&stamped(again, 9));
    assert_eq!(run.jobs[1].cancel_why, None);
}

#[test]
fn a_snapshot_shares_the_rows_that_do_not_change() {
    let mut run = Run::new(&approved(1_000, &[]));
    let told = run.clone();
    run.apply(&stamped(Record::Held { reason: "by hand".into() }, 1));
    let intent = Record::Intent { cluster: ClusterId::new("lab"), jobs: vec![(JobIx(500), 1)] };
    assert_eq!(run.apply(&stamped(intent, 2)).jobs, [JobIx(500)]);
    assert_eq!(told.jobs[500].status, Status::Waiting, "as it was told");
    assert_eq!(run.jobs[500].status, Status::Submitting);
    let both = told.jobs.iter().zip(&run.jobs);
    let copied = both.filter(|(was, is)| !std::ptr::eq(*was, *is)).count();
    assert!(copied <= 16, "{copied} rows were copied");
}

#[test]
fn a_row_that_a_person_asks_for_is_sent_although_an_earlier_job_was_refused() {
    let mut run = Run::new(&approved(3, &[]));
    run.head.continue_on_error = false;
    let (job, cluster) = (JobIx(0), ClusterId::new("lab"));
    let words = "too big".to_owned();
    run.apply(&stamped(Record::Intent { cluster, jobs: vec![(job, 1)] }, 1));
    run.apply(&stamped(Record::Refused { job, attempt: 1, words, cause: Cause::Rejected }, 2));
    let given_up = ready(&run, &lab(), at(0), false).never;
    assert_eq!(given_up.iter().map(|(ix, ..)| ix.0).collect::<Vec<_>>(), [1, 2]);
    for (ix, cause, reason) in given_up {
        run.apply(&stamped(Record::NotSubmitted { jobs: vec![ix], cause: Some(cause), reason }, 3));
    }
    let retried = Record::Retried {
        job: JobIx(2),
        attempt: 1,
        spec: None,
        replicas: None,
        code: None,
        automatic: false,
    };
    run.apply(&stamped(retried, 4));
    let now = ready(&run, &lab(), at(0), false);
    assert_eq!(now.never, []);
    assert_eq!(now.send.iter().map(|s| s.job.0).collect::<Vec<_>>(), [2]);
    assert_eq!(run.jobs[1].status, Status::NotSubmitted, "nobody asked for it");
}

#[test]
fn a_given_up_row_says_what_stands_in_its_way_now() {
    let mut run = Run::new(&approved(3, &[(2, 0), (2, 1)]));
    let mut secs = 0;
    let mut tell = |run: &mut Run, record| {
        secs += 1;
        run.apply(&stamped(record, secs));
    };
    let end = |job: u32, attempt, status| Record::Observed {
        job: JobIx(job),
        attempt,
        facts: JobFacts::of(status),
    };
    let lab = ClusterId::new("lab");
    let both = vec![(JobIx(0), 1), (JobIx(1), 1)];
    tell(&mut run, Record::Intent { cluster: lab.clone(), jobs: both });
    tell(&mut run, end(0, 1, Status::Failed));
    tell(&mut run, end(1, 1, Status::Failed));
    for (ix, cause, reason) in super::ready(&run, &Sites::new(), at(0), false).never {
        tell(&mut run, Record::NotSubmitted { jobs: vec![ix], cause: Some(cause), reason });
    }
    assert_eq!(run.reason(JobIx(2)).as_deref(), Some("j0 failed"));

    for (job, then) in [(0, "j1 failed"), (1, "what it waited for has succeeded since")] {
        let retried = Record::Retried {
            job: JobIx(job),
            attempt: 2,
            spec: None,
            replicas: None,
            code: None,
            automatic: false,
        };
        tell(&mut run, retried);
        if job == 1 {
            let meanwhile = run.reason(JobIx(2));
            assert_eq!(meanwhile.as_deref(), Some("waits for j1, which is tried again"));
        }
        tell(&mut run, Record::Intent { cluster: lab.clone(), jobs: vec![(JobIx(job), 2)] });
        tell(&mut run, end(job, 2, Status::Succeeded));
        assert_eq!(run.reason(JobIx(2)).as_deref(), Some(then));
    }
}

#[test]
fn with_max_failures_no_more_are_queued_than_may_still_fail() {
    let mut run = Run::new(&approved(6, &[]));
    run.head.max_failures = Some(2);
    let send = |run: &mut Run| {
        let jobs: Vec<_> =
            ready(run, &lab(), at(0), false).send.into_iter().map(|s| (s.job, s.attempt)).collect();
        run.apply(&stamped(
            Record::Intent { cluster: ClusterId::new("lab"), jobs: jobs.clone() },
            1,
        ));
        jobs.into_iter().map(|(ix, _)| ix.0).collect::<Vec<_>>()
    };
    let see = |run: &mut Run, job, status| {
        let facts = JobFacts::of(status);
        run.apply(&stamped(Record::Observed { job: JobIx(job), attempt: 1, facts }, 2));
    };
    assert_eq!(send(&mut run), [0, 1]);
    assert_eq!(send(&mut run), [0; 0], "these two must start first");
    let why = run.reason(JobIx(2));
    assert_eq!(why.as_deref(), Some("`max_failures`: sent when those before it have started"));
    see(&mut run, 0, Status::Running);
    see(&mut run, 1, Status::Running);
    assert_eq!(send(&mut run), [2, 3], "what runs leaves room for others");
    see(&mut run, 2, Status::Running);
    see(&mut run, 0, Status::Failed);
    assert_eq!(send(&mut run), [0; 0], "one more may fail, and one is queued");
    see(&mut run, 3, Status::Succeeded);
    assert_eq!(send(&mut run), [4], "nothing is queued, and one more may fail");
    see(&mut run, 2, Status::Succeeded);
    see(&mut run, 1, Status::Succeeded);
    assert_eq!(send(&mut run), [0; 0], "however many went well before");
}

#[test]
fn a_run_ended_when_its_last_job_did_whatever_is_recorded_later() {
    let mut run = Run::new(&approved(1, &[]));
    let sent = Record::Intent { cluster: ClusterId::new("lab"), jobs: vec![(JobIx(0), 1)] };
    run.apply(&stamped(sent, 1));
    let facts = JobFacts {
        started_at: Some(at(5)),
        finished_at: Some(at(17)),
        ..JobFacts::of(Status::Failed)
    };
    run.apply(&stamped(Record::Observed { job: JobIx(0), attempt: 1, facts }, 20));
    assert!(run.is_ended(), "{:?}", run.counts);
    assert_eq!(run.ended_at(), at(17));
    let refused = Record::Done { request: "r1".into(), outcome: serde_json::Value::Null };
    run.apply(&stamped(refused, 900));
    assert_eq!(run.ended_at(), at(17));
}

//! Single rows through what may happen to them.

use super::*;

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

//! What is sent when, and what is said of the rest.

use super::*;

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

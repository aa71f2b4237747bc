//! The rules of a batch, kept by the conductor.

use super::*;

/// A new attempt at these jobs, with these fields changed.
fn retry(jobs: &[u32], changes: &[(&str, &str)]) -> Command {
    Command::Retry {
        jobs: jobs.iter().copied().map(JobIx).collect(),
        changes: changes.iter().map(|(field, value)| ((*field).into(), (*value).into())).collect(),
        code: crate::runtime::handle::Code::Original,
    }
}

#[tokio::test(start_paused = true)]
async fn dependents_wait_and_are_given_up_and_revived() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let list = vec![
        job("one", "a", "false"),
        after(job("two", "a", "true"), &[0]),
        after(job("three", "a", "true"), &[1]),
        job("four", "a", "true"),
    ];
    let run = settle(&engine, approve("r", list, |_| {})).await;
    let status = |run: &Run| run.jobs.iter().map(|j| j.status).collect::<Vec<_>>();
    assert_eq!(
        status(&run),
        [Status::Failed, Status::NotSubmitted, Status::NotSubmitted, Status::Succeeded]
    );
    assert_eq!(run.jobs[1].cause, Some(Cause::Dependency));
    assert_eq!(run.jobs[1].reason.as_deref(), Some("one failed"));
    assert_eq!(run.jobs[2].reason.as_deref(), Some("two was not submitted"));

    let mut handle = engine.open(&run.id, Options::conduct(Until::Told)).await.unwrap();
    let retry = retry(&[0], &[("command", "true")]);
    handle.commands.ask(retry).await.unwrap();
    handle.commands.send(Command::Until(Until::Settled));
    end(&mut handle).await;
    assert_eq!(status(&handle.run), [Status::Succeeded; 4]);
    assert_eq!(handle.run.jobs[0].attempts.len(), 2);
    assert_eq!(handle.run.jobs[0].attempts[0].status, Status::Failed);
    replica_is_the_journal(&engine, &handle.run);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_at_once() {
    let fake = Fake::new("a", |_| {});
    let other = Fake::new("b", |_| {});
    let bench = Bench::new(&[&fake, &other]);
    let mut list = jobs(6, "a", "true");
    list.extend((0..6).map(|i| job(&format!("b-{i}"), "b", "true")));
    let approved = approve("r", list, |head| head.max_concurrent = Some(3));
    let run = settle(&bench.engine(), approved).await;
    assert_eq!(run.count(Status::Succeeded), 12);
    assert!(fake.lock().widest <= 3 && other.lock().widest <= 3);
}

#[tokio::test(start_paused = true)]
async fn a_limit_the_cluster_keeps_is_handed_over() {
    let fake = Fake::new("a", |c| c.run_limit = crate::domain::site::KeepsLimit::Always);
    let bench = Bench::new(&[&fake]);
    let approved = approve("r", jobs(6, "a", "true"), |head| head.max_concurrent = Some(3));
    let run = settle(&bench.engine(), approved).await;
    assert_eq!(run.count(Status::Succeeded), 6);
    let state = fake.lock();
    assert!(state.jobs.values().all(|j| j.run_limit == Some(3)));
    assert_eq!(state.requests, 1, "all are sent at once");
}

#[tokio::test(start_paused = true)]
async fn dependencies_the_cluster_keeps_are_handed_over() {
    let fake = Fake::new("a", |c| c.dependencies = true);
    fake.lock().ends = false;
    let bench = Bench::new(&[&fake]);
    let list = vec![job("one", "a", "true"), after(job("two", "a", "true"), &[0])];
    let engine = bench.engine();
    let approved = approve("r", list.clone(), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Sent)).await.unwrap();
    let finish = end(&mut handle).await;
    assert_eq!(finish.unsent, 0, "nobody has to stay awake");
    assert_eq!(fake.lock().jobs[&handle.run.key(JobIx(1), 1)].after, 1);

    // With `max_retries` the next attempt has another key: it is kept here.
    let mut list = list;
    let mut spec = JobSpec::clone(&list[0].spec);
    spec.max_retries = 1;
    list[0].spec = Arc::new(spec);
    let approved = approve("r2", list, |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Sent)).await.unwrap();
    assert_eq!(end(&mut handle).await.unsent, 1);
}

#[tokio::test(start_paused = true)]
async fn so_many_failures_hold_the_rest() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(20, "a", "false"), |head| head.max_failures = Some(3));
    let run = settle(&engine, approved).await;
    // Three failed while three others, sent when the first had started, ran.
    assert_eq!(run.count(Status::Failed), 6);
    assert_eq!(run.unsent(), 14);
    assert!(run.held.as_deref().is_some_and(|why| why.contains("max_failures")));

    // A person lets it go on: three more may fail.
    let mut handle = engine.open(&run.id, Options::conduct(Until::Told)).await.unwrap();
    handle.commands.ask(Command::Send).await.unwrap();
    handle.commands.send(Command::Until(Until::Settled));
    end(&mut handle).await;
    assert_eq!(handle.run.count(Status::Failed), 12);
    replica_is_the_journal(&engine, &handle.run);
}

#[tokio::test(start_paused = true)]
async fn a_held_run_still_retries_what_a_person_asks_for() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(8, "a", "false"), |head| head.max_failures = Some(2));
    let run = settle(&engine, approved).await;
    assert_eq!(run.count(Status::Failed), 4, "two, and two that had been sent by then");
    let mut handle = engine.open(&run.id, Options::look()).await.unwrap();
    let retry = retry(&[0], &[("command", "true")]);
    handle.commands.ask(retry).await.unwrap();
    handle.commands.send(Command::Until(Until::Settled));
    end(&mut handle).await;
    assert_eq!(handle.run.jobs[0].status, Status::Succeeded);
    assert_eq!(handle.run.unsent(), 4, "the rest stays held");
}

#[tokio::test(start_paused = true)]
async fn waves_follow_each_other_as_jobs_start() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let approved = approve("r", jobs(40, "a", "true"), |head| head.max_failures = Some(2));
    let run = settle(&bench.engine(), approved).await;
    assert_eq!(run.count(Status::Succeeded), 40);
    assert!(fake.lock().widest > 2, "{}", fake.lock().widest);
}

#[tokio::test(start_paused = true)]
async fn the_first_refusal_stops_the_rest() {
    let fake = Fake::new("a", |_| {});
    fake.script([Next::Good, Next::Good, Next::RejectsFirst]);
    let bench = Bench::new(&[&fake]);
    let approved = approve("r", jobs(30, "a", "true"), |head| head.continue_on_error = false);
    let run = settle(&bench.engine(), approved).await;
    assert_eq!(run.count(Status::Succeeded), 2);
    assert_eq!(run.count(Status::Rejected), 1);
    assert_eq!(run.count(Status::NotSubmitted), 27);
    each_once(&fake, 2);
}

#[tokio::test(start_paused = true)]
async fn only_failures_the_job_is_not_to_blame_for_are_tried_again() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let mut list = vec![job("node", "a", "node"), job("exit", "a", "false")];
    for job in &mut list {
        let mut spec = JobSpec::clone(&job.spec);
        spec.max_retries = 2;
        job.spec = Arc::new(spec);
    }
    let run = settle(&bench.engine(), approve("r", list, |_| {})).await;
    assert_eq!(run.jobs[0].attempts.len(), 3, "one and two more");
    assert_eq!(run.jobs[1].attempts.len(), 1);
    assert_eq!(run.count(Status::Failed), 2);
}

#[tokio::test(start_paused = true)]
async fn stopping_leaves_the_rest_retryable() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(9, "a", "run"), |head| head.max_concurrent = Some(2));
    let mut handle = engine.start(approved, Options::conduct(Until::Told)).await.unwrap();
    until_running(&mut handle, 2).await;
    handle.commands.ask(Command::StopSending).await.unwrap();
    while handle.run.count(Status::NotSubmitted) < 7 {
        handle.next().await.unwrap();
    }
    let all = crate::domain::run::Selection::jobs((0..9).map(JobIx).collect::<Vec<_>>());
    let answer = crate::domain::run::outstanding(&handle.run, &all);
    assert_eq!(answer.retry.len(), 7);
    handle.commands.ask(Command::Send).await.unwrap();
    while handle.try_next().is_some() {}
    assert_eq!(handle.run.unsent(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_not_possible_is_refused_whole() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let run = settle(&engine, approve("r", jobs(2, "a", "false"), |_| {})).await;
    let handle = engine.open(&run.id, Options::look()).await.unwrap();
    let retry = retry(&[0, 1], &[("gpus", "many"), ("memry", "1G")]);
    let refused = handle.commands.ask(retry).await.unwrap_err();
    assert!(refused.message.contains("gpus") && refused.message.contains("memry"), "{refused}");
    assert!(refused.hints.iter().any(|h| h.contains("memory")), "{refused}");
    assert_eq!(fake.lock().started.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_changed_job_passes_the_checks_of_a_plan_or_nothing_is_recorded() {
    let fake = Fake::new("local", |_| {});
    fake.lock().capacity.gpus_total = Some(Gpus::whole(8));
    let bench = Bench::new(&[&fake]);
    let mut engine = bench.engine();
    if let Some(inner) = Arc::get_mut(&mut engine.inner) {
        inner.config.limits.max_gpus_per_job = Some(Gpus::whole(16));
        inner.config.limits.allowed_projects = Some(vec!["vision".into()]);
    }
    let run = settle(&engine, approve("r", jobs(2, "local", "false"), |_| {})).await;
    engine.check_clusters().await;
    let handle = engine.open(&run.id, Options::look()).await.unwrap();
    for (field, value, words) in [
        ("gpus", "99", "gpus: GPUs of the job (99) exceed the most that the configuration allows"),
        ("gpus", "9", "gpus: it needs 9 GPUs, and `local` has 8 in all"),
        ("gpus", "0.5", "gpus: `local` (local) gives whole GPUs only"),
        ("gpus", "1.5", "gpus: `1.5` GPUs: above one GPU only whole numbers"),
        ("project", "visoin", "project: the project `visoin` is not among those"),
        ("command", "", "command: there is no command"),
    ] {
        let retry = retry(&[0, 1], &[(field, value)]);
        let refused = handle.commands.ask(retry).await.unwrap_err();
        assert!(refused.message.contains(words), "{refused}");
        assert!(!refused.message.contains(';'), "told once: {refused}");
        assert_eq!(refused.kind.exit_code(), 2);
        assert_eq!(refused.hints.len(), 1, "{refused}");
    }
    let read = crate::journal::Replay::read(&engine.dir(&run.id)).unwrap();
    assert_eq!(read.run.jobs, run.jobs);
    assert_eq!(fake.lock().started.len(), 2);
}

//! Lost answers: the jobs may exist, and are asked for before anything else.

use super::*;

async fn with(next: impl IntoIterator<Item = Next>, count: usize) -> (Arc<Fake>, Run) {
    let fake = Fake::new("a", |_| {});
    fake.script(next);
    let bench = Bench::new(&[&fake]);
    let run = settle(&bench.engine(), approve("r", jobs(count, "a", "true"), |_| {})).await;
    (fake, run)
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_looked_up_and_adopted() {
    let (fake, run) = with([Next::LostAnswer], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    assert!(run.jobs.iter().all(|j| j.attempts.len() == 1));
    each_once(&fake, 5);
    assert_eq!(fake.lock().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_sent_again_after_enough_looks() {
    let begin = tokio::time::Instant::now();
    let (fake, run) = with([Next::LostRequest], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    each_once(&fake, 5);
    assert_eq!(fake.lock().requests, 2);
    assert!(fake.lock().finds >= 2, "two looks");
    assert!(begin.elapsed() > Duration::from_secs(30), "15 s before each look");
}

#[tokio::test(start_paused = true)]
async fn what_turns_up_between_two_looks_is_adopted() {
    let (fake, run) = with([Next::TakenLate(Duration::from_secs(20))], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    each_once(&fake, 5);
    assert_eq!(fake.lock().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_an_answer_is_given_up_and_looked_up() {
    let (fake, run) = with([Next::Hangs], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    each_once(&fake, 5);
}

#[tokio::test(start_paused = true)]
async fn a_job_the_answer_forgets_is_looked_up() {
    let (fake, run) = with([Next::ForgetsFirst], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    each_once(&fake, 5);
    assert_eq!(fake.lock().requests, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_refused_as_a_whole_refuses_its_jobs() {
    let (fake, run) = with([Next::Refused], 15).await;
    assert_eq!(run.count(Status::Rejected), 10);
    assert_eq!(run.jobs[3].attempts[0].error.as_deref(), Some("no such partition"));
    assert_eq!(run.count(Status::Succeeded), 5);
    each_once(&fake, 5);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_left_is_sent_again() {
    let (fake, run) = with([Next::Unavailable, Next::Unavailable], 5).await;
    assert_eq!(run.count(Status::Succeeded), 5);
    assert_eq!(fake.lock().finds, 0, "nothing to look up");
}

#[tokio::test(start_paused = true)]
async fn any_sequence_of_faults_starts_each_job_once() {
    use Next::{ForgetsFirst, Good, Hangs, LostAnswer, LostRequest, TakenLate, Unavailable};
    let late = TakenLate(Duration::from_secs(10));
    let all = [Good, LostAnswer, LostRequest, late, Unavailable, Hangs, ForgetsFirst];
    for seed in 0..40 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let script: Vec<Next> = (0..8).map(|_| all[rng.usize(..all.len())]).collect();
        let (fake, run) = with(script.clone(), 25).await;
        assert_eq!(run.count(Status::Succeeded), 25, "{script:?}");
        each_once(&fake, 25);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_the_cluster_forgets_is_lost_only_after_a_second_look() {
    let fake = Fake::new("a", |_| {});
    fake.lock().ends = false;
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(2, "a", "true"), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
    until_running(&mut handle, 2).await;
    let key = handle.run.key(JobIx(0), 1);
    let kept = fake.lock().jobs.remove(&key).unwrap();
    while handle.run.jobs[0].attempts[0].absent_looks == 0 {
        handle.next().await.unwrap();
    }
    assert_eq!(handle.run.jobs[0].status, Status::Running);
    while handle.run.jobs[0].status != Status::Lost {
        handle.next().await.unwrap();
    }
    assert_eq!(handle.run.jobs[0].cause, Some(Cause::Lost));
    // A later word of the cluster corrects it.
    fake.lock().jobs.insert(key, kept);
    while handle.run.jobs[0].status != Status::Running {
        handle.next().await.unwrap();
    }
    fake.lock().ends = true;
    assert!(end(&mut handle).await.settled);
    assert_eq!(handle.run.count(Status::Succeeded), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_poll_changes_no_job() {
    let fake = Fake::new("a", |_| {});
    fake.lock().ends = false;
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(2, "a", "true"), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
    until_running(&mut handle, 2).await;
    fake.lock().down = true;
    let polls = fake.lock().polls;
    let id = ClusterId::new("a");
    while handle.health.get(&id).is_none_or(|h| h.reachable != Some(false)) {
        handle.next().await.unwrap();
    }
    assert!(handle.health[&id].last_seen.is_some(), "what was known keeps its age");
    tokio::time::sleep(Duration::from_mins(10)).await;
    while handle.try_next().is_some() {}
    assert_eq!(handle.run.count(Status::Running), 2);
    let asked = fake.lock().polls - polls;
    assert!((2..20).contains(&asked), "{asked} polls in ten minutes of silence");
    fake.lock().down = false;
    fake.lock().ends = true;
    assert!(end(&mut handle).await.settled);
}

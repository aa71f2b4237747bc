//! Several sessions on one run, as several processes have them.

use super::*;
use crate::runtime::handle::Role;

async fn until_role(handle: &mut RunHandle, wanted: fn(&Role) -> bool) {
    while !wanted(&handle.role) {
        handle.next().await.expect("the session goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_window_reads_along_and_its_commands_arrive() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(4, "a", "run"), |_| {});
    let mut first = engine.start(approved, Options::conduct(Until::Told)).await.unwrap();
    until_role(&mut first, |r| *r == Role::Conducting).await;
    let mut second = bench.engine().open(&first.id, Options::window()).await.unwrap();
    until_role(&mut second, |r| matches!(r, Role::Following(_))).await;
    until_running(&mut second, 4).await;
    let done =
        second.commands.ask(Command::Cancel { jobs: vec![JobIx(2)], why: None }).await.unwrap();
    assert_eq!(done.message, "cancel asked for 1 job");
    while second.run.jobs[2].status != Status::Stopped {
        second.next().await.unwrap();
    }
    assert!(matches!(second.role, Role::Following(_)));
    // The first leaves; the second goes on watching, and the cancels still work.
    first.commands.send(Command::Detach { background: true });
    end(&mut first).await;
    until_role(&mut second, |r| *r == Role::Conducting).await;
    let all = (0..4).map(JobIx).collect();
    second.commands.ask(Command::Cancel { jobs: all, why: None }).await.unwrap();
    while second.run.count(Status::Stopped) < 4 {
        second.next().await.unwrap();
    }
    each_once(&fake, 4);
}

#[tokio::test(start_paused = true)]
async fn two_windows_at_once_start_each_job_once() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(50, "a", "true"), |head| head.max_concurrent = Some(7));
    let mut first = engine.start(approved.clone(), Options::conduct(Until::Settled)).await.unwrap();
    let mut second =
        bench.engine().start(approved, Options::conduct(Until::Settled)).await.unwrap();
    let (one, two) = tokio::join!(end(&mut first), end(&mut second));
    assert!(one.settled && two.settled);
    assert_eq!(first.run.counts, second.run.counts);
    each_once(&fake, 50);
}

#[tokio::test(start_paused = true)]
async fn looking_never_sends() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(6, "a", "true"), |head| head.max_concurrent = Some(2));
    let options = Options { background: false, ..Options::conduct(Until::Sent) };
    let mut handle = engine.start(approved, options).await.unwrap();
    let finish = end(&mut handle).await;
    assert_eq!(finish.unsent, 4);
    assert!(finish.held.is_some(), "without a background process the rest is held");
    let started = fake.lock().started.len();
    for options in [Options::look(), Options::window(), Options::conduct(Until::Settled)] {
        let mut handle = engine.open(&handle.id, options).await.unwrap();
        tokio::time::sleep(Duration::from_mins(5)).await;
        handle.commands.send(Command::Detach { background: true });
        end(&mut handle).await;
        engine.look(&handle.id).await.unwrap();
        assert_eq!(fake.lock().started.len(), started);
    }
    // It goes on when a person says so.
    let mut handle = engine.open(&handle.id, Options::look()).await.unwrap();
    handle.commands.ask(Command::Send).await.unwrap();
    handle.commands.send(Command::Until(Until::Settled));
    end(&mut handle).await;
    assert_eq!(handle.run.count(Status::Succeeded), 6);
}

/// Who only looks holds the lock for a moment, and gives way. A background process
/// that asks it to must not obey its own request once it conducts itself.
#[tokio::test(start_paused = true)]
async fn a_request_to_give_way_is_for_the_conductor_it_names() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let approved = approve("r", jobs(6, "a", "true"), |head| head.max_concurrent = Some(2));
    let background = Options::background(false);
    let mut behind = bench.engine().start(approved, background).await.unwrap();
    until_role(&mut behind, |r| *r == Role::Conducting).await;
    behind.commands.ask(Command::Yield { epoch: 0 }).await.unwrap();
    assert_eq!(end(&mut behind).await.unsent, 0);
}

#[tokio::test(start_paused = true)]
async fn a_background_process_gives_way_to_a_window() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let approved = approve("r", jobs(9, "a", "run"), |head| head.max_concurrent = Some(2));
    let engine = bench.engine();
    let background = Options::background(false);
    let mut behind = engine.start(approved, background).await.unwrap();
    until_role(&mut behind, |r| *r == Role::Conducting).await;
    let mut window = bench.engine().open(&behind.id, Options::window()).await.unwrap();
    until_role(&mut window, |r| *r == Role::Conducting).await;
    let finish = end(&mut behind).await;
    assert!(finish.unsent > 0);
    assert_eq!(window.run.held, None);
}

#[tokio::test(start_paused = true)]
async fn the_folder_may_vanish() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(9, "a", "run"), |head| head.max_concurrent = Some(2));
    let mut handle = engine.start(approved, Options::conduct(Until::Carried)).await.unwrap();
    until_running(&mut handle, 2).await;
    std::fs::remove_dir_all(engine.state().runs()).unwrap();
    end(&mut handle).await;
    assert_eq!(fake.lock().started.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attached_job_shows_the_life_of_the_other() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let first = approve("one", jobs(3, "a", "true"), |head| head.max_concurrent = Some(1));
    let mut handle = engine.start(first, Options::conduct(Until::Settled)).await.unwrap();
    let mut list = jobs(3, "a", "true");
    for (i, job) in (0..).zip(&mut list) {
        job.action = JobAction::Attach { run: handle.id.clone(), job: JobIx(i) };
    }
    let second = settle(&engine, approve("two", list, |_| {})).await;
    assert_eq!(second.count(Status::Succeeded), 3);
    each_once(&fake, 3);
    assert!(end(&mut handle).await.settled);
    let mut list = jobs(1, "a", "true");
    list[0].action = JobAction::Reuse { run: handle.id.clone(), job: JobIx(2) };
    let third = settle(&engine, approve("three", list, |_| {})).await;
    assert_eq!(third.jobs[0].status, Status::Succeeded);
    assert_eq!(third.jobs[0].attempts[0].remote_id.as_deref(), Some("id-2-1"));
    each_once(&fake, 3);
}

#[tokio::test(start_paused = true)]
async fn cancelling_an_attached_row_says_whose_job_it_is_and_leaves_it() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let options = || Options::conduct(Until::Settled);
    let mut owner =
        engine.start(approve("one", jobs(2, "a", "run"), |_| {}), options()).await.unwrap();
    until_running(&mut owner, 2).await;
    let mut list = jobs(2, "a", "run");
    for (i, job) in (0..).zip(&mut list) {
        job.action = JobAction::Attach { run: owner.id.clone(), job: JobIx(i) };
    }
    let mut second = engine.start(approve("two", list, |_| {}), options()).await.unwrap();
    until_running(&mut second, 2).await;
    let cancel = |job| Command::Cancel { jobs: vec![JobIx(job)], why: None };
    let done = second.commands.ask(cancel(0)).await.unwrap();
    assert_eq!(
        done.notes,
        ["job-1: the job itself belongs to run one and goes on; cancel it there"]
    );
    second.commands.ask(cancel(1)).await.unwrap();
    end(&mut second).await;
    assert_eq!(second.run.count(Status::Stopped), 2);
    assert!(fake.lock().cancels.is_empty());
    // Where it belongs there is nothing to add.
    let done = owner.commands.ask(cancel(0)).await.unwrap();
    assert!(done.notes.is_empty(), "{:?}", done.notes);
}

#[tokio::test(start_paused = true)]
async fn a_conductor_elsewhere_that_does_not_answer_is_told() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(3, "a", "run"), |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Sent)).await.unwrap();
    end(&mut handle).await;
    let owner = crate::domain::run::Conductor {
        host: "elsewhere".into(),
        boot: "b".into(),
        pid: 4711,
        start: 1,
        epoch: 9,
        background: false,
        yields: false,
    };
    let dir = engine.dir(&handle.id);
    std::fs::write(dir.owner(), serde_json::to_vec(&owner).unwrap()).unwrap();
    let mut second = engine.open(&handle.id, Options::look()).await.unwrap();
    let refused =
        second.commands.ask(Command::Cancel { jobs: vec![JobIx(0)], why: None }).await.unwrap_err();
    assert!(refused.message.contains("4711 on elsewhere"), "{refused}");
    second.commands.send(Command::Detach { background: false });
    end(&mut second).await;
    assert!(fake.lock().cancels.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_was_asked_to_give_way_and_then_to_send_stays_and_sends() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    // One runs, the rest is held: whoever looks conducts, and gives way when asked.
    let approved = approve("r", jobs(2, "a", "run"), |head| head.max_concurrent = Some(1));
    let mut first = engine.start(approved, Options::conduct(Until::Told)).await.unwrap();
    until_running(&mut first, 1).await;
    first.commands.send(Command::Detach { background: false });
    assert_eq!(end(&mut first).await.unsent, 1);
    let mut looker = bench.engine().open(&first.id, Options::look()).await.unwrap();
    until_role(&mut looker, |role| *role == Role::Conducting).await;

    // As a command posts them that finds it there. It leaves when it sees that the
    // looker carries the run on.
    let dir = engine.dir(&first.id);
    let owner = crate::journal::living_owner(&dir).map(|(owner, _)| owner).unwrap();
    assert!(owner.yields);
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    crate::journal::inbox::post(&dir, &Command::Yield { epoch: owner.epoch }, at).unwrap();
    crate::journal::inbox::post(&dir, &Command::Send, at).unwrap();
    fake.lock().jobs.values_mut().for_each(|job| job.what = "true".into());
    let sent = async {
        while fake.lock().started.len() < 2 {
            looker.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_hours(1), sent).await.expect("nobody sends it");
    each_once(&fake, 2);
}

/// What a row that follows another run's job says of it.
async fn until_told(handle: &mut RunHandle, words: &str) {
    let told = async {
        while !handle.run.reason(JobIx(0)).is_some_and(|why| why.contains(words)) {
            handle.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_hours(1), told).await.expect("it never says so");
}

#[tokio::test(start_paused = true)]
async fn an_attached_row_tells_when_the_other_run_is_held() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let first = approve("one", jobs(2, "a", "run"), |head| head.max_concurrent = Some(1));
    let leaves_nobody = Options { background: false, ..Options::conduct(Until::Told) };
    let mut owner = engine.start(first, leaves_nobody).await.unwrap();
    until_running(&mut owner, 1).await;
    let mut list = jobs(1, "a", "run");
    list[0].action = JobAction::Attach { run: owner.id.clone(), job: JobIx(1) };
    let second = approve("two", list, |_| {});
    let mut shown = engine.start(second, Options::conduct(Until::Told)).await.unwrap();
    until_told(&mut shown, "waiting in run one").await;
    assert!(!shown.run.jobs[0].blocked);

    owner.commands.send(Command::Detach { background: false });
    end(&mut owner).await;
    until_told(&mut shown, "`jobdeck send one` goes on").await;
    assert!(shown.run.jobs[0].blocked);
    // What stays the same is recorded once, however often it is looked at.
    let lines =
        || std::fs::read_to_string(engine.dir(&shown.id).journal()).unwrap().lines().count();
    let before = lines();
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(lines(), before);
}

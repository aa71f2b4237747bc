//! While polling is paused nothing is asked that is only for looking.

use super::{
    super::super::engine::conduct,
    fake::{Fake, Next},
    *,
};

const LONG: Duration = Duration::from_mins(30);

fn polls(fake: &Fake) -> usize {
    fake.lock().polls
}

fn started(fake: &Fake) -> usize {
    fake.lock().started.len()
}

fn cancels(fake: &Fake) -> usize {
    fake.lock().cancels.len()
}

#[tokio::test(start_paused = true)]
async fn paused_no_cluster_is_asked_but_once_when_a_person_wants_it() {
    let fakes = [Fake::new("a", |_| {}), Fake::new("b", |_| {})];
    let bench = Bench::new(&[&fakes[0], &fakes[1]]);
    let mut list = jobs(2, "a", "run");
    list.push(job("other", "b", "run"));
    let engine = bench.engine();
    let approved = approve("r", list, |_| {});
    let mut handle = engine.start(approved, Options::conduct(Until::Told)).await.unwrap();
    until_running(&mut handle, 3).await;
    let both = || fakes.each_ref().map(|fake| polls(fake));

    handle.commands.ask(Command::PausePolling(true)).await.unwrap();
    // One may be under way.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = both();
    tokio::time::sleep(LONG).await;
    assert_eq!(both(), before, "asked while paused");

    handle.commands.ask(Command::Poll).await.unwrap();
    tokio::time::sleep(LONG).await;
    assert_eq!(both(), before.map(|n| n + 1), "once each");

    handle.commands.ask(Command::PausePolling(false)).await.unwrap();
    tokio::time::sleep(LONG).await;
    assert!(both().iter().zip(before).all(|(now, then)| *now > then + 10), "{:?}", both());
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_and_looked_up_while_paused() {
    let (queue, room) = (Fake::new("a", |_| {}), Fake::new("b", |c| c.queue = false));
    room.lock().node = Some(room::amounts(8));
    queue.script([Next::LostAnswer]);
    let bench = Bench::new(&[&queue, &room]);
    let mut list = jobs(2, "a", "run");
    list.push(job("other", "b", "run"));
    list.push(after(job("later", "a", "true"), &[2]));
    let options = Options { paused: true, ..Options::conduct(Until::Told) };
    let mut handle = bench.engine().start(approve("r", list, |_| {}), options).await.unwrap();
    tokio::time::sleep(LONG).await;
    assert_eq!((started(&queue), started(&room)), (2, 1));
    assert!(queue.lock().finds > 0, "a lost answer is looked up");
    assert_eq!((polls(&queue), polls(&room)), (0, 0));
    while handle.try_next().is_some() {}
    assert_eq!(handle.run.count(Status::Pending), 3);
    assert_eq!(handle.run.count(Status::Waiting), 1);

    // A cancel is handed over, and seen when polling goes on.
    handle.commands.ask(Command::Cancel { jobs: vec![JobIx(0)], why: None }).await.unwrap();
    tokio::time::sleep(LONG).await;
    assert_eq!((cancels(&queue), polls(&queue)), (1, 0));
    handle.commands.ask(Command::PausePolling(false)).await.unwrap();
    while handle.run.count(Status::Stopped) == 0 {
        handle.next().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn who_carries_a_paused_run_on_is_not_paused() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(4, "a", "true"), |head| head.max_concurrent = Some(1));
    let options = Options { paused: true, ..Options::conduct(Until::Told) };
    let mut window = engine.start(approved, options).await.unwrap();
    tokio::time::sleep(LONG).await;
    assert_eq!((started(&fake), polls(&fake)), (1, 0));
    window.commands.send(Command::Detach { background: true });
    assert_eq!(end(&mut window).await.unsent, 3);

    // What the process that it leaves behind does.
    assert_eq!(conduct(&bench.engine(), &window.id, false).await, 0);
    assert!(polls(&fake) > 0);
    each_once(&fake, 4);
}

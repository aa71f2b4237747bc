//! A crash at every step, and a full disk.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_starts_each_job_once() {
    let mut crashes = 0;
    for step in 1..200 {
        let fake = Fake::new("a", |_| {});
        let bench = Bench::new(&[&fake]);
        let approved = approve("r", jobs(50, "a", "true"), |head| head.max_concurrent = Some(20));
        let engine = bench.engine();
        engine.inner.faults.crash_after(step);
        let id = approved.run().clone();
        let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
        let crashed = loop {
            match handle.next().await {
                None => break true,
                Some(crate::runtime::handle::Event::Finished(_)) => break false,
                Some(_) => {}
            }
        };
        if !crashed {
            break;
        }
        crashes += 1;
        // Another process goes on.
        let engine = bench.engine();
        let mut handle = engine.open(&id, Options::conduct(Until::Settled)).await.unwrap();
        assert!(end(&mut handle).await.settled);
        assert_eq!(handle.run.count(Status::Succeeded), 50, "crash at step {step}");
        each_once(&fake, 50);
        replica_is_the_journal(&engine, &handle.run);
    }
    assert!(crashes > 20, "{crashes} steps");
}

#[tokio::test(start_paused = true)]
async fn on_a_full_disk_nothing_is_started() {
    let fake = Fake::new("a", |_| {});
    let bench = Bench::new(&[&fake]);
    let engine = bench.engine();
    let approved = approve("r", jobs(25, "a", "true"), |head| head.max_concurrent = Some(5));
    let mut handle = engine.start(approved, Options::conduct(Until::Settled)).await.unwrap();
    while handle.run.count(Status::Running) == 0 {
        handle.next().await.unwrap();
    }
    engine.inner.faults.fill_disk(true);
    let started = fake.lock().started.len();
    tokio::time::sleep(Duration::from_mins(3)).await;
    let mut told = false;
    while let Some(event) = handle.try_next() {
        told |= matches!(&event, crate::runtime::handle::Event::Trouble(r)
            if r.message.contains("journal.jsonl"));
    }
    assert!(told, "the disk is full, and somebody must know");
    assert_eq!(fake.lock().started.len(), started, "nothing is started unrecorded");
    assert_eq!(handle.run.count(Status::Succeeded), started, "watching goes on");
    engine.inner.faults.fill_disk(false);
    assert!(end(&mut handle).await.settled);
    each_once(&fake, 25);
    replica_is_the_journal(&engine, &handle.run);
}

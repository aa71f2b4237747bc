//! Reading and following logs.

use std::{fs, io::Read, process::Stdio};

use crate::support::{World, job, wait};

#[test]
fn logs_from_the_end_and_as_they_come() {
    let world = World::with_batch(concat!(
        "jobs:\n",
        "  - {name: many, command: 'seq 1 50000'}\n",
        "  - name: live\n",
        "    command: 'echo one; touch live.started; while [ ! -e go ]; do sleep 0.1; done; echo two'\n",
    ));
    world.run("submit batch.yaml --yes").expect(0);
    world.until("last", "many has ended", |s| job(s, "many")["status"] == "succeeded");
    assert_eq!(world.run("logs last many --tail 2").expect(0).stdout, "49999\n50000\n");
    assert_eq!(world.run("logs last many --tail 0").expect(0).stdout, "");
    assert_eq!(world.run("logs last many").expect(0).stdout.lines().count(), 50_000);
    assert_eq!(world.run("logs last many -n 100000").expect(0).stdout.lines().count(), 50_000);

    world.until_file("live.started");
    let mut child = world
        .command()
        .args(["logs", "last", "live", "-f"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 4];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"one\n");
    world.file("go", "");
    let answer = wait::answer(child).expect(0);
    assert_eq!(answer.stdout, "two\n");
}

#[test]
fn following_a_job_that_waits_says_what_for() {
    let world = World::with_batch(concat!(
        "jobs:\n",
        "  - {name: first, command: 'while [ ! -e go ]; do sleep 0.1; done'}\n",
        "  - {name: second, command: 'echo here'}\n",
    ));
    world.config("clusters: {local: {kind: local, max_inflight: 1}}\n");
    world.run("submit batch.yaml --yes --no-background").expect(0);
    let words = world.path().join("words");
    let child = world
        .command()
        .args(["logs", "last", "second", "-f"])
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&words).unwrap())
        .spawn()
        .unwrap();
    let read = || fs::read_to_string(&words).unwrap();
    wait::until_so("it says that it waits", || read().ends_with('\n'));
    let told = read();
    assert!(told.starts_with("no log yet: second: held: "), "{told}");
    assert!(told.contains("`jobdeck send "), "{told}");
    world.run("send last --yes").expect(0);
    world.file("go", "");
    assert_eq!(wait::answer(child).expect(0).stdout, "here\n");
}

#[test]
fn each_worker_of_a_gang_has_a_log() {
    let world = World::with_batch(concat!(
        "jobs:\n",
        "  - {type: distributed, name: gang, workers: 2, framework: pytorch, command: 'echo rank $RANK'}\n",
    ));
    world.run("submit batch.yaml --yes --wait").expect(0);
    assert_eq!(world.run("logs last gang").expect(0).stdout, "rank 0\n");
    assert_eq!(world.run("logs last gang --worker 1").expect(0).stdout, "rank 1\n");
    assert_eq!(world.run("logs last gang -f --worker 1").expect(0).stdout, "rank 1\n");
    let refused = world.run("logs last gang --worker 2").expect(2);
    assert!(refused.stderr.contains("the workers of gang are 0 to 1"), "{}", refused.stderr);
}

#[test]
fn following_the_only_job_of_a_run_ends_with_it() {
    let world =
        World::with_batch("jobs: [{name: one, command: 'echo one; touch up; sleep 0.3'}]\n");
    world.run("submit batch.yaml --yes").expect(0);
    world.until_file("up");
    for line in ["logs last -f", "logs last one -f", "logs last -f --tail 1"] {
        let child = world.command().args(line.split(' ')).stdout(Stdio::piped()).spawn().unwrap();
        assert_eq!(wait::answer(child).expect(0).stdout, "one\n", "{line}");
    }
}

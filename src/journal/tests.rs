//! Cut anywhere, damaged anywhere, two writers, a full disk.

use std::{
    fs,
    io::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;

use super::*;
use crate::{
    domain::{
        ids::{ClusterId, JobIx, RunId},
        job::{Command, JobSpec},
        plan::{Approved, BatchHead, JobAction, Plan, PlannedJob, Totals},
        resources::Gpus,
        run::{Accepted, JobFacts, Record, Run, Stamped},
        status::Status,
    },
    procs::ProcId,
};

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + secs).unwrap()
}

fn approved(n: usize) -> Approved {
    let jobs = (0..n).map(|i| {
        let mut spec = JobSpec::named(format!("job-{i}"));
        spec.command = Some(Command::Shell(format!("python train.py --seed {i} # ✓ \"q\"")));
        spec.params = [("seed".to_owned(), i.to_string())].into_iter().collect();
        PlannedJob {
            spec: Arc::new(spec),
            cluster: Some(ClusterId::new("lab")),
            may_go: Arc::default(),
            outlook: None,
            action: JobAction::Submit,
            replicas: 1,
            total_gpus: Gpus::whole(1),
            depends_on: Arc::default(),
        }
    });
    let plan = Plan {
        head: BatchHead::named("test"),
        jobs: jobs.collect(),
        findings: Vec::new(),
        totals: Totals::default(),
        entries: Vec::new(),
    };
    plan.approve(RunId::new("r1").unwrap(), at(0)).unwrap()
}

fn made(n: usize) -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::new(folder.path().join("r1"));
    create(&dir, &Stored::new(approved(n), std::collections::BTreeMap::new())).unwrap();
    (folder, dir)
}

fn got(dir: &RunDir, epoch: u64) -> Ownership {
    // A child that another test is just starting holds a copy of every lock of this
    // process until its exec, so that a lock given back is busy for a moment.
    let started = std::time::Instant::now();
    loop {
        match Ownership::acquire(dir, epoch, false, false, false).unwrap() {
            Acquire::Got(ownership) => return ownership,
            Acquire::Busy(_) if started.elapsed().as_secs() < 30 => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
}

fn opened(dir: &RunDir) -> (Journal, Run) {
    let replay = Replay::read(dir).unwrap();
    let ownership = got(dir, replay.tail.epoch());
    (Journal::open(dir, ownership, replay.tail.offset()).unwrap(), replay.run)
}

/// The life of a few jobs.
fn life(epoch: u64, conductor: crate::domain::run::Conductor, jobs: u32) -> Vec<Stamped> {
    let mut records = vec![Record::Opened { conductor }];
    let all: Vec<(JobIx, u32)> = (0..jobs).map(|i| (JobIx(i), 1)).collect();
    records.push(Record::Intent { cluster: ClusterId::new("lab"), jobs: all });
    for i in 0..jobs {
        records.push(Record::Accepted {
            job: JobIx(i),
            attempt: 1,
            accepted: Accepted {
                remote_id: format!("4711_{i}"),
                remote_name: Some(format!("jd-r1-{}-1", i + 1)),
                url: None,
                log_path: Some("/tmp/ü \n x".into()),
            },
        });
        for status in [Status::Running, Status::Succeeded] {
            let facts = JobFacts::of(status);
            records.push(Record::Observed { job: JobIx(i), attempt: 1, facts });
        }
    }
    records.push(Record::Closed { held: None });
    records
        .into_iter()
        .zip(1..)
        .map(|(record, secs)| Stamped { at: at(secs), epoch, record })
        .collect()
}

fn write_life(dir: &RunDir, jobs: u32) -> Vec<Stamped> {
    let (mut journal, _) = opened(dir);
    let records = life(journal.epoch(), journal.ownership().conductor().clone(), jobs);
    journal.commit(&records).unwrap();
    records
}

#[test]
fn what_is_written_is_read() {
    let (_folder, dir) = made(3);
    let records = write_life(&dir, 3);
    let replay = Replay::read(&dir).unwrap();
    assert!(replay.damage.is_empty());
    assert_eq!(Stored::read(&dir).unwrap().approved, approved(3));
    let mut run = Run::new(&approved(3));
    for record in &records {
        run.apply(record);
    }
    assert_eq!(replay.run, run);
    assert_eq!(run.count(Status::Succeeded), 3);
}

#[test]
fn cut_at_every_byte_it_is_read_up_to_there_and_written_on() {
    let (_folder, dir) = made(2);
    let records = write_life(&dir, 2);
    let whole = fs::read(dir.journal()).unwrap();
    let header = whole.iter().position(|b| *b == b'\n').unwrap() + 1;
    for cut in 0..=whole.len() {
        fs::write(dir.journal(), &whole[..cut]).unwrap();
        let replay = Replay::read(&dir).unwrap();
        assert!(replay.damage.is_empty(), "cut at {cut}: {:?}", replay.damage);
        let kept = String::from_utf8_lossy(&whole[..cut]).matches('\n').count().saturating_sub(1);
        let mut run = Run::new(&approved(2));
        for record in &records[..kept] {
            run.apply(record);
        }
        assert_eq!(replay.run, run, "cut at {cut}");
        // Another writer goes on, and nothing of the torn line stays behind.
        if cut >= header {
            let ownership = got(&dir, replay.tail.epoch());
            let mut journal = Journal::open(&dir, ownership, replay.tail.offset()).unwrap();
            let epoch = journal.epoch();
            let record = Record::Waits { job: JobIx(0), reason: "later".into() };
            journal.commit(&[Stamped { at: at(99), epoch, record }]).unwrap();
            drop(journal);
            let again = Replay::read(&dir).unwrap();
            assert!(again.damage.is_empty(), "cut at {cut}: {:?}", again.damage);
            assert_eq!(again.run.last_record_at, at(99));
        }
    }
}

#[test]
fn damage_is_told_with_its_line_and_the_rest_kept() {
    let (_folder, dir) = made(3);
    write_life(&dir, 3);
    let whole = fs::read_to_string(dir.journal()).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    for damaged in 2..lines.len() - 1 {
        for garbage in
            ["", "\0\0\0\0", "{\"at\":1}", "not json", "{\"at\":\"2026-01-01T00:00:00Z\"}"]
        {
            let mut lines = lines.clone();
            lines[damaged] = garbage;
            fs::write(dir.journal(), lines.join("\n") + "\n").unwrap();
            let replay = Replay::read(&dir).unwrap();
            if garbage.is_empty() {
                assert!(replay.damage.is_empty(), "an empty line holds nothing");
            } else {
                assert_eq!(replay.damage.len(), 1);
                assert_eq!(replay.damage[0].line, damaged as u64 + 1);
            }
            assert_eq!(replay.run.last_record_at, Replay::read(&dir).unwrap().run.last_record_at);
        }
    }
}

#[test]
fn a_newer_format_is_refused() {
    let (_folder, dir) = made(1);
    let text = fs::read_to_string(dir.plan()).unwrap();
    fs::write(dir.plan(), text.replacen("\"format\":1", "\"format\":2", 1)).unwrap();
    assert!(matches!(Replay::read(&dir), Err(JournalError::Newer { format: 2, .. })));
    fs::write(dir.plan(), "{\"format\":2,\"new\":true}").unwrap();
    assert!(matches!(Replay::read(&dir), Err(JournalError::Newer { format: 2, .. })));
    fs::write(dir.plan(), text).unwrap();
    fs::write(dir.journal(), "{\"jobdeck_journal\":9,\"run\":\"r1\"}\n").unwrap();
    assert!(matches!(Replay::read(&dir), Err(JournalError::Newer { format: 9, .. })));
    fs::write(dir.plan(), "{\"format\":1").unwrap();
    assert!(matches!(Replay::read(&dir), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_run_is_made_once() {
    let (_folder, dir) = made(1);
    let again = create(&dir, &Stored::new(approved(2), std::collections::BTreeMap::new()));
    let Err(JournalError::Io { error, .. }) = again else { panic!("{again:?}") };
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(Replay::read(&dir).unwrap().run.jobs.len(), 1);
}

#[test]
fn a_second_writer_is_kept_out_and_the_next_one_has_a_higher_epoch() {
    let (_folder, dir) = made(1);
    let first = got(&dir, 0);
    assert_eq!(first.epoch(), 1);
    let busy = Ownership::acquire(&dir, 0, false, false, true).unwrap();
    let Acquire::Busy(Some(owner)) = busy else { panic!("{busy:?}") };
    assert_eq!(owner, *first.conductor());
    drop(first);
    assert!(!dir.owner().exists(), "it says that it left");
    assert_eq!(got(&dir, 7).epoch(), 8);
}

#[test]
fn an_owner_that_is_gone_is_replaced_one_of_another_host_is_not() {
    let (_folder, dir) = made(1);
    let me = ProcId::current();
    let mut owner = crate::domain::run::Conductor {
        host: me.host.clone(),
        boot: "another boot".into(),
        pid: me.pid,
        start: me.start,
        epoch: 5,
        background: true,
        yields: true,
    };
    fs::write(dir.owner(), serde_json::to_vec(&owner).unwrap()).unwrap();
    assert!(living_owner(&dir).is_none());
    assert_eq!(got(&dir, 0).epoch(), 6);
    owner.host = "elsewhere".into();
    fs::write(dir.owner(), serde_json::to_vec(&owner).unwrap()).unwrap();
    assert!(living_owner(&dir).is_some(), "nothing says that it is gone");
    let answer = Ownership::acquire(&dir, 0, false, false, false).unwrap();
    assert!(matches!(answer, Acquire::Elsewhere(_)), "{answer:?}");
    let Acquire::Got(taken) = Ownership::acquire(&dir, 0, false, false, true).unwrap() else {
        panic!("a person said so")
    };
    assert_eq!(taken.epoch(), 6);
}

#[test]
fn a_replaced_writer_is_fenced_off_and_its_lines_are_void() {
    let (_folder, dir) = made(2);
    let (mut old, _) = opened(&dir);
    let epoch = old.epoch();
    old.commit(&[Stamped {
        at: at(1),
        epoch,
        record: Record::Opened { conductor: old.ownership().conductor().clone() },
    }])
    .unwrap();
    // What a network file system may do: the lock is granted a second time.
    fs::remove_file(dir.lock()).unwrap();
    fs::remove_file(dir.owner()).unwrap();
    let (mut new, _) = opened(&dir);
    let newer = new.epoch();
    assert!(newer > epoch);
    new.commit(&[Stamped {
        at: at(2),
        epoch: newer,
        record: Record::Opened { conductor: new.ownership().conductor().clone() },
    }])
    .unwrap();
    let intent = Record::Intent { cluster: ClusterId::new("lab"), jobs: vec![(JobIx(0), 1)] };
    let refused = old.commit(&[Stamped { at: at(3), epoch, record: intent.clone() }]);
    assert!(matches!(refused, Err(JournalError::Fenced)), "{refused:?}");
    // Even what slips through counts for nothing.
    old.note(&Stamped { at: at(4), epoch, record: intent });
    old.flush().unwrap();
    let replay = Replay::read(&dir).unwrap();
    assert_eq!(replay.run.count(Status::Waiting), 2);
    assert_eq!(replay.run.epoch, newer);
}

/// A disk with so much room.
#[derive(Debug)]
struct Bounded {
    file: fs::File,
    room: Arc<AtomicUsize>,
    syncs: Arc<Mutex<bool>>,
}

impl Medium for Bounded {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        let fits = bytes.len().min(room);
        self.file.write_all(&bytes[..fits])?;
        self.room.store(room - fits, Ordering::SeqCst);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
    fn sync(&mut self) -> io::Result<()> {
        if *self.syncs.lock().unwrap() { Ok(()) } else { Err(io::Error::other("no")) }
    }
    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

#[test]
fn on_a_full_disk_nothing_half_written_stays_and_what_was_noted_comes_later() {
    let (_folder, dir) = made(4);
    let records = {
        let ownership = got(&dir, 0);
        life(1, ownership.conductor().clone(), 4)
    };
    for room in (0..900).step_by(9) {
        let header = fs::read_to_string(dir.journal()).unwrap();
        let header = header.lines().next().unwrap().to_owned() + "\n";
        fs::write(dir.journal(), &header).unwrap();
        let left = Arc::new(AtomicUsize::new(room));
        let syncs = Arc::new(Mutex::new(true));
        let file = fs::OpenOptions::new().append(true).open(dir.journal()).unwrap();
        let medium = Bounded { file, room: left.clone(), syncs: syncs.clone() };
        let ownership = got(&dir, 0);
        let mut journal = Journal::on(Box::new(medium), &dir, ownership, header.len() as u64);
        journal.note(&records[0]);
        let noted = journal.flush().is_ok();
        let committed = journal.commit(&records[1..3]).is_ok();
        let replay = Replay::read(&dir).unwrap();
        assert!(replay.damage.is_empty() && replay.tail.torn() == 0, "{room}");
        let sent = replay.run.count(Status::Waiting) < 4;
        assert_eq!(sent, committed, "with room for {room} bytes");
        // Room again: what was noted is there, what was refused is not.
        left.store(100_000, Ordering::SeqCst);
        journal.flush().unwrap();
        let replay = Replay::read(&dir).unwrap();
        assert!(replay.damage.is_empty());
        assert_eq!(replay.run.epoch, 1);
        assert_eq!(replay.run.count(Status::Waiting) < 4, committed);
        // A disk that cannot say whether it has written has not.
        *syncs.lock().unwrap() = false;
        assert!(journal.commit(&records[1..3]).is_err());
        let after = Replay::read(&dir).unwrap();
        assert_eq!(after.run, replay.run);
        let _ = noted;
    }
}

#[test]
fn a_reader_reads_along() {
    let (_folder, dir) = made(2);
    let mut reader = Replay::read(&dir).unwrap();
    let (mut journal, _) = opened(&dir);
    let records = life(journal.epoch(), journal.ownership().conductor().clone(), 2);
    let mut seen = Vec::new();
    for record in &records {
        journal.commit(std::slice::from_ref(record)).unwrap();
        seen.extend(reader.tail.read(&dir, &mut Vec::new()).unwrap());
    }
    assert_eq!(seen, records);
}

#[test]
fn requests_lie_in_the_inbox_until_they_are_removed() {
    let (_folder, dir) = made(1);
    let first = inbox::post(&dir, &"one".to_owned(), at(1)).unwrap();
    let second = inbox::post(&dir, &"two".to_owned(), at(2)).unwrap();
    fs::write(dir.inbox().join("00-garbage.json"), "{").unwrap();
    fs::write(dir.inbox().join(".tmp-x"), "half").unwrap();
    let requests = inbox::read::<String>(&dir).unwrap();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().any(|r| r.command.is_err()));
    let good: Vec<_> = requests.into_iter().filter_map(|r| Some((r.id, r.command.ok()?))).collect();
    assert_eq!(good, [(first.clone(), "one".to_owned()), (second, "two".to_owned())]);
    inbox::remove(&dir, &first);
    assert_eq!(inbox::read::<String>(&dir).unwrap().len(), 2);
}

#[test]
fn a_summary_is_good_until_the_journal_grows() {
    let (_folder, dir) = made(3);
    let fresh = Summary::read(&dir).unwrap();
    assert_eq!(fresh.unsent(), 3);
    write_life(&dir, 3);
    let later = Summary::read(&dir).unwrap();
    assert!(later.ended);
    assert_eq!(later.letters, "sss");
    // What the journal says counts, not what lies beside it.
    fs::write(dir.summary(), "{}").unwrap();
    assert_eq!(Summary::read(&dir).unwrap(), later);
}

//! Runs on disk, for measurements.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use jobdeck::{
    domain::{
        ids::{ClusterId, JobIx, RunId},
        job::{Command, JobSpec},
        plan::{Approved, BatchHead, JobAction, Plan, PlannedJob, Totals},
        resources::Gpus,
        run::{Accepted, JobFacts, Record, Stamped},
        status::Status,
    },
    journal::{Acquire, Journal, Ownership, Replay, RunDir, Stored, create},
};

/// A sweep of this many jobs, approved.
pub fn approved(jobs: u32) -> Approved {
    let jobs = (0..jobs).map(|i| {
        let mut spec = JobSpec::named(format!("lr-{}", i + 1));
        spec.group = Some("lr".into());
        spec.command = Some(Command::Shell(format!("python train.py --seed {i}")));
        spec.params = [("seed".to_owned(), i.to_string())].into_iter().collect();
        PlannedJob {
            spec: Arc::new(spec),
            cluster: Some(ClusterId::new("local")),
            may_go: Arc::default(),
            outlook: None,
            action: JobAction::Submit,
            replicas: 1,
            total_gpus: Gpus::whole(1),
            depends_on: Arc::default(),
        }
    });
    let plan = Plan {
        head: BatchHead::named("bench"),
        jobs: jobs.collect(),
        findings: Vec::new(),
        totals: Totals::default(),
        entries: Vec::new(),
    };
    let run = RunId::new("bench").expect("a run id");
    plan.approve(run, Timestamp::UNIX_EPOCH).expect("a plan without errors")
}

/// The records of the first `jobs` from intent to end: three a job.
fn life(jobs: u32, epoch: u64) -> Vec<Stamped> {
    let intent = (0..jobs).map(|i| (JobIx(i), 1)).collect();
    let mut records = vec![Record::Intent { cluster: ClusterId::new("local"), jobs: intent }];
    for i in 0..jobs {
        let accepted = Accepted {
            remote_id: format!("4711_{i}"),
            remote_name: Some(format!("jd-bench-{}-1", i + 1)),
            url: None,
            log_path: Some(format!("/data/batches/bench/{i}.out")),
        };
        records.push(Record::Accepted { job: JobIx(i), attempt: 1, accepted });
        for status in [Status::Running, Status::Succeeded] {
            let facts = JobFacts::of(status);
            records.push(Record::Observed { job: JobIx(i), attempt: 1, facts });
        }
    }
    records.into_iter().map(|record| Stamped { at: Timestamp::UNIX_EPOCH, epoch, record }).collect()
}

/// Puts a run on disk of whose jobs the first `lived` have ended.
pub fn run(dir: &RunDir, approved: &Approved, lived: u32) {
    create(dir, &Stored::new(approved.clone(), BTreeMap::new())).expect("a new run");
    let Ok(Acquire::Got(ownership)) = Ownership::acquire(dir, 0, false, false, false) else {
        panic!("nobody else conducts it");
    };
    let epoch = ownership.epoch();
    let tail = Replay::read(dir).expect("it can be read").tail.offset();
    let mut journal = Journal::open(dir, ownership, tail).expect("it can be written");
    journal.commit(&life(lived, epoch)).expect("it was written");
}

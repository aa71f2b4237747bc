//! Clusters without a queue of their own: a job is sent only when it fits.

use super::*;
use crate::domain::{
    job::{Candidate, ClusterChoice},
    resources::Gpus,
    site::Amounts,
};

pub(super) fn amounts(gpus: u64) -> Amounts {
    Amounts { gpus: Gpus::whole(gpus), cpus: 64.0, memory: 64 << 30 }
}

/// A cluster of one node with so many GPUs.
fn node(name: &str, gpus: u64) -> Arc<Fake> {
    let fake = Fake::new(name, |can| {
        can.queue = false;
        can.jobs_per_request = 1;
    });
    fake.lock().node = Some(amounts(gpus));
    fake
}

/// Jobs of so many GPUs that may go to any of these.
fn open_jobs(n: usize, gpus: u64, clusters: &[&str]) -> Vec<PlannedJob> {
    let may_go: Arc<[ClusterId]> = clusters.iter().map(|id| ClusterId::new(*id)).collect();
    let open = |mut job: PlannedJob| {
        let spec = Arc::make_mut(&mut job.spec);
        spec.gpus = Gpus::whole(gpus);
        spec.cluster = ClusterChoice::Listed(vec![Candidate::Auto]);
        PlannedJob { cluster: None, may_go: may_go.clone(), ..job }
    };
    jobs(n, "a", "true").into_iter().map(open).collect()
}

#[tokio::test(start_paused = true)]
async fn never_more_is_sent_than_fits() {
    let fake = node("a", 4);
    let bench = Bench::new(&[&fake]);
    let run = settle(&bench.engine(), approve("r", open_jobs(12, 2, &["a"]), |_| {})).await;
    assert_eq!(run.count(Status::Succeeded), 12);
    each_once(&fake, 12);
    assert_eq!(fake.lock().widest, 2, "two of them fit at once");
}

#[tokio::test(start_paused = true)]
async fn several_clusters_share_a_batch() {
    let (large, small) = (node("a", 8), node("b", 4));
    let bench = Bench::new(&[&large, &small]);
    let batch = approve("r", open_jobs(30, 1, &["a", "b"]), |_| {});
    let run = settle(&bench.engine(), batch).await;
    assert_eq!(run.count(Status::Succeeded), 30);
    let (a, b) = (large.lock(), small.lock());
    assert_eq!(a.started.len() + b.started.len(), 30);
    assert!(a.started.len() > b.started.len() && !b.started.is_empty());
    assert!(a.widest <= 8 && b.widest <= 4);
}

#[tokio::test(start_paused = true)]
async fn what_waits_says_what_for_and_a_cluster_that_is_down_is_passed_by() {
    let (full, down) = (node("a", 2), node("b", 8));
    full.lock().ends = false;
    down.lock().down = true;
    let bench = Bench::new(&[&full, &down]);
    let engine = bench.engine();
    let batch = approve("r", open_jobs(3, 2, &["a", "b"]), |_| {});
    let mut handle = engine.start(batch, Options::conduct(Until::Settled)).await.unwrap();
    let why = "needs 2 GPUs on one node; a has none";
    let waits = |run: &Run| {
        let reasons = (0..3).filter_map(|ix| run.reason(JobIx(ix)));
        reasons.filter(|reason| reason.starts_with(why)).count() == 2
    };
    let told = async {
        while !waits(&handle.run) {
            handle.next().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_hours(1), told).await.expect("it never says so");
    assert_eq!(full.lock().started.len(), 1);
    // Those who only look are told the same.
    let (id, looks) = (handle.id.clone(), engine.clone());
    let seen = async move { while !waits(&looks.look(&id).await.unwrap().run) {} };
    tokio::time::timeout(Duration::from_hours(1), seen).await.expect("it is not kept");
    down.lock().down = false;
    until_running(&mut handle, 3).await;
    assert_eq!(down.lock().started.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_large_job_is_not_overtaken_for_ever() {
    let fake = node("a", 4);
    let bench = Bench::new(&[&fake]);
    let mut batch = open_jobs(3, 1, &["a"]);
    batch.extend(open_jobs(1, 4, &["a"]));
    batch.extend(open_jobs(40, 1, &["a"]));
    for (n, job) in batch.iter_mut().enumerate() {
        Arc::make_mut(&mut job.spec).name = format!("job-{n}");
    }
    settle(&bench.engine(), approve("r", batch, |_| {})).await;
    let state = fake.lock();
    let place = state.started.iter().position(|key| key.job == JobIx(3)).unwrap();
    assert!(place <= 3 + 2 * crate::domain::placement::OVERTAKES, "it was sent as number {place}");
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_the_same_cluster_is_asked_before_any_other() {
    let (first, other) = (node("a", 8), node("b", 4));
    first.script([Next::LostRequest]);
    let bench = Bench::new(&[&first, &other]);
    let run = settle(&bench.engine(), approve("r", open_jobs(1, 1, &["a", "b"]), |_| {})).await;
    assert_eq!(run.count(Status::Succeeded), 1);
    assert_eq!((first.lock().started.len(), other.lock().started.len()), (1, 0));
}

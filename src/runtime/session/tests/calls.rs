//! How often a Slurm controller is asked, on a clock that runs when nothing else does.

use tokio::time::Instant;

use super::*;
use crate::{
    cluster::{
        origin::Origin,
        slurm::{SlurmCluster, transport::scripted::Script},
    },
    config::SlurmSettings,
};

/// Requests that a site's limiter lets through at once, and so many a second after that.
const BUCKET: f64 = 30.0;
const REFILL: f64 = 2.0;

/// The lowest that a limiter's bucket gets while these calls are made.
fn lowest(calls: &[(Instant, String)]) -> f64 {
    let (mut left, mut lowest, mut last) = (BUCKET, BUCKET, None::<Instant>);
    for (at, _) in calls {
        let gained = last.map_or(0.0, |last| at.duration_since(last).as_secs_f64() * REFILL);
        left = (left + gained).min(BUCKET) - 1.0;
        lowest = lowest.min(left);
        last = Some(*at);
    }
    lowest
}

#[tokio::test(start_paused = true)]
async fn a_thousand_jobs_for_ten_minutes_cost_a_slurm_twelve_calls_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::begin();
    let origin = Origin::new(folder.path().join("origin"));
    let id = ClusterId::new("lab");
    let lab = SlurmCluster::scripted(id.clone(), SlurmSettings::default(), origin, script.clone());
    let mut clusters = Clusters::new();
    clusters.insert(id, Arc::new(lab));
    let engine = engine_of(folder.path(), clusters);
    let approved = approve("r", jobs(1_000, "lab", "true"), |_| {});
    let begin = Instant::now();
    let run = settle(&engine, approved).await;
    assert_eq!(run.count(Status::Succeeded), 1_000);
    // Tasks start half a second apart and run for a minute.
    let took = begin.elapsed();
    assert!((560..600).contains(&took.as_secs()), "{took:?}");
    let calls = script.calls();
    let count = |name: &str| calls.iter().filter(|(_, call)| call == name).count();
    assert_eq!(count("sbatch"), 4, "as many as the site's arrays make");
    assert_eq!(count("sacct"), 0, "each end is seen while the queue remembers it");
    let polls = count("squeue");
    // Something is new in each, so none is further than five seconds from the next.
    assert!((110..=120).contains(&polls), "{polls} polls in {took:?}");
    assert!(calls.len() <= polls + 8, "{} calls, {polls} of them polls", calls.len());
    for minute in 1..9 {
        let from = begin + Duration::from_mins(minute);
        let within =
            calls.iter().filter(|(at, _)| (from..from + Duration::from_mins(1)).contains(at));
        let within = within.count();
        assert!(within <= 12, "{within} calls in minute {minute}");
    }
    let lowest = lowest(&calls);
    assert!(lowest >= 0.0, "the site's limiter would refuse some: {lowest}");
}

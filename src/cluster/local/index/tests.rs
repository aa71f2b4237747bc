//! Waiting, limits, dependencies; and how little a job takes.

use super::*;
use crate::{
    cluster::local::wire::{After, QueuedBrief},
    domain::{job::DependencyCondition, resources::Gpus},
};

fn key(job: u32) -> JobKey {
    JobKey { run: RunId::new("r").unwrap(), job: JobIx(job), attempt: 1 }
}

fn job(n: u32, after: Vec<After>, run_limit: Option<u32>) -> QueuedAt {
    let brief = QueuedBrief {
        key: key(n),
        name: Box::default(),
        gpus: Gpus::ZERO,
        replicas: 1,
        cpus: 1.0,
        memory: 0,
        exclusive: false,
        run_limit,
        after,
    };
    QueuedAt { offset: 0, len: 10, brief }
}

fn after(first: u32, last: u32) -> Vec<After> {
    vec![After {
        run: RunId::new("r").unwrap(),
        jobs: (first + 1, last + 1),
        attempt: 1,
        condition: DependencyCondition::Succeeded,
    }]
}

#[test]
fn a_job_waits_for_all_it_depends_on_and_looks_at_each_once() {
    let mut index = Index::default();
    for n in 0..3 {
        let place = index.add(1, job(n, Vec::new(), None));
        assert_eq!(index.settle(place, |_| Standing::Live), Met::All);
    }
    let last = index.add(1, job(3, after(0, 2), None));
    let done = std::cell::RefCell::new(HashSet::new());
    let looks = std::cell::Cell::new(0);
    let standing = |k: &JobKey| {
        looks.set(looks.get() + 1);
        if done.borrow().contains(k) { Standing::Succeeded } else { Standing::Live }
    };
    assert_eq!(index.settle(last, standing), Met::NotYet);
    for n in [2, 0, 1] {
        done.borrow_mut().insert(key(n));
        for place in index.freed_by(&key(n)) {
            index.settle(place, standing);
        }
    }
    assert_eq!(index.heads().len(), 1, "one class of one run");
    assert_eq!(looks.get(), 5);
    for line in 0..4 {
        let place = Place { request: 1, line };
        index.start(place);
        index.end(place);
    }
    assert_eq!(index.take_finished(), [1]);
    assert!(index.is_empty() && index.waiting() == 0);
}

#[test]
fn a_failed_dependency_is_final() {
    let mut index = Index::default();
    let place = index.add(1, job(3, after(0, 0), None));
    let met = index.settle(place, |_| Standing::Ended("lr-1 failed".into()));
    assert_eq!(met, Met::Never("lr-1 failed".into()));
    index.end(place);
    assert_eq!(index.waiting(), 0);
}

#[test]
fn a_run_at_its_limit_offers_nothing_and_a_failed_start_gives_room_back() {
    let mut index = Index::default();
    let places: Vec<_> = (0..3).map(|n| index.add(1, job(n, Vec::new(), Some(1)))).collect();
    for place in &places {
        index.settle(*place, |_| Standing::Live);
    }
    assert_eq!(index.heads().first().map(|h| h.0), places.first().copied());
    index.start(places[0]);
    assert!(index.heads().is_empty());
    index.put_back(places[0]);
    assert_eq!(index.heads().first().map(|h| h.0), places.first().copied());
    assert_eq!(index.waiting(), 3);
    assert_eq!(index.find_waiting(&[key(1), key(9)]), [places[1]]);
}

#[test]
fn a_queued_job_is_small() {
    assert!(size_of::<Queued>() <= 64, "{}", size_of::<Queued>());
}

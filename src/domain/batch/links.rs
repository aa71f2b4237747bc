//! Names and what jobs wait for: unique, known, without circles.

use std::{collections::HashMap, sync::Arc};

use super::{
    EntryDoc, read,
    sink::{Place, Sink},
};
use crate::domain::{
    ids::JobIx,
    job::{Dependency, DependencyCondition},
    plan::PlannedJob,
};

/// Dependencies between single jobs a batch may have.
const MAX_LINKS: usize = 10_000_000;

/// Jobs of each entry: the first, and how many.
type Ranges<'r> = &'r [(usize, usize)];

/// Every job and every group has a name of its own.
pub fn check_unique(entries: &[EntryDoc], ranges: Ranges, jobs: &[PlannedJob], sink: &mut Sink) {
    let mut taken: HashMap<&str, &EntryDoc> = HashMap::with_capacity(jobs.len() + entries.len());
    for (doc, (first, count)) in entries.iter().zip(ranges) {
        sink.enter(doc.index, doc.label());
        let group = Some(doc.name.as_str()).filter(|n| doc.is_group() && !n.is_empty());
        let names = jobs.iter().skip(*first).take(*count).map(|j| j.spec.name.as_str());
        for name in group.into_iter().chain(names) {
            if name.is_empty() {
                continue;
            }
            let Some(other) = taken.insert(name, doc) else { continue };
            let at = doc.at("name");
            if other.index == doc.index {
                // A faulty sweep stands for one job that bears the group's name.
                if *count > 1 {
                    sink.error_once(&at, || {
                        format!("several jobs of the group are named `{name}`")
                    })
                    .hint("put every parameter into the name, or none");
                }
                continue;
            }
            let line = other.at("name").span.start.line;
            let there = if line == 0 { String::new() } else { format!(", line {line}") };
            let index = other.index;
            sink.error_once(&at, || format!("the name `{name}` is taken by jobs[{index}]{there}"))
                .hint("give it another name");
        }
    }
    sink.leave();
}

/// Finds the jobs that each job waits for.
pub fn resolve(entries: &[EntryDoc], ranges: Ranges, jobs: &mut [PlannedJob], sink: &mut Sink) {
    if entries.iter().all(|doc| doc.field("depends_on").is_none()) {
        return;
    }
    // Name → entry and its jobs; the first of equals, the others are findings already.
    let mut known: HashMap<String, (usize, usize, usize)> = HashMap::new();
    for (n, (doc, (first, count))) in entries.iter().zip(ranges).enumerate() {
        if doc.is_group() && !doc.name.is_empty() {
            known.entry(doc.name.clone()).or_insert((n, *first, *count));
        }
        for ix in *first..first + count {
            if let Some(job) = jobs.get(ix) {
                known.entry(job.spec.name.clone()).or_insert((n, ix, 1));
            }
        }
    }
    let mut links = 0_usize;
    // Entries that each entry waits for, with the place where it says so.
    let mut waits: Vec<Vec<(usize, Place)>> = Vec::with_capacity(entries.len());
    for (n, (doc, (first, count))) in entries.iter().zip(ranges).enumerate() {
        sink.enter(doc.index, doc.label());
        let mut targets: Vec<(JobIx, DependencyCondition)> = Vec::new();
        let mut dependencies = Vec::new();
        let mut edges = Vec::new();
        let wanted = doc.field("depends_on").map(|f| read::dependencies(f, sink));
        for (Dependency { target, condition }, at) in wanted.unwrap_or_default() {
            let Some((entry, from, many)) = known.get(&target).copied() else {
                let near = read::near_name(&target, known.keys().map(String::as_str));
                sink.error(&at, format!("there is no job or group named `{target}`"))
                    .did_you_mean(near);
                continue;
            };
            if entry == n {
                sink.error(&at, format!("`{target}` would wait for itself")).hint("remove it");
                continue;
            }
            targets.extend((from..from + many).map(|ix| (JobIx(ix as u32), condition)));
            edges.push((entry, at));
            dependencies.push(Dependency { target, condition });
        }
        waits.push(edges);
        links = links.saturating_add(targets.len().saturating_mul(*count));
        if links > MAX_LINKS {
            sink.error(
                &doc.at("depends_on"),
                format!("more than {MAX_LINKS} dependencies between jobs"),
            )
            .hint("put one job between the groups: it waits for the first, the second for it");
            break;
        }
        let targets: Arc<[_]> = targets.into();
        for job in jobs.iter_mut().skip(*first).take(*count) {
            job.depends_on = Arc::clone(&targets);
            Arc::make_mut(&mut job.spec).depends_on.clone_from(&dependencies);
        }
    }
    check_circles(entries, &waits, sink);
    sink.leave();
}

/// Entries that wait for themselves by way of others. All jobs of an entry wait for
/// the same, so a circle of jobs is a circle of entries.
fn check_circles(entries: &[EntryDoc], waits: &[Vec<(usize, Place)>], sink: &mut Sink) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; waits.len()];
    // A path of our own instead of the call stack: chains may be long.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..waits.len() {
        if marks.get(start) != Some(&Mark::New) {
            continue;
        }
        path.push((start, 0));
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            if let Some(mark) = marks.get_mut(node) {
                *mark = Mark::Open;
            }
            let Some((target, place)) = waits.get(node).and_then(|w| w.get(*next)) else {
                if let Some(mark) = marks.get_mut(node) {
                    *mark = Mark::Done;
                }
                path.pop();
                continue;
            };
            *next += 1;
            match marks.get(*target) {
                Some(Mark::New) => path.push((*target, 0)),
                Some(Mark::Open) => {
                    let from = path.iter().position(|(n, _)| n == target).unwrap_or(0);
                    let ring = path.iter().skip(from).map(|(n, _)| *n).chain([*target]);
                    let name = |n: usize| entries.get(n).map_or("?", |d| d.name.as_str());
                    let ring: Vec<&str> = ring.map(name).collect();
                    if let Some(doc) = entries.get(node) {
                        sink.enter(doc.index, doc.label());
                    }
                    sink.error(
                        place,
                        format!("dependency cycle, each waits for the next: {}", ring.join(" → ")),
                    )
                    .hint("remove one of the dependencies");
                }
                _ => {}
            }
        }
    }
}

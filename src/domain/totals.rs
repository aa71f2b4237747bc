//! Sums over the jobs of a plan.

use std::cmp::Reverse;

use super::{
    batch::EntryDoc,
    finding::Finding,
    job::JobType,
    plan::{EntrySummary, PlannedJob, Totals},
    resources::Gpus,
};

/// The cluster under which jobs count that are not placed yet.
pub const AUTO: &str = "auto";

/// Sums over jobs; at most `max_concurrent` of them run at once.
pub fn of(jobs: &[PlannedJob], max_concurrent: Option<u32>) -> Totals {
    let mut totals = Totals { jobs: jobs.len(), ..Totals::default() };
    for job_type in JobType::ALL {
        let count = jobs.iter().filter(|j| j.spec.job_type == job_type).count();
        if count > 0 {
            totals.by_type.insert(job_type, count);
        }
    }
    let mut needed: Vec<Gpus> = Vec::with_capacity(jobs.len());
    for job in jobs.iter().filter(|j| j.action.sends()) {
        totals.gpus += job.total_gpus;
        needed.push(job.total_gpus);
        let cluster = job.cluster.as_ref().map_or(AUTO, |c| c.as_str());
        match totals.gpus_by_cluster.get_mut(cluster) {
            Some(sum) => *sum += job.total_gpus,
            None => {
                totals.gpus_by_cluster.insert(cluster.to_owned(), job.total_gpus);
            }
        }
        if let Some(project) = job.spec.project.as_deref() {
            match totals.gpus_by_project.get_mut(project) {
                Some(sum) => *sum += job.total_gpus,
                None => {
                    totals.gpus_by_project.insert(project.to_owned(), job.total_gpus);
                }
            }
        }
    }
    totals.peak_gpus = match max_concurrent.map(|n| n as usize) {
        Some(most) if most < needed.len() => {
            // The most that any `most` of them need together.
            needed.sort_unstable_by_key(|gpus| Reverse(*gpus));
            needed.iter().take(most).copied().sum()
        }
        _ => totals.gpus,
    };
    totals
}

/// One row an entry.
pub(super) fn entries(
    docs: &[EntryDoc],
    ranges: &[(usize, usize)],
    jobs: &[PlannedJob],
    findings: &[Finding],
) -> Vec<EntrySummary> {
    let mut rows: Vec<EntrySummary> = docs
        .iter()
        .zip(ranges)
        .map(|(doc, (first, count))| {
            let own = jobs.get(*first..first + count).unwrap_or_default();
            EntrySummary {
                entry: doc.index,
                name: doc.name.clone(),
                job_type: doc.job_type,
                cluster: clusters(own),
                gpus: gpus(own),
                jobs: *count,
                total_gpus: own.iter().map(|j| j.total_gpus).sum(),
                is_group: doc.is_group(),
                errors: 0,
                warnings: 0,
            }
        })
        .collect();
    // Entries that are no map have no document, but a finding: a row for them too.
    for entry in findings.iter().filter_map(|f| f.entry) {
        if let Err(at) = rows.binary_search_by_key(&entry, |r| r.entry) {
            rows.insert(at, EntrySummary { entry, ..EntrySummary::default() });
        }
    }
    for finding in findings {
        let Some(entry) = finding.entry else { continue };
        if let Ok(at) = rows.binary_search_by_key(&entry, |r| r.entry)
            && let Some(row) = rows.get_mut(at)
        {
            if finding.is_error() {
                row.errors += 1;
            } else {
                row.warnings += 1;
            }
        }
    }
    rows
}

fn clusters(jobs: &[PlannedJob]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for job in jobs {
        let name = job.cluster.as_ref().map_or(AUTO, |c| c.as_str());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// `2`, `4×2`, `4×2+2` with a master, `1…8` over a group.
fn gpus(jobs: &[PlannedJob]) -> String {
    let one = |job: &PlannedJob| {
        let each = job.spec.gpus;
        match (job.spec.job_type, job.spec.workers) {
            (JobType::Distributed, Some(workers)) if job.replicas > workers => {
                format!("{workers}×{each}+{each}")
            }
            (JobType::Distributed, Some(workers)) => format!("{workers}×{each}"),
            _ => each.to_string(),
        }
    };
    let least = jobs.iter().min_by_key(|j| j.total_gpus);
    let most = jobs.iter().max_by_key(|j| j.total_gpus);
    match (least, most) {
        (Some(a), Some(b)) if a.total_gpus == b.total_gpus => one(a),
        (Some(a), Some(b)) => format!("{}…{}", a.total_gpus, b.total_gpus),
        _ => String::new(),
    }
}

//! Where a job may go: the clusters of its choice, what stands in the way on
//! each, and which one it is given to now.
//!
//! ```text
//! choice ─▶ candidates ─obstacles▶ able ─capacity▶ could ever hold it ─▶ one, or open
//! ```
//! A job stays open (`auto`) when several clusters could take it and one of them
//! has no queue of its own: such a cluster gets a job only when it fits, which is
//! known when it is sent.

mod bookings;
mod deal;
mod ledger;
mod obstacle;
mod outlook;
pub mod ray;
mod room;
mod shortage;

pub use bookings::{Bookings, Standing};
pub use deal::{Asks, Deal, OVERTAKES, Offer, Vacancy};
pub use ledger::Ledger;
pub use obstacle::{Obstacle, beyond_limits, obstacles, relies_on_image};
pub use outlook::{Outlook, look_ahead};
pub use room::{Room, room};
pub use shortage::shortage;

use super::{
    ids::ClusterId,
    job::{Candidate, ClusterChoice, JobSpec, JobType},
    nearest::nearest,
    site::{Amounts, Capabilities, ClusterKind, ClusterView, ClusterViews, Limits},
};

/// Replicas of a job on a kind of cluster: its workers, and the master where the
/// kind adds one. The MPI launcher takes no GPUs and is not counted.
pub fn replicas(spec: &JobSpec, adds_master: bool) -> u32 {
    if spec.job_type != JobType::Distributed {
        return 1;
    }
    let master = adds_master && spec.framework.as_deref() != Some("mpi");
    spec.workers.unwrap_or(1).saturating_add(u32::from(master))
}

/// What a job takes of the one node it runs on, on a cluster that gives a job whole to
/// a node: a core where it says nothing.
pub fn need(spec: &JobSpec, replicas: u32) -> Amounts {
    let times = f64::from(replicas.max(1));
    Amounts {
        gpus: spec.gpus.times(u64::from(replicas.max(1))),
        cpus: spec.cpus.filter(|cpus| *cpus > 0.0).unwrap_or(1.0) * times,
        memory: spec.memory.map_or(0, |m| m.bytes().saturating_mul(u64::from(replicas.max(1)))),
    }
}

/// How many logs a job has there: one a replica, or one that all of them share.
pub fn logs(spec: &JobSpec, can: &Capabilities) -> u32 {
    if can.worker_logs { replicas(spec, can.adds_master).max(1) } else { 1 }
}

/// The clusters a job may go to, in order of preference. `soft_tags` narrow them
/// where that leaves any (Ray's documents).
///
/// # Errors
/// Why there are none, or why the choice is faulty.
pub fn candidates<'v>(
    spec: &JobSpec,
    soft_tags: &[String],
    default: Option<&ClusterId>,
    views: &'v ClusterViews,
) -> Result<Vec<&'v ClusterView>, Vec<Obstacle>> {
    let found = match &spec.cluster {
        ClusterChoice::Default => vec![default_cluster(default, views).map_err(|o| vec![o])?],
        ClusterChoice::Listed(listed) => chosen(listed, views)?,
    };
    let has = |view: &&ClusterView, tags: &[String]| tags.iter().all(|t| view.tags.contains(t));
    if !spec.cluster_tags.is_empty() && !found.iter().any(|v| has(v, &spec.cluster_tags)) {
        let tags = spec.cluster_tags.join(", ");
        let known = views.values().flat_map(|v| &v.tags).map(String::as_str);
        let obstacle =
            Obstacle::new("cluster_tags", format!("no cluster of its choice has the tags {tags}"));
        let near = spec.cluster_tags.first().and_then(|t| nearest(t, known));
        return Err(vec![match near {
            Some(near) => obstacle.hint(format!("did you mean `{near}`?")),
            None => obstacle.hint("tag a cluster in the configuration, or remove the field"),
        }]);
    }
    let narrow = found.iter().any(|v| has(v, soft_tags));
    Ok(found
        .into_iter()
        .filter(|v| has(v, &spec.cluster_tags) && (!narrow || has(v, soft_tags)))
        .collect())
}

fn default_cluster<'v>(
    default: Option<&ClusterId>,
    views: &'v ClusterViews,
) -> Result<&'v ClusterView, Obstacle> {
    if let Some(id) = default {
        return views.get(id).ok_or_else(|| {
            Obstacle::new("cluster", format!("the default cluster `{id}` is not configured"))
                .hint("mend `default_cluster` in the configuration")
        });
    }
    let mut enabled = views.values().filter(|v| v.enabled);
    match (enabled.next(), enabled.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Obstacle::new("cluster", "no cluster is enabled")
            .hint("enable one in the configuration")),
        _ => {
            let names: Vec<_> = views.keys().map(ClusterId::as_str).take(6).collect();
            Err(Obstacle::new("cluster", "no cluster is chosen, and there is no default")
                .hint(format!("write `cluster:` with one of {}, or `auto`", names.join(", "))))
        }
    }
}

fn chosen<'v>(
    listed: &[Candidate],
    views: &'v ClusterViews,
) -> Result<Vec<&'v ClusterView>, Vec<Obstacle>> {
    let mut found: Vec<&ClusterView> = Vec::new();
    let mut faults = Vec::new();
    for candidate in listed {
        match candidate {
            Candidate::Named(id) => match views.get(id) {
                Some(view) if !found.iter().any(|f| f.id == view.id) => found.push(view),
                Some(_) => {}
                None => {
                    let known = views.keys().map(ClusterId::as_str);
                    let near = nearest(id.as_str(), known.clone().chain(["auto"]));
                    let hint = match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there is {}", known.collect::<Vec<_>>().join(", ")),
                    };
                    faults.push(
                        Obstacle::new("cluster", format!("no cluster is named `{id}`")).hint(hint),
                    );
                }
            },
            Candidate::Auto => {
                // One that cannot be driven says so: work meant for it must not end up
                // on this machine.
                let enabled = |v: &&ClusterView| v.enabled;
                let others = views.values().filter(enabled).any(|v| v.kind != ClusterKind::Local);
                for view in views.values().filter(enabled) {
                    let skip = others && view.kind == ClusterKind::Local;
                    if !skip && !found.iter().any(|f| f.id == view.id) {
                        found.push(view);
                    }
                }
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if found.is_empty() {
        return Err(vec![
            Obstacle::new("cluster", "no cluster is enabled")
                .hint("enable one in the configuration"),
        ]);
    }
    Ok(found)
}

/// A job against the clusters it may go to.
#[derive(Clone, Debug, Default)]
pub struct Judged<'v> {
    /// Those that can hold it, as far as is known.
    pub able: Vec<&'v ClusterView>,
    /// Why none of them can; empty when one can.
    pub refusals: Vec<Obstacle>,
    /// Only clusters that have not said what they have could hold it.
    pub doubt: Option<Obstacle>,
}

/// Which of these clusters can ever hold the job, and what is in the way if none
/// can.
pub fn judge<'v>(spec: &JobSpec, found: &[&'v ClusterView]) -> Judged<'v> {
    let mut able: Vec<&ClusterView> = Vec::with_capacity(found.len());
    let mut refusals: Vec<(&ClusterView, Vec<Obstacle>)> = Vec::new();
    let mut nevers: Vec<(&ClusterView, Obstacle)> = Vec::new();
    let mut unknown: Option<&ClusterView> = None;
    let mut all_unknown = true;
    for view in found {
        let mut obstacles = obstacles(spec, view);
        match room(spec, view) {
            Room::Never(obstacle) if obstacles.is_empty() => nevers.push((view, obstacle)),
            Room::Never(obstacle) => {
                // Its own limit on the same field says enough.
                if !obstacles.iter().any(|o| o.key == obstacle.key) {
                    obstacles.push(obstacle);
                }
                refusals.push((view, obstacles));
            }
            _ if !obstacles.is_empty() => refusals.push((view, obstacles)),
            Room::Enough => {
                all_unknown = false;
                able.push(view);
            }
            Room::Unknown => {
                unknown = unknown.or(Some(view));
                able.push(view);
            }
        }
    }
    if !able.is_empty() {
        let doubt = nevers.into_iter().next().filter(|_| all_unknown).map(|(_, mut never)| {
            if let Some(view) = unknown {
                never.message =
                    format!("{}; `{}` has not said what it has", never.message, view.id);
            }
            never.hint = None;
            never
        });
        return Judged { able, refusals: Vec::new(), doubt };
    }
    let refusals = match (nevers.as_slice(), refusals.as_slice()) {
        ([(_, never)], []) => vec![never.clone()],
        ([], [(_, obstacles)]) => obstacles.clone(),
        (nevers, refusals) => {
            let why: Vec<String> = refusals
                .iter()
                .filter_map(|(view, all)| Some(format!("{}: {}", view.id, all.first()?.message)))
                .chain(nevers.iter().map(|(view, o)| format!("{}: {}", view.id, o.message)))
                .collect();
            vec![
                Obstacle::new("cluster", "no cluster of its choice can run it")
                    .hint(why.join("; ")),
            ]
        }
    };
    Judged { able, refusals, doubt: None }
}

/// What stands in the way of a job outside a document, in the words of a plan:
/// one that is to be tried again with changes. `at`: where it was given to; `None`:
/// not given to any cluster yet. A cluster that is not configured (any more) says
/// nothing.
pub fn refusals(
    spec: &JobSpec,
    at: Option<&ClusterId>,
    limits: &Limits,
    default: Option<&ClusterId>,
    views: &ClusterViews,
) -> Vec<Obstacle> {
    let mut all = beyond_limits(spec, limits, None);
    let found = match at {
        Some(id) => Ok(views.get(id).into_iter().collect()),
        None => candidates(spec, &[], default, views),
    };
    match found {
        Ok(found) if found.is_empty() => {}
        Ok(found) => all.extend(judge(spec, &found).refusals),
        Err(obstacles) => all.extend(obstacles),
    }
    // As in a plan: one field, one finding.
    let mut told: Vec<&str> = Vec::new();
    all.retain(|obstacle| {
        let is_news = !told.contains(&obstacle.key);
        told.push(obstacle.key);
        is_news
    });
    all
}

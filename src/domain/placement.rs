//! Where a job may go: the clusters of its choice, what stands in the way on
//! each, and which one it is given to now.
//!
//! ```text
//! choice ─▶ candidates ─obstacles▶ able ─capacity▶ could ever hold it ─▶ one, or open
//! ```
//! A job stays open (`auto`) when several clusters could take it and one of them
//! has no queue of its own: such a cluster gets a job only when it fits, which is
//! known when it is sent.

use std::collections::HashMap;

use super::{
    ids::ClusterId,
    job::{Candidate, ClusterChoice, Command, JobSpec, JobType},
    nearest::nearest,
    resources::{Gpus, Memory},
    site::{ClusterKind, ClusterView, ClusterViews, Limits},
};

/// Something in the way, at a field of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub key: &'static str,
    pub message: String,
    pub hint: Option<String>,
    /// The field is needed and has no value.
    pub missing: bool,
}

impl Obstacle {
    fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into(), hint: None, missing: false }
    }
    fn missing(key: &'static str, message: impl Into<String>) -> Self {
        Self { missing: true, ..Self::new(key, message) }
    }
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Whether a cluster can ever hold a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// It has not said what it has.
    Unknown,
    Never(Obstacle),
}

/// Replicas of a job on a kind of cluster: its workers, and the master where the
/// kind adds one. The MPI launcher takes no GPUs and is not counted.
pub fn replicas(spec: &JobSpec, adds_master: bool) -> u32 {
    if spec.job_type != JobType::Distributed {
        return 1;
    }
    let master = adds_master && spec.framework.as_deref() != Some("mpi");
    spec.workers.unwrap_or(1).saturating_add(u32::from(master))
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
                let usable = |v: &&ClusterView| v.enabled && v.drivable;
                let others = views.values().filter(usable).any(|v| v.kind != ClusterKind::Local);
                for view in views.values().filter(usable) {
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

/// All that stands in the way of a job on one cluster, whatever it has free.
pub fn obstacles(spec: &JobSpec, view: &ClusterView) -> Vec<Obstacle> {
    let can = &view.capabilities;
    let (id, kind) = (&view.id, view.kind.word());
    let mut found = Vec::new();
    if !view.enabled {
        found.push(
            Obstacle::new("cluster", format!("the cluster `{id}` is disabled"))
                .hint("set `enabled: true` in the configuration, or choose another"),
        );
    }
    if !view.drivable {
        found.push(
            Obstacle::new(
                "cluster",
                format!("this version cannot drive `{id}`, a cluster of kind {kind}"),
            )
            .hint("choose another cluster, or update jobdeck"),
        );
        return found;
    }
    if !can.job_types.contains(&spec.job_type) {
        let word = spec.job_type.word();
        found.push(
            Obstacle::new("type", format!("`{id}` ({kind}) does not run jobs of type {word}"))
                .hint("choose another cluster"),
        );
        return found;
    }
    if can.needs_project && spec.project.is_none() {
        found.push(
            Obstacle::missing("project", format!("`{id}` ({kind}) needs a project"))
                .hint("write `project:`, for all jobs under `defaults`"),
        );
    }
    if can.needs_image && spec.image.is_none() {
        found.push(
            Obstacle::missing("image", format!("`{id}` ({kind}) needs an image"))
                .hint("write `image:`, for all jobs under `defaults`"),
        );
    }
    found.extend(missing_command(spec, view));
    if !can.gpu_fractions && !spec.gpus.is_whole() {
        found.push(
            Obstacle::new("gpus", format!("`{id}` ({kind}) gives whole GPUs only"))
                .hint("write a whole number"),
        );
    }
    found.extend(beyond_limits(spec, &view.limits, Some(id)));
    if let Some(project) = spec.project.as_deref().filter(|_| !view.projects.is_empty())
        && !view.projects.iter().any(|p| p == project)
    {
        let obstacle = Obstacle::new("project", format!("`{id}` has no project `{project}`"));
        found.push(match nearest(project, view.projects.iter().map(String::as_str)) {
            Some(near) => obstacle.hint(format!("did you mean `{near}`?")),
            None => obstacle,
        });
    }
    found
}

/// It has no command but an image, which may bring one.
pub fn relies_on_image(spec: &JobSpec) -> bool {
    spec.command.is_none() && spec.image.is_some() && spec.job_type != JobType::Workspace
}

fn missing_command(spec: &JobSpec, view: &ClusterView) -> Option<Obstacle> {
    let empty = match &spec.command {
        None => true,
        Some(Command::Shell(text)) => text.trim().is_empty(),
        Some(Command::Argv(argv)) => argv.is_empty(),
    };
    if !empty || !view.capabilities.needs_command || spec.job_type == JobType::Method {
        return None;
    }
    if relies_on_image(spec) {
        // A document written for clusters with images: worth a warning, not more.
        return None;
    }
    let id = &view.id;
    if spec.job_type == JobType::Workspace {
        let tool = spec.workspace_type.as_deref().unwrap_or("jupyter");
        return match (tool, view.has_jupyter) {
            ("jupyter", Some(false)) => Some(
                Obstacle::missing(
                    "command",
                    format!("no command, and `{id}` has no jupyter on its PATH"),
                )
                .hint("write `command:`, or install jupyter"),
            ),
            ("jupyter", _) => None,
            _ => Some(
                Obstacle::missing(
                    "command",
                    format!("no command, and `{id}` cannot start {tool} by itself"),
                )
                .hint("write `command:`"),
            ),
        };
    }
    Some(Obstacle::missing("command", "there is no command").hint("write what is to be run"))
}

/// What goes beyond configured limits; `of` is the cluster they are of, `None`
/// for those of all clusters.
pub fn beyond_limits(spec: &JobSpec, limits: &Limits, of: Option<&ClusterId>) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let who = of.map_or_else(|| "the configuration".to_owned(), |id| format!("`{id}`"));
    if let Some(most) = limits.max_gpus_per_job.filter(|most| spec.gpus > *most) {
        let gpus = spec.gpus;
        let what = if spec.job_type == JobType::Distributed {
            format!("GPUs per worker ({gpus}) exceed the most that {who} allows ({most})")
        } else {
            format!("GPUs of the job ({gpus}) exceed the most that {who} allows ({most})")
        };
        found.push(Obstacle::new("gpus", what).hint("ask for fewer, or raise `max_gpus_per_job`"));
    }
    if let (Some(project), Some(allowed)) = (spec.project.as_deref(), &limits.allowed_projects)
        && !allowed.iter().any(|p| p == "*" || p == project)
    {
        let near = nearest(project, allowed.iter().map(String::as_str));
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None if allowed.is_empty() => "add it to `allowed_projects`".to_owned(),
            None => format!("allowed: {}", allowed.join(", ")),
        };
        let message = format!("the project `{project}` is not among those that {who} allows");
        found.push(Obstacle::new("project", message).hint(hint));
    }
    found
}

/// Whether the cluster can ever hold the job, as far as it has said what it has.
pub fn room(spec: &JobSpec, view: &ClusterView) -> Room {
    let Some((_, has)) = &view.capacity else { return Room::Unknown };
    let id = &view.id;
    let replicas = replicas(spec, view.capabilities.adds_master);
    let each = if spec.job_type == JobType::Distributed { " per worker" } else { "" };
    if let Some(most) = has.gpus_per_node.filter(|most| spec.gpus > *most && !most.is_zero()) {
        let gpus = spec.gpus;
        return Room::Never(
            Obstacle::new(
                "gpus",
                format!("{gpus} GPUs{each}, and no machine of `{id}` has more than {most}"),
            )
            .hint("ask for fewer, or use workers of a distributed job"),
        );
    }
    let needed = spec.gpus.times(u64::from(replicas));
    let nowhere = has.gpus_per_node.filter(|most| most.is_zero());
    if let Some(total) = nowhere.or(has.gpus_total).filter(|total| needed > *total) {
        let has = if total.is_zero() { "none".to_owned() } else { format!("{total} in all") };
        return Room::Never(
            Obstacle::new("gpus", format!("it needs {needed} GPUs, and `{id}` has {has}"))
                .hint("ask for fewer, or choose another cluster"),
        );
    }
    let cpus = spec.cpus.unwrap_or(0.0) * f64::from(replicas);
    if let Some(total) = has.cpus_total.filter(|total| cpus > *total) {
        return Room::Never(
            Obstacle::new("cpus", format!("it needs {cpus} CPUs, and `{id}` has {total} in all"))
                .hint("ask for fewer, or choose another cluster"),
        );
    }
    let memory = spec.memory.map_or(0, |m| m.bytes().saturating_mul(u64::from(replicas)));
    if let Some(total) = has.memory_total.filter(|total| memory > *total) {
        let (memory, total) = (Memory::from_bytes(memory), Memory::from_bytes(total >> 20 << 20));
        return Room::Never(
            Obstacle::new(
                "memory",
                format!("it needs {memory} of memory, and `{id}` has {total} in all"),
            )
            .hint("ask for less, or choose another cluster"),
        );
    }
    if has.gpus_total.is_none() && !spec.gpus.is_zero() { Room::Unknown } else { Room::Enough }
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

/// What is left of the free GPUs of each cluster while a batch is dealt out.
#[derive(Debug, Default)]
pub struct Ledger(HashMap<ClusterId, Gpus>);

impl Ledger {
    /// Gives the job to one of the clusters that can hold it; `None`: decided when
    /// it is sent. Takes its GPUs off what is free there.
    pub fn place<'v>(
        &mut self,
        spec: &JobSpec,
        able: &[&'v ClusterView],
    ) -> Option<&'v ClusterView> {
        let chosen = match able {
            [] => return None,
            [only] => *only,
            several if several.iter().any(|v| !v.capabilities.queue) => return None,
            several => several
                .iter()
                .find(|v| {
                    let needed = needed(spec, v);
                    self.free(v).is_some_and(|free| free >= needed)
                })
                .or_else(|| several.first())?,
        };
        if let Some(free) = self.free(chosen) {
            self.0.insert(chosen.id.clone(), free.saturating_sub(needed(spec, chosen)));
        }
        Some(chosen)
    }

    fn free(&self, view: &ClusterView) -> Option<Gpus> {
        let said = view.capacity.as_ref().and_then(|(_, has)| has.gpus_free);
        self.0.get(&view.id).copied().or(said)
    }
}

fn needed(spec: &JobSpec, view: &ClusterView) -> Gpus {
    spec.gpus.times(u64::from(replicas(spec, view.capabilities.adds_master)))
}

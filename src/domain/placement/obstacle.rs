//! What stands in the way of a job on a cluster, whatever is free there.

use crate::domain::{
    ids::ClusterId,
    job::{Command, JobSpec, JobType},
    nearest::nearest,
    placement::ray,
    site::{ClusterKind, ClusterView, Limits},
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
    pub(super) fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into(), hint: None, missing: false }
    }
    fn missing(key: &'static str, message: impl Into<String>) -> Self {
        Self { missing: true, ..Self::new(key, message) }
    }
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
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
    if view.kind == ClusterKind::Ray {
        found.extend(ray::obstacles(spec));
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

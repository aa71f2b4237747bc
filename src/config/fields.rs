//! The one table of configuration fields. Reading, did-you-mean, environment
//! names and `jobdeck schema config` all come from it, so none of them can
//! forget a field.

use crate::domain::site::ClusterKind;

/// What may stand as a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    Bool,
    /// A whole number of at least this.
    Count(u64),
    /// A number of zero or more.
    Number,
    /// A number of GPUs, whole or a fraction.
    Gpus,
    /// `auto`, or how many slots.
    LocalGpus,
    /// `5s`, `500ms`, `2m`, or a number of seconds. Kept in milliseconds.
    Duration,
    TextList,
    /// Free-form keys.
    Map,
    /// `http://` or `https://`.
    Url,
    /// `env:NAME`, `file:PATH`, `cmd:PROGRAM`; plain text works and is warned of.
    Secret,
    /// One of the kinds of cluster.
    Kind,
    /// `apptainer` or `pyxis`.
    ImageRunner,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
    pub help: &'static str,
}

const fn field(name: &'static str, shape: Shape, help: &'static str) -> Field {
    Field { name, shape, help }
}

/// Top-level keys that hold a value; beside them stand `limits`, `ui`, `clusters`.
pub const ROOT: &[Field] = &[field(
    "default_cluster",
    Shape::Text,
    "Cluster of jobs that name none; without it the only cluster there is",
)];

/// Top-level keys that hold a section.
pub const SECTIONS: &[(&str, &str)] = &[
    ("limits", "What a batch may ask for; what is not set does not limit"),
    ("ui", "The terminal UI"),
    ("clusters", "The places that run jobs, by name"),
];

/// `limits`, at the top and inside a cluster.
pub const LIMITS: &[Field] = &[
    field("max_batch_size", Shape::Count(1), "Most jobs in one batch, sweeps expanded"),
    field(
        "max_gpus_per_job",
        Shape::Gpus,
        "Most GPUs one job may ask for; per worker if distributed",
    ),
    field("allowed_projects", Shape::TextList, "Projects that jobs may name; [\"*\"] allows all"),
    field(
        "require_confirmation",
        Shape::Bool,
        "false, with dry_run_default: false, spares the question of `submit` on a terminal",
    ),
    field(
        "dry_run_default",
        Shape::Bool,
        "false, with require_confirmation: false, spares the question of `submit` on a terminal",
    ),
];

/// `ui`.
pub const UI: &[Field] = &[
    field(
        "theme",
        Shape::Text,
        "Name of a theme, or a path to one; without it chosen from the terminal",
    ),
    field(
        "confirm_jobs",
        Shape::Count(0),
        "Above this many jobs the number must be typed to confirm",
    ),
    field(
        "confirm_gpus",
        Shape::Count(0),
        "Above this many GPUs the number must be typed to confirm",
    ),
    field("mouse", Shape::Bool, "Take the mouse (clicks and wheel); default true"),
];

/// What every cluster's entry may have; beside these stands `limits`.
pub const CLUSTER: &[Field] = &[
    field("kind", Shape::Kind, "What runs there"),
    field("enabled", Shape::Bool, "false takes the cluster out without removing its entry"),
    field("tags", Shape::TextList, "Labels that a job's cluster_tags choose among"),
    field("min_interval", Shape::Duration, "Shortest time between polls: 5s, 500ms, or seconds"),
    field("max_inflight", Shape::Count(1), "Most jobs that jobdeck keeps there at once"),
];

const LOCAL: &[Field] = &[
    field("gpus", Shape::LocalGpus, "auto (what nvidia-smi lists, else none) or a number of slots"),
    field("cpus", Shape::Number, "CPU cores that jobs may use together; default all"),
    field("grace", Shape::Duration, "Time between TERM and KILL at a cancel; default 10s"),
];

const SLURM: &[Field] = &[
    field("ssh", Shape::Text, "user@host of a login node; without it the commands on this machine"),
    field("partition", Shape::Text, "Default partition"),
    field("account", Shape::Text, "Default account"),
    field("qos", Shape::Text, "Default quality of service"),
    field("constraint", Shape::Text, "Default node constraint"),
    field("ssh_options", Shape::TextList, "More arguments of ssh, one item each"),
    field(
        "remote_dir",
        Shape::Text,
        "Folder there for code and logs, on all its nodes; default jobdeck in the home folder",
    ),
    field("bash_setup", Shape::Text, "Shell text at the start of every script: modules, conda"),
    field("prefix", Shape::Text, "Shell text before every command on the login node"),
    field("images", Shape::ImageRunner, "What runs images there: apptainer or pyxis"),
    field("options", Shape::Map, "Defaults for a job's `options: {slurm: …}`"),
];

const RAY: &[Field] = &[
    field("address", Shape::Url, "The dashboard's address, as http://host:8265"),
    field(
        "head_address",
        Shape::Text,
        "Address for Ray clients; kept and shown, not used to submit",
    ),
    field("runtime_env", Shape::Map, "Default runtime environment"),
    field("prefer", Shape::Bool, "Prefer this cluster when several can run a job"),
    field("weight", Shape::Number, "Weight when clusters are chosen among; default 1"),
    field(
        "patience",
        Shape::Duration,
        "How long a job that prefers this cluster waits for room before it goes elsewhere; default 10s",
    ),
    field("token", Shape::Secret, "Bearer token of the dashboard"),
    field(
        "path_map",
        Shape::Map,
        "Paths of this machine that are called otherwise there: {/home/alice: /mnt/alice}",
    ),
];

const RUNAI: &[Field] = &[
    field("url", Shape::Url, "Address of the control plane"),
    field("client_id", Shape::Text, "Id of the application that submits, or a reference to it"),
    field("client_secret", Shape::Secret, "Its secret"),
    field("cluster", Shape::Text, "Name or id of the cluster, where the tenant has several"),
    field("project", Shape::Text, "Default project"),
    field("ca_file", Shape::Text, "Certificate of a private authority"),
];

const RUNAI_KUBE: &[Field] = &[
    field("context", Shape::Text, "Context of the kubeconfig; without it the current one"),
    field("kubeconfig", Shape::Text, "Path; default $KUBECONFIG, else ~/.kube/config"),
    field("project", Shape::Text, "Default project"),
];

const DSHPC: &[Field] = &[
    field("url", Shape::Url, "Address of the service"),
    field("api_key", Shape::Secret, "Key sent with every request"),
];

/// What only this kind of cluster is configured with.
pub fn of_kind(kind: ClusterKind) -> &'static [Field] {
    match kind {
        ClusterKind::Local => LOCAL,
        ClusterKind::Slurm => SLURM,
        ClusterKind::Ray => RAY,
        ClusterKind::Runai => RUNAI,
        ClusterKind::RunaiKube => RUNAI_KUBE,
        ClusterKind::Dshpc => DSHPC,
    }
}

/// What may stand in a cluster of this kind, common fields first.
pub fn of_cluster(kind: ClusterKind) -> impl Iterator<Item = &'static Field> + Clone {
    CLUSTER.iter().chain(of_kind(kind))
}

/// What may stand in a cluster of some kind.
pub fn of_any_cluster() -> impl Iterator<Item = &'static Field> + Clone {
    CLUSTER.iter().chain(ClusterKind::ALL.into_iter().flat_map(of_kind))
}

/// Environment variables that set a field: `(variable, section, field)`. The
/// section is empty for a top-level field. A field of a section has two names,
/// with and without the section: `JOBDECK_THEME` and `JOBDECK_UI_THEME`.
pub fn environment() -> impl Iterator<Item = (String, &'static str, &'static Field)> {
    let named = |prefix: &'static str, section: &'static str, fields: &'static [Field]| {
        fields.iter().map(move |f| (format!("{prefix}{}", f.name.to_uppercase()), section, f))
    };
    named("JOBDECK_", "", ROOT)
        .chain(named("JOBDECK_", "limits", LIMITS))
        .chain(named("JOBDECK_", "ui", UI))
        .chain(named("JOBDECK_LIMITS_", "limits", LIMITS))
        .chain(named("JOBDECK_UI_", "ui", UI))
}

/// Settings that are no fields: folders and files.
pub const OTHER_SETTINGS: &[&str] =
    &["JOBDECK_CONFIG", "JOBDECK_CLUSTERS", "JOBDECK_STATE_DIR", "JOBDECK_ETC_DIR"];

/// Variables with our prefix that jobs are started with.
pub const OF_JOBS: &[&str] = &["JOBDECK_RUN", "JOBDECK_JOB", "JOBDECK_ATTEMPT"];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_field_stands_twice() {
        for kind in ClusterKind::ALL {
            let names: Vec<_> = of_cluster(kind).map(|f| f.name).collect();
            let unique: BTreeSet<_> = names.iter().collect();
            assert_eq!(names.len(), unique.len(), "{}", kind.word());
        }
        let variables: Vec<_> = environment().map(|(v, ..)| v).collect();
        let unique: BTreeSet<_> = variables.iter().collect();
        assert_eq!(variables.len(), unique.len());
        let others = [OTHER_SETTINGS, OF_JOBS].concat();
        assert!(variables.iter().all(|v| !others.contains(&v.as_str())));
    }
}

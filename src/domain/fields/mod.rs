//! One table of everything that may be written in a batch document.
//!
//! The reader, the JSON Schema and the forms are all fed from it, so that no
//! field is accepted in one place and unknown in another.

use super::job::JobType;

/// What a value looks like, and so how it is read and edited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldKind {
    /// One line of text.
    Text,
    /// A name that also becomes a row, a folder and a remote name.
    Name,
    /// One of these words; others are an error.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Flag,
    /// A whole number within these bounds.
    Whole { min: u64, max: u64 },
    /// A number above zero, fractions allowed.
    Number { max: f64 },
    /// Whole GPUs or a fraction.
    Gpus,
    /// `16G`; a bare number is GiB.
    Memory,
    /// `90s`, `30m`, `4h`, `4:00:00`, `1-00:00:00`.
    TimeLimit,
    /// Text for a shell (perhaps many lines), or a list of exact arguments.
    Command,
    /// A path; relative ones start at the document's folder.
    Path,
    /// A list of paths.
    Paths,
    /// A list of text; one text stands for a list of one.
    List,
    /// Text to text.
    Map,
    /// Anything JSON can say, under named keys.
    Tree,
    /// The name of a cluster, a list in order of preference, or `auto`.
    Cluster,
    /// Names of jobs and groups, each perhaps with how it must end.
    Dependencies,
    /// Parameters with their values.
    Sweep,
    /// A list of parameter values.
    Combinations,
    /// The list of jobs.
    Jobs,
    /// Fields for all jobs.
    Defaults,
    /// Ray's `{CPU, GPU, memory}`.
    RayResources,
}

/// Whether a field may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    Always,
    /// Where the cluster needs it.
    ByCluster,
    No,
}

/// One field of the document's head or of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldSpec {
    pub key: &'static str,
    /// For forms.
    pub label: &'static str,
    pub kind: FieldKind,
    /// Job types it means something for.
    pub types: &'static [JobType],
    pub required: Required,
    /// Shown in a form at once; the rest folds away.
    pub common: bool,
    /// May stand under `defaults`.
    pub defaultable: bool,
    /// Placeholders of a sweep may stand in it.
    pub placeholders: bool,
    /// Other words for the same (Ray's).
    pub aliases: &'static [&'static str],
    /// One sentence for forms and the schema.
    pub help: &'static str,
    /// A value as it may be written.
    pub example: &'static str,
}

impl FieldSpec {
    pub fn applies_to(&self, job_type: JobType) -> bool {
        self.types.contains(&job_type)
    }
}

const ALL: &[JobType] = &JobType::ALL;
/// Types that run a command of their own.
const RUN: &[JobType] = &[JobType::Training, JobType::Distributed, JobType::Workspace];
const DISTRIBUTED: &[JobType] = &[JobType::Distributed];
const WORKSPACE: &[JobType] = &[JobType::Workspace];
const METHOD: &[JobType] = &[JobType::Method];

/// Frameworks of distributed jobs, canonical.
pub const FRAMEWORKS: &[&str] = &["pytorch", "tensorflow", "mpi", "jax", "xgboost"];
/// Tools of workspaces.
pub const WORKSPACE_TYPES: &[&str] = &["jupyter", "vscode", "custom"];
/// Types of jobs.
pub const JOB_TYPES: &[&str] = &["training", "distributed", "workspace", "method"];
/// GPUs of one replica above which a number is taken for a slip.
pub const MAX_GPUS: u64 = 1_024;
/// Workers above which a number is taken for a slip.
pub const MAX_WORKERS: u64 = 512;

const BASE: FieldSpec = FieldSpec {
    key: "",
    label: "",
    kind: FieldKind::Text,
    types: RUN,
    required: Required::No,
    common: false,
    defaultable: true,
    placeholders: true,
    aliases: &[],
    help: "",
    example: "",
};

/// The fields of a job, in the order forms and documents show them.
pub const JOB: &[FieldSpec] = &[
    FieldSpec {
        key: "type",
        label: "Type",
        kind: FieldKind::Choice(JOB_TYPES),
        types: ALL,
        common: true,
        placeholders: false,
        help: "What kind of job it is; training when left out.",
        example: "training",
        ..BASE
    },
    FieldSpec {
        key: "name",
        label: "Name",
        kind: FieldKind::Name,
        types: ALL,
        required: Required::Always,
        common: true,
        defaultable: false,
        aliases: &["job_id"],
        help: "Unique in the batch; the jobs of a sweep are called name-1, name-2, …",
        example: "fine-tune-mlp",
        ..BASE
    },
    FieldSpec {
        key: "cluster",
        label: "Cluster",
        kind: FieldKind::Cluster,
        types: ALL,
        common: true,
        aliases: &["preferred_cluster"],
        help: "Where it goes: a cluster, a list in order of preference, or auto.",
        example: "lab",
        ..BASE
    },
    FieldSpec {
        key: "project",
        label: "Project",
        types: ALL,
        required: Required::ByCluster,
        common: true,
        help: "The project or account it is counted under.",
        example: "project-01",
        ..BASE
    },
    FieldSpec {
        key: "image",
        label: "Image",
        required: Required::ByCluster,
        common: true,
        help: "Container image, with its tag; unused where jobs are plain processes.",
        example: "pytorch/pytorch:latest",
        ..BASE
    },
    FieldSpec {
        key: "gpus",
        label: "GPUs",
        kind: FieldKind::Gpus,
        common: true,
        help: "GPUs of the job, per worker for distributed; whole or a fraction such as 0.5.",
        example: "2",
        ..BASE
    },
    FieldSpec {
        key: "workers",
        label: "Workers",
        kind: FieldKind::Whole { min: 1, max: MAX_WORKERS },
        types: DISTRIBUTED,
        common: true,
        help: "Replicas of a distributed job; gpus, cpus and memory are per worker.",
        example: "4",
        ..BASE
    },
    FieldSpec {
        key: "framework",
        label: "Framework",
        kind: FieldKind::Choice(FRAMEWORKS),
        types: DISTRIBUTED,
        common: true,
        help: "What connects the workers; pytorch when left out.",
        example: "pytorch",
        ..BASE
    },
    FieldSpec {
        key: "workspace_type",
        label: "Tool",
        kind: FieldKind::Choice(WORKSPACE_TYPES),
        types: WORKSPACE,
        common: true,
        help: "The tool of the workspace; jupyter when left out.",
        example: "jupyter",
        ..BASE
    },
    FieldSpec {
        key: "file_hash",
        label: "File hash",
        types: METHOD,
        common: true,
        help: "Hash of the registered file the method is applied to.",
        example: "9f2c41d8",
        ..BASE
    },
    FieldSpec {
        key: "file",
        label: "File",
        kind: FieldKind::Path,
        types: METHOD,
        help: "A file to register and apply the method to, instead of its hash.",
        example: "data/scan.nii",
        ..BASE
    },
    FieldSpec {
        key: "method_name",
        label: "Method",
        types: METHOD,
        required: Required::Always,
        common: true,
        help: "Name of the registered method.",
        example: "Example Method",
        ..BASE
    },
    FieldSpec {
        key: "parameters",
        label: "Parameters",
        kind: FieldKind::Tree,
        types: METHOD,
        common: true,
        help: "Parameters of the method.",
        example: "{threshold: 0.5}",
        ..BASE
    },
    FieldSpec {
        key: "command",
        label: "Command",
        kind: FieldKind::Command,
        required: Required::ByCluster,
        common: true,
        aliases: &["entrypoint"],
        help: "What is run: text for a shell, or a list of exact arguments.",
        example: "python train.py --lr {lr}",
        ..BASE
    },
    FieldSpec {
        key: "args",
        label: "Arguments",
        kind: FieldKind::Command,
        help: "Appended to the command, or given to the image's own.",
        example: "--epochs 10",
        ..BASE
    },
    FieldSpec {
        key: "sweep",
        label: "Sweep",
        kind: FieldKind::Sweep,
        types: ALL,
        common: true,
        defaultable: false,
        placeholders: false,
        help: "Parameters with their values; every combination becomes a job.",
        example: "{lr: [1e-3, 1e-2], seed: {range: [0, 3]}}",
        ..BASE
    },
    FieldSpec {
        key: "sweep_mode",
        label: "Sweep mode",
        kind: FieldKind::Choice(&["grid", "zip"]),
        types: ALL,
        defaultable: false,
        placeholders: false,
        help: "grid: every combination; zip: first with first, second with second.",
        example: "grid",
        ..BASE
    },
    FieldSpec {
        key: "exclude",
        label: "Exclude",
        kind: FieldKind::Combinations,
        types: ALL,
        defaultable: false,
        placeholders: false,
        help: "Combinations that are left out.",
        example: "[{lr: 1e-1, seed: 2}]",
        ..BASE
    },
    FieldSpec {
        key: "include",
        label: "Include",
        kind: FieldKind::Combinations,
        types: ALL,
        defaultable: false,
        placeholders: false,
        help: "Combinations that are added.",
        example: "[{lr: 1.0, seed: 9}]",
        ..BASE
    },
    FieldSpec {
        key: "depends_on",
        label: "Depends on",
        kind: FieldKind::Dependencies,
        types: ALL,
        defaultable: false,
        placeholders: false,
        help: "Jobs or groups that must succeed first; {name: ended} for any end.",
        example: "[lr]",
        ..BASE
    },
    FieldSpec {
        key: "time_limit",
        label: "Time limit",
        kind: FieldKind::TimeLimit,
        types: ALL,
        common: true,
        help: "After this it is ended: 90s, 30m, 4h, 4:00:00 or 1-00:00:00.",
        example: "4h",
        ..BASE
    },
    FieldSpec {
        key: "env",
        label: "Environment",
        kind: FieldKind::Map,
        common: true,
        help: "Environment variables; secrets as env:NAME, file:PATH or cmd:PROGRAM.",
        example: "{WANDB_PROJECT: mlp}",
        ..BASE
    },
    FieldSpec {
        key: "working_dir",
        label: "Working folder",
        kind: FieldKind::Path,
        help: "Folder in which it runs.",
        example: "runs/mlp",
        ..BASE
    },
    FieldSpec {
        key: "src_dir",
        label: "Code folder",
        kind: FieldKind::Path,
        help: "Folder of code that is sent along, once per run and cluster.",
        example: "./src",
        ..BASE
    },
    FieldSpec {
        key: "libraries",
        label: "Libraries",
        kind: FieldKind::Paths,
        help: "Further folders of code that are sent along.",
        example: "[../common]",
        ..BASE
    },
    FieldSpec {
        key: "cpus",
        label: "CPUs",
        kind: FieldKind::Number { max: 10_000.0 },
        help: "CPU cores, per worker for distributed.",
        example: "8",
        ..BASE
    },
    FieldSpec {
        key: "memory",
        label: "Memory",
        kind: FieldKind::Memory,
        help: "Main memory, per worker for distributed; 16G, a bare number is GiB.",
        example: "16G",
        ..BASE
    },
    FieldSpec {
        key: "gpu_type",
        label: "GPU type",
        help: "Model of GPU, as the cluster calls it.",
        example: "a100",
        ..BASE
    },
    FieldSpec {
        key: "nodes",
        label: "Nodes",
        kind: FieldKind::Whole { min: 1, max: 10_000 },
        help: "Machines over which it is spread.",
        example: "2",
        ..BASE
    },
    FieldSpec {
        key: "exclusive",
        label: "Exclusive",
        kind: FieldKind::Flag,
        help: "Share the machines with no other job.",
        example: "true",
        ..BASE
    },
    FieldSpec {
        key: "priority",
        label: "Priority",
        types: ALL,
        help: "Priority, as the cluster calls it.",
        example: "high",
        ..BASE
    },
    FieldSpec {
        key: "max_retries",
        label: "Retries",
        kind: FieldKind::Whole { min: 0, max: 100 },
        types: ALL,
        help: "Automatic new attempts when the job is not to blame for its end.",
        example: "2",
        ..BASE
    },
    FieldSpec {
        key: "tags",
        label: "Tags",
        kind: FieldKind::List,
        types: ALL,
        help: "Labels of the job.",
        example: "[baseline]",
        ..BASE
    },
    FieldSpec {
        key: "cluster_tags",
        label: "Cluster tags",
        kind: FieldKind::List,
        types: ALL,
        help: "It goes only to clusters that have all of these tags.",
        example: "[gpu]",
        ..BASE
    },
    FieldSpec {
        key: "metadata",
        label: "Metadata",
        kind: FieldKind::Map,
        types: ALL,
        help: "Free text under names of your own, kept with the job.",
        example: "{owner: alice}",
        ..BASE
    },
    FieldSpec {
        key: "submission_id",
        label: "Submission id",
        types: RUN,
        defaultable: false,
        help: "The id the job is to have on a Ray cluster.",
        example: "sub-001",
        ..BASE
    },
    FieldSpec {
        key: "options",
        label: "Options",
        kind: FieldKind::Tree,
        types: ALL,
        help: "What only one kind of cluster knows; keyed by kind when it may go to several.",
        example: "{slurm: {partition: gpu}}",
        ..BASE
    },
    FieldSpec {
        key: "resource_requirements",
        label: "Ray resources",
        kind: FieldKind::RayResources,
        help: "Ray's words for cpus, gpus and memory: {CPU, GPU, memory}.",
        example: "{CPU: 4, GPU: 1, memory: 16}",
        ..BASE
    },
    FieldSpec {
        key: "runtime_env",
        label: "Ray runtime",
        kind: FieldKind::Tree,
        help: "Ray's runtime environment; the same as options: {ray: {runtime_env: …}}.",
        example: "{pip: [torch]}",
        ..BASE
    },
];

const HEAD_BASE: FieldSpec =
    FieldSpec { types: ALL, defaultable: false, placeholders: false, ..BASE };

/// The fields of a document's head.
pub const HEAD: &[FieldSpec] = &[
    FieldSpec {
        key: "name",
        label: "Batch name",
        kind: FieldKind::Name,
        common: true,
        help: "Name of the batch; the file's name when left out.",
        example: "fine-tune-mlp",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "continue_on_error",
        label: "Continue on error",
        kind: FieldKind::Flag,
        help: "false: the first refused submission stops the rest.",
        example: "true",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "max_concurrent",
        label: "At most at once",
        kind: FieldKind::Whole { min: 1, max: u32::MAX as u64 },
        common: true,
        help: "At most this many jobs of the batch run at once, over all clusters.",
        example: "3",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "max_failures",
        label: "Stop after failures",
        kind: FieldKind::Whole { min: 1, max: u32::MAX as u64 },
        help: "After this many failed jobs nothing more is sent.",
        example: "10",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "on_existing",
        label: "Existing work",
        kind: FieldKind::Choice(&["submit", "reuse"]),
        help: "reuse: identical earlier jobs are attached to or their results taken.",
        example: "submit",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "dry_run",
        label: "Dry run",
        kind: FieldKind::Flag,
        help: "true: this file is only ever previewed.",
        example: "false",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "confirmed",
        label: "Confirmed",
        kind: FieldKind::Flag,
        help: "Read and ignored: confirming is a person's key press, or --yes.",
        example: "false",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "defaults",
        label: "Defaults",
        kind: FieldKind::Defaults,
        help: "Fields for all jobs; a job's own win.",
        example: "{cluster: lab, image: pytorch/pytorch:latest}",
        ..HEAD_BASE
    },
    FieldSpec {
        key: "jobs",
        label: "Jobs",
        kind: FieldKind::Jobs,
        required: Required::Always,
        help: "The list of jobs.",
        example: "[{name: a, command: python train.py}]",
        ..HEAD_BASE
    },
];

/// The field of a job that is written so, by its own key or an alias.
pub fn job_field(key: &str) -> Option<&'static FieldSpec> {
    JOB.iter().find(|f| f.key == key || f.aliases.contains(&key))
}

/// The field of the head that is written so.
pub fn head_field(key: &str) -> Option<&'static FieldSpec> {
    HEAD.iter().find(|f| f.key == key)
}

/// The fields of a form for this type of job, in order. Ray's own words are left
/// out: they are for documents that come from there.
pub fn form_fields(job_type: JobType) -> impl Iterator<Item = &'static FieldSpec> {
    JOB.iter().filter(move |f| {
        f.applies_to(job_type) && !matches!(f.key, "resource_requirements" | "runtime_env")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_is_used_once_and_explained() {
        for table in [JOB, HEAD] {
            let mut words = HashSet::new();
            for field in table {
                assert!(words.insert(field.key), "{} twice", field.key);
                for alias in field.aliases {
                    assert!(words.insert(alias), "{alias} twice");
                }
                assert!(!field.help.is_empty() && !field.label.is_empty(), "{}", field.key);
                assert!(!field.example.is_empty(), "{}", field.key);
            }
        }
    }

    #[test]
    fn choices_match_the_types() {
        assert_eq!(JOB_TYPES, JobType::ALL.map(JobType::word));
    }
}

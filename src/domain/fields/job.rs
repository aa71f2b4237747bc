//! The fields of a job.

use super::{
    ALL, BASE, FRAMEWORKS, FieldKind, FieldSpec, JOB_TYPES, MAX_WORKERS, RUN, Required,
    WORKSPACE_TYPES,
};
use crate::domain::job::JobType;

const DISTRIBUTED: &[JobType] = &[JobType::Distributed];
const WORKSPACE: &[JobType] = &[JobType::Workspace];
const METHOD: &[JobType] = &[JobType::Method];

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

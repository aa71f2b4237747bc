//! Fields inside a job's `options` that forms show as fields of their own.

use super::{ALL, BASE, FieldKind, FieldSpec};
use crate::domain::site::ClusterKind;

/// Where they stand in a document: `options.partition`, or `options.slurm.partition`.
const WITHIN: &str = "options.";

const OF_SLURM: FieldSpec = FieldSpec { types: ALL, ..BASE };

/// What only Slurm is asked for. The keys are those of `sbatch`'s options; the
/// adapter takes no others.
pub const SLURM: &[FieldSpec] = &[
    FieldSpec {
        key: "options.partition",
        label: "Partition",
        common: true,
        help: "Slurm partition; several with commas between: the first that can start it.",
        example: "gpu",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.account",
        label: "Account",
        common: true,
        help: "Slurm account that it is charged to.",
        example: "research",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.qos",
        label: "QOS",
        common: true,
        help: "Slurm quality of service: its limits and priority.",
        example: "normal",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.constraint",
        label: "Constraint",
        help: "Features that its nodes must have: a100, or a100&nvlink.",
        example: "a100",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.reservation",
        label: "Reservation",
        help: "Slurm reservation that it runs in.",
        example: "course-3",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.gres",
        label: "Other gres",
        help: "Other generic resources than its GPUs.",
        example: "shard:2",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.gpu_flag",
        label: "GPUs asked by",
        kind: FieldKind::Choice(&["gres", "gpus-per-node", "gpus"]),
        help: "Option of sbatch that asks for its GPUs; gres when left out.",
        example: "gres",
        ..OF_SLURM
    },
    FieldSpec {
        key: "options.extra",
        label: "Extra lines",
        kind: FieldKind::List,
        help: "More options of sbatch, each as it is: --mail-type=END.",
        example: "[--mail-type=END]",
        ..OF_SLURM
    },
];

/// Those of them that a cluster can tell the values of.
pub const OFFERED: [&str; 4] =
    ["options.partition", "options.account", "options.qos", "options.constraint"];

/// The fields that only clusters of this kind have.
pub fn of_kind(kind: ClusterKind) -> &'static [FieldSpec] {
    match kind {
        ClusterKind::Slurm => SLURM,
        _ => &[],
    }
}

/// The field with this key inside `options`.
pub fn option_field(key: &str) -> Option<&'static FieldSpec> {
    SLURM.iter().find(|field| field.within_options() == Some(key))
}

impl FieldSpec {
    /// Its key inside `options`; `None`: it does not stand there.
    pub fn within_options(&self) -> Option<&'static str> {
        within_options(self.key)
    }
}

/// What follows `options.` in the key of a field.
pub fn within_options(key: &str) -> Option<&str> {
    key.strip_prefix(WITHIN)
}

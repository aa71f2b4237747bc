//! The fields of a document's head.

use super::{ALL, BASE, FieldKind, FieldSpec, Required};

const OF_HEAD: FieldSpec =
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
        ..OF_HEAD
    },
    FieldSpec {
        key: "continue_on_error",
        label: "Continue on error",
        kind: FieldKind::Flag,
        help: "false: the first refused submission stops the rest.",
        example: "true",
        ..OF_HEAD
    },
    FieldSpec {
        key: "max_concurrent",
        label: "At most at once",
        kind: FieldKind::Whole { min: 1, max: u32::MAX as u64 },
        common: true,
        help: "At most this many jobs of the batch run at once, over all clusters.",
        example: "3",
        ..OF_HEAD
    },
    FieldSpec {
        key: "max_failures",
        label: "Stop after failures",
        kind: FieldKind::Whole { min: 1, max: u32::MAX as u64 },
        help: "After this many failed jobs nothing more is sent.",
        example: "10",
        ..OF_HEAD
    },
    FieldSpec {
        key: "on_existing",
        label: "Existing work",
        kind: FieldKind::Choice(&["submit", "reuse"]),
        help: "reuse: identical earlier jobs are attached to or their results taken.",
        example: "submit",
        ..OF_HEAD
    },
    FieldSpec {
        key: "dry_run",
        label: "Dry run",
        kind: FieldKind::Flag,
        help: "true: this file is only ever previewed.",
        example: "false",
        ..OF_HEAD
    },
    FieldSpec {
        key: "confirmed",
        label: "Confirmed",
        kind: FieldKind::Flag,
        help: "Read and ignored: confirming is a person's key press, or --yes.",
        example: "false",
        ..OF_HEAD
    },
    FieldSpec {
        key: "defaults",
        label: "Defaults",
        kind: FieldKind::Defaults,
        help: "Fields for all jobs; a job's own win.",
        example: "{cluster: lab, image: pytorch/pytorch:latest}",
        ..OF_HEAD
    },
    FieldSpec {
        key: "jobs",
        label: "Jobs",
        kind: FieldKind::Jobs,
        required: Required::Always,
        help: "The list of jobs.",
        example: "[{name: a, command: python train.py}]",
        ..OF_HEAD
    },
];

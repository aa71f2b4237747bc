//! One table of everything that may be written in a batch document.
//!
//! The reader, the JSON Schema and the forms are all fed from it, so that no
//! field is accepted in one place and unknown in another.

mod head;
mod job;
mod options;

pub use head::HEAD;
pub use job::JOB;
pub use options::{OFFERED, SLURM, of_kind, option_field, within_options};

use super::{job::JobType, site::ClusterKind};

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

/// What most fields are.
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

/// The field of a job that is written so, by its own key or an alias.
pub fn job_field(key: &str) -> Option<&'static FieldSpec> {
    JOB.iter().find(|f| f.key == key || f.aliases.contains(&key))
}

/// The field of the head that is written so.
pub fn head_field(key: &str) -> Option<&'static FieldSpec> {
    HEAD.iter().find(|f| f.key == key)
}

/// The fields of a form for this type of job on this kind of cluster, in order. Ray's
/// own words are left out: they are for documents that come from there.
pub fn form_fields(
    job_type: JobType,
    kind: Option<ClusterKind>,
) -> impl Iterator<Item = &'static FieldSpec> {
    let own = kind.map_or(&[][..], of_kind);
    JOB.iter().chain(own).filter(move |f| {
        f.applies_to(job_type) && !matches!(f.key, "resource_requirements" | "runtime_env")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_is_used_once_and_explained() {
        for table in [JOB, HEAD, SLURM] {
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

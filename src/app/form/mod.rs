//! Forms as data: one engine, fields from the table of job fields.
//!
//! ```text
//! domain::fields ─▶ rows (by type, basic first, the rest folded)
//! document value ─value::show▶ Editor ─keys▶ text ─value::read▶ document value
//! ```
//! A form holds no values of its own but the text being typed: every key writes
//! through to the document, so leaving a field can lose nothing. A text that says
//! nothing yet (an unfinished list, say) is kept beside the document until it does.

pub mod editor;
pub mod picker;
pub mod sweep;
pub mod value;

use crate::domain::{
    fields::{self, FieldKind, FieldSpec, Required},
    job::JobType,
    site::ClusterKind,
    tree::{FieldPath, Step},
};

/// What a form edits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The batch's own settings.
    #[default]
    Batch,
    /// An entry of the job list.
    Entry(usize),
}

/// One line of a form.
#[derive(Clone, Debug, PartialEq)]
pub enum Row {
    Field(&'static FieldSpec),
    /// A field that all jobs inherit, under `defaults`.
    Default(&'static FieldSpec),
    /// A key of the entry that no form knows; edited as YAML.
    Other(String),
    /// The fold, with how many fields are behind it and whether it is open.
    More {
        count: usize,
        open: bool,
    },
}

impl Row {
    /// The key in the document; `None` for the fold.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Field(spec) | Self::Default(spec) => Some(spec.key),
            Self::Other(key) => Some(key),
            Self::More { .. } => None,
        }
    }

    pub fn kind(&self) -> FieldKind {
        match self {
            Self::Field(spec) | Self::Default(spec) => spec.kind,
            Self::Other(_) | Self::More { .. } => FieldKind::Tree,
        }
    }

    pub fn label(&self) -> &str {
        match self {
            Self::Field(spec) | Self::Default(spec) => spec.label,
            Self::Other(key) => key,
            Self::More { .. } => "",
        }
    }

    pub fn help(&self) -> &str {
        match self {
            Self::Field(spec) | Self::Default(spec) => spec.help,
            Self::Other(_) => "Not a field that is known here.",
            Self::More { .. } => "",
        }
    }
}

/// Position of a key in the usual order, for where a new one is written.
pub fn job_rank(key: &str) -> usize {
    fields::JOB
        .iter()
        .position(|f| f.key == key || f.aliases.contains(&key))
        .unwrap_or(fields::JOB.len())
}

/// The same for the head; `jobs` is always last.
pub fn head_rank(key: &str) -> usize {
    fields::HEAD.iter().position(|f| f.key == key).unwrap_or(fields::HEAD.len() - 2)
}

/// Whether a field is shown at once for jobs on this kind of cluster.
fn is_basic(spec: &FieldSpec, kind: Option<ClusterKind>) -> bool {
    match (spec.key, kind) {
        // Plain processes of this machine have neither.
        ("image" | "project", Some(ClusterKind::Local)) => false,
        ("image" | "project", _) | ("file", Some(ClusterKind::Dshpc)) => true,
        _ => spec.common || spec.required == Required::Always,
    }
}

/// The rows of the batch's form: its head, then what all jobs inherit.
fn batch_rows(
    present: &[&str],
    inherited: &[String],
    wanted: &dyn Fn(&str) -> bool,
    open: bool,
) -> Vec<Row> {
    let mut rows: Vec<Row> = fields::HEAD
        .iter()
        .filter(|f| !matches!(f.key, "jobs" | "confirmed" | "defaults"))
        .map(Row::Field)
        .collect();
    let unknown = present.iter().filter(|key| fields::head_field(key).is_none());
    rows.extend(unknown.map(|key| Row::Other((*key).to_owned())));
    let usual = ["cluster", "project", "image", "gpus", "time_limit", "env"];
    let (basic, folded): (Vec<&'static FieldSpec>, Vec<_>) =
        fields::JOB.iter().filter(|f| f.defaultable).partition(|f| {
            usual.contains(&f.key) || inherited.iter().any(|k| k == f.key) || wanted(f.key)
        });
    rows.extend(basic.into_iter().map(Row::Default));
    rows.push(Row::More { count: folded.len(), open });
    if open {
        rows.extend(folded.into_iter().map(Row::Default));
    }
    rows
}

/// The rows of a form. `inherited` are the keys under `defaults`. `present` are the keys the target has; they are always
/// shown, and so is a field with a finding.
pub fn rows(
    target: Target,
    job_type: JobType,
    kind: Option<ClusterKind>,
    present: &[&str],
    inherited: &[String],
    wanted: &dyn Fn(&str) -> bool,
    open: bool,
) -> Vec<Row> {
    if target == Target::Batch {
        return batch_rows(present, inherited, wanted, open);
    }
    let there = |spec: &FieldSpec| {
        present.iter().any(|k| *k == spec.key || spec.aliases.contains(k)) || wanted(spec.key)
    };
    let mut all: Vec<&'static FieldSpec> = fields::form_fields(job_type, kind).collect();
    // What is written stays in sight, also when it is for another type or cluster.
    let others: Vec<&'static FieldSpec> = fields::JOB
        .iter()
        .chain(fields::SLURM)
        .filter(|f| there(f) && !all.iter().any(|a| a.key == f.key))
        .collect();
    all.extend(others);
    let basic = |spec: &FieldSpec| is_basic(spec, kind) || there(spec);
    let mut rows: Vec<Row> = all.iter().filter(|f| basic(f)).map(|f| Row::Field(f)).collect();
    for key in present {
        let inside = fields::within_options(key).and_then(fields::option_field);
        let known = fields::job_field(key).or(inside).is_some();
        if !known {
            rows.push(Row::Other((*key).to_owned()));
        }
    }
    let folded: Vec<&'static FieldSpec> = all.into_iter().filter(|f| !basic(f)).collect();
    if !folded.is_empty() {
        rows.push(Row::More { count: folded.len(), open });
        if open {
            rows.extend(folded.into_iter().map(Row::Field));
        }
    }
    rows
}

/// The field of a form that a path leads to: behind the entry's index, or of the
/// head.
pub fn field_of(path: &FieldPath) -> Option<&str> {
    let rest = match path.0.as_slice() {
        [Step::Key(jobs), Step::Index(_), rest @ ..] if jobs == "jobs" => rest,
        [Step::Index(_), rest @ ..] => rest,
        _ => &[],
    };
    if let Some(option) = option_of(rest) {
        return Some(option);
    }
    let field = match path.0.as_slice() {
        [Step::Key(jobs), Step::Index(_), rest @ ..] if jobs == "jobs" => rest.first(),
        [Step::Index(_), rest @ ..] => rest.first(),
        // A default is a field of its own in the batch's form.
        [Step::Key(head), field @ Step::Key(_), ..] if head == "defaults" => Some(field),
        head => head.first(),
    };
    match field {
        Some(Step::Key(key)) => Some(key.as_str()),
        _ => None,
    }
}

/// The field of its own that the rest of a path leads to inside `options`.
fn option_of(rest: &[Step]) -> Option<&'static str> {
    let inside = match rest {
        [Step::Key(options), rest @ ..] if options == "options" => rest,
        _ => return None,
    };
    let key = match inside {
        [Step::Key(kind), Step::Key(key), ..] if kind == ClusterKind::Slurm.word() => key,
        [Step::Key(key), ..] => key,
        _ => return None,
    };
    Some(fields::option_field(key)?.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(rows: &[Row]) -> Vec<&str> {
        rows.iter().filter_map(Row::key).collect()
    }

    #[test]
    fn every_field_of_a_type_is_in_its_form_once() {
        for job_type in JobType::ALL {
            for kind in [None, Some(ClusterKind::Local), Some(ClusterKind::Slurm)] {
                let rows = rows(Target::Entry(0), job_type, kind, &[], &[], &|_| false, true);
                let mut got = keys(&rows);
                let mut all: Vec<&str> =
                    fields::form_fields(job_type, kind).map(|f| f.key).collect();
                got.sort_unstable();
                all.sort_unstable();
                assert_eq!(got, all, "{job_type:?}");
            }
        }
    }

    #[test]
    fn the_batch_has_its_head_and_every_default() {
        let rows = rows(Target::Batch, JobType::Training, None, &["wat"], &[], &|_| false, true);
        let got = keys(&rows);
        for field in fields::JOB.iter().filter(|f| f.defaultable) {
            assert_eq!(got.iter().filter(|k| **k == field.key).count(), 1, "{}", field.key);
        }
        assert!(got.contains(&"max_concurrent") && got.contains(&"wat"));
    }

    #[test]
    fn what_is_written_is_shown() {
        let present = ["name", "cpus", "workers", "wat", "entrypoint"];
        let rows =
            rows(Target::Entry(0), JobType::Training, None, &present, &[], &|_| false, false);
        let got = keys(&rows);
        for key in ["name", "cpus", "workers", "wat", "command"] {
            assert_eq!(got.iter().filter(|k| **k == key).count(), 1, "{key}: {got:?}");
        }
        assert!(!got.contains(&"memory"));
    }

    #[test]
    fn the_field_of_a_path() {
        let root = FieldPath::root();
        assert_eq!(field_of(&root.key("jobs").index(3).key("env").key("A")), Some("env"));
        assert_eq!(field_of(&root.index(3).key("gpus")), Some("gpus"));
        assert_eq!(field_of(&root.key("max_concurrent")), Some("max_concurrent"));
        assert_eq!(field_of(&root.key("defaults").key("image")), Some("image"));
        assert_eq!(field_of(&root.key("defaults").key("tags").index(1)), Some("tags"));
        assert_eq!(field_of(&root.key("jobs").index(3)), None);
        let options = root.key("jobs").index(3).key("options");
        assert_eq!(field_of(&options), Some("options"));
        assert_eq!(field_of(&options.key("slurm").key("qos")), Some("options.qos"));
        assert_eq!(field_of(&options.key("extra").index(1)), Some("options.extra"));
        assert_eq!(field_of(&options.key("slurm").key("nosuch")), Some("options"));
        assert_eq!(field_of(&options.key("ray").key("qos")), Some("options"));
    }
}

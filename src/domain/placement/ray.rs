//! What Ray takes and then fails, known beforehand.

use super::Obstacle;
use crate::domain::job::{JobSpec, JobType};

/// Longest id, in bytes: it is part of a file's name there.
const LONGEST_ID: usize = 100;

/// What stands in the way of a job on any Ray cluster.
pub fn obstacles(spec: &JobSpec) -> Vec<Obstacle> {
    let mut found = Vec::new();
    if let Some(id) = spec.submission_id.as_deref().filter(|id| !is_id(id)) {
        found.push(
            Obstacle::new("submission_id", format!("`{id}` cannot be the id of a job on Ray"))
                .hint("use at most 100 letters, digits, `-`, `_` and `.`"),
        );
    }
    found
}

/// Ray would take others too; one with a slash makes a record there that nothing can
/// remove any more.
fn is_id(id: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(plain)
}

/// What is not used there, as `(field, hint)`.
pub fn ignored(spec: &JobSpec) -> Vec<(&'static str, &'static str)> {
    let wishes = [
        ("time_limit", spec.time_limit.is_some(), "put `timeout 4h` before the command"),
        ("priority", spec.priority.is_some(), "remove it, or choose another cluster"),
        ("exclusive", spec.exclusive, "ask for all CPUs or GPUs of a node"),
        ("nodes", spec.nodes.is_some_and(|n| n > 1), "let the program ask Ray for more"),
        (
            "framework",
            spec.job_type == JobType::Distributed && spec.framework.is_some(),
            "the command is started once, on the node that has what all its workers need",
        ),
    ];
    let wished = wishes.into_iter().filter(|(_, wished, _)| *wished);
    wished.map(|(key, _, hint)| (key, hint)).collect()
}

/// The first word of a command that names a script by a relative path. A job starts
/// where nobody's files are, unless a folder is sent along.
pub fn relative_script(command: &str) -> Option<&str> {
    const SCRIPTS: [&str; 5] = [".py", ".sh", ".pl", ".R", ".jl"];
    command.split_whitespace().find(|word| {
        let plain = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_@%+,./-".contains(&b));
        let points = word.starts_with("./") || word.starts_with("../");
        let script = SCRIPTS.iter().any(|end| word.ends_with(end));
        plain && !word.starts_with(['/', '-', '~']) && (points || script)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_by_a_relative_path_are_found() {
        for (command, script) in [
            ("python train.py --lr 1", Some("train.py")),
            ("./run.sh", Some("./run.sh")),
            ("cd /x && python ../a/b.py", Some("../a/b.py")),
            ("python /home/alice/train.py --config x.yaml", None),
            ("python -m package.module", None),
            ("echo hi", None),
            ("python $HOME/x.py", None),
            ("~/x.sh", None),
        ] {
            assert_eq!(relative_script(command), script, "{command}");
        }
    }

    #[test]
    fn ids_are_kept_boring() {
        for (id, fine) in [("sub-1", true), ("a/b", false), ("", false), ("é", false)] {
            assert_eq!(is_id(id), fine, "{id}");
        }
        assert!(!is_id(&"a".repeat(101)));
    }
}

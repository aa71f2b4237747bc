//! Names of jobs that come in: those that are taken give way, and what waits for
//! them by name follows.

use std::collections::{BTreeSet, HashMap};

use super::Compose;
use crate::{
    app::form::value,
    domain::tree::{Entry, Node, Span, Value},
};

impl Compose {
    /// Gives jobs names that are free, and keeps those they have where they are. Of
    /// each other they go on to depend.
    pub(super) fn named(&self, mut jobs: Vec<Node>) -> Vec<Node> {
        let mut taken: BTreeSet<String> = self.names().into_iter().map(str::to_owned).collect();
        let mut names = NewNames::default();
        let mut next = 1;
        for job in &mut jobs {
            let is_group = job.get("sweep").is_some();
            let Value::Map(entries) = &mut job.value else { continue };
            let own = entries
                .iter()
                .position(|e| e.key == "name" || e.key == "job_id")
                .and_then(|at| entries.get_mut(at));
            if let Some(entry) = own {
                let Some(name) = entry.value.as_scalar().map(|s| s.text.clone()) else { continue };
                let mut new = name.clone();
                if taken.contains(&name) {
                    new = next_name(&name, &taken);
                    entry.value = value::string(&new);
                }
                taken.insert(new.clone());
                names.learn(name, new, is_group);
                continue;
            }
            while taken.contains(&format!("job{next}")) {
                next += 1;
            }
            let name = format!("job{next}");
            let own = Entry {
                key: "name".into(),
                key_span: Span::default(),
                value: value::string(&name),
            };
            entries.insert(0, own);
            taken.insert(name);
        }
        if names.is_changed() {
            for job in &mut jobs {
                names.follow(job);
            }
        }
        jobs
    }
}

/// What jobs that came together are called now.
#[derive(Debug, Default)]
struct NewNames {
    /// New names by the old ones; of two jobs with one name, the first's.
    jobs: HashMap<String, String>,
    /// Groups with another name than they had.
    groups: Vec<(String, String)>,
}

impl NewNames {
    fn learn(&mut self, old: String, new: String, is_group: bool) {
        if is_group && old != new {
            self.groups.push((old.clone(), new.clone()));
        }
        self.jobs.entry(old).or_insert(new);
    }

    fn is_changed(&self) -> bool {
        self.jobs.iter().any(|(old, new)| old != new)
    }

    /// Puts new names into what a job depends on.
    fn follow(&self, job: &mut Node) {
        let Value::Map(entries) = &mut job.value else { return };
        for entry in entries.iter_mut().filter(|e| e.key == "depends_on") {
            match &mut entry.value.value {
                Value::Seq(items) => items.iter_mut().for_each(|item| self.rename(item)),
                _ => self.rename(&mut entry.value),
            }
        }
    }

    /// One dependency: a name, or names with how each must end.
    fn rename(&self, dependency: &mut Node) {
        match &mut dependency.value {
            Value::Scalar(scalar) => {
                if let Some(new) = self.new_name(scalar.text.trim()) {
                    *dependency = value::string(&new);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    if let Some(new) = self.new_name(entry.key.trim()) {
                        entry.key = new;
                    }
                }
            }
            Value::Seq(_) => {}
        }
    }

    /// `None`: it stays, or is no job of these.
    fn new_name(&self, name: &str) -> Option<String> {
        if let Some(new) = self.jobs.get(name) {
            return (new != name).then(|| new.clone());
        }
        self.groups.iter().find_map(|(old, new)| of_group(name, old, new))
    }
}

/// The new name of one job of a group: `lr-2` of `lr` that is `lr-copy` now becomes
/// `lr-copy-2`; where the name itself has placeholders, its end changes as the group's.
fn of_group(name: &str, old: &str, new: &str) -> Option<String> {
    if !old.contains('{') {
        let number = name.strip_prefix(old)?.strip_prefix('-')?;
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        return is_number.then(|| format!("{new}-{number}"));
    }
    if !fits(name, old) {
        return None;
    }
    let same = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b);
    let at = same.map_or(old.len().min(new.len()), |((at, _), _)| at);
    let (was, is) = (old.get(at..)?, new.get(at..)?);
    Some(format!("{}{is}", name.strip_suffix(was)?))
}

/// Whether values for its placeholders may make this name of a pattern.
fn fits(name: &str, pattern: &str) -> bool {
    let mut rest = name;
    let mut pieces = pattern.split('{');
    let Some(tail) = pieces.next().and_then(|head| rest.strip_prefix(head)) else { return false };
    rest = tail;
    for piece in pieces {
        let Some((_, literal)) = piece.split_once('}') else { return false };
        let Some(at) = rest.find(literal) else { return false };
        rest = rest.get(at + literal.len()..).unwrap_or_default();
    }
    pattern.ends_with('}') || rest.is_empty()
}

/// The next free name: `job1` → `job2`, `eval` → `eval-copy`, `eval-copy2`.
pub(super) fn next_name(name: &str, taken: &BTreeSet<String>) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.get(stem.len()..).unwrap_or("");
    if let Ok(n) = digits.parse::<u64>()
        && !stem.is_empty()
    {
        let width = if digits.starts_with('0') { digits.len() } else { 0 };
        let n = n.saturating_add(1);
        return (n..=n.saturating_add(taken.len() as u64))
            .map(|n| format!("{stem}{n:0width$}"))
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
    }
    let first = format!("{name}-copy");
    if !taken.contains(&first) {
        return first;
    }
    (2..=taken.len() + 2)
        .map(|n| format!("{name}-copy{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screen::compose::document::{
        Document,
        emit::{Style, inline},
    };

    fn named(taken: &str, jobs: &str) -> Vec<String> {
        let compose = Compose { doc: Document::new(taken), ..Compose::default() };
        let Value::Seq(jobs) = value::parse(jobs).unwrap().value else { panic!("no list") };
        compose.named(jobs).iter().map(|job| inline(job, Style::Flow)).collect()
    }

    #[test]
    fn what_waits_for_a_job_by_name_follows_it() {
        let taken = "[{name: prepare}, {name: lr, sweep: {x: [1]}}, {name: 'n-{x}'}, {name: e1}]";
        let jobs = "[{name: prepare}, {name: lr, sweep: {x: [1, 2]}, depends_on: prepare}, \
                    {name: 'n-{x}', sweep: {x: [1, 2]}}, {name: e1, sweep: {z: [1]}}, \
                    {name: free}, {job_id: last, depends_on: [lr, lr-2, lr-x, n-2, e1-1, \
                    {prepare: ended}, free, other]}]";
        assert_eq!(
            named(taken, jobs),
            [
                "{name: prepare-copy}",
                "{name: lr-copy, sweep: {x: [1, 2]}, depends_on: prepare-copy}",
                "{name: \"n-{x}-copy\", sweep: {x: [1, 2]}}",
                "{name: e2, sweep: {z: [1]}}",
                "{name: free}",
                "{job_id: last, depends_on: [lr-copy, lr-copy-2, lr-x, n-2-copy, e2-1, \
                 {prepare-copy: ended}, free, other]}",
            ]
        );
        let free = "[{name: a}, {depends_on: a}]";
        assert_eq!(named("", free), ["{name: a}", "{name: job1, depends_on: a}"]);
        // A job that has the name itself is meant, not one of a group.
        let jobs = "[{name: lr, sweep: {x: [1]}}, {name: lr-1}, {name: c, depends_on: lr-1}]";
        assert_eq!(named(taken, jobs)[2], "{name: c, depends_on: lr-1}");
    }
}

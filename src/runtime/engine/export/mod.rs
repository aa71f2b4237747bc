//! A run as a batch document again.
//!
//! ```text
//! rows ─by entry▶ group ─unify▶ one entry ─read again: the same jobs?▶ document
//!                              └─no▶ job by job, and a comment says so
//! ```

use std::{borrow::Cow, collections::BTreeSet};

use serde_json::{Map, Value as Json, json};

use self::fields::{Start, plain_secrets};
use super::{Engine, start::blocking};
use crate::{
    domain::{
        ids::RunId,
        job::{Dependency, DependencyCondition, JobSpec},
        plan::{BatchHead, OnExisting},
        run::{Run, RunJob},
        site::ClusterViews,
        tree::{Entry, Node, Span, Value},
    },
    error::Report,
    journal::Replay,
    runtime::session::state_report,
    yaml,
};

mod alone;
mod fields;
mod group;
mod proof;
#[cfg(test)]
mod tests;

impl Engine {
    /// The run as a batch file (YAML) without secrets, as it would be submitted
    /// again: every job with the values it last ran with, sweeps as sweeps. What could
    /// not be written so that it makes the same jobs stands in comments at the top.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn export(&self, run: &RunId) -> Result<String, Report> {
        let dir = self.dir(run);
        let views = self.views();
        blocking(move || {
            let replay = Replay::read(&dir).map_err(|e| state_report(&e))?;
            Ok(text(&replay.run, &views))
        })
        .await?
    }
}

/// The document as text, comments first.
fn text(run: &Run, views: &ClusterViews) -> String {
    let mut export = Export { run, views, remarks: Vec::new(), exploded: BTreeSet::new() };
    let document = export.document();
    let comments = export.remarks.iter().map(|remark| format!("# {remark}"));
    comments.chain([yaml::emit(&document)]).collect::<Vec<_>>().join("\n")
}

struct Export<'a> {
    run: &'a Run,
    views: &'a ClusterViews,
    /// What differs from the run.
    remarks: Vec<String>,
    /// Groups that are written job by job.
    exploded: BTreeSet<&'a str>,
}

impl<'a> Export<'a> {
    fn document(&mut self) -> Node {
        let rows: Vec<&RunJob> = self.run.jobs.iter().collect();
        let one = |a: &&RunJob, b: &&RunJob| {
            a.spec.group.is_some() && (a.spec.entry, &a.spec.group) == (b.spec.entry, &b.spec.group)
        };
        let mut entries: Vec<(Node, &'a [Dependency])> = Vec::with_capacity(rows.len());
        for rows in rows.chunk_by(one) {
            let depends_on = rows.first().map_or(&[][..], |row| &row.spec.depends_on);
            let nodes = self.entries(rows);
            entries.extend(nodes.into_iter().map(|node| (node, depends_on)));
        }
        self.tell_of_secrets(&rows);
        let jobs = entries
            .into_iter()
            .map(|(node, on)| with_field(node, "depends_on", self.dependencies(on)))
            .collect();
        let head = yaml::node_of_json(&Json::Object(head(&self.run.head)));
        with_field(head, "jobs", Some(Node { span: Span::default(), value: Value::Seq(jobs) }))
    }

    /// The jobs of one entry, as one again where that makes the same jobs.
    fn entries(&mut self, rows: &[&'a RunJob]) -> Vec<Node> {
        let start = Start::of(rows, self.views);
        let Some(name) = rows.first().and_then(|row| row.spec.group.as_deref()) else {
            return rows.iter().map(|row| self.single(row, start)).collect();
        };
        if let Some(group) = group::entry(name, rows, start) {
            if !group.added.is_empty() {
                let added = group.added.join("`, `");
                self.remarks.push(format!(
                    "{name}: `{added}` differed between its jobs by more than their parameters, so \
                     it is one; for `on_existing: reuse` they are other work"
                ));
            }
            return vec![group.node];
        }
        self.exploded.insert(name);
        self.remarks.push(format!(
            "{name}: no sweep gives these jobs, so each stands by itself, with its parameters in \
             `env`; for `on_existing: reuse` they are other work"
        ));
        rows.iter().map(|row| self.single(row, start)).collect()
    }

    /// A job by itself.
    fn single(&mut self, row: &RunJob, start: Start) -> Node {
        let (node, is_same) = alone::entry(row, start);
        if !is_same {
            let name = &row.spec.name;
            self.remarks.push(format!(
                "{name}: only a sweep can write its braces, so it has the parameter `{}`; for \
                 `on_existing: reuse` it is other work",
                alone::EMPTY
            ));
        }
        node
    }

    fn tell_of_secrets(&mut self, rows: &[&RunJob]) {
        let names: BTreeSet<&str> =
            rows.iter().flat_map(|row| plain_secrets(row.spec_now())).collect();
        for name in names {
            self.remarks.push(format!(
                "{name}: its value was plain text and is left out; set the variable where this \
                 file is submitted"
            ));
        }
    }

    /// Of jobs and groups by name; of a group that is written job by job, of those.
    fn dependencies(&self, on: &[Dependency]) -> Option<Node> {
        let named = |name: &str, condition| match condition {
            DependencyCondition::Succeeded => json!(name),
            DependencyCondition::Ended => json!({ name: "ended" }),
        };
        let names: Vec<Json> = on
            .iter()
            .flat_map(|Dependency { target, condition }| {
                let members = self.run.jobs.iter().filter(|row| {
                    self.exploded.contains(target.as_str())
                        && row.spec.group.as_deref() == Some(target)
                });
                let members: Vec<Json> =
                    members.map(|row| named(&row.spec.name, *condition)).collect();
                if members.is_empty() { vec![named(target, *condition)] } else { members }
            })
            .collect();
        (!names.is_empty()).then(|| yaml::node_of_json(&Json::Array(names)))
    }
}

fn head(head: &BatchHead) -> Map<String, Json> {
    let mut fields = Map::new();
    fields.insert("name".into(), json!(head.name));
    if !head.continue_on_error {
        fields.insert("continue_on_error".into(), json!(false));
    }
    if let Some(max) = head.max_concurrent {
        fields.insert("max_concurrent".into(), json!(max));
    }
    if let Some(max) = head.max_failures {
        fields.insert("max_failures".into(), json!(max));
    }
    if head.on_existing == OnExisting::Reuse {
        fields.insert("on_existing".into(), json!("reuse"));
    }
    fields
}

/// A map with one more field at its end.
fn with_field(mut map: Node, key: &str, value: Option<Node>) -> Node {
    if let (Value::Map(entries), Some(value)) = (&mut map.value, value) {
        entries.push(Entry { key: key.to_owned(), key_span: Span::default(), value });
    }
    map
}

/// What a job last ran with; secrets left out.
fn spec_of(row: &RunJob) -> Cow<'_, JobSpec> {
    fields::without_secrets(row.spec_now())
}

//! A document as a batch: its head, and one [`EntryDoc`] per item of the list,
//! with defaults merged and every value still at its place.
//!
//! ```text
//! Node ─Batch::read▶ head + EntryDoc ─expand▶ JobSpec per job
//! ```
//! Accepted are a map with `jobs`, a bare list of jobs, and a map that is one job.

use std::collections::HashMap;

use self::{
    entry::field_docs,
    sink::{Place, Sink},
    value::Fault,
};
use super::{
    fields::{self, FieldKind, FieldSpec, HEAD, JOB},
    nearest::nearest,
    plan::{BatchHead, OnExisting},
    tree::{Entry, FieldPath, Node, Value},
};

mod alone;
mod entry;
pub mod expand;
pub(super) mod links;
mod read;
pub mod sink;
mod template;
pub mod value;

pub use alone::jobs;
pub use entry::{EntryDoc, FieldDoc};

/// A batch as written.
#[derive(Debug)]
pub struct Batch<'a> {
    pub head: BatchHead,
    pub entries: Vec<EntryDoc<'a>>,
    /// The list of jobs, for findings about all of it.
    pub place: Place,
}

/// Fields of the defaults, read once.
type Defaults<'a> = HashMap<&'static str, FieldDoc<'a>>;

impl<'a> Batch<'a> {
    /// Reads a document. `name` is what it is called when it does not say.
    pub fn read(node: &'a Node, name: &str, sink: &mut Sink) -> Self {
        let root = FieldPath::root();
        let mut batch = Self {
            head: BatchHead::named(name),
            entries: Vec::new(),
            place: Place::new(root.key("jobs"), node.span),
        };
        match &node.value {
            Value::Seq(items) => batch.read_entries(items, &Defaults::new(), sink),
            Value::Map(entries) if node.get("jobs").is_none() && is_one_job(entries) => {
                batch.read_one(node, entries, name, sink);
            }
            Value::Map(entries) => batch.read_map(node, entries, sink),
            Value::Scalar(_) if node.is_null() => {
                sink.error(&Place::new(root, node.span), "the document is empty")
                    .hint("write `jobs:` and a list of jobs under it");
            }
            Value::Scalar(_) => {
                sink.error(&Place::new(root, node.span), "text where a batch is expected")
                    .hint("write `jobs:` and a list of jobs under it");
            }
        }
        batch
    }

    fn read_map(&mut self, node: &'a Node, entries: &'a [Entry], sink: &mut Sink) {
        let root = Place::new(FieldPath::root(), node.span);
        let mut defaults = Defaults::new();
        let mut jobs = None;
        for (entry, spec) in known(entries, HEAD, &root, sink, |entry, sink| {
            let at = root.key(&entry.key, entry.key_span);
            let told = sink.error(&at, format!("unknown key `{}`", entry.key));
            if fields::job_field(&entry.key).is_some() {
                told.hint("fields of all jobs stand under `defaults`");
            } else {
                told.did_you_mean(nearest(&entry.key, HEAD.iter().map(|f| f.key)));
            }
        }) {
            let at = root.key(&entry.key, entry.value.span);
            match spec.kind {
                FieldKind::Jobs => {
                    jobs = Some((&entry.value, root.key(&entry.key, entry.key_span)));
                }
                FieldKind::Defaults => defaults = read_defaults(&entry.value, &at, sink),
                _ => self.read_head(spec, &entry.value, &at, sink),
            }
        }
        let Some((node, at)) = jobs else {
            sink.error(&root, "there is no list of jobs")
                .hint("write `jobs:` and a list of jobs under it");
            return;
        };
        self.place = at;
        match &node.value {
            Value::Seq(items) => self.read_entries(items, &defaults, sink),
            _ if node.is_null() => {
                sink.error(&self.place, "the list of jobs is empty").hint("add a job");
            }
            _ => {
                sink.error(
                    &self.place,
                    format!("{} where a list of jobs is expected", node.kind()),
                )
                .hint("begin every job with `- `");
            }
        }
    }

    /// A map that is one job, perhaps with fields of the head among its own.
    fn read_one(&mut self, node: &'a Node, entries: &'a [Entry], name: &str, sink: &mut Sink) {
        let root = Place::new(FieldPath::root(), node.span);
        for entry in entries {
            if let Some(spec) = fields::head_field(&entry.key).filter(|f| f.key != "name") {
                let at = root.key(&entry.key, entry.value.span);
                if matches!(spec.kind, FieldKind::Defaults) {
                    sink.error(&at, "defaults need a list of jobs")
                        .hint("write `jobs:` with a list");
                } else {
                    self.read_head(spec, &entry.value, &at, sink);
                }
            }
        }
        let own =
            entries.iter().filter(|e| e.key == "name" || fields::head_field(&e.key).is_none());
        let mut doc = EntryDoc::read(0, node, own, &Defaults::new(), sink);
        if doc.field("name").is_none() {
            name.clone_into(&mut doc.name);
        }
        self.entries.push(doc);
        sink.leave();
    }

    fn read_entries(&mut self, items: &'a [Node], defaults: &Defaults<'a>, sink: &mut Sink) {
        if items.is_empty() {
            sink.error(&self.place, "the list of jobs is empty").hint("add a job");
        }
        for (index, item) in items.iter().enumerate() {
            sink.enter(index, None);
            let Value::Map(entries) = &item.value else {
                let at = Place::new(FieldPath::root().key("jobs").index(index), item.span);
                sink.error(&at, format!("{} where a job is expected", item.kind()))
                    .hint("a job is a map: `- {name: a, command: python train.py}`");
                continue;
            };
            self.entries.push(EntryDoc::read(index, item, entries.iter(), defaults, sink));
        }
        sink.leave();
    }

    fn read_head(&mut self, spec: &FieldSpec, node: &Node, at: &Place, sink: &mut Sink) {
        if node.is_null() {
            return;
        }
        let head = &mut self.head;
        let read = match (spec.key, spec.kind) {
            ("name", _) => value::text(node).map(|text| text.clone_into(&mut head.name)),
            ("continue_on_error", _) => value::flag(node).map(|f| head.continue_on_error = f),
            ("dry_run", _) => value::flag(node).map(|f| head.dry_run = f),
            ("confirmed", _) => value::flag(node).map(|confirmed| {
                if confirmed {
                    sink.warning(at, "`confirmed: true` in a file confirms nothing")
                        .hint("confirm with a key press in the UI, or with --yes");
                }
            }),
            ("max_concurrent", FieldKind::Whole { min, max }) => {
                value::whole(node, min, max).map(|n| head.max_concurrent = Some(n as u32))
            }
            ("max_failures", FieldKind::Whole { min, max }) => {
                value::whole(node, min, max).map(|n| head.max_failures = Some(n as u32))
            }
            ("on_existing", FieldKind::Choice(words)) => {
                value::choice(node, "choice", words).map(|word| {
                    let reuse = word == "reuse";
                    head.on_existing = if reuse { OnExisting::Reuse } else { OnExisting::Submit };
                })
            }
            _ => Ok(()),
        };
        if let Err(fault) = read {
            tell(sink, at, fault);
        }
    }
}

/// Adds a fault to the findings, once per field of an entry.
pub(super) fn tell(sink: &mut Sink, at: &Place, fault: Fault) {
    let told = sink.error_once(at, || fault.message);
    if let Some(hint) = fault.hint {
        told.hint(hint);
    }
}

/// It has fields of a job, so it is one.
fn is_one_job(entries: &[Entry]) -> bool {
    entries
        .iter()
        .any(|e| fields::job_field(&e.key).is_some() && fields::head_field(&e.key).is_none())
}

/// The entries with a key of the table, each key once. Keys beginning with `x-` and
/// `$schema` are the user's own; what is unknown goes to `unknown`.
fn known<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    table: &'static [FieldSpec],
    place: &Place,
    sink: &mut Sink,
    mut unknown: impl FnMut(&Entry, &mut Sink),
) -> Vec<(&'a Entry, &'static FieldSpec)> {
    let mut found: Vec<(&Entry, &FieldSpec)> = Vec::new();
    for entry in entries {
        if entry.key.starts_with("x-") || entry.key == "$schema" {
            continue;
        }
        let key = entry.key.as_str();
        let Some(spec) = table.iter().find(|f| f.key == key || f.aliases.contains(&key)) else {
            unknown(entry, sink);
            continue;
        };
        match found.iter().find(|(_, other)| other.key == spec.key) {
            None => found.push((entry, spec)),
            Some((first, _)) => {
                let at = place.key(key, entry.key_span);
                let line = match first.key_span.start.line {
                    0 => String::new(),
                    line => format!(" (line {line})"),
                };
                if first.key == entry.key {
                    sink.error(&at, format!("the key `{key}` stands here twice{line}"))
                        .hint("remove one of them");
                } else {
                    let other = &first.key;
                    sink.error(&at, format!("`{key}` and `{other}`{line} mean the same"))
                        .hint("remove one of them");
                }
            }
        }
    }
    found
}

fn unknown_job_key(entry: &Entry, place: &Place, sink: &mut Sink) {
    let at = place.key(&entry.key, entry.key_span);
    let words = JOB.iter().flat_map(|f| std::iter::once(f.key).chain(f.aliases.iter().copied()));
    let told = sink.error(&at, format!("unknown key `{}`", entry.key));
    if fields::head_field(&entry.key).is_some() {
        told.hint("this belongs to the batch, beside `jobs`");
    } else {
        told.did_you_mean(nearest(&entry.key, words));
    }
}

fn read_defaults<'a>(node: &'a Node, place: &Place, sink: &mut Sink) -> Defaults<'a> {
    let mut defaults = Defaults::new();
    let Value::Map(entries) = &node.value else {
        if !node.is_null() {
            tell(sink, place, value::not_one_map(node));
        }
        return defaults;
    };
    let found = known(entries, JOB, place, sink, |entry, sink| unknown_job_key(entry, place, sink));
    for (entry, spec) in found {
        if !spec.defaultable {
            let at = place.key(&entry.key, entry.key_span);
            sink.error(&at, format!("`{}` cannot stand under defaults", entry.key))
                .hint("give it to each job");
            continue;
        }
        for field in field_docs(entry, spec, None, place, sink) {
            if field.node.is_null() {
                continue;
            }
            if defaults.insert(field.spec.key, field).is_some() {
                let at = place.key(&entry.key, entry.key_span);
                sink.error(&at, format!("`{}` says again what is already there", entry.key));
            }
        }
    }
    defaults
}

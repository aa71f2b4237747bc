//! One item of the list: its own fields over the defaults.

use std::borrow::Cow;

use super::{
    Defaults, known,
    sink::{Place, Sink},
    tell, unknown_job_key, value,
};
use crate::domain::{
    fields::{self, FieldKind, FieldSpec, JOB},
    job::JobType,
    nearest::nearest,
    tree::{Entry, FieldPath, Node, Scalar, Span, Value},
};

/// One item of the list.
#[derive(Debug)]
pub struct EntryDoc<'a> {
    /// Position in the list, from 0.
    pub index: usize,
    pub place: Place,
    pub job_type: JobType,
    /// As written, placeholders and all; empty when it has none.
    pub name: String,
    /// Its own fields and the defaults it takes over.
    pub fields: Vec<FieldDoc<'a>>,
    /// Written in Ray's words.
    pub ray: bool,
}

/// A value given to a field.
#[derive(Clone, Debug)]
pub struct FieldDoc<'a> {
    pub spec: &'static FieldSpec,
    pub node: Cow<'a, Node>,
    /// The key as written: perhaps an alias.
    written: &'a str,
    /// Key inside that, for Ray's `resource_requirements`.
    inner: Option<&'a str>,
    /// `None`: taken over from `defaults`.
    entry: Option<usize>,
    /// The defaults below it, for `options`, whose maps merge only when it is known
    /// to which kind of cluster the job goes.
    pub under: Option<Cow<'a, Node>>,
}

impl FieldDoc<'_> {
    pub fn place(&self) -> Place {
        let base = match self.entry {
            Some(index) => FieldPath::root().key("jobs").index(index),
            None => FieldPath::root().key("defaults"),
        };
        let path = base.key(self.written);
        let path = self.inner.map_or_else(|| path.clone(), |inner| path.key(inner));
        Place::new(path, self.node.span)
    }

    pub fn is_default(&self) -> bool {
        self.entry.is_none()
    }

    /// Written with Ray's `preferred_cluster`: others may do.
    pub(super) fn is_preference(&self) -> bool {
        self.written == "preferred_cluster"
    }
}

impl EntryDoc<'_> {
    pub fn field(&self, key: &str) -> Option<&FieldDoc<'_>> {
        self.fields.iter().find(|f| f.spec.key == key)
    }

    /// Where a field stands, or where it would.
    pub fn at(&self, key: &str) -> Place {
        match self.field(key) {
            Some(field) => field.place(),
            None => Place::new(self.place.path.key(key), self.place.span),
        }
    }

    pub fn is_group(&self) -> bool {
        self.field("sweep").is_some()
    }

    /// For findings.
    pub fn label(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }
}

/// An entry of the document as fields: Ray's maps become several.
pub(super) fn field_docs<'a>(
    entry: &'a Entry,
    spec: &'static FieldSpec,
    index: Option<usize>,
    place: &Place,
    sink: &mut Sink,
) -> Vec<FieldDoc<'a>> {
    let field = |spec, node, inner| FieldDoc {
        spec,
        node,
        written: &entry.key,
        inner,
        entry: index,
        under: None,
    };
    if !matches!(spec.kind, FieldKind::RayResources) {
        return vec![field(spec, Cow::Borrowed(&entry.value), None)];
    }
    let at = place.key(&entry.key, entry.value.span);
    let Value::Map(resources) = &entry.value.value else {
        if !entry.value.is_null() {
            tell(sink, &at, value::not_one_map(&entry.value));
        }
        return Vec::new();
    };
    let mut found = Vec::new();
    for resource in resources {
        let key = match resource.key.to_ascii_lowercase().as_str() {
            "cpu" => "cpus",
            "gpu" => "gpus",
            "memory" => "memory",
            _ => {
                let at = at.key(&resource.key, resource.key_span);
                sink.error(&at, format!("unknown resource `{}`", resource.key)).did_you_mean_or(
                    nearest(&resource.key, ["CPU", "GPU", "memory"]),
                    "write other resources as `options: {ray: {resources: {name: 1}}}`",
                );
                continue;
            }
        };
        let is_zero = resource.value.as_scalar().and_then(Scalar::as_number) == Some(0.0);
        // Ray writes out what is not needed.
        if let Some(spec) = fields::job_field(key).filter(|_| !is_zero || key == "gpus") {
            found.push(field(spec, Cow::Borrowed(&resource.value), Some(resource.key.as_str())));
        }
    }
    found
}

impl<'a> EntryDoc<'a> {
    /// Reads one item: its own fields over the defaults.
    pub(super) fn read(
        index: usize,
        node: &'a Node,
        entries: impl Iterator<Item = &'a Entry>,
        defaults: &Defaults<'a>,
        sink: &mut Sink,
    ) -> Self {
        // Only the beginning: findings about the whole point there.
        let start = Span { start: node.span.start, end: node.span.start };
        let place = Place::new(FieldPath::root().key("jobs").index(index), start);
        let name = node
            .get("name")
            .or_else(|| node.get("job_id"))
            .and_then(|n| n.as_scalar())
            .filter(|s| !s.is_null())
            .map(|s| s.text.clone())
            .unwrap_or_default();
        sink.enter(index, Some(name.as_str()).filter(|n| !n.is_empty()));
        let found =
            known(entries, JOB, &place, sink, |entry, sink| unknown_job_key(entry, &place, sink));
        let mut ray = false;
        let mut fields: Vec<FieldDoc> = Vec::with_capacity(found.len() + defaults.len());
        for (entry, spec) in found {
            ray |= matches!(
                entry.key.as_str(),
                "entrypoint" | "preferred_cluster" | "resource_requirements" | "runtime_env"
            );
            for field in field_docs(entry, spec, Some(index), &place, sink) {
                match fields.iter().find(|f| f.spec.key == field.spec.key) {
                    None => fields.push(field),
                    Some(other) => {
                        let (a, b) = (field.written, other.written);
                        let at = field.place();
                        sink.error(&at, format!("`{a}` says again what `{b}` already says"))
                            .hint("remove one of them");
                    }
                }
            }
        }
        take_over(&mut fields, defaults);
        let job_type = read_type(&fields, sink);
        // A default for another type of job is not meant for this one.
        fields.retain(|f| !f.is_default() || f.spec.applies_to(job_type));
        Self { index, place, job_type, name, fields, ray }
    }
}

/// Adds the defaults that an entry does not override; maps merge by key.
fn take_over<'a>(fields: &mut Vec<FieldDoc<'a>>, defaults: &Defaults<'a>) {
    for (key, default) in defaults {
        match fields.iter_mut().find(|f| f.spec.key == *key) {
            None => fields.push(default.clone()),
            Some(own) if own.node.is_null() => {}
            Some(own) if *key == "options" => own.under = Some(default.node.clone()),
            Some(own) if matches!(*key, "env" | "metadata") => {
                own.node = Cow::Owned(merged(&default.node, &own.node));
            }
            Some(_) => {}
        }
    }
    fields.retain(|f| !f.node.is_null());
    // A map has no order of its own; the table's makes findings and forms steady.
    fields.sort_by_key(|f| JOB.iter().position(|spec| spec.key == f.spec.key));
}

/// `over` on `base` by key; `null` removes.
fn merged(base: &Node, over: &Node) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&base.value, &over.value) else {
        return over.clone();
    };
    let mut entries = below.clone();
    entries.retain(|e| !above.iter().any(|o| o.key == e.key));
    entries.extend(above.iter().filter(|e| !e.value.is_null()).cloned());
    Node { span: over.span, value: Value::Map(entries) }
}

fn read_type(fields: &[FieldDoc], sink: &mut Sink) -> JobType {
    let Some(field) = fields.iter().find(|f| f.spec.key == "type") else {
        return JobType::default();
    };
    match value::choice(&field.node, "type", fields::JOB_TYPES) {
        Ok(word) => JobType::ALL.into_iter().find(|t| t.word() == word).unwrap_or_default(),
        Err(fault) => {
            tell(sink, &field.place(), fault);
            JobType::default()
        }
    }
}

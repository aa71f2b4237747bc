//! Documents folded into one draft, field by field; the later one wins.
//!
//! Every value remembers where it was set, so that what is found wrong only at
//! the end (an unknown default cluster, say) still has its line.

use std::fmt;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{
    fields::{self, Field, Shape},
    read,
};
use crate::{
    domain::{
        nearest::nearest,
        site::ClusterKind,
        tree::{Entry, Node, Pos, Value},
    },
    error::{Kind, Report},
};

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    File { name: String, at: Pos },
    Variable(String),
}

impl Origin {
    pub(super) fn report(&self, message: impl Into<String>) -> Report {
        match self {
            Self::File { name, at } => {
                Report::new(Kind::Config, message).at(name.clone(), at.line, at.column)
            }
            Self::Variable(name) => {
                Report::new(Kind::Config, format!("{name}: {}", message.into()))
            }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, at } => write!(f, "{name}:{}:{}", at.line, at.column),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// A value and where it was set.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub value: Json,
    pub origin: Origin,
}

pub(super) type Fields = IndexMap<String, Set>;

#[derive(Clone, Debug)]
pub(super) struct ClusterDraft {
    pub kind: ClusterKind,
    pub fields: Fields,
    pub limits: Fields,
}

/// What was wrong or odd, all of it.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub errors: Vec<Report>,
    pub warnings: Vec<String>,
}

/// The layers read so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub root: Fields,
    pub limits: Fields,
    pub ui: Fields,
    pub clusters: IndexMap<String, ClusterDraft>,
    /// Clusters that nothing says the kind of: told, and not among `clusters`.
    pub kindless: Vec<String>,
}

/// One document being read.
pub(super) struct Reader<'a> {
    pub file: &'a str,
    pub problems: &'a mut Problems,
}

impl Reader<'_> {
    pub(super) fn origin(&self, at: Pos) -> Origin {
        Origin::File { name: self.file.to_owned(), at }
    }

    pub(super) fn error(&mut self, at: Pos, message: String, hint: Option<String>) {
        let mut report = self.origin(at).report(message);
        report.hints.extend(hint);
        self.problems.errors.push(report);
    }

    /// The entries of a map; anything else is reported. Nothing counts as empty.
    pub(super) fn entries<'n>(&mut self, what: &str, node: &'n Node) -> Vec<&'n Entry> {
        if node.is_null() {
            return Vec::new();
        }
        let Value::Map(entries) = &node.value else {
            let message = format!("{what}: expected a map, found {}", node.kind());
            self.error(node.span.start, message, None);
            return Vec::new();
        };
        let mut seen: IndexMap<&str, Pos> = IndexMap::new();
        for entry in entries {
            if let Some(first) = seen.get(entry.key.as_str()) {
                let message = format!("{what}: `{}` stands twice", entry.key);
                let hint = format!("keep one; the other is in line {}", first.line);
                self.error(entry.key_span.start, message, Some(hint));
            } else {
                seen.insert(&entry.key, entry.key_span.start);
            }
        }
        entries.iter().collect()
    }

    /// A key that is near a known one is surely misspelt, and dropping it could
    /// lift a limit: an error. Any other is of no harm: a warning.
    pub(super) fn unknown<'k>(
        &mut self,
        path: &str,
        entry: &Entry,
        known: impl IntoIterator<Item = &'k str>,
    ) {
        let at = entry.key_span.start;
        let message = format!("unknown key `{}`", join(path, &entry.key));
        match nearest(&entry.key, known) {
            Some(near) => self.error(at, message, Some(format!("did you mean `{near}`?"))),
            None => self.problems.warnings.push(format!("{}: {message}", self.origin(at))),
        }
    }

    fn field(&mut self, path: &str, field: &Field, node: &Node, into: &mut Fields) {
        if node.is_null() {
            return; // as if it did not stand there: a lower layer's value stays
        }
        match read::value(field.shape, node) {
            Ok(value) => {
                let origin = self.origin(node.span.start);
                into.insert(field.name.to_owned(), Set { value, origin });
            }
            Err(misfit) => {
                let message = format!("{}: {}", join(path, field.name), misfit.message);
                self.error(node.span.start, message, misfit.hint);
            }
        }
    }

    fn section(&mut self, path: &str, table: &'static [Field], node: &Node, into: &mut Fields) {
        for entry in self.entries(path, node) {
            match table.iter().find(|f| f.name == entry.key) {
                Some(field) => self.field(path, field, &entry.value, into),
                None => self.unknown(path, entry, table.iter().map(|f| f.name)),
            }
        }
    }

    /// Checks what can be checked of a cluster whose kind is not known: what all
    /// kinds share, and keys that no kind has.
    fn of_any_kind(&mut self, path: &str, entries: Vec<&Entry>) {
        let mut unused = Fields::new();
        for entry in entries {
            if entry.key == "limits" {
                let path = format!("{path}.limits");
                self.section(&path, fields::LIMITS, &entry.value, &mut unused);
            } else if let Some(field) = fields::CLUSTER.iter().find(|f| f.name == entry.key) {
                if field.shape != Shape::Kind {
                    self.field(path, field, &entry.value, &mut unused);
                }
            } else if !fields::of_any_cluster().any(|f| f.name == entry.key) {
                let known = fields::of_any_cluster().map(|f| f.name);
                self.unknown(path, entry, known.chain(["limits"]));
            }
        }
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

impl Draft {
    /// Folds one `config.yaml` in.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>, document: &Node) {
        for entry in reader.entries("the file", document) {
            match entry.key.as_str() {
                "limits" => {
                    reader.section("limits", fields::LIMITS, &entry.value, &mut self.limits);
                }
                "ui" => reader.section("ui", fields::UI, &entry.value, &mut self.ui),
                "clusters" => {
                    for cluster in reader.entries("clusters", &entry.value) {
                        self.read_cluster(reader, cluster);
                    }
                }
                key => {
                    if let Some(field) = fields::ROOT.iter().find(|f| f.name == key) {
                        reader.field("", field, &entry.value, &mut self.root);
                    } else {
                        let known = fields::ROOT.iter().map(|f| f.name);
                        let sections = fields::SECTIONS.iter().map(|(name, _)| *name);
                        reader.unknown("", entry, known.chain(sections));
                    }
                }
            }
        }
    }

    /// The kind of a cluster: as its entry says, else as a lower layer does. A
    /// misspelt one is told and taken for the nearest, so that the rest of the
    /// entry is checked as well.
    fn kind(
        &self,
        reader: &mut Reader<'_>,
        path: &str,
        cluster: &Entry,
        entries: &[&Entry],
    ) -> Option<ClusterKind> {
        let name = cluster.key.as_str();
        let usual = || {
            let below = self.clusters.get(name).map(|c| c.kind);
            below.or_else(|| (name == "local").then_some(ClusterKind::Local))
        };
        let Some(entry) = entries.iter().find(|e| e.key == "kind") else {
            let kind = usual();
            if kind.is_none() {
                let words = ClusterKind::ALL.map(ClusterKind::word).join(", ");
                let message = format!("{path} has no `kind`");
                reader.error(cluster.key_span.start, message, Some(format!("add one of {words}")));
            }
            return kind;
        };
        match read::value(Shape::Kind, &entry.value) {
            Ok(word) => kind_of(&word),
            Err(misfit) => {
                let message = format!("{path}.kind: {}", misfit.message);
                reader.error(entry.value.span.start, message, misfit.hint);
                let word = entry.value.as_scalar().map(|s| s.text.as_str());
                word.and_then(read::nearest_kind).or_else(usual)
            }
        }
    }

    fn read_cluster(&mut self, reader: &mut Reader<'_>, cluster: &Entry) {
        let name = cluster.key.as_str();
        let path = format!("clusters.{name}");
        if let Some(why) = bad_name(name) {
            reader.error(cluster.key_span.start, format!("cluster name `{name}` {why}"), None);
        }
        let entries = reader.entries(&path, &cluster.value);
        let Some(kind) = self.kind(reader, &path, cluster, &entries) else {
            self.kindless.push(name.to_owned());
            reader.of_any_kind(&path, entries);
            return;
        };
        let draft = self.clusters.entry(name.to_owned()).or_insert_with(|| ClusterDraft {
            kind,
            fields: Fields::new(),
            limits: Fields::new(),
        });
        if draft.kind != kind {
            // Another kind of cluster now: what only the old kind knew goes.
            draft.fields.retain(|name, _| fields::of_cluster(kind).any(|f| f.name == name));
            draft.kind = kind;
        }
        for entry in entries {
            if entry.key == "limits" {
                let path = format!("{path}.limits");
                reader.section(&path, fields::LIMITS, &entry.value, &mut draft.limits);
            } else if let Some(field) = fields::of_cluster(kind).find(|f| f.name == entry.key) {
                if field.shape != Shape::Kind {
                    reader.field(&path, field, &entry.value, &mut draft.fields);
                }
            } else {
                let known = fields::of_cluster(kind).map(|f| f.name);
                reader.unknown(&path, entry, known.chain(["limits"]));
                if kind != ClusterKind::Local {
                    let origin = reader.origin(entry.value.span.start);
                    let value = read::json(&entry.value);
                    draft.fields.insert(entry.key.clone(), Set { value, origin });
                }
            }
        }
    }
}

pub(super) fn kind_of(word: &Json) -> Option<ClusterKind> {
    ClusterKind::ALL.into_iter().find(|k| word.as_str() == Some(k.word()))
}

/// Names become part of messages, remote names and arguments.
pub(super) fn bad_name(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("is empty")
    } else if name == "auto" {
        Some("stands for any cluster that can run a job")
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("has white space or control characters in it")
    } else {
        None
    }
}

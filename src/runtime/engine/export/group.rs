//! The jobs of a sweep as one entry again.

use std::{collections::HashSet, sync::Arc};

use serde_json::{Map, Value as Json};

use super::{
    alone::literal_texts,
    fields::{self, Start},
    proof, spec_of, with_field,
};
use crate::{
    domain::{
        batch::expand::WITH_HOLES,
        job::JobSpec,
        params::Params,
        placeholder::{Mode, Values, is_identifier},
        run::RunJob,
        tree::{Entry, Node, Scalar, Span, Value},
        unfill::{Jobs, unfill},
    },
    yaml,
};

/// An entry with a sweep.
pub(super) struct Group {
    pub(super) node: Node,
    /// Parameters that the run's jobs do not have, for what differed between them by
    /// more than their own.
    pub(super) added: Vec<String>,
}

/// One entry that makes these jobs again. `None`: there is none.
pub(super) fn entry(name: &str, rows: &[&RunJob], start: Start) -> Option<Group> {
    let specs: Vec<JobSpec> = rows.iter().map(|row| spec_of(row).into_owned()).collect();
    let jobs: Vec<Map<String, Json>> =
        rows.iter().zip(&specs).map(|(row, spec)| fields::of(row, spec, start)).collect();
    let mut sweep = Sweep::of(&specs)?;
    let entry = sweep.unify(&jobs)?;
    let mut node = yaml::node_of_json(&Json::Object(entry));
    if let Value::Map(entries) = &mut node.value {
        let value = yaml::node_of_json(&Json::String(name.to_owned()));
        entries.insert(0, Entry { key: "name".into(), key_span: Span::default(), value });
    }
    let node = sweep.written(node)?;
    let wanted = sweep.with_added(specs);
    proof::holds(&node, &wanted, start).then_some(Group { node, added: sweep.added })
}

/// The sweep of the group, and how its jobs are told apart.
struct Sweep {
    names: Vec<Arc<str>>,
    /// By job and parameter; `None`: it has none there.
    values: Vec<Vec<Option<Arc<str>>>>,
    jobs: Vec<String>,
    /// `{run}` and `{attempt}` in its texts are filled in when a job is sent.
    holes: bool,
    added: Vec<String>,
}

impl Sweep {
    /// `None`: the jobs do not agree on what their parameters are.
    fn of(specs: &[JobSpec]) -> Option<Self> {
        // A combination of `include` may lack some of them.
        let fullest = specs.iter().max_by_key(|spec| spec.params.len())?;
        let names: Vec<Arc<str>> = fullest.params.iter().map(|(name, _)| name.into()).collect();
        let known =
            |spec: &JobSpec| spec.params.iter().all(|(n, _)| names.iter().any(|k| **k == *n));
        let holes = specs.first()?.holes;
        if names.is_empty() || !specs.iter().all(|spec| known(spec) && spec.holes == holes) {
            return None;
        }
        let values = specs
            .iter()
            .map(|spec| names.iter().map(|name| spec.params.get(name).map(Arc::from)).collect())
            .collect();
        let jobs = specs.iter().map(|spec| spec.name.clone()).collect();
        Some(Self { names, values, jobs, holes, added: Vec::new() })
    }

    /// The fields of all jobs as those of one entry.
    fn unify(&mut self, jobs: &[Map<String, Json>]) -> Option<Map<String, Json>> {
        let mut keys: Vec<&String> = Vec::new();
        for key in jobs.iter().flat_map(Map::keys) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut entry = Map::new();
        for key in keys {
            let left_out = fields::left_out(key);
            let of = |job: &Map<String, Json>| job.get(key).cloned().or_else(|| left_out.clone());
            let values: Vec<Json> = jobs.iter().map(of).collect::<Option<_>>()?;
            let values: Vec<&Json> = values.iter().collect();
            let field = Field { key, path: key.clone() };
            entry.insert(key.clone(), self.value(&field, &values)?);
        }
        Some(entry)
    }

    /// One value for those of all jobs.
    fn value(&mut self, field: &Field<'_>, values: &[&Json]) -> Option<Json> {
        let first = *values.first()?;
        if values.iter().all(|value| *value == first) {
            let mut value = first.clone();
            literal_texts(&mut value, self.holes && field.has_holes());
            return Some(value);
        }
        match first {
            Json::Object(fields) => {
                let maps: Vec<_> =
                    values.iter().map(|value| value.as_object()).collect::<Option<_>>()?;
                let mut one = Map::new();
                for key in fields.keys() {
                    let inner = maps.iter().map(|map| map.get(key)).collect::<Option<Vec<_>>>()?;
                    one.insert(key.clone(), self.value(&field.inside(key), &inner)?);
                }
                maps.iter().all(|map| map.len() == one.len()).then_some(Json::Object(one))
            }
            Json::Array(items) => {
                let lists: Vec<_> =
                    values.iter().map(|value| value.as_array()).collect::<Option<_>>()?;
                if lists.iter().any(|list| list.len() != items.len()) {
                    return None;
                }
                let item = |n: usize| {
                    let inner = lists.iter().map(|list| list.get(n)).collect::<Option<Vec<_>>>()?;
                    self.value(&field.inside(&(n + 1).to_string()), &inner)
                };
                (0..items.len()).map(item).collect::<Option<_>>().map(Json::Array)
            }
            _ => self.scalar(field, values),
        }
    }

    fn scalar(&mut self, field: &Field<'_>, values: &[&Json]) -> Option<Json> {
        let texts: Option<Vec<&str>> = values.iter().map(|value| value.as_str()).collect();
        let found = match &texts {
            Some(texts) => self.text(field, texts),
            None => self.typed(values),
        };
        if let Some(text) = found {
            return Some(Json::String(text));
        }
        let written = |value: &&Json| match value {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Bool(flag) => Some(flag.to_string()),
            _ => None,
        };
        let written: Vec<String> = values.iter().map(written).collect::<Option<_>>()?;
        let name = self.add(&field.path, written);
        Some(Json::String(if texts.is_some() { format!("{{{name}!raw}}") } else { braced(&name) }))
    }

    /// The text with placeholders that these texts were made of.
    fn text(&self, field: &Field<'_>, texts: &[&str]) -> Option<String> {
        let rows: Vec<Vec<Option<&str>>> =
            self.values.iter().map(|row| row.iter().map(Option::as_deref).collect()).collect();
        let values: Vec<Values<'_>> =
            rows.iter().zip(&self.jobs).map(|(params, name)| Values { params, name }).collect();
        let jobs = Jobs { params: &self.names, values: &values };
        let text = unfill(texts, jobs, field.mode(), self.holes && field.has_holes())?;
        // Alone in a tree, a placeholder would take the value's type.
        let alone = self.names.iter().find(|name| text == braced(name));
        Some(match alone.filter(|_| field.is_tree()) {
            Some(name) => format!("{{{name}!raw}}"),
            None => text,
        })
    }

    /// The parameter whose values are these numbers and truth values.
    fn typed(&self, values: &[&Json]) -> Option<String> {
        let is_it = |parameter: &usize| {
            self.values.iter().zip(values).all(|(row, value)| {
                let text = row.get(*parameter).and_then(Option::as_deref);
                text.is_some_and(|text| means(text, value))
            })
        };
        let found = (0..self.names.len()).find(is_it)?;
        self.names.get(found).map(|name| braced(name))
    }

    /// Adds a parameter for what nothing else explains.
    fn add(&mut self, path: &str, values: Vec<String>) -> String {
        let plain: String =
            path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let mut name = if is_identifier(&plain) { plain } else { format!("_{plain}") };
        while self.names.iter().any(|known| **known == *name) {
            name.push('_');
        }
        self.names.push(name.as_str().into());
        for (row, value) in self.values.iter_mut().zip(values) {
            row.push(Some(value.into()));
        }
        self.added.push(name.clone());
        name
    }

    /// The jobs with the added parameters, which the entry will give them.
    fn with_added(&self, mut specs: Vec<JobSpec>) -> Vec<JobSpec> {
        if !self.added.is_empty() {
            for (spec, row) in specs.iter_mut().zip(&self.values) {
                let all = self.names.iter().zip(row);
                let all = all.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
                spec.params = Params::new(all.collect());
            }
        }
        specs
    }

    /// The entry with its sweep: a grid where the jobs are one, else a list of values for
    /// each parameter; combinations that lack some stand under `include`.
    fn written(&self, entry: Node) -> Option<Node> {
        let full = self.values.iter().take_while(|row| row.iter().all(Option::is_some)).count();
        let (zipped, rest) = self.values.split_at(full);
        if zipped.is_empty() {
            return None;
        }
        let column = |parameter: usize| {
            zipped.iter().filter_map(move |row| row.get(parameter)?.clone()).collect::<Vec<_>>()
        };
        let columns: Vec<Vec<Arc<str>>> = (0..self.names.len()).map(column).collect();
        let grid = grid(&columns);
        let lists = grid.as_ref().unwrap_or(&columns);
        let values = self.names.iter().zip(lists).map(|(name, values)| {
            let values = values.iter().map(|value| scalar(value)).collect();
            (&**name, Node { span: Span::default(), value: Value::Seq(values) })
        });
        let mut entry = with_field(entry, "sweep", Some(map(values)));
        if grid.is_none() {
            entry = with_field(entry, "sweep_mode", Some(scalar("zip")));
        }
        if !rest.is_empty() {
            let row = |row: &Vec<Option<Arc<str>>>| {
                let given = self.names.iter().zip(row);
                map(given.filter_map(|(name, value)| Some((&**name, scalar(value.as_ref()?)))))
            };
            let rows = rest.iter().map(row).collect();
            let include = Node { span: Span::default(), value: Value::Seq(rows) };
            entry = with_field(entry, "include", Some(include));
        }
        Some(entry)
    }
}

/// Where a value stands.
struct Field<'a> {
    /// The field of the job.
    key: &'a str,
    /// Below it, joined: a name for it.
    path: String,
}

impl Field<'_> {
    fn inside(&self, key: &str) -> Self {
        Self { key: self.key, path: format!("{}_{key}", self.path) }
    }

    fn has_holes(&self) -> bool {
        WITH_HOLES.contains(&self.key)
    }

    fn is_tree(&self) -> bool {
        matches!(self.key, "options" | "parameters")
    }

    /// Items of a list are inserted as they are.
    fn mode(&self) -> Mode {
        let is_shell = matches!(self.key, "command" | "args") && self.path == self.key;
        if is_shell { Mode::Shell } else { Mode::Plain }
    }
}

fn braced(name: &str) -> String {
    format!("{{{name}}}")
}

/// The text, written without quotes, is this number or truth value.
#[allow(clippy::float_cmp, reason = "the same number, however it is written")]
fn means(text: &str, value: &Json) -> bool {
    let scalar = Scalar { text: text.to_owned(), plain: true };
    match value {
        Json::Number(_) => {
            matches!((scalar.as_number(), value.as_f64()), (Some(a), Some(b)) if a == b)
        }
        Json::Bool(flag) => scalar.as_bool() == Some(*flag),
        _ => false,
    }
}

/// A value as it is written: quoted unless it is a number or a truth value.
fn scalar(text: &str) -> Node {
    let typed = Scalar { text: text.to_owned(), plain: true };
    let plain = typed.as_number().is_some() || typed.as_bool().is_some();
    Node { span: Span::default(), value: Value::Scalar(Scalar { plain, ..typed }) }
}

fn map<'a>(fields: impl Iterator<Item = (&'a str, Node)>) -> Node {
    let entries = fields
        .map(|(key, value)| Entry { key: key.to_owned(), key_span: Span::default(), value })
        .collect();
    Node { span: Span::default(), value: Value::Map(entries) }
}

/// The values of each parameter, when the columns are all their combinations in order,
/// the first parameter slowest.
fn grid(columns: &[Vec<Arc<str>>]) -> Option<Vec<Vec<Arc<str>>>> {
    let distinct = |column: &Vec<Arc<str>>| {
        let mut seen = HashSet::new();
        column.iter().filter(|value| seen.insert(Arc::clone(value))).cloned().collect::<Vec<_>>()
    };
    let count = columns.first()?.len();
    let lists: Vec<Vec<Arc<str>>> = columns.iter().map(distinct).collect();
    let all = lists.iter().try_fold(1_usize, |all, list| all.checked_mul(list.len()));
    if all != Some(count) {
        return None;
    }
    let mut turn = count;
    for (column, list) in columns.iter().zip(&lists) {
        turn /= list.len().max(1);
        let at = |n: usize| list.get(n / turn.max(1) % list.len());
        if column.iter().enumerate().any(|(n, value)| at(n) != Some(value)) {
            return None;
        }
    }
    Some(lists)
}

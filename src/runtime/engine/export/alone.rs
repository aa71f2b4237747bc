//! A job that stands by itself.

use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use super::{
    fields::{self, Start},
    proof, spec_of,
};
use crate::{
    domain::{
        batch::expand::WITH_HOLES, job::JobSpec, params::Params, placeholder, run::RunJob,
        send::param_variable, tree::Node,
    },
    yaml,
};

/// The parameter of [`escape`], with an empty value.
pub(super) const EMPTY: &str = "empty";

/// The job as an entry, and whether it is the same job again.
pub(super) fn entry(row: &RunJob, start: Start) -> (Node, bool) {
    let spec = without_sweep(&spec_of(row));
    let mut job = Map::from_iter([("name".to_owned(), json!(spec.name))]);
    job.append(&mut fields::of(row, &spec, start));
    let node = yaml::node_of_json(&Json::Object(job.clone()));
    if proof::holds(&node, std::slice::from_ref(&spec), start) {
        return (node, true);
    }
    escape(&mut job, spec.holes);
    (yaml::node_of_json(&Json::Object(job)), false)
}

/// The job without its group: the parameters it found there become variables.
fn without_sweep(spec: &JobSpec) -> JobSpec {
    let mut spec = spec.clone();
    spec.group = None;
    if !spec.params.is_empty() {
        let params = std::mem::take(&mut spec.params);
        let variables = params.iter().map(|(name, value)| (param_variable(name), value.to_owned()));
        let own = spec.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        spec.env = Arc::new(variables.chain(own).collect());
        spec.params = Params::default();
    }
    spec
}

/// Only an entry with a sweep can write a literal `{name}`, so the job gets a sweep of
/// one value; a placeholder in its name keeps that from being numbered.
fn escape(job: &mut Map<String, Json>, holes: bool) {
    for (key, value) in job.iter_mut() {
        match (key.as_str(), &mut *value) {
            ("type", _) => {}
            ("name", Json::String(name)) => name.extend(["{", EMPTY, "}"]),
            (key, value) => literal_texts(value, holes && WITH_HOLES.contains(&key)),
        }
    }
    job.insert("sweep".into(), json!({ EMPTY: [""] }));
}

/// Braces in all its texts stand for themselves.
pub(super) fn literal_texts(value: &mut Json, holes: bool) {
    match value {
        Json::String(text) => *text = placeholder::literal(text, holes),
        Json::Array(items) => items.iter_mut().for_each(|item| literal_texts(item, holes)),
        Json::Object(fields) => fields.values_mut().for_each(|field| literal_texts(field, holes)),
        _ => {}
    }
}

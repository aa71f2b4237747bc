//! What only Ray is asked for: the runtime environment of a job over the cluster's,
//! and resources by name.

use serde_json::{Value as Json, json};

use super::render::Target;
use crate::domain::{
    finding::Finding,
    job::{JobSpec, JsonMap},
    nearest::nearest,
    tree::FieldPath,
};

/// The options of one job, the cluster's filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    pub runtime_env: JsonMap,
    /// Other resources than CPU, GPU and memory, by Ray's names.
    pub resources: JsonMap,
    /// Labels of nodes; heads before 2.45 do not know them.
    pub label_selector: JsonMap,
}

const NAMES: [&str; 3] = ["runtime_env", "resources", "label_selector"];

/// What is wrong with a job on this cluster, as it is found.
#[derive(Debug)]
pub struct Findings<'a> {
    pub spec: &'a JobSpec,
    pub all: Vec<Finding>,
}

impl Findings<'_> {
    fn path(&self, steps: &[&str]) -> FieldPath {
        let job = FieldPath::root().key("jobs").index(self.spec.entry as usize);
        steps.iter().fold(job, |path, step| path.key(step))
    }

    /// `hint`: empty where there is none.
    pub fn error(&mut self, steps: &[&str], message: impl Into<String>, hint: &str) {
        let finding = Finding::error(self.path(steps), message);
        let finding = if hint.is_empty() { finding } else { finding.hint(hint) };
        self.all.push(finding.of_job(self.spec.entry as usize, Some(&self.spec.name)));
    }
}

/// The options of a job; what is wrong with them is told.
pub fn read(target: Target<'_>, findings: &mut Findings<'_>) -> Options {
    let mut options = Options::default();
    let mut own_env = JsonMap::new();
    let own = findings.spec.options.get("ray").and_then(Json::as_object);
    for (name, value) in own.into_iter().flatten() {
        let at = ["options", "ray", name.as_str()];
        match (name.as_str(), value) {
            (_, Json::Null) => {}
            ("runtime_env", Json::Object(map)) => own_env.clone_from(map),
            ("resources", Json::Object(map)) => {
                if map.values().all(|v| v.as_f64().is_some_and(|v| v >= 0.0)) {
                    options.resources.clone_from(map);
                } else {
                    findings.error(&at, "resources are numbers by their names", "");
                }
            }
            ("label_selector", Json::Object(map)) if map.values().all(Json::is_string) => {
                options.label_selector.clone_from(map);
            }
            (known, _) if NAMES.contains(&known) => {
                findings.error(&at, format!("`{known}` is a map, found {value}"), "");
            }
            (other, _) => {
                let hint = match nearest(other, NAMES) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("there are {}", NAMES.join(", ")),
                };
                findings.error(&at, format!("unknown option `{other}`"), &hint);
            }
        }
    }
    options.runtime_env = merged(&target.settings.runtime_env, &own_env);
    // What is packed is chosen here, by ignore files.
    options.runtime_env.shift_remove("excludes");
    environment(&mut options.runtime_env);
    local_folder(&mut options.runtime_env, findings);
    options
}

/// The job's runtime environment over the cluster's: lists of both, the cluster's
/// first and each item once; maps of both, the job's values winning; else the job's.
pub fn merged(cluster: &JsonMap, job: &JsonMap) -> JsonMap {
    let mut all = cluster.clone();
    for (key, value) in job {
        let value = match (all.get(key), value) {
            (Some(Json::Array(first)), Json::Array(then)) => {
                let mut list = first.clone();
                for item in then {
                    if !list.contains(item) {
                        list.push(item.clone());
                    }
                }
                Json::Array(list)
            }
            (Some(Json::Object(first)), Json::Object(then)) => {
                let mut map = first.clone();
                map.extend(then.clone());
                Json::Object(map)
            }
            _ => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all.retain(|_, value| !value.is_null());
    all
}

/// Variables as Ray wants them, a map of texts; some write a list of `NAME=value`.
fn environment(runtime_env: &mut JsonMap) {
    let Some(vars) = runtime_env.get_mut("env_vars") else { return };
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let map: JsonMap = match &*vars {
        Json::Object(map) => map.iter().map(|(k, v)| (k.clone(), json!(text(v)))).collect(),
        Json::Array(list) => list
            .iter()
            .filter_map(|item| item.as_str()?.split_once('='))
            .map(|(k, v)| (k.to_owned(), json!(v)))
            .collect(),
        _ => JsonMap::new(),
    };
    *vars = map.into();
}

/// A folder of this machine is nothing that a head can read.
fn local_folder(runtime_env: &mut JsonMap, findings: &mut Findings<'_>) {
    let Some(folder) = runtime_env.get("working_dir").and_then(Json::as_str) else { return };
    if folder.contains("://") {
        return;
    }
    if findings.spec.src_dir.is_none() {
        let at = ["options", "ray", "runtime_env", "working_dir"];
        let words = format!("`{folder}` is a folder of this machine, which Ray cannot read");
        findings.error(&at, words, "write `src_dir:` with it: jobdeck packs and sends it");
    }
    runtime_env.shift_remove("working_dir");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(text: &str) -> JsonMap {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn environments_merge_by_key() {
        let cluster =
            map(r#"{"pip": ["torch", "numpy"], "env_vars": {"A": "1", "B": "2"}, "conda": "x"}"#);
        let job = map(
            r#"{"pip": ["numpy", "pandas"], "env_vars": {"B": "3"}, "conda": null, "uv": ["a"]}"#,
        );
        let expected = map(
            r#"{"pip": ["torch", "numpy", "pandas"], "env_vars": {"A": "1", "B": "3"}, "uv": ["a"]}"#,
        );
        assert_eq!(merged(&cluster, &job), expected);
        assert_eq!(merged(&cluster, &JsonMap::new()), cluster);
    }

    #[test]
    fn variables_are_texts_by_name() {
        let mut env = map(r#"{"env_vars": ["A=1=2", "odd"]}"#);
        environment(&mut env);
        assert_eq!(env, map(r#"{"env_vars": {"A": "1=2"}}"#));
        let mut env = map(r#"{"env_vars": {"N": 4, "B": true}}"#);
        environment(&mut env);
        assert_eq!(env, map(r#"{"env_vars": {"N": "4", "B": "true"}}"#));
    }
}

//! The fields of one job.

use std::{borrow::Cow, sync::Arc};

use serde_json::{Map, Value as Json, json};

use crate::{
    domain::{
        job::{Candidate, ClusterChoice, Command, JobSpec, JobType},
        run::RunJob,
        site::ClusterViews,
    },
    secrets,
};

/// Names of variables whose plain values are taken to be secrets.
const SECRET_WORDS: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL"];

/// Where jobs start that name no folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// In the batch file's folder, which is spelled out: the document may lie in another
    /// one than the first.
    Base,
    /// Somewhere on the cluster.
    There,
}

impl Start {
    /// Of jobs that go to clusters on this machine, the batch file's folder.
    pub(super) fn of(rows: &[&RunJob], views: &ClusterViews) -> Self {
        let may_go = |row: &&RunJob| row.cluster.iter().chain(&*row.may_go).cloned().collect();
        let mut clusters = rows.iter().flat_map(|row| -> Vec<_> { may_go(row) });
        let is_remote = clusters.any(|id| views.get(&id).is_some_and(|view| view.remote));
        if is_remote { Self::There } else { Self::Base }
    }

    /// The folder, for a job that has a command. One with code starts there.
    pub(super) fn folder(self, spec: &JobSpec) -> Option<&Arc<str>> {
        let by_default = self == Self::Base && spec.command.is_some() && spec.src_dir.is_none();
        let base = spec.base_dir.as_ref().filter(|_| by_default);
        spec.working_dir.as_ref().or(base)
    }
}

/// The fields of a job but for its name and what it waits for; those that say nothing
/// are left out.
pub(super) fn of(row: &RunJob, spec: &JobSpec, start: Start) -> Map<String, Json> {
    let mut job = Map::new();
    let mut put = |key: &str, value: Json| {
        let empty = match &value {
            Json::Null => true,
            Json::Array(items) => items.is_empty(),
            Json::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if !empty {
            job.insert(key.to_owned(), value);
        }
    };
    if spec.job_type != JobType::Training {
        put("type", json!(spec.job_type.word()));
    }
    put("cluster", cluster(row));
    put("project", json!(spec.project));
    put("image", json!(spec.image));
    put("command", command(spec.command.as_ref()));
    put("args", command(spec.args.as_ref()));
    if !spec.gpus.is_zero() {
        put("gpus", json!(spec.gpus));
    }
    put("gpu_type", json!(spec.gpu_type));
    put("workers", json!(spec.workers));
    put("nodes", json!(spec.nodes));
    put("framework", json!(spec.framework));
    put("workspace_type", json!(spec.workspace_type));
    put("cpus", json!(spec.cpus));
    put("memory", json!(spec.memory.map(|m| m.to_string())));
    put("time_limit", json!(spec.time_limit.map(|t| t.to_string())));
    put("env", json!(spec.env));
    put("working_dir", json!(start.folder(spec)));
    put("src_dir", json!(spec.src_dir));
    put("libraries", json!(spec.libraries));
    put("priority", json!(spec.priority));
    if spec.max_retries > 0 {
        put("max_retries", json!(spec.max_retries));
    }
    if spec.exclusive {
        put("exclusive", json!(true));
    }
    put("file", json!(spec.file));
    put("file_hash", json!(spec.file_hash));
    put("method_name", json!(spec.method_name));
    put("parameters", json!(spec.parameters));
    put("tags", json!(spec.tags));
    put("cluster_tags", json!(spec.cluster_tags));
    put("metadata", json!(spec.metadata));
    put("options", json!(spec.options));
    job
}

/// What fields mean that are left out, where a sweep has them in other jobs.
pub(super) fn left_out(key: &str) -> Option<Json> {
    match key {
        "gpus" | "max_retries" => Some(json!(0)),
        "exclusive" => Some(json!(false)),
        _ => None,
    }
}

fn cluster(row: &RunJob) -> Json {
    match &row.spec.cluster {
        ClusterChoice::Default => json!(row.cluster),
        ClusterChoice::Listed(candidates) => {
            let names: Vec<Json> = candidates
                .iter()
                .map(|candidate| match candidate {
                    Candidate::Named(id) => json!(id),
                    Candidate::Auto => json!("auto"),
                })
                .collect();
            match <[Json; 1]>::try_from(names) {
                Ok([one]) => one,
                Err(names) => Json::Array(names),
            }
        }
    }
}

fn command(command: Option<&Command>) -> Json {
    match command {
        None => Json::Null,
        Some(Command::Shell(text)) => json!(text),
        Some(Command::Argv(argv)) => json!(argv),
    }
}

/// Variables with a plain value that looks like a secret.
pub(super) fn plain_secrets(spec: &JobSpec) -> impl Iterator<Item = &str> {
    let is_secret = |name: &str, value: &str| {
        let upper = name.to_uppercase();
        !secrets::is_reference(value) && SECRET_WORDS.iter().any(|word| upper.contains(word))
    };
    spec.env
        .iter()
        .filter(move |(name, value)| is_secret(name, value))
        .map(|(name, _)| name.as_str())
}

/// The job with references in place of plain secrets; references stay as they are.
pub(super) fn without_secrets(spec: &JobSpec) -> Cow<'_, JobSpec> {
    let names: Vec<String> = plain_secrets(spec).map(str::to_owned).collect();
    if names.is_empty() {
        return Cow::Borrowed(spec);
    }
    let mut spec = spec.clone();
    let env = Arc::make_mut(&mut spec.env);
    for name in names {
        let reference = format!("env:{name}");
        env.insert(name, reference);
    }
    Cow::Owned(spec)
}

//! A run as a batch document again.

use serde_json::{Map, Value, json};

use super::{Engine, start::blocking};
use crate::{
    domain::{
        ids::RunId,
        job::{Candidate, ClusterChoice, Command, DependencyCondition, JobSpec, JobType},
        placeholder,
        plan::OnExisting,
        run::{Run, RunJob},
        send::param_variable,
    },
    error::Report,
    journal::Replay,
    runtime::session::state_report,
    secrets, yaml,
};

/// Names of variables whose plain values are taken to be secrets.
const SECRET_WORDS: [&str; 6] = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "CREDENTIAL"];

impl Engine {
    /// The run as a batch file (YAML) without secrets, as it would be submitted
    /// again: every job by itself, with the values it last ran with.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn export(&self, run: &RunId) -> Result<String, Report> {
        let dir = self.dir(run);
        blocking(move || {
            let replay = Replay::read(&dir).map_err(|e| state_report(&e))?;
            Ok(yaml::emit_json(&document(&replay.run)))
        })
        .await?
    }
}

fn document(run: &Run) -> Value {
    let head = &run.head;
    let mut document = Map::new();
    document.insert("name".into(), json!(head.name));
    if !head.continue_on_error {
        document.insert("continue_on_error".into(), json!(false));
    }
    if let Some(max) = head.max_concurrent {
        document.insert("max_concurrent".into(), json!(max));
    }
    if let Some(max) = head.max_failures {
        document.insert("max_failures".into(), json!(max));
    }
    if head.on_existing == OnExisting::Reuse {
        document.insert("on_existing".into(), json!("reuse"));
    }
    let jobs: Vec<Value> = run.jobs.iter().map(|row| job(run, row)).collect();
    document.insert("jobs".into(), Value::Array(jobs));
    Value::Object(document)
}

fn job(run: &Run, row: &RunJob) -> Value {
    let spec: &JobSpec = row.spec_now();
    let mut job = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = match &value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        if !empty {
            job.insert(key.to_owned(), value);
        }
    };
    if spec.job_type != JobType::Training {
        put("type", json!(spec.job_type.word()));
    }
    put("name", json!(spec.name));
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
    put("env", env(spec));
    put("working_dir", json!(starts_in(spec)));
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
    put("depends_on", dependencies(run, row));
    if job.values().any(|value| holds_placeholder(value, spec.holes)) {
        escape(&mut job, spec.holes);
    }
    Value::Object(job)
}

/// A text in it would be taken for a placeholder, though it is none.
fn holds_placeholder(value: &Value, holes: bool) -> bool {
    match value {
        Value::String(text) => {
            let filled_in = ["{run}", "{attempt}"].iter().any(|hole| text.contains(hole));
            text.contains("{name}") || (filled_in && !holes)
        }
        Value::Array(items) => items.iter().any(|item| holds_placeholder(item, holes)),
        Value::Object(fields) => fields.values().any(|field| holds_placeholder(field, holes)),
        _ => false,
    }
}

/// The parameter of [`escape`], with an empty value.
const EMPTY: &str = "empty";

/// Only an entry with a sweep can write a literal `{name}`, so the job gets a sweep of
/// one value; a placeholder in its name keeps that from being numbered.
fn escape(job: &mut Map<String, Value>, holes: bool) {
    for (key, value) in job.iter_mut() {
        match (key.as_str(), &mut *value) {
            ("depends_on" | "type", _) => {}
            ("name", Value::String(name)) => {
                name.extend(["{", EMPTY, "}"]);
            }
            (_, value) => literal_texts(value, holes),
        }
    }
    job.insert("sweep".into(), json!({ EMPTY: [""] }));
}

fn literal_texts(value: &mut Value, holes: bool) {
    match value {
        Value::String(text) => *text = placeholder::literal(text, holes),
        Value::Array(items) => items.iter_mut().for_each(|item| literal_texts(item, holes)),
        Value::Object(fields) => fields.values_mut().for_each(|field| literal_texts(field, holes)),
        _ => {}
    }
}

/// Where it runs, also when the document lies in another folder than the first one.
/// A job with code starts there.
fn starts_in(spec: &JobSpec) -> Option<&str> {
    let by_default = spec.command.is_some() && spec.src_dir.is_none();
    let base = spec.base_dir.as_deref().filter(|_| by_default);
    spec.working_dir.as_deref().or(base)
}

fn cluster(row: &RunJob) -> Value {
    match &row.spec.cluster {
        ClusterChoice::Default => json!(row.cluster),
        ClusterChoice::Listed(candidates) => {
            let names: Vec<Value> = candidates
                .iter()
                .map(|candidate| match candidate {
                    Candidate::Named(id) => json!(id),
                    Candidate::Auto => json!("auto"),
                })
                .collect();
            match <[Value; 1]>::try_from(names) {
                Ok([one]) => one,
                Err(names) => Value::Array(names),
            }
        }
    }
}

fn command(command: Option<&Command>) -> Value {
    match command {
        None => Value::Null,
        Some(Command::Shell(text)) => json!(text),
        Some(Command::Argv(argv)) => json!(argv),
    }
}

/// References stay references; what looks like a secret becomes one. The job stands
/// without its sweep, so the parameters it found there become variables too.
fn env(spec: &JobSpec) -> Value {
    let params = spec.params.iter().map(|(name, value)| (param_variable(name), json!(value)));
    let fields = spec.env.iter().map(|(name, value)| {
        let upper = name.to_uppercase();
        let plain_secret =
            !secrets::is_reference(value) && SECRET_WORDS.iter().any(|word| upper.contains(word));
        let value = if plain_secret { json!(format!("env:{name}")) } else { json!(value) };
        (name.clone(), value)
    });
    Value::Object(params.chain(fields).collect())
}

fn dependencies(run: &Run, row: &RunJob) -> Value {
    let names = row.depends_on.iter().filter_map(|(on, condition)| {
        let name = run.job(*on)?.spec.name.as_str();
        Some(match condition {
            DependencyCondition::Succeeded => json!(name),
            DependencyCondition::Ended => json!({ name: "ended" }),
        })
    });
    Value::Array(names.collect())
}

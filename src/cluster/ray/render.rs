//! From a resolved job to the body of one submission; pure.

use serde_json::{Value as Json, json};

use super::{
    options::{self, Findings, Options},
    package::Place,
};
use crate::{
    cluster::{KeyedJob, Payload, Rendered, Request},
    config::RaySettings,
    domain::{
        finding::Finding,
        ids::{ClusterId, JobKey},
        job::{Command, JobSpec, JsonMap},
        placement::{self, ray},
        shell::quote,
    },
    secrets,
};

/// Where submissions go. The last slash counts.
pub const SUBMIT: &str = "/api/jobs/";
/// Metadata by which a job is known to have been sent from one state folder.
pub const ORIGIN: &str = "jobdeck_origin";
/// Metadata with the job's key, where its id is one that a person chose.
pub const KEY: &str = "jobdeck_key";
/// Longest text that a command or a variable may be, in bytes: the system's own limit
/// is 128 KiB, and Ray takes a longer one and fails it.
const LONGEST: usize = 100 << 10;

/// Everything about a cluster that a body depends on.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub id: &'a ClusterId,
    pub settings: &'a RaySettings,
    /// Letters of the state folder.
    pub origin: &'a str,
}

/// The requests for these jobs, one for each, and what cannot be expressed.
pub fn render(target: Target<'_>, jobs: &[KeyedJob]) -> Rendered {
    let mut rendered = Rendered::default();
    for job in jobs {
        let spec = job.spec.filled(&job.key.run, job.key.attempt);
        let mut findings = Findings { spec: &spec, all: Vec::new() };
        let body = body(target, job, &spec, &mut findings);
        let refused = findings.all.iter().any(Finding::is_error);
        rendered.findings.append(&mut findings.all);
        if refused {
            continue;
        }
        rendered.requests.push(Request {
            cluster: target.id.clone(),
            jobs: vec![job.clone()],
            payload: Payload::Http { method: "POST".into(), path: SUBMIT.into(), body },
        });
    }
    rendered
}

/// The id a job has on the cluster: its key, or what a person chose for it, with the
/// number of the attempt behind it from the second on.
pub fn submission_id(spec: &JobSpec, key: &JobKey) -> String {
    match &spec.submission_id {
        Some(own) if key.attempt > 1 => format!("{own}-{}", key.attempt),
        Some(own) => own.clone(),
        None => key.to_string(),
    }
}

fn body(target: Target<'_>, job: &KeyedJob, spec: &JobSpec, findings: &mut Findings<'_>) -> Json {
    let id = submission_id(spec, &job.key);
    for obstacle in ray::obstacles(spec) {
        let hint = obstacle.hint.unwrap_or_default();
        findings.error(&[obstacle.key], obstacle.message, &hint);
    }
    let mut options = options::read(target, findings);
    let entrypoint = entrypoint(target, spec, &options, findings);
    add_code(spec, &mut options.runtime_env);
    add_environment(target, job, spec, &mut options.runtime_env, findings);
    let need = placement::need(spec, job.replicas);
    let mut resources = options.resources;
    if let Some(kind) = &spec.gpu_type {
        // Ray's way to ask for a kind of GPU: any amount of its marker.
        resources.insert(format!("accelerator_type:{kind}"), json!(0.001));
    }
    let mut body = json!({
        "entrypoint": entrypoint,
        "submission_id": id,
        "runtime_env": options.runtime_env,
        "metadata": metadata(target, job, spec),
        "entrypoint_num_cpus": number(need.cpus),
        "entrypoint_num_gpus": number(need.gpus.as_f64()),
    });
    if let Json::Object(body) = &mut body {
        if need.memory > 0 {
            body.insert("entrypoint_memory".into(), json!(need.memory));
        }
        if !resources.is_empty() {
            body.insert("entrypoint_resources".into(), resources.into());
        }
        if !options.label_selector.is_empty() {
            body.insert("entrypoint_label_selector".into(), options.label_selector.into());
        }
    }
    body
}

/// `2`, not `2.0`.
fn number(value: f64) -> Json {
    if value.fract() == 0.0 { json!(value as u64) } else { json!(value) }
}

/// The command as Ray's shell is given it.
fn entrypoint(
    target: Target<'_>,
    spec: &JobSpec,
    options: &Options,
    findings: &mut Findings<'_>,
) -> String {
    let launch = match spec.launch() {
        Some(Command::Shell(text)) => text,
        Some(Command::Argv(argv)) => {
            argv.iter().map(|arg| quote(arg)).collect::<Vec<_>>().join(" ")
        }
        None => String::new(),
    };
    let launch = mapped(&target.settings.path_map, &launch);
    let folder = spec.working_dir.as_deref();
    let place = folder.and_then(Place::read);
    let has_folder = folder.is_some()
        || spec.src_dir.is_some()
        || options.runtime_env.contains_key("working_dir");
    if !has_folder && let Some(script) = ray::relative_script(&launch) {
        findings.error(
            &["command"],
            format!("`{script}` is a relative path, and no folder is sent along to find it in"),
            "write `src_dir:` to send its folder, or an absolute path of the cluster",
        );
    }
    let start = match (place, folder) {
        (Some(Place { inside, .. }), _) if inside.is_empty() => None,
        (Some(Place { inside, .. }), _) => Some(quote(&inside)),
        (None, Some(folder)) => {
            let folder = mapped(&target.settings.path_map, folder);
            match folder.strip_prefix("~/") {
                Some(below) => Some(format!("~/{}", quote(below))),
                None if folder.starts_with('/') => Some(quote(&folder)),
                None => Some(format!("~/{}", quote(&folder))),
            }
        }
        (None, None) => None,
    };
    let entrypoint = match start {
        Some(start) => format!("cd {start} || exit 1\n{launch}"),
        None => launch,
    };
    if entrypoint.len() > LONGEST {
        let words = format!("the command has {} bytes, more than Ray can start", entrypoint.len());
        findings.error(&["command"], words, "put it into a file and send that with `src_dir:`");
    }
    entrypoint
}

/// Paths of this machine as the cluster calls them: where a word, or what follows a
/// quote, `=` or `:`, begins with one.
fn mapped(map: &JsonMap, text: &str) -> String {
    let mut out = text.to_owned();
    for (from, to) in map {
        let (from, Some(to)) = (from.trim_end_matches('/'), to.as_str()) else { continue };
        if !from.is_empty() {
            out = replaced(&out, from, to.trim_end_matches('/'));
        }
    }
    out
}

fn replaced(text: &str, from: &str, to: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        out.push_str(before);
        let begins =
            out.chars().next_back().is_none_or(|c| c.is_whitespace() || "'\"=:(,;".contains(c));
        let ends = after.chars().next().is_none_or(|c| !c.is_alphanumeric() && !"_-.".contains(c));
        out.push_str(if begins && ends { to } else { from });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Packages that the job starts in and imports from.
fn add_code(spec: &JobSpec, runtime_env: &mut JsonMap) {
    if let Some(place) = spec.working_dir.as_deref().and_then(Place::read) {
        runtime_env.insert("working_dir".into(), place.uri.into());
    }
    let modules: Vec<Json> = spec
        .libraries
        .iter()
        .filter(|above| above.starts_with("gcs://"))
        .map(|package| package.as_str().into())
        .collect();
    if modules.is_empty() {
        return;
    }
    match runtime_env.get_mut("py_modules") {
        Some(Json::Array(list)) => list.extend(modules),
        _ => drop(runtime_env.insert("py_modules".into(), modules.into())),
    }
}

/// Variables of the job over those of its runtime environment, and our own.
fn add_environment(
    target: Target<'_>,
    job: &KeyedJob,
    spec: &JobSpec,
    runtime_env: &mut JsonMap,
    findings: &mut Findings<'_>,
) {
    let vars = runtime_env.entry("env_vars").or_insert_with(|| JsonMap::new().into());
    let Json::Object(vars) = vars else { return };
    for (name, value) in spec.env.iter() {
        if value.len() > LONGEST {
            findings.error(&["env", name], format!("`{name}` is longer than 100 KiB"), "");
        }
        // A reference is resolved when it is sent.
        let value = if secrets::is_reference(value) {
            value.clone()
        } else {
            mapped(&target.settings.path_map, value)
        };
        vars.insert(name.clone(), value.into());
    }
    for (name, value) in spec.standard_env(&job.key.run, job.key.attempt) {
        vars.insert(name, value.into());
    }
}

/// Everything is text there. With it a list of the cluster's jobs tells whose they are.
fn metadata(target: Target<'_>, job: &KeyedJob, spec: &JobSpec) -> JsonMap {
    let mut all: JsonMap =
        spec.metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let own = [
        ("jobdeck_run", job.key.run.to_string()),
        ("jobdeck_job", spec.name.clone()),
        (KEY, job.key.to_string()),
        (ORIGIN, target.origin.to_owned()),
    ];
    all.extend(own.map(|(name, value)| (name.to_owned(), value.into())));
    if !spec.tags.is_empty() {
        all.insert("tags".into(), spec.tags.join(",").into());
    }
    all
}

//! What a head answers, and what it refuses and how.

use std::{
    collections::HashMap,
    convert::Infallible,
    io::{self, Read as _, Seek as _},
    sync::Arc,
    time::Duration,
};

use futures::stream;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Frame, Incoming},
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use serde_json::{Value as Json, json};

use super::{
    head::{Fault, Head, Record, Wants, now_ms},
    process,
};

type Body = BoxBody<Bytes, Infallible>;
type Answer = Response<Body>;

const VERSION: &str = "2.60.0";
/// A request of this many bytes is too large.
const TOO_LARGE: usize = 100 << 20;
/// Fields of a submission; another one is refused.
const FIELDS: [&str; 9] = [
    "entrypoint",
    "submission_id",
    "runtime_env",
    "metadata",
    "entrypoint_num_cpus",
    "entrypoint_num_gpus",
    "entrypoint_memory",
    "entrypoint_resources",
    "entrypoint_label_selector",
];

fn bytes(status: u16, kind: &str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()).boxed());
    *answer.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    if let Ok(kind) = kind.parse() {
        answer.headers_mut().insert(CONTENT_TYPE, kind);
    }
    answer
}

fn text(status: u16, words: impl Into<String>) -> Answer {
    bytes(status, "text/plain; charset=utf-8", words.into())
}

fn document(value: &Json) -> Answer {
    bytes(200, "application/json; charset=utf-8", value.to_string())
}

/// As Python tells of an exception.
fn traceback(status: u16, error: &str) -> Answer {
    text(
        status,
        format!(
            "Traceback (most recent call last):\n  File \"job_head.py\", line 1, in handle\n{error}\n"
        ),
    )
}

/// As the head tells of what its agent told it.
fn nested(status: u16, error: &str) -> Answer {
    traceback(500, &format!("RuntimeError: Request failed with status code {status}: {error}\n."))
}

/// Answers one request; an error drops the connection.
pub(super) async fn answer(head: Arc<Head>, request: Request<Incoming>) -> io::Result<Answer> {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    head.note_request(format!("{method} {path}"));
    if head.fault() == Fault::Hangs && path != "/api/version" {
        std::future::pending::<()>().await;
    }
    if let Some(refusal) = gate(&head, &request) {
        return Ok(refusal);
    }
    let query = query(request.uri().query().unwrap_or_default());
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    Ok(match (&method, parts.as_slice()) {
        (&Method::GET, ["api", "version"]) => document(&json!({
            "version": "4", "ray_version": VERSION, "ray_commit": "0", "session_name": head.session(),
        })),
        (&Method::GET, ["api", "authentication_mode"]) => {
            let mode = if head.settings.token.is_some() { "token" } else { "disabled" };
            document(&json!({ "authentication_mode": mode }))
        }
        (&Method::GET, ["api", "gcs_healthz"]) => text(200, "success"),
        (&Method::GET, ["api", "v0", "nodes"]) => document(&head.nodes()),
        (&Method::GET, ["api", "cluster_status"]) => document(&head.status()),
        (&Method::GET, ["api", "jobs", ""]) => document(&head.jobs()),
        (&Method::POST, ["api", "jobs", ""]) => {
            let answer = submit(&head, request.into_body()).await;
            if head.fault() == Fault::DropsAnswers {
                return Err(io::Error::other("dropped, on purpose"));
            }
            answer
        }
        (&Method::GET, ["api", "jobs", id]) if !id.is_empty() => match head.job(id) {
            Some(job) => document(&job),
            None => text(404, format!("Job {id} does not exist")),
        },
        (&Method::DELETE, ["api", "jobs", id]) => delete(&head, id),
        (&Method::POST, ["api", "jobs", id, "stop"]) => stop(&head, id),
        (&Method::GET, ["api", "packages", "gcs", name]) => {
            if head.has_package(name) {
                bytes(200, "application/octet-stream", "")
            } else {
                text(404, format!("Package gcs://{name} does not exist"))
            }
        }
        (&Method::PUT, ["api", "packages", "gcs", name]) => {
            keep(&head, name, request.into_body()).await
        }
        (&Method::GET, ["api", "v0", "logs", way @ ("file" | "stream")]) => log(&head, way, &query),
        _ => text(404, "404: Not Found"),
    })
}

/// What is refused whatever is asked for.
fn gate(head: &Head, request: &Request<Incoming>) -> Option<Answer> {
    let header = |name| request.headers().get(name).and_then(|v| v.to_str().ok());
    let Some(agent) = header(USER_AGENT) else {
        return Some(text(500, "500 Internal Server Error\n\nServer got itself in trouble"));
    };
    let is_browser = agent.starts_with("Mozilla") || request.headers().contains_key("origin");
    if is_browser && request.method() != Method::GET {
        return Some(text(
            405,
            format!("'{}' method not allowed for browser traffic.", request.method()),
        ));
    }
    let open = matches!(request.uri().path(), "/api/gcs_healthz" | "/api/authentication_mode");
    let token = head.settings.token.as_ref().filter(|_| !open)?;
    match header(AUTHORIZATION) {
        None => Some(text(401, "Unauthorized: Missing authentication token")),
        Some(given) if given == format!("Bearer {token}") => None,
        Some(_) => Some(text(403, "Forbidden: Invalid authentication token")),
    }
}

fn query(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

async fn submit(head: &Arc<Head>, body: Incoming) -> Answer {
    match head.fault() {
        Fault::NoAgent => {
            return traceback(
                500,
                "RuntimeError: No available agent to submit job, please try again later.",
            );
        }
        Fault::Zombie => {
            return traceback(500, "ClientConnectorError: Cannot connect to host 127.0.0.1:52365");
        }
        _ => {}
    }
    let whole = Limited::new(body, TOO_LARGE).collect().await;
    let Ok(whole) = whole else {
        return text(413, "Maximum request body size 104857600 exceeded.");
    };
    let Ok(Json::Object(body)) = serde_json::from_slice(&whole.to_bytes()) else {
        return text(500, "500 Internal Server Error\n\nServer got itself in trouble");
    };
    let body: serde_json::Map<String, Json> =
        body.into_iter().filter(|(_, value)| !value.is_null()).collect();
    if let Some(odd) = body.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let error = format!(
            "TypeError: JobSubmitRequest.__init__() got an unexpected keyword argument '{odd}'"
        );
        return traceback(400, &error);
    }
    if let Err(error) = check_types(&body) {
        return traceback(400, &format!("TypeError: {error}"));
    }
    let Some(entrypoint) = body.get("entrypoint").and_then(Json::as_str) else {
        return traceback(
            400,
            "TypeError: JobSubmitRequest.__init__() missing 1 required positional argument: 'entrypoint'",
        );
    };
    let number = |name: &str| body.get(name).and_then(Json::as_f64).unwrap_or(0.0);
    let id = match body.get("submission_id").and_then(Json::as_str) {
        None | Some("") => format!("raysubmit_{:016x}", fastrand::u64(..)),
        Some(id) => id.to_owned(),
    };
    let wants = Wants {
        cpus: number("entrypoint_num_cpus"),
        gpus: number("entrypoint_num_gpus"),
        memory: number("entrypoint_memory"),
    };
    let field = |name: &str| body.get(name).cloned().unwrap_or(Json::Null);
    let mut record = Record {
        status: "PENDING",
        message: "Job has not started yet. It may be waiting for resources (CPUs, GPUs, memory, custom resources) to become available.".into(),
        error_type: None,
        entrypoint: entrypoint.to_owned(),
        metadata: field("metadata"),
        runtime_env: field("runtime_env"),
        wants,
        start_time: now_ms(),
        end_time: None,
        exit_code: None,
        arrived: 0,
        node: None,
        gpus: Vec::new(),
        group: None,
        stopping: false,
    };
    if id.contains('/') {
        // The record stays, and nothing can be done about it any more.
        record.wants.gpus = f64::MAX;
        head.add(&id, record);
        return nested(500, "FileNotFoundError: no such folder");
    }
    if let Some(why) = dies_at_once(&record) {
        record.status = "FAILED";
        record.error_type = Some("JOB_SUPERVISOR_ACTOR_START_FAILURE");
        record.message = format!("Failed to start supervisor actor {id}: '{why}'");
        record.end_time = Some(now_ms());
    }
    if !head.add(&id, record) {
        return nested(
            400,
            &format!(
                "Traceback\nValueError: Job with submission_id {id} already exists. Please use a different submission_id."
            ),
        );
    }
    document(&json!({ "job_id": id, "submission_id": id }))
}

fn check_types(body: &serde_json::Map<String, Json>) -> Result<(), String> {
    for (name, value) in body {
        let fine = match name.as_str() {
            "entrypoint" | "submission_id" => value.is_string(),
            "metadata" | "entrypoint_label_selector" => {
                value.as_object().is_some_and(|map| map.values().all(Json::is_string))
            }
            "runtime_env" => value.is_object(),
            "entrypoint_num_cpus" | "entrypoint_num_gpus" => value.is_number(),
            "entrypoint_memory" => value.is_i64() || value.is_u64(),
            _ => value.as_object().is_some_and(|map| map.values().all(Json::is_number)),
        };
        if !fine {
            return Err(format!("{name} has the wrong type, got {value}"));
        }
    }
    Ok(())
}

/// What is taken, and fails before it starts.
fn dies_at_once(record: &Record) -> Option<String> {
    let gpus = record.wants.gpus;
    if gpus < 0.0 || (gpus > 1.0 && gpus.fract() != 0.0) {
        return Some(format!("Fractional or negative quantity {gpus} of GPU is not supported."));
    }
    if let Some(vars) = record.runtime_env.get("env_vars")
        && !vars.as_object().is_some_and(|map| map.values().all(Json::is_string))
    {
        return Some("runtime_env['env_vars'] must be of type Dict[str, str]".to_owned());
    }
    let folder = record.runtime_env.get("working_dir").and_then(Json::as_str)?;
    (!folder.contains("://")).then(|| format!("{folder} is not a valid URI"))
}

fn delete(head: &Head, id: &str) -> Answer {
    match head.record(id) {
        None => text(404, format!("Job {id} does not exist")),
        Some(record) if record.is_terminal() => {
            head.remove(id);
            document(&json!({ "deleted": true }))
        }
        Some(record) => nested(
            500,
            &format!(
                "RuntimeError: Attempted to delete job '{id}', but it is in a non-terminal state {}.",
                record.status
            ),
        ),
    }
}

fn stop(head: &Arc<Head>, id: &str) -> Answer {
    let Some(record) = head.record(id) else {
        return text(404, format!("Job {id} does not exist"));
    };
    if record.is_terminal() {
        return document(&json!({ "stopped": false }));
    }
    head.change(id, |record| record.stopping = true);
    if let Some(group) = record.group {
        tokio::spawn(process::stop(Arc::clone(head), id.to_owned(), group));
    }
    document(&json!({ "stopped": true }))
}

async fn keep(head: &Head, name: &str, body: Incoming) -> Answer {
    if name.strip_suffix(".zip").is_none() {
        return traceback(500, "ValueError: Invalid protocol or extension");
    }
    match Limited::new(body, TOO_LARGE - 1).collect().await {
        Ok(whole) => {
            head.keep_package(name, whole.to_bytes().to_vec());
            bytes(200, "application/octet-stream", "")
        }
        Err(_) => text(413, "Maximum request body size 104857600 exceeded."),
    }
}

fn log(head: &Arc<Head>, way: &str, query: &HashMap<String, String>) -> Answer {
    let Some(node) = query.get("node_id") else {
        return text(500, "500 Internal Server Error\n\nServer got itself in trouble");
    };
    let name = query.get("filename").map(String::as_str).unwrap_or_default();
    let id = name.strip_prefix("job-driver-").and_then(|rest| rest.strip_suffix(".log"));
    let Some(id) = id.filter(|_| head.has_node(node)) else {
        return text(500, format!("Given node id {node} is not available"));
    };
    let Ok(whole) = std::fs::read(head.log_path(id)) else {
        return text(500, format!("A file is not found at: {name}"));
    };
    let lines = query.get("lines").and_then(|n| n.parse::<i64>().ok()).unwrap_or(1_000);
    let begin = last_lines(&whole, lines);
    if way == "file" {
        return bytes(200, "text/plain", whole.get(begin..).unwrap_or_default().to_vec());
    }
    let body = StreamBody::new(followed(head.log_path(id), begin as u64));
    Response::new(BoxBody::new(body))
}

/// Where the last lines begin; negative: all of them.
fn last_lines(bytes: &[u8], lines: i64) -> usize {
    let Ok(lines) = usize::try_from(lines) else { return 0 };
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let breaks = body.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    match lines {
        0 => bytes.len(),
        _ => breaks.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0),
    }
}

/// What a file holds and will hold; it does not end by itself.
fn followed(
    path: std::path::PathBuf,
    from: u64,
) -> impl futures::Stream<Item = Result<Frame<Bytes>, Infallible>> {
    stream::unfold((path, from), |(path, at)| async move {
        loop {
            let mut fresh = Vec::new();
            let read = std::fs::File::open(&path).and_then(|mut file| {
                file.seek(io::SeekFrom::Start(at))?;
                file.read_to_end(&mut fresh)
            });
            if read.is_ok_and(|n| n > 0) {
                let at = at + fresh.len() as u64;
                return Some((Ok(Frame::data(fresh.into())), (path, at)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

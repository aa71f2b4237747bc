//! Planning beside the screen: one plan at a time, and always the newest text.

use std::{fmt::Write, path::PathBuf};

use tokio::sync::watch;

use super::News;
use crate::{
    app::{msg::Msg, text::count},
    cluster::{Payload, Request},
    domain::{plan::Plan, planner, shell},
    runtime::{engine::Engine, requests},
    yaml,
};

/// A text to plan.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) revision: u64,
    pub(super) name: String,
    pub(super) base_dir: Option<PathBuf>,
    pub(super) text: String,
}

/// The task that plans; texts that came and went while it was busy are skipped.
#[derive(Debug)]
pub(super) struct Planning {
    slot: watch::Sender<Option<Asked>>,
}

impl Planning {
    pub(super) fn start(engine: Engine, news: News) -> Self {
        let (slot, mut newest) = watch::channel(None::<Asked>);
        tokio::spawn(async move {
            while newest.changed().await.is_ok() {
                let Some(asked) = newest.borrow_and_update().clone() else { continue };
                let revision = asked.revision;
                let msg = match plan(&engine, asked).await {
                    Ok(plan) => Msg::Planned { revision, plan: Box::new(plan) },
                    Err(report) => Msg::Failed(report),
                };
                if news.send(msg).is_err() {
                    break;
                }
            }
        });
        Self { slot }
    }

    pub(super) fn ask(&self, asked: Asked) {
        self.slot.send_replace(Some(asked));
    }
}

async fn plan(engine: &Engine, asked: Asked) -> Result<Plan, crate::error::Report> {
    let Asked { name, base_dir, text, .. } = asked;
    let base_dir = base_dir.or_else(|| std::env::current_dir().ok());
    let read = {
        let text = text.clone();
        tokio::task::spawn_blocking(move || yaml::parse(text.as_bytes())).await
    };
    let node = match read {
        Ok(Ok(node)) => node,
        Ok(Err(e)) => return Ok(Plan::unreadable(&name, e.finding())),
        Err(_) => return Err(bug()),
    };
    let context = engine.plan_context(&node, base_dir.as_deref(), false, false).await?;
    let engine = engine.clone();
    let make = move || {
        let mut plan = planner::make(&name, base_dir.as_deref(), &node, &context);
        plan.findings.extend(requests::findings(&plan, &node, &engine));
        plan
    };
    tokio::task::spawn_blocking(make).await.map_err(|_| bug())
}

fn bug() -> crate::error::Report {
    crate::error::Report::new(crate::error::Kind::Internal, "the batch could not be planned")
        .hint("save it (Ctrl-S) and report it as a bug")
}

/// A preview of requests longer than this is cut.
const MOST_TEXT: usize = 4 << 20;

/// Exactly what would be sent, for reading.
pub(super) fn shown(engine: &Engine, plan: &Plan) -> String {
    let rendering = requests::render(plan, engine, |id| engine.facts(id));
    let all = rendering.requests.len();
    let mut text = String::new();
    for finding in &rendering.findings {
        let _ = writeln!(text, "! {}", finding.message);
    }
    for (n, request) in rendering.requests.iter().enumerate() {
        if text.len() > MOST_TEXT {
            let _ = writeln!(text, "… and {} more", count((all - n) as u64, "request"));
            break;
        }
        write_request(&mut text, n + 1, all, request);
    }
    if all == 0 {
        text.push_str("nothing would be sent\n");
    }
    text
}

fn write_request(text: &mut String, n: usize, all: usize, request: &Request) {
    let jobs = match request.jobs.as_slice() {
        [job] => job.spec.name.clone(),
        jobs => count(jobs.len() as u64, "job"),
    };
    let _ = writeln!(text, "── {n} of {all} → {} · {jobs}", request.cluster);
    match &request.payload {
        Payload::Http { method, path, body } => {
            let body = serde_json::to_string_pretty(body).unwrap_or_default();
            let _ = writeln!(text, "{method} {path}\n{body}\n");
        }
        Payload::Command { argv, stdin, files } => {
            let argv: Vec<String> = argv.iter().map(|a| shell::quote(a)).collect();
            let _ = writeln!(text, "$ {}", argv.join(" "));
            for (name, content) in files {
                let _ = writeln!(text, "┄ file {name}\n{}", content.trim_end());
            }
            if let Some(stdin) = stdin {
                let _ = writeln!(text, "┄ standard input\n{}", stdin.trim_end());
            }
            text.push('\n');
        }
    }
}

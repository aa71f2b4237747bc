//! A world whose clusters are simulated Ray heads.

use std::{fs, sync::Arc, time::Duration};

use jobdeck::simulate::ray::{Head, NodeSize, Server, Settings};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::{Answer, World};

pub struct Lab {
    pub world: World,
    servers: Vec<Server>,
    /// Ends after what runs in it.
    runtime: Runtime,
}

/// One node with so many CPUs and GPUs, which starts jobs at once and tells soon what
/// is in use.
pub fn node(cpus: f64, gpus: f64) -> Settings {
    Settings {
        nodes: vec![NodeSize { cpus, gpus, memory: f64::from(1 << 30) * 64.0 }],
        token: None,
        start_delay: Duration::from_millis(50),
        report_every: Duration::from_millis(500),
    }
}

impl Lab {
    /// Clusters `a`, `b`, … of these sizes.
    pub fn new(clusters: &[Settings]) -> Self {
        Self::with(clusters, "")
    }

    /// `more`: fields of every cluster's entry.
    pub fn with(clusters: &[Settings], more: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let start =
            |settings: &Settings| runtime.block_on(Server::start(settings.clone(), 0)).unwrap();
        let servers: Vec<Server> = clusters.iter().map(start).collect();
        let lab = Self { world: World::new(), servers, runtime };
        let entry = |(ix, server): (u8, &Server)| {
            let (name, url) = (char::from(b'a' + ix), server.url());
            format!("  {name}: {{kind: ray, address: \"{url}\", min_interval: 100ms{more}}}\n")
        };
        let entries: String = (0..).zip(&lab.servers).map(entry).collect();
        lab.world.config(&format!("clusters:\n{entries}"));
        lab
    }

    pub fn head(&self, ix: usize) -> &Arc<Head> {
        &self.servers[ix].head
    }

    pub fn url(&self, ix: usize) -> String {
        self.servers[ix].url()
    }

    /// Nobody answers there any more; its jobs are ended.
    pub fn kill(&mut self, ix: usize) {
        let _inside = self.runtime.enter();
        drop(self.servers.remove(ix));
    }

    /// Writes a batch file and submits it under a run id of its own.
    pub fn submit(&self, run: &str, batch: &str, wait: bool) -> Answer {
        let file = self.world.file(&format!("{run}.yaml"), batch).display().to_string();
        let mut args = vec!["submit", &file, "--yes", "--run-id", run];
        if wait {
            args.push("--wait");
        }
        self.world.run_args(&args)
    }

    pub fn status(&self, run: &str) -> Value {
        self.world.json(&format!("status {run} --json"), 0)
    }

    /// A command that notes in a file of the world that a job has started.
    pub fn mark(&self) -> String {
        format!("echo $JOBDECK_JOB >> {}/started", self.world.path().display())
    }

    /// Names of jobs that have started, in order.
    pub fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.path().join("started")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// One field of every job, as text.
pub fn column(status: &Value, field: &str) -> Vec<String> {
    let text = |job: &Value| match &job[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    status["jobs"].as_array().unwrap().iter().map(text).collect()
}

/// How many of these there are.
pub fn count(all: &[String], one: &str) -> usize {
    all.iter().filter(|other| *other == one).count()
}

//! What a head knows: records of jobs, what is in use on its nodes, packages.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use serde_json::{Map, Value as Json, json};
use tempfile::TempDir;

use super::{NodeSize, Settings, process};

/// What can be wrong with a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// It takes a request and never answers.
    Hangs,
    /// It does what a submission asks for, and drops the connection.
    DropsAnswers,
    /// Its own node is dead: it answers, and does nothing.
    Zombie,
    /// Submissions fail before anything is recorded.
    NoAgent,
}

/// What a job asked for.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    pub cpus: f64,
    pub gpus: f64,
    pub memory: f64,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record {
    pub status: &'static str,
    pub message: String,
    pub error_type: Option<&'static str>,
    pub entrypoint: String,
    pub metadata: Json,
    pub runtime_env: Json,
    pub wants: Wants,
    pub start_time: i64,
    pub end_time: Option<i64>,
    pub exit_code: Option<i32>,
    /// Place in the order of arrival.
    pub arrived: u64,
    /// The node it was given, and its GPUs there.
    pub node: Option<usize>,
    pub gpus: Vec<usize>,
    /// Group of its processes.
    pub group: Option<u32>,
    /// A stop was asked for.
    pub stopping: bool,
}

impl Record {
    pub fn is_terminal(&self) -> bool {
        matches!(self.status, "SUCCEEDED" | "FAILED" | "STOPPED")
    }
}

#[derive(Debug)]
struct Node {
    id: String,
    size: NodeSize,
    alive: bool,
}

/// What is in use, as drawn up last.
#[derive(Clone, Debug, Default)]
struct Report {
    time: f64,
    usage: Vec<(String, Wants)>,
    demand: Vec<f64>,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    jobs: BTreeMap<String, Record>,
    packages: HashMap<String, Vec<u8>>,
    report: Option<Report>,
    fault: Fault,
    arrivals: u64,
    /// Jobs that found no room when they came.
    had_to_wait: usize,
    session: String,
    /// Requests so far: method and path without its query.
    seen: Vec<String>,
}

/// See the module.
#[derive(Debug)]
pub struct Head {
    pub(super) settings: Settings,
    state: Mutex<State>,
    /// Files are unpacked and processes started one at a time: a process that starts
    /// meanwhile would hold a script open for writing.
    pub(super) starting: Mutex<()>,
    folder: TempDir,
}

pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn id() -> String {
    std::iter::repeat_with(|| format!("{:08x}", fastrand::u32(..))).take(7).collect()
}

/// Draws up what is in use, again and again.
pub(super) async fn report(head: Weak<Head>) {
    loop {
        let Some(head) = head.upgrade() else { return };
        head.draw_up();
        let pause = head.settings.report_every;
        drop(head);
        tokio::time::sleep(pause).await;
    }
}

impl Head {
    pub(super) fn new(settings: Settings) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("jobdeck-ray-").tempdir()?;
        let head = Self { settings, state: Mutex::default(), starting: Mutex::default(), folder };
        head.restart();
        Ok(head)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on this is wrong with it.
    pub fn set_fault(&self, fault: Fault) {
        let mut state = self.state();
        if let Some(own) = state.nodes.first_mut() {
            own.alive = fault != Fault::Zombie;
        }
        state.fault = fault;
    }

    pub fn fault(&self) -> Fault {
        self.state().fault
    }

    /// As after a restart of Ray: other nodes, no jobs, no packages. What ran is ended.
    pub fn restart(&self) {
        self.end();
        let nodes =
            self.settings.nodes.iter().map(|size| Node { id: id(), size: *size, alive: true });
        let fresh = State {
            nodes: nodes.collect(),
            session: format!("session_{}", id()),
            seen: std::mem::take(&mut self.state().seen),
            ..State::default()
        };
        *self.state() = fresh;
        self.draw_up();
    }

    /// Ends all that runs.
    pub fn end(&self) {
        for record in self.state().jobs.values_mut() {
            record.stopping = true;
            if let Some(group) = record.group {
                process::kill(group);
            }
        }
    }

    /// Requests so far that begin so, as `POST /api/jobs/`.
    pub fn requests(&self, begin: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.starts_with(begin)).count()
    }

    /// Jobs that found no room when they came, since it was started.
    pub fn had_to_wait(&self) -> usize {
        self.state().had_to_wait
    }

    pub(super) fn note_request(&self, line: String) {
        self.state().seen.push(line);
    }

    pub(super) fn session(&self) -> String {
        self.state().session.clone()
    }

    pub(super) fn log_path(&self, job: &str) -> PathBuf {
        self.folder.path().join(format!("job-driver-{job}.log"))
    }

    pub(super) fn folder_of(&self, job: &str) -> PathBuf {
        self.folder.path().join(format!("work-{job}"))
    }

    pub(super) fn has_node(&self, id: &str) -> bool {
        self.state().nodes.iter().any(|node| node.id == id && node.alive)
    }

    /// What is in use now, to be told until the next time.
    fn draw_up(&self) {
        let mut state = self.state();
        let usage = (0..state.nodes.len()).filter_map(|ix| {
            let node = state.nodes.get(ix)?;
            Some((node.id.clone(), in_use(&state.jobs, ix)))
        });
        let usage = usage.collect();
        let waits = |record: &&Record| record.status == "PENDING" && record.node.is_none();
        let demand = state.jobs.values().filter(waits).map(|record| record.wants.gpus).collect();
        state.report = Some(Report { time: now_ms() as f64 / 1e3, usage, demand });
    }

    /// Puts a record down; `false`: its id is taken.
    pub(super) fn add(self: &Arc<Self>, id: &str, mut record: Record) -> bool {
        {
            let mut state = self.state();
            if state.jobs.contains_key(id) {
                return false;
            }
            state.arrivals += 1;
            record.arrived = state.arrivals;
            state.jobs.insert(id.to_owned(), record);
        }
        self.start_what_fits();
        let mut state = self.state();
        let waits = |record: &Record| record.status == "PENDING" && record.node.is_none();
        state.had_to_wait += usize::from(state.jobs.get(id).is_some_and(waits));
        true
    }

    /// Gives room to those that wait, the first first, each whole to one node.
    pub(super) fn start_what_fits(self: &Arc<Self>) {
        let mut state = self.state();
        let mut waiting: Vec<(u64, String)> = state
            .jobs
            .iter()
            .filter(|(_, record)| record.status == "PENDING" && record.node.is_none())
            .map(|(id, record)| (record.arrived, id.clone()))
            .collect();
        waiting.sort();
        for (_, id) in waiting {
            let Some(wants) = state.jobs.get(&id).map(|record| record.wants.clone()) else {
                continue;
            };
            let fits = |ix: &usize| {
                let used = in_use(&state.jobs, *ix);
                state.nodes.get(*ix).is_some_and(|node| {
                    node.alive
                        && used.cpus + wants.cpus <= node.size.cpus + 1e-9
                        && used.gpus + wants.gpus <= node.size.gpus + 1e-9
                        && used.memory + wants.memory <= node.size.memory
                })
            };
            let Some(ix) = (0..state.nodes.len()).find(fits) else { continue };
            let taken: Vec<usize> = on_node(&state.jobs, ix).flat_map(|r| r.gpus.clone()).collect();
            let whole = wants.gpus.ceil() as usize;
            let gpus = (0..).filter(|gpu| !taken.contains(gpu)).take(whole).collect();
            if let Some(record) = state.jobs.get_mut(&id) {
                record.node = Some(ix);
                record.gpus = gpus;
            }
            tokio::spawn(process::live(Arc::clone(self), id));
        }
    }

    pub(super) fn change(self: &Arc<Self>, id: &str, change: impl FnOnce(&mut Record)) {
        let ended = {
            let mut state = self.state();
            let Some(record) = state.jobs.get_mut(id) else { return };
            change(record);
            record.is_terminal()
        };
        if ended {
            self.start_what_fits();
        }
    }

    pub(super) fn record(&self, id: &str) -> Option<Record> {
        self.state().jobs.get(id).cloned()
    }

    pub(super) fn remove(&self, id: &str) {
        self.state().jobs.remove(id);
    }

    pub(super) fn package(&self, name: &str) -> Option<Vec<u8>> {
        self.state().packages.get(name).cloned()
    }

    pub(super) fn has_package(&self, name: &str) -> bool {
        self.state().packages.contains_key(name)
    }

    pub(super) fn keep_package(&self, name: &str, bytes: Vec<u8>) {
        self.state().packages.insert(name.to_owned(), bytes);
    }

    /// A record as it is told.
    pub(super) fn job(&self, id: &str) -> Option<Json> {
        let state = self.state();
        state.jobs.get(id).map(|record| told(&state, id, record))
    }

    pub(super) fn jobs(&self) -> Json {
        let state = self.state();
        state.jobs.iter().map(|(id, record)| told(&state, id, record)).collect()
    }

    pub(super) fn nodes(&self) -> Json {
        let state = self.state();
        let node = |(ix, node): (usize, &Node)| {
            json!({
                "node_id": node.id, "node_ip": format!("127.0.0.{}", ix + 1),
                "is_head_node": ix == 0, "state": if node.alive { "ALIVE" } else { "DEAD" },
                "resources_total": {
                    "CPU": node.size.cpus, "GPU": node.size.gpus, "memory": node.size.memory,
                },
            })
        };
        let all: Vec<Json> = state.nodes.iter().enumerate().map(node).collect();
        json!({ "result": true, "msg": "", "data": { "result": { "total": all.len(), "result": all } } })
    }

    pub(super) fn status(&self) -> Json {
        let state = self.state();
        let report = state.report.as_ref().map(|report| {
            let usage: Map<String, Json> = report
                .usage
                .iter()
                .filter_map(|(id, used)| {
                    let size = state.nodes.iter().find(|node| node.id == *id)?.size;
                    let pairs = json!({
                        "CPU": [used.cpus, size.cpus], "GPU": [used.gpus, size.gpus],
                        "memory": [used.memory, size.memory],
                    });
                    Some((id.clone(), pairs))
                })
                .collect();
            let demand: Vec<Json> =
                report.demand.iter().map(|gpus| json!([{ "GPU": gpus }, 1])).collect();
            json!({
                "time": report.time,
                "loadMetricsReport": { "usageByNode": usage, "resourceDemand": demand },
            })
        });
        json!({ "result": true, "msg": "Got cluster status.", "data": { "clusterStatus": report } })
    }
}

fn on_node(jobs: &BTreeMap<String, Record>, ix: usize) -> impl Iterator<Item = &Record> {
    jobs.values().filter(move |record| record.node == Some(ix) && !record.is_terminal())
}

fn in_use(jobs: &BTreeMap<String, Record>, ix: usize) -> Wants {
    on_node(jobs, ix).fold(Wants::default(), |sum, record| Wants {
        cpus: sum.cpus + record.wants.cpus,
        gpus: sum.gpus + record.wants.gpus,
        memory: sum.memory + record.wants.memory,
    })
}

fn told(state: &State, id: &str, record: &Record) -> Json {
    let started = record.status != "PENDING";
    let node = record.node.filter(|_| started).and_then(|ix| state.nodes.get(ix));
    json!({
        "type": "SUBMISSION", "job_id": null, "submission_id": id, "driver_info": null,
        "status": record.status, "entrypoint": record.entrypoint, "message": record.message,
        "error_type": record.error_type, "start_time": record.start_time,
        "end_time": record.end_time, "metadata": record.metadata,
        "runtime_env": record.runtime_env, "driver_node_id": node.map(|node| &node.id),
        "driver_agent_http_address": null, "driver_exit_code": record.exit_code,
    })
}

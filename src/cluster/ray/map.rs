//! From Ray's words to ours; pure.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::wire::{Job, Node, Nodes, Report, Status as StatusAnswer, Usage};
use crate::domain::{
    resources::Gpus,
    run::JobFacts,
    site::{Amounts, Capacity, NodeCapacity},
    status::{Cause, Status},
};

/// Longest message that is kept of a job's end, in characters.
const MESSAGE: usize = 400;

/// What a record of Ray's says of a job. `names`: those of nodes, by their ids.
pub fn facts(job: &Job, names: &HashMap<String, String>, url: Option<String>) -> JobFacts {
    let mut facts = JobFacts::of(status(&job.status));
    facts.url = url;
    facts.node =
        job.driver_node_id.as_ref().map(|id| names.get(id).cloned().unwrap_or_else(|| id.clone()));
    match facts.status {
        Status::Pending => facts.reason = Some(pending(job.message.as_deref()).to_owned()),
        Status::Stopped => facts.cause = Some(Cause::Cancelled),
        Status::Failed => failed(job, &mut facts),
        _ => {}
    }
    if facts.status.is_ended() {
        facts.finished_at = job
            .end_time
            .filter(|end| *end > 0)
            .and_then(|end| Timestamp::from_millisecond(end).ok());
        match job.driver_exit_code {
            Some(code) if code < 0 => facts.signal = code.checked_neg(),
            code => facts.exit_code = code,
        }
    }
    facts
}

fn status(word: &str) -> Status {
    match word {
        "RUNNING" => Status::Running,
        "SUCCEEDED" => Status::Succeeded,
        "STOPPED" => Status::Stopped,
        "FAILED" => Status::Failed,
        // A word of a later version: it is there, and has not ended as far as is known.
        _ => Status::Pending,
    }
}

/// Why a job that Ray has does not run. Ray says the same of a job that waits for
/// room and of one that will never fit; it obeys a cancel of either only when it
/// starts it.
fn pending(message: Option<&str>) -> &'static str {
    if message.is_some_and(|m| m.contains("waiting for resources")) {
        "Ray has not started it yet; it obeys a cancel only when it does"
    } else {
        "Ray sets up its environment"
    }
}

fn failed(job: &Job, facts: &mut JobFacts) {
    let message = job.message.as_deref().unwrap_or_default();
    let (cause, reason) = match job.error_type.as_deref().unwrap_or_default() {
        "RUNTIME_ENV_SETUP_FAILURE" => {
            (Cause::Image, Some(format!("its runtime environment failed: {}", last_line(message))))
        }
        "JOB_SUPERVISOR_ACTOR_DIED" if message.contains("its node has died") => {
            (Cause::Node, Some("its node has died".to_owned()))
        }
        "JOB_SUPERVISOR_ACTOR_DIED" => {
            (Cause::Node, Some("Ray's supervisor of the job has died".to_owned()))
        }
        "JOB_SUPERVISOR_ACTOR_START_TIMEOUT" => {
            (Cause::Launch, Some("Ray had no room for it in time".to_owned()))
        }
        "JOB_SUPERVISOR_ACTOR_START_FAILURE" => {
            (Cause::Rejected, Some(format!("Ray could not start it: {}", last_line(message))))
        }
        "JOB_ENTRYPOINT_COMMAND_START_ERROR" => {
            (Cause::Rejected, Some(format!("its command cannot be run: {}", last_line(message))))
        }
        "" | "JOB_ENTRYPOINT_COMMAND_ERROR" => (Cause::Exit, how(job.driver_exit_code)),
        _ => (Cause::Other, Some(last_line(message))),
    };
    facts.cause = Some(cause);
    // Of a command that failed the message holds the end of its log.
    facts.error = if cause == Cause::Exit { logged(message) } else { Some(last_line(message)) };
    facts.reason = reason;
}

fn how(code: Option<i32>) -> Option<String> {
    Some(match code? {
        code if code < 0 => format!("ended by signal {}", code.unsigned_abs()),
        code => format!("exit code {code}"),
    })
}

/// The last line a job wrote, from the message of its end.
fn logged(message: &str) -> Option<String> {
    let (_, log) = message.split_once('\n')?;
    let own = |line: &&str| {
        !line.trim().is_empty()
            && !line.starts_with("Running entrypoint for job ")
            && !line.contains("Runtime env is setting up.")
    };
    log.lines().rev().find(own).map(shorten)
}

/// What a Python traceback comes to.
pub fn last_line(text: &str) -> String {
    let told = |line: &&str| line.trim().chars().any(char::is_alphanumeric);
    let line = text.lines().rev().find(told).unwrap_or("no words").trim();
    // Ray's agent told its head, which tells us.
    let line = line.strip_prefix("ValueError: ").unwrap_or(line);
    shorten(line.strip_prefix("RuntimeError: ").unwrap_or(line))
}

fn shorten(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(MESSAGE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Whether a refusal says that the id is taken.
pub fn is_duplicate(words: &str) -> bool {
    words.contains("already exists")
}

/// A refusal that is about the head's own trouble, not about the job: Ray has
/// recorded nothing.
pub fn is_trouble(words: &str) -> bool {
    const PHRASES: [&str; 5] = [
        "Cannot connect to host",
        "No available agent",
        "Server got itself in trouble",
        "TimeoutError",
        "ServerDisconnected",
    ];
    PHRASES.iter().any(|phrase| words.contains(phrase))
}

/// What nodes are called, by their ids: by address, where that tells them apart.
pub fn names(nodes: &Nodes) -> HashMap<String, String> {
    let alone = |ip: &str| nodes.all().iter().filter(|n| n.is_alive() && n.ip == ip).count() < 2;
    let name = |node: &Node| match node.ip.as_str() {
        ip if !ip.is_empty() && alone(ip) => ip.to_owned(),
        _ => node.id.clone(),
    };
    nodes.all().iter().map(|node| (node.id.clone(), name(node))).collect()
}

/// Whether the head's own node lives. A head whose node has died goes on answering,
/// says that its jobs run, and takes no others.
pub fn head_is_alive(nodes: &Nodes) -> bool {
    nodes.all().iter().any(|node| node.is_head && node.is_alive())
}

/// What the cluster has, by node. Free is what the last report of usage leaves of
/// each node's total; nodes that it does not know yet have nothing free.
pub fn capacity(nodes: &Nodes, status: &StatusAnswer, version: Option<String>) -> Capacity {
    let none = BTreeMap::new();
    let report = status.report();
    let names = names(nodes);
    let usage = report.map_or(&none, |report| &report.load.usage_by_node);
    let alive = nodes.all().iter().filter(|node| node.is_alive());
    let nodes: Vec<NodeCapacity> =
        alive.map(|node| of_node(node, &names, usage.get(&node.id))).collect();
    let sum = |of: fn(&NodeCapacity) -> &Amounts| {
        nodes.iter().map(of).fold(Amounts::default(), |sum, one| sum + *one)
    };
    let (total, free) = (sum(|n| &n.total), sum(|n| &n.free));
    Capacity {
        gpus_total: Some(total.gpus),
        gpus_free: Some(free.gpus),
        cpus_total: Some(total.cpus),
        cpus_free: Some(free.cpus),
        memory_total: Some(total.memory),
        gpus_per_node: nodes.iter().map(|n| n.total.gpus).max(),
        queue: report.map(waiting),
        running: None,
        version,
        as_of: report.and_then(|report| report.time),
        nodes,
    }
}

fn waiting(report: &Report) -> u64 {
    report.load.demand.iter().map(|(_, count)| count.max(0.0) as u64).sum()
}

fn of_node(node: &Node, names: &HashMap<String, String>, usage: Option<&Usage>) -> NodeCapacity {
    let total = |name: &str| node.resources_total.get(name).copied().unwrap_or(0.0).max(0.0);
    let free = |name: &str| match usage {
        Some(usage) => {
            let used = usage.get(name).map_or(0.0, |(used, _)| *used);
            (total(name) - used).clamp(0.0, total(name))
        }
        None => 0.0,
    };
    let amounts = |of: &dyn Fn(&str) -> f64| Amounts {
        gpus: Gpus::from_micros((of("GPU") * 1e6).round() as u64),
        cpus: of("CPU"),
        memory: of("memory") as u64,
    };
    let id = names.get(&node.id).unwrap_or(&node.id).clone();
    NodeCapacity { id, total: amounts(&total), free: amounts(&free) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> JobFacts {
        let job = serde_json::from_str(text).unwrap();
        facts(&job, &HashMap::from([("n1".to_owned(), "10.0.0.9".to_owned())]), None)
    }

    #[test]
    fn ends_have_causes() {
        let exit = job(
            r#"{"status": "FAILED", "error_type": "JOB_ENTRYPOINT_COMMAND_ERROR", "end_time": 5000,
            "driver_exit_code": 3, "driver_node_id": "n1",
            "message": "Job entrypoint command failed with exit code 3, last available logs:\nRunning entrypoint for job x: y\nbad thing\n\n"}"#,
        );
        assert_eq!(
            (exit.status, exit.cause, exit.exit_code),
            (Status::Failed, Some(Cause::Exit), Some(3))
        );
        assert_eq!(exit.error.as_deref(), Some("bad thing"));
        assert_eq!(exit.node.as_deref(), Some("10.0.0.9"));
        assert_eq!(exit.finished_at.map(Timestamp::as_second), Some(5));
        let killed = job(r#"{"status": "FAILED", "driver_exit_code": -9, "message": "x"}"#);
        assert_eq!((killed.signal, killed.exit_code), (Some(9), None));
        let env = job(r#"{"status": "FAILED", "error_type": "RUNTIME_ENV_SETUP_FAILURE",
            "message": "Traceback:\n  frames\nERROR: no matching distribution\n"}"#);
        assert_eq!(env.cause, Some(Cause::Image));
        assert!(env.reason.is_some_and(|r| r.ends_with("ERROR: no matching distribution")));
        let node = job(r#"{"status": "FAILED", "error_type": "JOB_SUPERVISOR_ACTOR_DIED",
            "message": "Job supervisor actor died\nThe actor died because its node has died. Node Id: x"}"#);
        assert_eq!(node.cause, Some(Cause::Node));
        assert_eq!(job(r#"{"status": "STOPPED"}"#).cause, Some(Cause::Cancelled));
        assert_eq!(job(r#"{"status": "DREAMING"}"#).status, Status::Pending);
    }

    #[test]
    fn a_traceback_comes_to_its_last_line() {
        let nested = "Traceback (most recent call last):\n  File \"x\"\nRuntimeError: failed: Traceback\n  File\nValueError: Job with submission_id a already exists.\n.\n";
        assert_eq!(last_line(nested), "Job with submission_id a already exists.");
        assert!(is_duplicate(nested) && !is_trouble(nested));
        assert_eq!(last_line(""), "no words");
        assert_eq!(last_line(&"é".repeat(1000)).chars().count(), MESSAGE + 1);
    }

    #[test]
    fn free_is_by_node_and_only_of_the_living() {
        let nodes = serde_json::from_str(
            r#"{"data": {"result": {"result": [
            {"node_id": "h", "node_ip": "10.0.0.1", "is_head_node": true, "state": "ALIVE",
             "resources_total": {"CPU": 4.0, "GPU": 4.0, "memory": 8589934592.0}},
            {"node_id": "w", "state": "ALIVE", "resources_total": {"CPU": 4.0, "GPU": 2.0}},
            {"node_id": "new", "state": "ALIVE", "resources_total": {"CPU": 4.0, "GPU": 2.0}},
            {"node_id": "d", "state": "DEAD", "resources_total": {"CPU": 64.0, "GPU": 8.0}}]}}}"#,
        )
        .unwrap();
        let status = serde_json::from_str(
            r#"{"data": {"clusterStatus": {"time": 12.5, "loadMetricsReport": {
            "resourceDemand": [[{"GPU": 5.0}, 2]],
            "usageByNode": {"h": {"GPU": [2.5, 4.0], "CPU": [1.0, 4.0]}, "w": {"GPU": [2.0, 2.0]}}}}}}"#,
        )
        .unwrap();
        let has = capacity(&nodes, &status, None);
        assert_eq!(
            (has.gpus_total, has.gpus_free),
            (Some(Gpus::whole(8)), Some(Gpus::from_micros(1_500_000)))
        );
        assert_eq!(
            (has.gpus_per_node, has.queue, has.as_of),
            (Some(Gpus::whole(4)), Some(2), Some(12.5))
        );
        assert_eq!(has.nodes.len(), 3);
        assert_eq!(has.nodes[0].free.memory, 8 << 30);
        assert!(head_is_alive(&nodes));
        // No report yet: nothing is known to be free.
        let has = capacity(&nodes, &StatusAnswer::default(), None);
        assert_eq!((has.gpus_free, has.as_of), (Some(Gpus::ZERO), None));
    }
}

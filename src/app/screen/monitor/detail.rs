//! Everything that is known of one job, as lines for the detail pane.

use jiff::{Timestamp, tz::TimeZone};

use super::cause::last_line;
use crate::{
    app::text,
    domain::{
        ids::JobIx,
        job::{Command, DependencyCondition, JobSpec},
        run::{Attempt, Run, RunJob},
        status::{Cause, Status},
    },
};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Heading,
    /// The state of the job.
    Status(Status),
    Bad,
    Dim,
}

/// A label (empty: the line goes on the one before) and one line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailLine {
    pub label: &'static str,
    pub text: String,
    pub tone: Tone,
}

/// Columns of the label.
pub const LABEL: usize = 13;

struct Lines {
    width: usize,
    lines: Vec<DetailLine>,
}

impl Lines {
    fn heading(&mut self, title: &str) {
        if !self.lines.is_empty() {
            self.lines.push(DetailLine { label: "", text: String::new(), tone: Tone::Plain });
        }
        self.lines.push(DetailLine { label: "", text: title.to_owned(), tone: Tone::Heading });
    }

    fn add(&mut self, label: &'static str, value: impl AsRef<str>) {
        self.tone(label, value, Tone::Plain);
    }

    fn maybe(&mut self, label: &'static str, value: Option<impl AsRef<str>>) {
        if let Some(value) = value {
            self.add(label, value);
        }
    }

    fn tone(&mut self, label: &'static str, value: impl AsRef<str>, tone: Tone) {
        let columns = self.width.saturating_sub(LABEL).max(10);
        let wrapped = text::wrap(value.as_ref(), columns);
        for (i, text) in wrapped.into_iter().enumerate() {
            self.lines.push(DetailLine { label: if i == 0 { label } else { "" }, text, tone });
        }
    }
}

/// The lines of a job for a pane this many columns wide.
pub fn lines(
    run: &Run,
    ix: JobIx,
    now: Timestamp,
    zone: &TimeZone,
    width: usize,
) -> Vec<DetailLine> {
    let Some(job) = run.job(ix) else { return Vec::new() };
    let mut out = Lines { width, lines: Vec::new() };
    result(&mut out, run, ix, job, now, zone);
    attempts(&mut out, job, now);
    parameters(&mut out, job);
    let attempt = job.attempt().map_or(1, |a| a.number);
    values(&mut out, &job.spec_now().filled(&run.id, attempt));
    dependencies(&mut out, run, job);
    out.lines
}

fn result(out: &mut Lines, run: &Run, ix: JobIx, job: &RunJob, now: Timestamp, zone: &TimeZone) {
    let last = job.attempt();
    let mut state = format!("{} {}", job.status.symbol(), job.status.label());
    if job.blocked {
        state.push_str(" · will not start by itself");
    }
    if let Some(cause) = telling(job.cause) {
        state.push_str(" · ");
        state.push_str(cause);
    }
    out.tone("State", state, Tone::Status(job.status));
    let error = last.and_then(|a| a.error.as_deref());
    // A reason that only repeats what stands below says nothing.
    let repeats = |why: &str| {
        job.status == Status::Succeeded
            || error.is_some_and(|error| why.contains(last_line(error)) || error.contains(why))
    };
    out.maybe("Why", run.reason(ix).filter(|why| !repeats(why)));
    if let Some(end) = last.and_then(ending) {
        out.add("Ended with", end);
    }
    if let Some(error) = error {
        out.tone("Error", error, Tone::Bad);
    }
    out.maybe("Node", last.and_then(|a| a.node.as_deref()));
    let place = job.cluster.as_ref().map_or("not placed yet", |c| c.as_str());
    out.add("Cluster", place);
    out.maybe("Cluster id", last.and_then(|a| a.remote_id.as_deref()));
    out.maybe("Name there", last.and_then(|a| a.remote_name.as_deref()));
    let key = run.key(ix, last.map_or(1, |a| a.number)).to_string();
    if last.and_then(|a| a.remote_id.as_deref()) != Some(key.as_str()) {
        out.add("Job key", key);
    }
    out.maybe("Address", last.and_then(|a| a.url.as_deref()));
    if let Some(attempt) = last {
        times(out, attempt, now, zone);
        out.maybe("Log", attempt.log_path.as_deref());
    }
}

/// A cause that says more than the state and the exit code beside it.
fn telling(cause: Option<Cause>) -> Option<&'static str> {
    match cause? {
        Cause::Exit | Cause::Other | Cause::Cancelled | Cause::Rejected | Cause::Lost => None,
        cause => Some(cause.label()),
    }
}

fn ending(attempt: &Attempt) -> Option<String> {
    match (attempt.exit_code, attempt.signal) {
        (_, Some(signal)) => Some(match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        }),
        (Some(code), None) => Some(match code.checked_sub(128).and_then(signal_name) {
            Some(name) => format!("exit code {code} (as after {name})"),
            None => format!("exit code {code}"),
        }),
        (None, None) => None,
    }
}

/// Names of signals that end jobs.
pub fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => return None,
    })
}

fn times(out: &mut Lines, attempt: &Attempt, now: Timestamp, zone: &TimeZone) {
    let clock =
        |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    let span = |from: Timestamp, to: Timestamp| text::duration(to.duration_since(from).as_secs());
    if let Some(sent) = attempt.submitted_at {
        let until = attempt.started_at.or(attempt.finished_at);
        let waited = span(sent, until.unwrap_or(now));
        let word = if until.is_some() { "waited" } else { "waiting for" };
        out.add("Sent", format!("{} · {word} {waited}", clock(sent)));
    }
    if let Some(started) = attempt.started_at {
        let ran = span(started, attempt.finished_at.unwrap_or(now));
        let word = if attempt.finished_at.is_some() { "ran" } else { "running for" };
        out.add("Started", format!("{} · {word} {ran}", clock(started)));
    }
    if let Some(ended) = attempt.finished_at {
        out.add("Ended", clock(ended));
    }
}

fn attempts(out: &mut Lines, job: &RunJob, now: Timestamp) {
    if job.attempts.len() < 2 {
        return;
    }
    out.heading(&format!("{} attempts", job.attempts.len()));
    let mut before: &JobSpec = &job.spec;
    for attempt in &job.attempts {
        let mut line =
            format!("{} {} {}", attempt.number, attempt.status.symbol(), attempt.status.label());
        if let Some(cause) = telling(attempt.cause) {
            line.push_str(" · ");
            line.push_str(cause);
        }
        if let Some(end) = ending(attempt) {
            line.push_str(" · ");
            line.push_str(&end);
        }
        if let Some(from) = attempt.started_at {
            let secs = attempt.finished_at.unwrap_or(now).duration_since(from).as_secs();
            line.push_str(" · ran ");
            line.push_str(&text::duration(secs));
        }
        if attempt.automatic {
            line.push_str(" · by itself");
        }
        out.tone("Attempt", line, Tone::Status(attempt.status));
        let spec: &JobSpec = attempt.spec.as_deref().unwrap_or(&job.spec);
        for change in changes(before, spec) {
            out.tone("", format!("  {change}"), Tone::Dim);
        }
        if attempt.code.is_some() {
            out.tone("", "  with the code as it was then", Tone::Dim);
        }
        before = spec;
    }
}

/// What a retry changed, a line a field: `memory 16G → 32G`.
pub fn changes(before: &JobSpec, after: &JobSpec) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::to_value(before), serde_json::to_value(after))
    else {
        return Vec::new();
    };
    let empty = serde_json::Map::new();
    let (before, after) =
        (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key) && *key != "holes")
        .map(|key| {
            if key == "env" {
                // Its values may be secret.
                return "env changed".to_owned();
            }
            format!("{key} {} → {}", shown(key, before.get(key)), shown(key, after.get(key)))
        })
        .collect()
}

fn shown(key: &str, value: Option<&serde_json::Value>) -> String {
    use serde_json::Value;
    match (key, value) {
        (_, None | Some(Value::Null)) => "none".to_owned(),
        ("memory", Some(Value::Number(n))) => n.as_u64().map_or_else(
            || n.to_string(),
            |bytes| crate::domain::resources::Memory::from_bytes(bytes).to_string(),
        ),
        ("time_limit", Some(Value::Number(n))) => n.as_u64().map_or_else(
            || n.to_string(),
            |secs| crate::domain::resources::TimeLimit::from_secs(secs).to_string(),
        ),
        (_, Some(Value::String(text))) => text.clone(),
        (_, Some(value)) => value.to_string(),
    }
}

fn parameters(out: &mut Lines, job: &RunJob) {
    if job.spec.params.is_empty() {
        return;
    }
    out.heading("Parameters");
    for (name, value) in job.spec.params.iter() {
        out.add("", format!("{name} = {value}"));
    }
}

fn values(out: &mut Lines, spec: &JobSpec) {
    out.heading("Job");
    out.add("Name", &spec.name);
    out.add("Type", spec.job_type.word());
    out.maybe("Project", spec.project.as_deref());
    out.maybe("Command", spec.command.as_ref().map(command));
    out.maybe("Arguments", spec.args.as_ref().map(command));
    out.maybe("Image", spec.image.as_deref());
    let mut gpus = spec.gpus.to_string();
    if let Some(kind) = &spec.gpu_type {
        gpus = format!("{gpus} × {kind}");
    }
    if let Some(workers) = spec.workers {
        gpus = format!("{gpus} for each of {workers} workers");
    }
    out.add("GPUs", gpus);
    out.maybe("Nodes", spec.nodes.map(|n| n.to_string()));
    out.maybe("CPUs", spec.cpus.map(|n| n.to_string()));
    out.maybe("Memory", spec.memory.map(|m| m.to_string()));
    out.maybe("Time limit", spec.time_limit.map(|t| t.to_string()));
    out.maybe("Framework", spec.framework.as_deref());
    out.maybe("Workspace", spec.workspace_type.as_deref());
    out.maybe("Method", spec.method_name.as_deref());
    out.maybe("File", spec.file.as_deref().or(spec.file_hash.as_deref()));
    out.maybe("Folder", spec.working_dir.as_deref());
    out.maybe("Code from", spec.src_dir.as_deref());
    if spec.max_retries > 0 {
        out.add("Max retries", spec.max_retries.to_string());
    }
    out.maybe("Priority", spec.priority.as_deref());
    if !spec.tags.is_empty() {
        out.add("Tags", spec.tags.join(", "));
    }
    if let Some(parameters) = &spec.parameters {
        for (name, value) in parameters.iter() {
            out.add("Parameter", format!("{name} = {value}"));
        }
    }
    for (i, (name, value)) in spec.env.iter().enumerate() {
        let label = if i == 0 { "Environment" } else { "" };
        out.add(label, format!("{name}={}", masked(name, value)));
    }
    for (i, (name, value)) in spec.metadata.iter().enumerate() {
        out.add(if i == 0 { "Metadata" } else { "" }, format!("{name}={value}"));
    }
    for (kind, value) in spec.options.iter() {
        out.add("Options", format!("{kind}: {value}"));
    }
}

fn command(command: &Command) -> String {
    match command {
        Command::Shell(text) => text.clone(),
        Command::Argv(list) => format!("{list:?}"),
    }
}

/// A value of the environment without what may be secret: where a reference leads
/// is said, what it holds is not known here; a plain value under a telling name
/// is not shown either.
pub fn masked(name: &str, value: &str) -> String {
    let reference = ["env:", "file:", "cmd:"].iter().any(|kind| value.starts_with(kind));
    if reference {
        return format!("•••• ({value})");
    }
    let name = name.to_ascii_uppercase();
    let telling = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "APIKEY"]
        .iter()
        .any(|word| name.contains(word))
        || name.ends_with("_KEY")
        || name == "KEY";
    if telling && !value.is_empty() { "••••".to_owned() } else { value.to_owned() }
}

fn dependencies(out: &mut Lines, run: &Run, job: &RunJob) {
    if job.depends_on.is_empty() {
        return;
    }
    out.heading("Waits for");
    for (on, condition) in job.depends_on.iter().take(50) {
        let Some(parent) = run.job(*on) else { continue };
        let end = match condition {
            DependencyCondition::Succeeded => "to succeed",
            DependencyCondition::Ended => "to end",
        };
        let (symbol, word) = (parent.status.symbol(), parent.status.label());
        out.tone(
            "",
            format!("{symbol} {} {end} · {word}", parent.spec.name),
            Tone::Status(parent.status),
        );
    }
    if let Some(more) = job.depends_on.len().checked_sub(50).filter(|n| *n > 0) {
        out.add("", format!("… and {more} more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(masked("WANDB_API_KEY", "abc"), "••••");
        assert_eq!(masked("HF", "env:HF_TOKEN"), "•••• (env:HF_TOKEN)");
        assert_eq!(masked("SEED", "7"), "7");
    }

    #[test]
    fn changes_are_told_in_the_units_of_people() {
        let before = JobSpec::named("a");
        let mut after = before.clone();
        after.memory = Some("32G".parse().unwrap());
        after.time_limit = Some("2h".parse().unwrap());
        assert_eq!(changes(&before, &after), ["memory none → 32G", "time_limit none → 2h"]);
    }
}

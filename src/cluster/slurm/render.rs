//! From resolved jobs to calls of `sbatch`; pure. Jobs that differ only in what a
//! script can tell apart (command, parameters, environment, folder) become one
//! array; what the controller must know (resources, partition, dependencies)
//! keeps them apart.

use std::{collections::HashMap, fmt::Write as _};

use indexmap::IndexMap;

use super::{
    names,
    options::{self, Options},
    script::{self, ASIDE, Shared, Task},
    site::Site,
};
use crate::{
    cluster::{KeyedJob, Payload, Rendered, Request},
    config::SlurmSettings,
    domain::{
        finding::Finding,
        ids::{ClusterId, JobKey},
        job::{DependencyCondition, JobSpec, JobType},
        resources::{Memory, TimeLimit},
        tree::FieldPath,
    },
    secrets,
};

/// Most that one script may hold, in bytes; the controller's own limit is 4 MiB.
const SCRIPT: usize = 1 << 20;

/// Everything about a cluster that a script depends on.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub id: &'a ClusterId,
    pub settings: &'a SlurmSettings,
    pub site: &'a Site,
    /// Letters of the state folder.
    pub origin: &'a str,
}

impl Place<'_> {
    /// The folder of everything jobdeck keeps there.
    pub fn folder(&self) -> String {
        let home = self.site.home.as_deref().unwrap_or("<home>");
        match self.settings.remote_dir.as_deref() {
            Some(dir) if dir.starts_with('/') => dir.trim_end_matches('/').to_owned(),
            Some(dir) => {
                let dir = dir.strip_prefix("~/").unwrap_or(dir).trim_matches('/');
                format!("{home}/{dir}")
            }
            None => format!("{home}/jobdeck"),
        }
    }

    /// The folder of one run. Runs that other state folders have given the same id
    /// have theirs in it as well: [`Self::attempt`] and [`Self::aside`] tell them apart.
    pub fn run_folder(&self, run: &str) -> String {
        format!("{}/{run}", self.folder())
    }

    /// Folder of one attempt's logs within its job's folder.
    pub fn attempt(&self, attempt: u32) -> String {
        format!("{attempt}.{}", self.origin)
    }

    /// Folder for what belongs to no single job of a run.
    pub fn aside(&self, run: &str) -> String {
        format!("{}/{ASIDE}/{}", self.run_folder(run), self.origin)
    }

    /// Where a job's output goes.
    pub fn log_path(&self, name: &str, key: &JobKey) -> String {
        let (folder, job) = (self.run_folder(key.run.as_str()), names::folder(name, key.job));
        format!("{folder}/{job}/{}/stdout", self.attempt(key.attempt))
    }
}

/// A job on its way into a request.
struct Ready<'a> {
    job: &'a KeyedJob,
    spec: JobSpec,
    env: Vec<(String, String)>,
    secret: Vec<(String, String)>,
    arguments: Vec<String>,
    /// Bytes it adds to a script, roughly.
    bytes: usize,
}

/// Jobs that go into one request.
struct Group<'a> {
    jobs: Vec<Ready<'a>>,
    bytes: usize,
}

/// The requests for these jobs, and what cannot be expressed.
pub fn render(place: Place<'_>, jobs: &[KeyedJob]) -> Rendered {
    let mut rendered = Rendered::default();
    let mut groups: Vec<Group<'_>> = Vec::new();
    // The newest group of each shape takes what fits.
    let mut open: HashMap<Vec<String>, usize> = HashMap::new();
    for job in jobs {
        let (ready, findings) = prepare(place, job);
        let refused = findings.iter().any(Finding::is_error);
        rendered.findings.extend(findings);
        if refused {
            continue;
        }
        let shape = shape(&ready);
        let known = open
            .get(&shape)
            .copied()
            .filter(|ix| groups.get(*ix).is_some_and(|group| takes(group, &ready, place)));
        if let Some(group) = known.and_then(|ix| groups.get_mut(ix)) {
            group.bytes += ready.bytes;
            group.jobs.push(ready);
        } else {
            open.insert(shape, groups.len());
            groups.push(Group { bytes: ready.bytes, jobs: vec![ready] });
        }
    }
    rendered.requests = groups.iter().map(|group| request(place, group)).collect();
    rendered
}

/// Whether a group has room for one more: in the array's range of indices, in the
/// site's bounds, in the script.
fn takes(group: &Group<'_>, ready: &Ready<'_>, place: Place<'_>) -> bool {
    let Some(first) = group.jobs.first() else { return true };
    let index = ready.job.key.job.0.checked_sub(first.job.key.job.0);
    index.is_some_and(|index| index < place.site.max_array_size)
        && group.jobs.len() < place.site.jobs_per_request(place.settings.account.as_deref())
        && group.bytes + ready.bytes <= SCRIPT
}

/// What must be equal for two jobs to be tasks of one array.
fn shape(ready: &Ready<'_>) -> Vec<String> {
    let mut shape = ready.arguments.clone();
    shape.push(ready.job.key.attempt.to_string());
    shape.push(ready.job.replicas.to_string());
    shape.push(ready.spec.job_type.word().to_owned());
    shape.push(ready.spec.image.as_deref().unwrap_or_default().to_owned());
    shape.extend(ready.secret.iter().map(|(name, value)| format!("{name}={value}")));
    shape
}

/// A job with its arguments, and what is wrong with it here.
fn prepare<'a>(place: Place<'_>, job: &'a KeyedJob) -> (Ready<'a>, Vec<Finding>) {
    let spec = job.spec.filled(&job.key.run, job.key.attempt).into_owned();
    let (options, mut findings) = options::read(place, &spec);
    let (secret, plain): (Vec<_>, Vec<_>) = spec
        .env
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .partition(|(_, value)| secrets::is_reference(value));
    let mut env = plain;
    env.extend(spec.standard_env(&job.key.run, job.key.attempt));
    let odd = |(name, _): &&(String, String)| !is_variable(name);
    if let Some((name, _)) = env.iter().chain(&secret).find(odd) {
        let path = FieldPath::root().key("jobs").index(spec.entry as usize).key("env").key(name);
        findings.push(
            Finding::error(path, format!("`{name}` cannot be the name of a shell variable"))
                .hint("use letters, digits and `_`")
                .of_job(spec.entry as usize, Some(&spec.name)),
        );
    }
    if spec.job_type == JobType::Workspace && spec.command.is_none() && !spec.is_notebook() {
        let path = FieldPath::root().key("jobs").index(spec.entry as usize).key("command");
        findings.push(
            Finding::error(path, spec.no_command_words())
                .hint("give the workspace a `command`")
                .of_job(spec.entry as usize, Some(&spec.name)),
        );
    }
    let arguments = arguments(job, &spec, &options);
    let bytes = 200
        + spec.launch().map_or(0, |launch| format!("{launch:?}").len())
        + env.iter().map(|(name, value)| name.len() + value.len() + 16).sum::<usize>();
    (Ready { job, spec, env, secret, arguments, bytes }, findings)
}

fn is_variable(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What the controller must know of a job.
fn arguments(job: &KeyedJob, spec: &JobSpec, options: &Options) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |name: &str, value: Option<String>| {
        all.extend(value.map(|value| format!("--{name}={value}")));
    };
    add("partition", options.partition.clone());
    add("account", options.account.clone());
    add("qos", options.qos.clone());
    add("constraint", options.constraint.clone());
    add("reservation", options.reservation.clone());
    let replicas = job.replicas.max(1);
    let distributed = spec.job_type == JobType::Distributed;
    let typed = |count: u64| match spec.gpu_type.as_deref() {
        Some(kind) => format!("{kind}:{count}"),
        None => count.to_string(),
    };
    let gpus = spec.gpus.ceil();
    if distributed {
        add("ntasks", Some(replicas.to_string()));
        if let Some(nodes) = spec.nodes.filter(|n| *n > 0) {
            add("nodes", Some(nodes.to_string()));
            add("ntasks-per-node", Some(replicas.div_ceil(nodes).to_string()));
        }
        add("gpus-per-task", (gpus > 0).then(|| typed(gpus)));
    } else {
        add("nodes", spec.nodes.map(|n| n.to_string()));
        let gres = options.gres.clone();
        let own = (gpus > 0).then(|| match options.gpu_flag.as_str() {
            "gpus-per-node" => ("gpus-per-node", typed(gpus)),
            "gpus" => ("gpus", typed(gpus)),
            _ => ("gres", format!("gpu:{}", typed(gpus))),
        });
        match (own, gres) {
            (Some(("gres", own)), Some(more)) => add("gres", Some(format!("{own},{more}"))),
            (own, more) => {
                if let Some((flag, value)) = own {
                    add(flag, Some(value));
                }
                add("gres", more);
            }
        }
    }
    let cpus = spec.cpus.filter(|cpus| *cpus > 0.0).map(|cpus| cpus.ceil().max(1.0) as u64);
    add("cpus-per-task", cpus.map(|cpus| cpus.to_string()));
    if let Some(memory) = spec.memory {
        // Of a worker: Slurm counts by node, GPU or core, never by task.
        let (flag, share) = match (distributed && spec.nodes.is_none(), gpus) {
            (false, _) => ("mem", 1),
            (true, 0) => ("mem-per-cpu", cpus.unwrap_or(1)),
            (true, gpus) => ("mem-per-gpu", gpus),
        };
        let workers = match (distributed, spec.nodes) {
            (true, Some(nodes)) => u64::from(replicas.div_ceil(nodes.max(1))),
            _ => 1,
        };
        add(flag, Some(mebibytes(memory, workers, share)));
    }
    add("time", spec.time_limit.map(time));
    if spec.exclusive {
        all.push("--exclusive".to_owned());
    }
    all.extend(dependency(job));
    all.extend(options.extra.iter().cloned());
    all
}

fn mebibytes(memory: Memory, workers: u64, share: u64) -> String {
    let bytes = memory.bytes().saturating_mul(workers).div_ceil(share.max(1));
    format!("{}M", bytes.div_ceil(1 << 20).max(1))
}

/// `1-02:30:00`. Slurm counts whole minutes, and rounds up itself.
fn time(limit: TimeLimit) -> String {
    let secs = limit.secs();
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    if days == 0 { clock } else { format!("{days}-{clock}") }
}

/// What it waits for, by the ids the cluster gave.
fn dependency(job: &KeyedJob) -> Option<String> {
    let of = |condition: DependencyCondition| {
        let mut ids: Vec<String> = Vec::new();
        for parent in job.after.iter().filter(|parent| parent.condition == condition) {
            let id = match &parent.remote_id {
                Some(id) => id.to_string(),
                None => format!("<id of {}>", parent.label),
            };
            if ids.last() != Some(&id) {
                ids.push(id);
            }
        }
        ids
    };
    let mut parts = Vec::new();
    for (word, condition) in
        [("afterok", DependencyCondition::Succeeded), ("afterany", DependencyCondition::Ended)]
    {
        let ids = of(condition);
        if !ids.is_empty() {
            parts.push(format!("{word}:{}", ids.join(":")));
        }
    }
    (!parts.is_empty()).then(|| format!("--dependency={}", parts.join(",")))
}

/// `0-2,5%3`: indices from the first job on.
fn array(group: &Group<'_>) -> Option<String> {
    let first = group.jobs.first()?.job;
    if group.jobs.len() < 2 {
        return None;
    }
    let indices = group.jobs.iter().map(|ready| ready.job.key.job.0 - first.key.job.0);
    let mut text = super::ids::ranges(indices);
    if let Some(limit) = first.run_limit {
        let _ = write!(text, "%{limit}");
    }
    Some(text)
}

fn request(place: Place<'_>, group: &Group<'_>) -> Request {
    let jobs: Vec<KeyedJob> = group.jobs.iter().map(|ready| ready.job.clone()).collect();
    let Some(first) = group.jobs.first() else {
        let payload = Payload::Command { argv: Vec::new(), stdin: None, files: IndexMap::new() };
        return Request { cluster: place.id.clone(), jobs, payload };
    };
    let key = &first.job.key;
    let folder = place.run_folder(key.run.as_str());
    let aside = place.aside(key.run.as_str());
    let array = array(group);
    let mut argv = vec![
        "sbatch".to_owned(),
        "--parsable".to_owned(),
        format!("--job-name={}", names::of_request(&first.spec, key, place.origin)),
        format!("--comment={}", comment(&first.spec, key)),
        format!("--chdir={folder}"),
        // What Slurm itself has to say; the jobs' logs are their own.
        format!("--output={aside}/{key}{}.out", if array.is_some() { "_%a" } else { "" }),
        "--open-mode=append".to_owned(),
        "--kill-on-invalid-dep=yes".to_owned(),
    ];
    argv.extend(array.map(|array| format!("--array={array}")));
    argv.extend(first.arguments.iter().cloned());

    let secret_file = format!("{aside}/{key}.env");
    let mut files = IndexMap::new();
    if !first.secret.is_empty() {
        let mut text = String::new();
        for (name, reference) in &first.secret {
            let _ = writeln!(text, "export {name}=<{reference}>");
        }
        files.insert(secret_file.clone(), text);
    }
    let tasks: Vec<Task<'_>> = group
        .jobs
        .iter()
        .map(|ready| Task {
            index: ready.job.key.job.0 - key.job.0,
            job: ready.job,
            spec: &ready.spec,
            working_dir: working_dir(place, &ready.spec),
            env: ready.env.clone(),
        })
        .collect();
    let attempt = place.attempt(key.attempt);
    let shared = Shared {
        folder: &folder,
        attempt: &attempt,
        setup: place.settings.bash_setup.as_deref(),
        images: place.settings.images,
        secrets: (!first.secret.is_empty()).then_some(secret_file.as_str()),
    };
    let stdin = Some(script::write(&tasks, &shared));
    Request { cluster: place.id.clone(), jobs, payload: Payload::Command { argv, stdin, files } }
}

/// The key again, and the word by which an interactive job is known.
fn comment(spec: &JobSpec, key: &JobKey) -> String {
    if spec.job_type == JobType::Workspace { format!("{key} {WORKSPACE}") } else { key.to_string() }
}

/// Marks in its comment a job that serves a page.
pub const WORKSPACE: &str = "workspace";

/// Its own folder, else its code's, else the batch file's where the cluster is
/// this machine, else the home folder. Relative ones start at the home folder, on
/// this machine at the batch file's.
fn working_dir(place: Place<'_>, spec: &JobSpec) -> String {
    let here = place.settings.ssh.is_none();
    let home = place.site.home.as_deref().unwrap_or("<home>");
    let base = spec.base_dir.as_deref().filter(|_| here).unwrap_or(home);
    match spec.working_dir.as_deref().or_else(|| spec.src_dir.as_deref().filter(|_| here)) {
        Some(dir) if dir.starts_with('/') => dir.to_owned(),
        Some(dir) => match dir.strip_prefix("~/") {
            Some(dir) => format!("{home}/{dir}"),
            None => format!("{}/{dir}", base.trim_end_matches('/')),
        },
        None => base.to_owned(),
    }
}

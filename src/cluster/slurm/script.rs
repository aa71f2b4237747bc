//! The batch script of one request; pure. What it looks like is what a person
//! reads in the preview, so it is written to be read.
//!
//! ```text
//! #!/bin/bash
//! case task in 0) job=… run=… ;; 1) … esac     what differs between the tasks
//! exec >>$logs/stdout 2>>$logs/stderr          each job's own log, also when requeued
//! export …; . secrets; setup                   what they share
//! cd …; ( eval "$run" ); echo $? >$logs/exit
//! ```
//! Every value stands in single quotes and every command is run by `eval`, so
//! that nothing in one job can break the script of the others.

use std::{fmt::Write as _, path::Path};

use crate::{
    cluster::KeyedJob,
    config::ImageRunner,
    domain::{
        job::{Command, JobSpec, JobType},
        shell::single_quoted,
    },
};

use super::names;

/// Folder within a run's folder for what belongs to no single job: Slurm's own
/// output files, files with secrets; in it one for each state folder.
pub const ASIDE: &str = "slurm";

/// What the tasks of one request share, beside the arguments of `sbatch`.
#[derive(Clone, Debug, PartialEq)]
pub struct Shared<'a> {
    /// The run's folder on the cluster, absolute.
    pub folder: &'a str,
    /// Folder of this attempt within each job's folder.
    pub attempt: &'a str,
    /// Text from the configuration that every script runs first: modules, conda.
    pub setup: Option<&'a str>,
    pub images: Option<ImageRunner>,
    /// File with the values of secrets, which is read and never shown.
    pub secrets: Option<&'a str>,
}

/// A job as one task of the script.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// Index in the array; 0 for a single job.
    pub index: u32,
    pub job: &'a KeyedJob,
    /// With everything filled in.
    pub spec: &'a JobSpec,
    pub working_dir: String,
    /// Variables with plain values.
    pub env: Vec<(String, String)>,
}

/// Writes the script. `tasks` is not empty; they share their replicas, image and
/// type.
pub fn write(tasks: &[Task<'_>], shared: &Shared<'_>) -> String {
    let mut out = String::with_capacity(1024 + tasks.len() * 256);
    out.push_str("#!/bin/bash\n");
    let Some(first) = tasks.first() else { return out };
    let _ = writeln!(
        out,
        "# Written by jobdeck: run {}, {} {}",
        first.job.key.run,
        tasks.len(),
        if tasks.len() == 1 { "job" } else { "jobs, one a task" }
    );
    let common = common_env(tasks);
    if tasks.len() == 1 {
        own(&mut out, first, &common, "");
    } else {
        out.push_str("case $SLURM_ARRAY_TASK_ID in\n");
        for task in tasks {
            let _ = writeln!(out, "{})", task.index);
            own(&mut out, task, &common, "  ");
            out.push_str("  ;;\n");
        }
        out.push_str("*) echo \"jobdeck: no task $SLURM_ARRAY_TASK_ID\" >&2; exit 64 ;;\nesac\n");
    }
    out.push('\n');

    let _ = writeln!(out, "logs={}/$folder/{}", single_quoted(shared.folder), shared.attempt);
    out.push_str("mkdir -p -- \"$logs\" && exec </dev/null >>\"$logs/stdout\" 2>>\"$logs/stderr\" || exit 73\n");
    for (name, value) in &common {
        let _ = writeln!(out, "export {name}={}", single_quoted(value));
    }
    if !first.spec.libraries.is_empty() {
        let libraries = single_quoted(&first.spec.libraries.join(":"));
        let _ = writeln!(out, "export PYTHONPATH={libraries}${{PYTHONPATH:+:$PYTHONPATH}}");
    }
    if let Some(file) = shared.secrets {
        let _ = writeln!(out, ". {} || exit 78", single_quoted(file));
    }
    if let Some(setup) = shared.setup {
        out.push_str("\n# bash_setup\n");
        out.push_str(setup.trim_end());
        out.push_str("\n\n");
    }
    out.push_str("cd -- \"$dir\" || { echo \"jobdeck: its working directory cannot be entered\" >&2; echo 96 >\"$logs/exit\"; exit 96; }\n");
    launch(&mut out, first, shared.images);
    out.push_str("code=$?\necho \"$code\" >\"$logs/exit\"\nexit \"$code\"\n");
    out
}

/// Variables that have one value in all tasks.
fn common_env(tasks: &[Task<'_>]) -> Vec<(String, String)> {
    let Some((first, rest)) = tasks.split_first() else { return Vec::new() };
    if rest.is_empty() {
        return first.env.clone();
    }
    first
        .env
        .iter()
        .filter(|pair| rest.iter().all(|task| task.env.contains(pair)))
        .cloned()
        .collect()
}

/// What one task has of its own.
fn own(out: &mut String, task: &Task<'_>, common: &[(String, String)], indent: &str) {
    let folder = names::folder(&task.spec.name, task.job.key.job);
    let _ = writeln!(out, "{indent}folder={}", single_quoted(&folder));
    for (name, value) in task.env.iter().filter(|pair| !common.contains(pair)) {
        let _ = writeln!(out, "{indent}export {name}={}", single_quoted(value));
    }
    let _ = writeln!(out, "{indent}dir={}", single_quoted(&task.working_dir));
    let _ = writeln!(out, "{indent}run={}", single_quoted(&command(task.spec)));
}

/// The command as text for bash. A workspace for notebooks needs none.
fn command(spec: &JobSpec) -> String {
    let notebook = || {
        let server = ["jupyter", "lab", "--no-browser", "--ip=0.0.0.0"].map(str::to_owned);
        let port = "--port=\"$JOBDECK_PORT\"".to_owned();
        let mut text = server.join(" ");
        text.push(' ');
        text.push_str(&port);
        JobSpec { command: Some(Command::Shell(text)), ..spec.clone() }.launch()
    };
    let launch = if spec.is_notebook() { notebook() } else { spec.launch() };
    match launch {
        Some(Command::Shell(text)) => text,
        Some(Command::Argv(argv)) => {
            argv.iter().map(|arg| single_quoted(arg)).collect::<Vec<_>>().join(" ")
        }
        None => String::new(),
    }
}

/// How the command of a task is started.
fn launch(out: &mut String, task: &Task<'_>, images: Option<ImageRunner>) {
    let (spec, replicas) = (task.spec, task.job.replicas.max(1));
    if spec.job_type == JobType::Workspace {
        out.push_str("export JOBDECK_PORT=");
        out.push_str(PORT);
        out.push('\n');
    }
    let image = spec.image.as_deref().zip(images);
    let distributed = spec.job_type == JobType::Distributed;
    if !distributed && image.is_none() {
        out.push_str("( eval \"$run\" )\n");
        return;
    }
    out.push_str("export run\n");
    let mut step = String::new();
    if distributed {
        let _ = writeln!(out, "export WORLD_SIZE={replicas} MASTER_PORT={PORT}");
        out.push_str(
            "MASTER_ADDR=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\" | head -n 1)\nexport MASTER_ADDR\n",
        );
        // Since 22.05 steps do not inherit it.
        out.push_str("export SRUN_CPUS_PER_TASK=\"${SLURM_CPUS_PER_TASK:-1}\"\n");
        step.push_str("srun --kill-on-bad-exit=1 ");
    }
    let mut inner = String::from("eval \"$run\"");
    if distributed {
        // A worker sees its own GPUs only, so the first of them is its local rank.
        inner.insert_str(
            0,
            "export RANK=$SLURM_PROCID LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 NODE_RANK=$SLURM_PROCID; ",
        );
    }
    match image {
        Some((image, ImageRunner::Pyxis)) => {
            if !distributed {
                step.push_str("srun ");
            }
            let _ = write!(
                step,
                "--container-image={} --container-mount-home --container-workdir=\"$dir\" bash -c ",
                single_quoted(image)
            );
        }
        Some((image, ImageRunner::Apptainer)) => {
            let nv = if spec.gpus.is_zero() { "" } else { "--nv " };
            let _ = write!(
                step,
                "apptainer exec {nv}--pwd \"$dir\" --bind \"$dir\" {} bash -c ",
                single_quoted(&apptainer_image(image))
            );
        }
        None => step.push_str("bash -c "),
    }
    step.push_str(&single_quoted(&inner));
    step.push('\n');
    out.push_str(&step);
}

/// A port of the job's own, from its id: the same for all its processes.
pub const PORT: &str = "$((20000 + SLURM_JOB_ID % 20000))";

/// The port of a job with this raw id; what [`PORT`] computes.
pub fn port(raw_id: u64) -> u64 {
    20_000 + raw_id % 20_000
}

/// A file or a URI is taken as it is, anything else is the name of a Docker image.
fn apptainer_image(image: &str) -> String {
    let is_file = image.starts_with(['/', '.', '~'])
        || Path::new(image).extension().is_some_and(|end| end == "sif");
    if is_file || image.contains("://") { image.to_owned() } else { format!("docker://{image}") }
}

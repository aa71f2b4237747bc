//! From resolved jobs to the lines that are queued. Pure: the preview shows these
//! very lines.

use indexmap::IndexMap;

use super::wire::{After, QueuedJob};
use crate::{
    cluster::{KeyedJob, Payload, Rendered, Request, SiteFacts},
    domain::{
        finding::Finding,
        ids::ClusterId,
        job::{Command, JobSpec, JobType},
        tree::FieldPath,
    },
};

/// Jobs in one request: one line each, one sync for all.
pub const JOBS_PER_REQUEST: usize = 1_000;

/// Key of [`SiteFacts::details`]: whether `jupyter` can be started here.
pub const HAS_JUPYTER: &str = "jupyter";

/// The requests for these jobs, and what cannot be expressed.
pub fn render(cluster: &ClusterId, jobs: &[KeyedJob], facts: &SiteFacts) -> Rendered {
    let mut rendered = Rendered::default();
    for chunk in jobs.chunks(JOBS_PER_REQUEST) {
        let mut files = IndexMap::new();
        let mut sent = Vec::with_capacity(chunk.len());
        for job in chunk {
            let finding = findings(&job.spec, facts);
            let refused = finding.as_ref().is_some_and(Finding::is_error);
            rendered.findings.extend(finding);
            if !refused {
                files.insert(file_name(job), line(&queued(job)));
                sent.push(job.clone());
            }
        }
        if sent.is_empty() {
            continue;
        }
        rendered.requests.push(Request {
            cluster: cluster.clone(),
            jobs: sent,
            payload: Payload::Command {
                argv: vec!["jobdeck".into(), super::EXECUTOR.into()],
                stdin: None,
                files,
            },
        });
    }
    rendered
}

/// Where a job's line stands among the files of its request.
pub fn file_name(job: &KeyedJob) -> String {
    format!("{}.json", job.key)
}

fn line(job: &QueuedJob) -> String {
    // Text, numbers and lists only: it has a JSON form, and that has no line breaks.
    serde_json::to_string(job).unwrap_or_default()
}

fn queued(job: &KeyedJob) -> QueuedJob {
    let spec = job.spec.filled(&job.key.run, job.key.attempt);
    let mut env: IndexMap<String, String> = (*spec.env).clone();
    env.extend(spec.standard_env(&job.key.run, job.key.attempt));
    let replicas = job.replicas.max(1);
    QueuedJob {
        key: job.key.clone(),
        name: spec.name.clone(),
        job_type: spec.job_type,
        argv: argv(&spec),
        working_dir: working_dir(&spec),
        env,
        gpus: spec.gpus,
        replicas,
        cpus: cpus(&spec),
        memory: spec.memory.map_or(0, |memory| memory.bytes().div_ceil(1 << 20)),
        exclusive: spec.exclusive,
        time_limit: spec.time_limit.map(crate::domain::resources::TimeLimit::secs),
        run_limit: job.run_limit,
        after: After::joined(&job.after),
    }
}

/// A CPU job takes a core unless it says otherwise, a GPU job what it says.
fn cpus(spec: &JobSpec) -> f64 {
    let default = if spec.gpus.is_zero() { 1.0 } else { 0.0 };
    spec.cpus.filter(|cpus| *cpus > 0.0).unwrap_or(default)
}

/// A text is run by the shell, a list as it is. A workspace for notebooks needs no
/// command.
fn argv(spec: &JobSpec) -> Vec<String> {
    let launch = if spec.is_notebook() {
        let notebook = ["jupyter", "lab", "--no-browser"].map(str::to_owned).to_vec();
        JobSpec { command: Some(Command::Argv(notebook)), ..spec.clone() }.launch()
    } else {
        spec.launch()
    };
    match launch {
        Some(Command::Argv(argv)) => argv,
        Some(Command::Shell(text)) => vec!["/bin/sh".into(), "-c".into(), text],
        None => Vec::new(),
    }
}

/// Its own folder, else its code's, else the batch file's; relative ones start at
/// the batch file's folder.
fn working_dir(spec: &JobSpec) -> Option<String> {
    let base = spec.base_dir.as_deref();
    let named = spec.working_dir.as_deref().or(spec.src_dir.as_deref());
    match (named, base) {
        (Some(dir), Some(base)) if !dir.starts_with('/') => {
            Some(format!("{}/{dir}", base.trim_end_matches('/')))
        }
        (Some(dir), _) => Some(dir.to_owned()),
        (None, base) => base.map(str::to_owned),
    }
}

/// What this kind of cluster finds wrong with a job.
pub fn findings(spec: &JobSpec, facts: &SiteFacts) -> Option<Finding> {
    let path = FieldPath::root().key("jobs").index(spec.entry as usize).key("command");
    let of_job = |finding: Finding| finding.of_job(spec.entry as usize, Some(&spec.name));
    let has_jupyter = facts.details.get(HAS_JUPYTER).and_then(serde_json::Value::as_bool);
    match (&spec.command, spec.job_type) {
        (None, JobType::Workspace) if !spec.is_notebook() => Some(of_job(
            Finding::error(path, spec.no_command_words()).hint("give the workspace a `command`"),
        )),
        (None, JobType::Workspace) if has_jupyter == Some(false) => Some(of_job(
            Finding::error(
                path,
                "a workspace without a command needs jupyter, which is not on PATH",
            )
            .hint("install jupyter, or give the workspace a `command`"),
        )),
        (Some(Command::Argv(argv)), _) if argv.is_empty() => {
            Some(of_job(Finding::error(path, "the command is an empty list")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cluster::Awaited,
        domain::{
            ids::{JobIx, JobKey, RunId},
            job::DependencyCondition,
            resources::TimeLimit,
        },
    };

    fn keyed(spec: JobSpec) -> KeyedJob {
        KeyedJob {
            key: JobKey { run: RunId::new("r1").unwrap(), job: JobIx(0), attempt: 2 },
            spec: Arc::new(spec),
            replicas: 1,
            after: Vec::new(),
            run_limit: None,
            code: Vec::new(),
        }
    }

    fn the_line(job: &KeyedJob) -> QueuedJob {
        let rendered =
            render(&ClusterId::new("local"), std::slice::from_ref(job), &SiteFacts::default());
        let Payload::Command { files, .. } = &rendered.requests.first().unwrap().payload else {
            panic!("local requests are commands")
        };
        let text = files.get(&file_name(job)).unwrap();
        assert!(!text.contains('\n'));
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_field_that_matters_here_is_in_the_line() {
        let mut spec = JobSpec::named("lr-1");
        spec.command = Some(Command::Shell("python train.py\n--x".into()));
        spec.args = Some(Command::Argv(vec!["a b".into()]));
        spec.gpus = "0.5".parse().unwrap();
        spec.cpus = Some(2.0);
        spec.time_limit = Some(TimeLimit::from_secs(90));
        spec.env =
            Arc::new([("TOKEN".to_owned(), "env:HF_TOKEN".to_owned())].into_iter().collect());
        spec.params = [("lr".to_owned(), "1e-3".to_owned())].into_iter().collect();
        spec.base_dir = Some("/data/".into());
        spec.working_dir = Some("sub".into());
        let mut job = keyed(spec);
        job.run_limit = Some(3);
        job.after = vec![Awaited {
            key: JobKey { run: RunId::new("r1").unwrap(), job: JobIx(4), attempt: 1 },
            condition: DependencyCondition::Ended,
            remote_id: None,
            label: "parent".into(),
        }];
        let line = the_line(&job);
        assert_eq!(line.argv, ["/bin/sh", "-c", "python train.py\n--x 'a b'"]);
        assert_eq!(line.working_dir.as_deref(), Some("/data/sub"));
        assert_eq!((line.gpus.to_string().as_str(), line.cpus), ("0.5", 2.0));
        assert_eq!((line.time_limit, line.run_limit), (Some(90), Some(3)));
        assert_eq!(line.env["TOKEN"], "env:HF_TOKEN");
        assert_eq!(line.env["JOBDECK_PARAM_LR"], "1e-3");
        assert_eq!((&*line.env["JOBDECK_JOB"], &*line.env["JOBDECK_ATTEMPT"]), ("lr-1", "2"));
        assert_eq!(line.after.first().unwrap().jobs, (5, 5));
    }

    #[test]
    fn a_list_is_exact_and_a_cpu_job_takes_a_core() {
        let mut spec = JobSpec::named("a");
        spec.command = Some(Command::Argv(vec!["echo".into(), "$HOME".into()]));
        let line = the_line(&keyed(spec.clone()));
        assert_eq!(line.argv, ["echo", "$HOME"]);
        assert!((line.cpus - 1.0).abs() < 1e-9);
        spec.gpus = "1".parse().unwrap();
        assert!(the_line(&keyed(spec)).cpus.abs() < 1e-9);
    }

    #[test]
    fn a_workspace_without_a_command_needs_jupyter() {
        let mut spec = JobSpec::named("nb");
        spec.job_type = JobType::Workspace;
        spec.args = Some(Command::Argv(vec!["--port".into(), "0".into()]));
        assert_eq!(
            the_line(&keyed(spec.clone())).argv,
            ["jupyter", "lab", "--no-browser", "--port", "0"]
        );
        let mut facts = SiteFacts::default();
        assert!(findings(&spec, &facts).is_none());
        facts.details.insert(HAS_JUPYTER.into(), false.into());
        assert!(findings(&spec, &facts).unwrap().is_error());
    }

    #[test]
    fn a_workspace_of_another_kind_is_no_notebook() {
        let mut spec = JobSpec::named("code");
        spec.job_type = JobType::Workspace;
        spec.workspace_type = Some("vscode".into());
        let jobs = [keyed(spec.clone()), keyed(JobSpec::named("other"))];
        let rendered = render(&ClusterId::new("local"), &jobs, &SiteFacts::default());
        assert_eq!(rendered.findings[0].message, "a vscode workspace needs a command");
        assert_eq!(rendered.requests.len(), 1);
        assert_eq!(rendered.requests[0].jobs.len(), 1, "only the other is sent");
        let alone = render(&ClusterId::new("local"), &jobs[..1], &SiteFacts::default());
        assert!(alone.requests.is_empty());
        spec.command = Some(Command::Shell("code serve-web".into()));
        assert_eq!(the_line(&keyed(spec)).argv, ["/bin/sh", "-c", "code serve-web"]);
    }

    #[test]
    fn many_jobs_are_few_requests() {
        let jobs: Vec<_> = (0..2_500)
            .map(|i| {
                let mut job = keyed(JobSpec::named(format!("j{i}")));
                job.key.job = JobIx(i);
                job
            })
            .collect();
        let rendered = render(&ClusterId::new("local"), &jobs, &SiteFacts::default());
        assert_eq!(
            rendered.requests.iter().map(|r| r.jobs.len()).collect::<Vec<_>>(),
            [1000, 1000, 500]
        );
    }
}

//! The resolved values of a job, as people read them.

use crate::domain::job::{Candidate, ClusterChoice, Command, DependencyCondition, JobSpec};

/// A label and its value; an empty label carries the one before on.
pub type Value = (&'static str, String);

struct Values(Vec<Value>);

impl Values {
    fn add(&mut self, label: &'static str, value: impl Into<String>) {
        self.0.push((label, value.into()));
    }

    fn maybe(&mut self, label: &'static str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.add(label, value.to_string());
        }
    }

    fn list(&mut self, label: &'static str, values: impl IntoIterator<Item = String>) {
        for (i, value) in values.into_iter().enumerate() {
            self.add(if i == 0 { label } else { "" }, value);
        }
    }
}

/// A command as it is written: a shell's text, or the arguments one by one.
pub fn command(command: &Command) -> String {
    match command {
        Command::Shell(text) => text.trim_end().to_owned(),
        Command::Argv(list) => {
            list.iter().map(|a| crate::domain::shell::quote(a)).collect::<Vec<_>>().join(" ")
        }
    }
}

fn cluster(choice: &ClusterChoice) -> Option<String> {
    let ClusterChoice::Listed(list) = choice else { return None };
    let names: Vec<&str> = list
        .iter()
        .map(|candidate| match candidate {
            Candidate::Named(id) => id.as_str(),
            Candidate::Auto => "auto",
        })
        .collect();
    Some(names.join(", "))
}

/// Every value the job has, in the order of the form; absent ones are left out.
pub fn of(spec: &JobSpec) -> Vec<Value> {
    let mut out = Values(Vec::new());
    out.add("Name", &spec.name);
    out.add("Type", spec.job_type.word());
    out.maybe("Project", spec.project.as_deref());
    out.maybe("Cluster", cluster(&spec.cluster));
    out.list("Parameters", spec.params.iter().map(|(n, v)| format!("{n} = {v}")));
    out.maybe("Image", spec.image.as_deref());
    out.maybe("Command", spec.command.as_ref().map(command));
    out.maybe("Arguments", spec.args.as_ref().map(command));
    let mut gpus = spec.gpus.to_string();
    if let Some(kind) = &spec.gpu_type {
        gpus = format!("{gpus} × {kind}");
    }
    if let Some(workers) = spec.workers {
        gpus = format!("{gpus} for each of {workers} workers");
    }
    out.add("GPUs", gpus);
    out.maybe("Nodes", spec.nodes);
    out.maybe("CPUs", spec.cpus);
    out.maybe("Memory", spec.memory);
    out.maybe("Time limit", spec.time_limit);
    out.maybe("Framework", spec.framework.as_deref());
    out.maybe("Workspace", spec.workspace_type.as_deref());
    out.maybe("Method", spec.method_name.as_deref());
    out.maybe("File", spec.file.as_deref());
    out.maybe("File hash", spec.file_hash.as_deref());
    out.list(
        "Values",
        spec.parameters.iter().flat_map(|p| p.iter()).map(|(n, v)| format!("{n} = {v}")),
    );
    out.list(
        "After",
        spec.depends_on.iter().map(|d| match d.condition {
            DependencyCondition::Succeeded => d.target.clone(),
            DependencyCondition::Ended => format!("{} (ended in any way)", d.target),
        }),
    );
    out.maybe("Folder", spec.working_dir.as_deref());
    out.maybe("Code from", spec.src_dir.as_deref());
    out.list("Libraries", spec.libraries.iter().cloned());
    out.list("Environment", spec.env.iter().map(|(n, v)| format!("{n}={v}")));
    if spec.max_retries > 0 {
        out.add("Max retries", spec.max_retries.to_string());
    }
    if spec.exclusive {
        out.add("Exclusive", "yes");
    }
    out.maybe("Priority", spec.priority.as_deref());
    if !spec.tags.is_empty() {
        out.add("Tags", spec.tags.join(", "));
    }
    if !spec.cluster_tags.is_empty() {
        out.add("Cluster tags", spec.cluster_tags.join(", "));
    }
    out.list("Metadata", spec.metadata.iter().map(|(n, v)| format!("{n}={v}")));
    out.list("Options", spec.options.iter().map(|(kind, v)| format!("{kind}: {v}")));
    out.maybe("Submission id", spec.submission_id.as_deref());
    out.0
}

//! What is filled into a job when it is sent: run id, attempt, environment.
//!
//! Everything else of a [`JobSpec`] is resolved when it is planned. The strings
//! in which `{run}` and `{attempt}` may stand keep them until here.

use std::{borrow::Cow, sync::Arc};

use super::{
    ids::RunId,
    job::{Command, JobSpec, JobType},
    shell,
};

impl JobSpec {
    /// The job as it is sent: `{run}` and `{attempt}` filled in. The same job
    /// when it has none.
    pub fn filled(&self, run: &RunId, attempt: u32) -> Cow<'_, JobSpec> {
        if !self.holes {
            return Cow::Borrowed(self);
        }
        let attempt = attempt.to_string();
        let text = |s: &str| s.replace("{run}", run.as_str()).replace("{attempt}", &attempt);
        let shared = |s: &Arc<str>| -> Arc<str> { text(s).into() };
        let command = |c: &Command| match c {
            Command::Shell(s) => Command::Shell(text(s)),
            Command::Argv(list) => Command::Argv(list.iter().map(|s| text(s)).collect()),
        };
        let mut spec = self.clone();
        spec.holes = false;
        spec.command = self.command.as_ref().map(command);
        spec.args = self.args.as_ref().map(command);
        spec.env = Arc::new(self.env.iter().map(|(k, v)| (k.clone(), text(v))).collect());
        spec.working_dir = self.working_dir.as_ref().map(shared);
        spec.src_dir = self.src_dir.as_ref().map(shared);
        spec.file = self.file.as_ref().map(shared);
        spec.libraries = self.libraries.iter().map(|s| text(s)).collect();
        Cow::Owned(spec)
    }

    /// How often `{run}` and `{attempt}` stand in the texts that
    /// [`JobSpec::filled`] fills in, meant to be filled in or not.
    pub fn marks(&self) -> usize {
        let command = |c: &Command| match c {
            Command::Shell(text) => marks(text),
            Command::Argv(list) => list.iter().map(|text| marks(text)).sum(),
        };
        let paths = [&self.working_dir, &self.src_dir, &self.file];
        let commands = [&self.command, &self.args];
        commands.into_iter().flatten().map(command).sum::<usize>()
            + self.env.values().map(|text| marks(text)).sum::<usize>()
            + paths.into_iter().flatten().map(|text| marks(text)).sum::<usize>()
            + self.libraries.iter().map(|text| marks(text)).sum::<usize>()
    }

    /// A workspace that brings no command and is a notebook server, which clusters
    /// start by themselves. Workspaces of other kinds need a command.
    pub fn is_notebook(&self) -> bool {
        let kind = self.workspace_type.as_deref();
        self.command.is_none()
            && self.job_type == JobType::Workspace
            && kind.is_none_or(|kind| kind == "jupyter")
    }

    /// That a workspace of its kind needs a command.
    pub fn no_command_words(&self) -> String {
        let kind = self.workspace_type.as_deref().unwrap_or("jupyter");
        format!("a {kind} workspace needs a command")
    }

    /// Command and arguments as one: text for a shell when either is text.
    /// Arguments alone are for an image that brings its own command.
    pub fn launch(&self) -> Option<Command> {
        Some(match (self.command.as_ref()?, self.args.as_ref()) {
            (command, None) => command.clone(),
            (Command::Argv(argv), Some(Command::Argv(args))) => {
                Command::Argv(argv.iter().chain(args).cloned().collect())
            }
            (command, Some(args)) => {
                Command::Shell(format!("{} {}", shell_text(command), shell_text(args)))
            }
        })
    }

    /// Variables every job finds, beside its own `env`: the parameters of its
    /// sweep as `JOBDECK_PARAM_<NAME>`, then `JOBDECK_RUN`, `JOBDECK_JOB` (its
    /// name) and `JOBDECK_ATTEMPT`.
    pub fn standard_env(&self, run: &RunId, attempt: u32) -> Vec<(String, String)> {
        let mut env: Vec<_> =
            self.params.iter().map(|(n, v)| (param_variable(n), v.to_owned())).collect();
        env.push(("JOBDECK_RUN".into(), run.to_string()));
        env.push(("JOBDECK_JOB".into(), self.name.clone()));
        env.push(("JOBDECK_ATTEMPT".into(), attempt.to_string()));
        env
    }
}

/// How often `{run}` and `{attempt}` stand in a text.
pub fn marks(text: &str) -> usize {
    text.matches("{run}").count() + text.matches("{attempt}").count()
}

/// The variable in which a parameter arrives.
pub fn param_variable(name: &str) -> String {
    let upper = name.chars().map(|c| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    });
    "JOBDECK_PARAM_".chars().chain(upper).collect()
}

/// A command as text for a shell.
fn shell_text(command: &Command) -> String {
    match command {
        Command::Shell(text) => text.clone(),
        Command::Argv(list) => {
            list.iter().map(|arg| shell::quote(arg)).collect::<Vec<_>>().join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_only_where_they_are() {
        let run = RunId::new("r1").unwrap();
        let mut job = JobSpec::named("a");
        job.command = Some(Command::Shell("echo {run} {attempt} {x}".into()));
        assert!(matches!(job.filled(&run, 2), Cow::Borrowed(_)));
        job.holes = true;
        assert_eq!(job.filled(&run, 2).command, Some(Command::Shell("echo r1 2 {x}".into())));
    }

    #[test]
    fn command_and_arguments_join() {
        let mut job = JobSpec::named("a");
        job.command = Some(Command::Argv(vec!["echo".into(), "a b".into()]));
        job.args = Some(Command::Argv(vec!["c".into()]));
        assert_eq!(
            job.launch(),
            Some(Command::Argv(vec!["echo".into(), "a b".into(), "c".into()]))
        );
        job.args = Some(Command::Shell("--x 1 | cat".into()));
        assert_eq!(job.launch(), Some(Command::Shell("echo 'a b' --x 1 | cat".into())));
        job.command = Some(Command::Shell("run".into()));
        job.args = Some(Command::Argv(vec!["it's".into()]));
        assert_eq!(job.launch(), Some(Command::Shell(r"run 'it'\''s'".into())));
    }

    #[test]
    fn parameters_arrive_as_variables() {
        let mut job = JobSpec::named("a");
        job.params = [("lr".to_owned(), "1e-3".to_owned())].into_iter().collect();
        let env = job.standard_env(&RunId::new("r1").unwrap(), 3);
        assert_eq!(env[0], ("JOBDECK_PARAM_LR".into(), "1e-3".into()));
        assert_eq!(env[3], ("JOBDECK_ATTEMPT".into(), "3".into()));
    }
}

//! A world whose only cluster is the real Slurm that `tests/engines/slurm.sh` has
//! started. Every call of Slurm's commands is counted on its way.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use serde_json::Value;

use crate::support::{Answer, World, answer_of};

const COMMANDS: [&str; 6] = ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sacctmgr"];

pub struct Lab {
    /// Ends before the folder that holds its socket does.
    _connection: Option<Connection>,
    pub world: World,
    /// `None`: another one has it.
    _quiet: Option<Quiet>,
}

/// The shared connection that jobdeck leaves behind for its next call.
struct Connection {
    host: &'static str,
    config: String,
    sockets: PathBuf,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", &self.config, "-o", &format!("ControlPath={}/%C", self.sockets.display())]);
        // There is none where the test made none.
        answer_of(ssh.args(["-O", "exit", "--", self.host]));
    }
}

/// Tests share one cluster; one that disturbs it has it to itself.
static CLUSTER: RwLock<()> = RwLock::new(());

#[derive(Debug)]
enum Quiet {
    Shared { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

impl Quiet {
    fn shared() -> Self {
        Self::Shared { _guard: CLUSTER.read().unwrap_or_else(PoisonError::into_inner) }
    }
    fn alone() -> Self {
        Self::Alone { _guard: CLUSTER.write().unwrap_or_else(PoisonError::into_inner) }
    }
}

/// What the engine's script tells a suite.
fn told(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/engines/slurm.sh"))
}

/// Jobs that have left the queue can be asked about.
pub fn has_accounting() -> bool {
    told("ENGINE_TEST_SLURM_ACCOUNTING") == "1"
}

/// Jobs are held to their memory by cgroup, so that `OUT_OF_MEMORY` exists.
pub fn has_cgroup_memory() -> bool {
    told("ENGINE_TEST_SLURM_CGROUP_MEMORY") == "1"
}

impl Lab {
    /// Slurm's commands on this machine. `more`: fields of the cluster's entry.
    pub fn new(more: &str) -> Self {
        Self::with(more, Quiet::shared())
    }

    /// With nobody else on the cluster, which may be disturbed.
    pub fn alone(more: &str) -> Self {
        Self::with(more, Quiet::alone())
    }

    fn with(more: &str, quiet: Quiet) -> Self {
        let lab = Self { _connection: None, world: World::new(), _quiet: Some(quiet) };
        lab.world.config(&lab.entry(more, &lab.remote()));
        lab
    }

    /// Another state folder of the same user, with the same folder on the cluster.
    pub fn beside(&self) -> Self {
        let lab = Self { _connection: None, world: World::new(), _quiet: None };
        lab.world.config(&lab.entry("", &self.remote()));
        lab
    }

    /// The folder of everything that is kept on the cluster.
    pub fn remote(&self) -> PathBuf {
        self.world.path().join("remote")
    }

    /// The same cluster over ssh to its login node.
    pub fn over_ssh(host: &'static str, more: &str) -> Self {
        let world = World::new();
        let config = told("ENGINE_TEST_SSH_CONFIG");
        let sockets = world.runtime().join("jobdeck");
        let connection = Connection { host, config: config.clone(), sockets };
        let lab = Self { _connection: Some(connection), world, _quiet: Some(Quiet::shared()) };
        let remote = lab.remote();
        lab.world.config(&format!(
            "clusters:\n  lab:\n    kind: slurm\n    ssh: {host}\n    ssh_options: [-F, {config}]\n    \
             remote_dir: {}\n    min_interval: 500ms\n    {more}\n",
            remote.display()
        ));
        lab
    }

    fn entry(&self, more: &str, remote: &Path) -> String {
        let bin = self.world.path().join("bin");
        for command in COMMANDS {
            self.wrap(command, "exec \"$real\" \"$@\"");
        }
        format!(
            "clusters:\n  lab:\n    kind: slurm\n    min_interval: 500ms\n    remote_dir: {}\n    \
             prefix: export SLURM_CONF={} PATH={}:$PATH\n    {more}\n",
            remote.display(),
            told("SLURM_CONF"),
            bin.display(),
        )
    }

    /// Puts a script before one of Slurm's commands; `$real` is the command itself.
    pub fn wrap(&self, command: &str, then: &str) {
        let calls = self.world.path().join("calls");
        let real = which(command);
        let text = format!(
            "#!/bin/bash\nreal={}\necho \"{command} $*\" >>{}\n{then}\n",
            real.display(),
            calls.display()
        );
        let path = self.world.file(&format!("bin/{command}"), text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The requests that were sent so far.
    pub fn requests(&self) -> Vec<String> {
        let mut calls = self.calls("sbatch");
        calls.retain(|call| call.contains("--parsable"));
        calls
    }

    /// The calls of a command so far, arguments and all.
    pub fn calls(&self, command: &str) -> Vec<String> {
        let text = fs::read_to_string(self.world.path().join("calls")).unwrap_or_default();
        let prefix = format!("{command} ");
        text.lines().filter(|line| line.starts_with(&prefix)).map(str::to_owned).collect()
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

    /// Sends again what Slurm itself failed to launch; all must have succeeded then. A
    /// node that registers while a step is about to listen takes its script for a stray
    /// one («Purging vestigial job script» in slurmd's log): such a job has not started,
    /// and ends with 2, for «no such file». Where no node's log tells of that, such an end
    /// is a fault of ours.
    #[track_caller]
    pub fn send_unlaunched_again(&self, run: &str) {
        let started = self.started();
        let status = self.status(run);
        for job in status["jobs"].as_array().unwrap() {
            let name = job["name"].as_str().unwrap();
            let unlaunched = job["status"] == "failed" && job["exit_code"] == 2;
            if unlaunched && !started.iter().any(|other| other == name) {
                assert!(a_node_took_a_script_for_a_stray(), "{name} never started: {job:#}");
                self.world.run(&format!("retry {run} {name} --yes")).expect(0);
            }
        }
        self.world.run(&format!("wait {run}")).expect(0);
    }

    /// Takes back what is left of a run; where nothing disturbs it, within moments.
    #[track_caller]
    pub fn end(&self, run: &str) {
        self.world.run(&format!("cancel {run} --yes")).expect(0);
        self.world.until(run, "all ended", |s| {
            let count = |word: &str| s["counts"][word].as_u64().unwrap_or(0);
            ["waiting", "pending", "running", "unknown"].iter().all(|word| count(word) == 0)
        });
    }

    pub fn status(&self, run: &str) -> Value {
        self.world.json(&format!("status {run} --json"), 0)
    }

    /// One field of every job, as text.
    pub fn column(&self, run: &str, field: &str) -> Vec<String> {
        let status = self.status(run);
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter()
            .map(|job| match &job[field] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect()
    }

    /// What lies where code is sent to: a folder by its content, and the notes of
    /// who uses it.
    pub fn code(&self) -> Vec<String> {
        let entries = fs::read_dir(self.remote().join("code")).unwrap().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Where a job's output of its first attempt lies.
    pub fn log(&self, run: &str, job: &str) -> PathBuf {
        let origin = fs::read_to_string(self.world.state().join("origin")).unwrap();
        self.remote().join(format!("{run}/{job}/1.{origin}/stdout"))
    }

    /// Names that jobs have left in a file of the world when they started.
    pub fn started(&self) -> Vec<String> {
        let text = fs::read_to_string(self.world.path().join("started")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// Whether a node has told that it removed the script of a job it did not know of.
fn a_node_took_a_script_for_a_stray() -> bool {
    let logs = fs::read_dir(Path::new(&told("ENGINE_TEST_SLURM_DIR")).join("log")).unwrap();
    logs.flatten().filter(|log| log.file_name().to_string_lossy().starts_with("slurmd.")).any(
        |log| {
            let text = fs::read(log.path()).unwrap_or_default();
            String::from_utf8_lossy(&text).contains("vestigial job script")
        },
    )
}

fn which(command: &str) -> PathBuf {
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join(command))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{command} is not on the PATH"))
}

/// Disturbs the cluster, for a while: `stop slurmctld` until what is returned is
/// dropped, which does `start slurmctld`.
pub fn disturb(line: &str, undo: &'static str) -> Undo {
    // First, so that what went only half is put right as well.
    let undo = Undo(undo);
    control(line);
    undo
}

/// The command that disturbs it, for scripts that wrap Slurm's own.
pub fn controller() -> String {
    let dir = told("ENGINE_TEST_SLURM_DIR");
    format!("ENGINE_TEST_SLURM_DIR='{dir}' bash '{}'", told("ENGINE_TEST_SLURM_CONTROL"))
}

/// Runs one of Slurm's commands as anybody else may; its output.
#[track_caller]
pub fn slurm(args: &[&str]) -> String {
    let mut command = Command::new(which(args[0]));
    answer_of(command.args(&args[1..])).expect(0).stdout
}

/// Puts right what was disturbed, also when the test fails.
pub struct Undo(&'static str);

impl Drop for Undo {
    fn drop(&mut self) {
        control(self.0);
    }
}

fn control(line: &str) {
    let mut command = Command::new("bash");
    command.arg(told("ENGINE_TEST_SLURM_CONTROL")).args(line.split_whitespace());
    let answer = answer_of(&mut command);
    assert_eq!(answer.code, 0, "{line}: {answer:#?}");
}

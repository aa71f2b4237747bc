//! The supervisor: one process for each running job. It outlives the executor and
//! everything else, and is the only one to start and to reap the job's processes.
//!
//! ```text
//! read line and environment ─▶ bell, logs ─▶ claim (fenced, exclusive, synced)
//!   ─▶ start every replica ─▶ wait: all ended │ one failed │ cancel │ time limit
//!   ─▶ end what is left ─▶ end record (synced) ─▶ announce, wake the executor
//! ```
//! Nothing is started before the claim is on disk, so a job is started at most
//! once; everything that needs room on the disk is made before the claim, so that
//! a full disk keeps a job waiting instead of losing it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::TcpListener,
    os::unix::{fs::OpenOptionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
};

use jiff::Timestamp;

use super::{
    launch_env::LaunchEnv,
    post_mortem::{EndedBy, Evidence, Exit, TAIL, Verdict, verdict},
    processes,
    queue::Root,
    state::StateFile,
    vigil::{Outcome, Vigil},
    wake::{self, Bell, FolderWatch},
    wire::{Claim, End, Head, Leaders, Order, QueuedJob},
};
use crate::{
    cluster::{LogSource, LogStream},
    domain::{
        ids::JobKey,
        job::JobType,
        resources::TimeLimit,
        status::{Cause, Status},
    },
    procs::{JOB_FOLDER, ProcId},
};

/// Exit code of a supervisor that did not claim its job for want of something
/// that may come back, room on the disk above all.
pub const TRY_AGAIN: u8 = 75;

/// What the executor writes to a supervisor's bell.
pub const CANCEL: u8 = b'c';

/// Entry point of the hidden subcommand: the root folder, then an [`Order`].
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    crate::procs::leave_session();
    let (Some(root), Some(order)) = (args.next(), args.next()) else {
        return ExitCode::from(2);
    };
    let Ok(order) = serde_json::from_str::<Order>(&order.to_string_lossy()) else {
        return ExitCode::from(2);
    };
    match supervise(&Root::new(root), &order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(TRY_AGAIN),
    }
}

/// Everything; an error means that the job was not claimed.
fn supervise(root: &Root, order: &Order) -> io::Result<()> {
    let key = &order.key;
    let job = root
        .read_line(order.request, order.offset, order.len)
        .and_then(|line| Ok(serde_json::from_slice::<QueuedJob>(&line)?));
    let env = LaunchEnv::read(&root.request_env(order.request));
    let replicas = order.shares.len().max(1);

    match wake::make_fifo(&root.bell(key)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let bell = Bell::open(&root.bell(key))?;
    let folder = FolderWatch::new(&root.job(key), "bell");
    let logs = (0..)
        .take(replicas)
        .map(|worker| Logs::open(root, key, worker))
        .collect::<io::Result<_>>()?;

    let name = job.as_ref().map_or_else(|_| key.to_string(), |job| job.name.clone());
    let Some(state) = claim(root, order, name, replicas)? else { return Ok(()) };
    root.announce(key);
    wake::ring(&root.wake(), super::executor::SUPERVISOR);

    let launched = job
        .map_err(|e| format!("its line in the queue cannot be read: {e}"))
        .and_then(|job| Ok((job, env.map_err(|e| format!("its environment is lost: {e}"))?)));
    let mut running = Running { root, order, state: &state, logs };
    let end = match launched {
        _ if root.cancel(key).exists() => cancelled_before_start(),
        Err(why) => launch_failed(why),
        Ok((job, env)) => match running.start(&job, &env) {
            Err(why) => launch_failed(why),
            Ok(children) => {
                // Not needed any more; an environment can be large.
                drop(env);
                running.watch(&job, children, bell, folder)
            }
        },
    };
    // A disk that fails here leaves a claim without an end, which the executor
    // will call a lost supervisor; there is nobody else to tell.
    let _ = state.write_end(&end);
    let _ = std::fs::remove_file(root.bell(key));
    root.announce(key);
    wake::ring(&root.wake(), super::executor::SUPERVISOR);
    Ok(())
}

/// Takes the job, if the executor that sent us is still the one and nobody has
/// taken it before.
fn claim(
    root: &Root,
    order: &Order,
    name: String,
    replicas: usize,
) -> io::Result<Option<StateFile>> {
    let _fence = root.lock_claims(false)?;
    if root.read_epoch()? != order.epoch {
        return Ok(None);
    }
    let head = Head {
        key: order.key.clone(),
        name,
        claim: Some(Claim {
            supervisor: ProcId::current(),
            started_at: Timestamp::now(),
            shares: order.shares.clone(),
        }),
    };
    match StateFile::create(&root.state(&order.key), &head, replicas as u32) {
        Ok(state) => Ok(Some(state)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

fn cancelled_before_start() -> End {
    super::map::never_started(Cause::Cancelled, "cancelled".into(), Timestamp::now())
}

fn launch_failed(why: String) -> End {
    End {
        status: Status::Failed,
        cause: Some(Cause::Launch),
        reason: why,
        exit_code: None,
        signal: None,
        error: None,
        finished_at: Timestamp::now(),
    }
}

/// Where one replica's output goes.
#[derive(Debug)]
struct Logs {
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Logs {
    fn open(root: &Root, key: &JobKey, worker: u32) -> io::Result<Self> {
        let path = |stream| root.log(key, LogSource { stream, worker });
        let logs = Self { stdout: path(LogStream::Stdout), stderr: path(LogStream::Stderr) };
        append(&logs.stdout)?;
        append(&logs.stderr)?;
        Ok(logs)
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

struct Running<'a> {
    root: &'a Root,
    order: &'a Order,
    state: &'a StateFile,
    logs: Vec<Logs>,
}

impl Running<'_> {
    /// Starts every replica, or none: when one cannot be started, those before it
    /// are killed at once.
    fn start(&self, job: &QueuedJob, env: &LaunchEnv) -> Result<Vec<Child>, String> {
        let folder = job.working_dir.as_ref().map_or_else(|| env.folder.clone(), PathBuf::from);
        check_folder(&folder)?;
        let mut vars = env
            .of_job(&job.env)
            .map_err(|name| format!("the secret for the variable {name} was not kept"))?;
        vars.push((JOB_FOLDER.into(), self.root.job(&job.key).into()));
        vars.push(("PWD".into(), folder.clone().into()));
        let port = if job.job_type == JobType::Distributed { free_port() } else { None };
        let mut children: Vec<Child> = Vec::new();
        for (rank, logs) in self.logs.iter().enumerate() {
            let mut vars = vars.clone();
            vars.extend(devices(&self.order.shares, rank));
            if job.job_type == JobType::Distributed {
                let alone = self.order.shares.get(rank).is_some_and(|own| !own.is_empty());
                vars.extend(rank_variables(rank, self.logs.len(), alone, port));
            }
            match spawn(job, &folder, &vars, logs) {
                Ok(child) => children.push(child),
                Err(why) => {
                    for mut child in children {
                        processes::signal_group(child.id(), rustix::process::Signal::KILL);
                        let _ = child.wait();
                    }
                    return Err(why);
                }
            }
        }
        let leaders = children.iter().filter_map(|c| processes::leader(c.id())).collect();
        // Without it the processes of a job whose supervisor was killed are still
        // found by their environment.
        let _ = self.state.write_leaders(&Leaders { leaders });
        Ok(children)
    }

    fn watch(
        &mut self,
        job: &QueuedJob,
        children: Vec<Child>,
        bell: Bell,
        folder: FolderWatch,
    ) -> End {
        let kills_before = processes::oom_kills();
        let limit = job.time_limit.map(TimeLimit::from_secs);
        let grace = std::time::Duration::from_secs(self.order.grace_secs);
        let folder_of_job = self.root.job(&job.key);
        let vigil = Vigil { folder: &folder_of_job, limit, grace };
        // A cancel that came before the bell was there.
        let cancelled = || self.root.cancel(&job.key).exists();
        let outcome = vigil.keep(children, bell, folder, cancelled);
        let kernel_oom = processes::oom_kills() > kills_before;
        self.conclude(&outcome, kernel_oom)
    }

    fn conclude(&self, outcome: &Outcome, kernel_oom: bool) -> End {
        let tail = |path: Option<&PathBuf>| path.map(|p| tail_of(p)).unwrap_or_default();
        let logs = self.logs.get(outcome.rank);
        let succeeded = outcome.exit == Exit::Code(0);
        let (stderr, stdout) = if succeeded {
            (String::new(), String::new())
        } else {
            (tail(logs.map(|l| &l.stderr)), tail(logs.map(|l| &l.stdout)))
        };
        let Verdict { status, cause, reason, error } = verdict(&Evidence {
            exit: outcome.exit,
            by: outcome.by,
            worker: (self.logs.len() > 1).then_some(outcome.rank),
            kernel_oom,
            stderr: &stderr,
            stdout: &stdout,
        });
        if !succeeded && outcome.rank > 0 && outcome.by == EndedBy::Itself {
            self.quote_worker(outcome.rank, &reason, &stderr);
        }
        let (exit_code, signal) = match outcome.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        End { status, cause, reason, exit_code, signal, error, finished_at: Timestamp::now() }
    }

    /// The job's own log is the first worker's; what another one died of is added
    /// to it, so that one look is enough.
    fn quote_worker(&self, rank: usize, reason: &str, stderr: &str) {
        let (Some(first), Some(logs)) = (self.logs.first(), self.logs.get(rank)) else { return };
        let mut text =
            format!("jobdeck: {reason} (all of its output: {})\n", logs.stderr.display());
        let lines: Vec<&str> = stderr.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(20)) {
            text.extend(["[worker ", &rank.to_string(), "] ", line, "\n"]);
        }
        let _ = append(&first.stderr).and_then(|mut file| file.write_all(text.as_bytes()));
    }
}

/// The folder a job starts in must be there.
fn check_folder(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(format!("working_dir {shown} is not a folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(format!("working_dir {shown} does not exist"))
        }
        Err(error) => Err(format!("working_dir {shown} cannot be used: {error}")),
    }
}

fn spawn(
    job: &QueuedJob,
    folder: &Path,
    vars: &[(OsString, OsString)],
    logs: &Logs,
) -> Result<Child, String> {
    let (program, args) = job.argv.split_first().ok_or("it has no command")?;
    let open = |path: &Path| append(path).map_err(|e| format!("its log cannot be written: {e}"));
    Command::new(program)
        .args(args)
        .env_clear()
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(open(&logs.stdout)?)
        .stderr(open(&logs.stderr)?)
        .process_group(0)
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{program}: command not found"),
            io::ErrorKind::PermissionDenied => format!("{program}: permission denied"),
            _ => format!("{program} cannot be started: {error}"),
        })
}

/// What a replica sees of the GPUs: its own slots, or none at all.
fn devices(shares: &[Vec<super::slots::Share>], rank: usize) -> Vec<(OsString, OsString)> {
    let own: Vec<&str> = shares.get(rank).into_iter().flatten().map(|s| s.slot.as_str()).collect();
    let mut vars = vec![("CUDA_VISIBLE_DEVICES".into(), own.join(",").into())];
    if !own.is_empty() {
        // The order in which `nvidia-smi` counts, which the slots are named by.
        vars.push(("CUDA_DEVICE_ORDER".into(), "PCI_BUS_ID".into()));
    }
    vars
}

/// What the workers of a distributed job find each other by. `LOCAL_RANK` counts
/// those that see the same devices, since programs choose theirs by it: a worker
/// that is `alone` with its GPUs is 0 of 1, as on a node of its own; workers
/// without GPUs count on.
fn rank_variables(
    rank: usize,
    world: usize,
    alone: bool,
    port: Option<u16>,
) -> Vec<(OsString, OsString)> {
    let (local_rank, local_world, node) = if alone { (0, 1, rank) } else { (rank, world, 0) };
    let mut vars: Vec<(OsString, OsString)> = [
        ("RANK", rank),
        ("LOCAL_RANK", local_rank),
        ("WORLD_SIZE", world),
        ("LOCAL_WORLD_SIZE", local_world),
        ("NODE_RANK", node),
    ]
    .map(|(name, n)| (name.into(), n.to_string().into()))
    .to_vec();
    vars.push(("MASTER_ADDR".into(), "127.0.0.1".into()));
    vars.extend(port.map(|port| ("MASTER_PORT".into(), port.to_string().into())));
    vars
}

/// A port that nobody listens on now; the kernel hands out another each time.
fn free_port() -> Option<u16> {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).map(|a| a.port()).ok()
}

/// The end of a log; what cannot be read is taken for nothing.
fn tail_of(path: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

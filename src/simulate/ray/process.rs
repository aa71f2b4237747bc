//! The life of a simulated job: one shell and what it starts.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Cursor, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{ExitStatus, Stdio},
    sync::{Arc, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value as Json;
use tokio::process::{Child, Command};

use super::head::{Head, Record, now_ms};

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(3);

fn signal(group: u32, signal: Signal) {
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

/// Ends a job's processes at once.
pub(super) fn kill(group: u32) {
    signal(group, Signal::KILL);
}

/// Ends them, with a moment for their own affairs.
pub(super) async fn stop(head: Arc<Head>, id: String, group: u32) {
    signal(group, Signal::TERM);
    tokio::time::sleep(GRACE).await;
    if head.record(&id).is_some_and(|record| !record.is_terminal()) {
        kill(group);
    }
}

/// From its place to its end.
pub(super) async fn live(head: Arc<Head>, id: String) {
    tokio::time::sleep(head.settings.start_delay).await;
    let Some(record) = head.record(&id) else { return };
    let started = {
        let _alone = head.starting.lock().unwrap_or_else(PoisonError::into_inner);
        prepare(&head, &id, &record)
            .and_then(|command| start(&head, &id, &record.entrypoint, command))
    };
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            head.change(&id, |record| {
                record.status = "FAILED";
                record.error_type = Some("RUNTIME_ENV_SETUP_FAILURE");
                record.message = format!("runtime_env setup failed: {error}");
                record.end_time = Some(now_ms());
            });
            return;
        }
    };
    let group = child.id();
    let mut stopping = false;
    head.change(&id, |record| {
        record.status = "RUNNING";
        record.message = "Job is currently running.".into();
        record.group = group;
        stopping = record.stopping;
    });
    if stopping && let Some(group) = group {
        // A stop that came while it waited is obeyed only now.
        tokio::spawn(stop(Arc::clone(&head), id.clone(), group));
    }
    let status = child.wait().await;
    if let Some(group) = group {
        kill(group);
    }
    let log = fs::read(head.log_path(&id)).unwrap_or_default();
    head.change(&id, |record| end(record, status.ok(), &log));
}

fn end(record: &mut Record, status: Option<ExitStatus>, log: &[u8]) {
    record.end_time = Some(now_ms());
    record.group = None;
    if record.stopping {
        record.status = "STOPPED";
        record.message = "Job was intentionally stopped.".into();
        return;
    }
    let code = status.and_then(|s| s.code().or_else(|| s.signal().map(|signal| -signal)));
    record.exit_code = code;
    if code == Some(0) {
        record.status = "SUCCEEDED";
        record.message = "Job finished successfully.".into();
        return;
    }
    let text = String::from_utf8_lossy(log);
    let lines: Vec<&str> = text.lines().rev().take(10).collect();
    let last: Vec<&str> = lines.into_iter().rev().collect();
    record.status = "FAILED";
    record.error_type = Some("JOB_ENTRYPOINT_COMMAND_ERROR");
    record.message = format!(
        "Job entrypoint command failed with exit code {}, last available logs (truncated to \
         20,000 chars):\n{}\n",
        code.unwrap_or_default(),
        last.join("\n")
    );
}

/// The command in its folder, with its variables.
fn prepare(head: &Head, id: &str, record: &Record) -> io::Result<Command> {
    let folder = head.folder_of(id);
    fs::create_dir_all(&folder)?;
    let env = &record.runtime_env;
    if let Some(uri) = env.get("working_dir").and_then(Json::as_str) {
        unpack(head, uri, &folder)?;
    }
    let mut path: Vec<String> = Vec::new();
    for (ix, uri) in
        env.get("py_modules").and_then(Json::as_array).into_iter().flatten().enumerate()
    {
        let modules = folder.with_extension(format!("modules{ix}"));
        fs::create_dir_all(&modules)?;
        unpack(head, uri.as_str().unwrap_or_default(), &modules)?;
        path.push(modules.display().to_string());
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &record.entrypoint]).current_dir(folder).process_group(0);
    command.env("PYTHONUNBUFFERED", "1").env("PYTHONPATH", path.join(":"));
    if record.wants.gpus > 0.0 {
        let gpus: Vec<String> = record.gpus.iter().map(ToString::to_string).collect();
        command.env("CUDA_VISIBLE_DEVICES", gpus.join(","));
    }
    for (name, value) in env.get("env_vars").and_then(Json::as_object).into_iter().flatten() {
        command.env(name, value.as_str().unwrap_or_default());
    }
    Ok(command)
}

fn unpack(head: &Head, uri: &str, folder: &Path) -> io::Result<()> {
    let name = uri.strip_prefix("gcs://").unwrap_or(uri);
    let bytes = head.package(name).ok_or_else(|| {
        io::Error::other(format!("Failed to download runtime_env file package {uri}"))
    })?;
    let archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(io::Error::other);
    archive?.extract(folder).map_err(io::Error::other)
}

fn start(head: &Head, id: &str, entrypoint: &str, mut command: Command) -> io::Result<Child> {
    // A record that was removed leaves its log: another of the same id writes on.
    let mut log: File = OpenOptions::new().create(true).append(true).open(head.log_path(id))?;
    writeln!(log, "INFO job_manager.py -- Runtime env is setting up.")?;
    writeln!(log, "Running entrypoint for job {id}: {entrypoint}")?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.kill_on_drop(true).spawn()
}

//! What the adapter does with the queue; everything here blocks on the disk.

use std::{
    collections::HashMap,
    fs,
    io::{self, ErrorKind},
    path::PathBuf,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use secrecy::SecretString;

use super::{
    EXECUTOR, devices, executor, files, has_jupyter,
    launch_env::LaunchEnv,
    observe::Seen,
    queue::{EnqueueError, Root},
    render, state, wake,
    wire::{Incumbent, Settings, Summary},
};
use crate::{
    cluster::{
        ActOutcome, ClusterError, Found, KeyedJob, LogSource, Observed, Outcome, Payload, Request,
        SiteFacts, SubmitError, Watched,
    },
    config::LocalSettings,
    domain::{
        ids::{ClusterId, JobKey},
        resources::Gpus,
        run::Accepted,
        site::{Capabilities, Capacity, ClusterKind},
    },
    procs, secrets,
};

/// How long a list of GPUs is believed.
const DEVICES_AGE: Duration = Duration::from_mins(1);

/// How long a new executor is watched where the last one had left a complaint.
const TRIAL: Duration = Duration::from_secs(2);
/// Between looks at it.
const GLANCE: Duration = Duration::from_millis(5);

/// One queue, as a jobdeck process uses it.
#[derive(Debug)]
pub struct Local {
    pub id: ClusterId,
    pub capabilities: Capabilities,
    pub root: Root,
    settings: Settings,
    exe: PathBuf,
    seen: Mutex<Seen>,
    gpus: Mutex<Option<(Instant, usize)>>,
}

impl Local {
    pub fn new(id: ClusterId, settings: &LocalSettings, root: PathBuf, exe: PathBuf) -> Self {
        let visible = std::env::var("CUDA_VISIBLE_DEVICES").ok();
        Self {
            id,
            capabilities: Capabilities::of(ClusterKind::Local),
            root: Root::new(std::path::absolute(&root).unwrap_or(root)),
            settings: Settings::of(settings, visible),
            exe,
            seen: Mutex::default(),
            gpus: Mutex::default(),
        }
    }

    pub fn refused(&self, words: impl Into<String>) -> ClusterError {
        ClusterError::Refused { cluster: self.id.clone(), words: words.into() }
    }

    fn disk(&self, error: &io::Error) -> ClusterError {
        self.refused(format!("the queue in {} cannot be used: {error}", self.root.path().display()))
    }

    fn accepted(&self, key: &JobKey) -> Accepted {
        Accepted {
            remote_id: key.to_string(),
            remote_name: None,
            url: None,
            log_path: Some(self.root.log(key, LogSource::default()).to_string_lossy().into_owned()),
        }
    }

    /// Something was sent here before. A first submission that was killed may have
    /// made only a part of the queue's files; the rest is made now.
    fn has_queue(&self) -> io::Result<bool> {
        let begun = self.root.requests().exists();
        if begun {
            self.root.create()?;
        }
        Ok(begun)
    }

    fn executor_lives(&self) -> bool {
        files::read_json::<Option<Incumbent>>(&self.root.incumbent())
            .flatten()
            .is_some_and(|incumbent| incumbent.process.is_alive())
    }

    /// Tells the executor that there is something for it, and starts one when
    /// there is none.
    fn call_executor(&self, byte: u8) -> Result<(), String> {
        if self.executor_lives() {
            // One that is only just starting looks at everything anyway.
            wake::ring(&self.root.wake(), byte);
            return Ok(());
        }
        self.start_executor()
    }

    fn start_executor(&self) -> Result<(), String> {
        let args = [EXECUTOR.as_ref(), self.root.path().as_os_str()];
        procs::spawn_detached(&self.exe, &args, &[])
            .map(drop)
            .map_err(|error| format!("the local executor cannot be started: {error}"))
    }

    /// An executor that was killed while there was work is replaced.
    ///
    /// # Errors
    /// Why nothing starts: the last one has left a word, and the new one gets no
    /// further.
    fn revive(&self) -> Result<(), String> {
        if !self.root.has_work() || self.executor_lives() {
            return Ok(());
        }
        let before = executor::complaint(&self.root);
        self.start_executor()?;
        let Some(before) = before else { return Ok(()) };
        let deadline = Instant::now() + TRIAL;
        while Instant::now() < deadline {
            if self.executor_lives() || !self.root.has_work() {
                return Ok(());
            }
            match executor::complaint(&self.root) {
                Some(now) if now != before => return Err(now.words()),
                _ => thread::sleep(GLANCE),
            }
        }
        Err(before.words())
    }

    pub fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let Payload::Command { files, .. } = &request.payload else {
            let words = "a request for another kind of cluster".to_owned();
            return Err(SubmitError::Unavailable(self.refused(words)));
        };
        let mut secrets: HashMap<String, SecretString> = HashMap::new();
        let mut answer = Vec::with_capacity(request.jobs.len());
        let mut lines = Vec::with_capacity(request.jobs.len());
        for job in &request.jobs {
            let outcome =
                match (files.get(&render::file_name(job)), take_secrets(job, &mut secrets)) {
                    (_, Err(words)) => Outcome::Rejected(words),
                    (None, _) => Outcome::Rejected("it is not part of its own request".into()),
                    (Some(line), Ok(())) => {
                        lines.push((job.key.clone(), line.as_str()));
                        Outcome::Accepted(self.accepted(&job.key))
                    }
                };
            answer.push((job.key.clone(), outcome));
        }
        if lines.is_empty() {
            return Ok(answer);
        }
        let unavailable = |error: io::Error| SubmitError::Unavailable(self.disk(&error));
        self.root.create().map_err(unavailable)?;
        if files::read_json::<Settings>(&self.root.settings()).as_ref() != Some(&self.settings) {
            files::write_json(&self.root.settings(), &self.settings).map_err(unavailable)?;
        }
        self.root.enqueue(&lines, &LaunchEnv::capture(secrets)).map_err(|error| match error {
            EnqueueError::Nothing(error) => unavailable(error),
            EnqueueError::Perhaps(error) => SubmitError::Unknown(self.disk(&error)),
        })?;
        // They are queued, whatever becomes of the executor: the next look at them
        // starts one, or says why it cannot.
        let _ = self.call_executor(executor::REQUEST);
        Ok(answer)
    }

    pub fn find(&self, keys: &[JobKey]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        let disk = |error| self.disk(&error);
        if self.has_queue().map_err(disk)? {
            // A submission that is under way ends first; one that was killed is completed.
            let _submit = self.root.lock_submit().map_err(disk)?;
            self.root.complete_unfinished().map_err(disk)?;
        }
        let find = |key: &JobKey| {
            let there = self.root.job(key).exists();
            if there { Found::Present(self.accepted(key)) } else { Found::Absent }
        };
        Ok(keys.iter().map(|key| (key.clone(), find(key))).collect())
    }

    pub fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        // What has ended is told all the same.
        let trouble = self.revive().err();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.look(&self.root, jobs, trouble.as_deref()).map_err(|error| self.disk(&error))
    }

    pub fn cancel(&self, jobs: &[JobKey]) -> Result<Vec<ActOutcome>, ClusterError> {
        let disk = |error| self.disk(&error);
        let mut answer = Vec::with_capacity(jobs.len());
        let mut asked = false;
        if self.has_queue().map_err(disk)? {
            // An executor that is about to leave sees the wish, or is gone before it.
            let _submit = self.root.lock_submit().map_err(disk)?;
            for key in jobs {
                let state = state::read(&self.root.state(key)).map_err(disk)?;
                let result = if state.is_some_and(|s| s.end.is_some()) {
                    Ok(())
                } else if self.root.job(key).exists() {
                    asked = true;
                    fs::write(self.root.cancel(key), []).map_err(|e| self.disk(&e).to_string())
                } else {
                    Err("no such job".to_owned())
                };
                answer.push(ActOutcome { key: key.clone(), result });
            }
        } else {
            let unknown =
                |key: &JobKey| ActOutcome { key: key.clone(), result: Err("no such job".into()) };
            answer.extend(jobs.iter().map(unknown));
        }
        if asked {
            self.call_executor(executor::CANCEL).map_err(|words| self.refused(words))?;
        }
        Ok(answer)
    }

    pub fn capacity(&self) -> Result<Capacity, ClusterError> {
        self.revive().map_err(|words| self.refused(words))?;
        let working = self.executor_lives();
        let summary: Summary = if working {
            files::read_json(&self.root.summary()).unwrap_or_default()
        } else {
            Summary::default()
        };
        let gpus_total =
            summary.gpus_total.unwrap_or_else(|| Gpus::whole(self.count_gpus() as u64));
        let milli_total = devices::milli_cpus(&self.settings);
        let cores = |milli: u64| milli as f64 / 1000.0;
        let milli_free = if working { summary.milli_cpus_free } else { milli_total };
        Ok(Capacity {
            gpus_total: Some(gpus_total),
            gpus_free: Some(summary.gpus_free.unwrap_or(gpus_total)),
            cpus_total: Some(cores(milli_total)),
            cpus_free: Some(cores(milli_free)),
            memory_total: devices::memory(),
            gpus_per_node: Some(gpus_total),
            queue: Some(summary.waiting),
            running: Some(summary.running),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            ..Capacity::default()
        })
    }

    fn count_gpus(&self) -> usize {
        let mut known = self.gpus.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some((at, count)) if at.elapsed() < DEVICES_AGE => count,
            _ => {
                let count = devices::slots(&self.settings).len();
                *known = Some((Instant::now(), count));
                count
            }
        }
    }

    /// Bytes of what is kept of a job.
    pub fn size(&self, key: &JobKey) -> u64 {
        files::size_of(&self.root.job(key))
    }

    /// Removes the folders of jobs that have ended; others are left alone.
    pub fn clean(&self, jobs: &[JobKey]) -> Result<(), ClusterError> {
        for key in jobs {
            let disk = |error| self.disk(&error);
            let ended =
                state::read(&self.root.state(key)).map_err(disk)?.is_some_and(|s| s.end.is_some());
            if !ended {
                continue;
            }
            match fs::remove_dir_all(self.root.job(key)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(self.disk(&error)),
                _ => self.seen.lock().unwrap_or_else(PoisonError::into_inner).forget(key),
            }
        }
        Ok(())
    }
}

/// What is learned of this machine.
pub fn site_facts() -> SiteFacts {
    let version = Some(env!("CARGO_PKG_VERSION").to_owned());
    let mut facts = SiteFacts { version, ..SiteFacts::default() };
    facts.details.insert(render::HAS_JUPYTER.into(), has_jupyter().into());
    facts
}

/// Resolves what the job's environment refers to; each reference once a request.
fn take_secrets(job: &KeyedJob, known: &mut HashMap<String, SecretString>) -> Result<(), String> {
    let spec = job.spec.filled(&job.key.run, job.key.attempt);
    for reference in spec.env.values().filter(|value| secrets::is_reference(value)) {
        if !known.contains_key(reference) {
            let value = secrets::resolve(reference).map_err(|error| error.to_string())?;
            known.insert(reference.clone(), value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{JobIx, RunId};

    /// Whatever was made before the kill, the job is known to be absent.
    #[test]
    fn a_queue_that_is_made_in_part_is_an_empty_queue() {
        let folder = tempfile::tempdir().unwrap();
        let whole = Root::new(folder.path().join("whole"));
        whole.create().unwrap();
        let mut names: Vec<_> =
            fs::read_dir(whole.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert!(names.len() > 8);
        let key = JobKey { run: RunId::new("r").unwrap(), job: JobIx(0), attempt: 1 };
        for (n, kept) in std::iter::once(None).chain(names.iter().map(Some)).enumerate() {
            let path = folder.path().join(n.to_string());
            let settings = LocalSettings::default();
            let exe = PathBuf::from("/no/such/program");
            let local = Local::new(ClusterId::new("here"), &settings, path.clone(), exe);
            local.root.create().unwrap();
            for name in names.iter().filter(|name| Some(*name) != kept) {
                let made = path.join(name);
                if made.is_dir() { fs::remove_dir(made) } else { fs::remove_file(made) }.unwrap();
            }
            let found = local.find(std::slice::from_ref(&key)).unwrap();
            assert_eq!(found, [(key.clone(), Found::Absent)], "{kept:?}");
            let cancelled = local.cancel(std::slice::from_ref(&key)).unwrap();
            assert!(cancelled[0].result.is_err(), "{kept:?}");
            assert_eq!(local.observe(&[]).unwrap(), [], "{kept:?}");
        }
    }
}

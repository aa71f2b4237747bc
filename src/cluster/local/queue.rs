//! The queue on disk: what was accepted, in order of arrival.
//!
//! ```text
//! <root>/requests/<n>.jobs   one request, one line a job; gone when all have ended
//!        requests/<n>.env    what its jobs inherit, readable by the user only;
//!                            gone when all have started
//!        jobs/<key>/         one job: state, stdout, stderr
//!        cancel/<key>        asked to stop
//!        settings.json epoch executor.json summary.json events
//!        submit.lock claim.lock executor.lock wake
//! ```
//! A request is accepted by one rename: `<n>.new` holds its lines, synced. Then the
//! jobs' folders are made and it becomes `<n>.jobs`. Whoever takes the submit lock
//! first completes a `.new` that a killed process left, so a key is either wholly
//! queued or wholly unknown, and is never queued twice.

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

use super::{
    files::{Lock, for_each_line, read_number, write_new, write_number},
    launch_env::LaunchEnv,
    wire::QueuedBrief,
};
use crate::{
    cluster::{LogSource, LogStream},
    domain::ids::JobKey,
};

/// Where one host's local executor keeps its things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
}

/// A job as the request file has it: where its line lies, and the short of it.
#[derive(Clone, Debug)]
pub struct QueuedAt {
    pub offset: u64,
    pub len: u64,
    pub brief: QueuedBrief,
}

impl Root {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    pub fn requests(&self) -> PathBuf {
        self.path.join("requests")
    }
    pub fn request(&self, number: u64) -> PathBuf {
        self.requests().join(format!("{number:012}.jobs"))
    }
    pub fn request_env(&self, number: u64) -> PathBuf {
        self.requests().join(format!("{number:012}.env"))
    }
    fn unfinished(&self, number: u64) -> PathBuf {
        self.requests().join(format!("{number:012}.new"))
    }
    pub fn jobs(&self) -> PathBuf {
        self.path.join("jobs")
    }
    pub fn job(&self, key: &JobKey) -> PathBuf {
        self.jobs().join(key.to_string())
    }
    pub fn state(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("state")
    }
    /// `stdout`, `stderr`; of workers after the first `stdout.1` and so on.
    pub fn log(&self, key: &JobKey, source: LogSource) -> PathBuf {
        let stream = match source.stream {
            LogStream::Stdout => "stdout",
            LogStream::Stderr => "stderr",
        };
        self.job(key).join(match source.worker {
            0 => stream.to_owned(),
            worker => format!("{stream}.{worker}"),
        })
    }
    /// Where a running job's supervisor listens.
    pub fn bell(&self, key: &JobKey) -> PathBuf {
        self.job(key).join("bell")
    }
    pub fn cancels(&self) -> PathBuf {
        self.path.join("cancel")
    }
    pub fn cancel(&self, key: &JobKey) -> PathBuf {
        self.cancels().join(key.to_string())
    }
    pub fn settings(&self) -> PathBuf {
        self.path.join("settings.json")
    }
    pub fn incumbent(&self) -> PathBuf {
        self.path.join("executor.json")
    }
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }
    pub fn events(&self) -> PathBuf {
        self.path.join("events")
    }
    /// Touched when `events` may have missed something.
    pub fn resync(&self) -> PathBuf {
        self.path.join("resync")
    }
    /// Where the executor listens.
    pub fn wake(&self) -> PathBuf {
        self.path.join("wake")
    }
    pub fn executor_lock(&self) -> PathBuf {
        self.path.join("executor.lock")
    }
    /// Words for whoever wonders why nothing starts.
    pub fn complaint(&self) -> PathBuf {
        self.path.join("complaint")
    }
    fn submit_lock(&self) -> PathBuf {
        self.path.join("submit.lock")
    }
    fn claim_lock(&self) -> PathBuf {
        self.path.join("claim.lock")
    }
    fn epoch(&self) -> PathBuf {
        self.path.join("epoch")
    }

    /// Makes the folders and files, readable by the user only. Nobody else makes
    /// them: what runs on after the folder was removed does not bring it back.
    ///
    /// # Errors
    /// What the disk says.
    pub fn create(&self) -> io::Result<()> {
        for folder in [self.requests(), self.jobs(), self.cancels()] {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        for file in [
            self.events(),
            self.resync(),
            self.summary(),
            self.incumbent(),
            self.epoch(),
            self.executor_lock(),
            self.submit_lock(),
            self.claim_lock(),
        ] {
            if !file.exists() {
                OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
            }
        }
        if !self.wake().exists() {
            match super::wake::make_fifo(&self.wake()) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Held while a request is written and while the executor decides to leave.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_submit(&self) -> io::Result<Lock> {
        Lock::take(&self.submit_lock(), FlockOperation::LockExclusive)
    }

    /// Shared by supervisors while they claim, exclusive for a new executor while
    /// it fences off the claims of earlier ones.
    ///
    /// # Errors
    /// What the system says.
    pub fn lock_claims(&self, exclusive: bool) -> io::Result<Lock> {
        let operation =
            if exclusive { FlockOperation::LockExclusive } else { FlockOperation::LockShared };
        Lock::take(&self.claim_lock(), operation)
    }

    /// The epoch of the newest executor; 0 before the first.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_epoch(&self) -> io::Result<u64> {
        read_number(&self.epoch())
    }

    /// # Errors
    /// What the disk says.
    pub fn write_epoch(&self, epoch: u64) -> io::Result<()> {
        write_number(&self.epoch(), epoch)
    }

    /// Numbers of the complete requests, oldest first.
    ///
    /// # Errors
    /// What the disk says; a root that is not there has no requests.
    pub fn list_requests(&self) -> io::Result<Vec<u64>> {
        self.list_numbered("jobs")
    }

    /// Something was accepted and has not been seen to its end.
    pub fn has_work(&self) -> bool {
        let any = |folder: PathBuf, endings: &[&str]| {
            fs::read_dir(folder).is_ok_and(|mut entries| {
                entries.any(|entry| {
                    entry.is_ok_and(|entry| {
                        let name = entry.file_name();
                        let name = name.to_string_lossy();
                        endings.is_empty() || endings.iter().any(|e| name.ends_with(e))
                    })
                })
            })
        };
        any(self.requests(), &[".jobs", ".new"]) || any(self.cancels(), &[])
    }

    fn list_numbered(&self, ending: &str) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        let entries = match fs::read_dir(self.requests()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(numbers),
            entries => entries?,
        };
        for entry in entries {
            let name = entry?.file_name();
            let Some((number, found)) = name.to_str().and_then(|n| n.split_once('.')) else {
                continue;
            };
            if found == ending
                && let Ok(number) = number.parse()
            {
                numbers.push(number);
            }
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// The jobs of one request in order. A line that cannot be read is skipped
    /// (its job's folder stays, and says nothing).
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_request(&self, number: u64, mut each: impl FnMut(QueuedAt)) -> io::Result<()> {
        for_each_line(&self.request(number), |offset, line| {
            if let Ok(brief) = serde_json::from_slice(line) {
                each(QueuedAt { offset, len: line.len() as u64, brief });
            }
        })
    }

    /// One job's line of a request.
    ///
    /// # Errors
    /// What the disk says.
    pub fn read_line(&self, number: u64, offset: u64, len: u64) -> io::Result<Vec<u8>> {
        let file = File::open(self.request(number))?;
        let mut line = vec![0; usize::try_from(len).unwrap_or(0)];
        file.read_exact_at(&mut line, offset)?;
        Ok(line)
    }

    /// Accepts a request: all its jobs are queued behind everything that was
    /// accepted before. Jobs whose key is known already are left as they are.
    /// Lines must be single lines.
    ///
    /// # Errors
    /// [`EnqueueError`]: whether nothing was accepted, or that cannot be told.
    pub fn enqueue(&self, jobs: &[(JobKey, &str)], env: &LaunchEnv) -> Result<(), EnqueueError> {
        let nothing = EnqueueError::Nothing;
        self.create().map_err(nothing)?;
        let _lock = self.lock_submit().map_err(nothing)?;
        self.complete_unfinished().map_err(nothing)?;
        let mut seen = HashSet::new();
        let new: Vec<_> =
            jobs.iter().filter(|(key, _)| seen.insert(key) && !self.job(key).exists()).collect();
        if new.is_empty() {
            return Ok(());
        }
        let number = self.next_number().map_err(nothing)?;
        let env_path = self.request_env(number);
        let recorded = env.write(&env_path).and_then(|()| {
            let mut text = String::new();
            for (_, line) in &new {
                text.push_str(line);
                text.push('\n');
            }
            write_new(&self.unfinished(number), text.as_bytes())
        });
        if let Err(error) = recorded {
            let _ = fs::remove_file(&env_path);
            return Err(EnqueueError::Nothing(error));
        }
        if let Err(error) = self.complete(number) {
            // The executor reads only complete requests, so this one may be undone.
            for (key, _) in &new {
                let _ = fs::remove_dir(self.job(key));
            }
            let undone = fs::remove_file(self.unfinished(number));
            let _ = fs::remove_file(&env_path);
            return Err(match undone {
                Ok(()) => EnqueueError::Nothing(error),
                Err(_) => EnqueueError::Perhaps(error),
            });
        }
        Ok(())
    }

    /// Finishes what a killed submission began. Call it with the submit lock held.
    ///
    /// # Errors
    /// What the disk says.
    pub fn complete_unfinished(&self) -> io::Result<()> {
        for number in self.list_numbered("new")? {
            self.complete(number)?;
        }
        Ok(())
    }

    /// Makes the folders of an accepted request, then declares it complete.
    fn complete(&self, number: u64) -> io::Result<()> {
        let mut made = Ok(());
        for_each_line(&self.unfinished(number), |_, line| {
            if let Ok(brief) = serde_json::from_slice::<QueuedBrief>(line)
                && made.is_ok()
            {
                made = match DirBuilder::new().mode(0o700).create(self.job(&brief.key)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    other => other,
                };
            }
        })?;
        made?;
        fs::rename(self.unfinished(number), self.request(number))?;
        File::open(self.requests())?.sync_all()
    }

    /// Never used before, higher than all that are still there.
    fn next_number(&self) -> io::Result<u64> {
        let counter = self.path.join("arrivals");
        let last = self.list_requests()?.last().copied().unwrap_or(0).max(read_number(&counter)?);
        let next = last.saturating_add(1);
        write_number(&counter, next)?;
        Ok(next)
    }

    /// Tells those who observe that a job has changed; only a hint, so a failure
    /// makes them look at everything instead.
    pub fn announce(&self, key: &JobKey) {
        let line = format!("{key}\n");
        let written = OpenOptions::new()
            .append(true)
            .open(self.events())
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if written.is_err() {
            self.touch_resync();
        }
    }

    /// Makes observers look at every job again. Needs no room on the disk.
    pub fn touch_resync(&self) {
        let _ = OpenOptions::new()
            .write(true)
            .open(self.resync())
            .and_then(|file| file.set_modified(std::time::SystemTime::now()));
    }
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Nothing of it is queued.
    #[error("{0}")]
    Nothing(io::Error),
    /// It may be: look it up by key.
    #[error("{0}")]
    Perhaps(io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> JobKey {
        format!("jd-r-{n}-1").parse().unwrap()
    }

    fn line(n: u32) -> String {
        format!(r#"{{"key":"{}","gpus":0,"replicas":1,"cpus":1}}"#, key(n))
    }

    fn enqueue(root: &Root, numbers: &[u32]) {
        let lines: Vec<String> = numbers.iter().map(|n| line(*n)).collect();
        let jobs: Vec<(JobKey, &str)> =
            numbers.iter().zip(&lines).map(|(n, line)| (key(*n), line.as_str())).collect();
        root.enqueue(&jobs, &LaunchEnv::default()).unwrap();
    }

    /// Every queued key, in order of arrival.
    fn queued(root: &Root) -> Vec<JobKey> {
        let mut keys = Vec::new();
        for number in root.list_requests().unwrap() {
            root.read_request(number, |job| keys.push(job.brief.key)).unwrap();
        }
        keys
    }

    #[test]
    fn a_submission_killed_at_any_step_is_wholly_there_or_not_at_all() {
        // Accepted, with none, some or all of its folders made.
        for made in 0..=3 {
            let dir = tempfile::tempdir().unwrap();
            let root = Root::new(dir.path());
            enqueue(&root, &[1, 2, 3]);
            fs::rename(root.request(1), root.unfinished(1)).unwrap();
            for n in made + 1..=3 {
                fs::remove_dir(root.job(&key(n))).unwrap();
            }
            assert!(root.has_work() && queued(&root).is_empty());
            // Sent again, as after a lost answer, with one more.
            enqueue(&root, &[1, 2, 3, 4]);
            assert_eq!(queued(&root), [1, 2, 3, 4].map(key), "{made} folders");
        }
        // Killed while writing: a draft is no request.
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        root.create().unwrap();
        fs::write(root.requests().join("000000000001.99.tmp"), line(1)).unwrap();
        assert!(!root.has_work());
        enqueue(&root, &[1]);
        assert_eq!(queued(&root), [key(1)]);
    }

    #[test]
    fn numbers_are_not_used_again_when_old_requests_are_gone() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        enqueue(&root, &[1]);
        fs::remove_file(root.request(1)).unwrap();
        enqueue(&root, &[2]);
        assert_eq!(root.list_requests().unwrap(), [2]);
        // Nor when the counter is lost while requests are left.
        fs::remove_file(root.path().join("arrivals")).unwrap();
        enqueue(&root, &[3]);
        assert_eq!(root.list_requests().unwrap(), [2, 3]);
    }

    #[test]
    fn what_cannot_be_made_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        root.create().unwrap();
        // A file where the folders should be: the second step fails.
        fs::remove_dir(root.jobs()).unwrap();
        fs::write(root.jobs(), "").unwrap();
        let text = line(1);
        let refused = root.enqueue(&[(key(1), &text)], &LaunchEnv::default());
        assert!(matches!(refused, Err(EnqueueError::Nothing(_))), "{refused:?}");
        assert_eq!(fs::read_dir(root.requests()).unwrap().count(), 0);
        fs::remove_file(root.jobs()).unwrap();
        enqueue(&root, &[1]);
        assert_eq!(queued(&root), [key(1)]);
    }
}

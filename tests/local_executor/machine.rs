//! A machine of our own for one test: a root folder, settings, and jobs in it.

use std::{fs, path::PathBuf, sync::Arc};

use futures::StreamExt as _;
use jobdeck::{
    cluster::{
        ActOutcome, Awaited, Cluster, Found, KeyedJob, LogCursor, LogSource, LogStream, Observed,
        Outcome, RemoteAction, SiteFacts, Sought, SubmitError, Watched, local::LocalCluster,
    },
    config::{LocalGpus, LocalSettings},
    domain::{
        ids::{ClusterId, JobIx, JobKey, RunId},
        job::{Command, DependencyCondition, JobSpec},
        run::JobFacts,
        status::Status,
    },
};

use crate::wait;

pub fn exe() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_jobdeck"))
}

/// A training job that runs a shell command.
pub fn job(name: &str, command: &str) -> JobSpec {
    let mut spec = JobSpec::named(name);
    spec.command = Some(Command::Shell(command.into()));
    spec
}

pub fn key(run: &str, job: u32) -> JobKey {
    JobKey { run: RunId::new(run).unwrap(), job: JobIx(job), attempt: 1 }
}

pub fn keyed(run: &str, ix: u32, spec: JobSpec) -> KeyedJob {
    KeyedJob {
        key: key(run, ix),
        spec: Arc::new(spec),
        replicas: 1,
        after: Vec::new(),
        run_limit: None,
        code: Vec::new(),
    }
}

#[derive(Debug)]
pub struct Machine {
    pub dir: tempfile::TempDir,
    pub cluster: LocalCluster,
}

impl Machine {
    /// So many GPU slots and cores; a short grace period.
    pub fn new(gpus: u32, cpus: f64) -> Self {
        let settings =
            LocalSettings { gpus: LocalGpus::Count(gpus), cpus: Some(cpus), grace_secs: Some(1) };
        Self::with(&settings)
    }

    pub fn with(settings: &LocalSettings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster =
            LocalCluster::new(ClusterId::new("local"), settings, dir.path().join("root"), exe());
        Self { dir, cluster }
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A file that the jobs of this test may write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    pub async fn try_submit(
        &self,
        jobs: &[KeyedJob],
    ) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let rendered = self.cluster.render(jobs, &SiteFacts::default());
        let mut answer = Vec::new();
        for request in &rendered.requests {
            answer.extend(self.cluster.submit(request).await?);
        }
        Ok(answer)
    }

    /// Submits and expects all to be accepted.
    pub async fn submit(&self, jobs: &[KeyedJob]) {
        let answer = self.try_submit(jobs).await.unwrap();
        assert_eq!(answer.len(), jobs.len());
        for (key, outcome) in answer {
            assert!(matches!(outcome, Outcome::Accepted(_)), "{key}: {outcome:?}");
        }
    }

    pub fn watched(key: &JobKey) -> Watched {
        Watched { key: key.clone(), remote_id: None, log_path: None, starts: 1 }
    }

    pub async fn observe(&self, keys: &[JobKey]) -> Vec<Option<JobFacts>> {
        let watched: Vec<_> = keys.iter().map(Self::watched).collect();
        let observed: Vec<Observed> = self.cluster.observe(&watched).await.unwrap();
        observed.into_iter().map(|o| o.facts).collect()
    }

    pub async fn facts(&self, key: &JobKey) -> JobFacts {
        self.observe(std::slice::from_ref(key)).await.remove(0).unwrap()
    }

    /// Looks until all of them are so.
    pub async fn until(
        &self,
        keys: &[JobKey],
        what: &str,
        is_so: impl Fn(&JobFacts) -> bool,
    ) -> Vec<JobFacts> {
        wait::until_async(what, async || {
            let facts: Vec<_> = self.observe(keys).await.into_iter().flatten().collect();
            let all = facts.len() == keys.len() && facts.iter().all(&is_so);
            if all { Ok(facts) } else { Err(facts) }
        })
        .await
    }

    pub async fn until_ended(&self, keys: &[JobKey]) -> Vec<JobFacts> {
        self.until(keys, "ended", |f| f.status.is_ended()).await
    }

    /// Looks until one that was accepted in bad times has ended after all.
    pub async fn until_ended_after_all(&self, key: &JobKey) {
        wait::until_async("ended after all", async || {
            let seen = self.cluster.observe(&[Self::watched(key)]).await;
            let facts = seen.ok().and_then(|mut all| all.pop()).and_then(|o| o.facts);
            if facts.as_ref().is_some_and(|f| f.status.is_ended()) { Ok(()) } else { Err(facts) }
        })
        .await;
    }

    pub async fn until_running(&self, key: &JobKey) {
        let keys = [key.clone()];
        self.until(&keys, "running", |f| f.status == Status::Running).await;
    }

    /// Runs one job to its end.
    pub async fn run(&self, spec: JobSpec) -> JobFacts {
        let job = keyed(&format!("run-{}", spec.name), 0, spec);
        self.submit(std::slice::from_ref(&job)).await;
        self.until_ended(&[job.key]).await.remove(0)
    }

    pub async fn cancel(&self, keys: &[JobKey]) -> Vec<ActOutcome> {
        let watched: Vec<_> = keys.iter().map(Self::watched).collect();
        self.cluster.act(RemoteAction::Cancel, &watched).await.unwrap()
    }

    pub async fn find(&self, key: &JobKey) -> Found {
        let spec = Arc::new(JobSpec::named("sought"));
        let sought = Sought { key: key.clone(), spec, sent_at: None };
        self.cluster.find(&[sought]).await.unwrap().remove(0).1
    }

    pub async fn log(&self, key: &JobKey, stream: LogStream) -> String {
        self.worker_log(key, LogSource { stream, worker: 0 }).await
    }

    pub async fn worker_log(&self, key: &JobKey, source: LogSource) -> String {
        let chunks = self.cluster.logs(&Self::watched(key), source, LogCursor::Offset(0), false);
        let bytes: Vec<u8> = chunks.map(|c| c.unwrap().bytes).concat().await;
        String::from_utf8(bytes).unwrap()
    }

    /// Pid of the executor, while one lives.
    pub fn executor(&self) -> Option<u32> {
        let text = fs::read_to_string(self.root().join("executor.json")).ok()?;
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        let process: jobdeck::procs::ProcId =
            serde_json::from_value(value.get("process")?.clone()).ok()?;
        process.is_alive().then_some(process.pid)
    }

    /// First line of a job's state file: who supervises it.
    pub fn claim(&self, key: &JobKey) -> Option<serde_json::Value> {
        let text = fs::read_to_string(self.root().join("jobs").join(key.to_string()).join("state"))
            .ok()?;
        serde_json::from_str::<serde_json::Value>(text.lines().next()?).ok()?.get("claim").cloned()
    }

    pub fn supervisor(&self, key: &JobKey) -> u32 {
        let claim = self.claim(key).unwrap();
        u32::try_from(claim["supervisor"]["pid"].as_u64().unwrap()).unwrap()
    }
}

/// Kills a process, unless it has just left by itself.
pub fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("{pid:?}: {error}"),
    }
}

pub fn is_alive(pid: u32) -> bool {
    jobdeck::procs::ProcId::of(pid).is_some()
}

pub fn succeeded(key: &JobKey) -> Awaited {
    awaited(key, DependencyCondition::Succeeded)
}

pub fn awaited(key: &JobKey, condition: DependencyCondition) -> Awaited {
    Awaited { key: key.clone(), condition, remote_id: None, label: "parent".into() }
}

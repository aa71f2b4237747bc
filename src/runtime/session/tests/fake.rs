//! A scripted cluster in memory: it answers late, twice, never, or loses answers.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::BoxStream;

use crate::{
    cluster::{
        ActOutcome, Cluster, ClusterError, Found, KeyedJob, LogChunk, LogCursor, LogSource,
        Observed, Outcome, Payload, RemoteAction, Rendered, Request, SiteFacts, Sought,
        SubmitError, Watched,
    },
    domain::{
        ids::{ClusterId, JobKey},
        job::Command,
        placement::need,
        run::{Accepted, JobFacts},
        site::{Amounts, Capabilities, Capacity, ClusterKind, KeepsLimit, NodeCapacity},
        status::{Cause, Status},
    },
};

/// How the next submission goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Good,
    /// Taken, and the answer is lost.
    LostAnswer,
    /// Lost on the way, which nobody knows.
    LostRequest,
    /// Lost on the way as far as anybody can tell, and taken this much later.
    TakenLate(Duration),
    /// Nothing left this machine.
    Unavailable,
    /// Refused as a whole.
    Refused,
    /// The first job of the request is refused.
    RejectsFirst,
    /// No answer for a long time.
    Hangs,
    /// Answers for all but the first job.
    ForgetsFirst,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeJob {
    pub(crate) facts: JobFacts,
    pub(crate) what: String,
    /// Known to nobody before.
    from: Option<tokio::time::Instant>,
    pub(crate) run_limit: Option<u32>,
    pub(crate) after: usize,
    need: Amounts,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) jobs: HashMap<JobKey, FakeJob>,
    /// Every job that was started, in order; a key twice is the worst of faults.
    pub(crate) started: Vec<JobKey>,
    pub(crate) script: VecDeque<Next>,
    pub(crate) down: bool,
    pub(crate) polls: usize,
    pub(crate) finds: usize,
    pub(crate) cancels: Vec<JobKey>,
    /// What else was asked for.
    pub(crate) steered: Vec<(RemoteAction, JobKey)>,
    pub(crate) requests: usize,
    /// Most jobs that were live at once.
    pub(crate) widest: usize,
    /// Jobs end when they are polled; else they run on.
    pub(crate) ends: bool,
    pub(crate) capacity: Capacity,
    /// What its one node has in all; what is free there it looks up every five seconds.
    pub(crate) node: Option<Amounts>,
    drawn: Option<(tokio::time::Instant, Amounts)>,
    began: Option<tokio::time::Instant>,
}

#[derive(Debug)]
pub(crate) struct Fake {
    id: ClusterId,
    capabilities: Capabilities,
    pub(crate) state: Mutex<State>,
}

impl Fake {
    pub(crate) fn new(name: &str, change: impl FnOnce(&mut Capabilities)) -> Arc<Self> {
        let mut capabilities = Capabilities::of(ClusterKind::Slurm);
        capabilities.dependencies = false;
        capabilities.run_limit = KeepsLimit::No;
        capabilities.jobs_per_request = 10;
        capabilities.concurrency = 2;
        capabilities.absent_looks = 2;
        capabilities.absent_spacing_secs = 15;
        capabilities.min_interval_ms = 1_000;
        change(&mut capabilities);
        Arc::new(Self {
            id: ClusterId::new(name),
            capabilities,
            state: Mutex::new(State { ends: true, ..State::default() }),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn script(&self, next: impl IntoIterator<Item = Next>) {
        self.lock().script.extend(next);
    }

    fn unreachable(&self) -> ClusterError {
        ClusterError::Unreachable {
            cluster: self.id.clone(),
            why: "down".into(),
            retry_after: None,
        }
    }
}

impl State {
    fn begin(&mut self, job: &KeyedJob, from: Option<tokio::time::Instant>) -> Outcome {
        if !self.jobs.contains_key(&job.key) {
            self.started.push(job.key.clone());
            let what = match &job.spec.command {
                Some(Command::Shell(text)) => text.clone(),
                _ => "true".into(),
            };
            let fake = FakeJob {
                facts: JobFacts::of(Status::Pending),
                what,
                from,
                run_limit: job.run_limit,
                after: job.after.len(),
                need: need(&job.spec, 1),
            };
            self.jobs.insert(job.key.clone(), fake);
        }
        let live = self.jobs.values().filter(|j| !j.facts.status.is_ended()).count();
        self.widest = self.widest.max(live);
        Outcome::Accepted(accepted(&job.key))
    }
}

impl State {
    /// What it says it has: of its node as it was up to five seconds ago.
    fn has(&mut self) -> Capacity {
        let mut capacity = self.capacity.clone();
        let Some(total) = self.node else { return capacity };
        let now = tokio::time::Instant::now();
        let running = self.jobs.values().filter(|job| job.facts.status == Status::Running);
        let free = running.fold(total, |free, job| free.less(job.need));
        let (at, free) = match self.drawn {
            Some(drawn) if now.duration_since(drawn.0) < Duration::from_secs(5) => drawn,
            _ => *self.drawn.insert((now, free)),
        };
        let begin = *self.began.get_or_insert(at);
        capacity.as_of = Some(at.duration_since(begin).as_secs_f64());
        capacity.nodes = vec![NodeCapacity { id: "n".into(), total, free }];
        capacity
    }
}

impl State {
    /// Puts a job back into the queue; refuses the rest.
    fn steer(&mut self, action: RemoteAction, key: &JobKey) -> ActOutcome {
        self.steered.push((action, key.clone()));
        let result = match self.jobs.get_mut(key) {
            Some(job) if action == RemoteAction::Requeue => {
                job.facts = JobFacts { restarts: 1, ..JobFacts::of(Status::Pending) };
                Ok(())
            }
            _ => Err("not today".to_owned()),
        };
        ActOutcome { key: key.clone(), result }
    }
}

fn accepted(key: &JobKey) -> Accepted {
    Accepted {
        remote_id: format!("id-{}-{}", key.job.0, key.attempt),
        remote_name: Some(key.to_string()),
        url: None,
        log_path: None,
    }
}

impl FakeJob {
    fn is_known(&self) -> bool {
        self.from.is_none_or(|t| t <= tokio::time::Instant::now())
    }

    fn step(&mut self, ends: bool) {
        let restarts = self.facts.restarts;
        self.facts = match self.facts.status {
            Status::Pending => JobFacts::of(Status::Running),
            Status::Running if ends => match self.what.as_str() {
                "false" => failed(Cause::Exit),
                "node" => failed(Cause::Node),
                "run" => return,
                _ => JobFacts::of(Status::Succeeded),
            },
            _ => return,
        };
        self.facts.restarts = restarts;
    }
}

fn failed(cause: Cause) -> JobFacts {
    let mut facts = JobFacts::of(Status::Failed);
    facts.cause = Some(cause);
    facts
}

#[async_trait]
impl Cluster for Fake {
    fn id(&self) -> &ClusterId {
        &self.id
    }
    fn kind(&self) -> ClusterKind {
        ClusterKind::Slurm
    }
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        if self.lock().down { Err(self.unreachable()) } else { Ok(SiteFacts::default()) }
    }
    async fn capacity(&self) -> Result<Capacity, ClusterError> {
        let mut state = self.lock();
        if state.down {
            return Err(self.unreachable());
        }
        Ok(state.has())
    }

    fn render(&self, jobs: &[KeyedJob], _facts: &SiteFacts) -> Rendered {
        let requests = jobs
            .chunks(self.capabilities.jobs_per_request)
            .map(|jobs| Request {
                cluster: self.id.clone(),
                jobs: jobs.to_vec(),
                payload: Payload::Http {
                    method: "POST".into(),
                    path: "/".into(),
                    body: serde_json::Value::Null,
                },
            })
            .collect();
        Rendered { requests, findings: Vec::new() }
    }

    async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let next = {
            let mut state = self.lock();
            if state.down {
                return Err(SubmitError::Unavailable(self.unreachable()));
            }
            state.requests += 1;
            state.script.pop_front().unwrap_or(Next::Good)
        };
        let all = |state: &mut State, from| -> Vec<_> {
            request.jobs.iter().map(|j| (j.key.clone(), state.begin(j, from))).collect()
        };
        match next {
            Next::Good => Ok(all(&mut self.lock(), None)),
            Next::LostAnswer => {
                all(&mut self.lock(), None);
                Err(SubmitError::Unknown(self.unreachable()))
            }
            Next::LostRequest => Err(SubmitError::Unknown(self.unreachable())),
            Next::TakenLate(by) => {
                all(&mut self.lock(), Some(tokio::time::Instant::now() + by));
                Err(SubmitError::Unknown(self.unreachable()))
            }
            Next::Unavailable => Err(SubmitError::Unavailable(self.unreachable())),
            Next::Refused => Err(SubmitError::Unavailable(ClusterError::Refused {
                cluster: self.id.clone(),
                words: "no such partition".into(),
            })),
            Next::Hangs => {
                all(&mut self.lock(), None);
                std::future::pending().await
            }
            Next::RejectsFirst | Next::ForgetsFirst => {
                let mut answers = Vec::new();
                for (i, job) in request.jobs.iter().enumerate() {
                    if i > 0 {
                        let outcome = self.lock().begin(job, None);
                        answers.push((job.key.clone(), outcome));
                    } else if next == Next::RejectsFirst {
                        answers.push((job.key.clone(), Outcome::Rejected("too big".into())));
                    } else {
                        self.lock().begin(job, None);
                    }
                }
                Ok(answers)
            }
        }
    }

    async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut state = self.lock();
        state.finds += 1;
        if state.down {
            return Err(self.unreachable());
        }
        Ok(jobs
            .iter()
            .map(|Sought { key, .. }| {
                let there = state.jobs.get(key).is_some_and(FakeJob::is_known);
                let found = if there { Found::Present(accepted(key)) } else { Found::Absent };
                (key.clone(), found)
            })
            .collect())
    }

    async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut state = self.lock();
        state.polls += 1;
        if state.down {
            return Err(self.unreachable());
        }
        let ends = state.ends;
        Ok(jobs
            .iter()
            .map(|watched| Observed {
                key: watched.key.clone(),
                facts: state.jobs.get_mut(&watched.key).map(|job| {
                    job.step(ends);
                    job.facts.clone()
                }),
            })
            .collect())
    }

    async fn act(
        &self,
        action: RemoteAction,
        jobs: &[Watched],
    ) -> Result<Vec<ActOutcome>, ClusterError> {
        let mut state = self.lock();
        if state.down {
            return Err(self.unreachable());
        }
        if action != RemoteAction::Cancel {
            return Ok(jobs.iter().map(|watched| state.steer(action, &watched.key)).collect());
        }
        Ok(jobs
            .iter()
            .map(|watched| {
                state.cancels.push(watched.key.clone());
                if let Some(job) = state.jobs.get_mut(&watched.key) {
                    job.facts = JobFacts::of(Status::Stopped);
                    job.facts.cause = Some(Cause::Cancelled);
                }
                ActOutcome { key: watched.key.clone(), result: Ok(()) }
            })
            .collect())
    }

    fn logs(
        &self,
        _job: &Watched,
        _source: LogSource,
        _from: LogCursor,
        _follow: bool,
    ) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
        Box::pin(futures::stream::empty())
    }
}

//! What the adapter does: requests to the dashboard for each wish.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt as _, stream};
use hyper::Method;
use secrecy::ExposeSecret as _;

use super::{
    http::{Answer, Http, Payload as Sent, encoded},
    map,
    package::Package,
    render::{self, ORIGIN, SUBMIT, Target, submission_id},
    wire::{Job, Nodes, Status as StatusAnswer, Submitted, Version},
};
use crate::{
    cluster::{
        ActOutcome, ClusterError, Found, Observed, Outcome, Payload, Request, SiteFacts, Sought,
        SubmitError, Watched, origin::Origin,
    },
    config::RaySettings,
    domain::{
        ids::{ClusterId, JobKey},
        job::JsonMap,
        run::Accepted,
        site::{Capabilities, Capacity, ClusterKind},
    },
    secrets,
};

/// Longest time for a query; a head whose control store hangs never answers.
pub const QUERY: Duration = Duration::from_secs(10);
/// Over this the answer to a submission counts as lost.
const SUBMISSION: Duration = Duration::from_secs(30);
/// Longest time for code to be sent.
const UPLOAD: Duration = Duration::from_mins(10);
/// A list costs as much as asking for a tenth of its jobs one by one.
const LIST_COSTS: usize = 10;
/// Questions about single jobs under way at once: the head takes one after the other.
const AT_ONCE: usize = 4;
/// A package that was there this long ago is there still: a head keeps what was asked
/// for at least ten minutes.
const PINNED: Duration = Duration::from_mins(2);
/// What nodes there are is not asked again within this, for two questions of one poll.
const FRESH: Duration = Duration::from_millis(500);

/// One Ray cluster behind its dashboard.
#[derive(Debug)]
pub struct Ray {
    pub id: ClusterId,
    pub capabilities: Capabilities,
    pub http: Http,
    settings: RaySettings,
    origin: Origin,
    version: Mutex<Option<String>>,
    /// How many jobs the last list had.
    records: Mutex<usize>,
    nodes: tokio::sync::Mutex<Option<(Instant, Arc<Nodes>)>>,
    /// Packages that are there, by when that was last asked.
    packages: tokio::sync::Mutex<HashMap<String, Instant>>,
}

impl Ray {
    pub fn new(id: ClusterId, settings: RaySettings, origin: Origin) -> Self {
        Self {
            http: Http::new(id.clone(), &settings.address, settings.token.clone()),
            capabilities: Capabilities::of(ClusterKind::Ray),
            id,
            settings,
            origin,
            version: Mutex::default(),
            records: Mutex::default(),
            nodes: tokio::sync::Mutex::default(),
            packages: tokio::sync::Mutex::default(),
        }
    }

    pub fn target(&self) -> Target<'_> {
        let origin = self.origin.known().unwrap_or("<origin>");
        Target { id: &self.id, settings: &self.settings, origin }
    }

    pub async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        let version: Version = self.http.document("/api/version", QUERY).await?;
        self.origin.made().map_err(|error| {
            self.http.refused(format!("the state folder cannot be used: {error}"))
        })?;
        self.version
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&version.ray_version);
        Ok(SiteFacts { version: version.ray_version, ..SiteFacts::default() })
    }

    /// Who lives there. Fails when the head's own node does not: such a head goes on
    /// answering and does nothing.
    async fn living_nodes(&self) -> Result<Arc<Nodes>, ClusterError> {
        let nodes = self.nodes().await?;
        if map::head_is_alive(&nodes) {
            return Ok(nodes);
        }
        Err(self.http.away("its head answers, and the head's node is dead: restart Ray there"))
    }

    async fn nodes(&self) -> Result<Arc<Nodes>, ClusterError> {
        let mut known = self.nodes.lock().await;
        if let Some((at, nodes)) = known.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            let _ = at;
            return Ok(Arc::clone(nodes));
        }
        let nodes: Nodes = self.http.document("/api/v0/nodes", QUERY).await?;
        let nodes = Arc::new(nodes);
        *known = Some((Instant::now(), Arc::clone(&nodes)));
        Ok(nodes)
    }

    pub async fn capacity(&self) -> Result<Capacity, ClusterError> {
        let nodes = self.living_nodes().await?;
        let status: StatusAnswer = self.http.document("/api/cluster_status", QUERY).await?;
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(map::capacity(&nodes, &status, version))
    }

    pub async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let Some(job) = request.jobs.first() else { return Ok(Vec::new()) };
        let spec = job.spec.filled(&job.key.run, job.key.attempt);
        let Payload::Http { body, .. } = &request.payload else {
            let words = "a request for another kind of cluster".to_owned();
            return Ok(vec![(job.key.clone(), Outcome::Rejected(words))]);
        };
        let told = |outcome| Ok(vec![(job.key.clone(), outcome)]);
        for uri in packages(body) {
            if let Some(package) = Package::of(&uri, &job.code)
                && let Some(words) = self.send(package).await.map_err(SubmitError::Unavailable)?
            {
                return told(Outcome::Rejected(words));
            }
        }
        let body = match with_secrets(body.clone(), &spec.env).await {
            Ok(body) => body,
            Err(words) => return told(Outcome::Rejected(words)),
        };
        let id = submission_id(&spec, &job.key);
        let answer = self.http.call(Method::POST, SUBMIT, Sent::Json(body), SUBMISSION).await?;
        told(self.submitted(&id, &job.key, &answer).await?)
    }

    /// What an answer to a submission means.
    async fn submitted(
        &self,
        id: &str,
        key: &JobKey,
        answer: &Answer,
    ) -> Result<Outcome, SubmitError> {
        let text = answer.text();
        let odd = || self.http.odd(SUBMIT, answer);
        match answer.status {
            200 => {
                let told: Submitted =
                    self.http.read(SUBMIT, answer).map_err(SubmitError::Unknown)?;
                if told.submission_id == id {
                    return Ok(Outcome::Accepted(self.accepted(id)));
                }
                let what = format!("the id `{}` for `{id}`", told.submission_id);
                Err(SubmitError::Unknown(self.http.garbled(what)))
            }
            _ if map::is_duplicate(&text) => {
                let job = self.job(id).await.map_err(SubmitError::Unknown)?;
                match job {
                    Some(job) if self.is_ours(&job, key) => {
                        Ok(Outcome::Accepted(self.accepted(id)))
                    }
                    _ => Ok(Outcome::Rejected(format!(
                        "the id `{id}` is taken there by another job"
                    ))),
                }
            }
            400 | 413 => Ok(Outcome::Rejected(map::last_line(&text))),
            404 | 405 | 429 | 503 => Err(SubmitError::Unavailable(odd())),
            500 if map::is_trouble(&text) => {
                Err(SubmitError::Unavailable(self.http.away(map::last_line(&text))))
            }
            // It answered, so it is done with it: it has the job, or it refused it.
            500 => match self.job(id).await.map_err(SubmitError::Unknown)? {
                Some(_) => Ok(Outcome::Accepted(self.accepted(id))),
                None => Ok(Outcome::Rejected(map::last_line(&text))),
            },
            _ => Err(SubmitError::Unknown(odd())),
        }
    }

    fn accepted(&self, id: &str) -> Accepted {
        Accepted {
            remote_id: id.to_owned(),
            remote_name: None,
            url: Some(self.page(id)),
            log_path: None,
        }
    }

    /// The job's page in Ray's dashboard.
    fn page(&self, id: &str) -> String {
        format!("{}/#/jobs/{id}", self.http.address())
    }

    /// It was sent from this state folder under this key.
    fn is_ours(&self, job: &Job, key: &JobKey) -> bool {
        let told = |name| job.metadata.as_ref().and_then(|all| all.get(name));
        told(ORIGIN).map(String::as_str) == self.origin.known()
            && told(render::KEY).is_some_and(|own| *own == key.to_string())
    }

    /// Sends a package unless it is there; `Some`: why Ray will not have it.
    async fn send(&self, package: Package) -> Result<Option<String>, ClusterError> {
        let mut there = self.packages.lock().await;
        if there.get(&package.name).is_some_and(|at| at.elapsed() < PINNED) {
            return Ok(None);
        }
        let path = format!("/api/packages/gcs/{}", encoded(&package.name));
        // To ask for it is what keeps it there.
        let known = self.http.call(Method::GET, &path, Sent::Nothing, QUERY).await?;
        match known.status {
            200 => {}
            404 => {
                let packed = tokio::task::spawn_blocking(move || {
                    (package.archive().map_err(|error| error.to_string()), package)
                });
                let (archive, package) =
                    packed.await.map_err(|error| self.http.refused(error.to_string()))?;
                let archive = match archive {
                    Ok(archive) => archive,
                    Err(words) => return Ok(Some(format!("its code cannot be sent: {words}"))),
                };
                let put = Sent::Bytes(archive.into());
                let answer = self.http.call(Method::PUT, &path, put, UPLOAD).await?;
                match answer.status {
                    200 => {}
                    413 => {
                        let words = map::last_line(&answer.text());
                        return Ok(Some(format!("Ray does not take its code: {words}")));
                    }
                    _ => return Err(self.http.odd(&path, &answer)),
                }
                there.insert(package.name, Instant::now());
                return Ok(None);
            }
            _ => return Err(self.http.odd(&path, &known)),
        }
        there.insert(package.name, Instant::now());
        Ok(None)
    }

    pub async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        self.living_nodes().await?;
        let found = stream::iter(jobs.to_vec()).map(|job| async move {
            let spec = job.spec.filled(&job.key.run, job.key.attempt);
            let id = submission_id(&spec, &job.key);
            let found = match self.job(&id).await? {
                Some(record) if self.is_ours(&record, &job.key) => {
                    Found::Present(self.accepted(&id))
                }
                _ => Found::Absent,
            };
            Ok((job.key.clone(), found))
        });
        let found: Vec<_> = found.buffer_unordered(AT_ONCE).collect().await;
        found.into_iter().collect()
    }

    /// One job by its id; `None`: the cluster answers that there is none.
    pub async fn job(&self, id: &str) -> Result<Option<Job>, ClusterError> {
        let path = format!("{SUBMIT}{}", encoded(id));
        let answer = self.http.call(Method::GET, &path, Sent::Nothing, QUERY).await?;
        match answer.status {
            200 => Ok(Some(self.http.read(&path, &answer)?)),
            404 if answer.text().contains("does not exist") => Ok(None),
            _ => Err(self.http.odd(&path, &answer)),
        }
    }

    pub async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        let nodes = self.nodes().await?;
        let ids: HashSet<String> = jobs.iter().map(id_of).collect();
        let mut records = self.records(&ids).await?;
        let names = map::names(&nodes);
        let is_dead = !map::head_is_alive(&nodes);
        let observed = jobs.iter().map(|job| {
            let id = id_of(job);
            let facts = records.remove(&id).map(|r| map::facts(&r, &names, Some(self.page(&id))));
            // What a head whose node is dead says of jobs that run is not so.
            let facts = facts.filter(|facts| facts.status.is_ended() || !is_dead);
            Observed { key: job.key.clone(), facts }
        });
        Ok(observed.collect())
    }

    /// The records of these jobs, by id: one list, or one by one where that is less.
    async fn records(&self, ids: &HashSet<String>) -> Result<HashMap<String, Job>, ClusterError> {
        let all = *self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() * LIST_COSTS < all {
            let single = stream::iter(ids.clone())
                .map(|id| async move { Ok((id.clone(), self.job(&id).await?)) });
            let found: Vec<Result<_, ClusterError>> =
                single.buffer_unordered(AT_ONCE).collect().await;
            let mut records = HashMap::new();
            for one in found {
                let (id, job) = one?;
                records.extend(job.map(|job| (id, job)));
            }
            return Ok(records);
        }
        let list: Vec<Job> = self.http.document(SUBMIT, QUERY).await?;
        *self.records.lock().unwrap_or_else(PoisonError::into_inner) = list.len();
        let ours = list.into_iter().filter(|job| job.kind != "DRIVER").filter_map(|job| {
            let id = job.submission_id.clone().filter(|id| ids.contains(id))?;
            Some((id, job))
        });
        Ok(ours.collect())
    }

    /// Stops jobs. One that Ray has not started goes on waiting there, and is stopped
    /// when it starts.
    pub async fn stop(&self, jobs: &[Watched]) -> Result<Vec<ActOutcome>, ClusterError> {
        let stopped = stream::iter(jobs.to_vec()).map(|job| async move {
            let path = format!("{SUBMIT}{}/stop", encoded(&id_of(&job)));
            let answer = self.http.call(Method::POST, &path, Sent::Nothing, QUERY).await?;
            let result = match answer.status {
                // One that has ended, or that is not there, needs no stop.
                200 | 404 => Ok(()),
                400 => Err(map::last_line(&answer.text())),
                _ => return Err(self.http.odd(&path, &answer)),
            };
            Ok(ActOutcome { key: job.key, result })
        });
        let stopped: Vec<_> = stopped.buffer_unordered(AT_ONCE).collect().await;
        stopped.into_iter().collect()
    }

    /// Removes the records of ended jobs; their logs stay with the nodes.
    pub async fn delete(&self, jobs: &[Watched]) -> Result<(), ClusterError> {
        for job in jobs {
            let path = format!("{SUBMIT}{}", encoded(&id_of(job)));
            let answer = self.http.call(Method::DELETE, &path, Sent::Nothing, QUERY).await?;
            if !matches!(answer.status, 200 | 404) {
                return Err(self.http.refused(map::last_line(&answer.text())));
            }
        }
        Ok(())
    }
}

/// What the cluster calls a job.
pub fn id_of(job: &Watched) -> String {
    job.remote_id.as_deref().map_or_else(|| job.key.to_string(), str::to_owned)
}

/// The packages that a body names.
fn packages(body: &serde_json::Value) -> Vec<String> {
    let env = body.get("runtime_env");
    let folder = env.and_then(|env| env.get("working_dir")).into_iter();
    let modules = env.and_then(|env| env.get("py_modules")?.as_array()).into_iter().flatten();
    folder.chain(modules).filter_map(|uri| uri.as_str().map(str::to_owned)).collect()
}

/// The bytes of a body, references to secrets replaced by their values.
async fn with_secrets(
    mut body: serde_json::Value,
    env: &indexmap::IndexMap<String, String>,
) -> Result<Vec<u8>, String> {
    let references: Vec<(String, String)> = env
        .iter()
        .filter(|(_, value)| secrets::is_reference(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !references.is_empty() {
        let resolve = move || {
            let resolve = |(name, reference): (String, String)| {
                Ok((name, secrets::resolve(&reference).map_err(|error| error.to_string())?))
            };
            references.into_iter().map(resolve).collect::<Result<Vec<_>, String>>()
        };
        let values =
            tokio::task::spawn_blocking(resolve).await.map_err(|error| error.to_string())??;
        let vars: Option<&mut JsonMap> = body
            .get_mut("runtime_env")
            .and_then(|env| env.get_mut("env_vars"))
            .and_then(serde_json::Value::as_object_mut);
        if let Some(vars) = vars {
            for (name, value) in values {
                vars.insert(name, value.expose_secret().into());
            }
        }
    }
    serde_json::to_vec(&body).map_err(|error| error.to_string())
}

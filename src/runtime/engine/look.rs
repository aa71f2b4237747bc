//! A run as it is now, for whoever only looks: nothing is ever sent.

use std::{collections::HashMap, sync::Arc, time::Duration};

use indexmap::IndexMap;

use super::{Engine, Look, start::blocking, stored_health};
use crate::{
    cluster::{Cluster, ClusterError, Found, Sought, Watched},
    domain::{
        ids::{ClusterId, JobIx, JobKey, RunId},
        run::{Record, Run, Stamped},
        status::Status,
    },
    error::Report,
    journal::{Acquire, Journal, JournalError, Ownership, Replay, RunDir, Summary, living_owner},
    runtime::{
        handle::Healths,
        session::{
            observe::{Asked, is_observable, records, sought, watched},
            others::{Followers, shows},
            state_report,
        },
    },
};

/// A look does not wait longer for a cluster.
const PATIENCE: Duration = Duration::from_secs(10);

/// The rows to ask one cluster about.
#[derive(Default)]
struct Questions {
    observe: Vec<Watched>,
    asked: Asked,
    find: Vec<Sought>,
}

impl Engine {
    /// A run as it is now. While nobody conducts it the clusters are asked, one
    /// request each, and what changed is recorded; nothing is ever sent.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub async fn look(&self, run: &RunId) -> Result<Look, Report> {
        let dir = self.dir(run);
        let replay = {
            let dir = dir.clone();
            blocking(move || Replay::read(&dir)).await?.map_err(|e| state_report(&e))?
        };
        let Replay { code, mut run, mut tail, damage, .. } = replay;
        let owner = living_owner(&dir);
        let mut health = all_clusters(&run, stored_health(&dir));
        let mut news = self.ask_about(&run, owner.is_none(), &mut health).await;
        if owner.is_none() {
            news.extend(self.read_about(&run).await?);
        }
        // Requests that were under way when their conductor was killed.
        let in_doubt = owner.is_none() && run.count(Status::Submitting) > 0;
        if !news.is_empty() || in_doubt {
            let at = (self.inner.clock)();
            let recorded = owner.is_none() && {
                let (dir, news) = (dir.clone(), news.clone());
                let read = blocking(move || {
                    let kept = keep(&dir, &mut tail, &mut run, news, at);
                    if kept.is_ok() {
                        Summary::of(&run, &code, tail.offset()).save(&dir);
                    }
                    (run, tail, kept)
                })
                .await?;
                (run, tail) = (read.0, read.1);
                // A full disk or a read-only folder is no reason not to look.
                read.2.unwrap_or(false)
            };
            if !recorded {
                let epoch = run.epoch;
                for record in news {
                    run.apply(&Stamped { at, epoch, record });
                }
            }
            drop(tail);
        }
        run.learn_rooms(self.inner.rooms(&health));
        if owner.is_none() {
            run.learn_that_nobody_carries_it_on();
        }
        Ok(Look {
            run,
            health,
            conductor: owner,
            warnings: damage.iter().map(ToString::to_string).collect(),
        })
    }

    /// What the journals of other runs say of the jobs that this run shows.
    async fn read_about(&self, run: &Run) -> Result<Vec<Record>, Report> {
        let followers = Followers::of(run);
        if followers.is_empty() {
            return Ok(Vec::new());
        }
        let (state, at) = (self.inner.state.clone(), (self.inner.clock)());
        let mut read = blocking(move || followers.read(&state, at)).await?;
        read.retain(|record| !shows(run, record));
        Ok(read)
    }

    /// Asks each cluster once about the live jobs of a run.
    async fn ask_about(&self, run: &Run, alone: bool, health: &mut Healths) -> Vec<Record> {
        let mut questions: IndexMap<ClusterId, Questions> = IndexMap::new();
        for (ix, row) in (0..).map(JobIx).zip(&run.jobs) {
            let Some(cluster) = &row.cluster else { continue };
            let doubtful = alone && matches!(row.status, Status::Unknown | Status::Submitting);
            if !doubtful && !is_observable(row) {
                continue;
            }
            let of_cluster = questions.entry(cluster.clone()).or_default();
            if doubtful {
                if let Some(job) = row.attempt().and_then(|last| sought(run, ix, last.number)) {
                    of_cluster.asked.insert(job.key.clone(), ix);
                    of_cluster.find.push(job);
                }
            } else if let Some(job) = watched(run, ix) {
                of_cluster.asked.insert(job.key.clone(), ix);
                of_cluster.observe.push(job);
            }
        }
        // Lost jobs alone are not worth a request.
        questions.retain(|_, q| {
            !q.find.is_empty()
                || q.asked.values().any(|ix| run.job(*ix).is_some_and(|j| j.status.is_live()))
        });
        let asked = questions.into_iter().map(|(id, q)| async move {
            let Some(cluster) = self.inner.clusters.get(&id).cloned() else {
                let error = ClusterError::Unreachable {
                    cluster: id.clone(),
                    why: "it is not configured".to_owned(),
                    retry_after: None,
                };
                return (id, Err(error));
            };
            let answer = tokio::time::timeout(PATIENCE, ask_one(&cluster, &q)).await;
            let answer = answer.unwrap_or_else(|_| {
                Err(ClusterError::Unreachable {
                    cluster: id.clone(),
                    why: format!("no answer in {} s", PATIENCE.as_secs()),
                    retry_after: None,
                })
            });
            let looks = cluster.capabilities().absent_looks;
            let answer = answer.map(|(seen, found)| {
                let mut news: Vec<Record> = found
                    .into_iter()
                    .filter_map(|(key, found)| match found {
                        Found::Present(accepted) => {
                            Some(Record::Accepted { job: key.job, attempt: key.attempt, accepted })
                        }
                        Found::Absent => None,
                    })
                    .collect();
                news.extend(records(run, &q.asked, &seen, looks));
                news
            });
            (id, answer)
        });
        let mut news = Vec::new();
        for (id, answer) in futures::future::join_all(asked).await {
            let health = health.entry(id).or_default();
            match answer {
                Ok(records) => {
                    health.reachable = Some(true);
                    health.last_seen = Some((self.inner.clock)());
                    health.error = None;
                    health.needs_login = false;
                    news.extend(records);
                }
                Err(error) => {
                    health.reachable = Some(!matches!(error, ClusterError::Unreachable { .. }));
                    health.needs_login = matches!(error, ClusterError::NeedsLogin { .. });
                    health.error = Some(error.to_string());
                }
            }
        }
        news
    }
}

type Answers = (Vec<crate::cluster::Observed>, Vec<(JobKey, Found)>);

async fn ask_one(cluster: &Arc<dyn Cluster>, q: &Questions) -> Result<Answers, ClusterError> {
    let found = if q.find.is_empty() { Vec::new() } else { cluster.find(&q.find).await? };
    let mut seen =
        if q.observe.is_empty() { Vec::new() } else { cluster.observe(&q.observe).await? };
    // What was found is asked about as well, so that one look tells how it is.
    let adopted: HashMap<&JobKey, &crate::domain::run::Accepted> = found
        .iter()
        .filter_map(|(key, found)| match found {
            Found::Present(accepted) => Some((key, accepted)),
            Found::Absent => None,
        })
        .collect();
    if !adopted.is_empty() {
        let jobs: Vec<Watched> = adopted
            .iter()
            .map(|(key, accepted)| Watched {
                key: JobKey::clone(key),
                remote_id: Some(accepted.remote_id.as_str().into()),
                log_path: accepted.log_path.as_deref().map(Into::into),
                starts: 1,
            })
            .collect();
        seen.extend(cluster.observe(&jobs).await?);
    }
    Ok((seen, found))
}

/// Every cluster of the run is listed, asked or not.
fn all_clusters(run: &Run, mut known: Healths) -> Healths {
    let mut health = Healths::new();
    for id in run.jobs.iter().flat_map(|j| j.cluster.iter().chain(j.may_go.iter())) {
        if !health.contains_key(id) {
            let last = known.shift_remove(id).unwrap_or_default();
            health.insert(id.clone(), last);
        }
    }
    health
}

/// Writes down what was seen; false when somebody else has the right to write.
fn keep(
    dir: &RunDir,
    tail: &mut crate::journal::Tail,
    run: &mut Run,
    news: Vec<Record>,
    at: jiff::Timestamp,
) -> Result<bool, JournalError> {
    let Acquire::Got(mut ownership) = Ownership::acquire(dir, tail.epoch(), false, true, false)?
    else {
        return Ok(false);
    };
    for stamped in tail.read(dir, &mut Vec::new())? {
        run.apply(&stamped);
    }
    ownership.raise(tail.epoch())?;
    let conductor = ownership.conductor().clone();
    let epoch = ownership.epoch();
    let mut journal = Journal::open(dir, ownership, tail.offset())?;
    let records: Vec<Stamped> = std::iter::once(Record::Opened { conductor })
        .chain(news)
        .chain(std::iter::once(Record::Closed { held: None }))
        .map(|record| Stamped { at, epoch, record })
        .collect();
    journal.commit(&records)?;
    for stamped in &records {
        run.apply(stamped);
    }
    tail.read(dir, &mut Vec::new())?;
    Ok(true)
}

//! New attempts that a person asks for: with changes, with the code as first sent
//! or as it is now.

use std::sync::Arc;

use super::{
    command::{Decision, jobs_text},
    conduct::Conducting,
};
use crate::{
    app::msg::CodeSince,
    domain::{
        change::changed,
        ids::JobIx,
        job::{JobSpec, JobType},
        placement,
        run::Record,
        site::{ClusterKind, ClusterViews},
    },
    error::{Kind, Report},
    runtime::{
        code,
        engine::Engine,
        handle::{Code, Done},
    },
};

impl Conducting<'_> {
    pub(super) async fn decide_retry(
        &mut self,
        jobs: &[JobIx],
        changes: &[(String, String)],
        code: Code,
    ) -> Result<Decision, Report> {
        let jobs = self.known(jobs)?;
        let run = &self.s.run;
        let (again, open): (Vec<JobIx>, Vec<JobIx>) =
            jobs.into_iter().partition(|ix| run.job(*ix).is_some_and(|j| j.status.is_ended()));
        let mut notes = Vec::new();
        if !open.is_empty() {
            notes.push(format!("{} left alone: not ended yet", jobs_text(open.len())));
        }
        let now = self.code_for(&again, code, &mut notes).await?;
        let views = if changes.is_empty() { ClusterViews::default() } else { self.views().await };
        let run = &self.s.run;
        let mut records = Vec::new();
        let mut wrong: Vec<String> = Vec::new();
        let mut hints: Vec<String> = Vec::new();
        for ix in &again {
            let Some(row) = run.job(*ix) else { continue };
            let before = row.spec_now();
            let (mut spec, mut replicas) = (None, None);
            if !changes.is_empty() {
                match changed(before, changes) {
                    Ok(changed) => {
                        let config = &self.s.engine.config;
                        for obstacle in placement::refusals(
                            &changed,
                            row.cluster.as_ref(),
                            &config.limits,
                            config.default_cluster.as_ref(),
                            &views,
                        ) {
                            let text = format!("{}: {}", obstacle.key, obstacle.message);
                            if push_new(&mut wrong, text) {
                                hints.extend(obstacle.hint);
                            }
                        }
                        replicas = (changed.workers != before.workers)
                            .then(|| self.replicas(row.cluster.as_ref(), &changed));
                        spec = Some(Arc::new(changed));
                    }
                    Err(faults) => {
                        for fault in faults {
                            if push_new(&mut wrong, fault.to_string()) {
                                hints.extend(fault.hint);
                            }
                        }
                    }
                }
            }
            let current =
                row.attempt().and_then(|a| a.code.as_deref()).or_else(|| self.s.code.of(before));
            let wanted = match code {
                Code::Original => self.s.code.of(before),
                Code::Current => {
                    before.src_dir.as_ref().and_then(|top| now.get(top)).map(String::as_str)
                }
            };
            let code = wanted.filter(|hash| Some(*hash) != current).map(Into::into);
            records.push(Record::Retried {
                job: *ix,
                attempt: row.retry_number(),
                spec,
                replicas,
                code,
                automatic: false,
            });
        }
        if !wrong.is_empty() {
            hints.dedup();
            let mut report = Report::new(Kind::Usage, wrong.join("; "));
            report.hints = hints;
            return Err(report);
        }
        let message = match again.len() {
            0 => "nothing to retry".to_owned(),
            n => format!("{} with a new attempt", jobs_text(n)),
        };
        Ok(Decision { records, done: Done { message, jobs: again, notes } })
    }

    /// The code new attempts run with, by folder; only with [`Code::Current`].
    /// Otherwise what changed since is told.
    async fn code_for(
        &self,
        jobs: &[JobIx],
        code: Code,
        notes: &mut Vec<String>,
    ) -> Result<std::collections::HashMap<Arc<str>, String>, Report> {
        let tops: std::collections::BTreeSet<Arc<str>> =
            jobs.iter().filter_map(|ix| self.s.run.job(*ix)?.spec_now().src_dir.clone()).collect();
        let mut current = std::collections::HashMap::new();
        for top in tops {
            let folder = self.s.dir.code();
            let skip = self.s.engine.state.path().to_owned();
            let path = std::path::PathBuf::from(&*top);
            let report = |e: tokio::task::JoinError| Report::new(Kind::Internal, e.to_string());
            if code == Code::Current {
                let copied = move || code::snapshot(&path, &folder, &skip);
                let entry = tokio::task::spawn_blocking(copied).await.map_err(report)??;
                current.insert(top, entry.hash);
                continue;
            }
            let sent = self.s.code.get(&top).map(|e| e.hash.clone());
            let compared = move || code::since(&path, sent.as_deref(), &skip);
            match tokio::task::spawn_blocking(compared).await.map_err(report)? {
                None => {}
                Some(CodeSince::Changed) => notes.push(format!(
                    "{top} has changed since; the new attempt runs the code as first sent \
                     (`--code current` takes the new)"
                )),
                Some(CodeSince::Unreadable) => notes.push(format!("{top} cannot be read any more")),
            }
        }
        Ok(current)
    }

    /// The clusters as a plan would see them now, the conductor's own news of them
    /// included.
    async fn views(&self) -> ClusterViews {
        let engine = Engine { inner: Arc::clone(&self.s.engine) };
        let mut views = engine.views_now().await;
        for (id, site) in &self.sites {
            if let (Some(view), Some(capacity)) = (views.get_mut(id), &site.health.capacity)
                && view.kind != ClusterKind::Local
            {
                view.capacity = Some(((self.s.engine.clock)(), capacity.clone()));
            }
        }
        views
    }

    fn replicas(&self, cluster: Option<&crate::domain::ids::ClusterId>, spec: &JobSpec) -> u32 {
        if spec.job_type != JobType::Distributed {
            return 1;
        }
        let workers = spec.workers.unwrap_or(1).max(1);
        let master =
            cluster.and_then(|id| self.sites.get(id)).is_some_and(|s| s.capabilities.adds_master)
                && spec.framework.as_deref() != Some("mpi");
        workers + u32::from(master)
    }
}

/// Whether it was not there yet.
fn push_new(list: &mut Vec<String>, text: String) -> bool {
    let is_news = !list.contains(&text);
    if is_news {
        list.push(text);
    }
    is_news
}

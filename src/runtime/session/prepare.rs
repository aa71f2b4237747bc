//! A job as it is sent: holes filled, code where it was copied to.

use std::sync::Arc;

use super::conduct::Conducting;
use crate::{
    cluster::{Awaited, CodeBundle, KeyedJob},
    domain::{
        ids::{ClusterId, JobKey},
        job::{DependencyCondition, JobSpec},
        run::Sendable,
        site::ClusterKind,
    },
};

impl Conducting<'_> {
    /// The job as it is sent: holes filled, code where it was copied to.
    pub(super) fn prepare(&self, cluster: &ClusterId, job: &Sendable) -> Result<KeyedJob, String> {
        let key = JobKey { run: self.s.run.id.clone(), job: job.job, attempt: job.attempt };
        let row = self.s.run.job(job.job).ok_or("no such job")?;
        let mut spec = match row.spec_now().filled(&self.s.run.id, job.attempt) {
            std::borrow::Cow::Borrowed(_) => row.spec_now().clone(),
            std::borrow::Cow::Owned(filled) => Arc::new(filled),
        };
        let local =
            self.sites.get(cluster).is_some_and(|site| site.cluster.kind() == ClusterKind::Local);
        let sends_code = self.sites.get(cluster).is_some_and(|site| site.capabilities.sends_code);
        if local && (spec.src_dir.is_some() || !spec.libraries.is_empty()) {
            let changed = row.attempt().and_then(|a| a.code.as_deref());
            spec = Arc::new(self.with_code(&spec, changed)?);
        }
        let mut code = Vec::new();
        if sends_code && (spec.src_dir.is_some() || !spec.libraries.is_empty()) {
            let changed = row.attempt().and_then(|a| a.code.as_deref());
            (spec, code) = self.with_sent_code(cluster, &spec, changed)?;
        }
        Ok(KeyedJob {
            key,
            spec,
            replicas: row.replicas,
            after: job.after.iter().map(|(key, condition)| self.awaited(key, *condition)).collect(),
            run_limit: job.run_limit,
            code,
        })
    }

    /// An attempt that another one waits for, as the cluster knows it.
    fn awaited(&self, key: &JobKey, condition: DependencyCondition) -> Awaited {
        let row = self.s.run.job(key.job);
        let attempt = row.and_then(|row| row.attempts.iter().find(|a| a.number == key.attempt));
        Awaited {
            key: key.clone(),
            condition,
            remote_id: attempt.and_then(|a| a.remote_id.clone()),
            label: row.map_or_else(|| "?".into(), |row| row.spec.label()),
        }
    }

    /// On a cluster that code is sent to, a job runs where its code is put there.
    fn with_sent_code(
        &self,
        cluster: &ClusterId,
        spec: &Arc<JobSpec>,
        changed: Option<&str>,
    ) -> Result<(Arc<JobSpec>, Vec<CodeBundle>), String> {
        use crate::runtime::code;
        let site = self.sites.get(cluster).ok_or("no such cluster")?;
        let facts = site.facts.clone().unwrap_or_default();
        let folder = self.s.dir.code();
        let mut bundles: Vec<CodeBundle> = Vec::new();
        let mut gone = None;
        let moved = code::relocated(spec, |top| {
            let changed = changed.filter(|_| spec.src_dir.as_deref() == Some(top));
            let stored = || self.s.code.get(top).map(|entry| entry.hash.as_str());
            // A change gave it another folder: it runs where that is.
            let hash = changed.or_else(stored)?;
            let path = code::place(&folder, top.as_ref(), hash);
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !path.is_dir() {
                gone = Some(top.to_owned());
            }
            let place = site.cluster.code_place(hash, &name, &facts);
            let bundle = CodeBundle { hash: hash.to_owned(), name, path };
            if !bundles.contains(&bundle) {
                bundles.push(bundle);
            }
            place
        });
        match gone {
            Some(top) => {
                Err(format!("the code of {top} as it was sent is gone from {}", folder.display()))
            }
            None => Ok((moved, bundles)),
        }
    }

    /// On this machine a job runs in the copy of its code.
    fn with_code(&self, spec: &JobSpec, changed: Option<&str>) -> Result<JobSpec, String> {
        use crate::runtime::code;
        let folder = self.s.dir.code();
        let copy = |top: &str| {
            let changed = changed.filter(|_| spec.src_dir.as_deref() == Some(top));
            let hash = match changed {
                Some(hash) => hash,
                None => match self.s.code.get(top) {
                    Some(entry) => entry.hash.as_str(),
                    // A change gave it another folder: it runs where it is.
                    None => return Ok(std::path::PathBuf::from(top)),
                },
            };
            let place = code::place(&folder, top.as_ref(), hash);
            if place.is_dir() {
                Ok(place)
            } else {
                Err(format!("the code of {top} as it was sent is gone from {}", folder.display()))
            }
        };
        code::in_copy(spec, copy)
    }
}

//! A job as it is sent: holes filled, code where it was copied to.

use std::sync::Arc;

use super::conduct::Conducting;
use crate::{
    cluster::KeyedJob,
    domain::{
        ids::{ClusterId, JobKey},
        job::JobSpec,
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
        if local && (spec.src_dir.is_some() || !spec.libraries.is_empty()) {
            let changed = row.attempt().and_then(|a| a.code.as_deref());
            spec = Arc::new(self.with_code(&spec, changed)?);
        }
        Ok(KeyedJob {
            key,
            spec,
            replicas: row.replicas,
            after: job.after.clone(),
            run_limit: job.run_limit,
        })
    }

    /// On this machine a job runs in the copy of its code.
    fn with_code(&self, spec: &JobSpec, changed: Option<&str>) -> Result<JobSpec, String> {
        use crate::runtime::code;
        let folder = self.s.dir.code();
        let copy = |top: &str, changed: Option<&str>| {
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
        let mut spec = spec.clone();
        if let Some(top) = spec.src_dir.clone() {
            let place = copy(&top, changed)?;
            let inside = match spec.working_dir.as_deref() {
                None => Some(std::path::Path::new("")),
                Some(dir) => std::path::Path::new(dir).strip_prefix(&*top).ok(),
            };
            if let Some(inside) = inside {
                let dir = if inside.as_os_str().is_empty() { place } else { place.join(inside) };
                spec.working_dir = Some(dir.to_string_lossy().into());
            }
        }
        if !spec.libraries.is_empty() {
            let mut paths = Vec::new();
            for library in &spec.libraries {
                let place = copy(library, None)?;
                // A library is imported by its own name, from the folder above.
                let above = place.parent().unwrap_or(&place);
                paths.push(above.to_string_lossy().into_owned());
            }
            let env = Arc::make_mut(&mut spec.env);
            match env.get("PYTHONPATH").cloned().or_else(|| std::env::var("PYTHONPATH").ok()) {
                Some(own) if !own.is_empty() => paths.push(own),
                _ => {}
            }
            env.insert("PYTHONPATH".to_owned(), paths.join(":"));
        }
        Ok(spec)
    }
}

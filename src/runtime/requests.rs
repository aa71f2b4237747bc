//! What a plan would send: the very bytes, with holes where only a submission
//! can know (the run's id).

use std::{convert::Infallible, path::Path, sync::Arc};

use crate::{
    cluster::{Awaited, Cluster, KeyedJob, Request, SiteFacts},
    domain::{
        finding::Finding,
        ids::{ClusterId, JobIx, JobKey, RunId},
        job::JobSpec,
        plan::Plan,
        site::ClusterKind,
    },
    runtime::{code, engine::Engine},
};

/// The requests of a plan, cluster by cluster, and what a cluster cannot express.
#[derive(Clone, Debug, Default)]
pub struct Rendering {
    pub requests: Vec<Request>,
    pub findings: Vec<Finding>,
}

/// Renders all jobs that would be sent. `facts`: what was learned of a cluster.
pub fn render(plan: &Plan, engine: &Engine, facts: impl Fn(&ClusterId) -> SiteFacts) -> Rendering {
    let run = RunId::hole();
    let copies = engine.dir(&run).code();
    let key = |ix: JobIx| JobKey { run: run.clone(), job: ix, attempt: 1 };
    let mut all = Rendering::default();
    for (id, cluster) in engine.clusters() {
        let can = cluster.capabilities();
        let site = facts(id);
        let mut can = can.clone();
        can.jobs_per_request = site.jobs_per_request.unwrap_or(can.jobs_per_request);
        let keeps_limit = plan.keeps_limit(id, &can);
        let jobs: Vec<KeyedJob> = (0..)
            .map(JobIx)
            .zip(&plan.jobs)
            .filter(|(_, job)| job.cluster.as_ref() == Some(id) && job.action.sends())
            .map(|(ix, job)| KeyedJob {
                key: key(ix),
                spec: with_code(&job.spec, cluster.as_ref(), &site, &copies),
                replicas: job.replicas,
                after: if can.dependencies {
                    let awaited = |(ix, how): &(JobIx, _)| Awaited {
                        key: key(*ix),
                        condition: *how,
                        remote_id: None,
                        label: plan
                            .jobs
                            .get(ix.index())
                            .map_or_else(|| "?".into(), |parent| parent.spec.label()),
                    };
                    job.depends_on.iter().map(awaited).collect()
                } else {
                    Vec::new()
                },
                run_limit: plan.head.max_concurrent.filter(|_| keeps_limit),
                code: Vec::new(),
            })
            .collect();
        if jobs.is_empty() {
            continue;
        }
        let rendered = cluster.render(&jobs, &site);
        all.requests.extend(rendered.requests);
        all.findings.extend(rendered.findings);
    }
    all
}

/// The job in the place where its code will lie, as far as that is known before.
fn with_code(
    spec: &Arc<JobSpec>,
    cluster: &dyn Cluster,
    site: &SiteFacts,
    copies: &Path,
) -> Arc<JobSpec> {
    if spec.src_dir.is_none() && spec.libraries.is_empty() {
        return Arc::clone(spec);
    }
    // The content's hash is known when it is sent.
    if cluster.capabilities().sends_code {
        let place = |top: &str| {
            let name = Path::new(top).file_name().unwrap_or_default();
            cluster.code_place("<code>", &name.to_string_lossy(), site)
        };
        return code::relocated(spec, place);
    }
    if cluster.kind() != ClusterKind::Local {
        return Arc::clone(spec);
    }
    let copy = |top: &str| Ok::<_, Infallible>(code::place(copies, top.as_ref(), "<code>"));
    match code::in_copy(spec, copy) {
        Ok(spec) => Arc::new(spec),
        Err(never) => match never {},
    }
}

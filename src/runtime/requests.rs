//! What a plan would send: the very bytes, with holes where only a submission
//! can know (the run's id).

use std::sync::Arc;

use crate::{
    cluster::{Clusters, KeyedJob, Request, SiteFacts},
    domain::{
        finding::Finding,
        ids::{ClusterId, JobIx, JobKey, RunId},
        plan::Plan,
    },
};

/// The requests of a plan, cluster by cluster, and what a cluster cannot express.
#[derive(Clone, Debug, Default)]
pub struct Rendering {
    pub requests: Vec<Request>,
    pub findings: Vec<Finding>,
}

/// Renders all jobs that would be sent. `facts`: what was learned of a cluster.
pub fn render(
    plan: &Plan,
    clusters: &Clusters,
    facts: impl Fn(&ClusterId) -> SiteFacts,
) -> Rendering {
    let run = RunId::hole();
    let key = |ix: JobIx| JobKey { run: run.clone(), job: ix, attempt: 1 };
    let mut all = Rendering::default();
    for (id, cluster) in clusters {
        let can = cluster.capabilities();
        let jobs: Vec<KeyedJob> = (0..)
            .map(JobIx)
            .zip(&plan.jobs)
            .filter(|(_, job)| job.cluster.as_ref() == Some(id) && job.action.sends())
            .map(|(ix, job)| KeyedJob {
                key: key(ix),
                spec: Arc::clone(&job.spec),
                replicas: job.replicas,
                after: if can.dependencies {
                    job.depends_on.iter().map(|(ix, how)| (key(*ix), *how)).collect()
                } else {
                    Vec::new()
                },
                run_limit: if can.run_limit { plan.head.max_concurrent } else { None },
            })
            .collect();
        if jobs.is_empty() {
            continue;
        }
        let rendered = cluster.render(&jobs, &facts(id));
        all.requests.extend(rendered.requests);
        all.findings.extend(rendered.findings);
    }
    all
}

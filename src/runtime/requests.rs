//! What a plan would send: the very bytes, with holes where only a submission
//! can know (the run's id).

use std::{path::Path, sync::Arc};

use crate::{
    cluster::{Awaited, Clusters, KeyedJob, Request, SiteFacts},
    domain::{
        finding::Finding,
        ids::{ClusterId, JobIx, JobKey, RunId},
        plan::Plan,
    },
    runtime::code,
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
                spec: if can.sends_code {
                    // The content's hash is known when it is sent.
                    let place = |top: &str| {
                        let name = Path::new(top).file_name().unwrap_or_default();
                        cluster.code_place("<code>", &name.to_string_lossy(), &site)
                    };
                    code::relocated(&job.spec, place)
                } else {
                    Arc::clone(&job.spec)
                },
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

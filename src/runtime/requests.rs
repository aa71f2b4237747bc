//! What a plan would send: the very bytes, with holes where only a submission
//! can know (the run's id).

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    convert::Infallible,
    path::Path,
    sync::Arc,
};

use jiff::Timestamp;

use crate::{
    cluster::{Awaited, Cluster, KeyedJob, Request, SiteFacts},
    domain::{
        finding::Finding,
        ids::{ClusterId, JobIx, JobKey, RunId},
        job::{JobSpec, JsonMap},
        plan::Plan,
        plan_json::Estimate,
        site::ClusterKind,
        tree::{FieldPath, Node, Span, Step, Value},
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
    let mut all = Rendering::default();
    for (id, cluster) in engine.clusters() {
        let site = facts(id);
        let jobs = keyed(plan, engine, id, cluster.as_ref(), &site, |_| true);
        if jobs.is_empty() {
            continue;
        }
        let rendered = cluster.render(&jobs, &site);
        all.requests.extend(rendered.requests);
        all.findings.extend(rendered.findings);
    }
    all
}

/// What would be sent, and what clusters said to it.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub requests: Vec<Request>,
    pub estimates: Vec<Estimate>,
    /// What the plan does not tell yet.
    pub findings: Vec<Finding>,
    /// Clusters that did not answer, with why.
    pub troubles: Vec<String>,
}

/// Asks the clusters of a plan what they say to it: facts first, then their own dry run
/// of each request. One that does not answer is not asked again.
pub async fn ask(plan: &Plan, engine: &Engine) -> Asked {
    let clusters = engine.clusters();
    let used: BTreeSet<&ClusterId> = plan.jobs.iter().filter_map(|j| j.cluster.as_ref()).collect();
    let mut asked = Asked::default();
    let mut facts = BTreeMap::new();
    for (id, cluster) in clusters.iter().filter(|(id, _)| used.contains(id)) {
        match cluster.facts().await {
            Ok(known) => drop(facts.insert(id.clone(), known)),
            Err(error) => asked.troubles.push(error.to_string()),
        }
    }
    let known = |id: &ClusterId| facts.get(id).cloned().unwrap_or_else(|| engine.facts(id));
    let Rendering { requests, mut findings } = render(plan, engine, known);
    for id in facts.keys() {
        let Some(cluster) = clusters.get(id) else { continue };
        let of_cluster: Vec<Request> =
            requests.iter().filter(|request| request.cluster == *id).cloned().collect();
        match cluster.check(&of_cluster).await {
            Err(error) => asked.troubles.push(error.to_string()),
            Ok(checks) => {
                for (request, check) in of_cluster.iter().zip(checks) {
                    findings.extend(check.findings);
                    asked.estimates.extend(check.starts_at.map(|at| estimate(request, at)));
                }
            }
        }
    }
    asked.findings = news(&plan.findings, findings);
    asked.requests = requests;
    asked
}

fn estimate(request: &Request, starts_at: Timestamp) -> Estimate {
    let jobs = request.jobs.iter().map(|job| job.spec.name.clone()).collect();
    Estimate { cluster: request.cluster.clone(), jobs, starts_at }
}

/// Entries of a batch that are looked at by [`findings`]; each costs a rendered job.
const MOST_ENTRIES: u32 = 1_000;
/// Entries and options of one entry that are looked at, together.
const MOST_KINDS: usize = 4_000;

/// What the clusters of a plan cannot express, as far as they can tell without being
/// asked: of the first job of each entry, and of each with other options than those
/// before it, with its place in the document.
pub fn findings(plan: &Plan, document: &Node, engine: &Engine) -> Vec<Finding> {
    let mut all = Vec::new();
    for (id, cluster) in engine.clusters() {
        let site = engine.facts(id);
        let mut kinds = Kinds::default();
        let jobs = keyed(plan, engine, id, cluster.as_ref(), &site, |spec| kinds.is_new(spec));
        for mut finding in cluster.render(&jobs, &site).findings {
            finding.span = finding.span.or_else(|| place(document, &finding.path));
            all.push(finding);
        }
    }
    news(&plan.findings, all)
}

/// Jobs told apart by what decides whether a cluster can take them.
#[derive(Default)]
struct Kinds {
    seen: HashSet<(u32, String)>,
    /// Jobs of an entry share their options, mostly.
    last: Option<(u32, Arc<JsonMap>)>,
}

impl Kinds {
    fn is_new(&mut self, spec: &JobSpec) -> bool {
        let is_last = self.last.as_ref().is_some_and(|(entry, options)| {
            *entry == spec.entry && Arc::ptr_eq(options, &spec.options)
        });
        if is_last || spec.entry >= MOST_ENTRIES || self.seen.len() >= MOST_KINDS {
            return false;
        }
        self.last = Some((spec.entry, Arc::clone(&spec.options)));
        let options = serde_json::to_string(&*spec.options).unwrap_or_default();
        self.seen.insert((spec.entry, options))
    }
}

/// Of these findings what is not known yet, each once: the same thing is wrong with all
/// jobs of an entry. A field with a known error is known to be wrong.
pub fn news(known: &[Finding], found: Vec<Finding>) -> Vec<Finding> {
    let name = |finding: &Finding| (finding.path.to_string(), finding.message.clone());
    let wrong: HashSet<String> =
        known.iter().filter(|f| f.is_error()).map(|f| f.path.to_string()).collect();
    let mut known: HashSet<(String, String)> = known.iter().map(name).collect();
    found
        .into_iter()
        .filter(|f| !wrong.contains(&f.path.to_string()) && known.insert(name(f)))
        .collect()
}

/// The span of what a path leads to, or of the last thing on its way that is there.
/// Options that are not keyed by kind are found as well.
fn place(document: &Node, path: &FieldPath) -> Option<Span> {
    let mut at = document;
    let mut found = None;
    for step in &path.0 {
        let next = match (step, &at.value) {
            (Step::Index(n), Value::Seq(items)) => items.get(*n),
            (Step::Key(key), Value::Map(_)) => at.get(key),
            _ => None,
        };
        let Some(next) = next else { continue };
        (at, found) = (next, Some(next.span));
    }
    found
}

/// The jobs of a plan that would be sent to a cluster, of those that `wanted` lets
/// through.
fn keyed(
    plan: &Plan,
    engine: &Engine,
    id: &ClusterId,
    cluster: &dyn Cluster,
    site: &SiteFacts,
    mut wanted: impl FnMut(&JobSpec) -> bool,
) -> Vec<KeyedJob> {
    let run = RunId::hole();
    let copies = engine.dir(&run).code();
    let key = |ix: JobIx| JobKey { run: run.clone(), job: ix, attempt: 1 };
    let mut can = cluster.capabilities().clone();
    can.jobs_per_request = site.jobs_per_request.unwrap_or(can.jobs_per_request);
    let keeps_limit = plan.keeps_limit(id, &can);
    (0..)
        .map(JobIx)
        .zip(&plan.jobs)
        .filter(|(_, job)| job.cluster.as_ref() == Some(id) && job.action.sends())
        .filter(|(_, job)| wanted(&job.spec))
        .map(|(ix, job)| KeyedJob {
            key: key(ix),
            spec: with_code(&job.spec, cluster, site, &copies),
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
        .collect()
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

//! From a document to a [`Plan`]: read, expand, place, check.
//!
//! ```text
//! Node ─Batch::read▶ entries ─Expansion▶ jobs ─Placer▶ placed ─link▶ ─sum▶ Plan
//! ```
//! Nothing stops at a fault: what is wrong becomes a finding, and the job stands in
//! the plan with what could be read of it.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    batch::{
        Batch, EntryDoc,
        expand::{Draft, Expansion, Paths},
        links,
        sink::Sink,
        value,
    },
    identity::{History, Identity},
    ids::ClusterId,
    job::JobType,
    placement,
    placer::Placer,
    plan::{JobAction, OnExisting, Plan, PlannedJob},
    site::{ClusterViews, Limits},
    sweep::MAX_JOBS,
    totals,
    tree::Node,
};

/// Everything a plan depends on beside the document.
#[derive(Clone, Debug, Default)]
pub struct PlanContext {
    pub default_cluster: Option<ClusterId>,
    /// Limits for all clusters; each cluster's own come on top.
    pub limits: Limits,
    pub clusters: ClusterViews,
    /// Jobs of earlier runs, for `reuse` and for the warning about live ones.
    pub history: Arc<History>,
    /// Content hash of each `src_dir`, by its absolute path; empty: it cannot be read.
    pub code: BTreeMap<String, String>,
    /// Stands for `~` in local paths.
    pub home: Option<PathBuf>,
    /// As with `on_existing: reuse`.
    pub reuse: bool,
    /// Send everything, whatever exists.
    pub fresh: bool,
    pub now: Timestamp,
}

/// Plans a document. `name` is what the batch is called when it does not say
/// (the file's stem), `base_dir` is where relative paths start. Always answers:
/// what is wrong is in the plan's findings.
pub fn make(name: &str, base_dir: Option<&Path>, node: &Node, cx: &PlanContext) -> Plan {
    let mut sink = Sink::default();
    let mut batch = Batch::read(node, name, &mut sink);
    if cx.reuse {
        batch.head.on_existing = OnExisting::Reuse;
    }
    let paths = Paths { base: base_dir, home: cx.home.as_deref() };
    let mut placer = Placer::new(cx);
    let mut jobs: Vec<PlannedJob> = Vec::new();
    // First job of each entry, and how many it has.
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for doc in &batch.entries {
        sink.enter(doc.index, doc.label());
        let expansion = Expansion::new(doc, paths, &mut sink);
        let first = jobs.len();
        let count = expansion.count();
        if (first + count) as u64 > MAX_JOBS {
            sink.error(&doc.place, format!("the batch makes more than {MAX_JOBS} jobs"))
                .hint("split it into several batches");
            ranges.push((first, 0));
            continue;
        }
        check_names(doc, &mut sink);
        placer.enter(doc, &expansion);
        expansion.each(paths, &mut sink, |draft, sink| {
            jobs.push(place(draft, doc, &mut placer, paths, sink));
        });
        ranges.push((first, jobs.len() - first));
    }
    sink.leave();
    links::check_unique(&batch.entries, &ranges, &jobs, &mut sink);
    links::resolve(&batch.entries, &ranges, &mut jobs, &mut sink);
    look_back(&batch, &ranges, &mut jobs, cx, &mut sink);
    check_size(&batch, &jobs, cx, &mut sink);
    placement::look_ahead(&mut jobs, &cx.clusters);
    let totals = totals::of(&jobs, batch.head.max_concurrent);
    placer.check_capacity(&batch.place, &jobs, &mut sink);
    let findings = sink.finish();
    let entries = totals::entries(&batch.entries, &ranges, &jobs, &findings);
    Plan { head: batch.head, jobs, findings, totals, entries }
}

fn place(
    draft: Draft,
    doc: &EntryDoc,
    placer: &mut Placer,
    paths: Paths,
    sink: &mut Sink,
) -> PlannedJob {
    let Draft { mut spec, options } = draft;
    if is_named_by_values(doc) {
        check_name(&spec.name, doc, sink);
    }
    check_method(&spec, doc, sink);
    check_code(&spec, placer.context(), doc, sink);
    let placed = placer.place(&spec, &options, doc, sink);
    spec.options = placed.options;
    if placed.stays_here
        && let Some(dir) = &spec.working_dir
    {
        spec.working_dir = Some(value::path(dir, paths.base, paths.home).into());
    }
    PlannedJob {
        cluster: placed.cluster,
        may_go: placed.may_go,
        outlook: None,
        action: JobAction::Submit,
        replicas: placed.replicas,
        total_gpus: spec.gpus.times(u64::from(placed.replicas)),
        depends_on: Arc::default(),
        spec: Arc::new(spec),
    }
}

fn check_names(doc: &EntryDoc, sink: &mut Sink) {
    if doc.field("name").is_none() && doc.name.is_empty() {
        sink.error(&doc.at("name"), "the job has no name").hint("write `name:`");
    } else if !doc.name.is_empty() && !is_named_by_values(doc) {
        check_name(&doc.name, doc, sink);
    }
}

/// Each job of the group has its own name, made of its values.
fn is_named_by_values(doc: &EntryDoc) -> bool {
    doc.is_group() && doc.name.contains('{')
}

fn check_name(name: &str, doc: &EntryDoc, sink: &mut Sink) {
    if let Err(fault) = value::name(name) {
        let told = sink.error_once(&doc.at("name"), || fault.message);
        if let Some(hint) = fault.hint {
            told.hint(hint);
        }
    }
}

fn check_method(spec: &super::job::JobSpec, doc: &EntryDoc, sink: &mut Sink) {
    if spec.job_type != JobType::Method {
        return;
    }
    if spec.method_name.is_none() && doc.field("method_name").is_none() {
        sink.error_once(&doc.at("method_name"), || "a method job needs the method's name".into())
            .hint("write `method_name:`");
    }
    if doc.field("file_hash").is_none() && doc.field("file").is_none() {
        sink.error_once(&doc.at("file_hash"), || "a method job needs a file".into())
            .hint("write `file_hash:`, or `file:` for one that is not registered yet");
    }
}

/// A code folder that was looked for and cannot be read.
fn check_code(spec: &super::job::JobSpec, cx: &PlanContext, doc: &EntryDoc, sink: &mut Sink) {
    let Some(dir) = spec.src_dir.as_deref() else { return };
    if cx.code.get(dir).is_some_and(String::is_empty) {
        sink.error_once(&doc.at("src_dir"), || format!("the folder {dir} cannot be read"))
            .hint("check the path; relative ones start at the batch file's folder");
    }
}

/// What exists already: decides the action of each job under `reuse`, warns of
/// identical live work otherwise.
fn look_back(
    batch: &Batch,
    ranges: &[(usize, usize)],
    jobs: &mut [PlannedJob],
    cx: &PlanContext,
    sink: &mut Sink,
) {
    let reuse = batch.head.on_existing == OnExisting::Reuse;
    if cx.fresh || (!reuse && cx.history.is_empty()) {
        return;
    }
    let mut seen: HashMap<Identity, String> = HashMap::new();
    let mut without_code = false;
    for (doc, (first, count)) in batch.entries.iter().zip(ranges) {
        sink.enter(doc.index, doc.label());
        for job in jobs.iter_mut().skip(*first).take(*count) {
            let code = job.spec.src_dir.as_deref().and_then(|dir| cx.code.get(dir));
            let code = code.filter(|hash| !hash.is_empty());
            without_code |= job.spec.src_dir.is_none() && job.spec.job_type != JobType::Method;
            let identity = Identity::of(&job.spec, code.map(String::as_str));
            let action = cx.history.action(&identity);
            if action.sends()
                && let Some(run) = cx.history.held(&identity)
            {
                sink.warning_once(&doc.at("command"), || {
                    format!(
                        "the same work is held in run {run}; sent there as well it would run twice"
                    )
                })
                .hint(format!(
                    "go on with it by `jobdeck send {run}`, or end it: `jobdeck cancel {run}`"
                ));
            }
            if !reuse {
                if let JobAction::Attach { run, .. } = &action {
                    sink.warning_once(&doc.at("command"), || {
                        format!("the same work is live in run {run}; it would run twice")
                    })
                    .hint("use `on_existing: reuse` to attach to it");
                }
                continue;
            }
            if let Some(other) = seen.insert(identity, job.spec.name.clone()) {
                let name = &job.spec.name;
                sink.warning_once(&doc.place, || {
                    format!("`{name}` is the same work as `{other}` in this batch; both are kept")
                });
            }
            job.action = action;
        }
    }
    sink.leave();
    if reuse && without_code {
        sink.warning(&batch.place, "code is not compared for jobs without `src_dir`")
            .hint("give `src_dir`, or use --fresh when the code has changed");
    }
}

fn check_size(batch: &Batch, jobs: &[PlannedJob], cx: &PlanContext, sink: &mut Sink) {
    let mut check = |limit: Option<u64>, count: usize, of: String| {
        if let Some(most) = limit.filter(|most| count as u64 > *most) {
            sink.error(
                &batch.place,
                format!(
                    "batch size exceeds the maximum: {count} jobs{of}, at most {most} are allowed"
                ),
            )
            .hint("write fewer, or raise `max_batch_size`");
        }
    };
    check(cx.limits.max_batch_size, jobs.len(), String::new());
    for view in cx.clusters.values().filter(|v| v.limits.max_batch_size.is_some()) {
        let count = jobs.iter().filter(|j| j.cluster.as_ref() == Some(&view.id)).count();
        check(view.limits.max_batch_size, count, format!(" for `{}`", view.id));
    }
}

//! Places the jobs of a batch one after the other, and says what is in the way.
//!
//! Life-cycle: one placer a plan; [`Placer::enter`] for each entry, then
//! [`Placer::place`] for each of its jobs. What is the same for all jobs of an
//! entry is worked out once.

use std::sync::Arc;

use super::{
    batch::{
        EntryDoc,
        expand::{Expansion, OptionLayers},
        sink::{Place, Sink},
        value::merge,
    },
    ids::ClusterId,
    job::{Command, JobSpec, JsonMap},
    nearest::nearest,
    placement::{self, Judged, Ledger, Obstacle, ray},
    plan::PlannedJob,
    planner::PlanContext,
    resources::Gpus,
    site::{ClusterKind, ClusterView},
};

/// Fields that placement looks at. Of the command only whether there is one, which
/// no placeholder changes.
const LOOKED_AT: &[&str] = &[
    "cluster",
    "project",
    "image",
    "gpus",
    "workers",
    "framework",
    "workspace_type",
    "gpu_type",
    "nodes",
    "cpus",
    "memory",
    "tags",
    "cluster_tags",
];

/// A job with its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// `None`: decided when it is sent.
    pub cluster: Option<ClusterId>,
    pub replicas: u32,
    /// The clusters it may go to while it is placed on none.
    pub may_go: Arc<[ClusterId]>,
    /// Keyed by kind.
    pub options: Arc<JsonMap>,
    /// Every cluster it may go to works on this machine's files.
    pub stays_here: bool,
}

/// What was worked out for a job and holds for the others of its entry.
#[derive(Debug)]
struct Known<'c> {
    able: Vec<&'c ClusterView>,
    may_go: Arc<[ClusterId]>,
    options: Arc<JsonMap>,
    layers: Arc<OptionLayers>,
}

#[derive(Debug)]
pub struct Placer<'c> {
    cx: &'c PlanContext,
    ledger: Ledger,
    /// All jobs of the entry are alike to placement.
    alike: bool,
    known: Option<Known<'c>>,
    /// Told of a batch once: images are not used there.
    told_of_images: bool,
}

impl<'c> Placer<'c> {
    pub fn new(cx: &'c PlanContext) -> Self {
        Self { cx, ledger: Ledger::default(), alike: false, known: None, told_of_images: false }
    }

    pub fn context(&self) -> &'c PlanContext {
        self.cx
    }

    /// Begins with an entry.
    pub fn enter(&mut self, _doc: &EntryDoc, expansion: &Expansion) {
        self.alike = expansion.is_same_for_all(LOOKED_AT);
        self.known = None;
    }

    /// Places one job.
    pub fn place(
        &mut self,
        spec: &JobSpec,
        layers: &Arc<OptionLayers>,
        doc: &EntryDoc,
        sink: &mut Sink,
    ) -> Placed {
        let known = if let Some(mut known) = self.known.take().filter(|_| self.alike) {
            if known.layers != *layers {
                known.options = options(layers, &known.able, doc, sink);
                known.layers = Arc::clone(layers);
            }
            known
        } else {
            let able = self.able(spec, doc, sink);
            let options = options(layers, &able, doc, sink);
            check_ray(spec, &able, &options, doc, sink);
            let may_go = able.iter().map(|view| view.id.clone()).collect();
            Known { able, may_go, options, layers: Arc::clone(layers) }
        };
        let chosen = self.ledger.place(spec, &known.able);
        let adds_master = match chosen {
            Some(view) => view.capabilities.adds_master,
            None => !known.able.is_empty() && known.able.iter().all(|v| v.capabilities.adds_master),
        };
        let placed = Placed {
            cluster: chosen.map(|view| view.id.clone()),
            may_go: if chosen.is_some() { Arc::default() } else { Arc::clone(&known.may_go) },
            replicas: placement::replicas(spec, adds_master),
            options: Arc::clone(&known.options),
            stays_here: !known.able.iter().any(|v| v.remote),
        };
        self.known = Some(known);
        placed
    }

    /// The clusters that can hold it, as far as is known; tells of what is in the way.
    fn able(&mut self, spec: &JobSpec, doc: &EntryDoc, sink: &mut Sink) -> Vec<&'c ClusterView> {
        for obstacle in placement::beyond_limits(spec, &self.cx.limits, None) {
            tell(&obstacle, doc, sink);
        }
        let soft_tags = if doc.ray { spec.tags.as_slice() } else { &[] };
        let cx = self.cx;
        let found =
            match placement::candidates(spec, soft_tags, cx.default_cluster.as_ref(), &cx.clusters)
            {
                Ok(found) => found,
                Err(obstacles) => {
                    for obstacle in &obstacles {
                        tell(obstacle, doc, sink);
                    }
                    return Vec::new();
                }
            };
        let Judged { mut able, refusals, doubt } = placement::judge(spec, &found);
        for obstacle in &refusals {
            tell(obstacle, doc, sink);
        }
        if let Some(doubt) = doubt {
            sink.warning_once(&doc.at(doubt.key), || doubt.message);
        }
        // So that the plan shows where a faulty job would have gone.
        if able.is_empty() && found.len() == 1 {
            able.clone_from(&found);
        }
        self.check_image(spec, &able, doc, sink);
        if let Some(view) = able.iter().find(|v| v.capabilities.needs_command)
            && placement::relies_on_image(spec)
        {
            let id = &view.id;
            sink.warning_once(&doc.at("command"), || {
                format!("there is no command, and `{id}` does not run the image's own")
            })
            .hint("write `command:`; without one the job fails at once");
        }
        check_ignored(spec, &able, doc, sink);
        able
    }

    fn check_image(
        &mut self,
        spec: &JobSpec,
        able: &[&ClusterView],
        doc: &EntryDoc,
        sink: &mut Sink,
    ) {
        let Some(image) = spec.image.as_deref() else { return };
        if able.iter().any(|v| v.capabilities.uses_image) {
            let last = image.rsplit('/').next().unwrap_or(image);
            if !last.contains(':') && !image.contains('@') {
                sink.warning_once(&doc.at("image"), || {
                    format!("the image `{image}` has no tag; the cluster will pull `latest`")
                })
                .hint(format!("write `{image}:latest` or, better, a version"));
            }
        } else if let Some(view) = able.first().filter(|_| !self.told_of_images) {
            self.told_of_images = true;
            let message = format!("`{}` runs plain processes: images are not used there", view.id);
            sink.warning(&doc.at("image"), message)
                .hint("install what the jobs need on that machine");
        }
    }

    /// The batch against what its clusters have in all and have free.
    pub fn check_capacity(&self, place: &Place, jobs: &[PlannedJob], sink: &mut Sink) {
        for view in self.cx.clusters.values() {
            let Some((_, has)) = &view.capacity else { continue };
            let asked: Gpus = jobs
                .iter()
                .filter(|j| j.cluster.as_ref() == Some(&view.id) && j.action.sends())
                .map(|j| j.total_gpus)
                .sum();
            let id = &view.id;
            if let Some(total) = has.gpus_total.filter(|total| asked > *total && !total.is_zero()) {
                sink.warning(
                    place,
                    format!(
                        "the batch asks for {}, and `{id}` has {total} in all",
                        asked.in_words()
                    ),
                )
                .hint("its jobs will take turns");
            } else if let Some(free) =
                has.gpus_free.filter(|free| asked > *free && has.gpus_total != Some(Gpus::ZERO))
            {
                sink.warning(
                    place,
                    format!(
                        "the batch asks for {}, and `{id}` has {free} free now",
                        asked.in_words()
                    ),
                )
                .hint("the rest waits for its turn");
            }
        }
    }
}

fn tell(obstacle: &Obstacle, doc: &EntryDoc, sink: &mut Sink) {
    if obstacle.missing && doc.field(obstacle.key).is_some() {
        // It has a value, which is a finding of its own.
        return;
    }
    let told = sink.error_once(&doc.at(obstacle.key), || obstacle.message.clone());
    if let Some(hint) = &obstacle.hint {
        told.hint(hint);
    }
}

/// Wishes that the local executor cannot honour.
fn check_ignored(spec: &JobSpec, able: &[&ClusterView], doc: &EntryDoc, sink: &mut Sink) {
    let [view] = able else { return };
    if view.kind != ClusterKind::Local {
        return;
    }
    let wishes = [
        ("gpu_type", spec.gpu_type.is_some()),
        ("nodes", spec.nodes.is_some_and(|n| n > 1)),
        ("priority", spec.priority.is_some()),
    ];
    for (key, _) in wishes.into_iter().filter(|(_, wished)| *wished) {
        sink.warning_once(&doc.at(key), || {
            format!("`{}` is one machine: `{key}` is not used", view.id)
        })
        .hint("remove it, or choose another cluster");
    }
}

/// What Ray does not use, and scripts that it would not find.
fn check_ray(
    spec: &JobSpec,
    able: &[&ClusterView],
    options: &JsonMap,
    doc: &EntryDoc,
    sink: &mut Sink,
) {
    if able.is_empty() || able.iter().any(|v| v.kind != ClusterKind::Ray) {
        return;
    }
    let (ignored, hints): (Vec<String>, Vec<&str>) =
        ray::ignored(spec).into_iter().map(|(key, hint)| (format!("`{key}`"), hint)).unzip();
    if !ignored.is_empty() {
        // Of the job, wherever the fields stand: those of the defaults are used elsewhere.
        sink.warning_once(&doc.place, || format!("not used on Ray: {}", ignored.join(", ")))
            .hint(hints.join("; "));
    }
    let own = options.get("ray").and_then(|ray| ray.get("runtime_env")?.get("working_dir"));
    let has_folder = spec.src_dir.is_some()
        || spec.working_dir.is_some()
        || own.is_some()
        || able.iter().all(|view| view.has_folder);
    let Some(Command::Shell(command)) = spec.launch().filter(|_| !has_folder) else { return };
    if let Some(script) = ray::relative_script(&command) {
        sink.error_once(&doc.at("command"), || {
            format!("`{script}` is a relative path, and no folder is sent along to find it in")
        })
        .hint("write `src_dir:` to send its folder, or an absolute path of the cluster");
    }
}

/// Options keyed by kind; unkeyed ones belong to the one kind it can go to.
fn options(
    layers: &OptionLayers,
    able: &[&ClusterView],
    doc: &EntryDoc,
    sink: &mut Sink,
) -> Arc<JsonMap> {
    if layers.0.is_empty() {
        return Arc::default();
    }
    let words = ClusterKind::ALL.map(ClusterKind::word);
    let mut kinds: Vec<&str> = able.iter().map(|v| v.kind.word()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut all = JsonMap::new();
    let mut by_kind = true;
    for layer in &layers.0 {
        let mut unkeyed = JsonMap::new();
        let mut keyed = JsonMap::new();
        for (key, value) in layer {
            let is_kind = words.contains(&key.as_str()) && (value.is_object() || value.is_null());
            // Only a slip of a letter: options have names of their own.
            let near = nearest(key, words).filter(|near| {
                value.is_object() && !is_kind && near.len().abs_diff(key.len()) <= 1
            });
            match near {
                Some(near) => {
                    let at = doc.at("options");
                    let at = at.key(key, at.span);
                    sink.error_once(&at, || format!("`{key}` is no kind of cluster"))
                        .hint(format!("did you mean `{near}`?"));
                }
                None if is_kind => {
                    keyed.insert(key.clone(), value.clone());
                }
                None => {
                    unkeyed.insert(key.clone(), value.clone());
                }
            }
        }
        merge(&mut all, keyed);
        if unkeyed.is_empty() {
            continue;
        }
        match kinds.as_slice() {
            [kind] => {
                by_kind = false;
                let layer = [((*kind).to_owned(), unkeyed.into())].into_iter().collect();
                merge(&mut all, layer);
            }
            [] => {}
            several => {
                let (first, kinds) =
                    (several.first().copied().unwrap_or("slurm"), several.join(", "));
                sink.error_once(&doc.at("options"), || {
                    format!("the job may go to several kinds of cluster: {kinds}")
                })
                .hint(format!("key the options by kind: `options: {{{first}: {{…}}}}`"));
            }
        }
    }
    if kinds.contains(&ClusterKind::Local.word()) {
        check_local_options(&all, by_kind, doc, sink);
    }
    Arc::new(all)
}

/// The local executor takes no options; what is written for it has no effect.
fn check_local_options(all: &JsonMap, by_kind: bool, doc: &EntryDoc, sink: &mut Sink) {
    let Some(local) = all.get(ClusterKind::Local.word()).and_then(|v| v.as_object()) else {
        return;
    };
    if local.is_empty() {
        return;
    }
    let keys: Vec<String> = local.keys().map(|key| format!("`{key}`")).collect();
    let word = if keys.len() == 1 { "option" } else { "options" };
    sink.warning_once(&doc.at("options"), || {
        format!("the local executor knows no {word} {}", keys.join(", "))
    })
    .hint(if by_kind {
        "remove what stands under `local`; the local executor takes no options"
    } else {
        "key options by the kind of cluster they are for: `options: {slurm: {…}}`"
    });
}

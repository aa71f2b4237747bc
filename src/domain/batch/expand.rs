//! One entry into its jobs: the values of its sweep put into its fields.
//!
//! ```text
//! EntryDoc ─▶ fields that are the same for all jobs ─▶ base JobSpec ─┐
//!         └▶ fields with placeholders ─▶ NodeTemplate ─per job▶──────┴▶ JobSpec
//! ```
//! What all jobs share is read once and shared, so a group of a hundred thousand
//! costs little more per job than what differs.

use std::sync::Arc;

use super::{
    EntryDoc, FieldDoc,
    read::{self, Folders},
    sink::Sink,
    tell,
    template::{Compiler, NodeTemplate, any_text},
    value,
};
use crate::domain::{
    fields::FieldKind,
    job::{JobSpec, JobType, JsonMap},
    nearest::nearest,
    params::Params,
    placeholder::{Fault, Mode, Scope, Values},
    sweep::{Combinations, Sweep, Value, Written},
    tree::{Node, Span, Value as TreeValue},
};

/// Fields in which `{run}` and `{attempt}` may stand.
pub const WITH_HOLES: &[&str] =
    &["command", "args", "env", "working_dir", "src_dir", "libraries", "file"];

/// What a job says of one kind of cluster, before it is known which that is:
/// layers, the later wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionLayers(pub Vec<JsonMap>);

/// One job as expanded.
#[derive(Debug)]
pub struct Draft {
    pub spec: JobSpec,
    pub options: Arc<OptionLayers>,
}

/// An entry ready to be expanded.
#[derive(Debug)]
pub struct Expansion<'e, 'a> {
    doc: &'e EntryDoc<'a>,
    base: JobSpec,
    sweep: Option<(Sweep, Combinations)>,
    name: Option<NodeTemplate>,
    changing: Vec<(&'e FieldDoc<'a>, NodeTemplate)>,
    options: Options<'e, 'a>,
    /// How often `{run}` and `{attempt}` stand in each job, to be filled in.
    holes: usize,
}

/// The option fields of an entry.
#[derive(Debug)]
enum Options<'e, 'a> {
    Same(Arc<OptionLayers>),
    Changing(Vec<(&'e FieldDoc<'a>, Vec<NodeTemplate>)>),
}

/// Paths are read relative to these.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paths<'p> {
    /// The document's folder.
    pub base: Option<&'p std::path::Path>,
    pub home: Option<&'p std::path::Path>,
}

impl<'e, 'a> Expansion<'e, 'a> {
    /// Reads what is the same for all jobs of an entry.
    pub fn new(doc: &'e EntryDoc<'a>, paths: Paths, sink: &mut Sink) -> Self {
        let folders = Folders { base: paths.base, home: paths.home };
        let mut base = JobSpec::named(&doc.name);
        base.entry = u32::try_from(doc.index).unwrap_or(u32::MAX);
        base.job_type = doc.job_type;
        base.base_dir = paths.base.map(|p| p.display().to_string().into());
        let sweep = read_sweep(doc, sink);
        if doc.is_group() {
            base.group = Some(doc.name.as_str().into());
        }
        let params: Option<Vec<Arc<str>>> = match (&sweep, doc.field("sweep")) {
            (Some((sweep, _)), _) => Some(sweep.names.clone()),
            (None, Some(field)) => Some(parameter_names(&field.node)),
            (None, None) => None,
        };
        let mut it = Self {
            doc,
            base,
            sweep,
            name: None,
            changing: Vec::new(),
            options: Options::Same(Arc::default()),
            holes: 0,
        };
        let mut used = vec![false; params.as_ref().map_or(0, Vec::len)];
        let mut options: Vec<(&FieldDoc, Vec<NodeTemplate>)> = Vec::new();
        for field in &doc.fields {
            let key = field.spec.key;
            if !field.spec.placeholders {
                continue;
            }
            let scope = Scope {
                params: params.as_deref().unwrap_or_default(),
                strict: params.is_some(),
                name: key != "name" && (params.is_some() || WITH_HOLES.contains(&key)),
                holes: WITH_HOLES.contains(&key),
            };
            let mut compiler = Compiler { scope, used: &mut used, holes: 0, faults: Vec::new() };
            let mode = if matches!(field.spec.kind, FieldKind::Command) {
                Mode::Shell
            } else {
                Mode::Plain
            };
            let template = compiler.node(&field.node, mode);
            let under = field.under.as_ref().map(|node| compiler.node(node, mode));
            it.holes += compiler.holes;
            let faults = compiler.faults;
            if !faults.is_empty() {
                tell_faults(field, &faults, params.as_deref().unwrap_or_default(), sink);
                continue;
            }
            match key {
                "name" => {
                    if let Err(fault) = value::text(&field.node) {
                        tell(sink, &field.place(), fault);
                    }
                    it.name = Some(template);
                }
                "options" | "runtime_env" => {
                    options.push((field, under.into_iter().chain([template]).collect()));
                }
                _ => match template.constant() {
                    Some(node) => read::apply(field, &node, &mut it.base, folders, sink),
                    None => it.changing.push((field, template)),
                },
            }
        }
        it.base.holes = it.holes > 0;
        it.settle_options(options, sink);
        it.warn_of_unused(&used, sink);
        apply_type_defaults(&mut it.base, doc, sink);
        it
    }

    /// How many jobs it makes.
    pub fn count(&self) -> usize {
        self.sweep.as_ref().map_or(1, |(_, combinations)| combinations.count)
    }

    /// No field named here differs between its jobs.
    pub fn is_same_for_all(&self, keys: &[&str]) -> bool {
        !self.changing.iter().any(|(field, _)| keys.contains(&field.spec.key))
    }

    /// Makes its jobs, one after the other.
    pub fn each(&self, paths: Paths, sink: &mut Sink, mut take: impl FnMut(Draft, &mut Sink)) {
        let folders = Folders { base: paths.base, home: paths.home };
        let Some((sweep, combinations)) = &self.sweep else {
            let mut spec = self.base.clone();
            if self.doc.is_group() {
                // Its sweep is faulty: one job stands for all, texts as written.
                for (field, _) in &self.changing {
                    if matches!(field.spec.kind, FieldKind::Text | FieldKind::Command) {
                        read::apply(field, &field.node, &mut spec, folders, sink);
                    }
                }
                take(Draft { spec, options: Arc::default() }, sink);
                return;
            }
            let name = spec.name.clone();
            let options =
                self.fill(&mut spec, Values { params: &[], name: &name }, None, folders, sink);
            self.tell_marks_from_text(&spec, sink);
            take(Draft { spec, options }, sink);
            return;
        };
        let own_name = self.name.as_ref().filter(|t| t.constant().is_none());
        for n in 0..combinations.count {
            let row = combinations.get(n);
            let picked: Vec<Option<&Value>> =
                row.iter().enumerate().map(|(p, index)| sweep.value(p, *index)).collect();
            let texts: Vec<Option<&str>> = picked.iter().map(|v| v.map(|v| &*v.text)).collect();
            let mut spec = self.base.clone();
            spec.name =
                match own_name.map(|t| t.render(Values { params: &texts, name: "" }, &picked)) {
                    Some(Ok(node)) => node.as_scalar().map(|s| s.text.clone()).unwrap_or_default(),
                    Some(Err(fault)) => {
                        if let Some(field) = self.doc.field("name") {
                            tell_faults(field, &[fault], &sweep.names, sink);
                        }
                        format!("{}-{}", self.doc.name, n + 1)
                    }
                    None => format!("{}-{}", self.doc.name, n + 1),
                };
            spec.params = Params::new(
                sweep
                    .names
                    .iter()
                    .zip(&picked)
                    .filter_map(|(name, value)| {
                        Some((Arc::clone(name), Arc::clone(&(*value)?.text)))
                    })
                    .collect(),
            );
            let name = spec.name.clone();
            let values = Values { params: &texts, name: &name };
            let options = self.fill(&mut spec, values, Some(&picked), folders, sink);
            self.tell_marks_from_text(&spec, sink);
            take(Draft { spec, options }, sink);
        }
    }

    /// What is filled in when the job is sent is found by its text, so that text must
    /// not stand anywhere else in the job.
    fn tell_marks_from_text(&self, spec: &JobSpec, sink: &mut Sink) {
        if self.holes == 0 || spec.marks() <= self.holes {
            return;
        }
        let escaped = |text: &str| text.contains("{{run}}") || text.contains("{{attempt}}");
        let literal = |field: &&FieldDoc| {
            WITH_HOLES.contains(&field.spec.key) && any_text(&field.node.value, &escaped)
        };
        let field = self.doc.fields.iter().find(literal).or_else(|| self.doc.field("command"));
        if let Some(field) = field {
            tell_faults(field, &[Fault::Ambiguous], &[], sink);
        }
    }

    /// Puts the values of a job into its changing fields.
    fn fill(
        &self,
        spec: &mut JobSpec,
        values: Values,
        picked: Option<&[Option<&Value>]>,
        folders: Folders,
        sink: &mut Sink,
    ) -> Arc<OptionLayers> {
        let picked = picked.unwrap_or_default();
        let names = self.sweep.as_ref().map_or(&[][..], |(s, _)| s.names.as_slice());
        for (field, template) in &self.changing {
            match template.render(values, picked) {
                Ok(node) => read::apply(field, &node, spec, folders, sink),
                Err(fault) => tell_faults(field, &[fault], names, sink),
            }
        }
        match &self.options {
            Options::Same(layers) => Arc::clone(layers),
            Options::Changing(fields) => {
                let mut layers = Vec::new();
                for (field, templates) in fields {
                    for template in templates {
                        match template.render(values, picked) {
                            Ok(node) => layers.extend(option_layer(field, &node, sink)),
                            Err(fault) => tell_faults(field, &[fault], names, sink),
                        }
                    }
                }
                Arc::new(OptionLayers(layers))
            }
        }
    }

    fn settle_options(
        &mut self,
        fields: Vec<(&'e FieldDoc<'a>, Vec<NodeTemplate>)>,
        sink: &mut Sink,
    ) {
        // Defaults lie under what the entry says itself.
        let mut fields = fields;
        fields.sort_by_key(|(field, _)| !field.is_default());
        let constants: Option<Vec<_>> = fields
            .iter()
            .map(|(field, templates)| {
                let nodes: Option<Vec<_>> = templates.iter().map(NodeTemplate::constant).collect();
                nodes.map(|nodes| (*field, nodes))
            })
            .collect();
        self.options = match constants {
            None => Options::Changing(fields),
            Some(fields) => {
                let mut layers = Vec::new();
                for (field, nodes) in fields {
                    for node in nodes {
                        layers.extend(option_layer(field, &node, sink));
                    }
                }
                Options::Same(Arc::new(OptionLayers(layers)))
            }
        };
    }

    fn warn_of_unused(&self, used: &[bool], sink: &mut Sink) {
        let (Some((sweep, _)), Some(field)) = (&self.sweep, self.doc.field("sweep")) else {
            return;
        };
        for (name, _) in sweep.names.iter().zip(used).filter(|(_, used)| !**used) {
            let TreeValue::Map(entries) = &field.node.value else { continue };
            let span =
                entries.iter().find(|e| *e.key == **name).map_or(Span::default(), |e| e.key_span);
            let variable = crate::domain::send::param_variable(name);
            sink.warning(&field.place().key(name, span), format!("`{{{name}}}` is used nowhere"))
                .hint(format!("use it in a field, or read {variable}"));
        }
    }
}

/// One field with options, as a layer; unkeyed `runtime_env` is Ray's.
fn option_layer(field: &FieldDoc, node: &Node, sink: &mut Sink) -> Option<JsonMap> {
    match value::object(node) {
        Ok(map) if field.spec.key == "runtime_env" => {
            let inner: JsonMap = [("runtime_env".to_owned(), map.into())].into_iter().collect();
            Some([("ray".to_owned(), inner.into())].into_iter().collect())
        }
        Ok(map) => Some(map),
        Err(_) if node.is_null() => None,
        Err(fault) => {
            tell(sink, &field.place(), fault);
            None
        }
    }
}

fn read_sweep(doc: &EntryDoc, sink: &mut Sink) -> Option<(Sweep, Combinations)> {
    let Some(field) = doc.field("sweep") else {
        for key in ["sweep_mode", "exclude", "include"] {
            if let Some(field) = doc.field(key) {
                sink.error(&field.place(), format!("`{key}` means nothing without a sweep"))
                    .hint("add `sweep: {parameter: [values]}`, or remove it");
            }
        }
        return None;
    };
    let mode = doc.field("sweep_mode");
    if let Some(field) = mode
        && let Err(fault) = value::choice(&field.node, "sweep mode", &["grid", "zip"])
    {
        tell(sink, &field.place(), fault);
    }
    let places = ["sweep", "exclude", "include"].map(|key| doc.at(key));
    let [sweep, exclude, include] = &places;
    let written = Written {
        sweep: (&field.node, sweep),
        mode: mode.map(|f| &*f.node),
        exclude: doc.field("exclude").map(|f| (&*f.node, exclude)),
        include: doc.field("include").map(|f| (&*f.node, include)),
    };
    let sweep = Sweep::read(written, sink)?;
    let combinations = sweep.expand();
    for place in &combinations.idle {
        sink.error(place, "this excludes nothing").hint("check the values, or remove it");
    }
    if combinations.count == 0 {
        sink.error(&doc.at("exclude"), "nothing is left of the sweep").hint("exclude less");
    }
    let repeated = sweep.repeated(&combinations);
    if let Some(first) = repeated.first() {
        let message = format!("job {first} of the sweep repeats an earlier combination");
        sink.warning(&doc.at("include"), message).hint("remove one of them");
    }
    Some((sweep, combinations))
}

/// Names of a sweep that cannot be read, so that its placeholders are not all unknown.
fn parameter_names(node: &Node) -> Vec<Arc<str>> {
    match &node.value {
        TreeValue::Map(entries) => entries.iter().map(|e| e.key.as_str().into()).collect(),
        _ => Vec::new(),
    }
}

/// Values that a type of job has when the document does not say; fields that mean
/// nothing for it.
fn apply_type_defaults(spec: &mut JobSpec, doc: &EntryDoc, sink: &mut Sink) {
    match spec.job_type {
        JobType::Distributed => {
            if doc.field("workers").is_none() {
                sink.warning(&doc.at("workers"), "no number of workers; one is assumed")
                    .hint("write `workers: 2`, or `type: training` for a single process");
                spec.workers = Some(1);
            }
            if doc.field("framework").is_none() {
                spec.framework = Some("pytorch".into());
            }
        }
        JobType::Workspace if doc.field("workspace_type").is_none() => {
            spec.workspace_type = Some("jupyter".into());
        }
        _ => {}
    }
    for field in &doc.fields {
        if !field.spec.applies_to(spec.job_type) && !field.is_default() {
            let types: Vec<_> = field.spec.types.iter().map(|t| t.word()).collect();
            let key = field.spec.key;
            let told = sink.warning(
                &field.place(),
                format!("`{key}` means nothing for a job of type {}", spec.job_type.word()),
            );
            match types.as_slice() {
                [one] => told.hint(format!("write `type: {one}`, or remove it")),
                _ => told.hint("remove it"),
            }
        }
    }
}

fn tell_faults(field: &FieldDoc, faults: &[Fault], names: &[Arc<str>], sink: &mut Sink) {
    let place = field.place();
    let always = ["name", "run", "attempt"];
    for fault in faults {
        match fault {
            Fault::Unknown(name) => {
                let words = names.iter().map(|n| &**n).chain(always);
                sink.error(&place, format!("the placeholder `{{{name}}}` has no value"))
                    .did_you_mean_or(
                        nearest(name, words),
                        &format!(
                            "sweep over `{name}`, or write `{{{{{name}}}}}` for the text itself"
                        ),
                    );
            }
            Fault::NotHere(name) => sink
                .error(&place, format!("`{{{name}}}` has no value in `{}`", field.spec.key))
                .hint("it stands in command, args, env and paths"),
            Fault::Unquotable(what, where_) => sink
                .error_once(&place, || format!("`{what}` would stand inside {where_}"))
                .hint("values cannot be kept literal there; `{x!raw}` inserts them as they are"),
            Fault::NoValue(ix) => {
                let name = names.get(*ix).map_or("?", |n| &**n);
                sink.error_once(&place, || {
                    format!(
                        "the placeholder `{{{name}}}` has no value in a combination of `include`"
                    )
                })
                .hint(format!("give `{name}` a value there"));
            }
            Fault::Ambiguous => sink
                .error_once(&place, || "a literal `{run}` beside one that is filled in".into())
                .hint("write one of them another way"),
        }
    }
}

//! Fields of an entry into the fields of a [`JobSpec`].

use std::{path::Path, sync::Arc};

use indexmap::IndexMap;

use super::{
    FieldDoc,
    sink::{Place, Sink},
    tell,
    value::{self, Fault},
};
use crate::domain::{
    fields::FieldKind,
    ids::ClusterId,
    job::{Candidate, ClusterChoice, Command, Dependency, DependencyCondition, JobSpec},
    nearest::nearest,
    tree::{Node, Value},
};

/// Where paths start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Folders<'a> {
    pub base: Option<&'a Path>,
    pub home: Option<&'a Path>,
}

/// Reads the value of one field into the job. `node` is the field's own, or what
/// it is with the values of a sweep put in.
pub(super) fn apply(
    field: &FieldDoc,
    node: &Node,
    spec: &mut JobSpec,
    folders: Folders,
    sink: &mut Sink,
) {
    if node.is_null() {
        return;
    }
    if let Err(fault) = set(field, node, spec, folders, sink) {
        tell(sink, &field.place(), fault);
    }
}

fn set(
    field: &FieldDoc,
    node: &Node,
    spec: &mut JobSpec,
    folders: Folders,
    sink: &mut Sink,
) -> Result<(), Fault> {
    let shared = |node: &Node| value::text(node).map(|t| Some(Arc::<str>::from(t)));
    let local = |node: &Node| {
        let path = |text| Arc::<str>::from(value::path(text, folders.base, folders.home));
        value::text(node).map(|text| Some(path(text)))
    };
    let key = field.spec.key;
    match (key, field.spec.kind) {
        ("project", _) => spec.project = shared(node)?,
        ("image", _) => spec.image = shared(node)?,
        ("gpu_type", _) => spec.gpu_type = shared(node)?,
        ("priority", _) => spec.priority = shared(node)?,
        ("file_hash", _) => spec.file_hash = shared(node)?,
        ("method_name", _) => spec.method_name = shared(node)?,
        ("submission_id", _) => spec.submission_id = Some(value::text(node)?.to_owned()),
        ("src_dir", _) => spec.src_dir = local(node)?,
        ("file", _) => spec.file = local(node)?,
        // Made absolute when it is known whether the job stays on this machine.
        ("working_dir", _) => spec.working_dir = shared(node)?,
        ("command", _) => spec.command = Some(command(node)?),
        ("args", _) => spec.args = arguments(node)?,
        ("gpus", _) => spec.gpus = value::gpus(node)?,
        ("memory", _) => spec.memory = Some(value::amount(node, "an amount of memory")?),
        ("time_limit", _) => spec.time_limit = Some(value::amount(node, "a time limit")?),
        ("cpus", FieldKind::Number { max }) => spec.cpus = Some(value::number(node, max)?),
        ("exclusive", _) => spec.exclusive = value::flag(node)?,
        ("workers", FieldKind::Whole { min, max }) => {
            spec.workers = Some(value::whole(node, min, max)? as u32);
        }
        ("nodes", FieldKind::Whole { min, max }) => {
            spec.nodes = Some(value::whole(node, min, max)? as u32);
        }
        ("max_retries", FieldKind::Whole { min, max }) => {
            spec.max_retries = value::whole(node, min, max)? as u32;
        }
        ("framework", FieldKind::Choice(words)) => {
            let is_short = node.as_scalar().is_some_and(|s| s.text.eq_ignore_ascii_case("tf"));
            let word =
                if is_short { "tensorflow" } else { value::choice(node, "framework", words)? };
            spec.framework = Some(word.into());
        }
        ("workspace_type", FieldKind::Choice(words)) => {
            spec.workspace_type = Some(value::choice(node, "workspace type", words)?.into());
        }
        ("tags", _) => spec.tags = list(field, node, sink)?,
        ("cluster_tags", _) => spec.cluster_tags = list(field, node, sink)?,
        ("libraries", _) => {
            let paths = list(field, node, sink)?;
            spec.libraries =
                paths.iter().map(|p| value::path(p, folders.base, folders.home)).collect();
        }
        ("env", _) => {
            let mut env = map(field, node, true, sink)?;
            for value in env.values_mut() {
                *value = value::variable(std::mem::take(value), folders.base, folders.home);
            }
            spec.env = Arc::new(env);
        }
        ("metadata", _) => spec.metadata = Arc::new(map(field, node, false, sink)?),
        ("parameters", _) => spec.parameters = Some(Arc::new(value::object(node)?)),
        ("cluster", _) => spec.cluster = cluster(field, node)?,
        // The rest is read elsewhere: type, name, sweep, dependencies, options.
        _ => {}
    }
    Ok(())
}

fn command(node: &Node) -> Result<Command, Fault> {
    arguments(node)?.ok_or_else(|| {
        Fault::new("the command is empty").hint("write what is to be run, or remove the field")
    })
}

/// Text for a shell or a list of arguments; `None` when there is nothing in it.
fn arguments(node: &Node) -> Result<Option<Command>, Fault> {
    match &node.value {
        Value::Scalar(_) => {
            let text = value::free_text(node)?.trim_end();
            Ok((!text.trim().is_empty()).then(|| Command::Shell(text.to_owned())))
        }
        Value::Seq(items) => {
            let mut argv = Vec::with_capacity(items.len());
            for item in items {
                argv.push(value::free_text(item)?.to_owned());
            }
            Ok((!argv.is_empty() && argv.first() != Some(&String::new()))
                .then_some(Command::Argv(argv)))
        }
        Value::Map(_) => Err(value::free_text(node).err().unwrap_or_else(|| Fault::new("a map"))),
    }
}

/// A list of text; one text stands for a list of one.
fn list(field: &FieldDoc, node: &Node, sink: &mut Sink) -> Result<Vec<String>, Fault> {
    let Value::Seq(items) = &node.value else {
        return Ok(vec![value::text(node)?.to_owned()]);
    };
    let mut texts = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        match value::text(item) {
            Ok(text) => texts.push(text.to_owned()),
            Err(fault) => tell(sink, &field.place().index(i, item.span), fault),
        }
    }
    Ok(texts)
}

/// Text to text.
fn map(
    field: &FieldDoc,
    node: &Node,
    is_env: bool,
    sink: &mut Sink,
) -> Result<IndexMap<String, String>, Fault> {
    let Value::Map(entries) = &node.value else {
        let fault = value::not_one_map(node);
        return Err(if is_env { fault.hint("write `env: {NAME: value}`") } else { fault });
    };
    let mut found = IndexMap::with_capacity(entries.len());
    for entry in entries {
        let at = field.place().key(&entry.key, entry.key_span);
        if is_env && !is_variable(&entry.key) {
            sink.error_once(&at, || format!("`{}` cannot be the name of a variable", entry.key))
                .hint("use letters, digits and `_`, not beginning with a digit");
            continue;
        }
        // Parameters may be given by hand: that is how a run is exported.
        let is_ours = entry.key.starts_with("JOBDECK_") && !entry.key.starts_with("JOBDECK_PARAM_");
        if is_env && is_ours {
            sink.warning_once(&at, || format!("`{}` is set by jobdeck itself", entry.key))
                .hint("give the variable another name");
        }
        if found.contains_key(&entry.key) {
            sink.error_once(&at, || format!("the key `{}` stands here twice", entry.key))
                .hint("remove one of them");
            continue;
        }
        if entry.value.is_null() {
            continue;
        }
        match value::free_text(&entry.value) {
            Ok(text) => {
                found.insert(entry.key.clone(), text.to_owned());
            }
            Err(fault) => {
                tell(sink, &field.place().key(&entry.key, entry.value.span), fault);
            }
        }
    }
    Ok(found)
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn cluster(field: &FieldDoc, node: &Node) -> Result<ClusterChoice, Fault> {
    let one = |node: &Node| {
        let text = value::text(node)?;
        Ok(if text == "auto" { Candidate::Auto } else { Candidate::Named(ClusterId::new(text)) })
    };
    let mut listed = match &node.value {
        Value::Seq(items) => items.iter().map(one).collect::<Result<Vec<_>, Fault>>()?,
        _ => vec![one(node)?],
    };
    if listed.is_empty() {
        return Err(Fault::new("the list of clusters is empty")
            .hint("name a cluster, write `auto`, or remove the field"));
    }
    if field.is_preference() && !listed.contains(&Candidate::Auto) {
        listed.push(Candidate::Auto);
    }
    Ok(ClusterChoice::Listed(listed))
}

/// What an entry waits for, each with its place.
pub(super) fn dependencies(field: &FieldDoc, sink: &mut Sink) -> Vec<(Dependency, Place)> {
    const HINT: &str = "write names, `[prepare]`, or how they must end, `[{prepare: ended}]`";
    let place = field.place();
    let items: Vec<(&Node, Place)> = match &field.node.value {
        Value::Seq(items) => {
            items.iter().enumerate().map(|(i, n)| (n, place.index(i, n.span))).collect()
        }
        _ => vec![(&*field.node, place)],
    };
    let mut found: Vec<(Dependency, Place)> = Vec::new();
    let mut add = |target: &str, condition, at: Place, sink: &mut Sink| {
        let target = target.trim().to_owned();
        if found.iter().any(|(d, _)| d.target == target) {
            sink.warning(&at, format!("`{target}` stands here twice")).hint("remove one of them");
        } else {
            found.push((Dependency { target, condition }, at));
        }
    };
    for (node, at) in items {
        match &node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let words = &["succeeded", "ended"];
                    match value::choice(&entry.value, "condition", words) {
                        Ok(word) => {
                            let condition = match word {
                                "ended" => DependencyCondition::Ended,
                                _ => DependencyCondition::Succeeded,
                            };
                            let at = at.key(&entry.key, entry.key_span);
                            add(&entry.key, condition, at, sink);
                        }
                        Err(fault) => tell(sink, &at.key(&entry.key, entry.value.span), fault),
                    }
                }
            }
            _ => match value::text(node) {
                Ok(text) => add(text, DependencyCondition::Succeeded, at, sink),
                Err(fault) => tell(sink, &at, fault.hint(HINT)),
            },
        }
    }
    found
}

/// «Did you mean» for the name of a job or group.
pub(super) fn near_name<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Bounded, because a batch may have a hundred thousand of them.
    nearest(name, names.take(10_000))
}

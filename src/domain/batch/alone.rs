//! The jobs of a document without the document around them.
//!
//! ```text
//! defaults ┐
//! entry  ──┴─ taken over as the reader does it ─▶ an entry that says all of it itself
//! ```

use super::{
    Defaults, EntryDoc, FieldDoc, is_one_job, read_defaults,
    sink::{Place, Sink},
};
use crate::domain::{
    fields::{self, JOB},
    site::ClusterKind,
    tree::{Entry, Node, Scalar, Span, Value},
};

/// The jobs of a document as entries that mean the same where its `defaults` are not:
/// what an entry takes over is written into it. `name` is for a document that is one
/// job and has none; empty: it stays without. What is no map stays as it is; a
/// document that is no batch has no jobs.
pub fn jobs(node: &Node, name: &str) -> Vec<Node> {
    match &node.value {
        Value::Seq(items) => items.clone(),
        Value::Map(entries) => match node.get("jobs").map(|jobs| &jobs.value) {
            Some(Value::Seq(items)) => {
                let unheard = &mut Sink::default();
                let defaults = node
                    .get("defaults")
                    .map(|defaults| read_defaults(defaults, &Place::default(), unheard));
                let defaults = defaults.unwrap_or_default();
                items.iter().map(|item| alone(item, &defaults)).collect()
            }
            None if is_one_job(entries) => vec![one_job(node.span, entries, name)],
            _ => Vec::new(),
        },
        Value::Scalar(_) => Vec::new(),
    }
}

/// A document that is one job, without fields of the head.
fn one_job(span: Span, entries: &[Entry], name: &str) -> Node {
    let own = |e: &&Entry| e.key == "name" || fields::head_field(&e.key).is_none();
    let mut entries: Vec<Entry> = entries.iter().filter(own).cloned().collect();
    let is_name = |e: &Entry| fields::job_field(&e.key).is_some_and(|f| f.key == "name");
    if !name.is_empty() && !entries.iter().any(is_name) {
        let scalar = Scalar { text: name.to_owned(), plain: false };
        entries.insert(0, entry("name", Node { span, value: Value::Scalar(scalar) }));
    }
    Node { span, value: Value::Map(entries) }
}

/// An entry with what it takes over from the defaults.
fn alone(item: &Node, defaults: &Defaults<'_>) -> Node {
    let Value::Map(own) = &item.value else { return item.clone() };
    // Read as for a plan, so that what is taken over is the same.
    let doc = EntryDoc::read(0, item, own.iter(), defaults, &mut Sink::default());
    let mut entries = own.clone();
    for field in &doc.fields {
        let key = field.spec.key;
        if field.is_default() {
            insert(&mut entries, entry(key, taken_over(field)));
        } else if let Some(own) = entries.iter_mut().find(|e| e.key == key)
            && let Some(below) = below(field, defaults)
        {
            own.value = if key == "options" {
                merged(&without_repeated(below, &own.value), &own.value)
            } else {
                laid_over(below, &own.value)
            };
        }
    }
    Node { span: item.span, value: Value::Map(entries) }
}

fn entry(key: &str, value: Node) -> Entry {
    Entry { key: key.to_owned(), key_span: Span::default(), value }
}

/// The defaults that a map of the entry's own lies over.
fn below<'d>(field: &FieldDoc<'_>, defaults: &'d Defaults<'_>) -> Option<&'d Node> {
    let merges = matches!(field.spec.key, "env" | "metadata" | "options");
    let default = defaults.get(field.spec.key).filter(|_| merges)?;
    Some(&*default.node)
}

/// A default as a field of the job itself: under its own key, and Ray's preference,
/// which only its word tells, spelt out.
fn taken_over(field: &FieldDoc<'_>) -> Node {
    let node = field.node.clone().into_owned();
    if !field.is_preference() {
        return node;
    }
    let span = node.span;
    let mut clusters = match node.value {
        Value::Seq(items) => items,
        value => vec![Node { span, value }],
    };
    let is_auto = |n: &Node| n.as_scalar().is_some_and(|s| s.text == "auto");
    if !clusters.iter().any(is_auto) {
        let auto = Scalar { text: "auto".into(), plain: false };
        clusters.push(Node { span, value: Value::Scalar(auto) });
    }
    Node { span, value: Value::Seq(clusters) }
}

/// Puts an entry where its key usually stands.
fn insert(entries: &mut Vec<Entry>, entry: Entry) {
    let rank = |key: &str| JOB.iter().position(|f| f.key == key || f.aliases.contains(&key));
    let own = rank(&entry.key);
    let at = entries.iter().rposition(|e| rank(&e.key).is_some_and(|r| Some(r) < own));
    entries.insert(at.map_or(0, |at| at + 1), entry);
}

/// `over` on `base` by key. What `over` removes by `null` it goes on to remove.
fn laid_over(base: &Node, over: &Node) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&base.value, &over.value) else {
        return over.clone();
    };
    let mut entries = below.clone();
    entries.retain(|e| !above.iter().any(|o| o.key == e.key));
    entries.extend(above.iter().cloned());
    Node { span: over.span, value: Value::Map(entries) }
}

/// `over` on `base` at every level, as options are laid over each other
/// ([`super::value::merge`]).
fn merged(base: &Node, over: &Node) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&base.value, &over.value) else {
        return over.clone();
    };
    let mut entries = below.clone();
    for over in above {
        match entries.iter_mut().find(|e| e.key == over.key) {
            _ if over.value.is_null() => entries.retain(|e| e.key != over.key),
            Some(base) => base.value = merged(&base.value, &over.value),
            None => entries.push(over.clone()),
        }
    }
    Node { span: over.span, value: Value::Map(entries) }
}

/// Default options without those that stand unkeyed there and, keyed by a kind of
/// cluster, in `over`: in one map the unkeyed ones would win.
fn without_repeated(options: &Node, over: &Node) -> Node {
    let (Value::Map(below), Value::Map(above)) = (&options.value, &over.value) else {
        return options.clone();
    };
    let is_kind = |word: &str| ClusterKind::ALL.iter().any(|kind| kind.word() == word);
    let keyed = || above.iter().filter(|e| is_kind(&e.key));
    let mut entries = below.clone();
    entries.retain(|e| !keyed().any(|kind| kind.value.get(&e.key).is_some()));
    Node { span: options.span, value: Value::Map(entries) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        domain::{
            ids::ClusterId,
            plan::Plan,
            planner::{self, PlanContext},
            site::ClusterView,
        },
        yaml,
    };

    /// Two clusters: a job may go to one of them, or to either.
    fn plan(node: &Node) -> Plan {
        let view = |(name, kind): (&str, ClusterKind)| {
            let id = ClusterId::new(name);
            (id.clone(), ClusterView::new(id, kind))
        };
        let clusters = [("lab", ClusterKind::Slurm), ("ray", ClusterKind::Ray)];
        let cx = PlanContext {
            default_cluster: Some(ClusterId::new("lab")),
            clusters: clusters.into_iter().map(view).collect(),
            ..PlanContext::default()
        };
        planner::make("batch", None, node, &cx)
    }

    /// The document with its jobs by themselves instead of its jobs and defaults.
    fn taken_apart(node: &Node) -> Node {
        let jobs = Node { span: node.span, value: Value::Seq(jobs(node, "batch")) };
        Node { span: node.span, value: Value::Map(vec![entry("jobs", jobs)]) }
    }

    #[track_caller]
    fn means_the_same(text: &str) {
        let node = yaml::parse(text.as_bytes()).unwrap();
        let [before, after] = [plan(&node), plan(&taken_apart(&node))];
        assert_eq!(before.jobs, after.jobs, "{text}\n{}", yaml::emit(&taken_apart(&node)));
        let told = |plan: &Plan| {
            let mut told: Vec<_> = plan.findings.iter().map(|f| f.message.clone()).collect();
            told.sort();
            told.dedup();
            told
        };
        assert_eq!(told(&before), told(&after), "{text}");
    }

    #[test]
    fn jobs_mean_the_same_without_their_document() {
        for text in [
            "[{name: a, command: x}]",
            "{name: one, command: x, max_concurrent: 2}",
            "{command: x, gpus: 1}",
            "defaults: {gpus: 2, type: distributed, workers: 3}\njobs: [{name: a, command: x}, {name: b, type: training, command: y}]",
            "defaults: {env: {A: 1, B: 2}}\njobs: [{name: a, command: x, env: {B: 3, A: null}}, {name: b, env: null, command: y}]",
            "defaults: {preferred_cluster: ray, tags: [big]}\njobs: [{name: a, command: x}]",
            "defaults: {resource_requirements: {CPU: 4, GPU: 1}}\njobs: [{name: a, gpus: 2, command: x}]",
            "defaults: {gpus: 1}\njobs: [{name: a, entrypoint: x, resource_requirements: {GPU: 2}}]",
            "defaults: {options: {partition: gpu, extra: [a]}}\njobs: [{name: a, command: x, options: {slurm: {partition: big, qos: q}}}]",
            "defaults: {options: {slurm: {partition: gpu}}}\njobs: [{name: a, command: x, options: {slurm: {partition: null}, ray: {x: 1}}, cluster: [lab, ray]}]",
            "defaults: {env: {LR: '{lr}'}}\njobs: [{name: a, command: x, sweep: {lr: [1, 2]}, depends_on: [b]}, {name: b, command: y}]",
            "defaults: {comand: x, name: y}\njobs: [{name: a, command: x}, text]",
        ] {
            if text.contains("comand") {
                // Faults of defaults stay with them; the jobs do not change.
                let node = yaml::parse(text.as_bytes()).unwrap();
                assert_eq!(plan(&node).jobs, plan(&taken_apart(&node)).jobs);
            } else {
                means_the_same(text);
            }
        }
        for text in ["", "text", "{x: 1}", "jobs: {a: 1}"] {
            assert_eq!(jobs(&yaml::parse(text.as_bytes()).unwrap(), "x"), [], "{text}");
        }
    }

    /// A few fields with values that are good for any type of job.
    fn some_fields() -> impl Strategy<Value = String> {
        let words = [
            "gpus: 2",
            "type: distributed",
            "workers: 4",
            "env: {A: x, B: '{n}'}",
            "env: {B: null, C: y}",
            "metadata: {owner: ada}",
            "options: {partition: big}",
            "options: {slurm: {qos: high}}",
            "time_limit: 2h",
            "tags: [one]",
            "project: null",
            "project: vision",
            "cluster: ray",
            "cpus: 3",
        ];
        proptest::sample::subsequence(words.to_vec(), 0..words.len()).prop_map(|picked| {
            let key = |pair: &str| pair.split(':').next().unwrap_or_default().to_owned();
            let mut pairs: Vec<&str> = Vec::new();
            for pair in picked {
                if !pairs.iter().any(|p| key(p) == key(pair)) {
                    pairs.push(pair);
                }
            }
            pairs.join(", ")
        })
    }

    proptest! {
        #[test]
        fn whatever_is_taken_over_stays(
            defaults in some_fields(),
            a in some_fields(),
            b in some_fields(),
        ) {
            means_the_same(&format!(
                "defaults: {{{defaults}}}\njobs:\n- {{name: a, command: 'x {{n}}', sweep: {{n: [1, 2]}}, {a}}}\n- {{name: b, command: y, depends_on: [a], {b}}}\n"
            ));
        }
    }
}

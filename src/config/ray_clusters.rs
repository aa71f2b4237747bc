//! `clusters.yaml` of the Ray multi-cluster scheduler, read as it is: a map of
//! clusters, or a list of them with `name`.

use serde_json::{Value as Json, json};

use super::{
    fields::{self, Shape},
    layer::{ClusterDraft, Draft, Fields, Reader, Set, bad_name},
    read,
};
use crate::domain::{
    site::ClusterKind,
    tree::{Entry, Node, Value},
};

/// Keys of that form, and the shape each has.
const KEYS: &[(&str, Shape)] = &[
    ("name", Shape::Text),
    ("head_address", Shape::Text),
    ("dashboard", Shape::Text),
    ("runtime_env", Shape::Map),
    ("prefer", Shape::Bool),
    ("weight", Shape::Number),
    ("tags", Shape::TextList),
];

/// The dashboard's usual port; `head_address` bears the port for Ray clients.
const DASHBOARD_PORT: u16 = 8265;

/// Folds the document in, each cluster as `kind: ray`.
pub(super) fn read(draft: &mut Draft, reader: &mut Reader<'_>, document: &Node) {
    let Some(clusters) = document.get("clusters") else {
        let hint = "the form is `clusters: {NAME: {head_address: HOST:PORT, …}}`".to_owned();
        reader.error(document.span.start, "no `clusters` in it".into(), Some(hint));
        return;
    };
    match &clusters.value {
        Value::Seq(items) => {
            for item in items {
                let name = item.get("name").and_then(Node::as_scalar).map(|s| s.text.clone());
                match name {
                    Some(name) => cluster(draft, reader, &name, item),
                    None => reader.error(item.span.start, "a cluster has no `name`".into(), None),
                }
            }
        }
        _ => {
            for Entry { key, value, .. } in reader.entries("clusters", clusters) {
                cluster(draft, reader, key, value);
            }
        }
    }
}

fn cluster(draft: &mut Draft, reader: &mut Reader<'_>, name: &str, node: &Node) {
    let path = format!("clusters.{name}");
    if let Some(why) = bad_name(name) {
        reader.error(node.span.start, format!("cluster name `{name}` {why}"), None);
    }
    let mut found = Fields::new();
    for entry in reader.entries(&path, node) {
        let own = KEYS.iter().find(|(key, _)| *key == entry.key).copied();
        // Our own fields may stand there too: limits of interval, token, enabled …
        let ours = fields::of_cluster(ClusterKind::Ray)
            .find(|f| f.name == entry.key && f.shape != Shape::Kind)
            .map(|f| (f.name, f.shape));
        let Some((key, shape)) = own.or(ours) else {
            if entry.key != "kind" {
                reader.unknown(&path, entry, KEYS.iter().map(|(key, _)| *key));
            }
            continue;
        };
        if key == "name" || entry.value.is_null() {
            continue;
        }
        match read::value(shape, &entry.value) {
            Ok(value) => {
                let origin = reader.origin(entry.value.span.start);
                found.insert(key.to_owned(), Set { value, origin });
            }
            Err(misfit) => {
                let message = format!("{path}.{key}: {}", misfit.message);
                reader.error(entry.value.span.start, message, misfit.hint);
            }
        }
    }
    if let Some(env) = found.get_mut("runtime_env") {
        list_to_map(&mut env.value);
    }
    if let Some(set) = address(&found) {
        found.shift_remove("dashboard");
        found.entry("address".to_owned()).or_insert(set);
    } else {
        let hint = "add `head_address: HOST:PORT`".to_owned();
        reader.error(node.span.start, format!("{path} has no address"), Some(hint));
    }
    let into = draft.clusters.entry(name.to_owned()).or_insert_with(|| ClusterDraft {
        kind: ClusterKind::Ray,
        fields: Fields::new(),
        limits: Fields::new(),
    });
    if into.kind != ClusterKind::Ray {
        into.kind = ClusterKind::Ray;
        into.fields.clear();
    }
    into.fields.extend(found);
}

/// The dashboard's address: as given, else on the head's host.
pub(super) fn address(found: &Fields) -> Option<Set> {
    if let Some(set) = found.get("address") {
        return Some(set.clone());
    }
    let (set, is_dashboard) = match (found.get("dashboard"), found.get("head_address")) {
        (Some(set), _) => (set, true),
        (None, Some(set)) => (set, false),
        (None, None) => return None,
    };
    let text = set.value.as_str().unwrap_or_default().trim_end_matches('/');
    let url = if text.starts_with("http://") || text.starts_with("https://") {
        text.to_owned()
    } else if is_dashboard {
        format!("http://{text}")
    } else {
        let text = text.strip_prefix("ray://").unwrap_or(text);
        let host = match text.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => text,
        };
        format!("http://{host}:{DASHBOARD_PORT}")
    };
    Some(Set { value: Json::String(url), origin: set.origin.clone() })
}

/// `env_vars: ["K=V"]` is what that form shows; Ray itself wants a map.
fn list_to_map(runtime_env: &mut Json) {
    if let Some(vars) = runtime_env.get_mut("env_vars")
        && let Some(list) = vars.as_array()
    {
        let pairs = list.iter().filter_map(|item| item.as_str()?.split_once('='));
        *vars =
            pairs.map(|(k, v)| (k.to_owned(), json!(v))).collect::<serde_json::Map<_, _>>().into();
    }
}

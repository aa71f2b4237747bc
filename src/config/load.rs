//! Files and variables in, one [`Config`] out, or all that is wrong with them.
//!
//! ```text
//! /etc ─▶ bounds ──────────────────────────────┐
//!   └▶ user ─▶ --config ─▶ --clusters ─▶ JOBDECK_* ─▶ bounded ─▶ Config
//! ```

use std::{
    ffi::OsString,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::{
    ClusterEntry, Config, KindSettings, LocalGpus, LocalSettings, RaySettings, SlurmSettings,
    UiSettings,
    fields::{self, Shape},
    layer::{ClusterDraft, Draft, Fields, Origin, Problems, Reader, Set},
    ray_clusters,
    read::{self, Misfit},
};
use crate::{
    domain::{
        ids::ClusterId,
        nearest::nearest,
        resources::Gpus,
        site::{ClusterKind, Limits},
        tree::{Node, Scalar, Span, Value},
    },
    error::{Kind, Report},
    secrets, yaml,
};

/// No configuration is larger; what is larger is some other file.
const LARGEST: u64 = 4 << 20;

/// Where the layers come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The site's folder; its `config.yaml` also bounds the layers above.
    pub etc_dir: Option<PathBuf>,
    /// The user's `config.yaml`.
    pub user: Option<PathBuf>,
    /// `--config FILE`: must exist.
    pub explicit: Option<PathBuf>,
    /// `--clusters FILE`: must exist.
    pub clusters: Option<PathBuf>,
    /// The environment; only `JOBDECK_*` is looked at.
    pub variables: Vec<(String, String)>,
}

impl Sources {
    /// The usual places, seen from this process's environment. Empty variables
    /// count as unset; `$XDG_CONFIG_HOME` counts only when it is absolute.
    pub fn from_environment() -> Self {
        let dir = |name| super::paths::absolute(std::env::var_os(name));
        let config_home =
            dir("XDG_CONFIG_HOME").or_else(|| dir("HOME").map(|home| home.join(".config")));
        let file = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        Self {
            etc_dir: Some(file("JOBDECK_ETC_DIR").unwrap_or_else(|| "/etc/jobdeck".into())),
            user: config_home.map(|home| home.join("jobdeck").join("config.yaml")),
            explicit: file("JOBDECK_CONFIG"),
            clusters: file("JOBDECK_CLUSTERS"),
            variables: std::env::vars_os().filter_map(text_pair).collect(),
        }
    }

    /// The site's folder of templates, and the user's.
    pub fn templates(&self) -> [Option<PathBuf>; 2] {
        const FOLDER: &str = "templates";
        let user = self.user.as_ref().and_then(|config| config.parent());
        [self.etc_dir.as_ref().map(|etc| etc.join(FOLDER)), user.map(|folder| folder.join(FOLDER))]
    }
}

fn text_pair((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// Everything that is wrong with the configuration; never empty.
#[derive(Clone, Debug)]
pub struct ConfigErrors(pub Vec<Report>);

/// Reads all layers.
///
/// # Errors
/// All that is wrong in all layers, each with its place.
pub fn load(sources: &Sources) -> Result<Config, ConfigErrors> {
    let mut problems = Problems::default();
    let mut draft = Draft::default();
    let mut read = Vec::new();

    let etc = sources.etc_dir.as_ref().map(|dir| dir.join("config.yaml"));
    if let Some(path) = &etc {
        layer(&mut draft, path, false, &mut read, &mut problems);
    }
    let bounds = draft.clone();
    if let Some(path) = &sources.user {
        layer(&mut draft, path, false, &mut read, &mut problems);
    }
    if let Some(path) = &sources.explicit {
        layer(&mut draft, path, true, &mut read, &mut problems);
    }
    if let Some(path) = &sources.clusters
        && let Some(node) = document(path, true, &mut read, &mut problems)
    {
        let file = path.display().to_string();
        ray_clusters::read(&mut draft, &mut Reader { file: &file, problems: &mut problems }, &node);
    }
    variables(&mut draft, &sources.variables, &mut problems);

    bound(&mut draft, &bounds, &mut problems.warnings);
    let config = finish(&draft, read, &mut problems);
    if problems.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(problems.errors)) }
}

fn layer(
    draft: &mut Draft,
    path: &Path,
    wanted: bool,
    read: &mut Vec<PathBuf>,
    problems: &mut Problems,
) {
    if let Some(node) = document(path, wanted, read, problems) {
        let file = path.display().to_string();
        draft.read(&mut Reader { file: &file, problems }, &node);
    }
}

/// The document of one file. A file that is not there is only wrong when it was
/// asked for by name.
fn document(
    path: &Path,
    wanted: bool,
    read: &mut Vec<PathBuf>,
    problems: &mut Problems,
) -> Option<Node> {
    let file = path.display().to_string();
    let bytes = match bytes(path) {
        Ok(bytes) => bytes,
        Err(e) => {
            let absent = matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
            if wanted || !absent {
                let message = format!("cannot read the configuration {file}: {e}");
                problems.errors.push(Report::new(Kind::Config, message));
            }
            return None;
        }
    };
    read.push(path.to_path_buf());
    match yaml::parse(&bytes) {
        Ok(node) => Some(node),
        Err(e) => {
            let at = e.pos.unwrap_or_default();
            Reader { file: &file, problems }.error(at, e.message, e.hint);
            None
        }
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let other = |why: &str| io::Error::other(why.to_owned());
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        // A pipe without a writer would block for ever.
        return Err(other(if metadata.is_dir() { "it is a folder" } else { "it is not a file" }));
    }
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(other("it is larger than 4 MiB"));
    }
    Ok(bytes)
}

/// What a variable that is no setting may have meant, to be put behind the warning:
/// the settings of a section, or the one whose name is near without the prefix that
/// all share. What jobs are started with is nobody's to set.
fn meant<'a>(name: &str, settings: impl Iterator<Item = &'a str>) -> String {
    const PREFIX: &str = "JOBDECK_";
    let settings: Vec<&str> = settings
        .chain(fields::OTHER_SETTINGS.iter().copied())
        .filter_map(|known| known.strip_prefix(PREFIX))
        .collect();
    let Some(rest) = name.strip_prefix(PREFIX) else { return String::new() };
    if matches!(rest, "LIMITS" | "UI") {
        let of_section: Vec<String> = settings
            .iter()
            .filter(|known| known.strip_prefix(rest).is_some_and(|key| key.starts_with('_')))
            .map(|known| format!("{PREFIX}{known}"))
            .collect();
        return format!("; its settings are {}", of_section.join(", "));
    }
    nearest(rest, settings)
        .map(|near| format!("; did you mean {PREFIX}{near}?"))
        .unwrap_or_default()
}

/// `JOBDECK_*`: the last of the layers below the flags.
fn variables(draft: &mut Draft, variables: &[(String, String)], problems: &mut Problems) {
    let known: Vec<_> = fields::environment().collect();
    for (name, text) in variables {
        if !name.starts_with("JOBDECK_")
            || name.starts_with("JOBDECK_PARAM_")
            || fields::OTHER_SETTINGS.contains(&name.as_str())
            || fields::OF_JOBS.contains(&name.as_str())
            || text.is_empty()
        {
            continue;
        }
        let origin = Origin::Variable(name.clone());
        let Some((_, section, field)) = known.iter().find(|(known, ..)| known == name) else {
            let meant = meant(name, known.iter().map(|(known, ..)| known.as_str()));
            problems.warnings.push(format!("{name} means nothing to jobdeck{meant}"));
            continue;
        };
        let node = variable_node(field.shape, text);
        match node.and_then(|node| read::value(field.shape, &node)) {
            Ok(value) => {
                let into = match *section {
                    "limits" => &mut draft.limits,
                    "ui" => &mut draft.ui,
                    _ => &mut draft.root,
                };
                into.insert(field.name.to_owned(), Set { value, origin });
            }
            Err(misfit) => {
                let mut report = origin.report(misfit.message);
                report.hints.extend(misfit.hint);
                problems.errors.push(report);
            }
        }
    }
}

/// A variable's text as the file would have it. A list is written as there, in brackets,
/// or its words stand with commas between them.
fn variable_node(shape: Shape, text: &str) -> Result<Node, Misfit> {
    let text = text.trim();
    let scalar = |text: &str| Node {
        span: Span::default(),
        value: Value::Scalar(Scalar { text: text.to_owned(), plain: true }),
    };
    if shape != Shape::TextList {
        return Ok(scalar(text));
    }
    if text.starts_with('[') {
        return yaml::parse(text.as_bytes()).map_err(|error| Misfit {
            message: format!("`{text}` is no list: {error}"),
            hint: Some("write `a,b` or `[\"a\", \"b\"]`".into()),
        });
    }
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    Ok(Node { span: Span::default(), value: Value::Seq(words.map(scalar).collect()) })
}

/// Holds every layer to what the site allows.
fn bound(draft: &mut Draft, bounds: &Draft, warnings: &mut Vec<String>) {
    bound_limits(&mut draft.limits, &bounds.limits, warnings);
    for (name, site) in &bounds.clusters {
        let Some(cluster) = draft.clusters.get_mut(name) else { continue };
        bound_limits(&mut cluster.limits, &site.limits, warnings);
        if let (Some(least), Some(set)) =
            (site.fields.get("min_interval"), cluster.fields.get_mut("min_interval"))
            && set.value.as_u64() < least.value.as_u64()
        {
            warnings.push(format!(
                "{}: min_interval is shorter than {} allows; its own is used",
                set.origin, least.origin
            ));
            *set = least.clone();
        }
    }
}

fn bound_limits(limits: &mut Fields, bounds: &Fields, warnings: &mut Vec<String>) {
    for (name, bound) in bounds {
        let Some(set) = limits.get_mut(name) else { continue };
        let held = match (&set.value, &bound.value) {
            (Json::Number(a), Json::Number(b)) => a.as_f64() > b.as_f64(),
            (Json::Bool(a), Json::Bool(b)) => *b && !*a,
            (Json::Array(own), Json::Array(site)) => {
                let all = |list: &[Json]| list.iter().any(|p| p == "*");
                if all(site) {
                    continue;
                }
                if all(own) {
                    true
                } else {
                    let kept: Vec<Json> =
                        own.iter().filter(|p| site.contains(p)).cloned().collect();
                    if kept.len() < own.len() {
                        warnings.push(format!(
                            "{}: {name} names projects that {} does not allow; they are left out",
                            set.origin, bound.origin
                        ));
                    }
                    set.value = Json::Array(kept);
                    continue;
                }
            }
            _ => false,
        };
        if held {
            warnings.push(format!(
                "{}: {name} is wider than {} allows; its own is used",
                set.origin, bound.origin
            ));
            *set = bound.clone();
        }
    }
}

fn finish(draft: &Draft, sources: Vec<PathBuf>, problems: &mut Problems) -> Config {
    let mut config = Config::built_in();
    if !draft.clusters.is_empty() {
        config.clusters = draft
            .clusters
            .iter()
            .map(|(name, cluster)| (ClusterId::new(name.as_str()), entry(cluster)))
            .collect();
    }
    if let Some(set) = draft.root.get("default_cluster") {
        let name = set.value.as_str().unwrap_or_default();
        let id = ClusterId::new(name);
        let kindless = || draft.kindless.iter().map(String::as_str);
        if config.clusters.contains_key(&id) {
            config.default_cluster = Some(id);
        } else if !kindless().any(|known| known == name) {
            let names: Vec<&str> =
                config.clusters.keys().map(ClusterId::as_str).chain(kindless()).collect();
            let mut report =
                set.origin.report(format!("default_cluster: no cluster is called `{name}`"));
            report = report.hint(match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", names.join(", ")),
            });
            problems.errors.push(report);
        }
    }
    for (name, cluster) in &config.clusters {
        if let KindSettings::Ray(ray) = &cluster.settings
            && ray.address.is_empty()
            && cluster.enabled
        {
            let message = format!("clusters.{name} has no address");
            // A file in the scheduler's form was told so at its place.
            if !problems.errors.iter().any(|error| error.message == message) {
                let hint = "add `address: http://HOST:8265`, Ray's dashboard";
                problems.errors.push(Report::new(Kind::Config, message).hint(hint));
            }
        }
    }
    config.limits = limits(&draft.limits);
    config.ui = ui(&draft.ui);
    config.advice = plain_secrets(&draft.clusters);
    config.sources = sources;
    config.warnings = std::mem::take(&mut problems.warnings);
    config.warnings.extend(machine_twice(&config));
    config
}

/// Each local cluster gives out this machine as if it were alone on it.
fn machine_twice(config: &Config) -> Option<String> {
    let gives = |cluster: &ClusterEntry| match &cluster.settings {
        KindSettings::Local(local) => cluster.enabled && local.gpus != LocalGpus::Count(0),
        _ => false,
    };
    let names: Vec<&str> =
        config.clusters.iter().filter(|(_, c)| gives(c)).map(|(id, _)| id.as_str()).collect();
    (names.len() > 1).then(|| {
        format!(
            "the clusters {} are all this machine, and each gives out its GPUs and cores as if \
             it were alone: keep one of them",
            names.join(", ")
        )
    })
}

fn get<T: serde::de::DeserializeOwned>(fields: &Fields, name: &str) -> Option<T> {
    // The reader has put every value in the form its field has.
    serde_json::from_value(fields.get(name)?.value.clone()).ok()
}

fn limits(fields: &Fields) -> Limits {
    Limits {
        max_batch_size: get(fields, "max_batch_size"),
        max_gpus_per_job: get::<Gpus>(fields, "max_gpus_per_job"),
        allowed_projects: get(fields, "allowed_projects"),
        require_confirmation: get(fields, "require_confirmation"),
        dry_run_default: get(fields, "dry_run_default"),
    }
}

fn ui(fields: &Fields) -> UiSettings {
    let usual = UiSettings::default();
    UiSettings {
        theme: get(fields, "theme"),
        confirm_jobs: get(fields, "confirm_jobs").unwrap_or(usual.confirm_jobs),
        confirm_gpus: get(fields, "confirm_gpus").unwrap_or(usual.confirm_gpus),
        mouse: get(fields, "mouse").unwrap_or(usual.mouse),
    }
}

fn entry(draft: &ClusterDraft) -> ClusterEntry {
    let fields = &draft.fields;
    let settings = match draft.kind {
        ClusterKind::Local => KindSettings::Local(LocalSettings {
            gpus: get::<u32>(fields, "gpus").map_or(LocalGpus::Auto, LocalGpus::Count),
            cpus: get(fields, "cpus"),
            grace_secs: get::<u64>(fields, "grace").map(|ms| ms.div_ceil(1000)),
        }),
        ClusterKind::Slurm => KindSettings::Slurm(Box::new(SlurmSettings {
            ssh: get(fields, "ssh"),
            ssh_options: get(fields, "ssh_options").unwrap_or_default(),
            partition: get(fields, "partition"),
            account: get(fields, "account"),
            qos: get(fields, "qos"),
            constraint: get(fields, "constraint"),
            remote_dir: get(fields, "remote_dir"),
            bash_setup: get(fields, "bash_setup"),
            prefix: get(fields, "prefix"),
            images: get(fields, "images"),
            options: get(fields, "options").unwrap_or_default(),
        })),
        ClusterKind::Ray => KindSettings::Ray(Box::new(RaySettings {
            address: ray_clusters::address(fields)
                .and_then(|set| set.value.as_str().map(str::to_owned))
                .unwrap_or_default(),
            head_address: get(fields, "head_address"),
            runtime_env: get(fields, "runtime_env").unwrap_or_default(),
            prefer: get(fields, "prefer").unwrap_or_default(),
            weight: get(fields, "weight"),
            patience_ms: get(fields, "patience"),
            token: get(fields, "token"),
            path_map: get(fields, "path_map").unwrap_or_default(),
        })),
        _ => {
            let common = |name: &str| fields::CLUSTER.iter().any(|f| f.name == name);
            let own = fields.iter().filter(|(name, _)| !common(name));
            KindSettings::Other(own.map(|(name, set)| (name.clone(), set.value.clone())).collect())
        }
    };
    ClusterEntry {
        kind: draft.kind,
        enabled: get(fields, "enabled").unwrap_or(true),
        limits: limits(&draft.limits),
        tags: get(fields, "tags").unwrap_or_default(),
        min_interval_ms: get(fields, "min_interval"),
        max_inflight: get(fields, "max_inflight"),
        settings,
    }
}

fn plain_secrets(clusters: &IndexMap<String, ClusterDraft>) -> Vec<String> {
    let mut advice = Vec::new();
    for (name, cluster) in clusters {
        for field in fields::of_kind(cluster.kind).iter().filter(|f| f.shape == Shape::Secret) {
            let Some(set) = cluster.fields.get(field.name) else { continue };
            if set.value.as_str().is_some_and(|text| !secrets::is_reference(text)) {
                advice.push(format!(
                    "{}: clusters.{name}.{} is a plain secret; write a reference: env:NAME, \
                     file:PATH or cmd:PROGRAM",
                    set.origin, field.name
                ));
            }
        }
    }
    advice
}

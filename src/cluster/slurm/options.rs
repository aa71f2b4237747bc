//! What only Slurm is asked for: `options: {slurm: {…}}` of a job over the
//! defaults of the cluster's entry. One table says what there is.

use serde_json::Value as Json;

use super::render::Place;
use crate::{
    config::ImageRunner,
    domain::{
        fields::{self, FieldSpec},
        finding::Finding,
        job::{JobSpec, JobType},
        nearest::nearest,
        tree::FieldPath,
    },
};

/// The options of one job, defaults filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    pub partition: Option<String>,
    pub account: Option<String>,
    pub qos: Option<String>,
    pub constraint: Option<String>,
    pub reservation: Option<String>,
    /// Other generic resources than the job's GPUs.
    pub gres: Option<String>,
    /// `gres`, `gpus-per-node` or `gpus`: how the site wants GPUs to be asked for.
    pub gpu_flag: String,
    /// More arguments of `sbatch`, each as it is.
    pub extra: Vec<String>,
}

/// Arguments that are ours: another value would lose the job, or its log.
const OURS: [&str; 11] = [
    "--job-name",
    "-J",
    "--array",
    "-a",
    "--output",
    "-o",
    "--parsable",
    "--wait",
    "-W",
    "--wrap",
    "--test-only",
];

/// The options of a job, and what is wrong with it on this cluster.
pub fn read(place: Place<'_>, spec: &JobSpec) -> (Options, Vec<Finding>) {
    let mut findings = Findings { spec, all: Vec::new() };
    let settings = place.settings;
    let mut options = Options {
        partition: settings.partition.clone(),
        account: settings.account.clone(),
        qos: settings.qos.clone(),
        constraint: settings.constraint.clone(),
        gpu_flag: "gres".to_owned(),
        ..Options::default()
    };
    let own = spec.options.get("slurm").and_then(Json::as_object);
    for (layer, is_own) in [(Some(&settings.options), false), (own, true)] {
        for (name, value) in layer.into_iter().flatten() {
            options.set(name, value, is_own, &mut findings);
        }
    }
    check(place, spec, &options, &mut findings);
    (options, findings.all)
}

struct Findings<'a> {
    spec: &'a JobSpec,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn path(&self, steps: &[&str]) -> FieldPath {
        let job = FieldPath::root().key("jobs").index(self.spec.entry as usize);
        steps.iter().fold(job, |path, step| path.key(step))
    }

    fn push(&mut self, finding: Finding, hint: Option<String>) {
        let finding = match hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        };
        self.all.push(finding.of_job(self.spec.entry as usize, Some(&self.spec.name)));
    }

    fn error(&mut self, steps: &[&str], message: String, hint: Option<String>) {
        self.push(Finding::error(self.path(steps), message), hint);
    }

    fn warning(&mut self, steps: &[&str], message: String, hint: Option<String>) {
        self.push(Finding::warning(self.path(steps), message), hint);
    }
}

impl Options {
    fn set(&mut self, name: &str, value: &Json, is_own: bool, findings: &mut Findings<'_>) {
        let name = name.replace('-', "_");
        let at = ["options", "slurm", name.as_str()];
        if value.is_null() {
            // Takes a default away.
            if let Some(slot) = self.slot(&name) {
                *slot = None;
            }
            return;
        }
        if name == "extra" {
            let list = match value {
                Json::Array(list) => list.iter().map(text).collect::<Option<Vec<_>>>(),
                value => text(value).map(|one| vec![one]),
            };
            match list {
                Some(list) => {
                    for argument in &list {
                        check_extra(argument, findings);
                    }
                    if is_own { self.extra = list } else { self.extra.extend(list) }
                }
                None => findings.error(&at, "`extra` is a list of arguments".into(), None),
            }
            return;
        }
        let Some(text) = text(value) else {
            findings.error(&at, format!("`{name}` is a text, found {value}"), None);
            return;
        };
        if name == "gpu_flag" {
            if ["gres", "gpus-per-node", "gpus"].contains(&text.as_str()) {
                self.gpu_flag = text;
            } else {
                let hint = Some("write gres, gpus-per-node or gpus".to_owned());
                findings.error(&at, format!("`{text}` is no way to ask for GPUs"), hint);
            }
            return;
        }
        if text.trim().is_empty() || text.contains(char::is_control) {
            findings.error(&at, format!("`{name}` is empty or holds control characters"), None);
            return;
        }
        if let Some(slot) = self.slot(&name) {
            *slot = Some(text);
            return;
        }
        let names = fields::SLURM.iter().filter_map(FieldSpec::within_options);
        let hint = match nearest(&name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("pass it on as `extra: [\"--{}={text}\"]`", name.replace('_', "-")),
        };
        findings.error(&at, format!("unknown option `{name}`"), Some(hint));
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name {
            "partition" => &mut self.partition,
            "account" => &mut self.account,
            "qos" => &mut self.qos,
            "constraint" => &mut self.constraint,
            "reservation" => &mut self.reservation,
            "gres" => &mut self.gres,
            _ => return None,
        })
    }
}

/// Text, or a number as it is written.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn check_extra(argument: &str, findings: &mut Findings<'_>) {
    let at = ["options", "slurm", "extra"];
    let name = argument.split('=').next().unwrap_or_default();
    if !argument.starts_with('-') || argument.contains(char::is_control) {
        let hint = Some("write `--name=value`, one list item each".to_owned());
        findings.error(&at, format!("`{argument}` is no argument of sbatch"), hint);
    } else if OURS.contains(&name) {
        findings.error(&at, format!("`{name}` is set by jobdeck"), None);
    }
}

/// What Slurm cannot do, or does not look at.
fn check(place: Place<'_>, spec: &JobSpec, options: &Options, findings: &mut Findings<'_>) {
    if spec.image.is_some() && place.settings.images.is_none() {
        findings.error(
            &["image"],
            format!("how {} runs images is not configured", place.id),
            Some(format!(
                "set `images: apptainer` or `images: pyxis` in clusters.{}, or remove the image",
                place.id
            )),
        );
    }
    if spec.image.is_some()
        && place.settings.images == Some(ImageRunner::Apptainer)
        && place.site.apptainer == Some(false)
    {
        let hint = Some("it may come with a module: load it in `bash_setup`".to_owned());
        findings.warning(&["image"], "apptainer is not on the login node's PATH".into(), hint);
    }
    if spec.priority.is_some() {
        let hint = Some("choose a QOS or partition instead".to_owned());
        findings.warning(&["priority"], "`priority` is not used on Slurm".into(), hint);
    }
    if let (Some(nodes), JobType::Distributed) = (spec.nodes, spec.job_type)
        && spec.workers.is_some_and(|workers| workers < nodes)
    {
        findings.error(&["nodes"], format!("{nodes} nodes are more than its workers"), None);
    }
    let site = place.site;
    let partitions: Vec<&str> = site.partitions.iter().map(|p| p.name.as_str()).collect();
    let accounts: Vec<&str> = site.accounts.iter().map(String::as_str).collect();
    let qos: Vec<&str> = site.qos.iter().map(String::as_str).collect();
    for (field, asked, known) in [
        ("partition", &options.partition, partitions),
        ("account", &options.account, accounts),
        ("qos", &options.qos, qos),
    ] {
        let Some(asked) = asked.as_deref().filter(|_| !known.is_empty()) else { continue };
        let Some(unknown) = asked.split(',').find(|one| !known.contains(one)) else { continue };
        let hint = match nearest(unknown, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", known.join(", ")),
        };
        // What a site told some time ago decides nothing: Slurm itself may know better.
        findings.warning(
            &["options", "slurm", field],
            format!("{} told of no {field} `{unknown}`", place.id),
            Some(hint),
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        cluster::{KeyedJob, Payload, slurm::site::Site},
        config::SlurmSettings,
        domain::ids::{ClusterId, JobIx, JobKey, RunId},
    };

    /// The arguments of `sbatch` for a job with this option.
    fn arguments(option: &str, value: Json) -> String {
        let mut spec = JobSpec::named("a");
        spec.gpus = "1".parse().unwrap();
        let inside: serde_json::Map<String, Json> =
            [(option.to_owned(), value)].into_iter().collect();
        spec.options = Arc::new([("slurm".to_owned(), inside.into())].into_iter().collect());
        let job = KeyedJob {
            key: JobKey { run: RunId::new("r").unwrap(), job: JobIx(0), attempt: 1 },
            spec: Arc::new(spec),
            replicas: 1,
            after: Vec::new(),
            run_limit: None,
            code: Vec::new(),
        };
        let (id, settings, site) =
            (ClusterId::new("lab"), SlurmSettings::default(), Site::default());
        let place = Place { id: &id, settings: &settings, site: &site, origin: "o" };
        let rendered = super::super::render::render(place, &[job]);
        assert_eq!(rendered.findings, [], "{option}");
        match &rendered.requests[0].payload {
            Payload::Command { argv, .. } => argv.join(" "),
            Payload::Http { .. } => panic!("not a command"),
        }
    }

    #[test]
    fn every_field_of_the_form_reaches_the_request() {
        for field in fields::SLURM {
            let key = field.within_options().unwrap();
            let (value, wanted): (Json, String) = match key {
                "extra" => (vec!["--mail-type=END"].into(), "--mail-type=END".to_owned()),
                "gpu_flag" => ("gpus-per-node".into(), "--gpus-per-node=1".to_owned()),
                "gres" => ("shard:2".into(), "--gres=gpu:1,shard:2".to_owned()),
                key => (field.example.into(), format!("--{key}={}", field.example)),
            };
            let told = arguments(key, value);
            assert!(told.split(' ').any(|word| word == wanted), "{key}: {told}");
        }
    }
}

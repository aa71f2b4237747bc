//! `init`: a first configuration from what is found on this machine. Never
//! overwrites one.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::json;

use super::{Answer, args::Global, context, out::Out};
use crate::{
    domain::site::ClusterKind,
    error::{Kind, Report},
    yaml,
};

/// Something on this machine that jobs could run on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    name: &'static str,
    kind: ClusterKind,
    /// The rest of its entry.
    fields: String,
    /// How it was found.
    why: String,
}

/// `init`.
pub fn init(global: &Global, out: &Out) -> Answer {
    let path = match context::sources(global) {
        sources if sources.explicit.is_some() => sources.explicit,
        sources => sources.user,
    };
    let path = path.ok_or_else(|| {
        Report::new(Kind::Config, "no place for a configuration: HOME is not set")
            .hint("say where with --config FILE")
    })?;
    let found = look(&SearchPath::of_process());
    let text = configuration(&found);
    write_new(&path, &text)?;
    if out.json {
        let clusters: Vec<_> = found
            .iter()
            .map(|f| json!({ "name": f.name, "kind": f.kind.word(), "found": f.why }))
            .collect();
        out.document(&json!({ "schema_version": 1, "path": path, "clusters": clusters }))?;
        return Ok(0);
    }
    out.line(format!("wrote {}", path.display()));
    for one in &found {
        out.line(format!("  {} ({}): {}", one.name, one.kind.word(), one.why));
    }
    out.line("next: `jobdeck doctor` checks it, `jobdeck` opens the UI");
    Ok(0)
}

fn write_new(path: &Path, text: &str) -> Result<(), Report> {
    let failed = |e: std::io::Error| {
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            Report::new(
                Kind::Config,
                format!("{} is there already and stays as it is", path.display()),
            )
            .hint("edit it, or write another one with --config FILE")
        } else {
            Report::new(Kind::Config, format!("cannot write {}: {e}", path.display()))
        }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// Where programs and files are looked for.
#[derive(Debug)]
struct SearchPath {
    folders: Vec<PathBuf>,
    kubeconfig: Option<PathBuf>,
    ray_address: Option<String>,
}

impl SearchPath {
    fn of_process() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let kubeconfig = std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()).map(Into::into);
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Self {
            folders: std::env::split_paths(&path).collect(),
            kubeconfig: kubeconfig.or_else(|| home.map(|home| home.join(".kube/config"))),
            ray_address: std::env::var("RAY_ADDRESS").ok().filter(|v| v.starts_with("http")),
        }
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }
}

fn look(path: &SearchPath) -> Vec<Found> {
    let mut found = vec![Found {
        name: "local",
        kind: ClusterKind::Local,
        fields: "gpus: auto".into(),
        why: gpus(path),
    }];
    if let Some(sbatch) = path.program("sbatch") {
        found.push(Found {
            name: "slurm",
            kind: ClusterKind::Slurm,
            fields: String::new(),
            why: format!("{} is here", sbatch.display()),
        });
    }
    if let Some(address) = &path.ray_address {
        found.push(Found {
            name: "ray",
            kind: ClusterKind::Ray,
            fields: format!("address: \"{address}\""),
            why: "RAY_ADDRESS names it".into(),
        });
    } else if let Some(ray) = path.program("ray") {
        found.push(Found {
            name: "ray",
            kind: ClusterKind::Ray,
            fields: "address: \"http://127.0.0.1:8265\"".into(),
            why: format!("{} is here", ray.display()),
        });
    }
    if let Some(context) = path.kubeconfig.as_deref().and_then(current_context) {
        found.push(Found {
            name: "kube",
            kind: ClusterKind::RunaiKube,
            fields: format!("context: {}", json!(context)),
            why: "the current context of the kubeconfig".into(),
        });
    }
    found
}

fn gpus(path: &SearchPath) -> String {
    let Some(program) = path.program("nvidia-smi") else {
        return "this machine, without GPUs (no nvidia-smi)".into();
    };
    let listed = Command::new(program).arg("-L").stdin(Stdio::null()).output();
    let n = listed.map_or(0, |output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| line.starts_with("GPU ")).count()
    });
    format!("this machine, nvidia-smi lists {n} GPUs")
}

fn current_context(kubeconfig: &Path) -> Option<String> {
    let bytes = fs::read(kubeconfig).ok().filter(|bytes| bytes.len() < 1 << 20)?;
    let context = yaml::parse(&bytes).ok()?.get("current-context")?.as_scalar()?.text.clone();
    (!context.is_empty()).then_some(context)
}

/// The file's text. What this build cannot drive yet stands there switched off.
fn configuration(found: &[Found]) -> String {
    let mut text = String::from(
        "\
# jobdeck's configuration; `jobdeck doctor` checks it, `jobdeck schema config`
# describes every field for an editor.

default_cluster: local

# What a batch may ask for. What is not set does not limit.
limits:
  require_confirmation: true
  dry_run_default: true
  # max_gpus_per_job: 8
  # max_batch_size: 100
  # allowed_projects: [\"project-01\"]

clusters:
",
    );
    for one in found {
        let drivable = crate::cluster::DRIVABLE.contains(&one.kind);
        let off = if drivable { "" } else { "enabled: false" };
        let fields = [&format!("kind: {}", one.kind.word()), one.fields.as_str(), off];
        let fields: Vec<&str> = fields.into_iter().filter(|f| !f.is_empty()).collect();
        let note = if drivable { "" } else { "\n  # this build cannot drive it" };
        let entry = format!("  # {}{note}\n  {}: {{{}}}\n", one.why, one.name, fields.join(", "));
        text.push_str(&entry);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    #[test]
    fn what_is_written_loads_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("sbatch"), "").unwrap();
        let kubeconfig = folder.path().join("kube");
        fs::write(&kubeconfig, "current-context: \"odd: one\"\ncontexts: []\n").unwrap();
        let found = look(&SearchPath {
            folders: vec![bin],
            kubeconfig: Some(kubeconfig),
            ray_address: Some("http://127.0.0.1:8265".into()),
        });
        assert_eq!(
            found.iter().map(|f| f.name).collect::<Vec<_>>(),
            ["local", "slurm", "ray", "kube"]
        );

        let path = folder.path().join("deep/config.yaml");
        write_new(&path, &configuration(&found)).unwrap();
        let sources = Sources { explicit: Some(path.clone()), ..Sources::default() };
        let config = config::load(&sources).unwrap();
        assert_eq!(config.clusters.len(), 4);
        assert_eq!(config.warnings, Vec::<String>::new());

        let report = write_new(&path, "other").unwrap_err();
        assert!(report.message.ends_with("is there already and stays as it is"), "{report}");
        assert_ne!(fs::read_to_string(&path).unwrap(), "other");
    }
}

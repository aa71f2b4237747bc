//! Templates on disk: the libraries read. The UI keeps one with `effects/templates`.
//!
//! ```text
//! built in ┐
//! site   ──┼─ read ─▶ Library (what cannot be used is in it, with its fault)
//! user   ──┘
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    config::Sources,
    domain::library::{self, Content, Fault, Library, Template, Tier},
    yaml::{self, SourceError, YamlError},
};

/// The templates that come with the program.
pub const BUILT_IN: [(&str, &str); 5] = [
    ("chain", include_str!("../../configs/templates/chain.yaml")),
    ("distributed", include_str!("../../configs/templates/distributed.yaml")),
    ("notebook", include_str!("../../configs/templates/notebook.yaml")),
    ("sweep", include_str!("../../configs/templates/sweep.yaml")),
    ("train", include_str!("../../configs/templates/train.yaml")),
];

/// A template is larger than this only by mistake.
const LARGEST: usize = 1 << 20;
/// Of one folder, so many of what lies there are looked at, and so many bytes kept.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: usize = 16 << 20;
/// Of files that are templates; the first is what new ones get.
pub const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// The folders of the site's and of the user's library.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    pub site: Option<PathBuf>,
    /// `None`: nothing says where the user's configuration is.
    pub user: Option<PathBuf>,
}

impl Folders {
    /// The usual places, seen from this process's environment.
    pub fn from_environment() -> Self {
        let [site, user] = Sources::from_environment().templates();
        Self { site, user }
    }
}

/// Everything that can be found. A folder that is not there is empty.
pub fn read(folders: &Folders) -> Library {
    let mut found: Vec<Template> = BUILT_IN
        .iter()
        .map(|(name, text)| Template::new(name, Tier::BuiltIn, content(name, text.as_bytes())))
        .collect();
    let mut problems = Vec::new();
    for (tier, folder) in [(Tier::Site, &folders.site), (Tier::User, &folders.user)] {
        if let Some(folder) = folder {
            read_folder(tier, folder, &mut found, &mut problems);
        }
    }
    Library { templates: library::shelve(found), problems }
}

fn read_folder(tier: Tier, folder: &Path, found: &mut Vec<Template>, problems: &mut Vec<String>) {
    let shown = folder.display();
    let (files, more) = match files(folder) {
        Ok(files) => files,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return,
        Err(e) => return problems.push(format!("{shown} cannot be read: {e}")),
    };
    if more {
        problems.push(format!("{shown} holds more than {MOST_FILES} files; not all were read"));
    }
    let mut bytes = 0;
    for path in files {
        let template = read_one(tier, path);
        bytes += template.content.as_ref().map_or(0, |content| content.text.len());
        found.push(template);
        if bytes > MOST_BYTES {
            let most = MOST_BYTES >> 20;
            return problems.push(format!("{shown} holds more than {most} MiB; not all was read"));
        }
    }
}

/// Batch files of a folder by their names, and whether there is more than is looked
/// at. What begins with a dot is hidden, or half written.
fn files(folder: &Path) -> io::Result<(Vec<PathBuf>, bool)> {
    let mut entries = fs::read_dir(folder)?;
    let mut files = Vec::new();
    for entry in entries.by_ref().take(MOST_FILES) {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|e| ENDINGS.iter().any(|own| e == *own)) {
            files.push(path);
        }
    }
    files.sort();
    Ok((files, entries.next().is_some()))
}

fn read_one(tier: Tier, path: PathBuf) -> Template {
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let content = yaml::read_file(&path, LARGEST)
        .map_err(|e: SourceError| Fault::new(e.to_string()))
        .and_then(|source| content(&name, &source.bytes));
    Template { path: Some(path), ..Template::new(&name, tier, content) }
}

fn content(name: &str, bytes: &[u8]) -> Result<Content, Fault> {
    let unreadable = |YamlError { message, hint, pos }| Fault { message, hint, at: pos };
    let node = yaml::parse(bytes).map_err(unreadable)?;
    // It was read, so it is UTF-8.
    library::content(name, &String::from_utf8_lossy(bytes), &node)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::{
        ids::ClusterId,
        planner::PlanContext,
        site::{ClusterKind, ClusterView},
    };

    struct Libraries {
        root: tempfile::TempDir,
        folders: Folders,
    }

    impl Libraries {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let [site, user] = ["site", "user"].map(|tier| Some(root.path().join(tier)));
            Self { root, folders: Folders { site, user } }
        }

        fn write(&self, name: &str, text: impl AsRef<[u8]>) {
            let path = self.root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn read(&self) -> Library {
            read(&self.folders)
        }
    }

    const JOB: &str = "# mine\njobs: [{name: a, command: echo}]\n";

    #[test]
    fn each_shipped_template_is_built_in_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/templates");
        let shipped: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into())
            .collect();
        let built_in: BTreeSet<String> = BUILT_IN.iter().map(|(n, _)| (*n).to_owned()).collect();
        assert_eq!(built_in, shipped);
        let library = read(&Folders::default());
        assert_eq!(library.templates.len(), BUILT_IN.len());
        assert_eq!(library.problems, [""; 0]);
    }

    #[test]
    fn built_in_templates_plan_without_a_finding() {
        for kind in [ClusterKind::Local, ClusterKind::Slurm] {
            let id = ClusterId::new("here");
            let view = ClusterView::new(id.clone(), kind);
            let cx = PlanContext {
                default_cluster: Some(id.clone()),
                clusters: [(id, view)].into_iter().collect(),
                ..PlanContext::default()
            };
            for Template { name, content, .. } in read(&Folders::default()).templates {
                let Content { text, description, jobs } = content.unwrap();
                assert!((20..=60).contains(&description.len()), "{name}: {description}");
                let plan = yaml::plan(text.as_bytes(), &name, None, &cx);
                assert_eq!(plan.findings, [], "{name}");
                assert_eq!(plan.jobs.len(), jobs, "{name}");
            }
        }
    }

    #[test]
    fn the_user_hides_the_site_and_the_site_what_is_built_in() {
        let libraries = Libraries::new();
        libraries.write("site/sweep.yaml", JOB);
        libraries.write("site/ours.yml", JOB);
        libraries.write("user/ours.json", r#"{"jobs": [{"name": "a", "command": "echo"}]}"#);
        libraries.write("user/.hidden.yaml", JOB);
        libraries.write("user/notes.txt", "no template");
        let library = libraries.read();
        let tier = |name: &str| library.get(name).map(|t| (t.tier, t.shadows.clone()));
        assert_eq!(tier("sweep"), Some((Tier::Site, vec![Tier::BuiltIn])));
        assert_eq!(tier("ours"), Some((Tier::User, vec![Tier::Site])));
        assert_eq!(tier("train"), Some((Tier::BuiltIn, vec![])));
        assert_eq!(library.templates.len(), BUILT_IN.len() + 1);
        assert_eq!(library.nearest("sweeep"), Some("sweep"));
        assert_eq!(library.get("sweep").unwrap().content.as_ref().unwrap().description, "mine");
    }

    #[test]
    fn what_cannot_be_used_is_listed_with_its_fault() {
        let libraries = Libraries::new();
        libraries.write("user/brace.yaml", "jobs:\n  - {name: a\n");
        libraries.write("user/bytes.yaml", b"jobs: \xff\n");
        libraries.write("user/other.yaml", "clusters: {}\n");
        libraries.write("user/huge.yaml", vec![b'#'; LARGEST + 1]);
        libraries.write("user/empty.yaml", "");
        libraries.write("user/fine.yaml", "jobs: [{name: a, comand: echo}]");
        fs::create_dir(libraries.root.path().join("user/folder.yaml")).unwrap();
        let fifo = libraries.root.path().join("user/fifo.yaml");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        let library = libraries.read();
        let trouble = |name: &str| library.get(name).unwrap().trouble().unwrap();
        let place = |name: &str| format!("user/{name}.yaml:");
        for (name, word) in [
            ("brace", ":2:"),
            ("bytes", "1:7: the text is not UTF-8"),
            ("other", ":1:1: "),
            ("empty", "the document is empty"),
        ] {
            let trouble = trouble(name);
            assert!(trouble.contains(&place(name)) && trouble.contains(word), "{trouble}");
        }
        for (name, word) in [("huge", "too large"), ("folder", "a directory"), ("fifo", "a FIFO")] {
            assert!(trouble(name).contains(word), "{}", trouble(name));
        }
        assert!(library.get("fine").unwrap().content.is_ok(), "a fault of a job can be mended");
    }

    #[test]
    fn a_folder_that_cannot_be_read_or_has_no_end_is_told() {
        let libraries = Libraries::new();
        libraries.write("site", "no folder");
        let many = libraries.root.path().join("user");
        fs::create_dir(&many).unwrap();
        for n in 0..=MOST_FILES {
            fs::write(many.join(format!("t{n}.yaml")), JOB).unwrap();
        }
        let library = libraries.read();
        let [site, user] = library.problems.as_slice() else { panic!("{:?}", library.problems) };
        assert!(site.contains("site cannot be read"), "{site}");
        assert!(user.contains("more than 1000 files"), "{user}");
        assert_eq!(library.templates.len(), BUILT_IN.len() + MOST_FILES);
    }
}

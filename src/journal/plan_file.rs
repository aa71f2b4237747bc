//! `plan.json`: what was approved, written once before anything else.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{SeqAccess, Visitor},
};
use sha2::{Digest as _, Sha256};

use super::{
    JournalError, RunDir,
    dir::{read_if_there, sync_folder},
    lines::{FORMAT, Header},
};
use crate::domain::{
    ids::{ClusterId, JobIx, RunId},
    job::{DependencyCondition, JobSpec},
    plan::{Approved, BatchHead, JobAction, PlannedJob},
    resources::Gpus,
};

/// A folder of code as it was when the run was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeEntry {
    /// SHA-256 over names, modes and contents, in hexadecimal.
    pub hash: String,
    pub files: u64,
    pub bytes: u64,
}

/// The folders of code a run was approved with, by absolute path of `src_dir` or
/// library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(BTreeMap<String, CodeEntry>);

impl Code {
    pub fn get(&self, folder: &str) -> Option<&CodeEntry> {
        self.0.get(folder)
    }

    /// Hash of the code a job was approved with.
    pub fn of(&self, spec: &JobSpec) -> Option<&str> {
        Some(&self.get(spec.src_dir.as_deref()?)?.hash)
    }
}

/// What `plan.json` holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub approved: Approved,
    /// Of head and jobs as written, without ids, times and what was found to exist:
    /// the same batch submitted twice has the same.
    pub content: String,
    pub code: Code,
}

#[derive(Deserialize)]
struct Document {
    format: u64,
    run: RunId,
    created_at: Timestamp,
    content: String,
    #[serde(default)]
    code: Code,
    head: BatchHead,
    jobs: Planned,
}

/// The jobs as they are planned, each made as it is read: what they share is
/// shared from the start.
struct Planned(Vec<PlannedJob>);

impl<'de> Deserialize<'de> for Planned {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Jobs;
        impl<'de> Visitor<'de> for Jobs {
            type Value = Planned;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of jobs")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Planned, A::Error> {
                let mut jobs = Vec::new();
                while let Some(job) = seq.next_element::<StoredJob>()? {
                    let job = job.planned(jobs.last());
                    jobs.push(job);
                }
                jobs.shrink_to_fit();
                Ok(Planned(jobs))
            }
        }
        d.deserialize_seq(Jobs)
    }
}

#[derive(Serialize)]
struct Start<'a> {
    format: u64,
    run: &'a RunId,
    created_at: Timestamp,
    content: &'a str,
    code: &'a Code,
    head: &'a BatchHead,
}

/// A job, flat enough to be read fast.
#[derive(Deserialize)]
struct StoredJob {
    spec: JobSpec,
    #[serde(default)]
    cluster: Option<ClusterId>,
    #[serde(default)]
    may_go: Vec<ClusterId>,
    #[serde(default)]
    action: Option<JobAction>,
    replicas: u32,
    total_gpus: Gpus,
    #[serde(default)]
    depends_on: Vec<(JobIx, DependencyCondition)>,
}

impl StoredJob {
    /// With what is equal in the job `before` it shared with that one.
    fn planned(self, before: Option<&PlannedJob>) -> PlannedJob {
        let mut spec = self.spec;
        if let Some(before) = before {
            share(&mut spec, &before.spec);
        }
        PlannedJob {
            spec: Arc::new(spec),
            cluster: match (before.and_then(|b| b.cluster.as_ref()), self.cluster) {
                (Some(known), Some(read)) if *known == read => Some(known.clone()),
                (_, read) => read,
            },
            may_go: match before {
                Some(before) if *before.may_go == *self.may_go => before.may_go.clone(),
                _ => self.may_go.into(),
            },
            outlook: None,
            action: self.action.unwrap_or_default(),
            replicas: self.replicas,
            total_gpus: self.total_gpus,
            depends_on: match before {
                Some(before) if *before.depends_on == *self.depends_on => before.depends_on.clone(),
                _ => self.depends_on.into(),
            },
        }
    }
}

#[derive(Serialize)]
struct StoredJobRef<'a> {
    spec: &'a JobSpec,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: &'a Option<ClusterId>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    may_go: &'a [ClusterId],
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a JobAction>,
    replicas: u32,
    total_gpus: Gpus,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    depends_on: &'a [(JobIx, DependencyCondition)],
}

impl<'a> From<&'a PlannedJob> for StoredJobRef<'a> {
    fn from(job: &'a PlannedJob) -> Self {
        Self {
            spec: &job.spec,
            cluster: &job.cluster,
            may_go: &job.may_go,
            action: (job.action != JobAction::Submit).then_some(&job.action),
            replicas: job.replicas,
            total_gpus: job.total_gpus,
            depends_on: &job.depends_on,
        }
    }
}

impl Stored {
    pub fn new(approved: Approved, code: BTreeMap<String, CodeEntry>) -> Self {
        let content = content(&approved);
        Self { approved, content, code: Code(code) }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// There is none, it is damaged, or a newer jobdeck wrote it.
    pub fn read(dir: &RunDir) -> Result<Self, JournalError> {
        let path = dir.plan();
        let Some(text) = read_if_there(&path).map_err(JournalError::io(&path))? else {
            let name = dir.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(JournalError::NoRun(name));
        };
        let document: Document = serde_json::from_slice(&text).map_err(|error| {
            #[derive(Deserialize)]
            struct Version {
                format: u64,
            }
            match serde_json::from_slice::<Version>(&text) {
                Ok(Version { format }) if format > FORMAT => {
                    JournalError::Newer { path: path.clone(), format }
                }
                _ => JournalError::Damaged { path: path.clone(), why: error.to_string() },
            }
        })?;
        if document.format > FORMAT {
            return Err(JournalError::Newer { path, format: document.format });
        }
        drop(text);
        Ok(Self {
            approved: Approved::replayed(
                document.run,
                document.created_at,
                document.head,
                document.jobs.0,
            ),
            content: document.content,
            code: document.code,
        })
    }

    fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        let start = serde_json::to_vec(&Start {
            format: FORMAT,
            run: self.approved.run(),
            created_at: self.approved.at(),
            content: &self.content,
            code: &self.code,
            head: self.approved.head(),
        })?;
        // One job a line, so that a person can look at it.
        out.write_all(start.strip_suffix(b"}").unwrap_or(&start))?;
        out.write_all(b",\"jobs\":[")?;
        for (i, job) in self.approved.jobs().iter().enumerate() {
            out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &StoredJobRef::from(job))?;
        }
        out.write_all(b"\n]}\n")
    }
}

/// Jobs of a group share what is equal, as they do when they are planned.
fn share(spec: &mut JobSpec, before: &JobSpec) {
    fn same<T: PartialEq + ?Sized>(one: &mut Arc<T>, other: &Arc<T>) {
        if **one == **other {
            *one = other.clone();
        }
    }
    fn same_text(one: &mut Option<Arc<str>>, other: Option<&Arc<str>>) {
        if let (Some(one), Some(other)) = (one, other) {
            same(one, other);
        }
    }
    spec.params.share(&before.params);
    same(&mut spec.env, &before.env);
    same(&mut spec.metadata, &before.metadata);
    same(&mut spec.options, &before.options);
    if let (Some(one), Some(other)) = (&mut spec.parameters, &before.parameters) {
        same(one, other);
    }
    same_text(&mut spec.group, before.group.as_ref());
    same_text(&mut spec.project, before.project.as_ref());
    same_text(&mut spec.image, before.image.as_ref());
    same_text(&mut spec.gpu_type, before.gpu_type.as_ref());
    same_text(&mut spec.framework, before.framework.as_ref());
    same_text(&mut spec.working_dir, before.working_dir.as_ref());
    same_text(&mut spec.src_dir, before.src_dir.as_ref());
    same_text(&mut spec.base_dir, before.base_dir.as_ref());
    same_text(&mut spec.priority, before.priority.as_ref());
}

/// A hash over what a person wrote, so that `--run-id` can tell the same batch
/// from another.
fn content(approved: &Approved) -> String {
    let mut hash = HashWriter(Sha256::new());
    // Writing to a hash cannot fail, and neither can encoding these types.
    let _ = serde_json::to_writer(&mut hash, approved.head());
    for job in approved.jobs() {
        let _ = serde_json::to_writer(&mut hash, &(&*job.spec, &*job.depends_on));
    }
    hex(&hash.0.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

struct HashWriter(Sha256);

impl io::Write for HashWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the folder of a new run: journal first, then, as the act that makes it
/// a run, its plan. Both are on disk when this returns; a crash before leaves a
/// folder without a plan, which is no run.
///
/// # Errors
/// It cannot be written, or there is a run of that id already
/// ([`io::ErrorKind::AlreadyExists`]).
pub fn create(dir: &RunDir, stored: &Stored) -> Result<(), JournalError> {
    let runs = dir.path().parent().unwrap_or(dir.path());
    fs::create_dir_all(dir.inbox()).map_err(JournalError::io(dir.inbox()))?;
    let journal = dir.journal();
    let header = Header { jobdeck_journal: FORMAT, run: stored.approved.run().clone() };
    // Whoever else makes this run at this moment makes the same header, and may be
    // writing behind it already.
    let write_header = || -> io::Result<()> {
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir.path())?;
        temp.write_all(&line)?;
        temp.as_file().sync_all()?;
        match temp.persist_noclobber(&journal) {
            Err(e) if e.error.kind() != io::ErrorKind::AlreadyExists => Err(e.error),
            _ => Ok(()),
        }
    };
    if dir.plan().exists() {
        let error = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(JournalError::Io { path: dir.plan(), error });
    }
    write_header().map_err(JournalError::io(&journal))?;
    let path = dir.plan();
    let write_plan = || -> io::Result<()> {
        let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(dir.path())?;
        let mut out = io::BufWriter::with_capacity(1 << 16, temp.as_file_mut());
        stored.write(&mut out)?;
        out.flush()?;
        drop(out);
        temp.as_file().sync_all()?;
        // Two processes may start the same `--run-id` at once: one of them wins.
        temp.persist_noclobber(&path).map_err(|e| e.error)?;
        sync_folder(dir.path())?;
        sync_folder(runs)
    };
    write_plan().map_err(JournalError::io(path))
}

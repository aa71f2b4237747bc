//! Which earlier work is the same work: the basis of `on_existing: reuse`.
//!
//! Two jobs are the same when type, project, image, command, args, resources,
//! environment, options, parameters and code are. Name, position, cluster, tags,
//! metadata, priority, limits and dependencies do not matter.

use std::{collections::HashMap, fmt};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    ids::{JobIx, RunId},
    job::JobSpec,
    plan::JobAction,
    status::Status,
};

/// SHA-256 over what makes a job the same work.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity([u8; 32]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads what `Display` writes.
impl std::str::FromStr for Identity {
    type Err = super::ids::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || super::ids::InvalidId {
            what: "identity",
            text: text.to_owned(),
            why: "it is not 64 hexadecimal digits",
        };
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * i..2 * i + 2).ok_or_else(bad)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl Identity {
    /// `code` is the content hash of the job's `src_dir`, where it has one.
    pub fn of(spec: &JobSpec, code: Option<&str>) -> Self {
        // Where a job without code starts anyway may be spelled out, as exports do.
        let is_spelled_out = spec.src_dir.is_none() && spec.working_dir == spec.base_dir;
        let working_dir = spec.working_dir.as_ref().filter(|_| !is_spelled_out);
        let mut env: Vec<_> = spec.env.iter().collect();
        env.sort();
        let mut params: Vec<_> = spec.params.iter().collect();
        params.sort_unstable();
        let document = json!([
            1,
            [spec.job_type.word(), spec.framework, spec.workspace_type],
            spec.project,
            spec.image,
            spec.command,
            spec.args,
            [spec.gpus.micros(), spec.workers, spec.nodes, spec.exclusive],
            [spec.gpu_type, spec.cpus, spec.memory],
            working_dir,
            env,
            sorted(&serde_json::Value::Object((*spec.options).clone())),
            params,
            [spec.file.as_deref(), spec.file_hash.as_deref(), spec.method_name.as_deref()],
            spec.parameters.as_deref().map(|p| sorted(&serde_json::Value::Object(p.clone()))),
            code,
        ]);
        Self(Sha256::digest(document.to_string()).into())
    }
}

/// The value with the keys of every map in order: the order they were written in
/// is not part of the work.
fn sorted(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// A job of an earlier run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    pub run: RunId,
    pub job: JobIx,
    pub status: Status,
    /// Its run is held, or nobody carries it on: it is sent only when a person says so.
    pub held: bool,
}

impl Earlier {
    /// Accepted for work and not ended, whether or not it has been sent yet.
    fn is_live(&self) -> bool {
        !self.held && (self.status.is_live() || self.status == Status::Waiting)
    }
}

/// Earlier work by identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History(HashMap<Identity, Vec<Earlier>>);

impl History {
    /// Adds a job; runs are added oldest first, so that the newest of equals wins.
    pub fn add(&mut self, identity: Identity, job: Earlier) {
        self.0.entry(identity).or_default().push(job);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What `reuse` does with this work: live is attached to, else success is
    /// reused, else a failure is sent again; anything else counts as none, and so
    /// does what a held run has not sent.
    pub fn action(&self, identity: &Identity) -> JobAction {
        let newest = |wanted: fn(&Earlier) -> bool| self.newest(identity, wanted);
        if let Some(e) = newest(Earlier::is_live) {
            JobAction::Attach { run: e.run.clone(), job: e.job }
        } else if let Some(e) = newest(|e| e.status == Status::Succeeded) {
            JobAction::Reuse { run: e.run.clone(), job: e.job }
        } else if let Some(e) = newest(|e| e.status == Status::Failed) {
            JobAction::Resubmit { run: e.run.clone(), job: e.job }
        } else {
            JobAction::Submit
        }
    }

    /// The run that holds this work back: it would run again when that one is sent.
    pub fn held(&self, identity: &Identity) -> Option<&RunId> {
        self.newest(identity, |e| e.held).map(|e| &e.run)
    }

    fn newest(&self, identity: &Identity, wanted: fn(&Earlier) -> bool) -> Option<&Earlier> {
        self.0.get(identity)?.iter().rev().find(|e| wanted(e))
    }
}

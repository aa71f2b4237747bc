//! Identities: runs, jobs of a run, attempts, clusters.
//!
//! A [`JobKey`] is ours and is made before anything is sent. It travels to the
//! cluster with the job (name, label or submission id, whatever that kind of
//! cluster offers) and is how a job is found again after a crash or a lost
//! answer. The cluster's own id is opaque to us and may be reused there.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// Identifier of one run: 8 characters of lower-case Crockford base 32, or what
/// the user gave with `--run-id` (letters, digits, `-`, `_`, `.`; at most 64).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Arc<str>);

/// The text is not usable as the named kind of identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {why}")]
pub struct InvalidId {
    /// What was being read, e.g. `run id`.
    pub what: &'static str,
    /// The refused text.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl RunId {
    /// Characters of a generated id: no `i l o u`, so nothing is misread.
    pub const ALPHABET: &'static [u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

    /// Accepts a user's own run id. It becomes a folder name, part of remote job
    /// names and an argument of commands, so it is kept boring.
    pub fn new(text: &str) -> Result<Self, InvalidId> {
        let bad = |why| InvalidId { what: "run id", text: text.to_owned(), why };
        if text.is_empty() {
            return Err(bad("it is empty"));
        }
        if text.len() > 64 {
            return Err(bad("it is longer than 64 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
            return Err(bad("only letters, digits, `-`, `_` and `.` are allowed"));
        }
        if !text.as_bytes()[0].is_ascii_alphanumeric() {
            return Err(bad("it must start with a letter or a digit"));
        }
        if text == "last" {
            return Err(bad("`last` stands for the newest run"));
        }
        Ok(Self(text.into()))
    }

    /// Makes an id from 40 random bits supplied by the caller.
    pub fn from_entropy(bits: u64) -> Self {
        let text: String =
            (0..8).map(|i| char::from(Self::ALPHABET[((bits >> (5 * i)) & 31) as usize])).collect();
        Self(text.into())
    }

    /// Stands for a run id that is not known yet, in previews: `<run>`.
    pub fn hole() -> Self {
        Self("<run>".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        Self::new(text)
    }
}

/// Position of a job in its run, in batch order, from 0. Stable for the life of
/// the run: retries keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobIx(pub u32);

impl JobIx {
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One attempt at one job of one run; written `jd-<run>-<job>-<attempt>` with
/// the job counted from 1, e.g. `jd-7k2fq9xm-12-1`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobKey {
    pub run: RunId,
    pub job: JobIx,
    /// From 1.
    pub attempt: u32,
}

impl fmt::Display for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "jd-{}-{}-{}", self.run, u64::from(self.job.0) + 1, self.attempt)
    }
}

impl FromStr for JobKey {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let bad = |why| InvalidId { what: "job key", text: text.to_owned(), why };
        let rest = text.strip_prefix("jd-").ok_or_else(|| bad("it does not start with `jd-`"))?;
        let mut parts = rest.rsplitn(3, '-');
        let attempt = parts.next().and_then(|p| p.parse().ok()).filter(|a| *a > 0);
        let job = parts.next().and_then(|p| p.parse::<u32>().ok()).and_then(|j| j.checked_sub(1));
        let run = parts.next().ok_or_else(|| bad("it has too few parts"))?;
        match (attempt, job) {
            (Some(attempt), Some(job)) => {
                Ok(Self { run: RunId::new(run)?, job: JobIx(job), attempt })
            }
            _ => Err(bad("job and attempt must be numbers from 1")),
        }
    }
}

impl Serialize for JobKey {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobKey {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(d)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The name a cluster has in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(Arc<str>);

impl ClusterId {
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_keys_survive_a_run_id_with_dashes() {
        let key = JobKey { run: RunId::new("my-own.id-3").unwrap(), job: JobIx(11), attempt: 2 };
        assert_eq!(key.to_string(), "jd-my-own.id-3-12-2");
        assert_eq!(key.to_string().parse::<JobKey>().unwrap(), key);
    }

    #[test]
    fn odd_run_ids_are_refused() {
        for text in ["", "last", "../x", "a b", "-a", "a/b", "é"] {
            assert!(RunId::new(text).is_err(), "{text}");
        }
    }
}

//! What the jobs of one request inherit: the environment and the folder of the
//! process that submitted them, and the values of the secrets they refer to.
//!
//! It is the only place where a secret's value touches the disk: one file for all
//! jobs of a request, readable by the user only, removed once they have started.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::{
        ffi::{OsStrExt as _, OsStringExt as _},
        fs::OpenOptionsExt as _,
    },
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{procs::JOB_FOLDER, secrets::is_reference};

/// Captured when submitting, used when starting.
#[derive(Debug, Default)]
pub struct LaunchEnv {
    /// Where a job starts that names no folder.
    pub folder: PathBuf,
    vars: Vec<(OsString, OsString)>,
    /// By reference.
    secrets: HashMap<String, SecretString>,
}

impl LaunchEnv {
    /// Of this process; what an outer job set for itself is left out.
    pub fn capture(secrets: HashMap<String, SecretString>) -> Self {
        let vars = std::env::vars_os().filter(|(name, _)| !is_of_a_job(name)).collect();
        let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        Self { folder, vars, secrets }
    }

    /// The environment of a job: inherited, then its own, references replaced.
    ///
    /// # Errors
    /// The name of a variable whose secret is not here.
    pub fn of_job(
        &self,
        own: &IndexMap<String, String>,
    ) -> Result<Vec<(OsString, OsString)>, String> {
        let mut vars = self.vars.clone();
        for (name, value) in own {
            let value = if is_reference(value) {
                let secret = self.secrets.get(value).ok_or_else(|| name.clone())?;
                secret.expose_secret()
            } else {
                value
            };
            vars.push((name.into(), value.into()));
        }
        Ok(vars)
    }

    /// Writes it where only the user can read it, synced.
    ///
    /// # Errors
    /// What the disk says; nothing is left behind then.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut field = |parts: &[&[u8]]| {
            bytes.extend(parts.concat());
            bytes.push(0);
        };
        field(&[self.folder.as_os_str().as_bytes()]);
        field(&[self.vars.len().to_string().as_bytes()]);
        for (name, value) in &self.vars {
            field(&[name.as_bytes(), b"=", value.as_bytes()]);
        }
        for (reference, value) in &self.secrets {
            field(&[reference.as_bytes()]);
            field(&[value.expose_secret().as_bytes()]);
        }
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)
            .and_then(|mut file| {
                file.write_all(&bytes)?;
                file.sync_all()
            });
        if written.is_err() {
            let _ = fs::remove_file(path);
        }
        written
    }

    /// # Errors
    /// What the disk says, or that the file is damaged.
    pub fn read(path: &Path) -> io::Result<Self> {
        let bytes = fs::read(path)?;
        Self::parse(&bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "damaged environment file"))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let mut fields = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
        let folder = PathBuf::from(os(fields.next()?));
        let count: usize = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
        let mut vars = Vec::new();
        for _ in 0..count {
            let field = fields.next()?;
            // A name may itself begin with `=`.
            let split = field.iter().skip(1).position(|byte| *byte == b'=')? + 1;
            let (name, value) = field.split_at_checked(split)?;
            vars.push((os(name), os(value.get(1..)?)));
        }
        let mut secrets = HashMap::new();
        while let Some(reference) = fields.next() {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
            secrets.insert(text(reference)?, SecretString::from(text(fields.next()?)?));
        }
        Some(Self { folder, vars, secrets })
    }
}

/// A variable that jobdeck sets for every job.
fn is_of_a_job(name: &OsStr) -> bool {
    let name = name.as_bytes();
    name.starts_with(b"JOBDECK_PARAM_")
        || [JOB_FOLDER.as_bytes(), b"JOBDECK_RUN", b"JOBDECK_JOB", b"JOBDECK_ATTEMPT"]
            .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        let odd = OsString::from_vec(vec![b'a', 0xff, b'=', b'\n']);
        let env = LaunchEnv {
            folder: "/a b".into(),
            vars: vec![("X".into(), odd.clone()), ("E".into(), OsString::new())],
            secrets: [("env:T".to_owned(), SecretString::from("s3cret\n"))].into(),
        };
        env.write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let back = LaunchEnv::read(&path).unwrap();
        assert_eq!((&back.folder, &back.vars), (&env.folder, &env.vars));
        let own: IndexMap<_, _> =
            [("TOKEN".into(), "env:T".into()), ("Y".into(), "1".into())].into();
        let vars = back.of_job(&own).unwrap();
        assert_eq!(vars.get(2), Some(&("TOKEN".into(), "s3cret\n".into())));
        assert_eq!(vars.get(3), Some(&("Y".into(), "1".into())));
        let other: IndexMap<_, _> = [("Z".to_owned(), "env:U".to_owned())].into();
        assert_eq!(back.of_job(&other).unwrap_err(), "Z");
        assert!(!format!("{back:?}").contains("s3cret"));
    }

    #[test]
    fn a_damaged_file_is_told_apart() {
        for bytes in [&b""[..], b"/\0", b"/\x002\0A=1\0", b"/\x001\0A\0", b"/\x000\0env:X\0"] {
            assert!(LaunchEnv::parse(bytes).is_none(), "{bytes:?}");
        }
    }
}

//! Secrets by reference: `env:NAME`, `file:PATH`, `cmd:PROGRAM`.
//!
//! A reference is what lies in files, journals and previews; its value exists
//! only between [`resolve`] and the request that carries it. A text without one of
//! the three prefixes is a plain value and resolves to itself.

use std::{
    fs,
    io::Read as _,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use secrecy::SecretString;

/// How long a `cmd:` program may take; it may have to ask an agent or a vault.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest value that is taken from a file or a program, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// A reference that has no value. The words never hold any part of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret `{reference}` cannot be read: {why}")]
pub struct SecretError {
    /// As written.
    pub reference: String,
    pub why: String,
}

/// Whether the text is a reference rather than a plain value.
pub fn is_reference(text: &str) -> bool {
    split(text).is_some()
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (kind, rest) = text.split_once(':')?;
    (matches!(kind, "env" | "file" | "cmd") && !rest.is_empty()).then_some((kind, rest))
}

/// The value that a reference names; a plain value is itself. One line break at
/// the end of a file or of a program's output is not part of the value.
///
/// Blocks while a file is read or a program runs (at most 30 s).
///
/// # Errors
/// [`SecretError`] when the variable, the file or the program gives no text.
pub fn resolve(reference: &str) -> Result<SecretString, SecretError> {
    let fail = |why: String| SecretError { reference: reference.to_owned(), why };
    let value = match split(reference) {
        None => reference.to_owned(),
        Some(("env", name)) => std::env::var(name).map_err(|e| {
            fail(match e {
                std::env::VarError::NotPresent => format!("the variable {name} is not set"),
                std::env::VarError::NotUnicode(_) => format!("the variable {name} is not text"),
            })
        })?,
        Some(("file", path)) => {
            let mut bytes = Vec::new();
            fs::File::open(expand_home(path))
                .and_then(|file| file.take(MAX_LEN + 1).read_to_end(&mut bytes))
                .map_err(|e| fail(e.to_string()))?;
            text(bytes).map_err(fail)?
        }
        Some((_, program)) => run(program).and_then(text).map_err(fail)?,
    };
    if value.contains('\0') {
        return Err(fail("it holds a NUL byte".into()));
    }
    Ok(SecretString::from(value))
}

fn expand_home(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => std::path::Path::new(&home).join(rest),
        _ => path.into(),
    }
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    if bytes.len() as u64 > MAX_LEN {
        return Err("it is longer than 1 MiB".into());
    }
    let mut text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8 text".to_owned())?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Runs a program line through the shell, without a terminal to write on.
fn run(program: &str) -> Result<Vec<u8>, String> {
    use std::os::unix::process::CommandExt as _;
    let mut child = Command::new("/bin/sh")
        .args(["-c", program])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|e| e.to_string())?;
    let pid = child.id();
    let (told, done) = mpsc::channel();
    let out = child.stdout.take();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = out.map(|out| out.take(MAX_LEN + 1).read_to_end(&mut bytes));
        let _ = told.send(read.transpose().map(|_| bytes));
    });
    let answer = done.recv_timeout(PATIENCE);
    if answer.is_err()
        && let Some(group) = crate::procs::as_pid(pid)
    {
        // The group is ours and its leader is not reaped yet, so the number is its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let bytes = answer
        .map_err(|_| format!("`{program}` did not end within {} s", PATIENCE.as_secs()))?
        .map_err(|e| e.to_string())?;
    if status.success() { Ok(bytes) } else { Err(format!("`{program}` ended with {status}")) }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn value(reference: &str) -> Result<String, SecretError> {
        resolve(reference).map(|s| s.expose_secret().to_owned())
    }

    #[test]
    fn each_kind_of_reference() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(value(&format!("file:{}", path.display())).unwrap(), "s3cret");
        assert_eq!(value("cmd:printf 'a\\nb\\n'").unwrap(), "a\nb");
        assert_eq!(value("env:PATH").unwrap(), std::env::var("PATH").unwrap());
        assert_eq!(value("plain:text").unwrap(), "plain:text");
        assert!(is_reference("env:X") && !is_reference("env:") && !is_reference("http://x"));
    }

    #[test]
    fn what_is_missing_is_named_without_its_value() {
        assert!(value("env:JOBDECK_SURELY_UNSET").unwrap_err().why.contains("is not set"));
        assert!(value("file:/nonexistent/x").is_err());
        let failed = value("cmd:echo hush; exit 3").unwrap_err().to_string();
        assert!(failed.contains("exit status: 3"), "{failed}");
        assert!(value("cmd:printf '\\377'").is_err());
    }
}

//! The code of a job as it was sent: a copy by content, once per run.
//!
//! What a job runs must not change under it while the author goes on editing, and
//! «as first sent» must mean something when it is tried again. So `src_dir` (and
//! each of `libraries`) is copied into the run's folder under the hash of its
//! content; the same content is copied once.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use crate::{
    app::msg::CodeSince,
    domain::job::JobSpec,
    error::{Kind, Report},
    journal::CodeEntry,
};

/// Names that are never code.
const ALWAYS_IGNORED: [&str; 6] =
    [".git", ".hg", ".svn", "__pycache__", ".jobdeckignore", ".DS_Store"];
/// More than this is data, not code.
const MAX_BYTES: u64 = 2 << 30;
const MAX_FILES: u64 = 100_000;

/// Patterns of a `.jobdeckignore`: a name or a path from the top, `*` for any
/// run of characters within one name, a last `/` for folders only, `#` for remarks.
#[derive(Debug, Default)]
struct Ignore(Vec<(String, bool, bool)>);

impl Ignore {
    fn read(top: &Path) -> Self {
        let Ok(text) = fs::read_to_string(top.join(".jobdeckignore")) else {
            return Self::default();
        };
        Self(
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(|line| {
                    let folders_only = line.ends_with('/');
                    let bare = line.trim_end_matches('/');
                    let from_top = bare.contains('/');
                    (bare.trim_start_matches('/').to_owned(), from_top, folders_only)
                })
                .collect(),
        )
    }

    fn hides(&self, relative: &Path, is_folder: bool) -> bool {
        let name = relative.file_name().unwrap_or_default().to_string_lossy();
        if ALWAYS_IGNORED.contains(&&*name) {
            return true;
        }
        let whole = relative.to_string_lossy();
        self.0.iter().any(|(pattern, from_top, folders_only)| {
            (is_folder || !folders_only)
                && matches(pattern.as_bytes(), if *from_top { &whole } else { &name }.as_bytes())
        })
    }
}

/// `*` stands for any run of characters but `/`, `?` for one.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            matches(rest, text)
                || text.split_first().is_some_and(|(c, more)| *c != b'/' && matches(pattern, more))
        }
        (Some((b'?', rest)), Some((c, more))) => *c != b'/' && matches(rest, more),
        (Some((p, rest)), Some((c, more))) => p == c && matches(rest, more),
        _ => false,
    }
}

enum Found {
    Folder,
    File { executable: bool },
    Link(PathBuf),
}

/// Everything below `top` that counts, in an order that does not depend on the
/// file system. `skip` is left out: our own state may lie below.
fn walk(
    top: &Path,
    skip: &Path,
    visit: &mut impl FnMut(&Path, &Path, &Found) -> io::Result<()>,
) -> io::Result<()> {
    let ignore = Ignore::read(top);
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let mut names: Vec<_> = fs::read_dir(top.join(&folder))?
            .map(|entry| entry.map(|e| e.file_name()))
            .collect::<Result<_, _>>()?;
        names.sort();
        let mut below = Vec::new();
        for name in names {
            let relative = folder.join(&name);
            let path = top.join(&relative);
            let meta = fs::symlink_metadata(&path)?;
            if ignore.hides(&relative, meta.is_dir()) || path == skip {
                continue;
            }
            let found = if meta.is_dir() {
                below.push(relative.clone());
                Found::Folder
            } else if meta.is_symlink() {
                Found::Link(fs::read_link(&path)?)
            } else if meta.is_file() {
                Found::File { executable: meta.permissions().mode() & 0o111 != 0 }
            } else {
                // Sockets and pipes are no code.
                continue;
            };
            visit(&relative, &path, &found)?;
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

fn too_much(top: &Path) -> io::Error {
    io::Error::other(format!(
        "{} holds more than {} GiB or {MAX_FILES} files; name what is not code in its \
         .jobdeckignore",
        top.display(),
        MAX_BYTES >> 30
    ))
}

/// The hash of what a folder holds, without the folder `skip`.
///
/// # Errors
/// It cannot be read, or it holds far more than code.
pub fn hash(top: &Path, skip: &Path) -> io::Result<CodeEntry> {
    let mut hash = Sha256::new();
    let (mut files, mut bytes) = (0, 0);
    let mut chunk = vec![0; 1 << 16];
    walk(top, skip, &mut |relative, path, found| {
        let name = relative.as_os_str().as_encoded_bytes();
        let kind: &[u8] = match found {
            Found::Folder => b"d",
            Found::File { executable: true } => b"x",
            Found::File { executable: false } => b"f",
            Found::Link(_) => b"l",
        };
        hash.update(kind);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        match found {
            Found::Folder => {}
            Found::Link(target) => {
                let target = target.as_os_str().as_encoded_bytes();
                hash.update((target.len() as u64).to_le_bytes());
                hash.update(target);
            }
            Found::File { .. } => {
                files += 1;
                let mut content = Sha256::new();
                let mut file = File::open(path)?;
                loop {
                    let n = file.read(&mut chunk)?;
                    if n == 0 {
                        break;
                    }
                    bytes += n as u64;
                    if bytes > MAX_BYTES || files > MAX_FILES {
                        return Err(too_much(top));
                    }
                    content.update(chunk.get(..n).unwrap_or_default());
                }
                hash.update(content.finalize());
            }
        }
        Ok(())
    })?;
    Ok(CodeEntry { hash: crate::journal::hex(&hash.finalize()), files, bytes })
}

/// Copies what a folder holds to `<code>/<first half of the hash>/<its name>`
/// and says what it held. Content that is there already is not copied again.
///
/// # Errors
/// It cannot be read or copied, or it holds far more than code.
pub fn snapshot(top: &Path, code: &Path, skip: &Path) -> Result<CodeEntry, Report> {
    let told = |error: io::Error| {
        Report::new(Kind::Usage, format!("the code in {} cannot be sent: {error}", top.display()))
    };
    if fs::metadata(top).is_ok_and(|meta| !meta.is_dir()) {
        return Err(told(io::Error::from(io::ErrorKind::NotADirectory)));
    }
    let before = hash(top, skip).map_err(told)?;
    if place(code, top, &before.hash).is_dir() {
        return Ok(before);
    }
    fs::create_dir_all(code).map_err(told)?;
    let temp = tempfile::Builder::new().prefix(".tmp-").tempdir_in(code).map_err(told)?;
    let copy = temp.path().join(folder_name(top));
    copy_to(top, &copy, skip).map_err(told)?;
    // Edited while it was copied: what counts is what was copied.
    let entry = hash(&copy, skip).map_err(told)?;
    let target = code.join(short(&entry.hash));
    match fs::rename(temp.path(), &target) {
        Ok(()) => {
            let _ = temp.keep();
            Ok(entry)
        }
        // Somebody was faster.
        Err(_) if target.is_dir() => Ok(entry),
        Err(error) => Err(told(error)),
    }
}

fn copy_to(top: &Path, copy: &Path, skip: &Path) -> io::Result<()> {
    fs::create_dir(copy)?;
    walk(top, skip, &mut |relative, path, found| {
        let target = copy.join(relative);
        match found {
            Found::Folder => fs::create_dir(target),
            Found::Link(to) => std::os::unix::fs::symlink(to, target),
            Found::File { .. } => fs::copy(path, target).map(drop),
        }
    })
}

fn short(hash: &str) -> &str {
    hash.get(..32).unwrap_or(hash)
}

fn folder_name(top: &Path) -> std::ffi::OsString {
    top.file_name().map_or_else(|| "code".into(), std::ffi::OsStr::to_os_string)
}

/// How a folder stands to what was `sent` of it, by hash; `None`: it is the same, or
/// nothing was sent to compare it with. Reads all of it. `skip` is left out.
pub fn since(top: &Path, sent: Option<&str>, skip: &Path) -> Option<CodeSince> {
    match hash(top, skip) {
        Err(_) => Some(CodeSince::Unreadable),
        Ok(now) => sent.filter(|sent| *sent != now.hash).map(|_| CodeSince::Changed),
    }
}

/// Where the copy of a folder lies. It keeps its own name, so that a library can
/// be imported by it from the folder above.
pub fn place(code: &Path, top: &Path, hash: &str) -> PathBuf {
    code.join(short(hash)).join(folder_name(top))
}

/// A job that runs where its code was put: `place` tells where a folder is there.
/// Its libraries become the folders to import them from.
pub fn relocated(
    spec: &Arc<JobSpec>,
    mut place: impl FnMut(&str) -> Option<String>,
) -> Arc<JobSpec> {
    if spec.src_dir.is_none() && spec.libraries.is_empty() {
        return Arc::clone(spec);
    }
    let mut moved = (**spec).clone();
    if let Some(top) = spec.src_dir.as_deref()
        && let Some(there) = place(top)
    {
        let inside = match spec.working_dir.as_deref() {
            None => Some(Path::new("")),
            Some(dir) => Path::new(dir).strip_prefix(top).ok(),
        };
        if let Some(inside) = inside {
            let dir = Path::new(&there).join(inside);
            moved.working_dir = Some(dir.to_string_lossy().trim_end_matches('/').into());
        }
    }
    for library in &mut moved.libraries {
        if let Some(there) = place(library) {
            // A library is imported by its own name, from the folder above.
            let above = Path::new(&there).parent().unwrap_or(Path::new("/"));
            *library = above.to_string_lossy().into_owned();
        }
    }
    Arc::new(moved)
}

/// A job that runs on this machine: `place` tells where the copy of a folder lies.
/// Its libraries are on `PYTHONPATH`, before what is there already.
///
/// # Errors
/// Those of `place`.
pub fn in_copy<E>(
    spec: &JobSpec,
    mut place: impl FnMut(&str) -> Result<PathBuf, E>,
) -> Result<JobSpec, E> {
    let mut spec = spec.clone();
    if let Some(top) = spec.src_dir.clone() {
        let place = place(&top)?;
        let inside = match spec.working_dir.as_deref() {
            None => Some(Path::new("")),
            Some(dir) => Path::new(dir).strip_prefix(&*top).ok(),
        };
        if let Some(inside) = inside {
            let dir = if inside.as_os_str().is_empty() { place } else { place.join(inside) };
            spec.working_dir = Some(dir.to_string_lossy().into());
        }
    }
    if !spec.libraries.is_empty() {
        let mut paths = Vec::new();
        for library in &spec.libraries {
            let place = place(library)?;
            // A library is imported by its own name, from the folder above.
            let above = place.parent().unwrap_or(&place);
            paths.push(above.to_string_lossy().into_owned());
        }
        let env = Arc::make_mut(&mut spec.env);
        match env.get("PYTHONPATH").cloned().or_else(|| std::env::var("PYTHONPATH").ok()) {
            Some(own) if !own.is_empty() => paths.push(own),
            _ => {}
        }
        env.insert("PYTHONPATH".to_owned(), paths.join(":"));
    }
    Ok(spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: &str = "/nowhere";

    #[test]
    fn content_decides_the_hash() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("src");
        fs::create_dir_all(top.join("pkg/__pycache__")).unwrap();
        fs::write(top.join("pkg/a.py"), "a").unwrap();
        fs::write(top.join("pkg/__pycache__/a.pyc"), "x").unwrap();
        fs::write(top.join(".jobdeckignore"), "# data\n*.bin\ndata/\n").unwrap();
        fs::write(top.join("big.bin"), "1").unwrap();
        let first = hash(&top, NONE.as_ref()).unwrap();
        assert_eq!((first.files, first.bytes), (1, 1));
        fs::write(top.join("big.bin"), "2").unwrap();
        fs::write(top.join("pkg/__pycache__/a.pyc"), "y").unwrap();
        assert_eq!(hash(&top, NONE.as_ref()).unwrap(), first);
        fs::write(top.join("pkg/a.py"), "b").unwrap();
        assert_ne!(hash(&top, NONE.as_ref()).unwrap().hash, first.hash);
        let since = |top: &Path, sent| since(top, sent, NONE.as_ref());
        assert_eq!(since(&top, Some(&first.hash)), Some(CodeSince::Changed));
        assert_eq!(since(&top, None), None, "nothing to compare it with");
        assert_eq!(since(NONE.as_ref(), Some(&first.hash)), Some(CodeSince::Unreadable));
        fs::write(top.join("pkg/a.py"), "a").unwrap();
        assert_eq!(since(&top, Some(&first.hash)), None);
    }

    #[test]
    fn a_snapshot_stays_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("src");
        let code = dir.path().join("code");
        fs::create_dir(&top).unwrap();
        fs::write(top.join("run.sh"), "echo 1").unwrap();
        fs::set_permissions(top.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink("run.sh", top.join("link")).unwrap();
        let first = snapshot(&top, &code, NONE.as_ref()).unwrap();
        fs::write(top.join("run.sh"), "echo 2").unwrap();
        let second = snapshot(&top, &code, NONE.as_ref()).unwrap();
        assert_ne!(first.hash, second.hash);
        let copy = place(&code, &top, &first.hash);
        assert_eq!(fs::read_to_string(copy.join("link")).unwrap(), "echo 1");
        assert_eq!(hash(&copy, NONE.as_ref()).unwrap(), first);
        assert_eq!(snapshot(&top, &code, NONE.as_ref()).unwrap(), second);
        assert_eq!(fs::read_dir(&code).unwrap().count(), 2);
    }

    #[test]
    fn our_own_state_is_no_code() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().join("src");
        let state = top.join("state");
        fs::create_dir_all(state.join("code")).unwrap();
        fs::write(top.join("a"), "a").unwrap();
        let entry = snapshot(&top, &state.join("code"), &state).unwrap();
        assert_eq!(entry.files, 1);
    }

    #[test]
    fn a_missing_folder_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = snapshot(&dir.path().join("none"), dir.path(), NONE.as_ref()).unwrap_err();
        assert!(error.message.contains("none"), "{error}");
    }
}

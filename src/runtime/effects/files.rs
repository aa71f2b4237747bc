//! Batch files: opened, saved, listed for completion.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use crate::{
    app::msg::Msg,
    error::{Kind, Report},
    yaml::{self, SourceError},
};

/// Names shown of one folder.
const MOST_NAMES: usize = 5_000;

/// `~/…` as people write it.
fn at_home(path: &Path) -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from).filter(|h| h.is_absolute());
    match path.strip_prefix("~") {
        Ok(rest) => home().map_or_else(|| path.to_owned(), |home| home.join(rest)),
        Err(_) => path.to_owned(),
    }
}

/// The path under which a batch file is known.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = at_home(path);
    std::path::absolute(&path).unwrap_or(path)
}

/// The folder a file is in; the current one for a bare name.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a batch file. `may_be_new`: one that is not there, in a folder that is,
/// is still to be written.
pub(super) fn open(path: &Path, may_be_new: bool) -> Result<Msg, Report> {
    let path = at_home(path);
    let source = match yaml::read_source(&path) {
        Err(SourceError::Missing { .. }) if may_be_new && folder(&path).is_dir() => {
            let path = std::path::absolute(&path).unwrap_or(path);
            return Ok(Msg::FileNew { path });
        }
        source => source.map_err(|e| {
            Report::new(Kind::Batch, e.to_string()).hint("choose a YAML or JSON file")
        })?,
    };
    let text = String::from_utf8(source.bytes).map_err(|_| {
        Report::new(Kind::Batch, format!("{}: the text is not UTF-8", path.display()))
            .hint("save it as UTF-8")
    })?;
    let path = std::path::absolute(&path).unwrap_or(path);
    Ok(Msg::FileOpened { path, text })
}

/// Writes beside the file, syncs and renames: what was there stays whole until
/// the new text is on disk. A link stays a link. Unless it is to `replace`
/// whatever is there, a text other than `known` (`None`: no file) is left alone.
pub(super) fn save(
    path: &Path,
    text: &str,
    known: Option<&str>,
    replace_any: bool,
) -> Result<Msg, Report> {
    let path = at_home(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    if !replace_any
        && !path.is_dir()
        && let Ok(there) = fs::read(&path)
        && known.is_none_or(|known| known.as_bytes() != there)
    {
        return Ok(Msg::FileDiffers { path, new: known.is_none() });
    }
    replace(&path, text.as_bytes()).map_err(|e| {
        Report::new(Kind::State, format!("{} was not saved: {e}", path.display()))
            .hint("the text is still here; save it elsewhere (W)")
    })?;
    Ok(Msg::FileSaved { path })
}

/// Replaces a file's content in one step.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if target.is_dir() {
        return Err(io::Error::other("it is a folder"));
    }
    let file = beside(&target, content)?;
    match fs::metadata(&target) {
        Ok(metadata) => file.as_file().set_permissions(metadata.permissions())?,
        Err(_) => new_file_mode(file.as_file())?,
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    sync_name(&target);
    Ok(())
}

/// Makes a file in one step that only its owner may read.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: there is one, which is left alone.
pub(super) fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let file = beside(path, content)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|e| e.error)?;
    sync_name(path);
    Ok(())
}

/// The content in a private file of the folder, under a name of its own.
fn beside(target: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix(".jobdeck-").tempfile_in(folder(target))?;
    file.write_all(content)?;
    Ok(file)
}

/// A new name is safe once its folder is; not every file system can say.
fn sync_name(path: &Path) {
    let _ = fs::File::open(folder(path)).and_then(|f| f.sync_all());
}

/// A temporary file is private; a new batch file is as any other new file.
fn new_file_mode(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    file.set_permissions(fs::Permissions::from_mode(0o666 & !mask.bits()))
}

/// What is in a folder, for completion; nothing when it cannot be read.
pub(super) fn list(path: PathBuf) -> Msg {
    let names = fs::read_dir(at_home(&path))
        .map(|entries| {
            entries
                .filter_map(Result::ok)
                .take(MOST_NAMES)
                .filter_map(|entry| {
                    // Links to folders count as folders.
                    let dir = fs::metadata(entry.path()).is_ok_and(|m| m.is_dir());
                    Some((entry.file_name().into_string().ok()?, dir))
                })
                .collect()
        })
        .unwrap_or_default();
    Msg::Folder { path, names }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saving_keeps_links_and_modes() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real.yaml");
        let link = folder.path().join("link.yaml");
        fs::write(&real, "jobs: []").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        save(&link, "jobs: [1]", None, true).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "jobs: [1]");
        assert!(link.is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(save(folder.path(), "x", None, false).is_err());
        assert!(save(&folder.path().join("none/x.yaml"), "x", None, false).is_err());
    }

    #[test]
    fn what_someone_else_wrote_is_not_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.yaml");
        assert!(matches!(save(&file, "1", None, false), Ok(Msg::FileSaved { .. })));
        assert!(matches!(save(&file, "2", None, false), Ok(Msg::FileDiffers { new: true, .. })));
        assert!(matches!(save(&file, "2", Some("1"), false), Ok(Msg::FileSaved { .. })));
        fs::write(&file, "theirs").unwrap();
        let refused = save(&file, "3", Some("2"), false);
        assert!(matches!(refused, Ok(Msg::FileDiffers { new: false, .. })));
        assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
        save(&file, "3", None, true).unwrap();
        fs::remove_file(&file).unwrap();
        assert!(matches!(save(&file, "4", Some("3"), false), Ok(Msg::FileSaved { .. })));
    }

    #[test]
    fn folders_are_told_from_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        fs::write(folder.path().join("a.yaml"), "").unwrap();
        let Msg::Folder { mut names, .. } = list(folder.path().into()) else { panic!() };
        names.sort();
        assert_eq!(names, [("a.yaml".to_owned(), false), ("sub".to_owned(), true)]);
        assert!(open(folder.path(), true).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_new_where_its_folder_is() {
        let folder = tempfile::tempdir().unwrap();
        let new = folder.path().join("new.yaml");
        assert!(matches!(open(&new, true), Ok(Msg::FileNew { path }) if path == new));
        assert!(!new.exists(), "nothing is written before it is saved");
        assert!(open(&new, false).is_err());
        assert!(open(&folder.path().join("none/new.yaml"), true).is_err());
    }
}

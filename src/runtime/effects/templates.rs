//! A template kept in the user's library.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    files,
    library::{ENDINGS, Folders, read},
};
use crate::{
    app::msg::Msg,
    error::{Kind, Report},
};

/// Writes a template in one step, for its owner alone. One of this name is only
/// replaced when it may be, whatever ending its file has.
///
/// # Errors
/// There is no place for it, or it cannot be written.
pub(super) fn keep(
    folders: &Folders,
    name: String,
    text: String,
    may_replace: bool,
) -> Result<Msg, Report> {
    let Some(folder) = &folders.user else {
        return Err(Report::new(Kind::State, "no folder for templates: HOME is not set")
            .hint("set HOME, or XDG_CONFIG_HOME to a folder of your own"));
    };
    let there = existing(folder, &name);
    if let (Some(path), false) = (there.first(), may_replace) {
        return Ok(Msg::TemplateExists { name, path: path.clone(), text });
    }
    let path = folder.join(format!("{name}.yaml"));
    match write(folder, &path, &text, may_replace) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && !may_replace => {
            return Ok(Msg::TemplateExists { name, path, text });
        }
        written => written.map_err(|e| {
            Report::new(Kind::State, format!("{} was not saved: {e}", path.display()))
                .hint("save the batch as a file elsewhere (W)")
        })?,
    }
    // Of one name there is one file.
    for other in there.into_iter().filter(|other| *other != path) {
        let _ = fs::remove_file(other);
    }
    let shadows = read(folders).get(&name).map(|t| t.shadows.clone()).unwrap_or_default();
    Ok(Msg::TemplateSaved { name, path, shadows })
}

/// Files that a template of this name may lie in.
fn existing(folder: &Path, name: &str) -> Vec<PathBuf> {
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    ENDINGS.iter().map(|ending| path(ending)).filter(|p| p.symlink_metadata().is_ok()).collect()
}

fn write(folder: &Path, path: &Path, text: &str, may_replace: bool) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match files::create_private(path, text.as_bytes()) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && may_replace => {
            files::replace(path, text.as_bytes())
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::library::Tier;

    #[test]
    fn a_template_is_its_owners_and_never_replaced_unasked() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("config/jobdeck/templates");
        let folders = Folders { site: None, user: Some(folder.clone()) };
        let keep = |name: &str, text: &str, replace| {
            keep(&folders, name.into(), format!("jobs: [{{name: {text}}}]"), replace)
        };
        let Ok(Msg::TemplateSaved { path, shadows, .. }) = keep("sweep", "one", false) else {
            panic!("not saved")
        };
        assert_eq!((path.clone(), shadows), (folder.join("sweep.yaml"), vec![Tier::BuiltIn]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(matches!(keep("sweep", "two", false), Ok(Msg::TemplateExists { .. })));
        assert!(fs::read_to_string(&path).unwrap().contains("one"));
        assert!(matches!(keep("sweep", "two", true), Ok(Msg::TemplateSaved { .. })));
        assert!(fs::read_to_string(&path).unwrap().contains("two"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        // A file with another ending bears the same name.
        let json = folder.join("mine.json");
        fs::write(&json, "{}").unwrap();
        let there = keep("mine", "three", false);
        assert!(matches!(there, Ok(Msg::TemplateExists { path, .. }) if path == json));
        assert!(matches!(keep("mine", "three", true), Ok(Msg::TemplateSaved { .. })));
        assert!(!json.exists());
        assert!(read(&folders).get("mine").unwrap().content.is_ok());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_cannot_be_kept_is_told() {
        let nowhere = keep(&Folders::default(), "a".into(), String::new(), false);
        assert!(nowhere.unwrap_err().message.contains("HOME is not set"));
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let folders = Folders { site: None, user: Some(file.join("templates")) };
        let refused = keep(&folders, "a".into(), String::new(), true);
        assert!(refused.unwrap_err().message.contains("was not saved"));
    }
}

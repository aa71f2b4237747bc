//! Code as Ray takes it: one archive, kept by the head under a name that we choose.
//! The name holds the hash of the content, so that the same code is sent once to a
//! cluster, whoever sends it.
//!
//! ```text
//! gcs://_ray_pkg_<hash>.zip          what lies in `src_dir`: the folder jobs start in
//! gcs://_ray_pkg_<hash>_<name>.zip   a library below its own name: a folder to import from
//! ```

use std::{
    fs::{self, File},
    io::{self, Cursor, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, DateTime, ZipWriter, write::SimpleFileOptions};

use crate::cluster::CodeBundle;

const SCHEME: &str = "gcs://";
const PREFIX: &str = "_ray_pkg_";
/// The most that a head takes, in bytes; it refuses this much.
const REFUSED: u64 = 100 << 20;
/// Files that are named when there is too much.
const NAMED: usize = 5;

/// Where the rest of the program is told that code lies: in the package of a library
/// by that name, below that name. [`Place::read`] takes it apart again.
pub fn place(hash: &str, name: &str) -> String {
    format!("{SCHEME}{}/{name}", of_library(hash, name))
}

fn flat(hash: &str) -> String {
    format!("{PREFIX}{}.zip", short(hash))
}

fn of_library(hash: &str, name: &str) -> String {
    format!("{PREFIX}{}_{}.zip", short(hash), safe(name))
}

fn short(hash: &str) -> &str {
    hash.get(..32).unwrap_or(hash)
}

/// A folder that jobs start in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `gcs://…`: its package.
    pub uri: String,
    /// Below the code's own folder; empty: that folder itself.
    pub inside: String,
}

impl Place {
    pub fn read(folder: &str) -> Option<Self> {
        let (package, below) = folder.strip_prefix(SCHEME)?.split_once('/')?;
        let (name, inside) = below.split_once('/').unwrap_or((below, ""));
        let hash = package.strip_prefix(PREFIX)?.strip_suffix(&format!("_{}.zip", safe(name)))?;
        Some(Self { uri: format!("{SCHEME}{}", flat(hash)), inside: inside.to_owned() })
    }
}

/// A name that can stand in an address.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// One archive that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Package {
    /// Its name on the head.
    pub name: String,
    folder: PathBuf,
    /// Folder above everything in it.
    below: Option<String>,
}

impl Package {
    /// The archive of that address, of one of these bundles.
    pub fn of(uri: &str, code: &[CodeBundle]) -> Option<Self> {
        let name = uri.strip_prefix(SCHEME)?;
        let of = |bundle: &CodeBundle| {
            let below = if name == flat(&bundle.hash) {
                None
            } else if name == of_library(&bundle.hash, &bundle.name) {
                Some(bundle.name.clone())
            } else {
                return None;
            };
            Some(Self { name: name.to_owned(), folder: bundle.path.clone(), below })
        };
        code.iter().find_map(of)
    }

    /// The archive; the same bytes for the same content.
    ///
    /// # Errors
    /// It cannot be read, or it is more than Ray takes; then the largest files are
    /// named.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let files = files(&self.folder)?;
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (relative, bytes) in &files {
            let path = self.folder.join(relative);
            let mode =
                if fs::metadata(&path)?.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .last_modified_time(DateTime::default())
                .large_file(*bytes > u64::from(u32::MAX) / 2)
                .unix_permissions(mode);
            let name = match &self.below {
                Some(top) => format!("{top}/{relative}"),
                None => relative.clone(),
            };
            zip.start_file(name, options).map_err(io::Error::other)?;
            io::copy(&mut File::open(&path)?, &mut zip)?;
        }
        zip.flush()?;
        let archive = zip.finish().map_err(io::Error::other)?.into_inner();
        if archive.len() as u64 >= REFUSED {
            return Err(too_much(archive.len() as u64, files));
        }
        Ok(archive)
    }
}

fn too_much(bytes: u64, mut files: Vec<(String, u64)>) -> io::Error {
    files.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let largest: Vec<String> = files
        .iter()
        .take(NAMED)
        .map(|(name, bytes)| format!("{name} ({} MiB)", bytes.div_ceil(1 << 20)))
        .collect();
    io::Error::other(format!(
        "packed it has {} MiB, and Ray takes less than {}; the largest are {}: name what is \
         not code in a .jobdeckignore",
        bytes.div_ceil(1 << 20),
        REFUSED >> 20,
        largest.join(", ")
    ))
}

/// Files by their paths from the top, in order, with their sizes. Ray's unpacking
/// knows no links: a link to a file is that file.
fn files(top: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut files = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(top.join(&folder))? {
            let entry = entry?;
            let relative = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                open.push(relative);
            } else if let Ok(meta) = fs::metadata(entry.path())
                && meta.is_file()
            {
                files.push((relative.to_string_lossy().into_owned(), meta.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(path: &Path) -> CodeBundle {
        CodeBundle { hash: "ab".repeat(32), name: "my lib".into(), path: path.to_owned() }
    }

    #[test]
    fn a_place_is_taken_apart_again() {
        let place = place(&"ab".repeat(32), "my lib");
        let uri = format!("gcs://_ray_pkg_{}.zip", "ab".repeat(16));
        assert_eq!(Place::read(&place), Some(Place { uri: uri.clone(), inside: String::new() }));
        let below = Place::read(&format!("{place}/a/b")).unwrap();
        assert_eq!(below, Place { uri: uri.clone(), inside: "a/b".into() });
        assert_eq!(Place::read("/home/alice/jobs"), None);
        let code = [bundle(Path::new("/data/code/my lib"))];
        assert_eq!(Package::of(&uri, &code).unwrap().below, None);
        let above = Path::new(&place).parent().unwrap().to_str().unwrap();
        assert_eq!(Package::of(above, &code).unwrap().below.as_deref(), Some("my lib"));
        assert_eq!(Package::of("gcs://_ray_pkg_other.zip", &code), None);
    }

    #[test]
    fn the_same_content_makes_the_same_archive() {
        let archive = |order: [&str; 2]| {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("pkg")).unwrap();
            for name in order {
                fs::write(dir.path().join(name), name).unwrap();
            }
            let script = dir.path().join("run.sh");
            fs::write(&script, "true").unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            let uri = format!("gcs://_ray_pkg_{}.zip", "ab".repeat(16));
            Package::of(&uri, &[bundle(dir.path())]).unwrap().archive().unwrap()
        };
        let first = archive(["a.py", "pkg/b.py"]);
        assert_eq!(first, archive(["pkg/b.py", "a.py"]));
        let mut read = zip::ZipArchive::new(Cursor::new(first)).unwrap();
        let names: Vec<_> = read.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["a.py", "pkg/b.py", "run.sh"]);
        assert_eq!(read.by_name("run.sh").unwrap().unix_mode().unwrap() & 0o777, 0o755);
    }

    #[test]
    fn what_is_too_large_names_its_largest_files() {
        let error = too_much(120 << 20, vec![("a".into(), 1), ("big.bin".into(), 119 << 20)]);
        assert!(
            error.to_string().contains("120 MiB")
                && error.to_string().contains("big.bin (119 MiB), a")
        );
    }
}

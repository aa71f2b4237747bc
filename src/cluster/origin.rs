//! Which state folder a job was sent from. Run ids that people choose (`nightly`)
//! may be chosen again, on another machine, by the same user of the same cluster;
//! a name that is to tell a job must tell those apart.

use std::{io, io::Write as _, path::PathBuf, sync::OnceLock};

use crate::domain::ids::RunId;

/// Six letters that are made once for a state folder.
#[derive(Debug)]
pub struct Origin {
    file: PathBuf,
    known: OnceLock<String>,
}

const LETTERS: usize = 6;

impl Origin {
    /// `file`: where it is kept. Touches nothing yet.
    pub fn new(file: PathBuf) -> Self {
        Self { file, known: OnceLock::new() }
    }

    /// What it is, if it was made.
    pub fn known(&self) -> Option<&str> {
        if self.known.get().is_none()
            && let Ok(text) = std::fs::read_to_string(&self.file)
            && is_origin(text.trim())
        {
            let _ = self.known.set(text.trim().to_owned());
        }
        self.known.get().map(String::as_str)
    }

    /// What it is; made now if it was not.
    ///
    /// # Errors
    /// The state folder cannot be written.
    pub fn made(&self) -> io::Result<&str> {
        if self.known().is_none() {
            let folder = self.file.parent().unwrap_or(&self.file);
            std::fs::create_dir_all(folder)?;
            let mut draft = tempfile::NamedTempFile::new_in(folder)?;
            let letter = || char::from(RunId::ALPHABET[fastrand::usize(..RunId::ALPHABET.len())]);
            let text: String = std::iter::repeat_with(letter).take(LETTERS).collect();
            draft.write_all(text.as_bytes())?;
            draft.as_file().sync_all()?;
            match draft.persist_noclobber(&self.file) {
                // Somebody was faster: theirs counts.
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {}
                result => drop(result.map_err(|error| error.error)?),
            }
        }
        self.known().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is damaged", self.file.display()),
            )
        })
    }
}

fn is_origin(text: &str) -> bool {
    text.len() == LETTERS && text.bytes().all(|b| RunId::ALPHABET.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_once_whoever_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/origin");
        assert_eq!(Origin::new(file.clone()).known(), None);
        let all: Vec<String> = std::thread::scope(|scope| {
            let ask = || scope.spawn(|| Origin::new(file.clone()).made().unwrap().to_owned());
            let asked: Vec<_> = (0..8).map(|_| ask()).collect();
            asked.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|one| *one == all[0] && is_origin(one)), "{all:?}");
        std::fs::write(&file, "not one").unwrap();
        assert!(Origin::new(file).made().is_err(), "never another one in its place");
    }
}

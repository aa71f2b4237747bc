//! Waking a process that sleeps without a timer: named pipes for messages, the
//! kernel's word when a process ends or a folder vanishes.
//!
//! A listener opens its pipe for reading and writing, so it never sees an end of
//! file; who knocks writes one byte and never blocks. A knock that nobody hears is
//! no loss: every listener looks at the disk after it has opened its pipe.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec};

/// Makes a named pipe that only the user can use.
///
/// # Errors
/// `AlreadyExists`, or what the disk says.
#[cfg(not(target_vendor = "apple"))]
pub fn make_fifo(path: &Path) -> io::Result<()> {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    Ok(rustix::fs::mkfifoat(rustix::fs::CWD, path, mode)?)
}

/// Makes a named pipe that only the user can use.
///
/// # Errors
/// `AlreadyExists`, or what the disk says.
#[cfg(target_vendor = "apple")]
pub fn make_fifo(path: &Path) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let status = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(path).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other("mkfifo failed")) }
}

/// The receiving end of a named pipe.
#[derive(Debug)]
pub struct Bell {
    pipe: File,
}

impl Bell {
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let pipe = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        Ok(Self { pipe })
    }

    /// Takes what has been written so far. More than a few hundred bytes mean
    /// that some may have been dropped.
    pub fn drain(&self) -> Vec<u8> {
        let mut heard = Vec::new();
        let mut buffer = [0; 512];
        while let Ok(n @ 1..) = (&self.pipe).read(&mut buffer) {
            heard.extend(buffer.iter().take(n));
            if heard.len() > 8192 {
                break;
            }
        }
        heard
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Knocks with one byte. `false`: nobody listens.
pub fn ring(path: &Path, byte: u8) -> bool {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    match OpenOptions::new().write(true).custom_flags(flags).open(path) {
        Ok(mut pipe) => match pipe.write(&[byte]) {
            Ok(_) => true,
            // A full pipe wakes its listener as well as one more byte would.
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        },
        Err(_) => false,
    }
}

/// Notices that a folder was removed, moved away or replaced.
#[derive(Debug)]
pub struct FolderWatch {
    path: PathBuf,
    /// Something in it that is always there while it is in use.
    content: PathBuf,
    identity: Option<(u64, u64)>,
    #[cfg(target_os = "linux")]
    events: Option<std::os::fd::OwnedFd>,
}

impl FolderWatch {
    /// `content` names something in the folder without which it is of no use: a
    /// folder that is being emptied counts as gone.
    pub fn new(path: &Path, content: &str) -> Self {
        Self {
            path: path.to_owned(),
            content: path.join(content),
            identity: identity(path),
            #[cfg(target_os = "linux")]
            events: watch_folder(path).ok(),
        }
    }

    /// The folder is no longer there. Cheap enough for every wake-up.
    pub fn is_gone(&self) -> bool {
        self.identity.is_none() || identity(&self.path) != self.identity || !self.content.exists()
    }

    /// Becomes readable when it may have gone; `None` where the system cannot tell.
    #[allow(clippy::unused_self, reason = "only Linux tells")]
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        #[cfg(target_os = "linux")]
        return self.events.as_ref().map(AsFd::as_fd);
        #[cfg(not(target_os = "linux"))]
        None
    }

    /// Takes the events that made [`Self::fd`] readable.
    pub fn drain(&self) {
        #[cfg(target_os = "linux")]
        if let Some(events) = &self.events {
            let mut buffer = [0u8; 1024];
            while matches!(rustix::io::read(events, &mut buffer), Ok(n) if n > 0) {}
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|m| (m.dev(), m.ino()))
}

#[cfg(target_os = "linux")]
fn watch_folder(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let events = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    // The folder above is watched too: one that holds files we have open does not
    // tell of its own removal.
    let above = path.parent().ok_or(io::ErrorKind::NotFound)?;
    for folder in [above, path] {
        let what = WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR;
        add_watch(&events, folder, what)?;
    }
    Ok(events)
}

/// Becomes readable when the process ends; `None` where the system cannot tell,
/// or the process is gone already.
pub fn process_end(pid: u32) -> Option<std::os::fd::OwnedFd> {
    #[cfg(target_os = "linux")]
    return crate::procs::as_pid(pid).and_then(|pid| {
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
    });
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// Sleeps until one of them is readable or the time is up; which ones are.
///
/// # Errors
/// What the system says.
pub fn wait(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<PollFd<'_>> =
        fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let timeout = timeout.map(|t| Timespec {
        tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: t.subsec_nanos().into(),
    });
    match rustix::event::poll(&mut polled, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(polled.iter().map(|fd| !fd.revents().is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_wakes_the_listener_and_is_not_lost_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bell");
        make_fifo(&path).unwrap();
        assert!(!ring(&path, b'x'), "nobody listens yet");
        let bell = Bell::open(&path).unwrap();
        assert!(ring(&path, b'a') && ring(&path, b'b'));
        assert_eq!(wait(&[bell.as_fd()], None).unwrap(), [true]);
        assert_eq!(bell.drain(), b"ab");
        assert_eq!(wait(&[bell.as_fd()], Some(Duration::ZERO)).unwrap(), [false]);
        for _ in 0..100_000 {
            assert!(ring(&path, b'c'), "a full pipe does not block");
        }
    }

    #[test]
    fn a_folder_that_goes_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root");
        std::fs::create_dir(&path).unwrap();
        let _open = File::create(path.join("open")).unwrap();
        let watch = FolderWatch::new(&path, "open");
        assert!(!watch.is_gone());
        std::fs::remove_dir_all(&path).unwrap();
        if let Some(fd) = watch.fd() {
            assert_eq!(wait(&[fd], Some(Duration::from_secs(10))).unwrap(), [true]);
            watch.drain();
        }
        assert!(watch.is_gone());
    }
}

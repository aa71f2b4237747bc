//! Waiting for something to change in a run's folder, without turning in circles.
//!
//! On Linux the kernel says so (inotify), which costs nothing while nothing
//! happens. It cannot see what another host does on a network file system, so a
//! slow look every few seconds stands behind it while it matters; elsewhere that
//! look is all there is.

use std::{path::Path, time::Duration};

/// Watches a run's folder and its inbox.
#[derive(Debug)]
pub struct FolderWatch {
    #[cfg(target_os = "linux")]
    /// The kernel's notices; read like a pipe, which is all that is needed of it.
    events: Option<tokio::net::unix::pipe::Receiver>,
}

impl FolderWatch {
    /// Begins to watch; what changed before is not told. A reader watches the
    /// folder and the inbox, a conductor (`inbox_only`) does not want to hear of
    /// its own writing.
    pub fn new(dir: &crate::journal::RunDir, inbox_only: bool) -> Self {
        #[cfg(target_os = "linux")]
        {
            Self { events: inotify(dir.path(), &dir.inbox(), inbox_only) }
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (dir, inbox_only);
            Self {}
        }
    }

    /// Returns after a change, or after `at_most`; may return without either.
    /// Dropping the future loses nothing.
    pub async fn changed(&mut self, at_most: Option<Duration>) {
        #[cfg(target_os = "linux")]
        if let Some(events) = &self.events {
            let seen = async {
                if events.readable().await.is_ok() {
                    // What exactly changed is of no interest: the reader looks at
                    // everything.
                    let mut notices = [0; 4096];
                    while events.try_read(&mut notices).is_ok_and(|n| n > 0) {}
                }
            };
            match at_most {
                Some(time) => {
                    let _ = tokio::time::timeout(time, seen).await;
                }
                None => seen.await,
            }
            return;
        }
        // Without the kernel's help the look behind it is all there is.
        let time = at_most.unwrap_or(Duration::from_secs(2)).min(Duration::from_millis(500));
        tokio::time::sleep(time).await;
    }
}

#[cfg(target_os = "linux")]
fn inotify(run: &Path, inbox: &Path, inbox_only: bool) -> Option<tokio::net::unix::pipe::Receiver> {
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let gone = WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
    let flags = if inbox_only {
        gone
    } else {
        gone | WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::DELETE
    };
    inotify::add_watch(&fd, run, flags).ok()?;
    inotify::add_watch(&fd, inbox, WatchFlags::MOVED_TO | gone).ok()?;
    tokio::net::unix::pipe::Receiver::from_owned_fd_unchecked(fd).ok()
}

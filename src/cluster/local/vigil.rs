//! Waiting for the processes of one job, and ending them.
//!
//! ```text
//! running ─ all ended well ──────────────────────────▶ ended by itself
//!    ├─ one failed ─┐
//!    ├─ cancel ─────┼─▶ TERM to every group ─ grace ─▶ KILL ─▶ ended
//!    └─ time limit ─┘
//! ```

use std::{
    os::{fd::AsFd as _, unix::process::ExitStatusExt as _},
    path::Path,
    process::{Child, ExitStatus},
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{
    post_mortem::{EndedBy, Exit},
    processes, supervisor,
    wake::{self, Bell, FolderWatch},
    wire::Leader,
};
use crate::domain::resources::TimeLimit;

/// How long what a job left behind in its group may take to end, at most.
const AFTERMATH: Duration = Duration::from_secs(2);
/// Between looks at processes that are about to end.
const GLANCE: Duration = Duration::from_millis(20);

/// What is watched for.
#[derive(Debug)]
pub struct Vigil<'a> {
    /// Of the job; its processes are marked with it.
    pub folder: &'a Path,
    pub limit: Option<TimeLimit>,
    /// Between TERM and KILL.
    pub grace: Duration,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub by: EndedBy,
    /// Of the replica that decided: the first to fail, else the first of all.
    pub exit: Exit,
    pub rank: usize,
}

enum News {
    Ended(usize, ExitStatus),
    Cancel,
    /// The job's folder is gone: nobody can see or stop the job any more.
    Vanished,
}

/// The replicas' process groups.
struct Groups {
    leaders: Vec<u32>,
    /// `None` while it runs.
    exits: Vec<Option<Exit>>,
    news: Receiver<News>,
}

impl Vigil<'_> {
    /// Waits until the job has ended, one way or another, and nothing is left of
    /// it. `cancelled` is asked once, after the bell is being listened to.
    pub fn keep(
        &self,
        children: Vec<Child>,
        bell: Bell,
        folder: FolderWatch,
        cancelled: impl Fn() -> bool,
    ) -> Outcome {
        let (tell, news) = mpsc::channel();
        let leaders: Vec<u32> = children.iter().map(Child::id).collect();
        let exits = vec![None; leaders.len()];
        for (rank, mut child) in children.into_iter().enumerate() {
            let tell = tell.clone();
            thread::spawn(move || {
                // Waiting for a child of ours fails only when it was reaped already.
                let status = child.wait().unwrap_or_else(|_| ExitStatus::from_raw(0xff00));
                let _ = tell.send(News::Ended(rank, status));
            });
        }
        listen(bell, folder, tell.clone());
        if cancelled() {
            let _ = tell.send(News::Cancel);
        }
        let mut groups = Groups { leaders, exits, news };
        let by = self.wait(&mut groups);
        let decided = groups.deciding();
        self.end(&mut groups, by, decided.is_some());
        let (rank, exit) = decided.or_else(|| groups.deciding()).unwrap_or((0, Exit::Code(0)));
        Outcome { by, exit, rank }
    }

    /// Until there is nothing to wait for, or a reason to end it.
    fn wait(&self, groups: &mut Groups) -> EndedBy {
        let deadline =
            self.limit.and_then(|l| Instant::now().checked_add(Duration::from_secs(l.secs())));
        loop {
            if groups.all_ended() || groups.deciding().is_some_and(|(_, e)| e != Exit::Code(0)) {
                return EndedBy::Itself;
            }
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            match (groups.next(left), self.limit) {
                (Some(News::Ended(rank, status)), _) => groups.ended(rank, status),
                (Some(News::Cancel | News::Vanished), _) => return EndedBy::Cancel,
                (None, Some(limit)) => return EndedBy::TimeLimit(limit),
                (None, None) => {}
            }
        }
    }

    /// Ends everything that is left. A job that ended by itself may have left
    /// helpers in its group; they are asked to go, and then made to.
    fn end(&self, groups: &mut Groups, by: EndedBy, decided: bool) {
        let forced = by != EndedBy::Itself || (decided && !groups.all_ended());
        if !forced && groups.are_empty() {
            return;
        }
        // Some have left their group; who their parents are is known only now.
        let mut strays = Vec::new();
        if forced {
            strays = processes::descendants(&groups.live_leaders());
            strays.extend(processes::marked(self.folder));
        }
        groups.signal(Signal::TERM);
        signal_all(&strays, Signal::TERM);
        let patience = if forced { self.grace } else { self.grace.min(AFTERMATH) };
        groups.wait_until_gone(&mut strays, Instant::now() + patience);
        while !(groups.all_ended() && groups.are_empty() && strays.is_empty()) {
            groups.signal(Signal::KILL);
            if forced {
                strays = processes::marked(self.folder);
            }
            signal_all(&strays, Signal::KILL);
            groups.wait_until_gone(&mut strays, Instant::now() + Duration::from_secs(1));
        }
    }
}

fn signal_all(processes: &[Leader], signal: Signal) {
    for process in processes {
        processes::signal(*process, signal);
    }
}

impl Groups {
    /// The next news; `None` when the time is up.
    fn next(&self, timeout: Option<Duration>) -> Option<News> {
        match timeout {
            None => self.news.recv().ok(),
            Some(timeout) => self.news.recv_timeout(timeout).ok(),
        }
    }

    fn ended(&mut self, rank: usize, status: ExitStatus) {
        let exit = match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            (None, None) => Exit::Code(-1),
        };
        if let Some(slot) = self.exits.get_mut(rank) {
            *slot = Some(exit);
        }
    }

    fn all_ended(&self) -> bool {
        self.exits.iter().all(Option::is_some)
    }

    /// The failed replica, when there is one; the first, once all have ended well.
    /// Asked after every end, so the first to fail is found before others follow.
    fn deciding(&self) -> Option<(usize, Exit)> {
        let ended = self.exits.iter().enumerate().filter_map(|(rank, e)| Some((rank, (*e)?)));
        let failed = ended.clone().find(|(_, exit)| *exit != Exit::Code(0));
        failed.or_else(|| if self.all_ended() { ended.clone().next() } else { None })
    }

    fn live_leaders(&self) -> Vec<u32> {
        let pairs = self.leaders.iter().zip(&self.exits);
        pairs.filter(|(_, exit)| exit.is_none()).map(|(pid, _)| *pid).collect()
    }

    fn are_empty(&self) -> bool {
        self.leaders
            .iter()
            .zip(&self.exits)
            .all(|(pid, exit)| exit.is_some() && processes::group_is_empty(*pid))
    }

    /// A group whose leader was reaped keeps its number while it has members.
    fn signal(&self, signal: Signal) {
        for (pid, exit) in self.leaders.iter().zip(&self.exits) {
            if exit.is_none() || !processes::group_is_empty(*pid) {
                processes::signal_group(*pid, signal);
            }
        }
    }

    fn wait_until_gone(&mut self, strays: &mut Vec<Leader>, deadline: Instant) {
        loop {
            strays.retain(|s| processes::is_alive(*s));
            let leaders_gone = self.all_ended();
            if leaders_gone && self.are_empty() && strays.is_empty() {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // Leaders report; members and strays have to be looked at.
            let pause = if leaders_gone { left.min(GLANCE) } else { left };
            if let Some(News::Ended(rank, status)) = self.next(Some(pause)) {
                self.ended(rank, status);
            }
        }
    }
}

/// Listens for a cancel and for the end of the job's folder, for as long as this
/// process lives.
fn listen(bell: Bell, folder: FolderWatch, tell: Sender<News>) {
    thread::spawn(move || {
        loop {
            let mut fds = vec![bell.as_fd()];
            fds.extend(folder.fd());
            if wake::wait(&fds, None).is_err() {
                return;
            }
            folder.drain();
            let news = if bell.drain().contains(&supervisor::CANCEL) {
                News::Cancel
            } else if folder.is_gone() {
                News::Vanished
            } else {
                continue;
            };
            let gone = matches!(news, News::Vanished);
            if tell.send(news).is_err() || gone {
                return;
            }
        }
    });
}

//! Carrying a run on from the command line: progress, Ctrl-C, the end.
//!
//! ```text
//! RunHandle ─events▶ progress line … ─▶ Finish ─▶ answer, exit code
//!     ▲  Ctrl-C: detach, jobs stay │ with --stop-on-interrupt: cancel, then detach
//!     └─ the time is over: detach
//! ```

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep_until},
};

use super::{
    out::{Out, Paint},
    runs::in_words,
};
use crate::{
    app::text::safe,
    domain::{
        ids::JobIx,
        run::{Run, RunJob},
        status::Status,
    },
    error::{Kind, Report},
    runtime::handle::{Command, Event, Finish, RunHandle},
};

/// Why the command came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What it waited for happened.
    Reached,
    Interrupted,
    TimedOut,
}

/// How a run is followed.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub timeout: Option<Duration>,
    /// An interrupt stops the jobs.
    pub stop_on_interrupt: bool,
    /// Unsent work goes to a background process when this command leaves.
    pub background: bool,
    /// Show a progress line on a terminal.
    pub progress: bool,
}

/// What ends a program from outside.
#[derive(Debug)]
pub struct Interrupts {
    int: Signal,
    term: Signal,
    hup: Signal,
}

impl Interrupts {
    /// # Errors
    /// The system refuses to tell of signals.
    pub fn new() -> Result<Self, Report> {
        let listen = |kind| {
            signal(kind)
                .map_err(|e| Report::new(Kind::State, format!("cannot listen for signals: {e}")))
        };
        Ok(Self {
            int: listen(SignalKind::interrupt())?,
            term: listen(SignalKind::terminate())?,
            hup: listen(SignalKind::hangup())?,
        })
    }

    /// The next one; true for Ctrl-C, which a person pressed.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.int.recv() => true,
            _ = self.term.recv() => false,
            _ = self.hup.recv() => false,
        }
    }
}

/// Follows a run to its end, or to the end of patience.
///
/// # Errors
/// The conductor ended without a word, which is a bug.
pub async fn follow(
    out: &Out,
    handle: &mut RunHandle,
    interrupts: &mut Interrupts,
    wish: Wish,
) -> Result<(Finish, End), Report> {
    let on = wish.progress && out.error_terminal;
    let mut line = Line { out, on, shown: false, stalled: None };
    let deadline = wish.timeout.map(|t| Instant::now() + t);
    let mut end = End::Reached;
    let mut interrupts_seen = 0_u32;
    line.show(&handle.run);
    loop {
        let over = async {
            match deadline {
                Some(at) if end == End::Reached => sleep_until(at).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            event = handle.next() => match event {
                Some(Event::Finished(finish)) => {
                    line.clear();
                    return Ok((finish, end));
                }
                Some(event) => line.tell(&event, &handle.run),
                None => {
                    line.clear();
                    return Err(Report::new(Kind::Internal, "the conductor ended without a word"));
                }
            },
            () = over => {
                end = End::TimedOut;
                handle.commands.send(Command::Detach { background: wish.background });
            }
            by_hand = interrupts.next() => {
                end = End::Interrupted;
                interrupts_seen += 1;
                line.clear();
                if wish.stop_on_interrupt && by_hand && interrupts_seen == 1 {
                    let jobs = live(&handle.run);
                    out.say(format!("interrupted: stopping {}; again leaves at once", jobs_word(jobs.len())));
                    handle.commands.send(Command::Cancel { jobs, why: None });
                } else {
                    handle.commands.send(Command::Detach { background: wish.background });
                }
            }
        }
    }
}

/// Jobs that have not ended.
pub fn live(run: &Run) -> Vec<JobIx> {
    let all = (0..).map(JobIx).zip(&run.jobs);
    all.filter(|(_, job)| !job.status.is_ended()).map(|(ix, _)| ix).collect()
}

/// Why not all jobs run: the reason of the first that is queued, or else of the first
/// that waits here.
fn stuck(run: &Run) -> Option<Arc<str>> {
    let first = |status| {
        let is = |(_, job): &(JobIx, &RunJob)| job.status == status;
        let found = (run.count(status) > 0).then(|| (0..).map(JobIx).zip(&run.jobs).find(is));
        found.flatten().and_then(|(ix, _)| run.reason(ix))
    };
    first(Status::Pending).or_else(|| first(Status::Waiting))
}

/// Why nothing goes on by itself: every job that was sent is blocked, for a reason that
/// says what to do.
fn stalled(run: &Run) -> Option<Arc<str>> {
    let busy = [Status::Running, Status::Submitting, Status::Unknown];
    if run.count(Status::Pending) == 0 || busy.into_iter().any(|status| run.count(status) > 0) {
        return None;
    }
    let mut pending =
        (0..).map(JobIx).zip(&run.jobs).filter(|(_, job)| job.status == Status::Pending);
    let (first, _) = pending.clone().next()?;
    if pending.all(|(_, job)| job.blocked) { run.reason(first) } else { None }
}

/// `1 job`, `3 jobs`.
pub fn jobs_word(n: usize) -> String {
    if n == 1 { "1 job".into() } else { format!("{n} jobs") }
}

/// Columns of the progress bar.
const BAR: usize = 24;

/// The line that is painted over.
struct Line<'a> {
    out: &'a Out,
    on: bool,
    shown: bool,
    /// What was last said of a run that stands still.
    stalled: Option<Arc<str>>,
}

impl Line<'_> {
    fn tell(&mut self, event: &Event, run: &Run) {
        match event {
            Event::Trouble(report) => {
                self.clear();
                self.out.report(report);
            }
            Event::Did(done) => {
                self.clear();
                self.out.say(super::out::several_lines(&done.message));
                for note in &done.notes {
                    self.out.warn(note);
                }
            }
            _ => {}
        }
        self.show(run);
        if !self.on {
            self.say_stalled(run);
        }
    }

    /// Where no line shows it: a silent command looks like one that hangs.
    fn say_stalled(&mut self, run: &Run) {
        let now = stalled(run);
        if let Some(why) = now.as_ref().filter(|_| now != self.stalled) {
            self.out.say(format!("nothing goes on by itself: {}", safe(why)));
        }
        self.stalled = now;
    }

    fn show(&mut self, run: &Run) {
        if !self.on {
            return;
        }
        let total = run.jobs.len().max(1);
        let cells = |n: usize| n * BAR / total;
        let done = cells(run.count(Status::Succeeded));
        let ended: usize =
            Status::ALL.into_iter().filter(|s| s.is_ended()).map(|s| run.count(s)).sum();
        let bad = cells(ended).saturating_sub(done);
        let busy = cells(ended + run.count(Status::Running)).saturating_sub(done + bad);
        let rest = BAR.saturating_sub(done + bad + busy);
        let bar = format!(
            "{}{}{}{}",
            self.out.paint_error(Paint::Good, &"█".repeat(done)),
            self.out.paint_error(Paint::Bad, &"✗".repeat(bad)),
            self.out.paint_error(Paint::Busy, &"▓".repeat(busy)),
            self.out.paint_error(Paint::Dim, &"░".repeat(rest)),
        );
        let counts = Status::ALL.into_iter().map(|s| (s, run.count(s)));
        let room = super::out::columns().saturating_sub(BAR + 3);
        let mut words = in_words(counts);
        if let Some(why) = stuck(run) {
            words = format!("{words} · {}", safe(&why));
        }
        let words = crate::app::text::fit(&words, room).into_owned();
        self.out.progress(&format!("{bar} {words}"));
        self.shown = true;
    }

    fn clear(&mut self) {
        if self.shown {
            self.out.progress("");
            self.shown = false;
        }
    }
}

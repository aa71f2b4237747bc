//! The terminal: taken over at the start, given back however the program ends.
//!
//! ```text
//! Screen::enter ─▶ raw mode, alternate screen ─▶ drop │ panic │ signal ─▶ restored once
//! ```

use std::{
    fs::{self, OpenOptions},
    io::{self, Stdout, Write},
    mem::ManuallyDrop,
    panic,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use crossterm::{
    cursor, event, execute,
    terminal::{
        EnterAlternateScreen, LeaveAlternateScreen, SetTitle, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Terminal, backend::CrosstermBackend};
use rustix::process::{Signal, kill_current_process_group};
use tokio::sync::mpsc;

use crate::{
    app::msg::Msg,
    error::{Kind, Report},
};

/// Whether there is something to restore.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether the mouse was asked for.
static MOUSE: AtomicBool = AtomicBool::new(false);
/// Where panics of other threads than the screen's are told.
static ELSEWHERE: Mutex<Option<mpsc::UnboundedSender<Msg>>> = Mutex::new(None);

/// The terminal while it is ours.
///
/// Its library shows the cursor when it is dropped, and panics where that fails and
/// standard error is gone too: so it never is. [`restore`] does it.
#[derive(Debug)]
pub struct Screen {
    pub terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// It is not a terminal, or does not obey; it is restored then.
    pub fn enter(mouse: bool) -> io::Result<Self> {
        MOUSE.store(mouse, Ordering::SeqCst);
        let enter = || -> io::Result<Self> {
            take()?;
            let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
            Ok(Self { terminal: ManuallyDrop::new(terminal) })
        };
        enter().inspect_err(|_| restore())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let mut out = io::stdout();
    execute!(out, EnterAlternateScreen, event::EnableBracketedPaste, SetTitle("jobdeck"))?;
    if MOUSE.load(Ordering::SeqCst) {
        execute!(out, event::EnableMouseCapture)?;
    }
    Ok(())
}

/// Gives the terminal back and stops this program until the shell continues it.
/// Without a shell that could, nothing stops and the terminal is taken again.
pub fn suspend() {
    restore();
    let _ = kill_current_process_group(Signal::TSTP);
    retake();
}

/// Takes the terminal again after the program was stopped. What is on it is
/// unknown: everything must be drawn anew.
pub fn retake() {
    // Raw mode is asked for anew even when we think that we have it: the shell may
    // have changed the modes while this program was stopped.
    let _ = disable_raw_mode();
    let _ = take();
}

/// Gives the terminal back; once, whoever asks first. Errors are of no use here:
/// the terminal may be gone.
pub fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _ = execute!(
        out,
        event::DisableMouseCapture,
        event::DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// What the panic hook does with a panic of this thread.
fn is_screens(owner: ThreadId) -> bool {
    thread::current().id() == owner || !TAKEN.load(Ordering::SeqCst)
}

/// Adds a panic to the log of panics. Nobody is told when that fails: what went
/// wrong first matters more.
pub fn keep(log: &Path, info: &panic::PanicHookInfo<'_>) {
    if let Some(folder) = log.parent() {
        let _ = fs::create_dir_all(folder);
    }
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(log) {
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(file, "{} jobdeck {version}: {info}", jiff::Timestamp::now());
    }
}

/// From now on a panic of this thread restores the terminal before it is printed;
/// one of any other thread becomes an error panel and a line in the log, so that
/// it does not paint over the screen.
pub fn install_panic_hook(news: mpsc::UnboundedSender<Msg>, log: PathBuf) {
    if let Ok(mut slot) = ELSEWHERE.lock() {
        *slot = Some(news);
    }
    let owner = thread::current().id();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if is_screens(owner) {
            restore();
            before(info);
            keep(&log, info);
            let words =
                format!("jobdeck met a bug of its own; it is also told in {}", log.display());
            let _ = writeln!(io::stderr(), "{words}");
            return;
        }
        keep(&log, info);
        let report = Report::new(Kind::Internal, format!("a bug: {info}"))
            .hint("go on working, and report it with this text")
            .hint(format!("it is also told in {}", log.display()));
        if let Ok(slot) = ELSEWHERE.lock()
            && let Some(news) = slot.as_ref()
        {
            let _ = news.send(Msg::Failed(report));
        }
    }));
}

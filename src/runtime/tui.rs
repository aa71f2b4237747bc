//! The terminal UI: engine, loop and terminal put together.
//!
//! ```text
//! tui ─▶ theme ─▶ Screen::enter ─▶ App::run ─▶ Screen dropped ─▶ Effects::leave ─▶ exit code
//! ```

use std::{
    io::{self, IsTerminal, Write as _},
    path::PathBuf,
};

use jiff::{Timestamp, tz::TimeZone};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::Signal,
};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use super::{
    app_loop::{App, Perform},
    effects::Effects,
    engine::Engine,
    keyboard,
    terminal::{self, Screen},
    themes, ui_file,
};
use crate::{
    app::{
        effect::Effect,
        model::{Model, Settings},
        msg::Msg,
    },
    config::Config,
    domain::site::{ClusterViews, Limits},
    error::{Kind, Report},
};

/// How the UI is opened.
#[derive(Debug)]
pub struct Start {
    pub engine: Engine,
    /// Opened in Compose.
    pub file: Option<PathBuf>,
    /// No colours, as with `NO_COLOR`.
    pub no_color: bool,
}

/// Runs the terminal UI until the user leaves; the exit code. The thread that
/// polls this is the screen's: it should be the main thread.
///
/// # Errors
/// There is no terminal, or it cannot be drawn to.
pub async fn tui(start: Start) -> Result<u8, Report> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Report::new(Kind::Usage, "the terminal UI needs a terminal")
            .hint("use `jobdeck plan FILE` and `jobdeck submit FILE` in scripts")
            .hint("see `jobdeck --help`"));
    }
    for line in run(start).await? {
        // The terminal may be gone.
        let _ = writeln!(io::stderr(), "jobdeck: {line}");
    }
    Ok(0)
}

async fn run(start: Start) -> Result<Vec<String>, Report> {
    let Start { engine, file, no_color } = start;
    let config = engine.config().clone();
    let (theme, problems) = themes::choose(&config, no_color);
    let (news, mut inbox) = mpsc::unbounded_channel();
    let lost =
        |e: io::Error| Report::new(Kind::Internal, format!("the terminal cannot be used: {e}"));
    let log = engine.state().panics();
    let remembered = engine.state().ui();
    let mut screen = Screen::enter(config.ui.mouse).map_err(lost)?;
    terminal::install_panic_hook(news.clone(), log);
    let size = screen.terminal.size().map_err(lost)?;
    let mut model =
        Model::new(settings(&config, engine.views()), Timestamp::now(), size.width, size.height);
    let orders = ui_file::read(&remembered);
    model.set_orders(orders);
    let (keyboard, typed) = keyboard::typed();
    let mut effects = Effects::new(engine, news.clone(), keyboard);
    watch_signals(&news);
    watch_continue(&news);
    watch_terminal(&news);
    for problem in problems {
        let _ = news.send(Msg::Failed(Report::new(Kind::Config, problem)));
    }
    match file {
        Some(path) => {
            effects.perform(Effect::OpenFile { path: path.clone(), may_be_new: true });
            effects.find_drafts(Some(path));
        }
        None => effects.find_drafts(None),
    }
    effects.perform(Effect::CheckClusters);
    let mut app = App {
        terminal: &mut screen.terminal,
        model: &mut model,
        theme: &theme,
        perform: &mut effects,
        clock: Timestamp::now,
        spoilt: false,
    };
    let ended = app.run(typed, &mut inbox).await;
    drop(screen);
    let sorted = model.orders();
    if sorted != orders {
        let _ = tokio::task::spawn_blocking(move || ui_file::write(&remembered, sorted)).await;
    }
    let words = effects.leave().await;
    // A terminal that is gone is a reason to leave, not an error.
    match ended {
        Err(e) if !is_hang_up(&e) => Err(lost(e)),
        _ => Ok(words),
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected)
        || error.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Terminate, hang-up and an interrupt from outside end the program in good order.
fn watch_signals(news: &mpsc::UnboundedSender<Msg>) {
    let kinds = [
        (SignalKind::terminate(), Msg::Terminate),
        (SignalKind::hangup(), Msg::Terminate),
        (SignalKind::interrupt(), Msg::Interrupt),
    ];
    for (kind, msg) in kinds {
        let news = news.clone();
        if let Ok(mut stream) = signal(kind) {
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    let _ = news.send(msg.clone());
                }
            });
        }
    }
}

/// A terminal whose other side is gone is a reason to leave. The kernel says so with a
/// signal to those whose controlling terminal it is and who do not ignore it; the others
/// would read its end again and again.
fn watch_terminal(news: &mpsc::UnboundedSender<Msg>) {
    let news = news.clone();
    // Nothing to read is asked about: this sleeps until then, or until the program ends.
    let wait = move || {
        let stdin = io::stdin();
        let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
        loop {
            let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
            match poll(&mut terminal, None) {
                Ok(_) if terminal.iter().any(|fd| fd.revents().intersects(gone)) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
        let _ = news.send(Msg::Terminate);
    };
    // Without the thread the signal alone has to do.
    let _ = std::thread::Builder::new().name("terminal".into()).spawn(wait);
}

/// Stopped and continued, the program takes its terminal again.
fn watch_continue(news: &mpsc::UnboundedSender<Msg>) {
    let news = news.clone();
    if let Ok(mut stream) = signal(SignalKind::from_raw(Signal::CONT.as_raw())) {
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                let _ = news.send(Msg::Continued);
            }
        });
    }
}

fn settings(config: &Config, views: ClusterViews) -> Settings {
    let default = config.default_cluster.as_ref();
    let mut names: Vec<String> =
        config.clusters.iter().filter(|(_, c)| c.enabled).map(|(id, _)| id.to_string()).collect();
    names.sort_by_key(|name| default.is_none_or(|d| d.as_str() != name));
    let listed = |limits: &Limits| -> Vec<String> {
        limits.allowed_projects.iter().flatten().filter(|p| *p != "*").cloned().collect()
    };
    let mut projects = listed(&config.limits);
    projects.extend(config.clusters.values().flat_map(|c| listed(&c.limits)));
    projects.sort();
    projects.dedup();
    Settings {
        confirm_jobs: config.ui.confirm_jobs,
        confirm_gpus: config.ui.confirm_gpus,
        cluster_names: names,
        projects,
        default_cluster: default.map(ToString::to_string),
        limits: config.limits.clone(),
        views,
        time_zone: TimeZone::system(),
    }
}

//! Effects as tasks: what the update asks for is done here, and what comes of it
//! goes back as messages.
//!
//! ```text
//! Effect ─perform▶ task ─▶ Msg ─▶ the loop
//!   Plan       newest text wins, in a thread of its own
//!   OpenRun    one run is open at a time; a former one is left in good order
//!   FollowLog  one log is followed at a time
//!   SaveDraft  shortly after the last key; at the end at once
//! ```
//! Lives as long as the screen; [`Effects::leave`] ends it.

use std::{
    io::Write,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    app_loop::Perform,
    engine::{Engine, Options},
    handle::{Code, Command, Finish, Until},
    keyboard::Keyboard,
    requests::{self, Asked},
    templates::{self as library, Folders},
    terminal,
};
use crate::{
    app::{
        effect::{Effect, RunCommand},
        msg::{self, Msg},
    },
    domain::{
        ids::{ClusterId, RunId},
        plan::Plan,
        run::Conductor,
    },
    error::{Kind, Report},
    procs,
};

mod drafts;
mod files;
mod opened;
mod planning;
mod templates;

/// The example batch that comes with the program.
pub const QUICKSTART: &str = include_str!("../../../configs/quickstart.yaml");

/// How long leaving may take: requests under way are answered first.
const LEAVING: Duration = Duration::from_secs(10);

pub(super) type News = mpsc::UnboundedSender<Msg>;

/// Health of every cluster, gathered from checks and from the open run.
type Health = Arc<Mutex<Vec<msg::ClusterHealth>>>;

/// Performs effects on the engine.
#[derive(Debug)]
pub struct Effects {
    engine: Engine,
    news: News,
    health: Health,
    planning: planning::Planning,
    drafts: drafts::Drafts,
    opened: Option<opened::Opened>,
    /// Runs that were left and are still being left.
    leaving: Vec<JoinHandle<Option<Finish>>>,
    keyboard: Keyboard,
    checking: watch::Sender<()>,
    /// Clusters are asked nothing that is only for looking. Sent anew when a person
    /// wants them asked once.
    paused: watch::Sender<bool>,
}

impl Effects {
    /// Must be made inside the runtime its tasks will run on.
    pub(super) fn new(engine: Engine, news: News, keyboard: Keyboard) -> Self {
        let health = Health::default();
        Self {
            planning: planning::Planning::start(engine.clone(), news.clone()),
            drafts: drafts::Drafts::start(engine.state().drafts(), news.clone()),
            checking: start_checking(engine.clone(), health.clone(), news.clone()),
            health,
            opened: None,
            leaving: Vec::new(),
            paused: watch::Sender::new(false),
            keyboard,
            engine,
            news,
        }
    }

    /// Unsaved batches of sessions that ended without asking: all, or those of one
    /// file.
    pub fn find_drafts(&self, of: Option<std::path::PathBuf>) {
        let (folder, news) = (self.engine.state().drafts(), self.news.clone());
        tokio::task::spawn_blocking(move || {
            let mut found = drafts::left_behind(&folder);
            if let Some(file) = of.map(|path| files::absolute(&path)) {
                found.retain(|draft| draft.path.as_ref() == Some(&file));
            }
            if !found.is_empty() {
                let _ = news.send(Msg::Drafts(found));
            }
        });
    }

    /// Ends in good order: drafts are on disk, the open run goes on in the
    /// background where something is left to do. What goes on, in words.
    pub async fn leave(mut self) -> Vec<String> {
        self.drafts.flush().await;
        if let Some(opened) = self.opened.take() {
            self.leaving.push(opened.leave());
        }
        let mut words = Vec::new();
        let end = tokio::time::Instant::now() + LEAVING;
        for task in self.leaving {
            match tokio::time::timeout_at(end, task).await {
                Ok(Ok(Some(finish))) => words.extend(farewell(&finish)),
                Ok(_) => {}
                Err(_) => words.push("a request is still unanswered; it will be looked up".into()),
            }
        }
        words
    }

    /// Runs a piece of work; its report, should it fail, is shown.
    fn spawn<F>(&self, work: F)
    where
        F: Future<Output = Result<Option<Msg>, Report>> + Send + 'static,
    {
        let news = self.news.clone();
        tokio::spawn(async move {
            let done = std::panic::AssertUnwindSafe(work).catch_unwind().await;
            let msg = match done {
                Ok(Ok(msg)) => msg,
                Ok(Err(report)) => Some(Msg::Failed(report)),
                // The panic hook has told it.
                Err(_) => None,
            };
            if let Some(msg) = msg {
                let _ = news.send(msg);
            }
        });
    }

    /// Like [`Effects::spawn`] for work that waits for the disk.
    fn spawn_blocking(&self, work: impl FnOnce() -> Result<Option<Msg>, Report> + Send + 'static) {
        self.spawn(async move { tokio::task::spawn_blocking(work).await.unwrap_or(Ok(None)) });
    }

    fn open(&mut self, opening: opened::Opening) {
        self.close();
        let (engine, news, health) = (self.engine.clone(), self.news.clone(), self.health.clone());
        self.opened =
            Some(opened::Opened::start(engine, opening, news, health, self.paused.subscribe()));
    }

    fn options(&self, options: Options) -> Options {
        Options { paused: *self.paused.borrow(), ..options }
    }

    fn close(&mut self) {
        self.leaving.retain(|task| !task.is_finished());
        if let Some(former) = self.opened.take() {
            self.leaving.push(former.leave());
        }
    }

    fn submit(&mut self, plan: Plan) {
        match plan.approve(RunId::from_entropy(fastrand::u64(..)), Timestamp::now()) {
            Ok(approved) => {
                let options = self.options(Options::conduct(Until::Told));
                self.open(opened::Opening::Start(Box::new(approved), options));
            }
            // The confirm box offers no such plan.
            Err(_) => self.tell(Msg::Failed(Report::new(
                Kind::Batch,
                "the batch has errors, so nothing was submitted",
            ))),
        }
    }

    /// Lends the terminal to the cluster's login. Signals of the keyboard reach both
    /// programs; this one leaves them to the other (`Model::lent`).
    fn log_in(&self, cluster: ClusterId) {
        let command = self.engine.clusters().get(&cluster).and_then(|c| c.login());
        let (keyboard, news) = (self.keyboard.clone(), self.news.clone());
        tokio::spawn(async move {
            let error = match command {
                Some(command) => {
                    keyboard.rest().await;
                    terminal::restore();
                    let words = format!("jobdeck: logging in to {cluster}; Ctrl-C gives up\n");
                    let _ = std::io::stderr().write_all(words.as_bytes());
                    let ended =
                        tokio::process::Command::from(command).kill_on_drop(true).status().await;
                    keyboard.wake();
                    login_failure(ended)
                }
                None => Some("it has none".to_owned()),
            };
            if let Ok((width, height)) = crossterm::terminal::size() {
                let _ = news.send(Msg::Resize { width, height });
            }
            let _ = news.send(Msg::LoggedIn { cluster, error });
        });
    }

    fn tell(&self, msg: Msg) {
        let _ = self.news.send(msg);
    }

    fn command(&self, run: &RunId, command: Command) {
        match &self.opened {
            Some(opened) if opened.is(run) => opened.command(command),
            _ => self.tell(Msg::Failed(
                Report::new(Kind::State, format!("run {run} is not open here"))
                    .hint("open it in Runs (4) first"),
            )),
        }
    }
}

impl Perform for Effects {
    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Plan { revision, name, base_dir, text, again } => {
                if again {
                    self.engine.forget_recent();
                }
                self.planning.ask(planning::Asked { revision, name, base_dir, text });
            }
            Effect::RenderRequests { revision, plan } => {
                let engine = self.engine.clone();
                self.spawn_blocking(move || {
                    let text = planning::shown(&engine, &plan);
                    Ok(Some(Msg::Requests { revision, text }))
                });
            }
            Effect::AskAbout { revision, plan } => {
                let (engine, news) = (self.engine.clone(), self.news.clone());
                tokio::spawn(async move {
                    let asked = requests::ask(&plan, &engine).await;
                    let Asked { estimates, findings, troubles, .. } = asked;
                    let told = msg::Told { estimates, findings, troubles };
                    let _ = news.send(Msg::ToldAbout { revision, told });
                });
            }
            Effect::Submit { plan } => self.submit(*plan),
            Effect::OpenFile { path, may_be_new } => {
                self.spawn_blocking(move || files::open(&path, may_be_new).map(Some));
            }
            Effect::Quickstart => {
                self.tell(Msg::Cloned { name: "quickstart".into(), text: QUICKSTART.into() });
            }
            Effect::SaveFile { path, text, known, replace } => {
                self.spawn_blocking(move || {
                    files::save(&path, &text, known.as_deref(), replace).map(Some)
                });
            }
            Effect::ListTemplates => self.spawn_blocking(|| {
                Ok(Some(Msg::Templates(library::read(&Folders::from_environment()))))
            }),
            Effect::SaveTemplate { name, text, replace } => self.spawn_blocking(move || {
                templates::keep(&Folders::from_environment(), name, text, replace).map(Some)
            }),
            Effect::SaveDraft { id, path, text, half_typed } => {
                self.drafts.save(id, drafts::Unsaved { path, text, half_typed });
            }
            Effect::ListFolder { path } => {
                self.spawn_blocking(move || Ok(Some(files::list(path))));
            }
            Effect::ListRuns => {
                let engine = self.engine.clone();
                self.spawn(async move {
                    let runs = engine.runs().await?;
                    Ok(Some(Msg::Runs(runs.into_iter().map(summary).collect())))
                });
            }
            Effect::OpenRun { run } => {
                self.open(opened::Opening::Open(run, self.options(Options::window())));
            }
            Effect::CloseRun => self.close(),
            Effect::CloneRun { run } => {
                let engine = self.engine.clone();
                self.spawn(async move {
                    let text = engine.export(&run).await?;
                    Ok(Some(Msg::Cloned { name: run.to_string(), text }))
                });
            }
            Effect::Run { run, command } => {
                let command = match command {
                    RunCommand::Cancel { jobs, why } => Command::Cancel { jobs, why },
                    RunCommand::Act { action, jobs } => Command::Act { action, jobs },
                    RunCommand::Retry { jobs, changes, current_code } => Command::Retry {
                        jobs,
                        changes,
                        code: if current_code { Code::Current } else { Code::Original },
                    },
                    RunCommand::Send => Command::Send,
                    RunCommand::StopSending => Command::StopSending,
                };
                self.command(&run, command);
            }
            Effect::CompareCode { run, jobs, folders } => {
                let engine = self.engine.clone();
                self.spawn_blocking(move || {
                    // What cannot be compared is no reason to disturb a question.
                    let since = engine.compare_code(&run, &folders).unwrap_or_default();
                    Ok((!since.is_empty()).then_some(Msg::CodeCompared { run, jobs, since }))
                });
            }
            Effect::FollowLog(request) => match &mut self.opened {
                Some(opened) if opened.is(&request.run) => opened.follow(request),
                _ => self.tell(Msg::LogFailed {
                    serial: request.serial,
                    why: "the run is not open here".into(),
                }),
            },
            Effect::StopLog => {
                if let Some(opened) = &mut self.opened {
                    opened.stop_log();
                }
            }
            Effect::CheckClusters => {
                self.checking.send_replace(());
            }
            Effect::LogIn { cluster } => self.log_in(cluster),
            Effect::Copy { text } => {
                let mut out = std::io::stdout();
                let copy = crossterm::clipboard::CopyToClipboard::to_clipboard_from(text);
                let _ = crossterm::queue!(out, copy).and_then(|()| out.flush());
            }
            Effect::PausePolling(paused) => {
                self.paused.send_replace(paused);
                if let Some(opened) = &self.opened {
                    opened.command(Command::PausePolling(paused));
                }
            }
            Effect::Refresh => {
                self.paused.send_modify(|_| {});
                if let Some(opened) = &self.opened {
                    opened.command(Command::Poll);
                }
            }
            Effect::Suspend => terminal::suspend(),
            Effect::Retake => terminal::retake(),
            // The loop ends by itself; see `leave`.
            Effect::Quit => {}
        }
    }
}

/// Why a login did not succeed; ssh has told the rest at the terminal.
fn login_failure(ended: std::io::Result<ExitStatus>) -> Option<String> {
    match ended {
        Ok(status) if status.success() => None,
        Ok(status) => Some(match status.code() {
            Some(code) => format!("ssh ended with code {code}"),
            None => "ssh was interrupted".to_owned(),
        }),
        Err(error) => Some(format!("ssh cannot be started: {error}")),
    }
}

/// The task that asks the clusters.
fn start_checking(engine: Engine, health: Health, news: News) -> watch::Sender<()> {
    one_at_a_time(move || {
        let (engine, health, news) = (engine.clone(), health.clone(), news.clone());
        async move {
            let clusters = engine.check_clusters().await;
            let fresh = clusters
                .into_iter()
                .map(|c| opened::health(c.id, c.kind, c.enabled, c.can, c.health));
            let all = {
                let mut all = health.lock().unwrap_or_else(PoisonError::into_inner);
                *all = fresh.collect();
                all.clone()
            };
            let _ = news.send(Msg::Clusters(all));
        }
    })
}

/// A task that does this piece of work whenever it is asked to. However often it is
/// asked meanwhile, it is done once more. Ends when nobody can ask any more.
fn one_at_a_time<F>(work: impl Fn() -> F + Send + 'static) -> watch::Sender<()>
where
    F: Future<Output = ()> + Send,
{
    let (ask, mut asked) = watch::channel(());
    tokio::spawn(async move {
        while asked.changed().await.is_ok() {
            work().await;
        }
    });
    ask
}

fn summary(run: super::engine::RunSummary) -> msg::RunSummary {
    msg::RunSummary {
        run: run.run,
        batch: run.batch,
        created_at: run.created_at,
        ended: run.ended,
        counts: run.counts.into_iter().collect(),
        gpus: run.total_gpus,
        unsent: run.unsent,
        held: run.held,
        damaged: run.damaged,
        conductor: run.conductor.as_ref().map(in_words),
    }
}

/// Who conducts, as it is told: `this window`, `a background process (pid 12)`,
/// `another window on node7 (pid 12)`.
pub(super) fn in_words(conductor: &Conductor) -> String {
    if conductor.pid == std::process::id() && conductor.host == procs::host() {
        return "this window".into();
    }
    let what = if conductor.background { "a background process" } else { "another window" };
    let place = if conductor.host == procs::host() {
        String::new()
    } else {
        format!(" on {}", conductor.host)
    };
    format!("{what}{place} (pid {})", conductor.pid)
}

/// What goes on after the screen is gone, for standard error.
fn farewell(finish: &Finish) -> Option<String> {
    use crate::app::text::count;
    if let Some(successor) = &finish.successor {
        let unsent = match finish.unsent {
            0 => "the run is".to_owned(),
            n => format!("{} {}", count(n as u64, "job"), if n == 1 { "is" } else { "are" }),
        };
        let who = successor.in_words();
        return Some(format!("{unsent} carried on by {who}; look with `jobdeck status last`"));
    }
    (finish.unsent > 0).then(|| {
        let jobs = count(finish.unsent as u64, "job");
        format!("{jobs} not sent and held; go on with `jobdeck send last`")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_for_meanwhile_is_done_once_more() {
        let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let ask = one_at_a_time({
            let (begun, gate) = (begun.clone(), gate.clone());
            move || {
                begun.fetch_add(1, SeqCst);
                let gate = gate.clone();
                async move {
                    if let Ok(permit) = gate.acquire().await {
                        permit.forget();
                    }
                }
            }
        });
        // The clock stands until every task waits.
        let idle = || tokio::time::sleep(Duration::from_millis(1));
        idle().await;
        assert_eq!(begun.load(SeqCst), 0, "nobody asked");
        ask.send_replace(());
        idle().await;
        for _ in 0..5 {
            ask.send_replace(());
            idle().await;
        }
        assert_eq!(begun.load(SeqCst), 1, "one at a time");
        gate.add_permits(9);
        idle().await;
        assert_eq!(begun.load(SeqCst), 2);
    }
}

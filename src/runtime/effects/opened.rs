//! The run that is open in Monitor.
//!
//! ```text
//! Opening ─▶ RunHandle ─▶ events ─▶ messages
//!               ▲  └──▶ one log followed at a time
//!            commands        leave ─▶ Detach ─▶ Finish
//! ```

use std::{sync::PoisonError, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinHandle},
};

use super::{Health, News, in_words};
use crate::{
    app::{
        effect::{LogRange, LogRequest, Stream},
        msg::{self, LogPart, Msg},
    },
    cluster::{ClusterError, LogChunk, LogCursor, LogSource, LogStream},
    domain::{
        ids::{ClusterId, RunId},
        plan::Approved,
        run::Run,
        site::{Capabilities, Capacity, ClusterKind},
    },
    runtime::{
        engine::{Engine, Options},
        handle::{self, Command, Event, Finish, Role, RunHandle},
    },
};

/// How a run comes to be open.
#[derive(Debug)]
pub(super) enum Opening {
    Start(Box<Approved>, Options),
    Open(RunId, Options),
}

#[derive(Debug)]
enum Order {
    Do(Command),
    Follow(LogRequest),
    StopLog,
    Leave,
}

#[derive(Debug)]
pub(super) struct Opened {
    run: RunId,
    orders: mpsc::UnboundedSender<Order>,
    task: JoinHandle<Option<Finish>>,
}

impl Opened {
    /// `paused`: whether nothing is asked that is only for looking.
    pub(super) fn start(
        engine: Engine,
        opening: Opening,
        news: News,
        health: Health,
        paused: watch::Receiver<bool>,
    ) -> Self {
        let run = match &opening {
            Opening::Start(approved, _) => approved.run().clone(),
            Opening::Open(run, _) => run.clone(),
        };
        let (orders, inbox) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            let handle = match opening {
                Opening::Start(approved, options) => engine.start(*approved, options).await,
                Opening::Open(run, options) => engine.open(&run, options).await,
            };
            match handle {
                Ok(handle) => attend(engine, handle, inbox, news, health, paused).await,
                Err(report) => {
                    let _ = news.send(Msg::Failed(report));
                    None
                }
            }
        });
        Self { run, orders, task }
    }

    pub(super) fn is(&self, run: &RunId) -> bool {
        self.run == *run
    }

    pub(super) fn command(&self, command: Command) {
        let _ = self.orders.send(Order::Do(command));
    }

    pub(super) fn follow(&self, request: LogRequest) {
        let _ = self.orders.send(Order::Follow(request));
    }

    pub(super) fn stop_log(&self) {
        let _ = self.orders.send(Order::StopLog);
    }

    /// Leaves the run in good order; the task ends with how it was left.
    pub(super) fn leave(self) -> JoinHandle<Option<Finish>> {
        let _ = self.orders.send(Order::Leave);
        self.task
    }
}

/// One cluster's health as the screen shows it.
pub(super) fn health(
    id: ClusterId,
    kind: ClusterKind,
    enabled: bool,
    can: Capabilities,
    health: handle::Health,
) -> msg::ClusterHealth {
    msg::ClusterHealth {
        id,
        kind,
        enabled,
        can,
        capacity: health.capacity,
        offers: health.offers,
        last_seen: health.last_seen,
        error: health.error,
        needs_login: health.needs_login,
        latency_ms: health.latency_ms,
        requests_per_minute: health.requests_per_minute,
    }
}

/// Passes events on until the run is left.
async fn attend(
    engine: Engine,
    mut handle: RunHandle,
    mut inbox: mpsc::UnboundedReceiver<Order>,
    news: News,
    all_health: Health,
    paused: watch::Receiver<bool>,
) -> Option<Finish> {
    let tell = |msg| {
        let _ = news.send(msg);
    };
    let run = handle.id.clone();
    let conducting = |role: &Role| Msg::Conducting {
        run: run.clone(),
        conducting: *role == Role::Conducting,
        other: match role {
            Role::Following(conductor) => Some(in_words(conductor)),
            Role::Conducting | Role::Looking => None,
        },
    };
    tell(Msg::RunOpened {
        run: Box::new(handle.run.clone()),
        conducting: handle.role == Role::Conducting,
    });
    tell(conducting(&handle.role));
    let known: Vec<_> = handle.health.iter().map(|(id, h)| (id.clone(), h.clone())).collect();
    for (id, fresh) in known {
        tell(merge(&engine, &all_health, id, fresh));
    }
    let mut log: Option<AbortHandle> = None;
    let mut leaving = false;
    loop {
        tokio::select! {
            biased;
            order = inbox.recv(), if !leaving => match order {
                Some(Order::Do(command)) => handle.commands.send(command),
                Some(Order::Follow(request)) => {
                    stop(&mut log);
                    log = Some(follow(&engine, &handle, request, &news, paused.clone()));
                }
                Some(Order::StopLog) => stop(&mut log),
                Some(Order::Leave) | None => {
                    stop(&mut log);
                    leaving = true;
                    handle.commands.send(Command::Detach { background: true });
                }
            },
            event = handle.next() => match event {
                None => return None,
                Some(Event::Changed(run, changed)) if !leaving => {
                    tell(Msg::RunNews { run, changed });
                }
                Some(Event::Replaced(whole)) if !leaving => {
                    tell(Msg::RunReplaced { run: whole });
                }
                Some(Event::Health(id, fresh)) => tell(merge(&engine, &all_health, id, fresh)),
                Some(Event::Role(role)) if !leaving => tell(conducting(&role)),
                Some(Event::Trouble(report)) => tell(Msg::Failed(report)),
                Some(Event::Did(done)) => {
                    let words = std::iter::once(done.message).chain(done.notes);
                    tell(Msg::Notice(words.collect::<Vec<_>>().join(" · ")));
                }
                Some(Event::Finished(finish)) => {
                    stop(&mut log);
                    return Some(finish);
                }
                Some(_) => {}
            },
        }
    }
}

fn stop(log: &mut Option<AbortHandle>) {
    if let Some(log) = log.take() {
        log.abort();
    }
}

fn merge(engine: &Engine, all: &Health, id: ClusterId, fresh: handle::Health) -> Msg {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.iter_mut().find(|known| known.id == id) {
        // What the run remembers may be older than what the cluster said since.
        let older = fresh.error.is_none() && fresh.last_seen < known.last_seen;
        if !older {
            // A poll of jobs tells nothing of GPUs: beside its fresh time the run
            // repeats what it heard of them when it last wanted to send.
            let capacity = newest_capacity(known.capacity.take(), &fresh);
            let offers = fresh.offers.clone().or_else(|| known.offers.take());
            *known = health(id, known.kind, known.enabled, known.can.clone(), fresh);
            (known.capacity, known.offers) = (capacity, offers);
        }
    } else {
        let kind = engine.config().clusters.get(&id).map_or(ClusterKind::Local, |c| c.kind);
        let can = engine.capabilities(&id, kind);
        all.push(health(id, kind, true, can, fresh));
    }
    Msg::Clusters(all.clone())
}

/// What the checks of clusters found goes before what a run remembers.
fn newest_capacity(checked: Option<Capacity>, told: &handle::Health) -> Option<Capacity> {
    checked.or_else(|| told.capacity.clone())
}

/// Between two parts of a log that is followed: nobody sees more of them.
const LOG_PACE: Duration = Duration::from_millis(33);
/// So many bytes before the end of a log that is followed are not shown.
const FAR_BEHIND: u64 = 1024 * 1024;

fn is_far_behind(chunk: &LogChunk) -> bool {
    chunk.total.saturating_sub(chunk.offset + chunk.bytes.len() as u64) > FAR_BEHIND
}

/// Reads a log in a task of its own; the handle stops it.
fn follow(
    engine: &Engine,
    handle: &RunHandle,
    request: LogRequest,
    news: &News,
    paused: watch::Receiver<bool>,
) -> AbortHandle {
    let range = request.range;
    let reader = Reader {
        engine: engine.clone(),
        run: handle.run.clone(),
        request,
        news: news.clone(),
        paused,
    };
    let task = match range {
        LogRange::Follow { tail } => tokio::spawn(reader.follow(tail)),
        LogRange::Window { offset, len } => tokio::spawn(reader.window(offset, len)),
    };
    task.abort_handle()
}

/// Why no more of a log comes for now.
enum Stop {
    /// There is nothing more, it cannot be read, or nobody wants to know.
    Over,
    /// It was read to its present end.
    AtEnd,
    /// Polling is paused, or goes on, or a person wants one more look.
    Told,
}

/// Reads one log for the screen.
struct Reader {
    engine: Engine,
    run: Run,
    request: LogRequest,
    news: News,
    paused: watch::Receiver<bool>,
}

impl Reader {
    /// Up to so many bytes, once.
    async fn window(self, offset: u64, len: u64) {
        let Some(mut chunks) = self.chunks(LogCursor::Offset(offset), false) else { return };
        let mut left = len;
        while left > 0
            && let Some(chunk) = chunks.next().await
        {
            let told = match chunk {
                Ok(mut chunk) => {
                    if chunk.bytes.len() as u64 > left {
                        chunk.bytes.truncate(left as usize);
                        chunk.complete = false;
                    }
                    left -= chunk.bytes.len() as u64;
                    self.tell(chunk)
                }
                Err(e) => self.fail(e.to_string()),
            };
            if !told {
                return;
            }
        }
    }

    /// From its end on. While polling is paused it is read to its end once, and once
    /// more whenever a person wants to see it.
    async fn follow(mut self, tail: u64) {
        let mut is_wanted = true;
        loop {
            let paused = *self.paused.borrow_and_update();
            if is_wanted || !paused {
                match self.read_on(LogCursor::Tail(tail), !paused).await {
                    Stop::Over => return,
                    Stop::AtEnd => {}
                    Stop::Told => {
                        is_wanted = paused;
                        continue;
                    }
                }
            }
            if self.paused.changed().await.is_err() {
                return;
            }
            is_wanted = paused;
        }
    }

    async fn read_on(&mut self, from: LogCursor, follow: bool) -> Stop {
        let Some(mut chunks) = self.chunks(from, follow) else { return Stop::Over };
        loop {
            let chunk = tokio::select! {
                biased;
                told = self.paused.changed() => {
                    return if told.is_ok() { Stop::Told } else { Stop::Over };
                }
                chunk = chunks.next() => chunk,
            };
            match chunk {
                None if follow => return Stop::Over,
                None => return Stop::AtEnd,
                // A log that grows faster than anybody reads: what comes is shown
                // from near its end, what lies between is there to scroll to.
                Some(Ok(chunk)) if is_far_behind(&chunk) => continue,
                Some(Ok(chunk)) => {
                    let complete = chunk.complete;
                    if !self.tell(chunk) || complete {
                        return Stop::Over;
                    }
                }
                Some(Err(e)) => {
                    self.fail(e.to_string());
                    return Stop::Over;
                }
            }
            tokio::time::sleep(LOG_PACE).await;
        }
    }

    /// The log from here on; `None` when it cannot be read, which is told.
    fn chunks(
        &self,
        from: LogCursor,
        follow: bool,
    ) -> Option<BoxStream<'static, Result<LogChunk, ClusterError>>> {
        let LogRequest { job, attempt, stream, worker, .. } = self.request;
        let stream = match stream {
            Stream::Stdout => LogStream::Stdout,
            Stream::Stderr => LogStream::Stderr,
        };
        let source = LogSource { stream, worker };
        let chunks = self.engine.logs(&self.run, job, attempt, source, from, follow);
        chunks.map_err(|report| self.fail(report.message)).ok()
    }

    /// Whether somebody still wants to know.
    fn tell(&self, chunk: LogChunk) -> bool {
        let LogChunk { offset, bytes, total, complete } = chunk;
        let serial = self.request.serial;
        self.news.send(Msg::Log(LogPart { serial, offset, bytes, total, complete })).is_ok()
    }

    /// The same.
    fn fail(&self, why: String) -> bool {
        self.news.send(Msg::LogFailed { serial: self.request.serial, why }).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resources::Gpus;

    #[test]
    fn a_poll_does_not_bring_back_what_was_free_before() {
        let free = |n| Capacity { gpus_free: Some(Gpus::whole(n)), ..Capacity::default() };
        let told = handle::Health { capacity: Some(free(8)), ..handle::Health::default() };
        assert_eq!(newest_capacity(Some(free(6)), &told), Some(free(6)));
        assert_eq!(newest_capacity(None, &told), Some(free(8)));
    }
}

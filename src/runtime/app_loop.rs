//! The loop: events in, frames out. Generic over the terminal, the input and what
//! performs effects, so that a test drives the whole program without any of them.
//!
//! ```text
//!            ┌ a frame is due ─▶ draw
//! select! ───┼ input ─▶ update ─▶ effects; a frame is due at once
//! (in order) ├ news of the runtime ─▶ update ─▶ effects; a frame is due within 33 ms
//!            └ a second has passed, while a time is on screen ─▶ update
//! ```
//! Nothing changed, nothing is due: the loop sleeps until somebody does something.

use std::{io, pin::pin, time::Duration};

use crossterm::event::Event;
use futures::{FutureExt, Stream, StreamExt};
use jiff::Timestamp;
use ratatui::{Terminal, backend::Backend};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    app::{
        effect::Effect,
        model::Model,
        msg::Msg,
        update::{self, update},
    },
    ui::{self, theme::Theme},
};

/// Background news is drawn at most this often.
const FRAME: Duration = Duration::from_millis(33);
/// Ticks, while a running time is on screen.
const SECOND: Duration = Duration::from_secs(1);
/// News taken in one go before the next frame is drawn.
const GULP: usize = 512;

/// Performs what the update asks for.
pub trait Perform {
    /// Starts it; what comes of it arrives as news. Must not block.
    fn perform(&mut self, effect: Effect);
}

/// What the loop works on.
#[derive(Debug)]
pub struct App<'a, B: Backend, P> {
    pub terminal: &'a mut Terminal<B>,
    pub model: &'a mut Model,
    pub theme: &'a Theme,
    pub perform: &'a mut P,
    /// The time of day; monotonic clocks are the loop's own.
    pub clock: fn() -> Timestamp,
    /// What is on the terminal is not what was drawn last.
    pub spoilt: bool,
}

impl<B, P> App<'_, B, P>
where
    B: Backend,
    io::Error: From<B::Error>,
    P: Perform,
{
    /// Runs until the model is quitting, or the terminal is gone.
    ///
    /// # Errors
    /// The terminal cannot be drawn to.
    pub async fn run(
        &mut self,
        input: impl Stream<Item = io::Result<Event>>,
        news: &mut mpsc::UnboundedReceiver<Msg>,
    ) -> io::Result<()> {
        let mut input = pin!(input.fuse());
        let mut due = Some(Instant::now());
        let mut drawn: Option<Instant> = None;
        let mut tick: Option<Instant> = None;
        let mut lost = false;
        while !self.model.quitting {
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && !self.model.lent => {
                    self.draw()?;
                    drawn = Some(Instant::now());
                    due = None;
                }
                event = input.next(), if !lost => {
                    self.now();
                    lost = !self.take(event);
                    // What was typed meanwhile is taken too before the screen is drawn.
                    while !lost && !self.model.quitting {
                        match input.next().now_or_never() {
                            Some(event) => lost = !self.take(event),
                            None => break,
                        }
                    }
                    due = Some(Instant::now());
                }
                msg = news.recv() => {
                    let Some(msg) = msg else { break };
                    self.now();
                    self.apply(msg);
                    for _ in 0..GULP {
                        match news.try_recv() {
                            Ok(msg) => self.apply(msg),
                            Err(_) => break,
                        }
                    }
                    let earliest = drawn.map_or_else(Instant::now, |at| at + FRAME);
                    due = due.or(Some(earliest.max(Instant::now())));
                }
                () = sleep_until(tick.unwrap_or_else(Instant::now)), if tick.is_some() => {
                    self.now();
                    tick = None;
                    due = due.or(Some(Instant::now()));
                }
            }
            if !update::wants_tick(self.model) {
                tick = None;
            } else if tick.is_none() {
                tick = Some(Instant::now() + SECOND);
            }
        }
        Ok(())
    }

    fn now(&mut self) {
        self.apply(Msg::Tick((self.clock)()));
    }

    fn apply(&mut self, msg: Msg) {
        for effect in update(self.model, msg) {
            self.spoilt |= matches!(effect, Effect::Suspend | Effect::Retake);
            self.perform.perform(effect);
        }
    }

    /// Whether the input goes on; its end is the end of the terminal.
    fn take(&mut self, event: Option<io::Result<Event>>) -> bool {
        let msg = match event {
            Some(Ok(Event::Key(key))) => Msg::Key(key),
            Some(Ok(Event::Paste(text))) => Msg::Paste(text),
            Some(Ok(Event::Mouse(event))) => match ui::under(self.model, event) {
                Some(hit) => Msg::Click(hit),
                None => Msg::Mouse(event),
            },
            Some(Ok(Event::Resize(width, height))) => Msg::Resize { width, height },
            Some(Ok(Event::FocusGained | Event::FocusLost)) => return true,
            Some(Err(_)) | None => {
                self.apply(Msg::Terminate);
                return false;
            }
        };
        self.apply(msg);
        true
    }

    fn draw(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.spoilt) {
            // Not `Terminal::clear`: it asks the terminal where its cursor is, and the
            // answer would be taken for keys.
            self.terminal.backend_mut().clear()?;
            self.terminal.swap_buffers();
        }
        let (model, theme) = (&*self.model, self.theme);
        self.terminal.draw(|frame| ui::draw(frame, model, theme))?;
        Ok(())
    }
}

//! The real loop with scripted input and a paused clock.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod stage;

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use crossterm::event::Event;
use futures::stream;
use jiff::Timestamp;
use jobdeck::{
    app::{
        effect::Effect,
        keymap::Chord,
        model::{Model, Settings},
        msg::Msg,
        screen::View,
    },
    runtime::app_loop::{App, Perform},
    ui::{snapshot::characters, theme::Theme},
};
use ratatui::{
    Terminal,
    backend::{Backend, ClearType, TestBackend, WindowSize},
    buffer::Cell,
    layout::{Position, Size},
};
use stage::dawn;
use tokio::{sync::mpsc, time::Instant};

/// A backend that counts frames.
struct Counting {
    inner: TestBackend,
    frames: Arc<Mutex<Vec<Instant>>>,
}

impl Backend for Counting {
    type Error = io::Error;
    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, cells: I) -> io::Result<()> {
        self.inner.draw(cells).map_err(|never| match never {})
    }
    fn hide_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn show_cursor(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }
    fn set_cursor_position<P: Into<Position>>(&mut self, _: P) -> io::Result<()> {
        Ok(())
    }
    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear().map_err(|never| match never {})
    }
    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.inner.clear_region(region).map_err(|never| match never {})
    }
    fn size(&self) -> io::Result<Size> {
        self.inner.size().map_err(|never| match never {})
    }
    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size().map_err(|never| match never {})
    }
    fn flush(&mut self) -> io::Result<()> {
        self.frames.lock().unwrap().push(Instant::now());
        Ok(())
    }
}

#[derive(Default)]
struct Kept(Vec<Effect>);

impl Perform for Kept {
    fn perform(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

/// What a session left behind.
struct Ended {
    model: Model,
    effects: Vec<Effect>,
    frames: Vec<Duration>,
    screen: String,
}

type Input = Vec<(u64, Event)>;

fn keys(at: u64, script: &str) -> Input {
    let event = |k: &str| Event::Key(k.parse::<Chord>().unwrap().event());
    script.split_whitespace().map(|k| (at, event(k))).collect()
}

fn clock() -> Timestamp {
    dawn()
}

/// Runs the loop on input at given milliseconds and news likewise.
async fn session(input: Input, news: Vec<(u64, Msg)>) -> Ended {
    let frames = Arc::new(Mutex::new(Vec::new()));
    let backend = Counting { inner: TestBackend::new(80, 24), frames: Arc::clone(&frames) };
    let mut terminal = Terminal::new(backend).unwrap();
    let mut model = Model::new(Settings::default(), dawn(), 80, 24);
    let mut effects = Kept::default();
    let (sender, mut inbox) = mpsc::unbounded_channel();
    let start = Instant::now();
    tokio::spawn(async move {
        for (at, msg) in news {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            let _ = sender.send(msg);
        }
        std::future::pending::<()>().await;
    });
    let input = stream::unfold(input.into_iter(), move |mut left| async move {
        let (at, event) = left.next()?;
        tokio::time::sleep_until(start + Duration::from_millis(at)).await;
        Some((Ok(event), left))
    });
    frames.lock().unwrap().clear();
    let theme = Theme::basic();
    let mut app = App {
        terminal: &mut terminal,
        model: &mut model,
        theme: &theme,
        perform: &mut effects,
        clock,
        spoilt: false,
    };
    app.run(input, &mut inbox).await.unwrap();
    let screen = characters(terminal.backend().inner.buffer());
    let frames = frames.lock().unwrap().iter().map(|at| *at - start).collect();
    Ended { model, effects: effects.0, frames, screen }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_drawn_at_once_and_the_end_of_input_leaves() {
    let ended = session(keys(100, "4"), Vec::new()).await;
    assert_eq!(ended.model.view, View::Runs);
    assert_eq!(ended.effects, [Effect::ListRuns, Effect::Quit]);
    assert_eq!(ended.frames.first(), Some(&Duration::ZERO), "the first frame waits for nothing");
    assert!(ended.screen.contains("jobdeck   1 Compose"), "{}", ended.screen);
}

#[tokio::test(start_paused = true)]
async fn background_news_is_drawn_at_most_every_33_ms() {
    let news = (0..1000).map(|ms| (1000 + ms, Msg::Runs(Vec::new()))).collect();
    let ended = session(keys(60_000, "4"), news).await;
    let during = ended.frames.iter().filter(|at| at.as_millis() >= 1000 && at.as_millis() < 2100);
    let during = during.count();
    assert!((25..=32).contains(&during), "{during} frames for a second of news");
    for pair in ended.frames.windows(2) {
        let gap = pair[1].checked_sub(pair[0]).unwrap();
        assert!(gap >= Duration::from_millis(33) || pair[1].as_millis() == 60_000, "{gap:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_wakes_an_idle_screen() {
    let ended = session(keys(3_600_000, "1"), Vec::new()).await;
    assert_eq!(ended.frames.len(), 1, "one hour, one frame: {:?}", ended.frames);
}

#[tokio::test(start_paused = true)]
async fn typing_ahead_is_taken_before_the_next_frame() {
    let ended = session(keys(100, "? j j j esc 5 4 3 2 4"), Vec::new()).await;
    assert_eq!(ended.model.view, View::Runs);
    assert!(ended.frames.len() <= 3, "{:?}", ended.frames);
}

#[tokio::test(start_paused = true)]
async fn ctrl_c_twice_leaves_and_terminate_leaves() {
    let ended = session(keys(100, "ctrl-c ctrl-c 4"), Vec::new()).await;
    assert_eq!((ended.model.view, ended.model.quitting), (View::Compose, true));
    let ended = session(keys(9000, "4"), vec![(10, Msg::Terminate)]).await;
    assert_eq!(ended.effects, [Effect::Quit]);
}

//! A terminal for tests: a pty, a screen model, and waiting with a deadline.

#![allow(dead_code, reason = "not every program of tests uses all of it")]

use std::{
    io::{Read, Write},
    num::NonZero,
    sync::{Arc, Condvar, Mutex},
    time::Instant,
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::wait::{self, DEADLINE};

fn cells(n: u16) -> NonZero<u16> {
    NonZero::new(n).expect("a terminal has a size")
}

struct Shared {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

pub struct Term {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

impl Term {
    /// Starts any command on a terminal of this size.
    pub fn spawn(command: CommandBuilder, cols: u16, rows: u16) -> Self {
        let pair = native_pty_system()
            .openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("a pty");
        let child = pair.slave.spawn_command(command).expect("start jobdeck");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("pty reader");
        let writer = pair.master.take_writer().expect("pty writer");
        let shared = Arc::new((
            Mutex::new(Shared {
                parser: vt100::Parser::new(cells(rows), cells(cols), 0),
                raw: Vec::new(),
                closed: false,
            }),
            Condvar::new(),
        ));
        let sink = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut buffer = vec![0u8; 65536];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut guard = sink.0.lock().expect("lock");
                if read == 0 {
                    guard.closed = true;
                    sink.1.notify_all();
                    return;
                }
                guard.parser.process(&buffer[..read]);
                guard.raw.extend_from_slice(&buffer[..read]);
                sink.1.notify_all();
            }
        });
        Self { master: pair.master, writer, child, shared }
    }

    pub fn pid(&self) -> u32 {
        self.child.process_id().expect("a pid")
    }

    /// Types these bytes.
    pub fn keys(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).expect("type");
        self.writer.flush().expect("flush");
    }

    /// Waits until the screen satisfies `test`; fails with the screen if it never does.
    pub fn until(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + DEADLINE;
        let (lock, changed) = &*self.shared;
        let mut guard = lock.lock().expect("lock");
        loop {
            let screen = guard.parser.screen().contents();
            if test(&screen) {
                return screen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero() && !guard.closed,
                "waited in vain for {what}; the screen was:\n{screen}"
            );
            guard = changed.wait_timeout(guard, left).expect("lock").0;
        }
    }

    pub fn sees(&self, text: &str) -> String {
        self.until(&format!("`{text}`"), |screen| screen.contains(text))
    }

    pub fn resize(&self, cols: u16, rows: u16) {
        self.master
            .resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("resize");
        self.shared.0.lock().expect("lock").parser.screen_mut().set_size(cells(rows), cells(cols));
    }

    /// Waits for the end of the program; its exit code.
    pub fn ends(&mut self) -> u32 {
        let deadline = Instant::now() + DEADLINE;
        let (lock, changed) = &*self.shared;
        let mut guard = lock.lock().expect("lock");
        while !guard.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "it did not end; the screen was:\n{}",
                guard.parser.screen().contents()
            );
            guard = changed.wait_timeout(guard, left).expect("lock").0;
        }
        drop(guard);
        let gone = || self.child.try_wait().expect("wait").ok_or("it lives on");
        wait::until("the end of the program", gone).exit_code()
    }

    /// After the end the terminal is as it was: the ordinary screen, a cursor, no
    /// modes left.
    pub fn is_given_back(&self) {
        let guard = self.shared.0.lock().expect("lock");
        let screen = guard.parser.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor stays hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste stays on");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    }

    /// Waits until this stands in what it has written, whatever the screen shows.
    pub fn writes(&self, text: &str) {
        wait::until(text, || {
            let written = String::from_utf8_lossy(&self.raw()).into_owned();
            if written.contains(text) { Ok(()) } else { Err(written) }
        });
    }

    /// Everything it ever wrote to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.shared.0.lock().expect("lock").raw.clone()
    }

    pub fn signal(&self, signal: &str) {
        let status = std::process::Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status()
            .expect("kill");
        assert!(status.success());
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! A terminal that is closed under the program: it leaves in good order, and what was
//! not sent yet is carried on.

use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Read, Write},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_setfl},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::{home::Home, wait};

/// The program on a pty whose other side is dropped as a whole: unlike [`Term`]'s,
/// nobody else holds it.
///
/// [`Term`]: crate::term::Term
struct Window {
    master: File,
    child: Child,
    screen: vt100::Parser,
}

impl Window {
    fn open(home: &Home, args: &[&str]) -> Self {
        let master: OwnedFd =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pty");
        grantpt(&master).expect("grant");
        unlockpt(&master).expect("unlock");
        let (ws_row, ws_col) = (30, 100);
        let size = Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("size");
        let name = ptsname(&master, Vec::new()).expect("its name").into_string().expect("text");
        let slave = || -> Stdio {
            OpenOptions::new().read(true).write(true).open(&name).expect("the other side").into()
        };
        let mut command: Command = home.command(args);
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn();
        fcntl_setfl(&master, OFlags::NONBLOCK).expect("not to block");
        let size = |n| std::num::NonZero::new(n).expect("a size");
        Self {
            master: master.into(),
            child: child.expect("start jobdeck"),
            screen: vt100::Parser::new(size(ws_row), size(ws_col), 0),
        }
    }

    fn sees(&mut self, text: &str) {
        let mut buffer = vec![0; 65_536];
        wait::until(text, || {
            match self.master.read(&mut buffer) {
                Ok(n) => self.screen.process(&buffer[..n]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            let shown = self.screen.screen().contents();
            if shown.contains(text) { Ok(()) } else { Err(shown) }
        });
    }

    fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("type");
    }

    /// Closes the window; the exit code.
    fn closed(mut self) -> Option<i32> {
        drop(self.master);
        wait::end(&mut self.child).code()
    }
}

/// The document that a command answers, which must go well.
fn json(home: &Home, args: &[&str]) -> serde_json::Value {
    let answer = home.run(args);
    assert_eq!(answer.code, 0, "{answer:?}");
    serde_json::from_str(&answer.stdout).expect("a document")
}

const BATCH: &str = "name: slow\nmax_concurrent: 1\n\
                     jobs: [{name: s, command: 'sleep 0.3', sweep: {i: {range: [0, 5]}}}]\n";

#[test]
fn a_closed_window_is_left_in_good_order_from_every_view() {
    let home = Home::new();
    home.write("slow.yaml", BATCH);
    for (keys, shown) in [
        ("", "slow"),
        ("e", "Command"),
        ("p", "DRY RUN"),
        ("pS", "Submit"),
        ("4", "no runs"),
        ("5", "local"),
    ] {
        let mut window = Window::open(&home, &["slow.yaml"]);
        window.sees("1 Compose");
        window.sees("slow");
        window.keys(keys);
        window.sees(shown);
        assert_eq!(window.closed(), Some(0), "{keys}");
    }
    assert!(!home.path().join(".state/jobdeck/log/panics.log").exists());
    assert_eq!(json(&home, &["runs", "--json"])["runs"], serde_json::json!([]));
}

#[test]
fn what_a_closed_window_has_not_sent_is_carried_on() {
    let home = Home::new();
    // Each is sent when the one before it has ended.
    let batch = BATCH.replace("max_concurrent: 1", "max_failures: 1");
    home.write("slow.yaml", &batch);
    let mut window = Window::open(&home, &["slow.yaml"]);
    for (shown, key) in [("slow", "p"), ("must stay awake", "S"), ("y submits", "y")] {
        window.sees(shown);
        window.keys(key);
    }
    window.sees("running");
    assert_eq!(window.closed(), Some(0));
    let status = json(&home, &["wait", "last", "--timeout", "1m", "--json"]);
    assert_eq!(status["counts"], serde_json::json!({"succeeded": 5}), "{status:#}");
}

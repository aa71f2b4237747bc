//! Typing ahead, storms of sizes, signals, a panic; and that the terminal is given
//! back each time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

use portable_pty::CommandBuilder;

use crate::{
    home::{Home, key},
    term::Term,
};

#[test]
fn keys_typed_in_one_go_all_count() {
    let home = Home::new();
    let mut term = home.start(&[], 80, 24);
    term.sees("1 Compose");
    term.keys("4?jjj\x1b5");
    term.sees("asked every 10 seconds");
    term.keys("4");
    term.sees("no runs yet");
    term.keys("q");
    assert_eq!(term.ends(), 0);
    term.is_given_back();
}

#[test]
fn a_window_may_become_too_small_and_large_again() {
    let home = Home::new();
    let mut term = home.start(&[], 80, 24);
    term.sees("1 Compose");
    term.resize(59, 15);
    term.sees("jobdeck needs 60×16");
    for (cols, rows) in [(200, 60), (61, 17), (3, 2), (132, 43), (80, 24)] {
        term.resize(cols, rows);
    }
    term.sees("1 Compose");
    term.keys(key::CTRL_C);
    term.sees("press Ctrl-C again");
    term.keys(key::CTRL_C);
    assert_eq!(term.ends(), 0);
    term.is_given_back();
}

#[test]
fn enter_is_no_answer_to_the_question() {
    let home = Home::new();
    let text = "jobs:\n  - {name: a, command: 'true {n}', sweep: {n: [1, 2]}}\n";
    let file = home.write("two.yaml", text);
    let mut term = home.start(&[file.to_str().unwrap()], 80, 24);
    term.sees("2 jobs");
    term.keys("p");
    term.sees("DRY RUN · nothing has been submitted");
    term.keys("S");
    term.sees("Submit two?");
    term.keys(key::ENTER);
    term.until("the box closed", |text| !text.contains("Submit two?"));
    term.keys("q");
    assert_eq!(term.ends(), 0);
    let runs = home.run(&["runs", "--json"]).stdout;
    assert!(!runs.contains("created_at"), "{runs}");
}

#[test]
fn terminate_and_hang_up_end_it_in_good_order() {
    for signal in ["-TERM", "-HUP"] {
        let home = Home::new();
        let mut term = home.start(&[], 80, 24);
        term.sees("1 Compose");
        term.signal(signal);
        assert_eq!(term.ends(), 0, "{signal}");
        term.is_given_back();
    }
}

/// Not a test by itself: what `a_panic_restores_the_terminal` starts.
#[test]
fn panics_when_told() {
    let Some(log) = std::env::var_os("JOBDECK_TEST_PANIC") else { return };
    let (news, _inbox) = tokio::sync::mpsc::unbounded_channel();
    let screen = jobdeck::runtime::terminal::Screen::enter(true).unwrap();
    jobdeck::runtime::terminal::install_panic_hook(news, log.into());
    let elsewhere = std::thread::spawn(|| panic!("not on the screen's thread"));
    assert!(elsewhere.join().is_err());
    println!("still here");
    let _keep = &screen;
    panic!("the roof is on fire");
}

#[test]
fn a_panic_restores_the_terminal() {
    let home = Home::new();
    let log = home.path().join("bugs.log");
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "shell::panics_when_told", "--nocapture", "--test-threads=1"]);
    command.cwd(home.path());
    command.env("JOBDECK_TEST_PANIC", &log);
    command.env("RUST_BACKTRACE", "0");
    command.env("TERM", "xterm-256color");
    let mut term = Term::spawn(command, 80, 24);
    term.ends();
    term.is_given_back();
    let raw = term.raw();
    let written = String::from_utf8_lossy(&raw);
    let at = |what: &str| written.find(what).unwrap_or_else(|| panic!("no {what:?}: {written}"));
    assert!(at("still here") < at("\x1b[?1049l"), "restored only by the last panic");
    assert!(at("\x1b[?1049l") < at("the roof is on fire"), "restored before it is printed");
    assert!(written.contains("it is also told in"), "{written}");
    assert!(!written.contains("not on the screen's thread"), "{written}");
    let kept = std::fs::read_to_string(&log).unwrap();
    assert!(kept.contains("not on the screen's thread") && kept.contains("the roof is on fire"));
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_the_shell_continues_it() {
    let home = Home::new();
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.cwd(home.path());
    command.env("HOME", home.path());
    command.env("JOBDECK_STATE_DIR", home.path().join("state"));
    command.env("PS1", "shell> ");
    command.env("TERM", "xterm-256color");
    let mut term = Term::spawn(command, 80, 24);
    term.sees("shell> ");
    term.keys(&format!("{}\r", env!("CARGO_BIN_EXE_jobdeck")));
    term.sees("1 Compose");
    term.keys("4");
    term.sees("no runs yet");
    term.keys("\x1a");
    term.sees("Stopped");
    term.keys("echo back-$((40 + 2))\r");
    term.sees("back-42");
    term.keys("fg\r");
    term.sees("no runs yet");
    term.keys("5");
    term.sees("asked every 10 seconds");
    term.keys("q");
    // Not before its prompt: until then the program may take what is typed.
    term.until("the shell again", |text| text.trim_end().ends_with("shell>"));
    term.keys("exit\r");
    term.ends();
}

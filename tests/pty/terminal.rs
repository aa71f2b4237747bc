//! First frame, resizing, leaving, and what is left of the terminal.

use crate::home::{Home, key};

fn left_the_alternate_screen(raw: &[u8]) -> bool {
    let find = |needle: &[u8]| raw.windows(needle.len()).rposition(|w| w == needle);
    match (find(b"\x1b[?1049h"), find(b"\x1b[?1049l")) {
        (Some(entered), Some(left)) => left > entered,
        _ => false,
    }
}

#[test]
fn the_first_screen_says_what_to_press() {
    let home = Home::new();
    let mut term = home.start(&[], 80, 24);
    term.until("what to press", |s| s.contains("1 Compose") && s.contains("? help"));
    term.keys("q");
    assert_eq!(term.ends(), 0);
    assert!(left_the_alternate_screen(&term.raw()));
}

#[test]
fn ctrl_c_twice_leaves_and_restores_the_terminal() {
    let home = Home::new();
    let mut term = home.start(&[], 80, 24);
    term.sees("Compose");
    term.keys(key::CTRL_C);
    term.keys(key::CTRL_C);
    term.ends();
    let raw = term.raw();
    assert!(left_the_alternate_screen(&raw));
    let shown = raw.windows(6).rposition(|w| w == b"\x1b[?25h");
    assert!(shown.is_some(), "the cursor stays hidden");
}

#[test]
fn resizing_repaints_and_too_small_says_so() {
    let home = Home::new();
    let term = home.start(&[], 120, 32);
    term.sees("5 Clusters");
    term.resize(50, 10);
    term.sees("60");
    term.resize(100, 30);
    term.sees("5 Clusters");
}

#[test]
fn a_hang_up_ends_the_program_and_keeps_the_draft() {
    let home = Home::new();
    let mut term = home.start(&[], 100, 30);
    term.sees("Compose");
    term.keys("n");
    term.sees("training");
    term.keys(key::ENTER);
    term.sees("unsaved");
    term.signal("-HUP");
    term.ends();
    let again = home.start(&[], 100, 30);
    again.until("an offer of the draft", |s| s.to_lowercase().contains("draft"));
}

#[test]
fn escape_codes_in_a_batch_do_not_reach_the_terminal() {
    let home = Home::new();
    let file = home.write(
        "evil.yaml",
        "jobs:\n  - {name: \"a\\e]0;owned\\a\\e[2J\", command: \"echo \\e[31mred\"}\n",
    );
    let term = home.start(&[file.to_str().expect("utf-8")], 100, 30);
    term.sees("Command");
    let raw = term.raw();
    let has = |needle: &[u8]| raw.windows(needle.len()).any(|w| w == needle);
    assert!(!has(b"\x1b]0;owned"), "the title was changed");
}

#[test]
fn a_file_that_is_not_there_is_a_new_batch() {
    let home = Home::new();
    let file = home.path().join("new.yaml");
    let mut term = home.start(&[file.to_str().expect("utf-8")], 100, 30);
    term.sees("new file");
    term.keys("n");
    term.sees("which type?");
    term.keys(key::ENTER);
    term.sees("unsaved");
    term.keys(key::CTRL_S);
    term.until("it is saved", |s| !s.contains("unsaved"));
    let text = std::fs::read_to_string(&file).expect("it was made");
    assert!(text.contains("name: job1"), "{text}");
}

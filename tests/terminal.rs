//! Commands on a terminal: the question before a submission, colours, progress.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may end by a panic")]

mod support;
#[path = "pty/term.rs"]
mod term;

use portable_pty::CommandBuilder;
use support::{World, wait};
use term::Term;

/// A command on a terminal of its own.
struct Session(Term);

impl Session {
    fn start(world: &World, line: &str, variables: &[(&str, &str)]) -> Self {
        let plain = world.command();
        let mut command = CommandBuilder::new(plain.get_program());
        command.env_clear();
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        for (name, value) in variables {
            command.env(name, value);
        }
        command.args(line.split_whitespace());
        command.cwd(world.path());
        Self(Term::spawn(command, 110, 40))
    }

    fn until(&self, text: &str) {
        self.0.writes(text);
    }

    fn type_line(&mut self, line: &str) {
        self.0.keys(&format!("{line}\r"));
    }

    /// Its exit code, and all it has written.
    fn end(mut self) -> (u32, String) {
        let code = self.0.ends();
        (code, String::from_utf8_lossy(&self.0.raw()).into_owned())
    }
}

fn runs(world: &World) -> usize {
    world.json("runs --json", 0)["runs"].as_array().unwrap().len()
}

#[test]
fn only_y_submits() {
    let world = World::new();
    world.file("batch.yaml", "jobs: [{name: a, command: 'true'}]\n");
    for answer in ["", "n", "Y es", "x", "submit"] {
        let mut session = Session::start(&world, "submit batch.yaml", &[]);
        session.until("nothing has been submitted");
        session.until("[y/N]");
        session.type_line(answer);
        let (code, text) = session.end();
        assert_eq!(code, 4, "{answer:?}: {text}");
        assert_eq!(runs(&world), 0, "{answer:?}");
    }
    let mut session = Session::start(&world, "submit batch.yaml --wait", &[]);
    session.until("[y/N]");
    session.type_line("y");
    let (code, text) = session.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 succeeded"), "{text}");
    assert_eq!(runs(&world), 1);
}

#[test]
fn a_large_batch_wants_its_number_first() {
    let world = World::new();
    world.config("ui: {confirm_jobs: 2}\n");
    world.file(
        "batch.yaml",
        "jobs: [{name: a, command: 'true {i}', sweep: {i: {range: [0, 3]}}}]\n",
    );
    let mut session = Session::start(&world, "submit batch.yaml", &[]);
    session.until("Type 3 to go on");
    session.type_line("y");
    assert_eq!(session.end().0, 4);
    assert_eq!(runs(&world), 0);
    let mut session = Session::start(&world, "submit batch.yaml", &[]);
    session.until("Type 3 to go on");
    session.type_line("3");
    session.until("[y/N]");
    session.type_line("y");
    let (code, text) = session.end();
    assert_eq!(code, 0, "{text}");
    assert_eq!(runs(&world), 1);
}

#[test]
fn the_question_is_spared_where_both_settings_say_so() {
    let world = World::new();
    world.file("batch.yaml", "jobs: [{name: a, command: 'true'}]\n");
    world.config("limits: {require_confirmation: false}\n");
    let mut session = Session::start(&world, "submit batch.yaml", &[]);
    session.until("[y/N]");
    session.type_line("n");
    assert_eq!(session.end().0, 4);
    world.config("limits: {require_confirmation: false, dry_run_default: false}\n");
    let session = Session::start(&world, "submit batch.yaml --wait", &[]);
    assert_eq!(session.end().0, 0);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let world = World::new();
    world.file("batch.yaml", "jobs: [{name: a, command: 'true', gpus: two}]\n");
    let coloured = |line: &str, variables: &[_]| {
        let (code, text) = Session::start(&world, line, variables).end();
        assert_eq!(code, 2, "{text}");
        text.contains("\x1b[31m")
    };
    assert!(coloured("plan batch.yaml", &[]));
    assert!(!coloured("plan batch.yaml --no-color", &[]));
    assert!(!coloured("plan batch.yaml", &[("NO_COLOR", "1")]));
    assert!(!coloured("plan batch.yaml", &[("TERM", "dumb")]));
    assert!(!world.run("plan batch.yaml").stdout.contains('\x1b'));
}

#[test]
fn what_jobs_wrote_cannot_steer_the_terminal() {
    let world = World::new();
    world.file(
        "batch.yaml",
        "jobs: [{name: a, command: \"printf '\\\\033[31mred\\\\033[0m \\\\033[2Jgone\\\\033]0;title\\\\007\\\\n'\"}]\n",
    );
    world.run("submit batch.yaml --yes --wait").expect(0);
    let (code, text) = Session::start(&world, "logs last", &[]).end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\x1b[31mred\x1b[0m ␛[2Jgone␛]0;title␇"), "{text:?}");
    // A pipe gets the bytes as they were written.
    assert!(world.run("logs last").stdout.contains("\x1b[2Jgone"));
}

#[test]
fn waiting_shows_where_it_stands() {
    let world = World::new();
    world.file("batch.yaml", "jobs: [{name: a, command: 'sleep 1'}]\n");
    let (code, text) = Session::start(&world, "submit batch.yaml --yes --wait", &[]).end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("1 running"), "{text:?}");
    assert!(text.contains("1 succeeded"), "{text:?}");
}

#[test]
fn a_large_run_is_folded_on_a_terminal_and_whole_in_a_pipe() {
    let world = World::new();
    world.file(
        "batch.yaml",
        "jobs: [{name: lr, command: 'exit $(({i} == 7))', sweep: {i: {range: [0, 60]}}}]\n",
    );
    world.run("submit batch.yaml --yes --wait").expect(1);
    let (code, text) = Session::start(&world, "status", &[]).end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("▸ 60 jobs") && text.contains("59 succeeded, 1 failed"), "{text}");
    assert!(text.contains("lr-8") && !text.contains("lr-9"), "{text}");
    assert!(world.run("status").stdout.contains("lr-9"));
}

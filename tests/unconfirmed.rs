//! No key sequence sends anything without a confirm box that was answered by `y`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod stage;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use jobdeck::app::{
    keymap::TABLE,
    msg::Msg,
    overlay::{Confirm, Confirmed, Overlay},
    screen::View,
};
use proptest::prelude::*;
use stage::{BATCH, Stage, large_batch, sends};

/// One thing a person, or a cat, may do.
#[derive(Clone, Debug)]
enum Doing {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    Resize(u16, u16),
}

fn key() -> impl Strategy<Value = KeyEvent> {
    let bound: Vec<KeyEvent> = TABLE
        .iter()
        .flat_map(|e| e.keys)
        .map(|k| k.parse::<jobdeck::app::keymap::Chord>().unwrap().event())
        // Leaving ends the sequence; it is tried elsewhere.
        .filter(|k| !(k.code == KeyCode::Char('c') && k.modifiers == KeyModifiers::CONTROL))
        .collect();
    prop_oneof![
        8 => prop::sample::select(bound),
        // What gets far: to Preview, ask, to Monitor, ask.
        4 => prop::sample::select(vec!['p', 'S', '2', '3', 'r', 'R', 'c', 'l', 'g', 'F', 'a', ' '])
            .prop_map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)),
        2 => prop::sample::select(vec![KeyCode::Enter, KeyCode::Esc, KeyCode::Char('y')])
            .prop_map(KeyEvent::from),
        1 => prop::char::range('0', '9').prop_map(|c| KeyEvent::from(KeyCode::Char(c))),
        1 => any::<char>().prop_map(|c| KeyEvent::from(KeyCode::Char(c))),
        1 => (prop::char::range('a', 'z'), any::<bool>()).prop_map(|(c, alt)| {
            let modifiers = if alt { KeyModifiers::ALT } else { KeyModifiers::CONTROL };
            KeyEvent::new(KeyCode::Char(if c == 'c' { 'd' } else { c }), modifiers)
        }),
    ]
}

fn doing() -> impl Strategy<Value = Doing> {
    let mouse = (0u16..130, 0u16..45, 0u8..4).prop_map(|(column, row, kind)| {
        let kind = match kind {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::Drag(MouseButton::Left),
            _ => MouseEventKind::Down(MouseButton::Left),
        };
        MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }
    });
    prop_oneof![
        20 => key().prop_map(Doing::Key),
        1 => prop::sample::select(vec!["y", "yyy", "31y", "S y", "p\nS\ny\n"])
            .prop_map(|t| Doing::Paste(t.to_owned())),
        2 => mouse.prop_map(Doing::Mouse),
        1 => (10u16..140, 5u16..50).prop_map(|(w, h)| Doing::Resize(w, h)),
    ]
}

/// Whether this key may send something: a box that asks for just that is on top,
/// its number is typed, and the key is `y`.
fn may_send(stage: &Stage, doing: &Doing) -> bool {
    let Some(Overlay::Confirm(Confirm { must_type, typed, action, .. })) =
        stage.model.overlays.last()
    else {
        return false;
    };
    matches!(action, Confirmed::Submit(_) | Confirmed::Run { .. })
        && must_type.as_ref().is_none_or(|number| number == typed)
        && matches!(doing, Doing::Key(k) if *k == KeyEvent::from(KeyCode::Char('y')))
}

fn try_all(mut stage: Stage, doings: Vec<Doing>) -> Result<usize, TestCaseError> {
    let mut sent = 0;
    for doing in doings {
        let may = may_send(&stage, &doing);
        let before = stage.effects.len();
        match doing.clone() {
            Doing::Key(key) => stage.key(key),
            Doing::Paste(text) => stage.send(Msg::Paste(text)),
            Doing::Mouse(event) => stage.send(Msg::Mouse(event)),
            Doing::Resize(width, height) => stage.resize(width, height),
        }
        let new: Vec<_> = stage.effects.iter().skip(before).filter(|e| sends(e)).collect();
        prop_assert!(may || new.is_empty(), "{doing:?} sent {new:?}");
        prop_assert!(new.len() <= 1, "one `y` sends once");
        sent += new.len();
        // Whatever was pressed, it can be drawn.
        stage.draw();
        if stage.model.quitting {
            break;
        }
    }
    Ok(sent)
}

/// A few at every test run; `PROPTEST_CASES=2000` for a night.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(32),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn from_an_empty_start(doings in prop::collection::vec(doing(), 1..60)) {
        try_all(Stage::new(100, 30), doings)?;
    }

    #[test]
    fn with_a_valid_batch(doings in prop::collection::vec(doing(), 1..60)) {
        try_all(Stage::with_batch(80, 24, BATCH), doings)?;
    }

    #[test]
    fn with_a_batch_whose_number_must_be_typed(doings in prop::collection::vec(doing(), 1..60)) {
        let mut stage = Stage::with_batch(120, 32, &large_batch(131));
        stage.keys("p");
        try_all(stage, doings)?;
    }

    #[test]
    fn with_a_run_that_failed_in_part(doings in prop::collection::vec(doing(), 1..60)) {
        try_all(Stage::with_run(120, 32), doings)?;
    }
}

#[test]
fn the_road_that_does_submit() {
    let mut stage = Stage::with_batch(80, 24, BATCH);
    stage.keys("p S");
    assert!(stage.sent().is_empty());
    stage.keys("y");
    assert_eq!(stage.sent().len(), 1);
    assert_eq!(stage.model.view, View::Monitor);
}

#[test]
fn a_typed_number_is_needed_above_the_threshold() {
    let mut stage = Stage::with_batch(80, 24, &large_batch(131));
    for refused in ["y", "enter", "'13y", "'1312y", "'131 enter y"] {
        stage.keys("2 S").keys(refused);
        assert!(stage.sent().is_empty(), "{refused}");
        stage.keys("esc");
    }
    stage.keys("2 S '131y");
    assert_eq!(stage.sent().len(), 1);
}

#[test]
fn leaving_asks_only_when_something_would_be_lost() {
    let mut stage = Stage::new(80, 24);
    stage.keys("Q q");
    assert!(stage.model.quitting, "the quickstart as it came can be had again");
    let mut stage = Stage::new(80, 24);
    stage.keys("Q D q");
    assert!(!stage.model.quitting);
    assert!(stage.text().contains("Leave jobdeck?"), "{}", stage.text());
    stage.keys("n");
    assert!(!stage.model.quitting);
    stage.keys("q y");
    assert!(stage.model.quitting);
}

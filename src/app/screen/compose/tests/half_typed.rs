//! Text in a field that cannot be read yet.

use super::*;

#[test]
fn half_typed_text_is_part_of_the_draft() {
    let mut s = Session::with("jobs:\n- {name: a, command: echo}\n", 120, 32);
    s.keys("e");
    while s.compose().focused_row().and_then(Row::key) != Some("sweep") {
        s.keys("tab");
    }
    s.keys("'lr'");
    let kept = s.effects.iter().rev().find_map(|e| match e {
        Effect::SaveDraft { text: Some(text), half_typed, .. } => {
            Some((text.clone(), half_typed.clone()))
        }
        _ => None,
    });
    let (text, half_typed) = kept.unwrap();
    let lr = HalfTyped { entry: Some(0), field: "sweep".into(), text: "lr".into() };
    assert_eq!(half_typed, [lr]);

    let mut later = Session::new(120, 32);
    let saved_at = later.model.now;
    let draft = Draft { id: "1".into(), path: None, text, half_typed, saved_at };
    later.msg(Msg::Drafts(vec![draft]));
    later.keys("enter p");
    assert_eq!(later.model.view, View::Compose, "it is shown before anything is planned of it");
    assert_eq!(later.compose().form.editor.text(), "lr");
    later.keys("' 1, 2'");
    assert!(later.text().contains("lr: [1, 2]"), "{}", later.text());
}

#[test]
fn a_text_that_says_nothing_yet_is_kept() {
    let mut s = Session::with(THREE, 120, 32);
    s.model.compose.focus_field(Target::Entry(0), Some("options"), None);
    s.keys("'[1'");
    assert!(s.compose().form.trouble.is_some());
    assert!(s.compose().doc.field(Some(0), "options").is_none());
    s.keys("tab esc j e esc k");
    assert!(!s.compose().would_lose().is_empty());
    s.keys("p");
    assert_eq!(s.model.view, View::Compose, "it would preview something else");
    s.model.compose.focus_field(Target::Entry(0), Some("options"), None);
    assert_eq!(s.compose().form.editor.text(), "[1");
    s.keys("']'");
    assert!(s.compose().doc.field(Some(0), "options").is_some());
}

const HALF: &str = "jobs:\n  - {name: a, command: x}\n  - {name: b, command: y}\n";

/// The half-typed sweep of `b`, typed and left by Esc.
fn half_typed() -> Session {
    let mut s = Session::with(HALF, 120, 32);
    s.model.compose.focus_field(Target::Entry(1), Some("sweep"), None);
    s.keys("'lr 1, 2' enter 'seed' esc");
    s
}

fn sweep_shown(s: &mut Session, entry: usize) -> String {
    s.model.compose.focus_field(Target::Entry(entry), Some("sweep"), None);
    let text = s.compose().form.editor.text();
    s.keys("esc");
    text
}

#[test]
fn half_typed_text_outlives_everything_but_its_own_field() {
    let typed = "lr 1, 2\nseed";
    let mut s = half_typed();
    assert_eq!(sweep_shown(&mut s, 1), typed, "Esc");
    s.keys("g j D");
    assert_eq!(sweep_shown(&mut s, 2), typed, "a copy of another job");
    s.keys("u");
    assert_eq!(sweep_shown(&mut s, 1), typed, "and that undone");
    s.keys("g j x");
    assert_eq!(sweep_shown(&mut s, 0), typed, "another job deleted");
    s.keys("u E ctrl-home '# note' enter esc");
    assert_eq!(sweep_shown(&mut s, 1), typed, "the text edited elsewhere");
    s.keys("E");
    let text = s.text().replace("[1, 2]", "[1, 2, 3]");
    assert_ne!(text, s.text());
    s.keys("ctrl-home");
    while !s.compose().pane.as_ref().unwrap().editor.text().is_empty() {
        s.keys("delete");
    }
    s.msg(Msg::Paste(text));
    s.keys("esc");
    assert!(!sweep_shown(&mut s, 1).contains("seed"), "written anew as YAML");
}

#[test]
fn nothing_is_submitted_while_a_field_cannot_be_read() {
    let mut s = half_typed();
    s.keys("2 S");
    assert!(s.model.overlays.is_empty(), "no box");
    assert_eq!((s.model.view, s.compose().focus), (View::Compose, Focus::Form));
    assert_eq!(s.compose().focused_row().and_then(Row::key), Some("sweep"));
    assert!(s.compose().form.trouble.as_ref().unwrap().contains("seed"), "and it says why");
    s.keys("' 7' esc 2 S");
    assert_eq!(s.model.overlays.len(), 1);
}

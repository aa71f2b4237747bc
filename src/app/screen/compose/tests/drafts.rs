//! Files and drafts: nothing is lost, nothing of others replaced.

use super::*;

#[test]
fn drafts_are_offered_and_restored() {
    let mut s = Session::new(120, 32);
    let draft = |id: &str, text: &str| Draft {
        id: id.into(),
        path: None,
        text: text.into(),
        half_typed: Vec::new(),
        saved_at: s.model.now,
    };
    let drafts = vec![draft("1", "jobs:\n- name: lost\n"), draft("2", "jobs: []\n")];
    s.msg(Msg::Drafts(drafts));
    assert_eq!(s.compose().focus, Focus::Drafts);
    s.keys("down x y");
    assert!(
        s.effects
            .iter()
            .any(|e| matches!(e, Effect::SaveDraft { id, text: None, .. } if id == "2"))
    );
    s.keys("enter");
    assert_eq!(s.compose().entry_name(0), Some("lost"));
    assert!(s.compose().unsaved);
    s.keys("D");
    assert!(
        s.effects
            .iter()
            .any(|e| matches!(e, Effect::SaveDraft { id, text: Some(_), .. } if id == "1")),
        "it goes on under the same id"
    );
}

#[test]
fn opening_asks_before_it_loses_anything() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("x ctrl-o 'other.yaml' enter");
    assert!(!s.effects.iter().any(|e| matches!(e, Effect::OpenFile { .. })));
    s.keys("n");
    assert!(!s.effects.iter().any(|e| matches!(e, Effect::OpenFile { .. })), "anything else is no");
    s.keys("ctrl-o 'other.yaml' enter y");
    assert!(s.effects.iter().any(|e| matches!(e, Effect::OpenFile { .. })));
}

#[test]
fn nothing_of_others_is_replaced_unasked() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("x ctrl-s");
    let Some(Effect::SaveFile { path, known, replace: false, .. }) = s.effects.last().cloned()
    else {
        panic!("it is saved: {:?}", s.effects.last())
    };
    assert_eq!(known.as_deref(), Some(THREE));
    s.msg(Msg::FileDiffers { path: path.clone(), new: false });
    s.keys("n");
    assert!(s.compose().unsaved);
    s.keys("ctrl-s");
    s.msg(Msg::FileDiffers { path: path.clone(), new: false });
    s.keys("y");
    assert!(matches!(s.effects.last(), Some(Effect::SaveFile { replace: true, .. })));
    s.msg(Msg::FileSaved { path });
    assert!(!s.compose().unsaved);
    s.keys("W ctrl-u 'new.yaml' enter");
    assert!(matches!(s.effects.last(), Some(Effect::SaveFile { known: None, replace: false, .. })));
}

#[test]
fn a_new_file_is_made_by_saving() {
    let mut s = Session::new(80, 24);
    s.msg(Msg::FileNew { path: "work/new.yaml".into() });
    assert!(s.compose().is_new && !s.compose().unsaved);
    assert_eq!(s.compose().title(), "new");
    assert!(s.model.notice.as_ref().unwrap().1.starts_with("new file"));
    s.keys("n enter esc ctrl-s");
    let saved = s.effects.iter().find_map(|e| match e {
        Effect::SaveFile { path, known, .. } => Some((path.clone(), known.clone())),
        _ => None,
    });
    assert_eq!(saved, Some(("work/new.yaml".into(), None)), "and not over another's");
    s.msg(Msg::FileSaved { path: "work/new.yaml".into() });
    assert!(!s.compose().is_new && !s.compose().unsaved);
}

/// A draft of the file that sessions open.
fn draft_of(path: Option<&str>) -> Draft {
    Draft {
        id: "7".into(),
        path: path.map(PathBuf::from),
        text: "jobs:\n  - {name: draft, command: y}\n".into(),
        half_typed: Vec::new(),
        saved_at: "2026-11-21T09:00:00Z".parse().unwrap(),
    }
}

#[test]
fn a_draft_of_the_file_is_offered_when_that_is_opened() {
    let text = "jobs:\n  - {name: saved, command: x}\n";
    let open = || {
        let mut s = Session::new(80, 24);
        s.msg(Msg::Drafts(vec![draft_of(Some("work/batch.yaml"))]));
        s.msg(Msg::FileOpened { path: "work/batch.yaml".into(), text: text.into() });
        assert_eq!(s.compose().focus, Focus::Drafts);
        assert!(s.compose().offers_own_drafts());
        s
    };
    let mut s = open();
    s.keys("esc");
    assert_eq!((s.text(), s.compose().unsaved), (text, false), "the file as saved");
    assert!(!s.effects.iter().any(|e| matches!(e, Effect::SaveDraft { .. })), "it is kept");
    let mut s = open();
    s.keys("enter ctrl-s");
    assert_eq!(s.compose().entry_name(0), Some("draft"));
    let known = s.effects.iter().find_map(|e| match e {
        Effect::SaveFile { known, .. } => Some(known.clone()),
        _ => None,
    });
    assert_eq!(known.unwrap().as_deref(), Some(text), "saved over what was just read");
    let mut s = Session::new(80, 24);
    s.msg(Msg::FileNew { path: "work/batch.yaml".into() });
    s.msg(Msg::Drafts(vec![draft_of(Some("work/batch.yaml"))]));
    assert_eq!(s.compose().focus, Focus::Drafts, "of a file that never was saved too");
}

#[test]
fn a_draft_is_thrown_away_after_a_question_only() {
    let mut s = Session::new(80, 24);
    s.msg(Msg::Drafts(vec![draft_of(None)]));
    s.keys("x n");
    assert_eq!(s.compose().drafts.len(), 1);
    assert!(s.effects.is_empty());
    s.keys("x y");
    assert!(s.compose().drafts.is_empty());
    assert!(matches!(s.effects.as_slice(), [Effect::SaveDraft { text: None, .. }]));
    assert_eq!(s.compose().focus, Focus::Table);
}

#[test]
fn a_name_that_does_not_do_is_asked_for_again() {
    let typed = |s: &Session| match s.model.overlays.last() {
        Some(Overlay::Prompt(prompt)) => prompt.input.text().to_owned(),
        other => panic!("{other:?}"),
    };
    let mut s = Session::with(THREE, 80, 24);
    s.keys("W ctrl-u '/nowhere/a.yaml' enter");
    s.msg(Msg::Failed(crate::error::Report::new(crate::error::Kind::Batch, "no such folder")));
    s.keys("esc");
    assert_eq!(typed(&s), "/nowhere/a.yaml");
    s.keys("ctrl-u '/data/b.yaml' enter");
    s.msg(Msg::FileDiffers { path: "/data/b.yaml".into(), new: true });
    s.keys("n");
    assert_eq!(typed(&s), "/data/b.yaml", "no to «Replace?»");
    s.keys("enter");
    s.msg(Msg::FileDiffers { path: "/data/b.yaml".into(), new: true });
    s.keys("y");
    s.msg(Msg::FileSaved { path: "/data/b.yaml".into() });
    assert!(s.model.overlays.is_empty());
}

use super::*;

/// Keys of an inner scope that deliberately cover an outer one's.
const COVERED: [(&str, Scope); 3] = [("tab", Scope::Logs), ("/", Scope::Logs), ("n", Scope::Logs)];

#[test]
fn no_key_means_two_things_in_one_place() {
    for scope in [
        Scope::Compose,
        Scope::Form,
        Scope::Text,
        Scope::Preview,
        Scope::Logs,
        Scope::Runs,
        Scope::Clusters,
    ] {
        let mut seen: Vec<(&str, Action)> = Vec::new();
        for entry in TABLE.iter().filter(|e| scope.chain().contains(&e.scope)) {
            for key in entry.keys {
                if COVERED.contains(&(key, scope)) && entry.scope != Scope::Logs {
                    continue;
                }
                if key == &"g" && scope == Scope::Logs && entry.scope == Scope::Monitor {
                    continue; // while a log is read, `g` is its top
                }
                let earlier = seen.iter().find(|(k, a)| k == key && *a != entry.action);
                assert!(earlier.is_none(), "`{key}` in {scope:?}: {entry:?} and {earlier:?}");
                seen.push((key, entry.action));
            }
        }
    }
}

#[test]
fn every_key_of_the_table_is_a_key_and_does_its_action() {
    let keymap = Keymap::default();
    for entry in TABLE {
        assert!(!entry.keys.is_empty() && !entry.doc.is_empty() && !entry.name.is_empty());
        for key in entry.keys {
            let chord: Chord = key.parse().unwrap();
            assert_eq!(keymap.action(chord.event(), entry.scope), Some(entry.action), "{key}");
        }
    }
}

#[test]
fn every_action_is_in_the_table() {
    // A match without a wildcard, so that a new action does not compile here
    // before it is listed.
    use Action as A;
    let next = |action: Action| {
        Some(match action {
            A::GoCompose => A::GoPreview,
            A::GoPreview => A::GoMonitor,
            A::GoMonitor => A::GoRuns,
            A::GoRuns => A::GoClusters,
            A::GoClusters => A::Help,
            A::Help => A::Palette,
            A::Palette => A::Filter,
            A::Filter => A::Refresh,
            A::Refresh => A::PausePolling,
            A::PausePolling => A::Quit,
            A::Quit => A::Leave,
            A::Leave => A::Suspend,
            A::Suspend => A::Back,
            A::Back => A::NextPane,
            A::NextPane => A::PreviousPane,
            A::PreviousPane => A::Up,
            A::Up => A::Down,
            A::Down => A::Left,
            A::Left => A::Right,
            A::Right => A::Top,
            A::Top => A::Bottom,
            A::Bottom => A::PageUp,
            A::PageUp => A::PageDown,
            A::PageDown => A::Activate,
            A::Activate => A::Mark,
            A::Mark => A::MarkAll,
            A::MarkAll => A::MarkRange,
            A::MarkRange => A::NewJob,
            A::NewJob => A::EditJob,
            A::EditJob => A::DuplicateJob,
            A::DuplicateJob => A::DeleteJob,
            A::DeleteJob => A::Undo,
            A::Undo => A::Redo,
            A::Redo => A::MoveJobDown,
            A::MoveJobDown => A::MoveJobUp,
            A::MoveJobUp => A::EditYaml,
            A::EditYaml => A::Save,
            A::Save => A::SaveAs,
            A::SaveAs => A::Open,
            A::Open => A::Quickstart,
            A::Quickstart => A::Templates,
            A::Templates => A::SaveTemplate,
            A::SaveTemplate => A::Preview,
            A::Preview => A::ShowRequests,
            A::ShowRequests => A::AskClusters,
            A::AskClusters => A::Submit,
            A::Submit => A::Logs,
            A::Logs => A::Retry,
            A::Retry => A::RetryWith,
            A::RetryWith => A::RetryFailed,
            A::RetryFailed => A::Cancel,
            A::Cancel => A::CancelWith,
            A::CancelWith => A::Hold,
            A::Hold => A::Release,
            A::Release => A::Requeue,
            A::Requeue => A::Sort,
            A::Sort => A::SortReverse,
            A::SortReverse => A::FailedOnly,
            A::FailedOnly => A::GroupByCause,
            A::GroupByCause => A::Fold,
            A::Fold => A::FoldAll,
            A::FoldAll => A::InvertMarks,
            A::InvertMarks => A::CopyId,
            A::CopyId => A::NextFailed,
            A::NextFailed => A::SendHeld,
            A::SendHeld => A::StopSending,
            A::StopSending => A::Follow,
            A::Follow => A::Wrap,
            A::Wrap => A::SwitchStream,
            A::SwitchStream => A::Search,
            A::Search => A::NextMatch,
            A::NextMatch => A::PreviousMatch,
            A::PreviousMatch => A::PreviousAttempt,
            A::PreviousAttempt => A::NextAttempt,
            A::NextAttempt => A::PreviousWorker,
            A::PreviousWorker => A::NextWorker,
            A::NextWorker => A::NextError,
            A::NextError => A::OnlyMatches,
            A::OnlyMatches => A::CloneRun,
            A::CloneRun => A::LogIn,
            A::LogIn => return None,
        })
    };
    let mut action = Some(A::GoCompose);
    while let Some(a) = action {
        assert!(TABLE.iter().any(|e| e.action == a), "{a:?} has no row");
        action = next(a);
    }
}

#[test]
fn the_promised_keys_are_bound() {
    use Action as A;
    let promised: &[(Scope, &[(&str, Action)])] = &[
        (
            Scope::Anywhere,
            &[
                ("1", A::GoCompose),
                ("2", A::GoPreview),
                ("3", A::GoMonitor),
                ("4", A::GoRuns),
                ("5", A::GoClusters),
                ("?", A::Help),
                (":", A::Palette),
                ("/", A::Filter),
                ("ctrl-r", A::Refresh),
                ("P", A::PausePolling),
                ("q", A::Quit),
                ("ctrl-c", A::Leave),
                ("esc", A::Back),
                ("tab", A::NextPane),
                ("shift-tab", A::PreviousPane),
                ("home", A::Top),
                ("end", A::Bottom),
                ("pgup", A::PageUp),
                ("pgdn", A::PageDown),
                ("up", A::Up),
                ("down", A::Down),
                ("left", A::Left),
                ("right", A::Right),
                ("j", A::Down),
                ("k", A::Up),
                ("h", A::Left),
                ("G", A::Bottom),
                ("enter", A::Activate),
            ],
        ),
        (
            Scope::Compose,
            &[
                ("n", A::NewJob),
                ("e", A::EditJob),
                ("enter", A::Activate),
                ("D", A::DuplicateJob),
                ("x", A::DeleteJob),
                ("u", A::Undo),
                ("ctrl-y", A::Redo),
                ("J", A::MoveJobDown),
                ("K", A::MoveJobUp),
                ("space", A::Mark),
                ("E", A::EditYaml),
                ("ctrl-s", A::Save),
                ("ctrl-o", A::Open),
                ("p", A::Preview),
            ],
        ),
        (
            Scope::Preview,
            &[
                ("v", A::ShowRequests),
                ("o", A::AskClusters),
                ("S", A::Submit),
                ("enter", A::Activate),
            ],
        ),
        (
            Scope::Monitor,
            &[
                ("l", A::Logs),
                ("enter", A::Activate),
                ("space", A::Mark),
                ("r", A::Retry),
                ("R", A::RetryFailed),
                ("c", A::Cancel),
                ("s", A::Sort),
                ("F", A::FailedOnly),
                ("g", A::GroupByCause),
                ("z", A::Fold),
                ("y", A::CopyId),
            ],
        ),
        (
            Scope::Logs,
            &[("f", A::Follow), ("w", A::Wrap), ("tab", A::SwitchStream), ("l", A::Logs)],
        ),
    ];
    let keymap = Keymap::default();
    for (scope, keys) in promised {
        for (key, action) in *keys {
            let chord: Chord = key.parse().unwrap();
            assert_eq!(keymap.action(chord.event(), *scope), Some(*action), "{key} in {scope:?}");
        }
    }
}

#[test]
fn terminals_may_spell_shift_as_they_like() {
    let keymap = Keymap::default();
    for key in [
        KeyEvent::new(KeyCode::Char('S'), KeyModifiers::SHIFT),
        KeyEvent::new(KeyCode::Char('S'), KeyModifiers::NONE),
        KeyEvent::new(KeyCode::Char('s'), KeyModifiers::SHIFT),
    ] {
        assert_eq!(keymap.action(key, Scope::Preview), Some(Action::Submit));
    }
    let back = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
    assert_eq!(keymap.action(back, Scope::Runs), Some(Action::PreviousPane));
    assert_eq!("ctrl-s".parse::<Chord>().unwrap().to_string(), "^S");
    assert_eq!("pgup".parse::<Chord>().unwrap().to_string(), "PgUp");
    assert!("hyper-x".parse::<Chord>().is_err());
}

#[test]
fn the_page_of_keys_is_fresh() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/keys.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, markdown()).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == markdown(), "src/app/keys.md is stale: UPDATE_DOCS=1 cargo test --lib keymap");
}

#[test]
fn a_key_bound_in_two_scopes_is_told_once() {
    let keymap = Keymap::default();
    let shown = |scope| -> Vec<String> {
        keymap.keys(Action::Activate, scope).iter().map(ToString::to_string).collect()
    };
    assert_eq!(shown(Scope::Compose), ["Enter"]);
    assert_eq!(shown(Scope::Monitor), ["Enter"]);
}

//! Snapshots: what the view looks like at both sizes, in every state.

use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use ratatui::{Terminal, backend::TestBackend};

use crate::{
    app::{
        form::Target,
        msg::{Draft, Msg},
        screen::compose::{document::Document, tests::Session},
    },
    domain::library::Library,
    runtime::templates::Folders,
    ui::{snapshot, theme::Theme},
};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// The view alone: what stands around it is not its business.
fn screen(session: &Session) -> String {
    let model = &session.model;
    let mut terminal = Terminal::new(TestBackend::new(model.width, model.height - 2)).unwrap();
    terminal.draw(|frame| super::draw(frame, frame.area(), model, &Theme::basic())).unwrap();
    snapshot::screen(terminal.backend().buffer())
}

/// Draws a session at both sizes: the text it opens, and the keys pressed then.
fn snap(name: &str, text: &str, set_up: impl Fn(&mut Session)) {
    for (width, height) in SIZES {
        let mut session = if text.is_empty() {
            Session::new(width, height)
        } else {
            Session::with(text, width, height)
        };
        set_up(&mut session);
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), screen(&session));
    }
}

#[test]
fn empty() {
    snap("empty", "", |_| {});
}

#[test]
fn choosing_a_type() {
    snap("new-job", "", |s| s.keys("n"));
}

#[test]
fn templates() {
    let broken = "jobs:\n  - {name: a\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.yaml"), broken).unwrap();
    std::fs::write(folder.path().join("sweep.yaml"), "jobs: [{name: a, command: x}]").unwrap();
    let folders = Folders { user: Some(folder.path().to_owned()), site: None };
    let mut library = crate::runtime::templates::read(&folders);
    for path in library.templates.iter_mut().filter_map(|t| t.path.as_mut()) {
        *path = Path::new("/home/ada/.config/jobdeck/templates").join(path.file_name().unwrap());
    }
    let show = |s: &mut Session, library: &Library, keys: &str| {
        s.answers = false;
        s.keys("T");
        s.msg(Msg::Templates(library.clone()));
        s.keys(keys);
    };
    snap("templates", "", |s| show(s, &library, ""));
    snap("templates-broken", BATCH, |s| show(s, &library, "'mi'"));
    snap("templates-hidden", BATCH, |s| show(s, &library, "end up"));
    library.problems.push("/etc/jobdeck/templates cannot be read: permission denied".into());
    snap("templates-problem", BATCH, |s| show(s, &library, ""));
}

#[test]
fn a_first_job() {
    snap("first-job", "", |s| s.keys("n enter"));
}

#[test]
fn normal() {
    snap("normal", BATCH, |s| s.keys("j j j"));
}

#[test]
fn a_form() {
    snap("form", BATCH, |s| s.keys("j e tab tab tab tab"));
}

#[test]
fn a_sweep() {
    snap("sweep", BATCH, |s| {
        s.model.compose.focus_field(Target::Entry(3), Some("sweep"), None);
        s.keys("enter 'dropout 0.1, 0.2'");
    });
}

#[test]
fn a_pick_list() {
    snap("pick-list", BATCH, |s| {
        s.model.compose.focus_field(Target::Entry(4), Some("cluster"), None);
        s.keys("enter");
    });
}

#[test]
fn a_field_that_is_wrong() {
    snap("wrong-field", BATCH, |s| s.keys("G k e"));
}

#[test]
fn marks_and_a_change_for_all_of_them() {
    snap("marks", BATCH, |s| s.keys("g j space space"));
    snap("marks-form", BATCH, |s| {
        s.keys("g j space space");
        s.model.compose.focus_field(Target::Entry(2), Some("time_limit"), None);
        s.keys("'90'");
    });
}

#[test]
fn settings_of_the_batch() {
    snap("batch", BATCH, |s| s.keys("g e"));
}

#[test]
fn the_text() {
    snap("text", BATCH, |s| s.keys("G k E"));
    snap("text-broken", BATCH, |s| s.keys("g E end enter 'x: [' "));
    snap("broken", BATCH, |s| s.keys("g E end enter 'x: [' esc"));
}

#[test]
fn a_text_that_never_was_a_batch_has_no_empty_count() {
    let session = Session::with("jobs: [", 80, 24);
    let head = screen(&session).lines().next().unwrap_or_default().to_owned();
    assert!(head.contains("✗ syntax error") && !head.contains("·"), "{head}");
}

#[test]
fn a_filter() {
    snap("filter", BATCH, |s| s.keys("/ 'lab' enter"));
}

#[test]
fn drafts() {
    let saved_at: Timestamp = "2026-11-21T09:12:00Z".parse().unwrap();
    let draft = |path: Option<&str>, text: &str| Draft {
        id: text.into(),
        path: path.map(Into::into),
        text: text.into(),
        half_typed: Vec::new(),
        saved_at,
    };
    let drafts =
        vec![draft(Some("/home/alice/jobs/lr.yaml"), BATCH), draft(None, "jobs:\n- name: lost\n")];
    snap("drafts", "", |s| s.msg(Msg::Drafts(drafts.clone())));
    snap("draft-of-file", BATCH, |s| {
        s.msg(Msg::Drafts(vec![draft(Some("work/batch.yaml"), "jobs: []\n")]));
    });
}

#[test]
fn nothing_in_a_batch_paints_outside_its_cell() {
    let text =
        "jobs:\n- name: \"a\\e[2J\\n\\u202e\"\n  command: \"x\\ty\\u0007\"\n  \"\\e]0;t\\a\": 1\n";
    for keys in ["", "e", "E"] {
        let mut session = Session::with(text, 80, 24);
        session.keys(keys);
        let buffer = snapshot::buffer(&session.model, &Theme::basic());
        for cell in &buffer.content {
            let bad = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
            assert!(!cell.symbol().contains(bad), "{:?}", cell.symbol());
        }
    }
}

const BATCH: &str = "\
# fine-tuning, with its evaluation
name: fine-tune-mlp
defaults: {cluster: lab, image: pytorch/pytorch:latest}
jobs:
  - {name: job1, gpus: 2, command: python train.py}
  - {type: distributed, name: dist-training, workers: 4, gpus: 2, framework: pytorch, command: python -m train}
  - {type: workspace, name: analysis, gpus: 1, workspace_type: jupyter, image: jupyter/scipy-notebook}
  - name: fine-tune-mlp
    gpus: 1
    command: |
      python train.py --lr {lr} \\
        --seed {seed}
    sweep:
      lr: [1e-3, 1e-2, 1e-1]
      seed: {range: [0, 9]}
    time_limit: 4:00:00
    env: {WANDB_PROJECT: mlp}
  - name: eval
    cluster: lbas
    gpus: two
    command: python eval.py
    depends_on: [fine-tune-mlp]
  - name: 训练任务🚀-with-a-name-that-is-too-long-for-its-column
    cluster: [lab, auto]
    command: python x.py
";

fn any_keys() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        4 => proptest::sample::select(vec![
            "n", "e", "D", "x", "u", "ctrl-y", "J", "K", "space", "a", "E", "g", "G", "j", "k", "l",
            "/", "enter", "esc", "tab", "shift-tab", "up", "down", "left", "right", "home", "end",
            "pgup", "pgdn", "backspace", "delete", "ctrl-z", "ctrl-w", "ctrl-u", "ctrl-k", "ctrl-end",
            "ctrl-home", "f8", "ctrl-left", "ctrl-right", "alt-d", "ctrl-s", "ctrl-o", "T", "ctrl-t",
        ])
        .prop_map(str::to_owned),
        2 => proptest::sample::select(vec![
            "'a'", "'7'", "': '", "'- '", "'{'", "'}'", "'['", "', '", "'#'", "'\"'", "'训'", "'{x}'",
            "'lab'", "'0 … 3'", "'é='", "'|'", "'&a '", "'*a'",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(key, 1..60).prop_map(|keys| keys.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_pressed_the_text_and_the_tree_agree(
        start in 0..4usize,
        wide in any::<bool>(),
        keys in any_keys(),
        pasted in proptest::sample::select(vec!["", "a: 1\nb: [", "python x.py\r- y", "- {name: q}\n"]),
        more in any_keys(),
    ) {
        let text = ["", BATCH, "{\"jobs\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}", "- name: a\n- {name: b}\n"][start];
        let (width, height) = SIZES[usize::from(wide)];
        let mut session = Session::with(text, width, height);
        session.keys(&keys);
        session.msg(Msg::Paste(pasted.into()));
        session.keys(&more);
        let compose = session.compose();
        if compose.doc.error().is_none() {
            let fresh = Document::new(compose.doc.text());
            prop_assert!(fresh.error().is_none(), "{}", compose.doc.text());
            prop_assert_eq!(fresh.tree(), compose.doc.tree(), "{}", compose.doc.text());
        }
        let rows = compose.row_count();
        prop_assert!(compose.cursor_row() < rows.max(1));
        prop_assert!(compose.marks.iter().all(|i| *i < compose.doc.len()));
        screen(&session);
    }
}

/// Clicks at the first place where the screen says `words`.
fn click(session: &mut Session, words: &str) {
    use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
    let buffer = snapshot::buffer(&session.model, &Theme::basic());
    let lines = (0..buffer.area.height).map(|y| -> Vec<String> {
        (0..buffer.area.width).map(|x| buffer[(x, y)].symbol().to_owned()).collect()
    });
    let found = lines.enumerate().find_map(|(y, cells)| {
        let x = (0..cells.len()).find(|x| cells[*x..].concat().starts_with(words))?;
        Some((x as u16, y as u16))
    });
    let (column, row) = found.unwrap_or_else(|| panic!("{words} is not to be seen"));
    let kind = MouseEventKind::Down(MouseButton::Left);
    let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    let hit = crate::ui::under(&session.model, event);
    session.msg(hit.map_or(Msg::Mouse(event), Msg::Click));
}

#[test]
fn a_click_goes_to_the_field_or_the_value_under_the_pointer() {
    for (width, height) in SIZES {
        let mut s = Session::with("jobs:\n  - {name: a, command: x}\n", width, height);
        s.keys("j e");
        let focused =
            |s: &Session| s.compose().focused_row().and_then(|r| r.key()).map(str::to_owned);
        click(&mut s, "Time limit");
        assert_eq!(focused(&s).as_deref(), Some("time_limit"), "{width}");
        click(&mut s, "Cluster ");
        assert_eq!(focused(&s).as_deref(), Some("cluster"));
        s.keys("enter");
        click(&mut s, "lab     slurm");
        assert!(s.text().contains("cluster: lab"), "{}", s.text());
        s.keys("esc n");
        click(&mut s, "workspace");
        assert!(s.text().contains("type: workspace"), "{}", s.text());
    }
}

#[test]
fn a_new_file_is_no_error() {
    let mut s = Session::new(80, 24);
    s.msg(Msg::FileNew { path: "work/new.yaml".into() });
    let shown = screen(&s);
    assert!(shown.contains("new file") && !shown.contains('✗'), "{shown}");
}

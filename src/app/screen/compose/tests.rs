//! Key sessions on the whole model, with plans answered as the runtime would.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;

use super::*;
use crate::{
    app::{
        effect::Effect,
        keymap::Chord,
        model::{Model, Settings},
        msg::{ClusterHealth, Draft, HalfTyped},
        overlay::Overlay,
        update::update,
    },
    domain::{
        finding::Severity,
        ids::ClusterId,
        planner::PlanContext,
        site::{Capabilities, ClusterView, KeepsLimit, Limits},
    },
};

/// A model that keys are pressed in.
pub(crate) struct Session {
    pub(crate) model: Model,
    pub(crate) effects: Vec<Effect>,
    pub(crate) answers: bool,
}

impl Session {
    pub(crate) fn new(width: u16, height: u16) -> Self {
        let now: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
        let settings = Settings {
            cluster_names: vec!["local".into(), "lab".into()],
            projects: vec!["project-01".into(), "project-02".into()],
            default_cluster: Some("local".into()),
            ..Settings::default()
        };
        let mut model = Model::new(settings, now, width, height);
        model.health = [("local", ClusterKind::Local), ("lab", ClusterKind::Slurm)]
            .map(|(name, kind)| ClusterHealth {
                id: ClusterId::new(name),
                kind,
                enabled: true,
                can: Capabilities::of(kind),
                capacity: None,
                last_seen: Some(now),
                error: None,
                needs_login: false,
                latency_ms: None,
                requests_per_minute: 0,
            })
            .to_vec();
        Self { model, effects: Vec::new(), answers: true }
    }

    pub(crate) fn with(text: &str, width: u16, height: u16) -> Self {
        let mut session = Self::new(width, height);
        session.msg(Msg::FileOpened { path: "work/batch.yaml".into(), text: text.into() });
        session
    }

    pub(crate) fn compose(&self) -> &Compose {
        &self.model.compose
    }

    pub(crate) fn text(&self) -> &str {
        self.model.compose.doc.text()
    }

    pub(crate) fn msg(&mut self, msg: Msg) {
        let effects = update(&mut self.model, msg);
        for effect in &effects {
            if let Effect::Plan { revision, name, text, .. } = effect
                && self.answers
            {
                let plan = crate::yaml::plan(text.as_bytes(), name, None, &context());
                let revision = *revision;
                update(&mut self.model, Msg::Planned { revision, plan: Box::new(plan) });
            }
        }
        self.effects.extend(effects);
    }

    /// Presses keys: names as in the table of actions, `'text'` typed as it is.
    pub(crate) fn keys(&mut self, script: &str) {
        for word in words(script) {
            if let Some(text) = word.strip_prefix('\'') {
                text.chars().for_each(|c| self.press(KeyCode::Char(c)));
            } else {
                let chord: Chord = word.parse().expect("a key");
                self.msg(Msg::Key(chord.event()));
            }
        }
    }

    fn press(&mut self, code: KeyCode) {
        self.msg(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}

/// Words of a script; quoted text is one word with its first quote.
fn words(script: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = script.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let end = quoted.find('\'').expect("a closing quote");
            words.push(format!("'{}", &quoted[..end]));
            rest = quoted[end + 1..].trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            rest = rest[end..].trim_start();
        }
    }
    words
}

/// What plans are made with: this machine and a Slurm cluster.
pub(crate) fn context() -> PlanContext {
    let capabilities = |local: bool| Capabilities {
        job_types: crate::domain::job::JobType::ALL.into_iter().collect(),
        gpu_fractions: true,
        queue: true,
        dependencies: true,
        run_limit: KeepsLimit::Always,
        sends_code: false,
        worker_logs: false,
        idempotent: true,
        needs_image: false,
        uses_image: !local,
        needs_project: false,
        needs_command: true,
        jobs_per_request: 100,
        concurrency: 4,
        absent_looks: 1,
        absent_spacing_secs: 0,
        adds_master: false,
        logs: true,
        requeue: !local,
        suspend: false,
        login: false,
        min_interval_ms: 100,
    };
    let clusters = [("local", ClusterKind::Local), ("lab", ClusterKind::Slurm)]
        .map(|(name, kind)| {
            let id = ClusterId::new(name);
            let view = ClusterView {
                id: id.clone(),
                kind,
                enabled: true,
                tags: Vec::new(),
                capabilities: capabilities(kind == ClusterKind::Local),
                limits: Limits::default(),
                capacity: None,
                projects: Vec::new(),
                drivable: true,
                has_jupyter: Some(true),
                remote: !matches!(kind, ClusterKind::Local),
            };
            (id, view)
        })
        .into_iter()
        .collect();
    PlanContext {
        default_cluster: Some(ClusterId::new("local")),
        clusters,
        ..PlanContext::default()
    }
}

#[test]
fn a_newcomer_makes_a_job() {
    let mut s = Session::new(120, 32);
    s.keys("n enter ctrl-u 'first' tab tab");
    assert_eq!(s.text(), "jobs:\n  - name: first\n    command: echo hello\n");
    assert!(s.compose().unsaved);
    assert!(s.effects.iter().any(|e| matches!(e, Effect::SaveDraft { text: Some(_), .. })));
    s.keys("esc ctrl-s");
    assert!(!s.model.overlays.is_empty(), "it asks where to");
    s.keys("enter");
    let saved = s.effects.iter().find_map(|e| match e {
        Effect::SaveFile { path, text, .. } => Some((path.clone(), text.clone())),
        _ => None,
    });
    let (path, text) = saved.unwrap();
    assert_eq!(text, s.text());
    s.msg(Msg::FileSaved { path });
    assert!(!s.compose().unsaved);
    assert!(matches!(
        s.effects.last(),
        Some(Effect::Plan { .. } | Effect::SaveDraft { text: None, .. })
    ));
}

const THREE: &str = "\
# mine
jobs:
  - name: job1        # the first
    command: python a.py
  - {name: eval, gpus: 2, command: python b.py}
  - name: last
    type: distributed
    workers: 4
    gpus: 2
    command: python c.py
";

#[test]
fn rows_come_go_and_move() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("D");
    assert_eq!(s.compose().entry_name(1), Some("job2"));
    assert_eq!(s.compose().cursor, Target::Entry(1));
    s.keys("j D");
    assert_eq!(s.compose().entry_name(3), Some("eval-copy"));
    s.keys("u u");
    assert_eq!(s.text(), THREE);
    s.keys("g j J");
    assert_eq!(s.compose().entry_name(1), Some("job1"));
    assert_eq!(s.compose().cursor, Target::Entry(1));
    s.keys("K x");
    assert_eq!(s.compose().doc.len(), 2);
    s.keys("u");
    assert_eq!(s.text(), THREE);
    s.keys("ctrl-y");
    assert_eq!(s.compose().doc.len(), 2);
}

#[test]
fn marked_jobs_change_together() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("a e");
    s.model.compose.focus_field(Target::Entry(0), Some("gpus"), None);
    s.keys("ctrl-u '3'");
    for i in 0..3 {
        assert_eq!(s.compose().doc.scalar(i, "gpus"), Some("3"), "{}", s.text());
    }
    s.keys("esc u");
    assert_eq!(s.text(), THREE, "one step takes it back");
    s.keys("esc g j space space D");
    assert_eq!(s.compose().doc.len(), 5);
    assert_eq!(s.compose().marks.len(), 2);
    assert_eq!(s.compose().entry_name(1), Some("job2"));
    assert_eq!(s.compose().entry_name(3), Some("eval-copy"));
    s.keys("x");
    assert_eq!(s.text(), THREE);
}

#[test]
fn the_text_and_the_forms_are_the_same_batch() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("j E");
    assert_eq!(s.compose().focus, Focus::Yaml);
    let line = s.compose().pane.as_ref().unwrap().editor.cursor().0;
    assert_eq!(line, 4, "at the entry");
    s.keys("end backspace");
    assert!(s.compose().doc.error().is_some());
    assert_eq!(s.compose().doc.len(), 3, "the last good table");
    s.keys("esc e");
    assert_eq!(s.compose().focus, Focus::Table, "forms are blocked");
    assert!(s.model.notice.is_some());
    s.keys("E up end '}' esc");
    assert_eq!(s.text(), THREE);
    assert!(s.compose().doc.error().is_none());
    s.keys("E down down down end enter 'tags: [x]' esc");
    assert!(s.compose().doc.field(Some(2), "tags").is_some(), "{}", s.text());
    s.msg(Msg::Key(KeyEvent::new(KeyCode::Char('E'), KeyModifiers::NONE)));
    s.msg(Msg::Paste("\n# pasted\n".into()));
    assert!(s.text().contains("# pasted"));
}

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
fn typing_never_reaches_the_commands() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("e tab tab tab tab tab 'nDxuJKEpq:?/123'");
    assert_eq!(s.model.view, View::Compose);
    assert_eq!(s.compose().doc.len(), 3);
    assert!(s.model.overlays.is_empty());
}

#[test]
fn a_filter_narrows_the_table_and_the_cursor_follows() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("/ 'distr' enter");
    assert_eq!(s.compose().row_count(), 2);
    assert_eq!(s.compose().cursor, Target::Entry(2));
    s.keys("esc");
    assert_eq!(s.compose().row_count(), 4);
    assert_eq!(s.compose().cursor, Target::Entry(2));
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

#[test]
fn what_people_have_becomes_jobs() {
    let mut s = Session::with(THREE, 120, 32);
    s.msg(Msg::Paste("python x.py\npython y.py\n".into()));
    assert_eq!(s.compose().doc.len(), 5);
    assert_eq!(s.compose().entry_name(1), Some("job2"));
    assert_eq!(s.compose().entry_name(2), Some("job3"));
    s.msg(Msg::Paste("- {name: eval, command: again}\n".into()));
    assert_eq!(s.compose().entry_name(2), Some("eval-copy"));
    s.keys("u u");
    assert_eq!(s.text(), THREE);
    let script = "#!/bin/sh\n#SBATCH -J hello\necho hello\n".to_owned();
    s.msg(Msg::FileOpened { path: "dir/run.sbatch".into(), text: script });
    assert_eq!(s.compose().path, None, "the script itself is not written over");
    assert_eq!(s.text(), "jobs:\n  - name: hello\n    command: echo hello\n");
    assert!(s.compose().unsaved);
    assert_eq!(s.compose().title(), "run");
}

#[test]
fn names_of_copies() {
    let taken = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    assert_eq!(jobs::next_name("job1", &taken(&["job1", "job2"])), "job3");
    assert_eq!(jobs::next_name("run-09", &taken(&["run-09"])), "run-10");
    assert_eq!(jobs::next_name("eval", &taken(&["eval"])), "eval-copy");
    assert_eq!(jobs::next_name("eval", &taken(&["eval", "eval-copy"])), "eval-copy2");
}

#[test]
fn a_finding_of_the_batch_leads_to_its_setting_or_its_line() {
    let text = "max_concurrent: none\ndefaults:\n  gpus: two\njobs:\n  - command: x\n";
    let mut s = Session::with(text, 120, 32);
    let findings = |s: &Session| s.model.preview.plan.as_ref().unwrap().findings.clone();
    for key in ["max_concurrent", "gpus"] {
        s.keys("2 g");
        let at = findings(&s)
            .iter()
            .position(|f| f.entry.is_none() && f.path.to_string().ends_with(key));
        s.model.preview.findings.at = at.unwrap_or_else(|| panic!("{key}: {:?}", findings(&s)));
        s.keys("enter");
        assert_eq!((s.model.view, s.compose().focus), (View::Compose, Focus::Form), "{key}");
        assert_eq!(s.compose().form.target, Target::Batch);
        assert_eq!(s.compose().focused_row().and_then(Row::key), Some(key));
        s.keys("esc");
    }
    let mut s = Session::with("name: a\n\njobs: 7\n", 120, 32);
    s.keys("2 g enter");
    assert_eq!((s.model.view, s.compose().focus), (View::Compose, Focus::Yaml));
    assert_eq!(s.compose().pane.as_ref().unwrap().editor.cursor().0, 2);
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

#[test]
fn no_row_is_hidden_that_there_is_room_for() {
    let mut s = Session::new(80, 24);
    s.keys("n enter esc n enter esc n enter esc");
    assert_eq!((s.compose().doc.len(), s.compose().top), (3, 0));
    let many = "  - {command: sleep 1}\n".repeat(30);
    let mut s = Session::with(&format!("jobs:\n{many}"), 80, 24);
    s.keys("end");
    let top = s.compose().top;
    s.msg(Msg::Resize { width: 80, height: 30 });
    assert_eq!(s.compose().top, top - 6);
}

#[test]
fn the_made_up_name_of_a_new_job_gives_way_to_what_is_typed() {
    let mut s = Session::new(120, 32);
    s.keys("n enter 'train'");
    assert_eq!(s.compose().entry_name(0), Some("train"));
    s.keys("esc n enter end '-a'");
    assert_eq!(s.compose().entry_name(1), Some("job1-a"), "after a move it is added to");
}

#[test]
fn a_variable_without_a_value_is_a_finding() {
    let text = "defaults: {env: {A: '1'}}\njobs:\n  - {name: a, command: x, env: {B: '2'}}\n";
    let mut s = Session::with(text, 120, 32);
    s.model.compose.focus_field(Target::Entry(0), Some("env"), None);
    let row = s.compose().focused_row().unwrap().clone();
    assert_eq!(s.compose().inherited_keys(Target::Entry(0), &row).as_deref(), Some("A=1"));
    s.keys("enter 'FOO'");
    let why = s.compose().local_trouble(&row).unwrap();
    assert!(why.contains("line 2: write KEY=VALUE"), "{why}");
    assert_eq!(s.text(), text, "nothing is taken away by it");
    s.keys("ctrl-u 'A'");
    assert!(s.text().contains("A: null"), "what is inherited can be: {}", s.text());
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

#[test]
fn a_bracket_that_is_not_closed_is_where_the_fault_is() {
    for (text, line) in [
        ("jobs:\n  - name: a\n    command: [echo, hi\n\n", 3),
        ("jobs:\n  - {name: a, command: x\n", 2),
        ("jobs:\n  - {name: a, command: x}\n  - {name: b, command: \"x}\n\n\n", 3),
    ] {
        let mut s = Session::with(text, 80, 24);
        s.keys("E");
        let error = s.compose().doc.error().unwrap();
        assert_eq!(error.at.line, line, "{text}: {error:?}");
        assert_eq!(s.compose().marked_lines(0, 9), [(line as usize - 1, Severity::Error)]);
        s.keys("ctrl-home f8");
        let pane = s.compose().pane.as_ref().unwrap();
        assert_eq!(pane.editor.cursor().0, line as usize - 1, "{text}");
    }
}

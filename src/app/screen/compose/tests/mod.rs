//! Key sessions on the whole model, with plans answered as the runtime would.

mod drafts;
mod half_typed;
mod options;
pub(crate) mod templates;

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
        site::{Capabilities, ClusterView, KeepsLimit},
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
                offers: None,
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
            let answer = match effect {
                Effect::Plan { revision, name, text, .. } => {
                    let plan = crate::yaml::plan(text.as_bytes(), name, None, &context());
                    Msg::Planned { revision: *revision, plan: Box::new(plan) }
                }
                Effect::ListTemplates => Msg::Templates(templates::library()),
                _ => continue,
            };
            if self.answers {
                update(&mut self.model, answer);
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
        one_log: false,
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
                capabilities: capabilities(kind == ClusterKind::Local),
                has_jupyter: Some(true),
                ..ClusterView::new(id.clone(), kind)
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
fn the_limit_of_an_imported_array_is_the_batchs_where_it_is_the_batch() {
    let script = "#!/bin/sh\n#SBATCH -J a --array=0-9%3\ntrue\n";
    let whole = "\
max_concurrent: 3
jobs:
  - name: a
    sweep:
      task:
        range: [0, 10]
    env:
      SLURM_ARRAY_TASK_ID: \"{task}\"
    command: \"true\"
";
    let mut s = Session::new(120, 32);
    s.msg(Msg::FileOpened { path: "dir/run.sbatch".into(), text: script.into() });
    assert_eq!(s.text(), whole);
    let mut s = Session::new(120, 32);
    s.msg(Msg::Paste(script.into()));
    assert_eq!(s.text(), whole);
    s.keys("u");
    assert_eq!(s.text(), "", "one step takes all of it back");
    // Beside other jobs it would hold those back as well.
    let mut s = Session::with(THREE, 160, 32);
    s.msg(Msg::Paste(script.into()));
    assert!(!s.text().contains("max_concurrent"), "{}", s.text());
    let notice = format!("{:?}", s.model.notice);
    assert!(notice.contains("without its limit of 3 at once"), "{notice}");
}

#[test]
fn names_of_copies() {
    let taken = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
    assert_eq!(names::next_name("job1", &taken(&["job1", "job2"])), "job3");
    assert_eq!(names::next_name("run-09", &taken(&["run-09"])), "run-10");
    assert_eq!(names::next_name("eval", &taken(&["eval"])), "eval-copy");
    assert_eq!(names::next_name("eval", &taken(&["eval", "eval-copy"])), "eval-copy2");
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

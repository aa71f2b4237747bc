use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::*;
use crate::{
    app::{
        model::Settings,
        overlay::{Confirm, Confirmed},
        sample,
        screen::compose::tests::Session,
    },
    domain::status::Status,
};

fn model() -> Model {
    Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24)
}

fn press(model: &mut Model, key: &str) -> Vec<Effect> {
    let chord: crate::app::keymap::Chord = key.parse().unwrap();
    update(model, Msg::Key(chord.event()))
}

#[test]
fn number_keys_show_views_and_esc_goes_back() {
    let mut m = model();
    assert_eq!(press(&mut m, "4"), [Effect::ListRuns]);
    assert_eq!(press(&mut m, "5"), [Effect::CheckClusters]);
    assert_eq!(m.view, View::Clusters);
    press(&mut m, "esc");
    assert_eq!(m.view, View::Runs);
    press(&mut m, "esc");
    assert_eq!(m.view, View::Compose);
    press(&mut m, "esc");
    assert_eq!(m.view, View::Compose);
}

#[test]
fn ctrl_c_leaves_at_the_second_press_only() {
    let mut m = model();
    assert!(press(&mut m, "ctrl-c").is_empty());
    assert!(press(&mut m, "4").iter().all(|e| *e != Effect::Quit));
    assert!(press(&mut m, "ctrl-c").is_empty());
    update(&mut m, Msg::Tick(Timestamp::from_second(10).unwrap()));
    assert!(press(&mut m, "ctrl-c").is_empty(), "too late to be the second");
    assert_eq!(press(&mut m, "ctrl-c"), [Effect::Quit]);
}

#[test]
fn a_box_takes_every_key_and_a_paste_closes_it() {
    let mut m = model();
    let ask = |m: &mut Model| {
        m.overlays.push(Overlay::Confirm(Confirm::new("?", Vec::new(), Confirmed::Quit)));
    };
    ask(&mut m);
    assert!(press(&mut m, "q").is_empty() && m.overlays.is_empty());
    ask(&mut m);
    assert!(update(&mut m, Msg::Paste("y".into())).is_empty() && m.overlays.is_empty());
    ask(&mut m);
    assert_eq!(press(&mut m, "y"), [Effect::Quit]);
}

#[test]
fn an_error_slides_under_an_open_box() {
    let mut m = model();
    m.overlays.push(Overlay::Confirm(Confirm::new("?", Vec::new(), Confirmed::Quit)));
    let report = crate::error::Report::new(crate::error::Kind::State, "the disk is full");
    update(&mut m, Msg::Failed(report.clone()));
    update(&mut m, Msg::Failed(report.clone()));
    assert_eq!(m.overlays.len(), 2);
    press(&mut m, "n");
    assert_eq!(m.overlays, [Overlay::Error(report.clone())]);
    assert_eq!(press(&mut m, "y"), [Effect::Copy { text: report.to_string() }]);
    press(&mut m, "esc");
    assert!(m.overlays.is_empty());
}

#[test]
fn the_palette_finds_by_a_few_letters() {
    let mut m = model();
    press(&mut m, ":");
    for key in ["c", "l", "u", "s"] {
        press(&mut m, key);
    }
    assert_eq!(press(&mut m, "enter"), [Effect::CheckClusters]);
    assert_eq!(m.view, View::Clusters);
    assert!(m.overlays.is_empty());
}

#[test]
fn releases_of_keys_are_nothing() {
    let mut m = model();
    let mut key = KeyEvent::new(KeyCode::Char('4'), KeyModifiers::NONE);
    key.kind = KeyEventKind::Release;
    assert!(update(&mut m, Msg::Key(key)).is_empty());
    assert_eq!(m.view, View::Compose);
}

#[test]
fn esc_and_a_key_in_one_breath_are_both() {
    let mut m = model();
    press(&mut m, "?");
    press(&mut m, "alt-4");
    assert_eq!((m.overlays.len(), m.view), (0, View::Runs));
    m.overlays.push(Overlay::Confirm(Confirm::new("?", Vec::new(), Confirmed::Quit)));
    assert!(press(&mut m, "alt-y").is_empty(), "Esc came first, so it was a no");
}

fn at(model: &mut Model, secs: i64) -> Vec<Effect> {
    update(model, Msg::Tick(sample::after(720 + secs)))
}

fn checks(effects: &[Effect]) -> usize {
    effects.iter().filter(|e| **e == Effect::CheckClusters).count()
}

#[test]
fn paused_clusters_are_asked_only_when_a_person_wants_it() {
    let mut m = model();
    at(&mut m, 0);
    press(&mut m, "5");
    assert_eq!(press(&mut m, "P"), [Effect::PausePolling(true)]);
    assert!(wants_tick(&m), "the age on the screen grows");
    for secs in [5, 60, 3_600] {
        assert_eq!(checks(&at(&mut m, secs)), 0);
    }
    press(&mut m, "1");
    assert_eq!(press(&mut m, "5"), [], "looking is not asking");
    assert_eq!(press(&mut m, "ctrl-r"), [Effect::CheckClusters, Effect::Refresh]);
    assert_eq!(checks(&at(&mut m, 7_200)), 0);
    assert_eq!(press(&mut m, "P"), [Effect::PausePolling(false), Effect::CheckClusters]);
    assert_eq!(checks(&at(&mut m, 7_220)), 1);
}

fn asked_again(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|e| match e {
        Effect::Plan { revision, again: true, .. } => Some(*revision),
        _ => None,
    })
}

#[test]
fn clusters_are_asked_again_when_jobs_start_or_end() {
    let mut m = Model::new(Settings::default(), sample::now(), 80, 24);
    let run = sample::small();
    let effects = update(&mut m, Msg::RunOpened { run: Box::new(run), conducting: true });
    assert_eq!(checks(&effects), 1, "its running jobs have GPUs");
    let begun = sample::observed(13, 1, 721, sample::running(721, "gpu03"));
    assert_eq!(
        checks(&sample::tell(&mut m, std::slice::from_ref(&begun))),
        0,
        "not twice in a moment"
    );
    assert_eq!(checks(&at(&mut m, 1)), 0);
    assert!(wants_tick(&m));
    assert_eq!(checks(&at(&mut m, 2)), 1, "but soon");
    assert_eq!(checks(&at(&mut m, 3)), 0);
    at(&mut m, 5);
    assert_eq!(checks(&sample::tell(&mut m, &[begun])), 0, "nothing new");
    let over = sample::ended(Status::Succeeded, 721, 725);
    assert_eq!(checks(&sample::tell(&mut m, &[sample::observed(13, 1, 725, over)])), 1);
    assert_eq!(checks(&at(&mut m, 14)), 0);
    assert_eq!(checks(&at(&mut m, 15)), 1, "while something is live, at times");
}

#[test]
fn clusters_are_left_in_peace_when_nothing_is_live() {
    let mut m = model();
    assert_eq!(checks(&update(&mut m, Msg::Tick(sample::now()))), 0);
    assert_eq!(checks(&press(&mut m, "2")), 1, "the view tells of them");
    press(&mut m, "1");
    assert_eq!(checks(&press(&mut m, "2")), 0, "not twice in a moment");
    assert!(wants_tick(&m));
    assert_eq!(checks(&at(&mut m, 2)), 1);
    assert!(!wants_tick(&m));
    assert_eq!(checks(&at(&mut m, 100)), 0);
}

/// A session with a plan on screen that would be sent.
fn previewed() -> Session {
    let text = "jobs:\n  - name: a\n    command: sleep 1\n";
    let mut s = Session::with(text, 80, 24);
    s.keys("2");
    s
}

fn asks(model: &Model) -> bool {
    matches!(model.overlays.last(), Some(Overlay::Confirm(_)))
}

#[test]
fn a_submission_makes_the_plan_old() {
    let mut s = previewed();
    s.keys("S");
    assert!(asks(&s.model));
    s.keys("y S");
    assert!(!asks(&s.model), "nobody knows of the run yet");
    s.answers = false;
    let run = Box::new(sample::small());
    s.msg(Msg::RunOpened { run, conducting: true });
    assert_eq!(s.model.view, View::Monitor);
    let m = &mut s.model;
    let plan = m.preview.plan.clone().unwrap();
    let revision = asked_again(&press(m, "2")).unwrap();
    assert!(m.preview.is_rechecking());
    assert!(asked_again(&press(m, "S")).is_none() && !asks(m), "the old one is not submitted");
    update(m, Msg::Planned { revision, plan: plan.clone() });
    assert!(asks(m), "`S` waited for the new one");
    press(m, "n");

    // Known to be as it was: at once. After a retry or a job's end: checked first.
    press(m, "S");
    assert!(asks(m));
    press(m, "n");
    input::confirmed(
        m,
        Confirmed::Run {
            run: sample::small().id,
            command: crate::app::effect::RunCommand::Cancel { jobs: Vec::new(), why: None },
        },
        &mut Vec::new(),
    );
    let revision = asked_again(&press(m, "S")).unwrap();
    press(m, "down");
    update(m, Msg::Planned { revision, plan });
    assert!(!asks(m), "no box opens under other keys");
    press(m, "S");
    assert!(asks(m));
}

#[test]
fn a_check_that_fails_does_not_repeat_itself() {
    let mut s = previewed();
    s.answers = false;
    let m = &mut s.model;
    m.preview.outdate();
    assert!(asked_again(&press(m, "S")).is_some());
    let report = crate::error::Report::new(crate::error::Kind::State, "the disk is full");
    assert!(asked_again(&update(m, Msg::Failed(report))).is_none());
    press(m, "esc");
    assert!(asked_again(&press(m, "S")).is_some(), "but `S` tries again");
}

#[test]
fn a_submission_asked_for_while_planning_asks_once_the_plan_is_there() {
    let mut s = previewed();
    s.answers = false;
    let m = &mut s.model;
    let plan = m.preview.plan.clone().unwrap();
    m.preview.on_asked(99);
    assert!(m.preview.is_planning());
    press(m, "S");
    assert!(!asks(m), "not with the old plan");
    update(m, Msg::Planned { revision: 99, plan });
    assert!(asks(m), "the key is not lost");
}

/// Finds an action by its name in the palette and takes it.
fn command(s: &mut Session, name: &str) {
    s.keys(&format!(": '{name}' enter"));
}

#[test]
fn the_palette_leads_to_the_view_an_action_belongs_to() {
    let mut s = previewed();
    s.keys("1");
    command(&mut s, "clone run");
    assert_eq!(s.model.view, View::Runs);
    assert!(s.effects.contains(&Effect::ListRuns));
    let (_, words) = s.model.notice.clone().unwrap();
    assert_eq!(words, "clone run: choose a row, then press D");
    s.keys("1");
    command(&mut s, "retry all failed");
    assert_eq!(s.model.view, View::Monitor);
    let (_, words) = s.model.notice.clone().unwrap();
    assert!(words.starts_with("no run is open"), "{words}");
    s.keys("1");
    command(&mut s, "submit");
    assert_eq!(s.model.view, View::Preview);
    assert!(asks(&s.model), "it asks, as ever");
}

#[test]
fn the_palette_retries_what_failed_from_anywhere() {
    let mut s = previewed();
    let run = Box::new(sample::small());
    s.msg(Msg::RunOpened { run, conducting: true });
    s.keys("1");
    command(&mut s, "retry all failed");
    assert!(s.model.view == View::Monitor && asks(&s.model));
}

#[test]
fn help_tells_every_action_and_every_key_once() {
    use crate::app::overlay::help::{HelpLine, lines};
    let s = previewed();
    let mut told = Vec::new();
    for line in lines(&s.model) {
        if let HelpLine::Key(keys, ..) = line {
            told.extend(keys.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        }
    }
    let before = told.len();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), before, "{told:?}");
}

#[test]
fn only_leaving_keeps_a_draft() {
    let mut s = previewed();
    s.keys("1 j D");
    let words = |s: &Session| match s.model.overlays.last() {
        Some(Overlay::Confirm(question)) => question.lines.join("; "),
        other => panic!("{other:?}"),
    };
    s.keys("q");
    assert!(words(&s).contains("a draft of the batch is kept"));
    s.keys("n Q");
    assert!(!words(&s).contains("draft"), "{}", words(&s));
    assert!(words(&s).contains("thrown away"));
}

#[test]
fn a_login_has_the_terminal_until_it_ends() {
    let mut m = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24);
    let mut health = sample::health(false);
    if let Some(lab) = health.first_mut() {
        lab.can.login = true;
        lab.needs_login = true;
    }
    update(&mut m, Msg::Clusters(health));
    press(&mut m, "5");
    let lab = ClusterId::new("lab");
    assert_eq!(press(&mut m, "L"), [Effect::LogIn { cluster: lab.clone() }]);
    assert!(m.lent);
    assert_eq!(update(&mut m, Msg::Interrupt), [], "Ctrl-C is for ssh");
    assert_eq!(update(&mut m, Msg::Continued), []);
    assert!(!m.quitting);
    let error = Some("ssh ended with code 255".to_owned());
    let effects = update(&mut m, Msg::LoggedIn { cluster: lab, error });
    assert_eq!(effects, [Effect::Retake, Effect::CheckClusters, Effect::Refresh]);
    assert!(!m.lent && m.notice.as_ref().is_some_and(|(_, words)| words.contains("255")));
    assert_eq!(update(&mut m, Msg::Interrupt), [Effect::Quit]);
}

#[test]
fn what_is_reached_without_ssh_has_no_login() {
    let mut m = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24);
    update(&mut m, Msg::Clusters(sample::health(false)));
    press(&mut m, "5");
    assert_eq!(press(&mut m, "L"), []);
    assert!(!m.lent && m.notice.is_some());
}

#[test]
fn keys_that_cannot_be_seen_do_nothing_but_leave() {
    let mut s = previewed();
    s.msg(Msg::Resize { width: 50, height: 12 });
    s.keys("S");
    assert!(s.model.overlays.is_empty(), "no question that nobody can read");
    s.msg(Msg::Resize { width: 80, height: 24 });
    s.keys("S");
    s.msg(Msg::Resize { width: 50, height: 12 });
    s.keys("y n esc 1");
    s.msg(Msg::Paste("y".into()));
    assert!(asks(&s.model), "it waits until it can be read");
    assert!(!s.effects.iter().any(|e| matches!(e, Effect::Submit { .. })));
    assert_eq!(press(&mut s.model, "ctrl-z"), [Effect::Suspend]);
    s.msg(Msg::Resize { width: 80, height: 24 });
    s.keys("n 1 D");
    s.msg(Msg::Resize { width: 50, height: 12 });
    s.keys("q q");
    assert_eq!(s.model.overlays.len(), 1, "asked once, to be answered when there is room");
    press(&mut s.model, "ctrl-c");
    assert_eq!(press(&mut s.model, "ctrl-c"), [Effect::Quit]);
    let mut m = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 50, 12);
    assert_eq!(press(&mut m, "q"), [Effect::Quit]);
}

#[test]
fn after_a_submission_esc_does_not_lead_back_to_it() {
    let mut s = previewed();
    s.keys("S y");
    let plan = s.effects.iter().find_map(|e| match e {
        Effect::Submit { plan } => Some(plan.clone()),
        _ => None,
    });
    let id = crate::domain::ids::RunId::new("7k2f9xab").unwrap();
    let approved = plan.unwrap().approve(id, s.model.now).unwrap();
    let run = Box::new(crate::domain::run::Run::new(&approved));
    s.msg(Msg::RunOpened { run, conducting: true });
    s.keys("esc");
    assert_eq!(s.model.view, View::Runs);
    assert!(s.effects.contains(&Effect::ListRuns));
    s.keys("esc");
    assert_eq!(s.model.view, View::Compose);
    let later = s.model.now + jiff::SignedDuration::from_mins(2);
    s.msg(Msg::Tick(later));
    s.keys("p S");
    let Some(Overlay::Confirm(question)) = s.model.overlays.last() else { panic!() };
    let words = question.lines.join("; ");
    assert!(words.contains("submitted already: run 7k2f9xab, 2m ago"), "{words}");
    s.keys("n 1 D p S");
    let Some(Overlay::Confirm(question)) = s.model.overlays.last() else { panic!() };
    assert!(!question.lines.join("; ").contains("already"), "not the same batch");
}

//! What is done to jobs, and the questions before it.

use proptest::prelude::*;

use super::*;
use crate::domain::run::Stamped;

#[test]
fn causes_gather_jobs_and_an_action_takes_all_of_them() {
    let mut m = small();
    press(&mut m, "g");
    assert!(name(&m).contains("CUDA out of memory. Tried to allocate 512.00 MiB"), "{}", name(&m));
    press(&mut m, "r");
    let (command, words) = question(&m);
    assert_eq!(
        command,
        RunCommand::Retry { jobs: vec![JobIx(9), JobIx(10)], changes: vec![], current_code: false }
    );
    assert!(words.contains("fine-tune-7, fine-tune-8") && words.contains("2 jobs · 2 GPUs"));
    assert!(press(&mut m, "n").is_empty());
    press(&mut m, "z j");
    assert_eq!(name(&m), "fine-tune-7");
    press(&mut m, "g");
    assert_eq!(name(&m), "fine-tune-7", "the cursor stays on its job");
}

#[test]
fn a_group_is_retried_and_cancelled_as_a_whole() {
    let mut m = small();
    press(&mut m, "j j j r");
    let (command, words) = question(&m);
    let RunCommand::Retry { jobs, .. } = command else { panic!() };
    assert_eq!(jobs, [JobIx(9), JobIx(10), JobIx(11)]);
    assert!(words.contains("3 of the 12 have not ended and are left alone"), "{words}");
    assert!(words.contains("6 that succeeded are left alone"), "{words}");
    press(&mut m, "esc c");
    let (command, _) = question(&m);
    assert_eq!(
        command,
        RunCommand::Cancel { jobs: vec![JobIx(12), JobIx(13), JobIx(14)], why: None }
    );
    let effects = press(&mut m, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { command: RunCommand::Cancel { .. }, .. }]));
}

#[test]
fn a_cancel_may_say_why() {
    let mut m = small();
    // Esc leaves the words, and cancels nothing.
    press(&mut m, "C w esc");
    assert!(m.overlays.is_empty());
    assert!(press(&mut m, "C w r o n g space s e e d enter").is_empty());
    let (command, words) = question(&m);
    let why = Some("wrong seed".to_owned());
    assert_eq!(command, RunCommand::Cancel { jobs: vec![JobIx(0)], why });
    assert!(words.contains("reason: wrong seed"), "{words}");
    let effects = press(&mut m, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { command: RunCommand::Cancel { .. }, .. }]));
    // Without words it is a plain cancel.
    press(&mut m, "C enter");
    let (command, words) = question(&m);
    assert_eq!(command, RunCommand::Cancel { jobs: vec![JobIx(0)], why: None });
    assert!(!words.contains("reason"), "{words}");
}

#[test]
fn what_a_cluster_holds_is_held_released_and_requeued() {
    let mut m = small();
    let act = |effects: &[Effect]| match effects {
        [Effect::Run { command: RunCommand::Act { action, jobs }, .. }] => (*action, jobs.clone()),
        other => panic!("{other:?}"),
    };
    let state = |m: &Model, ix: JobIx| opened(m).run().job(ix).unwrap().status;
    // The group: of its twelve those that wait there.
    let (action, jobs) = act(&press(&mut m, "j j j H"));
    assert_eq!(action, RemoteAction::Hold);
    assert!(!jobs.is_empty() && jobs.iter().all(|ix| state(&m, *ix) == Status::Pending));
    let (action, released) = act(&press(&mut m, "U"));
    assert_eq!((action, released), (RemoteAction::Release, jobs));
    // Of what runs only `y` throws work away.
    assert!(press(&mut m, "home Q").is_empty());
    let (command, words) = question(&m);
    let RunCommand::Act { action: RemoteAction::Requeue, jobs } = &command else { panic!() };
    assert!(jobs.iter().all(|ix| state(&m, *ix) == Status::Running));
    assert!(words.contains("what runs is ended"), "{words}");
    assert!(press(&mut m, "n").is_empty() && m.overlays.is_empty());
    press(&mut m, "Q");
    assert_eq!(act(&press(&mut m, "y")).0, RemoteAction::Requeue);
    // What a cluster cannot do is said with its name.
    for health in &mut m.health {
        health.can.requeue = false;
    }
    assert!(press(&mut m, "Q").is_empty() && m.overlays.is_empty());
    assert!(notice(&m).contains("which cannot requeue jobs"), "{}", notice(&m));
    assert!(press(&mut m, "H").is_empty());
    assert!(notice(&m).ends_with("runs already"), "{}", notice(&m));
}

#[test]
fn marks_are_what_actions_take() {
    let mut m = small();
    press(&mut m, "space space c");
    let (command, words) = question(&m);
    assert_eq!(command, RunCommand::Cancel { jobs: vec![JobIx(0), JobIx(1)], why: None });
    assert!(words.contains("what runs is ended"));
    press(&mut m, "esc i");
    assert_eq!(opened(&m).marks().len(), 18);
    press(&mut m, "a");
    assert_eq!(opened(&m).marks().len(), 20);
    press(&mut m, "a");
    assert!(opened(&m).marks().is_empty());
    press(&mut m, "j space");
    assert_eq!(opened(&m).marks().len(), 12, "a group is marked with all its jobs");
    press(&mut m, "i a a home space j v");
    assert_eq!(opened(&m).marks().jobs(), [0, 1, 2].map(JobIx));
}

#[test]
fn what_cannot_be_done_is_said() {
    let mut m = small();
    press(&mut m, "r");
    assert!(m.overlays.is_empty());
    assert_eq!(notice(&m), "it has not ended yet");
    press(&mut m, "S");
    assert_eq!(notice(&m), "nothing is held: sending goes on");
    press(&mut m, "j j j j c");
    assert_eq!(notice(&m), "it has ended already");
}

#[test]
fn one_job_that_succeeded_may_be_run_again() {
    let mut m = small();
    press(&mut m, "j j j j r");
    let (command, _) = question(&m);
    let RunCommand::Retry { jobs, .. } = command else { panic!() };
    assert_eq!(jobs, [JobIx(3)]);
}

#[test]
fn all_failed_are_retried_after_a_yes_only() {
    let mut m = small();
    for keys in ["R n", "R enter", "R esc", "R space", "R j"] {
        assert!(press(&mut m, keys).is_empty(), "{keys}");
    }
    let effects = press(&mut m, "R y");
    let [Effect::Run { command: RunCommand::Retry { jobs, .. }, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!(*jobs, [9, 10, 11, 16, 17].map(JobIx));
}

#[test]
fn many_jobs_want_their_number_typed() {
    let mut m = sample::model(sample::large(10_000), 120, 32);
    press(&mut m, "R");
    let (RunCommand::Retry { jobs, .. }, _) = question(&m) else { panic!() };
    assert!(jobs.len() > 100);
    assert!(press(&mut m, "y").is_empty());
    assert!(m.overlays.is_empty(), "an early y is a no");
    press(&mut m, "R");
    type_in(&mut m, &jobs.len().to_string());
    assert_eq!(press(&mut m, "y").len(), 1);
}

#[test]
fn retry_with_changes_suggests_by_cause_and_still_asks() {
    let mut m = small();
    press(&mut m, "n r");
    let words = question(&m).1;
    assert!(words.contains("out of memory at 32G: e, then Tab, for memory=64G"), "{words}");
    press(&mut m, "esc e");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert_eq!(form.suggestions[0].change, "memory=64G");
    press(&mut m, "tab");
    type_in(&mut m, " gpus=two");
    press(&mut m, "enter");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert!(form.error.as_ref().unwrap().contains("gpus"));
    for _ in 0..3 {
        press(&mut m, "backspace");
    }
    type_in(&mut m, "2");
    assert!(press(&mut m, "enter").is_empty());
    let (command, words) = question(&m);
    let RunCommand::Retry { jobs, changes, .. } = command else { panic!() };
    assert_eq!(jobs, [JobIx(9)]);
    assert_eq!(changes, [("memory".into(), "64G".into()), ("gpus".into(), "2".into())]);
    assert!(words.contains("with memory 64G"));
    assert_eq!(press(&mut m, "y").len(), 1);
}

#[test]
fn held_jobs_are_sent_and_sending_is_stopped_after_a_question() {
    let mut m = small();
    press(&mut m, "X");
    assert!(question(&m).1.contains("S sends them later"));
    let effects = press(&mut m, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { command: RunCommand::StopSending, .. }]));
    let held = Stamped {
        at: sample::after(721),
        epoch: 1,
        record: Record::Held { reason: "stopped by hand".into() },
    };
    sample::tell(&mut m, &[held]);
    press(&mut m, "S");
    assert!(question(&m).1.contains("held: stopped by hand"));
    press(&mut m, "esc");
    let put_off = |at, record| Stamped { at: sample::after(at), epoch: 1, record };
    let stopped = Record::NotSubmitted {
        jobs: vec![JobIx(19)],
        cause: Some(crate::domain::status::Cause::Cancelled),
        reason: "sending was stopped".into(),
    };
    sample::tell(&mut m, &[put_off(722, Record::Released), put_off(723, stopped)]);
    assert_eq!((opened(&m).unsent(), opened(&m).sendable()), (0, 1));
    press(&mut m, "S");
    assert!(question(&m).1.starts_with("Send 1 job?"));
    let effects = press(&mut m, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { command: RunCommand::Send, .. }]));
}

proptest! {
    #[test]
    fn no_keys_send_or_cancel_without_a_yes(keys in prop::collection::vec(
        prop::sample::select(vec![
            "j", "k", "l", "r", "R", "c", "e", "S", "X", "z", "Z", "g", "F", "s", "o", "space", "a",
            "i", "n", "/", "tab", "enter", "esc", "f", "w", "home", "end", "pgup", "pgdn", "left",
            "right", "[", "]", "{", "}", "H", "U", "Q", "C", "1", "0", "x", "ctrl-o",
        ]), 0..60))
    {
        let mut m = small();
        for key in keys {
            for effect in press(&mut m, key) {
                // What is held is released by the next key, and nothing is lost by it.
                let harmless = matches!(&effect, Effect::Run { command: RunCommand::Act { action, .. }, .. }
                    if matches!(action, RemoteAction::Hold | RemoteAction::Release));
                let sends = matches!(effect, Effect::Run { .. } | Effect::Submit { .. }) && !harmless;
                prop_assert!(!sends);
            }
            prop_assert!(m.monitor.opened().is_some());
        }
    }
}

#[test]
fn changes_typed_for_a_retry_are_there_again_after_esc() {
    let mut m = small();
    press(&mut m, "n e");
    type_in(&mut m, "memory=7");
    press(&mut m, "esc e");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert_eq!(form.line.text(), "memory=7");
    press(&mut m, "esc n e");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert_eq!(form.line.text(), "", "not for another job");
}

#[test]
fn a_retry_with_more_gpus_asks_for_what_it_will_take() {
    let mut m = small();
    press(&mut m, "n e");
    type_in(&mut m, "gpus=80");
    press(&mut m, "enter");
    assert!(question(&m).1.contains("1 job · 80 GPUs"), "{}", question(&m).1);
    assert!(press(&mut m, "y").is_empty(), "so many want the number of jobs typed first");
    press(&mut m, "e enter 1");
    assert_eq!(press(&mut m, "y").len(), 1);
}

#[test]
fn a_retry_that_a_plan_would_refuse_is_refused_in_its_form() {
    let mut m = small();
    m.settings.limits.max_gpus_per_job = Some(crate::domain::resources::Gpus::whole(8));
    press(&mut m, "n e");
    type_in(&mut m, "gpus=9");
    press(&mut m, "enter");
    assert!(m.overlays.is_empty());
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    let error = form.error.as_deref().unwrap();
    assert!(error.contains("exceed the most that the configuration allows (8)"), "{error}");
    press(&mut m, "ctrl-u");
    type_in(&mut m, "workers=4");
    press(&mut m, "enter");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert!(form.error.as_deref().unwrap().contains("only distributed jobs"));
}

#[test]
fn the_form_of_a_retry_says_what_the_jobs_have() {
    let mut m = small();
    press(&mut m, "n e");
    let Input::Retry(form) = opened(&m).input() else { panic!() };
    assert_eq!(form.now, "memory 32G · time_limit 4h · gpus 1");
}

#[test]
fn only_what_is_not_being_sent_is_asked_for() {
    let mut m = sample::model(sample::large(2_000), 120, 32);
    assert!(opened(&m).is_sending() && opened(&m).unsent() > 1);
    let waits = |ix: &JobIx| opened(&m).run().job(*ix).unwrap().status == Status::Waiting;
    let stopped = Record::NotSubmitted {
        jobs: (0..2_000).map(JobIx).filter(waits).take(1).collect(),
        cause: Some(crate::domain::status::Cause::Cancelled),
        reason: "sending was stopped".into(),
    };
    sample::tell(&mut m, &[Stamped { at: sample::after(721), epoch: 1, record: stopped }]);
    assert_eq!(opened(&m).sendable(), 1);
    press(&mut m, "S");
    assert!(question(&m).1.starts_with("Send 1 job?"), "{}", question(&m).1);
}

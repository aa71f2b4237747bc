//! The table, questions, the way back.

use proptest::prelude::*;

use super::*;
use crate::{
    app::screen::monitor::filter::Filter,
    domain::{ids::RunId, run::Stamped},
};

#[test]
fn the_cursor_moves_over_heads_and_jobs() {
    let mut m = small();
    assert_eq!(name(&m), "job1");
    press(&mut m, "j j j");
    assert_eq!(name(&m), "[fine-tune]");
    press(&mut m, "z j");
    assert_eq!(name(&m), "训练-模型 🚀");
    press(&mut m, "k enter j");
    assert_eq!(name(&m), "fine-tune-1");
    press(&mut m, "left");
    assert_eq!(name(&m), "[fine-tune]");
    press(&mut m, "end");
    assert_eq!(name(&m), "report");
    press(&mut m, "home");
    assert_eq!(name(&m), "job1");
}

#[test]
fn folding_from_a_job_puts_the_cursor_on_its_head() {
    let mut m = small();
    press(&mut m, "j j j j j z");
    assert_eq!(name(&m), "[fine-tune]");
}

#[test]
fn next_failed_goes_round_and_into_folded_groups() {
    let mut m = small();
    press(&mut m, "j j j z n");
    assert_eq!(name(&m), "fine-tune-7");
    let mut seen = Vec::new();
    for _ in 0..5 {
        press(&mut m, "n");
        seen.push(name(&m));
    }
    assert_eq!(seen, ["fine-tune-8", "fine-tune-9", "too-big", "gone", "fine-tune-7"]);
}

#[test]
fn the_filter_narrows_as_it_is_typed_and_esc_takes_it_back() {
    let mut m = small();
    press(&mut m, "n /");
    type_in(&mut m, "state:f");
    assert_eq!(names(&m), ["fine-tune-7", "fine-tune-8", "fine-tune-9"]);
    type_in(&mut m, "ailed lr=0.01");
    assert_eq!(names(&m), ["fine-tune-8"]);
    assert_eq!(name(&m), "fine-tune-8");
    press(&mut m, "esc");
    assert_eq!(names(&m).len(), 20);
    assert_eq!(name(&m), "fine-tune-7", "back where it was");
    press(&mut m, "/");
    type_in(&mut m, "report");
    press(&mut m, "enter");
    assert_eq!((name(&m), opened(&m).filter_text()), ("report".to_owned(), "report"));
    press(&mut m, "esc");
    assert_eq!(names(&m).len(), 20);
}

#[test]
fn what_is_typed_into_the_filter_is_never_a_command() {
    let mut m = small();
    press(&mut m, "/");
    type_in(&mut m, "Rcyq");
    assert!(m.overlays.is_empty() && !m.quitting);
    assert_eq!(opened(&m).filter_text(), "Rcyq");
}

#[test]
fn filters_ask_for_single_columns() {
    let run = sample::small();
    let index = Index::new(&run);
    let count = |text: &str| {
        let filter = Filter::read(text);
        (0..20).map(JobIx).filter(|ix| filter.lets_through(&run, *ix, index.roster())).count()
    };
    for (text, expected) in [
        ("", 20),
        ("fine", 12),
        ("FINE", 12),
        ("!fine", 8),
        ("模型", 1),
        ("cuda", 2),
        ("\"out of memory\"", 2),
        ("state:failed", 3),
        ("state:failed,lost", 4),
        ("state:done", 6),
        ("!state:done", 14),
        ("cluster:runai", 2),
        ("type:dist", 1),
        ("gpus:>1", 3),
        ("gpus>=8", 2),
        ("gpus:0", 2),
        ("try:>1", 1),
        ("exit:1 cause:oom", 2),
        ("cause:timeout", 1),
        ("lr=1e-3", 4),
        ("lr=0.001", 4),
        ("lr>0.005 seed<2", 4),
        ("seed!=0", 9),
        ("lr=", 20),
        ("state:", 20),
        ("!", 20),
        ("nothing:like", 0),
        ("node:gpu03", 2),
        ("id:90003", 1),
        ("group:fine state:succ", 6),
        (r"~^fine-tune-1\d?$", 4),
        (r"~quota|partition", 2),
        ("~(", 20),
    ] {
        assert_eq!(count(text), expected, "{text}");
    }
}

#[test]
fn failed_only_and_back() {
    let mut m = small();
    press(&mut m, "F");
    assert_eq!(names(&m), ["fine-tune-7", "fine-tune-8", "fine-tune-9", "too-big", "gone"]);
    press(&mut m, "esc");
    assert_eq!(names(&m).len(), 20);
}

#[test]
fn sorting_goes_through_the_columns_and_turns_round() {
    let mut m = small();
    press(&mut m, "s");
    assert_eq!(opened(&m).index().sort(), (Sort::State, false));
    assert!(names(&m)[0].starts_with("fine-tune-7"));
    press(&mut m, "s");
    assert_eq!(names(&m)[..3], ["analysis", "dist-training", "fine-tune-1"]);
    let at = names(&m).iter().position(|n| n == "fine-tune-2").unwrap();
    assert!(at < names(&m).iter().position(|n| n == "fine-tune-10").unwrap());
    press(&mut m, "o");
    assert_eq!(names(&m)[0], "训练-模型 🚀");
    assert_eq!(opened(&m).index().sort(), (Sort::Name, true));
    press(&mut m, "s s");
    assert_eq!(opened(&m).index().sort(), (Sort::Gpus, false));
    assert_eq!(names(&m)[..2], ["dist-training", "too-big"]);
}

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
    assert_eq!(command, RunCommand::Cancel { jobs: vec![JobIx(12), JobIx(13), JobIx(14)] });
    let effects = press(&mut m, "y");
    assert!(matches!(effects.as_slice(), [Effect::Run { command: RunCommand::Cancel { .. }, .. }]));
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
    assert_eq!(command, RunCommand::Cancel { jobs: vec![JobIx(0), JobIx(1)] });
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
fn the_id_is_copied() {
    let mut m = small();
    assert_eq!(press(&mut m, "y"), [Effect::Copy { text: "90000".into() }]);
    press(&mut m, "end");
    assert_eq!(press(&mut m, "y"), [Effect::Copy { text: "jd-7k2f9xab-20-1".into() }]);
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

#[test]
fn news_of_another_run_is_ignored() {
    let mut m = small();
    let before = m.monitor.clone();
    let mut other = sample::small();
    other.id = RunId::new("other").unwrap();
    update(&mut m, sample::told(&mut other, &sample::news(20, 10, 1)));
    assert_eq!(m.monitor, before);
}

fn screen_row(m: &Model) -> usize {
    let o = opened(m);
    let rows = o.layout(m.width, m.height - 2).table_rows();
    o.cursor().at() - o.cursor().top(o.index().rows().len(), rows)
}

#[test]
fn the_row_stays_where_it_is_while_data_arrives() {
    for keys in ["Z", "Z s", "Z s s", "Z F", "Z s s s s s s s"] {
        let mut m = sample::model(sample::large(2_000), 100, 30);
        press(&mut m, keys);
        press(&mut m, "pgdn pgdn pgdn j j j k");
        let (key, row) = (name(&m), screen_row(&m));
        for round in 0..20 {
            // Nothing about the job under the cursor.
            let at = opened(&m).current().unwrap().0;
            let records: Vec<Stamped> = sample::news(2_000, 200, round)
                .into_iter()
                .filter(|r| !matches!(&r.record, Record::Observed { job, .. } if job.0 == at))
                .collect();
            sample::tell(&mut m, &records);
            assert_eq!(name(&m), key, "{keys}");
            assert_eq!(screen_row(&m), row, "{keys}");
        }
    }
}

#[test]
fn a_row_that_leaves_gives_the_cursor_to_its_neighbour() {
    let mut m = small();
    press(&mut m, "F j");
    assert_eq!(name(&m), "fine-tune-7");
    let retried = Stamped {
        at: sample::after(721),
        epoch: 1,
        record: Record::Retried {
            job: JobIx(9),
            attempt: 3,
            spec: None,
            replicas: None,
            code: None,
            automatic: false,
        },
    };
    sample::tell(&mut m, &[retried]);
    assert_eq!(name(&m), "fine-tune-8");
}

#[test]
fn a_replaced_run_keeps_the_view() {
    let mut m = small();
    press(&mut m, "F s n");
    let (row, sort) = (name(&m), opened(&m).index().sort());
    update(&mut m, Msg::RunReplaced { run: Box::new(sample::small()) });
    assert_eq!((name(&m), opened(&m).index().sort()), (row, sort));
    assert_eq!(names(&m).len(), 5);
}

#[test]
fn esc_goes_one_step_back_each_time() {
    let mut m = small();
    press(&mut m, "4 3");
    press(&mut m, "space F /");
    type_in(&mut m, "fine");
    press(&mut m, "enter j enter enter");
    assert!(opened(&m).zoomed);
    press(&mut m, "esc");
    assert!(!opened(&m).zoomed);
    press(&mut m, "esc");
    assert_eq!(*opened(&m).pane(), Pane::Closed);
    press(&mut m, "esc");
    assert_eq!(opened(&m).filter_text(), "");
    press(&mut m, "esc");
    assert!(!opened(&m).index().failed_only());
    press(&mut m, "esc");
    assert!(opened(&m).marks().is_empty());
    press(&mut m, "esc");
    assert_ne!(m.view, crate::app::screen::View::Monitor);
}

proptest! {
    #[test]
    fn no_keys_send_or_cancel_without_a_yes(keys in prop::collection::vec(
        prop::sample::select(vec![
            "j", "k", "l", "r", "R", "c", "e", "S", "X", "z", "Z", "g", "F", "s", "o", "space", "a",
            "i", "n", "/", "tab", "enter", "esc", "f", "w", "home", "end", "pgup", "pgdn", "left",
            "right", "[", "]", "1", "0", "x", "ctrl-o",
        ]), 0..60))
    {
        let mut m = small();
        for key in keys {
            for effect in press(&mut m, key) {
                let sends = matches!(effect, Effect::Run { .. } | Effect::Submit { .. });
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
fn of_a_running_workspace_its_address_is_copied() {
    let mut run = sample::small();
    let ix = JobIx(0);
    let with_address = |mut facts: crate::domain::run::JobFacts| {
        facts.url = Some("http://localhost:20090".into());
        facts
    };
    run.apply(&sample::observed(0, 1, 710, with_address(sample::running(100, "gpu02"))));
    let copied = |run: &crate::domain::run::Run| {
        let mut m = sample::model(run.clone(), 120, 32);
        press(&mut m, "home");
        while opened(&m).current() != Some(ix) {
            press(&mut m, "j");
        }
        press(&mut m, "y").into_iter().find_map(|effect| match effect {
            Effect::Copy { text } => Some(text),
            _ => None,
        })
    };
    assert_eq!(copied(&run).as_deref(), Some("http://localhost:20090"));
    let ended = with_address(sample::ended(Status::Succeeded, 100, 715));
    run.apply(&sample::observed(0, 1, 716, ended));
    assert_ne!(copied(&run).as_deref(), Some("http://localhost:20090"), "nothing serves there now");
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

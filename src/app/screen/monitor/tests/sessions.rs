//! The table: moving, folding, filters, sorting, news, the way back.

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
fn the_id_is_copied() {
    let mut m = small();
    assert_eq!(press(&mut m, "y"), [Effect::Copy { text: "90000".into() }]);
    press(&mut m, "end");
    assert_eq!(press(&mut m, "y"), [Effect::Copy { text: "jd-7k2f9xab-20-1".into() }]);
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
fn a_run_that_is_over_tells_when_its_last_job_ended() {
    let run = sample::over(20);
    let last = run.ended_at();
    let mut m = sample::model(run.clone(), 120, 32);
    assert_eq!(opened(&m).ended_at(), Some(last));
    // A new attempt: it goes on.
    let mut run = run;
    let again = Record::Retried {
        job: JobIx(0),
        attempt: 2,
        spec: None,
        replicas: None,
        code: None,
        automatic: false,
    };
    let news = [Stamped { at: sample::after(900), epoch: 1, record: again }];
    let told = sample::told(&mut run, &news);
    update(&mut m, told);
    assert_eq!(opened(&m).ended_at(), None);
}

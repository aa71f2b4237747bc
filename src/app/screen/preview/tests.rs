use std::sync::Arc;

use crossterm::event::KeyCode;
use jiff::Timestamp;

use super::*;
use crate::{
    app::{
        model::Settings,
        msg::Told,
        overlay::{Confirm, Overlay},
        screen::Filtered as _,
    },
    domain::{
        finding::Finding,
        ids::ClusterId,
        job::{JobSpec, JobType},
        plan::{BatchHead, JobAction, PlannedJob, Totals},
        plan_json::Estimate,
        resources::Gpus,
        tree::FieldPath,
    },
};

fn plan(jobs: usize) -> Box<Plan> {
    let planned: Vec<PlannedJob> = (0..jobs)
        .map(|i| {
            let mut spec = JobSpec::named(format!("train-{}", i + 1));
            spec.gpus = Gpus::whole(1);
            PlannedJob {
                spec: Arc::new(spec),
                cluster: Some(ClusterId::new("lab")),
                may_go: Arc::default(),
                outlook: None,
                action: JobAction::Submit,
                replicas: 1,
                total_gpus: Gpus::whole(1),
                depends_on: Arc::default(),
            }
        })
        .collect();
    Box::new(Plan {
        head: BatchHead::named("sweep"),
        findings: Vec::new(),
        totals: Totals {
            jobs,
            by_type: [(JobType::Training, jobs)].into_iter().collect(),
            gpus: Gpus::whole(jobs as u64),
            peak_gpus: Gpus::whole(jobs as u64),
            gpus_by_cluster: [("lab".to_owned(), Gpus::whole(jobs as u64))].into_iter().collect(),
            ..Totals::default()
        },
        jobs: planned,
        entries: Vec::new(),
    })
}

fn with<T>(settings: &Settings, act: impl FnOnce(&Context<'_>) -> T) -> T {
    act(&Context { now: Timestamp::UNIX_EPOCH, width: 80, height: 24, settings, clusters: &[] })
}

fn shown(plan: Box<Plan>) -> Preview {
    let mut view = Preview::default();
    with(&Settings::default(), |cx| view.on_msg(Msg::Planned { revision: 1, plan }, cx));
    view
}

#[test]
fn esc_puts_the_filter_and_the_row_back() {
    let mut view = shown(plan(30));
    with(&Settings::default(), |cx| {
        let filter = |view: &mut Preview, text: &str| {
            view.on_action(Action::Filter, cx);
            text.chars().for_each(|c| drop(view.on_key(KeyCode::Char(c).into(), cx)));
        };
        view.on_action(Action::Bottom, cx);
        filter(&mut view, "train-2");
        view.on_key(KeyCode::Enter.into(), cx);
        assert_eq!((view.len(), view.filter.as_str()), (11, "train-2"));
        view.on_action(Action::Top, cx);
        view.on_action(Action::Down, cx);
        filter(&mut view, "9x");
        assert_eq!((view.len(), view.filter.as_str()), (0, "train-29x"));
        view.on_key(KeyCode::Esc.into(), cx);
        assert_eq!((view.len(), view.jobs.at, view.filter.as_str()), (11, 1, "train-2"));
        assert_eq!(view.on_action(Action::Back, cx), []);
        assert_eq!(view.len(), 30);
        assert_eq!(view.on_action(Action::Back, cx), [Step::Back]);
    });
}

fn asked(view: &mut Preview) -> Option<Confirm> {
    with(&Settings::default(), |cx| match view.on_action(Action::Submit, cx).pop() {
        Some(Step::Push(Overlay::Confirm(question))) => Some(question),
        _ => None,
    })
}

#[test]
fn the_box_names_jobs_gpus_and_clusters() {
    let question = asked(&mut shown(plan(3))).unwrap();
    assert_eq!(question.title, "Submit sweep?");
    assert_eq!(question.lines, ["3 jobs · 3 GPUs", "3 → lab"]);
    assert_eq!(question.must_type, None);
}

#[test]
fn large_batches_want_their_number_typed() {
    assert_eq!(asked(&mut shown(plan(64))).unwrap().must_type, None);
    assert_eq!(asked(&mut shown(plan(65))).unwrap().must_type.as_deref(), Some("65"));
}

fn to_field(target: Target, field: &str) -> Step {
    Step::FocusField { target, field: Some(field.into()), at: None }
}

#[test]
fn errors_and_old_plans_are_not_submitted() {
    let mut faulty = plan(3);
    let path = FieldPath::root().key("jobs").index(4).key("env").key("SEED");
    faulty.findings.push(Finding::error(path, "odd").of_job(4, Some("eval")));
    let mut view = shown(faulty);
    assert!(asked(&mut view).is_none());
    assert_eq!(view.pane, Pane::Findings);
    let steps = with(&Settings::default(), |cx| view.on_action(Action::Activate, cx));
    assert_eq!(steps, [to_field(Target::Entry(4), "env")]);

    let mut view = shown(plan(3));
    view.on_asked(2);
    assert!(view.is_planning() && asked(&mut view).is_none(), "a newer text is on its way");
    with(&Settings::default(), |cx| {
        view.on_msg(Msg::Planned { revision: 2, plan: plan(4) }, cx);
        view.on_msg(Msg::Planned { revision: 1, plan: plan(9) }, cx);
    });
    assert_eq!(view.len(), 4, "an older plan that comes late is dropped");
}

#[test]
fn the_filter_narrows_as_it_is_typed_and_esc_takes_it_back() {
    let mut view = shown(plan(1000));
    with(&Settings::default(), |cx| {
        view.jobs.at = 998;
        view.on_action(Action::Filter, cx);
        for c in "train-99".chars() {
            view.on_key(KeyCode::Char(c).into(), cx);
        }
        assert_eq!(view.len(), 11);
        assert_eq!(view.job(view.jobs.at).unwrap().0, 998, "the cursor stays on its job");
        view.on_key(KeyCode::Enter.into(), cx);
        assert!(view.on_action(Action::Back, cx).is_empty());
        assert_eq!(view.len(), 1000);
        assert_eq!(view.on_action(Action::Back, cx), [Step::Back]);
    });
}

#[test]
fn values_and_requests_open_over_the_jobs() {
    let mut view = shown(plan(2));
    with(&Settings::default(), |cx| {
        view.on_action(Action::Activate, cx);
        assert_eq!(view.pane, Pane::Values);
        assert!(view.value_lines(40).contains(&("Goes to", "lab".to_owned())));
        assert!(view.on_action(Action::Back, cx).is_empty());
        let steps = view.on_action(Action::ShowRequests, cx);
        assert!(matches!(steps.as_slice(), [Step::Do(Effect::RenderRequests { .. })]));
        view.on_msg(Msg::Requests { revision: 1, text: "$ sbatch\u{1b}\nx".into() }, cx);
        let lines = view.requests.as_ref().unwrap().lines.as_ref().unwrap();
        assert_eq!(lines, &["$ sbatch␛", "x"]);
    });
}

#[test]
fn waves_have_a_line_of_their_own() {
    let mut held_back = plan(3);
    held_back.head.max_failures = Some(1);
    let (plain, waves) = (shown(plan(3)), shown(held_back));
    assert_eq!((&plain.summary.waves, waves.summary.waves.is_some()), (&None, true));
    assert_eq!(waves.layout(80, 24).summary, plain.layout(80, 24).summary + 1);
}

#[test]
fn the_filter_knows_the_words_of_the_monitor() {
    let mut plan = plan(3);
    for (job, (project, command)) in
        plan.jobs.iter_mut().zip([("p-01", "python Train.py"), ("p-02", "eval"), ("p-01", "eval")])
    {
        let spec = Arc::make_mut(&mut job.spec);
        spec.project = Some(project.into());
        spec.command = Some(crate::domain::job::Command::Shell(command.into()));
    }
    let mut view = shown(plan);
    with(&Settings::default(), |cx| {
        for (text, shown) in [
            ("train.py", 1),
            ("project:p-01", 2),
            ("project:p-01 !eval", 1),
            ("cluster:lab gpus:>0", 3),
            ("cluster:local", 0),
            ("~^train-[12]", 2),
            ("", 3),
        ] {
            view.set_filter(text.into(), cx);
            assert_eq!(view.len(), shown, "{text}");
        }
    });
}

/// At this time of a day.
fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_mins(minutes)
}

#[test]
fn clusters_are_asked_when_somebody_wants_it_and_their_answer_has_an_age() {
    let estimate = |job: usize, minutes: i64| Estimate {
        cluster: ClusterId::new("lab"),
        jobs: vec![format!("train-{job}")],
        starts_at: at(minutes),
    };
    let mut view = shown(plan(3));
    assert_eq!(view.starts(at(0)), None, "nobody was asked");
    let settings = Settings::default();
    let steps = with(&settings, |cx| view.on_action(Action::AskClusters, cx));
    let [Step::Do(Effect::AskAbout { revision: 1, .. }), Step::Do(Effect::CheckClusters)] =
        steps.as_slice()
    else {
        panic!("{steps:?}")
    };
    assert_eq!(view.starts(at(0)).as_deref(), Some("asking the clusters …"));
    assert!(view.enabled(Action::AskClusters).is_err(), "once is enough");
    assert_eq!(view.enabled(Action::Submit), Ok(()), "nothing waits for the answer");
    let told = Told {
        estimates: vec![estimate(1, 0), estimate(2, 12)],
        troubles: vec!["far does not answer".to_owned()],
        findings: vec![Finding::error(FieldPath::root().key("jobs").index(2), "lab refuses it")],
    };
    let answer = |revision, told: &Told| Msg::ToldAbout { revision, told: told.clone() };
    with(&settings, |cx| view.on_msg(answer(0, &told), cx));
    assert!(view.is_asking(), "an answer about an older plan");
    with(&settings, |cx| view.on_msg(answer(1, &told), cx));
    assert_eq!(
        view.starts(at(2)).as_deref(),
        Some(
            "lab would start the first at once, the last in 10m · far does not answer · told 2m ago"
        )
    );
    assert!(view.enabled(Action::Submit).is_err(), "what is refused is an error");
    let starts: Vec<_> =
        view.plan.as_ref().unwrap().jobs.iter().map(|j| view.start_of(j)).collect();
    assert_eq!(starts, [Some(at(0)), Some(at(12)), None]);
    // Another plan is another question.
    with(&settings, |cx| view.on_msg(Msg::Planned { revision: 2, plan: plan(3) }, cx));
    assert_eq!(view.starts(at(2)), None);
    with(&settings, |cx| view.on_msg(answer(2, &Told::default()), cx));
    let words = view.starts(at(0)).unwrap();
    assert!(words.starts_with("no cluster tells when"), "{words}");
}

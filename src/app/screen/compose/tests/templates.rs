//! Templates: put in, begun with, kept.

use super::*;
use crate::{
    app::{msg::Hit, overlay::Confirmed},
    domain::{
        library::{self, Library, Template, Tier},
        plan::PlannedJob,
    },
};

const CHAIN: &str = "\
# Prepare, then train.
max_concurrent: 2
defaults: {gpus: 1, env: {A: x}}
jobs:
  # first
  - {name: prepare, gpus: 0, command: a}
  - name: train
    depends_on: [prepare]
    sweep: {lr: [1e-3, 1e-2]}
    command: b {lr}
";

pub(crate) fn library() -> Library {
    let template = |name: &str, tier, text: &str| {
        let content = crate::yaml::parse(text.as_bytes())
            .map_err(|e| library::Fault { message: e.message, hint: e.hint, at: e.pos })
            .and_then(|node| library::content(name, text, &node));
        let path = (tier == Tier::User).then(|| format!("/home/ada/t/{name}.yaml").into());
        Template { path, ..Template::new(name, tier, content) }
    };
    let found = vec![
        template("chain", Tier::BuiltIn, CHAIN),
        template("one", Tier::Site, "# One job.\ncommand: c\n"),
        template("one", Tier::User, "# One job of mine.\ncommand: c\n"),
        template("broken", Tier::User, "jobs:\n  - {name: a\n"),
    ];
    Library { templates: library::shelve(found), problems: Vec::new() }
}

/// The jobs of a text as they would be sent: all that is resolved but their place.
fn planned(text: &str) -> Vec<PlannedJob> {
    let plan = crate::yaml::plan(text.as_bytes(), "batch", None, &context());
    assert_eq!(plan.findings, [], "{text}");
    plan.jobs
}

fn notice(s: &Session) -> &str {
    s.model.notice.as_ref().map_or("", |(_, words)| words)
}

#[test]
fn a_batch_without_a_word_becomes_the_template() {
    let mut s = Session::new(120, 32);
    s.keys("T 'ch' enter");
    assert_eq!(s.text(), CHAIN);
    assert_eq!((s.compose().cursor, s.compose().title()), (Target::Entry(0), "chain".into()));
    assert_eq!(notice(&s), "begun with the template chain; u takes it back");
    s.keys("u");
    assert_eq!(s.text(), "");
    s.keys("ctrl-y");
    assert_eq!(s.text(), CHAIN);

    let mut s = Session::with("# my notes\n", 120, 32);
    s.keys("T 'ch' enter");
    assert_eq!(s.text(), format!("# my notes\n\n{CHAIN}"));
    assert_eq!(s.compose().path, Some("work/batch.yaml".into()), "it stays this file's batch");
}

#[test]
fn jobs_of_a_template_mean_the_same_in_another_batch() {
    for before in ["jobs: [{name: prepare, command: z}]\n", THREE, "[{name: train, command: z}]"] {
        let mut s = Session::with(before, 120, 32);
        let own = planned(before).len();
        s.keys("T 'ch' enter");
        let all = planned(s.text());
        let (kept, came) = all.split_at(own);
        assert_eq!(kept, planned(before));
        let alone = planned(CHAIN);
        assert_eq!(came.len(), alone.len());
        for (job, was) in came.iter().zip(&alone) {
            let spec = |job: &PlannedJob| {
                let mut spec = (*job.spec).clone();
                // Where it stands and what it is called is not what it does.
                (spec.entry, spec.name, spec.group) = (0, String::new(), None);
                spec.depends_on.clear();
                spec
            };
            assert_eq!(spec(job), spec(was), "{}", s.text());
            assert_eq!(job.total_gpus, was.total_gpus);
            let waits: Vec<_> =
                job.depends_on.iter().map(|(ix, how)| (ix.0 as usize - own, *how)).collect();
            let waited: Vec<_> =
                was.depends_on.iter().map(|(ix, how)| (ix.0 as usize, *how)).collect();
            assert_eq!(waits, waited, "{}", s.text());
        }
        assert_eq!(s.text().contains("# first"), !before.contains('['), "{}", s.text());
        let words = notice(&s);
        assert!(words.starts_with("3 jobs of chain without its max_concurrent; u"), "{words}");
        s.keys("u");
        assert_eq!(s.text(), before, "one step takes it back");
    }
}

#[test]
fn jobs_come_as_they_are_written_with_their_comments() {
    let mut s = Session::with("- {name: train, command: c}  # mine\n", 120, 32);
    s.keys("T 'ch' enter");
    assert_eq!(
        s.text(),
        "\
- {name: train, command: c}  # mine
# first
- {name: prepare, gpus: 0, command: a, env: {A: x}}
- name: train-copy
  gpus: 1
  depends_on: [prepare]
  sweep: {lr: [1e-3, 1e-2]}
  command: b {lr}
  env:
    A: x
"
    );
}

#[test]
fn the_batchs_defaults_hold_for_what_a_template_leaves_open() {
    let before = "defaults: {type: distributed, workers: 3, project: vision, env: {A: y, B: z}}\njobs: [{name: a, command: c}]\n";
    let mut s = Session::with(before, 120, 32);
    s.keys("T 'ch' enter");
    let jobs = planned(s.text());
    let train = jobs.iter().find(|j| j.spec.name == "train-1").unwrap();
    assert_eq!(train.spec.job_type, crate::domain::job::JobType::Training);
    assert_eq!(train.spec.project.as_deref(), Some("vision"));
    let env: Vec<_> = train.spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(env, ["B=z", "A=x"]);
    assert!(notice(&s).contains("this batch's defaults hold for them"), "{}", notice(&s));
}

#[test]
fn a_document_that_is_one_job_comes_under_its_name() {
    let mut s = Session::new(120, 32);
    s.keys("T 'one' enter");
    assert_eq!(s.compose().entry_name(0), Some("one"), "{}", s.text());
    s.keys("T 'one' enter");
    assert_eq!(s.compose().entry_name(1), Some("one-copy"), "{}", s.text());
}

#[test]
fn a_broken_template_tells_why_and_the_list_stays() {
    let mut s = Session::new(120, 32);
    s.keys("T 'bro' enter");
    let Some(Overlay::Error(report)) = s.model.overlays.last() else { panic!("no report") };
    let at = report.location.as_ref().unwrap();
    assert_eq!((at.file.as_str(), at.line), ("/home/ada/t/broken.yaml", 2));
    s.keys("esc esc");
    assert_eq!((s.compose().chooser.as_ref(), s.text()), (None, ""));
}

#[test]
fn the_list_may_come_late_or_never_and_a_click_takes_from_it() {
    let mut s = Session::new(120, 32);
    s.answers = false;
    s.keys("T enter 'cha' enter");
    assert!(s.compose().chooser.as_ref().unwrap().is_waiting());
    s.msg(Msg::Templates(library()));
    assert_eq!(s.text(), CHAIN, "what was typed before counts");
    s.keys("u T enter 'on'");
    s.msg(Msg::Templates(library()));
    assert_eq!(s.text(), "", "typed on, it was not meant yet");
    s.keys("esc ctrl-y");
    s.keys("T esc n");
    s.msg(Msg::Templates(library()));
    s.keys("enter");
    assert_eq!(s.compose().entry_name(2), Some("job1"), "the list of types was not replaced");
    s.keys("esc");
    s.answers = true;
    s.keys("T");
    s.msg(Msg::Click(Hit::Choice(2)));
    assert_eq!(s.compose().entry_name(3), Some("one"));
    let sends = |e: &Effect| matches!(e, Effect::Submit { .. } | Effect::Run { .. });
    assert!(!s.effects.iter().any(sends), "nothing is sent by any of it");
}

/// The text that a template is saved with.
#[track_caller]
fn kept(s: &Session, wanted: &str) -> String {
    match s.effects.last() {
        Some(Effect::SaveTemplate { name, text, replace: false }) if name == wanted => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_current_job_or_the_marked_ones_are_kept_as_written() {
    let text = "# A study.\nname: study\nmax_concurrent: 2\ndefaults: {gpus: 1}\njobs:\n  # the first\n  - {name: a, command: x}   # so\n  - {name: b, command: y}\n  - {name: c, command: z, depends_on: [b]}\n";
    let mut s = Session::with(text, 120, 32);
    s.keys("ctrl-t");
    let Some(Overlay::Prompt(prompt)) = s.model.overlays.last() else { panic!("no question") };
    assert_eq!(prompt.input.text(), "a");
    s.keys("enter");
    assert_eq!(
        kept(&s, "a"),
        "# Saved from study.\ndefaults: {gpus: 1}\njobs:\n  # the first\n  - {name: a, command: x}   # so\n"
    );
    s.keys("j space space ctrl-t ctrl-u 'pair.yaml' enter");
    assert_eq!(
        kept(&s, "pair"),
        "# Saved from study.\ndefaults: {gpus: 1}\njobs:\n  - {name: b, command: y}\n  - {name: c, command: z, depends_on: [b]}\n"
    );
    // All of them are the batch, but for its name.
    s.keys("a ctrl-t ctrl-u 'all' enter");
    assert_eq!(kept(&s, "all"), text.replace("name: study\n", ""));
    assert_eq!(s.text(), text, "the batch itself did not change");
    s.msg(Msg::TemplateSaved {
        name: "all".into(),
        path: "/home/ada/t/all.yaml".into(),
        shadows: vec![Tier::BuiltIn],
    });
    assert_eq!(notice(&s), "template all saved; it hides the built-in one: /home/ada/t/all.yaml");
}

#[test]
fn what_is_kept_can_be_read_again() {
    for text in [
        "name: \"a\\e[2J\\nb\"\njobs: [{name: a, command: x}]\n",
        "x-c: &c {gpus: 2}\njobs:\n- {name: a, command: x}\n- {name: b, command: y, <<: *c}\n",
        "{\"name\": \"n\", \"jobs\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}",
        "# all of it\r\n- name: a\r\n  command: x\r\n# next\r\n- name: b\r\n",
        "jobs:\n- name: a\n  command: x\n# nothing follows",
    ] {
        for keys in ["g j ctrl-t ctrl-u 't' enter", "a ctrl-t ctrl-u 't' enter"] {
            let mut s = Session::with(text, 120, 32);
            s.keys(keys);
            let text = kept(&s, "t");
            let node = crate::yaml::parse(text.as_bytes()).expect(&text);
            assert!(library::content("t", &text, &node).is_ok(), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}

#[test]
fn one_that_is_there_is_replaced_only_after_a_y() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("ctrl-t enter");
    let text = kept(&s, "job1");
    let there = Msg::TemplateExists {
        name: "job1".into(),
        path: "/t/job1.yaml".into(),
        text: text.clone(),
    };
    s.msg(there.clone());
    s.keys("esc");
    assert!(matches!(s.model.overlays.last(), Some(Overlay::Prompt(_))), "another name may do");
    s.keys("enter");
    s.msg(there);
    let Some(Overlay::Confirm(confirm)) = s.model.overlays.last() else { panic!("no question") };
    assert!(matches!(confirm.action, Confirmed::Discard(_)));
    s.keys("y");
    let replaces = Effect::SaveTemplate { name: "job1".into(), text, replace: true };
    assert_eq!(s.effects.last(), Some(&replaces));
    s.msg(Msg::TemplateSaved { name: "job1".into(), path: "/t/job1.yaml".into(), shadows: vec![] });
    assert_eq!(s.model.overlays, []);
}

#[test]
fn a_name_that_is_none_is_asked_for_again() {
    let mut s = Session::with(THREE, 120, 32);
    s.keys("ctrl-t ctrl-u '../x' enter");
    assert!(matches!(s.model.overlays.last(), Some(Overlay::Error(_))));
    s.keys("esc");
    let Some(Overlay::Prompt(prompt)) = s.model.overlays.last() else { panic!("no question") };
    assert_eq!(prompt.input.text(), "../x");
    let listed = |e: &Effect| matches!(e, Effect::ListFolder { .. } | Effect::SaveTemplate { .. });
    assert!(!s.effects.iter().any(listed), "it is no path");
    s.keys("esc");
    let mut s = Session::new(120, 32);
    s.keys("ctrl-t");
    assert_eq!(notice(&s), "no job is chosen");
}

//! Options of one kind of cluster as fields of their own.

use std::sync::Arc;

use super::*;
use crate::domain::site::{Offer, Offers};

/// One job on the Slurm cluster, with these lines.
fn job(more: &str) -> Session {
    Session::with(&format!("jobs:\n  - name: a\n    cluster: lab\n    command: x\n{more}"), 120, 40)
}

/// Types a text into a field of the first job.
fn put(s: &mut Session, field: &str, typed: &str) {
    s.model.compose.focus_field(Target::Entry(0), Some(field), None);
    assert_eq!(s.compose().focused_row().and_then(Row::key), Some(field));
    s.keys(&format!("ctrl-end ctrl-u '{typed}'"));
}

fn shown(s: &Session) -> Vec<String> {
    s.compose().form.rows.iter().filter_map(|row| row.key().map(str::to_owned)).collect()
}

#[test]
fn a_field_is_written_among_what_else_the_options_say() {
    for (before, after) in [
        ("", "    options:\n      partition: gpu\n"),
        ("    options: {nosuch: 1}\n", "    options: {nosuch: 1, partition: gpu}\n"),
        ("    options: {partition: x, qos: q}\n", "    options: {qos: q, partition: gpu}\n"),
        (
            "    options:\n      slurm:   # mine\n        qos: q   # kept\n      ray: {resources: {a: 1}}\n",
            "    options:\n      slurm:   # mine\n        qos: q   # kept\n        partition: gpu\n      ray: {resources: {a: 1}}\n",
        ),
        (
            "    options:\n      ray: {resources: {a: 1}}\n",
            "    options:\n      ray: {resources: {a: 1}}\n      slurm:\n        partition: gpu\n",
        ),
    ] {
        let mut s = job(before);
        put(&mut s, "options.partition", "gpu");
        let head = "jobs:\n  - name: a\n    cluster: lab\n    command: x\n";
        assert_eq!(s.text(), format!("{head}{after}"));
        s.keys("esc u");
        assert_eq!(s.text(), format!("{head}{before}"), "one step takes it back");
    }
}

#[test]
fn a_field_that_is_emptied_leaves_the_rest() {
    for (before, after) in [
        ("    options: {partition: gpu}\n", ""),
        ("    options:\n      slurm:\n        partition: gpu\n", ""),
        ("    options: {slurm: {partition: gpu}, ray: {a: 1}}\n", "    options: {ray: {a: 1}}\n"),
        ("    options: {partition: gpu, nosuch: 1}\n", "    options: {nosuch: 1}\n"),
    ] {
        let mut s = job(before);
        put(&mut s, "options.partition", "");
        let head = "jobs:\n  - name: a\n    cluster: lab\n    command: x\n";
        assert_eq!(s.text(), format!("{head}{after}"));
    }
}

#[test]
fn what_has_no_field_of_its_own_stays_in_sight_and_can_be_edited() {
    let s = job("    options: {partition: gpu, qos: q}\n");
    assert!(!shown(&s).contains(&"options".to_owned()), "{:?}", shown(&s));
    let s = job("    options: {partition: gpu, nosuch: 1}\n");
    assert!(shown(&s).contains(&"options".to_owned()), "{:?}", shown(&s));
    // On another kind of cluster what is written is still there to be seen.
    let s = Session::with(
        "jobs:\n  - {name: a, cluster: local, command: x, options: {slurm: {qos: q}}}\n",
        120,
        40,
    );
    let keys = shown(&s);
    assert!(keys.contains(&"options.qos".to_owned()), "{keys:?}");
    assert!(!keys.contains(&"options.partition".to_owned()), "{keys:?}");
    // A text in place of a map is not written over.
    let mut s = job("    options: later\n");
    put(&mut s, "options.partition", "gpu");
    assert!(s.text().contains("options: later"), "{}", s.text());
    assert!(s.compose().form.trouble.is_some());
}

#[test]
fn each_job_keeps_its_own_options_when_several_change_together() {
    let text = "jobs:\n  - {name: a, cluster: lab, command: x, options: {qos: q}}\n  - {name: b, cluster: lab, command: x, options: {slurm: {account: t}}}\n";
    let mut s = Session::with(text, 120, 40);
    s.keys("a e");
    put(&mut s, "options.partition", "gpu");
    assert_eq!(
        s.text(),
        "jobs:\n  - {name: a, cluster: lab, command: x, options: {qos: q, partition: gpu}}\n  \
         - {name: b, cluster: lab, command: x, options: {slurm: {account: t, partition: gpu}}}\n"
    );
}

#[test]
fn a_cluster_that_was_asked_offers_what_it_has() {
    let mut s = job("");
    s.model.compose.focus_field(Target::Entry(0), Some("options.partition"), None);
    s.keys("enter");
    assert!(s.compose().form.picker.is_none(), "nothing is known");
    let row = |key: &str| {
        let field = crate::domain::fields::within_options(key)
            .and_then(crate::domain::fields::option_field);
        Row::Field(field.unwrap())
    };
    let why = s.compose().not_offered(&row("options.partition"));
    assert_eq!(why.as_deref(), Some("lab was not asked yet what there is."));
    assert_eq!(s.compose().not_offered(&row("options.extra")), None);
    let offer = |value: &str, note: &str| Offer { value: value.into(), note: note.into() };
    let partitions = vec![offer("gpu", "default · at most 1d"), offer("debug", "at most 10m")];
    let offers: Offers = [("options.partition".to_owned(), partitions)].into();
    let mut health = s.model.health.clone();
    health[1].offers = Some(Arc::new(offers));
    s.msg(Msg::Clusters(health));
    s.model.compose.focus_field(Target::Entry(0), Some("options.partition"), None);
    s.keys("enter");
    let picker = s.compose().form.picker.as_ref().unwrap();
    let listed: Vec<_> = picker.choices.iter().map(|c| format!("{} {}", c.value, c.note)).collect();
    assert_eq!(listed, ["gpu default · at most 1d", "debug at most 10m"]);
    s.keys("'deb' enter");
    assert_eq!(s.compose().doc.scalar(0, "options.partition"), Some("debug"));
    let why = s.compose().not_offered(&row("options.qos"));
    assert_eq!(why.as_deref(), Some("lab does not tell what there is."));
    // What is not in the list can be typed.
    s.keys("ctrl-u 'gpu,debug' tab");
    assert_eq!(s.compose().doc.scalar(0, "options.partition"), Some("gpu,debug"));
}

//! Every field of every form, by key presses: what is typed is in the document,
//! in the tree that plans are made from, and in the job that is sent.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{tests::Session, *};
use crate::domain::{
    fields::{self, FieldSpec},
    job::JobType,
    tree::Node,
};

/// What is typed into a field, and how it must stand in the document.
#[allow(clippy::match_same_arms, reason = "a table in the order of the forms")]
fn sample(key: &str) -> (&'static str, &'static str) {
    match key {
        "type" => ("works", "workspace"),
        "name" => ("walked", "walked"),
        "cluster" => ("lab", "lab"),
        "project" => ("project-77", "project-77"),
        "image" => ("img/walked:1", "img/walked:1"),
        "gpus" => ("3", "3"),
        "workers" => ("5", "5"),
        "framework" => ("jax", "jax"),
        "workspace_type" => ("vsc", "vscode"),
        "file_hash" => ("abc77", "abc77"),
        "file" => ("data/walked.nii", "data/walked.nii"),
        "method_name" => ("Walked Method", "Walked Method"),
        "parameters" => ("threshold: 0.77", "{threshold: 0.77}"),
        "command" => ("python a.py\n  --walked", "\"python a.py\\n  --walked\\n\""),
        "args" => ("--walked-args", "--walked-args"),
        "sweep" => ("lr 1e-3, 1e-2\nseed 0 … 2", "{lr: [1e-3, 1e-2], seed: {range: [0, 3]}}"),
        "sweep_mode" => ("zi", "zip"),
        "exclude" => ("- {lr: 1, s: a}", "[{lr: 1, s: a}]"),
        "include" => ("- {lr: 9, s: z}", "[{lr: 9, s: z}]"),
        "depends_on" => ("first", "first"),
        "time_limit" => ("77m", "77m"),
        "env" => ("WALKED=7 7\nB=x", "{WALKED: 7 7, B: x}"),
        "working_dir" => ("runs/walked", "runs/walked"),
        "src_dir" => ("./walked", "./walked"),
        "libraries" => ("../one, ../two", "[../one, ../two]"),
        "cpus" => ("2.5", "2.5"),
        "memory" => ("77G", "77G"),
        "gpu_type" => ("a100", "a100"),
        "nodes" => ("2", "2"),
        "exclusive" => ("tru", "true"),
        "priority" => ("high", "high"),
        "max_retries" => ("2", "2"),
        "tags" => ("walked, two words", "[walked, two words]"),
        "cluster_tags" => ("big", "[big]"),
        "metadata" => ("owner=walker", "{owner: walker}"),
        "submission_id" => ("sub-77", "sub-77"),
        "options" => ("slurm:\n  partition: walked", "{slurm: {partition: walked}}"),
        "options.partition" => ("walked", "walked"),
        "options.account" => ("walkers", "walkers"),
        "options.qos" => ("normal", "normal"),
        "options.constraint" => ("a100&nvlink", "a100&nvlink"),
        "options.reservation" => ("course-3", "course-3"),
        "options.gres" => ("shard:2", "shard:2"),
        "options.gpu_flag" => ("gpus-per", "gpus-per-node"),
        "options.extra" => ("--mail-type=END, --requeue", "[--mail-type=END, --requeue]"),
        "resource_requirements" => ("CPU: 7", "{CPU: 7}"),
        "runtime_env" => ("pip: [walked]", "{pip: [walked]}"),
        "continue_on_error" => ("fal", "false"),
        "max_concurrent" => ("7", "7"),
        "max_failures" => ("17", "17"),
        "on_existing" => ("reu", "reuse"),
        "dry_run" => ("tru", "true"),
        other => panic!("{other} has no sample"),
    }
}

impl Session {
    /// Goes to a field with Tab alone.
    fn tab_to(&mut self, key: &str, default: bool) {
        for _ in 0..200 {
            let row = self.compose().focused_row().cloned();
            match row {
                Some(Row::Default(spec)) if default && spec.key == key => return,
                Some(Row::Field(spec)) if !default && spec.key == key => return,
                // Behind the fold.
                Some(Row::More { open: false, .. }) => self.keys("enter"),
                _ => {}
            }
            self.keys("tab");
            if self.compose().focus == Focus::Table {
                self.keys("tab");
            }
        }
        panic!("{key} is in no form");
    }

    fn type_in(&mut self, text: &str) {
        self.keys("ctrl-end ctrl-u");
        while self.compose().form.editor.lines().len() > 1 {
            self.keys("backspace ctrl-u");
        }
        for c in text.chars() {
            let code = if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) };
            self.msg(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        }
        if self.compose().form.picker.is_some() {
            self.keys("enter");
        }
    }

    fn written(&self, entry: Option<usize>, default: bool, key: &str) -> String {
        let doc = &self.compose().doc;
        let node = if default { doc.default_of(key) } else { doc.field(entry, key) };
        flow(node.as_ref())
    }

    /// The same value in the tree that plans are made from.
    fn planned_from(&self, entry: Option<usize>, default: bool, key: &str) -> String {
        let root = crate::yaml::parse(self.text().as_bytes()).unwrap();
        let jobs = |i: usize| match &root.get("jobs").unwrap().value {
            crate::domain::tree::Value::Seq(items) => match fields::within_options(key) {
                Some(key) => items[i].get("options").and_then(|options| options.get(key)).cloned(),
                None => items[i].get(key).cloned(),
            },
            _ => None,
        };
        let node = match entry {
            Some(i) => jobs(i),
            None if default => root.get("defaults").and_then(|d| d.get(key)).cloned(),
            None => root.get(key).cloned(),
        };
        flow(node.as_ref())
    }
}

fn flow(node: Option<&Node>) -> String {
    use document::emit::{Style, inline};
    node.map_or_else(|| "nothing".into(), |node| inline(node, Style::Flow))
}

/// The jobs of an entry as they would be sent, as JSON, with what they wait for.
fn jobs_of(text: &str, entry: u32) -> Vec<serde_json::Value> {
    let plan = crate::yaml::plan(text.as_bytes(), "walk", None, &super::tests::context());
    plan.jobs
        .iter()
        .filter(|job| job.spec.entry == entry)
        .map(|job| {
            let mut value = serde_json::to_value(&*job.spec).unwrap();
            value["waits_for"] = serde_json::json!(job.depends_on.len());
            value
        })
        .collect()
}

/// What is typed must make a difference to what is sent, in its own place.
fn assert_sent(key: &str, text: &str, before: &str, context: &str) {
    let (with, without) = (jobs_of(text, 1), jobs_of(before, 1));
    let first = |jobs: &[serde_json::Value]| jobs.first().cloned().unwrap_or_default();
    let differs = match key {
        // They decide which jobs there are.
        "sweep" | "sweep_mode" | "exclude" | "include" => {
            let params = |jobs: &[serde_json::Value]| -> Vec<_> {
                jobs.iter().map(|j| j["params"].clone()).collect()
            };
            params(&with) != params(&without)
        }
        "depends_on" => {
            first(&with)["waits_for"] != first(&without)["waits_for"]
                || first(&with)["depends_on"] != first(&without)["depends_on"]
        }
        key => {
            let value = |jobs| match fields::within_options(key) {
                Some(key) => first(jobs)["options"]["slurm"][key].clone(),
                None => first(jobs)[key].clone(),
            };
            value(&with) != value(&without)
        }
    };
    assert!(differs, "{context}: {key} is collected and not sent\n{text}\n{with:#?}");
}

/// A batch whose second entry is walked; with a sweep, or on a Slurm cluster, for
/// fields that need that.
fn base(job_type: JobType, key: &str) -> String {
    let more = if matches!(key, "sweep_mode" | "exclude" | "include") {
        "    sweep: {lr: [1, 2], s: [a, b]}\n"
    } else if fields::within_options(key).is_some() {
        "    cluster: lab\n"
    } else {
        ""
    };
    format!(
        "jobs:\n  - name: first\n    command: echo\n  - type: {}\n    name: second\n    command: echo hi\n{more}",
        job_type.word(),
    )
}

fn walk(spec: &'static FieldSpec, job_type: JobType) {
    let mut s = Session::with(&base(job_type, spec.key), 120, 32);
    s.keys("G e");
    s.tab_to(spec.key, false);
    let (typed, expected) = sample(spec.key);
    s.type_in(typed);
    assert_eq!(s.written(Some(1), false, spec.key), expected, "{}: {}", spec.key, s.text());
    assert_eq!(s.planned_from(Some(1), false, spec.key), expected, "{}", spec.key);
    assert_eq!(s.compose().entry_name(0), Some("first"));
    if (spec.key, job_type) != ("type", JobType::Workspace) {
        assert_sent(spec.key, s.text(), &base(job_type, spec.key), job_type.word());
    }
    // Shown again as it was typed, and gone when it is emptied.
    s.keys("esc");
    s.keys("k j e");
    assert_eq!(s.written(Some(1), false, spec.key), expected, "{}", spec.key);
}

#[test]
fn every_field_of_every_job_form() {
    for job_type in JobType::ALL {
        for spec in fields::form_fields(job_type, Some(ClusterKind::Slurm)) {
            walk(spec, job_type);
        }
    }
}

#[test]
fn every_setting_of_the_batch() {
    for spec in fields::HEAD {
        if matches!(spec.key, "jobs" | "confirmed" | "defaults") {
            continue;
        }
        let mut s = Session::with(&base(JobType::Workspace, ""), 120, 32);
        s.keys("g e");
        s.tab_to(spec.key, false);
        let (typed, expected) = sample(spec.key);
        s.type_in(typed);
        assert_eq!(s.written(None, false, spec.key), expected, "{}: {}", spec.key, s.text());
        assert_eq!(s.planned_from(None, false, spec.key), expected, "{}", spec.key);
    }
}

#[test]
fn every_default() {
    let mut s = Session::with(&base(JobType::Workspace, ""), 80, 24);
    s.keys("g e");
    for spec in fields::JOB.iter().filter(|f| f.defaultable) {
        s.tab_to(spec.key, true);
        let (typed, expected) = sample(spec.key);
        s.type_in(typed);
        assert_eq!(s.written(None, true, spec.key), expected, "{}: {}", spec.key, s.text());
        assert_eq!(s.planned_from(None, true, spec.key), expected, "{}", spec.key);
    }
}

#[test]
fn a_field_that_is_emptied_is_gone() {
    for job_type in JobType::ALL {
        for spec in fields::form_fields(job_type, Some(ClusterKind::Slurm)) {
            let text = base(job_type, spec.key);
            let mut s = Session::with(&text, 120, 32);
            s.keys("G e");
            s.tab_to(spec.key, false);
            let before = s.written(Some(1), false, spec.key);
            s.type_in(sample(spec.key).0);
            s.keys("ctrl-end");
            for _ in 0..200 {
                s.keys("backspace");
            }
            assert_eq!(s.written(Some(1), false, spec.key), "nothing", "{}", spec.key);
            s.keys("esc");
            for _ in 0..300 {
                if !s.compose().doc.can_undo() {
                    break;
                }
                s.keys("u");
            }
            assert_eq!(s.written(Some(1), false, spec.key), before);
            assert_eq!(s.text(), text, "undo brings everything back");
        }
    }
}

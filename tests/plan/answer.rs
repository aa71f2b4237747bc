//! The JSON answer of `plan`.

use jobdeck::domain::plan_json::PlanAnswer;
use serde_json::{Value, json};

use super::*;

fn answer(plan: &Plan) -> Value {
    serde_json::to_value(PlanAnswer::<Value>::new(plan, Some("b.yaml"), None, None)).unwrap()
}

#[test]
fn every_key_is_there_and_null_where_absent() {
    let plan = plan("[{name: a, command: x, gpus: 0.5, imag: y}]");
    let answer = answer(&plan);
    assert_eq!(
        answer,
        json!({
            "schema_version": 1,
            "batch": "batch",
            "file": "b.yaml",
            "ok": false,
            "total_jobs": 1,
            "jobs_by_type": {"training": 1},
            "total_gpus": 0.5,
            "peak_gpus": 0.5,
            "gpus_by_cluster": {"local": 0.5},
            "gpus_by_project": {},
            "jobs_by_action": {"submit": 1},
            "findings": [{
                "severity": "error",
                "job": "a",
                "field": "imag",
                "path": "jobs[0].imag",
                "line": 1,
                "column": 35,
                "message": "unknown key `imag`",
                "hint": "did you mean `image`?",
            }],
            "jobs": [{
                "name": "a",
                "group": null,
                "type": "training",
                "cluster": "local", "outlook": null,
                "project": null,
                "image": null,
                "command": "x",
                "args": null,
                "gpus": 0.5,
                "replicas": 1,
                "total_gpus": 0.5,
                "action": "submit",
                "depends_on": [],
                "params": {},
            }],
            "requests": null,
            "estimates": null,
        })
    );
}

#[test]
fn jobs_of_a_sweep_in_the_answer() {
    let plan = good(
        "- {name: s, command: 'x {lr} {run}', gpus: 7, sweep: {lr: [1e-3]}, project: p}
- {name: r, command: [y, z], depends_on: [{s: ended}, s-1]}",
    );
    let answer = answer(&plan);
    let [s, r] = [&answer["jobs"][0], &answer["jobs"][1]];
    assert_eq!((&s["name"], &s["group"]), (&json!("s-1"), &json!("s")));
    assert_eq!(s["params"], json!({"lr": "1e-3"}));
    assert_eq!(s["command"], "x 1e-3 <run>", "what is not known yet is shown as such");
    assert_eq!(s["gpus"].to_string(), "7");
    assert_eq!(r["command"], json!(["y", "z"]));
    assert_eq!(r["depends_on"], json!([{"s": "ended"}, "s-1"]));
    assert_eq!(answer["gpus_by_project"], json!({"p": 7}));
    assert_eq!(answer["ok"], true);
}

#[test]
fn a_text_that_cannot_be_read_has_an_answer_too() {
    let plan = plan("jobs:\n  - {name: a\n");
    let answer = answer(&plan);
    assert_eq!((&answer["ok"], &answer["total_jobs"]), (&json!(false), &json!(0)));
    let finding = &answer["findings"][0];
    assert_eq!((&finding["path"], &finding["field"]), (&Value::Null, &Value::Null));
    assert!(finding["line"].is_u64(), "{finding}");
}

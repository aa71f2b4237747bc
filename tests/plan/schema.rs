//! The schema for editors says the same as the reader.

use jobdeck::domain::{fields, placeholder, schema};
use serde_json::Value;

use super::*;

/// Enough of JSON Schema for our own: why the value is refused.
fn refused(schema: &Value, value: &Value, root: &Value) -> Option<String> {
    let of = |key: &str| schema.get(key);
    if let Some(name) = of("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).expect("a known definition");
        return refused(target, value, root);
    }
    if let Some(choices) = of("anyOf").and_then(Value::as_array) {
        let why: Vec<_> = choices.iter().filter_map(|c| refused(c, value, root)).collect();
        if why.len() == choices.len() {
            return Some(format!("{value}: none of {why:?}"));
        }
    }
    if let Some(words) = of("enum").and_then(Value::as_array)
        && !words.contains(value)
    {
        return Some(format!("{value} is none of {words:?}"));
    }
    if of("pattern").is_some() && value.as_str().and_then(placeholder::exact).is_none() {
        return Some(format!("{value} is no placeholder"));
    }
    if let Some(types) = of("type") {
        let is = |t: &str| match t {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "integer" => value.is_u64() || value.is_i64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            other => panic!("type {other}"),
        };
        let known = match types {
            Value::String(one) => is(one),
            Value::Array(several) => several.iter().filter_map(Value::as_str).any(is),
            _ => false,
        };
        if !known {
            return Some(format!("{value} is no {types}"));
        }
    }
    if let (Some(min), Some(n)) = (of("minimum").and_then(Value::as_f64), value.as_f64())
        && n < min
    {
        return Some(format!("{n} is below {min}"));
    }
    if let (Some(max), Some(n)) = (of("maximum").and_then(Value::as_f64), value.as_f64())
        && n > max
    {
        return Some(format!("{n} is above {max}"));
    }
    if let (Some(items), Some(list)) = (of("items"), value.as_array()) {
        return list.iter().find_map(|item| refused(items, item, root));
    }
    let map = value.as_object()?;
    for key in of("required").and_then(Value::as_array).into_iter().flatten() {
        if !map.contains_key(key.as_str()?) {
            return Some(format!("{key} is missing"));
        }
    }
    let others = of("additionalProperties");
    for (key, value) in map {
        let known = of("properties").and_then(|p| p.get(key));
        let why = match (known, others) {
            (None, _) if key.starts_with("x-") => None,
            (None, Some(Value::Bool(false))) => Some("unknown".into()),
            (None, Some(Value::Bool(true)) | None) => None,
            (Some(schema), _) | (None, Some(schema)) => refused(schema, value, root),
        };
        if let Some(why) = why {
            return Some(format!("{key}: {why}"));
        }
    }
    None
}

fn accepts(text: &str) -> bool {
    let value = jobdeck::domain::batch::value::json(&yaml::parse(text.as_bytes()).unwrap());
    let schema = schema::batch();
    refused(&schema, &value, &schema).is_none()
}

#[test]
fn good_documents_fit_and_bad_ones_do_not() {
    for text in [
        include_str!("../fixtures/guide-training.json"),
        include_str!("../fixtures/guide-mixed.json"),
        include_str!("../fixtures/guide-projects.json"),
        "- {name: a, command: [x, 1], gpus: 0.5, depends_on: [{b: ended}]}",
        "{jobs: [{name: s, command: 'x {g}', gpus: '{g}', sweep: {g: {range: [0, 3]}}, exclude: {g: 1}}]}",
        "[{job_id: a, entrypoint: x, resource_requirements: {CPU: 1, GPU: 0, memory: 2.5}}]",
        "{defaults: {cluster: [a, auto], env: {A: 1}}, jobs: [{name: a, project: null}]}",
    ] {
        assert!(accepts(text), "{text}");
    }
    for text in [
        "{jobs: [{name: a, gpus: two}]}",
        "{jobs: [{name: a, gpus: -1}]}",
        "{jobs: [{name: a, workers: 1000}]}",
        "{jobs: [{name: a, clutser: x}]}",
        "{jobs: [{command: x}]}",
        "{jobs: [], jobz: 1}",
        "{jobs: [{name: a, type: trainng}]}",
        "{defaults: {name: a}, jobs: [{name: a}]}",
        "{jobs: [{name: a, sweep: {lr: 3}}]}",
        "{name: x}",
        "text",
    ] {
        assert!(!accepts(text), "{text}");
    }
}

#[test]
fn every_field_of_the_reader_is_in_the_schema() {
    let schema = schema::batch();
    for (table, name) in [(fields::JOB, "job"), (fields::HEAD, "batch")] {
        let known = &schema["$defs"][name]["properties"];
        for field in table {
            for word in std::iter::once(&field.key).chain(field.aliases) {
                assert!(known.get(word).is_some(), "{word}");
                assert!(known[word]["description"].is_string(), "{word}");
            }
        }
        let words = table.iter().map(|f| 1 + f.aliases.len()).sum::<usize>();
        assert_eq!(known.as_object().unwrap().len(), words + 1, "and `$schema`");
    }
}

/// Every example of the table is something the reader takes without an error.
#[test]
fn the_examples_of_the_table_are_good() {
    for field in fields::JOB {
        let value = match field.key {
            "name" | "command" | "sweep" | "include" | "exclude" | "sweep_mode" | "depends_on"
            | "cluster" | "cluster_tags" | "type" => continue,
            _ => field.example,
        };
        let job_type = field.types.first().map_or("training", |t| t.word());
        let text = format!(
            "[{{name: a, type: {job_type}, command: x, method_name: m, file_hash: h, workers: 2, {}: {value}}}]",
            field.key
        );
        let errors: Vec<_> = errors(&plan(&text))
            .into_iter()
            .filter(|e| e.contains(&format!("].{}", field.key)) && !e.contains("stands here twice"))
            .collect();
        assert!(errors.is_empty(), "{text}: {errors:?}");
    }
}

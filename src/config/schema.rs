//! JSON Schema of `config.yaml`, for editors; made from [`super::fields`].

use serde_json::{Map, Value as Json, json};

use super::fields::{self, Field, Shape};
use crate::domain::site::ClusterKind;

/// The schema (draft 2020-12).
pub fn schema() -> Json {
    let mut root = properties(fields::ROOT);
    for (name, help) in fields::SECTIONS {
        let mut section = match *name {
            "limits" => section(fields::LIMITS),
            "ui" => section(fields::UI),
            _ => clusters(),
        };
        section["description"] = json!(help);
        root.insert((*name).to_owned(), section);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jobdeck configuration",
        "type": ["object", "null"],
        "properties": root,
        "additionalProperties": false,
    })
}

fn section<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Json {
    json!({
        "type": ["object", "null"],
        "properties": properties(fields),
        "additionalProperties": false,
    })
}

fn clusters() -> Json {
    let one_of: Vec<Json> = ClusterKind::ALL.into_iter().map(cluster).collect();
    json!({
        "type": ["object", "null"],
        "additionalProperties": { "oneOf": one_of },
    })
}

fn cluster(kind: ClusterKind) -> Json {
    let mut properties = properties(fields::of_cluster(kind));
    properties.insert("kind".into(), json!({ "const": kind.word() }));
    properties.insert("limits".into(), section(fields::LIMITS));
    json!({
        "title": kind.word(),
        "type": "object",
        "properties": properties,
        "required": ["kind"],
        "additionalProperties": kind != ClusterKind::Local,
    })
}

fn properties<'a>(fields: impl IntoIterator<Item = &'a Field>) -> Map<String, Json> {
    let one = |field: &Field| {
        let mut schema = shape(field.shape);
        schema["description"] = json!(field.help);
        (field.name.to_owned(), schema)
    };
    fields.into_iter().map(one).collect()
}

fn shape(shape: Shape) -> Json {
    match shape {
        Shape::Text | Shape::Secret => json!({ "type": "string", "minLength": 1 }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Count(least) => json!({ "type": "integer", "minimum": least }),
        Shape::Number | Shape::Gpus => json!({ "type": "number", "minimum": 0 }),
        Shape::LocalGpus => json!({
            "oneOf": [{ "const": "auto" }, { "type": "integer", "minimum": 0, "maximum": 4096 }],
        }),
        Shape::Duration => json!({
            "oneOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^[0-9.]+ *(ms|s|sec|m|min|h)?$" },
            ],
        }),
        Shape::TextList => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Map => json!({ "type": "object" }),
        Shape::Url => json!({ "type": "string", "pattern": "^https?://" }),
        Shape::ImageRunner => json!({ "enum": ["apptainer", "pyxis"] }),
        Shape::Kind => json!({ "enum": ClusterKind::ALL.map(ClusterKind::word) }),
    }
}

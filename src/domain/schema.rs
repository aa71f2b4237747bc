//! The JSON Schema of batch documents, for editors; made from the same table that
//! the reader and the forms use.

use serde_json::{Map, Value, json};

use super::{
    fields::{FieldKind, FieldSpec, HEAD, JOB, Required},
    site::ClusterKind,
};

/// The schema of a batch document (JSON Schema 2020-12).
pub fn batch() -> Value {
    let head = object(HEAD, true);
    let mut job = object(JOB, true);
    if let Some(map) = job.as_object_mut() {
        // `job_id` is another word for it.
        map.insert("anyOf".into(), json!([{"required": ["name"]}, {"required": ["job_id"]}]));
    }
    let defaults = object(&JOB.iter().filter(|f| f.defaultable).copied().collect::<Vec<_>>(), true);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jobdeck batch",
        "description": "A list of jobs to be planned, submitted and watched.",
        "anyOf": [
            {"$ref": "#/$defs/batch"},
            {"type": "array", "items": {"$ref": "#/$defs/job"}, "minItems": 1},
        ],
        "$defs": {
            "batch": head,
            "job": job,
            "defaults": defaults,
            "placeholder": {
                "type": "string",
                "pattern": "^\\{[A-Za-z_][A-Za-z0-9_]*\\}$",
                "description": "Exactly one placeholder of the sweep: takes its value and type.",
            },
            "scalar": {"type": ["string", "number", "boolean", "null"]},
        },
    })
}

/// A map with the fields of a table, aliases too, and nothing else but `x-…`.
fn object(table: &[FieldSpec], closed: bool) -> Value {
    let mut properties = Map::new();
    for field in table {
        let mut schema = of(field);
        let types = field.types.iter().map(|t| t.word()).collect::<Vec<_>>();
        if let Some(map) = schema.as_object_mut() {
            let scope = match types.len() {
                4 => String::new(),
                _ => format!(" For jobs of type {}.", types.join(", ")),
            };
            map.insert("description".into(), format!("{}{scope}", field.help).into());
            map.insert("title".into(), field.label.into());
        }
        for alias in field.aliases {
            let mut same = schema.clone();
            if let Some(map) = same.as_object_mut() {
                let description = format!("Another word for `{}`.", field.key);
                map.insert("description".into(), description.into());
            }
            properties.insert((*alias).to_owned(), same);
        }
        properties.insert(field.key.to_owned(), schema);
    }
    properties.insert("$schema".into(), json!({"type": "string"}));
    let required: Vec<_> = table
        .iter()
        .filter(|f| f.required == Required::Always && f.aliases.is_empty() && f.types.len() == 4)
        .map(|f| f.key)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": !closed,
        "required": required,
    })
}

/// One value.
fn of(field: &FieldSpec) -> Value {
    let placeholder = json!({"$ref": "#/$defs/placeholder"});
    let text = json!({"type": ["string", "number", "boolean"]});
    let strings = json!({"type": "array", "items": text});
    // A number may come out of a sweep, where placeholders can stand.
    let or_placeholder = |schema: Value| {
        let mut choices = vec![schema, json!({"type": "null"})];
        if field.placeholders {
            choices.push(placeholder.clone());
        }
        json!({"anyOf": choices})
    };
    match field.kind {
        FieldKind::Text | FieldKind::Name | FieldKind::Path => {
            json!({"type": ["string", "number", "boolean", "null"]})
        }
        FieldKind::Choice(words) => or_placeholder(json!({"enum": words})),
        FieldKind::Flag => or_placeholder(json!({"type": "boolean"})),
        FieldKind::Whole { min, max } => {
            or_placeholder(json!({"type": "integer", "minimum": min, "maximum": max}))
        }
        FieldKind::Number { max } => {
            or_placeholder(json!({"type": "number", "exclusiveMinimum": 0, "maximum": max}))
        }
        FieldKind::Gpus => or_placeholder(json!({
            "type": "number", "minimum": 0, "maximum": super::fields::MAX_GPUS,
        })),
        FieldKind::Memory => json!({"type": ["string", "number", "null"], "examples": ["16G", 16]}),
        FieldKind::TimeLimit => json!({"type": ["string", "null"], "examples": ["4h", "4:00:00"]}),
        FieldKind::Command | FieldKind::Paths | FieldKind::List => {
            json!({"anyOf": [text, strings, {"type": "null"}]})
        }
        FieldKind::Map => json!({
            "type": ["object", "null"],
            "additionalProperties": {"$ref": "#/$defs/scalar"},
        }),
        FieldKind::Tree if field.key == "options" => json!({
            "type": ["object", "null"],
            "properties": ClusterKind::ALL
                .iter()
                .map(|kind| (kind.word().to_owned(), json!({"type": ["object", "null"]})))
                .collect::<Map<_, _>>(),
        }),
        FieldKind::Tree => json!({"type": ["object", "null"]}),
        FieldKind::Cluster => json!({"anyOf": [
            {"type": "string"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
            {"type": "null"},
        ]}),
        FieldKind::Dependencies => {
            let ends = json!({
                "type": "object",
                "additionalProperties": {"enum": ["succeeded", "ended"]},
            });
            let one = json!({"anyOf": [{"type": ["string", "number"]}, ends]});
            json!({"anyOf": [one, {"type": "array", "items": one}, {"type": "null"}]})
        }
        FieldKind::Sweep => {
            let range = json!({
                "type": "object",
                "properties": {"range": {
                    "type": "array",
                    "items": {"type": ["number", "string"]},
                    "minItems": 2,
                    "maxItems": 3,
                }},
                "required": ["range"],
                "additionalProperties": false,
            });
            let values = json!({
                "type": "array", "items": {"$ref": "#/$defs/scalar"}, "minItems": 1,
            });
            json!({
                "type": "object",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {"anyOf": [values, range]},
                "minProperties": 1,
            })
        }
        FieldKind::Combinations => {
            let one = json!({
                "type": "object", "additionalProperties": {"$ref": "#/$defs/scalar"},
            });
            json!({"anyOf": [one, {"type": "array", "items": one}]})
        }
        FieldKind::Jobs => {
            json!({"type": "array", "items": {"$ref": "#/$defs/job"}, "minItems": 1})
        }
        FieldKind::Defaults => json!({"anyOf": [{"$ref": "#/$defs/defaults"}, {"type": "null"}]}),
        FieldKind::RayResources => json!({
            "type": ["object", "null"],
            "properties": {
                "CPU": {"type": "number", "minimum": 0},
                "GPU": {"type": "number", "minimum": 0},
                "memory": {"type": "number", "minimum": 0},
            },
        }),
    }
}

//! One value of the configuration, read by the shape its field has.
//!
//! Values are kept as JSON in a normal form (durations in milliseconds, GPU
//! numbers as numbers), so that layers merge without knowing what they hold.

use serde_json::Value as Json;

use super::fields::Shape;
use crate::domain::{
    nearest::nearest,
    resources::{AmountError, Gpus},
    site::ClusterKind,
    tree::{Node, Scalar, Value},
};

/// Why a value does not fit; a lower-case fragment, and an imperative hint.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub message: String,
    pub hint: Option<String>,
}

fn misfit(message: impl Into<String>) -> Misfit {
    Misfit { message: message.into(), hint: None }
}

impl Misfit {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<AmountError> for Misfit {
    fn from(error: AmountError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}

/// Longest interval that makes sense between polls, in milliseconds.
const MAX_DURATION_MS: f64 = 86_400_000.0;

pub(super) fn value(shape: Shape, node: &Node) -> Result<Json, Misfit> {
    let scalar = |wanted: &str| {
        node.as_scalar()
            .filter(|s| !s.is_null())
            .ok_or_else(|| misfit(format!("expected {wanted}, found {}", node.kind())))
    };
    match shape {
        Shape::Text | Shape::Secret => {
            let s = scalar("text")?;
            if s.text.trim().is_empty() {
                return Err(misfit("expected text, found only white space"));
            }
            Ok(Json::String(s.text.clone()))
        }
        Shape::Url => {
            let s = scalar("an address")?;
            let rest = s.text.strip_prefix("http://").or_else(|| s.text.strip_prefix("https://"));
            match rest {
                Some(host) if !host.is_empty() && !host.starts_with('/') => {
                    Ok(Json::String(s.text.trim_end_matches('/').to_owned()))
                }
                _ => Err(misfit(format!("`{}` is not an http or https address", s.text))
                    .hint(format!("write `http://{}`", s.text.trim_start_matches('/')))),
            }
        }
        Shape::Bool => {
            let s = scalar("true or false")?;
            s.as_bool().map(Json::Bool).ok_or_else(|| {
                misfit(format!("expected true or false, found {} `{}`", node.kind(), s.text))
            })
        }
        Shape::Count(least) => {
            let s = scalar("a whole number")?;
            count(s).filter(|n| *n >= least).map(Json::from).ok_or_else(|| {
                misfit(format!("expected a whole number of at least {least}, found `{}`", s.text))
            })
        }
        Shape::Number => {
            let s = scalar("a number")?;
            let n = s.as_number().filter(|n| n.is_finite() && *n >= 0.0);
            n.map(Json::from).ok_or_else(|| {
                misfit(format!("expected a number of zero or more, found `{}`", s.text))
            })
        }
        Shape::Gpus => {
            let s = scalar("a number of GPUs")?;
            let gpus: Gpus = s.text.parse().map_err(Misfit::from)?;
            serde_json::to_value(gpus).map_err(|e| misfit(e.to_string()))
        }
        Shape::LocalGpus => {
            let s = scalar("`auto` or a number of slots")?;
            if s.text == "auto" {
                return Ok(Json::String("auto".into()));
            }
            count(s).filter(|n| *n <= 4096).map(Json::from).ok_or_else(|| {
                misfit(format!("expected `auto` or a number of slots, found `{}`", s.text))
            })
        }
        Shape::Duration => {
            let s = scalar("a duration")?;
            duration_ms(&s.text).map(Json::from).ok_or_else(|| {
                misfit(format!("`{}` is not a duration", s.text))
                    .hint("write `5s`, `500ms`, `2m` or a number of seconds")
            })
        }
        Shape::TextList => match &node.value {
            Value::Seq(items) => items
                .iter()
                .map(|item| match item.as_scalar() {
                    Some(s) if !s.is_null() && !s.text.trim().is_empty() => {
                        Ok(Json::String(s.text.clone()))
                    }
                    _ => Err(misfit(format!(
                        "expected a list of words, found {} in it",
                        item.kind()
                    ))),
                })
                .collect(),
            Value::Scalar(s) => Err(misfit(format!("expected a list, found {}", node.kind()))
                .hint(format!("write `[\"{}\"]`", s.text))),
            Value::Map(_) => Err(misfit("expected a list, found a map")),
        },
        Shape::Map => match &node.value {
            Value::Map(_) => Ok(json(node)),
            _ => Err(misfit(format!("expected a map, found {}", node.kind()))),
        },
        Shape::ImageRunner => {
            let s = scalar("`apptainer` or `pyxis`")?;
            if matches!(s.text.as_str(), "apptainer" | "pyxis") {
                return Ok(Json::String(s.text.clone()));
            }
            Err(misfit(format!("expected `apptainer` or `pyxis`, found `{}`", s.text)))
        }
        Shape::Kind => {
            let s = scalar("a kind of cluster")?;
            if ClusterKind::ALL.iter().any(|k| k.word() == s.text) {
                return Ok(Json::String(s.text.clone()));
            }
            let hint = match nearest_kind(&s.text) {
                Some(near) => format!("did you mean `{}`?", near.word()),
                None => {
                    format!("use one of {}", ClusterKind::ALL.map(ClusterKind::word).join(", "))
                }
            };
            Err(misfit(format!("no kind of cluster is called `{}`", s.text)).hint(hint))
        }
    }
}

/// The kind that a misspelt word surely means.
pub(super) fn nearest_kind(text: &str) -> Option<ClusterKind> {
    let near = nearest(text, ClusterKind::ALL.map(ClusterKind::word))?;
    ClusterKind::ALL.into_iter().find(|kind| kind.word() == near)
}

fn count(s: &Scalar) -> Option<u64> {
    let text = s.text.strip_prefix('+').unwrap_or(&s.text);
    text.replace('_', "").parse().ok()
}

/// Milliseconds of `5s`, `500ms`, `2m`, `1h`, `5`; more than zero, at most a day.
pub fn duration_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "ms" => 1.0,
        "" | "s" | "sec" => 1e3,
        "m" | "min" => 6e4,
        "h" => 3.6e6,
        _ => return None,
    };
    let ms = number.trim().parse::<f64>().ok()? * factor;
    (ms.is_finite() && ms > 0.0 && ms <= MAX_DURATION_MS).then(|| (ms.round() as u64).max(1))
}

/// A node as JSON, for fields whose content is not ours to know.
pub(super) fn json(node: &Node) -> Json {
    match &node.value {
        Value::Seq(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|e| (e.key.clone(), json(&e.value))).collect())
        }
        Value::Scalar(s) if s.is_null() => Json::Null,
        Value::Scalar(s) => {
            let as_json = s.as_bool().map(Json::Bool).or_else(|| {
                s.as_number().and_then(|n| {
                    s.text
                        .parse::<i64>()
                        .ok()
                        .map(Json::from)
                        .or_else(|| serde_json::Number::from_f64(n).map(Json::Number))
                })
            });
            as_json.unwrap_or_else(|| Json::String(s.text.clone()))
        }
    }
}

//! Single values of a document: from a node to a type, or why not.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use serde_json::Value as Json;

use crate::domain::{
    fields::MAX_GPUS,
    job::JsonMap,
    nearest::nearest,
    placeholder::is_identifier,
    resources::{AmountError, Gpus},
    tree::{Node, Scalar, Value},
};

/// Why a value cannot be taken; fragments for a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<AmountError> for Fault {
    fn from(error: AmountError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}

type Read<T> = Result<T, Fault>;

/// A list or map where one value is expected.
fn not_one(node: &Node, wanted: &str) -> Fault {
    let fault = Fault::new(format!("{} where {wanted} is expected", node.kind()));
    match lone_key(node) {
        Some(key) => fault.hint(format!("quote a placeholder: \"{{{key}}}\"")),
        None => fault,
    }
}

/// `{lr}` without quotes is a map with one key and no value.
fn lone_key(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Map(entries) => match entries.as_slice() {
            [entry] if entry.value.is_null() && is_identifier(&entry.key) => Some(&entry.key),
            _ => None,
        },
        _ => None,
    }
}

fn scalar<'a>(node: &'a Node, wanted: &str) -> Read<&'a Scalar> {
    let scalar = node.as_scalar().ok_or_else(|| not_one(node, wanted))?;
    if scalar.is_null() {
        let fault = Fault::new(format!("nothing where {wanted} is expected"));
        return Err(match scalar.text.as_str() {
            "" => fault,
            text => fault.hint(format!("quote `{text}` to mean the text")),
        });
    }
    Ok(scalar)
}

/// Any scalar as text, surrounding blanks dropped; not empty.
pub fn text(node: &Node) -> Read<&str> {
    let scalar = scalar(node, "text")?;
    let text = scalar.text.trim();
    if text.is_empty() {
        let what = if scalar.text.is_empty() { "empty" } else { "only blanks" };
        return Err(
            Fault::new(format!("the value is {what}")).hint("give a value, or remove the field")
        );
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(
            Fault::new(format!("the control character {c:?} cannot stand here")).hint("remove it")
        );
    }
    Ok(text)
}

/// Any scalar as it is, line breaks and all.
pub fn free_text(node: &Node) -> Read<&str> {
    let scalar = scalar(node, "text")?;
    if scalar.text.contains('\0') {
        return Err(Fault::new("text cannot hold a NUL character").hint("remove it"));
    }
    Ok(&scalar.text)
}

/// One of these words, in upper or lower case.
pub fn choice(node: &Node, what: &str, words: &[&'static str]) -> Read<&'static str> {
    let text = text(node)?;
    let found = words.iter().find(|w| w.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let all = words.join(", ");
        let hint = match nearest(text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`? it is one of {all}"),
            None => format!("it is one of {all}"),
        };
        Fault::new(format!("unknown {what} `{text}`")).hint(hint)
    })
}

pub fn flag(node: &Node) -> Read<bool> {
    let scalar = scalar(node, "true or false")?;
    let word = Scalar { plain: true, ..scalar.clone() };
    word.as_bool().ok_or_else(|| {
        let fault = Fault::new(format!("`{}` is not true or false", scalar.text));
        match scalar.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "1" => fault.hint("write `true`"),
            "no" | "off" | "n" | "0" => fault.hint("write `false`"),
            _ => fault,
        }
    })
}

/// A number as text; quotes around it do not matter.
fn number_text<'a>(node: &'a Node, wanted: &str) -> Read<&'a str> {
    let scalar = scalar(node, wanted)?;
    let text = scalar.text.trim();
    let number = Scalar { text: text.to_owned(), plain: true };
    if number.as_number().is_none() {
        let shown = if text.is_empty() { "nothing".into() } else { format!("`{text}`") };
        let fault = Fault::new(format!("{shown} is not {wanted}"));
        return Err(match number_word(text) {
            Some(n) => fault.hint(format!("write `{n}`")),
            None => fault,
        });
    }
    Ok(text)
}

/// `two`
fn number_word(text: &str) -> Option<usize> {
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"];
    words.iter().position(|w| w.eq_ignore_ascii_case(text))
}

pub fn whole(node: &Node, min: u64, max: u64) -> Read<u64> {
    let text = number_text(node, "a whole number")?;
    let value: f64 = text.parse().map_err(|_| Fault::new(format!("`{text}` is not a number")))?;
    if !value.is_finite() {
        return Err(Fault::new(format!("`{text}` is not a whole number")));
    }
    if value < min as f64 {
        let fault = if value < 0.0 {
            Fault::new(format!("`{text}` is negative; it must be at least {min}"))
        } else {
            Fault::new(format!("`{text}` is too small; it must be at least {min}"))
        };
        return Err(fault);
    }
    if value > max as f64 {
        return Err(Fault::new(format!("`{text}` is absurdly many; at most {max}"))
            .hint("check for a slip of the keyboard"));
    }
    if value.fract() != 0.0 {
        return Err(Fault::new(format!("`{text}` is not a whole number")));
    }
    Ok(value as u64)
}

/// Above zero.
pub fn number(node: &Node, max: f64) -> Read<f64> {
    let text = number_text(node, "a number")?;
    let value: f64 = text.parse().map_err(|_| Fault::new(format!("`{text}` is not a number")))?;
    if value <= 0.0 {
        let what = if value < 0.0 { "negative" } else { "zero" };
        return Err(Fault::new(format!("`{text}` is {what}; it must be more than zero")));
    }
    if !value.is_finite() || value > max {
        return Err(Fault::new(format!("`{text}` is absurdly many; at most {max}"))
            .hint("check for a slip of the keyboard"));
    }
    Ok(value)
}

pub fn gpus(node: &Node) -> Read<Gpus> {
    gpus_of(number_text(node, "a number of GPUs")?)
}

/// GPUs of a job as text.
pub fn gpus_of(text: &str) -> Read<Gpus> {
    let gpus: Gpus = text.parse().map_err(Fault::from)?;
    if gpus > Gpus::whole(MAX_GPUS) {
        return Err(Fault::new(format!("`{text}` GPUs is absurdly many; at most {MAX_GPUS}"))
            .hint("gpus are per job, and per worker of a distributed job"));
    }
    if gpus > Gpus::whole(1) && !gpus.is_whole() {
        return Err(Fault::new(format!("`{text}` GPUs: above one GPU only whole numbers"))
            .hint("write a whole number, or a fraction below one such as `0.5`"));
    }
    Ok(gpus)
}

/// Memory, time limits: types that read their own units.
pub fn amount<T: FromStr<Err = AmountError>>(node: &Node, wanted: &str) -> Read<T> {
    let scalar = scalar(node, wanted)?;
    if scalar.is_null() || scalar.as_bool().is_some() {
        return Err(Fault::new(format!("`{}` is not {wanted}", scalar.text)));
    }
    scalar.text.parse().map_err(Fault::from)
}

/// A name that becomes a row, an argument, and part of remote names.
pub fn name(text: &str) -> Read<()> {
    const LONGEST: usize = 100;
    if text.trim().is_empty() {
        return Err(Fault::new("the name is empty").hint("give the job a name"));
    }
    let length = text.chars().count();
    if length > LONGEST {
        return Err(Fault::new(format!(
            "the name is {length} characters long; at most {LONGEST} are allowed"
        ))
        .hint("shorten it"));
    }
    let proposal = || {
        let mended: String = text.chars().map(|c| if is_name_char(c) { c } else { '-' }).collect();
        let mended = mended.trim_matches(['-', '.']).to_owned();
        if mended.is_empty() { None } else { Some(format!("write `{mended}`")) }
    };
    let fault = |message: String| Fault { message, hint: proposal() };
    if let Some(c) = text.chars().find(|c| !is_name_char(*c)) {
        let shown = match c {
            ' ' => "a blank".to_owned(),
            '/' | '\\' => format!("a slash (`{c}`)"),
            c if c.is_control() => format!("the control character {c:?}").replace('\'', ""),
            c if c.is_whitespace() => "white space".to_owned(),
            c => format!("`{c}`"),
        };
        return Err(fault(format!("the name holds {shown}, which names cannot hold")));
    }
    if text.starts_with(['-', '.']) {
        return Err(fault("a name begins with a letter or a digit".into()));
    }
    Ok(())
}

/// Letters and digits of any script, signs such as emoji, and `-_.=+@:,`.
fn is_name_char(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "-_.=+@:,".contains(c);
    }
    let is_direction =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_invisible =
        matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}') || (c as u32 & 0xfffe) == 0xfffe;
    !(c.is_control() || c.is_whitespace() || is_direction || is_invisible)
}

/// A node as JSON, by the types of the YAML core schema.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Seq(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            Json::Object(entries.iter().map(|e| (e.key.clone(), json(&e.value))).collect())
        }
        Value::Scalar(s) if s.is_null() => Json::Null,
        Value::Scalar(s) => match (s.as_bool(), s.as_number()) {
            (Some(flag), _) => Json::Bool(flag),
            (None, Some(number)) => json_number(&s.text, number),
            (None, None) => Json::String(s.text.clone()),
        },
    }
}

fn json_number(text: &str, number: f64) -> Json {
    let whole = text.strip_prefix('+').unwrap_or(text);
    if let Ok(n) = whole.parse::<i64>() {
        return n.into();
    }
    if let Ok(n) = whole.parse::<u64>() {
        return n.into();
    }
    serde_json::Number::from_f64(number).map_or_else(|| Json::String(text.to_owned()), Json::Number)
}

/// A map as JSON.
pub fn object(node: &Node) -> Read<JsonMap> {
    match json(node) {
        Json::Object(map) => Ok(map),
        _ => Err(not_one_map(node)),
    }
}

pub fn not_one_map(node: &Node) -> Fault {
    Fault::new(format!("{} where a map is expected", node.kind()))
}

/// Puts `over` onto `base`: maps are merged at every level, `null` removes, other
/// values replace.
pub fn merge(base: &mut JsonMap, over: JsonMap) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (_, Json::Null) => {
                base.shift_remove(&key);
            }
            (Some(Json::Object(old)), Json::Object(new)) => merge(old, new),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The value of a variable: a secret's `file:` starts at the folder of the document too.
pub fn variable(text: String, base: Option<&Path>, home: Option<&Path>) -> String {
    match text.strip_prefix("file:").filter(|file| !file.is_empty()) {
        Some(file) => format!("file:{}", path(file, base, home)),
        None => text,
    }
}

/// A path from the folder of the document. `~/` is the home folder where it is known.
pub fn path(text: &str, base: Option<&Path>, home: Option<&Path>) -> String {
    let joined = match (text.strip_prefix("~/"), home, base) {
        (Some(rest), Some(home), _) => home.join(rest),
        _ if text == "~" => {
            return home.map_or_else(|| text.to_owned(), |h| h.display().to_string());
        }
        (None, _, Some(base)) => base.join(text),
        _ => return text.to_owned(),
    };
    // Drops `.` in the middle; `..` may pass through a link and stays.
    joined.components().collect::<PathBuf>().display().to_string()
}

//! A document as written: every value keeps its place and its own text.
//!
//! Batch files, configuration and the editor pane are all read into this tree
//! first, because a finding needs a line and a column, and because numbers must
//! keep the text they were written with (`1e-3`, `007`). `crate::yaml` makes it
//! from text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a text: line and column from 1, columns counted in characters.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Pos {
    pub line: u32,
    pub column: u32,
}

/// A place a person can look at for a text that cannot be read, and a word on why.
/// `at`: where the reader gave up, which may be behind the last text; `open`: where
/// the collections begin that it had not seen the end of, outermost first.
pub fn fault(text: &str, at: Pos, open: &[Pos]) -> (Pos, Option<String>) {
    let bracket = |place: &Pos| {
        let line = text.lines().nth(place.line.checked_sub(1)? as usize)?;
        let c = line.chars().nth(place.column.checked_sub(1)? as usize)?;
        matches!(c, '[' | '{').then_some((*place, c))
    };
    let open = open.iter().rev().find_map(bracket).filter(|(place, _)| place.line < at.line);
    let why = open.map(|(place, c)| format!("the `{c}` of line {} is not closed", place.line));
    let full = |(_, line): &(usize, &str)| !line.trim().is_empty();
    let last = text.lines().enumerate().filter(full).last();
    let (line, column) =
        last.map_or((1, 1), |(n, line)| (n as u32 + 1, line.chars().count() as u32));
    let place = match open {
        _ if at.line <= line => at,
        Some((place, _)) => place,
        None => Pos { line, column },
    };
    (place, why)
}

/// From the first character to just behind the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: Pos,
    pub end: Pos,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub span: Span,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Scalar(Scalar),
    Seq(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map with its value. Duplicate keys are kept; the reader reports them.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

/// A scalar as written. `plain` scalars may be numbers, booleans or null by the
/// YAML 1.2 core schema; quoted and block scalars are always strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    pub text: String,
    pub plain: bool,
}

impl Scalar {
    pub fn is_null(&self) -> bool {
        self.plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.text.as_str() {
            "true" | "True" | "TRUE" if self.plain => Some(true),
            "false" | "False" | "FALSE" if self.plain => Some(false),
            _ => None,
        }
    }

    /// The value as a number, when it is written as one.
    pub fn as_number(&self) -> Option<f64> {
        let text = self.text.as_str();
        let numeric = self.plain
            && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
            && text.bytes().any(|b| b.is_ascii_digit());
        numeric.then(|| text.parse().ok()).flatten()
    }
}

impl Node {
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_null)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|e| e.key == key).map(|e| &e.value),
            _ => None,
        }
    }

    /// What kind of value it is, with an article, for messages.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Seq(_) => "a list",
            Value::Map(_) => "a map",
            Value::Scalar(s) if s.is_null() => "nothing",
            Value::Scalar(s) if s.as_bool().is_some() => "true or false",
            Value::Scalar(s) if s.as_number().is_some() => "a number",
            Value::Scalar(_) => "text",
        }
    }
}

/// A path into a document, as people write it: `jobs[3].gpus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FieldPath(pub Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    Index(usize),
    Key(String),
}

impl FieldPath {
    pub fn root() -> Self {
        Self::default()
    }
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(n) => write!(f, "[{n}]")?,
                Step::Key(key) if i == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
            }
        }
        Ok(())
    }
}

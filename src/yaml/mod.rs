//! Text to [`crate::domain::tree`]: YAML and JSON with places, bounded against
//! hostile input.
//!
//! JSON is read by a reader of its own first: it is YAML too, but with escapes
//! (`\ud83d\ude00`) and tabs that YAML readers stumble over. Everything else goes
//! through YAML events, so that a value keeps the text it was written with.
//!
//! ```text
//! path ─read_source▶ bytes ─parse▶ Node ─▶ batch, configuration
//!                                   └──emit▶ text
//! ```

use crate::domain::{
    finding::Finding,
    plan::Plan,
    planner::{self, PlanContext},
    tree::{FieldPath, Node, Pos, Span},
};

mod build;
mod emit;
mod json;
mod source;
#[cfg(test)]
mod tests;

pub use emit::{emit, node_of_json};
pub use source::{Source, SourceError, read_file, read_source};

/// Texts above this many bytes are refused.
pub const MAX_BYTES: usize = 64 << 20;
/// Values nested deeper than this are refused.
pub const MAX_DEPTH: usize = 128;
/// Documents of more values than this are refused.
const MAX_NODES: usize = 8_000_000;
/// Aliases may copy this many values and bytes of text in all.
const MAX_COPIES: usize = 4_000_000;

/// Why a text could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlError {
    /// A lower-case fragment.
    pub message: String,
    pub hint: Option<String>,
    pub pos: Option<Pos>,
}

impl YamlError {
    fn new(pos: Pos, message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, pos: Some(pos) }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As a finding of the whole document.
    pub fn finding(&self) -> Finding {
        let mut finding = Finding::error(FieldPath::root(), self.message.clone());
        finding.hint.clone_from(&self.hint);
        finding.span = self.pos.map(|pos| Span { start: pos, end: pos });
        finding
    }
}

/// Reads one document, YAML or JSON. An empty text is a null.
///
/// # Errors
/// The first thing that makes it unreadable, with its place.
pub fn parse(bytes: &[u8]) -> Result<Node, YamlError> {
    let text = decode(bytes)?;
    if text.trim_start().starts_with(['{', '[']) {
        match json::parse(text) {
            Ok(node) => return Ok(node),
            // Too large or too deep for one is so for the other.
            Err(e) if e.is_bound => return Err(e.error),
            Err(_) => {}
        }
    }
    build::parse(text)
}

/// Plans a text: [`parse`] and [`planner::make`]. A text that cannot be read
/// gives a plan too, with that one finding.
pub fn plan(
    bytes: &[u8],
    name: &str,
    base_dir: Option<&std::path::Path>,
    cx: &PlanContext,
) -> Plan {
    match parse(bytes) {
        Ok(node) => planner::make(name, base_dir, &node, cx),
        Err(e) => Plan::unreadable(name, e.finding()),
    }
}

/// The bytes as text that YAML may hold.
fn decode(bytes: &[u8]) -> Result<&str, YamlError> {
    if bytes.len() > MAX_BYTES {
        return Err(too_large(bytes.len() as u64, MAX_BYTES));
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(YamlError::new(Pos { line: 1, column: 1 }, "the text is UTF-16")
            .hint("save it as UTF-8"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let pos = std::str::from_utf8(good).map_or(Pos::default(), end_of);
        let byte = bytes.get(e.valid_up_to()).copied().unwrap_or_default();
        let at = e.valid_up_to();
        YamlError::new(pos, format!("the text is not UTF-8: byte {byte:#04x} at offset {at}"))
            .hint("save it as UTF-8")
    })?;
    let forbidden = |b: u8| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r');
    if let Some(at) = bytes.iter().position(|b| forbidden(*b)) {
        let byte = bytes.get(at).copied().unwrap_or_default();
        let (what, hint) = match byte {
            0 => ("a NUL byte", "remove it".to_owned()),
            _ => (
                "a control character",
                format!("remove it, or write \"\\x{byte:02x}\" in double quotes"),
            ),
        };
        let pos = end_of(text.get(..at).unwrap_or_default());
        return Err(YamlError::new(pos, format!("{what} (U+{byte:04X}) is not text")).hint(hint));
    }
    Ok(text)
}

fn too_large(bytes: u64, most: usize) -> YamlError {
    let size = bytes.div_ceil(1 << 20);
    YamlError {
        message: format!("the text is too large: {size} MiB, at most {} MiB", most >> 20),
        hint: Some("write a sweep instead of one entry per job".into()),
        pos: None,
    }
}

fn too_deep(pos: Pos) -> YamlError {
    YamlError::new(pos, format!("values are nested more than {MAX_DEPTH} deep"))
}

fn too_many(pos: Pos) -> YamlError {
    YamlError::new(pos, format!("the text holds more than {MAX_NODES} values"))
}

/// The place just behind a text.
fn end_of(text: &str) -> Pos {
    let line = text.bytes().filter(|b| *b == b'\n').count();
    let last = text.rsplit('\n').next().unwrap_or_default();
    Pos { line: line as u32 + 1, column: last.chars().count() as u32 + 1 }
}

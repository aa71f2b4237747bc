//! Placeholders: `{lr}` in the fields of a job.
//!
//! ```text
//! text ─tokens▶ [text │ placeholder] ─for a shell: contexts▶ Template ─render▶ text
//! ```
//! `{identifier}` and `{identifier!raw}` are placeholders; `${…}`, `{not one}` and
//! `{{ }}` (which writes a brace) are not. `{run}` and `{attempt}` are not known
//! before a job is sent: they stay in the text ([`super::send`] fills them in).

use super::{
    send::marks,
    shell::{Context, HereDoc, Lexer},
};

/// How a value is put into a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As it is.
    Plain,
    /// Into text for a shell: it arrives as literal text, whatever it holds.
    Shell,
}

/// Which placeholders a text may hold.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Parameters of the sweep.
    pub params: &'a [std::sync::Arc<str>],
    /// The entry has a sweep: other words in braces are faults, and doubled braces
    /// write single ones. Else both are literal.
    pub strict: bool,
    /// `{name}` has a value here.
    pub name: bool,
    /// `{run}` and `{attempt}` may stand here.
    pub holes: bool,
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Param(usize),
    Name,
    /// Kept as written until the job is sent.
    Hole(&'static str),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Value { source: Source, context: Context },
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such parameter.
    Unknown(String),
    /// `{run}` or `{attempt}` where it cannot be filled in.
    NotHere(String),
    /// It stands where no quoting keeps a value literal.
    Unquotable(String, &'static str),
    /// A parameter without a value in this job.
    NoValue(usize),
    /// `{run}` stands there literally beside one that is to be filled in.
    Ambiguous,
}

/// A text with its placeholders found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    holes: usize,
    /// Here-documents in which values stand, and how many lines end each.
    heres: Vec<(HereDoc, usize)>,
}

/// The values of one job.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// By index of the parameter; `None`: it has none in this job.
    pub params: &'a [Option<&'a str>],
    pub name: &'a str,
}

impl Template {
    /// Finds the placeholders of a text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(text: &str, mode: Mode, scope: Scope) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut lexer = Lexer::default();
        let mut parts: Vec<Part> = Vec::new();
        let mut holes = 0;
        let mut tokens = tokens(text, scope.strict).into_iter().peekable();
        while let Some(token) = tokens.next() {
            let (name, raw) = match token {
                Token::Text(text) => {
                    if mode == Mode::Shell {
                        lexer.text(&text);
                    }
                    push_text(&mut parts, &text);
                    continue;
                }
                Token::Placeholder { name, raw } => (name, raw),
            };
            let source = match resolve(&name, scope) {
                Ok(source) => source,
                Err(None) => {
                    // Not a placeholder in this place: it stays as it is written.
                    let text = if raw { format!("{{{name}!raw}}") } else { format!("{{{name}}}") };
                    if mode == Mode::Shell {
                        lexer.text(&text);
                    }
                    push_text(&mut parts, &text);
                    continue;
                }
                Err(Some(fault)) => {
                    faults.push(fault);
                    continue;
                }
            };
            let mut context = Context::Raw;
            if mode == Mode::Shell {
                if let Some(Part::Text(last)) = parts.last_mut() {
                    lexer.before_value(last);
                }
                let next = match tokens.peek() {
                    Some(Token::Text(text)) => text.chars().next(),
                    _ => None,
                };
                match lexer.value(next) {
                    Ok(_) if raw => {}
                    Ok(found) => context = found,
                    Err(_) if raw || matches!(source, Source::Hole(_)) => {}
                    Err(place) => faults.push(Fault::Unquotable(name, place)),
                }
            }
            if let Source::Hole(word) = source {
                // Run ids and attempts need no quoting anywhere.
                holes += 1;
                push_text(&mut parts, word);
            } else {
                parts.push(Part::Value { source, context });
            }
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let heres = here_documents(&parts);
        Ok(Self { parts, holes, heres })
    }

    /// The text, when it is the same for all jobs.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// How often `{run}` and `{attempt}` stand in it, to be filled in.
    pub fn holes(&self) -> usize {
        self.holes
    }

    /// The parameters it uses, by index.
    pub fn params(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().filter_map(|part| match part {
            Part::Value { source: Source::Param(ix), .. } => Some(*ix),
            _ => None,
        })
    }

    /// Puts the values of a job in.
    ///
    /// # Errors
    /// A parameter without a value, or a value no quoting can hold here.
    pub fn render(&self, values: Values) -> Result<String, Fault> {
        let mut out = String::with_capacity(64);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value { source, context } => {
                    let value = match source {
                        Source::Param(ix) => {
                            values.params.get(*ix).copied().flatten().ok_or(Fault::NoValue(*ix))?
                        }
                        Source::Name | Source::Hole(_) => values.name,
                    };
                    context.insert(&mut out, value).map_err(|place| {
                        Fault::Unquotable(value.chars().take(40).collect(), place)
                    })?;
                }
            }
        }
        if self.holes > 0 && self.holes != marks(&out) {
            return Err(Fault::Ambiguous);
        }
        if let Some((here, _)) =
            self.heres.iter().find(|(here, lines)| here.ends_in(&out) != *lines)
        {
            let value = format!("a line {here}");
            return Err(Fault::Unquotable(value, "a here-document, which it would end"));
        }
        Ok(out)
    }
}

/// The here-documents in which values stand, each with the lines of the literal
/// text that end it.
fn here_documents(parts: &[Part]) -> Vec<(HereDoc, usize)> {
    let mut found: Vec<(HereDoc, usize)> = Vec::new();
    for part in parts {
        if let Part::Value { context: Context::Here(here), .. } = part
            && !found.iter().any(|(known, _)| known == here)
        {
            found.push((here.clone(), 0));
        }
    }
    if !found.is_empty() {
        // A value that no end mark can be taken for.
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Value { .. } => "\0".to_owned(),
        };
        let literal: String = parts.iter().map(text).collect();
        for (here, lines) in &mut found {
            *lines = here.ends_in(&literal);
        }
    }
    found
}

fn push_text(parts: &mut Vec<Part>, text: &str) {
    if let Some(Part::Text(last)) = parts.last_mut() {
        last.push_str(text);
    } else if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
}

/// What a name stands for; `Err(None)`: nothing, it is literal text here.
fn resolve(name: &str, scope: Scope) -> Result<Source, Option<Fault>> {
    if let Some(ix) = scope.params.iter().position(|p| &**p == name) {
        return Ok(Source::Param(ix));
    }
    let literal_otherwise = |fault| if scope.strict { Some(fault) } else { None };
    match name {
        "name" if scope.name => Ok(Source::Name),
        "run" if scope.holes => Ok(Source::Hole("{run}")),
        "attempt" if scope.holes => Ok(Source::Hole("{attempt}")),
        "name" | "run" | "attempt" => Err(literal_otherwise(Fault::NotHere(name.to_owned()))),
        _ => Err(literal_otherwise(Fault::Unknown(name.to_owned()))),
    }
}

/// A text as an entry with a sweep must write it for its braces to be literal.
/// `holes`: `{run}` and `{attempt}` in it are to be filled in and stay.
pub fn literal(text: &str, holes: bool) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut open = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '$']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let hole = ["{run}", "{attempt}"].into_iter().find(|hole| holes && from.starts_with(hole));
        let taken = if let Some(hole) = hole {
            out.push_str(hole);
            hole.len()
        } else if from.starts_with("$$") {
            out.push_str("$$");
            2
        } else if from.starts_with("${") {
            let n = closing(from).unwrap_or(2);
            out.push_str(from.get(..n).unwrap_or_default());
            n
        } else {
            let brace = from.get(..1).unwrap_or_default();
            let doubled = brace == "{" || brace == "}" && open > 0;
            match brace {
                "{" => open += 1,
                "}" => open = open.saturating_sub(1),
                _ => {}
            }
            out.push_str(brace);
            out.push_str(if doubled { brace } else { "" });
            1
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// The name of the placeholder that a whole text is, if it is exactly one.
pub fn exact(text: &str) -> Option<&str> {
    let name = text.strip_prefix('{')?.strip_suffix('}')?;
    is_identifier(name).then_some(name)
}

/// `[A-Za-z_][A-Za-z0-9_]*`
pub fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Placeholder { name: String, raw: bool },
}

/// Cuts a text at its placeholders. With `escapes`, `{{` and the `}}` that closes
/// it write single braces; else they stay as they are.
fn tokens(text: &str, escapes: bool) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut plain = String::new();
    let mut open = 0_usize;
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}', '$']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let taken = if from.starts_with("$$") {
            plain.push_str("$$");
            2
        } else if from.starts_with("${") {
            let n = closing(from).unwrap_or(2);
            plain.push_str(from.get(..n).unwrap_or_default());
            n
        } else if from.starts_with("{{") {
            plain.push_str(if escapes { "{" } else { "{{" });
            open += 1;
            2
        } else if from.starts_with("}}") && open > 0 {
            plain.push_str(if escapes { "}" } else { "}}" });
            open -= 1;
            2
        } else if let Some((name, raw, n)) = placeholder(from) {
            if !plain.is_empty() {
                tokens.push(Token::Text(std::mem::take(&mut plain)));
            }
            tokens.push(Token::Placeholder { name: name.to_owned(), raw });
            n
        } else {
            plain.push_str(from.get(..1).unwrap_or_default());
            1
        };
        rest = from.get(taken..).unwrap_or_default();
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        tokens.push(Token::Text(plain));
    }
    tokens
}

/// Length of the `${…}` a text begins with, inner braces counted.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(at + 1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The placeholder a text begins with: its name, whether raw, and its length.
fn placeholder(text: &str) -> Option<(&str, bool, usize)> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find('}')?;
    let word = inner.get(..end)?;
    let (name, raw) = match word.strip_suffix("!raw") {
        Some(name) => (name, true),
        None => (word, false),
    };
    is_identifier(name).then_some((name, raw, end + 2))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn params() -> Vec<Arc<str>> {
        vec!["lr".into(), "seed".into()]
    }

    fn render(text: &str, mode: Mode, lr: &str) -> String {
        let params = params();
        let scope = Scope { params: &params, strict: true, name: true, holes: true };
        let template = Template::new(text, mode, scope).unwrap();
        template.render(Values { params: &[Some(lr), Some("3")], name: "job 1" }).unwrap()
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        for (text, expected) in [
            ("--lr {lr} --seed {seed}", "--lr 1e-3 --seed 3"),
            ("{lr}{seed}", "1e-33"),
            ("${lr} {not one} {} {1} {lr!x}", "${lr} {not one} {} {1} {lr!x}"),
            ("${A:-{lr}} $${lr}", "${A:-{lr}} $$1e-3"),
            ("{{lr}} {lr}", "{lr} 1e-3"),
            ("{{{lr}}}", "{1e-3}"),
            (r#"{"a": {"b": {lr}}}"#, r#"{"a": {"b": 1e-3}}"#),
            (r#"{{"a": {{"b": {lr}}}}}"#, r#"{"a": {"b": 1e-3}}"#),
            ("{name}-{run}-{attempt}", "job 1-{run}-{attempt}"),
            ("{lr!raw}", "1e-3"),
            ("} {", "} {"),
        ] {
            assert_eq!(render(text, Mode::Plain, "1e-3"), expected, "{text}");
        }
    }

    #[test]
    fn without_a_sweep_braces_are_literal() {
        let scope = Scope { params: &[], strict: false, name: true, holes: true };
        let values = Values { params: &[], name: "it's" };
        for (text, expected) in [
            ("awk '{print}' {x} {{y}} {{name}}", "awk '{print}' {x} {{y}} {{name}}"),
            ("echo {name} > {run}.{attempt}", r"echo 'it'\''s' > {run}.{attempt}"),
        ] {
            let template = Template::new(text, Mode::Shell, scope).unwrap();
            assert_eq!(template.render(values).unwrap(), expected);
        }
    }

    #[test]
    fn faults_are_told() {
        let params = params();
        let scope = Scope { params: &params, strict: true, name: false, holes: false };
        let faults = Template::new("{lrr} {name} {run} {lr}", Mode::Plain, scope).unwrap_err();
        assert_eq!(
            faults,
            [
                Fault::Unknown("lrr".into()),
                Fault::NotHere("name".into()),
                Fault::NotHere("run".into())
            ]
        );
        let scope = Scope { params: &params, strict: true, name: true, holes: true };
        let template = Template::new("{lr} {seed}", Mode::Plain, scope).unwrap();
        let values = Values { params: &[Some("1"), None], name: "" };
        assert_eq!(template.render(values), Err(Fault::NoValue(1)));
        // A literal `{run}` cannot be told from one that is filled in later.
        let template = Template::new("{run} {{run}}", Mode::Plain, scope).unwrap();
        assert_eq!(template.render(values), Err(Fault::Ambiguous));
        let template = Template::new("{{run}}", Mode::Plain, scope).unwrap();
        assert_eq!(template.render(values).unwrap(), "{run}");
    }

    proptest::proptest! {
        #[test]
        fn a_literal_text_stands_for_itself(text in r"([{}$ a]|\{run\}|\{name\}|\$\{a\}|\{\{x\}\}){0,12}") {
            let params = params();
            let scope = Scope { params: &params, strict: true, name: true, holes: true };
            let template = Template::new(&literal(&text, false), Mode::Plain, scope).unwrap();
            let values = Values { params: &[], name: "other" };
            proptest::prop_assert_eq!(template.render(values).unwrap(), text);
        }
    }

    #[test]
    fn holes_in_a_literal_text_stay() {
        assert_eq!(literal("{name} {run} {x}", true), "{{name}} {run} {{x}}");
    }

    #[test]
    fn an_exact_placeholder_is_recognised() {
        assert_eq!(exact("{g}"), Some("g"));
        for text in ["{g} ", "x{g}", "{g!raw}", "{}", "{1}", "g"] {
            assert_eq!(exact(text), None, "{text}");
        }
    }
}

//! Retry with changes: a line of `field=value`, with suggestions by what went
//! wrong.

use std::{collections::BTreeSet, sync::Arc};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::{
    app::{line::Line, msg::CodeSince},
    domain::{
        fields::{FieldKind, job_field},
        ids::JobIx,
        job::JobSpec,
        nearest::nearest,
        resources::{Gpus, Memory, TimeLimit},
        run::{Run, RunJob},
        status::Cause,
    },
};

/// A change worth trying, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// Of the jobs it is for.
    pub cause: Cause,
    pub change: String,
    pub why: String,
}

/// The open form.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryForm {
    pub jobs: Vec<JobIx>,
    pub line: Line,
    pub current_code: bool,
    /// Some of the jobs bring code from a folder.
    pub has_code: bool,
    pub suggestions: Vec<Suggestion>,
    /// What was found of that code, in sentences.
    pub since: Vec<String>,
    /// What the jobs have now in the fields that are changed most.
    pub now: String,
    /// Why the line cannot be used, once Enter was pressed.
    pub error: Option<String>,
}

/// What a key made of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Open,
    Close,
    Ask(Vec<(String, String)>),
}

impl RetryForm {
    pub fn new(run: &Run, jobs: Vec<JobIx>) -> Self {
        let has_code = jobs.iter().any(|ix| run.job(*ix).is_some_and(|j| j.spec.src_dir.is_some()));
        Self {
            suggestions: suggestions(run, &jobs),
            now: values_now(run, &jobs),
            jobs,
            line: Line::default(),
            current_code: false,
            has_code,
            since: Vec::new(),
            error: None,
        }
    }

    pub fn on_key(&mut self, key: KeyEvent) -> Answer {
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Answer::Close,
            KeyCode::Enter => match read(self.line.text()) {
                Ok(changes) => return Answer::Ask(changes),
                Err(why) => self.error = Some(why),
            },
            KeyCode::Tab => self.take_suggestion(),
            KeyCode::Char('o') if ctrl && self.has_code => self.current_code = !self.current_code,
            _ => {
                if self.line.on_key(key) {
                    self.error = None;
                }
            }
        }
        Answer::Open
    }

    /// Adds the next suggestion that the line does not have yet.
    fn take_suggestion(&mut self) {
        let text = self.line.text().trim_end().to_owned();
        let field = |change: &str| change.split('=').next().unwrap_or("").to_owned();
        let next = self.suggestions.iter().find(|s| {
            let wanted = format!("{}=", field(&s.change));
            !text.split_whitespace().any(|word| word.starts_with(&wanted))
        });
        if let Some(next) = next {
            let gap = if text.is_empty() { "" } else { " " };
            self.line.set(format!("{text}{gap}{}", next.change));
            self.error = None;
        }
    }
}

/// The folders that jobs bring code from, each once.
pub fn folders(run: &Run, jobs: &[JobIx]) -> Vec<Arc<str>> {
    let of = |ix: &JobIx| run.job(*ix)?.spec_now().src_dir.clone();
    jobs.iter().filter_map(of).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What was found of folders of code, a sentence each.
pub fn since_words(since: &[(Arc<str>, CodeSince)]) -> Vec<String> {
    let words = |(top, since): &(Arc<str>, CodeSince)| match since {
        CodeSince::Changed => format!("{top} has changed since"),
        CodeSince::Unreadable => format!("{top} cannot be read any more"),
    };
    since.iter().map(words).collect()
}

/// `memory 16G · time_limit 4:00:00 · gpus 1`; a field in which the jobs differ is
/// `mixed`.
fn values_now(run: &Run, jobs: &[JobIx]) -> String {
    let specs = || jobs.iter().filter_map(|ix| run.job(*ix)).map(RunJob::spec_now);
    let now = |field: &str, of: &dyn Fn(&JobSpec) -> Option<String>| {
        let first = specs().next().and_then(|spec| of(spec));
        let alike = specs().all(|spec| of(spec) == first);
        let value = if alike { first.unwrap_or_else(|| "not set".into()) } else { "mixed".into() };
        format!("{field} {value}")
    };
    let values = [
        now("memory", &|spec| spec.memory.map(|memory| memory.to_string())),
        now("time_limit", &|spec| spec.time_limit.map(|limit| limit.to_string())),
        now("gpus", &|spec| Some(spec.gpus.to_string())),
    ];
    values.join(" · ")
}

/// More memory for what ran out of it, more time for what ran into its limit. The
/// largest present value counts, doubled.
pub fn suggestions(run: &Run, jobs: &[JobIx]) -> Vec<Suggestion> {
    let of = |cause: Cause| {
        jobs.iter()
            .filter_map(|ix| run.job(*ix))
            .filter(move |job| job.cause == Some(cause))
            .map(RunJob::spec_now)
    };
    let mut out = Vec::new();
    if of(Cause::Oom).next().is_some() {
        let (change, why) = match of(Cause::Oom).filter_map(|spec| spec.memory).max() {
            Some(memory) => {
                let twice = Memory::from_bytes(memory.bytes().saturating_mul(2));
                (format!("memory={twice}"), format!("out of memory at {memory}"))
            }
            None => ("memory=32G".into(), "out of memory, none was asked for".into()),
        };
        out.push(Suggestion { cause: Cause::Oom, change, why });
    }
    if let Some(limit) = of(Cause::Timeout).filter_map(|spec| spec.time_limit).max() {
        let twice = TimeLimit::from_secs(limit.secs().saturating_mul(2));
        out.push(Suggestion {
            cause: Cause::Timeout,
            change: format!("time_limit={twice}"),
            why: format!("ran into its limit of {limit}"),
        });
    }
    out
}

/// Reads `memory=32G env.SEED=7 command="python x.py"`; quotes hold spaces
/// together, an empty value takes the field away. One change alone needs no quotes:
/// its value is the rest of the line.
pub fn read(text: &str) -> Result<Vec<(String, String)>, String> {
    if let Some((field, value)) = only_change(text.trim()) {
        check(field, value)?;
        return Ok(vec![(field.to_owned(), value.to_owned())]);
    }
    let mut changes: Vec<(String, String)> = Vec::new();
    for word in words(text)? {
        let Some((field, value)) = word.split_once('=') else {
            return Err(match changes.last() {
                Some((field, value)) => format!(
                    "a value with blanks stands in quotes, as in {field}=\"{value} {word} …\""
                ),
                None => format!("`{word}` is not a change; write `field=value`"),
            });
        };
        check(field, value)?;
        changes.push((field.to_owned(), value.to_owned()));
    }
    Ok(changes)
}

/// Field and value of a line that holds one change, not in quotes.
fn only_change(text: &str) -> Option<(&str, &str)> {
    let is_change = |word: &str| {
        let field = word.split_once('=').map_or("", |(field, _)| field);
        job_field(field.split('.').next().unwrap_or("")).is_some()
    };
    let (field, value) = text.split_once('=')?;
    let mut words = text.split_whitespace();
    let single = words.next().is_some_and(is_change) && !words.any(is_change);
    (single && !value.starts_with(['"', '\''])).then_some((field, value))
}

fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".into());
    }
    words.extend(word);
    Ok(words)
}

/// What an attempt cannot change, because the row would be another job.
const FIXED: [&str; 7] =
    ["name", "type", "sweep", "sweep_mode", "exclude", "include", "depends_on"];

fn check(field: &str, value: &str) -> Result<(), String> {
    let key = field.split('.').next().unwrap_or(field);
    let Some(spec) = job_field(key) else {
        let known = crate::domain::fields::JOB.iter().map(|f| f.key);
        return Err(match nearest(key, known) {
            Some(near) => format!("no field `{key}`; did you mean `{near}`?"),
            None => format!("no field `{key}`"),
        });
    };
    if FIXED.contains(&spec.key) {
        return Err(format!("`{key}` cannot change in a retry"));
    }
    if value.is_empty() {
        return Ok(());
    }
    let amount = match spec.kind {
        FieldKind::Gpus => value.parse::<Gpus>().map(drop),
        FieldKind::Memory => value.parse::<Memory>().map(drop),
        FieldKind::TimeLimit => value.parse::<TimeLimit>().map(drop),
        FieldKind::Whole { min, max } => {
            return match value.parse::<u64>() {
                Ok(n) if (min..=max).contains(&n) => Ok(()),
                _ => Err(format!("{key}: a whole number from {min} to {max}")),
            };
        }
        _ => return Ok(()),
    };
    amount.map_err(|why| format!("{key}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_checked() {
        assert_eq!(
            read("memory=32G env.SEED=7 command=\"python x.py --a=1\" image=").unwrap(),
            [
                ("memory".to_owned(), "32G".to_owned()),
                ("env.SEED".to_owned(), "7".to_owned()),
                ("command".to_owned(), "python x.py --a=1".to_owned()),
                ("image".to_owned(), String::new()),
            ]
        );
        assert_eq!(read("  ").unwrap(), []);
        for (text, value) in [
            ("command=echo hi", "echo hi"),
            (r#" command=echo "a b" x=1"#, r#"echo "a b" x=1"#),
            ("command=\"a b\"", "a b"),
        ] {
            assert_eq!(read(text).unwrap(), [("command".to_owned(), value.to_owned())], "{text}");
        }
        for (text, why) in [
            ("memry=32G", "did you mean `memory`"),
            ("memory=lots", "memory: "),
            ("time_limit=90", "no unit"),
            ("name=x", "cannot change"),
            ("memory", "field=value"),
            ("command=\"x", "not closed"),
            ("command=echo hi memory=1G", "in quotes, as in command=\"echo hi …\""),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

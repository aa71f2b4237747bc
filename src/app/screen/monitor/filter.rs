//! The filter of the table, as it is typed: words that must (or, with `!`, must
//! not) occur, and questions to single columns.
//!
//! ```text
//! cuda state:failed cluster:lab,ray gpus:>1 lr=1e-3 seed>4 !exit:1 "two words" ~^lr-1\d$
//! ```
//! A word is looked for in name, type, project, parameters, state, cluster,
//! reason, error, node and id, and so is a regular expression after `~`. Something
//! half typed matches as far as it goes.

use regex::{Regex, RegexBuilder};

use super::roster::Roster;
use crate::domain::{
    ids::JobIx,
    job::JobSpec,
    plan::PlannedJob,
    run::{Run, RunJob},
    status::Status,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    State,
    Cluster,
    Type,
    Project,
    Group,
    Name,
    Node,
    Cause,
    Id,
    Gpus,
    Exit,
    Try,
}

const COLUMNS: [(&str, Column); 14] = [
    ("state", Column::State),
    ("status", Column::State),
    ("cluster", Column::Cluster),
    ("type", Column::Type),
    ("project", Column::Project),
    ("group", Column::Group),
    ("name", Column::Name),
    ("node", Column::Node),
    ("cause", Column::Cause),
    ("id", Column::Id),
    ("gpus", Column::Gpus),
    ("exit", Column::Exit),
    ("try", Column::Try),
    ("attempt", Column::Try),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Compare {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// A pattern compares by its text.
#[derive(Clone, Debug)]
struct Pattern(Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Word(String),
    Matches(Pattern),
    /// Any of these beginnings.
    Begins(Column, Vec<String>),
    Number(Column, Compare, f64),
    Param(String, Compare, String),
}

/// A filter that was read; an empty one lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    terms: Vec<(bool, Test)>,
}

impl Filter {
    pub fn read(text: &str) -> Self {
        let terms = tokens(text)
            .into_iter()
            .filter_map(|(token, quoted)| {
                let (not, rest) = match token.strip_prefix('!') {
                    Some(rest) if !quoted => (true, rest),
                    _ => (false, token.as_str()),
                };
                let test =
                    if quoted { Some(Test::Word(rest.to_lowercase())) } else { read_test(rest) };
                test.map(|test| (!not, test))
            })
            .collect();
        Self { terms }
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whatever this lets through, `former` did too: one that was typed on.
    pub fn narrows(&self, former: &Self) -> bool {
        former.terms.len() <= self.terms.len()
            && former.terms.iter().zip(&self.terms).all(|(was, is)| {
                was == is
                    || matches!(
                        (was, is),
                        ((true, Test::Word(was)), (true, Test::Word(is))) if is.contains(was)
                    )
            })
    }

    pub fn lets_through(&self, run: &Run, ix: JobIx, roster: &Roster) -> bool {
        let Some(job) = run.job(ix) else { return false };
        self.terms.iter().all(|(wanted, test)| test.holds(job, ix, roster) == *wanted)
    }
}

impl Filter {
    /// The same for a job of a plan, which has no state yet: `text` is what is shown
    /// of it, in lower case.
    pub fn lets_through_planned(&self, job: &PlannedJob, text: &str) -> bool {
        self.terms.iter().all(|(wanted, test)| test.holds_planned(job, text) == *wanted)
    }
}

/// Tokens at spaces; `"…"` holds spaces together and makes a plain word.
fn tokens(text: &str) -> Vec<(String, bool)> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('"') {
            let (word, after) = inner.split_once('"').unwrap_or((inner, ""));
            if !word.is_empty() {
                tokens.push((word.to_owned(), true));
            }
            rest = after.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push((word.to_owned(), false));
            rest = after.trim_start();
        }
    }
    tokens
}

fn read_test(token: &str) -> Option<Test> {
    if token.is_empty() {
        return None;
    }
    if let Some(pattern) = token.strip_prefix('~') {
        // Half typed it is no pattern yet, and lets everything through.
        let built = RegexBuilder::new(pattern).case_insensitive(true).multi_line(true).build();
        return built.ok().map(|regex| Test::Matches(Pattern(regex)));
    }
    if let Some((name, value)) = token.split_once(':')
        && let Some(column) = column(name)
    {
        let (compare, value) = comparison(value).unwrap_or((Compare::Equal, value));
        return about(column, compare, value);
    }
    if let Some(at) = token.find(['=', '<', '>', '!'])
        && at > 0
        && let (name, rest) = token.split_at(at)
        && let Some((compare, value)) = comparison(rest)
    {
        return match column(name) {
            Some(column) => about(column, compare, value),
            None if value.is_empty() => None,
            None => Some(Test::Param(name.to_owned(), compare, value.to_owned())),
        };
    }
    Some(Test::Word(token.to_lowercase()))
}

fn column(name: &str) -> Option<Column> {
    COLUMNS.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, column)| *column)
}

fn comparison(text: &str) -> Option<(Compare, &str)> {
    [
        (">=", Compare::AtLeast),
        ("<=", Compare::AtMost),
        ("!=", Compare::NotEqual),
        ("==", Compare::Equal),
        ("=", Compare::Equal),
        (">", Compare::More),
        ("<", Compare::Less),
    ]
    .into_iter()
    .find_map(|(sign, compare)| text.strip_prefix(sign).map(|rest| (compare, rest)))
}

fn about(column: Column, compare: Compare, value: &str) -> Option<Test> {
    if value.is_empty() {
        return None;
    }
    if matches!(column, Column::Gpus | Column::Exit | Column::Try) {
        return value.parse().ok().map(|n| Test::Number(column, compare, n));
    }
    let choices =
        value.split(',').filter(|v| !v.is_empty()).map(str::to_lowercase).collect::<Vec<_>>();
    (!choices.is_empty()).then_some(Test::Begins(column, choices))
}

impl Test {
    fn holds(&self, job: &RunJob, ix: JobIx, roster: &Roster) -> bool {
        match self {
            Self::Word(word) => {
                roster.text(ix).contains(word.as_str())
                    || says(job).any(|text| contains(text, word))
            }
            Self::Matches(Pattern(regex)) => {
                regex.is_match(roster.text(ix)) || says(job).any(|text| regex.is_match(text))
            }
            Self::Begins(column, choices) => {
                choices.iter().any(|choice| begins(*column, job, choice))
            }
            Self::Number(column, compare, wanted) => {
                let last = job.attempt();
                let value = match column {
                    Column::Gpus => Some(job.total_gpus.as_f64()),
                    Column::Exit => last.and_then(|a| a.exit_code).map(f64::from),
                    _ => last.map(|a| f64::from(a.number)),
                };
                value.and_then(|v| v.partial_cmp(wanted)).is_some_and(|order| compare.holds(order))
            }
            Self::Param(name, compare, wanted) => param(&job.spec, name, *compare, wanted),
        }
    }

    fn holds_planned(&self, job: &PlannedJob, text: &str) -> bool {
        match self {
            Self::Word(word) => text.contains(word.as_str()),
            Self::Matches(Pattern(regex)) => regex.is_match(text),
            Self::Begins(column, choices) => choices.iter().any(|choice| {
                let cluster = job.cluster.as_ref().map_or("auto", |id| id.as_str());
                of_spec(*column, &job.spec, Some(cluster), choice).unwrap_or(false)
            }),
            Self::Number(Column::Gpus, compare, wanted) => {
                job.total_gpus.as_f64().partial_cmp(wanted).is_some_and(|o| compare.holds(o))
            }
            Self::Number(..) => false,
            Self::Param(name, compare, wanted) => param(&job.spec, name, *compare, wanted),
        }
    }
}

fn param(spec: &JobSpec, name: &str, compare: Compare, wanted: &str) -> bool {
    let Some(value) = spec.params.get(name) else { return false };
    let order = match (value.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.partial_cmp(&b),
        _ => Some(str::cmp(value, wanted)),
    };
    order.is_some_and(|order| compare.holds(order))
}

/// What changes about a job: state, cluster and what the cluster said.
fn says(job: &RunJob) -> impl Iterator<Item = &str> {
    let last = job.attempt();
    [
        Some(job.status.label()),
        job.cause.map(crate::domain::status::Cause::label),
        job.cluster.as_ref().map(crate::domain::ids::ClusterId::as_str),
        job.reason.as_deref(),
        last.and_then(|a| a.error.as_deref()),
        last.and_then(|a| a.node.as_deref()),
        last.and_then(|a| a.remote_id.as_deref()),
    ]
    .into_iter()
    .flatten()
}

/// `needle` is in lower case already.
fn contains(text: &str, needle: &str) -> bool {
    if needle.is_ascii() {
        let needle = needle.as_bytes();
        let Some(first) = needle.first() else { return true };
        let text = text.as_bytes();
        return text.len() >= needle.len()
            && text.windows(needle.len()).any(|part| {
                part.first().is_some_and(|b| b.eq_ignore_ascii_case(first))
                    && part.eq_ignore_ascii_case(needle)
            });
    }
    text.to_lowercase().contains(needle)
}

/// Whether a text begins so, whatever its case.
fn starts(text: Option<&str>, choice: &str) -> bool {
    text.is_some_and(|text| {
        text.get(..choice.len()).is_some_and(|head| head.eq_ignore_ascii_case(choice))
            || (!choice.is_ascii() && text.to_lowercase().starts_with(choice))
    })
}

/// What a job is, whatever became of it; `None`: not a question to that.
fn of_spec(column: Column, spec: &JobSpec, cluster: Option<&str>, choice: &str) -> Option<bool> {
    Some(match column {
        Column::Cluster => starts(cluster, choice),
        Column::Type => starts(Some(spec.job_type.word()), choice),
        Column::Project => starts(spec.project.as_deref(), choice),
        Column::Group => starts(spec.group.as_deref(), choice),
        Column::Name => contains(&spec.name, choice),
        _ => return None,
    })
}

fn begins(column: Column, job: &RunJob, choice: &str) -> bool {
    let last = job.attempt();
    let starts = |text: Option<&str>| starts(text, choice);
    let cluster = job.cluster.as_ref().map(crate::domain::ids::ClusterId::as_str);
    if let Some(holds) = of_spec(column, &job.spec, cluster, choice) {
        return holds;
    }
    match column {
        Column::State => match choice {
            "done" => job.status == Status::Succeeded,
            "live" => job.status.is_live(),
            "ended" => job.status.is_ended(),
            _ => starts(Some(job.status.word())) || starts(Some(job.status.label())),
        },
        Column::Node => starts(last.and_then(|a| a.node.as_deref())),
        Column::Cause => {
            starts(job.cause.map(crate::domain::status::Cause::word))
                || starts(job.cause.map(crate::domain::status::Cause::label))
        }
        Column::Id => {
            starts(last.and_then(|a| a.remote_id.as_deref()))
                || starts(last.and_then(|a| a.remote_name.as_deref()))
        }
        _ => false,
    }
}

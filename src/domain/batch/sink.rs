//! Where findings are collected while a document is read, with their places.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use crate::domain::{
    finding::{Finding, Severity},
    tree::{FieldPath, Pos, Span, Step},
};

/// A field of the document: its path and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub path: FieldPath,
    pub span: Span,
}

impl Place {
    pub fn new(path: FieldPath, span: Span) -> Self {
        Self { path, span }
    }
    /// A field below this one.
    #[must_use]
    pub fn key(&self, key: &str, span: Span) -> Self {
        Self { path: self.path.key(key), span }
    }
    /// An item below this one.
    #[must_use]
    pub fn index(&self, index: usize, span: Span) -> Self {
        Self { path: self.path.index(index), span }
    }
}

/// Collects findings; while one entry is read they are marked with it.
#[derive(Debug, Default)]
pub struct Sink {
    findings: Vec<Finding>,
    /// Entry and name of the job or group that is being looked at.
    entry: Option<(usize, Option<String>)>,
    /// There is more than one entry.
    several: bool,
    /// What was already told of an entry: a fault of the entry is one finding.
    told: HashSet<(usize, String, Severity)>,
}

impl Sink {
    /// Findings from now on are of this entry.
    pub fn enter(&mut self, entry: usize, name: Option<&str>) {
        self.several |= entry > 0;
        self.entry = Some((entry, name.map(str::to_owned)));
    }

    /// Findings from now on are of the whole batch.
    pub fn leave(&mut self) {
        self.entry = None;
    }

    pub fn error(&mut self, place: &Place, message: impl Into<String>) -> Told<'_> {
        self.add(place, Finding::error(place.path.clone(), message))
    }

    pub fn warning(&mut self, place: &Place, message: impl Into<String>) -> Told<'_> {
        self.add(place, Finding::warning(place.path.clone(), message))
    }

    /// As [`Sink::error`], but once per field of an entry, however many of its jobs
    /// have the fault.
    pub fn error_once(&mut self, place: &Place, message: impl FnOnce() -> String) -> Told<'_> {
        if self.is_news(place, Severity::Error) { self.error(place, message()) } else { Told(None) }
    }

    /// As [`Sink::warning`], but once per field of an entry.
    pub fn warning_once(&mut self, place: &Place, message: impl FnOnce() -> String) -> Told<'_> {
        if self.is_news(place, Severity::Warning) {
            self.warning(place, message())
        } else {
            Told(None)
        }
    }

    fn is_news(&mut self, place: &Place, severity: Severity) -> bool {
        let entry = self.entry.as_ref().map_or(usize::MAX, |(entry, _)| *entry);
        self.told.insert((entry, place.path.to_string(), severity))
    }

    fn add(&mut self, place: &Place, mut finding: Finding) -> Told<'_> {
        if let Some((entry, name)) = &self.entry {
            finding = finding.of_job(*entry, name.as_deref());
        }
        // A tree that was not read from a text has no places.
        if place.span.start != Pos::default() {
            finding = finding.at(place.span);
        }
        self.findings.push(finding);
        Told(self.findings.last_mut())
    }

    /// All findings in the order of the document.
    pub fn finish(mut self) -> Vec<Finding> {
        self.findings = of_defaults(self.findings, self.several);
        let last = Pos { line: u32::MAX, column: u32::MAX };
        self.findings.sort_by_key(|f| {
            (f.span.map_or(last, |s| s.start), f.entry.unwrap_or(usize::MAX), f.severity)
        });
        self.findings
    }
}

/// A fault of the defaults that several jobs take over is told once, as nobody's; one
/// that only one of them has names it.
fn of_defaults(findings: Vec<Finding>, several: bool) -> Vec<Finding> {
    let mut told: HashMap<(String, String, Option<String>), usize> = HashMap::new();
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        if !is_of_defaults(&finding) {
            kept.push(finding);
            continue;
        }
        let fault = (finding.path.to_string(), finding.message.clone(), finding.hint.clone());
        match told.entry(fault) {
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push(finding);
            }
            Entry::Occupied(first) => {
                if let Some(first) = kept.get_mut(*first.get())
                    && first.entry != finding.entry
                {
                    (first.entry, first.job) = (None, None);
                }
            }
        }
    }
    for finding in kept.iter_mut().filter(|finding| is_of_defaults(finding)) {
        // A name of blanks names nothing.
        match finding.job.take().filter(|job| several && !job.trim().is_empty()) {
            Some(job) => {
                finding.message = format!("{}: {}", job.trim(), finding.message);
                finding.job = Some(job);
            }
            None => finding.entry = None,
        }
    }
    kept
}

fn is_of_defaults(finding: &Finding) -> bool {
    matches!(finding.path.0.first(), Some(Step::Key(key)) if key == "defaults")
}

/// A finding just told, to which a hint may be added.
#[derive(Debug)]
pub struct Told<'a>(Option<&'a mut Finding>);

impl Told<'_> {
    pub fn hint(self, hint: impl Into<String>) {
        if let Some(finding) = self.0 {
            finding.hint = Some(hint.into());
        }
    }

    /// Adds «did you mean», where a near word was found.
    pub fn did_you_mean(self, word: Option<&str>) {
        if let Some(word) = word {
            self.hint(format!("did you mean `{word}`?"));
        }
    }

    /// Adds «did you mean», else this hint.
    pub fn did_you_mean_or(self, word: Option<&str>, otherwise: &str) {
        match word {
            Some(word) => self.hint(format!("did you mean `{word}`?")),
            None => self.hint(otherwise),
        }
    }
}

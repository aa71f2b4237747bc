//! Jobs that ended badly, gathered by what went wrong: the cause, the exit code
//! and the last line of the error with its numbers taken out, so that «tried to
//! allocate 512 MiB» and «tried to allocate 20 MiB» are one thing.

use std::sync::Arc;

use indexmap::IndexSet;

use crate::domain::{
    run::RunJob,
    status::{Cause, Status},
};

/// What jobs of one row have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Trouble {
    pub status: Status,
    pub cause: Option<Cause>,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    /// Last line of the error, numbers as `…`; empty when nothing was said.
    words: Arc<str>,
}

/// Numbers troubles in the order in which they were first seen; a number is never
/// given to another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    known: IndexSet<Trouble>,
    /// What was said of each, numbers and all; `None` when not all said the same.
    said: Vec<Option<Arc<str>>>,
    /// Jobs of each.
    counts: Vec<u32>,
}

impl Troubles {
    /// The number of the job's trouble; `None` when all is well so far.
    pub fn of(&mut self, job: &RunJob) -> Option<u32> {
        if !job.status.is_ended() || job.status == Status::Succeeded {
            return None;
        }
        let last = job.attempt();
        let said = last.and_then(|a| a.error.as_deref()).or(job.reason.as_deref());
        let said = last_line(said.unwrap_or(""));
        let trouble = Trouble {
            status: job.status,
            cause: job.cause,
            exit_code: last.and_then(|a| a.exit_code),
            signal: last.and_then(|a| a.signal),
            words: normal(said).into(),
        };
        let (at, new) = self.known.insert_full(trouble);
        if new {
            self.counts.push(0);
            self.said.push(Some(shortened(said).into()));
        } else if let Some(words) = self.said.get_mut(at)
            && words.as_deref().is_some_and(|words| words != shortened(said))
        {
            *words = None;
        }
        u32::try_from(at).ok()
    }

    /// What the jobs of one trouble said last: word by word when all said the same,
    /// else with their numbers as `…`. Empty when nothing was said.
    pub fn words(&self, id: u32) -> &str {
        let said = self.said.get(id as usize).and_then(Option::as_deref);
        said.or_else(|| self.get(id).map(|trouble| &*trouble.words)).unwrap_or("")
    }

    pub fn get(&self, id: u32) -> Option<&Trouble> {
        self.known.get_index(id as usize)
    }

    pub fn count(&self, id: u32) -> u32 {
        self.counts.get(id as usize).copied().unwrap_or(0)
    }

    /// How many were seen so far.
    pub fn known(&self) -> usize {
        self.known.len()
    }

    pub(super) fn add(&mut self, id: u32) {
        if let Some(count) = self.counts.get_mut(id as usize) {
            *count += 1;
        }
    }

    pub(super) fn remove(&mut self, id: u32) {
        if let Some(count) = self.counts.get_mut(id as usize) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Longest normal line, in characters.
const LONGEST: usize = 200;

/// The beginning of a long line.
fn shortened(line: &str) -> &str {
    line.char_indices().nth(LONGEST).map_or(line, |(end, _)| line.get(..end).unwrap_or(line))
}

/// A line with numbers as `…` and spaces squeezed.
fn normal(line: &str) -> String {
    let mut out = String::with_capacity(line.len().min(LONGEST));
    let mut chars = line.chars().peekable();
    let mut written = 0;
    while let Some(c) = chars.next() {
        if written >= LONGEST {
            out.push('…');
            break;
        }
        if c.is_ascii_digit() {
            let hex = c == '0' && matches!(chars.peek(), Some('x' | 'X'));
            if hex {
                chars.next();
            }
            while let Some(next) = chars.peek() {
                let goes_on = if hex {
                    next.is_ascii_hexdigit()
                } else {
                    next.is_ascii_digit() || matches!(next, '.' | ',')
                };
                if !goes_on {
                    break;
                }
                chars.next();
            }
            out.push_str(if hex { "0x…" } else { "…" });
        } else if c.is_whitespace() {
            if out.ends_with(' ') {
                continue;
            }
            out.push(' ');
        } else {
            out.push(c);
        }
        written += 1;
    }
    out
}

/// The last line of a text that is not blank.
pub fn last_line(text: &str) -> &str {
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::sample, domain::ids::JobIx};

    #[test]
    fn numbers_do_not_tell_troubles_apart() {
        assert_eq!(
            normal("CUDA out of memory. Tried 20.5 MiB at 0x7f3a"),
            "CUDA out of memory. Tried … MiB at 0x…"
        );
        assert_eq!(normal("rank 3:  failed\ton gpu07"), "rank …: failed on gpu…");
        assert_eq!(normal(""), "");
        assert!(normal(&"é".repeat(1000)).chars().count() <= LONGEST + 1);
    }

    #[test]
    fn what_all_said_alike_is_told_with_its_numbers() {
        let failed = |error: &str| RunJob {
            status: Status::Failed,
            cause: Some(Cause::Oom),
            reason: Some(error.into()),
            attempts: Vec::new(),
            ..sample::small().job(JobIx(0)).unwrap().clone()
        };
        let mut troubles = Troubles::default();
        let id = troubles.of(&failed("a\nTried 20 MiB\n")).unwrap();
        assert_eq!(troubles.of(&failed("b\nTried 20 MiB")), Some(id));
        assert_eq!(troubles.words(id), "Tried 20 MiB");
        assert_eq!(troubles.of(&failed("Tried 512 MiB")), Some(id));
        assert_eq!(troubles.words(id), "Tried … MiB");
    }
}

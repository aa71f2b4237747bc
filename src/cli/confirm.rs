//! The question before something is done: only an explicit yes counts.

use std::io::{self, BufRead, IsTerminal};

use super::out::{Out, Paint};
use crate::error::{Kind, Report};

/// What stands between a plan and its doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    Given,
    /// Nobody can be asked, or the answer was not yes.
    Withheld,
}

/// How the question is put.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// As `Submit 31 jobs (41 GPUs) to lab?`
    pub text: &'a str,
    /// Set for what is large: this number must be typed first.
    pub count: Option<usize>,
    /// `--yes`.
    pub yes: bool,
}

/// A person sits at both ends: the question goes to standard error, the answer
/// comes from standard input.
pub fn can_ask(out: &Out) -> bool {
    out.error_terminal && io::stdin().is_terminal()
}

/// Asks, unless `--yes` has answered already.
pub fn ask(out: &Out, question: &Question<'_>) -> Consent {
    if question.yes {
        return Consent::Given;
    }
    if !can_ask(out) {
        return Consent::Withheld;
    }
    out.flush();
    out.say(out.paint_error(Paint::Bold, question.text));
    if let Some(count) = question.count
        && answer(out, &format!("Type {count} to go on: ")) != count.to_string()
    {
        return declined(out);
    }
    match answer(out, "y goes on, anything else does not. [y/N] ").as_str() {
        "y" | "yes" => Consent::Given,
        _ => declined(out),
    }
}

fn declined(out: &Out) -> Consent {
    out.say("nothing was done");
    Consent::Withheld
}

fn answer(out: &Out, prompt: &str) -> String {
    out.progress(prompt);
    let mut line = String::new();
    // End of input and errors are no yes.
    if io::stdin().lock().read_line(&mut line).is_err() {
        line.clear();
    }
    if !line.ends_with('\n') {
        out.say("");
    }
    line.trim().to_owned()
}

/// What a command that was not confirmed answers.
pub fn needed(what: &str) -> Report {
    Report::new(Kind::Confirmation, format!("{what} needs a confirmation, and nothing was done"))
        .hint("confirm with --yes")
}

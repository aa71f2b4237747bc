//! Why a job ended as it did: from its exit status, from who ended it, and from
//! the last lines it printed. Pure.

use crate::domain::{
    resources::TimeLimit,
    status::{Cause, Status},
};

/// How much of the end of each log is looked at, in bytes.
pub const TAIL: u64 = 16 * 1024;
/// Longest line that is quoted, in characters.
const QUOTE: usize = 200;

/// How the deciding process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    Signal(i32),
}

/// What we did to it, if anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    Itself,
    Cancel,
    TimeLimit(TimeLimit),
}

/// Everything the verdict rests on.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    pub exit: Exit,
    pub by: EndedBy,
    /// Rank of the worker that decided, in a job of several.
    pub worker: Option<usize>,
    /// The kernel killed processes for want of memory while the job ran.
    pub kernel_oom: bool,
    /// Ends of its logs.
    pub stderr: &'a str,
    pub stdout: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub status: Status,
    pub cause: Option<Cause>,
    pub reason: String,
    /// The line that says most.
    pub error: Option<String>,
}

pub fn verdict(evidence: &Evidence<'_>) -> Verdict {
    let failed = |cause, reason, error| Verdict {
        status: Status::Failed,
        cause: Some(cause),
        reason,
        error,
    };
    let who = evidence.worker.map(|rank| format!("worker {rank}: ")).unwrap_or_default();
    match evidence.by {
        EndedBy::Cancel => {
            return Verdict {
                status: Status::Stopped,
                cause: Some(Cause::Cancelled),
                reason: "cancelled".into(),
                error: None,
            };
        }
        EndedBy::TimeLimit(limit) => {
            let reason = format!("time limit of {limit} reached");
            return failed(Cause::Timeout, reason, None);
        }
        EndedBy::Itself => {}
    }
    let ended = match evidence.exit {
        Exit::Code(0) => {
            return Verdict {
                status: Status::Succeeded,
                cause: None,
                reason: "exit 0".into(),
                error: None,
            };
        }
        Exit::Code(code) => format!("{who}exit {code}"),
        Exit::Signal(signal) => format!("{who}killed by signal {signal}{}", name_of(signal)),
    };
    if let Some((what, line)) =
        out_of_memory(evidence.stderr).or_else(|| out_of_memory(evidence.stdout))
    {
        return failed(Cause::Oom, format!("{ended} · {what}"), Some(line));
    }
    // A shell turns a child's death by KILL into 137.
    let by_kill = matches!(evidence.exit, Exit::Signal(9) | Exit::Code(137));
    if by_kill && evidence.kernel_oom {
        let reason = format!("{ended} · the machine ran out of memory");
        return failed(Cause::Oom, reason, last_line(evidence.stderr));
    }
    let line = last_line(evidence.stderr);
    let said = match (evidence.exit, &line) {
        (Exit::Code(127), _) => Some("command not found".to_owned()),
        (Exit::Code(126), _) => Some("command cannot be run".to_owned()),
        (Exit::Code(_), line) => line.clone(),
        (Exit::Signal(_), _) => None,
    };
    let reason = said.map(|said| format!("{ended} · {said}")).unwrap_or(ended);
    failed(Cause::Exit, reason, line)
}

/// Signals people meet, by name.
fn name_of(signal: i32) -> String {
    let name = match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        24 => "XCPU",
        25 => "XFSZ",
        _ => return String::new(),
    };
    format!(" ({name})")
}

/// What frameworks print when memory runs out: what to look for, what to call it.
const OUT_OF_MEMORY: [(&str, &str); 9] = [
    ("CUDA out of memory", "CUDA out of memory"),
    ("CUDA_ERROR_OUT_OF_MEMORY", "CUDA out of memory"),
    ("CUDA error: out of memory", "CUDA out of memory"),
    ("HIP out of memory", "HIP out of memory"),
    ("OutOfMemoryError", "out of memory"),
    ("RESOURCE_EXHAUSTED: Out of memory", "out of memory"),
    ("std::bad_alloc", "out of memory"),
    ("Cannot allocate memory", "out of memory"),
    ("MemoryError", "out of memory"),
];

fn out_of_memory(tail: &str) -> Option<(&'static str, String)> {
    tail.lines().rev().find_map(|line| {
        OUT_OF_MEMORY
            .iter()
            .find(|(pattern, _)| line.contains(pattern))
            .map(|(_, what)| (*what, clean(line)))
    })
}

/// The last line with anything in it, fit to be shown.
fn last_line(tail: &str) -> Option<String> {
    tail.lines().rev().map(clean).find(|line| !line.is_empty())
}

/// One line as text: what a carriage return would have overwritten is gone, so
/// are escape sequences and control characters; cut to a length for one row.
fn clean(line: &str) -> String {
    let shown = line.trim_end().rsplit('\r').next().unwrap_or_default();
    let mut text = String::new();
    let mut chars = shown.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            match chars.peek() {
                Some('[') => {
                    chars.next();
                    while chars.next_if(|c| !('\u{40}'..='\u{7e}').contains(c)).is_some() {}
                    chars.next();
                }
                Some(']') => while chars.next_if(|c| *c != '\u{7}' && *c != '\\').is_some() {},
                _ => {
                    chars.next();
                }
            }
        } else if c == '\t' {
            text.push(' ');
        } else if !c.is_control() {
            text.push(c);
        }
    }
    let text = text.trim();
    match text.char_indices().nth(QUOTE) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(exit: Exit, stderr: &str) -> Verdict {
        verdict(&Evidence {
            exit,
            by: EndedBy::Itself,
            worker: None,
            kernel_oom: false,
            stderr,
            stdout: "",
        })
    }

    #[test]
    fn causes_are_told_apart() {
        for (exit, stderr, cause, reason) in [
            (Exit::Code(1), "", Cause::Exit, "exit 1"),
            (
                Exit::Code(1),
                "Traceback …\nValueError: bad lr\n\n",
                Cause::Exit,
                "exit 1 · ValueError: bad lr",
            ),
            (
                Exit::Code(127),
                "sh: 1: foo: not found\n",
                Cause::Exit,
                "exit 127 · command not found",
            ),
            (
                Exit::Code(1),
                "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\nbye\n",
                Cause::Oom,
                "exit 1 · CUDA out of memory",
            ),
            (Exit::Code(1), "MemoryError\n", Cause::Oom, "exit 1 · out of memory"),
            (Exit::Signal(11), "whatever\n", Cause::Exit, "killed by signal 11 (SEGV)"),
            (Exit::Signal(9), "", Cause::Exit, "killed by signal 9 (KILL)"),
        ] {
            let verdict = of(exit, stderr);
            assert_eq!((verdict.status, verdict.cause), (Status::Failed, Some(cause)), "{stderr}");
            assert_eq!(verdict.reason, reason);
        }
        assert_eq!(of(Exit::Code(0), "MemoryError\n").status, Status::Succeeded);
    }

    #[test]
    fn the_kernels_kill_is_known_by_its_counter() {
        let evidence = |exit| Evidence {
            exit,
            by: EndedBy::Itself,
            worker: Some(2),
            kernel_oom: true,
            stderr: "",
            stdout: "",
        };
        for exit in [Exit::Signal(9), Exit::Code(137)] {
            assert_eq!(verdict(&evidence(exit)).cause, Some(Cause::Oom));
        }
        let other = verdict(&evidence(Exit::Code(1)));
        assert_eq!((other.cause, other.reason.as_str()), (Some(Cause::Exit), "worker 2: exit 1"));
    }

    #[test]
    fn what_we_ended_is_not_blamed_on_the_job() {
        let by = |by| {
            let exit = Exit::Signal(9);
            verdict(&Evidence {
                exit,
                by,
                worker: None,
                kernel_oom: true,
                stderr: "MemoryError",
                stdout: "",
            })
        };
        assert_eq!(by(EndedBy::Cancel).status, Status::Stopped);
        let late = by(EndedBy::TimeLimit(TimeLimit::from_secs(1800)));
        assert_eq!(late.cause, Some(Cause::Timeout));
        assert_eq!(late.reason, "time limit of 30m reached");
    }

    #[test]
    fn quoted_lines_are_harmless() {
        let line = clean(" 10%\r 20%\r\u{1b}[31mError:\u{1b}[0m\tx\u{7}\u{1b}]0;title\u{7}y");
        assert_eq!(line, "Error: xy");
        assert_eq!(clean(&"é".repeat(500)).chars().count(), QUOTE + 1);
    }
}

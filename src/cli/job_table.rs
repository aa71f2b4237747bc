//! The table of a run's jobs. On a terminal the groups of a large run are folded
//! to one line each, with those of their jobs that are in trouble; a pipe gets
//! every row.

use jiff::Timestamp;

use super::{
    out::{Out, Paint},
    runs::short,
    table::{self, Cell, number, painted, text},
};
use crate::{
    domain::{ids::JobIx, run::Run, status::Status},
    runtime::answer::{JobAnswer, JobAnswers},
};

/// More jobs than this are folded on a terminal.
const UNFOLDED: usize = 40;
/// More lines than this nobody reads on a terminal.
const LINES: usize = 400;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Job(usize),
    /// Jobs `from..to`, all of one group.
    Group {
        from: usize,
        to: usize,
    },
}

/// Prints it. `jobs` and the run's are the same, in the same order.
pub fn print(out: &Out, run: &Run, jobs: JobAnswers<'_>, now: Timestamp) {
    let columns = [
        text("state"),
        text("name"),
        text("type"),
        text("cluster"),
        number("GPUs"),
        number("waited"),
        number("ran"),
        number("try"),
        text("parameters"),
        text("why / result"),
    ];
    let (lines, left_out) = if out.terminal && jobs.len() > UNFOLDED {
        cut(fold(run))
    } else {
        ((0..jobs.len()).map(Line::Job).collect(), 0)
    };
    let rows = lines.iter().filter_map(|line| match *line {
        Line::Job(i) => Some(job_row(&jobs.get(JobIx(i as u32))?, run, i, now)),
        Line::Group { from, to } => group_row(run, from, to),
    });
    table::print(out, &columns, rows);
    if left_out > 0 {
        out.line(format!("… and {left_out} more; --csv and --json list all"));
    }
}

fn fold(run: &Run) -> Vec<Line> {
    let mut lines = Vec::new();
    let group = |i: usize| run.jobs.get(i).and_then(|job| job.spec.group.as_deref());
    let mut i = 0;
    while i < run.jobs.len() {
        let from = i;
        i += 1;
        if group(from).is_some() {
            while i < run.jobs.len() && group(i) == group(from) {
                i += 1;
            }
        }
        if i - from == 1 {
            lines.push(Line::Job(from));
            continue;
        }
        lines.push(Line::Group { from, to: i });
        let troubled =
            |i: &usize| run.jobs.get(*i).is_some_and(|job| job.status.is_failure() || job.blocked);
        lines.extend((from..i).filter(troubled).map(Line::Job));
    }
    lines
}

fn cut(mut lines: Vec<Line>) -> (Vec<Line>, usize) {
    let left_out = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    (lines, left_out)
}

fn job_row(answer: &JobAnswer, run: &Run, i: usize, now: Timestamp) -> Vec<Cell> {
    let job = run.jobs.get(i);
    let status = job.map_or(Status::Unknown, |job| job.status);
    let last = job.and_then(|job| job.attempt());
    let submitted = last.and_then(|a| a.submitted_at);
    let started = last.and_then(|a| a.started_at);
    let finished = last.and_then(|a| a.finished_at);
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| {
        from.map(|from| short(from.duration_until(to.unwrap_or(now)))).unwrap_or_default()
    };
    let tries = if answer.attempt > 1 { answer.attempt.to_string() } else { String::new() };
    vec![
        painted(Paint::of(status), format!("{} {}", status.symbol(), status.label())),
        Cell::from(answer.name.as_str()),
        Cell::from(answer.job_type),
        Cell::from(answer.cluster.as_deref().unwrap_or("auto")),
        Cell::from(answer.total_gpus.to_string()),
        Cell::from(span(submitted, started.or(finished))),
        Cell::from(span(started, finished)),
        Cell::from(tries),
        Cell::from(answer.params.to_string()),
        Cell::from(why(answer, status)),
    ]
}

fn group_row(run: &Run, from: usize, to: usize) -> Option<Vec<Cell>> {
    let jobs = || run.jobs.iter().take(to).skip(from);
    let first = run.jobs.get(from)?;
    let count = |status: Status| jobs().filter(|job| job.status == status).count();
    let counts: Vec<String> = Status::ALL
        .into_iter()
        .map(|status| (status, count(status)))
        .filter(|(_, n)| *n > 0)
        .map(|(status, n)| format!("{n} {}", status.label()))
        .collect();
    let gpus: crate::domain::resources::Gpus = jobs().map(|job| job.total_gpus).sum();
    let cluster = first.cluster.as_ref();
    let same = jobs().all(|job| job.cluster.as_ref() == cluster);
    let cluster = if same { cluster.map_or("auto", |c| c.as_str()) } else { "several" };
    Some(vec![
        painted(Paint::Bold, format!("▸ {} jobs", to - from)),
        Cell::from(first.spec.group.as_deref().unwrap_or_default()),
        Cell::from(first.spec.job_type.word()),
        Cell::from(cluster),
        Cell::from(gpus.to_string()),
        Cell::from(""),
        Cell::from(""),
        Cell::from(""),
        Cell::from(""),
        Cell::from(counts.join(", ")),
    ])
}

fn why(answer: &JobAnswer, status: Status) -> String {
    let reason = answer.reason.as_deref().or(answer.error.as_deref()).unwrap_or_default();
    if status == Status::Running && reason.is_empty() {
        return answer.node.as_ref().map(|node| format!("on {node}")).unwrap_or_default();
    }
    let reason = reason.lines().next().unwrap_or_default();
    if answer.blocked { format!("blocked: {reason}") } else { reason.to_owned() }
}

//! The cells of one row.

use std::borrow::Cow;

use ratatui::text::Span;

use super::View;
use crate::{
    app::screen::monitor::{cause::last_line, detail::signal_name, index::RowKey, seconds},
    domain::{
        ids::JobIx,
        plan::JobAction,
        run::{Attempt, RunJob},
        status::{Cause, Status},
    },
    ui::widgets::text,
};

/// The state's symbol and word.
pub(super) fn state(job: &RunJob, view: &View<'_>) -> Span<'static> {
    let words = format!("{} {}", job.status.symbol(), job.status.label());
    Span::styled(words, view.theme.status(job.status))
}

/// Time from being sent to its start.
pub(super) fn waited(job: &RunJob, view: &View<'_>) -> Option<String> {
    let last = job.attempt()?;
    let until = last.started_at.or(last.finished_at);
    Some(text::duration(seconds(last.submitted_at?, until, view.now)))
}

/// Time from its start to its end.
pub(super) fn ran(job: &RunJob, view: &View<'_>) -> Option<String> {
    let last = job.attempt()?;
    Some(text::duration(seconds(last.started_at?, last.finished_at, view.now)))
}

/// Why a row is in its state: what it waits for, where it runs, how it ended.
pub(super) fn why<'a>(
    ix: JobIx,
    job: &'a RunJob,
    view: &View<'_>,
    columns: usize,
) -> Vec<Span<'a>> {
    let theme = view.theme;
    let last = job.attempt();
    let mut spans = Vec::new();
    match job.status {
        Status::Running | Status::Succeeded => {
            if let Some(from) = other_run(job) {
                spans.push(Span::styled(from, theme.dim));
            }
            if job.cancel_asked {
                spans.push(Span::styled("cancel asked", theme.warning));
            } else if let Some(node) = last.and_then(|a| a.node.as_deref())
                && job.status == Status::Running
            {
                spans.push(Span::styled("node ", theme.dim));
                spans.push(Span::raw(node));
            }
        }
        Status::Waiting | Status::Submitting | Status::Pending | Status::Unknown => {
            let reason = view.opened.run().reason(ix);
            let reason = reason.as_deref().unwrap_or(match job.status {
                Status::Unknown => "looking it up",
                _ => "",
            });
            if job.blocked {
                spans.push(Span::styled("blocked: ", theme.warning));
            }
            // The state says that it waits: what for is the last to be cut.
            let short = reason.strip_prefix("waits for ").filter(|_| text::width(reason) > columns);
            let reason = short.unwrap_or(reason);
            spans.push(Span::raw(reason.to_owned()));
        }
        _ => {
            let end = last.and_then(ending).or_else(|| cause_word(job).map(Cow::Borrowed));
            let error = last
                .and_then(|a| a.error.as_deref())
                .or(job.reason.as_deref())
                .map(last_line)
                .filter(|line| !line.is_empty());
            if let Some(end) = &end {
                spans.push(Span::styled(end.clone(), theme.status(job.status)));
            }
            if let Some(error) = error.filter(|e| end.as_deref() != Some(*e)) {
                if end.is_some() {
                    spans.push(Span::styled(" · ", theme.dim));
                }
                spans.push(Span::raw(error));
            }
        }
    }
    spans
}

/// `reused from run 7k2f…`.
fn other_run(job: &RunJob) -> Option<String> {
    match &job.action {
        JobAction::Reuse { run, .. } => Some(format!("result of run {run} ")),
        JobAction::Attach { run, .. } => Some(format!("of run {run} ")),
        _ => None,
    }
}

/// The cause, where the exit code does not tell it.
fn cause_word(job: &RunJob) -> Option<&'static str> {
    let cause = job.cause?;
    match cause {
        Cause::Exit | Cause::Other | Cause::Cancelled | Cause::Rejected | Cause::Lost => None,
        cause => Some(cause.label()),
    }
}

fn ending(last: &Attempt) -> Option<Cow<'static, str>> {
    let cause = last.cause.filter(|c| {
        matches!(c, Cause::Oom | Cause::Timeout | Cause::Node | Cause::Preempted | Cause::Launch)
    });
    let how: Option<Cow<'static, str>> = match (last.signal, last.exit_code) {
        (Some(signal), _) => Some(match signal_name(signal) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("signal {signal}")),
        }),
        (None, Some(0)) if last.status == Status::Stopped => None,
        (None, Some(code)) => Some(Cow::Owned(format!("exit {code}"))),
        (None, None) => None,
    };
    // Where the cause is known, the exit code adds nothing; the details have it.
    cause.map(|cause| Cow::Borrowed(cause.label())).or(how)
}

/// The words of a head's row: what it gathers, counts, an example.
pub(super) fn head<'a>(row: RowKey, view: &'a View<'_>) -> Vec<Span<'a>> {
    let (index, run, theme) = (view.opened.index(), view.opened.run(), view.theme);
    let fold = if index.is_folded(row) { "▸ " } else { "▾ " };
    let mut spans = vec![Span::styled(fold, theme.accent)];
    let members = index.members(row);
    match row {
        RowKey::Job(_) => {}
        RowKey::Group(id) => {
            let Some(group) = index.roster().group(id) else { return spans };
            spans.push(Span::styled(&*group.name, theme.strong));
            let size = if members == group.size {
                format!(" × {members}")
            } else {
                format!(" {members} of {}", group.size)
            };
            spans.push(Span::raw(size));
            for (status, n) in index.tally().group(id).iter() {
                spans.push(Span::styled(format!("  {n}{}", status.symbol()), theme.status(status)));
            }
            if let Some(place) = index.tally().place(id) {
                if let Some(cluster) = &place.cluster {
                    let more = if place.others { ", …" } else { "" };
                    spans.push(Span::styled(format!("  {cluster}{more}"), theme.dim));
                }
                if !place.gpus.is_zero() {
                    spans.push(Span::styled(format!("  {}", place.gpus.in_words()), theme.dim));
                }
            }
        }
        RowKey::Cause(id) => {
            let Some(trouble) = index.tally().troubles.get(id) else { return spans };
            let style = theme.status(trouble.status);
            let word = match trouble.cause {
                Some(Cause::Exit | Cause::Other) | None => trouble.status.label(),
                Some(cause) => cause.label(),
            };
            spans.push(Span::styled(format!("{} {members} × ", trouble.status.symbol()), style));
            spans.push(Span::styled(word, style));
            if let Some(signal) = trouble.signal {
                let name = signal_name(signal)
                    .map_or_else(|| format!("signal {signal}"), ToOwned::to_owned);
                spans.push(Span::raw(format!(" · {name}")));
            } else if let Some(code) = trouble.exit_code {
                spans.push(Span::raw(format!(" · exit {code}")));
            }
            let words = index.tally().troubles.words(id);
            let told = trouble.exit_code.is_some_and(|code| words == format!("exit {code}"));
            if !words.is_empty() && !told {
                spans.push(Span::styled(" · ", theme.dim));
                spans.push(Span::raw(words));
            }
            if index.is_folded(row)
                && let Some(example) = index.first(row).and_then(|ix| run.job(ix))
            {
                spans.push(Span::styled(format!("  e.g. {}", example.spec.name), theme.dim));
            }
        }
        RowKey::Rest => {
            spans.push(Span::styled(format!("{members} without trouble"), theme.dim));
        }
    }
    spans
}

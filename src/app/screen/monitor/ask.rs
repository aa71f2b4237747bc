//! What the confirm box says before jobs are retried or cancelled, or sending
//! goes on or stops: names, numbers, GPUs, and what will happen.

use std::{fmt::Write as _, sync::Arc};

use super::{
    retry::{since_words, suggestions},
    tally::is_put_off,
};
use crate::{
    app::{
        effect::RunCommand,
        model::Settings,
        msg::CodeSince,
        overlay::{Confirm, Confirmed},
        screen::Context,
        text,
    },
    domain::{
        action::{RemoteAction, Suited},
        change::changed,
        ids::{ClusterId, JobIx},
        placement::{refusals, replicas},
        resources::Gpus,
        run::{Run, RunJob, Selection, outstanding},
        status::{Cause, Status},
    },
};

/// That a retry runs the code that was sent before.
const AS_SENT: &str = "with the code as first sent";

/// Tells in the box of a retry, below what it says of code, what was found of that
/// code meanwhile.
pub fn tell_since(confirm: &mut Confirm, since: &[(Arc<str>, CodeSince)]) {
    let Some(at) = confirm.lines.iter().position(|line| line == AS_SENT) else { return };
    let mut lines = since_words(since);
    if since.iter().any(|(_, since)| *since == CodeSince::Changed) {
        lines.push("e, then Ctrl-O, retries with the code as it is now".into());
    }
    let rest = confirm.lines.split_off(at + 1);
    confirm.lines.extend(lines);
    confirm.lines.extend(rest);
}

/// Names shown before «and 4 more».
const NAMES: usize = 4;

/// The question before a retry; `Err` says why there is nothing to retry, or why
/// not with these changes.
pub fn retry(
    run: &Run,
    jobs: Vec<JobIx>,
    changes: Vec<(String, String)>,
    current_code: bool,
    cx: &Context<'_>,
) -> Result<Confirm, String> {
    let asked = jobs.len();
    let live = jobs.iter().filter(|ix| run.job(**ix).is_some_and(|j| !j.status.is_ended())).count();
    let mut jobs = outstanding(run, &Selection::jobs(jobs)).retry;
    let succeeded = |ix: &JobIx| run.job(*ix).is_some_and(|j| j.status == Status::Succeeded);
    // Of several, what went well is left alone; one that is meant by itself is not.
    let well = jobs.iter().filter(|ix| succeeded(ix)).count();
    let spared = if asked > 1 && well < jobs.len() { well } else { 0 };
    if spared > 0 {
        jobs.retain(|ix| !succeeded(ix));
    }
    if jobs.is_empty() {
        let why = if asked == 1 { "it has not ended yet" } else { "none of these has ended yet" };
        return Err(why.to_owned());
    }
    let gpus = if changes.is_empty() { gpus(run, &jobs) } else { again(run, &jobs, &changes, cx)? };
    let mut lines = vec![names(run, &jobs), amounts(run, &jobs, gpus)];
    lines.push(states(run, &jobs));
    for (field, value) in &changes {
        lines.push(match value.as_str() {
            "" => format!("without {field}"),
            value => format!("with {field} {value}"),
        });
    }
    if changes.is_empty() {
        let offers = suggestions(run, &jobs).into_iter();
        lines.extend(offers.map(|s| format!("{}: e, then Tab, for {}", s.why, s.change)));
    }
    let has_code = jobs.iter().any(|ix| run.job(*ix).is_some_and(|j| j.spec.src_dir.is_some()));
    if has_code {
        lines.push(if current_code { "with the code as it is now".into() } else { AS_SENT.into() });
    }
    if live > 0 {
        lines.push(format!("{live} of the {asked} have not ended and are left alone"));
    }
    if spared > 0 {
        lines.push(format!("{spared} that succeeded are left alone"));
    }
    let count = jobs.len() as u64;
    let title = match jobs.as_slice() {
        [one] => format!("Retry {}?", name(run, *one)),
        _ => format!("Retry {count} jobs?"),
    };
    let command = RunCommand::Retry { jobs, changes, current_code };
    let confirm = Confirm::new(title, lines, Confirmed::Run { run: run.id.clone(), command });
    Ok(if is_large(count, gpus, cx.settings) { confirm.must_type(count) } else { confirm })
}

/// Whether the number of jobs is to be typed before `y` counts.
fn is_large(jobs: u64, gpus: Gpus, settings: &Settings) -> bool {
    jobs > settings.confirm_jobs || gpus > Gpus::whole(settings.confirm_gpus)
}

/// GPUs of these jobs once they are changed.
///
/// # Errors
/// What a plan would refuse, each fault once, the first hint with it.
fn again(
    run: &Run,
    jobs: &[JobIx],
    changes: &[(String, String)],
    cx: &Context<'_>,
) -> Result<Gpus, String> {
    let views = cx.views();
    let default = cx.settings.default_cluster.as_deref().map(ClusterId::new);
    let (mut wrong, mut hint) = (Vec::new(), None);
    let mut gpus = Gpus::ZERO;
    for job in jobs.iter().filter_map(|ix| run.job(*ix)) {
        let mut refused = |why: String, how: Option<String>| {
            if !wrong.contains(&why) {
                wrong.push(why);
                hint = hint.take().or(how);
            }
        };
        let before = job.spec_now();
        match changed(before, changes) {
            Err(faults) => faults.into_iter().for_each(|f| refused(f.to_string(), f.hint)),
            Ok(spec) => {
                let at = job.cluster.as_ref();
                for o in refusals(&spec, at, &cx.settings.limits, default.as_ref(), &views) {
                    refused(format!("{}: {}", o.key, o.message), o.hint);
                }
                let adds_master =
                    at.and_then(|id| views.get(id)).is_some_and(|v| v.capabilities.adds_master);
                let replicas = if spec.workers == before.workers {
                    job.replicas
                } else {
                    replicas(&spec, adds_master)
                };
                gpus += spec.gpus.times(u64::from(replicas));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(gpus);
    }
    Err(match hint {
        Some(hint) => format!("{} ({hint})", wrong.join("; ")),
        None => wrong.join("; "),
    })
}

/// The question before a cancel. `why`: in the words of who asks.
pub fn cancel(
    run: &Run,
    mut jobs: Vec<JobIx>,
    why: Option<String>,
) -> Result<Confirm, &'static str> {
    let asked = jobs.len();
    jobs.retain(|ix| run.job(*ix).is_some_and(|j| !j.status.is_ended()));
    if jobs.is_empty() {
        return Err(if asked == 1 { "it has ended already" } else { "all of these have ended" });
    }
    let running = jobs.iter().filter(|ix| status(run, **ix) == Some(Status::Running)).count();
    let mut lines = vec![names(run, &jobs), amounts(run, &jobs, gpus(run, &jobs))];
    lines.push(states(run, &jobs));
    if running > 0 {
        lines.push("what runs is ended; what it has written stays".into());
    }
    if jobs.len() < asked {
        lines.push(format!("{} have ended and are left alone", asked - jobs.len()));
    }
    let title = match jobs.as_slice() {
        [one] => format!("Cancel {}?", name(run, *one)),
        _ => format!("Cancel {} jobs?", jobs.len()),
    };
    if let Some(why) = &why {
        lines.push(format!("reason: {why}"));
    }
    let command = RunCommand::Cancel { jobs, why };
    Ok(Confirm::new(title, lines, Confirmed::Run { run: run.id.clone(), command }))
}

/// The question before running jobs are put back into their cluster's queue.
pub fn requeue(run: &Run, suited: &Suited) -> Confirm {
    let jobs = &suited.jobs;
    let mut lines = vec![names(run, jobs), amounts(run, jobs, gpus(run, jobs))];
    lines.push("what runs is ended, and waits in the queue for another start".into());
    lines.push("it begins anew, unless it keeps its own checkpoints".into());
    lines.extend(suited.left_alone(run).iter().map(|line| format!("left alone: {line}")));
    let title = match jobs.as_slice() {
        [one] => format!("Requeue {}?", name(run, *one)),
        _ => format!("Requeue {} jobs?", jobs.len()),
    };
    let command = RunCommand::Act { action: RemoteAction::Requeue, jobs: jobs.clone() };
    Confirm::new(title, lines, Confirmed::Run { run: run.id.clone(), command })
}

/// The question before what is held is sent. `is_sending`: what waits is being sent
/// already, and is not asked for again.
pub fn send(run: &Run, is_sending: bool, settings: &Settings) -> Result<Confirm, &'static str> {
    let waits = |job: &RunJob| job.status == Status::Waiting && !is_sending;
    let jobs = those(run, |job| waits(job) || is_put_off(job));
    if jobs.is_empty() {
        return Err("nothing is left to send");
    }
    let gpus = gpus(run, &jobs);
    let mut lines = vec![names(run, &jobs), amounts(run, &jobs, gpus)];
    if let Some(why) = &run.held {
        lines.push(format!("held: {why}"));
    }
    let count = jobs.len() as u64;
    let title = format!("Send {}?", text::count(count, "job"));
    let action = Confirmed::Run { run: run.id.clone(), command: RunCommand::Send };
    let confirm = Confirm::new(title, lines, action);
    Ok(if is_large(count, gpus, settings) { confirm.must_type(count) } else { confirm })
}

/// The question before sending stops.
pub fn stop(run: &Run) -> Result<Confirm, &'static str> {
    let jobs = those(run, |job| job.status == Status::Waiting);
    if jobs.is_empty() {
        return Err("every job was sent");
    }
    let count = text::count(jobs.len() as u64, "job");
    let lines = vec![
        names(run, &jobs),
        "they become «not submitted»; S sends them later".into(),
        "what was sent goes on".into(),
    ];
    let action = Confirmed::Run { run: run.id.clone(), command: RunCommand::StopSending };
    Ok(Confirm::new(format!("Stop sending? {count} not sent yet"), lines, action))
}

fn status(run: &Run, ix: JobIx) -> Option<Status> {
    run.job(ix).map(|job| job.status)
}

fn those(run: &Run, wanted: impl Fn(&RunJob) -> bool) -> Vec<JobIx> {
    (0..).map(JobIx).zip(&run.jobs).filter(|(_, job)| wanted(job)).map(|(ix, _)| ix).collect()
}

fn name(run: &Run, ix: JobIx) -> String {
    run.job(ix).map_or_else(String::new, |job| text::fit(&job.spec.name, 40).into_owned())
}

fn names(run: &Run, jobs: &[JobIx]) -> String {
    let mut out = jobs.iter().take(NAMES).map(|ix| name(run, *ix)).collect::<Vec<_>>().join(", ");
    if let Some(more) = jobs.len().checked_sub(NAMES).filter(|n| *n > 0) {
        let _ = write!(out, " and {more} more");
    }
    out
}

fn gpus(run: &Run, jobs: &[JobIx]) -> Gpus {
    jobs.iter().filter_map(|ix| run.job(*ix)).map(|job| job.total_gpus).sum()
}

/// `3 jobs · 3 GPUs · lab, ray`.
fn amounts(run: &Run, jobs: &[JobIx], gpus: Gpus) -> String {
    let mut clusters: Vec<&str> = jobs
        .iter()
        .filter_map(|ix| run.job(*ix)?.cluster.as_ref())
        .map(ClusterId::as_str)
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    let mut out = format!("{} · {}", text::count(jobs.len() as u64, "job"), gpus.in_words());
    if !clusters.is_empty() {
        out.push_str(" · ");
        out.push_str(&clusters.join(", "));
    }
    out
}

/// `2 failed (exit code 1), 1 lost`.
fn states(run: &Run, jobs: &[JobIx]) -> String {
    let mut seen: Vec<(String, usize)> = Vec::new();
    for job in jobs.iter().filter_map(|ix| run.job(*ix)) {
        let words = state(job);
        match seen.iter_mut().find(|(known, _)| *known == words) {
            Some((_, n)) => *n += 1,
            None => seen.push((words, 1)),
        }
    }
    seen.sort_by_key(|(_, n)| usize::MAX - n);
    seen.iter().take(4).map(|(words, n)| format!("{n} {words}")).collect::<Vec<_>>().join(", ")
}

fn state(job: &RunJob) -> String {
    let code = job.attempt().and_then(|a| a.exit_code);
    match (job.cause, code) {
        (Some(Cause::Exit), Some(code)) => format!("{} (exit {code})", job.status.label()),
        (Some(cause), _) if job.status == Status::Failed => {
            format!("{} ({})", job.status.label(), cause.label())
        }
        _ => job.status.label().to_owned(),
    }
}

//! `hold`, `release`, `requeue`: what clusters do to jobs in their own queues.

use std::time::Duration;

use serde_json::json;

use super::{
    Answer,
    args::{Jobs, Requeue},
    change::{Proposal, named, opened, some_names, told},
    context::Context,
    follow::{Interrupts, jobs_word},
};
use crate::{
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx},
        run::{Run, RunJob},
        status::Status,
    },
    error::{Kind, Report},
    runtime::{
        engine::Options,
        handle::{Command, Event, RunHandle},
    },
};

/// A cluster that takes longer to show what it did is left to it.
const PATIENCE: Duration = Duration::from_secs(20);

/// `hold`.
pub async fn hold(cx: &Context<'_>, jobs: &Jobs) -> Answer {
    steer(cx, RemoteAction::Hold, jobs, true).await
}

/// `release`.
pub async fn release(cx: &Context<'_>, jobs: &Jobs) -> Answer {
    steer(cx, RemoteAction::Release, jobs, true).await
}

/// `requeue`: ends what runs, so it asks.
pub async fn requeue(cx: &Context<'_>, args: &Requeue) -> Answer {
    steer(cx, RemoteAction::Requeue, &args.jobs, args.yes).await
}

async fn steer(cx: &Context<'_>, action: RemoteAction, args: &Jobs, yes: bool) -> Answer {
    let id = cx.engine.resolve_run(&args.run)?;
    let look = cx.engine.look(&id).await?;
    let run = &look.run;
    let asked = named(run, &args.jobs)?;
    let can = |cluster: &ClusterId| cx.engine.can(cluster, action);
    let all = || (0..).map(JobIx).take(run.jobs.len()).collect();
    let suited = action.of(run, &asked.clone().unwrap_or_else(all), can);
    if suited.jobs.is_empty() {
        return Err(Report::new(Kind::Usage, format!("run {id}: {}", suited.nothing(run))));
    }
    if asked.is_some() {
        for line in suited.left_alone(run) {
            cx.out.warn(&line);
        }
    }
    let jobs = suited.jobs;
    let proposal = Proposal {
        action: action.word(),
        what: "a requeue",
        question: format!(
            "Requeue {} of run {id}, ending them now: {}?",
            jobs_word(jobs.len()),
            some_names(run, &jobs)
        ),
        run,
        jobs: &jobs,
        changes: &[],
    };
    if let Some(code) = proposal.withheld(cx, yes)? {
        return Ok(code);
    }
    let mut handle = opened(cx, &id, Options::look()).await?;
    let before = attempts(&handle.run, &jobs);
    let mut done = handle.commands.ask(Command::Act { action, jobs: jobs.clone() }).await?;
    // Told above, of those that were named.
    done.notes.clear();
    told(cx, &done);
    let trouble = seen(&mut handle, |run| {
        let rows = jobs.iter().zip(&before).filter_map(|(ix, n)| Some((run.job(*ix)?, *n)));
        rows.into_iter().all(|(row, attempts)| shows(action, row, attempts))
    });
    let trouble = trouble.await?;
    handle.commands.send(Command::Detach { background: true });
    handle.finished(|_, _| {}).await?;
    match trouble {
        Some(report) => Err(report),
        None => answer(cx, action, &handle.run, &jobs),
    }
}

fn attempts(run: &Run, jobs: &[JobIx]) -> Vec<usize> {
    jobs.iter().map(|ix| run.job(*ix).map_or(0, |row| row.attempts.len())).collect()
}

/// Whether a row shows that it was done. `attempts`: how many it had before.
fn shows(action: RemoteAction, row: &RunJob, attempts: usize) -> bool {
    let waits = row.status == Status::Pending;
    match action {
        RemoteAction::Hold => !waits || row.blocked,
        RemoteAction::Release => !waits || !row.blocked,
        _ => row.status.is_ended() || row.attempts.len() > attempts,
    }
}

/// Waits until the rows show it; what went wrong, if anything did.
async fn seen(
    handle: &mut RunHandle,
    shown: impl Fn(&Run) -> bool,
) -> Result<Option<Report>, Report> {
    let mut interrupts = Interrupts::new()?;
    let look = async {
        while !shown(&handle.run) {
            match handle.next().await {
                Some(Event::Trouble(report)) => return Some(report),
                Some(_) => {}
                None => break,
            }
        }
        None
    };
    Ok(tokio::select! {
        seen = tokio::time::timeout(PATIENCE, look) => seen.unwrap_or_default(),
        _ = interrupts.next() => None,
    })
}

fn answer(cx: &Context<'_>, action: RemoteAction, run: &Run, jobs: &[JobIx]) -> Answer {
    let rows = jobs.iter().filter_map(|ix| run.job(*ix));
    if cx.out.json {
        let results: Vec<_> = rows
            .map(|job| {
                json!({
                    "name": job.spec.name,
                    "status": job.status.word(),
                    "blocked": job.blocked,
                    "attempt": job.attempt().map(|a| a.number),
                    "reason": job.reason,
                })
            })
            .collect();
        cx.out.document(&json!({
            "schema_version": 1,
            "action": action.word(),
            "run": run.id,
            "batch": run.head.name,
            "total_jobs": jobs.len(),
            "results": results,
        }))?;
    } else {
        for job in rows.take(20) {
            let name = crate::app::text::safe(&job.spec.name);
            let why = job.reason.as_deref().map(crate::app::text::safe);
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            cx.out.line(format!("{name} {}{why}", job.status.label()));
        }
    }
    Ok(0)
}

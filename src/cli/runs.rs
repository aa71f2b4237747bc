//! `runs`, `status` and `clusters`: looking, never sending.

use jiff::{SignedDuration, Timestamp};

use super::{
    Answer,
    args::Status as Args,
    context::Context,
    csv, job_table,
    out::{Out, Paint},
    table::{self, Cell, number, painted, text},
};
use crate::{
    app::text::safe,
    domain::{ids::ClusterId, nearest::nearest, run::Conductor, site::ClusterKind, status::Status},
    error::{Kind, Report},
    procs,
    runtime::{
        answer::{
            ClusterAnswer, ClustersAnswer, ConductorAnswer, RunAnswer, RunsAnswer, SCHEMA_VERSION,
            StatusAnswer,
        },
        engine::{ClusterHealth, Look, RunSummary},
    },
};

/// `runs`.
pub async fn runs(cx: &Context<'_>) -> Answer {
    let runs = cx.engine.runs().await?;
    if cx.out.json {
        cx.out.document(&runs_answer(&runs))?;
        return Ok(0);
    }
    if runs.is_empty() {
        cx.out.say("no runs yet; `jobdeck submit FILE` starts one");
        return Ok(0);
    }
    let now = Timestamp::now();
    let columns = [
        text("run"),
        text("batch"),
        text("started"),
        number("jobs"),
        number("GPUs"),
        text("state"),
        text("jobs by state"),
    ];
    let rows: Vec<Vec<Cell>> = runs
        .iter()
        .map(|run| {
            let state = match (&run.damaged, run.ended, run.unsent) {
                (Some(why), ..) => painted(Paint::Bad, format!("damaged: {why}")),
                (None, true, _) => painted(Paint::Dim, "ended"),
                (None, false, unsent) if unsent > 0 && run.held.is_some() => {
                    painted(Paint::Odd, format!("held, {unsent} never sent"))
                }
                (None, false, _) => painted(Paint::Busy, "under way"),
            };
            let jobs: usize = run.counts.values().sum();
            let counts = run.counts.iter().map(|(status, n)| (*status, *n));
            vec![
                Cell::from(run.run.to_string()),
                Cell::from(run.batch.clone()),
                Cell::from(format!("{} ago", short(run.created_at.duration_until(now)))),
                Cell::from(jobs.to_string()),
                Cell::from(run.total_gpus.to_string()),
                state,
                Cell::from(in_words(counts)),
            ]
        })
        .collect();
    table::print(cx.out, &columns, rows);
    Ok(0)
}

fn runs_answer(runs: &[RunSummary]) -> RunsAnswer {
    let one = |run: &RunSummary| RunAnswer {
        run: run.run.to_string(),
        batch: run.batch.clone(),
        created_at: run.created_at.to_string(),
        ended: run.ended,
        counts: run.counts.iter().filter(|(_, n)| **n > 0).map(|(s, n)| (s.word(), *n)).collect(),
    };
    RunsAnswer { schema_version: SCHEMA_VERSION, runs: runs.iter().map(one).collect() }
}

/// `status`.
pub async fn status(cx: &Context<'_>, args: &Args) -> Answer {
    let run = cx.engine.resolve_run(&args.run)?;
    let look = cx.engine.look(&run).await?;
    for warning in &look.warnings {
        cx.out.warn(warning);
    }
    let answer = status_answer(&look);
    if args.csv {
        csv::print(cx.out, &answer);
    } else if cx.out.json {
        cx.out.document(&answer)?;
    } else {
        print_status(cx.out, &look, &answer);
    }
    Ok(0)
}

pub fn status_answer(look: &Look) -> StatusAnswer<'_> {
    let conductor = look.conductor.as_ref().map(|(who, seen)| conductor(who, Some(*seen)));
    StatusAnswer::of(&look.run, &look.health, conductor)
}

fn conductor(who: &Conductor, last_seen: Option<Timestamp>) -> ConductorAnswer {
    ConductorAnswer {
        host: who.host.clone(),
        pid: who.pid,
        last_seen: last_seen.map(|t| t.to_string()),
        background: who.background,
    }
}

fn print_status(out: &Out, look: &Look, answer: &StatusAnswer<'_>) {
    let run = &look.run;
    let now = Timestamp::now();
    out.line(format!(
        "{} · run {} · {} ago",
        out.paint(Paint::Bold, &safe(&answer.batch)),
        answer.run,
        short(run.created_at.duration_until(now)),
    ));
    let counts = Status::ALL.into_iter().map(|s| (s, run.count(s))).filter(|(_, n)| *n > 0);
    out.line(format!("  {}", in_words(counts)));
    if !answer.gpus_in_use.is_zero() {
        out.line(format!("  {} in use", answer.gpus_in_use.in_words()));
    }
    for line in carried_on(look) {
        out.line(format!("  {line}"));
    }
    for (name, health) in &answer.clusters {
        if let Some(error) = &health.error {
            let seen = health.last_seen.as_deref().unwrap_or("never");
            let word = if health.needs_login { "needs a login" } else { "does not answer" };
            let text = format!("{} {word}: {} (last seen {seen})", safe(name), safe(error));
            out.line(format!("  {}", out.paint(Paint::Odd, &text)));
        }
    }
    out.line("");
    job_table::print(out, run, answer.jobs, now);
}

/// Who carries the run on, and what waits for whom.
fn carried_on(look: &Look) -> Vec<String> {
    let run = &look.run;
    let mut lines = Vec::new();
    if let Some((who, seen)) = &look.conductor {
        let what =
            if who.background { "a background process" } else { "an open window or command" };
        let place = if who.host == procs::host() {
            format!("pid {}", who.pid)
        } else {
            let age = short(seen.duration_until(Timestamp::now()));
            format!("pid {} on {}, last heard of {age} ago", who.pid, safe(&who.host))
        };
        lines.push(format!("carried on by {what} ({place})"));
    }
    let unsent = run.unsent();
    if unsent > 0 {
        match &run.held {
            Some(why) => lines.push(format!(
                "{unsent} never sent, held: {}; `jobdeck send {}` goes on",
                safe(why),
                run.id
            )),
            None if look.conductor.is_none() => lines.push(format!(
                "{unsent} never sent, and nobody carries the run on; `jobdeck send {}` goes on",
                run.id
            )),
            None => lines.push(format!("{unsent} still to be sent")),
        }
    }
    lines
}

/// `clusters`.
pub async fn clusters(cx: &Context<'_>) -> Answer {
    let clusters = cx.engine.check_clusters().await;
    if cx.out.json {
        cx.out.document(&clusters_answer(&clusters))?;
        return Ok(0);
    }
    let columns = [
        text("cluster"),
        text("kind"),
        text("state"),
        number("free GPUs"),
        number("GPUs"),
        number("queue"),
        number("answer"),
        text("version / trouble"),
    ];
    let rows: Vec<Vec<Cell>> = clusters
        .iter()
        .map(|cluster| {
            let health = &cluster.health;
            let capacity = health.capacity.clone().unwrap_or_default();
            let state = match (cluster.enabled, health.reachable) {
                (false, _) => painted(Paint::Dim, "– off"),
                (true, Some(true)) if health.error.is_none() => painted(Paint::Good, "✓ answers"),
                (true, _) if health.needs_login => painted(Paint::Odd, "! needs a login"),
                (true, Some(true)) => painted(Paint::Bad, "✗ trouble"),
                (true, Some(false)) => painted(Paint::Bad, "✗ no answer"),
                (true, None) => painted(Paint::Dim, "? not asked"),
            };
            let number = |n: Option<String>| Cell::from(n.unwrap_or_default());
            vec![
                Cell::from(cluster.id.to_string()),
                Cell::from(cluster.kind.word()),
                state,
                number(capacity.gpus_free.map(|n| n.to_string())),
                number(capacity.gpus_total.map(|n| n.to_string())),
                number(capacity.queue.map(|n| n.to_string())),
                number(health.latency_ms.map(|ms| format!("{ms} ms"))),
                Cell::from(health.error.clone().or(capacity.version).unwrap_or_default()),
            ]
        })
        .collect();
    table::print(cx.out, &columns, rows);
    Ok(0)
}

fn clusters_answer(clusters: &[ClusterHealth]) -> ClustersAnswer {
    let one = |cluster: &ClusterHealth| {
        let health = &cluster.health;
        let capacity = health.capacity.clone().unwrap_or_default();
        ClusterAnswer {
            name: cluster.id.to_string(),
            kind: cluster.kind.word(),
            reachable: health.reachable,
            error: health.error.clone(),
            latency_ms: health.latency_ms,
            gpus_total: capacity.gpus_total,
            gpus_free: capacity.gpus_free,
            queue: capacity.queue,
            version: capacity.version,
            last_seen: health.last_seen.map(|t| t.to_string()),
            needs_login: health.needs_login,
        }
    };
    ClustersAnswer { schema_version: SCHEMA_VERSION, clusters: clusters.iter().map(one).collect() }
}

/// `login`: only clusters that are reached by ssh have one.
pub fn login(cx: &Context<'_>, name: &str) -> Answer {
    let clusters = &cx.config().clusters;
    let Some((_, entry)) = clusters.iter().find(|(id, _)| id.as_str() == name) else {
        let names: Vec<&str> = clusters.keys().map(ClusterId::as_str).collect();
        let report = Report::new(Kind::Usage, format!("no cluster is called `{name}`"));
        return Err(match nearest(name, names.iter().copied()) {
            Some(near) => report.hint(format!("did you mean `{near}`?")),
            None => report.hint(format!("configured are {}", names.join(", "))),
        });
    };
    let id = ClusterId::new(name);
    if let Some(command) = cx.engine.clusters().get(&id).and_then(|cluster| cluster.login()) {
        return log_in(cx, name, command);
    }
    let kind = entry.kind.word();
    let message = match entry.kind {
        ClusterKind::Local => format!("`{name}` is this machine: it needs no login"),
        ClusterKind::Slurm if entry.enabled => {
            format!("`{name}` is reached without ssh: it needs no login")
        }
        _ => format!("a cluster of kind {kind} has no interactive login in this build"),
    };
    Err(Report::new(Kind::Usage, message))
}

/// Hands the terminal to ssh, which asks for what it wants to know and leaves a
/// connection behind that all later calls share.
fn log_in(cx: &Context<'_>, name: &str, mut command: std::process::Command) -> Answer {
    let ended = command.status().map_err(|error| {
        Report::new(Kind::Unreachable, format!("ssh cannot be started: {error}"))
    })?;
    if ended.success() {
        cx.out.say(format!("logged in to {name}"));
        return Ok(0);
    }
    Err(Report::new(Kind::Unreachable, format!("the login to {name} did not succeed"))
        .hint("what ssh said stands above; try the same host with `ssh`"))
}

/// `14 succeeded, 8 running`.
pub fn in_words(counts: impl Iterator<Item = (Status, usize)>) -> String {
    let words: Vec<String> = counts
        .filter(|(_, n)| *n > 0)
        .map(|(status, n)| format!("{n} {}", status.label()))
        .collect();
    if words.is_empty() { "no jobs".into() } else { words.join(", ") }
}

/// A time span in at most two units: `4s`, `11:52`, `3h 10m`, `2d 4h`.
pub fn short(span: SignedDuration) -> String {
    let secs = span.as_secs().max(0);
    match secs {
        0..60 => format!("{secs}s"),
        60..3600 => format!("{}:{:02}", secs / 60, secs % 60),
        3600..86_400 => format!("{}h {:02}m", secs / 3600, secs % 3600 / 60),
        _ => format!("{}d {}h", secs / 86_400, secs % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        for (secs, text) in
            [(-3, "0s"), (4, "4s"), (712, "11:52"), (11_400, "3h 10m"), (187_200, "2d 4h")]
        {
            assert_eq!(short(SignedDuration::from_secs(secs)), text);
        }
    }
}

//! A plan in words: what `plan` prints and what `submit` shows before it asks.

use super::{
    follow::jobs_word,
    out::{Out, Paint, several_lines},
    runs::short,
    table::{self, Cell, number, text},
};
use crate::{
    app::text::{safe, safe_lines},
    cluster::{Payload, Request},
    domain::{
        awake,
        finding::{Finding, Severity},
        plan::{JobAction, Plan},
        plan_json::Estimate,
        shell,
        site::ClusterViews,
    },
    error::{Kind, Report},
};

/// More rows are counted, not shown.
const ROWS: usize = 40;
/// More findings are counted, not shown; `--json` has them all.
const FINDINGS: usize = 200;

/// Where the lines go: to standard output as the answer, or to standard error
/// beside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    Answer,
    People,
}

/// Prints the preview. `file`: the name that findings begin with.
pub fn print(out: &Out, to: To, plan: &Plan, clusters: &ClusterViews, file: &str) {
    let line = |text: &str| match to {
        To::Answer => out.line(text),
        To::People => out.say(text),
    };
    let paint = |paint, text: &str| match to {
        To::Answer => out.paint(paint, text),
        To::People => out.paint_error(paint, text),
    };
    line(&format!(
        "{} · {}",
        paint(Paint::Bold, "DRY RUN · nothing has been submitted"),
        safe(&plan.head.name)
    ));
    if !plan.jobs.is_empty() {
        for text in totals(plan, clusters) {
            line(&format!("  {text}"));
        }
        for text in awake::who(plan, |id| clusters.get(id).map(|view| view.kind)) {
            line(&format!("  who must stay awake: {}", safe(&text)));
        }
        if let Some(text) = awake::waves(plan) {
            line(&format!("  {text}"));
        }
    }
    for finding in plan.findings.iter().take(FINDINGS) {
        let (word, colour) = match finding.severity {
            Severity::Error => ("error", Paint::Bad),
            Severity::Warning => ("warning", Paint::Odd),
        };
        line(&format!("{}{}: {}", place(finding, file), paint(colour, word), words(finding)));
        if let Some(hint) = &finding.hint {
            line(&format!("    hint: {}", several_lines(hint)));
        }
    }
    if let Some(more) = plan.findings.len().checked_sub(FINDINGS).filter(|n| *n > 0) {
        line(&format!("… and {more} more findings; --json lists all"));
    }
    let errors = plan.findings.iter().filter(|f| f.is_error()).count();
    let warnings = plan.findings.len() - errors;
    if !plan.findings.is_empty() {
        line(&format!("{}, {}", count(errors, "error"), count(warnings, "warning")));
    }
    if !plan.jobs.is_empty() {
        line("");
        print_jobs(out, to, plan);
    }
}

/// When clusters expect to start what they would be sent.
pub fn print_estimates(out: &Out, estimates: &[Estimate]) {
    let now = jiff::Timestamp::now();
    for estimate in estimates {
        let jobs = match estimate.jobs.as_slice() {
            [one] => safe(one).into_owned(),
            [first, rest @ ..] => format!("{} and {} more", safe(first), rest.len()),
            [] => continue,
        };
        let ahead = now.duration_until(estimate.starts_at);
        let when = if ahead.as_secs() < 60 {
            "at once".to_owned()
        } else {
            format!("in {}", short(ahead))
        };
        out.line(format!("{}'s estimate: {jobs} would start {when}", estimate.cluster));
    }
}

fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `file:line:column: `, as compilers write it.
fn place(finding: &Finding, file: &str) -> String {
    let file = safe(file);
    match finding.span {
        Some(span) => format!("{file}:{}:{}: ", span.start.line, span.start.column),
        None => format!("{file}: "),
    }
}

fn words(finding: &Finding) -> String {
    let path = finding.path.to_string();
    let message = several_lines(&finding.message);
    let job = finding.job.as_deref().map(|job| format!(" ({})", safe(job))).unwrap_or_default();
    if path.is_empty() {
        format!("{message}{job}")
    } else {
        format!("{}{job}: {message}", safe(&path))
    }
}

/// Jobs and GPUs, in all and by cluster and project.
fn totals(plan: &Plan, clusters: &ClusterViews) -> Vec<String> {
    let totals = &plan.totals;
    let types = totals.by_type.iter().map(|(t, n)| format!("{n} {}", t.word()));
    let mut head = vec![jobs_word(totals.jobs), totals.gpus.in_words()];
    if totals.peak_gpus < totals.gpus {
        head.push(format!("{} at once", totals.peak_gpus));
    }
    head.extend(types);
    let mut lines = vec![head.join(" · ")];
    if !totals.gpus_by_cluster.is_empty() {
        let each = totals.gpus_by_cluster.iter().map(|(name, gpus)| {
            let known =
                clusters.iter().find(|(id, _)| id.as_str() == name).and_then(|(_, view)| {
                    let (_, capacity) = view.capacity.as_ref()?;
                    let free =
                        capacity.gpus_free.map(|n| format!(", {n} free")).unwrap_or_default();
                    Some(format!(" of {}{free}", capacity.gpus_total?))
                });
            format!("{} {}{}", safe(name), gpus.in_words(), known.unwrap_or_default())
        });
        lines.push(format!("clusters: {}", each.collect::<Vec<_>>().join(" · ")));
    }
    if !totals.gpus_by_project.is_empty() {
        let each = totals.gpus_by_project.iter();
        let each: Vec<_> = each.map(|(name, gpus)| format!("{} {gpus}", safe(name))).collect();
        lines.push(format!("projects: {}", each.join(" · ")));
    }
    lines.extend(existing_work(plan));
    // This machine was asked just now.
    let remote = clusters.values().filter(|view| view.remote);
    if let Some(oldest) = remote.filter_map(|view| view.capacity.as_ref().map(|(at, _)| *at)).min()
    {
        let age = short(oldest.duration_until(jiff::Timestamp::now()));
        lines.push(format!("what is free was asked {age} ago; --online asks again"));
    }
    lines
}

/// How many jobs are not simply submitted, and why.
fn existing_work(plan: &Plan) -> Option<String> {
    let (mut attach, mut reuse, mut again) = (0, 0, 0);
    for job in &plan.jobs {
        match job.action {
            JobAction::Submit => {}
            JobAction::Attach { .. } => attach += 1,
            JobAction::Reuse { .. } => reuse += 1,
            JobAction::Resubmit { .. } => again += 1,
        }
    }
    let words = [
        (attach, "attaches to a live one", "attach to live ones"),
        (reuse, "reuses a result", "reuse results"),
        (again, "is sent again after a failure", "are sent again after a failure"),
    ];
    let some: Vec<_> = words
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| format!("{n} {}", if n == 1 { one } else { many }))
        .collect();
    (!some.is_empty()).then(|| format!("existing work: {}", some.join(" · ")))
}

fn print_jobs(out: &Out, to: To, plan: &Plan) {
    let columns = [
        number("#"),
        text("name"),
        text("type"),
        text("cluster"),
        text("project"),
        text("image"),
        number("GPUs"),
        text("action"),
        text("parameters"),
        text("after"),
    ];
    let all_submit = plan.jobs.iter().all(|job| job.action == JobAction::Submit);
    let rows: Vec<Vec<Cell>> = plan
        .jobs
        .iter()
        .enumerate()
        .take(ROWS)
        .map(|(i, job)| {
            let spec = &job.spec;
            let after: Vec<&str> = spec.depends_on.iter().map(|d| d.target.as_str()).collect();
            vec![
                Cell::from((i + 1).to_string()),
                Cell::from(spec.name.as_str()),
                Cell::from(spec.job_type.word()),
                Cell::from(job.goes_to()),
                Cell::from(spec.project.as_deref().unwrap_or_default()),
                Cell::from(spec.image.as_deref().unwrap_or_default()),
                Cell::from(job.total_gpus.to_string()),
                Cell::from(if all_submit { "" } else { job.action.word() }),
                Cell::from(spec.params.to_string()),
                Cell::from(after.join(", ")),
            ]
        })
        .collect();
    table::print_to(out, to, &columns, rows);
    if let Some(more) = plan.jobs.len().checked_sub(ROWS).filter(|n| *n > 0) {
        let text = format!("… and {} more; --json lists all", jobs_word(more));
        match to {
            To::Answer => out.line(text),
            To::People => out.say(text),
        }
    }
}

/// Exactly what would be sent.
pub fn print_requests(out: &Out, requests: &[Request]) -> Result<(), Report> {
    let bug = |e: serde_json::Error| {
        Report::new(Kind::Internal, format!("a request cannot be shown: {e}"))
    };
    for (i, request) in requests.iter().enumerate() {
        out.line("");
        let title = format!(
            "request {} of {} · {} · {}",
            i + 1,
            requests.len(),
            safe(request.cluster.as_str()),
            jobs_word(request.jobs.len())
        );
        out.line(out.paint(Paint::Bold, &title));
        match &request.payload {
            Payload::Http { method, path, body } => {
                out.line(format!("{method} {}", safe(path)));
                block(out, &serde_json::to_string_pretty(body).map_err(bug)?);
            }
            Payload::Command { argv, stdin, files } => {
                let words: Vec<_> = argv.iter().map(|word| shell::quote(word)).collect();
                out.line(format!("$ {}", safe(&words.join(" "))));
                if let Some(stdin) = stdin {
                    out.line("standard input:");
                    block(out, stdin);
                }
                for (name, text) in files {
                    out.line(format!("file {}:", safe(name)));
                    block(out, text);
                }
            }
        }
    }
    Ok(())
}

fn block(out: &Out, text: &str) {
    for line in safe_lines(text) {
        out.line(format!("    {line}"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        ids::{JobIx, RunId},
        job::JobSpec,
        plan::{BatchHead, PlannedJob, Totals},
        resources::Gpus,
    };

    fn plan(actions: Vec<JobAction>) -> Plan {
        let jobs = actions.into_iter().map(|action| PlannedJob {
            spec: Arc::new(JobSpec::named("a")),
            cluster: None,
            may_go: Arc::default(),
            outlook: None,
            action,
            replicas: 1,
            total_gpus: Gpus::ZERO,
            depends_on: Arc::default(),
        });
        Plan {
            head: BatchHead::named("test"),
            jobs: jobs.collect(),
            findings: Vec::new(),
            totals: Totals::default(),
            entries: Vec::new(),
        }
    }

    #[test]
    fn one_job_and_several_have_their_own_words() {
        let (run, job) = (RunId::new("r").unwrap(), JobIx(0));
        let again = JobAction::Resubmit { run: run.clone(), job };
        let reuse = JobAction::Reuse { run, job };
        assert_eq!(existing_work(&plan(vec![JobAction::Submit])), None);
        assert_eq!(
            existing_work(&plan(vec![again.clone(), reuse.clone(), reuse])).unwrap(),
            "existing work: 2 reuse results · 1 is sent again after a failure"
        );
        let both = existing_work(&plan(vec![again.clone(), again])).unwrap();
        assert_eq!(both, "existing work: 2 are sent again after a failure");
    }
}

//! `wait`, `retry`, `cancel`, `send`: commands that work on a run that exists.

use std::time::Duration;

use serde_json::json;

use super::{
    Answer,
    args::{Cancel as CancelArgs, Code as CodeArg, Retry as RetryArgs, SendHeld, Wait as WaitArgs},
    confirm::{self, Consent, Question, needed},
    context::Context,
    follow::{self, End, Interrupts, Wish, jobs_word, live},
    job_table,
    out::several_lines,
    plan::{exit_code, left},
    runs::in_words,
};
use crate::{
    app::text::safe,
    domain::{
        change::changed,
        ids::{JobIx, RunId},
        placement,
        run::{Run, RunJob, Selection, outstanding},
        status::{Cause, Status},
    },
    error::{Kind, Report},
    runtime::{
        answer::{StatusAnswer, SubmitAnswer, WithheldAction, WithheldAnswer},
        engine::Options,
        handle::{Code, Command, Done, RunHandle, Until},
    },
};

/// `wait`.
pub async fn wait(cx: &Context<'_>, args: &WaitArgs) -> Answer {
    let id = cx.engine.resolve_run(&args.run)?;
    let mut interrupts = Interrupts::new()?;
    let background = !args.no_background;
    let options = Options { background, ..Options::conduct(Until::Settled) };
    let mut handle = cx.engine.open(&id, options).await?;
    let wish = Wish { timeout: args.timeout, stop_on_interrupt: false, background, progress: true };
    let (finish, end) = follow::follow(cx.out, &mut handle, &mut interrupts, wish).await?;
    let run = &handle.run;
    let answer = StatusAnswer::of(run, &handle.health, None);
    let stopped_early = match end {
        End::Reached => None,
        End::Interrupted => Some(Report::new(Kind::Interrupted, "interrupted while waiting")),
        End::TimedOut => {
            let text = format!("{} had not ended in time", jobs_word(live(run).len()));
            Some(Report::new(Kind::TimedOut, text))
        }
    };
    if cx.out.json {
        // The table as it stands, with why it is not the last one.
        let mut document = serde_json::to_value(&answer)
            .map_err(|e| Report::new(Kind::Internal, format!("cannot write the answer: {e}")))?;
        if let (Some(report), Some(fields)) = (&stopped_early, document.as_object_mut()) {
            fields.insert("error".into(), json!(report));
        }
        cx.out.document(&document)?;
    } else {
        let counts = Status::ALL.into_iter().map(|s| (s, run.count(s)));
        cx.out.line(format!("run {}: {}", run.id, in_words(counts)));
        if run.has_failures() && end == End::Reached {
            job_table::print(cx.out, run, answer.jobs, jiff::Timestamp::now());
        }
        if let Some(report) = &stopped_early {
            cx.out.say(&report.message);
        }
    }
    left(cx, run, &finish, end);
    Ok(exit_code(run, &finish, end, true))
}

/// The jobs that names stand for; all of them without names.
pub fn named(run: &Run, names: &[String]) -> Result<Option<Vec<JobIx>>, Report> {
    if names.is_empty() {
        return Ok(None);
    }
    run.select(names).map(Some).map_err(|e| {
        let all = run.jobs.iter().flat_map(|job| {
            [Some(job.spec.name.as_str()), job.spec.group.as_deref()].into_iter().flatten()
        });
        let near = e.missing.first().and_then(|name| crate::domain::nearest::nearest(name, all));
        let report = Report::new(Kind::Usage, e.to_string());
        match near {
            Some(near) => report.hint(format!("did you mean `{near}`?")),
            None => report.hint(format!("`jobdeck status {}` lists the jobs", run.id)),
        }
    })
}

fn names(run: &Run, jobs: &[JobIx]) -> Vec<String> {
    jobs.iter().filter_map(|ix| run.job(*ix)).map(|job| job.spec.name.clone()).collect()
}

/// A few names, for a question.
pub(super) fn some_names(run: &Run, jobs: &[JobIx]) -> String {
    const SHOWN: usize = 8;
    let names = names(run, jobs);
    let mut text: Vec<_> = names.iter().take(SHOWN).map(|name| safe(name).into_owned()).collect();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}

/// What a command would do to jobs of a run, as it is put to a person.
pub(super) struct Proposal<'a> {
    /// The command's own word.
    pub(super) action: &'static str,
    /// What needs the confirmation, in words.
    pub(super) what: &'static str,
    pub(super) question: String,
    pub(super) run: &'a Run,
    pub(super) jobs: &'a [JobIx],
    /// Fields that new attempts change.
    pub(super) changes: &'a [(String, String)],
}

impl Proposal<'_> {
    /// Asks, unless `yes` has answered already. `Some`: nobody has confirmed, which
    /// was told, and the command ends with this exit code.
    pub(super) fn withheld(&self, cx: &Context<'_>, yes: bool) -> Result<Option<u8>, Report> {
        let question = Question { text: &self.question, count: None, yes };
        if confirm::ask(cx.out, &question) == Consent::Given {
            return Ok(None);
        }
        let report = needed(self.what);
        if cx.out.json {
            let preview = WithheldAction::of(self.action, self.run, self.jobs, self.changes);
            cx.out.document(&WithheldAnswer::of(&report, preview))?;
            return Ok(Some(report.kind.exit_code()));
        }
        if !confirm::can_ask(cx.out) {
            cx.out.line(&self.question);
        }
        Err(report)
    }
}

/// Opens a run for one command.
pub(super) async fn opened(
    cx: &Context<'_>,
    id: &RunId,
    options: Options,
) -> Result<RunHandle, Report> {
    cx.engine.open(id, Options { until: Until::Told, ..options }).await
}

pub(super) fn told(cx: &Context<'_>, done: &Done) {
    if !done.message.is_empty() {
        cx.out.say(several_lines(&done.message));
    }
    for note in &done.notes {
        cx.out.warn(note);
    }
}

/// Whether the changes can be made, told before anybody is asked. Where there is
/// nothing to retry it is enough that one of the jobs in question could take them.
async fn check_changes(
    cx: &Context<'_>,
    run: &Run,
    selection: &Selection,
    retry: &[JobIx],
    changes: &[(String, String)],
) -> Result<(), Report> {
    if changes.is_empty() {
        return Ok(());
    }
    let views = cx.engine.views_now().await;
    let faults = |ix: JobIx| -> Vec<(String, Option<String>)> {
        let Some(job) = run.job(ix) else { return Vec::new() };
        match changed(job.spec_now(), changes) {
            Err(faults) => faults.into_iter().map(|f| (f.to_string(), f.hint)).collect(),
            Ok(spec) => {
                let config = cx.config();
                let default = config.default_cluster.as_ref();
                placement::refusals(&spec, job.cluster.as_ref(), &config.limits, default, &views)
                    .into_iter()
                    .map(|o| (format!("{}: {}", o.key, o.message), o.hint))
                    .collect()
            }
        }
    };
    let wrong = if retry.is_empty() {
        let all = || (0..).map(JobIx).take(run.jobs.len()).collect();
        let jobs: Vec<JobIx> = selection.jobs.clone().unwrap_or_else(all);
        let first = jobs.first().copied().map(faults).unwrap_or_default();
        if jobs.into_iter().any(|ix| faults(ix).is_empty()) { Vec::new() } else { first }
    } else {
        retry.iter().copied().flat_map(faults).collect()
    };
    let (mut messages, mut hints): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (text, hint) in wrong {
        if !messages.contains(&text) {
            messages.push(text);
            hints.extend(hint);
        }
    }
    if messages.is_empty() {
        return Ok(());
    }
    let mut report = Report::new(Kind::Usage, messages.join("; "));
    report.hints = hints;
    Err(report)
}

/// `retry`.
pub async fn retry(cx: &Context<'_>, args: &RetryArgs) -> Answer {
    let id = cx.engine.resolve_run(&args.run)?;
    let look = cx.engine.look(&id).await?;
    let run = &look.run;
    let selection = Selection {
        jobs: named(run, &args.jobs)?,
        failed: args.failed,
        causes: args.cause.clone(),
    };
    let asked = outstanding(run, &selection);
    check_changes(cx, run, &selection, &asked.retry, &args.changes).await?;
    for (ix, status) in &asked.skipped {
        if let Some(job) = run.job(*ix) {
            let name = safe(&job.spec.name);
            let how = match job.cause {
                Some(cause) if status.is_ended() => format!(" (cause {})", cause.word()),
                _ => String::new(),
            };
            cx.out.warn(&format!("{name} is {}{how}: it is left alone", status.label()));
        }
    }
    if asked.retry.is_empty() {
        cx.out.say(format!("run {id}: nothing to retry"));
        if let Some(hint) = passed_over(run, &selection) {
            cx.out.say(hint);
        }
        if cx.out.json {
            cx.out.document(&SubmitAnswer::of_retry(run, &[]))?;
        }
        return Ok(if asked.skipped.is_empty() { 0 } else { Kind::Usage.exit_code() });
    }
    let changes: Vec<_> =
        args.changes.iter().map(|(field, value)| format!("{field}={value}")).collect();
    let with = if changes.is_empty() {
        String::new()
    } else {
        format!(" with {}", safe(&changes.join(" ")))
    };
    let question = format!(
        "Retry {} of run {id}{with}: {}?",
        jobs_word(asked.retry.len()),
        some_names(run, &asked.retry)
    );
    let proposal = Proposal {
        action: "retry",
        what: "a retry",
        question,
        run,
        jobs: &asked.retry,
        changes: &args.changes,
    };
    if let Some(code) = proposal.withheld(cx, args.yes)? {
        return Ok(code);
    }

    let mut interrupts = Interrupts::new()?;
    cx.out.say(format!("run {id}"));
    let background = !args.no_background;
    let options = Options { background, ..Options::look() };
    let mut handle = opened(cx, &id, options).await?;
    let code = match args.code {
        CodeArg::Original => Code::Original,
        CodeArg::Current => Code::Current,
    };
    let command = Command::Retry { jobs: asked.retry, changes: args.changes.clone(), code };
    let done = handle.commands.ask(command).await?;
    told(cx, &done);
    let until = if args.wait { Until::Settled } else { Until::Sent };
    handle.commands.send(Command::Until(until));
    let wish = Wish { timeout: None, stop_on_interrupt: false, background, progress: true };
    let (finish, end) = follow::follow(cx.out, &mut handle, &mut interrupts, wish).await?;
    let run = &handle.run;
    if cx.out.json {
        cx.out.document(&SubmitAnswer::of_retry(run, &done.jobs))?;
    } else {
        let counts = Status::ALL.into_iter().map(|s| (s, run.count(s)));
        cx.out.line(format!("run {}: {}", run.id, in_words(counts)));
    }
    left(cx, run, &finish, end);
    let mut retried = done.jobs.iter().filter_map(|ix| run.job(*ix));
    let refused = retried.clone().any(|job| job.status == Status::Rejected);
    let ended = retried.all(|job| job.status.is_ended());
    Ok(match exit_code(run, &finish, end, args.wait) {
        // Jobs that were refused earlier are not this command's failure, nor is what
        // was held before.
        1 if !args.wait && !refused => 0,
        1 if args.wait && ended && !run.has_failures() => 0,
        code => code,
    })
}

/// What a retry of «everything that failed» leaves out although it did not succeed.
fn passed_over(run: &Run, selection: &Selection) -> Option<String> {
    let stopped = run.count(Status::Stopped);
    let everything = selection.jobs.is_none() && selection.causes.is_empty();
    let (was, them) = if stopped == 1 { ("was", "it") } else { ("were", "them") };
    (everything && stopped > 0).then(|| {
        format!(
            "{} {was} stopped: name {them}, or take `--cause cancelled`, to run {them} again",
            jobs_word(stopped)
        )
    })
}

/// `cancel`.
pub async fn cancel(cx: &Context<'_>, args: &CancelArgs) -> Answer {
    /// A cluster that takes longer to end its jobs is left to it.
    const PATIENCE: Duration = Duration::from_secs(20);

    let id = cx.engine.resolve_run(&args.jobs.run)?;
    let look = cx.engine.look(&id).await?;
    let jobs = match named(&look.run, &args.jobs.jobs)? {
        Some(jobs) => {
            let open = live(&look.run);
            jobs.into_iter().filter(|ix| open.contains(ix)).collect()
        }
        None => live(&look.run),
    };
    if jobs.is_empty() {
        cx.out.say(format!("run {id}: nothing to cancel, these jobs have ended"));
        return cancelled(cx, &look.run, &[]);
    }
    let question =
        format!("Cancel {} of run {id}: {}?", jobs_word(jobs.len()), some_names(&look.run, &jobs));
    let proposal = Proposal {
        action: "cancel",
        what: "a cancel",
        question,
        run: &look.run,
        jobs: &jobs,
        changes: &[],
    };
    if let Some(code) = proposal.withheld(cx, args.yes)? {
        return Ok(code);
    }
    let mut handle = opened(cx, &id, Options::look()).await?;
    let done = handle
        .commands
        .ask(Command::Cancel { jobs: jobs.clone(), why: args.reason.clone() })
        .await?;
    told(cx, &done);
    let jobs = done.jobs;
    let ended =
        |run: &Run| jobs.iter().filter_map(|ix| run.job(*ix)).all(|job| job.status.is_ended());
    let mut interrupts = Interrupts::new()?;
    let seen = async { while !ended(&handle.run) && handle.next().await.is_some() {} };
    tokio::select! {
        _ = tokio::time::timeout(PATIENCE, seen) => {}
        _ = interrupts.next() => {}
    }
    handle.commands.send(Command::Detach { background: true });
    let finish = handle.finished(|_, _| {}).await?;
    let open: Vec<&RunJob> = jobs
        .iter()
        .filter_map(|ix| handle.run.job(*ix))
        .filter(|job| !job.status.is_ended())
        .collect();
    for (cluster, why) in &finish.unreachable {
        cx.out.warn(&format!("{cluster} does not answer: {why}"));
    }
    let unheard =
        |job: &&RunJob| job.cluster.as_ref().is_some_and(|id| finish.unreachable.contains_key(id));
    let in_vain = !open.is_empty() && open.len() == jobs.len() && open.iter().all(unheard);
    if in_vain {
        cx.out.say("the cancel is handed over when the cluster answers and the run is carried on");
    } else if !open.is_empty() {
        cx.out.say("some are still ending");
    }
    let code = cancelled(cx, &handle.run, &jobs)?;
    Ok(if in_vain { Kind::Unreachable.exit_code() } else { code })
}

fn cancelled(cx: &Context<'_>, run: &Run, jobs: &[JobIx]) -> Answer {
    if cx.out.json {
        let results: Vec<_> = jobs
            .iter()
            .filter_map(|ix| run.job(*ix))
            .map(|job| {
                json!({
                    "name": job.spec.name,
                    "status": job.status.word(),
                    "reason": job.reason,
                })
            })
            .collect();
        cx.out.document(&json!({
            "schema_version": 1,
            "run": run.id,
            "batch": run.head.name,
            "cancelled": jobs.len(),
            "results": results,
        }))?;
    } else {
        let counts = Status::ALL.into_iter().map(|s| (s, run.count(s)));
        cx.out.line(format!("run {}: {}", run.id, in_words(counts)));
    }
    Ok(0)
}

/// What `send` sends: what waits, and what a person stopped from being sent. What was
/// given up for another reason stays given up.
fn sendable(run: &Run) -> Vec<JobIx> {
    let stopped =
        |job: &RunJob| job.status == Status::NotSubmitted && job.cause == Some(Cause::Cancelled);
    let all = (0..).map(JobIx).zip(&run.jobs);
    all.filter(|(_, job)| job.status == Status::Waiting || stopped(job)).map(|(ix, _)| ix).collect()
}

/// `send`.
pub async fn send(cx: &Context<'_>, args: &SendHeld) -> Answer {
    let id = cx.engine.resolve_run(&args.run)?;
    let look = cx.engine.look(&id).await?;
    let run = &look.run;
    let unsent = sendable(run);
    if unsent.is_empty() {
        cx.out.say(format!("run {id}: nothing is left to send"));
        if cx.out.json {
            cx.out.document(&SubmitAnswer::of(run))?;
        }
        return Ok(0);
    }
    let proposal = Proposal {
        action: "send",
        what: "sending",
        question: format!("Send {} of run {id}?", jobs_word(unsent.len())),
        run,
        jobs: &unsent,
        changes: &[],
    };
    if let Some(code) = proposal.withheld(cx, args.yes)? {
        return Ok(code);
    }
    let mut interrupts = Interrupts::new()?;
    cx.out.say(format!("run {id}"));
    let background = !args.no_background;
    let options = Options { background, ..Options::conduct(Until::Told) };
    let mut handle = opened(cx, &id, options).await?;
    let done = handle.commands.ask(Command::Send).await?;
    told(cx, &done);
    handle.commands.send(Command::Until(Until::Sent));
    let wish = Wish { timeout: None, stop_on_interrupt: false, background, progress: true };
    let (finish, end) = follow::follow(cx.out, &mut handle, &mut interrupts, wish).await?;
    if cx.out.json {
        cx.out.document(&SubmitAnswer::of(&handle.run))?;
    } else {
        let counts = Status::ALL.into_iter().map(|s| (s, handle.run.count(s)));
        cx.out.line(format!("run {id}: {}", in_words(counts)));
    }
    left(cx, &handle.run, &finish, end);
    Ok(exit_code(&handle.run, &finish, end, false))
}

//! `plan` and `submit`.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Answer,
    args::{Plan as PlanArgs, Submit as SubmitArgs},
    confirm::{self, Consent, Question},
    context::Context,
    follow::{self, End, Interrupts, Wish, jobs_word, live},
    preview::{self, To},
    runs::in_words,
};
use crate::{
    app::{
        screen::monitor::retry::{Suggestion, suggestions},
        text::safe,
    },
    cluster::Request,
    domain::{
        ids::{JobIx, RunId},
        plan::Plan,
        plan_json::{Estimate, PlanAnswer},
        run::{Run, RunJob},
        status::Status,
    },
    error::{Kind, Report},
    runtime::{
        answer::{RequestAnswer, SubmitAnswer},
        batch_file,
        engine::Options,
        handle::{Finish, Until},
        requests::{self, Asked, Rendering},
    },
    yaml::Source,
};

/// `plan`.
pub async fn plan(cx: &Context<'_>, args: &PlanArgs) -> Answer {
    let file = batch_file::read(&args.batch.file)?;
    if args.online {
        for cluster in cx.engine.check_clusters().await {
            if let Some(error) = &cluster.health.error {
                cx.out.warn(&format!("{} does not answer: {error}", cluster.id));
            }
        }
    }
    let mut plan = batch_file::plan(&cx.engine, &file, args.reuse, args.fresh).await?;
    let Asked { requests, estimates, .. } = if args.requests || args.online {
        rendered(cx, &mut plan, args.online).await
    } else {
        Asked::default()
    };
    let code = if plan.is_ok() { 0 } else { Kind::Batch.exit_code() };
    let requests = args.requests.then_some(requests.as_slice());
    answer(cx, &plan, &file, requests, args.online.then_some(estimates))?;
    Ok(code)
}

/// What would be sent; what a cluster cannot express joins the findings, and where they
/// are asked, what clusters say to it.
async fn rendered(cx: &Context<'_>, plan: &mut Plan, online: bool) -> Asked {
    let asked = if online {
        requests::ask(plan, &cx.engine).await
    } else {
        let Rendering { requests, findings } =
            requests::render(plan, &cx.engine, |id| cx.engine.facts(id));
        Asked { requests, findings: requests::news(&plan.findings, findings), ..Asked::default() }
    };
    plan.findings.extend(asked.findings.iter().cloned());
    asked.troubles.iter().for_each(|trouble| cx.out.warn(trouble));
    asked
}

/// The plan as the answer.
fn answer(
    cx: &Context<'_>,
    plan: &Plan,
    file: &Source,
    requests: Option<&[Request]>,
    estimates: Option<Vec<Estimate>>,
) -> Result<(), Report> {
    if cx.out.json {
        let requests = requests.map(|all| all.iter().map(RequestAnswer::from).collect());
        return cx.out.document(&PlanAnswer::new(plan, Some(&file.file), requests, estimates));
    }
    preview::print(cx.out, To::Answer, plan, &cx.engine.views(), &file.file);
    preview::print_estimates(cx.out, &estimates.unwrap_or_default());
    if let Some(requests) = requests {
        preview::print_requests(cx.out, requests)?;
    }
    Ok(())
}

/// `submit`.
pub async fn submit(cx: &Context<'_>, args: &SubmitArgs) -> Answer {
    let run = match &args.run_id {
        Some(text) => RunId::new(text).map_err(|e| {
            let hint = match text.as_str() {
                "last" => "choose another: `last` stands for the newest run",
                _ => "use letters, digits, `-`, `_` and `.`",
            };
            Report::new(Kind::Usage, e.to_string()).hint(hint)
        })?,
        None => RunId::from_entropy(fastrand::u64(..)),
    };
    let file = batch_file::read(&args.batch.file)?;
    let plan = batch_file::plan(&cx.engine, &file, args.reuse, args.fresh).await?;
    if !plan.is_ok() || plan.jobs.is_empty() {
        answer(cx, &plan, &file, None, None)?;
        return Ok(Kind::Batch.exit_code());
    }
    if plan.head.dry_run {
        answer(cx, &plan, &file, None, None)?;
        cx.out.say("the file says `dry_run: true`: nothing was sent; remove that line to submit");
        return Ok(Kind::Confirmation.exit_code());
    }
    if consent(cx, args, &plan, &file) == Consent::Withheld {
        if cx.out.json || !confirm::can_ask(cx.out) {
            answer(cx, &plan, &file, None, None)?;
            cx.out.say("nothing was sent: confirm with --yes");
        }
        return Ok(Kind::Confirmation.exit_code());
    }
    let mut interrupts = Interrupts::new()?;
    let approved = plan
        .approve(run, Timestamp::now())
        .map_err(|_| Report::new(Kind::Internal, "a plan without errors was not approved"))?;
    let until = if args.wait { Until::Settled } else { Until::Sent };
    let background = !args.no_background;
    let options = Options { background, ..Options::conduct(until) };
    let mut handle = cx.engine.start(approved, options).await?;
    cx.out.say(format!("run {}", handle.run.id));
    let wish = Wish {
        timeout: None,
        stop_on_interrupt: args.stop_on_interrupt,
        background,
        progress: true,
    };
    let before = live(&handle.run);
    let (finish, end) = follow::follow(cx.out, &mut handle, &mut interrupts, wish).await?;
    let run = &handle.run;
    if cx.out.json {
        cx.out.document(&SubmitAnswer::of(run))?;
    } else {
        sent(cx, run, args.wait && end == End::Reached);
    }
    if end != End::Reached && args.stop_on_interrupt {
        stopped(cx, run, &before);
    }
    left(cx, run, &finish, end);
    Ok(exit_code(run, &finish, end, args.wait))
}

/// Shows the preview and asks, where a person can be asked.
fn consent(cx: &Context<'_>, args: &SubmitArgs, plan: &Plan, file: &Source) -> Consent {
    if args.yes {
        return Consent::Given;
    }
    if !confirm::can_ask(cx.out) || args.batch.file.as_os_str() == "-" {
        return Consent::Withheld;
    }
    if question_spared(cx, plan) {
        return Consent::Given;
    }
    let to = if cx.out.json { To::People } else { To::Answer };
    preview::print(cx.out, to, plan, &cx.engine.views(), &file.file);
    let ui = &cx.config().ui;
    let jobs = plan.jobs.iter().filter(|job| job.action.sends()).count();
    let gpus = plan.totals.gpus;
    let large = jobs as u64 > ui.confirm_jobs || gpus.ceil() > ui.confirm_gpus;
    let clusters: BTreeSet<&str> =
        plan.jobs.iter().map(|j| j.cluster.as_ref().map_or("auto", |c| c.as_str())).collect();
    let clusters: Vec<_> = clusters.into_iter().map(safe).collect();
    let text =
        format!("Submit {} · {} · to {}?", jobs_word(jobs), gpus.in_words(), clusters.join(", "));
    confirm::ask(cx.out, &Question { text: &text, count: large.then_some(jobs), yes: false })
}

/// Both settings are off, for every cluster the batch goes to.
fn question_spared(cx: &Context<'_>, plan: &Plan) -> bool {
    let config = cx.config();
    plan.jobs.iter().all(|job| {
        let own = job.cluster.as_ref().and_then(|id| config.clusters.get(id)).map(|c| &c.limits);
        let off = |of: fn(&crate::domain::site::Limits) -> Option<bool>| {
            own.and_then(of).or_else(|| of(&config.limits)) == Some(false)
        };
        off(|limits| limits.require_confirmation) && off(|limits| limits.dry_run_default)
    })
}

/// What became of the jobs, for people.
fn sent(cx: &Context<'_>, run: &Run, ended: bool) {
    let counts = Status::ALL.into_iter().map(|s| (s, run.count(s)));
    cx.out.line(format!("run {}: {}", run.id, in_words(counts)));
    let faults = run.jobs.iter().filter(|job| job.status.is_failure());
    for job in faults.clone().take(20) {
        let why = job.reason.as_deref().unwrap_or_default();
        let name = safe(&job.spec.name);
        let word = cx.out.paint(super::out::Paint::of(job.status), job.status.label());
        cx.out.line(format!("  {} {word} {name}: {}", job.status.symbol(), safe(why)));
    }
    if let Some(more) = faults.count().checked_sub(20).filter(|n| *n > 0) {
        cx.out.line(format!("  … and {more} more"));
    }
    if ended && run.has_failures() {
        cx.out.line(format!("read why: jobdeck logs {} --failed --stderr", run.id));
        cx.out.line(format!("try again: jobdeck retry {} --failed", run.id));
        let all: Vec<JobIx> = (0..).map(JobIx).take(run.jobs.len()).collect();
        for Suggestion { cause, change, why } in suggestions(run, &all) {
            let cause = cause.word();
            cx.out.line(format!("  {why}: --cause {cause} --set {change}"));
        }
    } else if !ended {
        cx.out.line(format!("follow it: jobdeck status {}", run.id));
    }
}

/// Who carries on what is left.
pub fn left(cx: &Context<'_>, run: &Run, finish: &Finish, end: End) {
    let out = cx.out;
    for (cluster, why) in &finish.unreachable {
        out.warn(&format!("{cluster} does not answer: {why}"));
    }
    if end != End::Reached {
        going_on(cx, run);
    }
    if finish.unsent > 0 {
        match (&finish.held, &finish.successor) {
            (_, Some(who)) => out.say(format!(
                "{} still to be sent: {} carries on",
                jobs_word(finish.unsent),
                safe(&who.in_words())
            )),
            (Some(why), None) => out.say(format!(
                "{} never sent, held: {}; `jobdeck send {}` goes on",
                jobs_word(finish.unsent),
                safe(why),
                run.id
            )),
            (None, None) => out.say(format!("{} still to be sent", jobs_word(finish.unsent))),
        }
    }
}

/// What runs on after the command has left.
fn going_on(cx: &Context<'_>, run: &Run) {
    let is_sent = |job: &&RunJob| !job.status.is_ended() && job.status != Status::Waiting;
    let (ending, going): (Vec<&RunJob>, Vec<&RunJob>) =
        run.jobs.iter().filter(is_sent).partition(|job| job.cancel_asked);
    let id = &run.id;
    match ending.len() {
        0 => {}
        1 => cx.out.say(format!("1 job is ending; `jobdeck wait {id}` waits for its end")),
        n => cx.out.say(format!("{n} jobs are ending; `jobdeck wait {id}` waits for their end")),
    }
    match going.len() {
        0 => {}
        1 => cx.out.say(format!("1 job goes on; `jobdeck wait {id}` waits for it")),
        n => cx.out.say(format!("{n} jobs go on; `jobdeck wait {id}` waits for them")),
    }
}

/// What became of the jobs that an interrupt was to stop.
fn stopped(cx: &Context<'_>, run: &Run, meant: &[JobIx]) {
    let rows: Vec<&RunJob> = meant.iter().filter_map(|ix| run.job(*ix)).collect();
    let count = |is: fn(&RunJob) -> bool| rows.iter().filter(|job| is(job)).count();
    let mut parts = vec![format!("stopped {}", jobs_word(count(|j| j.status == Status::Stopped)))];
    let asked = count(|j| !j.status.is_ended() && j.cancel_asked);
    if asked > 0 {
        parts.push(format!("{asked} asked to stop and not ended yet"));
    }
    let before = count(|j| j.status.is_ended() && j.status != Status::Stopped);
    if before > 0 {
        parts.push(format!("{before} had ended before"));
    }
    cx.out.say(parts.join("; "));
}

/// The contract's exit code for a run that was followed.
pub fn exit_code(run: &Run, finish: &Finish, end: End, waited: bool) -> u8 {
    match end {
        End::Interrupted => Kind::Interrupted.exit_code(),
        End::TimedOut => Kind::TimedOut.exit_code(),
        // What is held was waited for in vain: it has not succeeded either.
        End::Reached if waited && (run.has_failures() || !finish.settled) => 1,
        End::Reached if run.count(Status::Rejected) > 0 => 1,
        End::Reached => {
            let nothing_sent = run.unsent() == run.jobs.len();
            if nothing_sent && !finish.unreachable.is_empty() {
                Kind::Unreachable.exit_code()
            } else {
                0
            }
        }
    }
}

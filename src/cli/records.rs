//! `clean` and `export`: what is kept of runs.

use jiff::SignedDuration;
use serde_json::json;

use super::{
    Answer,
    args::{Clean as CleanArgs, Export as ExportArgs},
    confirm::{self, Consent, Question, needed},
    context::Context,
    follow::jobs_word,
    table::{self, Cell, number, text},
};
use crate::{
    app::text::safe,
    error::{Kind, Report},
    runtime::engine::{CleanPlan, Cleaning, Removal},
};

/// `clean`.
pub async fn clean(cx: &Context<'_>, args: &CleanArgs) -> Answer {
    let what = match (&args.run, args.older) {
        (Some(run), _) => Cleaning::Run(cx.engine.resolve_run(run)?),
        (None, Some(age)) => Cleaning::Older(
            SignedDuration::try_from(age)
                .map_err(|e| Report::new(Kind::Usage, format!("--older: {e}")))?,
        ),
        (None, None) => return Err(Report::new(Kind::Usage, "name a run or an age")),
    };
    let plan = cx.engine.clean_preview(&what, args.remote).await?;
    let refused = matches!(what, Cleaning::Run(_)) && plan.runs.is_empty();
    if refused && let Some((run, why)) = plan.kept.first() {
        return Err(Report::new(Kind::Usage, format!("run {run} stays: {why}"))
            .hint(format!("end it first: `jobdeck cancel {run}`")));
    }
    if plan.runs.is_empty() {
        cx.out.say("nothing to remove");
        return answer(cx, &plan, true);
    }
    let bytes: u64 = plan.runs.iter().map(|gone| gone.bytes).sum();
    let question = format!(
        "Remove {} with records and logs ({}){}?",
        if plan.runs.len() == 1 { "1 run".into() } else { format!("{} runs", plan.runs.len()) },
        amount(bytes),
        if plan.remote { ", and what the clusters keep of them" } else { "" },
    );
    for (gone, user) in plan.runs.iter().flat_map(|r| r.used_by.iter().map(move |u| (r, u))) {
        let gone = &gone.run.run;
        cx.out.warn(&format!("run {user} uses results of {gone}: their logs go with it"));
    }
    if !args.yes {
        if cx.out.json && !confirm::can_ask(cx.out) {
            answer(cx, &plan, false)?;
            return Ok(Kind::Confirmation.exit_code());
        }
        if !cx.out.json {
            print(cx, &plan);
        }
    }
    let asked = Question { text: &question, count: None, yes: args.yes };
    if confirm::ask(cx.out, &asked) == Consent::Withheld {
        return Err(needed("removing runs"));
    }
    let removed = cx.engine.clean(&plan).await?;
    answer(cx, &removed, true)
}

fn print(cx: &Context<'_>, plan: &CleanPlan) {
    let columns = [text("run"), text("batch"), number("jobs"), number("size")];
    let rows: Vec<Vec<Cell>> = plan
        .runs
        .iter()
        .map(|Removal { run, bytes, .. }| {
            vec![
                Cell::from(run.run.to_string()),
                Cell::from(run.batch.clone()),
                Cell::from(run.counts.values().sum::<usize>().to_string()),
                Cell::from(amount(*bytes)),
            ]
        })
        .collect();
    table::print(cx.out, &columns, rows);
    for (run, why) in &plan.kept {
        cx.out.line(format!("{run} stays: {}", safe(why)));
    }
}

fn answer(cx: &Context<'_>, plan: &CleanPlan, removed: bool) -> Answer {
    if cx.out.json {
        let run = |gone: &Removal| {
            json!({
                "run": gone.run.run,
                "batch": gone.run.batch,
                "bytes": gone.bytes,
                "used_by": gone.used_by,
            })
        };
        let kept: Vec<_> =
            plan.kept.iter().map(|(run, why)| json!({ "run": run, "reason": why })).collect();
        cx.out.document(&json!({
            "schema_version": 1,
            "removed": removed,
            "remote": plan.remote,
            "runs": plan.runs.iter().map(run).collect::<Vec<_>>(),
            "kept": kept,
        }))?;
    } else if removed {
        for Removal { run, bytes, .. } in &plan.runs {
            let jobs = jobs_word(run.counts.values().sum());
            cx.out.line(format!(
                "removed {} ({}, {jobs}, {})",
                run.run,
                safe(&run.batch),
                amount(*bytes)
            ));
        }
        for (run, why) in &plan.kept {
            cx.out.say(format!("{run} stays: {}", safe(why)));
        }
    }
    Ok(0)
}

/// `12 KiB`, one unit, rounded up.
pub fn amount(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes;
    let mut unit = 0;
    while size >= 1024 * 10 && unit + 1 < UNITS.len() {
        size = size.div_ceil(1024);
        unit += 1;
    }
    format!("{size} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// `export`.
pub async fn export(cx: &Context<'_>, args: &ExportArgs) -> Answer {
    let run = cx.engine.resolve_run(&args.run)?;
    let text = cx.engine.export(&run).await?;
    if cx.out.json {
        cx.out.document(&json!({ "schema_version": 1, "run": run, "batch_file": text }))?;
    } else {
        cx.out.bytes(text.as_bytes());
    }
    Ok(0)
}

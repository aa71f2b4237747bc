//! From what a cluster says to records: only changes are records.
//!
//! Shared by the conductor and by a mere look.

use std::{collections::HashMap, sync::Arc};

use crate::{
    cluster::{Observed, Sought, Watched},
    domain::{
        ids::{JobIx, JobKey},
        run::{Attempt, JobFacts, Record, Run, RunJob},
        status::{Cause, Status},
    },
};

/// What to ask a cluster about one row: its newest attempt, as the cluster knows
/// it. `None` when there is nothing to ask.
pub(crate) fn watched(run: &Run, ix: JobIx) -> Option<Watched> {
    let row = run.job(ix)?;
    let last = row.attempt()?;
    Some(Watched {
        key: run.key(ix, last.number),
        remote_id: last.remote_id.clone(),
        log_path: last.log_path.clone(),
        starts: row.starts(last),
    })
}

/// What to look for when it is not known whether a cluster has an attempt.
pub(crate) fn sought(run: &Run, ix: JobIx, attempt: u32) -> Option<Sought> {
    let row = run.job(ix)?;
    let sent = row.attempts.iter().find(|a| a.number == attempt)?;
    Some(Sought {
        key: run.key(ix, attempt),
        spec: Arc::clone(row.spec_now()),
        sent_at: sent.submitted_at,
    })
}

/// The cluster has taken it, so a poll can tell of it. `lost` ones are asked
/// about as well: they may turn up again.
pub(crate) fn is_observable(row: &RunJob) -> bool {
    matches!(row.status, Status::Pending | Status::Running | Status::Lost)
        && row.attempt().is_some_and(|a| a.remote_id.is_some())
}

/// The keys that a poll was about, with the rows they stand for.
pub(crate) type Asked = HashMap<JobKey, JobIx>;

/// The records that an answer amounts to. `absent_looks`: how often the cluster
/// must say that it does not know a job before it is lost.
pub(crate) fn records(
    run: &Run,
    asked: &Asked,
    answer: &[Observed],
    absent_looks: u32,
) -> Vec<Record> {
    let mut records = Vec::new();
    for observed in answer {
        let Some(ix) = asked.get(&observed.key) else { continue };
        let Some(row) = run.job(*ix) else { continue };
        let Some(last) = row.attempt() else { continue };
        // Asked about an attempt that is not the newest any more.
        if run.key(*ix, last.number) != observed.key {
            continue;
        }
        match &observed.facts {
            Some(facts) => {
                if row.status.is_ended() && row.status != Status::Lost {
                    continue;
                }
                if is_news(row, last, facts) {
                    records.push(Record::Observed {
                        job: *ix,
                        attempt: last.sent_as,
                        facts: facts.clone(),
                    });
                }
            }
            None if matches!(row.status, Status::Pending | Status::Running) => {
                records.push(absent(*ix, row, last, absent_looks));
            }
            None => {}
        }
    }
    records
}

/// A job that was cancelled before it started may leave no trace at all (a task of
/// a Slurm array does not): that it is gone is the end that was asked for.
fn absent(ix: JobIx, row: &RunJob, last: &Attempt, absent_looks: u32) -> Record {
    let looks = last.absent_looks + 1;
    if looks < absent_looks.max(1) {
        return Record::LookedUp { job: ix, attempt: last.number, absent_looks: looks };
    }
    let (status, cause, reason) = if row.cancel_asked && row.status == Status::Pending {
        (Status::Stopped, Cause::Cancelled, "cancelled before it started")
    } else {
        (Status::Lost, Cause::Lost, "the cluster does not know it any more")
    };
    let mut facts = JobFacts::of(status);
    facts.cause = Some(cause);
    facts.reason = Some(reason.to_owned());
    Record::Observed { job: ix, attempt: last.sent_as, facts }
}

fn differs(known: Option<&Arc<str>>, told: Option<&String>) -> bool {
    told.is_some_and(|told| known.is_none_or(|known| **known != **told))
}

pub(super) fn is_news(row: &RunJob, last: &Attempt, facts: &JobFacts) -> bool {
    last.status != facts.status
        || last.cause != facts.cause
        || last.reason.as_deref() != facts.reason.as_deref()
        || (facts.status == Status::Pending && row.blocked != facts.blocked)
        || last.absent_looks > 0
        || facts.restarts >= row.starts(last)
        || differs(last.node.as_ref(), facts.node.as_ref())
        || differs(last.url.as_ref(), facts.url.as_ref())
        || differs(last.error.as_ref(), facts.error.as_ref())
        || (facts.exit_code.is_some() && last.exit_code != facts.exit_code)
        || (facts.signal.is_some() && last.signal != facts.signal)
        || (facts.started_at.is_some() && last.started_at != facts.started_at)
        || (facts.finished_at.is_some() && last.finished_at != facts.finished_at)
}

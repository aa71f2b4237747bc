//! What the files of a job say, in the words that all clusters share. Pure.

use jiff::Timestamp;

use super::{
    state::State,
    wire::{End, Head},
};
use crate::domain::{
    run::JobFacts,
    status::{Cause, Status},
};

/// A job in the queue.
pub fn queued(reason: &str, blocked: bool) -> JobFacts {
    JobFacts { reason: Some(reason.to_owned()), blocked, ..JobFacts::of(Status::Pending) }
}

/// A job that has been claimed, or has ended.
pub fn facts(state: &State) -> JobFacts {
    let claim = state.head.claim.as_ref();
    let base = JobFacts {
        node: claim.map(|c| c.supervisor.host.clone()),
        started_at: claim.map(|c| c.started_at),
        ..JobFacts::of(Status::Running)
    };
    match &state.end {
        None => JobFacts { reason: Some(running_on(&state.head)), ..base },
        Some(end) => ended(end, base),
    }
}

fn ended(end: &End, base: JobFacts) -> JobFacts {
    JobFacts {
        status: end.status,
        cause: end.cause,
        reason: Some(end.reason.clone()),
        exit_code: end.exit_code,
        signal: end.signal,
        error: end.error.clone(),
        finished_at: Some(end.finished_at),
        ..base
    }
}

/// `on GPU 0, 1`, as it stands beside «running».
fn running_on(head: &Head) -> String {
    let mut devices: Vec<&str> =
        head.claim.iter().flat_map(|c| c.shares.iter().flatten()).map(|s| &*s.slot).collect();
    devices.dedup();
    if devices.is_empty() {
        "on this machine".into()
    } else {
        format!("on GPU {}", devices.join(", "))
    }
}

/// The end of a job that nobody started.
pub fn never_started(cause: Cause, reason: String, at: Timestamp) -> End {
    let status = match cause {
        Cause::Cancelled => Status::Stopped,
        Cause::Dependency => Status::NotSubmitted,
        _ => Status::Failed,
    };
    without_exit(status, cause, reason, at)
}

/// The end of a job whose supervisor is gone.
pub fn abandoned(reason: String, at: Timestamp) -> End {
    without_exit(Status::Failed, Cause::Node, reason, at)
}

fn without_exit(status: Status, cause: Cause, reason: String, at: Timestamp) -> End {
    End {
        status,
        cause: Some(cause),
        reason,
        exit_code: None,
        signal: None,
        error: None,
        finished_at: at,
    }
}

//! Jobs that others depend on, and jobs whose supervisor is gone.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    super::{
        index::Standing,
        map, processes,
        queue::Root,
        state::{self, State, StateFile},
        wake,
        wire::End,
    },
    SUPERVISOR, complain,
};
use crate::{
    domain::{
        ids::JobKey,
        status::{Cause, Status},
    },
    procs,
};

/// How a job that another one depends on stands, by what is on disk.
pub fn standing(root: &Root, key: &JobKey) -> Standing {
    match state::read(&root.state(key)) {
        Ok(Some(State { head, end: Some(end), .. })) => match end.status {
            Status::Succeeded => Standing::Succeeded,
            status => Standing::Ended(format!("{} {}", head.name, ended_word(status))),
        },
        Ok(Some(_)) => Standing::Live,
        _ if root.job(key).exists() => Standing::Live,
        _ => Standing::Unknown,
    }
}

fn ended_word(status: Status) -> &'static str {
    match status {
        Status::Stopped => "was stopped",
        Status::NotSubmitted => "was not started",
        _ => "failed",
    }
}

/// Ends what is left of a job whose supervisor is gone, then writes how it ended.
/// Takes as long as the grace period, on a thread of its own; the slots stay taken
/// until then.
pub(super) fn bury(root: &Root, state: State, grace: Duration) {
    let root = root.clone();
    std::thread::spawn(move || {
        let key = state.head.key.clone();
        let same_boot =
            state.head.claim.as_ref().is_some_and(|c| c.supervisor.boot == procs::boot_id());
        let reason = if !same_boot {
            "the machine was restarted while it ran"
        } else if processes::end_orphans(&root.job(&key), &state.leaders.leaders, grace) {
            "its supervisor was killed; what was left of the job has been ended"
        } else {
            "its supervisor was killed"
        };
        let cancelled = root.cancel(&key).exists();
        let end = if cancelled {
            map::never_started(Cause::Cancelled, "cancelled".into(), Timestamp::now())
        } else {
            map::abandoned(reason.into(), Timestamp::now())
        };
        record_end(&root, &state, &end);
        root.announce(&key);
        wake::ring(&root.wake(), SUPERVISOR);
    });
}

fn record_end(root: &Root, state: &State, end: &End) {
    let replicas = state.head.claim.as_ref().map_or(1, |c| c.shares.len().max(1));
    let written = StateFile::open(&root.state(&state.head.key), &state.head, replicas as u32)
        .and_then(|file| file.write_end(end));
    if let Err(error) = written {
        complain(root, &error);
    }
}

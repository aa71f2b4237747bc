//! Slurm's states and reasons in our words; pure.

use crate::domain::status::{Cause, Status};

/// What a state means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub status: Status,
    pub cause: Option<Cause>,
    /// Told beside the status where the status alone says too little.
    pub words: Option<&'static str>,
}

/// Reads a state as `squeue` and `sacct` write it: `RUNNING`, `CANCELLED by 1000`,
/// `CANCELLED+`. `None`: a state this build does not know; nothing is concluded.
pub fn meaning(state: &str) -> Option<Meaning> {
    use Cause::{Cancelled, Exit, Node, Oom, Preempted, Timeout};
    use Status::{Failed, Pending, Running, Stopped, Succeeded};
    let word = state.split_whitespace().next()?.trim_end_matches('+');
    let (status, cause, words) = match word {
        "PENDING" => (Pending, None, None),
        "REQUEUED" | "REQUEUE_FED" => (Pending, None, Some("requeued, waits to start again")),
        "REQUEUE_HOLD" | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => {
            (Pending, None, Some("requeued and held"))
        }
        "RUNNING" | "RESIZING" => (Running, None, None),
        "CONFIGURING" => (Running, None, Some("its nodes are being prepared")),
        "COMPLETING" | "SIGNALING" | "STAGE_OUT" => (Running, None, Some("ending")),
        "SUSPENDED" | "STOPPED" => (Pending, None, Some("suspended on the cluster")),
        "COMPLETED" => (Succeeded, None, None),
        "FAILED" => (Failed, Some(Exit), None),
        "TIMEOUT" => (Failed, Some(Timeout), Some("ran into its time limit")),
        "DEADLINE" => (Failed, Some(Timeout), Some("its deadline has passed")),
        "OUT_OF_MEMORY" => (Failed, Some(Oom), Some("used more memory than it asked for")),
        "NODE_FAIL" => (Failed, Some(Node), Some("its node failed")),
        "BOOT_FAIL" => (Failed, Some(Node), Some("its node did not start")),
        "LAUNCH_FAILED" => (Failed, Some(Cause::Launch), Some("could not be launched")),
        "RECONFIG_FAIL" => (Failed, Some(Node), Some("its node could not be set up")),
        "PREEMPTED" => (Failed, Some(Preempted), Some("preempted by another job")),
        "CANCELLED" => (Stopped, Some(Cancelled), None),
        _ => return None,
    };
    Some(Meaning { status, cause, words })
}

/// Ended by Slurm's own word.
pub fn is_final(state: &str) -> bool {
    meaning(state).is_some_and(|m| m.status.is_ended())
}

/// Why a start of a job was over that Slurm may have followed by another one;
/// `None`: it is not over.
pub fn start_over(state: &str) -> Option<Cause> {
    let meaning = meaning(state)?;
    // Started again because somebody asked for it, or because a site's rules did.
    let requeued = state.starts_with("REQUEUE");
    (requeued || meaning.status.is_ended()).then(|| meaning.cause.unwrap_or(Cause::Other))
}

/// Why a pending job waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub words: String,
    /// It will not start by itself; the words say what to do.
    pub blocked: bool,
}

fn waiting(words: impl Into<String>, blocked: bool) -> Waiting {
    Waiting { words: words.into(), blocked }
}

/// `squeue`'s reason of a pending job in plain words. The code stays in brackets,
/// since that is what a site's documentation and its staff speak of.
pub fn why(reason: &str) -> Option<Waiting> {
    let reason = reason.trim();
    let code = reason.split([',', '(']).next().unwrap_or_default().trim();
    let (words, blocked) = match code {
        "" | "None" | "N/A" => return None,
        "Priority" => ("other jobs go first", false),
        "Resources" => ("waits for nodes to become free", false),
        "Dependency" => ("waits for the jobs it depends on", false),
        "DependencyNeverSatisfied" => {
            ("a job it depends on did not succeed: cancel it, or retry that job", true)
        }
        "BeginTime" => ("waits for its start time", false),
        "JobArrayTaskLimit" => ("waits for `max_concurrent`", false),
        "Licenses" => ("waits for a licence", false),
        "Reservation" => ("waits for its reservation", false),
        "PartitionDown" | "PartitionInactive" => ("its partition takes no jobs now", false),
        "ReqNodeNotAvail" | "Nodes required for job are DOWN" => {
            ("the nodes it needs are not available", false)
        }
        "Cleaning" => ("is being cleaned up after its last start", false),
        "JobHeldUser" => ("held: release it", true),
        "JobHeldAdmin" => ("held by an administrator, who alone can release it", true),
        "launch failed requeued held" => {
            ("its launch failed and Slurm holds it: release it, or ask the site", true)
        }
        "job requeued in held state" => ("requeued and held: release it", true),
        "PartitionTimeLimit" => ("asks for more time than its partition allows", true),
        "PartitionNodeLimit" => ("asks for more nodes than its partition allows", true),
        "PartitionConfig" => ("its partition cannot run it as it is asked for", true),
        "BadConstraints" => ("no node meets its constraints", true),
        "InvalidAccount" => ("its account is not valid", true),
        "InvalidQOS" => ("its QOS is not valid", true),
        "AccountNotAllowed" => ("its account may not use this partition", true),
        "QOSNotAllowed" => ("its QOS may not be used here", true),
        code if code.contains("PerJob") => ("asks for more than one job may have", true),
        code if code.starts_with("Assoc") => ("waits for the account's limit", false),
        code if code.starts_with("QOS") => ("waits for the QOS's limit", false),
        _ => return Some(waiting(reason, false)),
    };
    let code = if code.contains(' ') { None } else { Some(reason) };
    Some(match code {
        Some(code) => waiting(format!("{words} ({code})"), blocked),
        None => waiting(words, blocked),
    })
}

/// How a job ended, from Slurm's number pair or the raw wait status of an older
/// `squeue`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Ending {
    pub fn words(self) -> Option<String> {
        match (self.code, self.signal) {
            (_, Some(signal)) => Some(format!("ended by signal {signal}")),
            (Some(code), None) => Some(format!("exit code {code}")),
            (None, None) => None,
        }
    }
}

/// Reads `squeue -O exit_code`: `137:0` from new versions, the status as `wait`
/// returns it (`35072`) from those before 23.
pub fn ending(text: &str) -> Ending {
    if let Some((code, signal)) = text.trim().split_once(':') {
        let signal = signal.parse().ok().filter(|s| *s != 0);
        // With a signal the code says nothing.
        let code = code.parse().ok().filter(|_| signal.is_none());
        return Ending { code, signal };
    }
    match text.trim().parse::<i32>() {
        Ok(status) if status.trailing_zeros() >= 7 => {
            Ending { code: Some((status >> 8) & 0xff), signal: None }
        }
        Ok(status) => Ending { code: None, signal: Some(status & 0x7f) },
        Err(_) => Ending::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_in_every_form() {
        let status = |text| meaning(text).map(|m| m.status);
        assert_eq!(status("CANCELLED by 1001"), Some(Status::Stopped));
        assert_eq!(status("CANCELLED+"), Some(Status::Stopped));
        assert_eq!(status("COMPLETING"), Some(Status::Running));
        assert_eq!(status("SOMETHING_NEW"), None);
        assert_eq!(status(""), None);
        assert_eq!(meaning("NODE_FAIL").and_then(|m| m.cause), Some(Cause::Node));
        assert!(is_final("TIMEOUT") && !is_final("COMPLETING") && !is_final("REQUEUED"));
    }

    #[test]
    fn what_will_never_start_is_blocked() {
        for code in
            ["JobHeldUser", "PartitionTimeLimit", "QOSMaxGRESPerJob", "DependencyNeverSatisfied"]
        {
            assert!(why(code).unwrap().blocked, "{code}");
        }
        for code in ["Priority", "JobArrayTaskLimit", "QOSMaxGRESPerUser", "AssocGrpGRES", "News"] {
            assert!(!why(code).unwrap().blocked, "{code}");
        }
        // Commas and spaces are a part of it.
        let words = why("ReqNodeNotAvail, UnavailableNodes:gpu2").unwrap().words;
        assert!(words.ends_with("(ReqNodeNotAvail, UnavailableNodes:gpu2)"), "{words}");
        assert!(why("launch failed requeued held").unwrap().blocked);
        assert_eq!(why("None"), None);
    }

    #[test]
    fn exit_codes_above_127_are_right_in_both_forms() {
        let ending_of = |text| (ending(text).code, ending(text).signal);
        assert_eq!(ending_of("35072"), (Some(137), None));
        assert_eq!(ending_of("1792"), (Some(7), None));
        assert_eq!(ending_of("9"), (None, Some(9)));
        assert_eq!(ending_of("137:0"), (Some(137), None));
        assert_eq!(ending_of("0:15"), (None, Some(15)));
        assert_eq!(ending_of("N/A"), (None, None));
    }
}

//! Reading `squeue` and `sacct`; pure. Both are asked for text: their JSON differs
//! between versions and is a hundred times larger. Names of jobs may hold anything,
//! lines that look like answers too, so fields end with a word drawn for each call
//! ([`Separator`]) and not with the end of a line.

use std::{collections::HashMap, fmt::Write as _};

use jiff::Timestamp;

use super::{
    ids::{self, SlurmId},
    names, script, states,
};
use crate::domain::{
    ids::JobKey,
    run::JobFacts,
    shell::quote,
    status::{Cause, Status},
};

/// After each field of an answer: a word that no name, reason or comment can hold,
/// since it is drawn when the call is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Separator(String);

impl Separator {
    /// Another one for each call.
    pub fn draw() -> Self {
        Self::of(fastrand::u32(..))
    }

    /// Starts with no digit and has no comma: `squeue` would read a width, or the
    /// next field. Short, since it stands a dozen times in each record.
    fn of(number: u32) -> Self {
        Self(format!("|{number:08x}"))
    }

    /// Groups of `N` fields. What is left over at the end was torn.
    fn records<'a, const N: usize>(&self, answer: &'a str) -> Vec<[&'a str; N]> {
        let fields: Vec<&str> = answer.split(&self.0).collect();
        let (records, _) = fields.as_chunks::<N>();
        records.to_vec()
    }
}

/// The fields asked of `squeue`, in their order.
const QUEUE: [&str; 12] = [
    "JobArrayID",
    "JobID",
    "State",
    "exit_code",
    "SubmitTime",
    "StartTime",
    "EndTime",
    "RestartCnt",
    "NodeList",
    "Reason",
    "Comment",
    "Name",
];

/// The fields asked of `sacct`, in their order.
const ACCOUNTING: [&str; 9] =
    ["JobID", "State", "ExitCode", "Submit", "Start", "End", "NodeList", "Reason", "JobName"];

/// The one call of a poll: all jobs of the user, ended ones too while the
/// controller remembers them.
pub fn squeue(separator: &Separator) -> Vec<String> {
    // A suffix instead of a width: fields are never cut off.
    let fields = QUEUE.map(|field| format!("{field}:{}", separator.0));
    ["squeue", "--noheader", "--states=all", "--me", "-O", &fields.join(",")]
        .map(str::to_owned)
        .to_vec()
}

/// About jobs that have left the queue, by their ids.
pub fn sacct(ids: &[String], separator: &Separator) -> Vec<String> {
    let mut call = sacct_since("1970-01-01", separator);
    call.extend(["-j".to_owned(), ids.join(",")]);
    call
}

/// About every start of jobs, those too that Slurm ended to make another one.
pub fn sacct_starts(ids: &[String], separator: &Separator) -> Vec<String> {
    let mut call = sacct(ids, separator);
    call.push("--duplicates".to_owned());
    call
}

/// About all jobs of the user that were there in the last so many seconds, to find
/// some by their names. Counted back from the cluster's own clock.
pub fn sacct_window(seconds: u64, separator: &Separator) -> Vec<String> {
    sacct_since(&format!("now-{seconds}seconds"), separator)
}

fn sacct_since(start: &str, separator: &Separator) -> Vec<String> {
    let delimiter = format!("--delimiter={}", separator.0);
    let fields = ACCOUNTING.join(",");
    ["sacct", "-X", "-n", "-p", &delimiter, "-S", start, "-E", "now", "-o", &fields]
        .map(str::to_owned)
        .to_vec()
}

/// One of our jobs, as Slurm tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub key: JobKey,
    pub id: SlurmId,
    pub name: String,
    pub submitted: Option<Timestamp>,
    /// `None`: in a state that this build does not know.
    pub facts: Option<JobFacts>,
}

/// Why each start of a job was over, first to last; `None`: it is not, as far as
/// the accounting has heard.
pub type Starts = HashMap<JobKey, Vec<Option<Cause>>>;

/// The accounting may hear of a start's end so many seconds later than the queue.
const LAG_SECS: i64 = 15;

impl Seen {
    /// Adds why the start before this one was over. While the accounting may not have
    /// heard of it yet, nothing is said of the job.
    pub fn follows(&mut self, starts: &[Option<Cause>], now: Timestamp) {
        let Some(facts) = &mut self.facts else { return };
        let before = facts.restarts.checked_sub(1).and_then(|n| starts.get(n as usize));
        facts.restarted = before.copied().flatten();
        // Each start is submitted anew. Clocks differ, either way.
        let since = |at| now.duration_since(at).as_secs().abs();
        let lags = self.submitted.is_some_and(|at| since(at) < LAG_SECS);
        if facts.restarted.is_none() && lags {
            self.facts = None;
        }
    }
}

/// The text of a time, in seconds since 1970 or as Slurm writes it without being
/// asked for those.
fn time(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.trim().parse().ok().filter(|secs| *secs > 0)?).ok()
}

/// Our jobs in an answer of `squeue`; those of others are passed over.
pub fn read_squeue(answer: &str, separator: &Separator, origin: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    for record in separator.records(answer) {
        let [id, raw, state, exit, submit, start, end, restarts, nodes, reason, comment, name] =
            record;
        let Some(all) = ids::parse(id) else { continue };
        for id in all {
            let Some(key) = names::key(name, id.task, origin) else { break };
            let ending = states::ending(exit);
            let mut facts = facts(state, reason, ending, (time(start), time(end)));
            if let Some(facts) = &mut facts {
                facts.restarts = restarts.trim().parse().unwrap_or(0);
                facts.node = Some(nodes.trim().to_owned()).filter(|n| !n.is_empty());
                let serves = comment.ends_with(super::render::WORKSPACE);
                if serves
                    && facts.status == Status::Running
                    && let (Some(node), Ok(raw)) = (&facts.node, raw.trim().parse())
                {
                    facts.url = Some(format!("http://{node}:{}", script::port(raw)));
                }
            }
            seen.push(Seen { key, id, name: name.to_owned(), submitted: time(submit), facts });
        }
    }
    seen
}

/// What serves on a node that only the login node can reach: the address at this
/// end of a tunnel, and the command that makes it. `options` are those that ssh needs
/// to reach `host`.
pub fn through_tunnel(mut facts: JobFacts, options: &[String], host: &str) -> JobFacts {
    let place = facts.url.as_deref().and_then(|url| url.strip_prefix("http://")?.split_once(':'));
    if let Some((node, port)) = place {
        let tunnel = ["ssh".into(), "-N".into(), "-L".into(), format!("{port}:{node}:{port}")];
        let command: Vec<_> = tunnel.iter().chain(options).map(|word| quote(word)).collect();
        let command = format!("{} {}", command.join(" "), quote(host));
        facts.reason = Some(format!("first `{command}`, then its address"));
        facts.url = Some(format!("http://localhost:{port}"));
    }
    facts
}

/// Our jobs in an answer of `sacct`. Its exit codes lose their eighth bit, so those
/// of `squeue` are better while it has them.
pub fn read_sacct(answer: &str, separator: &Separator, origin: &str) -> Vec<Seen> {
    let mut seen = Vec::new();
    for [id, state, exit, submit, start, end, nodes, reason, name] in separator.records(answer) {
        for id in ids::parse(id).unwrap_or_default() {
            let Some(key) = names::key(name, id.task, origin) else { break };
            let ending = states::ending(exit);
            let mut facts = facts(state, reason, ending, (time(start), time(end)));
            if let Some(facts) = &mut facts {
                let node = nodes.trim();
                facts.node = (!node.is_empty() && node != "None assigned").then(|| node.to_owned());
            }
            seen.push(Seen { key, id, name: name.to_owned(), submitted: time(submit), facts });
        }
    }
    seen
}

/// The starts of our jobs in an answer of `sacct`.
pub fn read_starts(answer: &str, separator: &Separator, origin: &str) -> Starts {
    let mut starts: HashMap<JobKey, Vec<_>> = HashMap::new();
    for [id, state, _, submit, .., name] in separator.records::<{ ACCOUNTING.len() }>(answer) {
        for id in ids::parse(id).unwrap_or_default() {
            let Some(key) = names::key(name, id.task, origin) else { break };
            starts.entry(key).or_default().push((time(submit), states::start_over(state)));
        }
    }
    let in_order = |mut starts: Vec<_>| {
        starts.sort_by_key(|(submitted, _)| *submitted);
        starts.into_iter().map(|(_, cause)| cause).collect()
    };
    starts.into_iter().map(|(key, starts)| (key, in_order(starts))).collect()
}

/// One job's state in our words.
fn facts(
    state: &str,
    reason: &str,
    ending: states::Ending,
    (start, end): (Option<Timestamp>, Option<Timestamp>),
) -> Option<JobFacts> {
    let meaning = states::meaning(state)?;
    let mut facts = JobFacts::of(meaning.status);
    facts.cause = meaning.cause;
    facts.reason = meaning.words.map(str::to_owned);
    match meaning.status {
        Status::Pending => {
            if let Some(waiting) = states::why(reason) {
                facts.blocked = waiting.blocked;
                facts.reason = Some(waiting.words);
            }
            if state.starts_with("REQUEUE_HOLD") || state.starts_with("SPECIAL_EXIT") {
                facts.blocked = true;
            }
            // Slurm tells when it means to start it.
            if let (Some(start), Some(reason)) = (start, &mut facts.reason) {
                // By the next tenth minute, so that it is news only when it changes by much.
                let at = (start.as_second() + 599) / 600 * 600;
                if let Ok(at) = Timestamp::from_second(at) {
                    let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %H:%M");
                    let _ = write!(reason, ", expected to start by {at}");
                }
            }
        }
        Status::Running => facts.started_at = start,
        _ => {
            facts.started_at = start;
            facts.finished_at = end;
            if meaning.status == Status::Failed || meaning.status == Status::Succeeded {
                facts.exit_code = ending.code;
                facts.signal = ending.signal;
            }
            never_started(&mut facts, state, reason);
            launch_failure(&mut facts, reason, ending);
            if facts.reason.is_none() && meaning.status == Status::Failed {
                facts.reason = ending.words();
            }
        }
    }
    Some(facts)
}

/// Taken back by Slurm itself, because of what became of another job.
fn never_started(facts: &mut JobFacts, state: &str, reason: &str) {
    let dependency = reason.starts_with("Dependency") && !state.contains(" by ");
    if facts.status == Status::Stopped && dependency {
        facts.status = Status::NotSubmitted;
        facts.cause = Some(Cause::Dependency);
        facts.reason = Some("a job it depends on did not succeed".to_owned());
        facts.started_at = None;
    }
}

/// A job that never came to run its command is not the command's fault.
fn launch_failure(facts: &mut JobFacts, reason: &str, ending: states::Ending) {
    if facts.cause != Some(Cause::Exit) {
        return;
    }
    let signal = facts.signal;
    if signal == Some(53)
        || reason.starts_with("JobLaunchFailure") && ending.code.is_none() && signal.is_none()
    {
        facts.cause = Some(Cause::Launch);
        facts.reason = Some("Slurm could not open its output file, or not start it".to_owned());
        facts.signal = None;
    }
}

/// Of two jobs with one key the one that was there first is the job; the others
/// are told, so that they can be cancelled.
pub fn one_each(seen: Vec<Seen>) -> (HashMap<JobKey, Seen>, Vec<SlurmId>) {
    let mut first: HashMap<JobKey, Seen> = HashMap::new();
    let mut doubles = Vec::new();
    for one in seen {
        match first.get_mut(&one.key) {
            None => {
                first.insert(one.key.clone(), one);
            }
            Some(known) if known.id == one.id => {}
            Some(known) => {
                let older = (one.submitted, one.id) < (known.submitted, known.id);
                let double = if older { std::mem::replace(known, one) } else { one };
                doubles.push(double.id);
            }
        }
    }
    (first, doubles)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with `;` for the separator.
    fn told(text: &str) -> (String, Separator) {
        let separator = Separator::of(0xabc);
        (text.replace(';', &separator.0), separator)
    }

    fn in_queue(text: &str) -> Vec<Seen> {
        let (answer, separator) = told(text);
        read_squeue(&answer, &separator, "o")
    }

    #[test]
    fn the_queue_is_read_whatever_others_have_in_it() {
        let answer = "\
79_[6-7%3];79;PENDING;0;1772445600;N/A;N/A;0;;JobArrayTaskLimit;jd-r-1-1;lr.o.jd-r-1-1;
79_5;84;RUNNING;0;1772445600;1772445610;1772532010;1;gpu1;None;jd-r-1-1;lr.o.jd-r-1-1;
90;90;RUNNING;0;1772445600;1772445610;N/A;0;gpu2;None;jd-r-9-1 workspace;nb.o.jd-r-9-1;
81;81;FAILED;35072;1772445600;1772445610;1772445620;0;gpu1;NonZeroExitCode;;a.o.jd-r-20-2;
99;99;RUNNING;0;1;1;1;0;n;None;x;somebody's | job;
98;98;RUNNING;0;1;1;1;0;n;None;x;y
81|81|COMPLETED|0|5|5|5|0|gpu1|None||a.o.jd-r-20-2|
82|;
100;100;PENDING;0;1772445600;N/A;N/A;0;;ReqNodeNotAvail, UnavailableNodes:a|b;c;q.o.jd-r-30-1;
101;101;NEW_STATE;0;1772445600;N/A;N/A;0;;None;c;q.o.jd-r-31-1;
102;102;PENDING;0;17
";
        let seen = in_queue(answer);
        let text = |seen: &Seen| {
            let facts = seen.facts.as_ref();
            format!("{} {} {:?}", seen.key, seen.id, facts.map(|f| f.status.word()))
        };
        assert_eq!(
            seen.iter().map(text).collect::<Vec<_>>(),
            [
                "jd-r-7-1 79_6 Some(\"pending\")",
                "jd-r-8-1 79_7 Some(\"pending\")",
                "jd-r-6-1 79_5 Some(\"running\")",
                "jd-r-9-1 90 Some(\"running\")",
                "jd-r-20-2 81 Some(\"failed\")",
                "jd-r-30-1 100 Some(\"pending\")",
                "jd-r-31-1 101 None",
            ]
        );
        let facts = |n: usize| seen[n].facts.clone().unwrap();
        assert_eq!((facts(2).restarts, facts(2).node.as_deref()), (1, Some("gpu1")));
        assert_eq!(facts(3).url.as_deref(), Some("http://gpu2:20090"));
        let tunnelled = through_tunnel(facts(3), &["-p".into(), "2222".into()], "alice@login");
        assert_eq!(tunnelled.url.as_deref(), Some("http://localhost:20090"));
        let command = "`ssh -N -L 20090:gpu2:20090 -p 2222 alice@login`";
        assert!(tunnelled.reason.is_some_and(|words| words.contains(command)));
        assert_eq!(through_tunnel(facts(0), &[], "alice@login"), facts(0));
        assert_eq!((facts(4).exit_code, facts(4).cause), (Some(137), Some(Cause::Exit)));
        assert!(facts(4).finished_at.is_some());
        assert!(facts(5).reason.unwrap().contains("UnavailableNodes:a|b"));
    }

    #[test]
    fn a_start_that_slurm_expects_is_told_as_a_time_that_is_not_over_before() {
        let answer = "7;7;PENDING;0;1772445600;1772445601;N/A;0;;Resources;;a.o.jd-r-1-1;";
        let words = in_queue(answer).remove(0).facts.unwrap().reason.unwrap();
        let next = Timestamp::from_second(1_772_446_200).unwrap();
        let next = next.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %H:%M").to_string();
        assert!(words.ends_with(&format!(", expected to start by {next}")), "{words}");
    }

    #[test]
    fn the_accounting_is_read() {
        let answer = "\
79_5;CANCELLED by 0;0:0;1772445600;1772445610;1772445620;gpu1;None;lr.o.jd-r-1-1;
79_[6-7];CANCELLED by 1000;0:0;1772445600;Unknown;1772445620;None assigned;Dependency;lr.o.jd-r-1-1;
80;FAILED;0:53;1772445600;1772445610;1772445620;gpu1;None;a.o.jd-r-20-1;
81;OUT_OF_MEMORY;0:125;1772445600;1772445610;1772445620;gpu1;None;a.o.jd-r-21-1;
82;CANCELLED;0:0;1772445600;1772445610;1772445610;None assigned;Dependency;a.o.jd-r-22-1;
83;FAILED;7:0;1772445600;1772445610;1772445610;gpu1;Priority;a.o.jd-r-23-1;
";
        let (answer, separator) = told(answer);
        let seen = read_sacct(&answer, &separator, "o");
        let brief: Vec<_> = seen
            .iter()
            .map(|s| (s.key.to_string(), s.facts.as_ref().and_then(|f| f.cause)))
            .collect();
        assert_eq!(
            brief,
            [
                ("jd-r-6-1".to_owned(), Some(Cause::Cancelled)),
                ("jd-r-7-1".to_owned(), Some(Cause::Cancelled)),
                ("jd-r-8-1".to_owned(), Some(Cause::Cancelled)),
                ("jd-r-20-1".to_owned(), Some(Cause::Launch)),
                ("jd-r-21-1".to_owned(), Some(Cause::Oom)),
                ("jd-r-22-1".to_owned(), Some(Cause::Dependency)),
                ("jd-r-23-1".to_owned(), Some(Cause::Exit)),
            ]
        );
        assert_eq!(seen[1].facts.as_ref().unwrap().node, None);
        assert_eq!(seen[5].facts.as_ref().unwrap().status, Status::NotSubmitted);
        assert_eq!(seen[6].facts.as_ref().unwrap().reason.as_deref(), Some("exit code 7"));
    }

    #[test]
    fn why_a_job_was_started_again_is_read_when_the_accounting_knows() {
        let answer = "\
7_1;NODE_FAIL;0:0;1772445600;1772445610;1772445620;gpu1;None;lr.o.jd-r-1-1;
7_1;PENDING;0:0;1772445800;Unknown;Unknown;None assigned;None;lr.o.jd-r-1-1;
7_1;PREEMPTED;0:0;1772445700;1772445710;1772445720;gpu1;None;lr.o.jd-r-1-1;
8;REQUEUED;0:0;1772445600;1772445610;1772445620;gpu1;None;a.o.jd-r-9-1;
9;RUNNING;0:0;1772445600;1772445610;Unknown;gpu1;None;b.o.jd-r-10-1;
";
        let (answer, separator) = told(answer);
        let starts = read_starts(&answer, &separator, "o");
        let of = |key: &str| starts.get(&key.parse().unwrap()).map_or(&[][..], Vec::as_slice);
        assert_eq!(of("jd-r-2-1"), [Some(Cause::Node), Some(Cause::Preempted), None]);
        assert_eq!(of("jd-r-9-1"), [Some(Cause::Other)]);
        assert_eq!(of("jd-r-10-1"), [None]);

        let line =
            |restarts| format!("9;9;PENDING;0;1772445600;N/A;N/A;{restarts};;None;;b.o.jd-r-2-1;");
        let after = |restarts: u32, starts: &[Option<Cause>], secs: i64| {
            let mut seen = in_queue(&line(restarts)).remove(0);
            seen.follows(starts, Timestamp::from_second(1_772_445_600 + secs).unwrap());
            seen.facts.map(|facts| facts.restarted)
        };
        assert_eq!(after(1, of("jd-r-2-1"), 1), Some(Some(Cause::Node)));
        assert_eq!(after(2, of("jd-r-2-1"), 1), Some(Some(Cause::Preempted)));
        // Not yet heard of: for a moment nothing is said, then that nobody knows.
        assert_eq!(after(1, of("jd-r-10-1"), 1), None);
        assert_eq!(after(1, of("jd-r-10-1"), -1), None, "clocks differ");
        assert_eq!(after(1, of("jd-r-10-1"), 60), Some(None));
        assert_eq!(after(1, &[], 60), Some(None));
    }

    #[test]
    fn of_two_jobs_with_one_key_the_older_is_kept() {
        let answer = "\
12;12;RUNNING;0;1772445700;1772445710;N/A;0;gpu1;None;;a.o.jd-r-1-1;
11;11;PENDING;0;1772445600;N/A;N/A;0;;Priority;;a.o.jd-r-1-1;
";
        let (jobs, doubles) = one_each(in_queue(answer));
        let kept: Vec<_> = jobs.values().map(|seen| seen.id.to_string()).collect();
        assert_eq!(kept, ["11"]);
        assert_eq!(doubles.iter().map(ToString::to_string).collect::<Vec<_>>(), ["12"]);
    }
}

//! `logs`: bytes as they were written, to a pipe; to a terminal only what cannot
//! steer it. Several jobs at once: every line begins with its job's name. With
//! `--json` one document, in which each log has a bound.

use std::{collections::BTreeSet, sync::Arc};

use futures::{Stream, StreamExt, stream::SelectAll};

use super::{
    Answer, args::Logs as Args, change::named, context::Context, follow::Interrupts, lines::Lines,
};
use crate::{
    app::text::safe,
    cluster::{ClusterError, LogChunk, LogCursor, LogSource, LogStream},
    domain::{ids::JobIx, run::Run, status::Status},
    error::{Kind, Report},
    runtime::{
        answer::{LogAnswer, LogsAnswer},
        engine::Options,
        handle::{Command, RunHandle},
    },
};

/// Bytes of one log in a document: the end of a longer one.
const MOST_OF_ONE: u64 = 1 << 20;
/// Bytes of all logs in a document.
const MOST_OF_ALL: u64 = 64 << 20;

/// `logs`.
pub async fn logs(cx: &Context<'_>, args: &Args) -> Answer {
    if cx.out.json && args.follow {
        return Err(Report::new(Kind::Usage, "one document has an end, and -f goes on")
            .hint("leave -f away, or --json"));
    }
    let id = cx.engine.resolve_run(&args.jobs.run)?;
    let look = cx.engine.look(&id).await?;
    let run = &look.run;
    let jobs: Vec<JobIx> = match named(run, &args.jobs.jobs)? {
        Some(jobs) => jobs,
        None => (0..).map(JobIx).take(run.jobs.len()).collect(),
    };
    let jobs: Vec<JobIx> = jobs
        .into_iter()
        .filter(|ix| !args.failed || run.job(*ix).is_some_and(|job| job.status.is_failure()))
        .collect();
    if cx.out.json {
        return document(cx, args, run, &jobs).await;
    }
    if jobs.is_empty() {
        cx.out.say(format!("run {id}: no failed job"));
        return Ok(0);
    }
    if args.follow { follow(cx, args, &id, &jobs).await } else { once(cx, args, run, &jobs).await }
}

fn source_of(args: &Args) -> LogSource {
    let stream = if args.stderr { LogStream::Stderr } else { LogStream::Stdout };
    LogSource { stream, worker: args.worker }
}

/// What every line of a job begins with; nothing when it is the only one.
fn prefix(run: &Run, jobs: &[JobIx], ix: JobIx) -> Option<Arc<str>> {
    let name = run.job(ix).map(|job| job.spec.name.as_str())?;
    (jobs.len() > 1).then(|| name.into())
}

async fn once(cx: &Context<'_>, args: &Args, run: &Run, jobs: &[JobIx]) -> Answer {
    let mut unread = None;
    let mut read = 0;
    for ix in jobs {
        let mut lines = Lines::new(cx.out, prefix(run, jobs, *ix));
        match copy(cx, args, run, *ix, &mut lines).await {
            Ok(bytes) => {
                read += 1;
                if bytes == 0 && args.tail != Some(0) {
                    tell_silence(cx, run, *ix, args);
                }
            }
            Err(_) if was_kept_back(run, *ix, args) => {
                read += 1;
                tell_silence(cx, run, *ix, args);
            }
            // With several jobs one that was never sent is no trouble.
            Err(report) if jobs.len() > 1 => {
                cx.out.warn(&report.message);
                unread = Some(report);
            }
            Err(report) => return Err(report),
        }
        lines.end();
        if cx.out.closed() {
            break;
        }
    }
    match unread {
        Some(report) if read == 0 => Err(report),
        _ => Ok(0),
    }
}

/// All logs in one document. One that cannot be read says why; where none can be, that
/// is the answer.
async fn document(cx: &Context<'_>, args: &Args, run: &Run, jobs: &[JobIx]) -> Answer {
    let mut answer = LogsAnswer::new(run.id.to_string());
    let mut room = MOST_OF_ALL;
    let mut unread = None;
    for ix in jobs {
        let Some(job) = run.job(*ix) else { continue };
        let mut log = LogAnswer {
            job: job.spec.name.clone(),
            attempt: args.attempt.or_else(|| job.sent().map(|attempt| attempt.number)),
            stream: if args.stderr { "stderr" } else { "stdout" },
            worker: args.worker,
            text: None,
            offset: 0,
            error: None,
        };
        if was_kept_back(run, *ix, args) {
            let why = run.reason(*ix).unwrap_or_else(|| job.status.label().into());
            log.error = Some(why.to_string());
        } else if room == 0 {
            log.error = Some(format!(
                "left out: the document holds {} MiB of logs; name fewer jobs, or use --tail",
                MOST_OF_ALL >> 20
            ));
        } else {
            match end_of(cx, args, run, *ix, room.min(MOST_OF_ONE)).await {
                Ok((offset, bytes)) => {
                    room = room.saturating_sub(bytes.len() as u64);
                    log.offset = offset;
                    log.text = Some(String::from_utf8_lossy(&bytes).into_owned());
                }
                Err(report) => {
                    log.error = Some(report.message.clone());
                    unread = Some(report);
                }
            }
        }
        answer.logs.push(log);
    }
    match unread {
        Some(report) if answer.logs.iter().all(|log| log.text.is_none()) => Err(report),
        _ => cx.out.document(&answer).map(|()| 0),
    }
}

/// The end of a log, at most so many bytes of it and no part of a character; and how
/// many bytes stand before it.
async fn end_of(
    cx: &Context<'_>,
    args: &Args,
    run: &Run,
    ix: JobIx,
    most: u64,
) -> Result<(u64, Vec<u8>), Report> {
    let cursor = match args.tail {
        Some(n) => LogCursor::Offset(tail_start(cx, args, run, ix, n).await?),
        None => LogCursor::Tail(most),
    };
    let mut log = cx.engine.logs(run, ix, args.attempt, source_of(args), cursor, false)?;
    let mut end = LogEnd::new(most as usize);
    while let Some(chunk) = log.next().await {
        end.take(&chunk.map_err(|e| trouble(&e))?);
    }
    Ok(end.finish())
}

/// The last bytes of what is read.
struct LogEnd {
    most: usize,
    /// Of the first byte that is kept.
    offset: u64,
    bytes: Vec<u8>,
}

impl LogEnd {
    fn new(most: usize) -> Self {
        Self { most, offset: 0, bytes: Vec::new() }
    }

    fn take(&mut self, chunk: &LogChunk) {
        if self.bytes.is_empty() {
            self.offset = chunk.offset;
        }
        self.bytes.extend_from_slice(&chunk.bytes);
        self.drop_first(self.bytes.len().saturating_sub(self.most));
    }

    fn drop_first(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.offset += count as u64;
    }

    fn finish(mut self) -> (u64, Vec<u8>) {
        if self.offset > 0 {
            // What is left of a character that began before: at most three bytes.
            let is_rest = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
            let rest = self.bytes.iter().take(3).take_while(is_rest).count();
            self.drop_first(rest);
        }
        (self.offset, self.bytes)
    }
}

/// The attempt that is asked for never came to run, so that there is no log.
fn was_kept_back(run: &Run, ix: JobIx, args: &Args) -> bool {
    run.job(ix).is_some_and(|job| {
        matches!(job.status, Status::NotSubmitted | Status::Rejected)
            && args.attempt.is_none_or(|n| job.attempt().is_some_and(|last| last.number == n))
    })
}

/// Says of a job that did not succeed why there is nothing to read: people look in its
/// log for the cause.
fn tell_silence(cx: &Context<'_>, run: &Run, ix: JobIx, args: &Args) {
    let Some(job) = run.job(ix) else { return };
    let is_newest = args.attempt.is_none_or(|n| job.attempt().is_some_and(|a| a.number == n));
    let what = match (job.status, args.stderr) {
        (Status::NotSubmitted | Status::Rejected, _) => "no log",
        (Status::Failed | Status::Lost, true) => "nothing on standard error",
        (Status::Failed | Status::Lost, false) => "nothing on standard output",
        _ => return,
    };
    if is_newest {
        let why = run.reason(ix).unwrap_or_else(|| job.status.label().into());
        cx.out.say(format!("{}: {what}: {}", safe(&job.spec.name), safe(&why)));
    }
}

/// The bytes that were read.
async fn copy(
    cx: &Context<'_>,
    args: &Args,
    run: &Run,
    ix: JobIx,
    lines: &mut Lines<'_>,
) -> Result<u64, Report> {
    let from = match args.tail {
        Some(n) => tail_start(cx, args, run, ix, n).await?,
        None => 0,
    };
    let cursor = LogCursor::Offset(from);
    let mut log = cx.engine.logs(run, ix, args.attempt, source_of(args), cursor, false)?;
    let mut bytes = 0;
    while let Some(chunk) = log.next().await {
        let chunk = chunk.map_err(|e| trouble(&e))?;
        bytes += chunk.bytes.len() as u64;
        lines.take(&chunk.bytes);
        if cx.out.closed() {
            break;
        }
    }
    Ok(bytes)
}

fn trouble(error: &ClusterError) -> Report {
    let kind = match error {
        ClusterError::Unreachable { .. } | ClusterError::NeedsLogin { .. } => Kind::Unreachable,
        _ => Kind::State,
    };
    Report::new(kind, error.to_string())
}

/// Where the last `n` lines begin: ever more of the end is read until they are in.
async fn tail_start(
    cx: &Context<'_>,
    args: &Args,
    run: &Run,
    ix: JobIx,
    n: u64,
) -> Result<u64, Report> {
    let mut room: u64 = n.saturating_mul(128).clamp(1 << 14, 1 << 26);
    loop {
        let cursor = LogCursor::Tail(room);
        let mut log = cx.engine.logs(run, ix, args.attempt, source_of(args), cursor, false)?;
        let mut first = None;
        let mut end = 0;
        // Where the lines begin that are in it, newest last.
        let mut starts: std::collections::VecDeque<u64> = std::collections::VecDeque::new();
        let mut at_start = true;
        while let Some(chunk) = log.next().await {
            let chunk = chunk.map_err(|e| trouble(&e))?;
            first.get_or_insert(chunk.offset);
            for (i, byte) in chunk.bytes.iter().enumerate() {
                if at_start {
                    starts.push_back(chunk.offset + i as u64);
                    if starts.len() as u64 > n {
                        starts.pop_front();
                    }
                }
                at_start = *byte == b'\n';
            }
            end = chunk.offset + chunk.bytes.len() as u64;
        }
        let first = first.unwrap_or(0);
        if n == 0 {
            return Ok(end);
        }
        let begins = starts.front().copied().unwrap_or(first);
        // The first one found may be the rest of a line that began before.
        if first == 0 || (starts.len() as u64 == n && begins > first) {
            return Ok(begins);
        }
        room = room.saturating_mul(4);
    }
}

type Tagged = (JobIx, Result<LogChunk, ClusterError>);
type Merged = SelectAll<std::pin::Pin<Box<dyn Stream<Item = Tagged> + Send>>>;

/// Follows the jobs until they have ended; those that wait join when they start.
async fn follow(
    cx: &Context<'_>,
    args: &Args,
    id: &crate::domain::ids::RunId,
    jobs: &[JobIx],
) -> Answer {
    let mut interrupts = Interrupts::new()?;
    let mut handle = cx.engine.open(id, Options::look()).await?;
    let mut merged: Merged = SelectAll::new();
    let mut waiting: BTreeSet<JobIx> = jobs.iter().copied().collect();
    let mut lines: std::collections::BTreeMap<JobIx, Lines<'_>> =
        jobs.iter().map(|ix| (*ix, Lines::new(cx.out, prefix(&handle.run, jobs, *ix)))).collect();
    let mut interrupted = false;
    let mut live = true;
    let mut told = None;
    loop {
        join(cx, args, &handle, &mut waiting, &mut merged).await?;
        if !live {
            // Nobody would say that a job has started.
            waiting.clear();
        }
        if (waiting.is_empty() && merged.is_empty()) || cx.out.closed() {
            break;
        }
        if merged.is_empty() {
            tell_wait(cx, &handle.run, &waiting, &mut told);
        }
        cx.out.flush();
        tokio::select! {
            // `None` when the last log has ended: the run may have nothing more to tell.
            part = merged.next(), if !merged.is_empty() => {
                let Some((ix, chunk)) = part else { continue };
                if let Some(lines) = lines.get_mut(&ix) {
                    match chunk {
                        Ok(chunk) => lines.take(&chunk.bytes),
                        Err(e) => cx.out.warn(&e.to_string()),
                    }
                }
            }
            event = handle.next(), if live => live = event.is_some(),
            _ = interrupts.next() => {
                interrupted = true;
                break;
            }
        }
    }
    for lines in lines.values_mut() {
        lines.end();
    }
    handle.commands.send(Command::Detach { background: true });
    Ok(if interrupted { Kind::Interrupted.exit_code() } else { 0 })
}

/// Says what the first of the jobs without a log waits for, again when that changes:
/// a silent command looks like one that hangs.
fn tell_wait(cx: &Context<'_>, run: &Run, waiting: &BTreeSet<JobIx>, told: &mut Option<String>) {
    let Some((ix, job)) = waiting.first().and_then(|ix| Some((*ix, run.job(*ix)?))) else { return };
    let why = run.reason(ix).unwrap_or_else(|| job.status.word().into());
    let others = match waiting.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let nobody = run.conductor.is_none() && run.needs_conductor();
    let hint = if run.held.is_some() || nobody {
        format!("; `jobdeck send {}` goes on", run.id)
    } else {
        String::new()
    };
    let words = format!("no log yet: {}{others}: {}{hint}", safe(&job.spec.name), safe(&why));
    if told.as_ref() != Some(&words) {
        cx.out.say(&words);
        *told = Some(words);
    }
}

/// Opens the logs of jobs that have been sent since, and forgets those that will
/// never be.
async fn join(
    cx: &Context<'_>,
    args: &Args,
    handle: &RunHandle,
    waiting: &mut BTreeSet<JobIx>,
    merged: &mut Merged,
) -> Result<(), Report> {
    let run = &handle.run;
    let ready: Vec<JobIx> = waiting
        .iter()
        .copied()
        .filter(|ix| {
            run.job(*ix).is_none_or(|job| {
                job.status.is_ended() || job.attempt().is_some_and(|a| a.remote_id.is_some())
            })
        })
        .collect();
    for ix in ready {
        waiting.remove(&ix);
        if was_kept_back(run, ix, args) {
            tell_silence(cx, run, ix, args);
            continue;
        }
        let from = match args.tail {
            Some(n) => tail_start(cx, args, run, ix, n).await,
            None => Ok(0),
        };
        let log = from.and_then(|from| {
            let cursor = LogCursor::Offset(from);
            cx.engine.logs(run, ix, args.attempt, source_of(args), cursor, true)
        });
        match log {
            Ok(log) => merged.push(Box::pin(log.map(move |chunk| (ix, chunk)))),
            Err(report) => cx.out.warn(&report.message),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(most: usize, chunks: &[(u64, &[u8])]) -> (u64, Vec<u8>) {
        let mut end = LogEnd::new(most);
        for (offset, bytes) in chunks {
            let bytes = bytes.to_vec();
            end.take(&LogChunk { offset: *offset, bytes, total: 0, complete: false });
        }
        end.finish()
    }

    #[test]
    fn the_end_of_a_log_begins_with_a_whole_character() {
        assert_eq!(end(9, &[(0, b"ab"), (2, b"cd")]), (0, b"abcd".to_vec()));
        assert_eq!(end(3, &[(5, b"ab"), (7, b"cd")]), (6, b"bcd".to_vec()));
        assert_eq!(end(3, &[(0, "aä€".as_bytes())]), (3, "€".as_bytes().to_vec()));
        assert_eq!(end(2, &[(0, "a€".as_bytes())]), (4, Vec::new()));
        // Bytes at the very beginning are the log's own.
        assert_eq!(end(9, &[(0, b"\x80x")]), (0, b"\x80x".to_vec()));
        assert_eq!(end(9, &[]), (0, Vec::new()));
    }
}

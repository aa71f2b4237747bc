//! Reading and following one log by offset, over the connection that is there.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream, stream::BoxStream};

use super::adapter::{Slurm, mark_path};
use crate::{
    cluster::{ClusterError, LogChunk, LogCursor, LogStream, Watched},
    domain::shell::quote,
};

/// Most that one chunk holds, in bytes.
const CHUNK: u64 = 256 * 1024;
/// Between two looks at a log that is followed.
const LOOK: Duration = Duration::from_secs(1);
/// Looks without news between two questions whether the job has ended.
const PATIENCE: u32 = 10;
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
enum Next {
    At(u64),
    BeforeEnd(u64),
    Nothing,
}

#[derive(Debug)]
struct Reader {
    slurm: Arc<Slurm>,
    job: Watched,
    path: String,
    next: Next,
    follow: bool,
    told: bool,
    quiet: u32,
    ended: bool,
}

/// As the port says; a log that has become shorter is read again from its start.
pub fn follow(
    slurm: Arc<Slurm>,
    job: Watched,
    which: LogStream,
    from: LogCursor,
    follow: bool,
) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
    let Some(stdout) = job.log_path.as_deref() else { return stream::empty().boxed() };
    let path = match which {
        LogStream::Stdout => stdout.to_owned(),
        LogStream::Stderr => match stdout.strip_suffix("/stdout") {
            Some(folder) => format!("{folder}/stderr"),
            None => stdout.to_owned(),
        },
    };
    let next = match from {
        LogCursor::Tail(bytes) => Next::BeforeEnd(bytes),
        LogCursor::Offset(offset) => Next::At(offset),
    };
    let reader = Reader { slurm, job, path, next, follow, told: false, quiet: 0, ended: false };
    stream::unfold(reader, Reader::next).boxed()
}

impl Reader {
    async fn next(mut self) -> Option<(Result<LogChunk, ClusterError>, Self)> {
        loop {
            if matches!(self.next, Next::Nothing) {
                return None;
            }
            let chunk = match self.read().await {
                Ok(chunk) => chunk,
                Err(error) => {
                    self.next = Next::Nothing;
                    return Some((Err(error), self));
                }
            };
            let end = chunk.offset + chunk.bytes.len() as u64;
            let at_end = end >= chunk.total;
            let news = !chunk.bytes.is_empty() || chunk.complete || !self.told;
            self.next = if chunk.complete || (at_end && !self.follow) {
                Next::Nothing
            } else {
                Next::At(end)
            };
            self.told = true;
            if news {
                self.quiet = 0;
                return Some((Ok(chunk), self));
            }
            tokio::time::sleep(LOOK).await;
            self.quiet += 1;
            if self.quiet.is_multiple_of(PATIENCE) && !self.ended {
                // Killed by Slurm: it left no mark of its own.
                let seen = self.slurm.observe(std::slice::from_ref(&self.job)).await;
                self.ended = seen.is_ok_and(|all| {
                    all.iter().any(|one| one.facts.as_ref().is_some_and(|f| f.status.is_ended()))
                });
            }
        }
    }

    async fn read(&self) -> Result<LogChunk, ClusterError> {
        let begin = match self.next {
            Next::At(offset) => format!("from={offset}; [ \"$from\" -le \"$size\" ] || from=0"),
            Next::BeforeEnd(bytes) => {
                format!("from=$((size > {bytes} ? size - {bytes} : 0))")
            }
            Next::Nothing => String::new(),
        };
        let program = format!(
            "log={log}\nended=0; [ -f {mark} ] && ended=1\nsize=0; [ -f \"$log\" ] && size=$(wc -c <\"$log\")\n\
             size=$((size + 0))\n{begin}\nprintf '%s %s %s\\n' \"$ended\" \"$size\" \"$from\"\n\
             [ \"$size\" -gt \"$from\" ] && tail -c \"+$((from + 1))\" -- \"$log\" | head -c {CHUNK}\ntrue",
            log = quote(&self.path),
            mark = quote(&mark_path(self.job.log_path.as_deref().unwrap_or_default())),
        );
        let ran = self.slurm.transport.run(&program, LIMIT).await?;
        let garbled = || ClusterError::Garbled {
            cluster: self.slurm.id.clone(),
            what: format!("no part of the log {}: {}", self.path, ran.stderr),
        };
        let line_end = ran.stdout.iter().position(|b| *b == b'\n').ok_or_else(garbled)?;
        let (head, body) = ran.stdout.split_at(line_end);
        let head = String::from_utf8_lossy(head);
        let numbers: Vec<u64> = head.split(' ').filter_map(|n| n.parse().ok()).collect();
        let [ended, size, offset] = numbers.as_slice() else { return Err(garbled()) };
        let bytes = body.get(1..).unwrap_or_default().to_vec();
        let reaches = offset + bytes.len() as u64 >= *size;
        let complete = reaches && (*ended == 1 || self.ended);
        Ok(LogChunk { offset: *offset, bytes, total: *size, complete })
    }
}

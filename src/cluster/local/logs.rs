//! Reading and following the log of one job, by offset: a log of gigabytes is
//! opened at its end at once and never read as a whole.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use futures::{StreamExt as _, stream, stream::BoxStream};

use super::{queue::Root, state};
use crate::{
    cluster::{ClusterError, LogChunk, LogCursor},
    domain::ids::{ClusterId, JobKey},
};

/// Most that one chunk holds, in bytes.
const CHUNK: u64 = 256 * 1024;
/// Between looks at a log that is followed.
const LOOK: Duration = Duration::from_millis(200);

/// Where the reading stands.
#[derive(Debug)]
struct Reader {
    cluster: ClusterId,
    state: PathBuf,
    job: PathBuf,
    path: PathBuf,
    next: Next,
    follow: bool,
    /// An answer was given, if only that there is nothing yet.
    told: bool,
}

#[derive(Clone, Copy, Debug)]
enum Next {
    At(u64),
    BeforeEnd(u64),
    Nothing,
}

/// Follows one log until the job has ended and everything was read; without
/// `follow` to its present end. The first chunk comes at once, empty when there
/// is nothing yet. A log that has become shorter is read again from its start.
pub fn follow(
    cluster: ClusterId,
    root: &Root,
    key: &JobKey,
    path: PathBuf,
    from: LogCursor,
    follow: bool,
) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
    let next = match from {
        LogCursor::Tail(bytes) => Next::BeforeEnd(bytes),
        LogCursor::Offset(offset) => Next::At(offset),
    };
    let (state, job) = (root.state(key), root.job(key));
    let reader = Reader { cluster, state, job, path, next, follow, told: false };
    stream::unfold(reader, Reader::next).boxed()
}

impl Reader {
    async fn next(mut self) -> Option<(Result<LogChunk, ClusterError>, Self)> {
        loop {
            let (path, next) = (self.path.clone(), self.next);
            let (state, job) = (self.state.clone(), self.job.clone());
            let look = move || -> io::Result<Option<LogChunk>> {
                // First whether it has ended: then what is read next is all.
                let ended = state::read(&state)?.is_some_and(|s| s.end.is_some()) || !job.exists();
                read_chunk(&path, next, ended)
            };
            let looked = tokio::task::spawn_blocking(look).await;
            match looked.map_err(io::Error::other).and_then(|looked| looked) {
                Err(error) => {
                    self.next = Next::Nothing;
                    let why = format!("its log cannot be read: {error}");
                    let error = ClusterError::Refused { cluster: self.cluster.clone(), words: why };
                    return Some((Err(error), self));
                }
                Ok(None) => return None,
                Ok(Some(chunk)) => {
                    let end = chunk.offset + chunk.bytes.len() as u64;
                    let news = !chunk.bytes.is_empty() || chunk.complete || !self.told;
                    let at_end = end >= chunk.total;
                    self.next = if chunk.complete || (at_end && !self.follow) {
                        Next::Nothing
                    } else {
                        Next::At(end)
                    };
                    self.told = true;
                    if news {
                        return Some((Ok(chunk), self));
                    }
                    if !self.follow {
                        return None;
                    }
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// One piece; `None` when there is nothing more to say.
fn read_chunk(path: &Path, next: Next, ended: bool) -> io::Result<Option<LogChunk>> {
    let mut file = match File::open(path) {
        Ok(file) => Some(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let total = match &file {
        Some(file) => file.metadata()?.len(),
        None => 0,
    };
    let offset = match next {
        Next::Nothing => return Ok(None),
        Next::BeforeEnd(bytes) => total.saturating_sub(bytes),
        // It was truncated: what is there now has not been read.
        Next::At(offset) if offset > total => 0,
        Next::At(offset) => offset,
    };
    let mut bytes = Vec::new();
    if let Some(file) = file.as_mut()
        && offset < total
    {
        file.seek(SeekFrom::Start(offset))?;
        file.take(CHUNK.min(total - offset)).read_to_end(&mut bytes)?;
    }
    let complete = ended && offset + bytes.len() as u64 >= total;
    Ok(Some(LogChunk { offset, bytes, total, complete }))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::cluster::LogSource;

    fn texts(chunks: &[Result<LogChunk, ClusterError>]) -> String {
        let bytes = chunks.iter().flat_map(|c| c.as_ref().unwrap().bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    }

    struct Log {
        root: Root,
        key: JobKey,
        _dir: tempfile::TempDir,
    }

    impl Log {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (root, key): (_, JobKey) = (Root::new(dir.path()), "jd-r-1-1".parse().unwrap());
            std::fs::create_dir_all(root.job(&key)).unwrap();
            Self { root, key, _dir: dir }
        }
        fn read(
            &self,
            from: LogCursor,
            live: bool,
        ) -> BoxStream<'static, Result<LogChunk, ClusterError>> {
            let path = self.root.log(&self.key, LogSource::default());
            follow(ClusterId::new("local"), &self.root, &self.key, path, from, live)
        }
    }

    #[tokio::test]
    async fn a_huge_log_is_read_from_its_end() {
        let log = Log::new();
        let mut file = File::create(log.root.log(&log.key, LogSource::default())).unwrap();
        file.set_len(8 << 30).unwrap();
        file.seek(SeekFrom::End(0)).unwrap();
        file.write_all(b"last line\n").unwrap();
        let chunks: Vec<_> = log.read(LogCursor::Tail(5), false).collect().await;
        assert_eq!(texts(&chunks), "line\n");
        let first = log.read(LogCursor::Offset(0), false).next().await.unwrap().unwrap();
        assert_eq!((first.offset, first.bytes.len() as u64), (0, CHUNK));
    }

    #[tokio::test(start_paused = true)]
    async fn following_ends_with_the_job_and_survives_truncation() {
        let log = Log::new();
        let path = log.root.log(&log.key, LogSource::default());
        let mut stream = log.read(LogCursor::Tail(1000), true);
        assert!(
            stream.next().await.unwrap().unwrap().bytes.is_empty(),
            "nothing yet, told at once"
        );
        std::fs::write(&path, "one two three").unwrap();
        assert_eq!(stream.next().await.unwrap().unwrap().bytes, b"one two three");
        std::fs::write(&path, "four").unwrap();
        let chunk = stream.next().await.unwrap().unwrap();
        assert_eq!((chunk.offset, chunk.bytes.as_slice()), (0, &b"four"[..]));
        std::fs::remove_dir_all(log.root.job(&log.key)).unwrap();
        assert!(stream.next().await.unwrap().unwrap().complete);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn no_log_at_all_is_an_empty_one() {
        let log = Log::new();
        let chunks: Vec<_> = log.read(LogCursor::Offset(0), false).collect().await;
        assert_eq!((chunks.len(), texts(&chunks).as_str()), (1, ""));
    }
}

//! Reading and following the log of a job, byte for byte.
//!
//! Ray gives the last lines of a log, or all of it, and follows it from there; it
//! tells no size and takes no offset. So that offsets are right everything is asked
//! for and counted, and what was read before is skipped here.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt as _, stream, stream::BoxStream};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use tokio::sync::mpsc;

use super::{
    adapter::{QUERY, Ray, id_of},
    http::encoded,
    wire::Job,
};
use crate::cluster::{ClusterError, LogChunk, LogCursor, Watched};

/// Between two questions whether the job has started or ended.
const LOOK: Duration = Duration::from_secs(1);
/// No byte for this long means that the connection is dead.
const SILENCE: Duration = Duration::from_secs(30);
/// Chunks that wait to be taken.
const AHEAD: usize = 8;

type Chunk = Result<LogChunk, ClusterError>;

/// Whoever reads has gone.
struct Gone;

/// As the port says.
pub fn follow(
    ray: Arc<Ray>,
    job: &Watched,
    from: LogCursor,
    follow: bool,
) -> BoxStream<'static, Chunk> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let reader = Reader { ray, id: id_of(job), follow, sender };
    let read = async move {
        let failed = match reader.read(from).await {
            Ok(()) | Err(End::Gone) => None,
            Err(End::Failed(error)) => Some(error),
        };
        if let Some(error) = failed {
            let _ = reader.sender.send(Err(error)).await;
        }
    };
    // The reading goes on only while somebody asks for more.
    let read = stream::once(read).filter_map(|()| async { None });
    let chunks = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    });
    stream::select(read, chunks).boxed()
}

enum End {
    Gone,
    Failed(ClusterError),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<ClusterError> for End {
    fn from(error: ClusterError) -> Self {
        Self::Failed(error)
    }
}

#[derive(Debug)]
struct Reader {
    ray: Arc<Ray>,
    id: String,
    follow: bool,
    sender: mpsc::Sender<Chunk>,
}

/// How a job is, as far as its log is concerned.
struct State {
    /// Where its log lies; `None`: it has none.
    node: Option<String>,
    ended: bool,
}

impl Reader {
    async fn read(&self, from: LogCursor) -> Result<(), End> {
        let mut from = from;
        loop {
            let state = self.state().await?;
            match (&state.node, self.follow && !state.ended) {
                (None, true) => {
                    // Told once, so that whoever looks knows that there is nothing yet.
                    self.tell(0, Bytes::new(), false).await?;
                    self.until_started().await?;
                }
                (None, false) => return Ok(self.tell(0, Bytes::new(), state.ended).await?),
                (Some(node), false) => return self.whole(node, from, state.ended).await.map(drop),
                (Some(node), true) => {
                    let start = match from {
                        LogCursor::Offset(at) => at,
                        tail @ LogCursor::Tail(_) => self.whole(node, tail, false).await?,
                    };
                    from = LogCursor::Offset(self.while_it_runs(node, start).await?);
                }
            }
        }
    }

    async fn state(&self) -> Result<State, ClusterError> {
        let job: Option<Job> = self.ray.job(&self.id).await?;
        let Some(job) = job else {
            return Err(self.ray.http.refused(format!("there is no job `{}`", self.id)));
        };
        let ended = matches!(job.status.as_str(), "SUCCEEDED" | "FAILED" | "STOPPED");
        let node = job.driver_node_id.filter(|_| job.status != "PENDING");
        Ok(State { node, ended })
    }

    async fn until_started(&self) -> Result<(), End> {
        loop {
            if self.sender.is_closed() {
                return Err(End::Gone);
            }
            tokio::time::sleep(LOOK).await;
            let state = self.state().await?;
            if state.node.is_some() || state.ended {
                return Ok(());
            }
        }
    }

    async fn tell(&self, offset: u64, bytes: Bytes, complete: bool) -> Result<(), Gone> {
        let total = offset + bytes.len() as u64;
        let chunk = LogChunk { offset, bytes: bytes.into(), total, complete };
        self.sender.send(Ok(chunk)).await.map_err(|_| Gone)
    }

    async fn open(&self, node: &str, way: &str) -> Result<Incoming, ClusterError> {
        let file = encoded(&format!("job-driver-{}.log", self.id));
        let node = encoded(node);
        let path = format!("/api/v0/logs/{way}?node_id={node}&filename={file}&lines=-1");
        self.ray.http.open(&path, QUERY).await
    }

    /// The next bytes; `None` at the end.
    async fn next(&self, body: &mut Incoming) -> Result<Option<Bytes>, ClusterError> {
        loop {
            match body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Some(bytes));
                    }
                }
                Some(Err(error)) => {
                    return Err(self.ray.http.away(format!("the log broke off: {error}")));
                }
            }
        }
    }

    /// Everything there is now; where it ends.
    async fn whole(&self, node: &str, from: LogCursor, ended: bool) -> Result<u64, End> {
        let mut body = self.open(node, "file").await?;
        let mut at = 0;
        let mut tail = Tail::default();
        loop {
            let next = tokio::time::timeout(SILENCE, self.next(&mut body)).await;
            let next = next.map_err(|_| self.ray.http.away("the log does not go on"))??;
            let Some(bytes) = next else { break };
            at += bytes.len() as u64;
            match from {
                LogCursor::Tail(most) => tail.push(&bytes, most),
                LogCursor::Offset(start) => {
                    let begin = at - bytes.len() as u64;
                    if let Some(fresh) = beyond(begin, &bytes, start) {
                        self.tell(at - fresh.len() as u64, fresh, false).await?;
                    }
                }
            }
        }
        if let LogCursor::Tail(most) = from {
            let bytes = tail.last(most);
            self.tell(at - bytes.len() as u64, bytes, ended).await?;
        } else {
            self.tell(at, Bytes::new(), ended).await?;
        }
        Ok(at)
    }

    /// What comes while the job runs, from byte `start` on; where it ended.
    async fn while_it_runs(&self, node: &str, start: u64) -> Result<u64, End> {
        let mut body = self.open(node, "stream").await?;
        let mut at = 0;
        let mut look = tokio::time::interval(LOOK);
        loop {
            tokio::select! {
                biased;
                next = self.next(&mut body) => match next? {
                    None => return Ok(at.max(start)),
                    Some(bytes) => {
                        let begin = at;
                        at += bytes.len() as u64;
                        if let Some(fresh) = beyond(begin, &bytes, start) {
                            self.tell(at - fresh.len() as u64, fresh, false).await?;
                        }
                    }
                },
                _ = look.tick() => {
                    if self.state().await?.ended {
                        // What came last is read from the file.
                        return Ok(at.max(start));
                    }
                }
            }
        }
    }
}

/// What of these bytes, which begin at `begin`, lies at or after `start`.
fn beyond(begin: u64, bytes: &Bytes, start: u64) -> Option<Bytes> {
    let skip = start.saturating_sub(begin);
    (skip < bytes.len() as u64).then(|| bytes.slice(skip as usize..))
}

/// The last bytes of a stream.
#[derive(Debug, Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn push(&mut self, bytes: &[u8], most: u64) {
        self.0.extend_from_slice(bytes);
        let most = most as usize;
        // Not for every piece, or a long log would be moved about all the time.
        if self.0.len() > most.saturating_mul(2).saturating_add(1 << 16) {
            self.0.drain(..self.0.len() - most);
        }
    }

    fn last(mut self, most: u64) -> Bytes {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let surplus = self.0.len().saturating_sub(most);
        self.0.drain(..surplus);
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_skipped() {
        let bytes = Bytes::from_static(b"abcdef");
        assert_eq!(beyond(0, &bytes, 0).unwrap(), "abcdef");
        assert_eq!(beyond(10, &bytes, 12).unwrap(), "cdef");
        assert_eq!(beyond(10, &bytes, 16), None);
        assert_eq!(beyond(10, &bytes, 99), None);
    }

    #[test]
    fn a_tail_is_the_last_of_it() {
        let mut tail = Tail::default();
        for n in 0..100_000_u32 {
            tail.push(&n.to_le_bytes(), 6);
        }
        assert!(tail.0.len() <= (1 << 16) + 16);
        let mut expected = 99_998_u32.to_le_bytes()[2..].to_vec();
        expected.extend(99_999_u32.to_le_bytes());
        assert_eq!(tail.last(6), expected);
    }
}

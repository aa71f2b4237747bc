//! Unsaved batches on disk: written shortly after the last key, offered again by
//! a later session when this one ended without asking.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{News, files};
use crate::{
    app::msg::{Draft, HalfTyped, Msg},
    error::{Kind, Report},
    procs::ProcId,
};

/// After the last key.
const DELAY: Duration = Duration::from_millis(400);
/// While typing goes on, at the latest.
const LATEST: Duration = Duration::from_secs(3);

/// A draft as it lies on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    id: String,
    path: Option<PathBuf>,
    text: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    half_typed: Vec<HalfTyped>,
    saved_at: Timestamp,
    /// The session that types it; while it lives the draft is its own.
    owner: ProcId,
}

/// What is to be kept.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    pub path: Option<PathBuf>,
    /// `None`: there is nothing to keep any more.
    pub text: Option<String>,
    pub half_typed: Vec<HalfTyped>,
}

enum Order {
    Save { id: String, draft: Unsaved },
    Flush(oneshot::Sender<()>),
}

#[derive(Debug)]
pub(super) struct Drafts {
    orders: mpsc::UnboundedSender<Order>,
    _task: JoinHandle<()>,
}

impl Drafts {
    pub(super) fn start(folder: PathBuf, news: News) -> Self {
        let (orders, inbox) = mpsc::unbounded_channel();
        Self { orders, _task: tokio::spawn(keep(folder, inbox, news)) }
    }

    pub(super) fn save(&self, id: String, draft: Unsaved) {
        let _ = self.orders.send(Order::Save { id, draft });
    }

    /// Returns when everything asked for is on disk.
    pub(super) async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = wait.await;
        }
    }
}

type Pending = BTreeMap<String, Unsaved>;

async fn keep(folder: PathBuf, mut inbox: mpsc::UnboundedReceiver<Order>, news: News) {
    let mut pending = Pending::new();
    let mut due: Option<(Instant, Instant)> = None;
    let mut told = false;
    loop {
        let at = due.map_or_else(Instant::now, |(soon, latest)| soon.min(latest));
        tokio::select! {
            order = inbox.recv() => match order {
                None => break,
                Some(Order::Save { id, draft }) => {
                    pending.insert(id, draft);
                    let now = Instant::now();
                    due = Some((now + DELAY, due.map_or(now + LATEST, |(_, latest)| latest)));
                }
                Some(Order::Flush(done)) => {
                    write(&folder, &mut pending, &news, &mut told).await;
                    due = None;
                    let _ = done.send(());
                }
            },
            () = sleep_until(at), if due.is_some() => {
                write(&folder, &mut pending, &news, &mut told).await;
                due = None;
            }
        }
    }
}

async fn write(folder: &Path, pending: &mut Pending, news: &News, told: &mut bool) {
    if pending.is_empty() {
        return;
    }
    let (folder, batch) = (folder.to_owned(), std::mem::take(pending));
    let written = tokio::task::spawn_blocking(move || {
        batch.into_iter().try_for_each(|(id, draft)| write_one(&folder, id, draft))
    })
    .await;
    match written {
        Ok(Ok(())) => {
            *told = false;
            let _ = news.send(Msg::DraftSaved);
        }
        // Told once, not at every key.
        Ok(Err(e)) if !*told => {
            *told = true;
            let report = Report::new(Kind::State, format!("the draft cannot be kept: {e}"))
                .hint("save the batch (Ctrl-S); until then a lost connection loses it");
            let _ = news.send(Msg::Failed(report));
        }
        _ => {}
    }
}

/// One file a draft and session; an id may hold anything.
fn file_of(folder: &Path, id: &str) -> PathBuf {
    let plain: String = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
        .take(80)
        .collect();
    folder.join(format!("{plain}-{}.json", std::process::id()))
}

fn write_one(folder: &Path, id: String, draft: Unsaved) -> io::Result<()> {
    let file = file_of(folder, &id);
    let Unsaved { path, text, half_typed } = draft;
    let Some(text) = text else {
        forget(folder, &id);
        return match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    };
    fs::create_dir_all(folder)?;
    let (saved_at, owner) = (Timestamp::now(), ProcId::current());
    let kept = Kept { version: 1, id, path, text, half_typed, saved_at, owner };
    files::replace(&file, &serde_json::to_vec(&kept)?)
}

fn all(folder: &Path) -> Vec<(PathBuf, Kept)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .filter_map(|path| {
            let kept: Kept = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
            Some((path, kept))
        })
        .collect()
}

/// A draft taken over from a dead session is forgotten under that session's name.
fn forget(folder: &Path, id: &str) {
    for (path, kept) in all(folder) {
        if kept.id == id && !kept.owner.is_alive() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Drafts of sessions that are gone, newest first.
pub(super) fn left_behind(folder: &Path) -> Vec<Draft> {
    let mut found: Vec<Draft> = all(folder)
        .into_iter()
        .filter(|(_, kept)| !kept.owner.is_alive())
        .map(|(_, kept)| Draft {
            id: kept.id,
            path: kept.path,
            text: kept.text,
            half_typed: kept.half_typed,
            saved_at: kept.saved_at,
        })
        .collect();
    found.sort_by_key(|draft| std::cmp::Reverse(draft.saved_at));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite_owner(folder: &Path, pid: u32) {
        for (path, mut kept) in all(folder) {
            kept.owner.pid = pid;
            fs::write(path, serde_json::to_vec(&kept).unwrap()).unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_draft_outlives_its_session_and_is_forgotten_when_told() {
        let folder = tempfile::tempdir().unwrap();
        let (news, mut inbox) = mpsc::unbounded_channel();
        let drafts = Drafts::start(folder.path().join("drafts"), news);
        let folder = folder.path().join("drafts");
        let half = HalfTyped { entry: Some(0), field: "sweep".into(), text: "lr".into() };
        for text in ["a", "ab", "abc"] {
            let draft = Unsaved {
                path: Some("x.yaml".into()),
                text: Some(text.into()),
                half_typed: vec![half.clone()],
            };
            drafts.save("my/batch".into(), draft);
        }
        drafts.flush().await;
        assert_eq!(inbox.recv().await, Some(Msg::DraftSaved));
        assert!(left_behind(&folder).is_empty(), "its owner lives");
        rewrite_owner(&folder, u32::MAX - 1);
        let found = left_behind(&folder);
        assert_eq!((found.len(), found[0].text.as_str()), (1, "abc"));
        assert_eq!(found[0].half_typed, [half]);
        drafts.save("my/batch".into(), Unsaved::default());
        drafts.flush().await;
        assert!(left_behind(&folder).is_empty());
    }
}

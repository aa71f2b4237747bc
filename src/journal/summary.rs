//! A run in a few numbers, so that the history need not replay every run.
//!
//! Valid as long as the journal is as long as when it was made; otherwise the run
//! is replayed and it is made anew. Losing it costs time, nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer as _};

use super::{Code, JournalError, Replay, RunDir, Stored, dir::replace, living_owner};
use crate::domain::{
    identity::{Earlier, History, Identity},
    ids::{JobIx, RunId},
    resources::Gpus,
    run::{Run, RunJob},
    status::Status,
};

/// A job as later plans see it, by one letter, for one text over all jobs.
struct Letter;

impl Letter {
    /// Waits in a held run: nobody sends it unless a person says so.
    const HELD: char = 'h';
    /// Shows another run's job, which is known by that run.
    const ELSEWHERE: char = 'o';

    const STATUSES: [(Status, char); 11] = [
        (Status::Waiting, 'w'),
        (Status::Submitting, 'u'),
        (Status::Unknown, '?'),
        (Status::Pending, 'p'),
        (Status::Running, 'r'),
        (Status::Succeeded, 's'),
        (Status::Failed, 'f'),
        (Status::Stopped, 'x'),
        (Status::Rejected, 'j'),
        (Status::Lost, 'l'),
        (Status::NotSubmitted, 'n'),
    ];

    fn of(row: &RunJob, run: &Run) -> char {
        let last = row.attempt();
        let shown = last.map_or(!row.action.sends(), |a| a.follows.is_some());
        let lives_there = row.status.is_live() && last.is_some_and(|a| a.remote_id.is_some());
        if shown && !lives_there {
            return Self::ELSEWHERE;
        }
        if row.status == Status::Waiting && run.held.is_some() && !last.is_some_and(|a| a.asked) {
            return Self::HELD;
        }
        Self::STATUSES.iter().find(|(s, _)| *s == row.status).map_or('?', |(_, c)| *c)
    }

    /// Where it stands, and whether it is held; `None`: it is no work of its run.
    fn read(letter: char) -> Option<(Status, bool)> {
        match letter {
            Self::ELSEWHERE => None,
            Self::HELD => Some((Status::Waiting, true)),
            _ => {
                let known = Self::STATUSES.iter().find(|(_, c)| *c == letter);
                Some((known.map_or(Status::Unknown, |(s, _)| *s), false))
            }
        }
    }

    fn text(run: &Run) -> String {
        run.jobs.iter().map(|row| Self::of(row, run)).collect()
    }
}

/// What the history shows of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Bytes of whole lines in the journal when this was made.
    pub journal: u64,
    pub run: RunId,
    pub batch: String,
    pub created_at: Timestamp,
    pub ended: bool,
    pub counts: BTreeMap<Status, usize>,
    pub total_gpus: Gpus,
    pub held: Option<String>,
    /// Of the newest record.
    pub last_at: Timestamp,
    /// Somebody must carry it on: there is something to send or to look up.
    pub needs_conductor: bool,
    /// The jobs as later plans see them, in batch order.
    pub letters: String,
    /// Jobs that a retry changed are other work now.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changed: BTreeMap<u32, String>,
    /// Runs whose jobs it shows.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub shows: BTreeSet<RunId>,
}

/// Runs whose jobs a run shows in rows of its own.
fn shown_by(run: &Run) -> BTreeSet<RunId> {
    let keys = run.jobs.iter().flat_map(|row| &row.attempts).filter_map(|a| a.follows.as_ref());
    keys.map(|key| key.run.clone()).collect()
}

impl Summary {
    /// `journal`: bytes of whole lines the run was folded from.
    pub fn of(run: &Run, code: &Code, journal: u64) -> Self {
        let changed = (0..)
            .map(JobIx)
            .zip(&run.jobs)
            .filter_map(|(ix, job)| {
                let last = job.attempt()?;
                (last.spec.is_some() || last.code.is_some()).then(|| {
                    let spec = job.spec_now();
                    let code = last.code.as_deref().or_else(|| code.of(spec));
                    (ix.0, Identity::of(spec, code).to_string())
                })
            })
            .collect();
        Self {
            journal,
            run: run.id.clone(),
            batch: run.head.name.clone(),
            created_at: run.created_at,
            ended: run.is_ended(),
            counts: run.counts.iter().filter(|(_, n)| **n > 0).map(|(s, n)| (*s, *n)).collect(),
            total_gpus: run.jobs.iter().map(|j| j.total_gpus).sum(),
            held: run.held.as_ref().map(ToString::to_string),
            last_at: run.last_record_at,
            needs_conductor: run.needs_conductor(),
            letters: Letter::text(run),
            changed,
            shows: shown_by(run),
        }
    }

    /// The summary of a run, made anew where it is stale.
    ///
    /// # Errors
    /// The run cannot be read.
    pub fn read(dir: &RunDir) -> Result<Self, JournalError> {
        if let Some(fresh) = Self::cached(dir) {
            return Ok(fresh);
        }
        let replay = Replay::read(dir)?;
        let summary = Self::of(&replay.run, &replay.code, replay.tail.offset());
        summary.save(dir);
        Ok(summary)
    }

    fn cached(dir: &RunDir) -> Option<Self> {
        let summary: Self = serde_json::from_slice(&fs::read(dir.summary()).ok()?).ok()?;
        let len = fs::metadata(dir.journal()).ok()?.len();
        (summary.journal == len).then_some(summary)
    }

    /// Keeps it; failing to is no harm.
    pub fn save(&self, dir: &RunDir) {
        if let Ok(text) = serde_json::to_vec(self) {
            let _ = replace(&dir.summary(), &text, false);
        }
    }

    /// Takes over where the jobs stand now.
    pub(crate) fn update(&mut self, run: &Run) {
        self.ended = run.is_ended();
        self.counts = run.counts.iter().filter(|(_, n)| **n > 0).map(|(s, n)| (*s, *n)).collect();
        self.letters = Letter::text(run);
        self.last_at = run.last_record_at;
    }

    /// Jobs not sent yet.
    pub fn unsent(&self) -> usize {
        self.counts.get(&Status::Waiting).copied().unwrap_or(0)
    }

    /// Adds the run's jobs to the earlier work.
    pub fn add_to(&self, dir: &RunDir, history: &mut History) {
        let alone = self.unsent() > 0 && living_owner(dir).is_none();
        for (ix, (identity, letter)) in
            (0..).zip(identities(dir).into_iter().zip(self.letters.chars()))
        {
            let identity = match self.changed.get(&ix) {
                Some(text) => text.parse().ok(),
                None => identity,
            };
            if let (Some(identity), Some((status, held))) = (identity, Letter::read(letter)) {
                let run = self.run.clone();
                let held = held || (alone && status == Status::Waiting);
                history.add(identity, Earlier { run, job: JobIx(ix), status, held });
            }
        }
    }
}

impl Stored {
    /// Writes down what work the jobs are. Done once, when the run is made.
    pub fn save_identities(&self, dir: &RunDir) {
        let mut text = Vec::new();
        let mut json = serde_json::Serializer::new(&mut text);
        let jobs = self.approved.jobs().iter();
        let identities = jobs.map(|job| Identity::of(&job.spec, self.code.of(&job.spec)));
        if json.collect_seq(identities.map(|identity| identity.to_string())).is_ok() {
            let _ = replace(&dir.identities(), &text, false);
        }
    }
}

/// In batch order; `None` where one cannot be read.
fn identities(dir: &RunDir) -> Vec<Option<Identity>> {
    let read = || -> Option<Vec<String>> {
        serde_json::from_slice(&fs::read(dir.identities()).ok()?).ok()
    };
    let texts = read().or_else(|| {
        Stored::read(dir).ok()?.save_identities(dir);
        read()
    });
    texts.unwrap_or_default().iter().map(|text| text.parse().ok()).collect()
}

//! Seeing how many jobs stand at little cost: what was read is kept, and only
//! jobs that the list of events names are read again.
//!
//! The list is a hint. When it may have missed something (a full disk, a new
//! list, a touched `resync`) every job is read again; the state files alone say
//! what is true.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::MetadataExt as _,
    time::SystemTime,
};

use super::{
    executor::lost::standing,
    files,
    index::Standing,
    map,
    queue::Root,
    state,
    waits::{Ahead, View, Waits},
    wire::Summary,
};
use crate::{
    cluster::{Observed, Watched},
    domain::{
        ids::{JobKey, RunId},
        run::JobFacts,
        status::Status,
    },
};

/// What was read before.
#[derive(Debug, Default)]
pub struct Seen {
    jobs: HashMap<JobKey, JobFacts>,
    /// Identity of the list of events, and how much of it was read.
    events: Option<(u64, u64)>,
    offset: u64,
    resynced: Option<SystemTime>,
    waits: Waits,
}

impl Seen {
    /// How the jobs stand now. `trouble`: why no executor works.
    ///
    /// # Errors
    /// What the disk says; what was seen before is kept.
    pub fn look(
        &mut self,
        root: &Root,
        jobs: &[Watched],
        trouble: Option<&str>,
    ) -> io::Result<Vec<Observed>> {
        self.take_events(root)?;
        let mut answer = Vec::with_capacity(jobs.len());
        for job in jobs {
            let facts = if let Some(facts) = self.jobs.get(&job.key) {
                Some(facts.clone())
            } else {
                let facts = read(root, &job.key)?;
                // An absent one may come, and nothing would announce it.
                if let Some(facts) = &facts {
                    self.jobs.insert(job.key.clone(), facts.clone());
                }
                facts
            };
            answer.push(Observed { key: job.key.clone(), facts });
        }
        self.explain(root, &mut answer, trouble)?;
        if self.jobs.len() > 2 * jobs.len() + 1000 {
            let watched: std::collections::HashSet<&JobKey> = jobs.iter().map(|j| &j.key).collect();
            self.jobs.retain(|key, _| watched.contains(key));
        }
        Ok(answer)
    }

    /// Forgets what may have changed.
    fn take_events(&mut self, root: &Root) -> io::Result<()> {
        let resynced = fs::metadata(root.resync()).and_then(|m| m.modified()).ok();
        let file = match File::open(root.events()) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let meta = file.as_ref().map(File::metadata).transpose()?;
        let events = meta.as_ref().map(|m| (m.dev(), m.ino()));
        let len = meta.map_or(0, |m| m.len());
        if events != self.events || resynced != self.resynced || len < self.offset {
            self.jobs.clear();
            (self.events, self.resynced, self.offset) = (events, resynced, len);
            return Ok(());
        }
        if let Some(mut file) = file
            && len > self.offset
        {
            file.seek(SeekFrom::Start(self.offset))?;
            let mut bytes = Vec::new();
            file.take(len - self.offset).read_to_end(&mut bytes)?;
            // A line that is half written is read next time.
            let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            bytes.truncate(whole);
            for line in bytes.split(|b| *b == b'\n') {
                let key = std::str::from_utf8(line).ok().and_then(|l| l.parse::<JobKey>().ok());
                if let Some(key) = key {
                    self.jobs.remove(&key);
                } else if !line.is_empty() {
                    self.jobs.clear();
                }
            }
            self.offset += whole as u64;
        }
        Ok(())
    }

    /// Says of the waiting ones why they wait.
    fn explain(
        &mut self,
        root: &Root,
        answer: &mut [Observed],
        trouble: Option<&str>,
    ) -> io::Result<()> {
        let waits_still =
            |o: &Observed| o.facts.as_ref().is_some_and(|f| f.status == Status::Pending);
        if !answer.iter().any(waits_still) {
            return Ok(());
        }
        if answer.iter().any(|o| waits_still(o) && !self.waits.knows(&o.key)) {
            self.waits.refresh(root)?;
        }
        let mut running: HashMap<&RunId, u32> = HashMap::new();
        for (key, facts) in &self.jobs {
            if facts.status == Status::Running {
                *running.entry(&key.run).or_default() += 1;
            }
        }
        // Many may wait for the same job: each is looked up once.
        let looked_up: RefCell<HashMap<JobKey, Standing>> = RefCell::default();
        let jobs = &self.jobs;
        let summary: Summary = files::read_json(&root.summary()).unwrap_or_default();
        let view = View {
            summary: &summary,
            trouble,
            disk_full: files::is_full(root.path()),
            running: &|run| running.get(run).copied().unwrap_or(0),
            standing: &|key| {
                let known = jobs.get(key).map(|facts| facts.status);
                match known {
                    Some(Status::Succeeded) => Standing::Succeeded,
                    Some(status) if !status.is_ended() => Standing::Live,
                    _ => looked_up
                        .borrow_mut()
                        .entry(key.clone())
                        .or_insert_with(|| standing(root, key))
                        .clone(),
                }
            },
            name: &|key| state::read(&root.state(key)).ok().flatten().map(|s| s.head.name),
        };
        let mut of_run: HashMap<RunId, u32> = HashMap::new();
        for (in_all, observed) in (0..).zip(answer.iter_mut().filter(|o| waits_still(o))) {
            let of_run = of_run.entry(observed.key.run.clone()).or_default();
            let ahead = Ahead { of_run: *of_run, in_all };
            observed.facts = Some(self.waits.explain(&observed.key, ahead, &view));
            *of_run += 1;
        }
        Ok(())
    }

    pub fn forget(&mut self, key: &JobKey) {
        self.jobs.remove(key);
    }
}

/// What the files of one job say; `None` when it was never queued here.
pub fn read(root: &Root, key: &JobKey) -> io::Result<Option<JobFacts>> {
    Ok(match state::read(&root.state(key))? {
        Some(state) => Some(map::facts(&state)),
        None if root.job(key).exists() => Some(map::queued("queued on this machine", false)),
        None => None,
    })
}

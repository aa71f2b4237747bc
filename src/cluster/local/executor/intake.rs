//! What comes in: requests, dependencies that are met or broken, cancels.

use std::{collections::HashSet, fs, io, time::Instant};

use jiff::Timestamp;

use super::{
    super::{
        index::{Met, Place},
        map,
        state::{self, State, StateFile},
        supervisor, wake,
        wire::{Head, QueuedBrief},
    },
    AGAIN, Executor, Running, Supervisor, complain,
    lost::standing,
};
use crate::{
    domain::{ids::JobKey, status::Cause},
    procs::{self, ProcId},
};

impl Executor {
    /// Reads the requests that have come. At the start their jobs may be anywhere
    /// in their lives; later nobody but us can have started them.
    pub(super) fn take_requests(&mut self, at_start: bool) -> io::Result<()> {
        for number in self.root.list_requests()? {
            if number <= self.newest {
                continue;
            }
            self.newest = number;
            let mut places = Vec::new();
            let index = &mut self.index;
            let read = self.root.read_request(number, |job| {
                let key = job.brief.key.clone();
                places.push((index.add(number, job), key));
            });
            if let Err(error) = read {
                complain(&self.root, &error);
            } else if places.is_empty() {
                self.forget_request(number);
            }
            for (place, key) in places {
                let state = if at_start { state::read(&self.root.state(&key))? } else { None };
                match state {
                    None => self.settle(place),
                    Some(State { end: Some(_), .. }) => self.index.end(place),
                    Some(state) => self.adopt(place, &state),
                }
            }
        }
        Ok(())
    }

    /// A job that an earlier executor has started.
    pub(super) fn adopt(&mut self, place: Place, state: &State) {
        let (Some(claim), Some(line)) = (&state.head.claim, self.index.line(place)) else { return };
        // A pid of an earlier boot, or one that is another's now, is not watched.
        let id = ProcId { host: procs::host().to_owned(), ..claim.supervisor.clone() };
        let ended = wake::process_end(id.pid).filter(|_| id.is_alive());
        let running = Running {
            key: state.head.key.clone(),
            need: line.need,
            shares: claim.shares.clone(),
            supervisor: Supervisor::Adopted(id),
            ended,
            claimed: true,
            orphaned: false,
        };
        self.index.start(place);
        self.machine.take(&running.need, &running.shares);
        self.running.insert(place, running);
        self.look_at(place);
    }

    /// Looks at the dependencies of a waiting job.
    pub(super) fn settle(&mut self, place: Place) {
        let root = &self.root;
        if let Met::Never(words) = self.index.settle(place, |key| standing(root, key)) {
            self.end_unstarted(place, Cause::Dependency, words);
        }
    }

    /// Ends a job that waits.
    pub(super) fn end_unstarted(&mut self, place: Place, cause: Cause, reason: String) {
        let Some(key) = self.index.key(place) else { return };
        let name = self
            .index
            .line(place)
            .and_then(|line| self.root.read_line(place.request, line.offset, line.len).ok())
            .and_then(|line| serde_json::from_slice::<QueuedBrief>(&line).ok())
            .map_or_else(|| key.to_string(), |job| job.name.into());
        let head = Head { key: key.clone(), name, claim: None };
        let end = map::never_started(cause, reason, Timestamp::now());
        let recorded = StateFile::create(&self.root.state(&key), &head, 1)
            .and_then(|state| state.write_end(&end));
        match recorded {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => {
                // A full disk: it stays where it is, and is tried again.
                self.unrecorded.push((place, cause, end.reason));
                self.retry_at = Some(Instant::now() + AGAIN);
                return;
            }
        }
        self.ended(place, &key);
    }

    /// Books the end of a job, and settles those that waited for it.
    pub(super) fn ended(&mut self, place: Place, key: &JobKey) {
        self.index.end(place);
        self.tries.remove(&place);
        let _ = fs::remove_file(self.root.cancel(key));
        self.root.announce(key);
        for waiting in self.index.freed_by(key) {
            self.settle(waiting);
        }
    }

    /// Stops what is asked for: waiting jobs here and now, running ones through
    /// their supervisors.
    pub(super) fn take_cancels(&mut self) -> io::Result<()> {
        let mut asked = Vec::new();
        for entry in fs::read_dir(self.root.cancels())? {
            let entry = entry?;
            match entry.file_name().to_str().and_then(|name| name.parse::<JobKey>().ok()) {
                Some(key) => asked.push(key),
                None => drop(fs::remove_file(entry.path())),
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        for place in self.index.find_waiting(&asked) {
            self.end_unstarted(place, Cause::Cancelled, "cancelled before it started".into());
        }
        let running: HashSet<&JobKey> = self.running.values().map(|r| &r.key).collect();
        for key in asked {
            if running.contains(&key) {
                wake::ring(&self.root.bell(&key), supervisor::CANCEL);
            } else {
                // It has ended, now or before, or was never here.
                let _ = fs::remove_file(self.root.cancel(&key));
            }
        }
        Ok(())
    }

    pub(super) fn forget_request(&mut self, number: u64) {
        self.env_removed.remove(&number);
        let _ = fs::remove_file(self.root.request_env(number));
        let _ = fs::remove_file(self.root.request(number));
    }
}

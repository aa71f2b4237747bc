//! Starting what fits, and seeing how that went.

use std::{
    fs, io,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    super::{
        SUPERVISE, devices,
        index::Place,
        schedule::pick,
        slots::Share,
        state::{self, State},
        supervisor::TRY_AGAIN,
        wake,
        wire::Order,
    },
    AGAIN, Executor, MAX_TRIES, Running, Supervisor, complain,
    lost::bury,
};
use crate::domain::status::Cause;

impl Executor {
    pub(super) fn start_what_fits(&mut self) {
        if self.retry_at.is_some() {
            return;
        }
        if self.devices.is_none() && self.index.waits_for_gpus() {
            self.devices = Some(devices::slots(&self.settings));
            self.rebuild_machine();
        }
        loop {
            let heads = self.index.heads();
            let needs: Vec<_> = heads.iter().map(|(_, head)| *head).collect();
            let Some(pick) = pick(&needs, &self.machine) else { return };
            let Some((place, _)) = heads.get(pick.at) else { return };
            if let Err(error) = self.start(*place, pick.shares) {
                complain(&self.root, &error);
                self.retry_at = Some(Instant::now() + AGAIN);
                return;
            }
            for older in pick.overtook {
                if let Some((place, _)) = heads.get(older) {
                    self.index.overtake(*place);
                }
            }
        }
    }

    pub(super) fn start(&mut self, place: Place, shares: Vec<Vec<Share>>) -> io::Result<()> {
        let (Some(key), Some(line)) = (self.index.key(place), self.index.line(place)) else {
            return Err(io::Error::other("a job that is not in the queue was to start"));
        };
        let order = Order {
            key: key.clone(),
            epoch: self.epoch,
            request: place.request,
            offset: line.offset,
            len: line.len,
            shares: shares.clone(),
            grace_secs: self.settings.grace(),
        };
        // Not ours to wait for: its end is told by `ended`, its zombie reaped then.
        let child = Command::new(&self.exe)
            .arg(SUPERVISE)
            .arg(self.root.path())
            .arg(serde_json::to_string(&order)?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pid = child.id();
        self.index.start(place);
        self.machine.take(&line.need, &shares);
        self.running.insert(
            place,
            Running {
                key,
                need: line.need,
                shares,
                supervisor: Supervisor::Child(pid),
                ended: wake::process_end(pid),
                claimed: false,
                orphaned: false,
            },
        );
        Ok(())
    }

    /// Looks how a started job stands.
    pub(super) fn look_at(&mut self, place: Place) {
        let Some(running) = self.running.get_mut(&place) else { return };
        // First whether it is gone: then what it wrote is its last word.
        let gone = if running.orphaned { None } else { running.supervisor.gone() };
        let Ok(state) = state::read(&self.root.state(&running.key)) else { return };
        running.claimed |= state.as_ref().is_some_and(|s| s.head.claim.is_some());
        match state {
            Some(State { end: Some(_), .. }) => {
                match &running.supervisor {
                    Supervisor::Child(pid) if gone.is_none() => self.leaving.push(*pid),
                    _ => {}
                }
                self.finish(place);
            }
            _ if gone.is_none() => {}
            Some(state) if state.head.claim.is_some() => {
                running.orphaned = true;
                running.ended = None;
                bury(&self.root, state, Duration::from_secs(self.settings.grace()));
            }
            _ => self.did_not_start(place, gone.and_then(|g| g.code)),
        }
    }

    pub(super) fn finish(&mut self, place: Place) {
        let Some(running) = self.running.remove(&place) else { return };
        self.machine.give_back(&running.need, &running.shares);
        self.ended(place, &running.key);
    }

    /// Its supervisor ended without a claim: nothing was started.
    pub(super) fn did_not_start(&mut self, place: Place, code: Option<i32>) {
        let Some(running) = self.running.remove(&place) else { return };
        self.machine.give_back(&running.need, &running.shares);
        // Half a claim is no claim; it would keep the next supervisor out.
        let _ = fs::remove_file(self.root.state(&running.key));
        self.index.put_back(place);
        let tries = self.tries.entry(place).or_default();
        if code != Some(i32::from(TRY_AGAIN)) {
            *tries += 1;
        }
        if *tries >= MAX_TRIES {
            let reason = "its supervisor could not be started".to_owned();
            self.end_unstarted(place, Cause::Launch, reason);
        } else {
            self.retry_at = Some(Instant::now() + AGAIN);
        }
    }
}

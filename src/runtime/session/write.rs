//! Recording: the journal first, then the fold, then the windows.

use super::{conduct::Conducting, poll::seconds, stamp, state_report};
use crate::{
    domain::{
        placement::{Standing, need},
        run::{Changed, Record, Stamped},
        status::Status,
    },
    journal::JournalError,
};

impl Conducting<'_> {
    /// Records without waiting for the disk.
    pub(super) fn record(&mut self, record: Record) {
        let stamped = stamp(record, self.s.now(), self.journal.epoch());
        self.journal.note(&stamped);
        self.fold(&stamped);
    }

    /// Records, and is on disk when it returns; all or nothing.
    pub(super) fn commit(&mut self, records: Vec<Record>) -> Result<(), JournalError> {
        let at = self.s.now();
        let epoch = self.journal.epoch();
        let stamped: Vec<Stamped> = records.into_iter().map(|r| stamp(r, at, epoch)).collect();
        #[cfg(test)]
        self.s.engine.faults.before_commit(&stamped)?;
        if let Err(error) = self.journal.commit(&stamped) {
            if matches!(error, JournalError::Fenced) || !self.s.dir.plan().exists() {
                self.fenced = Some(JournalError::Fenced);
            }
            return Err(error);
        }
        for record in &stamped {
            self.fold(record);
        }
        #[cfg(test)]
        self.s.engine.faults.after_commit();
        Ok(())
    }

    fn fold(&mut self, stamped: &Stamped) {
        let changed = self.s.run.apply(stamped);
        self.s.answer_if_done(&stamped.record);
        self.note_changes(&changed);
        self.fresh.get_or_insert_default().extend(changed.jobs);
    }

    /// Keeps the lists of rows that something must be done about.
    pub(super) fn note_changes(&mut self, changed: &Changed) {
        if changed.run || !changed.jobs.is_empty() {
            self.dirty = true;
        }
        for ix in &changed.jobs {
            let Some(row) = self.s.run.job(*ix) else { continue };
            let live = row.status.is_live();
            for (id, site) in &mut self.sites {
                if live && row.cluster.as_ref() == Some(id) {
                    site.live.insert(*ix);
                } else {
                    site.live.remove(ix);
                }
                if !site.capabilities.queue
                    && let Some(last) = row.attempt()
                {
                    let here = last.cluster.as_ref() == Some(id);
                    // Taken back or given elsewhere: nothing of it stands here.
                    let status = if here { last.status } else { Status::Waiting };
                    let now = Standing {
                        attempt: last.number,
                        status,
                        need: need(row.spec_now(), row.replicas),
                        node: last.node.as_deref(),
                        finished_at: last.finished_at.map(seconds),
                    };
                    site.bookings.note(*ix, now);
                }
            }
            if self.s.run.will_retry(row) {
                self.to_retry.push(*ix);
            }
            if row.cancel_asked && matches!(row.status, Status::Pending | Status::Running) {
                self.to_cancel.push(*ix);
            }
        }
    }

    /// First the journal, then the windows.
    pub(super) fn flush(&mut self) {
        #[cfg(test)]
        if self.s.engine.faults.moment() {
            return;
        }
        if let Err(error) = self.journal.flush() {
            // Watching goes on; sending waits for the next commit to succeed.
            self.s.trouble(state_report(&error));
        }
        if let Some(changed) = self.fresh.take() {
            self.s.tell_changed(changed);
        }
    }
}

//! Leaving a run in good order.

use std::collections::BTreeMap;

use super::{conduct::Conducting, save_summary};
use crate::{
    domain::{ids::ClusterId, run::Record, status::Status},
    error::{Kind, Report},
    runtime::{
        engine::{spawn_background, store_health},
        handle::{Finish, Role, Successor},
    },
};

impl Conducting<'_> {
    /// The last records. With `held` what is unsent waits for a person.
    pub(super) async fn close(&mut self, held: Option<String>) {
        self.tasks.shutdown().await;
        if self.commit(vec![Record::Closed { held }]).is_err() {
            // The next one finds out by the lock.
        }
        self.flush();
        save_summary(&self.s.run, &self.s.code, &self.s.dir, self.journal.len());
        store_health(&self.s.dir, &self.s.health);
    }

    /// `background`: whether somebody is to be left behind for what is unsent, or
    /// it is held; `None`: nothing is.
    pub(super) async fn finish(mut self, background: Option<bool>) -> Finish {
        let run = &self.s.run;
        let left = self.s.asked_unsent() || (self.s.active && run.needs_conductor());
        let unreachable: BTreeMap<ClusterId, String> = self
            .sites
            .iter()
            .filter(|(id, site)| {
                site.health.reachable != Some(true)
                    && site.health.error.is_some()
                    && run.jobs.iter().any(|j| {
                        j.cluster.as_ref() == Some(*id)
                            && (j.status == Status::Waiting || j.status.is_live())
                    })
            })
            .filter_map(|(id, site)| Some((id.clone(), site.health.error.clone()?)))
            .collect();
        let unsent = run.unsent();
        let hold = (background == Some(false) && left && unsent > 0 && run.held.is_none())
            .then(|| "nobody was left behind to send it".to_owned());
        let only_asked = !self.s.active;
        self.close(hold).await;
        let Self { s, journal, .. } = self;
        // The lock is free before anybody else is started.
        drop(journal);
        let mut successor = None;
        if background == Some(true) && left {
            match spawn_background(&s.engine, &s.run.id, only_asked) {
                Ok(pid) => successor = Some(Successor::background(pid)),
                Err(error) => s.trouble(
                    Report::new(
                        Kind::State,
                        format!("no background process could be started: {error}"),
                    )
                    .hint(format!("go on with `jobdeck send {}`", s.run.id)),
                ),
            }
        }
        s.set_role(Role::Looking);
        s.finish(successor, unreachable)
    }
}

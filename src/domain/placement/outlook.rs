//! Where jobs that are placed when they are sent would go, were they sent now.

use std::{sync::Arc, time::Duration};

use super::{Asks, Deal, Offer, Vacancy, need, shortage};
use crate::domain::{
    ids::ClusterId,
    plan::PlannedJob,
    site::{Capacity, ClusterView, ClusterViews, NodeCapacity},
};

/// What would become of a job, were its batch sent now.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Outlook {
    /// `None`: it would wait.
    pub cluster: Option<ClusterId>,
    pub why: Arc<str>,
}

/// Looks ahead, job by job in the order of the batch, by what the clusters have last
/// said they have. Of jobs whose clusters have said nothing there is no outlook.
pub fn look_ahead(jobs: &mut [PlannedJob], views: &ClusterViews) {
    let open = |job: &PlannedJob| job.cluster.is_none() && job.action.sends();
    if !jobs.iter().any(open) {
        return;
    }
    let said = |view: &ClusterView| view.capacity.clone().map(|(_, has)| has);
    let mut ahead = Ahead {
        deal: Deal::new(views.iter().map(|(id, view)| (id, offer(view)))),
        said: views.iter().filter_map(|(id, view)| Some((id, said(view)?))).collect(),
    };
    for job in jobs.iter_mut().filter(|job| open(job) && !job.may_go.is_empty()) {
        let waits = job.depends_on.first().map(|_| Outlook {
            cluster: None,
            why: "placed when what it waits for has ended".into(),
        });
        job.outlook = waits.or_else(|| ahead.of(job));
    }
}

struct Ahead<'v> {
    deal: Deal<'v>,
    said: Vec<(&'v ClusterId, Capacity)>,
}

impl Ahead<'_> {
    fn of(&mut self, job: &PlannedJob) -> Option<Outlook> {
        let asks = Asks {
            fixed: None,
            choice: &job.spec.cluster,
            may_go: &job.may_go,
            need: need(&job.spec, job.replicas),
            waited: Duration::ZERO,
        };
        let others = self.deal.with_room(&asks).saturating_sub(1);
        let Some(id) = self.deal.deal(&asks).cloned() else { return self.waits(&asks) };
        let why = match self.deal.nodes(&id) {
            None => "it has a queue of its own; no other has room now".into(),
            Some(_) if others == 0 => "the only one with room now".into(),
            Some(nodes) => {
                let left: crate::domain::resources::Gpus = nodes.iter().map(|n| n.free.gpus).sum();
                format!("the best of {} with room now; {left} GPUs stay free there", others + 1)
            }
        };
        Some(Outlook { cluster: Some(id), why: why.into() })
    }

    /// By what is left when those before it have theirs.
    fn waits(&self, asks: &Asks<'_>) -> Option<Outlook> {
        let left: Vec<(&ClusterId, Capacity)> = self
            .said
            .iter()
            .filter(|(id, _)| asks.may_go.contains(id))
            .filter_map(|(id, has)| {
                let nodes = self.deal.nodes(id)?.to_vec();
                Some((*id, Capacity { nodes, ..has.clone() }))
            })
            .collect();
        let why = shortage(&asks.need, left.iter().map(|(id, has)| (*id, has)));
        let prefers = || (!left.is_empty()).then(|| "waits a while for the one it prefers".into());
        why.or_else(prefers).map(|why| Outlook { cluster: None, why: why.into() })
    }
}

fn offer(view: &ClusterView) -> Offer {
    let nodes = |(_, has): &(jiff::Timestamp, Capacity)| -> Vec<NodeCapacity> { has.nodes.clone() };
    let room = match &view.capacity {
        _ if view.capabilities.queue => Vacancy::Queue,
        Some(said) => Vacancy::Nodes(nodes(said)),
        None => Vacancy::Unknown,
    };
    let open = view.enabled && view.drivable;
    Offer { open, take: if open { usize::MAX } else { 0 }, room, appeal: view.appeal }
}

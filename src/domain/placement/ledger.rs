//! Dealing a batch out over what is free.

use std::collections::HashMap;

use super::replicas;
use crate::domain::{ids::ClusterId, job::JobSpec, resources::Gpus, site::ClusterView};

/// What is left of the free GPUs of each cluster while a batch is dealt out.
#[derive(Debug, Default)]
pub struct Ledger(HashMap<ClusterId, Gpus>);

impl Ledger {
    /// Gives the job to one of the clusters that can hold it; `None`: decided when
    /// it is sent. Takes its GPUs off what is free there.
    pub fn place<'v>(
        &mut self,
        spec: &JobSpec,
        able: &[&'v ClusterView],
    ) -> Option<&'v ClusterView> {
        let chosen = match able {
            [] => return None,
            [only] => *only,
            several if several.iter().any(|v| !v.capabilities.queue) => return None,
            several => several
                .iter()
                .find(|v| {
                    let needed = needed(spec, v);
                    self.free(v).is_some_and(|free| free >= needed)
                })
                .or_else(|| several.first())?,
        };
        if let Some(free) = self.free(chosen) {
            self.0.insert(chosen.id.clone(), free.saturating_sub(needed(spec, chosen)));
        }
        Some(chosen)
    }

    fn free(&self, view: &ClusterView) -> Option<Gpus> {
        let said = view.capacity.as_ref().and_then(|(_, has)| has.gpus_free);
        self.0.get(&view.id).copied().or(said)
    }
}

fn needed(spec: &JobSpec, view: &ClusterView) -> Gpus {
    spec.gpus.times(u64::from(replicas(spec, view.capabilities.adds_master)))
}

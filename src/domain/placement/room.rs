//! Whether a cluster is large enough for a job.

use super::{Obstacle, replicas};
use crate::domain::{
    job::{JobSpec, JobType},
    resources::{Gpus, Memory},
    site::ClusterView,
};

/// Whether a cluster can ever hold a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// It has not said what it has.
    Unknown,
    Never(Obstacle),
}

/// Whether the cluster can ever hold the job, as far as it has said what it has.
pub fn room(spec: &JobSpec, view: &ClusterView) -> Room {
    let Some((_, has)) = &view.capacity else { return Room::Unknown };
    let id = &view.id;
    let replicas = replicas(spec, view.capabilities.adds_master);
    let each = if spec.job_type == JobType::Distributed { " per worker" } else { "" };
    if let Some(most) = has.gpus_per_node.filter(|most| spec.gpus > *most && !most.is_zero()) {
        let gpus = spec.gpus.in_words();
        return Room::Never(
            Obstacle::new(
                "gpus",
                format!("{gpus}{each}, and no machine of `{id}` has more than {most}"),
            )
            .hint("ask for fewer, or use workers of a distributed job"),
        );
    }
    let needed = spec.gpus.of_replicas(u64::from(replicas));
    let nowhere = has.gpus_per_node.filter(|most| most.is_zero());
    if let Some(total) = nowhere.or(has.gpus_total).filter(|total| needed > *total) {
        let has = if total.is_zero() { "none".to_owned() } else { format!("{total} in all") };
        return Room::Never(
            Obstacle::new(
                "gpus",
                format!("it needs {}, and `{id}` has {has}", shares(spec.gpus, replicas, needed)),
            )
            .hint("ask for fewer, or choose another cluster"),
        );
    }
    let cpus = spec.cpus.unwrap_or(0.0) * f64::from(replicas);
    if let Some(total) = has.cpus_total.filter(|total| cpus > *total) {
        return Room::Never(
            Obstacle::new("cpus", format!("it needs {cpus} CPUs, and `{id}` has {total} in all"))
                .hint("ask for fewer, or choose another cluster"),
        );
    }
    let memory = spec.memory.map_or(0, |m| m.bytes().saturating_mul(u64::from(replicas)));
    if let Some(total) = has.memory_total.filter(|total| memory > *total) {
        let (memory, total) = (Memory::from_bytes(memory), Memory::from_bytes(total >> 20 << 20));
        return Room::Never(
            Obstacle::new(
                "memory",
                format!("it needs {memory} of memory, and `{id}` has {total} in all"),
            )
            .hint("ask for less, or choose another cluster"),
        );
    }
    let need = super::need(spec, replicas);
    if !has.nodes.is_empty() && !has.nodes.iter().any(|node| node.total.holds(&need)) {
        let key = if need.cpus > 1.0 { "cpus" } else { "gpus" };
        return Room::Never(
            Obstacle::new(
                key,
                format!("it needs {}, and no node of `{id}` has all of that", need.in_words()),
            )
            .hint("ask for less, or choose another cluster"),
        );
    }
    if has.gpus_total.is_none() && !spec.gpus.is_zero() { Room::Unknown } else { Room::Enough }
}

/// `8 GPUs`; `3 GPUs for 5 workers of 0.6` where fractions leave a rest of each.
fn shares(each: Gpus, replicas: u32, needed: Gpus) -> String {
    if needed == each.times(u64::from(replicas)) {
        return needed.in_words();
    }
    format!("{} for {replicas} workers of {each}", needed.in_words())
}

//! Why a job that is sent only when it fits is not sent now, in words.

use super::deal::freer;
use crate::domain::{
    ids::ClusterId,
    site::{Amounts, Capacity, NodeCapacity, cpus_in_words, memory_in_words},
};

/// `needs 2 GPUs on one node; a has 1 free, b none`: what each of these clusters has.
/// `None`: one of them has room for it.
pub fn shortage<'a>(
    need: &Amounts,
    clusters: impl IntoIterator<Item = (&'a ClusterId, &'a Capacity)>,
) -> Option<String> {
    let mut has: Vec<String> = Vec::new();
    let mut asked = wanted(need);
    for (id, said) in clusters {
        let nodes = &said.nodes;
        if nodes.iter().any(|node| node.free.holds(need)) {
            return None;
        }
        let (what, lacking) = lack(need, nodes);
        if let Some(lacking) = lacking.filter(|lacking| !asked.contains(lacking)) {
            asked.push(lacking);
        }
        let verb = if has.is_empty() { " has" } else { "" };
        has.push(format!("{id}{verb} {what}"));
    }
    let words: Vec<String> = asked.iter().map(|thing| thing.words(need)).collect();
    (!has.is_empty()).then(|| format!("needs {} on one node; {}", words.join(", "), has.join(", ")))
}

#[derive(Clone, Copy, PartialEq)]
enum Thing {
    Gpus,
    Cpus,
    Memory,
}

impl Thing {
    fn words(self, of: &Amounts) -> String {
        match self {
            Self::Gpus => of.gpus.in_words(),
            Self::Cpus => cpus_in_words(of.cpus),
            Self::Memory => memory_in_words(of.memory),
        }
    }
}

/// What tells most of the job; what else is lacking is added to it.
fn wanted(need: &Amounts) -> Vec<Thing> {
    if need.gpus.is_zero() { Vec::new() } else { vec![Thing::Gpus] }
}

/// What is too little on the node that has most of it, and which thing it is.
fn lack(need: &Amounts, nodes: &[NodeCapacity]) -> (String, Option<Thing>) {
    let able: Vec<&NodeCapacity> = nodes.iter().filter(|n| n.total.holds(need)).collect();
    if nodes.is_empty() {
        return ("no node".into(), None);
    }
    if able.is_empty() {
        return ("no node that large".into(), None);
    }
    let Some(best) = able.into_iter().map(|node| node.free).max_by(freer) else {
        return ("none".into(), None);
    };
    let thing = if best.gpus < need.gpus {
        Thing::Gpus
    } else if best.memory < need.memory {
        Thing::Memory
    } else {
        Thing::Cpus
    };
    let free = match thing {
        Thing::Gpus if best.gpus.is_zero() => "none".to_owned(),
        Thing::Gpus => format!("{} free", best.gpus),
        thing => format!("{} free", thing.words(&best)),
    };
    (free, Some(thing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::resources::Gpus;

    fn amounts(gpus: u64, cpus: f64, gib: u64) -> Amounts {
        Amounts { gpus: Gpus::whole(gpus), cpus, memory: gib << 30 }
    }

    fn cluster(total: Amounts, free: &[Amounts]) -> Capacity {
        let node = |free: &Amounts| NodeCapacity { id: String::new(), total, free: *free };
        Capacity { nodes: free.iter().map(node).collect(), ..Capacity::default() }
    }

    #[test]
    fn what_is_lacking_is_told_of_each_cluster() {
        let ids = ["gpu_cluster", "cpu_cluster"].map(ClusterId::new);
        let large = amounts(8, 16.0, 64);
        let told = |need: Amounts, a: &[Amounts], b: &[Amounts]| {
            let said = [cluster(large, a), cluster(amounts(0, 16.0, 64), b)];
            shortage(&need, ids.iter().zip(&said)).unwrap_or_default()
        };
        let idle = amounts(0, 16.0, 64);
        assert_eq!(
            told(amounts(2, 1.0, 0), &[amounts(1, 9.0, 64), amounts(0, 16.0, 64)], &[idle]),
            "needs 2 GPUs on one node; gpu_cluster has 1 free, cpu_cluster no node that large"
        );
        assert_eq!(
            told(amounts(1, 1.0, 0), &[amounts(0, 9.0, 64)], &[]),
            "needs 1 GPU on one node; gpu_cluster has none, cpu_cluster no node"
        );
        assert_eq!(
            told(amounts(1, 4.0, 0), &[amounts(4, 1.5, 64)], &[]),
            "needs 1 GPU, 4 CPUs on one node; gpu_cluster has 1.5 CPUs free, cpu_cluster no node"
        );
        assert_eq!(
            told(amounts(0, 1.0, 32), &[amounts(4, 9.0, 8)], &[amounts(0, 0.0, 64)]),
            "needs 32G of memory, 1 CPU on one node; gpu_cluster has 8G of memory free, \
             cpu_cluster 0 CPUs free"
        );
        assert_eq!(told(amounts(0, 1.0, 0), &[], &[idle]), "", "there is room");
        assert_eq!(shortage(&large, []), None, "nothing is known");
    }
}

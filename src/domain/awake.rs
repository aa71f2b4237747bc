//! Who must stay awake, and until when, for a plan to be carried out.

use super::{
    ids::ClusterId,
    plan::Plan,
    site::{Capabilities, ClusterKind},
};

/// What a plan leaves to this machine after it was submitted; a sentence for each
/// group of clusters, lower case, without a full stop. `kind`: of a configured
/// cluster.
pub fn who(plan: &Plan, kind: impl Fn(&ClusterId) -> Option<ClusterKind>) -> Vec<String> {
    let (mut local, mut unplaced) = (false, false);
    let mut themselves: Vec<&str> = Vec::new();
    let mut fed: Vec<&str> = Vec::new();
    let mut seen: Vec<(&ClusterId, bool)> = Vec::new();
    for job in plan.jobs.iter().filter(|job| job.action.sends()) {
        let Some(id) = &job.cluster else {
            unplaced = true;
            continue;
        };
        let waits = !job.depends_on.is_empty();
        if seen.contains(&(id, waits)) {
            continue;
        }
        seen.push((id, waits));
        let Some(kind) = kind(id) else { continue };
        let can = Capabilities::of(kind);
        let held = can.queue
            && (can.dependencies || !waits)
            && (plan.head.max_concurrent.is_none() || plan.keeps_limit(id, &can))
            && plan.head.max_failures.is_none();
        if kind == ClusterKind::Local {
            local = true;
        } else if !held {
            fed.push(id.as_str());
        } else if !themselves.contains(&id.as_str()) {
            themselves.push(id.as_str());
        }
    }
    fed.dedup();
    themselves.retain(|name| !fed.contains(name));
    let mut lines = Vec::new();
    if local {
        lines.push("this machine, until its jobs end; jobdeck may be closed".to_owned());
    }
    if !fed.is_empty() {
        let names = fed.join(", ");
        lines.push(format!(
            "this machine, until the last job is sent to {names}; jobdeck may be closed"
        ));
    }
    if unplaced {
        lines.push("this machine, until a cluster is found for every job".to_owned());
    }
    if !themselves.is_empty() {
        let names = themselves.join(", ");
        let hold = if themselves.len() == 1 { "holds its" } else { "hold their" };
        lines.push(format!("nobody for {names}: it {hold} jobs itself, close the laptop"));
    }
    lines
}

/// How the jobs of a plan are sent, where that is not at once.
pub fn waves(plan: &Plan) -> Option<String> {
    let max = plan.head.max_failures?;
    let jobs = plan.jobs.iter().filter(|job| job.action.sends()).count();
    (jobs > max as usize).then(|| {
        format!("sent in waves, the next when those before have started (`max_failures: {max}`)")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{
        job::JobSpec,
        plan::{BatchHead, JobAction, PlannedJob, Totals},
        resources::Gpus,
    };

    fn plan(clusters: &[Option<&str>]) -> Plan {
        let job = |cluster: Option<&str>| PlannedJob {
            spec: Arc::new(JobSpec::named("a")),
            cluster: cluster.map(ClusterId::new),
            may_go: Arc::default(),
            outlook: None,
            action: JobAction::Submit,
            replicas: 1,
            total_gpus: Gpus::ZERO,
            depends_on: Arc::default(),
        };
        Plan {
            head: BatchHead::named("b"),
            findings: Vec::new(),
            totals: Totals::default(),
            jobs: clusters.iter().copied().map(job).collect(),
            entries: Vec::new(),
        }
    }

    #[test]
    fn what_has_no_cluster_yet_is_sent_to_none_by_name() {
        let unplaced = "this machine, until a cluster is found for every job";
        assert_eq!(who(&plan(&[None, None]), |_| None), [unplaced]);
        let local = |_: &ClusterId| Some(ClusterKind::Local);
        let both = who(&plan(&[Some("local"), None]), local);
        assert_eq!(both, ["this machine, until its jobs end; jobdeck may be closed", unplaced]);
    }

    #[test]
    fn waves_are_told_where_there_are_any() {
        let mut plan = plan(&[Some("local"), Some("local")]);
        assert_eq!(waves(&plan), None);
        plan.head.max_failures = Some(2);
        assert_eq!(waves(&plan), None, "both go at once");
        plan.head.max_failures = Some(1);
        assert!(waves(&plan).is_some_and(|words| words.contains("`max_failures: 1`")));
    }
}

//! The totals at the top of Preview, worked out once for each plan.

use indexmap::IndexMap;

use crate::{
    app::msg::ClusterHealth,
    domain::{
        awake,
        finding::Severity,
        plan::{JobAction, Plan},
        resources::Gpus,
        site::ClusterKind,
    },
};

/// What a plan asks of one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub jobs: usize,
    pub gpus: Gpus,
}

/// How many jobs there are of each action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    pub submit: usize,
    pub resubmit: usize,
    pub attach: usize,
    pub reuse: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub errors: usize,
    pub warnings: usize,
    pub actions: Actions,
    /// By cluster, in batch order; `auto` for what is not placed yet.
    pub clusters: IndexMap<String, Share>,
    /// Only of what will be sent.
    pub sent: Share,
    /// How the jobs are sent, where that is not at once.
    pub waves: Option<String>,
}

impl Summary {
    pub fn of(plan: &Plan) -> Self {
        let mut sum = Self { waves: awake::waves(plan), ..Self::default() };
        for finding in &plan.findings {
            match finding.severity {
                Severity::Error => sum.errors += 1,
                Severity::Warning => sum.warnings += 1,
            }
        }
        for job in &plan.jobs {
            match job.action {
                JobAction::Submit => sum.actions.submit += 1,
                JobAction::Resubmit { .. } => sum.actions.resubmit += 1,
                JobAction::Attach { .. } => sum.actions.attach += 1,
                JobAction::Reuse { .. } => sum.actions.reuse += 1,
            }
            if !job.action.sends() {
                continue;
            }
            sum.sent.jobs += 1;
            sum.sent.gpus += job.total_gpus;
            let name = job.cluster.as_ref().map_or("auto", |c| c.as_str());
            if let Some(share) = sum.clusters.get_mut(name) {
                share.jobs += 1;
                share.gpus += job.total_gpus;
            } else {
                let share = Share { jobs: 1, gpus: job.total_gpus };
                sum.clusters.insert(name.to_owned(), share);
            }
        }
        sum
    }

    /// Not every job is simply submitted.
    pub fn has_actions(&self) -> bool {
        let a = self.actions;
        a.resubmit + a.attach + a.reuse > 0
    }
}

/// Who must stay awake, in words.
pub fn awake(plan: &Plan, health: &[ClusterHealth]) -> Vec<String> {
    let kind = |id: &crate::domain::ids::ClusterId| -> Option<ClusterKind> {
        health.iter().find(|h| h.id == *id).map(|h| h.kind)
    };
    awake::who(plan, kind)
}

//! What clusters say to the plan when they are asked: what they would refuse, and when
//! they expect to start its jobs. Nobody asks them without being told to.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Preview, Summary};
use crate::{
    app::{
        effect::Effect,
        msg::Told,
        screen::{Context, Step},
        text,
    },
    domain::{
        ids::ClusterId,
        plan::{JobAction, PlannedJob},
    },
};

/// How far the question is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Online {
    Asked,
    Told { at: Timestamp, told: Told },
}

impl Preview {
    /// Asks about the plan shown, and for what is free now.
    pub(super) fn ask_clusters(&mut self) -> Vec<Step> {
        let Some(plan) = &self.plan else { return Vec::new() };
        let plan = plan.clone();
        self.online = Some(Online::Asked);
        vec![
            Step::Do(Effect::AskAbout { revision: self.revision, plan }),
            Step::Do(Effect::CheckClusters),
        ]
    }

    /// An answer is awaited.
    pub fn is_asking(&self) -> bool {
        self.online == Some(Online::Asked)
    }

    /// The age of what was told is on the screen.
    pub fn shows_age(&self) -> bool {
        matches!(self.online, Some(Online::Told { .. }))
    }

    /// The clusters' answer; what they would refuse joins the findings.
    pub(super) fn on_told(&mut self, mut told: Told, cx: &Context<'_>) {
        let findings = std::mem::take(&mut told.findings);
        if let Some(plan) = self.plan.as_mut().filter(|_| !findings.is_empty()) {
            plan.findings.extend(findings);
            self.summary = Summary::of(plan);
            let (at, total) = (self.layout(cx.width, cx.height), plan_len(self));
            self.findings.settle(total, usize::from(at.findings));
        }
        self.online = Some(Online::Told { at: cx.now, told });
    }

    /// When the jobs would start, in a line; `None`: nobody was asked.
    pub fn starts(&self, now: Timestamp) -> Option<String> {
        let (at, told) = match self.online.as_ref()? {
            Online::Asked => return Some("asking the clusters …".to_owned()),
            Online::Told { at, told } => (at, told),
        };
        let mut ends: BTreeMap<&ClusterId, (Timestamp, Timestamp)> = BTreeMap::new();
        for estimate in &told.estimates {
            let starts = estimate.starts_at;
            let (first, last) = ends.entry(&estimate.cluster).or_insert((starts, starts));
            (*first, *last) = (starts.min(*first), starts.max(*last));
        }
        let mut words: Vec<String> = ends
            .iter()
            .map(|(cluster, (first, last))| {
                let (first, last) = (until(now, *first), until(now, *last));
                if first == last {
                    format!("{cluster} would start them {first}")
                } else {
                    format!("{cluster} would start the first {first}, the last {last}")
                }
            })
            .collect();
        words.extend(told.troubles.iter().cloned());
        if words.is_empty() {
            words.push("no cluster tells when it would start them".to_owned());
        }
        let age = text::age(now.duration_since(*at).as_secs());
        Some(format!("{} · told {age} ago", words.join(" · ")))
    }

    /// When a job would start, as its cluster told.
    pub(super) fn start_of(&self, job: &PlannedJob) -> Option<Timestamp> {
        let Some(Online::Told { told, .. }) = &self.online else { return None };
        let is_sent = matches!(job.action, JobAction::Submit | JobAction::Resubmit { .. });
        let of_job = |name: &String| *name == job.spec.name;
        told.estimates
            .iter()
            .filter(|_| is_sent)
            .find(|e| job.cluster.as_ref() == Some(&e.cluster) && e.jobs.iter().any(of_job))
            .map(|estimate| estimate.starts_at)
    }
}

fn plan_len(view: &Preview) -> usize {
    view.plan.as_ref().map_or(0, |plan| plan.findings.len())
}

/// `at once`, `in 12m`.
fn until(now: Timestamp, at: Timestamp) -> String {
    match at.duration_since(now).as_secs() {
        ..60 => "at once".to_owned(),
        ahead => format!("in {}", text::age(ahead)),
    }
}

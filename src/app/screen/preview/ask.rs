//! The box that asks before anything is submitted, and what it says.

use super::{Preview, Summary};
use crate::{
    app::{
        keymap::Action,
        overlay::{Confirm, Confirmed, Overlay},
        screen::{Context, Step},
        text::{age, count},
    },
    domain::resources::Gpus,
};

impl Preview {
    /// The box that asks; only its `y` submits.
    pub(super) fn ask(&self, cx: &Context<'_>) -> Vec<Step> {
        if let Err(why) = self.enabled(Action::Submit) {
            return vec![Step::Notice(why.into())];
        }
        let Some(plan) = &self.plan else { return Vec::new() };
        let sum = &self.summary;
        let sent = &sum.sent;
        let mut lines =
            vec![format!("{} · {}", count(sent.jobs as u64, "job"), sent.gpus.in_words())];
        let mut to: Vec<String> =
            sum.clusters.iter().map(|(name, share)| format!("{} → {name}", share.jobs)).collect();
        if to.len() > 6 {
            let rest = to.split_off(5);
            to.push(format!("and {} more clusters", rest.len()));
        }
        if !to.is_empty() {
            lines.push(to.join("   "));
        }
        if let Some(met) = self.submitted_before() {
            let ago = age(cx.now.duration_since(met.at).as_secs());
            lines.push(format!("this batch was submitted already: run {}, {ago} ago", met.run));
        }
        if sum.has_actions() {
            lines.push(actions(sum));
        }
        if sum.warnings > 0 {
            let are = if sum.warnings == 1 { "is" } else { "are" };
            lines.push(format!("{} {are} accepted", count(sum.warnings as u64, "warning")));
        }
        if plan.head.dry_run {
            lines.push("the file says `dry_run: true`; this submits all the same".into());
        }
        let action = Confirmed::Submit(plan.clone());
        let mut question = Confirm::new(format!("Submit {}?", plan.head.name), lines, action);
        let many = sent.jobs as u64 > cx.settings.confirm_jobs
            || sent.gpus > Gpus::whole(cx.settings.confirm_gpus);
        if many {
            question = question.must_type(sent.jobs as u64);
        }
        vec![Step::Push(Overlay::Confirm(question))]
    }
}

/// `27 submit · 3 reuse`.
pub fn actions(sum: &Summary) -> String {
    let a = sum.actions;
    let parts = [
        (a.submit, "submit"),
        (a.resubmit, "send again after a failure"),
        (a.attach, "attach to a live job"),
        (a.reuse, "reuse a result"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    parts.join(" · ")
}

//! What is shown may be old: the plan, and what the clusters said. When each is
//! asked for again.

use super::views::{to_view, with_view};
use crate::{
    app::{effect::Effect, model::Model, msg::Msg, screen::View},
    domain::status::Status,
};

/// News of the open run: what clusters have free and what a plan says of earlier
/// work may not be true any more.
pub(super) fn run_told(model: &mut Model, msg: Msg, effects: &mut Vec<Effect>) {
    let counts = |m: &Model| m.monitor.opened().map(|o| o.run().counts.clone());
    let before = counts(model);
    to_view(model, View::Monitor, msg, effects);
    if counts(model) != before {
        model.preview.outdate();
    }
    if let Some(opened) = model.monitor.opened() {
        let running = opened.run().count(Status::Running);
        model.clusters.saw(running, opened.index().tally().gpus_in_use());
    }
    check_if_due(model, effects);
}

/// What the clusters say changes by itself, and shows.
pub(super) fn is_changing(model: &Model) -> bool {
    // The header tells of them in every view.
    model.view == View::Clusters || model.monitor.ticks()
}

pub(super) fn check_if_due(model: &mut Model, effects: &mut Vec<Effect>) {
    if !model.paused && model.clusters.is_due(model.now, is_changing(model)) {
        check_clusters(model, effects);
    }
}

/// Stops asking the clusters anything that is only for looking, or goes on. What a
/// person asks for and what sending needs is asked all the same.
pub(super) fn pause_polling(model: &mut Model, effects: &mut Vec<Effect>) {
    model.paused = !model.paused;
    effects.push(Effect::PausePolling(model.paused));
    let words = if model.paused {
        "polling paused; sending goes on"
    } else {
        check_clusters(model, effects);
        "polling goes on"
    };
    model.notice = Some((model.now, words.into()));
}

pub(super) fn check_clusters(model: &mut Model, effects: &mut Vec<Effect>) {
    model.clusters.asked(model.now);
    effects.push(Effect::CheckClusters);
}

/// Makes the plan anew if earlier work has changed since it was asked for.
pub(super) fn plan_again(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.preview.take_stale() {
        with_view(model, View::Compose, effects, |m, _| {
            m.compose.plan_again().into_iter().collect()
        });
    }
}

/// Whether `S` has to wait: the plan shown is older than the text, or than what was
/// done since. A key must not be lost to a plan that comes a moment later.
pub(super) fn check_first(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    plan_again(model, effects);
    let waits = model.preview.is_planning();
    if waits {
        let again = if model.preview.is_rechecking() { "checking again" } else { "still checking" };
        model.preview.want();
        model.notice = Some((model.now, format!("{again}; then it asks")));
    }
    waits
}

//! The five views: going from one to another, and carrying out what they answer.

use super::{
    actions::replace_batch,
    freshness::{check_if_due, plan_again},
};
use crate::app::{
    effect::Effect,
    model::Model,
    msg::Msg,
    overlay::{self, Overlay},
    screen::{
        Context, Step, View, clusters::ClustersView, compose::Compose, monitor::Monitor,
        preview::Preview, runs::Runs,
    },
};

/// Shows a view; Esc leads back to the one before.
pub(super) fn go(model: &mut Model, view: View) {
    if model.view == view {
        return;
    }
    model.back.retain(|v| *v != view && *v != model.view);
    model.back.push(model.view);
    model.view = view;
    // What was said of another view is not about this one.
    model.notice = None;
}

/// What a view needs fresh when it is shown.
pub(super) fn entered(model: &mut Model, view: View, effects: &mut Vec<Effect>) {
    match view {
        View::Runs => effects.push(Effect::ListRuns),
        View::Clusters | View::Preview => {
            if view == View::Preview {
                plan_again(model, effects);
            }
            model.clusters.want();
            check_if_due(model, effects);
        }
        View::Compose | View::Monitor => {}
    }
}

pub(super) fn to_view(model: &mut Model, view: View, msg: Msg, effects: &mut Vec<Effect>) {
    with_view(model, view, effects, |m, cx| match view {
        View::Compose => m.compose.on_msg(msg, cx),
        View::Preview => m.preview.on_msg(msg, cx),
        View::Monitor => m.monitor.on_msg(msg, cx),
        View::Runs => m.runs.on_msg(msg, cx),
        View::Clusters => m.clusters.on_msg(msg, cx),
    });
}

/// The views of a model, while the rest of it is lent out as their context.
pub(super) struct Views<'a> {
    pub(super) compose: &'a mut Compose,
    pub(super) preview: &'a mut Preview,
    pub(super) monitor: &'a mut Monitor,
    pub(super) runs: &'a mut Runs,
    pub(super) clusters: &'a mut ClustersView,
}

/// Lets a view answer and carries its steps out. The first step that needs
/// another view goes there at once.
pub(super) fn with_view(
    model: &mut Model,
    view: View,
    effects: &mut Vec<Effect>,
    answer: impl FnOnce(&mut Views<'_>, &Context<'_>) -> Vec<Step>,
) {
    let steps = {
        let Model {
            now,
            width,
            height,
            settings,
            health,
            compose,
            preview,
            monitor,
            runs,
            clusters,
            ..
        } = model;
        let cx = Context { now: *now, width: *width, height: *height, settings, clusters: health };
        answer(&mut Views { compose, preview, monitor, runs, clusters }, &cx)
    };
    for step in steps {
        match step {
            Step::Do(effect @ Effect::CloneRun { .. }) => {
                replace_batch(model, "Open the run's batch instead?", effect, effects);
            }
            Step::Do(effect) => {
                model.lent |= matches!(effect, Effect::LogIn { .. });
                if let Effect::Plan { revision, again, .. } = &effect {
                    model.preview.on_asked(*revision);
                    if *again {
                        model.preview.on_recheck(*revision);
                    }
                }
                effects.push(effect);
            }
            Step::Go(view) => {
                go(model, view);
                entered(model, view, effects);
            }
            Step::Push(overlay) => {
                if let Overlay::Prompt(prompt) = &overlay {
                    effects.extend(overlay::prompt::listing(prompt));
                }
                model.overlays.push(overlay);
            }
            Step::Notice(text) => model.notice = Some((model.now, text)),
            Step::Back if view == model.view => {
                if let Some(former) = model.back.pop() {
                    model.view = former;
                    entered(model, former, effects);
                }
            }
            Step::Back => {}
            Step::FocusField { target, field, at } => {
                go(model, View::Compose);
                model.compose.focus_field(target, field.as_deref(), at);
            }
        }
    }
}

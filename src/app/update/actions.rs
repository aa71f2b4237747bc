//! What a key, the palette or a click asks for, when it makes sense.

use super::{
    freshness::{check_clusters, check_first, pause_polling},
    views::{entered, go, with_view},
};
use crate::app::{
    effect::Effect,
    keymap::Action,
    model::Model,
    overlay::{Confirm, Confirmed, Overlay, Palette, palette::Found},
    screen::View,
};

/// Whether the action makes sense now; `Err` says why not.
pub fn enabled(model: &Model, action: Action) -> Result<(), &'static str> {
    enabled_in(model, model.view, action)
}

/// The same for when `view` were shown.
pub fn enabled_in(model: &Model, view: View, action: Action) -> Result<(), &'static str> {
    match action {
        Action::GoCompose
        | Action::GoPreview
        | Action::GoMonitor
        | Action::GoRuns
        | Action::GoClusters
        | Action::Help
        | Action::Palette
        | Action::Refresh
        | Action::PausePolling
        | Action::Quit
        | Action::Leave
        | Action::Suspend
        | Action::Back
        | Action::Quickstart => Ok(()),
        _ => match view {
            View::Compose => model.compose.enabled(action),
            View::Preview => model.preview.enabled(action),
            View::Monitor => model.monitor.enabled(action),
            View::Runs => model.runs.enabled(action),
            View::Clusters => model.clusters.enabled(action, &model.health),
        },
    }
}

/// Does what was chosen in the palette. An action of another view shows that view
/// first; one on what is under the cursor there is left to its key.
pub(super) fn choose(model: &mut Model, found: &Found, effects: &mut Vec<Effect>) {
    if let Some(view) = found.elsewhere {
        go(model, view);
        entered(model, view, effects);
        if found.leads_only() {
            let key = found.key(model).map(|key| key.to_string()).unwrap_or_default();
            let words = format!("{}: choose a row, then press {key}", found.entry.name);
            model.notice = Some((model.now, words));
            return;
        }
    }
    act(model, found.entry.action, effects);
}

/// Does what a key, the palette or a click asked for.
pub(super) fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
    if action == Action::Submit
        && model.view == View::Preview
        && (mend_first(model, effects) || check_first(model, effects))
    {
        return;
    }
    if let Err(why) = enabled(model, action) {
        model.notice = Some((model.now, why.to_owned()));
        return;
    }
    let target = match action {
        Action::GoCompose => View::Compose,
        Action::GoPreview => View::Preview,
        Action::GoMonitor => View::Monitor,
        Action::GoRuns => View::Runs,
        Action::GoClusters => View::Clusters,
        Action::Help => return model.overlays.push(Overlay::Help(0)),
        Action::Palette => {
            return model.overlays.push(Overlay::Palette(Palette::default()));
        }
        Action::Quit => return quit(model, effects),
        Action::Suspend => return effects.push(Effect::Suspend),
        Action::Leave => {
            if model.leaving.is_some() {
                model.quitting = true;
                effects.push(Effect::Quit);
            } else {
                model.leaving = Some(model.now);
                let words = "press Ctrl-C again to leave; running jobs stay running";
                model.notice = Some((model.now, words.into()));
            }
            return;
        }
        Action::Quickstart => {
            return replace_batch(
                model,
                "Open the quickstart instead?",
                Effect::Quickstart,
                effects,
            );
        }
        Action::PausePolling => return pause_polling(model, effects),
        Action::Refresh => {
            check_clusters(model, effects);
            effects.push(if model.view == View::Runs { Effect::ListRuns } else { Effect::Refresh });
            model.notice = Some((model.now, "asking again".into()));
            return;
        }
        _ => {
            let view = model.view;
            with_view(model, view, effects, |m, cx| match view {
                View::Compose => m.compose.on_action(action, cx),
                View::Preview => m.preview.on_action(action, cx),
                View::Monitor => m.monitor.on_action(action, cx),
                View::Runs => m.runs.on_action(action, cx),
                View::Clusters => m.clusters.on_action(action, cx),
            });
            return;
        }
    };
    go(model, target);
    entered(model, target, effects);
}

/// Whether `S` leads to a field first, whose text is not in the batch yet.
pub(super) fn mend_first(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let mut waits = false;
    with_view(model, View::Compose, effects, |m, _| {
        let steps = m.compose.unreadable_first();
        waits = steps.is_some();
        steps.unwrap_or_default()
    });
    waits
}

pub(super) fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
    let mut lines = model.compose.would_lose();
    lines.extend(model.monitor.would_lose());
    if lines.is_empty() {
        model.quitting = true;
        effects.push(Effect::Quit);
        return;
    }
    if model.compose.unsaved {
        lines.push("a draft of the batch is kept".into());
    }
    lines.push("jobs that run stay running".into());
    let question = Confirm::new("Leave jobdeck?", lines, Confirmed::Quit);
    model.overlays.push(Overlay::Confirm(question));
}

/// An effect that brings another batch into Compose: asks first when the one
/// there would be lost.
pub(super) fn replace_batch(
    model: &mut Model,
    ask: &str,
    effect: Effect,
    effects: &mut Vec<Effect>,
) {
    let mut lines = model.compose.would_lose();
    if lines.is_empty() {
        effects.push(effect);
        return;
    }
    lines.push("what is there is thrown away".into());
    let question = Confirm::new(ask, lines, Confirmed::Discard(Box::new(effect)));
    model.overlays.push(Overlay::Confirm(question));
}

//! One message in, the model changed, effects out.
//!
//! ```text
//! key ─▶ Ctrl-C ─▶ top overlay ─▶ the view's text entry ─▶ keymap ─▶ Action
//!                                                             │
//!        Step ◀── the view's on_action ◀── not the shell's ───┤
//!          └─▶ effects, overlays, other view       the shell ─┘
//! ```

mod actions;
mod freshness;
mod input;
#[cfg(test)]
mod tests;
mod views;

use jiff::{SignedDuration, Timestamp};

use super::{
    effect::{Effect, RunCommand},
    model::Model,
    msg::{CodeSince, Msg},
    overlay::{self, Confirmed, Overlay},
    screen::{View, monitor::ask},
};
use crate::domain::ids::{ClusterId, JobIx, RunId};
pub use actions::{enabled, enabled_in};
use freshness::{check_clusters, check_if_due, is_changing, plan_again, run_told};
use views::{go, to_view, with_view};

/// How long a passing word stays.
const NOTICE: SignedDuration = SignedDuration::from_secs(6);
/// How long the first Ctrl-C counts.
const LEAVING: SignedDuration = SignedDuration::from_secs(3);

/// Applies a message. Never blocks, never does anything itself.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Tick(now) => tick(model, now, &mut effects),
        Msg::Key(key) => input::on_key(model, key, &mut effects),
        Msg::Paste(text) => input::on_paste(model, &text, &mut effects),
        Msg::Mouse(event) => input::on_mouse(model, event, &mut effects),
        Msg::Click(hit) => input::on_click(model, hit, &mut effects),
        Msg::Resize { width, height } => {
            model.width = width;
            model.height = height;
            with_view(model, View::Compose, &mut effects, |m, cx| {
                m.compose.keep_in_sight(cx);
                Vec::new()
            });
        }
        Msg::Notice(text) => model.notice = Some((model.now, text)),
        Msg::Failed(report) => {
            // It may have been the submission, or the plan that `S` waits for.
            model.preview.settled();
            model.preview.unwant();
            if model.preview.is_rechecking() {
                // Not at once: it would fail again, and again.
                model.preview.outdate();
            } else if model.view == View::Preview {
                plan_again(model, &mut effects);
            }
            ask_name_again(model);
            let panel = Overlay::Error(report);
            if !model.overlays.contains(&panel) {
                // Under a confirm box: a key meant for the box must not miss it.
                let at = match model.overlays.last() {
                    Some(Overlay::Confirm(_)) => model.overlays.len() - 1,
                    _ => model.overlays.len(),
                };
                model.overlays.insert(at, panel);
            }
        }
        // For whoever has the terminal.
        Msg::Interrupt | Msg::Continued if model.lent => {}
        Msg::Terminate | Msg::Interrupt => {
            model.quitting = true;
            effects.push(Effect::Quit);
        }
        Msg::Continued => effects.push(Effect::Retake),
        Msg::LoggedIn { cluster, error } => logged_in(model, &cluster, error, &mut effects),
        Msg::Clusters(health) => {
            let selected = model.clusters.selected(&model.health).map(|health| health.id.clone());
            model.health = health;
            model.clusters.go_to(selected.as_ref(), &model.health, model.height);
        }
        Msg::Planned { revision, plan } => {
            with_view(model, View::Compose, &mut effects, |m, cx| {
                m.compose.on_planned(revision, &plan, cx);
                Vec::new()
            });
            to_view(model, View::Preview, Msg::Planned { revision, plan }, &mut effects);
            if model.view == View::Preview && model.overlays.is_empty() {
                with_view(model, View::Preview, &mut effects, |m, cx| m.preview.wanted_box(cx));
            }
        }
        Msg::Folder { path, names } => overlay::prompt::on_folder(model, &path, names),
        Msg::Requests { .. } | Msg::ToldAbout { .. } => {
            to_view(model, View::Preview, msg, &mut effects);
        }
        Msg::FileOpened { .. } | Msg::FileNew { .. } | Msg::Cloned { .. } => {
            model.naming = None;
            go(model, View::Compose);
            to_view(model, View::Compose, msg, &mut effects);
        }
        Msg::FileDiffers { .. } | Msg::TemplateExists { .. } => {
            ask_name_again(model);
            to_view(model, View::Compose, msg, &mut effects);
        }
        Msg::FileSaved { .. }
        | Msg::TemplateSaved { .. }
        | Msg::Templates(_)
        | Msg::Drafts(_)
        | Msg::DraftSaved => {
            if matches!(msg, Msg::FileSaved { .. } | Msg::TemplateSaved { .. }) {
                model.naming = None;
                model.overlays.retain(|overlay| !matches!(overlay, Overlay::Prompt(_)));
            }
            to_view(model, View::Compose, msg, &mut effects);
        }
        Msg::Runs(_) => to_view(model, View::Runs, msg, &mut effects),
        Msg::RunOpened { ref run, .. } => {
            model.preview.unwant();
            let is_sent = model.preview.is_submitting();
            model.preview.settled();
            model.preview.outdate();
            model.preview.met(run);
            go(model, View::Monitor);
            if is_sent {
                // Not to where the same batch could be submitted once more.
                model.back.retain(|view| !matches!(view, View::Preview | View::Runs));
                model.back.push(View::Runs);
            }
            run_told(model, msg, &mut effects);
        }
        Msg::RunNews { .. } | Msg::RunReplaced { .. } => run_told(model, msg, &mut effects),
        Msg::CodeCompared { run, jobs, since } => {
            tell_since(model, &run, &jobs, &since);
            let msg = Msg::CodeCompared { run, jobs, since };
            to_view(model, View::Monitor, msg, &mut effects);
        }
        Msg::Conducting { .. } | Msg::Log(_) | Msg::LogFailed { .. } => {
            to_view(model, View::Monitor, msg, &mut effects);
        }
    }
    effects
}

/// The terminal is ours again, and the cluster may answer now.
fn logged_in(
    model: &mut Model,
    cluster: &ClusterId,
    error: Option<String>,
    effects: &mut Vec<Effect>,
) {
    model.lent = false;
    effects.push(Effect::Retake);
    check_clusters(model, effects);
    effects.push(Effect::Refresh);
    let words = error.map_or_else(
        || format!("logged in to {cluster}"),
        |why| format!("not logged in to {cluster}: {why}"),
    );
    model.notice = Some((model.now, words));
}

/// Tells the box that asks to retry these jobs what was found of their code.
fn tell_since(
    model: &mut Model,
    run: &RunId,
    jobs: &[JobIx],
    since: &[(std::sync::Arc<str>, CodeSince)],
) {
    for overlay in &mut model.overlays {
        if let Overlay::Confirm(confirm) = overlay
            && let Confirmed::Run { run: of, command: RunCommand::Retry { jobs: asked, .. } } =
                &confirm.action
            && (of, asked.as_slice()) == (run, jobs)
        {
            ask::tell_since(confirm, since);
        }
    }
}

/// What was to be opened or saved under a name did not come to be: the question
/// stands again, with that name.
fn ask_name_again(model: &mut Model) {
    if let Some(prompt) = model.naming.take() {
        model.overlays.push(Overlay::Prompt(prompt));
    }
}

fn tick(model: &mut Model, now: Timestamp, effects: &mut Vec<Effect>) {
    model.now = now;
    let over = |since: Timestamp, span| now.duration_since(since) >= span;
    if model.notice.as_ref().is_some_and(|(since, _)| over(*since, NOTICE)) {
        model.notice = None;
    }
    if model.leaving.is_some_and(|since| over(since, LEAVING)) {
        model.leaving = None;
    }
    check_if_due(model, effects);
}

/// Whether the time on the screen changes by itself: a tick a second is needed.
/// Otherwise nothing wakes the program up.
pub fn wants_tick(model: &Model) -> bool {
    model.notice.is_some()
        || model.paused
        || model.leaving.is_some()
        || model.clusters.is_wanted()
        || model.view == View::Preview && model.preview.shows_age()
        || is_changing(model)
}

//! One message in, the model changed, effects out.
//!
//! ```text
//! key ─▶ Ctrl-C ─▶ top overlay ─▶ the view's text entry ─▶ keymap ─▶ Action
//!                                                             │
//!        Step ◀── the view's on_action ◀── not the shell's ───┤
//!          └─▶ effects, overlays, other view       the shell ─┘
//! ```

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    effect::Effect,
    keymap::Action,
    model::Model,
    msg::Msg,
    overlay::{self, Confirm, Confirmed, Overlay, Prompt, palette::Found},
    screen::{Context, Step, View},
};
use crate::domain::status::Status;

/// How long a passing word stays.
const NOTICE: SignedDuration = SignedDuration::from_secs(6);
/// How long the first Ctrl-C counts.
const LEAVING: SignedDuration = SignedDuration::from_secs(3);

/// Applies a message. Never blocks, never does anything itself.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    let mut effects = Vec::new();
    match msg {
        Msg::Tick(now) => tick(model, now, &mut effects),
        Msg::Key(key) => on_key(model, key, &mut effects),
        Msg::Paste(text) => on_paste(model, &text, &mut effects),
        Msg::Mouse(event) => on_mouse(model, event, &mut effects),
        Msg::Click(hit) if model.view == View::Compose && model.overlays.is_empty() => {
            with_view(model, View::Compose, &mut effects, |m, cx| m.compose.on_click(hit, cx));
        }
        Msg::Click(_) => {}
        Msg::Resize { width, height } => {
            model.width = width;
            model.height = height;
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
        Msg::Terminate => {
            model.quitting = true;
            effects.push(Effect::Quit);
        }
        Msg::Continued => effects.push(Effect::Retake),
        Msg::Clusters(health) => model.health = health,
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
        Msg::Requests { .. } => to_view(model, View::Preview, msg, &mut effects),
        Msg::FileOpened { .. } | Msg::FileNew { .. } | Msg::Cloned { .. } => {
            go(model, View::Compose);
            to_view(model, View::Compose, msg, &mut effects);
        }
        Msg::FileSaved { .. } | Msg::FileDiffers { .. } | Msg::Drafts(_) | Msg::DraftSaved => {
            to_view(model, View::Compose, msg, &mut effects);
        }
        Msg::Runs(_) => to_view(model, View::Runs, msg, &mut effects),
        Msg::RunOpened { .. } => {
            model.preview.unwant();
            model.preview.settled();
            model.preview.outdate();
            go(model, View::Monitor);
            run_told(model, msg, &mut effects);
        }
        Msg::RunNews { .. } | Msg::RunReplaced { .. } => run_told(model, msg, &mut effects),
        Msg::Conducting { .. } | Msg::Log(_) | Msg::LogFailed { .. } => {
            to_view(model, View::Monitor, msg, &mut effects);
        }
    }
    effects
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

/// News of the open run: what clusters have free and what a plan says of earlier
/// work may not be true any more.
fn run_told(model: &mut Model, msg: Msg, effects: &mut Vec<Effect>) {
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
fn is_changing(model: &Model) -> bool {
    // The header tells of them in every view.
    model.view == View::Clusters || model.monitor.ticks()
}

fn check_if_due(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.clusters.is_due(model.now, is_changing(model)) {
        check_clusters(model, effects);
    }
}

/// Makes the plan anew if earlier work has changed since it was asked for.
fn plan_again(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.preview.take_stale() {
        with_view(model, View::Compose, effects, |m, _| {
            m.compose.plan_again().into_iter().collect()
        });
    }
}

/// Whether `S` has to wait: the plan shown is older than the text, or than what was
/// done since. A key must not be lost to a plan that comes a moment later.
fn check_first(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    plan_again(model, effects);
    let waits = model.preview.is_planning();
    if waits {
        let again = if model.preview.is_rechecking() { "checking again" } else { "still checking" };
        model.preview.want();
        model.notice = Some((model.now, format!("{again}; then it asks")));
    }
    waits
}

/// Whether `S` leads to a field first, whose text is not in the batch yet.
fn mend_first(model: &mut Model, effects: &mut Vec<Effect>) -> bool {
    let mut waits = false;
    with_view(model, View::Compose, effects, |m, _| {
        let steps = m.compose.unreadable_first();
        waits = steps.is_some();
        steps.unwrap_or_default()
    });
    waits
}

fn check_clusters(model: &mut Model, effects: &mut Vec<Effect>) {
    model.clusters.asked(model.now);
    effects.push(Effect::CheckClusters);
}

fn on_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    model.preview.unwant();
    if model.keymap.action(key, super::keymap::Scope::Anywhere) == Some(Action::Leave) {
        return act(model, Action::Leave, effects);
    }
    model.leaving = None;
    if !model.overlays.is_empty() {
        return match escaped(key) {
            Some((esc, rest)) => {
                overlay_key(model, esc, effects);
                on_key(model, rest, effects);
            }
            None => overlay_key(model, key, effects),
        };
    }
    let view = model.view;
    let mut consumed = false;
    with_view(model, view, effects, |m, cx| {
        let steps = match view {
            View::Compose => m.compose.on_key(key, cx),
            View::Preview => m.preview.on_key(key, cx),
            View::Monitor => m.monitor.on_key(key, cx),
            View::Runs => m.runs.on_key(key, cx),
            View::Clusters => m.clusters.on_key(key, cx),
        };
        consumed = steps.is_some();
        steps.unwrap_or_default()
    });
    if consumed {
        return;
    }
    if let Some(action) = model.keymap.action(key, model.scope()) {
        act(model, action, effects);
    } else if let Some((esc, rest)) = escaped(key) {
        on_key(model, esc, effects);
        on_key(model, rest, effects);
    }
}

/// Esc and a character pressed in quick succession arrive as one key with Alt:
/// over a slow line always. No character with Alt means anything here, except in
/// text, which has seen it before.
fn escaped(key: KeyEvent) -> Option<(KeyEvent, KeyEvent)> {
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    (alt && matches!(key.code, KeyCode::Char(_))).then(|| {
        let rest = KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key };
        (KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE), rest)
    })
}

/// The top overlay takes the key, whatever it is.
fn overlay_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    match model.overlays.pop() {
        Some(Overlay::Confirm(confirm)) => match overlay::confirm::on_key(confirm, key) {
            overlay::confirm::Answer::Open(confirm) => {
                model.overlays.push(Overlay::Confirm(confirm));
            }
            overlay::confirm::Answer::No => {}
            overlay::confirm::Answer::Yes(action) => confirmed(model, action, effects),
        },
        Some(Overlay::Error(report)) => {
            if let Some(effect) = overlay::error::on_key(model, report, key) {
                effects.push(effect);
            }
        }
        Some(Overlay::Help(scroll)) => overlay::help::on_key(model, scroll, key),
        Some(Overlay::Palette(palette)) => {
            if let Some(found) = overlay::palette::on_key(model, palette, key) {
                choose(model, &found, effects);
            }
        }
        Some(Overlay::Prompt(prompt)) => prompt_key(model, prompt, key, effects),
        None => {}
    }
}

fn prompt_key(model: &mut Model, prompt: Prompt, key: KeyEvent, effects: &mut Vec<Effect>) {
    use overlay::prompt::Answer;
    let purpose = prompt.purpose;
    let (text, done) = match overlay::prompt::on_key(prompt, key) {
        Answer::Open(prompt, list) => {
            let changed = prompt.input.text().to_owned();
            model.overlays.push(Overlay::Prompt(prompt));
            effects.extend(list);
            (changed, false)
        }
        Answer::Closed(former) => (former, false),
        Answer::Done(text) => (text, true),
    };
    let view = model.view;
    with_view(model, view, effects, |m, cx| match view {
        View::Compose => m.compose.on_prompt(purpose, &text, done, cx),
        View::Preview => m.preview.on_prompt(purpose, &text, done, cx),
        View::Monitor => m.monitor.on_prompt(purpose, &text, done, cx),
        View::Runs => m.runs.on_prompt(purpose, &text, done, cx),
        View::Clusters => m.clusters.on_prompt(purpose, &text, done, cx),
    });
}

/// What a `y` in a confirm box does. Nothing else makes these effects.
fn confirmed(model: &mut Model, action: Confirmed, effects: &mut Vec<Effect>) {
    match action {
        Confirmed::Submit(plan) => {
            model.preview.submitting();
            effects.push(Effect::Submit { plan });
            effects.extend(model.compose.submitted());
        }
        Confirmed::Run { run, command } => {
            model.preview.outdate();
            effects.push(Effect::Run { run, command });
        }
        Confirmed::Quit => {
            model.quitting = true;
            effects.push(Effect::Quit);
        }
        Confirmed::Discard(effect) => effects.push(*effect),
    }
}

fn on_paste(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    model.preview.unwant();
    match model.overlays.last_mut() {
        // Text that happens to hold a `y` must never confirm anything.
        Some(Overlay::Confirm(_)) => {
            model.overlays.pop();
        }
        Some(Overlay::Prompt(prompt)) => {
            prompt.input.insert(text.trim_end_matches(['\n', '\r']));
            effects.extend(overlay::prompt::listing(prompt));
        }
        Some(Overlay::Palette(palette)) => {
            palette.query.insert(text);
            palette.selected = 0;
        }
        Some(Overlay::Help(_) | Overlay::Error(_)) => {}
        None => {
            let view = model.view;
            with_view(model, view, effects, |m, cx| match view {
                View::Compose => m.compose.on_paste(text, cx),
                View::Preview => m.preview.on_paste(text, cx),
                View::Monitor => m.monitor.on_paste(text, cx),
                View::Runs => m.runs.on_paste(text, cx),
                View::Clusters => m.clusters.on_paste(text, cx),
            });
        }
    }
}

fn on_mouse(model: &mut Model, event: MouseEvent, effects: &mut Vec<Effect>) {
    if let Some(Overlay::Help(scroll)) = model.overlays.last_mut() {
        match event.kind {
            MouseEventKind::ScrollDown => *scroll = scroll.saturating_add(3),
            MouseEventKind::ScrollUp => *scroll = scroll.saturating_sub(3),
            _ => {}
        }
    }
    if !model.overlays.is_empty() || super::chrome::too_small(model.width, model.height) {
        return;
    }
    if event.row == 0 {
        if event.kind == MouseEventKind::Down(MouseButton::Left)
            && let Some(view) = super::chrome::tab_at(model.width, event.column)
        {
            go(model, view);
            entered(model, view, effects);
        }
        return;
    }
    if event.row + 1 >= model.height {
        return;
    }
    let (view, kind, column, row) = (model.view, event.kind, event.column, event.row - 1);
    with_view(model, view, effects, |m, cx| match view {
        View::Compose => m.compose.on_mouse(kind, column, row, cx),
        View::Preview => m.preview.on_mouse(kind, column, row, cx),
        View::Monitor => m.monitor.on_mouse(kind, column, row, cx),
        View::Runs => m.runs.on_mouse(kind, column, row, cx),
        View::Clusters => m.clusters.on_mouse(kind, column, row, cx),
    });
}

/// Whether the time on the screen changes by itself: a tick a second is needed.
/// Otherwise nothing wakes the program up.
pub fn wants_tick(model: &Model) -> bool {
    model.notice.is_some()
        || model.leaving.is_some()
        || model.clusters.is_wanted()
        || is_changing(model)
}

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
            View::Clusters => model.clusters.enabled(action),
        },
    }
}

/// Does what was chosen in the palette. An action of another view shows that view
/// first; one on what is under the cursor there is left to its key.
fn choose(model: &mut Model, found: &Found, effects: &mut Vec<Effect>) {
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
fn act(model: &mut Model, action: Action, effects: &mut Vec<Effect>) {
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
            return model.overlays.push(Overlay::Palette(overlay::Palette::default()));
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

fn quit(model: &mut Model, effects: &mut Vec<Effect>) {
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
fn replace_batch(model: &mut Model, ask: &str, effect: Effect, effects: &mut Vec<Effect>) {
    let mut lines = model.compose.would_lose();
    if lines.is_empty() {
        effects.push(effect);
        return;
    }
    lines.push("what is there is thrown away".into());
    let question = Confirm::new(ask, lines, Confirmed::Discard(Box::new(effect)));
    model.overlays.push(Overlay::Confirm(question));
}

/// Shows a view; Esc leads back to the one before.
fn go(model: &mut Model, view: View) {
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
fn entered(model: &mut Model, view: View, effects: &mut Vec<Effect>) {
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

fn to_view(model: &mut Model, view: View, msg: Msg, effects: &mut Vec<Effect>) {
    with_view(model, view, effects, |m, cx| match view {
        View::Compose => m.compose.on_msg(msg, cx),
        View::Preview => m.preview.on_msg(msg, cx),
        View::Monitor => m.monitor.on_msg(msg, cx),
        View::Runs => m.runs.on_msg(msg, cx),
        View::Clusters => m.clusters.on_msg(msg, cx),
    });
}

/// The views of a model, while the rest of it is lent out as their context.
struct Views<'a> {
    compose: &'a mut super::screen::compose::Compose,
    preview: &'a mut super::screen::preview::Preview,
    monitor: &'a mut super::screen::monitor::Monitor,
    runs: &'a mut super::screen::runs::Runs,
    clusters: &'a mut super::screen::clusters::ClustersView,
}

/// Lets a view answer and carries its steps out. The first step that needs
/// another view goes there at once.
fn with_view(
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
                    if former == View::Preview {
                        entered(model, former, effects);
                    }
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

#[cfg(test)]
mod tests;

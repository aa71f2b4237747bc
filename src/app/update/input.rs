//! What people do: keys, pasted text and the mouse, each to whom it is meant for.

use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

use super::{
    actions::{act, choose},
    views::{entered, go, with_view},
};
use crate::app::{
    chrome,
    effect::Effect,
    keymap::{Action, Scope},
    line::Line,
    model::Model,
    msg::Hit,
    overlay::{self, Confirmed, Overlay, Prompt},
    screen::{Filtered as _, View},
};

pub(super) fn on_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
    if key.kind == KeyEventKind::Release {
        return;
    }
    model.preview.unwant();
    let anywhere = model.keymap.action(key, Scope::Anywhere);
    if anywhere == Some(Action::Leave) {
        return act(model, Action::Leave, effects);
    }
    model.leaving = None;
    if chrome::too_small(model.width, model.height) {
        return unseen_key(model, anywhere, effects);
    }
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

/// A key while nothing of the screen is shown: it may only end or suspend the
/// program. No question is answered that cannot be read.
fn unseen_key(model: &mut Model, action: Option<Action>, effects: &mut Vec<Effect>) {
    let asked = matches!(
        model.overlays.last(),
        Some(Overlay::Confirm(question)) if question.action == Confirmed::Quit
    );
    match action {
        Some(action @ Action::Suspend) => act(model, action, effects),
        Some(action @ Action::Quit) if !asked => act(model, action, effects),
        _ => {}
    }
}

/// Esc and a character pressed in quick succession arrive as one key with Alt:
/// over a slow line always. No character with Alt means anything here, except in
/// text, which has seen it before.
pub(super) fn escaped(key: KeyEvent) -> Option<(KeyEvent, KeyEvent)> {
    let alt = key.modifiers.contains(KeyModifiers::ALT);
    (alt && matches!(key.code, KeyCode::Char(_))).then(|| {
        let rest = KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key };
        (KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE), rest)
    })
}

/// The top overlay takes the key, whatever it is.
pub(super) fn overlay_key(model: &mut Model, key: KeyEvent, effects: &mut Vec<Effect>) {
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

pub(super) fn prompt_key(
    model: &mut Model,
    prompt: Prompt,
    key: KeyEvent,
    effects: &mut Vec<Effect>,
) {
    use overlay::prompt::Answer;
    let purpose = prompt.purpose;
    let asked = prompt.clone();
    match overlay::prompt::on_key(prompt, key) {
        Answer::Open(prompt, list) => {
            model.overlays.push(Overlay::Prompt(prompt));
            effects.extend(list);
        }
        Answer::Closed => {}
        Answer::Done(text) => {
            let asked = Prompt { input: Line::new(text.as_str()), ..asked };
            with_view(model, View::Compose, effects, |m, _| m.compose.on_prompt(purpose, &text));
            let tries = |e: &Effect| {
                matches!(
                    e,
                    Effect::OpenFile { .. } | Effect::SaveFile { .. } | Effect::SaveTemplate { .. }
                )
            };
            model.naming = effects.iter().any(tries).then_some(asked);
        }
    }
}

/// What a `y` in a confirm box does. Nothing else makes these effects.
pub(super) fn confirmed(model: &mut Model, action: Confirmed, effects: &mut Vec<Effect>) {
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
        Confirmed::Discard(effect) => {
            if let Effect::SaveDraft { id, text: None, .. } = &*effect {
                model.compose.draft_gone(id);
            }
            effects.push(*effect);
        }
    }
}

pub(super) fn on_paste(model: &mut Model, text: &str, effects: &mut Vec<Effect>) {
    model.preview.unwant();
    if chrome::too_small(model.width, model.height) {
        return;
    }
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

/// A click on something that drawing found: a row of the box on top is chosen as
/// with Enter.
pub(super) fn on_click(model: &mut Model, hit: Hit, effects: &mut Vec<Effect>) {
    match (model.overlays.last_mut(), hit) {
        (None, hit) if model.view == View::Compose => {
            with_view(model, View::Compose, effects, |m, cx| m.compose.on_click(hit, cx));
            return;
        }
        (Some(Overlay::Palette(palette)), Hit::Choice(at)) => palette.selected = at,
        (Some(Overlay::Prompt(prompt)), Hit::Choice(at)) => prompt.selected = Some(at),
        _ => return,
    }
    overlay_key(model, KeyCode::Enter.into(), effects);
}

/// The wheel scrolls the box on top, or moves in its list.
fn wheel_in_box(model: &mut Model, kind: MouseEventKind, effects: &mut Vec<Effect>) {
    let key = match kind {
        MouseEventKind::ScrollDown => KeyCode::Down,
        MouseEventKind::ScrollUp => KeyCode::Up,
        _ => return,
    };
    match model.overlays.last_mut() {
        Some(Overlay::Help(scroll)) if key == KeyCode::Down => *scroll = scroll.saturating_add(3),
        Some(Overlay::Help(scroll)) => *scroll = scroll.saturating_sub(3),
        Some(Overlay::Palette(_) | Overlay::Prompt(_)) => overlay_key(model, key.into(), effects),
        _ => {}
    }
}

pub(super) fn on_mouse(model: &mut Model, event: MouseEvent, effects: &mut Vec<Effect>) {
    if chrome::too_small(model.width, model.height) {
        return;
    }
    if !model.overlays.is_empty() {
        return wheel_in_box(model, event.kind, effects);
    }
    if event.row == 0 {
        if event.kind == MouseEventKind::Down(MouseButton::Left)
            && let Some(view) = chrome::tab_at(model.width, event.column)
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

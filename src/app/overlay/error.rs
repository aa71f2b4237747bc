//! The error panel: stays until it is dismissed; `y` copies it.

use crossterm::event::{KeyCode, KeyEvent};

use crate::{
    app::{effect::Effect, model::Model, overlay::Overlay},
    error::Report,
};

/// Answers a key; the panel was taken off the stack and goes back unless dismissed.
pub fn on_key(model: &mut Model, report: Report, key: KeyEvent) -> Option<Effect> {
    match key.code {
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | ' ') => None,
        KeyCode::Char('y') => {
            let text = report.to_string();
            model.overlays.push(Overlay::Error(report));
            model.notice = Some((model.now, "copied".into()));
            Some(Effect::Copy { text })
        }
        _ => {
            model.overlays.push(Overlay::Error(report));
            None
        }
    }
}

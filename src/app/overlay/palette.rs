//! `:`: every action that counts here, found by a few letters of its name.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

use super::{Overlay, Palette};
use crate::app::{
    keymap::{self, Action, Entry},
    model::Model,
    update,
};

/// An action found, and why it cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub entry: &'static Entry,
    pub why_not: Option<&'static str>,
}

/// Movements are keys, not commands.
fn is_command(action: Action) -> bool {
    use Action as A;
    !matches!(
        action,
        A::Up
            | A::Down
            | A::Left
            | A::Right
            | A::Top
            | A::Bottom
            | A::PageUp
            | A::PageDown
            | A::NextPane
            | A::PreviousPane
            | A::Palette
            | A::Leave
            | A::Back
            | A::Activate
    )
}

/// What the letters find, best first; usable actions before the others.
pub fn found(model: &Model, query: &str) -> Vec<Found> {
    let commands = keymap::entries(model.scope()).filter(|e| is_command(e.action));
    let pattern = Pattern::new(query, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, Found)> = commands
        .filter_map(|entry| {
            let by_name = pattern.score(Utf32Str::new(entry.name, &mut buffer), &mut matcher);
            let by_doc = pattern.score(Utf32Str::new(entry.doc, &mut buffer), &mut matcher);
            let score = by_name.map(|s| s * 2).max(by_doc)?;
            Some((score, Found { entry, why_not: update::enabled(model, entry.action).err() }))
        })
        .collect();
    scored.sort_by_key(|(score, found)| (found.why_not.is_some(), std::cmp::Reverse(*score)));
    scored.into_iter().map(|(_, found)| found).collect()
}

/// Answers a key; the palette was taken off the stack and goes back unless it
/// was closed or an action chosen.
pub fn on_key(model: &mut Model, mut palette: Palette, key: KeyEvent) -> Option<Action> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let count = found(model, palette.query.text()).len();
    let last = count.saturating_sub(1);
    palette.selected = match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter => {
            return found(model, palette.query.text())
                .get(palette.selected)
                .map(|f| f.entry.action);
        }
        KeyCode::Backspace if palette.query.is_empty() => return None,
        KeyCode::Up => palette.selected.saturating_sub(1),
        KeyCode::Char('p') if ctrl => palette.selected.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => (palette.selected + 1).min(last),
        KeyCode::Char('n') if ctrl => (palette.selected + 1).min(last),
        KeyCode::PageUp => palette.selected.saturating_sub(10),
        KeyCode::PageDown => (palette.selected + 10).min(last),
        _ => {
            let before = palette.query.text().to_owned();
            palette.query.on_key(key);
            if palette.query.text() == before { palette.selected } else { 0 }
        }
    };
    model.overlays.push(Overlay::Palette(palette));
    None
}

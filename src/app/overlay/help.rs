//! `?`: what can be pressed here, from the table of actions.

use crossterm::event::{KeyCode, KeyEvent};

use crate::app::{
    keymap::{self, Action, Scope},
    model::Model,
    overlay::Overlay,
};

/// A line of help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelpLine {
    Heading(&'static str),
    /// Keys, what they do, and why not now.
    Key(String, &'static str, Option<&'static str>),
    Gap,
}

/// Help for the scope that has the keys: its own actions first.
pub fn lines(model: &Model) -> Vec<HelpLine> {
    let scope = model.scope();
    let mut lines = Vec::new();
    // What an inner scope has told, an outer one does not tell again.
    let mut seen: Vec<Action> = Vec::new();
    for part in scope.chain() {
        if !lines.is_empty() {
            lines.push(HelpLine::Gap);
        }
        lines.push(HelpLine::Heading(part.title()));
        for entry in keymap::TABLE.iter().filter(|e| e.scope == *part) {
            if seen.contains(&entry.action) {
                continue;
            }
            seen.push(entry.action);
            let keys = model.keymap.keys(entry.action, scope);
            if keys.is_empty() {
                continue;
            }
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let why_not = crate::app::update::enabled(model, entry.action).err();
            lines.push(HelpLine::Key(keys.join("  "), entry.doc, why_not));
        }
        if *part == Scope::Preview {
            lines.push(HelpLine::Key(
                "y".into(),
                "in the box that asks: submit; every other key closes it",
                None,
            ));
        }
    }
    lines
}

/// Answers a key; help was taken off the stack and goes back unless closed.
pub fn on_key(model: &mut Model, scroll: usize, key: KeyEvent) {
    let page = usize::from(model.height.saturating_sub(6)).max(1);
    let last = lines(model).len().saturating_sub(page);
    let scroll = match model.keymap.action(key, Scope::Anywhere) {
        Some(Action::Help | Action::Back | Action::Quit) => return,
        Some(Action::Up) => scroll.saturating_sub(1),
        Some(Action::Down) => scroll + 1,
        Some(Action::PageUp) => scroll.saturating_sub(page),
        Some(Action::PageDown) => scroll + page,
        Some(Action::Top) => 0,
        Some(Action::Bottom) => last,
        _ if key.code == KeyCode::Char('g') => 0,
        _ if key.code == KeyCode::Char(' ') => scroll + page,
        _ => scroll,
    };
    model.overlays.push(Overlay::Help(scroll.min(last)));
}

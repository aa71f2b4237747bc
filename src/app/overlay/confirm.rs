//! The one confirm box: only `y` does it, every other key closes it and does
//! nothing. Large batches want their number typed first.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{Confirm, Confirmed};
use crate::{
    app::effect::{Effect, RunCommand},
    domain::action::RemoteAction,
};

/// What a key made of the box.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// A digit of the number; the box stays.
    Open(Confirm),
    No,
    Yes(Confirmed),
}

/// Answers a key.
pub fn on_key(mut confirm: Confirm, key: KeyEvent) -> Answer {
    let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
    let awaited = confirm.awaits_number();
    match key.code {
        // A key held down repeats; the second `y` of a repetition was not an answer.
        KeyCode::Char('y') if plain && !awaited && key.kind == KeyEventKind::Press => {
            Answer::Yes(confirm.action)
        }
        KeyCode::Char(c) if plain && c.is_ascii_digit() && confirm.must_type.is_some() => {
            if confirm.typed.len() < 12 {
                confirm.typed.push(c);
            }
            Answer::Open(confirm)
        }
        KeyCode::Backspace if confirm.must_type.is_some() => {
            confirm.typed.pop();
            Answer::Open(confirm)
        }
        _ => Answer::No,
    }
}

impl Confirmed {
    /// What `y` does, and what any other key leaves undone, in words.
    pub fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::Submit(_) => ("submits", "sends nothing"),
            Self::Run { command: RunCommand::Cancel { .. }, .. } => ("cancels", "ends nothing"),
            Self::Run { command: RunCommand::Act { action, .. }, .. } => match action {
                RemoteAction::Requeue => ("requeues", "ends nothing"),
                _ => ("does it", "changes nothing"),
            },
            Self::Run { command: RunCommand::Retry { .. }, .. } => ("retries", "sends nothing"),
            Self::Run { command: RunCommand::Send, .. } => ("sends", "sends nothing"),
            Self::Run { command: RunCommand::StopSending, .. } => {
                ("stops sending", "changes nothing")
            }
            Self::Quit => ("leaves", "stays here"),
            Self::Discard(effect) => match **effect {
                Effect::SaveFile { .. } | Effect::SaveTemplate { .. } => {
                    ("replaces it", "saves nothing")
                }
                Effect::SaveDraft { .. } => ("throws it away", "keeps it"),
                _ => ("opens it", "changes nothing"),
            },
        }
    }
}

impl Confirm {
    /// A number must be typed, and is not typed yet.
    pub fn awaits_number(&self) -> bool {
        self.must_type.as_ref().is_some_and(|number| *number != self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(confirm: Confirm, keys: &str) -> Option<Answer> {
        let mut confirm = confirm;
        let mut keys = keys.chars();
        while let Some(c) = keys.next() {
            match on_key(confirm, KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)) {
                Answer::Open(open) => confirm = open,
                answer => return keys.next().is_none().then_some(answer),
            }
        }
        Some(Answer::Open(confirm))
    }

    #[test]
    fn only_y_does_it() {
        let question = || Confirm::new("?", Vec::new(), Confirmed::Quit);
        assert_eq!(press(question(), "y"), Some(Answer::Yes(Confirmed::Quit)));
        for key in ["Y", "n", "1", " "] {
            assert_eq!(press(question(), key), Some(Answer::No), "{key}");
        }
        for code in [KeyCode::Enter, KeyCode::Esc, KeyCode::Backspace] {
            assert_eq!(on_key(question(), KeyEvent::new(code, KeyModifiers::NONE)), Answer::No);
        }
        let ctrl = KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL);
        assert_eq!(on_key(question(), ctrl), Answer::No);
    }

    #[test]
    fn the_number_comes_first() {
        let question = || Confirm::new("?", Vec::new(), Confirmed::Quit).must_type(131);
        assert_eq!(press(question(), "131y"), Some(Answer::Yes(Confirmed::Quit)));
        for keys in ["y", "13y", "1311y", "131n", "132y"] {
            assert_eq!(press(question(), keys), Some(Answer::No), "{keys}");
        }
    }
}

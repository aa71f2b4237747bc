//! A list of known values to choose from, narrowed by typing.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::app::line::Line;

/// One value with a word about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub value: String,
    pub note: String,
}

impl Choice {
    pub fn new(value: impl Into<String>, note: impl Into<String>) -> Self {
        Self { value: value.into(), note: note.into() }
    }
}

/// What a key made of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    Open,
    Closed,
    Value(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picker {
    pub choices: Vec<Choice>,
    pub filter: Line,
    /// Among those shown.
    pub selected: usize,
    /// What is typed may be taken although it is not in the list.
    pub free: bool,
}

impl Picker {
    /// The list with `current` under the cursor.
    pub fn new(choices: Vec<Choice>, current: &str, free: bool) -> Self {
        let selected = choices.iter().position(|c| c.value == current).unwrap_or(0);
        Self { choices, filter: Line::default(), selected, free }
    }

    /// The choices that match what is typed: those that begin with it first.
    pub fn shown(&self) -> Vec<&Choice> {
        let wanted = self.filter.text().to_lowercase();
        let mut shown: Vec<&Choice> =
            self.choices.iter().filter(|c| c.value.to_lowercase().contains(&wanted)).collect();
        shown.sort_by_key(|c| !c.value.to_lowercase().starts_with(&wanted));
        shown
    }

    pub fn on_key(&mut self, key: KeyEvent) -> Picked {
        let count = self.shown().len();
        let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Picked::Closed,
            KeyCode::Enter | KeyCode::Tab => {
                let chosen = self.shown().get(self.selected).map(|c| c.value.clone());
                let typed = self.filter.text().trim();
                return match chosen {
                    Some(value) => Picked::Value(value),
                    None if self.free && !typed.is_empty() => Picked::Value(typed.to_owned()),
                    None => Picked::Closed,
                };
            }
            KeyCode::Up => {
                self.selected = self.selected.checked_sub(1).unwrap_or(count.saturating_sub(1));
            }
            KeyCode::Down => {
                self.selected = if self.selected + 1 < count { self.selected + 1 } else { 0 }
            }
            KeyCode::Char('p') if ctrl => self.selected = self.selected.saturating_sub(1),
            KeyCode::Char('n') if ctrl => {
                self.selected = (self.selected + 1).min(count.saturating_sub(1));
            }
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = count.saturating_sub(1),
            KeyCode::PageUp => self.selected = self.selected.saturating_sub(8),
            KeyCode::PageDown => self.selected = (self.selected + 8).min(count.saturating_sub(1)),
            _ => {
                if self.filter.on_key(key) {
                    self.selected = 0;
                }
            }
        }
        Picked::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(picker: &mut Picker, code: KeyCode) -> Picked {
        picker.on_key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn typing_narrows_and_enter_takes() {
        let choices = ["lab", "local", "ray-a"].map(|v| Choice::new(v, "")).to_vec();
        let mut picker = Picker::new(choices, "local", false);
        assert_eq!(picker.selected, 1);
        press(&mut picker, KeyCode::Char('a'));
        let shown: Vec<_> = picker.shown().iter().map(|c| c.value.clone()).collect();
        assert_eq!(shown, ["lab", "local", "ray-a"]);
        press(&mut picker, KeyCode::Char('y'));
        assert_eq!(press(&mut picker, KeyCode::Enter), Picked::Value("ray-a".into()));
        press(&mut picker, KeyCode::Char('z'));
        assert_eq!(press(&mut picker, KeyCode::Enter), Picked::Closed);
        picker.free = true;
        assert_eq!(press(&mut picker, KeyCode::Enter), Picked::Value("ayz".into()));
    }
}

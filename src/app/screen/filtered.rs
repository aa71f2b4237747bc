//! Views whose rows a line narrows while it is typed.

use crossterm::event::KeyEvent;

use super::{Context, Step};
use crate::app::filter::{FilterLine, Typed};

/// Text entry of such a view; see [`FilterLine`].
pub trait Filtered {
    /// What names a row, whatever the filter shows.
    type Row: Clone;

    /// The line, while it is open.
    fn typing(&mut self) -> &mut Option<FilterLine<Self::Row>>;

    /// This is the filter now, and the cursor goes to `home` where it is shown.
    fn narrow(&mut self, filter: String, home: Option<Self::Row>, cx: &Context<'_>);

    /// Takes keys before the keymap does; `None`: not consumed.
    fn on_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        match self.typing().as_mut()?.on_key(key) {
            Typed::Elsewhere => None,
            typed => {
                self.typed(typed, cx);
                Some(Vec::new())
            }
        }
    }

    /// Pasted text, while this view has the keys.
    fn on_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        if let Some(typed) = self.typing().as_mut().map(|line| line.on_paste(text)) {
            self.typed(typed, cx);
        }
        Vec::new()
    }

    /// What the line made of it.
    fn typed(&mut self, typed: Typed<Self::Row>, cx: &Context<'_>) {
        match typed {
            Typed::Elsewhere | Typed::Same => {}
            Typed::Kept => *self.typing() = None,
            Typed::Now { text, home, open } => {
                if !open {
                    *self.typing() = None;
                }
                self.narrow(text, home, cx);
            }
        }
    }
}

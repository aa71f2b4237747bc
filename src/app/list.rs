//! A cursor in a list of rows, and which row is at the top of what is shown.

use super::keymap::Action;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The row under the cursor.
    pub at: usize,
    /// The first row shown.
    pub top: usize,
}

impl Cursor {
    /// Moves; `len` rows in all, `page` of them shown. Whether the action was a
    /// movement.
    pub fn on_action(&mut self, action: Action, len: usize, page: usize) -> bool {
        let last = len.saturating_sub(1);
        let jump = page.saturating_sub(1).max(1);
        self.at = match action {
            Action::Up => self.at.saturating_sub(1),
            Action::Down => self.at.saturating_add(1),
            Action::PageUp => self.at.saturating_sub(jump),
            Action::PageDown => self.at.saturating_add(jump),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        };
        self.settle(len, page);
        true
    }

    /// Keeps the cursor on a row and the row in view, after either changed.
    pub fn settle(&mut self, len: usize, page: usize) {
        let page = page.max(1);
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.top.min(len.saturating_sub(page));
        if self.at < self.top {
            self.top = self.at;
        } else if self.at >= self.top + page {
            self.top = self.at + 1 - page;
        }
    }

    /// The wheel: what is shown moves, the cursor only as far as it must.
    pub fn scroll(&mut self, by: isize, len: usize, page: usize) {
        let page = page.max(1);
        self.top = self.top.saturating_add_signed(by).min(len.saturating_sub(page));
        self.at = self.at.clamp(self.top, self.top + page - 1).min(len.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_in_view_and_in_the_list() {
        let mut c = Cursor::default();
        for _ in 0..30 {
            c.on_action(Action::Down, 25, 10);
        }
        assert_eq!(c, Cursor { at: 24, top: 15 });
        c.on_action(Action::PageUp, 25, 10);
        assert_eq!(c, Cursor { at: 15, top: 15 });
        c.settle(3, 10);
        assert_eq!(c, Cursor { at: 2, top: 0 });
        c.on_action(Action::Down, 0, 10);
        assert_eq!(c, Cursor { at: 0, top: 0 });
        let mut c = Cursor { at: 5, top: 0 };
        c.scroll(8, 25, 10);
        assert_eq!(c, Cursor { at: 8, top: 8 });
    }
}

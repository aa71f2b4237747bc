//! Clicks and the wheel; everything they do has a key too.

use crossterm::event::{MouseButton, MouseEventKind};

use super::{Context, Monitor, Pane, Step, index::RowKey, layout};
use crate::app::keymap::Action;

/// Lines a turn of the wheel scrolls.
const WHEEL: isize = 3;

impl Monitor {
    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let layout = layout(opened, cx);
        let rows = layout.table_rows();
        let by = match kind {
            MouseEventKind::ScrollUp => -WHEEL,
            MouseEventKind::ScrollDown => WHEEL,
            _ => 0,
        };
        let clicked = kind == MouseEventKind::Down(MouseButton::Left);
        if layout.pane.is_some_and(|pane| pane.holds(column, row)) {
            if clicked {
                opened.in_pane = true;
            }
            if by == 0 {
                return Vec::new();
            }
            let (width, height) = layout.pane_text();
            if let Pane::Log(pane) = &mut opened.pane {
                let ask = pane.scroll(by, width, height);
                return self.carry_out(ask);
            }
            let (was, action) = (opened.in_pane, if by < 0 { Action::Up } else { Action::Down });
            opened.in_pane = true;
            for _ in 0..by.unsigned_abs() {
                self.on_action(action, cx);
            }
            if let Some(opened) = self.opened.as_deref_mut() {
                opened.in_pane = was;
            }
            return Vec::new();
        }
        if !layout.table.holds(column, row) || row == layout.table.y {
            return Vec::new();
        }
        if by != 0 {
            opened.cursor.scroll(&opened.index, by, rows);
            return self.follow_cursor(cx);
        }
        if !clicked {
            return Vec::new();
        }
        let top = opened.cursor.top(opened.index.rows().len(), rows);
        let at = top + usize::from(row - layout.table.y - 1);
        if at >= opened.index.rows().len() {
            return Vec::new();
        }
        opened.in_pane = false;
        let again = opened.cursor.at() == at;
        opened.cursor.go(&opened.index, at, rows);
        if again || !matches!(opened.cursor.key(), Some(RowKey::Job(_))) {
            return self.on_action(Action::Activate, cx);
        }
        self.follow_cursor(cx)
    }
}

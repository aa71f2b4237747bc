//! Keys, pastes and clicks, each to the part that has the focus.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseEventKind};

use super::{Compose, Focus};
use crate::app::{
    msg::Hit,
    screen::{Context, Step},
};

impl Compose {
    /// Text entry takes keys before the keymap does; `None`: not consumed.
    pub fn on_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        self.learn(cx);
        if self.chooser.is_some() {
            return Some(self.chooser_key(key, cx));
        }
        if let Some(typed) = self.typing.as_mut().map(|line| line.on_key(key)) {
            return self.typed(typed, cx);
        }
        match self.focus {
            Focus::Table | Focus::Drafts => None,
            Focus::Form => self.form_key(key, cx),
            Focus::Yaml => self.pane_key(key, cx),
        }
    }

    /// Pasted text, while this view has the keys.
    pub fn on_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        self.learn(cx);
        // Terminals send a carriage return for every line end of a paste.
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        if let Some(typed) = self.typing.as_mut().map(|line| line.on_paste(&text)) {
            return self.typed(typed, cx).unwrap_or_default();
        }
        match self.focus {
            Focus::Form => self.form_paste(&text, cx),
            Focus::Yaml => self.pane_paste(&text, cx),
            Focus::Table => self.paste_jobs(&text, cx),
            Focus::Drafts => Vec::new(),
        }
    }

    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        self.learn(cx);
        let layout = self.layout(cx);
        if let Some(area) = layout.table
            && area.contains(column, row)
        {
            return self.table_mouse(kind, row - area.y, cx);
        }
        if let Some(area) = layout.side
            && area.contains(column, row)
            && self.focus == Focus::Yaml
        {
            self.pane_mouse(kind, column - area.x, row - area.y, cx);
        } else if let (Some(_), MouseEventKind::Down(_)) = (layout.side, kind)
            && layout.side.is_some_and(|area| area.contains(column, row))
        {
            self.enter_form(None);
        }
        Vec::new()
    }

    /// A click on a field or on a value of a pick-list.
    pub fn on_click(&mut self, hit: Hit, cx: &Context<'_>) -> Vec<Step> {
        self.learn(cx);
        let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
        match (hit, &mut self.chooser, &mut self.form.picker) {
            (Hit::Choice(at), Some(chooser), _) => {
                chooser.picker.selected = at;
                self.chooser_key(enter, cx)
            }
            (Hit::Choice(at), None, Some(picker)) => {
                picker.selected = at;
                self.form_key(enter, cx).unwrap_or_default()
            }
            (Hit::Field(at), None, _) => {
                self.click_field(at);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}

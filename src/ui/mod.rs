//! Model in, cells out. Nothing here changes the model or composes colours:
//! styles have names in [`theme::Theme`].
//!
//! ```text
//! row 0        header: tabs, cluster meters
//! rows 1 … -2  the view, boxes over it
//! last row     footer: keys that matter here, the last passing word
//! ```

mod chrome;
mod overlay;
pub mod screen;
pub mod shot;
#[doc(hidden)]
pub mod snapshot;
pub mod theme;
pub mod widgets;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::{Frame, layout::Rect};

use crate::app::{chrome::too_small, model::Model, msg::Hit, screen::View};
use theme::Theme;

/// What a click meets that only drawing knows the place of.
pub fn under(model: &Model, event: MouseEvent) -> Option<Hit> {
    let click = event.kind == MouseEventKind::Down(MouseButton::Left);
    if !click || too_small(model.width, model.height) {
        return None;
    }
    let body = Rect { x: 0, y: 1, width: model.width, height: model.height - 2 };
    let at = (event.column, event.row).into();
    match model.overlays.last() {
        Some(overlay) => overlay::under(body, overlay, model, at),
        None if model.view == View::Compose => screen::compose::under(body, model, at),
        None => None,
    }
}

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, model: &Model, theme: &Theme) {
    let area = frame.area();
    frame.buffer_mut().set_style(area, theme.text);
    if too_small(area.width, area.height) {
        return chrome::too_small(frame, area, model, theme);
    }
    chrome::header(frame, Rect { height: 1, ..area }, model, theme);
    let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    match model.view {
        View::Compose => screen::compose::draw(frame, body, model, theme),
        View::Preview => screen::preview::draw(frame, body, model, theme),
        View::Monitor => screen::monitor::draw(frame, body, model, theme),
        View::Runs => screen::runs::draw(frame, body, model, theme),
        View::Clusters => screen::clusters::draw(frame, body, model, theme),
    }
    // Over the view: what is told may need more than its own line.
    chrome::footer(frame, Rect { y: area.bottom() - 1, height: 1, ..area }, model, theme);
    for overlay in &model.overlays {
        overlay::draw(frame, body, overlay, model, theme);
    }
}

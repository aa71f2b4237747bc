//! The compose view, drawn: the batch in one line, the job table beside the form
//! or the text, and a last line with what is wrong or what a field is for.

mod block;
mod chooser;
mod foot;
mod form;
mod head;
mod pane;
mod pick_list;
mod start;
mod table;
#[cfg(test)]
mod tests;

use ratatui::{
    Frame,
    layout::{Position, Rect},
};

use crate::{
    app::{
        form::Target,
        model::Model,
        msg::Hit,
        screen::compose::{Compose, Focus, layout::Area},
    },
    ui::theme::Theme,
};

/// Rows of a pick-list.
const PICKER_ROWS: u16 = 10;

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let layout = compose.layout(&model.context());
    head::draw(frame, place(area, layout.head), compose, theme);
    let empty = compose.doc.is_empty()
        && compose.doc.error().is_none()
        && compose.focus == Focus::Table
        && compose.cursor == Target::Batch;
    match (layout.table, layout.side) {
        (Some(left), side) => {
            let left = place(area, left);
            if empty || compose.focus == Focus::Drafts {
                let whole = side.map_or(left, |side| left.union(place(area, side)));
                if compose.focus == Focus::Drafts {
                    start::drafts(frame, whole, model, theme);
                } else {
                    start::nothing_yet(frame, whole, compose, theme);
                }
            } else {
                table::draw(frame, left, compose, theme);
                if let Some(side) = side {
                    let side = place(area, side);
                    rule(frame, Rect { x: side.x - 1, width: 1, ..side }, theme);
                    draw_side(frame, side, model, theme);
                }
            }
        }
        (None, Some(side)) => draw_side(frame, place(area, side), model, theme),
        (None, None) => {}
    }
    foot::draw(frame, place(area, layout.foot), compose, theme);
    if let Some(chooser) = &compose.chooser {
        chooser::draw(frame, area, compose, chooser, theme);
    }
}

/// The field or the value of a pick-list at a place of the screen.
pub fn under(area: Rect, model: &Model, at: Position) -> Option<Hit> {
    let compose = &model.compose;
    if let Some(chooser) = &compose.chooser {
        return chooser::under(area, chooser, at);
    }
    let side = place(area, compose.layout(&model.context()).side?);
    let shown = compose.focus == Focus::Form || !compose.doc.is_empty();
    if compose.focus == Focus::Yaml || compose.focus == Focus::Drafts || !shown {
        return None;
    }
    form::under(inner(side), compose, at)
}

/// A part of the layout on the screen.
fn place(area: Rect, part: Area) -> Rect {
    Rect { x: area.x + part.x, y: area.y + part.y, width: part.width, height: part.height }
        .intersection(area)
}

fn rule(frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
    for y in area.y..area.bottom() {
        if let Some(cell) = frame.buffer_mut().cell_mut((area.x, y)) {
            cell.set_symbol("│").set_style(theme.border);
        }
    }
}

/// A side without its air.
fn inner(side: Rect) -> Rect {
    Rect { x: side.x + 1, width: side.width.saturating_sub(2), ..side }
}

fn draw_side(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let inner = inner(area);
    if model.compose.focus == Focus::Yaml {
        pane::draw(frame, inner, model, theme);
    } else {
        form::draw(frame, inner, model, theme);
    }
}

fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Nothing is written yet.
fn is_blank(compose: &Compose) -> bool {
    compose.doc.text().trim().is_empty()
}

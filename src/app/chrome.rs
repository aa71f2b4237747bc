//! Where the frame around every view is: the header with its tabs, the body,
//! the footer. Drawing and the mouse ask the same.

use std::ops::Range;

use super::screen::View;

/// Below this the program says that there is too little room.
pub const MIN_WIDTH: u16 = 60;
pub const MIN_HEIGHT: u16 = 16;

pub fn too_small(width: u16, height: u16) -> bool {
    width < MIN_WIDTH || height < MIN_HEIGHT
}

/// The name at the left of the header; dropped where the tabs need the room.
pub const TITLE: &str = "jobdeck";

/// Column of the first tab.
fn first(width: u16) -> u16 {
    if width >= 66 { 2 + TITLE.len() as u16 + 1 } else { 0 }
}

/// The tabs and the columns each takes, with a space at either side.
pub fn tabs(width: u16) -> impl Iterator<Item = (View, Range<u16>)> {
    let mut at = first(width);
    View::ALL.into_iter().map(move |view| {
        let start = at;
        at += view.title().len() as u16 + 4;
        (view, start..at)
    })
}

pub fn tab_at(width: u16, column: u16) -> Option<View> {
    tabs(width).find(|(_, columns)| columns.contains(&column)).map(|(view, _)| view)
}

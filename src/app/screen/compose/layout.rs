//! Where the parts of the view are; drawing, paging and the mouse ask the same.

use super::Focus;

/// From this width on the table and the form stand side by side.
const SPLIT: u16 = 100;

/// A part of the view, in cells from its corner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Area {
    pub fn contains(&self, column: u16, row: u16) -> bool {
        (self.x..self.x + self.width).contains(&column)
            && (self.y..self.y + self.height).contains(&row)
    }
}

/// The view without the program's own header and footer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The batch in one line.
    pub head: Area,
    /// The job list, its column titles included.
    pub table: Option<Area>,
    /// The form or the YAML pane.
    pub side: Option<Area>,
    /// What is wrong, or what a field is for.
    pub foot: Area,
}

impl Layout {
    pub fn new(width: u16, height: u16, focus: Focus) -> Self {
        let head = Area { x: 0, y: 0, width, height: 1 };
        let body = Area { x: 0, y: 1, width, height: height.saturating_sub(3) };
        let foot = Area { x: 0, y: height.saturating_sub(2), width, height: 2.min(height) };
        if width < SPLIT {
            let whole = Some(body);
            return match focus {
                Focus::Form | Focus::Yaml => Self { head, table: None, side: whole, foot },
                Focus::Table | Focus::Drafts => Self { head, table: whole, side: None, foot },
            };
        }
        let share = if focus == Focus::Yaml { 36 } else { 52 };
        let left = (width * share / 100).clamp(42, 84);
        let table = Area { width: left, ..body };
        let side = Area { x: left + 1, width: width - left - 1, ..body };
        Self { head, table: Some(table), side: Some(side), foot }
    }

    /// Rows of the job list, without its titles.
    pub fn table_rows(&self) -> usize {
        usize::from(self.table.map_or(0, |t| t.height).saturating_sub(1))
    }

    /// Lines of the YAML pane, without its title.
    pub fn pane_rows(&self) -> usize {
        usize::from(self.side.map_or(0, |s| s.height).saturating_sub(1))
    }
}

//! Where the parts of the view are, in cells of its body. Moving, the mouse and
//! drawing ask the same.

/// A rectangle; the place counts from the corner of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    pub x: u16,
    pub y: u16,
    pub width: u16,
    pub height: u16,
}

impl Area {
    pub fn holds(self, x: u16, y: u16) -> bool {
        x >= self.x && x < self.x + self.width && y >= self.y && y < self.y + self.height
    }
}

/// Lines at the top that tell of the whole run.
pub const HEADER: u16 = 2;
/// From this width on the pane stands beside the table.
const BESIDE: u16 = 150;
/// Below this many lines under the header the pane takes the table's place.
const SHARED: u16 = 14;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    pub header: Area,
    /// Column titles and rows; no height while the pane has all the room.
    pub table: Area,
    /// Its title line and its text.
    pub pane: Option<Area>,
    /// The line that is typed in, at the bottom.
    pub input: Option<Area>,
    pub beside: bool,
}

impl Layout {
    /// `width` and `height` of the body; `zoomed`: the pane wants all of it.
    pub fn new(width: u16, height: u16, pane: bool, zoomed: bool, input: bool) -> Self {
        let header = Area { x: 0, y: 0, width, height: HEADER.min(height) };
        let mut rest = Area { x: 0, y: header.height, width, height: height - header.height };
        let input = (input && rest.height > 3).then(|| {
            rest.height -= 1;
            Area { x: 0, y: rest.y + rest.height, width, height: 1 }
        });
        let mut layout = Self { header, table: rest, pane: None, input, beside: false };
        if !pane {
            return layout;
        }
        if zoomed || (rest.height < SHARED && width < BESIDE) {
            layout.pane = Some(rest);
            layout.table.height = 0;
        } else if width >= BESIDE {
            let table = width * 52 / 100;
            layout.beside = true;
            layout.table.width = table;
            layout.pane = Some(Area { x: table + 1, width: width - table - 1, ..rest });
        } else {
            let pane = (rest.height * 6 / 10).max(7);
            layout.table.height = rest.height - pane;
            layout.pane = Some(Area { y: rest.y + layout.table.height, height: pane, ..rest });
        }
        layout
    }

    /// Rows of the table, without its column titles.
    pub fn table_rows(&self) -> usize {
        usize::from(self.table.height.saturating_sub(1))
    }

    /// Width and height of the pane's text.
    pub fn pane_text(&self) -> (usize, usize) {
        self.pane.map_or((1, 1), |p| {
            (usize::from(p.width.saturating_sub(2)).max(1), usize::from(p.height.saturating_sub(1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_overlap_and_fill_the_body() {
        for (width, height) in [(80, 22), (120, 30), (200, 50), (60, 14), (150, 20)] {
            for bits in 0..8 {
                let l = Layout::new(width, height, bits & 1 > 0, bits & 2 > 0, bits & 4 > 0);
                let areas: Vec<Area> = [Some(l.header), Some(l.table), l.pane, l.input]
                    .into_iter()
                    .flatten()
                    .collect();
                for y in 0..height {
                    for x in 0..width {
                        let n = areas.iter().filter(|a| a.holds(x, y)).count();
                        let gap = l.beside && x == l.table.width;
                        assert!(
                            n == 1 || (gap && n == 0),
                            "{width}x{height} {bits} at {x},{y}: {n}"
                        );
                    }
                }
            }
        }
    }
}

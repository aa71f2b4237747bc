//! A table that builds only the rows in view. Columns drop from the right end of
//! importance when there is little room; numbers stand at the right.

use std::ops::Range;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use super::{scroll, text};
use crate::ui::theme::Theme;

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Fixed(u16),
    /// At least this, and this many shares of what is left over.
    Flex(u16, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    pub width: Width,
    /// Numbers and durations.
    pub right: bool,
    /// The least important are dropped first; the highest never is.
    pub importance: u8,
}

impl Column {
    pub const fn fixed(title: &'static str, width: u16, importance: u8) -> Self {
        Self { title, width: Width::Fixed(width), right: false, importance }
    }

    pub const fn flex(title: &'static str, least: u16, share: u16, importance: u8) -> Self {
        Self { title, width: Width::Flex(least, share), right: false, importance }
    }

    #[must_use]
    pub const fn right(mut self) -> Self {
        self.right = true;
        self
    }

    fn least(&self) -> u16 {
        match self.width {
            Width::Fixed(width) | Width::Flex(width, _) => width,
        }
    }
}

/// Columns between two cells.
const GAP: u16 = 2;

/// The columns that fit, by index, with their place from the left edge.
pub fn place(columns: &[Column], width: u16) -> Vec<(usize, Range<u16>)> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let of = |i: &usize| columns.get(*i);
    let need = |kept: &[usize]| {
        let cells: u16 = kept.iter().filter_map(of).map(Column::least).sum();
        cells + GAP * (kept.len().saturating_sub(1) as u16)
    };
    while kept.len() > 1 && need(&kept) > width {
        let least = kept.iter().copied().enumerate().min_by_key(|(at, i)| {
            (columns.get(*i).map_or(0, |c| c.importance), std::cmp::Reverse(*at))
        });
        match least {
            Some((at, _)) => kept.remove(at),
            None => break,
        };
    }
    let spare = width.saturating_sub(need(&kept));
    let share = |c: &Column| match c.width {
        Width::Fixed(_) => 0,
        Width::Flex(_, share) => share,
    };
    let shares: u16 = kept.iter().filter_map(of).map(share).sum();
    let mut left_over = spare;
    let mut shares_left = shares;
    let mut x = 0;
    let mut placed = Vec::with_capacity(kept.len());
    for i in kept {
        let Some(column) = columns.get(i) else { continue };
        let mine = share(column);
        let extra = if mine == 0 || shares_left == 0 { 0 } else { left_over * mine / shares_left };
        shares_left -= mine.min(shares_left);
        left_over -= extra;
        let end = (x + column.least() + extra).min(width);
        placed.push((i, x..end));
        x = end + GAP;
    }
    placed
}

/// One cell: text made safe and cut, a style over the row's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cell<'a> {
    pub spans: Vec<Span<'a>>,
}

impl<'a> Cell<'a> {
    pub fn new(content: impl Into<std::borrow::Cow<'a, str>>) -> Self {
        Self { spans: vec![Span::raw(content)] }
    }

    pub fn styled(content: impl Into<std::borrow::Cow<'a, str>>, style: Style) -> Self {
        Self { spans: vec![Span::styled(content, style)] }
    }
}

impl<'a> From<Span<'a>> for Cell<'a> {
    fn from(span: Span<'a>) -> Self {
        Self { spans: vec![span] }
    }
}

impl<'a> From<Line<'a>> for Cell<'a> {
    fn from(line: Line<'a>) -> Self {
        Self { spans: line.spans }
    }
}

/// Writes spans into a place, safe and cut to it.
pub fn write(buf: &mut Buffer, area: Rect, spans: &[Span<'_>], right: bool) {
    let columns = usize::from(area.width);
    let mut pieces: Vec<(String, Style)> = Vec::with_capacity(spans.len());
    let mut used = 0;
    for span in spans {
        if used >= columns {
            break;
        }
        let piece = text::fit(&span.content, columns - used).into_owned();
        used += text::width(&piece);
        pieces.push((piece, span.style));
    }
    let mut x = if right { area.x + (columns - used) as u16 } else { area.x };
    for (piece, style) in pieces {
        let (next, _) = buf.set_stringn(x, area.y, piece, usize::from(area.right() - x), style);
        x = next;
    }
}

/// What a table shows. Rows are asked for only while they are in view.
#[derive(Debug)]
pub struct Table<'a> {
    pub columns: &'a [Column],
    pub len: usize,
    pub top: usize,
    /// The row under the cursor, and whether the table has the keys.
    pub cursor: Option<usize>,
    pub focused: bool,
    /// Titles over the columns; else the first row is left to the caller.
    pub heading: bool,
}

impl Table<'_> {
    /// Draws a heading and the rows in view; a row gives its cells in the order
    /// of the columns and a style for the whole of it.
    pub fn draw<'r>(
        &self,
        buf: &mut Buffer,
        area: Rect,
        theme: &Theme,
        mut row: impl FnMut(usize) -> (Vec<Cell<'r>>, Style),
    ) {
        if area.height == 0 || area.width < 3 {
            return;
        }
        // A column at the left for the cursor's mark, one at the right for the bar.
        let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
        let placed = place(self.columns, inner.width);
        let cell_at = |range: &Range<u16>, y: u16| Rect {
            x: inner.x + range.start,
            y,
            width: range.end - range.start,
            height: 1,
        };
        for (i, range) in placed.iter().filter(|_| self.heading) {
            if let Some(column) = self.columns.get(*i) {
                let title = [Span::styled(column.title, theme.dim)];
                write(buf, cell_at(range, area.y), &title, column.right);
            }
        }
        let rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
        for (y, index) in (rows.y..rows.bottom()).zip(self.top..self.len) {
            let (cells, style) = row(index);
            let line = Rect { y, height: 1, ..rows };
            buf.set_style(line, style);
            for (i, range) in &placed {
                if let (Some(column), Some(cell)) = (self.columns.get(*i), cells.get(*i)) {
                    write(buf, cell_at(range, y), &cell.spans, column.right);
                }
            }
            if self.cursor == Some(index) {
                let style = if self.focused { theme.selected } else { theme.selected_unfocused };
                buf.set_style(line, style);
                if self.focused {
                    buf.set_stringn(line.x, y, "▌", 1, theme.accent);
                }
            }
        }
        scroll::draw(buf, rows, self.len, self.top, theme);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column::fixed("state", 10, 9),
        Column::flex("name", 8, 1, 8),
        Column::fixed("GPUs", 4, 1).right(),
    ];

    #[test]
    fn the_least_important_column_goes_first() {
        assert_eq!(place(&COLUMNS, 40), [(0, 0..10), (1, 12..34), (2, 36..40)]);
        assert_eq!(place(&COLUMNS, 22), [(0, 0..10), (1, 12..22)]);
        assert_eq!(place(&COLUMNS, 5), [(0, 0..5)]);
    }

    #[test]
    fn only_rows_in_view_are_built_and_nothing_paints_outside_its_cell() {
        let area = Rect::new(0, 0, 30, 5);
        let mut buf = Buffer::empty(area);
        let mut asked = Vec::new();
        let table = Table {
            columns: &COLUMNS,
            len: 100_000,
            top: 500,
            cursor: Some(501),
            focused: true,
            heading: true,
        };
        table.draw(&mut buf, area, &Theme::basic(), |i| {
            asked.push(i);
            let cells = vec![
                Cell::new("● running with much to say"),
                Cell::new("训练\u{1b}[2J\n任务训练任务"),
                Cell::new("12"),
            ];
            (cells, Style::new())
        });
        assert_eq!(asked, [500, 501, 502, 503]);
        let line: String = (0..30).map(|x| buf[(x, 2)].symbol()).collect();
        // A wide character is followed by an empty cell.
        assert!(line.starts_with("▌● running…  训"), "{line}");
        assert!(line.contains("␛[2J⏎…"), "{line}");
    }
}

//! The form of what is under the cursor.

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
};

use super::{
    PICKER_ROWS,
    block::{Block, block, labels},
    foot::finding_line,
    pick_list,
};
use crate::{
    app::{
        form::{Row, Target},
        model::Model,
        msg::Hit,
        screen::compose::{Compose, Focus},
    },
    ui::{
        theme::Theme,
        widgets::{boxed, scroll, table as cells, text},
    },
};

/// The fields as they stand on the screen.
struct Placed {
    body: Rect,
    labels: u16,
    blocks: Vec<Block>,
    /// The first line shown.
    top: usize,
}

impl Placed {
    /// `None`: there is too little room.
    fn new(area: Rect, compose: &Compose, theme: &Theme) -> Option<Self> {
        let labels = labels(compose.form.target);
        if area.height < 2 || area.width < labels + 8 {
            return None;
        }
        let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
        let width = usize::from(body.width - labels - 2);
        let rows = compose.form.rows.iter().enumerate();
        let blocks: Vec<Block> =
            rows.map(|(at, row)| block(compose, at, row, width, theme)).collect();
        let focused = compose.focus == Focus::Form;
        let top = scrolled(&blocks, compose.form.focus, focused, usize::from(body.height));
        Some(Self { body, labels, blocks, top })
    }

    fn total(&self) -> usize {
        self.blocks.iter().map(|b| b.lines.len()).sum()
    }

    /// The lines in sight: where, of which field, and the how manieth of it.
    fn lines(&self) -> impl Iterator<Item = (u16, &Block, usize)> {
        let all = self.blocks.iter().flat_map(|b| (0..b.lines.len()).map(move |n| (b, n)));
        (self.body.y..self.body.bottom()).zip(all.skip(self.top)).map(|(y, (b, n))| (y, b, n))
    }

    /// Where the pick-list of the field that is edited stands.
    fn pick_list(&self, compose: &Compose) -> Option<Rect> {
        let picker = compose.form.picker.as_ref()?;
        let of_cursor = |(_, block, n): &(u16, &Block, usize)| {
            block.row == compose.form.focus
                && block.cursor.is_some_and(|(row, _)| usize::from(row) == *n)
        };
        let (y, ..) = self.lines().find(of_cursor)?;
        let body = self.body;
        let rows = ((picker.choices.len() as u16).min(PICKER_ROWS) + 3).min(body.height);
        let below = body.bottom().saturating_sub(y + 1);
        let y = if below >= rows { y + 1 } else { body.bottom().saturating_sub(rows) };
        let x = body.x + self.labels - 2;
        Some(Rect { x, y, width: (body.right() - x).min(52), height: rows })
    }
}

/// The field, or the value of its pick-list, at a place of the screen.
pub fn under(area: Rect, compose: &Compose, at: Position) -> Option<Hit> {
    compose.doc.editable().ok()?;
    let placed = Placed::new(area, compose, &Theme::basic())?;
    if let (Some(list), Some(picker)) = (placed.pick_list(compose), &compose.form.picker)
        && list.contains(at)
    {
        return pick_list::choice_at(boxed::inside(list), picker, at);
    }
    if !placed.body.contains(at) {
        return None;
    }
    placed.lines().find(|(y, ..)| *y == at.y).map(|(_, block, _)| Hit::Field(block.row))
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let Some(placed) = Placed::new(area, compose, theme) else { return };
    let body = placed.body;
    title(frame, Rect { height: 1, ..area }, compose, theme);
    if let Err(why) = compose.doc.editable() {
        let lines = text::wrap(&why.to_string(), usize::from(body.width));
        for (line, y) in lines.into_iter().zip(body.y + 1..body.bottom()) {
            frame.buffer_mut().set_string(body.x, y, line, theme.error);
        }
        return;
    }
    for (y, block, n) in placed.lines() {
        let Some(line) = block.lines.get(n) else { continue };
        let place = Rect { x: body.x, y, width: body.width - 1, height: 1 };
        cells::write(frame.buffer_mut(), place, &line.spans, false);
        if compose.focus != Focus::Form || block.row != compose.form.focus {
            continue;
        }
        if n == block.first
            && let Some(cell) = frame.buffer_mut().cell_mut((body.x, y))
        {
            cell.set_symbol("▌").set_style(theme.accent);
        }
        if let Some((row, column)) = block.cursor
            && usize::from(row) == n
            && model.overlays.is_empty()
            && compose.form.picker.is_none()
        {
            frame.set_cursor_position((body.x + placed.labels + column, y));
        }
    }
    scroll::draw(frame.buffer_mut(), body, placed.total(), placed.top, theme);
    if let (Some(picker), Some(list)) = (&compose.form.picker, placed.pick_list(compose)) {
        let label = compose.focused_row().map_or("", Row::label);
        let inside = boxed::draw(frame, list, label, theme.border_focused, theme);
        pick_list::draw(frame, inside, picker, theme);
    }
}

/// First line shown so that the focused field is in sight.
fn scrolled(blocks: &[Block], focus: usize, focused: bool, page: usize) -> usize {
    let total: usize = blocks.iter().map(|b| b.lines.len()).sum();
    if !focused || total <= page {
        return 0;
    }
    let before: usize = blocks.iter().take(focus).map(|b| b.lines.len()).sum();
    let own = blocks.get(focus).map_or(0, |b| b.lines.len());
    // A third of the page stays above, so that one sees where one is.
    let wanted = before.saturating_sub(page / 3);
    wanted.max((before + own).saturating_sub(page)).min(before).min(total - page)
}

fn title(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    let mut spans = match compose.form.target {
        Target::Batch => vec![
            Span::styled("batch", theme.strong),
            Span::styled(" · settings for all jobs", theme.dim),
        ],
        Target::Entry(entry) => vec![
            Span::styled(compose.entry_type(entry).word(), theme.strong),
            Span::styled(" · ", theme.dim),
            Span::styled(compose.entry_name(entry).unwrap_or("(no name)").to_owned(), theme.strong),
            Span::styled(format!("   {} of {}", entry + 1, compose.doc.len()), theme.dim),
        ],
    };
    let edited = compose.edited().len();
    if edited > 1 {
        spans.push(Span::styled(format!("   • changes go to {edited} jobs"), theme.marked));
    }
    cells::write(frame.buffer_mut(), area, &spans, false);
}

/// The last line while a form has the keys.
pub fn foot(compose: &Compose, theme: &Theme) -> Line<'static> {
    if let Some(why) = &compose.form.trouble {
        let words = format!("✗ not in the batch yet: {}", text::safe(why));
        return Line::styled(words, theme.error);
    }
    let area = compose.form.editor.is_many();
    if area {
        let words = "Enter makes a new line · Tab goes on · a paste keeps its lines";
        return Line::styled(words, theme.dim);
    }
    let target = compose.form.target;
    match compose.planned.of_target(target).min_by_key(|f| f.severity) {
        Some(finding) => finding_line(finding, true, theme),
        None => {
            Line::styled("what is typed is in the batch at once, and kept as a draft", theme.dim)
        }
    }
}

//! The table of jobs. Only the rows in view are looked at.

use std::{collections::HashMap, ops::Range};

use ratatui::{Frame, buffer::Buffer, layout::Rect, style::Style, text::Span};

use super::{Stale, View, row};
use crate::{
    app::screen::monitor::{
        index::{Index, RowKey},
        order::Sort,
    },
    domain::{ids::JobIx, run::RunJob},
    ui::widgets::{
        scroll,
        table::{Column, place, write},
        text,
    },
};

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    State,
    Name,
    Type,
    Cluster,
    Gpus,
    Waited,
    Ran,
    Try,
    Why,
    Params,
}

/// Columns of the state: the longest label, its symbol, and room to stand in.
const STATE: u16 = 15;
/// How far the jobs of a group stand in.
const INDENT: u16 = 2;

fn columns(index: &Index, width: u16) -> Vec<(Cell, Column)> {
    let (name, params) = index.roster().widest();
    let narrow = width < 100;
    let name_room = if narrow { width / 4 } else { width / 3 };
    let name = name.clamp(8, name_room.max(8));
    let spare = if index.roster().widest().0 > name { 2 } else { 0 };
    let mut columns = vec![
        (Cell::State, Column::fixed("state", STATE + INDENT, 20)),
        (Cell::Name, Column::flex("name", name, spare, 19)),
        (Cell::Type, Column::fixed("type", 11, 1)),
        (Cell::Cluster, Column::fixed("cluster", index.widest_cluster().clamp(7, 14), 6)),
        (Cell::Gpus, Column::fixed("GPUs", 4, 7).right()),
        (Cell::Waited, Column::fixed("waited", 7, 4).right()),
        (Cell::Ran, Column::fixed("ran", 7, 12).right()),
        (Cell::Try, Column::fixed("try", 3, 5).right()),
        (Cell::Why, Column::flex("why / result", if narrow { 14 } else { 26 }, 4, 15)),
    ];
    if params > 0 {
        let least = params.min(if narrow { 12 } else { 18 });
        let share = u16::from(params > least);
        columns.push((Cell::Params, Column::flex("parameters", least, share, 3)));
    }
    columns
}

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    if area.height == 0 || area.width < 10 {
        return;
    }
    let buf = frame.buffer_mut();
    let index = view.opened.index();
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    let columns = columns(index, inner.width);
    let specs: Vec<Column> = columns.iter().map(|(_, column)| *column).collect();
    let placed = place(&specs, inner.width);
    let placed: Vec<(Cell, bool, Range<u16>)> = placed
        .into_iter()
        .filter_map(|(i, range)| {
            let (cell, column) = columns.get(i)?;
            Some((*cell, column.right, range))
        })
        .collect();
    titles(buf, inner, &columns, &placed, view);

    let rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let len = index.rows().len();
    let top = view.opened.cursor().top(len, usize::from(rows.height));
    if len == 0 {
        return nothing(buf, rows, view);
    }
    let marked = MarkedHeads::of(view);
    for (y, (at, key)) in (rows.y..rows.bottom()).zip(index.rows().iter().enumerate().skip(top)) {
        let line = Rect { y, height: 1, ..rows };
        let inner = Rect { y, height: 1, ..inner };
        match key {
            RowKey::Job(ix) => {
                if let Some(job) = view.opened.run().job(*ix) {
                    let nested = index.head_of(*ix).is_some();
                    job_row(buf, inner, *ix, job, nested, &placed, view);
                }
            }
            head => {
                write(buf, inner, &row::head(*head, view), false);
                if let Some(sign) = marked.sign(*head, index) {
                    buf.set_stringn(inner.x - 1, y, sign, 1, view.theme.marked);
                }
            }
        }
        if view.opened.cursor().at() == at {
            let focused = !view.opened.in_pane();
            let theme = view.theme;
            buf.set_style(line, if focused { theme.selected } else { theme.selected_unfocused });
            if focused && !is_marked(*key, view) && marked.sign(*key, index).is_none() {
                buf.set_stringn(line.x, y, "▌", 1, theme.accent);
            }
        }
    }
    scroll::draw(buf, rows, len, top, view.theme);
}

fn is_marked(key: RowKey, view: &View<'_>) -> bool {
    matches!(key, RowKey::Job(ix) if view.opened.marks().has(ix))
}

/// How many of the jobs under each head are marked.
struct MarkedHeads(HashMap<RowKey, u32>);

impl MarkedHeads {
    fn of(view: &View<'_>) -> Self {
        let index = view.opened.index();
        let mut heads = HashMap::new();
        if !view.opened.marks().is_empty() {
            let marks = view.opened.marks();
            for head in index.jobs().filter(|ix| marks.has(*ix)).filter_map(|ix| index.head_of(ix))
            {
                *heads.entry(head).or_default() += 1;
            }
        }
        Self(heads)
    }

    /// `*`: all that are shown under it, `~`: some.
    fn sign(&self, head: RowKey, index: &Index) -> Option<&'static str> {
        let marked = self.0.get(&head)?;
        Some(if *marked >= index.members(head) { "*" } else { "~" })
    }
}

fn titles(
    buf: &mut Buffer,
    inner: Rect,
    columns: &[(Cell, Column)],
    placed: &[(Cell, bool, Range<u16>)],
    view: &View<'_>,
) {
    let (sort, reverse) = view.opened.index().sort();
    let sorted = match sort {
        Sort::Batch => None,
        Sort::State => Some(Cell::State),
        Sort::Name => Some(Cell::Name),
        Sort::Cluster => Some(Cell::Cluster),
        Sort::Gpus => Some(Cell::Gpus),
        Sort::Waited => Some(Cell::Waited),
        Sort::Ran => Some(Cell::Ran),
        Sort::Finished => Some(Cell::Why),
    };
    let arrow = if reverse { "↑" } else { "↓" };
    for (cell, right, range) in placed {
        let title = columns.iter().find(|(c, _)| c == cell).map_or("", |(_, c)| c.title);
        let style = view.theme.dim;
        let place =
            Rect { x: inner.x + range.start, width: range.end - range.start, height: 1, ..inner };
        let hidden = sorted.filter(|by| placed.iter().all(|(cell, ..)| cell != by));
        if let (Cell::State, Some(_)) = (cell, hidden) {
            // Its own column has no room.
            let by = format!(" by {}{arrow}", sort.word());
            let spans = [Span::styled(title, style), Span::styled(by, view.theme.accent)];
            write(buf, place, &spans, *right);
        } else if sorted == Some(*cell) {
            let words = if sort == Sort::Finished { "ended last" } else { title };
            let spans = [Span::styled(format!("{words}{arrow}"), view.theme.accent)];
            write(buf, place, &spans, *right);
        } else {
            write(buf, place, &[Span::styled(title, style)], *right);
        }
    }
}

fn job_row(
    buf: &mut Buffer,
    inner: Rect,
    ix: JobIx,
    job: &RunJob,
    nested: bool,
    placed: &[(Cell, bool, Range<u16>)],
    view: &View<'_>,
) {
    let theme = view.theme;
    let stale = job.status.is_live().then(|| view.stale(job.cluster.as_ref())).flatten();
    for (cell, right, range) in placed {
        let mut place =
            Rect { x: inner.x + range.start, width: range.end - range.start, height: 1, ..inner };
        let own;
        let spans: &[Span<'_>] = match cell {
            Cell::State => {
                if nested {
                    place.x += INDENT;
                    place.width -= INDENT;
                }
                own = vec![row::state(job, view)];
                &own
            }
            Cell::Name => {
                own = vec![Span::raw(job.spec.name.as_str())];
                &own
            }
            Cell::Type => {
                own = vec![Span::styled(job.spec.job_type.word(), theme.dim)];
                &own
            }
            Cell::Cluster => {
                own = vec![Span::raw(job.cluster.as_ref().map_or("–", |c| c.as_str()))];
                &own
            }
            Cell::Gpus => {
                let style = if job.total_gpus.is_zero() { theme.dim } else { Style::new() };
                own = vec![Span::styled(job.total_gpus.to_string(), style)];
                &own
            }
            Cell::Waited => {
                own = row::waited(job, view)
                    .map(|t| Span::styled(t, theme.dim))
                    .into_iter()
                    .collect();
                &own
            }
            Cell::Ran => {
                own = row::ran(job, view).map(Span::raw).into_iter().collect();
                &own
            }
            Cell::Try => {
                own = job
                    .attempt()
                    .map(|a| {
                        let style = if a.number > 1 { theme.warning } else { theme.dim };
                        Span::styled(a.number.to_string(), style)
                    })
                    .into_iter()
                    .collect();
                &own
            }
            Cell::Why => {
                let mut spans = row::why(ix, job, view, usize::from(place.width));
                if let Some(age) = stale {
                    let age = match age {
                        Stale::Always => "not seen yet".to_owned(),
                        Stale::Since(secs) => format!("as of {} ago", text::age(secs)),
                    };
                    if !spans.is_empty() {
                        spans.insert(0, Span::raw(" · "));
                    }
                    spans.insert(0, Span::raw(age));
                }
                own = spans;
                &own
            }
            Cell::Params => {
                own = vec![Span::styled(job.spec.params.to_string(), theme.dim)];
                &own
            }
        };
        write(buf, place, spans, *right);
    }
    if stale.is_some() {
        buf.set_style(inner, theme.stale);
    }
    if view.opened.marks().has(ix) {
        buf.set_stringn(inner.x - 1, inner.y, "*", 1, theme.marked);
    }
}

fn nothing(buf: &mut Buffer, rows: Rect, view: &View<'_>) {
    let index = view.opened.index();
    let words = if index.failed_only() {
        "nothing has failed · F shows all jobs"
    } else if index.is_narrowed() {
        "no job matches the filter · Esc takes it away"
    } else {
        "this run has no jobs"
    };
    let x = rows.x + rows.width.saturating_sub(text::width(words) as u16) / 2;
    buf.set_stringn(x, rows.y + rows.height / 3, words, usize::from(rows.width), view.theme.dim);
}

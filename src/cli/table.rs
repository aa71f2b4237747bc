//! Plain tables: aligned columns, numbers at the right, cut to the terminal.

use super::{
    out::{Out, Paint},
    preview::To,
};
use crate::app::text::{fit, left, right, width};

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub right: bool,
    /// Never cut below this; the last column takes what is left.
    pub least: usize,
}

pub const fn text(title: &'static str) -> Column {
    Column { title, right: false, least: 8 }
}

pub const fn number(title: &'static str) -> Column {
    Column { title, right: true, least: 3 }
}

/// A cell; its text is made safe when it is printed.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub paint: Paint,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), paint: Paint::Plain }
    }
}

pub fn painted(paint: Paint, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), paint }
}

/// Prints a table as the answer. A column without any content is left out.
pub fn print(out: &Out, columns: &[Column], rows: impl IntoIterator<Item = Vec<Cell>> + Clone) {
    print_to(out, To::Answer, columns, rows);
}

/// Prints a table there. The rows are made twice, to measure and to print them, and
/// never all at once.
pub fn print_to(
    out: &Out,
    to: To,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<Cell>> + Clone,
) {
    const GAP: usize = 2;
    let mut used = vec![false; columns.len()];
    let mut widths: Vec<usize> = columns.iter().map(|c| width(c.title)).collect();
    for row in rows.clone() {
        for ((w, used), cell) in widths.iter_mut().zip(&mut used).zip(&row) {
            *w = (*w).max(width(&fit(&cell.text, 200)));
            *used |= !cell.text.is_empty();
        }
    }
    let shown = || columns.iter().enumerate().filter(|(c, _)| used.get(*c) == Some(&true));
    let last = shown().map(|(c, _)| c).next_back();
    shrink(out.width(), GAP, columns, &used, &mut widths);
    let line = |cells: &dyn Fn(usize) -> (String, Paint)| {
        let mut text = String::new();
        for (c, column) in shown() {
            let (content, paint) = cells(c);
            let wide = widths.get(c).copied().unwrap_or(0);
            let padded = if column.right {
                right(&content, wide)
            } else if Some(c) == last {
                fit(&content, wide).into_owned()
            } else {
                left(&content, wide)
            };
            text.push_str(&match to {
                To::Answer => out.paint(paint, &padded),
                To::People => out.paint_error(paint, &padded),
            });
            if Some(c) != last {
                text.push_str("  ");
            }
        }
        match to {
            To::Answer => out.line(text.trim_end()),
            To::People => out.say(text.trim_end()),
        }
    };
    line(&|c| (columns.get(c).map_or("", |column| column.title).to_owned(), Paint::Dim));
    for row in rows {
        line(&|c| row.get(c).map_or((String::new(), Paint::Plain), |x| (x.text.clone(), x.paint)));
    }
}

/// Takes from the widest column until all fit.
fn shrink(room: usize, gap: usize, columns: &[Column], used: &[bool], widths: &mut [usize]) {
    let is_used = |c: &usize| used.get(*c) == Some(&true);
    loop {
        let shown: Vec<usize> = (0..widths.len()).filter(is_used).collect();
        let total: usize = shown.iter().filter_map(|c| widths.get(*c)).sum::<usize>()
            + gap * shown.len().saturating_sub(1);
        if total <= room {
            return;
        }
        let widest = shown
            .iter()
            .filter(|c| {
                let least = columns.get(**c).map_or(0, |column| column.least);
                widths.get(**c).is_some_and(|w| *w > least)
            })
            .max_by_key(|c| widths.get(**c).copied());
        let Some(w) = widest.and_then(|c| widths.get_mut(*c)) else { return };
        *w = w.saturating_sub((total - room).min((*w / 4).max(1))).max(1);
    }
}

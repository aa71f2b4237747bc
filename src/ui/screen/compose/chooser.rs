//! The list over the view: types of a new job, or templates with a word on the one
//! under the cursor.

use std::fmt::Write;

use ratatui::{
    Frame,
    layout::{Position, Rect},
    text::{Line, Span},
};

use super::pick_list;
use crate::{
    app::{
        msg::Hit,
        screen::compose::{
            Compose,
            chooser::{Chooser, Choosing},
        },
        templates::hides,
    },
    domain::library::{Fault, Library, Template},
    ui::{
        theme::Theme,
        widgets::{boxed, text},
    },
};

/// Lines under the list of templates: a gap, what the template is for, its place.
const ABOUT: u16 = 4;
/// Rows shown of it.
const MOST_TEMPLATES: u16 = 14;

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    compose: &Compose,
    chooser: &Chooser,
    theme: &Theme,
) {
    let title = match chooser.what {
        Choosing::JobType => "New job: which type?",
        Choosing::Template(_) if compose.says_nothing() => "Begin with which template?",
        Choosing::Template(_) => "Put in the jobs of which template?",
    };
    let inside = boxed::draw(frame, place(area, chooser), title, theme.border_focused, theme);
    if chooser.is_waiting() {
        let line = Line::styled("reading the libraries …", theme.dim);
        frame.render_widget(line, Rect { height: 1, ..inside });
        return;
    }
    pick_list::draw(frame, list(inside, chooser), &chooser.picker, theme);
    if let Choosing::Template(Some(library)) = &chooser.what {
        let about =
            Rect { y: inside.bottom().saturating_sub(ABOUT - 1), height: ABOUT - 1, ..inside };
        draw_about(frame, about.intersection(inside), library, chooser.template(), theme);
    }
}

/// The row of the list at a place of the screen.
pub(super) fn under(area: Rect, chooser: &Chooser, at: Position) -> Option<Hit> {
    let inside = boxed::inside(place(area, chooser));
    pick_list::choice_at(list(inside, chooser), &chooser.picker, at)
}

fn place(area: Rect, chooser: &Chooser) -> Rect {
    let rows = chooser.picker.choices.len() as u16;
    match chooser.what {
        Choosing::JobType => boxed::centred(area, 60, rows + 3),
        Choosing::Template(_) => {
            let width = area.width.saturating_sub(4).min(110);
            boxed::centred(area, width, rows.clamp(1, MOST_TEMPLATES) + 3 + ABOUT)
        }
    }
}

/// What is typed and the values, above what is said of one.
fn list(inside: Rect, chooser: &Chooser) -> Rect {
    let below = if chooser.what == Choosing::JobType { 0 } else { ABOUT };
    Rect { height: inside.height.saturating_sub(below), ..inside }
}

/// What a template is for or why it cannot be used, in two lines; then where it lies
/// and whose it hides, or what is wrong with the libraries.
fn draw_about(
    frame: &mut Frame<'_>,
    area: Rect,
    library: &Library,
    template: Option<&Template>,
    theme: &Theme,
) {
    let columns = usize::from(area.width);
    let (words, style) = match template.map(|t| &t.content) {
        Some(Ok(content)) if content.description.is_empty() => {
            ("no description: no comment opens its file".to_owned(), theme.dim)
        }
        Some(Ok(content)) => (content.description.clone(), theme.overlay),
        Some(Err(fault)) => (format!("✗ {}", fault.message), theme.error),
        None => (String::new(), theme.overlay),
    };
    let mut lines: Vec<Line<'_>> =
        text::wrap(&words, columns).into_iter().take(2).map(|l| Line::styled(l, style)).collect();
    lines.resize(2, Line::default());
    lines.push(match (library.problems.as_slice(), template) {
        ([problem, ..], _) => {
            let words = text::fit(problem, columns.saturating_sub(2)).into_owned();
            Line::from_iter([Span::styled("⚠ ", theme.warning), Span::raw(words)])
        }
        ([], Some(template)) => Line::styled(place_of(template, columns), theme.dim),
        ([], None) => Line::default(),
    });
    for (line, y) in lines.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..area });
    }
}

/// `FILE`, with line and column where it is wrong, and whose template it hides.
fn place_of(template: &Template, columns: usize) -> String {
    let hides = hides(&template.shadows).map(|hides| format!(" · {hides}")).unwrap_or_default();
    let mut path = match &template.path {
        Some(path) => path.display().to_string(),
        None => "comes with jobdeck".to_owned(),
    };
    if let Err(Fault { at: Some(at), .. }) = &template.content {
        let _ = write!(path, ":{}:{}", at.line, at.column);
    }
    let room = columns.saturating_sub(text::width(&hides));
    format!("{}{hides}", text::fit_end(&path, room))
}

//! Before there is a job: what to press, and drafts that an earlier session left.

use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

use super::count;
use crate::{
    app::{model::Model, screen::compose::Compose},
    ui::{
        theme::Theme,
        widgets::{boxed, table as cells, text},
    },
};

/// The screen of a batch without jobs: what to press.
pub(super) fn nothing_yet(frame: &mut Frame<'_>, area: Rect, compose: &Compose, theme: &Theme) {
    let key = |key: &str, words: &str| {
        Line::from(vec![
            Span::styled(format!("{key:>4}"), theme.key),
            Span::raw(format!("   {words}")),
        ])
    };
    let mut lines = vec![
        Line::styled("This batch has no job yet.", theme.strong),
        Line::default(),
        key("n", "make a job: choose its type, fill in a form"),
        key("T", "begin with a template: sweep, notebook, torchrun …"),
        key("Q", "open the quickstart, which runs on any machine"),
        key("^O", "open a batch file (YAML or JSON)"),
        key("E", "write or paste the batch as YAML"),
        Line::default(),
        key("4", "earlier runs: open one, or make a new batch of it"),
        key("?", "every key"),
    ];
    if !compose.drafts.is_empty() {
        let words = count(compose.drafts.len(), "draft", "drafts");
        lines.push(Line::default());
        lines.push(Line::styled(
            format!("{words} of earlier sessions will be offered again at the next start"),
            theme.dim,
        ));
    }
    lines.push(Line::default());
    lines.push(Line::styled(
        "Nothing is sent before you saw the preview (p) and said y.",
        theme.dim,
    ));
    let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16;
    let block = boxed::centred(area, width, lines.len() as u16);
    for (line, y) in lines.into_iter().zip(block.y..block.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..block });
    }
}

/// Drafts that an earlier session left.
pub(super) fn drafts(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: &Theme) {
    let compose = &model.compose;
    let own = compose.offers_own_drafts();
    let rows = compose.drafts.len() as u16;
    let block = boxed::centred(area, 76, rows + 5);
    let inside = boxed::draw(
        frame,
        block,
        if own { "Unsaved work on this file" } else { "Unsaved work of an earlier session" },
        theme.border_focused,
        theme,
    );
    let list = Rect { y: inside.y + 1, height: inside.height.saturating_sub(3), ..inside };
    let page = usize::from(list.height).max(1);
    let top = (compose.draft + 1).saturating_sub(page);
    for ((at, draft), y) in compose.drafts.iter().enumerate().skip(top).zip(list.y..list.bottom()) {
        let name = draft.path.as_ref().map_or_else(
            || first_words(&draft.text),
            |p| text::fit_end(&p.to_string_lossy(), 40).into_owned(),
        );
        let age = text::age(model.now.duration_since(draft.saved_at).as_secs());
        let lines = count(draft.text.lines().count(), "line", "lines");
        let words = format!(
            "{}  {}",
            text::left(&name, usize::from(list.width).saturating_sub(26)),
            text::left(&format!("{age} ago · {lines}"), 22)
        );
        let line = Rect { y, height: 1, ..list };
        let selected = at == compose.draft;
        let style = if selected { theme.selected } else { theme.text };
        let mark = if selected { "▌ " } else { "  " };
        cells::write(
            frame.buffer_mut(),
            line,
            &[Span::styled(mark, theme.accent), Span::styled(words, style)],
            false,
        );
    }
    let y = inside.bottom().saturating_sub(1);
    let keys = Line::from(vec![
        Span::styled("Enter", theme.key),
        Span::raw(" go on with it   "),
        Span::styled("x", theme.key),
        Span::raw(" throw it away   "),
        Span::styled("Esc", theme.key),
        Span::raw(match (own, compose.is_new) {
            (false, _) => " later",
            (true, true) => " begin anew; it stays",
            (true, false) => " the file as saved; it stays",
        }),
    ]);
    frame.render_widget(keys, Rect { y, height: 1, ..inside });
}

/// What a draft without a file is about.
pub(super) fn first_words(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .find(|l| !l.is_empty() && !l.starts_with('#') && *l != "jobs:" && *l != "---")
        .unwrap_or("empty")
        .to_owned()
}

//! `:`: every action of the program, found by a few letters of its name. One of
//! another view leads there first.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{AtomKind, CaseMatching, Normalization, Pattern},
};

use super::{Overlay, Palette};
use crate::app::{
    keymap::{Action, Chord, Entry, Scope, TABLE},
    model::Model,
    screen::View,
    update,
};

/// An action found, and why it cannot be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub entry: &'static Entry,
    /// The view it belongs to, unless it counts in the one shown.
    pub elsewhere: Option<View>,
    pub why_not: Option<&'static str>,
}

impl Found {
    /// From elsewhere nobody sees what would be meant: only the way is shown.
    pub fn leads_only(&self) -> bool {
        self.elsewhere.is_some() && is_about_a_row(self.entry.action)
    }

    /// The first of its keys where it belongs.
    pub fn key(&self, model: &Model) -> Option<Chord> {
        let here = model.scope();
        let counts = self.elsewhere.is_none() && here.chain().contains(&self.entry.scope);
        let scope = if counts { here } else { self.entry.scope };
        model.keymap.keys(self.entry.action, scope).first().copied()
    }
}

/// Movements are keys, not commands.
fn is_command(action: Action) -> bool {
    use Action as A;
    !matches!(
        action,
        A::Up
            | A::Down
            | A::Left
            | A::Right
            | A::Top
            | A::Bottom
            | A::PageUp
            | A::PageDown
            | A::NextPane
            | A::PreviousPane
            | A::Palette
            | A::Leave
            | A::Back
            | A::Activate
    )
}

/// Actions on what is under the cursor or marked.
fn is_about_a_row(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::EditJob
            | A::DuplicateJob
            | A::DeleteJob
            | A::SaveTemplate
            | A::MoveJobUp
            | A::MoveJobDown
            | A::Logs
            | A::Retry
            | A::RetryWith
            | A::Cancel
            | A::CancelWith
            | A::Hold
            | A::Release
            | A::Requeue
            | A::Fold
            | A::MarkRange
            | A::CopyId
            | A::CloneRun
    )
}

/// The view whose keys a scope has; `None`: every view's.
fn view_of(scope: Scope) -> Option<View> {
    match scope {
        Scope::Anywhere => None,
        Scope::Compose | Scope::Form | Scope::Text => Some(View::Compose),
        Scope::Preview => Some(View::Preview),
        Scope::Monitor | Scope::Logs => Some(View::Monitor),
        Scope::Runs => Some(View::Runs),
        Scope::Clusters => Some(View::Clusters),
    }
}

/// Every command once for each view it belongs to; what counts in the view shown
/// comes first, and only once.
fn commands(model: &Model) -> Vec<Found> {
    let here = model.scope().chain();
    let (own, others): (Vec<&Entry>, Vec<&Entry>) =
        TABLE.iter().filter(|e| is_command(e.action)).partition(|e| here.contains(&e.scope));
    let mut all: Vec<Found> = Vec::new();
    for entry in own.into_iter().chain(others) {
        let place = view_of(entry.scope);
        let elsewhere = place.filter(|view| *view != model.view);
        let known = |f: &Found| {
            let same_view = f.elsewhere == elsewhere || view_of(f.entry.scope).is_none();
            f.entry.action == entry.action && same_view
        };
        if all.iter().any(known) {
            continue;
        }
        let mut found = Found { entry, elsewhere, why_not: None };
        if !found.leads_only() {
            let view = elsewhere.unwrap_or(model.view);
            found.why_not = update::enabled_in(model, view, entry.action).err();
        }
        all.push(found);
    }
    all
}

/// What the letters find, best first: by name before by what is said of it (there
/// only whole pieces count), then usable ones, then the better match, then here.
pub fn found(model: &Model, query: &str) -> Vec<Found> {
    let pattern = |kind| Pattern::new(query, CaseMatching::Ignore, Normalization::Smart, kind);
    let (letters, pieces) = (pattern(AtomKind::Fuzzy), pattern(AtomKind::Substring));
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut buffer = Vec::new();
    let mut scored: Vec<(bool, u32, Found)> = commands(model)
        .into_iter()
        .filter_map(|found| {
            let Entry { name, doc, .. } = found.entry;
            let by_name = letters.score(Utf32Str::new(name, &mut buffer), &mut matcher);
            let by_doc = || pieces.score(Utf32Str::new(doc, &mut buffer), &mut matcher);
            Some((by_name.is_none(), by_name.or_else(by_doc)?, found))
        })
        .collect();
    scored.sort_by_key(|(by_doc, score, found)| {
        (*by_doc, found.why_not.is_some(), std::cmp::Reverse(*score))
    });
    scored.into_iter().map(|(_, _, found)| found).collect()
}

/// Answers a key; the palette was taken off the stack and goes back unless it
/// was closed or an action chosen.
pub fn on_key(model: &mut Model, mut palette: Palette, key: KeyEvent) -> Option<Found> {
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let count = found(model, palette.query.text()).len();
    let last = count.saturating_sub(1);
    palette.selected = match key.code {
        KeyCode::Esc => return None,
        KeyCode::Enter => {
            return found(model, palette.query.text()).get(palette.selected).copied();
        }
        KeyCode::Backspace if palette.query.is_empty() => return None,
        KeyCode::Up => palette.selected.saturating_sub(1),
        KeyCode::Char('p') if ctrl => palette.selected.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => (palette.selected + 1).min(last),
        KeyCode::Char('n') if ctrl => (palette.selected + 1).min(last),
        KeyCode::PageUp => palette.selected.saturating_sub(10),
        KeyCode::PageDown => (palette.selected + 10).min(last),
        _ => {
            let before = palette.query.text().to_owned();
            palette.query.on_key(key);
            if palette.query.text() == before { palette.selected } else { 0 }
        }
    };
    model.overlays.push(Overlay::Palette(palette));
    None
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::app::model::Settings;

    #[test]
    fn a_name_comes_before_a_description() {
        let mut model = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24);
        model.view = View::Clusters;
        let names = |query| found(&model, query).iter().map(|f| f.entry.name).collect::<Vec<_>>();
        // «retry all failed» cannot be used now, and is still what was meant.
        assert_eq!(names("retry")[..3], ["retry", "retry with changes", "retry all failed"]);
        assert!(names("retry").iter().all(|n| *n != "invert marks"), "letters here and there");
        assert!(names("as it runs").is_empty() && names("dry run").contains(&"preview"));
    }

    #[test]
    fn every_command_is_found_by_its_name_from_every_view() {
        let mut model = Model::new(Settings::default(), Timestamp::UNIX_EPOCH, 80, 24);
        for view in View::ALL {
            model.view = view;
            for entry in TABLE.iter().filter(|e| is_command(e.action)) {
                let all = found(&model, entry.name);
                let same = all.iter().filter(|f| f.entry.action == entry.action);
                assert!(same.clone().count() > 0, "{} from {view:?}", entry.name);
                assert!(same.clone().filter(|f| f.elsewhere.is_none()).count() <= 1);
                assert!(same.clone().all(|f| f.key(&model).is_some()), "{}", entry.name);
            }
        }
    }
}

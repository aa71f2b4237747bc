//! Which theme it is: what was asked for, else what suits the terminal.

use super::{Depth, Sheet, Theme};
use crate::domain::nearest::nearest;

/// The themes that come with the program.
const BUILT_IN: [(&str, &str); 5] = [
    ("ansi16", include_str!("../../../themes/ansi16.yaml")),
    ("dark", include_str!("../../../themes/dark.yaml")),
    ("light", include_str!("../../../themes/light.yaml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.yaml")),
    ("mono", include_str!("../../../themes/mono.yaml")),
];

/// What is known of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    pub depth: Depth,
    /// Whether its background is light, where it says so.
    pub light: Option<bool>,
}

impl Terminal {
    /// From the environment: `NO_COLOR`, `COLORTERM`, `TERM`, `COLORFGBG`.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        let colors = variable("COLORTERM").unwrap_or_default();
        let depth = if variable("NO_COLOR").is_some_and(|v| !v.is_empty()) || term == "dumb" {
            Depth::None
        } else if matches!(colors.as_str(), "truecolor" | "24bit") || term.ends_with("-direct") {
            Depth::True
        } else if term.contains("256color") {
            Depth::Ansi256
        } else {
            Depth::Ansi16
        };
        // `15;0` or `15;default;0`: foreground and background by number.
        let light = variable("COLORFGBG")
            .and_then(|v| v.rsplit(';').next().and_then(|bg| bg.parse::<u8>().ok()))
            .map(|bg| bg == 7 || bg >= 9);
        Self { depth, light }
    }

    fn suits(self) -> &'static str {
        match (self.depth, self.light) {
            (Depth::None, _) => "mono",
            (Depth::Ansi16, _) => "ansi16",
            (_, Some(true)) => "light",
            _ => "dark",
        }
    }
}

/// Names of the built-in themes.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

struct Shelf<'a> {
    /// Names and texts of the user's own themes; they come before built-in ones.
    own: &'a [(String, String)],
    problems: Vec<String>,
}

impl Shelf<'_> {
    fn text(&self, name: &str) -> Option<(&str, bool)> {
        let own = self.own.iter().find(|(n, _)| n == name).map(|(_, text)| (text.as_str(), true));
        own.or_else(|| BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| (*text, false)))
    }

    /// A theme with all that it inherits; `None` when it cannot be used.
    fn load(&mut self, name: &str, heirs: &mut Vec<String>) -> Option<Theme> {
        let Some((text, own)) = self.text(name) else {
            let names: Vec<&str> = self
                .own
                .iter()
                .map(|(n, _)| n.as_str())
                .chain(BUILT_IN.iter().map(|(name, _)| *name))
                .collect();
            let hint = nearest(name, names.iter().copied()).map_or_else(
                || format!("there are {}", names.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            self.problems.push(format!("no theme is called `{name}`; {hint}"));
            return None;
        };
        let sheet = match Sheet::read(name, text) {
            Ok(sheet) => sheet,
            Err(errors) => {
                let words = errors.iter().map(|e| format!("theme `{name}`: {e}"));
                self.problems.extend(words.collect::<Vec<_>>());
                return None;
            }
        };
        heirs.push(name.to_owned());
        let base = match &sheet.inherits {
            None => None,
            // A user's `dark` may inherit the built-in `dark`.
            Some(base) if own && base == name => {
                let text = BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text);
                text.and_then(|text| Sheet::read(name, text).ok()).map(|sheet| {
                    let below = sheet.inherits.clone();
                    let base = below.and_then(|below| self.load(&below, heirs));
                    sheet.over(base)
                })
            }
            Some(base) if heirs.contains(base) => {
                let ring = heirs.join("` inherits `");
                self.problems.push(format!("theme `{ring}` inherits `{base}`: a circle"));
                None
            }
            Some(base) => self.load(&base.clone(), heirs),
        };
        Some(sheet.over(base))
    }
}

/// The theme to use and what was wrong on the way, in words. `own` are the
/// user's themes by name. Never fails: there is always one to show.
pub fn choose(
    asked: Option<&str>,
    own: &[(String, String)],
    terminal: Terminal,
) -> (Theme, Vec<String>) {
    let mut shelf = Shelf { own, problems: Vec::new() };
    let theme = asked
        .filter(|name| *name != "auto")
        .and_then(|name| shelf.load(name, &mut Vec::new()))
        .or_else(|| shelf.load(terminal.suits(), &mut Vec::new()))
        .unwrap_or_else(Theme::basic);
    (theme.at(terminal.depth), shelf.problems)
}

//! A theme file as read.
//!
//! ```yaml
//! name: dark
//! inherits: ansi16                 # optional: a built-in theme or another of the user's
//! background: "#16181d"            # what lies behind, when `text` does not paint it
//! palette: {blue: "#7aa2f7"}       # names for the colours below
//! styles:
//!   accent: blue                   # the colour of the text …
//!   selected: {fg: white, bg: blue, bold: true}
//! ```
//! What a style does not say comes from the inherited theme.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};

use super::{Theme, color};
use crate::domain::{
    nearest::nearest,
    tree::{Node, Pos, Scalar, Value},
};

/// One thing wrong with a theme file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}: {message}", pos.line)]
pub struct ThemeError {
    pub pos: Pos,
    /// A lower-case fragment.
    pub message: String,
}

/// Changes to a style; what is `None` stays as inherited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Change {
    fg: Option<Color>,
    bg: Option<Color>,
    modifiers: Vec<(Modifier, bool)>,
}

/// A theme file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    pub name: String,
    pub inherits: Option<String>,
    /// What usually lies behind the text; for judging whether it is legible.
    pub background: Option<Color>,
    styles: BTreeMap<String, Change>,
}

const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underlined", Modifier::UNDERLINED),
    ("reversed", Modifier::REVERSED),
    ("crossed_out", Modifier::CROSSED_OUT),
];

struct Reader {
    palette: BTreeMap<String, Color>,
    errors: Vec<ThemeError>,
}

impl Reader {
    fn error(&mut self, pos: Pos, message: impl Into<String>) {
        self.errors.push(ThemeError { pos, message: message.into() });
    }

    fn unknown(&mut self, pos: Pos, what: &str, word: &str, known: &[&str]) {
        let hint = nearest(word, known.iter().copied())
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        self.error(pos, format!("no {what} is called `{word}`{hint}"));
    }

    fn text(&mut self, node: &Node) -> Option<String> {
        match node.as_scalar() {
            Some(scalar) if !scalar.is_null() => Some(scalar.text.clone()),
            _ => {
                self.error(node.span.start, format!("a word is needed here, not {}", node.kind()));
                None
            }
        }
    }

    fn color(&mut self, node: &Node) -> Option<Color> {
        let text = self.text(node)?;
        let found = self.palette.get(&text).copied().or_else(|| color::parse(&text));
        if found.is_none() {
            self.error(
                node.span.start,
                format!("`{text}` is not a colour; write `#rrggbb`, `red`, `bright-blue`, 0 to 255 or a name of the palette"),
            );
        }
        found
    }

    fn change(&mut self, node: &Node) -> Change {
        let Value::Map(entries) = &node.value else {
            return Change { fg: self.color(node), ..Change::default() };
        };
        let mut change = Change::default();
        for entry in entries {
            match entry.key.as_str() {
                "fg" => change.fg = self.color(&entry.value),
                "bg" => change.bg = self.color(&entry.value),
                key => {
                    let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == key)
                    else {
                        let known = ["fg", "bg", "bold", "dim", "italic", "underlined", "reversed"];
                        self.unknown(entry.key_span.start, "part of a style", key, &known);
                        continue;
                    };
                    match entry.value.as_scalar().and_then(Scalar::as_bool) {
                        Some(on) => change.modifiers.push((*modifier, on)),
                        None => self.error(
                            entry.value.span.start,
                            format!("`{key}` is true or false, not {}", entry.value.kind()),
                        ),
                    }
                }
            }
        }
        change
    }
}

impl Sheet {
    /// Reads a theme file; everything that is wrong is reported at once.
    ///
    /// # Errors
    /// All that is wrong with it. What could be read is lost.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<ThemeError>> {
        let node = crate::yaml::parse(text.as_bytes()).map_err(|e| {
            vec![ThemeError { pos: e.pos.unwrap_or_default(), message: e.to_string() }]
        })?;
        let mut reader = Reader { palette: BTreeMap::new(), errors: Vec::new() };
        let mut sheet = Self {
            name: name.to_owned(),
            inherits: None,
            background: None,
            styles: BTreeMap::new(),
        };
        let Value::Map(entries) = &node.value else {
            reader.error(node.span.start, format!("a theme is a map, not {}", node.kind()));
            return Err(reader.errors);
        };
        if let Some(Node { value: Value::Map(colors), .. }) = node.get("palette") {
            for entry in colors {
                if let Some(color) = reader.color(&entry.value) {
                    reader.palette.insert(entry.key.clone(), color);
                }
            }
        }
        for entry in entries {
            match entry.key.as_str() {
                "palette" => {}
                "name" => sheet.name = reader.text(&entry.value).unwrap_or_default(),
                "inherits" => sheet.inherits = reader.text(&entry.value),
                "background" => sheet.background = reader.color(&entry.value),
                "styles" => {
                    let Value::Map(styles) = &entry.value.value else {
                        let kind = entry.value.kind();
                        reader.error(
                            entry.value.span.start,
                            format!("`styles` is a map, not {kind}"),
                        );
                        continue;
                    };
                    for style in styles {
                        if !Theme::ROLES.contains(&style.key.as_str()) {
                            let at = style.key_span.start;
                            reader.unknown(at, "style", &style.key, Theme::ROLES);
                            continue;
                        }
                        let change = reader.change(&style.value);
                        sheet.styles.insert(style.key.clone(), change);
                    }
                }
                key => {
                    let known = ["name", "inherits", "background", "palette", "styles"];
                    reader.unknown(entry.key_span.start, "part of a theme", key, &known);
                }
            }
        }
        if reader.errors.is_empty() { Ok(sheet) } else { Err(reader.errors) }
    }

    /// This sheet over the theme it inherits from.
    pub fn over(&self, base: Option<Theme>) -> Theme {
        let mut theme = base.unwrap_or_else(|| Theme::plain(&self.name));
        theme.name.clone_from(&self.name);
        for (role, change) in &self.styles {
            let Some(style) = theme.role_mut(role) else { continue };
            if let Some(fg) = change.fg {
                *style = style.fg(fg);
            }
            if let Some(bg) = change.bg {
                *style = style.bg(bg);
            }
            for (modifier, on) in &change.modifiers {
                *style = if *on {
                    style.add_modifier(*modifier)
                } else {
                    Style { add_modifier: style.add_modifier - *modifier, ..*style }
                };
            }
        }
        theme
    }
}

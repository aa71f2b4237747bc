//! Colours and weight of log text, as the SGR sequences (`ESC [ … m`) set them.

/// A colour a program asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogColor {
    /// 0–15 the basic colours, above the 256-colour palette.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// How a stretch of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogStyle {
    pub fg: Option<LogColor>,
    pub bg: Option<LogColor>,
    attributes: u8,
}

/// Weight and decoration. Blinking and hidden text are not offered: hidden text
/// would let a log say something else to a person than to `grep`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Attribute {
    Bold = 1,
    Dim = 2,
    Italic = 4,
    Underline = 8,
    Reverse = 16,
    Strike = 32,
}

impl LogStyle {
    pub fn has(self, attribute: Attribute) -> bool {
        self.attributes & attribute as u8 != 0
    }

    pub fn is_plain(self) -> bool {
        self == Self::default()
    }

    fn set(&mut self, attribute: Attribute, on: bool) {
        if on {
            self.attributes |= attribute as u8;
        } else {
            self.attributes &= !(attribute as u8);
        }
    }

    /// Applies the parameters of one SGR sequence, as written between `[` and `m`.
    /// What is not understood is skipped.
    pub(super) fn apply(&mut self, parameters: &[u8]) {
        let mut groups = parameters.split(|b| *b == b';').map(sub_parameters);
        while let Some(group) = groups.next() {
            let code = group.first().copied().flatten().unwrap_or(0);
            match code {
                0 => *self = Self::default(),
                1 => self.set(Attribute::Bold, true),
                2 => self.set(Attribute::Dim, true),
                3 => self.set(Attribute::Italic, true),
                4 => {
                    let off = group.get(1).copied().flatten() == Some(0);
                    self.set(Attribute::Underline, !off);
                }
                7 => self.set(Attribute::Reverse, true),
                9 => self.set(Attribute::Strike, true),
                21 => self.set(Attribute::Underline, true),
                22 => {
                    self.set(Attribute::Bold, false);
                    self.set(Attribute::Dim, false);
                }
                23 => self.set(Attribute::Italic, false),
                24 => self.set(Attribute::Underline, false),
                27 => self.set(Attribute::Reverse, false),
                29 => self.set(Attribute::Strike, false),
                30..=37 => self.fg = Some(LogColor::Indexed(low(code - 30))),
                40..=47 => self.bg = Some(LogColor::Indexed(low(code - 40))),
                90..=97 => self.fg = Some(LogColor::Indexed(low(code - 90 + 8))),
                100..=107 => self.bg = Some(LogColor::Indexed(low(code - 100 + 8))),
                39 => self.fg = None,
                49 => self.bg = None,
                38 | 48 => {
                    let color = if group.len() > 1 {
                        color_of(group.get(1..).unwrap_or_default())
                    } else {
                        spread_color(&mut groups)
                    };
                    if let Some(color) = color {
                        *(if code == 38 { &mut self.fg } else { &mut self.bg }) = Some(color);
                    }
                }
                _ => {}
            }
        }
    }
}

/// `4:3` as `[Some(4), Some(3)]`; an empty place is `None`.
fn sub_parameters(group: &[u8]) -> Vec<Option<u16>> {
    group
        .split(|b| *b == b':')
        .map(|digits| std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()))
        .collect()
}

fn low(code: u16) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// `38:5:n`, `38:2:r:g:b` and `38:2:space:r:g:b`, without the 38.
fn color_of(rest: &[Option<u16>]) -> Option<LogColor> {
    let byte = |value: Option<u16>| u8::try_from(value.unwrap_or(0)).ok();
    match rest {
        [Some(5), Some(index)] => byte(Some(*index)).map(LogColor::Indexed),
        [Some(2), r, g, b] | [Some(2), _, r, g, b, ..] => {
            Some(LogColor::Rgb(byte(*r)?, byte(*g)?, byte(*b)?))
        }
        _ => None,
    }
}

/// `38;5;n` and `38;2;r;g;b`, the values as parameters of their own.
fn spread_color(groups: &mut impl Iterator<Item = Vec<Option<u16>>>) -> Option<LogColor> {
    let mut next = || groups.next().and_then(|g| g.first().copied().flatten());
    match next()? {
        5 => color_of(&[Some(5), next()]),
        2 => color_of(&[Some(2), next(), next(), next()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn styled(parameters: &str) -> LogStyle {
        let mut style = LogStyle::default();
        style.apply(parameters.as_bytes());
        style
    }

    #[test]
    fn colours_in_every_spelling() {
        assert_eq!(styled("31").fg, Some(LogColor::Indexed(1)));
        assert_eq!(styled("1;97;44").fg, Some(LogColor::Indexed(15)));
        assert_eq!(styled("1;97;44").bg, Some(LogColor::Indexed(4)));
        for text in ["38;5;208", "38:5:208"] {
            assert_eq!(styled(text).fg, Some(LogColor::Indexed(208)), "{text}");
        }
        for text in ["48;2;1;2;3", "48:2:1:2:3", "48:2::1:2:3"] {
            assert_eq!(styled(text).bg, Some(LogColor::Rgb(1, 2, 3)), "{text}");
        }
        assert!(styled("38;5;208;1").has(Attribute::Bold));
    }

    #[test]
    fn attributes_go_on_and_off_and_nonsense_is_skipped() {
        assert!(styled("1;4:3;7").has(Attribute::Underline));
        assert!(styled("1;31;").is_plain());
        assert!(styled("1;22").is_plain());
        assert!(styled("8;5;999;38;5").is_plain());
        assert!(styled("").is_plain());
    }
}

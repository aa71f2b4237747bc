//! Colours as written, and as fewer colours than were asked for.

use ratatui::style::{Color, Style};

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal without.
    None,
    Ansi16,
    Ansi256,
    True,
}

/// The 16 basic colours: their names in theme files and what they usually are.
const BASIC: [(&str, Color, (u8, u8, u8)); 16] = [
    ("black", Color::Black, (0, 0, 0)),
    ("red", Color::Red, (205, 49, 49)),
    ("green", Color::Green, (13, 188, 121)),
    ("yellow", Color::Yellow, (199, 178, 16)),
    ("blue", Color::Blue, (36, 114, 200)),
    ("magenta", Color::Magenta, (188, 63, 188)),
    ("cyan", Color::Cyan, (17, 168, 205)),
    ("gray", Color::Gray, (204, 204, 204)),
    ("bright-black", Color::DarkGray, (118, 118, 118)),
    ("bright-red", Color::LightRed, (241, 76, 76)),
    ("bright-green", Color::LightGreen, (35, 209, 139)),
    ("bright-yellow", Color::LightYellow, (245, 245, 67)),
    ("bright-blue", Color::LightBlue, (59, 142, 234)),
    ("bright-magenta", Color::LightMagenta, (214, 112, 214)),
    ("bright-cyan", Color::LightCyan, (41, 184, 219)),
    ("white", Color::White, (255, 255, 255)),
];

/// Reads `#rrggbb`, a name of the basic colours, `default`, or a number of the
/// 256 colours.
pub fn parse(text: &str) -> Option<Color> {
    if text == "default" {
        return Some(Color::Reset);
    }
    if let Some((_, color, _)) = BASIC.iter().find(|(name, ..)| *name == text) {
        return Some(*color);
    }
    if let Some(hex) = text.strip_prefix('#').filter(|h| h.len() == 6 && h.is_ascii()) {
        let part = |range| hex.get(range).and_then(|p| u8::from_str_radix(p, 16).ok());
        return Some(Color::Rgb(part(0..2)?, part(2..4)?, part(4..6)?));
    }
    text.parse::<u8>().ok().map(Color::Indexed)
}

/// What a colour usually looks like; `None`: the terminal's own.
pub fn rgb(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(n @ 0..=15) => BASIC.get(usize::from(n)).map(|(_, _, rgb)| *rgb),
        Color::Indexed(n @ 16..=231) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = n - 16;
            Some((level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        Color::Indexed(n) => {
            let v = 8 + 10 * (n - 232);
            Some((v, v, v))
        }
        basic => BASIC.iter().find(|(_, c, _)| *c == basic).map(|(_, _, rgb)| *rgb),
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> u32 {
    let square = |x: u8, y: u8| u32::from(x.abs_diff(y)).pow(2);
    // The eye is keenest in green, dullest in blue.
    2 * square(a.0, b.0) + 4 * square(a.1, b.1) + 3 * square(a.2, b.2)
}

fn nearest(color: Color, depth: Depth) -> Color {
    let Color::Rgb(r, g, b) = color else {
        return match (color, depth) {
            (Color::Indexed(16..), Depth::Ansi16) => {
                rgb(color).map_or(color, |(r, g, b)| nearest(Color::Rgb(r, g, b), depth))
            }
            _ => color,
        };
    };
    let best = |candidates: &mut dyn Iterator<Item = Color>| {
        candidates
            .min_by_key(|c| rgb(*c).map_or(u32::MAX, |c| distance(c, (r, g, b))))
            .unwrap_or(color)
    };
    match depth {
        Depth::True => color,
        Depth::Ansi256 => best(&mut (16..=255).map(Color::Indexed)),
        Depth::Ansi16 | Depth::None => best(&mut BASIC.iter().map(|(_, c, _)| *c)),
    }
}

/// A style with at most this many colours.
pub fn reduce(mut style: Style, depth: Depth) -> Style {
    if depth == Depth::None {
        style.fg = None;
        style.bg = None;
        style.underline_color = None;
        return style;
    }
    style.fg = style.fg.map(|c| nearest(c, depth));
    style.bg = style.bg.map(|c| nearest(c, depth));
    style
}

/// Contrast of two colours after WCAG, from 1 to 21.
#[cfg(test)]
pub fn contrast(a: (u8, u8, u8), b: (u8, u8, u8)) -> f64 {
    let channel = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |(r, g, b)| {
        0.2126f64.mul_add(channel(r), 0.7152f64.mul_add(channel(g), 0.0722 * channel(b)))
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

//! A screen as a picture: a buffer of cells to SVG. Pure and the same on every
//! machine: no fonts are embedded, every cell has its own place, and lines and
//! blocks are drawn as shapes, so that the picture does not depend on how a font
//! draws them.

use std::fmt::Write;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};

use super::theme::{Theme, rgb};

/// Size of a cell.
const WIDE: u16 = 9;
const HIGH: u16 = 19;
/// Air around the screen.
const EDGE: u16 = 12;
/// From the top of a cell to the line the letters stand on.
const BASE: u16 = 14;
const FONT: &str = "ui-monospace,'DejaVu Sans Mono','JetBrains Mono',Menlo,Consolas,\
                    'Noto Sans Mono CJK SC',monospace";

type Rgb = (u8, u8, u8);

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Between two colours.
fn mix(a: Rgb, b: Rgb, share: f64) -> Rgb {
    let part = |a: u8, b: u8| (f64::from(a) * share + f64::from(b) * (1.0 - share)).round() as u8;
    (part(a.0, b.0), part(a.1, b.1), part(a.2, b.2))
}

struct Colors {
    ink: Rgb,
    page: Rgb,
}

impl Colors {
    /// Ink and paper of a cell, after reverse and dim.
    fn of(&self, cell: &Cell) -> (Rgb, Rgb) {
        let known = |color: Color, default: Rgb| rgb(color).unwrap_or(default);
        let (mut fg, mut bg) = (known(cell.fg, self.ink), known(cell.bg, self.page));
        if cell.modifier.contains(Modifier::REVERSED) {
            (fg, bg) = (bg, fg);
        }
        if cell.modifier.contains(Modifier::DIM) {
            fg = mix(fg, bg, 0.6);
        }
        (fg, bg)
    }
}

/// Lines and blocks as shapes in a cell whose corner is at (x, y).
fn shape(symbol: &str, x: u16, y: u16, ink: Rgb, paper: Rgb) -> Option<String> {
    let (mid_x, mid_y) =
        (f32::from(x) + f32::from(WIDE) / 2.0, f32::from(y) + f32::from(HIGH) / 2.0);
    let (right, bottom) = (x + WIDE, y + HIGH);
    let rect = |width: u16, colour: Rgb| {
        format!(r#"<rect x="{x}" y="{y}" width="{width}" height="{HIGH}" fill="{}"/>"#, hex(colour))
    };
    let line = |path: String, weight: u8| {
        let ink = hex(ink);
        format!(r#"<path d="{path}" fill="none" stroke="{ink}" stroke-width="{weight}"/>"#)
    };
    Some(match symbol {
        "█" => rect(WIDE, ink),
        "▓" => rect(WIDE, mix(ink, paper, 0.7)),
        "▒" => rect(WIDE, mix(ink, paper, 0.45)),
        "░" => rect(WIDE, mix(ink, paper, 0.22)),
        "▌" => rect(WIDE / 2, ink),
        "─" => line(format!("M{x} {mid_y}H{right}"), 1),
        "│" => line(format!("M{mid_x} {y}V{bottom}"), 1),
        "┃" => line(format!("M{mid_x} {y}V{bottom}"), 3),
        "╭" => line(format!("M{mid_x} {bottom}Q{mid_x} {mid_y} {right} {mid_y}"), 1),
        "╮" => line(format!("M{x} {mid_y}Q{mid_x} {mid_y} {mid_x} {bottom}"), 1),
        "╰" => line(format!("M{mid_x} {y}Q{mid_x} {mid_y} {right} {mid_y}"), 1),
        "╯" => line(format!("M{x} {mid_y}Q{mid_x} {mid_y} {mid_x} {y}"), 1),
        _ => return None,
    })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Letters of one style in one row, each with its place.
#[derive(Default)]
struct Letters {
    style: Option<(Rgb, Modifier)>,
    xs: String,
    text: String,
}

impl Letters {
    fn flush(&mut self, out: &mut String, y: u16) {
        if let Some((ink, modifier)) = self.style.take()
            && !self.text.is_empty()
        {
            let mut more = String::new();
            if modifier.contains(Modifier::BOLD) {
                more.push_str(r#" font-weight="700""#);
            }
            if modifier.contains(Modifier::ITALIC) {
                more.push_str(r#" font-style="italic""#);
            }
            let _ = writeln!(
                out,
                r#"<text x="{}" y="{}" fill="{}"{more}>{}</text>"#,
                self.xs.trim_end(),
                y + BASE,
                hex(ink),
                escaped(&self.text)
            );
        }
        self.xs.clear();
        self.text.clear();
    }
}

/// The buffer as an SVG document.
pub fn svg(buf: &Buffer, theme: &Theme, title: &str) -> String {
    let colors = Colors {
        ink: theme.text.fg.and_then(rgb).unwrap_or((213, 217, 224)),
        page: theme.text.bg.and_then(rgb).unwrap_or((21, 24, 30)),
    };
    let area = buf.area;
    let (width, height) = (area.width * WIDE + 2 * EDGE, area.height * HIGH + 2 * EDGE);
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{FONT}" font-size="15">"#
    );
    let _ = writeln!(out, "<title>{}</title>", escaped(title));
    let page = hex(colors.page);
    let _ = writeln!(out, r#"<rect width="{width}" height="{height}" rx="8" fill="{page}"/>"#);
    for row in 0..area.height {
        write_row(&mut out, buf, row, &colors);
    }
    out.push_str("</svg>\n");
    out
}

fn write_row(out: &mut String, buf: &Buffer, row: u16, colors: &Colors) {
    let area = buf.area;
    let y = EDGE + row * HIGH;
    let cell_at = |column: u16| buf.cell((area.x + column, area.y + row));
    // Papers first: a run of cells with the same one is one rectangle.
    let mut column = 0;
    while column < area.width {
        let paper = |column: u16| cell_at(column).map(|cell| colors.of(cell).1);
        let Some(colour) = paper(column) else { break };
        let start = column;
        while column < area.width && paper(column) == Some(colour) {
            column += 1;
        }
        if colour != colors.page {
            let (x, width) = (EDGE + start * WIDE, (column - start) * WIDE);
            let fill = hex(colour);
            let _ = writeln!(
                out,
                r#"<rect x="{x}" y="{y}" width="{width}" height="{HIGH}" fill="{fill}"/>"#
            );
        }
    }
    let mut letters = Letters::default();
    for column in 0..area.width {
        let Some(cell) = cell_at(column) else { continue };
        let (ink, paper) = colors.of(cell);
        let x = EDGE + column * WIDE;
        if cell.modifier.contains(Modifier::UNDERLINED) {
            let (y, stroke) = (y + BASE + 3, hex(ink));
            let _ = writeln!(out, r#"<path d="M{x} {y}h{WIDE}" stroke="{stroke}"/>"#);
        }
        let symbol = cell.symbol();
        if symbol.trim().is_empty() {
            // Some renderers know only the first place of a text: a word is one.
            letters.flush(out, y);
            continue;
        }
        if let Some(shape) = shape(symbol, x, y, ink, paper) {
            let _ = writeln!(out, "{shape}");
            continue;
        }
        let style = (ink, cell.modifier & (Modifier::BOLD | Modifier::ITALIC));
        if letters.style != Some(style) || !symbol.is_ascii() || !letters.text.is_ascii() {
            letters.flush(out, y);
            letters.style = Some(style);
        }
        // One place for each character; what belongs to a character before it has
        // the same.
        for _ in symbol.chars() {
            let _ = write!(letters.xs, "{x} ");
        }
        letters.text.push_str(symbol);
    }
    letters.flush(out, y);
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn every_letter_has_its_place_and_blocks_are_shapes() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        buf.set_string(0, 0, "a<训 █─", Style::new());
        let svg = svg(&buf, &Theme::basic(), "x & y");
        assert!(svg.contains("<title>x &amp; y</title>"));
        let letters = r##"<text x="12 21" y="26" fill="#d5d9e0">a&lt;</text>"##;
        assert!(svg.contains(letters), "{svg}");
        assert!(svg.contains(r##"<text x="30" y="26" fill="#d5d9e0">训</text>"##), "{svg}");
        assert!(svg.contains(r##"<rect x="57" y="12" width="9" height="19" fill="#d5d9e0"/>"##));
        assert!(svg.contains("<path d=\"M66 21.5H75\""));
    }
}

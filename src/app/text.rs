//! Text that is safe to show, cut to a width, and numbers that keep theirs.
//!
//! Everything that comes from a cluster, a file, a log or a user's batch passes
//! [`safe`] before it is drawn: nothing in it can move the cursor, change the
//! title, reverse the reading direction or paint outside its cell.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands for a character that must not reach the terminal; `None`: it may.
fn harmless(c: char) -> Option<&'static str> {
    const PICTURES: [&str; 32] = [
        "␀", "␁", "␂", "␃", "␄", "␅", "␆", "␇", "␈", " ", "⏎", "␋", "␌", "␍", "␎", "␏", "␐", "␑",
        "␒", "␓", "␔", "␕", "␖", "␗", "␘", "␙", "␚", "␛", "␜", "␝", "␞", "␟",
    ];
    match c {
        '\0'..='\u{1f}' => PICTURES.get(c as usize).copied(),
        '\u{7f}' => Some("␡"),
        // C1 controls: `\u{9b}` is a CSI of its own.
        '\u{80}'..='\u{9f}' => Some("\u{fffd}"),
        // Direction overrides and isolates, line and paragraph separators.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => {
            Some("\u{fffd}")
        }
        // Invisible: soft hyphen, marks of direction, zero-width spaces, the BOM,
        // interlinear annotations, tags. The joiner of emoji (200d) stays.
        '\u{ad}'
        | '\u{200b}'
        | '\u{200c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{2060}'..='\u{2064}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some(""),
        _ => None,
    }
}

/// The text on one line with control characters made visible (`␛`, `⏎`), tabs as
/// a space, invisible and direction-changing characters dropped or shown as `�`.
pub fn safe(text: &str) -> Cow<'_, str> {
    let Some(first) = text.char_indices().find(|(_, c)| harmless(*c).is_some()) else {
        return Cow::Borrowed(text);
    };
    let (clean, rest) = text.split_at(first.0);
    let mut out = String::with_capacity(text.len() + 8);
    out.push_str(clean);
    for c in rest.chars() {
        match harmless(c) {
            Some(picture) => out.push_str(picture),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Like [`safe`], a line each; line ends are line ends and tabs go to the next
/// multiple of eight.
pub fn safe_lines(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.lines().map(|line| {
        if !line.contains('\t') {
            return safe(line);
        }
        let mut out = String::with_capacity(line.len() + 8);
        for (i, part) in line.split('\t').enumerate() {
            if i > 0 {
                let column = width(&out);
                out.extend(std::iter::repeat_n(' ', 8 - column % 8));
            }
            out.push_str(&safe(part));
        }
        Cow::Owned(out)
    })
}

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Bytes of the longest beginning of `text` that takes at most `columns`, and the
/// columns it takes. Never cuts a grapheme.
fn head(text: &str, columns: usize) -> (usize, usize) {
    let mut used = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let w = width(grapheme);
        if used + w > columns {
            return (at, used);
        }
        used += w;
    }
    (text.len(), used)
}

/// Cuts a text to at most `columns`, with `…` where something is missing. The
/// text is made [`safe`] too.
pub fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    // A hostile name may be megabytes long; only what can show is looked at.
    let bound = columns.saturating_mul(32).saturating_add(64);
    let cut = text.len() > bound;
    let text = if cut {
        let end = (0..=bound).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.get(..end).unwrap_or("")
    } else {
        text
    };
    let text = safe(text);
    if !cut && width(&text) <= columns {
        return text;
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let (end, _) = head(&text, columns - 1);
    Cow::Owned(format!("{}…", text.get(..end).unwrap_or("")))
}

/// Like [`fit`], keeping the end: for paths.
pub fn fit_end(text: &str, columns: usize) -> Cow<'_, str> {
    let text = safe(text);
    if width(&text) <= columns {
        return text;
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, grapheme) in text.grapheme_indices(true).rev() {
        used += width(grapheme);
        if used > columns {
            break;
        }
        from = at;
    }
    Cow::Owned(format!("…{}", text.get(from..).unwrap_or("")))
}

/// Exactly `columns` wide, text at the left.
pub fn left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let gap = columns.saturating_sub(width(&text));
    format!("{text}{:gap$}", "")
}

/// Exactly `columns` wide, text at the right: for numbers.
pub fn right(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let gap = columns.saturating_sub(width(&text));
    format!("{:gap$}{text}", "")
}

/// Breaks a text into lines of at most `columns`, at spaces where there are any.
/// The text is made safe; its own line ends are kept. Never empty.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for line in safe_lines(text) {
        let mut current = String::new();
        let mut used = 0;
        for word in line.split_inclusive(' ') {
            let shown = width(word.trim_end_matches(' '));
            if used + shown > columns && used > 0 {
                lines.push(std::mem::take(&mut current).trim_end().to_owned());
                used = 0;
            }
            let mut rest = word;
            while width(rest.trim_end_matches(' ')) > columns {
                let (end, _) = head(rest, columns);
                // A grapheme wider than the column cannot be shown in it.
                if end == 0 {
                    let first = rest.graphemes(true).next().map_or(rest.len(), str::len);
                    lines.push("\u{fffd}".to_owned());
                    rest = rest.get(first..).unwrap_or("");
                    continue;
                }
                let (part, tail) = rest.split_at(end);
                lines.push(part.to_owned());
                rest = tail;
            }
            current.push_str(rest);
            used += width(rest);
        }
        lines.push(current.trim_end().to_owned());
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// A running time in at most seven columns: `4s`, `11:52`, `3:04:05`, `2d 03h`.
pub fn duration(seconds: i64) -> String {
    let s = seconds.max(0);
    let (days, hours, minutes) = (s / 86_400, s / 3600, s / 60);
    if days >= 1000 {
        format!("{days}d")
    } else if days >= 1 {
        format!("{days}d {:02}h", hours % 24)
    } else if hours >= 1 {
        format!("{hours}:{:02}:{:02}", minutes % 60, s % 60)
    } else if minutes >= 1 {
        format!("{minutes}:{:02}", s % 60)
    } else {
        format!("{s}s")
    }
}

/// An age in at most three columns and one unit: `3s`, `12m`, `5h`, `40d`.
pub fn age(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..=99 => format!("{s}s"),
        s @ 100..=5_999 => format!("{}m", s / 60),
        s @ 6_000..=359_999 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

/// An amount of bytes for people: `812 B`, `1.4 MiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `1 job`, `31 jobs`.
pub fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}

/// Whether a character can be drawn by itself: for text entry.
pub fn is_typed(c: char) -> bool {
    harmless(c).is_none() && (c.width().is_some())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_become_pictures() {
        assert_eq!(safe("a\u{1b}[2Jb\u{7}"), "a␛[2Jb␇");
        assert_eq!(safe("a\nb\tc\u{9b}31m"), "a⏎b c\u{fffd}31m");
        assert_eq!(safe("abc\u{202e}gpj.exe"), "abc\u{fffd}gpj.exe");
        assert_eq!(safe("\u{feff}plain\u{200b}"), "plain");
        assert!(matches!(safe("训练 🚀 ok"), Cow::Borrowed(_)));
    }

    #[test]
    fn cuts_at_graphemes_by_width() {
        assert_eq!(fit("训练任务", 5), "训练…");
        assert_eq!(fit("训练任务", 8), "训练任务");
        assert_eq!(fit("abc", 0), "");
        assert_eq!(fit_end("/home/me/batches/a.yaml", 10), "…es/a.yaml");
        assert_eq!(left("训", 4), "训  ");
        assert_eq!(right("7", 3), "  7");
        assert_eq!(fit("👩‍👩‍👧x", 1), "…");
    }

    #[test]
    fn wraps_at_spaces_and_breaks_long_words() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("a\nb", 4), ["a", "b"]);
    }

    #[test]
    fn durations_keep_to_their_column() {
        for (secs, text) in
            [(4, "4s"), (712, "11:52"), (11_045, "3:04:05"), (183_600, "2d 03h"), (-5, "0s")]
        {
            assert_eq!(duration(secs), text);
            assert!(width(&duration(secs)) <= 7);
        }
        for (secs, text) in [(3, "3s"), (720, "12m"), (18_000, "5h"), (3_456_000, "40d")] {
            assert_eq!(age(secs), text);
        }
        assert_eq!(bytes(1_468_006), "1.4 MiB");
        assert_eq!(count(1, "job"), "1 job");
    }

    proptest! {
        #[test]
        fn nothing_wider_than_asked_and_nothing_harmful(text in any::<String>(), columns in 0usize..40) {
            for out in [fit(&text, columns), fit_end(&text, columns)] {
                prop_assert!(width(&out) <= columns);
                prop_assert!(out.chars().all(|c| harmless(c).is_none()));
            }
            prop_assert_eq!(width(&left(&text, columns)), columns);
            prop_assert_eq!(width(&right(&text, columns)), columns);
            for line in wrap(&text, columns.max(2)) {
                prop_assert!(width(&line) <= columns.max(2), "{:?}", line);
                prop_assert!(line.chars().all(|c| harmless(c).is_none()));
            }
        }
    }
}

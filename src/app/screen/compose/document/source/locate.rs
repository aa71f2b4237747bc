//! Where each value of a tree is really written.

use super::{Body, Item};

/// Puts right what the parser's marks leave open: where values really start
/// (tags, anchors, the header of a block scalar) and end (not with the comments
/// and blank lines that follow).
pub(super) fn locate(text: &str, item: &mut Item) {
    let first = text.as_bytes().get(item.start).copied();
    match &mut item.body {
        Body::Scalar { scalar, block } => {
            if *block {
                item.end = trimmed_end(text, item.end).max(header_end(text, item.start));
            } else if let Some(end) = quoted_end(text, item.start, item.end) {
                item.end = end;
            } else if item.end > item.start {
                item.end = trimmed_end(text, item.end).max(item.start);
            }
            if scalar.plain && scalar.text.is_empty() && item.end < item.start {
                item.end = item.start;
            }
        }
        Body::Alias(_) => {}
        Body::Seq { flow, items, dashes } => {
            // An anchor on a block collection gives it a mark of its own.
            *flow =
                *flow && opens(text, item.start, item.end, items.first().map(|i| i.start), b'[');
            let mut at = if *flow { after(text, item.start, b'[') } else { item.start };
            for child in &mut *items {
                let slot = if *flow {
                    skip_commas(text, at)
                } else {
                    let behind = after(text, skip_trivia(text, at), b'-');
                    dashes.push(behind.saturating_sub(1));
                    behind
                };
                place(text, child, slot);
                at = child.end;
            }
            item.end = if *flow { closing(text, at, b']') } else { at };
        }
        Body::Map { flow, pairs } => {
            *flow = *flow
                && opens(text, item.start, item.end, pairs.first().map(|p| p.key_start), b'{');
            let mut at = if *flow && first == Some(b'{') {
                item.start + 1
            } else if *flow {
                after(text, item.start, b'{')
            } else {
                item.start
            };
            for pair in &mut *pairs {
                let colon = skip_trivia(text, pair.key_end);
                pair.slot = (text.as_bytes().get(colon) == Some(&b':')).then_some(colon + 1);
                let slot = pair.slot.unwrap_or(pair.key_end);
                place(text, &mut pair.value, slot);
                at = pair.value.end.max(slot);
            }
            item.end = if *flow { closing(text, at, b'}') } else { at };
        }
    }
}

/// Locates a value that is written somewhere behind `slot`.
fn place(text: &str, item: &mut Item, slot: usize) {
    if item.is_nothing() {
        (item.start, item.end) = (slot, slot);
        return;
    }
    item.start = skip_trivia(text, slot);
    locate(text, item);
}

/// Whether a collection that has a mark of its own is opened by this bracket.
fn opens(text: &str, start: usize, end: usize, first: Option<usize>, bracket: u8) -> bool {
    let upto = first.unwrap_or(end).min(text.len());
    text.as_bytes().get(start..upto).is_some_and(|b| {
        b.iter().rev().find(|c| !c.is_ascii_whitespace()) == Some(&bracket) || b.contains(&bracket)
    })
}

/// Just behind the next such character.
fn after(text: &str, at: usize, wanted: u8) -> usize {
    text.as_bytes()
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| *b == wanted))
        .map_or(at, |i| at + i + 1)
}

/// Just behind the closing bracket of a flow collection, from its last child.
fn closing(text: &str, at: usize, bracket: u8) -> usize {
    let at = skip_commas(text, at);
    if text.as_bytes().get(at) == Some(&bracket) { at + 1 } else { at }
}

fn skip_commas(text: &str, mut at: usize) -> usize {
    loop {
        at = skip_trivia(text, at);
        if text.as_bytes().get(at) != Some(&b',') {
            return at;
        }
        at += 1;
    }
}

/// Over blanks, line ends and comments.
pub fn skip_trivia(text: &str, mut at: usize) -> usize {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
            Some(b'#')
                if at == 0
                    || bytes.get(at - 1).is_some_and(|b| {
                        b.is_ascii_whitespace() || matches!(b, b',' | b'{' | b'[' | b':' | b'-')
                    }) =>
            {
                while bytes.get(at).is_some_and(|b| *b != b'\n') {
                    at += 1;
                }
            }
            _ => return at,
        }
    }
}

fn trimmed_end(text: &str, end: usize) -> usize {
    text.get(..end).map_or(end, |t| t.trim_end().len())
}

/// Just behind the closing quote of a quoted scalar; the parser's mark may
/// include a comment that follows. `None`: it is not quoted.
fn quoted_end(text: &str, start: usize, end: usize) -> Option<usize> {
    let mut at = start;
    // Over a tag and an anchor.
    while matches!(text.as_bytes().get(at), Some(b'!' | b'&')) {
        let rest = text.get(at..end)?;
        at = skip_trivia(text, at + rest.find(char::is_whitespace)?);
    }
    let quote = *text.as_bytes().get(at)?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let bytes = text.as_bytes();
    at += 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'"' => at += 2,
            b if b == quote => {
                if quote == b'\'' && bytes.get(at + 1) == Some(&quote) {
                    at += 2;
                } else {
                    return Some(at + 1);
                }
            }
            _ => at += 1,
        }
    }
}

/// Just behind `|-` or `>2+` at the start of a block scalar.
fn header_end(text: &str, at: usize) -> usize {
    text.as_bytes()
        .get(at..)
        .map_or(at, |rest| at + rest.iter().take_while(|b| !b.is_ascii_whitespace()).count())
}

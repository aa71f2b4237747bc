//! «Did you mean»: the known word nearest to a misspelt one.

/// The candidate that `text` most likely meant: at most a third of its letters
/// differ (a swap of neighbours counts as one), upper and lower case alike. Where more
/// than one differs they begin alike, as misspelt words do: `base` is no `name`.
/// Between equals the first wins.
pub fn nearest<'a>(text: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer words are no misspelling, and comparing them costs time.
    const LONGEST: usize = 64;
    let text: Vec<char> = text.trim().to_lowercase().chars().take(LONGEST + 1).collect();
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let word: Vec<char> = candidate.to_lowercase().chars().take(LONGEST + 1).collect();
        let allowed = text.len().max(word.len()).div_ceil(3);
        if text.len().abs_diff(word.len()) > allowed {
            continue;
        }
        let far = distance(&text, &word);
        let likely = far <= 1 || text.first() == word.first();
        if likely && far <= allowed && far < word.len() && best.is_none_or(|(b, _)| far < b) {
            best = Some((far, candidate));
        }
    }
    best.map(|(_, word)| word)
}

/// Edits between two words: insert, delete, replace, swap neighbours.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn misspellings_find_their_word() {
        let words = ["gpus", "gpu_type", "command", "cluster", "name", "lab"];
        for (text, meant) in [
            ("gpu", Some("gpus")),
            ("GPUs", Some("gpus")),
            ("comand", Some("command")),
            ("clutser", Some("cluster")),
            ("lbas", Some("lab")),
            ("base", None),
            ("lba", Some("lab")),
            ("", None),
            ("zebra", None),
            ("x", None),
        ] {
            assert_eq!(nearest(text, words), meant, "{text}");
        }
        assert_eq!(nearest(&"g".repeat(100_000), words), None);
    }
}

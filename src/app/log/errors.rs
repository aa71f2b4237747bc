//! Which lines of a log tell that something went wrong.

/// Words that stand in few lines but those. In lower case.
const WORDS: [&str; 12] = [
    "traceback (most recent call last)",
    "exception",
    "fatal",
    "panicked at",
    "segmentation fault",
    "core dumped",
    "out of memory",
    "outofmemory",
    "killed",
    "assertion",
    "no such file or directory",
    "permission denied",
];

/// Whether a person looking for what went wrong would stop at this line. A guess:
/// `error` counts where it is said of something (`RuntimeError: …`, `ERROR …`,
/// `[error]`), not where errors are counted (`0 errors`, `error_rate=0.1`).
pub fn looks_like_error(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    WORDS.iter().any(|word| lower.contains(word)) || names_an_error(line, &lower)
}

/// `lower` is `line` in lower-case ASCII, so places are the same in both.
fn names_an_error(line: &str, lower: &str) -> bool {
    lower.match_indices("error").any(|(at, word)| {
        let before = lower.get(..at).unwrap_or("");
        let after = lower.get(at + word.len()..).unwrap_or("");
        let begins = before.trim_start().is_empty();
        match after.chars().next() {
            Some(':' | ']' | '!') => true,
            Some(' ') | None => {
                begins
                    || before.ends_with(['[', '|', '='])
                    || (line.get(at..at + word.len()) == Some("ERROR") && !counts(before))
            }
            _ => false,
        }
    })
}

/// `no error`, `0 error`.
fn counts(before: &str) -> bool {
    let last = before.split_whitespace().next_back().unwrap_or("");
    last == "no" || last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_from_talk_about_errors() {
        for line in [
            "Traceback (most recent call last):",
            "torch.OutOfMemoryError: CUDA out of memory",
            "RuntimeError: mat1 and mat2 shapes",
            "2025-01-01 12:00:00 ERROR could not connect",
            "[error] bad",
            "slurmstepd: error: Exceeded job memory limit",
            "Segmentation fault (core dumped)",
            "thread 'main' panicked at src/main.rs:3",
        ] {
            assert!(looks_like_error(line), "{line}");
        }
        for line in [
            "epoch 3 error_rate=0.1",
            "0 errors, 2 warnings",
            "no error so far",
            "mean error 0.3x",
            "",
        ] {
            assert!(!looks_like_error(line), "{line}");
        }
    }
}

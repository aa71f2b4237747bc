//! One call as text: a program between two marks, and what came back between them;
//! pure.

use crate::domain::shell::quote;

/// What a program of a call ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
}

/// A word that no output holds by chance or by intent.
pub(super) fn mark() -> String {
    format!("jobdeck-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

pub(super) fn opening(mark: &str) -> Vec<u8> {
    format!("{mark} begin\n").into_bytes()
}

/// The program between its marks. It is a function first: a shell that gets only
/// a part of it runs nothing.
pub(super) fn framed(mark: &str, prefix: Option<&str>, program: &str) -> String {
    let prefix = prefix.map(|text| format!("{text}\n")).unwrap_or_default();
    format!(
        "program() {{\n{prefix}{program}\n}}\n\
         printf '\\n%s\\n' '{mark} begin'\n\
         exec 3>&1\n\
         words=$( {{ program </dev/null >&3 3>&-; }} 2>&1 )\n\
         code=$?\n\
         printf '\\n%s %s\\n%s\\n%s\\n' '{mark} end' \"$code\" \"$words\" '{mark} over'\n\
         exit 0\n"
    )
}

/// What came between the marks; `None` unless all of it did.
pub(super) fn unframed(mark: &str, answer: &[u8]) -> Option<Ran> {
    let opening = opening(mark);
    let from = find(answer, &opening)? + opening.len();
    let rest = answer.get(from..)?;
    let closing = format!("\n{mark} end ");
    let end = find(rest, closing.as_bytes())?;
    let tail = String::from_utf8_lossy(rest.get(end + closing.len()..)?);
    let (code, words) = tail.split_once('\n')?;
    let words = words.split_once(&format!("{mark} over")).map(|(words, _)| words)?;
    let stdout = rest.get(..end)?.to_vec();
    Some(Ran { code: code.trim().parse().ok()?, stdout, stderr: words.trim_end().to_owned() })
}

pub(super) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// A command line for a program: every word quoted.
pub fn words<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A here-document that holds exactly this text, and ends with a line break.
pub fn here(text: &str) -> String {
    let mut end = "JOBDECK_END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    let line_break = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("<<'{end}'\n{text}{line_break}{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_around_the_marks_is_passed_over() {
        let answer = b"motd\n\nM begin\nout\nM end 3\nwords\nM over\nbye";
        let ran = unframed("M", answer).unwrap();
        assert_eq!((ran.code, ran.text().as_ref(), ran.stderr.as_str()), (3, "out", "words"));
        let whole = answer.len() - "\nbye".len();
        for cut in 0..whole {
            assert_eq!(unframed("M", &answer[..cut]), None, "cut at byte {cut}");
        }
    }
}

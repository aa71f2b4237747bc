//! Text for a POSIX shell: quoting words, and finding out in which quoting a
//! place of a script stands, so that a value put there arrives as literal text.
//!
//! Life-cycle of a [`Lexer`]: it reads a template from front to back; at each
//! placeholder it tells the [`Context`], which then quotes every value for it.

mod lexer;
#[cfg(test)]
mod tests;

pub use lexer::Lexer;

/// One word that the shell reads as exactly this text; bare when that is safe.
pub fn quote(text: &str) -> String {
    if is_bare(text) { text.to_owned() } else { single_quoted(text) }
}

/// The text means itself, wherever in an argument it stands.
pub fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b))
}

/// In single quotes, each quote inside as `'\''`.
pub fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Words that mean something at the start of a command.
const RESERVED: &[&str] = &[
    "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select",
    "then", "time", "until", "while",
];

/// How a value must be written in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// As it is: no shell reads it, or the user asked for that.
    Raw,
    /// Outside of quotes.
    Bare {
        /// The word it stands in is the first of a command.
        command: bool,
        /// `<` or `>` follows: digits would name a file descriptor.
        redirect: bool,
    },
    /// Inside `'…'`.
    Single,
    /// Inside `"…"` or `$((…))`.
    Double,
    /// In a here-document.
    Here(HereDoc),
    Comment,
}

impl Context {
    /// Writes a value so that it arrives as it is.
    ///
    /// # Errors
    /// The name of the place, when no quoting can do that there.
    pub fn insert(&self, out: &mut String, value: &str) -> Result<(), &'static str> {
        match self {
            Self::Raw => out.push_str(value),
            Self::Bare { command, redirect } => {
                let misread = (*command && (value.contains('=') || RESERVED.contains(&value)))
                    || (*redirect && value.bytes().all(|b| b.is_ascii_digit()));
                if is_bare(value) && !misread {
                    out.push_str(value);
                } else {
                    out.push_str(&single_quoted(value));
                }
            }
            Self::Single => out.push_str(&value.replace('\'', r"'\''")),
            Self::Double => escape(out, value, &['$', '`', '"', '\\']),
            Self::Here(here) => {
                if here.tabs && (value.starts_with('\t') || value.contains("\n\t")) {
                    return Err("a `<<-` here-document, which drops its tabs");
                }
                if here.raw {
                    out.push_str(value);
                } else {
                    escape(out, value, &['$', '`', '\\']);
                }
            }
            Self::Comment => out.push_str(&value.replace(['\n', '\r'], " ")),
        }
        Ok(())
    }
}

fn escape(out: &mut String, value: &str, special: &[char]) {
    for c in value.chars() {
        if special.contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
}

/// `<<END`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HereDoc {
    end: String,
    /// `<<-`: tabs at the start of lines do not count.
    tabs: bool,
    /// The marker was quoted: nothing is expanded.
    raw: bool,
}

impl std::fmt::Display for HereDoc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.end)
    }
}

impl HereDoc {
    fn is_end(&self, line: &str) -> bool {
        let line = if self.tabs { line.trim_start_matches('\t') } else { line };
        line == self.end
    }

    /// Lines of a script that would end it: values must not make more of them.
    pub fn ends_in(&self, script: &str) -> usize {
        script.lines().filter(|line| self.is_end(line)).count()
    }
}

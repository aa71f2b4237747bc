//! A library of templates: batch files to begin with, by name, in three tiers.
//!
//! ```text
//! built-in < site < user ─shelve▶ one template a name: the latest tier's
//! ```
//! A template is a batch document and nothing else; what it is for is said by the
//! comment that opens it.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    batch::{
        Batch,
        expand::{Expansion, Paths},
        sink::Sink,
    },
    nearest::nearest,
    tree::{Node, Pos},
};

/// Whose library it is; a later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Comes with the program.
    BuiltIn,
    /// For everybody on this machine.
    Site,
    User,
}

impl Tier {
    pub fn word(self) -> &'static str {
        match self {
            Self::BuiltIn => "built-in",
            Self::Site => "site",
            Self::User => "user",
        }
    }
}

/// A template by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub name: String,
    pub tier: Tier,
    /// Its file; `None`: it is in the program.
    pub path: Option<PathBuf>,
    /// Earlier tiers that have one of this name too, which this one hides.
    pub shadows: Vec<Tier>,
    /// Why it cannot be used, where it cannot.
    pub content: Result<Content, Fault>,
}

/// What a template holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub text: String,
    /// Empty: it does not say.
    pub description: String,
    /// Expanded jobs.
    pub jobs: usize,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A lower-case fragment.
    pub message: String,
    pub hint: Option<String>,
    /// Where in the file.
    pub at: Option<Pos>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, at: None }
    }
}

impl Template {
    pub fn new(name: &str, tier: Tier, content: Result<Content, Fault>) -> Self {
        Self { name: name.to_owned(), tier, path: None, shadows: Vec::new(), content }
    }

    /// What is wrong with it and where, `FILE:LINE:COLUMN: …`; `None`: nothing.
    pub fn trouble(&self) -> Option<String> {
        let fault = self.content.as_ref().err()?;
        let place = self.path.as_ref().zip(fault.at);
        let place = place.map(|(p, at)| format!("{}:{}:{}: ", p.display(), at.line, at.column));
        Some(format!("{}{}", place.unwrap_or_default(), fault.message))
    }
}

/// Everything that was found, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    /// In order of their names, each once.
    pub templates: Vec<Template>,
    /// Folders that could not be read, or not to the end: one line each.
    pub problems: Vec<String>,
}

impl Library {
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.templates.iter().find(|t| t.name == name)
    }

    /// The name that a misspelt one most likely meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.templates.iter().map(|t| t.name.as_str()))
    }
}

/// Puts templates in order, a later tier's over an earlier one's. Of two files of one
/// tier with the same name neither is right.
pub fn shelve(found: Vec<Template>) -> Vec<Template> {
    let mut shelf: BTreeMap<String, Template> = BTreeMap::new();
    for template in found {
        let Some(other) = shelf.remove(&template.name) else {
            shelf.insert(template.name.clone(), template);
            continue;
        };
        let kept = if other.tier == template.tier {
            let files = [&other, &template].map(|t| {
                let file = t.path.as_ref().and_then(|p| p.file_name());
                file.map_or_else(|| t.name.clone(), |f| f.to_string_lossy().into_owned())
            });
            let [first, second] = files;
            let mut fault = Fault::new(format!("{first} and {second} have the same name"));
            fault.hint = Some("rename one of them".into());
            Template { content: Err(fault), ..other }
        } else {
            let (mut above, below) =
                if template.tier > other.tier { (template, other) } else { (other, template) };
            above.shadows.extend(below.shadows);
            above.shadows.push(below.tier);
            above.shadows.sort_unstable();
            above
        };
        shelf.insert(kept.name.clone(), kept);
    }
    shelf.into_values().collect()
}

/// What a document holds as a template. Whether its jobs can be placed is not asked:
/// that depends on the clusters of whoever uses it, and a plan says it.
///
/// # Errors
/// It is no batch, with the place that says so. Faults of its jobs are none: they are
/// told, and mended, where it is used.
pub fn content(name: &str, text: &str, node: &Node) -> Result<Content, Fault> {
    let mut sink = Sink::default();
    let batch = Batch::read(node, name, &mut sink);
    let jobs = batch.entries.iter().fold(0_usize, |jobs, doc| {
        jobs.saturating_add(Expansion::new(doc, Paths::default(), &mut sink).count())
    });
    if batch.entries.is_empty() {
        let finding = sink.finish().into_iter().find(super::finding::Finding::is_error);
        return Err(finding.map_or_else(
            || Fault::new("there is no job in it"),
            |f| Fault { message: f.message, hint: f.hint, at: f.span.map(|s| s.start) },
        ));
    }
    Ok(Content { text: text.to_owned(), description: description(text), jobs })
}

/// The comment that opens a text, up to its first blank line, in one line.
pub fn description(text: &str) -> String {
    /// More is no description.
    const LONGEST: usize = 400;
    let opening = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let words = opening
        .skip_while(|line| line.is_empty() || line.starts_with("# yaml-language-server:"))
        .map_while(|line| line.strip_prefix('#'))
        .map(|line| line.trim_start_matches('#').trim())
        .take_while(|line| !line.is_empty());
    let mut all = String::new();
    for word in words.flat_map(str::split_whitespace) {
        if all.len() + word.len() >= LONGEST {
            all.push('…');
            break;
        }
        if !all.is_empty() {
            all.push(' ');
        }
        all.push_str(word);
    }
    all
}

/// The name that was typed for a template, as its file will bear it.
///
/// # Errors
/// It cannot be the name of a file here, and why.
pub fn name(typed: &str) -> Result<&str, &'static str> {
    const LONGEST: usize = 64;
    let typed = typed.trim();
    let bare = [".yaml", ".yml"].iter().find_map(|ending| typed.strip_suffix(ending));
    let name = bare.unwrap_or(typed);
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Err("a template needs a name")
    } else if name.starts_with(['.', '-']) {
        Err("a name begins with a letter, a digit or `_`")
    } else if name.len() > LONGEST {
        Err("a name has at most 64 bytes")
    } else if !name.chars().all(fits) {
        Err("a name has only letters, digits, `-`, `_` and `.`")
    } else {
        Ok(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(name: &str, tier: Tier, file: &str) -> Template {
        let content = Content { text: file.into(), description: String::new(), jobs: 1 };
        Template { path: Some(file.into()), ..Template::new(name, tier, Ok(content)) }
    }

    #[test]
    fn a_later_tier_hides_an_earlier_one_in_whatever_order_they_come() {
        let found = [
            template("b", Tier::User, "/u/b.yaml"),
            template("b", Tier::BuiltIn, "b"),
            template("a", Tier::Site, "/s/a.yaml"),
            template("b", Tier::Site, "/s/b.yaml"),
        ];
        for turn in 0..found.len() {
            let mut found = found.to_vec();
            found.rotate_left(turn);
            let shelf = shelve(found);
            let names: Vec<_> = shelf.iter().map(|t| (t.name.as_str(), t.tier)).collect();
            assert_eq!(names, [("a", Tier::Site), ("b", Tier::User)]);
            assert_eq!(shelf[1].shadows, [Tier::BuiltIn, Tier::Site]);
        }
        let mut broken = template("b", Tier::User, "/u/b.yaml");
        broken.content = Err(Fault { at: Some(Pos { line: 2, column: 3 }), ..Fault::new("no") });
        let shelf = shelve(vec![template("b", Tier::BuiltIn, "b"), broken]);
        assert_eq!(shelf[0].trouble().unwrap(), "/u/b.yaml:2:3: no", "it is not passed over");
    }

    #[test]
    fn two_files_of_one_name_are_told() {
        let two =
            vec![template("a", Tier::User, "/u/a.json"), template("a", Tier::User, "/u/a.yaml")];
        let shelf = shelve(two);
        assert_eq!(shelf.len(), 1);
        assert_eq!(shelf[0].trouble().unwrap(), "a.json and a.yaml have the same name");
    }

    #[test]
    fn the_opening_comment_describes() {
        for (text, described) in [
            ("# One job.\n#\n# More of it.\njobs: []", "One job."),
            ("\n## One\n#  job\njobs: []", "One job"),
            ("# yaml-language-server: $schema=x.json\n# One job\n", "One job"),
            ("jobs: [] # none", ""),
            ("# one\n\n# two", "one"),
            ("", ""),
        ] {
            assert_eq!(description(text), described, "{text}");
        }
        let long = format!("# {}", "word ".repeat(500));
        assert!(description(&long).len() < 410 && description(&long).ends_with('…'));
    }

    #[test]
    fn names_are_names_of_files() {
        assert_eq!(name(" fine-tune.v2.yaml "), Ok("fine-tune.v2"));
        assert_eq!(name("größe_2"), Ok("größe_2"));
        for bad in ["", "  ", ".hidden", "-x", "a/b", "../x", "a b", "a\u{202e}b", "a\nb", ".yaml"]
        {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(name(&"x".repeat(65)).is_err());
    }
}

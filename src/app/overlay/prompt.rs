//! A one-line question over the screen, with names of files to complete.

use std::path::{Path, PathBuf};

use crossterm::event::{KeyCode, KeyEvent};

use super::{Overlay, Prompt, PromptPurpose};
use crate::app::{effect::Effect, model::Model};

/// What a key made of the question.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// Still open; a folder to list, when the text came to another one.
    Open(Prompt, Option<Effect>),
    Closed,
    Done(String),
}

/// The folder part of what is typed (`""` is the current folder) and the rest.
fn split(text: &str) -> (&str, &str) {
    match text.rfind('/') {
        Some(at) => text.split_at(at + 1),
        None => ("", text),
    }
}

fn folder_of(text: &str) -> PathBuf {
    match split(text).0 {
        "" => PathBuf::from("."),
        folder => PathBuf::from(folder),
    }
}

/// The folder to list for this question, unless it is listed already.
pub fn listing(prompt: &Prompt) -> Option<Effect> {
    if prompt.purpose == PromptPurpose::TemplateName {
        return None;
    }
    let path = folder_of(prompt.input.text());
    let known = prompt.folder.as_ref().is_some_and(|(listed, _)| *listed == path);
    (!known).then_some(Effect::ListFolder { path })
}

/// Names that complete what is typed: folders (with `/`) first, then files.
/// Names with a dot in front only when one is typed.
pub fn completions(prompt: &Prompt) -> Vec<String> {
    let (_, stem) = split(prompt.input.text());
    let Some((path, names)) = &prompt.folder else { return Vec::new() };
    if *path != folder_of(prompt.input.text()) {
        return Vec::new();
    }
    let lower = stem.to_lowercase();
    let mut fitting: Vec<&(String, bool)> = names
        .iter()
        .filter(|(name, _)| stem.starts_with('.') || !name.starts_with('.'))
        .filter(|(name, _)| name.to_lowercase().starts_with(&lower))
        .collect();
    fitting.sort_by(|a, b| (!a.1, &a.0).cmp(&(!b.1, &b.0)));
    fitting.iter().map(|(name, dir)| format!("{name}{}", if *dir { "/" } else { "" })).collect()
}

/// What several names begin with.
fn common_start(names: &[String]) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    let mut common = first.as_str();
    for name in rest {
        let same = common
            .char_indices()
            .zip(name.chars())
            .find(|((_, a), b)| a != b)
            .map_or(common.len().min(name.len()), |((at, _), _)| at);
        common = common.get(..same).unwrap_or("");
    }
    common.to_owned()
}

fn complete(prompt: &mut Prompt) {
    let names = completions(prompt);
    let (folder, stem) = split(prompt.input.text());
    let piece = match prompt.selected.and_then(|i| names.get(i)) {
        Some(name) => name.clone(),
        None => common_start(&names),
    };
    if piece.len() >= stem.len() && !piece.is_empty() {
        let text = format!("{folder}{piece}");
        prompt.input.set(text);
        prompt.selected = None;
    }
}

/// Answers a key.
pub fn on_key(mut prompt: Prompt, key: KeyEvent) -> Answer {
    let names = completions(&prompt).len();
    match key.code {
        KeyCode::Esc => return Answer::Closed,
        KeyCode::Enter => {
            if prompt.selected.is_some() {
                complete(&mut prompt);
                if prompt.input.text().ends_with('/') {
                    let list = listing(&prompt);
                    return Answer::Open(prompt, list);
                }
            }
            return Answer::Done(prompt.input.text().to_owned());
        }
        KeyCode::Tab => complete(&mut prompt),
        KeyCode::Down if names > 0 => {
            prompt.selected = Some(prompt.selected.map_or(0, |i| (i + 1).min(names - 1)));
        }
        KeyCode::Up if names > 0 => {
            prompt.selected = prompt.selected.and_then(|i| i.checked_sub(1));
        }
        _ => {
            let before = prompt.input.text().to_owned();
            prompt.input.on_key(key);
            if prompt.input.text() != before {
                prompt.selected = None;
            }
        }
    }
    let list = listing(&prompt);
    Answer::Open(prompt, list)
}

/// The names in a folder have arrived.
pub fn on_folder(model: &mut Model, path: &Path, names: Vec<(String, bool)>) {
    if let Some(Overlay::Prompt(prompt)) = model.overlays.last_mut()
        && folder_of(prompt.input.text()) == path
    {
        prompt.folder = Some((path.to_owned(), names));
        prompt.selected = None;
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;
    use crate::app::overlay::PromptPurpose;

    fn open(text: &str) -> Prompt {
        let mut prompt = Prompt::new("Open", text, PromptPurpose::OpenPath);
        let names =
            [("sweep.yaml", false), ("sweep-big.yaml", false), ("sub", true), (".x", false)];
        prompt.folder =
            Some((folder_of(text), names.iter().map(|(n, d)| ((*n).to_owned(), *d)).collect()));
        prompt
    }

    #[test]
    fn tab_completes_as_far_as_names_agree() {
        assert_eq!(completions(&open("b/s")), ["sub/", "sweep-big.yaml", "sweep.yaml"]);
        let mut prompt = open("b/sw");
        complete(&mut prompt);
        assert_eq!(prompt.input.text(), "b/sweep");
        let mut prompt = open("b/su");
        complete(&mut prompt);
        assert_eq!(prompt.input.text(), "b/sub/");
        assert_eq!(listing(&prompt), Some(Effect::ListFolder { path: "b/sub/".into() }));
    }

    #[test]
    fn a_chosen_folder_is_entered_and_a_chosen_file_is_the_answer() {
        let press = |p, code| on_key(p, KeyEvent::new(code, KeyModifiers::NONE));
        let Answer::Open(prompt, _) = press(open("b/s"), KeyCode::Down) else { panic!() };
        let Answer::Open(prompt, Some(_)) = press(prompt, KeyCode::Enter) else { panic!() };
        assert_eq!(prompt.input.text(), "b/sub/");
        let Answer::Open(prompt, _) = press(open("b/sweep-"), KeyCode::Down) else { panic!() };
        assert_eq!(press(prompt, KeyCode::Enter), Answer::Done("b/sweep-big.yaml".into()));
    }
}

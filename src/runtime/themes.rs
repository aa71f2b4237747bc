//! The theme that the configuration asks for, from the themes that come along and the
//! user's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    config::Config,
    ui::theme::{self, Depth, Terminal, Theme},
};

/// The theme that was asked for, by name or by path, else what suits the terminal;
/// and what was wrong with it.
pub fn choose(config: &Config, no_color: bool) -> (Theme, Vec<String>) {
    let mut terminal = Terminal::of(|name| std::env::var(name).ok());
    if no_color {
        terminal.depth = Depth::None;
    }
    let mut own = own_themes();
    let mut asked = config.ui.theme.clone();
    if let Some(path) = asked.as_deref().filter(|t| t.contains('/')) {
        let path = Path::new(path);
        let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        match fs::read_to_string(path) {
            Ok(text) => own.insert(0, (name.clone(), text)),
            Err(e) => {
                let (theme, mut problems) = theme::choose(None, &own, terminal);
                problems.push(format!("theme {}: {e}", path.display()));
                return (theme, problems);
            }
        }
        asked = Some(name);
    }
    theme::choose(asked.as_deref(), &own, terminal)
}

/// `$XDG_CONFIG_HOME/jobdeck/themes/*.yaml`.
fn own_themes() -> Vec<(String, String)> {
    let base = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")));
    let Some(folder) = base.map(|b| b.join("jobdeck/themes")) else { return Vec::new() };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            Some((name, fs::read_to_string(path).ok()?))
        })
        .collect()
}

//! The walls between the layers. One crate has no compiler wall between folders,
//! so this test reads what every file names: other layers, clocks, files, threads.
//!
//! What stands in comments, in texts and in tests does not count.

#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// One layer: a folder or file directly under `src`.
struct Layer {
    name: &'static str,
    /// Other layers it may name.
    knows: &'static [&'static str],
    /// What it must not name: the beginnings of paths.
    never: &'static [&'static [&'static str]],
}

/// Reading the time: it arrives in arguments and messages.
const CLOCKS: &[&str] = &["Timestamp::now", "Instant::now", "SystemTime", "Zoned::now"];
/// The world outside.
const WORLD: &[&str] = &[
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::env",
    "std::os",
    "std::io",
    "tokio",
    "rustix",
    "tempfile",
    "fastrand",
];
const SCREEN: &[&str] = &["ratatui", "crossterm"];

const LAYERS: &[Layer] = &[
    Layer {
        name: "domain",
        knows: &[],
        never: &[CLOCKS, WORLD, SCREEN, &["tui_textarea", "futures"]],
    },
    Layer {
        name: "app",
        knows: &["domain", "error", "yaml"],
        never: &[
            CLOCKS,
            WORLD,
            &["ratatui", "futures", "crate::yaml::read_source", "crate::yaml::read_file"],
        ],
    },
    Layer {
        name: "ui",
        knows: &["app", "domain", "error", "yaml"],
        never: &[CLOCKS, WORLD, &["futures", "crate::yaml::read_source", "crate::yaml::read_file"]],
    },
    Layer { name: "yaml", knows: &["domain"], never: &[CLOCKS, SCREEN, &["tokio"]] },
    Layer { name: "error", knows: &[], never: &[CLOCKS, WORLD, SCREEN] },
    Layer {
        name: "config",
        knows: &["domain", "error", "secrets", "yaml"],
        never: &[CLOCKS, SCREEN, &["tokio"]],
    },
    Layer {
        name: "cluster",
        knows: &["config", "domain", "error", "procs", "secrets"],
        never: &[SCREEN],
    },
    Layer { name: "simulate", knows: &[], never: &[SCREEN] },
    Layer { name: "journal", knows: &["config", "domain", "error", "procs"], never: &[SCREEN] },
    Layer {
        name: "runtime",
        knows: &[
            "app", "cluster", "config", "domain", "error", "journal", "procs", "secrets", "ui",
            "yaml",
        ],
        never: &[],
    },
    Layer {
        name: "cli",
        knows: &[
            "app", "cluster", "config", "domain", "error", "procs", "runtime", "secrets",
            "simulate", "yaml",
        ],
        never: &[&["ratatui"]],
    },
];

#[test]
fn every_layer_keeps_to_itself() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&src) {
        let path = file.strip_prefix(&src).unwrap();
        let Some(layer) = layer_of(path) else { continue };
        seen.insert(layer.name);
        let text = fs::read_to_string(&file).unwrap();
        for complaint in offences(layer, path, &text) {
            complaints.push(format!("src/{}: {complaint}", path.display()));
        }
    }
    assert_eq!(seen.len(), LAYERS.len(), "a layer without files: {seen:?}");
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_test_can_fail() {
    let domain = &LAYERS[0];
    let complaints = |text: &str| offences(domain, Path::new("domain/plan.rs"), text);
    assert_eq!(complaints("use crate::runtime::engine::Engine;"), ["names crate::runtime"]);
    assert_eq!(complaints("fn f() { crate::cli::main(); }"), ["names crate::cli"]);
    assert_eq!(
        complaints("use crate::{\n  domain::{job, plan},\n  cluster::Cluster,\n};"),
        ["names crate::cluster"]
    );
    assert_eq!(complaints("use super::super::app::model;"), ["leaves its layer by super"]);
    assert_eq!(complaints("let t = jiff::Timestamp::now();"), ["names Timestamp::now"]);
    assert_eq!(complaints("use std::{fmt, fs::File};"), ["names std::fs"]);
    assert_eq!(complaints("use std::fs;"), ["names std::fs"]);
    assert_eq!(complaints("#[tokio::main] fn f() {}"), ["names tokio"]);
    // None of these is one.
    for text in [
        "// use crate::runtime::engine;\n/* std::fs */ use super::job;",
        "let s = \"std::fs crate::cli\"; let r = r#\"tokio::x \"quoted\" \"#; let c = '\"';",
        "use crate::domain::job;\n#[cfg(test)]\nmod tests { use std::fs; fn f<'a>(x: &'a str) {} }",
        "struct MyTokio; let tokio_like = my::tokio_x::y; fn refs() {}",
    ] {
        assert_eq!(complaints(text), Vec::<String>::new(), "{text}");
    }
    let root = offences(domain, Path::new("domain/mod.rs"), "use super::app;");
    assert_eq!(root, ["leaves its layer by super"]);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The layer of a file; test modules belong to none.
fn layer_of(path: &Path) -> Option<&'static Layer> {
    let names: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy()).collect();
    if names.iter().any(|n| *n == "tests" || n.ends_with("tests.rs") || *n == "testing.rs") {
        return None;
    }
    let first = names.first()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    LAYERS.iter().find(|layer| layer.name == name)
}

/// What a file names and its layer must not know, each once.
fn offences(layer: &Layer, path: &Path, text: &str) -> Vec<String> {
    let code = without_tests(&without_texts(text));
    let mut found = BTreeSet::new();
    // How deep the file's module lies below the crate's root.
    let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
    for name in paths(&code) {
        let parts: Vec<&str> = name.split("::").collect();
        if let ["crate", other, ..] = parts.as_slice()
            && *other != layer.name
            && !layer.knows.contains(other)
        {
            found.insert(format!("names crate::{other}"));
        }
        if parts.iter().take_while(|part| **part == "super").count() >= depth {
            found.insert("leaves its layer by super".to_owned());
        }
        for never in layer.never.iter().copied().flatten() {
            let wanted: Vec<&str> = never.split("::").collect();
            // A clock's path may begin anywhere: `jiff::Timestamp::now`.
            let is_clock = CLOCKS.contains(never);
            if parts.starts_with(&wanted)
                || (is_clock && parts.windows(wanted.len()).any(|window| window == wanted))
            {
                found.insert(format!("names {never}"));
            }
        }
    }
    found.into_iter().collect()
}

/// The code with comments and the contents of texts and characters taken out.
fn without_texts(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => {
                while i < chars.len() && at(i) != '\n' {
                    i += 1;
                }
            }
            ('/', '*') => {
                i += 2;
                while i < chars.len() && (at(i), at(i + 1)) != ('*', '/') {
                    i += 1;
                }
                i += 2;
            }
            ('r', '"' | '#') if i == 0 || !is_word(at(i - 1)) || at(i - 1) == 'b' => {
                let hashes = chars.iter().skip(i + 1).take_while(|c| **c == '#').count();
                if at(i + 1 + hashes) != '"' {
                    out.push('r');
                    i += 1;
                    continue;
                }
                i += hashes + 2;
                let end: Vec<char> = format!("\"{}", "#".repeat(hashes)).chars().collect();
                while i < chars.len() && !chars[i..].starts_with(&end) {
                    i += 1;
                }
                i += end.len();
            }
            ('"', _) => {
                i += 1;
                while i < chars.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                i += 1;
            }
            ('\'', '\\') => {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            }
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            (c, _) => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

/// The code without items that exist in tests only.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        out.push_str(&rest[..at]);
        let after = &rest[at..];
        let open = after.find('{').unwrap_or(after.len());
        match after.find(';') {
            Some(end) if end < open => rest = &after[end + 1..],
            _ => {
                let mut depth = 0;
                let close = after.char_indices().find_map(|(i, c)| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    (c == '}' && depth == 0).then_some(i + 1)
                });
                rest = &after[close.unwrap_or(after.len())..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Every path that is named, with `use a::{b, c::{d}}` spelled out.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_word) {
        let word = &rest[start..];
        let end = word.find(|c: char| !is_word(c) && c != ':').unwrap_or(word.len());
        let (path, after) = word.split_at(end);
        if path.ends_with("::") && after.starts_with('{') {
            rest = spell_out(path.trim_end_matches(':'), after, &mut found);
        } else {
            found.push(path.trim_end_matches(':').to_owned());
            rest = after;
        }
    }
    found
}

/// `text` begins with `{`; returns what follows the matching `}`.
fn spell_out<'t>(prefix: &str, text: &'t str, found: &mut Vec<String>) -> &'t str {
    let mut rest = &text[1..];
    loop {
        rest = rest.trim_start_matches(|c: char| !is_word(c) && c != '}');
        if let Some(after) = rest.strip_prefix('}') {
            return after;
        }
        if rest.is_empty() {
            return rest;
        }
        let end = rest.find(|c: char| !is_word(c) && c != ':').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let whole = format!("{prefix}::{}", name.trim_end_matches(':'));
        if name.ends_with("::") && after.starts_with('{') {
            rest = spell_out(&whole, after, found);
        } else {
            found.push(whole);
            rest = after;
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

//! What is generated and shipped is what the program says today.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes the files anew.

#![allow(clippy::unwrap_used, reason = "tests may end by a panic")]

mod support;

use std::{fs, path::Path};

use sha2::{Digest, Sha256};
use support::World;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_shipped_schemas_are_fresh() {
    let world = World::new();
    for of in ["batch", "config"] {
        let path = root().join(format!("configs/schema/{of}.schema.json"));
        let fresh = world.run(&format!("schema {of}")).expect(0).stdout;
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &fresh).unwrap();
        }
        let shipped = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            shipped == fresh,
            "{} is stale: UPDATE_DOCS=1 cargo test --test docs",
            path.display()
        );
    }
}

#[test]
fn the_readme_names_every_command_and_every_exit_code() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let help = World::new().run("--help").expect(0).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.trim().is_empty()) {
        let Some(name) = line.strip_prefix("  ").and_then(|l| l.split_whitespace().next()) else {
            continue;
        };
        if line.starts_with("   ") || name == "help" {
            continue; // the rest of a long description; every program has a help
        }
        assert!(readme.contains(&format!("jobdeck {name}")), "README does not name `{name}`");
    }
    for code in ["0", "1", "2", "3", "4", "5", "70", "124", "130"] {
        assert!(
            readme.contains(&format!("| {code} |")),
            "README does not explain exit code {code}"
        );
    }
}

/// Pictures are made of the SVGs by `screenshots/render`, which notes what it saw.
#[test]
fn every_picture_is_of_the_screen_as_it_is_now() {
    let folder = root().join("screenshots");
    let noted = fs::read_to_string(folder.join("rendered.sha256")).unwrap_or_default();
    let mut seen = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "svg") {
            continue;
        }
        seen += 1;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let sum = Sha256::digest(fs::read(&path).unwrap());
        let hex = sum.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        assert!(
            noted.lines().any(|line| line == format!("{hex}  {name}")),
            "the picture of {name} is stale; run screenshots/render"
        );
        assert!(path.with_extension("png").exists(), "{name} has no picture");
    }
    assert!(seen >= 5, "only {seen} screenshots");
}

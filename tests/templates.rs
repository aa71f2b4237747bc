//! `jobdeck templates` with the real program: three tiers, faults, and that what is
//! printed is a batch.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod support;

use std::{fs, path::Path};

use serde_json::Value;
use support::World;

const USER: &str = "home/.config/jobdeck/templates";
const SITE: &str = "etc/templates";

#[track_caller]
fn listed<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let all = answer["templates"].as_array().unwrap();
    all.iter().find(|t| t["name"] == name).unwrap_or_else(|| panic!("no {name}: {answer:#}"))
}

#[test]
fn the_libraries_are_listed_and_a_later_one_wins() {
    let world = World::new();
    world.file(&format!("{SITE}/sweep.yaml"), "# Ours.\njobs: [{name: a, command: x}]\n");
    world.file(
        &format!("{USER}/mine.yaml"),
        "# Two\n# lines.\n#\n# no more\njobs:\n- {name: a, command: x, sweep: {lr: [1, 2]}}\n",
    );
    let answer = world.json("templates --json", 0);
    assert_eq!(answer["schema_version"], 1);
    let sweep = listed(&answer, "sweep");
    assert_eq!((&sweep["tier"], &sweep["shadows"][0]), (&"site".into(), &"built-in".into()));
    let mine = listed(&answer, "mine");
    assert_eq!((&mine["tier"], &mine["jobs"]), (&"user".into(), &2.into()));
    assert_eq!(mine["description"], "Two lines.");
    let path = world.path().join(USER).join("mine.yaml");
    assert_eq!(mine["path"], path.to_str().unwrap());
    assert_eq!(listed(&answer, "chain")["path"], Value::Null);

    let table = world.run("templates").expect(0);
    let row = |name: &str| table.stdout.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    assert_eq!(
        row("mine").split_whitespace().collect::<Vec<_>>().join(" "),
        "mine user 2 Two lines."
    );
    assert!(row("chain").contains("built-in") && table.stderr.is_empty(), "{table:#?}");
}

#[test]
fn what_is_broken_is_listed_and_not_used() {
    let world = World::new();
    let path = world.file(&format!("{USER}/bad.yaml"), "jobs:\n  - {name: a\n");
    world.file(SITE, "a file where a folder is expected");
    world.config("this: is {not a configuration\n");
    let table = world.run("templates").expect(0);
    assert!(table.stdout.contains(&format!("✗ {}:2:", path.display())), "{table:#?}");
    assert!(table.stderr.contains("cannot be read"), "{table:#?}");
    let answer = world.json("templates --json", 0);
    let bad = listed(&answer, "bad");
    assert_eq!((&bad["fault"]["line"], &bad["jobs"]), (&2.into(), &Value::Null), "{bad:#}");
    assert_eq!(answer["problems"].as_array().unwrap().len(), 1);

    let refused = world.run("templates bad").expect(2);
    assert!(refused.stdout.is_empty(), "{refused:#?}");
    assert!(refused.stderr.contains(&format!("{}:2:", path.display())), "{refused:#?}");
    let error = world.json("templates bad --json", 2);
    assert_eq!(
        (&error["error"]["kind"], &error["error"]["location"]["line"]),
        (&"batch".into(), &2.into())
    );
}

#[test]
fn an_unknown_name_is_wrong_usage_with_a_near_one() {
    let world = World::new();
    let answer = world.run("templates swep").expect(2);
    assert!(answer.stderr.contains("no template is called `swep`"), "{answer:#?}");
    assert!(answer.stderr.contains("did you mean `sweep`?"), "{answer:#?}");
    assert_eq!(world.json("templates swep --json", 2)["error"]["kind"], "usage");
}

#[test]
fn what_is_printed_is_the_file_and_runs() {
    let world = World::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/templates");
    for entry in fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let text = world.run(&format!("templates {name}")).expect(0).stdout;
        assert_eq!(text, fs::read_to_string(&path).unwrap());
        let document = world.json(&format!("templates {name} --json"), 0);
        assert_eq!(
            (&document["batch_file"], &document["name"]),
            (&text.as_str().into(), &name.into())
        );
        world.file(&format!("{name}.yaml"), text);
    }
    for name in ["train", "sweep", "chain"] {
        world.run(&format!("submit {name}.yaml --yes --wait")).expect(0);
    }
}

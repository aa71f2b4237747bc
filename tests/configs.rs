//! Every example that is shipped loads, and every batch plans without an error.

#![allow(clippy::unwrap_used, reason = "tests may end by a panic")]

mod support;

use std::{fs, path::PathBuf};

use support::World;

/// Examples that are no batches.
const CONFIGURATIONS: [&str; 4] =
    ["config.yaml", "config-ray.yaml", "config-slurm.yaml", "site.yaml"];

fn examples() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect();
    files.sort();
    files
}

fn is_configuration(path: &std::path::Path) -> bool {
    path.file_name().is_some_and(|name| CONFIGURATIONS.iter().any(|c| name == *c))
}

#[test]
fn configurations_load_without_a_warning() {
    for path in examples().into_iter().filter(|p| is_configuration(p)) {
        let world = World::new();
        let answer =
            world.run_args(&["runs", "--json", "--config", path.to_str().unwrap()]).expect(0);
        assert!(answer.stderr.is_empty(), "{}: {answer:#?}", path.display());
    }
}

#[test]
fn the_sites_example_bounds_a_user() {
    let world = World::new();
    let site = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("configs/site.yaml");
    world.file("etc/config.yaml", fs::read_to_string(site).unwrap());
    world.config("limits: {max_gpus_per_job: 64}\n");
    let answer = world.run("clusters").expect(0);
    assert!(answer.stderr.contains("max_gpus_per_job is wider than"), "{answer:#?}");
}

#[test]
fn batches_plan_without_an_error() {
    let batches: Vec<_> = examples().into_iter().filter(|p| !is_configuration(p)).collect();
    assert!(batches.len() >= 5, "{batches:?}");
    for path in batches {
        let world = World::new();
        let answer = world.run_args(&["plan", "--json", "--requests", path.to_str().unwrap()]);
        let plan = answer.json();
        let findings = &plan["findings"];
        assert_eq!(
            (answer.code, &plan["ok"]),
            (0, &true.into()),
            "{}: {findings:#}",
            path.display()
        );
        assert!(plan["total_jobs"].as_u64().unwrap() > 2, "{}", path.display());
        // Reuse without `src_dir` says that code is not compared, by contract.
        let expected = usize::from(path.ends_with("reuse.yaml"));
        assert_eq!(findings.as_array().map(Vec::len), Some(expected), "{findings:#}");
        assert!(!plan["requests"].as_array().unwrap().is_empty(), "{plan:#}");
    }
}

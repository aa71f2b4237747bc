//! The command line: exit codes and the shape of answers, with the real program.

#![allow(clippy::unwrap_used, reason = "tests may end by a panic")]

mod support;

use std::{fs, process::Stdio};

use support::World;

/// The error of an answer, whose document has nothing else of note.
#[track_caller]
fn error(world: &World, line: &str, code: i32) -> serde_json::Value {
    let document = world.json(line, code);
    assert_eq!(document["schema_version"], 1);
    let error = document["error"].clone();
    assert!(error["kind"].is_string(), "{document:#}");
    assert!(error["message"].is_string(), "{document:#}");
    assert!(error["hints"].is_array(), "{document:#}");
    error
}

#[test]
fn help_and_version_are_answers() {
    let world = World::new();
    let help = world.run("--help").expect(0);
    for word in ["plan", "submit", "doctor", "Exit codes", "--config", "--json"] {
        assert!(help.stdout.contains(word), "{word}");
    }
    let version = world.run("--version").expect(0);
    assert_eq!(version.stdout, concat!("jobdeck ", env!("CARGO_PKG_VERSION"), "\n"));
    for command in ["plan", "submit", "logs", "retry", "clean"] {
        world.run(&format!("{command} --help")).expect(0);
    }
}

#[test]
fn wrong_usage_is_exit_2_in_words_and_in_json() {
    let world = World::new();
    for line in [
        "plan",
        "plan a.yaml b.yaml",
        "submit x.yaml --reuse --fresh",
        "submit x.yaml --stop-on-interrupt",
        "logs",
        "retry last --cause heat",
        "retry last --set gpus",
        "clean",
        "clean last --older 30d",
        "schema other",
        "completions tcsh",
        "wait last --timeout soon",
        "--frobnicate",
    ] {
        let answer = world.run(line).expect(2);
        assert!(answer.stdout.is_empty(), "{line}: {answer:#?}");
        assert!(answer.stderr.starts_with("error: "), "{line}: {answer:#?}");
        let error = error(&world, &format!("{line} --json"), 2);
        assert_eq!(error["kind"], "usage", "{line}");
    }
}

#[test]
fn without_a_terminal_the_ui_says_so() {
    let world = World::new();
    let batch = world.file("b.yaml", "jobs: []");
    for line in [String::new(), batch.display().to_string(), "demo".into()] {
        let answer = world.run(&line).expect(2);
        assert!(answer.stderr.contains("needs a terminal"), "{answer:#?}");
    }
    assert_eq!(error(&world, "--json", 2)["kind"], "usage");
}

#[test]
fn a_misspelt_command_finds_its_word() {
    let world = World::new();
    let answer = world.run("stauts").expect(2);
    assert!(answer.stderr.contains("did you mean `jobdeck status`?"), "{answer:#?}");
    // Also before a file, and before flags of its own.
    for line in ["plam b.yaml", "--no-color plam b.yaml", "plam b.yaml --requests"] {
        let answer = world.run(line).expect(2);
        assert!(answer.stderr.contains("did you mean `jobdeck plan`?"), "{line}: {answer:#?}");
    }
    let error = error(&world, "plam b.yaml --json", 2);
    assert_eq!(error["hints"][0], "did you mean `jobdeck plan`?");
    // A file is a file, and what is near nothing is only told.
    world.file("plam", "jobs: []");
    for line in ["plam b.yaml", "elephant b.yaml"] {
        let answer = world.run(line).expect(2);
        assert!(!answer.stderr.contains("did you mean"), "{line}: {answer:#?}");
    }
}

#[test]
fn a_batch_that_cannot_be_read_is_exit_2() {
    let world = World::new();
    let folder = world.path().join("folder");
    fs::create_dir(&folder).unwrap();
    for command in ["plan", "submit --yes"] {
        let answer = world.run(&format!("{command} absent.yaml")).expect(2);
        assert!(answer.stderr.contains("absent.yaml: no such file"), "{answer:#?}");
        let answer = world.run(&format!("{command} {}", folder.display())).expect(2);
        assert!(answer.stderr.contains("is a directory, not a file"), "{answer:#?}");
        assert_eq!(error(&world, &format!("{command} absent.yaml --json"), 2)["kind"], "batch");
    }
}

#[test]
fn a_wrong_configuration_is_exit_3_with_every_problem() {
    let world = World::new();
    world.config("limits: {max_batch_size: many}\nclusters:\n  lab: {kind: slrum}\n");
    let answer = world.run("runs").expect(3);
    for text in ["config.yaml:1:26: error: ", "config.yaml:3:15: error: ", "did you mean `slurm`?"]
    {
        assert!(answer.stderr.contains(text), "{text}: {answer:#?}");
    }
    let error = error(&world, "runs --json", 3);
    assert_eq!(error["kind"], "config");
    assert_eq!(error["location"]["line"], 1);
    assert!(error["hints"].to_string().contains("slrum"), "{error:#}");
    // Told where it stands, and doctor still looks at the rest.
    let doctor = world.json("doctor --json", 3);
    assert_eq!(doctor["ok"], false);
    assert!(doctor["checks"].as_array().unwrap().len() > 3);
}

#[test]
fn a_configuration_named_on_the_command_line_must_be_there() {
    let world = World::new();
    for line in ["--config absent.yaml runs", "runs --config absent.yaml", "runs --clusters a.yaml"]
    {
        let answer = world.run(line).expect(3);
        let told = answer.stderr.matches("cannot read the configuration").count();
        assert_eq!(told, 1, "{answer:#?}");
    }
}

#[test]
fn without_a_home_the_state_folder_is_asked_for() {
    let world = World::new();
    let mut command = world.command();
    command.env_remove("HOME").env_remove("JOBDECK_STATE_DIR").arg("runs");
    let answer = support::answer_of(&mut command);
    assert_eq!(answer.code, 3, "{answer:#?}");
    assert!(answer.stderr.contains("HOME is not set"), "{answer:#?}");
    assert!(answer.stderr.contains("JOBDECK_STATE_DIR"), "{answer:#?}");
}

#[test]
fn documents_about_itself() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let answer = world.run(&format!("completions {shell}")).expect(0);
        assert!(answer.stdout.contains("jobdeck"), "{shell}");
    }
    let man = world.run("man").expect(0);
    assert!(man.stdout.starts_with(".ie"), "{}", &man.stdout[..80]);
    let schema = world.json("schema config", 0);
    assert!(schema["$schema"].is_string() && schema["properties"].is_object());
}

#[test]
fn kinds_without_a_simulation_say_so() {
    let world = World::new();
    for (kind, text) in
        [("local", "is real"), ("slurm", "has no simulation"), ("slrum", "did you mean `slurm`?")]
    {
        let answer = world.run(&format!("simulate {kind}")).expect(2);
        assert!(answer.stderr.contains(text), "{answer:#?}");
    }
}

#[test]
fn login_is_for_clusters_that_need_one() {
    let world = World::new();
    assert!(
        error(&world, "login local --json", 2)["message"].as_str().unwrap().contains("no login")
    );
    let unknown = error(&world, "login loacl --json", 2);
    assert_eq!(unknown["hints"][0], "did you mean `local`?");
}

#[test]
fn init_writes_a_first_configuration_once() {
    let world = World::new();
    let answer = world.json("init --json", 0);
    let path = world.path().join("home/.config/jobdeck/config.yaml");
    assert_eq!(answer["path"], path.to_str().unwrap());
    let written = fs::read_to_string(&path).unwrap();
    assert!(written.contains("local: {kind: local"), "{written}");
    assert_eq!(error(&world, "init --json", 3)["kind"], "config");
    assert_eq!(fs::read_to_string(&path).unwrap(), written);
    // Another one, where it is asked for.
    world.run("init --config other/config.yaml").expect(0);
    assert!(world.path().join("other/config.yaml").exists());
    world.run("doctor").expect(0);
}

#[test]
fn an_answer_that_cannot_be_written_is_no_success_and_a_closed_pipe_is_quiet() {
    let world = World::new();
    let schema_into = |out: Stdio| {
        let mut command = world.command();
        command.args(["schema", "config"]).stdout(out).stderr(Stdio::piped());
        support::wait::answer(command.spawn().unwrap())
    };
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let answer = schema_into(full.into());
    assert_ne!(answer.code, 0);
    assert!(answer.stderr.contains("cannot write the answer"), "{answer:#?}");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let answer = schema_into(writer.into()).expect(0);
    assert!(answer.stderr.is_empty(), "{answer:#?}");
}

#[test]
fn a_state_folder_that_cannot_be_is_no_empty_history() {
    let world = World::new();
    world.json("runs --json", 0);
    let batch = world.file("b.yaml", "jobs: [{name: a, command: 'true'}]");
    world.file("file", "not a folder");
    let file = world.path().join("file");
    for state in ["/proc/x".into(), file.clone(), file.join("below")] {
        let state: &std::path::Path = &state;
        let run = |line: &[&str]| {
            support::answer_of(world.command().env("JOBDECK_STATE_DIR", state).args(line))
        };
        for line in [&["runs"][..], &["status"], &["logs", "last"], &["clean", "--older", "1d"]] {
            let answer = run(line).expect(3);
            assert!(answer.stderr.contains(&*state.to_string_lossy()), "{line:?}: {answer:#?}");
        }
        let document = run(&["runs", "--json"]).expect(3).json();
        assert_eq!(document["error"]["kind"], "state", "{document:#}");
    }
    // A dry run needs no state folder where there has never been one.
    let batch = batch.to_string_lossy();
    support::answer_of(world.command().env("JOBDECK_STATE_DIR", "/proc/x").args(["plan", &batch]))
        .expect(0);
}

#[test]
fn what_a_kind_of_cluster_cannot_do_to_jobs_is_said_plainly() {
    let world = World::new();
    world.file("b.yaml", "jobs: [{name: a, command: sleep 600}]\n");
    world.run("submit b.yaml --yes --run-id r").expect(0);
    world.until("r", "running", |s| s["counts"]["running"] == 1);
    let error = |line: &str| error(&world, line, 2)["message"].as_str().unwrap().to_owned();
    assert_eq!(
        error("requeue r --yes --json"),
        "run r: nothing to requeue: a is on local, which cannot requeue jobs"
    );
    assert_eq!(error("hold r a --json"), "run r: nothing to hold: a runs already");
    world.run("cancel r --yes").expect(0);
    assert!(error("release r a --json").ends_with("a has ended"));
}

/// Fields that no request to the local executor holds: what they are for instead.
const NOT_IN_A_LOCAL_REQUEST: &[(&str, &str)] = &[
    ("cluster", "where it goes"),
    ("cluster_tags", "where it goes"),
    ("project", "a label"),
    ("tags", "a label"),
    ("metadata", "a label"),
    ("sweep_mode", "how a sweep is expanded"),
    ("exclude", "how a sweep is expanded"),
    ("include", "how a sweep is expanded"),
    ("max_retries", "kept by the conductor"),
    ("framework", "the same variables for all"),
    ("workspace_type", "jupyter, as without it"),
    ("submission_id", "a name for Ray"),
    ("options", "of another kind"),
    ("runtime_env", "of another kind"),
];

#[test]
fn every_field_reaches_the_request_or_is_said_not_to() {
    let world = World::new();
    world.config("clusters: {local: {kind: local, gpus: 8, cpus: 8}}\n");
    fs::create_dir(world.path().join("src")).unwrap();
    let planned = |more: &str, job_type: &str| {
        let head = format!("type: {job_type}, name: a");
        world.file(
            "batch.yaml",
            format!("jobs:\n  - {{name: lr, command: x}}\n  - {{{head}{more}}}\n"),
        );
        let answer = world.run("plan batch.yaml --requests");
        let (_, requests) = answer.stdout.split_once("\nrequest 1").unwrap_or_default();
        (requests.to_owned(), answer.stdout.clone(), answer.stderr)
    };
    for field in jobdeck::domain::fields::JOB {
        let key = field.key;
        let job_type = field.types.first().unwrap().word();
        if NOT_IN_A_LOCAL_REQUEST.iter().any(|(known, _)| *known == key)
            || matches!(key, "name" | "type")
            || job_type == "method"
        {
            continue;
        }
        let command = if key == "command" { "" } else { ", command: x" };
        // Paths of the examples that must exist.
        let example = if key == "libraries" { "[src]" } else { field.example };
        let (before, ..) = planned(", command: x", job_type);
        let (after, all, trouble) = planned(&format!("{command}, {key}: {example}"), job_type);
        let told = all.contains(&format!("`{key}`")) || all.contains(&format!(".{key}"));
        assert!(!before.is_empty(), "{key}: {trouble}");
        assert!(told || before != after, "{key} is neither sent nor told of:\n{all}{trouble}");
    }
}

#[test]
fn what_a_cluster_cannot_express_is_found_by_every_plan_with_its_place() {
    let world = World::new();
    world.config("clusters:\n  lab: {kind: slurm, remote_dir: /scratch}\n");
    world.file(
        "batch.yaml",
        "jobs:\n- name: a\n  command: x {i}\n  sweep: {i: {range: [0, 9]}}\n  options:\n    partiton: gpu\n",
    );
    let plan = world.json("plan batch.yaml --json", 2);
    let findings = plan["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "one for all jobs of the entry: {plan:#}");
    assert_eq!((&findings[0]["line"], &findings[0]["field"]), (&6.into(), &"partiton".into()));
    assert_eq!(findings[0]["hint"], "did you mean `partition`?");
    // Nothing is said twice where the requests are made as well.
    let plan = world.json("plan batch.yaml --json --requests", 2);
    assert_eq!(plan["findings"].as_array().unwrap().len(), 1, "{plan:#}");
}

#[test]
fn options_that_only_some_jobs_of_a_sweep_have_are_looked_at_too() {
    let world = World::new();
    world.config("clusters:\n  lab: {kind: slurm, remote_dir: /scratch}\n");
    world.file(
        "batch.yaml",
        "- name: a\n  command: x {i}\n  sweep: {i: {range: [0, 9]}, f: [gres, gpuss]}\n  options: {slurm: {gpu_flag: '{f}'}}\n",
    );
    let plan = world.json("plan batch.yaml --json", 2);
    let findings = plan["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{plan:#}");
    assert_eq!((&findings[0]["line"], &findings[0]["column"]), (&4.into(), &31.into()), "{plan:#}");
    // Nothing is approved that a cluster cannot take.
    world.run("submit batch.yaml --yes").expect(2);
}

#[test]
fn a_workspace_without_a_tool_is_told_of_once_and_with_its_place() {
    let world = World::with_batch("- {name: w, type: workspace, gpus: 0}\n");
    for line in ["plan batch.yaml --json", "plan batch.yaml --json --requests"] {
        let answer = world.run(line);
        let plan: serde_json::Value = serde_json::from_str(&answer.stdout).unwrap();
        let findings: Vec<_> = plan["findings"].as_array().unwrap().iter().collect();
        // Nothing is wrong where there is a jupyter.
        assert!(findings.len() <= 1, "{plan:#}");
        assert!(findings.iter().all(|finding| finding["line"] == 1), "{plan:#}");
    }
}

#[test]
fn a_theme_that_is_none_is_told() {
    let world = World::new();
    world.config("ui: {theme: drak}\n");
    let doctor = world.json("doctor --json", 0);
    let checks = doctor["checks"].as_array().unwrap();
    let told = |check: &serde_json::Value| {
        let message = check["message"].as_str().unwrap();
        check["status"] == "warning" && message.contains("did you mean `dark`?")
    };
    assert!(checks.iter().any(told), "{doctor:#}");
    let runs = world.run("runs").expect(0);
    assert!(runs.stderr.contains("no theme is called `drak`"), "{runs:#?}");
}

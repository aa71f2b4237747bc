//! Preview, Runs, Clusters and the boxes × two sizes × normal, empty, error, busy,
//! as text with a legend of styles (Compose and Monitor have theirs beside them); and the pictures in `screenshots/`, made by the same code.
//!
//! After an intended change: `INSTA_UPDATE=always JOBDECK_UPDATE_SHOTS=1 cargo test
//! --test screens`, then read the difference.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may end by a panic")]

mod stage;

use std::{fs, path::Path};

use jobdeck::{
    app::{
        model::Model,
        msg::{ClusterHealth, Msg},
    },
    domain::{ids::ClusterId, resources::Gpus, site::ClusterKind},
    error::{Kind, Report},
    ui::{
        shot, snapshot,
        theme::{self, Depth, Terminal, Theme},
    },
};
use ratatui::buffer::Cell;
use stage::{BATCH, Stage, dawn, large_batch};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

const FAULTY: &str = "\
name: fine-tune-mlp
jobs:
  - {type: training, name: eval, cluster: lbas, gpus: two, command: python eval.py}
  - {type: trainin, name: eval, command: python eval.py, time_limit: 90}
  - {type: training, name: sweep, command: 'echo {lr} {sed}', sweep: {lr: [1, 2], seed: [1]}}
";

/// The theme whose colours have names.
fn ansi16() -> Theme {
    theme::choose(Some("ansi16"), &[], Terminal { depth: Depth::Ansi16, light: None }).0
}

fn check(name: &str, stage: &Stage) {
    let (width, height) = (stage.model.width, stage.model.height);
    let picture = snapshot::screen(&snapshot::buffer(&stage.model, &ansi16()));
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), picture);
    });
}

fn at_both_sizes(name: &str, make: impl Fn(u16, u16) -> Stage) {
    for (width, height) in SIZES {
        check(name, &make(width, height));
    }
}

fn keyed(mut stage: Stage, script: &str) -> Stage {
    stage.keys(script);
    stage
}

/// A batch whose plan never comes.
fn planning(width: u16, height: u16) -> Stage {
    let mut stage = Stage::new(width, height);
    stage.world.silent = true;
    stage.send(Msg::FileOpened { path: "/home/ada/big.yaml".into(), text: BATCH.into() });
    stage
}

fn unreachable(mut stage: Stage) -> Stage {
    for health in &mut stage.world.health {
        health.error = Some("connection refused (os error 111)".into());
        health.last_seen = Some(dawn() - jiff::SignedDuration::from_mins(7));
    }
    let health = stage.world.health.clone();
    stage.send(Msg::Clusters(health));
    stage
}

fn many_clusters(mut stage: Stage) -> Stage {
    let template = stage.world.health.first().unwrap().clone();
    let cluster = |name: &str, kind: ClusterKind, change: fn(&mut ClusterHealth)| {
        let mut health = ClusterHealth { id: ClusterId::new(name), kind, ..template.clone() };
        change(&mut health);
        health
    };
    let all = vec![
        template.clone(),
        cluster("lab", ClusterKind::Slurm, |h| {
            let capacity = h.capacity.as_mut().unwrap();
            capacity.gpus_total = Some(Gpus::whole(64));
            capacity.gpus_free = Some(Gpus::whole(12));
            capacity.queue = Some(141);
            h.latency_ms = Some(180);
        }),
        cluster("ray-a", ClusterKind::Ray, |h| {
            h.error = Some("no route to host".into());
            h.last_seen = Some(dawn() - jiff::SignedDuration::from_hours(2));
        }),
        cluster("大学-cluster", ClusterKind::Slurm, |h| {
            (h.needs_login, h.can.login) = (true, true);
        }),
        cluster("old", ClusterKind::Runai, |h| h.enabled = false),
    ];
    stage.world.health.clone_from(&all);
    stage.send(Msg::Clusters(all));
    stage
}

#[test]
fn preview() {
    at_both_sizes("preview_normal", |w, h| keyed(Stage::with_batch(w, h, BATCH), "2"));
    at_both_sizes("preview_empty", |w, h| keyed(Stage::new(w, h), "2"));
    at_both_sizes("preview_error", |w, h| keyed(Stage::with_batch(w, h, FAULTY), "2"));
    at_both_sizes("preview_busy", |w, h| keyed(planning(w, h), "2"));
    at_both_sizes("preview_values", |w, h| keyed(Stage::with_batch(w, h, BATCH), "2 tab G"));
    at_both_sizes("preview_online", |w, h| keyed(Stage::with_batch(w, h, BATCH), "2 o"));
    at_both_sizes("preview_requests", |w, h| keyed(Stage::with_batch(w, h, BATCH), "2 v j j"));
    at_both_sizes("preview_filter", |w, h| {
        keyed(Stage::with_batch(w, h, BATCH), "2 / 'lr=1e-2 down down")
    });
}

#[test]
fn runs() {
    at_both_sizes("runs_normal", |w, h| keyed(Stage::new(w, h), "4 j"));
    at_both_sizes("runs_empty", |w, h| {
        let mut stage = Stage::new(w, h);
        stage.world.runs.clear();
        keyed(stage, "4")
    });
    at_both_sizes("runs_error", |w, h| keyed(Stage::new(w, h), "4 / 'nothing-like-that"));
    at_both_sizes("runs_busy", |w, h| {
        let mut stage = Stage::new(w, h);
        stage.world.silent = true;
        keyed(stage, "4")
    });
}

/// What is told stands there as a whole, however narrow the window.
#[test]
fn replies_are_read_whole() {
    let path = "/home/ada/jobs/".to_owned() + &"a-folder/".repeat(12) + "batch.yaml";
    let replies = [
        "asking again".to_owned(),
        "the errors come first; Enter on one goes to its field".to_owned(),
        "press Ctrl-C again to leave; running jobs stay running".to_owned(),
        format!("saved {path}"),
        "3 jobs with a new attempt · 2 jobs left alone: not ended yet · \
         /home/ada/jobs/src has changed since; the new attempt runs the code as first sent \
         (`--code current` takes the new)"
            .to_owned(),
    ];
    for reply in replies {
        for (view, (width, height)) in [("1", (60, 16)), ("3", (80, 24)), ("5", (140, 40))] {
            let mut stage = keyed(Stage::new(width, height), view);
            stage.send(Msg::Notice(reply.clone()));
            let cells = snapshot::buffer(&stage.model, &ansi16());
            let shown: String = cells.content().iter().map(Cell::symbol).collect();
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            assert!(bare(&shown).contains(&bare(&reply)), "{reply} at {width}: {shown}");
        }
    }
    let mut stage = Stage::new(80, 24);
    stage.send(Msg::Notice("x ".repeat(1_000_000)));
    let cells = snapshot::buffer(&stage.model, &ansi16());
    assert!(cells[(78, 23)].symbol() == "…" || cells[(77, 23)].symbol() == "…");
}

#[test]
fn clusters() {
    at_both_sizes("clusters_normal", |w, h| keyed(Stage::new(w, h), "5"));
    at_both_sizes("clusters_empty", |w, h| {
        let mut stage = Stage::new(w, h);
        stage.world.silent = true;
        stage.model.health.clear();
        keyed(stage, "5")
    });
    at_both_sizes("clusters_filter", |w, h| {
        keyed(many_clusters(Stage::new(w, h)), "5 j / n o space a n s")
    });
    at_both_sizes("clusters_paused", |w, h| {
        let mut stage = keyed(many_clusters(Stage::new(w, h)), "5 P");
        stage.send(Msg::Tick(stage.model.now + jiff::SignedDuration::from_mins(7)));
        stage
    });
    at_both_sizes("clusters_error", |w, h| keyed(unreachable(Stage::new(w, h)), "5"));
    at_both_sizes("clusters_busy", |w, h| keyed(many_clusters(Stage::new(w, h)), "5 j j j"));
}

#[test]
fn boxes() {
    let batch = |w, h| Stage::with_batch(w, h, BATCH);
    at_both_sizes("confirm", |w, h| keyed(batch(w, h), "2 S"));
    at_both_sizes("confirm_number", |w, h| {
        keyed(Stage::with_batch(w, h, &large_batch(131)), "2 S '13")
    });
    at_both_sizes("help", |w, h| keyed(batch(w, h), "2 ? j"));
    at_both_sizes("palette", |w, h| keyed(batch(w, h), ": 're down"));
    at_both_sizes("error_panel", |w, h| {
        let mut stage = batch(w, h);
        let report = Report::new(Kind::State, "the run is not recorded: no space left on device")
            .hint("make room under `/home/ada/.local/state/jobdeck`")
            .hint("nothing was sent");
        stage.send(Msg::Failed(report));
        stage
    });
}

#[test]
fn too_little_room_is_said() {
    for (width, height) in [(59, 15), (59, 40), (200, 15), (1, 1), (20, 3)] {
        let stage = Stage::with_batch(width, height, BATCH);
        let text = stage.text();
        if width > 40 {
            assert!(text.contains("jobdeck needs 60×16"), "{text}");
        }
    }
    assert!(!Stage::new(60, 16).text().contains("needs"));
}

/// Every view at every size draws something, and nothing outside of its cells.
#[test]
fn storms_of_sizes() {
    let mut stages = [
        Stage::with_batch(80, 24, BATCH),
        Stage::with_run(80, 24),
        many_clusters(Stage::new(80, 24)),
    ];
    for stage in &mut stages {
        for view in ["1", "2", "3", "4", "5", "3 l", "2 v", "1 ?", ": 'a"] {
            for _ in 0..4 {
                stage.keys("esc");
            }
            stage.keys(view);
            for (width, height) in
                [(60, 16), (61, 17), (80, 24), (300, 80), (79, 23), (132, 16), (60, 90)]
            {
                stage.resize(width, height);
                stage.draw();
            }
        }
    }
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let evil =
        "jobs:\n  - {name: \"训练🚀\\e[2J\\r\\n\\u202eevil\", command: \"echo \\a\\e]0;x\\a\"}\n";
    let mut stage = Stage::with_batch(80, 24, evil);
    for view in ["1", "2", "2 tab enter", "3"] {
        stage.keys(view);
        for cell in &stage.draw().content {
            assert!(
                cell.symbol().chars().all(|c| !c.is_control() && c != '\u{202e}'),
                "{:?}",
                cell.symbol()
            );
        }
    }
}

/// Without colours there is still everything to be told by.
#[test]
fn without_colour_nothing_is_lost() {
    for make in [keyed(Stage::with_batch(80, 24, FAULTY), "2"), keyed(Stage::new(80, 24), "4")] {
        let mut stage = make;
        let colourful = stage.text();
        stage.theme = theme::choose(None, &[], Terminal { depth: Depth::None, light: None }).0;
        let buf = stage.draw();
        assert_eq!(snapshot::characters(&buf), colourful, "the words are the same");
        let default = Cell::default();
        assert!(buf.content.iter().all(|c| c.fg == default.fg && c.bg == default.bg));
    }
}

/// A picture for the README; it must be what the program draws today.
fn shoot(name: &str, title: &str, stage: &Stage) {
    let svg = shot::svg(&stage.draw(), &stage.theme, title);
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("screenshots").join(format!("{name}.svg"));
    if std::env::var_os("JOBDECK_UPDATE_SHOTS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, svg).unwrap();
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == svg,
        "{} is stale; run `JOBDECK_UPDATE_SHOTS=1 cargo test --test screens`",
        path.display()
    );
}

#[test]
fn screenshots_are_what_the_program_draws() {
    let batch = || Stage::with_batch(120, 32, BATCH);
    shoot("compose", "jobdeck: writing a batch", &keyed(batch(), "j j j enter"));
    shoot("preview", "jobdeck: the dry run", &keyed(batch(), "2"));
    shoot("confirm", "jobdeck: asking before anything is sent", &keyed(batch(), "2 S"));
    let run = || Stage::with_sample(120, 32);
    shoot("monitor", "jobdeck: a run and its jobs", &keyed(run(), "j j"));
    shoot("failed-job", "jobdeck: why a job failed", &keyed(run(), "n l"));
    shoot("causes", "jobdeck: failed jobs by cause", &keyed(run(), "g"));
}

/// The model of a stage is a value: the same keys give the same screen.
#[test]
fn the_same_keys_give_the_same_screen() {
    let run = |script: &str| -> (Model, String) {
        let stage = keyed(Stage::with_batch(80, 24, BATCH), script);
        let text = stage.text();
        (stage.model, text)
    };
    let script = "p tab j j enter esc v esc 4 j s 5 1";
    assert_eq!(run(script), run(script));
}

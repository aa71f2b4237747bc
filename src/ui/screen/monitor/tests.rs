//! Snapshots: the view at every size people have, in every state it can be in.

use ratatui::{Terminal, backend::TestBackend};

use crate::{
    app::{
        effect::{Effect, LogRange},
        keymap::Chord,
        model::Model,
        msg::{LogPart, Msg},
        sample,
        screen::monitor::order::Sort,
        update::update,
    },
    domain::{
        ids::JobIx,
        run::{Record, Stamped},
    },
    ui::{snapshot, theme::Theme},
};

/// Keys as the table writes them, with spaces between.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace()
        .flat_map(|key| update(model, Msg::Key(key.parse::<Chord>().unwrap().event())))
        .collect()
}

fn type_in(model: &mut Model, text: &str) {
    for c in text.chars() {
        press(model, &if c == ' ' { "space".to_owned() } else { c.to_string() });
    }
}

/// The view alone: what frames it has tests of its own.
fn screen(model: &Model) -> String {
    let backend = TestBackend::new(model.width, model.height - 2);
    let mut terminal = Terminal::new(backend).unwrap();
    terminal.draw(|frame| super::draw(frame, frame.area(), model, &Theme::basic())).unwrap();
    snapshot::screen(terminal.backend().buffer())
}

/// Answers the newest request for a log with all of it.
fn log(model: &mut Model, effects: &[Effect], text: &str, complete: bool) {
    let serial = effects.iter().rev().find_map(|e| match e {
        Effect::FollowLog(request) if matches!(request.range, LogRange::Follow { .. }) => {
            Some(request.serial)
        }
        _ => None,
    });
    let bytes = text.as_bytes().to_vec();
    let total = bytes.len() as u64;
    let part = LogPart { serial: serial.unwrap(), offset: 0, bytes, total, complete };
    update(model, Msg::Log(part));
}

const LOG: &str = "epoch 1 \u{1b}[32mloss 2.31\u{1b}[0m\n\
    epoch 2 loss 1.87 训练 🚀\n\
    \r 10%|#         | 10/100\r 50%|#####     | 50/100\r100%|##########| 100/100\n\
    Traceback (most recent call last):\n  File \"train.py\", line 81, in <module>\n\
    \u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;31mtorch.OutOfMemoryError: CUDA out of memory. Tried to \
    allocate 512.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 413.62 MiB is free\n";

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

macro_rules! snap {
    ($name:literal, $model:ident => $set_up:block) => {
        for (width, height) in SIZES {
            #[allow(unused_mut, reason = "some states need no keys")]
            let mut $model = sample::model(sample::small(), width, height);
            $set_up
            insta::assert_snapshot!(format!("{}-{width}x{height}", $name), screen(&$model));
        }
    };
}

#[test]
fn normal() {
    snap!("normal", m => {});
}

#[test]
fn empty() {
    for (width, height) in SIZES {
        let mut m =
            Model::new(crate::app::model::Settings::default(), sample::now(), width, height);
        press(&mut m, "3");
        insta::assert_snapshot!(format!("empty-{width}x{height}"), screen(&m));
    }
}

#[test]
fn paused() {
    snap!("paused", m => {
        press(&mut m, "P");
        let later = m.now + jiff::SignedDuration::from_mins(3);
        update(&mut m, Msg::Tick(later));
    });
}

#[test]
fn a_job_with_its_log() {
    snap!("log", m => {
        press(&mut m, "n");
        let effects = press(&mut m, "l");
        log(&mut m, &effects, LOG, true);
        press(&mut m, "/");
        type_in(&mut m, "memory");
        press(&mut m, "enter");
    });
}

#[test]
fn a_log_beside_the_table() {
    let mut m = sample::model(sample::small(), 180, 40);
    let effects = press(&mut m, "l");
    log(&mut m, &effects, LOG, false);
    press(&mut m, "w right");
    insta::assert_snapshot!("log-wide", screen(&m));
}

#[test]
fn a_failed_job_in_detail() {
    snap!("detail", m => { press(&mut m, "n enter enter"); });
}

#[test]
fn causes() {
    snap!("causes", m => { press(&mut m, "g z space"); });
}

#[test]
fn filtered() {
    snap!("filter", m => {
        press(&mut m, "/");
        type_in(&mut m, "state:failed");
    });
}

#[test]
fn nothing_matches() {
    snap!("no-match", m => {
        press(&mut m, "/");
        type_in(&mut m, "nowhere");
        press(&mut m, "enter");
    });
}

#[test]
fn retry_with_changes() {
    snap!("retry", m => {
        press(&mut m, "n e tab");
        type_in(&mut m, " gpus=two");
        press(&mut m, "enter");
    });
}

#[test]
fn a_cluster_that_does_not_answer() {
    snap!("stale", m => { update(&mut m, Msg::Clusters(sample::health(true))); });
}

#[test]
fn held() {
    snap!("held", m => {
        let record = Record::Held { reason: "3 jobs failed, `max_failures` is 3".into() };
        let records = vec![Stamped { at: sample::after(719), epoch: 1, record }];
        sample::tell(&mut m, &records);
    });
}

#[test]
fn busy() {
    for (width, height) in SIZES {
        let mut m = sample::model(sample::large(10_000), width, height);
        press(&mut m, "s");
        let jobs = (8_000..8_040).map(|ix| (JobIx(ix), 1)).collect();
        let cluster = crate::domain::ids::ClusterId::new("lab");
        let record = Record::Intent { cluster, jobs };
        let records = vec![Stamped { at: sample::after(719), epoch: 1, record }];
        sample::tell(&mut m, &records);
        insta::assert_snapshot!(format!("busy-{width}x{height}"), screen(&m));
    }
}

#[test]
fn every_size_can_be_drawn_in_every_state() {
    for (width, height) in [(60, 16), (61, 17), (80, 24), (149, 20), (150, 16), (300, 80), (20, 5)]
    {
        let mut m = sample::model(sample::small(), width, height);
        for keys in ["", "l", "enter", "esc", "Z", "g", "enter", "esc esc", "n e", "esc", "/", "x"]
        {
            press(&mut m, keys);
            snapshot::buffer(&m, &Theme::basic());
        }
    }
}

/// A screen of any size shows nothing but what belongs in cells.
#[test]
fn hostile_names_and_words_stay_in_their_cells() {
    let mut run = sample::small();
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{9b}31m\u{202e}evil\t";
    for job in run.jobs.iter_mut() {
        let mut spec = (*job.spec).clone();
        spec.name = format!("{evil}{}", spec.name);
        spec.env = std::sync::Arc::new([(evil.to_owned(), evil.to_owned())].into_iter().collect());
        spec.params = [(evil.to_owned(), evil.to_owned())].into_iter().collect();
        job.spec = std::sync::Arc::new(spec);
        job.reason = Some(evil.into());
        for attempt in &mut job.attempts {
            attempt.error = Some(evil.into());
            attempt.node = Some(evil.into());
            attempt.remote_id = Some(evil.into());
        }
    }
    run.head.name = evil.into();
    for (width, height) in [(80, 24), (180, 50)] {
        let mut m = sample::model(run.clone(), width, height);
        for keys in ["", "g", "esc n", "enter", "pgdn", "esc R", "esc n e", "esc y"] {
            press(&mut m, keys);
            let text = snapshot::characters(&snapshot::buffer(&m, &Theme::basic()));
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{keys}");
            assert!(!text.contains('\u{202e}'), "{keys}");
        }
    }
}

#[test]
fn heads_tell_of_marks_clusters_and_gpus_and_a_hidden_column_sorts() {
    let mut m = sample::model(sample::small(), 80, 24);
    press(&mut m, "j j j z");
    let row = |m: &Model| {
        let drawn = screen(m);
        drawn.lines().find(|line| line.contains("fine-tune × 12")).unwrap().to_owned()
    };
    assert!(row(&m).contains("  lab  12 GPUs"), "{}", row(&m));
    press(&mut m, "space");
    assert!(row(&m).starts_with("* ") || row(&m).starts_with("*▸"), "{}", row(&m));
    press(&mut m, "k z j space");
    assert!(row(&m).starts_with('~'), "{}", row(&m));
    while m.monitor.opened().unwrap().index().sort().0 != Sort::Waited {
        press(&mut m, "s");
    }
    assert!(screen(&m).contains("state by waited↓"), "{}", screen(&m));
}

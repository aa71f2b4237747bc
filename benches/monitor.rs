//! What Monitor costs as runs grow: a frame, a key to its frame, news, filter,
//! sort, and the log pane on a log of a gigabyte.

use std::{
    hint::black_box,
    io::{Read, Seek, SeekFrom, Write},
};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use jobdeck::{
    app::{
        effect::{Effect, LogRange},
        keymap::Chord,
        log::LogText,
        model::Model,
        msg::{LogPart, Msg},
        sample,
        screen::monitor::{filter::Filter, index::Index, order::Sort},
        update::update,
    },
    ui::{draw, theme::Theme},
};
use ratatui::{Terminal, backend::TestBackend};

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace()
        .filter_map(|key| key.parse::<Chord>().ok())
        .flat_map(|chord| update(model, Msg::Key(chord.event())))
        .collect()
}

/// A screen in memory that is drawn as the program draws its own: only what
/// differs from the frame before is written.
struct Screen {
    terminal: Terminal<TestBackend>,
    theme: Theme,
}

impl Screen {
    fn new(model: &Model) -> Self {
        let backend = TestBackend::new(model.width, model.height);
        let Ok(terminal) = Terminal::new(backend);
        Self { terminal, theme: Theme::basic() }
    }

    fn show(&mut self, model: &Model) {
        let Self { terminal, theme } = self;
        let Ok(_) = terminal.draw(|frame| draw(frame, model, theme));
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("monitor");
    for jobs in SIZES {
        let mut model = sample::model(sample::large(jobs), 120, 40);
        press(&mut model, "Z pgdn pgdn");
        let mut screen = Screen::new(&model);
        group.bench_function(BenchmarkId::new("frame", jobs), |b| b.iter(|| screen.show(&model)));
        group.bench_function(BenchmarkId::new("key_to_frame", jobs), |b| {
            let mut down = false;
            b.iter(|| {
                down = !down;
                press(&mut model, if down { "j" } else { "k" });
                screen.show(&model);
            });
        });
        let run = model.monitor.opened().map(|o| o.run().clone());
        let Some(mut run) = run else { continue };
        let mut round = 0;
        group.bench_function(BenchmarkId::new("news_of_1000_to_frame", jobs), |b| {
            b.iter_batched(
                || {
                    round += 1;
                    sample::told(&mut run, &sample::news(jobs, 1_000, round))
                },
                |news| {
                    update(&mut model, news);
                    screen.show(&model);
                },
                BatchSize::SmallInput,
            );
        });
        press(&mut model, "s");
        group.bench_function(BenchmarkId::new("news_of_1000_sorted_by_state", jobs), |b| {
            b.iter_batched(
                || {
                    round += 1;
                    sample::told(&mut run, &sample::news(jobs, 1_000, round))
                },
                |news| {
                    update(&mut model, news);
                    screen.show(&model);
                },
                BatchSize::SmallInput,
            );
        });
        press(&mut model, "/");
        let mut typed = false;
        group.bench_function(BenchmarkId::new("filter_key_to_frame", jobs), |b| {
            b.iter(|| {
                typed = !typed;
                press(&mut model, if typed { "7" } else { "backspace" });
                screen.show(&model);
            });
        });
    }
    for jobs in SIZES {
        // Of a run that is over every frame tells when that was.
        let mut model = sample::model(sample::over(jobs), 120, 40);
        press(&mut model, "Z pgdn pgdn");
        let mut screen = Screen::new(&model);
        group.bench_function(BenchmarkId::new("frame_of_a_run_that_is_over", jobs), |b| {
            b.iter(|| screen.show(&model));
        });
    }
    group.finish();
}

fn index(c: &mut Criterion) {
    let run = sample::large(100_000);
    let mut group = c.benchmark_group("index_of_100000");
    group.sample_size(20);
    group.bench_function("build", |b| b.iter(|| black_box(Index::new(&run))));
    let mut index = Index::new(&run);
    for (name, sort) in [("state", Sort::State), ("name", Sort::Name), ("ran", Sort::Ran)] {
        group.bench_function(BenchmarkId::new("sort", name), |b| {
            b.iter(|| index.set_sort(sort, false, &run));
        });
    }
    index.set_sort(Sort::Batch, false, &run);
    for text in ["memory", "state:failed", "lr=1e-3", "!sweep gpus:>0"] {
        let (filter, none) = (Filter::read(text), Filter::default());
        group.bench_function(BenchmarkId::new("filter", text), |b| {
            b.iter(|| {
                index.set_filter(none.clone(), &run);
                index.set_filter(filter.clone(), &run);
            });
        });
    }
    let names: Vec<&str> = run.jobs.iter().map(|job| job.spec.name.as_str()).collect();
    group.bench_function("names_with_str_contains_for_comparison", |b| {
        b.iter(|| {
            let text = black_box("memory");
            black_box(names.iter().filter(|name| name.contains(text)).count())
        });
    });
    group.finish();
}

/// A log of a gigabyte, of which only the end takes room on disk.
fn gigabyte() -> std::io::Result<std::fs::File> {
    let mut file = tempfile::tempfile()?;
    let size = 1 << 30;
    let end: String = (0..80_000)
        .flat_map(|n| {
            [format!("\u{1b}[32mstep {n:06}\u{1b}[0m loss 0.{n:06} some more words here\n")]
        })
        .collect();
    file.set_len(size)?;
    file.seek(SeekFrom::End(-i64::try_from(end.len()).unwrap_or(0)))?;
    file.write_all(end.as_bytes())?;
    Ok(file)
}

fn read(file: &mut std::fs::File, offset: u64, len: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len as usize);
    file.seek(SeekFrom::Start(offset))?;
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn logs(c: &mut Criterion) {
    let mut group = c.benchmark_group("log_of_1_gib");
    group.sample_size(30);
    let Ok(mut file) = gigabyte() else { return };
    let total = 1 << 30;
    let mut model = sample::model(sample::small(), 120, 40);
    press(&mut model, "l");
    let mut screen = Screen::new(&model);
    group.bench_function("open_at_its_end", |b| {
        b.iter(|| {
            // Closed and opened again: everything of the former log is gone.
            press(&mut model, "l");
            let effects = press(&mut model, "l");
            let Some(Effect::FollowLog(request)) = effects.last() else { return };
            let LogRange::Follow { tail } = request.range else { return };
            let Ok(bytes) = read(&mut file, total - tail, tail) else { return };
            let part = LogPart {
                serial: request.serial,
                offset: total - tail,
                bytes,
                total,
                complete: false,
            };
            update(&mut model, Msg::Log(part));
            screen.show(&model);
        });
    });
    group.bench_function("page_up_to_frame", |b| {
        let mut up = false;
        b.iter(|| {
            up = !up;
            press(&mut model, if up { "pgup" } else { "pgdn" });
            screen.show(&model);
        });
    });
    let Ok(bytes) = read(&mut file, total - (4 << 20), 4 << 20) else { return };
    group.bench_function("decode_4_mib", |b| {
        b.iter(|| {
            let mut text = LogText::default();
            text.append(total - (4 << 20), &bytes, total);
            black_box(text.end())
        });
    });
    group.sample_size(10);
    group.bench_function("read_once_through_for_comparison", |b| {
        let mut block = vec![0; 1 << 20];
        b.iter(|| {
            let Ok(_) = file.seek(SeekFrom::Start(0)) else { return };
            while let Ok(1..) = file.read(&mut block) {
                black_box(&block);
            }
        });
    });
    group.finish();
}

criterion_group!(benches, frames, index, logs);
criterion_main!(benches);

//! The program on a terminal: how soon its first frame stands, and how much memory
//! a large run takes. Prints least, median and most, and what they are compared
//! with: the start of a process that only tells its version, a run of 1,000 rows.
#![allow(clippy::expect_used, clippy::panic, reason = "this is a measurement")]

#[path = "../tests/pty/home.rs"]
#[allow(dead_code, reason = "the tests use the rest")]
mod home;
mod made;
#[path = "../tests/pty/term.rs"]
mod term;
#[path = "../tests/support/wait.rs"]
mod wait;

use std::time::{Duration, Instant};

use home::{Home, key};
use jobdeck::journal::RunDir;
use term::Term;

const ROUNDS: usize = 15;
const FEW: u32 = 1_000;
const MANY: u32 = 100_000;

fn main() {
    let home = Home::new();
    let version = several(|| {
        let begun = Instant::now();
        home.run(&["--version"]);
        begun.elapsed()
    });
    let frame = several(|| {
        let begun = Instant::now();
        let term = home.start(&[], 120, 40);
        term.sees("Compose");
        begun.elapsed()
    });
    print("--version, start to end", &version);
    print("start to first frame", &frame);
    println!("  ratio of the medians {:.2}", median(&frame) / median(&version));

    let empty = memory(&home.start(&[], 120, 40));
    let few = opened(FEW);
    let many = opened(MANY);
    let (Some((empty, _)), Some((few, few_peak)), Some((many, many_peak))) = (empty, few, many)
    else {
        println!("memory: not told by this system");
        return;
    };
    println!("memory of the UI, MB: {empty:.1} without a run");
    println!("  {few:.1} (at most {few_peak:.1}) on {FEW} rows");
    println!("  {many:.1} (at most {many_peak:.1}) on {MANY} rows");
    let a_row = (many - few) * 1e6 / f64::from(MANY - FEW);
    println!("  {a_row:.0} bytes a row; ratio {:.1} for 100 times the rows", many / few);
}

/// Memory of the UI once it shows a finished run of this many rows.
fn opened(rows: u32) -> Option<(f64, f64)> {
    let home = Home::new();
    let folder = home.path().join(".state/jobdeck/runs/bench");
    made::run(&RunDir::new(folder), &made::approved(rows), rows);
    // The run is summed up, as it is when it ends.
    home.run(&["runs"]);
    let mut term = home.start(&[], 120, 40);
    term.sees("Compose");
    term.keys("4");
    term.sees("bench");
    term.keys(key::ENTER);
    term.sees("lr");
    term.until("its rows", |screen| screen.contains("succeeded") || screen.contains("ok"));
    memory(&term)
}

/// Resident now and at most, in MB.
fn memory(term: &Term) -> Option<(f64, f64)> {
    term.until("a frame", |screen| !screen.trim().is_empty());
    let status = std::fs::read_to_string(format!("/proc/{}/status", term.pid())).ok()?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024.0 / 1e6)
    };
    Some((of("VmRSS:")?, of("VmHWM:")?))
}

fn several(mut once: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| once()).collect();
    times.sort_unstable();
    times
}

/// In milliseconds.
fn median(sorted: &[Duration]) -> f64 {
    sorted.get(sorted.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

fn print(what: &str, sorted: &[Duration]) {
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let (least, most) = (ms(sorted.first()), ms(sorted.last()));
    println!("{what}: {least:.1} / {:.1} / {most:.1} ms", median(sorted));
}

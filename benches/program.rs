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

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use home::{Home, key};
use jobdeck::journal::RunDir;
use term::Term;

const ROUNDS: usize = 15;
/// Until what came with a run is done, and how long nothing happens then.
const SETTLED: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(20);
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
    let (Some((empty, _)), Some(few), Some(many)) = (empty, opened(FEW), opened(MANY)) else {
        println!("memory and wake-ups: not told by this system");
        return;
    };
    println!("memory of the UI, MB: {empty:.1} without a run");
    println!("  {:.1} (at most {:.1}) on {FEW} rows", few.now, few.most);
    println!("  {:.1} (at most {:.1}) on {MANY} rows", many.now, many.most);
    let a_row = (many.now - few.now) * 1e6 / f64::from(MANY - FEW);
    println!("  {a_row:.0} bytes a row; ratio {:.1} for 100 times the rows", many.now / few.now);
    let seconds = IDLE.as_secs();
    for (rows, (woken, written)) in [(FEW, few.idle), (MANY, many.idle)] {
        println!(
            "idle for {seconds} s on {rows} rows: woken {woken} times, {written} bytes written"
        );
    }
}

/// A UI on a finished run.
struct Opened {
    /// Memory in MB.
    now: f64,
    most: f64,
    /// Wake-ups, and bytes on the terminal.
    idle: (u64, usize),
}

/// How often a process and its threads were woken, and bytes it wrote on the terminal,
/// while nothing happens for a while. The clock in the header wakes it once a minute.
fn idle(term: &Term) -> Option<(u64, usize)> {
    std::thread::sleep(SETTLED);
    let (before, written) = (switches(term.pid())?, term.raw().len());
    std::thread::sleep(IDLE);
    let after = switches(term.pid())?;
    // A thread that has ended was woken to do so.
    let ended = before.keys().filter(|thread| !after.contains_key(*thread)).count() as u64;
    let woken = after.iter().map(|(thread, n)| n - before.get(thread).unwrap_or(&0));
    Some((woken.sum::<u64>() + ended, term.raw().len() - written))
}

/// Voluntary context switches so far, by thread.
fn switches(pid: u32) -> Option<HashMap<PathBuf, u64>> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let of = |path: PathBuf| {
        let status = std::fs::read_to_string(path.join("status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((path, line.trim().parse().ok()?))
    };
    Some(threads.filter_map(|thread| of(thread.ok()?.path())).collect())
}

/// Memory of the UI once it shows a finished run of this many rows.
fn opened(rows: u32) -> Option<Opened> {
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
    let (now, most) = memory(&term)?;
    Some(Opened { now, most, idle: idle(&term)? })
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

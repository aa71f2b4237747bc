//! A Slurm that is a script: arrays whose tasks start and end by a clock, and every
//! call counted. For tests of what goes to a controller, and when.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::frame::Ran;

/// A made-up controller, shared with the transport that asks it.
#[derive(Clone)]
pub struct Script(Arc<Mutex<State>>);

struct State {
    begin: Instant,
    arrays: Vec<Array>,
    calls: Vec<(Instant, String)>,
}

/// What one `sbatch` has made.
struct Array {
    id: usize,
    name: String,
    tasks: usize,
    /// Place of its first task in the order in which tasks start.
    first: usize,
}

/// Tasks start at this distance,
const APART: Duration = Duration::from_millis(500);
/// run for so long,
const LONG: Duration = Duration::from_mins(1);
/// and are remembered for so long after their end (`MinJobAge`).
const REMEMBERED: Duration = Duration::from_mins(5);
/// When the first array was submitted, in seconds since 1970.
const DAWN: u64 = 1_772_445_600;

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Script")
    }
}

impl Script {
    /// Its clock begins now.
    pub fn begin() -> Self {
        let state = State { begin: Instant::now(), arrays: Vec::new(), calls: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Slurm's commands that were called, each with its time.
    pub fn calls(&self) -> Vec<(Instant, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls.clone()
    }

    pub fn answer(&self, program: &str) -> Ran {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answer(program)
    }
}

/// The text behind a word of a program, up to a blank or a quote.
fn behind<'a>(program: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = program.split_once(word)?;
    rest.split([' ', '\'', '\n']).next()
}

impl State {
    fn answer(&mut self, program: &str) -> Ran {
        const COMMANDS: [&str; 8] =
            ["sbatch", "squeue", "sacct", "sacctmgr", "scancel", "scontrol", "sinfo", "sdiag"];
        // What stands in an array's script is run elsewhere.
        let asked = program.split(" <<").next().unwrap_or(program);
        // This asks nobody.
        let words = asked.replace("sbatch --version", "");
        let words = words.split([' ', '\n', '|', ';', '(']);
        for word in words.filter(|word| COMMANDS.contains(word)) {
            self.calls.push((Instant::now(), word.to_owned()));
        }
        let text = if program.contains("section home") {
            "\n==jobdeck home\n/home/alice\n\n==jobdeck config\nMaxArraySize = 251\n\
             AccountingStorageType = accounting_storage/slurmdbd\n"
                .to_owned()
        } else if program.contains("--parsable") {
            self.submit(asked)
        } else if program.contains("squeue") {
            self.queue(program)
        } else {
            String::new()
        };
        Ran { code: 0, stdout: text.into_bytes(), stderr: String::new() }
    }

    fn submit(&mut self, program: &str) -> String {
        let last = behind(program, "--array=0-").and_then(|text| text.parse().ok());
        let tasks = last.map_or(1, |last: usize| last + 1);
        let first = self.arrays.iter().map(|array| array.tasks).sum();
        let id = 100 + self.arrays.len();
        let name = behind(program, "--job-name=").unwrap_or_default().to_owned();
        self.arrays.push(Array { id, name, tasks, first });
        id.to_string()
    }

    /// A record for each task that is remembered.
    fn queue(&self, program: &str) -> String {
        let mark = behind(program, "JobArrayID:").unwrap_or_default();
        let mark = mark.split(',').next().unwrap_or_default();
        let now = self.begin.elapsed();
        let mut text = String::new();
        for array in &self.arrays {
            for task in 0..array.tasks {
                let start = APART * u32::try_from(array.first + task).unwrap_or(u32::MAX);
                let end = start + LONG;
                let state = match now {
                    now if now < start => "PENDING",
                    now if now < end => "RUNNING",
                    now if now < end + REMEMBERED => "COMPLETED",
                    _ => continue,
                };
                let (id, name) = (format!("{}_{task}", array.id), &array.name);
                let at = |moment: Duration| (DAWN + moment.as_secs()).to_string();
                let record = [
                    &id,
                    "1",
                    state,
                    "0:0",
                    &at(Duration::ZERO),
                    &at(start),
                    &at(end),
                    "0",
                    "gpu1",
                    "None",
                    "",
                    name,
                ];
                for field in record {
                    text.push_str(field);
                    text.push_str(mark);
                }
                text.push('\n');
            }
        }
        text
    }
}

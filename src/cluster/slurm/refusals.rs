//! What `sbatch` says when it does not take a job, and what can be done; pure.

/// How a call of `sbatch` ended without an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// For certain: these words, with a hint for the common ones.
    Rejected(String),
    /// Not now; nothing was sent. It may be tried again.
    Busy(String),
    /// Nobody knows: the answer was lost on its way.
    Unknown(String),
}

/// Words after which nothing is certain: the request may have reached the
/// controller.
const LOST: [&str; 7] = [
    "Socket timed out",
    "Unable to contact slurm controller",
    "Zero Bytes were transmitted",
    "Communication connection failure",
    "Connection reset",
    "Transport endpoint is not connected",
    "Unexpected message received",
];

/// Words of a controller that is there and takes nothing now.
const BUSY: [&str; 4] = [
    "Resource temporarily unavailable",
    "Slurm temporarily unable to accept job",
    "Slurm backup controller in standby mode",
    "Protocol authentication error",
];

/// Words and what helps.
const HINTS: [(&str, &str); 14] = [
    ("nvalid partition", "`sinfo` lists the partitions; set `options: {slurm: {partition: …}}`"),
    (
        "Invalid account",
        "`sacctmgr show assoc user=$USER` lists your accounts; set `options: {slurm: {account: …}}`",
    ),
    ("Invalid qos", "set a QOS that your account may use: `options: {slurm: {qos: …}}`"),
    ("QOSMaxGRESPerJob", "the QOS allows fewer GPUs per job: ask for fewer, or use another QOS"),
    ("QOSMaxWallDurationPerJobLimit", "the QOS allows less time: lower `time_limit`"),
    ("MaxSubmitJob", "too many jobs at once for your account or QOS: retry when some have ended"),
    (
        "Requested node configuration is not available",
        "no node has that many GPUs, cores or that much memory, or not of that `gpu_type`",
    ),
    ("Requested time limit is invalid", "lower `time_limit`, or use another partition"),
    ("Node count specification invalid", "lower `nodes`, or use another partition"),
    ("Invalid generic resource", "write GPUs as `gpus: 2` and their type as `gpu_type`"),
    ("Invalid feature specification", "`sinfo -o '%f'` lists what `constraint` may name"),
    ("Required partition not available", "the partition takes no jobs now; use another one"),
    ("Job dependency problem", "a job it depends on is not known to Slurm any more"),
    ("Invalid job array specification", "the array is larger than the site allows"),
];

/// Reads how `sbatch` failed: `code` is its exit code, 255 when an argument does
/// not parse.
pub fn read(code: i32, stderr: &str) -> Refusal {
    let lines: Vec<&str> = stderr
        .lines()
        .map(|line| line.trim().trim_start_matches("sbatch: ").trim_start_matches("error: "))
        .map(|line| line.trim_start_matches("Batch job submission failed: "))
        .filter(|line| !line.is_empty())
        .collect();
    let words =
        if lines.is_empty() { format!("sbatch ended with code {code}") } else { lines.join("; ") };
    let says = |list: &[&str]| list.iter().any(|text| stderr.contains(text));
    if code == 255 {
        return Refusal::Rejected(hinted(words));
    }
    if says(&LOST) {
        return Refusal::Unknown(words);
    }
    if says(&BUSY) {
        return Refusal::Busy(words);
    }
    // Killed, or ended without a word: it may have got through.
    if lines.is_empty() || code > 128 {
        return Refusal::Unknown(words);
    }
    Refusal::Rejected(hinted(words))
}

fn hinted(words: String) -> String {
    match HINTS.iter().find(|(text, _)| words.contains(text)) {
        Some((_, hint)) => format!("{words} ({hint})"),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_slurms_words_and_adds_a_hint() {
        let text = "sbatch: error: invalid partition specified: nosuch\n\
                    sbatch: error: Batch job submission failed: Invalid partition name specified\n";
        let Refusal::Rejected(words) = read(1, text) else { panic!("it is certain") };
        assert!(
            words.starts_with("invalid partition specified: nosuch; Invalid partition name"),
            "{words}"
        );
        assert!(words.contains("sinfo"), "{words}");
        let bad = read(255, "sbatch: error: Invalid --time specification\n");
        assert_eq!(bad, Refusal::Rejected("Invalid --time specification".into()));
    }

    #[test]
    fn only_what_is_certain_is_a_refusal() {
        for (code, text) in [
            (
                1,
                "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            ),
            (
                1,
                "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            ),
            (137, ""),
            (1, ""),
        ] {
            assert!(matches!(read(code, text), Refusal::Unknown(_)), "{code} {text}");
        }
        let full = "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying\n\
                    sbatch: error: Batch job submission failed: Resource temporarily unavailable";
        assert!(matches!(read(1, full), Refusal::Busy(_)));
    }
}

//! A Slurm batch script as a job: its directives as fields, the rest as its command.

use std::collections::BTreeSet;

use super::{Imported, map, put};
use crate::{
    app::form::{sweep, value},
    domain::tree::{Node, Span, Value},
};

/// Indices of an array that are written one by one at most.
const MOST_VALUES: usize = 10_000;

/// What directives have said so far.
#[derive(Default)]
struct Found {
    /// Fields of the job.
    pairs: Vec<(String, Node)>,
    /// Fields that only Slurm has.
    slurm: Vec<(String, Node)>,
    /// What no field says.
    extra: Vec<Node>,
    at_once: Option<u32>,
}

/// A shell script; `#SBATCH` lines become fields, what no field says goes to
/// Slurm's own options. As in Slurm, directives end where commands begin.
pub(super) fn script(name: &str, text: &str) -> Imported {
    let mut found = Found::default();
    let mut body: Vec<&str> = Vec::new();
    let mut begun = false;
    if !name.is_empty() {
        put(&mut found.pairs, "name", value::string(name));
    }
    for (at, line) in text.lines().enumerate() {
        if at == 0 && line.starts_with("#!") {
            continue;
        }
        let directives = line
            .strip_prefix("#SBATCH")
            .filter(|rest| !begun && (rest.is_empty() || rest.starts_with([' ', '\t'])));
        let Some(rest) = directives else {
            begun |= !line.trim().is_empty() && !line.trim_start().starts_with('#');
            body.push(line);
            continue;
        };
        for (option, given) in options(words(rest)) {
            directive(&option, &given, &mut found);
        }
    }
    let Found { mut pairs, mut slurm, extra, at_once } = found;
    let command = body.join("\n");
    let command = command.trim_matches('\n').trim_end();
    if !command.is_empty() {
        let text = if command.contains('\n') { format!("{command}\n") } else { command.to_owned() };
        put(&mut pairs, "command", value::string(&text));
    }
    if !extra.is_empty() {
        slurm.push(("extra".into(), Node { span: Span::default(), value: Value::Seq(extra) }));
    }
    if !slurm.is_empty() {
        pairs.push(("options".into(), map(vec![("slurm".into(), map(slurm))])));
    }
    Imported { at_once, ..Imported::of(vec![map(pairs)], "a batch script") }
}

/// The words of a directive, without their quotes, up to a comment.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '#') if word.is_none() => break,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Options with their values, in all their spellings: `--mem=4G`, `--mem 4G`, `-N 2`,
/// `-N2`. A flag has an empty value.
fn options(words: Vec<String>) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let glued = match word.strip_prefix("--") {
            Some(_) => word.split_once('='),
            None => word.char_indices().nth(2).map(|(at, _)| word.split_at(at)),
        };
        let (option, given) = match glued {
            Some((option, given)) => (option.to_owned(), given.to_owned()),
            None => (word, words.next_if(|next| !next.starts_with('-')).unwrap_or_default()),
        };
        options.push((option, given));
    }
    options
}

/// One option of a `#SBATCH` line.
fn directive(option: &str, given: &str, found: &mut Found) {
    if matches!(option, "--array" | "-a") {
        return array(given, found);
    }
    let Found { pairs, slurm, extra, .. } = found;
    match option {
        "--job-name" | "-J" => put(pairs, "name", value::string(given)),
        // None means something else than no `time_limit`.
        "--time" | "-t" if !given.starts_with(|c: char| c.is_ascii_digit()) || given == "0" => {
            extra.push(value::string(&format!("--time={given}")));
        }
        "--time" | "-t" => put(pairs, "time_limit", value::string(&time(given))),
        "--cpus-per-task" | "-c" => put(pairs, "cpus", value::plain(given)),
        "--nodes" | "-N" if given.parse::<u32>().is_ok() => {
            put(pairs, "nodes", value::plain(given));
        }
        // Slurm counts in megabytes where no unit is given.
        "--mem" if given == "0" => extra.push(value::string("--mem=0")),
        "--mem" if given.parse::<u64>().is_ok() => {
            put(pairs, "memory", value::string(&format!("{given}M")));
        }
        "--mem" => put(pairs, "memory", value::string(given)),
        "--exclusive" if given.is_empty() => put(pairs, "exclusive", value::plain("true")),
        "--chdir" | "-D" => put(pairs, "working_dir", value::string(given)),
        "--gpus" | "-G" | "--gres" | "--gpus-per-node" => {
            let gpus = given.strip_prefix("gpu:").unwrap_or(given);
            let (model, count) = gpus.rsplit_once(':').unwrap_or(("", gpus));
            let several = gpus.contains(',');
            if !several
                && count.parse::<u32>().is_ok()
                && (option != "--gres" || given.starts_with("gpu"))
            {
                put(pairs, "gpus", value::plain(count));
                if !model.is_empty() {
                    put(pairs, "gpu_type", value::string(model));
                }
            } else if given == "gpu" {
                put(pairs, "gpus", value::plain("1"));
            } else {
                extra.push(value::string(&format!("{option}={given}")));
            }
        }
        "--partition" | "-p" => put(slurm, "partition", value::string(given)),
        "--account" | "-A" => put(slurm, "account", value::string(given)),
        "--qos" | "-q" => put(slurm, "qos", value::string(given)),
        "--constraint" | "-C" => put(slurm, "constraint", value::string(given)),
        // Where output goes is the run's business.
        "--output" | "-o" | "--error" | "-e" | "" => {}
        _ if given.is_empty() => extra.push(value::string(option)),
        _ => {
            let gap = if option.starts_with("--") { "=" } else { "" };
            extra.push(value::string(&format!("{option}{gap}{given}")));
        }
    }
}

/// `--array=0-9%3` becomes a sweep whose values arrive under Slurm's own name, and
/// the most that may run at once.
fn array(given: &str, found: &mut Found) {
    let (indices, at_once) = match given.split_once('%') {
        Some((indices, most)) => (indices, most.parse::<u32>().ok().filter(|most| *most > 0)),
        None => (given, None),
    };
    let sweep = match values(indices) {
        Some(values) => sweep::read(&format!("task {values}"), None).ok(),
        None => None,
    };
    match sweep {
        Some(sweep) => {
            put(&mut found.pairs, "sweep", sweep);
            let env = vec![("SLURM_ARRAY_TASK_ID".to_owned(), value::string("{task}"))];
            put(&mut found.pairs, "env", map(env));
            found.at_once = at_once;
        }
        None => found.extra.push(value::string(&format!("--array={given}"))),
    }
}

/// `0-9`, `0-8:4`, `1-3,7` as the values of a sweep; `None`: it is not such a text.
fn values(indices: &str) -> Option<String> {
    let parts: Vec<(u32, u32, u32)> = indices.split(',').map(range).collect::<Option<_>>()?;
    if let [(first, last, step)] = *parts {
        return Some(match (first == last, step) {
            (true, _) => first.to_string(),
            (false, 1) => format!("{first} … {last}"),
            (false, step) => format!("{first} … {last} step {step}"),
        });
    }
    let all: BTreeSet<u32> = parts
        .into_iter()
        .flat_map(|(first, last, step)| (first..=last).step_by(step as usize))
        .take(MOST_VALUES + 1)
        .collect();
    let all: Vec<String> = all.iter().map(u32::to_string).collect();
    (all.len() <= MOST_VALUES).then(|| all.join(", "))
}

/// First, last and step of one part of an array's indices.
fn range(part: &str) -> Option<(u32, u32, u32)> {
    let (ends, step) = match part.split_once(':') {
        Some((ends, step)) => (ends, step.parse().ok().filter(|step| *step > 0)?),
        None => (part, 1),
    };
    let (first, last) = ends.split_once('-').unwrap_or((ends, ends));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last, step))
}

/// Slurm's times: bare minutes, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM:SS`.
fn time(given: &str) -> String {
    let (days, clock) = match given.split_once('-') {
        Some((days, clock)) => (Some(days), clock),
        None => (None, given),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    match (days, parts.as_slice()) {
        (None, [minutes]) => format!("{minutes}m"),
        (None, [minutes, seconds]) => match (minutes.parse::<u64>(), seconds.parse::<u64>()) {
            (Ok(m), Ok(0)) => format!("{m}m"),
            (Ok(m), Ok(s)) => format!("{}s", m * 60 + s),
            _ => given.to_owned(),
        },
        (Some(days), [hours]) => format!("{days}-{hours}:00:00"),
        (Some(days), [hours, minutes]) => format!("{days}-{hours}:{minutes}:00"),
        _ => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screen::compose::{
        document::emit::{Style, inline},
        import::{file, paste},
    };

    /// The one job of a script.
    fn job(text: &str) -> String {
        let imported = file("x.sbatch", text).unwrap();
        assert_eq!(imported.jobs.len(), 1);
        inline(&imported.jobs[0], Style::Flow)
    }

    /// The job of a script with these lines before its command.
    fn fields(directives: &str) -> String {
        let job = job(&format!("#!/bin/sh\n{directives}\ntrue\n"));
        let inner = job.strip_prefix("{name: x, ").unwrap_or(&job);
        inner.strip_suffix('}').unwrap().replace("command: \"true\"", "…")
    }

    #[test]
    fn a_slurm_script() {
        let text = "#!/bin/bash\n#SBATCH --job-name=train   # mine\n#SBATCH -t 90\n#SBATCH --gres=gpu:a100:2\n\
            #SBATCH --mem=4000\n#SBATCH -p gpu\n#SBATCH --mail-type=END\n#SBATCH --array=0-9%3\n\nmodule load x\npython train.py\n";
        assert_eq!(
            job(text),
            "{name: train, time_limit: 90m, gpus: 2, gpu_type: a100, memory: 4000M, \
              sweep: {task: {range: [0, 10]}}, env: {SLURM_ARRAY_TASK_ID: \"{task}\"}, \
              command: \"module load x\\npython train.py\\n\", \
              options: {slurm: {partition: gpu, extra: [--mail-type=END]}}}"
        );
        assert_eq!(time("1-12"), "1-12:00:00");
        assert_eq!(time("2:30"), "150s");
    }

    #[test]
    fn an_option_is_the_same_in_every_spelling() {
        for spelling in
            ["--cpus-per-task=4", "--cpus-per-task 4", "-c 4", "-c4", "-c\t4", "-c \"4\""]
        {
            assert_eq!(fields(&format!("#SBATCH {spelling}")), "cpus: 4, …", "{spelling}");
        }
        assert_eq!(
            fields("#SBATCH -N 2 -c 4\t-pgpu   -A team --exclusive  # all of it"),
            "nodes: 2, cpus: 4, exclusive: true, …, options: {slurm: {partition: gpu, account: team}}"
        );
        assert_eq!(
            fields("#SBATCH --comment=\"a b # c\" --mail-user 'me you'"),
            "…, options: {slurm: {extra: [\"--comment=a b # c\", --mail-user=me you]}}"
        );
        // What no field says as it is meant there is passed on.
        assert_eq!(
            fields("#SBATCH -N 2-4 -n8 --mem=0 -t UNLIMITED --requeue -H"),
            "…, options: {slurm: {extra: [-N2-4, -n8, --mem=0, --time=UNLIMITED, --requeue, -H]}}"
        );
    }

    #[test]
    fn gpus_and_arrays_are_read_where_a_field_can_say_them() {
        for (directive, wanted) in [
            ("--gres=gpu", "gpus: 1, …"),
            ("--gres=gpu:3", "gpus: 3, …"),
            ("-G h100:2", "gpus: 2, gpu_type: h100, …"),
            ("--gpus-per-node=a100:4", "gpus: 4, gpu_type: a100, …"),
            ("--gres=gpu:2,shard:1", "…, options: {slurm: {extra: [\"--gres=gpu:2,shard:1\"]}}"),
            ("--gres=license:2", "…, options: {slurm: {extra: [--gres=license:2]}}"),
            ("--array=1-3:x,7", "…, options: {slurm: {extra: [\"--array=1-3:x,7\"]}}"),
            ("--array=3-1", "…, options: {slurm: {extra: [--array=3-1]}}"),
        ] {
            assert_eq!(fields(&format!("#SBATCH {directive}")), wanted, "{directive}");
        }
        assert!(fields("#SBATCH -a 0-8:4").starts_with("sweep: {task: "));
        assert!(fields("#SBATCH --array=1,5,9").starts_with("sweep: {task: [1, 5, 9]}"));
        assert!(fields("#SBATCH --array=1-3,7%2").starts_with("sweep: {task: [1, 2, 3, 7]}"));
        assert!(fields("#SBATCH --array=0-4000000000,7").starts_with("…, options"));
    }

    #[test]
    fn how_many_of_an_array_run_at_once_is_told() {
        for (array, most) in
            [("0-9%3", Some(3)), ("0-9", None), ("4%1", Some(1)), ("0-9%0", None), ("x%3", None)]
        {
            let script = format!("#!/bin/sh\n#SBATCH --array={array}\ntrue\n");
            assert_eq!(file("x.sbatch", &script).unwrap().at_once, most, "{array}");
        }
    }

    #[test]
    fn what_slurm_does_not_read_as_a_directive_is_text() {
        let text = "#!/bin/bash\r\n##SBATCH -N9\r\n# SBATCH -N8\r\n#SBATCHES -N7\r\n\r\n#SBATCH -J real\r\n\
            #SBATCH\r\nset -e\r\n#SBATCH --nodes=6\r\n\r\necho done\r\n";
        assert_eq!(
            job(text),
            "{name: real, command: \"##SBATCH -N9\\n# SBATCH -N8\\n#SBATCHES -N7\\n\\nset -e\\n\
             #SBATCH --nodes=6\\n\\necho done\\n\"}"
        );
        // Without a body, without a first line, with an option that nobody closed.
        assert_eq!(job("#SBATCH -J a\n"), "{name: a}");
        assert_eq!(
            job("#!/bin/sh\n#SBATCH --comment=\"open\n"),
            "{name: x, options: {slurm: {extra: [--comment=open]}}}"
        );
        assert_eq!(paste("#SBATCH -J a\ntrue\n").kind, "a batch script");
    }
}

//! Jobs from what people already have: batch scripts, tables, lists of commands.
//!
//! A pasted or opened text that is no batch document becomes entries: a Slurm
//! script one job with its directives as fields, a CSV table a job a row, any
//! other text a job a line.

use crate::{
    app::form::value::{self, parse},
    domain::{
        fields,
        tree::{Entry, Node, Span, Value},
    },
};

/// What was made of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub jobs: Vec<Node>,
    /// What the text was taken for.
    pub kind: &'static str,
}

fn map(pairs: Vec<(String, Node)>) -> Node {
    let entries = pairs
        .into_iter()
        .map(|(key, value)| Entry { key, key_span: Span::default(), value })
        .collect();
    Node { span: Span::default(), value: Value::Map(entries) }
}

fn put(pairs: &mut Vec<(String, Node)>, key: &str, value: Node) {
    match pairs.iter_mut().find(|(k, _)| k == key) {
        Some((_, slot)) => *slot = value,
        None => pairs.push((key.to_owned(), value)),
    }
}

/// Jobs of a file that is not a batch document by its name; `None`: it is one.
pub fn file(name: &str, text: &str) -> Option<Imported> {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    match extension.to_ascii_lowercase().as_str() {
        "sbatch" | "slurm" | "sh" | "bash" => Some(script(stem, text)),
        "csv" => table(text, ','),
        "tsv" => table(text, '\t'),
        "txt" => Some(lines(text)),
        _ => text.starts_with("#!").then(|| script(stem, text)),
    }
}

/// Jobs of a pasted text.
pub fn paste(text: &str) -> Imported {
    if text.starts_with("#!") || text.lines().any(|l| l.starts_with("#SBATCH")) {
        return script("", text);
    }
    if let Ok(root) = parse(text) {
        let jobs = match root.get("jobs").map(|n| &n.value).or(Some(&root.value)) {
            Some(Value::Seq(items)) => items.clone(),
            Some(Value::Map(_)) => vec![root.clone()],
            _ => Vec::new(),
        };
        let is_job = |n: &Node| matches!(&n.value, Value::Map(e) if e.iter().any(|e| fields::job_field(&e.key).is_some()));
        if !jobs.is_empty() && jobs.iter().all(is_job) {
            return Imported { jobs, kind: "a batch" };
        }
    }
    lines(text)
}

/// One command a line; comments and blank lines are skipped, a line that ends
/// with a backslash goes on in the next.
fn lines(text: &str) -> Imported {
    let mut jobs = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        if open.is_empty() && (line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        open.push_str(if open.is_empty() { line.trim() } else { line.trim_end() });
        if open.ends_with('\\') {
            open.push('\n');
            continue;
        }
        jobs.push(map(vec![("command".into(), value::string(&std::mem::take(&mut open)))]));
    }
    if !open.trim().is_empty() {
        jobs.push(map(vec![("command".into(), value::string(open.trim_end()))]));
    }
    Imported { jobs, kind: "a list of commands" }
}

/// A table whose first line names fields; other columns become metadata.
fn table(text: &str, separator: char) -> Option<Imported> {
    let mut rows = cells(text, separator).into_iter();
    let titles = rows.next()?;
    if !titles.iter().any(|t| fields::job_field(t.trim()).is_some()) {
        return None;
    }
    let jobs = rows
        .filter(|row| row.iter().any(|cell| !cell.trim().is_empty()))
        .map(|row| {
            let mut pairs: Vec<(String, Node)> = Vec::new();
            let mut metadata: Vec<(String, Node)> = Vec::new();
            for (title, cell) in titles.iter().zip(&row) {
                let (title, cell) = (title.trim(), cell.trim());
                if cell.is_empty() || title.is_empty() {
                    continue;
                }
                match fields::job_field(title) {
                    Some(spec) => {
                        let node = value::read(spec.kind, cell, None, None)
                            .ok()
                            .flatten()
                            .unwrap_or_else(|| value::string(cell));
                        put(&mut pairs, title, node);
                    }
                    None => put(&mut metadata, title, value::string(cell)),
                }
            }
            if !metadata.is_empty() && pairs.iter().all(|(k, _)| k != "metadata") {
                pairs.push(("metadata".into(), map(metadata)));
            }
            map(pairs)
        })
        .collect();
    Some(Imported { jobs, kind: "a table" })
}

/// Cells of a CSV text: quotes may hold separators, line ends and doubled quotes.
fn cells(text: &str, separator: char) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            '\r' if !quoted => {}
            '\n' if !quoted => rows.push(vec![String::new()]),
            c if c == separator && !quoted => {
                if let Some(row) = rows.last_mut() {
                    row.push(String::new());
                }
            }
            c => cell.push(c),
        }
    }
    rows
}

/// A shell script; `#SBATCH` lines become fields, what no field says goes to
/// Slurm's own options.
fn script(name: &str, text: &str) -> Imported {
    let mut pairs: Vec<(String, Node)> = Vec::new();
    let mut slurm: Vec<(String, Node)> = Vec::new();
    let mut extra: Vec<Node> = Vec::new();
    let mut body: Vec<&str> = Vec::new();
    if !name.is_empty() {
        put(&mut pairs, "name", value::string(name));
    }
    for (at, line) in text.lines().enumerate() {
        if at == 0 && line.starts_with("#!") {
            continue;
        }
        let Some(rest) = line.strip_prefix("#SBATCH") else {
            body.push(line);
            continue;
        };
        let rest = rest.split(" #").next().unwrap_or(rest).trim();
        let (option, given) = match rest.split_once(['=', ' ']) {
            Some((option, given)) => (option.trim(), given.trim().trim_matches('"')),
            None => (rest, ""),
        };
        directive(option, given, &mut pairs, &mut slurm, &mut extra);
    }
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
    Imported { jobs: vec![map(pairs)], kind: "a batch script" }
}

/// One `#SBATCH` line.
fn directive(
    option: &str,
    given: &str,
    pairs: &mut Vec<(String, Node)>,
    slurm: &mut Vec<(String, Node)>,
    extra: &mut Vec<Node>,
) {
    match option {
        "--job-name" | "-J" => put(pairs, "name", value::string(given)),
        "--time" | "-t" => put(pairs, "time_limit", value::string(&time(given))),
        "--cpus-per-task" | "-c" => put(pairs, "cpus", value::plain(given)),
        "--nodes" | "-N" if given.parse::<u32>().is_ok() => {
            put(pairs, "nodes", value::plain(given));
        }
        // Slurm counts in megabytes where no unit is given.
        "--mem" if given.parse::<u64>().is_ok() => {
            put(pairs, "memory", value::string(&format!("{given}M")));
        }
        "--mem" => put(pairs, "memory", value::string(given)),
        "--exclusive" if given.is_empty() => put(pairs, "exclusive", value::plain("true")),
        "--chdir" | "-D" => put(pairs, "working_dir", value::string(given)),
        "--gpus" | "-G" | "--gres" | "--gpus-per-node" => {
            let gpus = given.strip_prefix("gpu:").unwrap_or(given);
            let (model, count) = gpus.rsplit_once(':').unwrap_or(("", gpus));
            if count.parse::<u32>().is_ok() && (option != "--gres" || given.starts_with("gpu")) {
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
        "--array" | "-a" => array(given, pairs, extra),
        // Where output goes is the run's business.
        "--output" | "-o" | "--error" | "-e" | "" => {}
        _ if given.is_empty() => extra.push(value::string(option)),
        _ => {
            let gap = if option.starts_with("--") { "=" } else { " " };
            extra.push(value::string(&format!("{option}{gap}{given}")));
        }
    }
}

/// `--array=0-9` becomes a sweep whose values arrive under Slurm's own name.
fn array(given: &str, pairs: &mut Vec<(String, Node)>, extra: &mut Vec<Node>) {
    let indices = given.split('%').next().unwrap_or(given);
    let text = indices
        .split(',')
        .map(|part| match part.split_once('-') {
            Some((a, b)) => match b.split_once(':') {
                Some((b, step)) => format!("{a} … {b} step {step}"),
                None => format!("{a} … {b}"),
            },
            None => part.to_owned(),
        })
        .collect::<Vec<_>>();
    let sweep = match text.as_slice() {
        [one] => crate::app::form::sweep::read(&format!("task {one}"), None),
        many if many.iter().all(|t| t.parse::<u64>().is_ok()) => {
            crate::app::form::sweep::read(&format!("task {}", many.join(", ")), None)
        }
        _ => Err(String::new()),
    };
    match sweep {
        Ok(sweep) => {
            put(pairs, "sweep", sweep);
            let env = vec![("SLURM_ARRAY_TASK_ID".to_owned(), value::string("{task}"))];
            put(pairs, "env", map(env));
        }
        Err(_) => extra.push(value::string(&format!("--array={given}"))),
    }
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
    use crate::app::screen::compose::document::emit::{Style, inline};

    fn written(imported: &Imported) -> Vec<String> {
        imported.jobs.iter().map(|j| inline(j, Style::Flow)).collect()
    }

    #[test]
    fn a_slurm_script() {
        let text = "#!/bin/bash\n#SBATCH --job-name=train   # mine\n#SBATCH -t 90\n#SBATCH --gres=gpu:a100:2\n\
            #SBATCH --mem=4000\n#SBATCH -p gpu\n#SBATCH --mail-type=END\n#SBATCH --array=0-9%3\n\nmodule load x\npython train.py\n";
        let got = written(&file("x.sbatch", text).unwrap());
        assert_eq!(
            got,
            ["{name: train, time_limit: 90m, gpus: 2, gpu_type: a100, memory: 4000M, \
              sweep: {task: {range: [0, 10]}}, env: {SLURM_ARRAY_TASK_ID: \"{task}\"}, \
              command: \"module load x\\npython train.py\\n\", \
              options: {slurm: {partition: gpu, extra: [--mail-type=END]}}}"]
        );
        assert_eq!(time("1-12"), "1-12:00:00");
        assert_eq!(time("2:30"), "150s");
    }

    #[test]
    fn a_table_and_a_list() {
        let text = "name,gpus,command,owner\na,2,\"python a.py, really\",alice\nb,,say \"\"\n\n";
        let got = written(&file("jobs.csv", text).unwrap());
        assert_eq!(
            got[0],
            "{name: a, gpus: 2, command: \"python a.py, really\", metadata: {owner: alice}}"
        );
        assert!(got[1].starts_with("{name: b, command: "));
        assert_eq!(file("data.csv", "x,y\n1,2\n"), None);
        let list = paste("# these\npython a.py\n\npython b.py \\\n  --long\n");
        assert_eq!(list.jobs.len(), 2);
        assert_eq!(file("batch.yaml", "jobs: []"), None);
    }

    #[test]
    fn a_pasted_batch() {
        assert_eq!(paste("- {name: a}\n- {name: b, gpus: 1}\n").jobs.len(), 2);
        assert_eq!(paste("name: x\njobs:\n  - command: a\n").jobs.len(), 1);
        assert_eq!(paste("name: only\ncommand: x\n").jobs.len(), 1);
        assert_eq!(paste("echo hello: world\n").kind, "a list of commands");
    }
}

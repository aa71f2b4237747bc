//! Jobs from what people already have: batch scripts, tables, lists of commands.
//!
//! A pasted or opened text that is no batch document becomes entries: a Slurm
//! script one job with its directives as fields, a CSV table a job a row, any
//! other text a job a line.

use crate::{
    app::form::value::{self, parse},
    domain::{
        batch, fields,
        tree::{Entry, Node, Span, Value},
    },
};

mod sbatch;

use sbatch::script;

/// What was made of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub jobs: Vec<Node>,
    /// What the text was taken for.
    pub kind: &'static str,
    /// At most so many of them are to run at once.
    pub at_once: Option<u32>,
}

impl Imported {
    fn of(jobs: Vec<Node>, kind: &'static str) -> Self {
        Self { jobs, kind, at_once: None }
    }
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
        let jobs = batch::jobs(&root, "");
        let is_job = |n: &Node| matches!(&n.value, Value::Map(e) if e.iter().any(|e| fields::job_field(&e.key).is_some()));
        if !jobs.is_empty() && jobs.iter().all(is_job) {
            return Imported::of(jobs, "a batch");
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
    Imported::of(jobs, "a list of commands")
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
    Some(Imported::of(jobs, "a table"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screen::compose::document::emit::{Style, inline};

    fn written(imported: &Imported) -> Vec<String> {
        imported.jobs.iter().map(|j| inline(j, Style::Flow)).collect()
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
        // A comment ends no line, and nothing of a command is taken for a comment.
        let text = "\r\npython a.py # first\r\n\t\n  # none\n  echo '#1' \\\n# still of it\necho {x} ${HOME}\nlast \\";
        let got = written(&file("jobs.txt", text).unwrap());
        assert_eq!(
            got,
            [
                "{command: \"python a.py # first\"}",
                "{command: \"echo '#1' \\\\\\n# still of it\"}",
                "{command: \"echo {x} ${HOME}\"}",
                "{command: last \\}",
            ]
        );
        assert_eq!(file("batch.yaml", "jobs: []"), None);
    }

    #[test]
    fn a_pasted_batch() {
        assert_eq!(paste("- {name: a}\n- {name: b, gpus: 1}\n").jobs.len(), 2);
        assert_eq!(paste("name: x\njobs:\n  - command: a\n").jobs.len(), 1);
        let taken = written(&paste("defaults: {gpus: 2}\njobs: [{command: a}]"));
        assert_eq!(taken, ["{gpus: 2, command: a}"], "what it took over comes along");
        assert_eq!(paste("name: only\ncommand: x\n").jobs.len(), 1);
        assert_eq!(paste("echo hello: world\n").kind, "a list of commands");
    }
}

//! `status --csv`: the table, one column per parameter. Quoted as RFC 4180 says,
//! lines ended as this system's tools expect.

use super::out::Out;
use crate::{app::text::safe, runtime::answer::StatusAnswer};

const COLUMNS: [&str; 20] = [
    "name",
    "group",
    "type",
    "cluster",
    "project",
    "status",
    "cause",
    "reason",
    "job_id",
    "attempt",
    "gpus",
    "total_gpus",
    "submitted_at",
    "started_at",
    "finished_at",
    "exit_code",
    "error",
    "node",
    "url",
    "log_path",
];

pub fn print(out: &Out, answer: &StatusAnswer<'_>) {
    // Files get what was recorded, a terminal only what cannot steer it.
    let line = |text: String| if out.terminal { out.line(safe(&text)) } else { out.line(text) };
    let mut names: Vec<String> = Vec::new();
    for job in answer.jobs.iter() {
        for (name, _) in job.params.iter() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    // A parameter that is called like a column of ours gets a prefix.
    let title = |name: &String| {
        if COLUMNS.contains(&name.as_str()) { format!("param_{name}") } else { name.clone() }
    };
    let own = COLUMNS.iter().map(|name| (*name).to_owned());
    line(join(own.chain(names.iter().map(title))));
    for job in answer.jobs.iter() {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let own = [
            job.name.clone(),
            text(&job.group),
            job.job_type.to_owned(),
            text(&job.cluster),
            text(&job.project),
            job.status.to_owned(),
            job.cause.unwrap_or_default().to_owned(),
            text(&job.reason),
            text(&job.job_id),
            job.attempt.to_string(),
            job.gpus.to_string(),
            job.total_gpus.to_string(),
            text(&job.submitted_at),
            text(&job.started_at),
            text(&job.finished_at),
            job.exit_code.map(|code| code.to_string()).unwrap_or_default(),
            text(&job.error),
            text(&job.node),
            text(&job.url),
            text(&job.log_path),
        ];
        let params = names.iter().map(|name| job.params.get(name).unwrap_or_default().to_owned());
        line(join(own.into_iter().chain(params)));
    }
}

fn join(fields: impl Iterator<Item = String>) -> String {
    fields.map(|field| quoted(&field)).collect::<Vec<_>>().join(",")
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) || field.starts_with(' ') || field.ends_with(' ') {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(quoted("two\nlines"), "\"two\nlines\"");
    }
}

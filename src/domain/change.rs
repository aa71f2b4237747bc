//! Changing a resolved job before it is tried again: `retry --set field=value`
//! and the edit form, over the same table of fields as a batch document.

use std::{fmt::Display, path::Path, str::FromStr, sync::Arc};

use super::{
    batch::value,
    fields::{self, FieldKind},
    job::{Command, JobSpec, JobType},
    nearest::nearest,
    placeholder::{Fault, Mode, Scope, Template, Values},
    resources::{Gpus, Memory, TimeLimit},
    send::marks,
};

/// What cannot be changed, or not to that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidChange {
    pub field: String,
    pub why: String,
    pub hint: Option<String>,
}

/// Fields that a new attempt may change; maps take `map.key`.
const CHANGEABLE: [&str; 18] = [
    "project",
    "image",
    "gpus",
    "workers",
    "framework",
    "workspace_type",
    "command",
    "args",
    "time_limit",
    "env",
    "working_dir",
    "cpus",
    "memory",
    "gpu_type",
    "nodes",
    "priority",
    "max_retries",
    "options",
];

/// The job with these changes, each a field and its new text as in a document; an
/// empty text removes the field. Neither name, type nor place in the run change.
/// Placeholders get the job's values; in a job of a sweep others are errors, as in its
/// entry, and without a sweep braces are literal.
///
/// # Errors
/// Every change that is not possible.
pub fn changed(
    spec: &JobSpec,
    changes: &[(String, String)],
) -> Result<JobSpec, Vec<InvalidChange>> {
    let mut spec = spec.clone();
    let mut wrong = Vec::new();
    for (field, value) in changes {
        if let Err((why, hint)) = change(&mut spec, field.trim(), value) {
            wrong.push(InvalidChange { field: field.clone(), why, hint });
        }
    }
    if wrong.is_empty() { Ok(spec) } else { Err(wrong) }
}

type Refusal = (String, Option<String>);

fn change(spec: &mut JobSpec, field: &str, value: &str) -> Result<(), Refusal> {
    let (name, key) = match field.split_once('.') {
        Some((name, key)) => (name, Some(key)),
        None => (field, None),
    };
    if !CHANGEABLE.contains(&name) {
        if fields::job_field(name).is_some() {
            return Err(("a new attempt cannot change it".into(), None));
        }
        let hint = nearest(name, CHANGEABLE).map(|known| format!("did you mean `{known}`?"));
        return Err(("no such field".into(), hint));
    }
    let filled = fill(spec, name, value)?;
    let value = filled.as_str();
    let trimmed = value.trim();
    match (name, key) {
        ("env", Some(key)) => {
            let valid = !key.is_empty()
                && !key.starts_with(|c: char| c.is_ascii_digit())
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if !valid {
                return Err((format!("`{key}` is not the name of a variable"), None));
            }
            let env = Arc::make_mut(&mut spec.env);
            if value.is_empty() {
                env.shift_remove(key);
            } else {
                let base = spec.base_dir.as_deref().map(Path::new);
                env.insert(key.to_owned(), value::variable(value.to_owned(), base, None));
            }
        }
        ("options", Some(path)) => {
            let steps: Vec<&str> = path.split('.').collect();
            set_option(Arc::make_mut(&mut spec.options), &steps, trimmed)?;
        }
        ("env" | "options", None) => {
            return Err(("name what in it, as in `env.SEED=7`".into(), None));
        }
        (_, Some(_)) => return Err((format!("`{name}` has no parts"), None)),
        ("command", None) => spec.command = command(value),
        ("args", None) => spec.args = command(value),
        ("gpus", None) => {
            spec.gpus = if trimmed.is_empty() {
                Gpus::ZERO
            } else {
                value::gpus_of(trimmed).map_err(|fault| (fault.message, fault.hint))?
            };
        }
        ("memory", None) => spec.memory = optional::<Memory>(trimmed)?,
        ("time_limit", None) => spec.time_limit = optional::<TimeLimit>(trimmed)?,
        ("cpus", None) => {
            let cpus = number::<f64>(trimmed)?;
            if cpus.is_some_and(|n| !n.is_finite() || n <= 0.0) {
                return Err(("it must be more than zero".into(), None));
            }
            spec.cpus = cpus;
        }
        ("workers", None) => {
            if spec.job_type != JobType::Distributed {
                return Err(("only distributed jobs have workers".into(), None));
            }
            spec.workers = whole(name, trimmed)?;
        }
        ("nodes", None) => spec.nodes = whole(name, trimmed)?,
        ("max_retries", None) => spec.max_retries = whole(name, trimmed)?.unwrap_or(0),
        ("framework", None) => spec.framework = choice(name, trimmed)?,
        ("workspace_type", None) => spec.workspace_type = choice(name, trimmed)?,
        _ => {
            let text = (!trimmed.is_empty()).then(|| Arc::<str>::from(trimmed));
            match name {
                "project" => spec.project = text,
                "image" => spec.image = text,
                "working_dir" => spec.working_dir = text,
                "gpu_type" => spec.gpu_type = text,
                _ => spec.priority = text,
            }
        }
    }
    Ok(())
}

/// The text with the job's parameters and its name in place of their placeholders.
fn fill(spec: &mut JobSpec, field: &str, text: &str) -> Result<String, Refusal> {
    let shell = matches!(field, "command" | "args") && list(text).is_none();
    let here = matches!(field, "command" | "args" | "env" | "working_dir");
    let names: Vec<Arc<str>> = spec.params.iter().map(|(name, _)| name.into()).collect();
    let values: Vec<Option<&str>> = spec.params.iter().map(|(_, value)| Some(value)).collect();
    let scope = Scope { params: &names, strict: spec.group.is_some(), name: here, holes: here };
    let mode = if shell { Mode::Shell } else { Mode::Plain };
    let template = Template::new(text, mode, scope)
        .map_err(|faults| faults.first().map_or_else(Refusal::default, |f| refusal(f, &names)))?;
    let filled = template
        .render(Values { params: &values, name: &spec.name })
        .map_err(|fault| refusal(&fault, &names))?;
    let has_holes = template.holes() > 0;
    // Literal text elsewhere would be filled in too, or this by what is filled in there.
    let clashes = if has_holes { spec.marks() > 0 } else { here && marks(&filled) > 0 };
    if clashes && has_holes != spec.holes {
        return Err(refusal(&Fault::Ambiguous, &names));
    }
    spec.holes |= has_holes;
    Ok(filled)
}

fn refusal(fault: &Fault, names: &[Arc<str>]) -> Refusal {
    match fault {
        Fault::Unquotable(what, place) => (
            format!("`{what}` would stand inside {place}"),
            Some("values cannot be kept literal there; `{x!raw}` inserts them as they are".into()),
        ),
        Fault::Ambiguous => ("a literal `{run}` beside one that is filled in".into(), None),
        Fault::Unknown(name) => {
            let known = names.iter().map(|n| &**n).chain(["name", "run", "attempt"]);
            let hint = match nearest(name, known) {
                Some(near) => format!("did you mean `{{{near}}}`?"),
                None => format!("write `{{{{{name}}}}}` for the text itself"),
            };
            (format!("the placeholder `{{{name}}}` has no value"), Some(hint))
        }
        Fault::NotHere(name) => (format!("`{{{name}}}` has no value here"), None),
        Fault::NoValue(_) => ("a placeholder has no value".into(), None),
    }
}

/// A list, as JSON writes it, is an exact argument vector.
fn list(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok().filter(|argv: &Vec<String>| !argv.is_empty())
}

fn command(value: &str) -> Option<Command> {
    if value.trim().is_empty() {
        return None;
    }
    Some(list(value).map_or_else(|| Command::Shell(value.to_owned()), Command::Argv))
}

fn amount<T: FromStr<Err: Display>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|e: T::Err| (e.to_string(), None))
}

fn optional<T: FromStr<Err: Display>>(text: &str) -> Result<Option<T>, Refusal> {
    if text.is_empty() { Ok(None) } else { amount(text).map(Some) }
}

fn number<T: FromStr>(text: &str) -> Result<Option<T>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| (format!("`{text}` is not a number"), None))
}

/// A whole number within the bounds of the field's table.
fn whole(name: &str, text: &str) -> Result<Option<u32>, Refusal> {
    let value = number::<u32>(text)?;
    if let (Some(n), Some(FieldKind::Whole { min, max })) =
        (value, fields::job_field(name).map(|f| f.kind))
        && !(min..=max).contains(&u64::from(n))
    {
        return Err((format!("it must be from {min} to {max}"), None));
    }
    Ok(value)
}

fn choice(name: &str, text: &str) -> Result<Option<Arc<str>>, Refusal> {
    let lower = text.to_lowercase();
    if lower.is_empty() {
        return Ok(None);
    }
    let known = if name == "framework" { fields::FRAMEWORKS } else { fields::WORKSPACE_TYPES };
    if known.contains(&lower.as_str()) {
        return Ok(Some(lower.into()));
    }
    let hint = nearest(&lower, known.iter().copied()).map(|k| format!("did you mean `{k}`?"));
    Err((format!("`{text}` is none of {}", known.join(", ")), hint))
}

/// Values are JSON where they read as such, else text.
fn set_option(map: &mut super::job::JsonMap, steps: &[&str], value: &str) -> Result<(), Refusal> {
    match steps {
        [] | [""] => Err(("name the option".into(), None)),
        [last] if value.is_empty() => {
            map.shift_remove(*last);
            Ok(())
        }
        [last] => {
            let value = serde_json::from_str(value)
                .unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
            map.insert((*last).to_owned(), value);
            Ok(())
        }
        [first, rest @ ..] => {
            let inner = map
                .entry((*first).to_owned())
                .or_insert_with(|| serde_json::Value::Object(super::job::JsonMap::new()));
            match inner {
                serde_json::Value::Object(inner) => set_option(inner, rest, value),
                _ => Err((format!("`{first}` has no parts"), None)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(spec: &JobSpec, field: &str, value: &str) -> Result<JobSpec, Vec<InvalidChange>> {
        changed(spec, &[(field.to_owned(), value.to_owned())])
    }

    #[test]
    fn fields_take_text_as_in_a_document() {
        let job = JobSpec::named("a");
        assert_eq!(set(&job, "gpus", "2").unwrap().gpus, Gpus::whole(2));
        assert_eq!(set(&job, "memory", "16G").unwrap().memory, Some("16G".parse().unwrap()));
        assert_eq!(set(&job, "time_limit", "4h").unwrap().time_limit.unwrap().secs(), 14_400);
        assert_eq!(set(&job, "env.SEED", "7").unwrap().env["SEED"], "7");
        assert_eq!(
            set(&job, "command", r#"["echo", "a b"]"#).unwrap().command,
            Some(Command::Argv(vec!["echo".into(), "a b".into()]))
        );
        assert_eq!(
            set(&job, "options.slurm.partition", "gpu").unwrap().options["slurm"]["partition"],
            "gpu"
        );
    }

    #[test]
    fn the_jobs_own_placeholders_are_filled_in() {
        let mut job = JobSpec::named("lr-1");
        job.group = Some("lr".into());
        job.params = [("x".to_owned(), "it's".to_owned())].into_iter().collect();
        let shell = |text: &str| Some(Command::Shell(text.into()));
        let given = set(&job, "command", "echo {x} {name} {{x}} {run} {not one}").unwrap();
        assert_eq!(given.command, shell(r"echo 'it'\''s' lr-1 {x} {run} {not one}"));
        assert!(given.holes, "`{{run}}` is filled in when it is sent");
        let list = set(&job, "args", r#"["{x}", "{name}"]"#).unwrap();
        assert_eq!(list.args, Some(Command::Argv(vec!["it's".into(), "lr-1".into()])));
        assert_eq!(set(&job, "env.V", "{x}-{attempt}").unwrap().env["V"], "it's-{attempt}");
        assert_eq!(set(&job, "project", "{x}").unwrap().project.as_deref(), Some("it's"));
    }

    #[test]
    fn a_placeholder_without_a_value_is_an_error_in_a_sweep_and_literal_elsewhere() {
        let mut job = JobSpec::named("lr-1");
        let given = set(&job, "command", "awk '{print}' {y}").unwrap();
        assert_eq!(given.command, Some(Command::Shell("awk '{print}' {y}".into())));
        job.group = Some("lr".into());
        job.params = [("seed".to_owned(), "3".to_owned())].into_iter().collect();
        for field in ["command", "args", "env.V", "image"] {
            let wrong = set(&job, field, "echo {sed}").unwrap_err();
            assert_eq!(wrong[0].why, "the placeholder `{sed}` has no value", "{field}");
            assert_eq!(wrong[0].hint.as_deref(), Some("did you mean `{seed}`?"));
        }
        let wrong = set(&job, "command", "awk '{print}'").unwrap_err();
        assert_eq!(wrong[0].hint.as_deref(), Some("write `{{print}}` for the text itself"));
    }

    #[test]
    fn literal_braces_are_not_mixed_with_those_that_are_filled_in() {
        let mut job = JobSpec::named("a");
        job.command = Some(Command::Shell("echo {{run}}".into()));
        assert!(set(&job, "env.V", "{run}").is_err(), "the command would be filled in too");
        assert!(!set(&job, "env.V", "{{run}}").unwrap().holes);
        job.command = Some(Command::Shell("echo {run}".into()));
        job.holes = true;
        assert!(set(&job, "env.V", "{{run}}").is_err(), "it would be filled in too");
        assert!(set(&job, "env.V", "{run}").unwrap().holes);
        assert!(set(&job, "project", "{{run}}").is_ok(), "nothing is filled in there");
    }

    #[test]
    fn an_empty_text_removes() {
        let mut job = JobSpec::named("a");
        job.memory = Some("1G".parse().unwrap());
        Arc::make_mut(&mut job.env).insert("A".into(), "1".into());
        assert_eq!(set(&job, "memory", "").unwrap().memory, None);
        assert!(set(&job, "env.A", "").unwrap().env.is_empty());
        assert_eq!(set(&job, "gpus", "").unwrap().gpus, Gpus::ZERO);
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let wrong = changed(
            &JobSpec::named("a"),
            &[
                ("gpus".into(), "-1".into()),
                ("memry".into(), "1G".into()),
                ("time_limit".into(), "90".into()),
                ("name".into(), "b".into()),
                ("workers".into(), "2".into()),
                ("env".into(), "A=1".into()),
                ("cpus".into(), "nan".into()),
                ("max_retries".into(), "-1".into()),
                ("gpus".into(), "1.5".into()),
            ],
        )
        .unwrap_err();
        assert_eq!(wrong.len(), 9);
        assert_eq!(wrong[1].hint.as_deref(), Some("did you mean `memory`?"));
    }
}

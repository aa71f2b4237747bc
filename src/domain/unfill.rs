//! From the texts of a group's jobs back to the one text they were made of: what
//! differs between them as placeholders.
//!
//! ```text
//! texts + values by job ─search▶ [text │ value] ─write▶ text with placeholders ─render▶ the same texts
//! ```
//! What was written is not kept, so it is found again: a walk through all texts at once,
//! which at every place takes a parameter's value where all of them have it, else the
//! character they share. The answer is rendered for every job before it is given.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use super::{
    placeholder::{Mode, Scope, Template, Values, literal},
    shell::Context,
};

/// Jobs that the walk looks at; all are looked at when its answer is checked.
const SAMPLE: usize = 32;
/// Places the walk may come to before it gives up.
const MOST_PLACES: usize = 20_000;

/// The jobs of a group: their parameters, and the values of each.
#[derive(Clone, Copy, Debug)]
pub struct Jobs<'a> {
    pub params: &'a [Arc<str>],
    pub values: &'a [Values<'a>],
}

/// The text whose placeholders, filled in, give each job its text. `holes`: `{run}` and
/// `{attempt}` in it are filled in when a job is sent. `None`: none was found.
pub fn unfill(texts: &[&str], jobs: Jobs<'_>, mode: Mode, holes: bool) -> Option<String> {
    let first = texts.first()?;
    if texts.iter().all(|text| text == first) {
        return Some(literal(first, holes));
    }
    let scope = Scope { params: jobs.params, strict: true, name: true, holes };
    let gives = |text: &String| {
        let Ok(template) = Template::new(text, mode, scope) else { return false };
        let mut pairs = jobs.values.iter().zip(texts);
        pairs.all(|(values, wanted)| template.render(*values).is_ok_and(|text| text == **wanted))
    };
    // A value in quotes looks like one that was quoted because of its place: the places
    // where that is done come second.
    let ways = [false, true].into_iter().filter_map(|odd| Walk::new(texts, jobs, mode, odd).find());
    ways.flat_map(|pieces| [false, true].map(|exact| write(&pieces, jobs.params, exact, holes)))
        .find(gives)
}

/// A piece of the text that is sought.
#[derive(Clone, Copy, Debug)]
enum Piece {
    Text(char),
    Value {
        /// Index of the parameter; one behind the last is the job's name.
        source: usize,
        /// It stands there as it is, not quoted for a shell.
        raw: bool,
    },
}

/// The pieces as text. `exact`: values that stand there as they are say so, where the
/// plain placeholder might quote them.
fn write(pieces: &[Piece], params: &[Arc<str>], exact: bool, holes: bool) -> String {
    // No text holds NUL, so it marks where a placeholder goes while braces are escaped.
    let marked: String = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(c) => *c,
            Piece::Value { .. } => '\0',
        })
        .collect();
    let placeholders = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Value { source, raw } => {
            let name = params.get(*source).map_or("name", |name| name);
            Some(if *raw && exact { format!("{{{name}!raw}}") } else { format!("{{{name}}}") })
        }
    });
    let escaped = literal(&marked, holes);
    let mut texts = escaped.split('\0');
    let mut out = texts.next().unwrap_or_default().to_owned();
    for (placeholder, text) in placeholders.zip(texts) {
        out.push_str(&placeholder);
        out.push_str(text);
    }
    out
}

/// A value as it may stand in the texts of the sample.
#[derive(Debug)]
struct Form<'a> {
    piece: Piece,
    texts: Vec<Cow<'a, str>>,
}

impl Form<'_> {
    fn len(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }
}

/// A place in the texts of the sample: how far each was read.
type At = Vec<u32>;

/// The search for the pieces; every place is looked at once.
#[derive(Debug)]
struct Walk<'a> {
    texts: Vec<&'a str>,
    /// Longest first.
    forms: Vec<Form<'a>>,
}

impl<'a> Walk<'a> {
    /// `odd`: values may also stand where more of them are quoted than elsewhere.
    fn new(texts: &[&'a str], jobs: Jobs<'a>, mode: Mode, odd: bool) -> Self {
        let picked = sample(texts.len());
        let values: Vec<Values<'a>> =
            picked.iter().filter_map(|n| jobs.values.get(*n).copied()).collect();
        let mut forms: Vec<Form> = (0..=jobs.params.len())
            .filter_map(|source| {
                let of = |job: &Values<'a>| match source {
                    source if source == jobs.params.len() => Some(job.name),
                    source => job.params.get(source).copied().flatten(),
                };
                Some((source, values.iter().map(of).collect::<Option<Vec<_>>>()?))
            })
            .flat_map(|(source, values)| forms_of(source, &values, mode, odd))
            .collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let texts = picked.iter().filter_map(|n| texts.get(*n).copied()).collect();
        Self { texts, forms }
    }

    /// The first way through all texts, values before shared characters.
    fn find(&self) -> Option<Vec<Piece>> {
        let start: At = vec![0; self.texts.len()];
        let mut seen = HashSet::from([start.clone()]);
        // The way so far: each place with the pieces that are left to try there.
        let mut way = vec![(self.choices(&start), start)];
        let mut pieces = Vec::new();
        while let Some((choices, at)) = way.last_mut() {
            if self.texts.iter().zip(&*at).all(|(text, at)| text.len() == *at as usize) {
                return Some(pieces);
            }
            match choices.pop() {
                None => {
                    way.pop();
                    pieces.pop();
                }
                Some((piece, next)) if seen.insert(next.clone()) => {
                    if seen.len() > MOST_PLACES {
                        return None;
                    }
                    pieces.push(piece);
                    way.push((self.choices(&next), next));
                }
                Some(_) => {}
            }
        }
        None
    }

    /// What may stand here, with the place behind it; the best is last.
    fn choices(&self, at: &At) -> Vec<(Piece, At)> {
        let rest: Vec<&str> = self
            .texts
            .iter()
            .zip(at)
            .map(|(text, at)| text.get(*at as usize..).unwrap_or_default())
            .collect();
        let shared = rest.first().and_then(|text| text.chars().next());
        let shared = shared.filter(|c| rest.iter().all(|text| text.starts_with(*c)));
        let text = shared.map(|c| {
            (Piece::Text(c), at.iter().map(|at| at + c.len_utf8() as u32).collect::<At>())
        });
        let fits = |form: &&Form| {
            rest.iter().zip(&form.texts).all(|(text, value)| text.starts_with(&**value))
        };
        let values = self.forms.iter().filter(fits).map(|form| {
            let behind = at.iter().zip(&form.texts).map(|(at, value)| at + value.len() as u32);
            (form.piece, behind.collect::<At>())
        });
        let mut choices: Vec<_> = values.chain(text).collect();
        choices.reverse();
        choices
    }
}

/// The ways in which a source's values may be written. Values that are the same in all
/// jobs are found as shared text.
fn forms_of<'a>(source: usize, values: &[&'a str], mode: Mode, odd: bool) -> Vec<Form<'a>> {
    if values.windows(2).all(|pair| pair.first() == pair.last()) {
        return Vec::new();
    }
    let raw: Vec<Cow<str>> = values.iter().map(|value| Cow::Borrowed(*value)).collect();
    let mut forms = vec![Form { piece: Piece::Value { source, raw: true }, texts: raw }];
    if mode == Mode::Plain {
        return forms;
    }
    // The first word of a command and digits before `>` are quoted more often.
    let bare = |command, redirect| Context::Bare { command, redirect };
    let usual = [bare(false, false), Context::Single, Context::Double];
    let others = [bare(true, false), bare(false, true), bare(true, true)];
    let inserted = |context: &Context, value: &str| {
        let mut out = String::new();
        context.insert(&mut out, value).ok().map(|()| Cow::Owned(out))
    };
    for context in usual.iter().chain(others.iter().filter(|_| odd)) {
        let texts = values.iter().map(|value| inserted(context, value)).collect::<Option<Vec<_>>>();
        let Some(texts) = texts else { continue };
        if forms.iter().all(|known| known.texts != texts) {
            forms.push(Form { piece: Piece::Value { source, raw: false }, texts });
        }
    }
    forms
}

/// Positions among `count` jobs: the first, the last, and some all over between them.
fn sample(count: usize) -> Vec<usize> {
    if count <= SAMPLE {
        return (0..count).collect();
    }
    // A step without a factor in common with lengths of parameters, mostly.
    let step = (count / SAMPLE).max(1) | 1;
    let between = (0..SAMPLE - 2).map(|n| (n * step + n) % count);
    let mut picked: Vec<usize> = [0, count - 1].into_iter().chain(between).collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found for texts made of `template`, with these values of `a` and `b`.
    fn found(template: &str, mode: Mode, rows: &[[&str; 2]]) -> Option<String> {
        let params: Vec<Arc<str>> = vec!["a".into(), "b".into()];
        let names: Vec<String> = (1..=rows.len()).map(|n| format!("job-{n}")).collect();
        let values: Vec<[Option<&str>; 2]> = rows.iter().map(|row| row.map(Some)).collect();
        let values: Vec<Values> = values
            .iter()
            .zip(&names)
            .map(|(params, name)| Values { params: params.as_slice(), name })
            .collect();
        let scope = Scope { params: &params, strict: true, name: true, holes: true };
        let template = Template::new(template, mode, scope).unwrap();
        let texts: Vec<String> = values.iter().map(|v| template.render(*v).unwrap()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        unfill(&texts, Jobs { params: &params, values: &values }, mode, template.holes() > 0)
    }

    #[test]
    fn what_was_written_is_found_again() {
        let rows = [["1e-3", "0"], ["1e-3", "1"], ["1e-2", "0"], ["1e-2", "1"]];
        for text in [
            "python train.py --lr {a} --seed {b}",
            "{a}{b}",
            "echo {name} > out/{a}/{run}.{attempt}",
            r#"{{"lr": {{"of": {a}}}}} {{name}} ${HOME:-{a}} $$"#,
            "echo 1 0 {b}",
            "the same for all {{x}}",
        ] {
            for mode in [Mode::Plain, Mode::Shell] {
                assert_eq!(found(text, mode, &rows).as_deref(), Some(text), "{mode:?}");
            }
        }
    }

    #[test]
    fn values_are_found_in_their_quotes() {
        let rows = [["it's", "$x"], ["a b", "\"y\""], ["c", "z"]];
        for text in ["echo {a} {b}", "echo '{a}-{b}' {a}", r#"echo "{b}" {a!raw}"#] {
            assert_eq!(found(text, Mode::Shell, &rows).as_deref(), Some(text));
        }
        // Values that need no quotes stand in them all the same.
        let rows = [["007", "a"], ["it's", "b"]];
        for text in ["echo '{a}'", "echo '{a}' {b}", "'{a}'>f"] {
            assert_eq!(found(text, Mode::Shell, &rows).as_deref(), Some(text));
        }
        // A number before `>` and the first word are quoted.
        let rows = [["1", "if"], ["2", "ls"]];
        assert_eq!(found("{b} {a}", Mode::Shell, &rows).as_deref(), Some("{b} {a}"));
        let as_well = Some("echo '{a}'>f");
        assert_eq!(found("echo {a}>f", Mode::Shell, &rows).as_deref(), as_well);
    }

    #[test]
    fn a_wrong_way_is_left_again() {
        let rows = [["1", "12"], ["12", "1"], ["2", "121"]];
        assert_eq!(found("{a}{b}1{a}", Mode::Plain, &rows).as_deref(), Some("{a}{b}1{a}"));
    }

    #[test]
    fn many_jobs_are_all_checked() {
        let texts: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let rows: Vec<[&str; 2]> = texts.iter().map(|n| [n.as_str(), "x"]).collect();
        assert_eq!(found("run {a} {b}", Mode::Shell, &rows).as_deref(), Some("run {a} x"));
    }

    #[test]
    fn texts_of_another_making_are_not_taken() {
        let params: Vec<Arc<str>> = vec!["a".into()];
        let rows = [[Some("1")], [Some("2")]];
        let values: Vec<Values> = rows.iter().map(|params| Values { params, name: "n" }).collect();
        let jobs = Jobs { params: &params, values: &values };
        assert_eq!(unfill(&["run 1", "run 3"], jobs, Mode::Shell, false), None);
        assert_eq!(unfill(&[], jobs, Mode::Shell, false), None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_found_gives_the_same_texts(
            text in r#"([{}$ '"a1]|\{\{x\}\}|\{a\}|\{b\}|\{name\}){0,10}"#,
            rows in proptest::collection::vec([r#"[1a' "$]{0,3}"#, "[01]{1,2}"], 1..5),
        ) {
            let rows: Vec<[&str; 2]> =
                rows.iter().map(|[a, b]| [a.as_str(), b.as_str()]).collect();
            let params: Vec<Arc<str>> = vec!["a".into(), "b".into()];
            let scope = Scope { params: &params, strict: true, name: true, holes: true };
            // What is found was checked to give these texts; here only: it is found at all
            // where no quoting is at play.
            if Template::new(&text, Mode::Plain, scope).is_ok() && !text.contains('$') {
                proptest::prop_assert!(found(&text, Mode::Plain, &rows).is_some());
            }
        }
    }
}

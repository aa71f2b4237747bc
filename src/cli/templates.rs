//! `templates`: the libraries, and the text of one template.

use super::{
    Answer,
    args::Templates as Args,
    out::{Out, Paint},
    table::{self, Cell, number, painted, text},
};
use crate::{
    app::{templates::refused, text::safe},
    domain::library::{Content, Library, Template},
    error::{Kind, Report},
    runtime::{
        answer::{SCHEMA_VERSION, TemplateAnswer, TemplateTextAnswer, TemplatesAnswer},
        templates::{self, Folders},
    },
};

/// `templates [NAME]`. Needs no configuration.
pub fn templates(out: &Out, args: &Args) -> Answer {
    let library = templates::read(&Folders::from_environment());
    for problem in &library.problems {
        out.warn(problem);
    }
    match &args.name {
        Some(name) => one(out, &library, name),
        None => all(out, &library),
    }
}

fn all(out: &Out, library: &Library) -> Answer {
    if out.json {
        let templates = library.templates.iter().map(TemplateAnswer::of).collect();
        let problems = library.problems.clone();
        let schema_version = SCHEMA_VERSION;
        out.document(&TemplatesAnswer { schema_version, templates, problems })?;
        return Ok(0);
    }
    let columns = [text("name"), text("tier"), number("jobs"), text("description")];
    let rows: Vec<Vec<Cell>> = library.templates.iter().map(row).collect();
    table::print(out, &columns, rows);
    Ok(0)
}

fn row(template: &Template) -> Vec<Cell> {
    let (jobs, about) = match (&template.content, template.trouble()) {
        (Ok(content), _) => (content.jobs.to_string(), Cell::from(content.description.clone())),
        (Err(_), trouble) => {
            let words = format!("✗ {}", trouble.unwrap_or_default());
            (String::new(), painted(Paint::Bad, words))
        }
    };
    let tier = painted(Paint::Dim, template.tier.word());
    vec![Cell::from(template.name.clone()), tier, Cell::from(jobs), about]
}

fn one(out: &Out, library: &Library, name: &str) -> Answer {
    let Some(template) = library.get(name) else {
        let report = Report::new(Kind::Usage, format!("no template is called `{name}`"));
        let near = library.nearest(name).map(|near| format!("did you mean `{near}`?"));
        let report = near.into_iter().fold(report, Report::hint);
        return Err(report.hint("`jobdeck templates` lists them"));
    };
    let content = template.content.as_ref().map_err(|fault| refused(template, fault))?;
    if out.json {
        out.document(&TemplateTextAnswer::of(template, content))?;
    } else {
        print(out, content);
    }
    Ok(0)
}

/// To a file as it is; nothing in it steers a terminal.
fn print(out: &Out, content: &Content) {
    if !out.terminal {
        return out.bytes(content.text.as_bytes());
    }
    for line in content.text.lines() {
        out.line(safe(line));
    }
}

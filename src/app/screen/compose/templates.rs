//! Templates: their jobs put in, the batch begun with one, jobs kept as one.
//!
//! ```text
//! T ─▶ Effect::ListTemplates ─▶ Msg::Templates ─▶ list ─Enter▶ an edit of the text
//! ^T ─▶ a name ─▶ Effect::SaveTemplate ─▶ Msg::TemplateSaved, or one is there: ask
//! ```

use std::path::Path;

use super::{
    Compose,
    chooser::{Chooser, Choosing},
    document::{Document, Shape, edit::EditError, splice::Splice},
};
use crate::{
    app::{
        effect::Effect,
        form::{
            Target, head_rank, job_rank,
            picker::{Choice, Picker},
            value,
        },
        overlay::{Confirm, Confirmed, Overlay, Prompt, PromptPurpose},
        screen::{Context, Step},
        templates::{hides, refused},
        text::{count, fit},
    },
    domain::{
        batch,
        fields::HEAD,
        job::JobType,
        library::{self, Content, Library, Template, Tier},
        tree::{Entry, Node, Span, Value},
    },
    error::{Kind, Report},
    yaml,
};

/// Fields of the head that say what jobs are, and stay with them.
const OF_JOBS: [&str; 2] = ["jobs", "defaults"];
/// Fields of the head that belong to one batch or one submission of it.
const OF_ONE_BATCH: [&str; 3] = ["name", "dry_run", "confirmed"];

impl Compose {
    pub(super) fn ask_template(&mut self) -> Vec<Step> {
        let picker = Picker::new(Vec::new(), "", false);
        self.chooser = Some(Chooser::new(Choosing::Template(None), picker));
        vec![Step::Do(Effect::ListTemplates)]
    }

    /// The libraries were read; whoever asked may have gone on to something else.
    pub(super) fn show_templates(&mut self, library: Library, cx: &Context<'_>) -> Vec<Step> {
        let waiting = self.chooser.as_mut().filter(|chooser| chooser.is_waiting());
        let Some(chooser) = waiting else { return Vec::new() };
        chooser.picker.choices = library.templates.iter().map(choice).collect();
        chooser.what = Choosing::Template(Some(library));
        if chooser.takes { self.take_template(cx) } else { Vec::new() }
    }

    /// Puts in the jobs of the template under the cursor. A batch that says nothing yet
    /// becomes the template as it is, comments and all.
    pub(super) fn take_template(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let template = self.chooser.as_ref().and_then(|chooser| chooser.template()).cloned();
        let Some(template) = template else { return Vec::new() };
        let content = match &template.content {
            Ok(content) => content,
            Err(fault) => return vec![Step::Push(Overlay::Error(refused(&template, fault)))],
        };
        self.chooser = None;
        let whole = Document::new(&content.text);
        if self.says_nothing() && !whole.is_empty() {
            self.begin_with(&template, whole.text(), cx)
        } else {
            self.put_in_jobs(&template, content, cx)
        }
    }

    /// There is no job, and nothing is settled for jobs to come.
    pub fn says_nothing(&self) -> bool {
        let head = match &self.doc.tree().shape {
            Shape::Empty | Shape::List => None,
            Shape::Map(head) => head.pairs(),
            Shape::Odd(_) => return false,
        };
        self.doc.is_empty() && head.unwrap_or_default().iter().all(|pair| pair.key == "jobs")
    }

    fn begin_with(&mut self, template: &Template, text: &str, cx: &Context<'_>) -> Vec<Step> {
        let old = self.doc.text();
        let comments = if self.doc.tree().shape == Shape::Empty { old.trim_end() } else { "" };
        let gap = if comments.is_empty() { "" } else { "\n\n" };
        let splice = Splice::new(0..old.len(), format!("{comments}{gap}{text}"));
        self.doc.remember(None);
        self.doc.edit_text(splice, None);
        self.doc.settle();
        self.doc.seal();
        if self.path.is_none() {
            self.given_name = Some(template.name.clone());
        }
        self.marks.clear();
        self.planned.forget_places();
        self.planned.entries = vec![None; self.doc.len()];
        self.set_filter("");
        self.cursor = Target::Entry(0);
        self.rebuild_form();
        self.keep_in_sight(cx);
        let mut steps = self.changed(cx);
        let name = &template.name;
        steps.push(Step::Notice(format!("begun with the template {name}; u takes it back")));
        steps
    }

    fn put_in_jobs(
        &mut self,
        template: &Template,
        content: &Content,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        // It was read when it was listed.
        let Ok(root) = yaml::parse(content.text.as_bytes()) else { return Vec::new() };
        let mut jobs = batch::jobs(&root, &template.name);
        if self.doc.default_of("type").is_some() {
            jobs.iter_mut().for_each(say_type);
        }
        let mut steps = match self.put_written(jobs, &content.text, cx) {
            Ok(steps) => steps,
            Err(why) => return vec![Step::Notice(why.to_string())],
        };
        let jobs = count(content.jobs as u64, "job");
        let without = match left_behind(&root).join(", ") {
            keys if keys.is_empty() => keys,
            keys => format!(" without its {keys}"),
        };
        let mut words = vec![format!("{jobs} of {}{without}", template.name)];
        if self.doc.field(None, "defaults").is_some() {
            words.push("this batch's defaults hold for them".into());
        }
        words.push("u takes it back".into());
        steps.push(Step::Notice(words.join("; ")));
        steps
    }

    pub(super) fn ask_template_name(&mut self) -> Vec<Step> {
        self.leave_field();
        if let Some(steps) = self.unreadable_first() {
            return steps;
        }
        let chosen = self.chosen();
        let first = chosen.first().and_then(|entry| self.entry_name(*entry)).unwrap_or_default();
        let suggestion = library::name(first).unwrap_or_default();
        let label = match chosen.len() {
            1 => "Save this job as a template named".to_owned(),
            n => format!("Save {n} entries as a template named"),
        };
        vec![Step::Push(name_prompt(label, suggestion))]
    }

    pub(super) fn save_template(&mut self, typed: &str) -> Vec<Step> {
        if typed.trim().is_empty() {
            return Vec::new();
        }
        let name = match library::name(typed) {
            Ok(name) => name.to_owned(),
            Err(why) => {
                let report = Report::new(Kind::Usage, format!("`{typed}`: {why}"))
                    .hint("it becomes the name of a file in your library");
                let again = name_prompt("Save as a template named".into(), typed);
                return vec![Step::Push(again), Step::Push(Overlay::Error(report))];
            }
        };
        match self.as_template(&self.chosen()) {
            Ok(text) => vec![Step::Do(Effect::SaveTemplate { name, text, replace: false })],
            Err(why) => vec![Step::Notice(why.to_string())],
        }
    }

    /// These entries as a document of their own, written as they are here; entries in
    /// ascending order. All of them together are the batch, with its head and what its
    /// opening comment says; some of them only have the defaults they take over.
    fn as_template(&self, chosen: &[usize]) -> Result<String, EditError> {
        let mut doc = self.doc.clone();
        doc.settle();
        let gone: Vec<usize> =
            (0..doc.len()).filter(|i| chosen.binary_search(i).is_err()).collect();
        let is_all = gone.is_empty();
        if !is_all {
            doc.remove(&gone, &job_rank)?;
        }
        let goes = |key: &&str| {
            if is_all { OF_ONE_BATCH.contains(key) } else { !OF_JOBS.contains(key) }
        };
        let pairs = doc.head().and_then(|head| head.pairs()).unwrap_or_default();
        let keys: Vec<String> =
            pairs.iter().map(|p| p.key.as_str()).filter(goes).map(str::to_owned).collect();
        for key in keys {
            doc.set_head(&key, None, None, &head_rank)?;
        }
        let text = if is_all { doc.text() } else { without_opening(doc.text()) };
        if doc.tree().json || !library::description(text).is_empty() {
            return Ok(text.to_owned());
        }
        Ok(format!("# Saved from {}.\n{text}", fit(&self.title(), 60)))
    }
}

fn name_prompt(label: String, suggestion: &str) -> Overlay {
    Overlay::Prompt(Prompt::new(label, suggestion, PromptPurpose::TemplateName))
}

/// A template of this name is there: it is replaced only after a `y`.
pub(super) fn ask_to_replace(name: String, path: &Path, text: String) -> Vec<Step> {
    let title = format!("Replace the template {name}?");
    let lines = vec![path.display().to_string(), "it is there already".into()];
    let save = Effect::SaveTemplate { name, text, replace: true };
    let confirm = Confirm::new(title, lines, Confirmed::Discard(Box::new(save)));
    vec![Step::Push(Overlay::Confirm(confirm))]
}

pub(super) fn template_saved(name: &str, path: &Path, shadows: &[Tier]) -> Vec<Step> {
    let words = hides(shadows).map(|hides| format!("; it {hides}")).unwrap_or_default();
    vec![Step::Notice(format!("template {name} saved{words}: {}", path.display()))]
}

/// A line of the list: whose it is, how many jobs, what for.
fn choice(template: &Template) -> Choice {
    let tier = template.tier.word();
    let note = match &template.content {
        Ok(Content { jobs, description, .. }) => {
            let word = if *jobs == 1 { "job" } else { "jobs" };
            format!("{tier:<8}  {jobs:>4} {word:<4}  {description}")
        }
        Err(fault) => format!("{tier:<8}  {:>4} {:<4}  {}", "✗", "", fault.message),
    };
    Choice::new(template.name.as_str(), note)
}

/// A job that does not say its type is a training, whatever this batch's defaults say.
fn say_type(job: &mut Node) {
    let Value::Map(entries) = &mut job.value else { return };
    if !entries.iter().any(|e| e.key == "type") {
        let value = value::string(JobType::Training.word());
        entries.insert(0, Entry { key: "type".into(), key_span: Span::default(), value });
    }
}

/// What the head of a template says of a whole batch.
fn left_behind(root: &Node) -> Vec<&'static str> {
    HEAD.iter()
        .map(|field| field.key)
        .filter(|key| !OF_JOBS.contains(key) && !OF_ONE_BATCH.contains(key))
        .filter(|key| root.get(key).is_some())
        .collect()
}

/// A text without the comment that opens it.
fn without_opening(text: &str) -> &str {
    let is_comment = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let opening = text.split_inclusive('\n').take_while(|line| is_comment(line));
    text.get(opening.map(str::len).sum()..).unwrap_or(text)
}

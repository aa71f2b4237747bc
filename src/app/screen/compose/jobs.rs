//! What is done to whole jobs: new ones, copies, pastes, deleting, moving.

use std::collections::BTreeSet;

use super::{
    Compose,
    chooser::{Chooser, Choosing},
    document::{Document, edit::EditError, entries::NewName},
    import::Imported,
    names::next_name,
};
use crate::{
    app::{
        form::{
            Target, head_rank, job_rank,
            picker::{Choice, Picker},
            value,
        },
        screen::{Context, Step},
        text,
    },
    domain::{
        job::JobType,
        site::ClusterKind,
        tree::{Entry, Node, Span, Value},
    },
};

impl Compose {
    /// The entries an action is about: the marked ones, else the current one.
    pub(super) fn chosen(&self) -> Vec<usize> {
        if !self.marks.is_empty() {
            return self.marks.iter().copied().collect();
        }
        match self.cursor {
            Target::Entry(i) => vec![i],
            Target::Batch => Vec::new(),
        }
    }

    pub(super) fn ask_type(&mut self) {
        let note = |t| match t {
            JobType::Training => "one process, also a sweep of many",
            JobType::Distributed => "workers that start together",
            JobType::Workspace => "an interactive tool that keeps running",
            JobType::Method => "a registered method on a file (dsHPC)",
        };
        let choices = JobType::ALL.map(|t| Choice::new(t.word(), note(t))).to_vec();
        let current = match self.cursor {
            Target::Entry(i) => self.entry_type(i),
            Target::Batch => JobType::Training,
        };
        let picker = Picker::new(choices, current.word(), false);
        self.chooser = Some(Chooser::new(Choosing::JobType, picker));
    }

    /// Adds a job of a type behind the current one and opens its form.
    pub(super) fn add(&mut self, job_type: JobType, cx: &Context<'_>) -> Vec<Step> {
        let at = match self.cursor {
            Target::Entry(i) => i + 1,
            Target::Batch => self.doc.len(),
        };
        let names = self.names();
        let name = (1..=names.len() + 1)
            .map(|n| format!("job{n}"))
            .find(|name| !names.contains(name.as_str()))
            .unwrap_or_else(|| "job".into());
        let node = self.fresh(job_type, &name, cx);
        self.doc.remember(Some(at));
        if let Err(why) = self.doc.insert(at, &[node], &job_rank) {
            return vec![Step::Notice(why.to_string())];
        }
        self.doc.seal();
        self.set_filter("");
        self.remap(|i| if i >= at { i + 1 } else { i });
        self.planned.entries.insert(at.min(self.planned.entries.len()), None);
        self.cursor = Target::Entry(at);
        self.enter_form(Some("name"));
        self.keep_in_sight(cx);
        let steps = self.changed(cx);
        self.form.prefilled = true;
        steps
    }

    /// A paste into the table: a batch, a script or a list of commands becomes jobs
    /// behind the current one.
    pub(super) fn paste_jobs(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        if self.chooser.is_some() || text.trim().is_empty() {
            return Vec::new();
        }
        let imported = super::import::paste(text);
        let (kind, note) = (imported.kind, self.limit_note(&imported));
        let at = match self.cursor {
            Target::Entry(i) => i + 1,
            Target::Batch => self.doc.len(),
        };
        self.doc.remember(Some(at));
        let count = match self.put_imported(at, imported) {
            Ok(count) => count,
            Err(why) => return vec![Step::Notice(why.to_string())],
        };
        let mut steps = self.came_in(at, count, cx);
        let jobs = text::count(count as u64, "job");
        steps.push(Step::Notice(format!("{jobs} of {kind}{note}; u takes it back")));
        steps
    }

    /// Writes imported jobs, as one step, before the entry `at`. How many of them run at
    /// once is a setting of the whole batch, so it is taken over where they are the batch.
    pub(super) fn put_imported(
        &mut self,
        at: usize,
        imported: Imported,
    ) -> Result<usize, EditError> {
        const STEP: Option<&str> = Some("import");
        let at_once = imported.at_once.filter(|_| self.doc.is_empty());
        let nodes = self.named(imported.jobs);
        self.doc.seal();
        if let Some(most) = at_once {
            let most = value::plain(&most.to_string());
            self.doc.set_head("max_concurrent", Some(&most), STEP, &head_rank)?;
        }
        self.doc.insert_as(at, &nodes, STEP, &job_rank)?;
        self.doc.seal();
        Ok(nodes.len())
    }

    /// What is said of a limit that is not taken over.
    pub(super) fn limit_note(&self, imported: &Imported) -> String {
        match imported.at_once.filter(|_| !self.doc.is_empty()) {
            Some(most) => format!(
                ", without its limit of {most} at once: max_concurrent counts all jobs of a batch"
            ),
            None => String::new(),
        }
    }

    /// Adds the jobs of another document at the end, as one step, under names that are
    /// free. They say what these nodes do, written as in `text` with its comments.
    pub(super) fn put_written(
        &mut self,
        jobs: Vec<Node>,
        text: &str,
        cx: &Context<'_>,
    ) -> Result<Vec<Step>, EditError> {
        let at = self.doc.len();
        let nodes = self.named(jobs);
        self.doc.remember(Some(at));
        match rewritten(text, &nodes) {
            Some(other) => self.doc.insert_from(at, &other, &job_rank)?,
            None => self.doc.insert(at, &nodes, &job_rank)?,
        }
        self.doc.seal();
        Ok(self.came_in(at, nodes.len(), cx))
    }

    /// Entries have come in, the first of them as entry `at`: the cursor goes there.
    fn came_in(&mut self, at: usize, count: usize, cx: &Context<'_>) -> Vec<Step> {
        self.set_filter("");
        self.remap(|i| if i >= at { i + count } else { i });
        let slot = at.min(self.planned.entries.len());
        self.planned.entries.splice(slot..slot, vec![None; count]);
        self.cursor = Target::Entry(at);
        self.rebuild_form();
        self.keep_in_sight(cx);
        self.changed(cx)
    }

    /// A job that is valid at once where plain processes run.
    fn fresh(&self, job_type: JobType, name: &str, cx: &Context<'_>) -> Node {
        let mut pairs: Vec<(&str, Node)> = Vec::new();
        let inherited = self.doc.default_of("type").is_some();
        if job_type != JobType::Training || inherited {
            pairs.push(("type", value::string(job_type.word())));
        }
        pairs.push(("name", value::string(name)));
        match job_type {
            JobType::Training => pairs.push(("command", value::string("echo hello"))),
            JobType::Distributed => {
                pairs.push(("workers", value::plain("2")));
                pairs.push(("command", value::string("echo worker $RANK of $WORLD_SIZE")));
            }
            JobType::Workspace => {
                pairs.push(("workspace_type", value::string("jupyter")));
                pairs.push(("command", value::string("jupyter lab --no-browser")));
            }
            JobType::Method => {
                let place = cx.clusters.iter().find(|c| c.kind == ClusterKind::Dshpc);
                if let Some(cluster) = place {
                    pairs.push(("cluster", value::string(cluster.id.as_str())));
                }
                pairs.push(("file_hash", value::string("")));
                pairs.push(("method_name", value::string("")));
            }
        }
        let entries = pairs
            .into_iter()
            .map(|(key, value)| Entry { key: key.into(), key_span: Span::default(), value })
            .collect();
        Node { span: Span::default(), value: Value::Map(entries) }
    }

    /// Copies the chosen jobs, each right behind itself, under new names.
    pub(super) fn duplicate(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let chosen = self.chosen();
        let mut names: BTreeSet<String> = self.names().into_iter().map(str::to_owned).collect();
        self.doc.remember(chosen.first().copied());
        let copies: Vec<NewName<'_>> = chosen
            .iter()
            .map(|&entry| {
                let unnamed = self.doc.scalar(entry, "name").is_none();
                let alias = unnamed && self.doc.scalar(entry, "job_id").is_some();
                let key = if alias { "job_id" } else { "name" };
                let name = self.doc.scalar(entry, key).map(|name| {
                    let fresh = next_name(name, &names);
                    names.insert(fresh.clone());
                    (key, fresh)
                });
                NewName { entry, name }
            })
            .collect();
        if let Err(why) = self.doc.duplicate(&copies, &job_rank) {
            return vec![Step::Notice(why.to_string())];
        }
        let last = chosen.last().map(|entry| entry + chosen.len());
        self.remap(|i| i + chosen.partition_point(|c| *c < i));
        let mut summaries = Vec::with_capacity(self.planned.entries.len() + chosen.len());
        for (i, summary) in std::mem::take(&mut self.planned.entries).into_iter().enumerate() {
            let copied = chosen.binary_search(&i).is_ok();
            summaries.push(summary.clone());
            if copied {
                summaries.push(summary);
            }
        }
        self.planned.entries = summaries;
        self.doc.seal();
        let Some(copy) = last else { return Vec::new() };
        self.cursor = Target::Entry(copy);
        // With several copies the marks go over to them, ready to be changed at once.
        if chosen.len() > 1 {
            self.marks = chosen.iter().enumerate().map(|(done, entry)| entry + done + 1).collect();
        }
        self.refilter();
        self.rebuild_form();
        self.changed(cx)
    }

    pub(super) fn delete(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let gone = self.chosen();
        self.doc.remember(gone.first().copied());
        if let Err(why) = self.doc.remove(&gone, &job_rank) {
            return vec![Step::Notice(why.to_string())];
        }
        self.doc.seal();
        self.marks.clear();
        let first = gone.first().copied().unwrap_or(0);
        let mut index = 0;
        self.planned.entries.retain(|_| {
            index += 1;
            gone.binary_search(&(index - 1)).is_err()
        });
        self.unwritten.retain(|(target, _), _| match target {
            Target::Entry(i) => gone.binary_search(i).is_err(),
            Target::Batch => true,
        });
        self.remap(|i| i - gone.partition_point(|g| *g < i));
        if let Target::Entry(i) = self.cursor {
            let before = gone.iter().filter(|g| **g < i).count();
            let at = if gone.len() == 1 { first } else { i - before };
            self.cursor = Target::Entry(at);
        }
        self.refilter();
        self.clamp();
        self.rebuild_form();
        let what = if gone.len() == 1 { "job".into() } else { format!("{} jobs", gone.len()) };
        let mut steps = self.changed(cx);
        steps.push(Step::Notice(format!("{what} deleted; u takes it back")));
        steps
    }

    pub(super) fn swap(&mut self, by: isize, cx: &Context<'_>) -> Vec<Step> {
        let Target::Entry(i) = self.cursor else { return Vec::new() };
        let Some(to) = i.checked_add_signed(by).filter(|to| *to < self.doc.len()) else {
            return Vec::new();
        };
        let first = i.min(to);
        self.doc.remember(Some(i));
        if let Err(why) = self.doc.swap_with_next(first, &job_rank) {
            return vec![Step::Notice(why.to_string())];
        }
        self.doc.seal();
        self.remap(|at| match at {
            at if at == i => to,
            at if at == to => i,
            at => at,
        });
        if i.max(to) < self.planned.entries.len() {
            self.planned.entries.swap(i, to);
        }
        self.cursor = Target::Entry(to);
        self.rebuild_form();
        self.changed(cx)
    }

    /// Entries have new places: what is kept by place moves along.
    fn remap(&mut self, to: impl Fn(usize) -> usize) {
        self.marks = self.marks.iter().map(|i| to(*i)).collect();
        self.unwritten = std::mem::take(&mut self.unwritten)
            .into_iter()
            .map(|((target, key), text)| {
                let target = match target {
                    Target::Entry(i) => Target::Entry(to(i)),
                    Target::Batch => Target::Batch,
                };
                ((target, key), text)
            })
            .collect();
        self.planned.forget_places();
    }
}

/// A document whose entries say what these nodes do: what they say otherwise is
/// changed where it is written. `None`: its entries are others, or so many that
/// changing one after the other would keep the screen waiting.
fn rewritten(text: &str, nodes: &[Node]) -> Option<Document> {
    const MOST: usize = 500;
    let mut doc = Document::new(text);
    if doc.len() != nodes.len() || nodes.len() > MOST {
        return None;
    }
    for (i, node) in nodes.iter().enumerate() {
        let Value::Map(entries) = &node.value else { continue };
        for entry in entries {
            doc.set(i, &entry.key, Some(&entry.value), None, &job_rank).ok()?;
        }
    }
    Some(doc)
}

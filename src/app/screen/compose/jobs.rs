//! What is done to whole jobs: new ones, copies, pastes, deleting, moving.

use std::collections::BTreeSet;

use crossterm::event::KeyEvent;

use super::{Compose, document::edit::EditError, import::Imported};
use crate::{
    app::{
        form::{
            Target, head_rank, job_rank,
            picker::{Choice, Picked, Picker},
            value,
        },
        screen::{Context, Step, compose::document::entries::NewName},
    },
    domain::{
        job::JobType,
        site::ClusterKind,
        tree::{Entry, Node, Span, Value},
    },
};

impl Compose {
    /// The entries an action is about: the marked ones, else the current one.
    fn chosen(&self) -> Vec<usize> {
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
        self.new_job = Some(Picker::new(choices, current.word(), false));
    }

    pub(super) fn new_job_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Vec<Step> {
        let Some(picker) = &mut self.new_job else { return Vec::new() };
        let picked = picker.on_key(key);
        match picked {
            Picked::Open => Vec::new(),
            Picked::Closed => {
                self.new_job = None;
                Vec::new()
            }
            Picked::Value(word) => {
                self.new_job = None;
                let job_type =
                    JobType::ALL.into_iter().find(|t| t.word() == word).unwrap_or_default();
                self.add(job_type, cx)
            }
        }
    }

    /// Adds a job of a type behind the current one and opens its form.
    fn add(&mut self, job_type: JobType, cx: &Context<'_>) -> Vec<Step> {
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
        if self.new_job.is_some() || text.trim().is_empty() {
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
        self.set_filter("");
        self.remap(|i| if i >= at { i + count } else { i });
        let slot = at.min(self.planned.entries.len());
        self.planned.entries.splice(slot..slot, vec![None; count]);
        self.cursor = Target::Entry(at);
        self.rebuild_form();
        self.keep_in_sight(cx);
        let mut steps = self.changed(cx);
        let jobs = if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") };
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

    /// Gives jobs names that are free, and keeps those they have where they are.
    pub(super) fn named(&self, jobs: Vec<Node>) -> Vec<Node> {
        let mut taken: BTreeSet<String> = self.names().into_iter().map(str::to_owned).collect();
        let mut next = 1;
        jobs.into_iter()
            .map(|mut job| {
                let Value::Map(entries) = &mut job.value else { return job };
                let own = entries
                    .iter()
                    .position(|e| e.key == "name" || e.key == "job_id")
                    .and_then(|at| entries.get_mut(at));
                if let Some(entry) = own {
                    if let Some(name) = entry.value.as_scalar().map(|s| s.text.clone()) {
                        if taken.contains(&name) {
                            let fresh = next_name(&name, &taken);
                            entry.value = value::string(&fresh);
                            taken.insert(fresh);
                        } else {
                            taken.insert(name);
                        }
                    }
                    return job;
                }
                while taken.contains(&format!("job{next}")) {
                    next += 1;
                }
                let name = format!("job{next}");
                entries.insert(
                    0,
                    Entry {
                        key: "name".into(),
                        key_span: Span::default(),
                        value: value::string(&name),
                    },
                );
                taken.insert(name);
                job
            })
            .collect()
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

/// The next free name: `job1` → `job2`, `eval` → `eval-copy`, `eval-copy2`.
pub(super) fn next_name(name: &str, taken: &BTreeSet<String>) -> String {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = name.get(stem.len()..).unwrap_or("");
    if let Ok(n) = digits.parse::<u64>()
        && !stem.is_empty()
    {
        let width = if digits.starts_with('0') { digits.len() } else { 0 };
        let n = n.saturating_add(1);
        return (n..=n.saturating_add(taken.len() as u64))
            .map(|n| format!("{stem}{n:0width$}"))
            .find(|name| !taken.contains(name))
            .unwrap_or_default();
    }
    let first = format!("{name}-copy");
    if !taken.contains(&first) {
        return first;
    }
    (2..=taken.len() + 2)
        .map(|n| format!("{name}-copy{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

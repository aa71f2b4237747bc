//! Values of the fields of a form: read from the document, chosen from what is
//! known, written back.

use super::{
    Compose,
    document::{
        edit::EditError,
        emit::{self, Style},
    },
};
use crate::{
    app::{
        form::{
            Row, Target,
            editor::Editor,
            head_rank, job_rank,
            picker::{Choice, Picker},
            value,
        },
        screen::{Context, Step},
    },
    domain::{
        fields::{self, FieldKind},
        finding::Finding,
        job::JobType,
        tree::{Node, Span, Value},
    },
};

/// Names that a pick-list offers at most.
const MAX_CHOICES: usize = 500;

impl Compose {
    /// The key a field has in the document: its own or an alias.
    pub(super) fn written_key<'a>(&self, target: Target, row: &'a Row) -> Option<&'a str> {
        let Row::Field(spec) = row else { return row.key() };
        let item = match target {
            Target::Batch => self.doc.head(),
            Target::Entry(i) => self.doc.entry(i),
        };
        let there = |key: &str| item.is_some_and(|i| i.get(key).is_some());
        if there(spec.key) {
            return Some(spec.key);
        }
        Some(spec.aliases.iter().find(|a| there(a)).copied().unwrap_or(spec.key))
    }

    /// A field's value as written.
    pub fn field_node(&self, target: Target, row: &Row) -> Option<Node> {
        if let Row::Default(spec) = row {
            return self.doc.default_of(spec.key);
        }
        let key = self.written_key(target, row)?;
        let node = match target {
            Target::Batch => self.doc.field(None, key),
            Target::Entry(i) => self.doc.field(Some(i), key),
        }?;
        // Ray's preference of one cluster leaves the others open.
        if key == "preferred_cluster" && node.as_scalar().is_some() && !node.is_null() {
            let items = vec![node, value::string("auto")];
            return Some(Node { span: Span::default(), value: Value::Seq(items) });
        }
        Some(node)
    }

    /// A field's text as the form shows it.
    pub fn field_text(&self, target: Target, row: &Row) -> String {
        if let Some(key) = row.key()
            && let Some(text) = self.unwritten.get(&(target, key.to_owned()))
        {
            return text.clone();
        }
        self.field_node(target, row).map_or_else(String::new, |n| value::show(row.kind(), &n))
    }

    /// Changes the document. Texts that say nothing yet stay with their fields,
    /// unless the change was about those.
    pub(super) fn keeping_unwritten<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> T {
        let name = |compose: &Self, target| match target {
            Target::Entry(i) => compose.entry_name(i).map(str::to_owned),
            Target::Batch => None,
        };
        let written = |compose: &Self, target, key: &str| {
            let node = match target {
                Target::Entry(i) => compose.doc.field(Some(i), key),
                Target::Batch => compose.doc.field(None, key).or(compose.doc.default_of(key)),
            };
            node.map(|node| emit::inline(&node, Style::Flow))
        };
        let before: Vec<_> = std::mem::take(&mut self.unwritten)
            .into_iter()
            .map(|((target, key), text)| {
                let (name, value) = (name(self, target), written(self, target, &key));
                (target, key, text, name, value)
            })
            .collect();
        let count = self.doc.len();
        let done = change(self);
        for (target, key, text, was_called, value) in before {
            let target = match target {
                Target::Entry(i) if name(self, target) != was_called => {
                    let called = |i: &usize| self.entry_name(*i) == was_called.as_deref();
                    let moved = (0..self.doc.len()).find(called);
                    moved.or((self.doc.len() == count).then_some(i)).map(Target::Entry)
                }
                target => Some(target),
            };
            if let Some(target) = target
                && written(self, target, &key) == value
            {
                self.unwritten.insert((target, key), text);
            }
        }
        done
    }

    /// What an empty field inherits from the defaults.
    pub fn inherited(&self, target: Target, row: &Row) -> Option<String> {
        let node = self.inherited_node(target, row)?;
        Some(value::show(row.kind(), &node)).filter(|t| !t.is_empty())
    }

    fn inherited_node(&self, target: Target, row: &Row) -> Option<Node> {
        let (Target::Entry(_), Row::Field(spec)) = (target, row) else { return None };
        self.doc.default_of(spec.key).filter(|_| spec.defaultable)
    }

    /// What a map inherits beside its own keys.
    pub fn inherited_keys(&self, target: Target, row: &Row) -> Option<String> {
        let mut node = self.inherited_node(target, row)?;
        let own = self.field_node(target, row)?;
        let (FieldKind::Map, Value::Map(entries)) = (row.kind(), &mut node.value) else {
            return None;
        };
        entries.retain(|e| own.get(&e.key).is_none());
        Some(value::show(row.kind(), &node)).filter(|t| !t.is_empty() && !own.is_null())
    }

    /// Findings of the newest plan for a field, and what is wrong at once with
    /// the text as it is.
    pub fn field_findings<'a>(&'a self, row: &'a Row) -> Vec<&'a Finding> {
        let Some(key) = row.key() else { return Vec::new() };
        let target = self.form.target;
        let written = self.written_key(target, row).unwrap_or(key);
        self.planned.of_field(target, written).collect()
    }

    /// What is wrong with a text that the plan need not say.
    pub fn local_trouble(&self, row: &Row) -> Option<String> {
        let check = || value::check(row.kind(), &self.field_text(self.form.target, row));
        row.key()?;
        self.unreadable(row).or_else(check)
    }

    /// Why a field's text is not in the document, when it is not.
    pub(super) fn unreadable(&self, row: &Row) -> Option<String> {
        let target = self.form.target;
        let text = self.unwritten.get(&(target, row.key()?.to_owned()))?;
        let (previous, inherited) =
            (self.field_node(target, row), self.inherited_node(target, row));
        let why = value::read(row.kind(), text, previous.as_ref(), inherited.as_ref()).err();
        Some(why.unwrap_or_else(|| "it cannot be read yet".into()))
    }

    /// Values known for a field.
    pub(super) fn choices(&self, row: &Row, cx: &Context<'_>) -> Vec<Choice> {
        let (Row::Field(spec) | Row::Default(spec)) = row else { return Vec::new() };
        match spec.kind {
            FieldKind::Choice(words) => words.iter().map(|w| Choice::new(*w, "")).collect(),
            FieldKind::Flag => vec![Choice::new("true", ""), Choice::new("false", "")],
            FieldKind::Cluster => cx
                .settings
                .cluster_names
                .iter()
                .map(|name| Choice::new(name.as_str(), cluster_note(name, cx)))
                .chain([Choice::new("auto", "any that can run it")])
                .collect(),
            FieldKind::Dependencies => {
                let own = match self.form.target {
                    Target::Entry(i) => Some(i),
                    Target::Batch => None,
                };
                (0..self.doc.len())
                    .filter(|i| Some(*i) != own)
                    .filter_map(|i| {
                        let name = self.entry_name(i)?;
                        let jobs = self.planned.entry(i).map_or(1, |e| e.jobs);
                        let note = if jobs > 1 { format!("{jobs} jobs") } else { String::new() };
                        Some(Choice::new(name, note))
                    })
                    .take(MAX_CHOICES)
                    .collect()
            }
            _ if spec.within_options().is_some() => self.offered(spec.key).unwrap_or_default(),
            _ if spec.key == "project" => {
                cx.settings.projects.iter().map(|p| Choice::new(p.as_str(), "")).collect()
            }
            _ if matches!(
                spec.key,
                "image" | "gpu_type" | "priority" | "working_dir" | "src_dir"
            ) =>
            {
                self.used_elsewhere(spec.key)
            }
            _ => Vec::new(),
        }
    }

    /// Whether Enter lists something in the focused field, or unfolds.
    pub(super) fn may_choose(&self) -> bool {
        match self.focused_row() {
            Some(Row::More { .. }) => true,
            Some(Row::Field(spec) | Row::Default(spec)) => match spec.kind {
                FieldKind::Choice(_)
                | FieldKind::Flag
                | FieldKind::Cluster
                | FieldKind::Dependencies => true,
                kind => {
                    let offered = || self.offered(spec.key).is_some_and(|all| !all.is_empty());
                    !value::is_area(kind)
                        && (offered() || !self.used_elsewhere(spec.key).is_empty())
                }
            },
            _ => false,
        }
    }

    /// What the clusters of the current entry told for a field of theirs; `None`: none
    /// of them was asked yet.
    pub fn offered(&self, key: &str) -> Option<Vec<Choice>> {
        fields::within_options(key)?;
        let clusters = self.clusters_of(self.form.target);
        let told: Vec<_> = clusters.iter().filter_map(|name| self.offers.get(name)).collect();
        if told.is_empty() {
            return None;
        }
        let mut all: Vec<Choice> = Vec::new();
        for offer in told.iter().filter_map(|offers| offers.get(key)).flatten() {
            if !all.iter().any(|choice| choice.value == offer.value) {
                all.push(Choice::new(offer.value.as_str(), offer.note.as_str()));
            }
        }
        all.truncate(MAX_CHOICES);
        Some(all)
    }

    /// Why an empty pick-list of a field is empty.
    pub fn not_offered(&self, row: &Row) -> Option<String> {
        let Row::Field(spec) = row else { return None };
        let listed = fields::OFFERED.contains(&spec.key);
        if !listed || self.offered(spec.key).is_some_and(|all| !all.is_empty()) {
            return None;
        }
        let names = self.clusters_of(self.form.target).join(", ");
        Some(match self.offered(spec.key) {
            None => format!("{names} was not asked yet what there is."),
            Some(_) => format!("{names} does not tell what there is."),
        })
    }

    /// Values that other jobs of the batch have in a field.
    fn used_elsewhere(&self, key: &str) -> Vec<Choice> {
        let mut found: Vec<Choice> = Vec::new();
        for i in 0..self.doc.len().min(MAX_CHOICES) {
            if let Some(text) = self.doc.scalar(i, key)
                && !found.iter().any(|c| c.value == text)
                && self.form.target != Target::Entry(i)
            {
                found.push(Choice::new(text, "used in this batch"));
            }
        }
        found
    }

    pub(super) fn open_picker(&mut self, row: &Row, cx: &Context<'_>) {
        let choices = self.choices(row, cx);
        if choices.is_empty() {
            return;
        }
        let free = !matches!(row.kind(), FieldKind::Choice(_) | FieldKind::Flag);
        let mut current = self.form.editor.text();
        if current.is_empty()
            && let Some(inherited) = self.inherited(self.form.target, row)
        {
            current = inherited;
        }
        if current.is_empty() && row.key() == Some("type") {
            JobType::default().word().clone_into(&mut current);
        }
        self.form.picker = Some(Picker::new(choices, &current, free));
    }

    /// Takes a value of the pick-list: lists gain or lose it.
    pub(super) fn take(&mut self, word: &str, cx: &Context<'_>) -> Vec<Step> {
        self.form.picker = None;
        let Some(row) = self.focused_row().cloned() else { return Vec::new() };
        let text = self.form.editor.text();
        let text = match row.kind() {
            FieldKind::Dependencies => {
                let mut items: Vec<&str> =
                    text.split(',').map(str::trim).filter(|t| !t.is_empty()).collect();
                match items.iter().position(|i| *i == word) {
                    Some(at) => {
                        items.remove(at);
                    }
                    None => items.push(word),
                }
                items.join(", ")
            }
            FieldKind::Cluster if text.trim_end().ends_with(',') => {
                format!("{} {word}", text.trim_end())
            }
            _ => word.to_owned(),
        };
        self.form.editor = Editor::line(&text);
        self.write(cx)
    }

    /// The entries that an edit of the current field goes to.
    pub fn edited(&self) -> Vec<usize> {
        match self.form.target {
            Target::Batch => Vec::new(),
            Target::Entry(i) => {
                let mut all = self.marks.clone();
                all.insert(i);
                all.into_iter().collect()
            }
        }
    }

    /// Writes the text of the focused field into the document.
    pub(super) fn write(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let Some(row) = self.focused_row().cloned() else { return Vec::new() };
        let Some(key) = row.key().map(str::to_owned) else { return Vec::new() };
        let target = self.form.target;
        let text = self.form.editor.text();
        let place = (target, key.clone());
        let inherited = self.inherited_node(target, &row);
        let previous = self.field_node(target, &row);
        let node = match value::read(row.kind(), &text, previous.as_ref(), inherited.as_ref()) {
            Ok(node) => node,
            Err(why) => {
                self.form.trouble = Some(why);
                self.unwritten.insert(place, text);
                return self.keep_draft(cx).into_iter().collect();
            }
        };
        let written = match target {
            Target::Batch => self.write_head(&row, node.as_ref()),
            Target::Entry(i) => self.write_entries(i, &row, node.as_ref()),
        };
        match written {
            Ok(()) => {
                self.form.trouble = None;
                self.unwritten.remove(&place);
                if key == "type" {
                    self.rebuild_form();
                }
                self.changed(cx)
            }
            Err(why) => {
                self.form.trouble = Some(why.to_string());
                self.unwritten.insert(place, text);
                self.keep_draft(cx).into_iter().collect()
            }
        }
    }

    fn write_head(&mut self, row: &Row, node: Option<&Node>) -> Result<(), EditError> {
        let Some(key) = row.key() else { return Ok(()) };
        self.doc.remember(None);
        if let Row::Default(_) = row {
            let group = format!("defaults.{key}");
            return self.doc.set_default(key, node, Some(&group), &job_rank, &head_rank);
        }
        self.doc.set_head(key, node, Some(&format!("batch.{key}")), &head_rank)
    }

    fn write_entries(
        &mut self,
        current: usize,
        row: &Row,
        node: Option<&Node>,
    ) -> Result<(), EditError> {
        let Some(own) = row.key() else { return Ok(()) };
        // A name is one job's alone.
        let entries = if own == "name" { vec![current] } else { self.edited() };
        let group = format!("{current}.{own}");
        self.doc.remember(Some(current));
        let keys: Vec<(usize, &str)> = entries
            .iter()
            .map(|e| (*e, self.written_key(Target::Entry(*e), row).unwrap_or(own)))
            .collect();
        if keys.iter().any(|(_, key)| *key == "preferred_cluster") {
            // Ray's word means a list; what is edited says it in full.
            let gone: Vec<(usize, &str)> =
                entries.iter().map(|e| (*e, "preferred_cluster")).collect();
            self.doc.set_many(&gone, None, Some(&group), &job_rank)?;
            let plain: Vec<(usize, &str)> = entries.iter().map(|e| (*e, own)).collect();
            return self.doc.set_many(&plain, node, Some(&group), &job_rank);
        }
        self.doc.set_many(&keys, node, Some(&group), &job_rank)
    }
}

fn cluster_note(name: &str, cx: &Context<'_>) -> String {
    let Some(health) = cx.clusters.iter().find(|c| c.id.as_str() == name) else {
        return String::new();
    };
    let kind = health.kind.word();
    let room = health.capacity.as_ref().and_then(|c| Some((c.gpus_free?, c.gpus_total?)));
    match room {
        Some((free, total)) => format!("{kind} · {free} of {total} GPUs free"),
        None if health.error.is_some() => format!("{kind} · no answer"),
        None => kind.to_owned(),
    }
}

//! Values with placeholders in their texts, found once and filled in per job.

use std::{borrow::Cow, sync::Arc};

use crate::domain::{
    placeholder::{self, Fault, Mode, Scope, Template, Values},
    sweep::Value,
    tree::{Entry, Node, Scalar, Span, Value as TreeValue},
};

/// A value with placeholders in its texts.
#[derive(Clone, Debug)]
pub(super) struct NodeTemplate {
    span: Span,
    kind: TemplateKind,
}

#[derive(Clone, Debug)]
enum TemplateKind {
    Same(TreeValue),
    /// Exactly one placeholder: takes its type too.
    Exact(usize),
    Text(Template),
    Seq(Vec<NodeTemplate>),
    Map(Vec<(Entry, NodeTemplate)>),
}

impl NodeTemplate {
    /// The value, when it is the same for all jobs.
    pub fn constant(&self) -> Option<Cow<'_, Node>> {
        match &self.kind {
            TemplateKind::Same(value) => {
                Some(Cow::Owned(Node { span: self.span, value: value.clone() }))
            }
            _ => None,
        }
    }

    pub fn render(&self, values: Values, picked: &[Option<&Value>]) -> Result<Node, Fault> {
        let value = match &self.kind {
            TemplateKind::Same(value) => value.clone(),
            TemplateKind::Exact(ix) => {
                let value = picked.get(*ix).copied().flatten().ok_or(Fault::NoValue(*ix))?;
                TreeValue::Scalar(Scalar { text: value.text.to_string(), plain: value.plain })
            }
            TemplateKind::Text(template) => {
                TreeValue::Scalar(Scalar { text: template.render(values)?, plain: false })
            }
            TemplateKind::Seq(items) => TreeValue::Seq(
                items.iter().map(|i| i.render(values, picked)).collect::<Result<_, _>>()?,
            ),
            TemplateKind::Map(entries) => TreeValue::Map(
                entries
                    .iter()
                    .map(|(entry, template)| {
                        let value = template.render(values, picked)?;
                        Ok(Entry { key: entry.key.clone(), key_span: entry.key_span, value })
                    })
                    .collect::<Result<_, Fault>>()?,
            ),
        };
        Ok(Node { span: self.span, value })
    }
}

/// Finds the placeholders of one field.
pub(super) struct Compiler<'c> {
    pub scope: Scope<'c>,
    /// By parameter: it stands somewhere.
    pub used: &'c mut [bool],
    /// How often `{run}` and `{attempt}` stand somewhere.
    pub holes: usize,
    pub faults: Vec<Fault>,
}

impl Compiler<'_> {
    pub fn node(&mut self, node: &Node, mode: Mode) -> NodeTemplate {
        let kind = match &node.value {
            value if !has_brace(value) => TemplateKind::Same(value.clone()),
            TreeValue::Scalar(scalar) => self.scalar(scalar, mode),
            TreeValue::Seq(items) => {
                // Arguments of a list are inserted as they are.
                let items: Vec<_> = items.iter().map(|i| self.node(i, Mode::Plain)).collect();
                match items.iter().map(constant_node).collect::<Option<Vec<_>>>() {
                    Some(nodes) => TemplateKind::Same(TreeValue::Seq(nodes)),
                    None => TemplateKind::Seq(items),
                }
            }
            TreeValue::Map(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| (entry.clone(), self.node(&entry.value, Mode::Plain)))
                    .collect();
                let same = entries.iter().map(|(entry, template)| {
                    Some(Entry { value: constant_node(template)?, ..entry.clone() })
                });
                match same.collect::<Option<Vec<_>>>() {
                    Some(entries) => TemplateKind::Same(TreeValue::Map(entries)),
                    None => TemplateKind::Map(entries),
                }
            }
        };
        NodeTemplate { span: node.span, kind }
    }

    fn scalar(&mut self, scalar: &Scalar, mode: Mode) -> TemplateKind {
        let params = self.scope.params;
        if mode == Mode::Plain
            && let Some(name) = placeholder::exact(&scalar.text)
            && let Some(ix) = params.iter().position(|p| **p == *name)
        {
            self.mark(ix);
            return TemplateKind::Exact(ix);
        }
        match Template::new(&scalar.text, mode, self.scope) {
            Ok(template) => {
                template.params().for_each(|ix| self.mark(ix));
                self.holes += template.holes();
                match template.constant() {
                    Some(text) => {
                        let plain = scalar.plain && text == scalar.text;
                        let same = Scalar { text: text.to_owned(), plain };
                        // Tells of a literal `{run}` beside one that is filled in.
                        if let Err(fault) = template.render(Values { params: &[], name: "" }) {
                            self.faults.push(fault);
                        }
                        TemplateKind::Same(TreeValue::Scalar(same))
                    }
                    None => TemplateKind::Text(template),
                }
            }
            Err(faults) => {
                self.faults.extend(faults);
                let named = |p: &Arc<str>| scalar.text.contains(&format!("{{{p}"));
                (0..params.len())
                    .filter(|ix| params.get(*ix).is_some_and(named))
                    .for_each(|ix| self.mark(ix));
                TemplateKind::Same(TreeValue::Scalar(scalar.clone()))
            }
        }
    }

    fn mark(&mut self, parameter: usize) {
        if let Some(used) = self.used.get_mut(parameter) {
            *used = true;
        }
    }
}

fn constant_node(template: &NodeTemplate) -> Option<Node> {
    template.constant().map(Cow::into_owned)
}

fn has_brace(value: &TreeValue) -> bool {
    any_text(value, &|text| text.contains(['{', '}']))
}

/// Whether one of its texts is so.
pub(super) fn any_text(value: &TreeValue, is_so: &impl Fn(&str) -> bool) -> bool {
    match value {
        TreeValue::Scalar(s) => is_so(&s.text),
        TreeValue::Seq(items) => items.iter().any(|i| any_text(&i.value, is_so)),
        TreeValue::Map(entries) => entries.iter().any(|e| any_text(&e.value.value, is_so)),
    }
}

//! The preview: what would be submitted, and everything that is wrong with it.
//!
//! ```text
//! Compose asks for a plan ─▶ planning … ─▶ plan ─▶ findings, jobs, values, requests
//!                                                     └─ S ─▶ confirm box ─ y ─▶ Submit
//! ```
//! Nothing here submits: `S` only opens the box that asks.

use super::{Context, Step};
use crate::{
    app::{
        effect::Effect,
        filter::FilterLine,
        form::{Target, field_of},
        keymap::{Action, Scope},
        list::Cursor,
        msg::Msg,
        text::safe_lines,
    },
    domain::plan::Plan,
};

mod ask;
mod filter;
mod freshness;
mod layout;
mod online;
mod panes;
mod summary;
#[cfg(test)]
mod tests;

pub use ask::actions;
use freshness::Met;
pub use layout::Layout;
use online::Online;
pub use summary::{Share, Summary, awake};

/// What has the keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    Findings,
    #[default]
    Jobs,
    /// The values of the job under the cursor.
    Values,
}

/// The exact requests, opened by `v`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// `None` while they are made.
    pub lines: Option<Vec<String>>,
    pub top: usize,
    /// Columns scrolled to the right.
    pub left: usize,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// Newest revision a plan was asked for, and the one shown.
    asked: u64,
    revision: u64,
    pub plan: Option<Box<Plan>>,
    pub summary: Summary,
    pub pane: Pane,
    pub findings: Cursor,
    pub jobs: Cursor,
    pub values: Cursor,
    /// Rows that match the filter; `None`: all.
    shown: Option<Vec<u32>>,
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<FilterLine<usize>>,
    pub requests: Option<Requests>,
    /// Earlier work has changed since the plan was asked for.
    stale: bool,
    /// A submission is on its way; until it is known, no plan can tell of it.
    submitting: bool,
    /// The revision that is planned only because earlier work has changed.
    rechecked: u64,
    /// `S` was the last key, and its box waits for the plan.
    wanted: bool,
    /// Newest first.
    met: Vec<Met>,
    /// What clusters said to this very plan; `None`: nobody asked them.
    online: Option<Online>,
}

impl Preview {
    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        Scope::Preview
    }

    /// Answers an action of this scope or a movement. `Back` with nothing of its
    /// own to close is answered with [`Step::Back`].
    pub fn on_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        if self.requests.is_some() {
            return self.on_requests(action, cx);
        }
        let at = self.layout(cx.width, cx.height);
        match action {
            Action::Back if self.pane == Pane::Values => self.pane = Pane::Jobs,
            Action::Back if !self.filter.is_empty() => self.set_filter(String::new(), cx),
            Action::Back => return vec![Step::Back],
            Action::Filter => {
                let home = self.job(self.jobs.at).map(|(at, _)| at);
                self.typing = Some(FilterLine::new(&self.filter, home));
            }
            Action::NextPane | Action::PreviousPane => {
                let panes = self.panes(at.values > 0);
                let now = panes.iter().position(|p| *p == self.pane).unwrap_or(0);
                let step = if action == Action::NextPane { 1 } else { panes.len() - 1 };
                self.pane = panes.get((now + step) % panes.len()).copied().unwrap_or_default();
            }
            Action::Activate => return self.activate(),
            Action::ShowRequests => return self.show_requests(),
            Action::AskClusters => return self.ask_clusters(),
            Action::Submit => return self.ask(cx),
            action => self.on_move(action, at, cx),
        }
        Vec::new()
    }

    fn activate(&mut self) -> Vec<Step> {
        let Some(plan) = &self.plan else { return Vec::new() };
        match self.pane {
            Pane::Findings => match plan.findings.get(self.findings.at) {
                Some(finding) => {
                    // The field itself, not a key inside of it: `env`, not `env.SEED`.
                    let field = field_of(&finding.path).map(str::to_owned);
                    let target = finding.entry.map_or(Target::Batch, Target::Entry);
                    let at = finding.span.map(|span| span.start);
                    vec![Step::FocusField { target, field, at }]
                }
                None => Vec::new(),
            },
            Pane::Jobs => {
                self.pane = Pane::Values;
                self.values = Cursor::default();
                Vec::new()
            }
            Pane::Values => match self.job(self.jobs.at) {
                Some((_, job)) => {
                    let target = Target::Entry(job.spec.entry as usize);
                    vec![Step::FocusField { target, field: None, at: None }]
                }
                None => Vec::new(),
            },
        }
    }

    fn show_requests(&mut self) -> Vec<Step> {
        let Some(plan) = &self.plan else { return Vec::new() };
        self.requests = Some(Requests::default());
        let plan = plan.clone();
        vec![Step::Do(Effect::RenderRequests { revision: self.revision, plan })]
    }

    /// News for this view.
    pub fn on_msg(&mut self, msg: Msg, cx: &Context<'_>) -> Vec<Step> {
        match msg {
            Msg::Planned { revision, plan } if revision >= self.revision => {
                self.asked = self.asked.max(revision);
                self.revision = revision;
                self.take(plan, cx);
            }
            Msg::Requests { revision, text } if revision == self.revision => {
                if let Some(requests) = &mut self.requests {
                    requests.lines =
                        Some(safe_lines(&text).map(std::borrow::Cow::into_owned).collect());
                }
            }
            Msg::ToldAbout { revision, told } if revision == self.revision => {
                self.on_told(told, cx);
            }
            _ => {}
        }
        Vec::new()
    }

    fn take(&mut self, plan: Box<Plan>, cx: &Context<'_>) {
        let first = self.plan.is_none();
        self.summary = Summary::of(&plan);
        let had_errors = !first && self.summary.errors > 0 && self.pane == Pane::Findings;
        self.plan = Some(plan);
        self.requests = None;
        self.online = None;
        self.shown = None;
        let filter = std::mem::take(&mut self.filter);
        let pane = self.pane;
        if !filter.is_empty() {
            self.set_filter(filter, cx);
        }
        self.pane = match pane {
            Pane::Values => Pane::Jobs,
            _ if self.summary.errors > 0 || had_errors => Pane::Findings,
            Pane::Findings if self.summary.warnings == 0 => Pane::Jobs,
            pane => pane,
        };
        let at = self.layout(cx.width, cx.height);
        let findings = self.plan.as_ref().map_or(0, |p| p.findings.len());
        self.findings.settle(findings, usize::from(at.findings));
        self.jobs.settle(self.len(), usize::from(at.jobs));
        self.values = Cursor::default();
    }

    /// Whether the action makes sense now; `Err` says why not.
    pub fn enabled(&self, action: Action) -> Result<(), &'static str> {
        match action {
            Action::Submit => {
                if self.submitting {
                    return Err("the last submission is still on its way");
                }
                if self.is_rechecking() {
                    return Err("checking again; try again in a moment");
                }
                if self.is_planning() {
                    return Err("still planning; try again in a moment");
                }
                match &self.plan {
                    None => Err("nothing to submit yet; write a batch in Compose (1)"),
                    Some(_) if self.summary.errors > 0 => {
                        Err("the errors come first; Enter on one goes to its field")
                    }
                    Some(plan) if plan.jobs.is_empty() => Err("the batch has no jobs"),
                    Some(_) => Ok(()),
                }
            }
            Action::AskClusters if self.is_planning() => {
                Err("still planning; try again in a moment")
            }
            Action::AskClusters if self.is_asking() => Err("they are being asked"),
            Action::ShowRequests | Action::AskClusters | Action::Filter | Action::Activate
                if self.plan.is_none() =>
            {
                Err("nothing to preview yet; write a batch in Compose (1)")
            }
            Action::Mark | Action::MarkAll => Err("there is nothing to mark here"),
            _ => Ok(()),
        }
    }
}

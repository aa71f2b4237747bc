//! The preview: what would be submitted, and everything that is wrong with it.
//!
//! ```text
//! Compose asks for a plan ─▶ planning … ─▶ plan ─▶ findings, jobs, values, requests
//!                                                     └─ S ─▶ confirm box ─ y ─▶ Submit
//! ```
//! Nothing here submits: `S` only opens the box that asks.

use std::fmt::Write as _;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEventKind};

use super::{Context, Step};
use crate::{
    app::{
        effect::Effect,
        form::{Target, field_of},
        keymap::{Action, Scope},
        line::Line,
        list::Cursor,
        msg::Msg,
        overlay::{Confirm, Confirmed, Overlay, PromptPurpose},
        text::{count, safe_lines},
        values,
    },
    domain::{
        plan::{Plan, PlannedJob},
        resources::Gpus,
    },
};

mod layout;
mod summary;
#[cfg(test)]
mod tests;

pub use layout::Layout;
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
    pub typing: Option<Line>,
    pub requests: Option<Requests>,
    /// Earlier work has changed since the plan was asked for.
    stale: bool,
    /// A submission is on its way; until it is known, no plan can tell of it.
    submitting: bool,
    /// The revision that is planned only because earlier work has changed.
    rechecked: u64,
    /// `S` was the last key, and its box waits for the plan.
    wanted: bool,
}

impl Preview {
    /// A newer text than the one shown is being planned.
    pub fn is_planning(&self) -> bool {
        self.asked > self.revision
    }

    /// The text shown is being planned once more, against the present.
    pub fn is_rechecking(&self) -> bool {
        self.is_planning() && self.rechecked == self.asked
    }

    /// Earlier work is not what it was when the plan was asked for.
    pub fn outdate(&mut self) {
        self.stale = true;
    }

    /// A plan was approved and is on its way; the run it becomes is not known yet.
    pub fn submitting(&mut self) {
        self.submitting = true;
        self.stale = true;
    }

    /// The submission on its way, if any, became a run or nothing.
    pub fn settled(&mut self) {
        self.stale |= self.submitting;
        self.submitting = false;
    }

    /// Whether the plan must be made anew now; answered once.
    pub fn take_stale(&mut self) -> bool {
        !self.submitting && std::mem::take(&mut self.stale)
    }

    /// The text shown was asked to be planned once more.
    pub fn on_recheck(&mut self, revision: u64) {
        self.rechecked = revision;
    }

    /// `S` before the new plan is there: its box opens with that one.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// Something else was done meanwhile: a box must not open under other keys.
    pub fn unwant(&mut self) -> bool {
        std::mem::take(&mut self.wanted)
    }

    /// The box that waited for the plan that has come.
    pub fn wanted_box(&mut self, cx: &Context<'_>) -> Vec<Step> {
        if self.is_planning() || !self.unwant() {
            return Vec::new();
        }
        self.ask(cx)
    }

    /// Rows of the job table.
    pub fn len(&self) -> usize {
        let all = self.plan.as_ref().map_or(0, |p| p.jobs.len());
        self.shown.as_ref().map_or(all, Vec::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The job in a row of the table, with its number in the batch from 0.
    pub fn job(&self, row: usize) -> Option<(usize, &PlannedJob)> {
        let at = match &self.shown {
            Some(shown) => *shown.get(row)? as usize,
            None => row,
        };
        Some((at, self.plan.as_ref()?.jobs.get(at)?))
    }

    /// Label and text of every line of the values pane.
    pub fn value_lines(&self, columns: usize) -> Vec<(&'static str, String)> {
        let Some((_, job)) = self.job(self.jobs.at) else { return Vec::new() };
        let mut lines = Vec::new();
        let mut all = values::of(&job.spec);
        let placed = job.cluster.as_ref().map_or("not placed yet", |c| c.as_str());
        all.insert(1, ("Goes to", placed.to_owned()));
        let action = match &job.action {
            crate::domain::plan::JobAction::Submit => None,
            crate::domain::plan::JobAction::Attach { run, job } => {
                Some(format!("attach to job {} of run {run}, which is live", job.0 + 1))
            }
            crate::domain::plan::JobAction::Reuse { run, job } => {
                Some(format!("reuse the result of job {} of run {run}", job.0 + 1))
            }
            crate::domain::plan::JobAction::Resubmit { run, job } => {
                Some(format!("send again: job {} of run {run} failed", job.0 + 1))
            }
        };
        if let Some(action) = action {
            all.insert(2, ("Action", action));
        }
        for (label, value) in all {
            for (i, line) in crate::app::text::wrap(&value, columns).into_iter().enumerate() {
                lines.push((if i == 0 { label } else { "" }, line));
            }
        }
        lines
    }

    fn panes(&self, wide: bool) -> Vec<Pane> {
        let mut panes = Vec::new();
        if self.plan.as_ref().is_some_and(|p| !p.findings.is_empty()) {
            panes.push(Pane::Findings);
        }
        panes.push(Pane::Jobs);
        if wide {
            panes.push(Pane::Values);
        }
        panes
    }

    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        Scope::Preview
    }

    /// Text entry takes keys before the keymap does; `None`: not consumed.
    pub fn on_key(&mut self, key: KeyEvent, cx: &Context<'_>) -> Option<Vec<Step>> {
        let typing = self.typing.as_mut()?;
        match key.code {
            KeyCode::Esc => {
                self.typing = None;
                self.set_filter(String::new(), cx);
            }
            KeyCode::Enter => self.typing = None,
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                self.typing = None;
                return None;
            }
            _ => {
                typing.on_key(key);
                let text = typing.text().to_owned();
                self.set_filter(text, cx);
            }
        }
        Some(Vec::new())
    }

    /// Pasted text, while this view has the keys.
    pub fn on_paste(&mut self, text: &str, cx: &Context<'_>) -> Vec<Step> {
        if let Some(typing) = &mut self.typing {
            typing.insert(text);
            let text = typing.text().to_owned();
            self.set_filter(text, cx);
        }
        Vec::new()
    }

    fn set_filter(&mut self, filter: String, cx: &Context<'_>) {
        let Some(plan) = &self.plan else { return };
        // More letters find fewer rows: only those that matched are looked at again.
        let narrower = !self.filter.is_empty() && filter.starts_with(&self.filter);
        let before = self.job(self.jobs.at).map(|(at, _)| at);
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        let mut hay = String::new();
        let mut fits = |at: &u32| {
            plan.jobs.get(*at as usize).is_some_and(|job| {
                hay.clear();
                let cluster = job.cluster.as_ref().map_or("auto", |c| c.as_str());
                let _ = write!(
                    hay,
                    "{} {cluster} {} {} {}",
                    job.spec.name,
                    job.spec.job_type.word(),
                    job.action.word(),
                    job.spec.params
                );
                hay.make_ascii_lowercase();
                words.iter().all(|word| hay.contains(word.as_str()))
            })
        };
        let shown = match self.shown.take() {
            _ if words.is_empty() => None,
            Some(shown) if narrower => Some(shown.into_iter().filter(|at| fits(at)).collect()),
            _ => Some((0..plan.jobs.len() as u32).filter(|at| fits(at)).collect::<Vec<u32>>()),
        };
        self.shown = shown;
        self.filter = filter;
        // The cursor stays on its job.
        if let Some(job) = before {
            self.jobs.at = match &self.shown {
                Some(shown) => shown.binary_search(&(job as u32)).unwrap_or_else(|at| at),
                None => job,
            };
        }
        let page = self.layout(cx.width, cx.height).jobs;
        self.jobs.settle(self.len(), usize::from(page));
        self.pane = Pane::Jobs;
    }

    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let by = match kind {
            MouseEventKind::ScrollUp => -3,
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::Down(MouseButton::Left) => 0,
            _ => return Vec::new(),
        };
        if let Some(requests) = &mut self.requests {
            let len = requests.lines.as_ref().map_or(0, Vec::len);
            let page = usize::from(cx.height.saturating_sub(4));
            let most = len.saturating_sub(page);
            requests.top = requests.top.saturating_add_signed(by).min(most);
            return Vec::new();
        }
        let at = self.layout(cx.width, cx.height);
        let findings = at.summary + 1;
        let jobs = findings + at.findings + at.finding_text + 1;
        let beside = at.values > 0 && column >= cx.width - at.values;
        let len = self.len();
        if row >= findings && row < findings + at.findings {
            let total = self.plan.as_ref().map_or(0, |p| p.findings.len());
            self.pane = Pane::Findings;
            self.findings.scroll(by, total, usize::from(at.findings));
            if by == 0 {
                self.findings.at = (self.findings.top + usize::from(row - findings)).min(total - 1);
            }
        } else if row >= jobs && beside {
            self.pane = Pane::Values;
            self.scroll_values(by, cx);
        } else if row >= jobs && len > 0 {
            self.pane = Pane::Jobs;
            self.jobs.scroll(by, len, usize::from(at.jobs));
            if by == 0 {
                self.jobs.at = (self.jobs.top + usize::from(row - jobs)).min(len - 1);
            }
        }
        Vec::new()
    }

    fn scroll_values(&mut self, by: isize, cx: &Context<'_>) {
        let at = self.layout(cx.width, cx.height);
        let len = self.value_lines(Self::value_columns(at, cx.width)).len();
        let most = len.saturating_sub(usize::from(at.value_rows));
        self.values.top = self.values.top.saturating_add_signed(by).min(most);
    }

    /// Columns for the text of a value, beside its label.
    pub fn value_columns(at: Layout, width: u16) -> usize {
        let pane = if at.values > 0 { at.values } else { width };
        usize::from(pane.saturating_sub(17)).max(8)
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
            Action::Filter => self.typing = Some(Line::new(self.filter.clone())),
            Action::NextPane | Action::PreviousPane => {
                let panes = self.panes(at.values > 0);
                let now = panes.iter().position(|p| *p == self.pane).unwrap_or(0);
                let step = if action == Action::NextPane { 1 } else { panes.len() - 1 };
                self.pane = panes.get((now + step) % panes.len()).copied().unwrap_or_default();
            }
            Action::Activate => return self.activate(),
            Action::ShowRequests => return self.show_requests(),
            Action::Submit => return self.ask(cx),
            action => self.on_move(action, at, cx),
        }
        Vec::new()
    }

    fn on_move(&mut self, action: Action, at: Layout, cx: &Context<'_>) {
        match self.pane {
            Pane::Findings => {
                let len = self.plan.as_ref().map_or(0, |p| p.findings.len());
                // Past the last finding is the first job.
                if action == Action::Down && self.findings.at + 1 >= len {
                    self.pane = Pane::Jobs;
                } else {
                    self.findings.on_action(action, len, usize::from(at.findings));
                }
            }
            Pane::Jobs => {
                let has_findings = self.plan.as_ref().is_some_and(|p| !p.findings.is_empty());
                if action == Action::Up && self.jobs.at == 0 && has_findings {
                    self.pane = Pane::Findings;
                } else if self.jobs.on_action(action, self.len(), usize::from(at.jobs)) {
                    self.values = Cursor::default();
                }
            }
            Pane::Values => {
                let page = isize::try_from(at.value_rows.max(2) - 1).unwrap_or(1);
                let by = match action {
                    Action::Up => -1,
                    Action::Down => 1,
                    Action::PageUp => -page,
                    Action::PageDown => page,
                    Action::Top => isize::MIN / 2,
                    Action::Bottom => isize::MAX / 2,
                    _ => return,
                };
                self.scroll_values(by, cx);
            }
        }
    }

    fn on_requests(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        let page = usize::from(cx.height.saturating_sub(4)).max(1);
        if action == Action::Submit {
            return self.ask(cx);
        }
        let Some(requests) = &mut self.requests else { return Vec::new() };
        let len = requests.lines.as_ref().map_or(0, Vec::len);
        let most = len.saturating_sub(page);
        match action {
            Action::Back | Action::ShowRequests => self.requests = None,
            Action::Up => requests.top = requests.top.saturating_sub(1),
            Action::Down => requests.top = (requests.top + 1).min(most),
            Action::PageUp => requests.top = requests.top.saturating_sub(page),
            Action::PageDown => requests.top = (requests.top + page).min(most),
            Action::Top => (requests.top, requests.left) = (0, 0),
            Action::Bottom => requests.top = most,
            Action::Left => requests.left = requests.left.saturating_sub(8),
            Action::Right => requests.left = (requests.left + 8).min(100_000),
            _ => {}
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

    /// The box that asks; only its `y` submits.
    fn ask(&self, cx: &Context<'_>) -> Vec<Step> {
        if let Err(why) = self.enabled(Action::Submit) {
            return vec![Step::Notice(why.into())];
        }
        let Some(plan) = &self.plan else { return Vec::new() };
        let sum = &self.summary;
        let sent = &sum.sent;
        let mut lines = vec![format!("{} · {}", count(sent.jobs as u64, "job"), gpus(sent.gpus))];
        let mut to: Vec<String> =
            sum.clusters.iter().map(|(name, share)| format!("{} → {name}", share.jobs)).collect();
        if to.len() > 6 {
            let rest = to.split_off(5);
            to.push(format!("and {} more clusters", rest.len()));
        }
        if !to.is_empty() {
            lines.push(to.join("   "));
        }
        if sum.has_actions() {
            lines.push(actions(sum));
        }
        if sum.warnings > 0 {
            let are = if sum.warnings == 1 { "is" } else { "are" };
            lines.push(format!("{} {are} accepted", count(sum.warnings as u64, "warning")));
        }
        if plan.head.dry_run {
            lines.push("the file says `dry_run: true`; this submits all the same".into());
        }
        let action = Confirmed::Submit(plan.clone());
        let mut question = Confirm::new(format!("Submit {}?", plan.head.name), lines, action);
        let many = sent.jobs as u64 > cx.settings.confirm_jobs
            || sent.gpus > Gpus::whole(cx.settings.confirm_gpus);
        if many {
            question = question.must_type(sent.jobs as u64);
        }
        vec![Step::Push(Overlay::Confirm(question))]
    }

    /// A prompt this view opened: it opens none.
    pub fn on_prompt(
        &mut self,
        _purpose: PromptPurpose,
        _text: &str,
        _done: bool,
        _cx: &Context<'_>,
    ) -> Vec<Step> {
        Vec::new()
    }

    /// A plan of this revision was asked for.
    pub fn on_asked(&mut self, revision: u64) {
        self.asked = self.asked.max(revision);
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
            Action::ShowRequests | Action::Filter if self.plan.is_none() => {
                Err("nothing to preview yet; write a batch in Compose (1)")
            }
            Action::Mark | Action::MarkAll => Err("there is nothing to mark here"),
            _ => Ok(()),
        }
    }
}

/// `1 GPU`, `141 GPUs`.
pub fn gpus(n: Gpus) -> String {
    if n == Gpus::whole(1) { "1 GPU".to_owned() } else { format!("{n} GPUs") }
}

/// `27 submit · 3 reuse`.
pub fn actions(sum: &Summary) -> String {
    let a = sum.actions;
    let parts = [
        (a.submit, "submit"),
        (a.resubmit, "send again after a failure"),
        (a.attach, "attach to a live job"),
        (a.reuse, "reuse a result"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    parts.join(" · ")
}

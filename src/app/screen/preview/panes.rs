//! Findings, jobs and values side by side, and the requests over them: moving,
//! scrolling, clicking.

use crossterm::event::{MouseButton, MouseEventKind};

use super::{Layout, Pane, Preview};
use crate::{
    app::{
        keymap::Action,
        list::Cursor,
        screen::{Context, Step},
        text, values,
    },
    domain::{placement::Outlook, plan::JobAction},
};

impl Preview {
    pub(super) fn panes(&self, wide: bool) -> Vec<Pane> {
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

    /// Label and text of every line of the values pane.
    pub fn value_lines(&self, columns: usize) -> Vec<(&'static str, String)> {
        let Some((_, job)) = self.job(self.jobs.at) else { return Vec::new() };
        let mut lines = Vec::new();
        let mut all = values::of(&job.spec);
        let placed = match (&job.cluster, &job.outlook) {
            (Some(cluster), _) => cluster.to_string(),
            (None, None) => "decided when it is sent".to_owned(),
            (None, Some(Outlook { cluster: Some(now), why })) => {
                format!("decided when it is sent; now {now}: {why}")
            }
            (None, Some(Outlook { cluster: None, why })) => {
                format!("decided when it is sent; now it would wait: {why}")
            }
        };
        all.insert(1, ("Goes to", placed));
        let action = match &job.action {
            JobAction::Submit => None,
            JobAction::Attach { run, job } => {
                Some(format!("attach to job {} of run {run}, which is live", job.0 + 1))
            }
            JobAction::Reuse { run, job } => {
                Some(format!("reuse the result of job {} of run {run}", job.0 + 1))
            }
            JobAction::Resubmit { run, job } => {
                Some(format!("send again: job {} of run {run} failed", job.0 + 1))
            }
        };
        if let Some(action) = action {
            all.insert(2, ("Action", action));
        }
        if let Some(at) = self.start_of(job) {
            let at = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %H:%M");
            all.insert(2, ("Would start", at.to_string()));
        }
        for (label, value) in all {
            for (i, line) in text::wrap(&value, columns).into_iter().enumerate() {
                lines.push((if i == 0 { label } else { "" }, line));
            }
        }
        lines
    }

    /// Columns for the text of a value, beside its label.
    pub fn value_columns(at: Layout, width: u16) -> usize {
        let pane = if at.values > 0 { at.values } else { width };
        usize::from(pane.saturating_sub(17)).max(8)
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

    pub(super) fn scroll_values(&mut self, by: isize, cx: &Context<'_>) {
        let at = self.layout(cx.width, cx.height);
        let len = self.value_lines(Self::value_columns(at, cx.width)).len();
        let most = len.saturating_sub(usize::from(at.value_rows));
        self.values.top = self.values.top.saturating_add_signed(by).min(most);
    }

    pub(super) fn on_move(&mut self, action: Action, at: Layout, cx: &Context<'_>) {
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

    pub(super) fn on_requests(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
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
}

//! Where things are in Preview; drawing, paging and the mouse ask the same.

use super::{Pane, Preview};

/// Below this many columns a job's values take the whole body when they are open.
const WIDE: u16 = 110;

/// Heights and widths in cells, from the top of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Banner, totals, clusters, who must stay awake, waves.
    pub summary: u16,
    /// Clusters that have a line of their own.
    pub clusters: u16,
    /// Rows of findings, under their heading.
    pub findings: u16,
    /// Rows for the whole text of the finding under the cursor.
    pub finding_text: u16,
    /// Rows of jobs, under the table's heading.
    pub jobs: u16,
    /// Columns of the values pane beside the jobs; 0: it is not beside them.
    pub values: u16,
    /// Rows the values have.
    pub value_rows: u16,
}

impl Preview {
    /// For a terminal of this size.
    pub fn layout(&self, width: u16, height: u16) -> Layout {
        let body = height.saturating_sub(2);
        let Some(plan) = &self.plan else { return Layout::default() };
        let most = if body >= 30 { 8 } else { 3 };
        let clusters = (self.summary.clusters.len() as u16).min(most);
        let more = u16::from(self.summary.clusters.len() > usize::from(clusters));
        let projects = u16::from(!plan.totals.gpus_by_project.is_empty());
        let actions = u16::from(self.summary.has_actions());
        let awake = u16::from(self.summary.sent.jobs > 0);
        let waves = u16::from(self.summary.waves.is_some());
        let online = u16::from(self.online.is_some());
        let summary = 2 + clusters + more + online + projects + actions + awake + waves + 1;
        let rest = body.saturating_sub(summary);
        let count = plan.findings.len() as u16;
        let wanted = match self.pane {
            Pane::Findings => rest / 2,
            _ => (rest / 3).max(3),
        };
        let finding_text = if self.pane == Pane::Findings && count > 0 { 2 } else { 0 };
        // A heading each for findings and jobs.
        let findings = count.min(wanted).min(rest.saturating_sub(6 + finding_text));
        let jobs = rest.saturating_sub(findings + finding_text + 2);
        let wide = width >= WIDE;
        let values = if wide { (width * 2 / 5).min(64) } else { 0 };
        let value_rows = if wide { jobs + 1 } else { body.saturating_sub(2) };
        Layout { summary, clusters, findings, finding_text, jobs, values, value_rows }
    }
}

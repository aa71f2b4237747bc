//! The jobs that are shown: all, or those that the filter lets through.

use std::fmt::Write as _;

use super::{Pane, Preview};
use crate::{
    app::{
        filter::FilterLine,
        screen::{Context, Filtered, monitor::filter::Filter},
    },
    domain::{job::Command, plan::PlannedJob},
};

impl Preview {
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

    pub(super) fn set_filter(&mut self, filter: String, cx: &Context<'_>) {
        let Some(plan) = &self.plan else { return };
        let asked = Filter::read(&filter);
        // More letters find fewer rows: only those that matched are looked at again.
        let narrower = !self.filter.is_empty() && asked.narrows(&Filter::read(&self.filter));
        let before = self.job(self.jobs.at).map(|(at, _)| at);
        let mut hay = String::new();
        let mut fits = |at: &u32| {
            plan.jobs.get(*at as usize).is_some_and(|job| {
                hay.clear();
                let cluster = job.cluster.as_ref().map_or("auto", |c| c.as_str());
                let _ = write!(
                    hay,
                    "{} {cluster} {} {} {} {}",
                    job.spec.name,
                    job.spec.job_type.word(),
                    job.action.word(),
                    job.spec.params,
                    job.spec.project.as_deref().unwrap_or_default(),
                );
                for command in [&job.spec.command, &job.spec.args].into_iter().flatten() {
                    let words = match command {
                        Command::Shell(text) => std::slice::from_ref(text),
                        Command::Argv(words) => words.as_slice(),
                    };
                    for word in words {
                        hay.push(' ');
                        hay.push_str(word);
                    }
                }
                let hay = hay.to_lowercase();
                asked.lets_through_planned(job, &hay)
            })
        };
        let shown = match self.shown.take() {
            _ if asked.is_empty() => None,
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

    /// The row of a job, where the filter lets it through.
    fn row_of(&self, job: usize) -> Option<usize> {
        match &self.shown {
            Some(shown) => shown.binary_search(&(job as u32)).ok(),
            None => Some(job),
        }
    }
}

impl Filtered for Preview {
    /// Position of the job in the plan.
    type Row = usize;

    fn typing(&mut self) -> &mut Option<FilterLine<usize>> {
        &mut self.typing
    }

    fn narrow(&mut self, filter: String, home: Option<usize>, cx: &Context<'_>) {
        self.set_filter(filter, cx);
        if let Some(row) = home.and_then(|job| self.row_of(job)) {
            self.jobs.at = row;
            self.jobs.settle(self.len(), usize::from(self.layout(cx.width, cx.height).jobs));
        }
    }
}

//! What the actions of the view do.

use super::{
    Context, Input, Monitor, Opened, Pane, Step, ask, detail,
    index::RowKey,
    layout,
    retry::{RetryForm, folders},
};
use crate::{
    app::{
        effect::{Effect, RunCommand},
        filter::FilterLine,
        keymap::Action,
        line::Line,
        overlay::{Confirm, Confirmed, Overlay},
    },
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx},
        run::Run,
    },
};

/// Actions that only the log pane knows.
fn is_of_log(action: Action) -> bool {
    use Action as A;
    matches!(
        action,
        A::Follow
            | A::Wrap
            | A::SwitchStream
            | A::Search
            | A::NextMatch
            | A::NextError
            | A::OnlyMatches
            | A::PreviousMatch
            | A::PreviousAttempt
            | A::NextAttempt
            | A::PreviousWorker
            | A::NextWorker
    )
}

impl Monitor {
    /// Answers an action of this scope or a movement. `Back` with nothing of its
    /// own to close is answered with [`Step::Back`].
    pub fn on_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else {
            return if action == Action::Back { vec![Step::Back] } else { Vec::new() };
        };
        if is_of_log(action) && matches!(opened.pane, Pane::Log(_)) {
            // From the palette, while the table has the keys.
            opened.in_pane = true;
        }
        if opened.in_pane
            && let Some(steps) = self.in_pane(action, cx)
        {
            return steps;
        }
        let steps = self.in_table(action, cx);
        let mut more = self.follow_cursor(cx);
        more.splice(0..0, steps);
        more
    }

    /// Whether the action makes sense now; `Err` says why not.
    pub fn enabled(&self, action: Action) -> Result<(), &'static str> {
        let Some(opened) = self.opened() else {
            return match action {
                Action::Up | Action::Down | Action::Back => Ok(()),
                _ => Err("no run is open: press 4 for earlier runs"),
            };
        };
        match action {
            Action::RetryFailed | Action::NextFailed if !opened.run().has_failures() => {
                Err("nothing has failed")
            }
            Action::SendHeld if opened.sendable() == 0 && opened.is_sending() => {
                Err("nothing is held: sending goes on")
            }
            Action::SendHeld if opened.sendable() == 0 => Err("nothing is left to send"),
            Action::StopSending if opened.unsent() == 0 => Err("every job was sent"),
            Action::CopyId if opened.current().is_none() => Err("a group has no id"),
            action if is_of_log(action) && !matches!(opened.pane, Pane::Log(_)) => {
                Err("open the log first: press l")
            }
            _ => Ok(()),
        }
    }

    /// Actions while the pane has the keys; `None`: one for the table.
    fn in_pane(&mut self, action: Action, cx: &Context<'_>) -> Option<Vec<Step>> {
        match self.opened.as_deref_mut().map(|o| &mut o.pane) {
            Some(Pane::Log(_)) => self.in_log(action, cx),
            Some(Pane::Detail { .. }) => self.in_detail(action, cx),
            _ => None,
        }
    }

    fn in_detail(&mut self, action: Action, cx: &Context<'_>) -> Option<Vec<Step>> {
        let (width, height) = self.pane_text(cx);
        let opened = self.opened.as_deref_mut()?;
        let subject = opened.subject();
        let lines = subject.map_or(0, |ix| {
            detail::lines(&opened.run, ix, cx.now, &cx.settings.time_zone, width).len()
        });
        let Pane::Detail { scroll } = &mut opened.pane else { return None };
        let last = lines.saturating_sub(height);
        let page = height.saturating_sub(1).max(1);
        *scroll = match action {
            Action::Up => scroll.saturating_sub(1),
            Action::Down => (*scroll + 1).min(last),
            Action::PageUp => scroll.saturating_sub(page),
            Action::PageDown => (*scroll + page).min(last),
            Action::Top => 0,
            Action::Bottom => last,
            Action::Activate => {
                opened.zoomed = !opened.zoomed;
                return Some(Vec::new());
            }
            Action::NextPane | Action::PreviousPane => {
                opened.in_pane = false;
                return Some(Vec::new());
            }
            _ => return None,
        };
        Some(Vec::new())
    }

    fn in_table(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let rows = layout(opened, cx).table_rows().max(1);
        let page = isize::try_from(rows.saturating_sub(1).max(1)).unwrap_or(1);
        let Opened { cursor, index, run, marks, .. } = opened;
        match action {
            Action::Up => cursor.step(index, -1, rows),
            Action::Down => cursor.step(index, 1, rows),
            Action::PageUp => cursor.step(index, -page, rows),
            Action::PageDown => cursor.step(index, page, rows),
            Action::Top => cursor.go(index, 0, rows),
            Action::Bottom => cursor.go(index, usize::MAX, rows),
            Action::Left => opened.fold_or_go_to_head(true, rows),
            Action::Right => opened.fold_or_go_to_head(false, rows),
            Action::Activate => match cursor.key() {
                Some(RowKey::Job(_)) => return self.open_detail(),
                Some(head) => {
                    let folded = index.is_folded(head);
                    index.set_fold(head, !folded);
                    cursor.settle(index, rows);
                }
                None => {}
            },
            Action::Fold => opened.toggle_fold(rows),
            Action::FoldAll => {
                index.fold_all();
                cursor.settle(index, rows);
            }
            Action::Mark => {
                if let Some(key) = cursor.key() {
                    marks.toggle(&index.jobs_of(key));
                    opened.last_mark = Some(key);
                    cursor.step(index, 1, rows);
                }
            }
            Action::MarkRange => opened.mark_range(),
            Action::MarkAll => {
                let all: Vec<JobIx> = index.jobs().collect();
                marks.toggle(&all);
            }
            Action::InvertMarks => {
                for ix in index.jobs().collect::<Vec<_>>() {
                    marks.set(ix, !marks.has(ix));
                }
            }
            Action::Sort | Action::SortReverse => {
                let (sort, reverse) = index.sort();
                let (sort, reverse) =
                    if action == Action::Sort { (sort.next(), false) } else { (sort, !reverse) };
                index.set_sort(sort, reverse, run);
                cursor.settle(index, rows);
                let way = if reverse { ", reversed" } else { "" };
                return vec![Step::Notice(format!("sorted by {}{way}", sort.word()))];
            }
            Action::FailedOnly => {
                let on = !index.failed_only();
                index.set_failed_only(on, run);
                cursor.settle(index, rows);
            }
            Action::GroupByCause => opened.toggle_causes(rows),
            Action::NextFailed => opened.next_failed(rows),
            Action::Filter => {
                opened.input =
                    Input::Filter(FilterLine::new(&opened.filter_text, opened.cursor.key()));
            }
            Action::NextPane | Action::PreviousPane => {
                opened.in_pane = opened.pane != Pane::Closed;
            }
            Action::Logs => return self.toggle_logs(cx),
            Action::Retry => {
                let jobs = opened.targets();
                return asking_retry(&opened.run, jobs, cx);
            }
            Action::RetryWith => {
                let jobs = opened.targets();
                return match ask::retry(&opened.run, jobs.clone(), Vec::new(), false, cx) {
                    Ok(_) => {
                        let left = opened.left_retry.take().filter(|form| form.jobs == jobs);
                        let form = left.unwrap_or_else(|| RetryForm::new(&opened.run, jobs));
                        let compare = compare_code(&opened.run, &form.jobs);
                        opened.input = Input::Retry(form);
                        compare.into_iter().collect()
                    }
                    Err(why) => vec![Step::Notice(why)],
                };
            }
            Action::RetryFailed => {
                let failed = crate::domain::run::Selection::failed();
                let jobs = crate::domain::run::outstanding(&opened.run, &failed).retry;
                return asking_retry(&opened.run, jobs, cx);
            }
            Action::Cancel => return asking(ask::cancel(&opened.run, opened.targets(), None)),
            Action::CancelWith => {
                let jobs = opened.targets();
                match ask::cancel(&opened.run, jobs.clone(), None) {
                    Ok(_) => opened.input = Input::Reason { jobs, line: Line::default() },
                    Err(why) => return vec![Step::Notice(why.into())],
                }
            }
            Action::Hold => return act(opened, RemoteAction::Hold, cx),
            Action::Release => return act(opened, RemoteAction::Release, cx),
            Action::Requeue => return act(opened, RemoteAction::Requeue, cx),
            Action::SendHeld => {
                return asking(ask::send(&opened.run, opened.is_sending(), cx.settings));
            }
            Action::StopSending => return asking(ask::stop(&opened.run)),
            Action::CopyId => return opened.copy_id(),
            Action::Back => return self.back(cx),
            _ => {}
        }
        Vec::new()
    }

    fn open_detail(&mut self) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let was_log = matches!(opened.pane, Pane::Log(_));
        opened.pane = Pane::Detail { scroll: 0 };
        opened.in_pane = true;
        if was_log { vec![Step::Do(Effect::StopLog)] } else { Vec::new() }
    }

    pub(super) fn close_pane(&mut self) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return Vec::new() };
        let was_log = matches!(opened.pane, Pane::Log(_));
        opened.pane = Pane::Closed;
        opened.in_pane = false;
        opened.zoomed = false;
        if was_log { vec![Step::Do(Effect::StopLog)] } else { Vec::new() }
    }

    /// One step back: the zoom, the pane, the filter, the grouping, the marks.
    fn back(&mut self, cx: &Context<'_>) -> Vec<Step> {
        let Some(opened) = self.opened.as_deref_mut() else { return vec![Step::Back] };
        if opened.zoomed && opened.in_pane {
            opened.zoomed = false;
            return Vec::new();
        }
        if opened.pane != Pane::Closed {
            return self.close_pane();
        }
        let rows = layout(opened, cx).table_rows();
        if !opened.filter_text.is_empty() {
            opened.set_filter("", rows);
        } else if opened.index.failed_only() {
            opened.index.set_failed_only(false, &opened.run);
            opened.cursor.settle(&opened.index, rows);
        } else if opened.index.by_cause() {
            opened.toggle_causes(rows);
        } else if !opened.marks.is_empty() {
            opened.marks.clear();
        } else {
            return vec![Step::Back];
        }
        Vec::new()
    }
}

/// Asks only before what runs would be ended: the rest can be taken back.
fn act(opened: &Opened, action: RemoteAction, cx: &Context<'_>) -> Vec<Step> {
    let run = &opened.run;
    // One that has not answered yet may well be able to.
    let can = |id: &ClusterId| {
        let health = cx.clusters.iter().find(|health| health.id == *id);
        Some(health.is_none_or(|health| health.can.can(action)))
    };
    let suited = action.of(run, &opened.targets(), can);
    if suited.jobs.is_empty() {
        return vec![Step::Notice(suited.nothing(run))];
    }
    if action == RemoteAction::Requeue {
        return vec![Step::Push(Overlay::Confirm(ask::requeue(run, &suited)))];
    }
    let command = RunCommand::Act { action, jobs: suited.jobs };
    vec![Step::Do(Effect::Run { run: run.id.clone(), command })]
}

/// The question before a retry without changes, and whether its code has changed.
fn asking_retry(run: &Run, jobs: Vec<JobIx>, cx: &Context<'_>) -> Vec<Step> {
    let question = ask::retry(run, jobs, Vec::new(), false, cx);
    let compare = question.as_ref().ok().and_then(|confirm| compare_for(run, confirm));
    let mut steps = asking(question);
    steps.extend(compare);
    steps
}

/// Compares the code that the question is about.
pub(super) fn compare_for(run: &Run, confirm: &Confirm) -> Option<Step> {
    match &confirm.action {
        Confirmed::Run { command: RunCommand::Retry { jobs, current_code: false, .. }, .. } => {
            compare_code(run, jobs)
        }
        _ => None,
    }
}

/// Compares the code of these jobs, where they bring some.
fn compare_code(run: &Run, jobs: &[JobIx]) -> Option<Step> {
    let folders = folders(run, jobs);
    if folders.is_empty() {
        return None;
    }
    Some(Step::Do(Effect::CompareCode { run: run.id.clone(), jobs: jobs.to_vec(), folders }))
}

pub(super) fn asking(question: Result<Confirm, impl Into<String>>) -> Vec<Step> {
    vec![match question {
        Ok(confirm) => Step::Push(Overlay::Confirm(confirm)),
        Err(why) => Step::Notice(why.into()),
    }]
}

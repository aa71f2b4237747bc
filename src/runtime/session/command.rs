//! Commands: what a person asks of a run, here or through its inbox.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokio::time::Instant;

use super::{Reply, conduct::Conducting, state_report};
use crate::{
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx, RunId},
        run::{Record, Run},
        status::{Cause, Status},
    },
    error::{Kind, Report},
    journal::inbox::{self, Request},
    runtime::handle::{Command, Done},
};

/// What a command amounts to: records, and what is answered.
pub(super) struct Decision {
    pub(super) records: Vec<Record>,
    pub(super) done: Done,
}

impl Conducting<'_> {
    /// From this session's own handle.
    pub(super) async fn asked_here(&mut self, command: Command, reply: Option<Reply>) {
        let outcome = if command.writes() {
            match self.decide(&command).await {
                Ok(decision) => self.enact(&command, decision, None),
                Err(report) => Err(report),
            }
        } else {
            self.adjust(&command);
            Ok(Done::default())
        };
        self.flush();
        self.s.reply(reply, outcome);
    }

    /// From another process.
    pub(super) async fn asked_by_inbox(&mut self, request: Request<Command>) {
        let id = request.id;
        if self.s.done.contains(&id) {
            inbox::remove(&self.s.dir, &id);
            return;
        }
        let outcome = match request.command {
            Err(why) => {
                Err(Report::new(Kind::Usage, format!("the request {id} cannot be read: {why}")))
            }
            Ok(command) if !command.writes() => {
                // Nobody waits for these.
                self.adjust(&command);
                inbox::remove(&self.s.dir, &id);
                return;
            }
            Ok(command) => match self.decide(&command).await {
                Ok(decision) => {
                    if self.enact(&command, decision, Some(&id)).is_ok() {
                        inbox::remove(&self.s.dir, &id);
                    }
                    self.flush();
                    return;
                }
                Err(report) => Err(report),
            },
        };
        let record = Record::Done { request: id.clone(), outcome: write_outcome(&outcome) };
        if self.commit(vec![record]).is_ok() {
            inbox::remove(&self.s.dir, &id);
        }
        self.flush();
    }

    /// What is no matter of record.
    fn adjust(&mut self, command: &Command) {
        let now = Instant::now();
        match command {
            Command::Poll => {
                for site in self.sites.values_mut() {
                    site.poll_now(now);
                }
                self.dirty = true;
            }
            Command::PausePolling(paused) => {
                self.s.paused = *paused;
                for site in self.sites.values_mut() {
                    site.asked_for = false;
                    if !paused {
                        site.poll_soon(now);
                    }
                }
            }
            Command::SetInterest(interest) => {
                self.s.interest = *interest;
                if *interest == crate::runtime::handle::Interest::Watched {
                    for site in self.sites.values_mut() {
                        site.poll_soon(now);
                    }
                }
            }
            Command::Until(until) => self.s.until = *until,
            Command::Detach { background } => self.s.leaving = Some(*background),
            _ => {}
        }
    }

    async fn decide(&mut self, command: &Command) -> Result<Decision, Report> {
        match command {
            Command::Cancel { jobs, why } => self.decide_cancel(jobs, why.as_deref()),
            Command::Act { action: RemoteAction::Cancel, jobs } => self.decide_cancel(jobs, None),
            Command::Act { action, jobs } => self.decide_act(*action, jobs),
            Command::Retry { jobs, changes, code } => self.decide_retry(jobs, changes, *code).await,
            Command::Send => Ok(self.decide_send()),
            Command::StopSending => Ok(self.decide_stop()),
            _ => Ok(Decision { records: Vec::new(), done: Done::default() }),
        }
    }

    /// Records it, together with the word that it was done, and does what records
    /// alone do not.
    fn enact(
        &mut self,
        command: &Command,
        decision: Decision,
        request: Option<&str>,
    ) -> Result<Done, Report> {
        let Decision { mut records, done } = decision;
        // A retry in a run where nothing else waits to be sent is all there is to
        // carry on: what depends on it follows.
        let carries_on = matches!(command, Command::Retry { .. })
            && self.s.run.held.is_none()
            && self.s.run.unsent() == 0;
        if *command == Command::StopSending {
            self.empty_outboxes("stopped before it was sent");
        }
        let outcome = Ok(done);
        if let Some(id) = request {
            records.push(Record::Done { request: id.to_owned(), outcome: write_outcome(&outcome) });
        }
        if !records.is_empty() {
            self.commit(records).map_err(|error| state_report(&error))?;
        }
        match command {
            Command::Send => self.go_active(),
            Command::Retry { .. } if carries_on => self.go_active(),
            Command::Act { action, .. } if *action != RemoteAction::Cancel => {
                let jobs = outcome.as_ref().map(|done| done.jobs.clone()).unwrap_or_default();
                self.to_act.push((*action, jobs));
            }
            Command::Yield { epoch } => {
                let own = self.journal.ownership().conductor();
                self.give_way = own.yields && own.epoch == *epoch;
            }
            _ => {}
        }
        self.dirty = true;
        outcome
    }

    /// From now on everything is sent that may be.
    fn go_active(&mut self) {
        self.s.active = true;
        let yields = self.s.options.is_background;
        // Whoever asked it to give way sees from now on that it stays, and leaves.
        self.give_way &= yields;
        if let Err(error) = self.journal.ownership_mut().set_yields(yields) {
            self.s.trouble(state_report(&error));
        }
        for ix in (0..self.s.run.jobs.len() as u32).map(JobIx) {
            if self.s.run.job(ix).is_some_and(|row| self.s.run.will_retry(row)) {
                self.to_retry.push(ix);
            }
        }
    }

    pub(super) fn known(&self, jobs: &[JobIx]) -> Result<Vec<JobIx>, Report> {
        let mut jobs = jobs.to_vec();
        jobs.sort_unstable();
        jobs.dedup();
        match jobs.iter().find(|ix| self.s.run.job(**ix).is_none()) {
            Some(ix) => {
                Err(Report::new(Kind::Usage, format!("the run has no job {}", u64::from(ix.0) + 1)))
            }
            None => Ok(jobs),
        }
    }

    fn decide_cancel(&self, jobs: &[JobIx], why: Option<&str>) -> Result<Decision, Report> {
        let run = &self.s.run;
        let open: Vec<JobIx> = self
            .known(jobs)?
            .into_iter()
            .filter(|ix| run.job(*ix).is_some_and(|j| !j.status.is_ended()))
            .collect();
        let (open, out_of_reach): (Vec<JobIx>, Vec<JobIx>) =
            open.into_iter().partition(|ix| self.can_cancel(*ix));
        let missing = self.missing(&out_of_reach);
        if let (true, Some(words)) = (open.is_empty(), &missing) {
            return Err(Report::new(Kind::Unreachable, words.clone())
                .hint("add the cluster to the configuration, or enable it again"));
        }
        let unsent = open
            .iter()
            .filter(|ix| run.job(**ix).is_some_and(|j| j.status == Status::Waiting))
            .count();
        let message = match (open.len() - unsent, unsent) {
            (0, 0) => "nothing to cancel: all of them have ended".to_owned(),
            (0, n) => format!("{} not sent yet: stopped", jobs_text(n)),
            (n, 0) => format!("cancel asked for {}", jobs_text(n)),
            (n, m) => format!("cancel asked for {}; {m} not sent yet: stopped", jobs_text(n)),
        };
        let records = if open.is_empty() {
            Vec::new()
        } else {
            let why = why.map(str::trim).filter(|why| !why.is_empty()).map(Into::into);
            vec![Record::CancelAsked { jobs: open.clone(), why }]
        };
        let mut notes = followed_elsewhere(run, &open);
        notes.extend(missing);
        Ok(Decision { records, done: Done { message, jobs: open, notes } })
    }

    /// Its cluster is there to be asked, or need not be.
    fn can_cancel(&self, ix: JobIx) -> bool {
        let Some(row) = self.s.run.job(ix) else { return false };
        row.status == Status::Waiting
            || row.attempt().is_some_and(|a| a.follows.is_some())
            || row.cluster.as_ref().is_none_or(|id| self.sites.contains_key(id))
    }

    /// Says of jobs whose cluster is not configured any more that they go on.
    fn missing(&self, jobs: &[JobIx]) -> Option<String> {
        let rows = jobs.iter().filter_map(|ix| self.s.run.job(*ix));
        let names: BTreeSet<&str> =
            rows.filter_map(|row| row.cluster.as_ref()).map(ClusterId::as_str).collect();
        let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        let (go, is) = (
            if jobs.len() == 1 { "goes" } else { "go" },
            if names.len() == 1 { "is" } else { "are" },
        );
        (!jobs.is_empty()).then(|| {
            let names = names.join(", ");
            format!("{} {go} on: {names} {is} not configured here", jobs_text(jobs.len()))
        })
    }

    /// What the clusters make of it is told by the rows.
    fn decide_act(&self, action: RemoteAction, jobs: &[JobIx]) -> Result<Decision, Report> {
        let can = |id: &ClusterId| Some(self.sites.get(id)?.capabilities.can(action));
        let run = &self.s.run;
        let suited = action.of(run, &self.known(jobs)?, can);
        if suited.jobs.is_empty() {
            return Err(Report::new(Kind::Usage, suited.nothing(run)));
        }
        let message = format!("{} asked for {}", action.word(), jobs_text(suited.jobs.len()));
        let notes = suited.left_alone(run);
        Ok(Decision { records: Vec::new(), done: Done { message, jobs: suited.jobs, notes } })
    }

    fn decide_send(&self) -> Decision {
        let run = &self.s.run;
        let mut records = Vec::new();
        if run.held.is_some() {
            records.push(Record::Released);
        }
        // What a person stopped from being sent; what was given up for other
        // reasons stays given up.
        let stopped: Vec<JobIx> = (0..)
            .map(JobIx)
            .zip(&run.jobs)
            .filter(|(_, j)| j.status == Status::NotSubmitted && j.cause == Some(Cause::Cancelled))
            .map(|(ix, _)| ix)
            .collect();
        let count = run.unsent() + stopped.len();
        if !stopped.is_empty() {
            records.push(Record::Revived { jobs: stopped.clone() });
        }
        let message = if count == 0 {
            "nothing is left to send".to_owned()
        } else {
            format!("{} will be sent", jobs_text(count))
        };
        Decision { records, done: Done { message, jobs: stopped, notes: Vec::new() } }
    }

    fn decide_stop(&self) -> Decision {
        // What lies rendered in an outbox is taken back first, so it counts.
        let queued: std::collections::HashSet<JobIx> = self
            .sites
            .values()
            .flat_map(|s| s.outbox.iter().flat_map(|r| r.jobs.iter().map(|j| j.key.job)))
            .collect();
        let jobs: Vec<JobIx> = (0..)
            .map(JobIx)
            .zip(&self.s.run.jobs)
            .filter(|(ix, j)| j.status == Status::Waiting || queued.contains(ix))
            .map(|(ix, _)| ix)
            .collect();
        let message = if jobs.is_empty() {
            "nothing was left to send".to_owned()
        } else {
            format!("{} will not be sent", jobs_text(jobs.len()))
        };
        let records = if jobs.is_empty() {
            Vec::new()
        } else {
            vec![Record::NotSubmitted {
                jobs: jobs.clone(),
                cause: Some(Cause::Cancelled),
                reason: "sending was stopped".to_owned(),
            }]
        };
        Decision { records, done: Done { message, jobs, notes: Vec::new() } }
    }
}

/// Rows that show jobs of other runs: a cancel ends the row and not the job.
fn followed_elsewhere(run: &Run, jobs: &[JobIx]) -> Vec<String> {
    let mut owners: BTreeMap<&RunId, Vec<&str>> = BTreeMap::new();
    for row in jobs.iter().filter_map(|ix| run.job(*ix)) {
        if let Some(key) = row.attempt().and_then(|a| a.follows.as_ref()) {
            owners.entry(&key.run).or_default().push(&row.spec.name);
        }
    }
    let told = owners.into_iter().map(|(owner, names)| match names.as_slice() {
        [name] => {
            format!("{name}: the job itself belongs to run {owner} and goes on; cancel it there")
        }
        names => format!(
            "{}: the jobs themselves belong to run {owner} and go on; cancel them there",
            jobs_text(names.len())
        ),
    });
    told.collect()
}

pub(super) fn jobs_text(n: usize) -> String {
    if n == 1 { "1 job".to_owned() } else { format!("{n} jobs") }
}

/// A report as it travels through the journal.
#[derive(Deserialize)]
struct Told {
    #[serde(default = "usage")]
    kind: Kind,
    message: String,
    #[serde(default)]
    hints: Vec<String>,
}

fn usage() -> Kind {
    Kind::Usage
}

fn write_outcome(outcome: &Result<Done, Report>) -> serde_json::Value {
    match outcome {
        Ok(done) => serde_json::json!({ "ok": done }),
        Err(report) => serde_json::json!({
            "error": { "kind": report.kind, "message": report.message, "hints": report.hints }
        }),
    }
}

/// Reads what [`write_outcome`] wrote.
pub(super) fn read_outcome(value: &serde_json::Value) -> Result<Done, Report> {
    if let Some(done) = value.get("ok") {
        return Ok(serde_json::from_value(done.clone()).unwrap_or_default());
    }
    let told: Option<Told> =
        value.get("error").and_then(|error| serde_json::from_value(error.clone()).ok());
    let mut report = Report::new(
        told.as_ref().map_or(Kind::Usage, |t| t.kind),
        told.as_ref().map_or("the conductor refused it", |t| t.message.as_str()),
    );
    report.hints = told.map(|t| t.hints).unwrap_or_default();
    Err(report)
}

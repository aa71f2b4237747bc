//! What can be asked of jobs that a cluster has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ids::{ClusterId, JobIx},
    run::{Run, RunJob},
    status::Status,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteAction {
    Cancel,
    /// A job in the queue is not started until it is released.
    Hold,
    Release,
    /// A running job is ended, and waits in the queue for its next start.
    Requeue,
    Suspend,
    Resume,
}

impl RemoteAction {
    /// The verb: `hold`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Requeue => "requeue",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
        }
    }

    /// What was done: `held`.
    pub fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Hold => "held",
            Self::Release => "released",
            Self::Requeue => "requeued",
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
        }
    }

    /// Whether it makes sense for a job as it stands.
    ///
    /// # Errors
    /// Why it does not.
    pub fn suits(self, job: &RunJob) -> Result<(), &'static str> {
        if job.attempt().is_some_and(|a| a.follows.is_some()) {
            return Err("belongs to another run");
        }
        let wants_running = matches!(self, Self::Requeue | Self::Suspend);
        match job.status {
            status if status.is_ended() && self == Self::Requeue => {
                Err("has ended: retry makes a new attempt")
            }
            status if status.is_ended() => Err("has ended"),
            _ if self == Self::Cancel => Ok(()),
            Status::Waiting => Err("is not sent yet"),
            Status::Running if !wants_running => Err("runs already"),
            Status::Pending if wants_running => Err("does not run yet"),
            Status::Running | Status::Pending => Ok(()),
            _ => Err("is being sent"),
        }
    }

    /// Those of the jobs that it can be done to. `can`: whether a cluster can do it;
    /// `None`: there is no such cluster here.
    pub fn of(self, run: &Run, jobs: &[JobIx], can: impl Fn(&ClusterId) -> Option<bool>) -> Suited {
        let mut suited = Suited { action: self, jobs: Vec::new(), left: BTreeMap::new() };
        for ix in jobs {
            let Some(job) = run.job(*ix) else { continue };
            let able = job.cluster.as_ref().map_or(Some(true), &can);
            let cluster = job.cluster.as_ref().map_or("", ClusterId::as_str);
            let why = match (self.suits(job), able) {
                (Err(why), _) => why.to_owned(),
                (Ok(()), None) => format!("is on {cluster}, which is not configured here"),
                (Ok(()), Some(false)) => {
                    format!("is on {cluster}, which cannot {} jobs", self.word())
                }
                (Ok(()), Some(true)) => {
                    suited.jobs.push(*ix);
                    continue;
                }
            };
            suited.left.entry(why).or_default().push(*ix);
        }
        suited
    }
}

/// What an action will be done to, and what is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suited {
    action: RemoteAction,
    pub jobs: Vec<JobIx>,
    /// Why, and the jobs for which that is so.
    left: BTreeMap<String, Vec<JobIx>>,
}

impl Suited {
    /// A line for each reason why something is left alone: `a is not sent yet`.
    pub fn left_alone(&self, run: &Run) -> Vec<String> {
        let line = |(why, jobs): (&String, &Vec<JobIx>)| match jobs.as_slice() {
            [one] => format!("{} {why}", run.job(*one).map_or("", |job| &job.spec.name)),
            jobs => format!("{} jobs: each {why}", jobs.len()),
        };
        self.left.iter().map(line).collect()
    }

    /// Why there is nothing to do at all.
    pub fn nothing(&self, run: &Run) -> String {
        let why = self.left_alone(run);
        let word = self.action.word();
        if why.is_empty() {
            return format!("there is nothing to {word}");
        }
        format!("nothing to {word}: {}", why.join("; "))
    }
}

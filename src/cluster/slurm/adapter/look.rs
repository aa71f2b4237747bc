//! What became of jobs: found by their names after a lost answer, and watched.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Write as _,
};

use jiff::Timestamp;

use super::{
    super::{
        ids::{self, SlurmId},
        queue::{self, Seen, Separator},
        transport::words,
    },
    ACCOUNTING, IDS, QUERY, Slurm, mark_path,
};
use crate::{
    cluster::{ClusterError, Found, Observed, Sought, Watched},
    domain::{
        ids::JobKey,
        run::{Accepted, JobFacts},
        shell::single_quoted,
        status::{Cause, Status},
    },
};

/// Clocks differ, and an intent is written before the request leaves.
const SLACK_SECS: i64 = 600;

impl Slurm {
    /// Our jobs in the queue.
    pub async fn in_queue(&self) -> Result<Vec<Seen>, ClusterError> {
        let separator = Separator::draw();
        let answer = self.query(&words(&queue::squeue(&separator)), QUERY).await?;
        Ok(queue::read_squeue(&answer, &separator, self.origin()?))
    }

    /// Jobs that the accounting tells of; `call` makes the arguments.
    async fn in_accounting(
        &self,
        call: impl FnOnce(&Separator) -> Vec<String>,
    ) -> Result<Vec<Seen>, ClusterError> {
        let separator = Separator::draw();
        let answer = self.query(&words(&call(&separator)), ACCOUNTING).await?;
        Ok(queue::read_sacct(&answer, &separator, self.origin()?))
    }

    /// By name in the queue, then in the accounting since the first of them was
    /// sent. Where there is no accounting the marks that ended jobs leave are all
    /// there is.
    pub async fn find(&self, jobs: &[Sought]) -> Result<Vec<(JobKey, Found)>, ClusterError> {
        let site = self.site().await?;
        let wanted: HashSet<&JobKey> = jobs.iter().map(|job| &job.key).collect();
        let ours = |seen: Vec<Seen>| -> Vec<Seen> {
            seen.into_iter().filter(|one| wanted.contains(&one.key)).collect()
        };
        let mut seen = ours(self.in_queue().await?);
        let present: HashSet<JobKey> = seen.iter().map(|one| one.key.clone()).collect();
        let in_queue: HashSet<SlurmId> = seen.iter().map(|one| one.id).collect();
        if site.accounting && present.len() < wanted.len() {
            let since = jobs.iter().filter_map(|job| job.sent_at).min();
            let age = since.map_or(SLACK_SECS, |at| {
                Timestamp::now().duration_since(at).as_secs().max(0) + SLACK_SECS
            });
            let call = |separator: &Separator| queue::sacct_window(age as u64, separator);
            seen.extend(ours(self.in_accounting(call).await?));
        }
        let (found, mut doubles) = queue::one_each(seen);
        // What only the accounting remembers is over, and its id may be another's.
        doubles.retain(|id| in_queue.contains(id));
        if !doubles.is_empty() {
            self.cancel_doubles(doubles).await;
        }
        let place = self.place(&site);
        let mut absent_paths = Vec::new();
        let mut answer = Vec::with_capacity(jobs.len());
        for job in jobs {
            let path = place.log_path(&job.spec.name, &job.key);
            let accepted = |id: String, name| Accepted {
                remote_id: id,
                remote_name: name,
                url: None,
                log_path: Some(path.clone()),
            };
            match found.get(&job.key) {
                Some(seen) => {
                    let accepted = accepted(seen.id.to_string(), Some(seen.name.clone()));
                    answer.push((job.key.clone(), Found::Present(accepted)));
                }
                None => absent_paths.push((job.key.clone(), path)),
            }
        }
        // A job that left a mark has been there, whatever Slurm remembers.
        let marks = self.marks(&absent_paths).await?;
        for (key, path) in absent_paths {
            let found = if marks.contains_key(&key) {
                Found::Present(Accepted {
                    remote_id: "gone".to_owned(),
                    remote_name: None,
                    url: None,
                    log_path: Some(path),
                })
            } else {
                Found::Absent
            };
            answer.push((key, found));
        }
        Ok(answer)
    }

    /// A request that got through twice: the later copies are taken back.
    async fn cancel_doubles(&self, ids: Vec<SlurmId>) {
        let mut call = vec!["scancel".to_owned()];
        call.extend(ids::arguments(ids));
        // They are seen again by the next look if this fails.
        let _ = self.ask(&words(&call), QUERY).await;
    }

    /// Exit codes that ended jobs have left beside their logs.
    async fn marks(&self, jobs: &[(JobKey, String)]) -> Result<HashMap<JobKey, i32>, ClusterError> {
        let mut marks = HashMap::new();
        for chunk in jobs.chunks(IDS) {
            let mut program = String::new();
            for (n, (_, path)) in chunk.iter().enumerate() {
                let mark = single_quoted(&mark_path(path));
                let _ = writeln!(program, "[ -f {mark} ] && echo \"{n} $(cat {mark})\"");
            }
            program.push_str("true\n");
            let ran = self.transport.run(&program, QUERY).await?;
            for line in ran.text().lines() {
                if let Some((n, code)) = line.split_once(' ')
                    && let Some((key, _)) = n.parse::<usize>().ok().and_then(|n| chunk.get(n))
                    && let Ok(code) = code.trim().parse()
                {
                    marks.insert(key.clone(), code);
                }
            }
        }
        Ok(marks)
    }

    /// One poll: the queue, and the accounting for those that have left it or were
    /// started again.
    pub async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        let site = self.site().await?;
        let (mut known, doubles) = queue::one_each(self.in_queue().await?);
        if !doubles.is_empty() {
            // A request that arrived after it was given up.
            self.cancel_doubles(doubles).await;
        }
        if site.accounting {
            let gone: Vec<&Watched> =
                jobs.iter().filter(|job| !known.contains_key(&job.key)).collect();
            known.extend(self.ended(&gone).await?);
            self.tell_restarts(jobs, &mut known).await?;
        }
        let unmarked: Vec<(JobKey, String)> = jobs
            .iter()
            .filter(|job| !known.contains_key(&job.key))
            .filter_map(|job| Some((job.key.clone(), job.log_path.as_deref()?.to_owned())))
            .collect();
        let marks =
            if unmarked.is_empty() { HashMap::new() } else { self.marks(&unmarked).await? };
        let mut answer = Vec::with_capacity(jobs.len());
        for job in jobs {
            let facts = match known.get(&job.key) {
                // In a state that this build does not know: nothing is said.
                Some(Seen { facts: None, .. }) => continue,
                Some(seen) => seen.facts.clone().map(|facts| match &self.settings.ssh {
                    Some(host) => queue::through_tunnel(facts, &self.settings.ssh_options, host),
                    None => facts,
                }),
                None => marks.get(&job.key).map(|code| ended_by_mark(*code)),
            };
            answer.push(Observed { key: job.key.clone(), facts });
        }
        Ok(answer)
    }

    /// How jobs ended that have left the queue, as far as the accounting knows.
    async fn ended(&self, gone: &[&Watched]) -> Result<HashMap<JobKey, Seen>, ClusterError> {
        let mut ended = HashMap::new();
        for chunk in records_of(gone).chunks(IDS) {
            for seen in self.in_accounting(|mark| queue::sacct(chunk, mark)).await? {
                // What it calls running has left the queue: it lags behind.
                if seen.facts.as_ref().is_some_and(|facts| facts.status.is_ended()) {
                    ended.entry(seen.key.clone()).or_insert(seen);
                }
            }
        }
        Ok(ended)
    }

    /// Adds why Slurm ended the last start of jobs that it has started again since
    /// they were last seen.
    async fn tell_restarts(
        &self,
        jobs: &[Watched],
        known: &mut HashMap<JobKey, Seen>,
    ) -> Result<(), ClusterError> {
        let again = |job: &&Watched| {
            let facts = known.get(&job.key).and_then(|seen| seen.facts.as_ref());
            facts.is_some_and(|facts| facts.restarts >= job.starts)
        };
        let again: Vec<&Watched> = jobs.iter().filter(again).collect();
        let mut starts = queue::Starts::new();
        for chunk in records_of(&again).chunks(IDS) {
            let separator = Separator::draw();
            let call = words(&queue::sacct_starts(chunk, &separator));
            let answer = self.query(&call, ACCOUNTING).await?;
            starts.extend(queue::read_starts(&answer, &separator, self.origin()?));
        }
        let now = Timestamp::now();
        for key in again.into_iter().map(|job| &job.key) {
            if let Some(seen) = known.get_mut(key) {
                seen.follows(starts.get(key).map_or(&[], Vec::as_slice), now);
            }
        }
        Ok(())
    }
}

/// Ids to ask the accounting about. Arrays are asked about as wholes: their tasks
/// are one answer.
fn records_of(jobs: &[&Watched]) -> Vec<String> {
    let ids = jobs.iter().filter_map(|job| ids::parse(job.remote_id.as_deref()?)).flatten();
    let records: BTreeSet<u64> = ids.map(|id| id.job).collect();
    records.iter().map(u64::to_string).collect()
}

/// What a job's own mark tells, when Slurm remembers nothing.
fn ended_by_mark(code: i32) -> JobFacts {
    let status = if code == 0 { Status::Succeeded } else { Status::Failed };
    let mut facts = JobFacts::of(status);
    facts.exit_code = Some(code);
    facts.cause = (code != 0).then_some(Cause::Exit);
    facts
}

//! Sending a request, and the cluster's own dry run of one.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    time::Duration,
};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::{
    super::{
        code,
        ids::SlurmId,
        names,
        refusals::{self, Refusal},
        render::Place,
        transport::{Ran, here, words},
    },
    CLEAN, Slurm,
};
use crate::{
    cluster::{Checked, ClusterError, KeyedJob, Outcome, Payload, Request, SubmitError},
    domain::{
        finding::Finding,
        ids::JobKey,
        run::Accepted,
        shell::{quote, single_quoted},
        tree::FieldPath,
    },
    secrets,
};

/// A start further away than this means that Slurm sees none: it then tells the end
/// of its calendar.
const NEVER_SECS: i64 = 10 * 365 * 86_400;
/// Over this the answer counts as lost.
const SUBMIT: Duration = Duration::from_mins(1);
/// Exit code of our own part of a program: the folder cannot be made.
const NO_FOLDER: i32 = 73;

impl Slurm {
    /// The cluster's own dry run, once for requests that ask for the same.
    pub async fn check(&self, requests: &[Request]) -> Result<Vec<Checked>, ClusterError> {
        let mut known: HashMap<Vec<String>, Option<Timestamp>> = HashMap::new();
        let mut all = Vec::with_capacity(requests.len());
        for request in requests {
            let (Payload::Command { argv, stdin, .. }, Some(first)) =
                (&request.payload, request.jobs.first())
            else {
                all.push(Checked::default());
                continue;
            };
            let asked = what_is_asked(argv);
            if let Some(starts_at) = known.get(&asked) {
                all.push(Checked { starts_at: *starts_at, ..Checked::default() });
                continue;
            }
            let checked = self.check_one(first, &asked, stdin.as_deref()).await?;
            known.insert(asked, checked.starts_at);
            all.push(checked);
        }
        Ok(all)
    }

    async fn check_one(
        &self,
        first: &KeyedJob,
        asked: &[String],
        script: Option<&str>,
    ) -> Result<Checked, ClusterError> {
        let script = here(script.unwrap_or_default());
        let ran = self.ask(&format!("{} --test-only {script}", words(asked)), SUBMIT).await?;
        let entry = first.spec.entry as usize;
        let path = FieldPath::root().key("jobs").index(entry);
        let of_job = |finding: Finding| finding.of_job(entry, Some(&first.spec.name));
        if ran.code == 0 {
            let starts_at = estimate(&ran.stderr);
            let never = starts_at
                .is_some_and(|at| at.duration_since(Timestamp::now()).as_secs() > NEVER_SECS);
            if !never {
                return Ok(Checked { findings: Vec::new(), starts_at });
            }
            let words = format!("{} takes it and does not expect ever to start it", self.id);
            let finding = Finding::warning(path, words)
                .hint("ask for less: its account, QOS or partition may not have that much at once");
            return Ok(Checked { findings: vec![of_job(finding)], starts_at: None });
        }
        let stderr = ran.stderr.replace("allocation failure: ", "");
        match refusals::read(ran.code, &stderr) {
            Refusal::Rejected(words) => {
                let finding = Finding::error(path, format!("{} would refuse it: {words}", self.id));
                Ok(Checked { findings: vec![of_job(finding)], starts_at: None })
            }
            Refusal::Busy(_) | Refusal::Unknown(_) => Err(self.failed(&ran)),
        }
    }

    pub async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let Some(first) = request.jobs.first() else { return Ok(Vec::new()) };
        let site = self.site().await.map_err(SubmitError::Unavailable)?;
        let place = self.place(&site);
        let program = match self.program(request, first, &place) {
            Ok(program) => program,
            Err(words) => return Ok(refused(request, &words)),
        };
        let ran = self.transport.ask(&program, SUBMIT).await?;
        self.answered(request, &ran, &place)
    }

    /// Makes the folders, writes the secrets, claims the code, then asks `sbatch`;
    /// `Err`: why that cannot be written.
    fn program(
        &self,
        request: &Request,
        first: &KeyedJob,
        place: &Place<'_>,
    ) -> Result<String, String> {
        let Payload::Command { argv, stdin, files } = &request.payload else {
            return Err("a request for another kind of cluster".to_owned());
        };
        let aside = quote(&place.aside(first.key.run.as_str()));
        let mut program = format!("{CLEAN}mkdir -p -- {aside} || exit {NO_FOLDER}\n");
        for path in files.keys() {
            let text = here(&secret_file(first)?);
            let _ = write!(program, "(umask 077; cat >{}) {text}", quote(path));
            let _ = writeln!(program, "[ $? = 0 ] || exit {NO_FOLDER}");
        }
        let user = code::user(self.origin.known().unwrap_or_default(), first.key.run.as_str());
        let mut claimed = HashSet::new();
        for bundle in request.jobs.iter().flat_map(|job| &job.code) {
            if claimed.insert(&bundle.hash) {
                let claim = code::claim(&place.folder(), bundle, &user);
                let _ = writeln!(program, "{claim} || exit {NO_FOLDER}");
            }
        }
        let script = stdin.as_deref().unwrap_or_default();
        let _ = write!(program, "{} {}", words(argv), here(script));
        Ok(program)
    }

    /// What the end of the program means for the jobs of its request.
    fn answered(
        &self,
        request: &Request,
        ran: &Ran,
        place: &Place<'_>,
    ) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let cluster = self.id.clone();
        let away =
            |why| ClusterError::Unreachable { cluster: cluster.clone(), why, retry_after: None };
        match ran.code {
            NO_FOLDER => Err(SubmitError::Unavailable(self.failed(ran))),
            0 => {
                let text = ran.text();
                let id = text.trim().split(';').next().unwrap_or_default();
                id.parse().map(|id| self.accepted(request, id, place)).map_err(|_| {
                    let what = format!("`{}` instead of a job id", text.trim());
                    SubmitError::Unknown(ClusterError::Garbled { cluster, what })
                })
            }
            code => match refusals::read(code, &ran.stderr) {
                Refusal::Rejected(words) => Ok(refused(request, &words)),
                Refusal::Busy(why) => Err(SubmitError::Unavailable(away(why))),
                Refusal::Unknown(why) => Err(SubmitError::Unknown(away(why))),
            },
        }
    }

    fn accepted(&self, request: &Request, id: u64, place: &Place<'_>) -> Vec<(JobKey, Outcome)> {
        let Some(first) = request.jobs.first() else { return Vec::new() };
        let origin = self.origin.known().unwrap_or_default();
        let name = names::of_request(&first.spec, &first.key, origin);
        let is_array = request.jobs.len() > 1;
        let take = |job: &KeyedJob| {
            let task = is_array.then(|| job.key.job.0 - first.key.job.0);
            let accepted = Accepted {
                remote_id: SlurmId { job: id, task }.to_string(),
                remote_name: Some(name.clone()),
                url: None,
                log_path: Some(place.log_path(&job.spec.name, &job.key)),
            };
            (job.key.clone(), Outcome::Accepted(accepted))
        };
        request.jobs.iter().map(take).collect()
    }
}

/// Every job of a request, refused with the same words.
fn refused(request: &Request, words: &str) -> Vec<(JobKey, Outcome)> {
    let refuse = |job: &KeyedJob| (job.key.clone(), Outcome::Rejected(words.to_owned()));
    request.jobs.iter().map(refuse).collect()
}

/// A request's arguments without its names and places, which a dry run does not need.
fn what_is_asked(argv: &[String]) -> Vec<String> {
    const OWN: [&str; 5] = ["--parsable", "--chdir=", "--output=", "--job-name=", "--comment="];
    let own = |word: &str| OWN.iter().any(|own| word.starts_with(own)) || word.contains("<id of ");
    argv.iter().filter(|word| !own(word)).cloned().collect()
}

/// When a job would start, from what `sbatch --test-only` says with times as numbers:
/// `sbatch: Job 3 to start at 1795287865 using 1 processors on nodes …`.
fn estimate(stderr: &str) -> Option<Timestamp> {
    let (_, rest) = stderr.split_once(" to start at ")?;
    Timestamp::from_second(rest.split_whitespace().next()?.parse().ok()?).ok()
}

/// The file with the secrets that the jobs of a request share, by their names.
fn secret_file(job: &KeyedJob) -> Result<String, String> {
    let spec = job.spec.filled(&job.key.run, job.key.attempt);
    let mut text = String::new();
    for (name, reference) in spec.env.iter().filter(|(_, value)| secrets::is_reference(value)) {
        let value = secrets::resolve(reference).map_err(|error| error.to_string())?;
        let _ = writeln!(text, "export {name}={}", single_quoted(value.expose_secret()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_of_a_dry_run_is_read() {
        let told = "sbatch: Job 10 to start at 1795287865 using 1 processors on nodes gpu1\n";
        assert_eq!(estimate(told).map(Timestamp::as_second), Some(1_795_287_865));
        // As a site's own wrapper may print it.
        assert_eq!(estimate("sbatch: Job 10 to start at 2026-11-20T10:52:48 using"), None);
        assert_eq!(estimate("sbatch: error: no such thing"), None);
    }
}

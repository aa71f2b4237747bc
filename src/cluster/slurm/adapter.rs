//! What the adapter does: one call of Slurm's commands for each wish.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::{
    code,
    ids::{self, SlurmId},
    names,
    queue::{self, Seen, Separator},
    refusals::{self, Refusal},
    render::Place,
    script::ASIDE,
    site::{self, Site},
    transport::{Failed, Ran, Transport, here, words},
};
use crate::{
    cluster::{
        ActOutcome, ClusterError, Found, KeyedJob, Observed, Outcome, Payload, RemoteAction,
        Request, SiteFacts, Sought, SubmitError, Watched, origin::Origin,
    },
    config::SlurmSettings,
    domain::{
        finding::Finding,
        ids::{ClusterId, JobKey},
        run::{Accepted, JobFacts},
        shell::{quote, single_quoted},
        site::{Capabilities, Capacity, ClusterKind},
        status::{Cause, Status},
        tree::FieldPath,
    },
    secrets,
};

const QUERY: Duration = Duration::from_secs(20);
const ACCOUNTING: Duration = Duration::from_secs(40);
/// Over this the answer counts as lost.
const SUBMIT: Duration = Duration::from_mins(1);
/// Folders of many jobs on a slow disk.
const CLEANING: Duration = Duration::from_mins(10);
/// Ids in one call.
const IDS: usize = 200;
/// Exit code of our own part of a program: the folder cannot be made.
const NO_FOLDER: i32 = 73;
/// Clocks differ, and an intent is written before the request leaves.
const SLACK_SECS: i64 = 600;

/// Every query prints times in seconds and whole sets of tasks, whatever the user
/// has set; nothing in the environment changes a job.
const CLEAN: &str = "\
for name in $(env | sed -n 's/^\\(S[A-Z]*_[A-Z_]*\\)=.*/\\1/p'); do
  case $name in SBATCH_*|SQUEUE_*|SACCT_*|SCANCEL_*|SINFO_*) unset \"$name\" ;; esac
done
";
const AS_NUMBERS: &str = "export SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0 LC_ALL=C\n";

#[derive(Debug)]
pub struct Slurm {
    pub id: ClusterId,
    pub capabilities: Capabilities,
    pub transport: Transport,
    settings: SlurmSettings,
    origin: Origin,
    /// What was learned last.
    site: Mutex<Option<Site>>,
}

impl Slurm {
    pub fn new(
        id: ClusterId,
        settings: SlurmSettings,
        sockets: &std::path::Path,
        origin: Origin,
    ) -> Self {
        Self {
            transport: Transport::new(id.clone(), &settings, sockets),
            capabilities: Capabilities::of(ClusterKind::Slurm),
            id,
            settings,
            origin,
            site: Mutex::default(),
        }
    }

    pub fn place<'a>(&'a self, site: &'a Site) -> Place<'a> {
        Place {
            id: &self.id,
            settings: &self.settings,
            site,
            origin: self.origin.known().unwrap_or("<origin>"),
        }
    }

    fn known_site(&self) -> Option<Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn site(&self) -> Result<Site, ClusterError> {
        if let Some(site) = self.known_site() {
            return Ok(site);
        }
        self.facts().await?;
        Ok(self.known_site().unwrap_or_default())
    }

    /// A query that must succeed; its text.
    async fn query(&self, program: &str, limit: Duration) -> Result<String, ClusterError> {
        let ran = self.ask(program, limit).await?;
        match ran.code {
            0 => Ok(ran.text().into_owned()),
            _ => Err(self.failed(&ran)),
        }
    }

    async fn ask(&self, program: &str, limit: Duration) -> Result<Ran, Failed> {
        self.transport.ask(&format!("{CLEAN}{AS_NUMBERS}{program}"), limit).await
    }

    /// Slurm's commands are there, and say no: the controller is away, or there is
    /// no Slurm.
    fn failed(&self, ran: &Ran) -> ClusterError {
        let last = ran.stderr.lines().rev().find(|line| !line.trim().is_empty());
        let why = last.map_or_else(|| format!("ended with code {}", ran.code), str::to_owned);
        if ran.code == 127 {
            let words = format!("{why}: Slurm's commands are not on the PATH there (set `prefix`)");
            return ClusterError::Refused { cluster: self.id.clone(), words };
        }
        ClusterError::Unreachable { cluster: self.id.clone(), why, retry_after: None }
    }

    pub async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        let answer = self.query(site::ASK, ACCOUNTING).await?;
        let (version, site) = site::read(&answer);
        self.origin()?;
        *self.site.lock().unwrap_or_else(PoisonError::into_inner) = Some(site.clone());
        Ok(site.into_facts(version, self.settings.account.as_deref()))
    }

    pub async fn capacity(&self) -> Result<Capacity, ClusterError> {
        Ok(site::capacity(&self.query(site::ASK_CAPACITY, QUERY).await?))
    }

    /// The cluster's own dry run of one request.
    pub async fn check(&self, request: &Request) -> Result<Vec<Finding>, ClusterError> {
        let Payload::Command { argv, stdin, .. } = &request.payload else { return Ok(Vec::new()) };
        let Some(first) = request.jobs.first() else { return Ok(Vec::new()) };
        let argv: Vec<String> = argv
            .iter()
            .filter(|word| *word != "--parsable" && !word.contains("<id of "))
            .filter(|word| !word.starts_with("--chdir=") && !word.starts_with("--output="))
            .cloned()
            .chain(["--test-only".to_owned()])
            .collect();
        let program =
            format!("{CLEAN}{} {}", words(&argv), here(stdin.as_deref().unwrap_or_default()));
        let ran = self.transport.ask(&program, SUBMIT).await?;
        if ran.code == 0 {
            return Ok(Vec::new());
        }
        let path = FieldPath::root().key("jobs").index(first.spec.entry as usize);
        let stderr = ran.stderr.replace("allocation failure: ", "");
        match refusals::read(ran.code, &stderr) {
            Refusal::Rejected(words) => {
                let finding = Finding::error(path, format!("{} would refuse it: {words}", self.id));
                Ok(vec![finding.of_job(first.spec.entry as usize, Some(&first.spec.name))])
            }
            Refusal::Busy(_) | Refusal::Unknown(_) => Err(self.failed(&ran)),
        }
    }

    pub async fn submit(&self, request: &Request) -> Result<Vec<(JobKey, Outcome)>, SubmitError> {
        let Payload::Command { argv, stdin, files } = &request.payload else {
            let words = "a request for another kind of cluster".to_owned();
            let cluster = self.id.clone();
            return Err(SubmitError::Unavailable(ClusterError::Refused { cluster, words }));
        };
        let Some(first) = request.jobs.first() else { return Ok(Vec::new()) };
        let site = self.site().await.map_err(SubmitError::Unavailable)?;
        let folder = self.place(&site).run_folder(first.key.run.as_str());
        let rejected = |words: String| {
            let refuse = |job: &KeyedJob| (job.key.clone(), Outcome::Rejected(words.clone()));
            request.jobs.iter().map(refuse).collect()
        };
        let aside = quote(&format!("{folder}/{ASIDE}"));
        let mut program = format!("{CLEAN}mkdir -p -- {aside} || exit {NO_FOLDER}\n");
        for path in files.keys() {
            let text = match secret_file(first) {
                Ok(text) => text,
                Err(words) => return Ok(rejected(words)),
            };
            let _ = write!(program, "(umask 077; cat >{}) {}", quote(path), here(&text));
            let _ = writeln!(program, "[ $? = 0 ] || exit {NO_FOLDER}");
        }
        let user = code::user(self.origin.known().unwrap_or_default(), first.key.run.as_str());
        let mut claimed = HashSet::new();
        for bundle in request.jobs.iter().flat_map(|job| &job.code) {
            if claimed.insert(&bundle.hash) {
                let claim = code::claim(&self.place(&site).folder(), bundle, &user);
                let _ = writeln!(program, "{claim} || exit {NO_FOLDER}");
            }
        }
        let script = stdin.as_deref().unwrap_or_default();
        let _ = write!(program, "{} {}", words(argv), here(script));
        let ran = self.transport.ask(&program, SUBMIT).await.map_err(|failed| match failed {
            Failed::Before(error) => SubmitError::Unavailable(error),
            Failed::Amid(error) => SubmitError::Unknown(error),
        })?;
        if ran.code == NO_FOLDER {
            return Err(SubmitError::Unavailable(self.failed(&ran)));
        }
        let text = ran.text();
        let id = text.trim().split(';').next().unwrap_or_default();
        match id.parse::<u64>() {
            Ok(id) if ran.code == 0 => Ok(self.accepted(request, id, &folder)),
            _ if ran.code == 0 => {
                let what = format!("`{}` instead of a job id", text.trim());
                let cluster = self.id.clone();
                Err(SubmitError::Unknown(ClusterError::Garbled { cluster, what }))
            }
            _ => match refusals::read(ran.code, &ran.stderr) {
                Refusal::Rejected(words) => Ok(rejected(words)),
                Refusal::Busy(why) => {
                    let cluster = self.id.clone();
                    let error = ClusterError::Unreachable { cluster, why, retry_after: None };
                    Err(SubmitError::Unavailable(error))
                }
                Refusal::Unknown(why) => {
                    let cluster = self.id.clone();
                    let error = ClusterError::Unreachable { cluster, why, retry_after: None };
                    Err(SubmitError::Unknown(error))
                }
            },
        }
    }

    fn accepted(&self, request: &Request, id: u64, folder: &str) -> Vec<(JobKey, Outcome)> {
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
                log_path: Some(log_path(folder, &job.spec.name, &job.key)),
            };
            (job.key.clone(), Outcome::Accepted(accepted))
        };
        request.jobs.iter().map(take).collect()
    }

    async fn in_queue(&self) -> Result<Vec<Seen>, ClusterError> {
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

    /// Letters of the state folder, in the names of all jobs sent from it.
    fn origin(&self) -> Result<&str, ClusterError> {
        self.origin.made().map_err(|error| {
            let words = format!("the state folder cannot be used: {error}");
            ClusterError::Refused { cluster: self.id.clone(), words }
        })
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
        if site.accounting && present.len() < wanted.len() {
            let since = jobs.iter().filter_map(|job| job.sent_at).min();
            let age = since.map_or(SLACK_SECS, |at| {
                Timestamp::now().duration_since(at).as_secs().max(0) + SLACK_SECS
            });
            let call = |separator: &Separator| queue::sacct_window(age as u64, separator);
            seen.extend(ours(self.in_accounting(call).await?));
        }
        let (found, doubles) = queue::one_each(seen);
        if !doubles.is_empty() {
            self.cancel_doubles(doubles).await;
        }
        let folder = |key: &JobKey| self.place(&site).run_folder(key.run.as_str());
        let mut absent_paths = Vec::new();
        let mut answer = Vec::with_capacity(jobs.len());
        for job in jobs {
            let path = log_path(&folder(&job.key), &job.spec.name, &job.key);
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

    /// One poll: the queue, and the accounting for those that have left it.
    pub async fn observe(&self, jobs: &[Watched]) -> Result<Vec<Observed>, ClusterError> {
        let site = self.site().await?;
        let (mut known, doubles) = queue::one_each(self.in_queue().await?);
        if !doubles.is_empty() {
            // A request that arrived after it was given up.
            self.cancel_doubles(doubles).await;
        }
        let gone: Vec<&Watched> = jobs.iter().filter(|job| !known.contains_key(&job.key)).collect();
        if site.accounting && !gone.is_empty() {
            let ids = gone.iter().filter_map(|job| ids::parse(job.remote_id.as_deref()?)).flatten();
            // Arrays are asked about as wholes: their tasks are one answer.
            let arrays: BTreeSet<u64> = ids.map(|id| id.job).collect();
            let arrays: Vec<String> = arrays.iter().map(u64::to_string).collect();
            for chunk in arrays.chunks(IDS) {
                for seen in self.in_accounting(|mark| queue::sacct(chunk, mark)).await? {
                    // What it calls running has left the queue: it lags behind.
                    let ended = seen.facts.as_ref().is_some_and(|f| f.status.is_ended());
                    if ended {
                        known.entry(seen.key.clone()).or_insert(seen);
                    }
                }
            }
        }
        let unmarked: Vec<(JobKey, String)> = gone
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
                Some(seen) => seen.facts.clone(),
                None => marks.get(&job.key).map(|code| ended_by_mark(*code)),
            };
            answer.push(Observed { key: job.key.clone(), facts });
        }
        Ok(answer)
    }

    /// Removes the folders of jobs, their run's when nothing else is in it, and
    /// code that no run needs any more.
    pub async fn clean(&self, jobs: &[Watched]) -> Result<(), ClusterError> {
        let site = self.site().await?;
        let place = self.place(&site);
        let mut runs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for job in jobs {
            let run = job.key.run.as_str();
            let folder = job.log_path.as_deref().and_then(|path| own_folder(&place, run, path));
            runs.entry(run).or_default().extend(folder);
        }
        for (run, folders) in runs {
            let user = code::user(self.origin()?, run);
            let mut program = String::new();
            for some in folders.iter().collect::<Vec<_>>().chunks(IDS) {
                let some: Vec<_> = some.iter().map(|folder| quote(folder)).collect();
                let _ = writeln!(program, "rm -rf -- {} || exit", some.join(" "));
            }
            let folder = place.run_folder(run);
            let (folder, aside) = (quote(&folder), ASIDE);
            let _ = write!(
                program,
                "if [ \"$(ls -A -- {folder} 2>/dev/null)\" = {aside} ]; then\n\
                 rm -rf -- {folder}/{aside} && rmdir -- {folder} || exit\nfi\n{}",
                code::release(&place.folder(), &user)
            );
            let ran = self.transport.run(&program, CLEANING).await?;
            if ran.code != 0 {
                return Err(self.failed(&ran));
            }
        }
        Ok(())
    }

    pub async fn act(
        &self,
        action: RemoteAction,
        jobs: &[Watched],
    ) -> Result<Vec<ActOutcome>, ClusterError> {
        let verb: &[&str] = match action {
            RemoteAction::Cancel => &["scancel"],
            RemoteAction::Hold => &["scontrol", "hold"],
            RemoteAction::Release => &["scontrol", "release"],
            RemoteAction::Requeue => &["scontrol", "requeue"],
            RemoteAction::Suspend => &["scontrol", "suspend"],
            RemoteAction::Resume => &["scontrol", "resume"],
        };
        let mut answer = Vec::with_capacity(jobs.len());
        for chunk in jobs.chunks(1_000) {
            let id = |job: &Watched| ids::parse(job.remote_id.as_deref()?);
            let ids: Vec<SlurmId> = chunk.iter().filter_map(id).flatten().collect();
            let mut result = Ok(());
            for part in ids::arguments(ids).chunks(IDS) {
                let call: Vec<&str> =
                    verb.iter().copied().chain(part.iter().map(String::as_str)).collect();
                let ran = self.ask(&words(&call), QUERY).await?;
                let words = ran.stderr.lines().last().unwrap_or_default().trim().to_owned();
                // Of tasks that have ended it complains although it did the rest.
                let harmless = ["already finished", "already completing", "Invalid job id"];
                let harmless = harmless.iter().any(|text| words.contains(text));
                if ran.code == 0 || harmless {
                    continue;
                }
                let away =
                    words.contains("contact slurm controller") || words.contains("timed out");
                if away {
                    return Err(self.failed(&ran));
                }
                result = Err(if words.is_empty() {
                    format!("ended with code {}", ran.code)
                } else {
                    words
                });
            }
            let outcome =
                |job: &Watched| ActOutcome { key: job.key.clone(), result: result.clone() };
            answer.extend(chunk.iter().map(outcome));
        }
        Ok(answer)
    }
}

/// Where a job's output goes.
fn log_path(folder: &str, name: &str, key: &JobKey) -> String {
    format!("{folder}/{}/{}/stdout", names::folder(name, key.job), key.attempt)
}

/// The folder of a job, by where its log is; `None`: that is not a place where this
/// cluster's entry puts logs, so nothing there is ours to remove.
fn own_folder(place: &Place<'_>, run: &str, log_path: &str) -> Option<String> {
    let folder = place.run_folder(run);
    let rest = log_path.strip_prefix(&folder)?.strip_prefix('/')?;
    let mut parts = rest.split('/');
    let (job, attempt) = (parts.next()?, parts.next()?);
    let is_name = !matches!(job, "" | "." | "..") && job != ASIDE;
    let is_log = attempt.parse::<u32>().is_ok() && parts.eq(["stdout"]);
    (folder.starts_with('/') && is_name && is_log).then(|| format!("{folder}/{job}"))
}

/// Where a job leaves its exit code.
pub fn mark_path(log_path: &str) -> String {
    format!("{}/exit", log_path.strip_suffix("/stdout").unwrap_or(log_path))
}

/// What a job's own mark tells, when Slurm remembers nothing.
fn ended_by_mark(code: i32) -> JobFacts {
    let status = if code == 0 { Status::Succeeded } else { Status::Failed };
    let mut facts = JobFacts::of(status);
    facts.exit_code = Some(code);
    facts.cause = (code != 0).then_some(Cause::Exit);
    facts
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
    fn only_a_place_of_logs_is_ours_to_remove() {
        let settings = SlurmSettings::default();
        let site = Site { home: Some("/home/alice".to_owned()), ..Site::default() };
        let id = ClusterId::new("lab");
        let place = Place { id: &id, settings: &settings, site: &site, origin: "o" };
        let folder = |path: &str| own_folder(&place, "r", path);
        assert_eq!(
            folder("/home/alice/jobdeck/r/a b/2/stdout").as_deref(),
            Some("/home/alice/jobdeck/r/a b")
        );
        for other in [
            "/home/alice/jobdeck/r/../2/stdout",
            "/home/alice/jobdeck/r//2/stdout",
            "/home/alice/jobdeck/r/slurm/2/stdout",
            "/home/alice/jobdeck/r/a/b/2/stdout",
            "/home/alice/jobdeck/r/a/x/stdout",
            "/home/alice/jobdeck/r/a/2/stdout/x",
            "/home/alice/jobdeck/rr/a/2/stdout",
            "/home/alice/jobdeck/r",
            "/",
            "",
        ] {
            assert_eq!(folder(other), None, "{other}");
        }
        // Nothing was learned of the site.
        let place = Place { site: &Site::default(), ..place };
        assert_eq!(own_folder(&place, "r", "<home>/jobdeck/r/a/1/stdout"), None);
    }
}

//! What is done to jobs that are there: actions, and removing what they left.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write as _,
    time::Duration,
};

use super::{
    super::{
        code,
        ids::{self, SlurmId},
        render::Place,
        script::ASIDE,
        transport::words,
    },
    IDS, QUERY, Slurm,
};
use crate::{
    cluster::{ActOutcome, ClusterError, RemoteAction, Watched},
    domain::{ids::JobKey, shell::quote},
};

/// Folders of many jobs on a slow disk.
const CLEANING: Duration = Duration::from_mins(10);
/// Why nothing can be done to a job, but cancel it.
const GONE: &str = "it is no longer in the queue";

impl Slurm {
    /// Removes the logs of jobs, their folders and their run's when nothing else is
    /// in them, and code that no run needs any more.
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
                let _ = write!(
                    program,
                    "for job in {}; do\n\
                     [ -d \"$job\" ] || continue\n\
                     rm -rf -- \"$job\"/*.{} || exit\n\
                     rmdir -- \"$job\" 2>/dev/null\n\
                     done\n",
                    some.join(" "),
                    place.origin
                );
            }
            let (folder, aside) = (quote(&place.run_folder(run)), quote(&place.aside(run)));
            let _ = write!(
                program,
                "set -- {folder}/*/*.{}\n\
                 if ! [ -e \"$1\" ]; then\n\
                 rm -rf -- {aside} || exit\n\
                 rmdir -- {folder}/{ASIDE} {folder} 2>/dev/null\n\
                 fi\n{}",
                place.origin,
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
        // An id alone may be another job's by now: they are given again after a crash of
        // the controller. What bears our name is ours.
        let mut here: HashMap<JobKey, Vec<SlurmId>> = HashMap::new();
        for seen in self.in_queue().await? {
            here.entry(seen.key).or_default().push(seen.id);
        }
        let mut answer = Vec::with_capacity(jobs.len());
        for chunk in jobs.chunks(1_000) {
            let ids = chunk.iter().filter_map(|job| here.get(&job.key)).flatten().copied();
            let mut result = Ok(());
            for part in ids::arguments(ids).chunks(IDS) {
                let call: Vec<&str> =
                    verb.iter().copied().chain(part.iter().map(String::as_str)).collect();
                let ran = self.ask(&words(&call), QUERY).await?;
                if ran.code == 0 || is_harmless(&ran.stderr) {
                    continue;
                }
                let words = ran.stderr.lines().last().unwrap_or_default().trim().to_owned();
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
            let outcome = |job: &Watched| {
                let gone = action != RemoteAction::Cancel && !here.contains_key(&job.key);
                let result = if gone { Err(GONE.to_owned()) } else { result.clone() };
                ActOutcome { key: job.key.clone(), result }
            };
            answer.extend(chunk.iter().map(outcome));
        }
        Ok(answer)
    }
}

/// Whether all of it is about tasks that have ended or wait already: of those it
/// complains although it did the rest, of which it says «No error».
fn is_harmless(stderr: &str) -> bool {
    const PHRASES: [&str; 5] = [
        "already finished",
        "already completing",
        "Invalid job id",
        "pending execution",
        "No error",
    ];
    let mut lines = stderr.lines().filter(|line| !line.trim().is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| PHRASES.iter().any(|words| line.contains(words)))
}

/// The folder of a job, by where its log is; `None`: that is not a place where this
/// cluster's entry puts logs, so nothing there is ours to remove.
fn own_folder(place: &Place<'_>, run: &str, log_path: &str) -> Option<String> {
    let folder = place.run_folder(run);
    let rest = log_path.strip_prefix(&folder)?.strip_prefix('/')?;
    let mut parts = rest.split('/');
    let (job, attempt) = (parts.next()?, parts.next()?);
    let is_name = !matches!(job, "" | "." | "..") && job != ASIDE;
    let number = attempt.strip_suffix(place.origin).and_then(|rest| rest.strip_suffix('.'));
    let is_ours = number.is_some_and(|number| number.parse::<u32>().is_ok());
    let is_log = is_ours && parts.eq(["stdout"]);
    (folder.starts_with('/') && is_name && is_log).then(|| format!("{folder}/{job}"))
}

#[cfg(test)]
mod tests {
    use super::{
        super::super::{site::Site, transport::scripted::Script},
        *,
    };
    use crate::{
        cluster::origin::Origin,
        config::SlurmSettings,
        domain::ids::{ClusterId, JobIx, RunId},
    };

    #[tokio::test]
    async fn what_does_not_bear_our_name_is_left_alone_whatever_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin::new(folder.path().join("origin"));
        let ours = origin.made().unwrap().to_owned();
        let script = Script::begin();
        let mut slurm =
            Slurm::new(ClusterId::new("lab"), SlurmSettings::default(), folder.path(), origin);
        slurm.transport.script = Some(script.clone());
        let submit =
            |name: &str| script.answer(&format!("sbatch --parsable --job-name={name} --array=0-1"));
        // An id of ours as it was before a crash of the controller, and now.
        submit("a.zzzzzz.jd-r-1-1");
        submit(&format!("a.{ours}.jd-r-3-1"));
        let watched = |job: u32, id: &str| Watched {
            key: JobKey { run: RunId::new("r").unwrap(), job: JobIx(job), attempt: 1 },
            remote_id: Some(id.into()),
            log_path: None,
            starts: 1,
        };
        let called = |name: &str| script.calls().iter().filter(|(_, call)| call == name).count();
        for action in [RemoteAction::Cancel, RemoteAction::Hold, RemoteAction::Requeue] {
            let done = slurm.act(action, &[watched(0, "100_0"), watched(1, "101_1")]).await;
            for outcome in done.unwrap() {
                let told = outcome.result.err();
                let gone = (action != RemoteAction::Cancel).then(|| GONE.to_owned());
                assert_eq!(told, gone, "{action:?}");
            }
        }
        assert_eq!((called("scancel"), called("scontrol")), (0, 0));
        slurm.act(RemoteAction::Cancel, &[watched(2, "101_0")]).await.unwrap();
        assert_eq!(called("scancel"), 1);
    }

    #[test]
    fn complaints_about_a_part_are_told_from_refusals() {
        assert!(is_harmless("114_1,3: No error\n114_2: Job is pending execution\n"));
        assert!(is_harmless(
            "scancel: error: Kill job error on job id 7: Invalid job id specified"
        ));
        for refusal in [
            "",
            "Requested operation is presently disabled for job 113",
            "7_1: No error\n7_2: Access/permission denied",
        ] {
            assert!(!is_harmless(refusal), "{refusal}");
        }
    }

    #[test]
    fn only_a_place_of_logs_is_ours_to_remove() {
        let settings = SlurmSettings::default();
        let site = Site { home: Some("/home/alice".to_owned()), ..Site::default() };
        let id = ClusterId::new("lab");
        let place = Place { id: &id, settings: &settings, site: &site, origin: "o" };
        let folder = |path: &str| own_folder(&place, "r", path);
        assert_eq!(
            folder("/home/alice/jobdeck/r/a b/2.o/stdout").as_deref(),
            Some("/home/alice/jobdeck/r/a b")
        );
        for other in [
            "/home/alice/jobdeck/r/../2.o/stdout",
            "/home/alice/jobdeck/r//2.o/stdout",
            "/home/alice/jobdeck/r/slurm/2.o/stdout",
            "/home/alice/jobdeck/r/a/b/2.o/stdout",
            "/home/alice/jobdeck/r/a/x.o/stdout",
            "/home/alice/jobdeck/r/a/2.o/stdout/x",
            "/home/alice/jobdeck/r/a/2/stdout",
            "/home/alice/jobdeck/r/a/2.other/stdout",
            "/home/alice/jobdeck/rr/a/2.o/stdout",
            "/home/alice/jobdeck/r",
            "/",
            "",
        ] {
            assert_eq!(folder(other), None, "{other}");
        }
        // Nothing was learned of the site.
        let place = Place { site: &Site::default(), ..place };
        assert_eq!(own_folder(&place, "r", "<home>/jobdeck/r/a/1.o/stdout"), None);
    }
}

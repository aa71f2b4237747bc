//! Which of our jobs a job of Slurm is, by its name alone.
//!
//! ```text
//! lr.q3v8zk.jd-7k2fq9xm-12-1            one job: job 12 of the run, attempt 1
//! lr.q3v8zk.jd-7k2fq9xm-12-1, task 5    a task of an array: job 12 + 5, attempt 1
//! ```
//! Ids are given again after a crash of the controller, comments reach the
//! accounting late and tasks share their array's name, so identity is this: the
//! name, which Slurm keeps from the start, and the index of the task. It can be
//! read back without knowing how jobs were put together. The letters before the key
//! are those of the state folder ([`Origin`](crate::cluster::origin::Origin)).

use crate::domain::{
    ids::{JobIx, JobKey},
    job::JobSpec,
};

/// Longest label before the key; Slurm takes 1,024 bytes, `squeue` shows few.
const LABEL: usize = 64;

/// The Slurm name of a request whose first job has this key.
pub fn of_request(spec: &JobSpec, first: &JobKey, origin: &str) -> String {
    format!("{}.{origin}.{first}", label(spec.group.as_deref().unwrap_or(&spec.name)))
}

/// What is left of a name when only harmless characters are.
fn label(name: &str) -> String {
    let label: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' })
        .take(LABEL)
        .collect();
    if label.is_empty() { "job".to_owned() } else { label }
}

/// Our key of the job with this Slurm name, and this index if it is a task of an
/// array; `None`: not ours, or not from here.
pub fn key(name: &str, task: Option<u32>, origin: &str) -> Option<JobKey> {
    // A label has no dots, a run's id may.
    let (_, rest) = name.split_once('.')?;
    let first: JobKey = rest.strip_prefix(origin)?.strip_prefix('.')?.parse().ok()?;
    let job = JobIx(first.job.0.checked_add(task.unwrap_or(0))?);
    Some(JobKey { job, ..first })
}

/// Folder of a job's logs within its run's folder: its name where that is a plain
/// file name, else its number and what is left of the name.
pub fn folder(name: &str, job: JobIx) -> String {
    let plain = name.len() <= 100
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        // Kept for what belongs to no job.
        && name != super::script::ASIDE;
    if plain { name.to_owned() } else { format!("{}-{}", u64::from(job.0) + 1, label(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::RunId;

    fn at(run: &str, job: u32, attempt: u32) -> JobKey {
        JobKey { run: RunId::new(run).unwrap(), job: JobIx(job), attempt }
    }

    #[test]
    fn a_name_tells_the_key_whatever_the_run_is_called() {
        for run in ["7k2fq9xm", "my-run.jd-3", "a.b_c-1"] {
            for name in ["lr", "訓練 №1", "a.jd-b", "", "x\n|y"] {
                let key_of_first = at(run, 11, 2);
                let slurm = of_request(&JobSpec::named(name), &key_of_first, "q3v8zk");
                assert!(slurm.is_ascii() && !slurm.contains(['\n', '|', ' ']), "{slurm}");
                assert_eq!(key(&slurm, None, "q3v8zk"), Some(key_of_first.clone()), "{slurm}");
                assert_eq!(key(&slurm, Some(5), "q3v8zk"), Some(at(run, 16, 2)), "{slurm}");
            }
        }
        for name in
            ["somebody's job", "x.o.jd-", "x.other.jd-r-1-1", "x.o.jd-r-4294967295-1", "x.jd-r-1-1"]
        {
            assert_eq!(key(name, Some(7), "o"), None, "{name}");
        }
    }

    #[test]
    fn folders_are_plain_and_no_two_jobs_share_one() {
        assert_eq!(folder("lr-3", JobIx(2)), "lr-3");
        assert_eq!(folder("../../etc", JobIx(2)), "3-______etc");
        assert_eq!(folder(".hidden", JobIx(0)), "1-_hidden");
        assert_ne!(folder("ä", JobIx(0)), folder("ö", JobIx(1)));
        assert_eq!(folder("slurm", JobIx(4)), "5-slurm");
    }
}

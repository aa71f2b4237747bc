//! How jobs start and how they end: environment, folders, causes, cancel, limits.

use std::{fs, sync::Arc};

use jobdeck::{
    cluster::{LogSource, LogStream, Outcome},
    domain::{
        job::{Command, JobType},
        resources::TimeLimit,
        status::{Cause, Status},
    },
};

use crate::{
    machine::{Machine, is_alive, job, key, keyed},
    wait,
};

#[tokio::test]
async fn a_job_runs_with_its_environment_and_its_logs_are_kept() {
    let m = Machine::new(0, 2.0);
    let mut spec = job("lr-1", "pwd; env; echo oops >&2; exit 3");
    let folder = m.file("work dir");
    fs::create_dir(&folder).unwrap();
    spec.working_dir = Some(folder.to_str().unwrap().into());
    let secret = m.file("secret");
    fs::write(&secret, "hush-hush\n").unwrap();
    spec.env = Arc::new(
        [
            ("PLAIN".to_owned(), "a b".to_owned()),
            ("TOKEN".to_owned(), format!("file:{}", secret.display())),
            ("CUDA_VISIBLE_DEVICES".to_owned(), "7".to_owned()),
        ]
        .into_iter()
        .collect(),
    );
    spec.params = [("lr".to_owned(), "1e-3".to_owned())].into_iter().collect();
    let facts = m.run(spec).await;
    assert_eq!((facts.status, facts.cause), (Status::Failed, Some(Cause::Exit)));
    assert_eq!((facts.exit_code, facts.signal), (Some(3), None));
    assert_eq!(facts.reason.as_deref(), Some("exit 3 · oops"));
    assert!(facts.started_at.unwrap() <= facts.finished_at.unwrap());

    let key = key("run-lr-1", 0);
    assert_eq!(m.log(&key, LogStream::Stderr).await, "oops\n");
    let out = m.log(&key, LogStream::Stdout).await;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.first().copied(), folder.to_str());
    for line in [
        "PLAIN=a b",
        "TOKEN=hush-hush",
        "CUDA_VISIBLE_DEVICES=",
        "JOBDECK_RUN=run-lr-1",
        "JOBDECK_JOB=lr-1",
        "JOBDECK_ATTEMPT=1",
        "JOBDECK_PARAM_LR=1e-3",
    ] {
        assert!(lines.contains(&line), "{line} in {out}");
    }
    assert!(lines.iter().any(|l| l.starts_with("PATH=")), "inherits from who submitted");
    // What it inherited, secrets above all, is gone from the queue by now.
    wait::until_so("the request is removed", || {
        fs::read_dir(m.root().join("requests")).unwrap().next().is_none()
    });
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_refuses_only_its_job() {
    let m = Machine::new(0, 2.0);
    let mut bad = job("bad", "true");
    bad.env = Arc::new([("T".to_owned(), "env:JOBDECK_SURELY_UNSET".to_owned())].into());
    let jobs = [keyed("r", 0, job("good", "true")), keyed("r", 1, bad)];
    let answer = m.try_submit(&jobs).await.unwrap();
    assert!(matches!(answer[0].1, Outcome::Accepted(_)));
    let Outcome::Rejected(words) = &answer[1].1 else { panic!("{answer:?}") };
    assert!(words.contains("JOBDECK_SURELY_UNSET is not set"), "{words}");
    m.until_ended(&[key("r", 0)]).await;
    assert_eq!(m.observe(&[key("r", 1)]).await, [None]);
}

#[tokio::test]
async fn causes_of_failure_are_told_apart() {
    let m = Machine::new(0, 4.0);
    let missing = m.file("missing");
    let mut no_folder = job("no-folder", "true");
    no_folder.working_dir = Some(missing.to_str().unwrap().into());
    let mut no_program = job("no-program", "");
    no_program.command = Some(Command::Argv(vec!["jobdeck-no-such-program".into()]));
    let mut slow = job("slow", "sleep 600");
    slow.time_limit = Some(TimeLimit::from_secs(1));
    for (spec, cause, words) in [
        (no_folder, Cause::Launch, "does not exist"),
        (no_program, Cause::Launch, "command not found"),
        (slow, Cause::Timeout, "time limit of 1s reached"),
        (job("sh", "jobdeck-no-such-program"), Cause::Exit, "exit 127 · command not found"),
        (job("sig", "kill -SEGV $$"), Cause::Exit, "killed by signal 11 (SEGV)"),
        (
            job("cuda", "echo 'RuntimeError: CUDA out of memory. Tried' >&2; exit 1"),
            Cause::Oom,
            "exit 1 · CUDA out of memory",
        ),
    ] {
        let name = spec.name.clone();
        let facts = m.run(spec).await;
        assert_eq!((facts.status, facts.cause), (Status::Failed, Some(cause)), "{name}");
        let reason = facts.reason.unwrap();
        assert!(reason.contains(words), "{name}: {reason}");
    }
    let facts = m.facts(&key("run-sig", 0)).await;
    assert_eq!((facts.exit_code, facts.signal), (None, Some(11)));
}

#[tokio::test]
async fn cancel_ends_everything_a_job_has_started() {
    let m = Machine::new(0, 1.0);
    let pids = m.file("pids");
    let script = format!(
        "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >> {0}; sleep 600' & \
         sh -c 'echo $$ >> {0}; sleep 600' & echo $$ >> {0}; wait; sleep 600",
        pids.display()
    );
    let running = keyed("r", 0, job("running", &script));
    let queued = keyed("r", 1, job("queued", "true"));
    m.submit(&[running.clone(), queued.clone()]).await;
    wait::until_so("all processes", || m.text("pids").lines().count() == 3);
    let pids: Vec<u32> = m.text("pids").lines().map(|l| l.parse().unwrap()).collect();

    let outcomes = m.cancel(&[running.key.clone(), queued.key.clone(), key("r", 9)]).await;
    assert!(outcomes[0].result.is_ok() && outcomes[1].result.is_ok());
    assert!(outcomes[2].result.is_err());
    let facts = m.until_ended(&[running.key.clone(), queued.key.clone()]).await;
    for facts in &facts {
        assert_eq!((facts.status, facts.cause), (Status::Stopped, Some(Cause::Cancelled)));
    }
    assert_eq!(facts[0].signal, Some(9), "it ignored TERM");
    assert!(facts[1].started_at.is_none());
    for pid in pids {
        assert!(!is_alive(pid), "{pid} outlived its job");
    }
    // Once more is no error.
    assert!(m.cancel(&[running.key]).await[0].result.is_ok());
}

#[tokio::test]
async fn what_a_job_leaves_in_its_group_does_not_outlive_it() {
    let m = Machine::new(0, 1.0);
    let script = format!("sleep 600 & echo $! > {}", m.file("pid").display());
    let facts = m.run(job("leaky", &script)).await;
    assert_eq!(facts.status, Status::Succeeded);
    assert!(!is_alive(m.text("pid").trim().parse().unwrap()));
}

#[tokio::test]
async fn a_workspace_runs_its_command_until_it_is_cancelled() {
    let m = Machine::new(0, 1.0);
    let mut spec = job("nb", "echo ready; exec sleep 600");
    spec.job_type = JobType::Workspace;
    let nb = keyed("r", 0, spec);
    m.submit(std::slice::from_ref(&nb)).await;
    let log = m.root().join("jobs").join(nb.key.to_string()).join("stdout");
    wait::until_so("it is ready", || fs::read_to_string(&log).is_ok_and(|l| l == "ready\n"));
    m.cancel(std::slice::from_ref(&nb.key)).await;
    let facts = m.until_ended(&[nb.key]).await;
    assert_eq!((facts[0].status, facts[0].signal), (Status::Stopped, Some(15)));
}

#[tokio::test]
async fn a_gang_runs_as_one() {
    let m = Machine::new(4, 4.0);
    let mut spec = job(
        "dist",
        "echo $RANK $WORLD_SIZE $LOCAL_RANK $MASTER_ADDR $MASTER_PORT $CUDA_VISIBLE_DEVICES",
    );
    spec.job_type = JobType::Distributed;
    spec.gpus = "2".parse().unwrap();
    let mut gang = keyed("r", 0, spec);
    gang.replicas = 2;
    m.submit(std::slice::from_ref(&gang)).await;
    let facts = m.until_ended(std::slice::from_ref(&gang.key)).await;
    assert_eq!(facts[0].status, Status::Succeeded);
    let of = |worker| LogSource { stream: LogStream::Stdout, worker };
    let first = m.worker_log(&gang.key, of(0)).await;
    let second = m.worker_log(&gang.key, of(1)).await;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (words(&first), words(&second));
    assert_eq!(first[..4], ["0", "2", "0", "127.0.0.1"]);
    // Each sees GPUs of its own only, so its first device is device 0 for it.
    assert_eq!(second[..4], ["1", "2", "0", "127.0.0.1"]);
    assert_eq!(first[4], second[4], "one port for all");
    assert_eq!((first[5].as_str(), second[5].as_str()), ("0,1", "2,3"));
}

#[tokio::test]
async fn a_gang_fails_as_one_with_the_code_of_the_first_to_fail() {
    let m = Machine::new(0, 4.0);
    let mut spec =
        job("dist", "if [ $RANK = 2 ]; then echo 'boom' >&2; exit 7; fi; exec sleep 600");
    spec.job_type = JobType::Distributed;
    let mut gang = keyed("r", 0, spec);
    gang.replicas = 3;
    m.submit(std::slice::from_ref(&gang)).await;
    let facts = m.until_ended(std::slice::from_ref(&gang.key)).await;
    assert_eq!((facts[0].status, facts[0].exit_code), (Status::Failed, Some(7)));
    assert_eq!(facts[0].reason.as_deref(), Some("worker 2: exit 7 · boom"));
    let log = m.log(&gang.key, LogStream::Stderr).await;
    assert!(log.contains("[worker 2] boom"), "{log}");
}

#[tokio::test]
async fn a_gang_that_cannot_start_whole_does_not_start() {
    let m = Machine::new(0, 4.0);
    let mut spec = job("dist", "");
    spec.command = Some(Command::Argv(vec!["jobdeck-no-such-program".into()]));
    spec.job_type = JobType::Distributed;
    let mut gang = keyed("r", 0, spec);
    gang.replicas = 3;
    m.submit(std::slice::from_ref(&gang)).await;
    assert_eq!(m.until_ended(&[gang.key]).await[0].cause, Some(Cause::Launch));
}

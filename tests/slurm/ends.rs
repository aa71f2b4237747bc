//! Every way in which a job of Slurm waits or ends.

use crate::lab::{Lab, has_accounting, has_cgroup_memory};

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn exit_codes_and_signals_are_told_as_they_were() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: ok, command: 'true'}
- {name: three, command: exit 3}
- {name: high, command: exit 137}
- {name: signal, command: 'kill -9 $$'}
- {name: nowhere, command: 'true', working_dir: /nonexistent/folder}
";
    lab.submit("r", batch, true).expect(1);
    assert_eq!(lab.column("r", "status"), ["succeeded", "failed", "failed", "failed", "failed"]);
    assert_eq!(lab.column("r", "exit_code")[..3], ["0", "3", "137"]);
    let words = lab.world.run("logs r nowhere --stderr").stdout;
    assert!(words.contains("working directory"), "{words}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_job_that_runs_too_long_is_told_so() {
    let lab = Lab::new("");
    // The second cannot begin in time to end before its deadline.
    let batch = "\
jobs:
- {name: long, command: sleep 600, time_limit: 1m}
- name: late
  command: 'true'
  time_limit: 1m
  options: {slurm: {extra: [--begin=now+40seconds, --deadline=now+75seconds]}}
";
    let ended = lab.submit("r", batch, true).expect(1).stdout;
    assert!(ended.contains("--cause timeout --set time_limit=2m"), "{ended}");
    assert_eq!(lab.column("r", "status"), ["failed", "failed"]);
    assert_eq!(lab.column("r", "cause"), ["timeout", "timeout"]);
    let reasons = lab.column("r", "reason");
    assert!(reasons[0].contains("time limit") && reasons[1].contains("deadline"), "{reasons:?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_job_over_its_memory_is_told_so_and_may_have_more() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- name: big
  memory: 64MiB
  command: data=$(head -c 300000000 /dev/zero | tr '\\0' x); sleep 5; test -n \"$data\"
";
    lab.submit("r", batch, true).expect(1);
    assert_eq!(lab.column("r", "status"), ["failed"]);
    if has_cgroup_memory() {
        assert_eq!(lab.column("r", "cause"), ["oom"]);
    } else {
        println!("OUT_OF_MEMORY: in the suite's third cluster, which holds jobs to their memory");
    }
    lab.world.run("retry r --failed --yes --set memory=2GiB").expect(0);
    lab.world.run("wait r").expect(0);
    assert_eq!(lab.column("r", "attempt"), ["2"]);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_cancelled_task_ends_as_stopped_whether_it_ran_or_not() {
    let lab = Lab::new("");
    let batch = "max_concurrent: 2\njobs:\n- name: a\n  command: sleep 600\n  sweep: {i: {range: [0, 5]}}\n";
    lab.submit("r", batch, false).expect(0);
    lab.world.until("r", "two running", |s| s["counts"]["running"] == 2);
    // One that waits in the array leaves no trace when it is cancelled.
    lab.world.run("cancel r a-5 a-1 --yes").expect(0);
    lab.world.until("r", "two stopped", |s| s["counts"]["stopped"] == 2);
    lab.world.run("cancel r --yes").expect(0);
    lab.world.until("r", "all stopped", |s| s["counts"]["stopped"] == 5);
    let calls = lab.calls("scancel");
    assert!(calls.len() <= 3, "{calls:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_never_starts_is_shown_as_blocked() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: held, command: 'true', options: {slurm: {extra: [--hold]}}}
- {name: too-long, command: 'true', time_limit: 3d}
- {name: later, command: 'true', options: {slurm: {extra: [--begin=now+1hour]}}}
";
    lab.submit("r", batch, false).expect(0);
    let status = lab.world.until("r", "reasons", |s| {
        s["jobs"].as_array().unwrap().iter().all(|job| job["reason"].is_string())
            && s["jobs"][1]["blocked"] == true
    });
    assert_eq!(
        (&status["jobs"][0]["blocked"], &status["jobs"][2]["blocked"]),
        (&true.into(), &false.into())
    );
    assert!(status["jobs"][0]["reason"].as_str().unwrap().contains("held"), "{status:#}");
    lab.world.run("cancel r --yes").expect(0);
    lab.world.until("r", "stopped", |s| s["counts"]["stopped"] == 3);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn refusals_reach_the_row_word_by_word() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: ok, command: 'true'}
- {name: partition, command: 'true', options: {slurm: {extra: [--partition=nosuch]}}}
- {name: gpus, command: 'true', gpus: 9}
- {name: option, command: 'true', options: {slurm: {extra: [--nosuch]}}}
";
    lab.submit("r", batch, true).expect(1);
    assert_eq!(lab.column("r", "status"), ["succeeded", "rejected", "rejected", "rejected"]);
    let errors = lab.column("r", "error");
    assert!(errors[1].contains("invalid partition specified: nosuch"), "{errors:#?}");
    assert!(errors[2].contains("Requested node configuration is not available"), "{errors:#?}");
    assert!(errors[3].contains("unrecognized option"), "{errors:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn the_account_and_its_limits_are_seen() {
    if !has_accounting() {
        // Without accounting Slurm takes any account: nothing can be refused.
        let lab = Lab::new("account: nobody");
        lab.submit("r", "jobs: [{name: a, command: 'true'}]\n", true).expect(0);
        return;
    }
    let lab = Lab::new("account: small");
    let batch = "\
jobs:
- {name: a, command: sleep 600, gpus: 4}
- {name: b, command: sleep 600, gpus: 4}
- {name: c, command: 'true', options: {slurm: {account: nobody}}}
";
    lab.submit("r", batch, false).expect(1);
    let status = lab.world.until("r", "one waiting for the limit", |s| {
        let reason = |n: usize| s["jobs"][n]["reason"].as_str().unwrap_or_default().to_owned();
        reason(0).contains("limit") || reason(1).contains("limit")
    });
    assert!(status["jobs"][2]["error"].as_str().unwrap().contains("Invalid account"), "{status:#}");
    lab.world.run("cancel r --yes").expect(0);
    lab.world.until("r", "stopped", |s| s["counts"]["stopped"] == 2);
}

//! A cluster that fails under the jobs: nodes that die, jobs pushed out, a frozen
//! controller, narrow limits. Each of these tests has the cluster to itself.

use crate::lab::{Lab, controller, disturb, has_accounting};

/// Why the first start of a run's second job was over, which only the accounting tells.
#[track_caller]
fn first_start(lab: &Lab, wanted: &str) {
    let wanted = if has_accounting() { wanted } else { "other" };
    let status = lab.status("r");
    assert_eq!(status["jobs"][1]["attempts"][0]["cause"], wanted, "{status:#}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_sweep_beyond_the_sites_arrays_goes_in_chunks() {
    let lab = Lab::alone("");
    let narrow = disturb("set MaxArraySize=11", "set MaxArraySize=251");
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB {{i}} >>{}\n  sweep: {{i: {{range: [0, 40]}}}}\n",
        lab.world.path().join("started").display()
    );
    lab.submit("r", &batch, true).expect(0);
    drop(narrow);
    let calls = lab.requests();
    assert_eq!(calls.len(), 4, "eleven, eleven, eleven, seven: {calls:#?}");
    let mut wanted: Vec<String> = (0..40).map(|n| format!("a-{} {n}", n + 1)).collect();
    wanted.sort();
    assert_eq!(lab.started(), wanted, "each once, with its own value");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_node_that_dies_fails_its_jobs_or_starts_them_again() {
    let lab = Lab::alone("");
    let begun = lab.world.path().join("begun");
    let batch = format!(
        "jobs:\n\
         - {{name: ends, command: 'sleep 600', options: {{slurm: {{extra: [--nodelist=gpu2, --no-requeue]}}}}}}\n\
         - name: again\n  command: 'echo start; test -e {0} || (touch {0}; sleep 600)'\n\
         \x20 options: {{slurm: {{extra: [--nodelist=gpu2, --requeue]}}}}\n",
        begun.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "both running", |s| s["counts"]["running"] == 2);
    lab.world.until_file("begun");
    let dead = disturb("kill slurmd.gpu2", "start slurmd.gpu2");
    let failed = lab.world.until("r", "the node was missed", |s| s["counts"]["failed"] == 1);
    assert_eq!(failed["jobs"][0]["cause"], "node", "{failed:#}");
    drop(dead);
    lab.world.run("wait r").expect(1);
    assert_eq!(lab.column("r", "status"), ["failed", "succeeded"]);
    assert_eq!(lab.column("r", "attempt"), ["1", "2"], "Slurm's own restart is an attempt");
    assert_eq!(lab.requests().len(), 2, "which nobody sent");
    first_start(&lab, "node");
    // One log, which the second start went on writing.
    for attempt in ["1", "2"] {
        let log = lab.world.run(&format!("logs r again --attempt {attempt}")).expect(0).stdout;
        assert_eq!(log.matches("start").count(), 2, "attempt {attempt}: {log}");
    }
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_job_that_is_pushed_out_fails_or_waits_for_its_next_start() {
    let lab = Lab::alone("");
    let begun = lab.world.path().join("begun");
    let batch = format!(
        "jobs:\n\
         - name: ends\n  gpus: 4\n  command: sleep 600\n\
         \x20 options: {{slurm: {{partition: scavenge, extra: [--nodelist=gpu2, --no-requeue]}}}}\n\
         - name: again\n  gpus: 4\n  command: 'test -e {0} || (touch {0}; sleep 600)'\n\
         \x20 options: {{slurm: {{partition: scavenge, extra: [--nodelist=gpu2]}}}}\n",
        begun.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "both running", |s| s["counts"]["running"] == 2);
    lab.world.until_file("begun");
    let pusher = "jobs: [{name: p, gpus: 8, command: 'true', options: {slurm: {extra: [--nodelist=gpu2]}}}]\n";
    lab.submit("s", pusher, true).expect(0);
    lab.world.run("wait r").expect(1);
    assert_eq!(lab.column("r", "status"), ["failed", "succeeded"]);
    assert_eq!(lab.column("r", "cause")[0], "preempted");
    assert_eq!(lab.column("r", "attempt"), ["1", "2"]);
    first_start(&lab, "preempted");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_frozen_controller_makes_what_is_known_old_and_nothing_worse() {
    let lab = Lab::alone("");
    let go = lab.world.path().join("go");
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{}; while ! test -e {}; do sleep 0.2; done\n  \
         sweep: {{i: {{range: [0, 3]}}}}\n",
        lab.world.path().join("started").display(),
        go.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "running", |s| s["counts"]["running"] == 3);
    let frozen = disturb("freeze slurmctld", "thaw slurmctld");
    let away = lab.world.until("r", "no answer", |s| s["clusters"]["lab"]["reachable"] == false);
    assert_eq!(away["counts"]["running"], 3, "{away:#}");
    let seen = &away["clusters"]["lab"]["last_seen"];
    assert!(seen.is_string(), "as of when: {away:#}");
    std::fs::write(go, "").unwrap();
    drop(frozen);
    lab.world.run("wait r").expect(0);
    assert_eq!(lab.started().len(), 3);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_request_that_a_frozen_controller_swallowed_is_found_when_it_thaws() {
    let lab = Lab::alone("");
    let once = lab.world.path().join("once");
    let control = controller();
    lab.wrap(
        "sbatch",
        &format!(
            "[[ -e {0} || $1 != --parsable ]] && exec \"$real\" \"$@\"\ntouch {0}\n\
             {control} freeze slurmctld\n\"$real\" \"$@\"; code=$?\n{control} thaw slurmctld\nexit $code",
            once.display()
        ),
    );
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{}\n  sweep: {{i: {{range: [0, 20]}}}}\n",
        lab.world.path().join("started").display()
    );
    let safe = disturb("thaw slurmctld", "thaw slurmctld");
    lab.submit("r", &batch, true).expect(0);
    drop(safe);
    let started = lab.started();
    let mut once_each = started.clone();
    once_each.dedup();
    assert_eq!((started.len(), once_each.len()), (20, 20), "{started:?}");
    assert_eq!(lab.requests().len(), 1, "it had arrived");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn jobs_that_leave_the_queue_are_asked_about_together() {
    let lab = Lab::alone("");
    // What has ended is forgotten at once.
    let short = disturb("set MinJobAge=2", "set MinJobAge=300");
    let go = lab.world.path().join("go");
    let batch = format!(
        "jobs:\n- name: quick\n  command: exit {{i}}\n  sweep: {{i: [0, 3, 200]}}\n\
         - name: long\n  command: while ! test -e {}; do sleep 0.2; done\n",
        go.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "three ended", |s| {
        let count = |word: &str| s["counts"][word].as_u64().unwrap_or(0);
        count("succeeded") + count("failed") == 3
    });
    std::fs::write(go, "").unwrap();
    lab.world.run("wait r").expect(1);
    drop(short);
    assert_eq!(lab.column("r", "status"), ["succeeded", "failed", "failed", "succeeded"]);
    // The accounting keeps seven bits of a code.
    let codes = lab.column("r", "exit_code");
    assert_eq!(codes[..2], ["0", "3"], "{codes:?}");
    let (queue, accounting) = (lab.calls("squeue").len(), lab.calls("sacct").len());
    assert!(accounting <= queue, "{accounting} of sacct, {queue} of squeue");
    assert!(has_accounting() || accounting == 0, "there is no accounting to ask");
}

//! Jobs in the queue of the cluster: held, released, put back.

use crate::lab::Lab;

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_waits_there_is_held_and_released() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: a, command: 'true', sweep: {i: [0, 1, 2]}, options: {slurm: {extra: [--begin=now+4seconds]}}}
";
    lab.submit("r", batch, false).expect(0);
    let held = lab.world.json("hold r a-1 a-3 --json", 0);
    assert_eq!((&held["action"], &held["total_jobs"]), (&"hold".into(), &2.into()), "{held:#}");
    for job in held["results"].as_array().unwrap() {
        assert_eq!(job["blocked"], true, "{held:#}");
        assert!(job["reason"].as_str().unwrap().contains("release"), "{held:#}");
    }
    // The rest goes its way.
    lab.world.until("r", "the middle one ended", |s| s["counts"]["succeeded"] == 1);
    assert_eq!(lab.column("r", "status"), ["pending", "succeeded", "pending"]);
    let calls = lab.calls("scontrol");
    assert!(calls.iter().any(|call| call.starts_with("scontrol hold ")), "{calls:?}");
    // Without names: all that it suits.
    lab.world.run("release r").expect(0);
    lab.world.run("wait r").expect(0);
    assert_eq!(lab.column("r", "attempt"), ["1"; 3]);
    let nothing = lab.world.run("hold r").expect(2);
    assert!(nothing.stderr.contains("each has ended"), "{nothing:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_runs_is_put_back_into_the_queue_after_a_question() {
    let lab = Lab::new("");
    let started = lab.world.path().join("started");
    // The second start of each ends by itself.
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{0}; test $(grep -c \"^$JOBDECK_JOB$\" {0}) = 2 || sleep 600\n  \
         sweep: {{i: [0, 1]}}\n- {{name: never, command: sleep 600, options: {{slurm: {{extra: [--no-requeue]}}}}}}\n",
        started.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "running", |s| s["counts"]["running"] == 3);
    crate::wait::until_so("both have begun", || lab.started().len() == 2);
    let asked = lab.world.run("requeue r a").expect(4);
    assert!(asked.stdout.contains("Requeue 2 jobs"), "{asked:#?}");
    lab.world.run("requeue r a --yes").expect(0);
    let refused = lab.world.run("requeue r never --yes");
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("never could not be requeued"), "{refused:#?}");
    lab.world.until("r", "ended the second time", |s| s["counts"]["succeeded"] == 2);
    assert_eq!(lab.column("r", "attempt"), ["2", "2", "1"]);
    assert_eq!(lab.requests().len(), 2, "which nobody sent again");
    lab.end("r");
}

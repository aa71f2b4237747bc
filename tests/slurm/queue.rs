//! What passes between jobdeck and the controller: how many calls, what others have
//! in the queue, a controller that is busy, and what is left behind at the end.

use std::{collections::BTreeMap, fs};

use crate::lab::{Lab, slurm};

/// Calls of each command so far.
fn count(lab: &Lab) -> BTreeMap<&'static str, usize> {
    ["sbatch", "squeue", "sacct", "scancel", "scontrol", "sacctmgr"]
        .map(|command| (command, lab.calls(command).len()))
        .into()
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_thousand_jobs_cost_one_call_a_poll() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- name: a
  command: 'true'
  sweep: {i: {range: [0, 1000]}}
  options: {slurm: {extra: [--begin=now+1hour]}}
";
    lab.submit("r", batch, false).expect(0);
    assert_eq!(lab.requests().len(), 4, "as many as the arrays of the site make");
    let file = lab.world.path().join("watch");
    let mut watch = lab.world.command();
    let out = fs::File::create(file).unwrap();
    let watch = watch.args(["wait", "r"]).stdout(out).stderr(std::process::Stdio::null());
    let mut watch = watch.spawn().unwrap();
    let polls = |n: usize| {
        let from = count(&lab);
        crate::wait::until_so("polls", || lab.calls("squeue").len() >= from["squeue"] + n);
        (from, count(&lab))
    };
    polls(2);
    let (before, after) = polls(12);
    for (command, calls) in &after {
        let made = calls - before[command];
        match *command {
            "squeue" => assert!(made >= 12),
            _ => assert_eq!(made, 0, "{command} while nothing happens: {before:?} {after:?}"),
        }
    }
    lab.end("r");
    crate::wait::end(&mut watch);
    let cancels = lab.calls("scancel");
    assert!(cancels.len() <= 2, "a thousand in one go: {cancels:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_else_is_in_the_queue_is_never_taken_for_ours() {
    let lab = Lab::new("");
    let go = lab.world.path().join("go");
    let batch = format!(
        "jobs:\n- name: a\n  command: while ! test -e {}; do sleep 0.2; done; exit 4\n  sweep: {{i: [0, 1]}}\n",
        go.display()
    );
    lab.submit("r", &batch, false).expect(0);
    lab.world.until("r", "running", |s| s["counts"]["running"] == 2);
    let names = slurm(&["squeue", "--me", "--noheader", "--format=%j"]);
    let ours = names.lines().find(|name| name.ends_with(".jd-r-1-1")).unwrap();
    // A line of its own in the answer, as ended and older than ours.
    let forged = format!("x|\n1|1|COMPLETED|0:0|5|5|5|0|gpu1|None|c|{ours}|");
    let foreign = [
        &*forged,
        "a.zzzzzz.jd-r-1-1",
        "jd-r-1-1",
        "a | b\nc",
        &format!("{ours}x"),
        &format!("x.{ours}"),
        "$(id) 'it' \"s\" 訓練",
    ];
    let ids: Vec<String> = foreign
        .iter()
        .map(|name| {
            let name = format!("--job-name={name}");
            let call =
                ["sbatch", "--parsable", "--hold", "--output=/dev/null", &name, "--wrap=true"];
            slurm(&call).trim().to_owned()
        })
        .collect();
    let polls = lab.calls("squeue").len();
    lab.world.until("r", "seen among them", |s| {
        assert_eq!(s["counts"]["running"], 2, "{s:#}");
        lab.calls("squeue").len() > polls + 2
    });
    fs::write(go, "").unwrap();
    lab.world.run("wait r").expect(1);
    assert_eq!(lab.column("r", "exit_code"), ["4", "4"]);
    // Nor is anything of theirs taken back.
    for id in &ids {
        let state = slurm(&["squeue", "--noheader", "--format=%T", &format!("--jobs={id}")]);
        assert_eq!(state.trim(), "PENDING", "{id}");
    }
    let mut cancel = vec!["scancel"];
    cancel.extend(ids.iter().map(String::as_str));
    slurm(&cancel);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_busy_controller_is_asked_again_later() {
    let lab = Lab::new("");
    let tries = lab.world.path().join("tries");
    lab.wrap(
        "sbatch",
        &format!(
            "[[ $1 != --parsable || $(cat {0} 2>/dev/null | wc -l) -ge 2 ]] && exec \"$real\" \"$@\"\necho >>{0}\n\
             echo 'sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying' >&2\n\
             echo 'sbatch: error: Batch job submission failed: Resource temporarily unavailable' >&2\nexit 1",
            tries.display()
        ),
    );
    let batch = format!(
        "jobs:\n- name: a\n  command: echo $JOBDECK_JOB >>{}\n  sweep: {{i: {{range: [0, 5]}}}}\n",
        lab.world.path().join("started").display()
    );
    lab.submit("r", &batch, true).expect(0);
    assert_eq!(lab.started(), ["a-1", "a-2", "a-3", "a-4", "a-5"]);
    assert_eq!(lab.requests().len(), 3);
    assert_eq!(lab.column("r", "attempt"), ["1"; 5], "it is the same attempt");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn an_array_that_is_refused_tells_it_in_each_of_its_rows() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: a, command: 'true', sweep: {i: [0, 1, 2]}, options: {slurm: {extra: [--partition=nosuch]}}}
- {name: b, command: 'true', sweep: {i: [0, 1]}}
";
    lab.submit("r", batch, true).expect(1);
    let errors = lab.column("r", "error");
    assert_eq!(
        lab.column("r", "status"),
        ["rejected", "rejected", "rejected", "succeeded", "succeeded"]
    );
    for error in &errors[..3] {
        assert!(error.contains("invalid partition specified: nosuch"), "{errors:#?}");
    }
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_is_asked_for_can_be_changed_for_a_retry() {
    let lab = Lab::new("");
    let batch = "jobs:\n- {name: a, command: 'test $(scontrol show job $SLURM_JOB_ID | grep -c \"TimeLimit=00:09:00\\|mem=2G\") = 2', time_limit: 5m, memory: 1GiB}\n";
    lab.submit("r", batch, true).expect(1);
    lab.world.run("retry r --failed --yes --set memory=2GiB --set time_limit=9m").expect(0);
    lab.world.run("wait r").expect(0);
    assert_eq!(lab.column("r", "attempt"), ["2"]);
    let last = lab.requests().pop().unwrap();
    assert!(last.contains("--mem=2048M") && last.contains("--time=00:09:00"), "{last}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn cleaning_leaves_nothing_there_that_no_run_needs() {
    let lab = Lab::new("");
    lab.world.file("src/train.sh", "echo trained\n");
    let batch = "jobs:\n- {name: a, src_dir: src, command: sh train.sh, sweep: {i: [0, 1]}}\n";
    lab.submit("r", batch, true).expect(0);
    lab.submit("s", batch, true).expect(0);
    let remote = lab.world.path().join("remote");
    let mine = remote.join("r/not of jobdeck");
    fs::create_dir(&mine).unwrap();
    let here = lab.code();
    lab.world.run("clean r --remote --yes").expect(0);
    let mut left: Vec<_> =
        fs::read_dir(remote.join("r")).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["not of jobdeck"], "all that jobdeck made goes, and nothing else");
    assert_eq!(lab.code(), here, "the other run needs it");
    assert!(lab.world.run("logs s a-1").stdout.contains("trained"));
    lab.world.run("clean s --remote --yes").expect(0);
    assert!(!remote.join("s").exists());
    assert_eq!(lab.code(), [""; 0]);
}

//! What is somebody else's: a run of the same id from another state folder, and a
//! job that was given an id of ours. Neither is adopted, read, ended or removed.

use crate::lab::{Lab, slurm};

/// One job; what is in its log tells whose it is.
fn batch(word: &str, then: &str) -> String {
    format!("jobs:\n- {{name: a, command: 'echo {word}; {then}'}}\n")
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_run_id_chosen_twice_is_two_runs() {
    let one = Lab::new("");
    let two = one.beside();
    one.submit("r", &batch("one", "exit 3"), true).expect(1);
    // The first request of the second never arrives, and its answer is not known.
    let lost = two.world.path().join("lost");
    two.wrap(
        "sbatch",
        &format!(
            "[[ -e {0} || $1 != --parsable ]] && exec \"$real\" \"$@\"\ntouch {0}\n\
             echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\nexit 1",
            lost.display()
        ),
    );
    two.submit("r", &batch("two", "true"), true).expect(0);
    assert_eq!(two.requests().len(), 2, "what the other left behind is not taken for it");
    assert_eq!(
        (one.column("r", "exit_code"), two.column("r", "exit_code")),
        (vec!["3".to_owned()], vec!["0".to_owned()])
    );
    let logs = |lab: &Lab| lab.world.run("logs r a").stdout;
    assert_eq!((logs(&one).trim(), logs(&two).trim()), ("one", "two"));
    two.world.run("clean r --remote --yes").expect(0);
    assert_eq!(logs(&one).trim(), "one", "only what is its own goes");
    one.world.run("clean r --remote --yes").expect(0);
    assert!(!one.remote().join("r").exists());
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_run_of_the_same_id_is_not_cancelled_with_it() {
    let one = Lab::new("");
    let two = one.beside();
    for lab in [&one, &two] {
        lab.submit("r", &batch("x", "sleep 600"), false).expect(0);
        lab.world.until("r", "running", |s| s["counts"]["running"] == 1);
    }
    two.end("r");
    let polls = one.calls("squeue").len();
    one.world.until("r", "seen again", |s| {
        assert_eq!(s["counts"]["running"], 1, "{s:#}");
        one.calls("squeue").len() > polls + 1
    });
    one.end("r");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn an_id_that_was_given_to_another_job_is_left_alone() {
    let lab = Lab::new("");
    let foreign = slurm(&["sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true"]);
    let foreign = foreign.trim();
    // As after a crash of the controller: the job is gone, its id is another's.
    lab.wrap(
        "sbatch",
        &format!("[[ $1 == --parsable ]] && {{ echo {foreign}; exit 0; }}\nexec \"$real\" \"$@\""),
    );
    lab.submit("r", &batch("x", "true"), false).expect(0);
    assert_eq!(lab.column("r", "job_id"), [foreign]);
    let said = lab.world.run("cancel r --yes");
    eprintln!("{said:#?} {:#?}", lab.calls("scancel"));
    let state = slurm(&["squeue", "--noheader", "--format=%T %r", &format!("--jobs={foreign}")]);
    assert_eq!(state.trim(), "PENDING JobHeldUser");
    slurm(&["scancel", foreign]);
}

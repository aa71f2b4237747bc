//! Lists of jobs as arrays: one request, every job its own command line.

use crate::lab::Lab;

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_sweep_of_two_hundred_jobs_is_one_request() {
    let lab = Lab::new("");
    let answer = lab.submit(
        "r",
        "jobs:\n- name: lr\n  command: echo value {i}\n  sweep: {i: {range: [0, 200]}}\n",
        true,
    );
    answer.expect(0);
    assert_eq!(lab.requests().len(), 1, "one request");
    let names = lab.column("r", "name");
    assert_eq!((names.len(), names[0].as_str(), names[199].as_str()), (200, "lr-1", "lr-200"));
    let logs = lab.world.run("logs r lr-1 lr-137 lr-200");
    assert!(logs.stdout.contains("value 136"), "{logs:#?}");
    // Asked about as a whole, not one by one: at most a call a poll.
    let polls = lab.calls("squeue").len();
    assert!(polls < 60, "{polls} polls");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn every_command_line_arrives_as_it_is_written() {
    let lab = Lab::new("");
    let values = [
        "it's",
        "a \\\"b\\\"",
        "$(id) `id` $HOME",
        "line\\nbreak",
        "訓練 🚀",
        "-n",
        "*",
        "a;b & c | d",
        "  spaces  ",
        "\\\\",
        "%s",
        "{x}",
        "!bang",
        "esac ;; )",
    ];
    let list: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
    let batch = format!(
        "jobs:\n- name: v\n  command: [printf, '%s', '{{v}}']\n  sweep: {{v: [{}]}}\n\
         - name: w\n  command: printf %s {{v}}\n  sweep: {{v: [{}]}}\n",
        list.join(", "),
        list.join(", ")
    );
    lab.submit("r", &batch, true).expect(0);
    for (n, value) in values.iter().enumerate() {
        let plain: String = serde_json::from_str(&format!("\"{value}\"")).unwrap();
        for name in ["v", "w"] {
            let path = lab.log("r", &format!("{name}-{}", n + 1));
            assert_eq!(std::fs::read_to_string(path).unwrap(), plain, "{name}-{}", n + 1);
        }
    }
    assert_eq!(lab.requests().len(), 1);
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn at_most_so_many_at_once_is_the_arrays_own_affair() {
    let lab = Lab::new("");
    let batch =
        "max_concurrent: 2\njobs:\n- name: a\n  command: sleep 1\n  sweep: {i: {range: [0, 5]}}\n";
    lab.submit("r", batch, true).expect(0);
    let calls = lab.requests();
    assert!(calls.len() == 1 && calls[0].contains("--array=0-4%2"), "{calls:?}");
    let (starts, ends) = (lab.column("r", "started_at"), lab.column("r", "finished_at"));
    for start in &starts {
        let running = starts.iter().zip(&ends).filter(|(s, e)| *s <= start && *e > start).count();
        assert!(running <= 2, "{running} at {start}: {starts:?} {ends:?}");
    }
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_differs_in_resources_is_another_request() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: a, command: 'true'}
- {name: b, command: 'true', gpus: 1}
- {name: c, command: 'true'}
- {name: d, command: 'echo $CUDA_VISIBLE_DEVICES', gpus: 1, time_limit: 5m}
- {name: e, command: 'true', gpus: 1}
";
    lab.submit("r", batch, true).expect(0);
    let calls = lab.requests();
    assert_eq!(calls.len(), 3, "{calls:#?}");
    assert!(calls[0].contains("--array=0,2 ") || calls[0].ends_with("--array=0,2"), "{calls:#?}");
    assert!(calls.iter().any(|call| call.contains("--gres=gpu:1 --time=00:05:00")), "{calls:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn retry_is_a_new_array_of_just_those_that_failed() {
    let lab = Lab::new("");
    let marker = lab.world.path().join("mended");
    let batch = format!(
        "jobs:\n- name: a\n  command: test {{i}} -lt 3 || test -e {}\n  sweep: {{i: {{range: [0, 6]}}}}\n",
        marker.display()
    );
    lab.submit("r", &batch, true).expect(1);
    assert_eq!(lab.column("r", "status")[2..4], ["succeeded", "failed"]);
    std::fs::write(marker, "").unwrap();
    lab.world.run("retry r --failed --yes").expect(0);
    lab.world.run("wait r").expect(0);
    assert_eq!(lab.column("r", "attempt"), ["1", "1", "1", "2", "2", "2"]);
    let calls = lab.requests();
    assert_eq!(calls.len(), 2, "{calls:#?}");
    assert!(calls[1].contains("--array=0-2"), "{calls:#?}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn dependencies_are_the_clusters_own_affair() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: ok, command: sleep 2}
- {name: bad, command: sleep 2; exit 3}
- {name: after-ok, command: 'true', depends_on: [ok]}
- {name: after-bad, command: 'true', depends_on: [bad]}
- {name: anyway, command: 'true', depends_on: [{bad: ended}]}
";
    lab.submit("r", batch, false).expect(0);
    let calls = lab.requests().join("\n");
    assert!(calls.contains("--dependency=afterok:") && calls.contains("--dependency=afterany:"));
    lab.world.run("wait r").expect(1);
    assert_eq!(
        lab.column("r", "status"),
        ["succeeded", "failed", "succeeded", "not_submitted", "succeeded"]
    );
    assert_eq!(lab.column("r", "cause")[3], "dependency");
}

//! What a plan learns by asking: the cluster's own dry run.

use crate::lab::{Lab, has_accounting};

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_plan_tells_when_the_cluster_expects_to_start_its_jobs() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- {name: lr, command: 'true', gpus: 1, sweep: {x: {range: [0, 300]}}}
- {name: big, command: 'true', gpus: 8, time_limit: 5m}
- {name: odd, command: 'true', gpus: 1, options: {slurm: {extra: [--constraint=nosuch]}}}
";
    lab.world.file("b.yaml", batch);
    let plan = lab.world.json("plan b.yaml --online --json", 2);
    let estimates = plan["estimates"].as_array().unwrap();
    let jobs: Vec<usize> =
        estimates.iter().map(|estimate| estimate["jobs"].as_array().unwrap().len()).collect();
    assert_eq!(jobs, [251, 49, 1], "{plan:#}");
    for estimate in estimates {
        let at: jiff::Timestamp = estimate["starts_at"].as_str().unwrap().parse().unwrap();
        let ahead = jiff::Timestamp::now().duration_until(at).as_hours();
        assert!((-1..24).contains(&ahead), "{estimate:#}");
    }
    let finding = plan["findings"].as_array().unwrap().iter().find(|f| f["job"] == "odd").unwrap();
    assert_eq!(finding["severity"], "error");
    assert!(finding["message"].as_str().unwrap().contains("would refuse it"), "{finding:#}");
    assert_eq!(lab.requests().len(), 0, "nothing was sent");
    let dry = lab.calls("sbatch").iter().filter(|call| call.contains("--test-only")).count();
    assert_eq!(dry, 4, "one for each request that asks for something else");
    let words = lab.world.run("plan b.yaml --online").stdout;
    assert!(words.contains("lab's estimate: lr-1 and 250 more would start"), "{words}");
    // Without being asked nobody asks.
    assert!(lab.world.json("plan b.yaml --json", 0)["estimates"].is_null());
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn gpus_that_are_free_are_known_with_and_without_accounting() {
    let lab = Lab::alone("");
    let free = |what: &str| {
        let told = lab.world.json("clusters --json", 0);
        let lab = told["clusters"].as_array().unwrap().iter().find(|c| c["name"] == "lab");
        let lab = lab.unwrap().clone();
        assert_eq!(lab["gpus_total"], 16, "{what}: {lab:#}");
        lab["gpus_free"].as_u64().unwrap()
    };
    let before = free("nothing runs");
    assert_eq!(before, 16);
    lab.submit("r", "jobs: [{name: a, command: sleep 600, gpus: 3}]\n", false).expect(0);
    lab.world.until("r", "running", |s| s["counts"]["running"] == 1);
    assert_eq!(free("three are in use"), 13);
    lab.end("r");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn what_a_site_has_is_offered_and_a_slip_is_found_by_it() {
    let lab = Lab::new("");
    let batch = "\
jobs:
- name: a
  command: 'true'
  options: {partition: deubg, constraint: nvlink}
";
    lab.world.file("b.yaml", batch);
    assert_eq!(lab.world.json("plan b.yaml --json", 0)["findings"].as_array().unwrap().len(), 0);
    lab.world.run("clusters").expect(0);
    let known = std::fs::read_to_string(lab.world.state().join("clusters.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&known).unwrap();
    let offered = |field: &str| -> Vec<String> {
        let all = known["lab"]["facts"]["offers"][field].as_array().unwrap();
        all.iter().map(|offer| offer["value"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(offered("options.partition"), ["gpu", "debug", "scavenge", "closed"]);
    assert_eq!(offered("options.constraint"), ["a100", "nvlink", "h100"]);
    if has_accounting() {
        assert!(offered("options.account").contains(&"research".to_owned()));
        assert!(offered("options.qos").contains(&"quick".to_owned()));
    }
    let plan = lab.world.json("plan b.yaml --json", 0);
    let finding = &plan["findings"][0];
    assert_eq!((&finding["severity"], &finding["line"]), (&"warning".into(), &4.into()));
    assert_eq!(finding["hint"], "did you mean `debug`?", "{finding:#}");
}

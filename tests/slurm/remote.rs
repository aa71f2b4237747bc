//! The same over ssh to a login node.

use crate::lab::Lab;

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn a_batch_goes_through_ssh_with_its_code_and_comes_back_with_its_logs() {
    let lab = Lab::over_ssh("login", "bash_setup: export FROM_SETUP=yes");
    lab.world.file("src/run.sh", "echo code $FROM_SETUP $JOBDECK_PARAM_X \"$SECRET\"\n");
    lab.world.file("token", "hunter2 'quoted'\n");
    let batch = format!(
        "jobs:\n- name: a\n  src_dir: src\n  command: sh run.sh; exit {{x}}\n  env: {{SECRET: 'file:{}'}}\n  \
         sweep: {{x: [0, 1]}}\n",
        lab.world.path().join("token").display()
    );
    lab.submit("r", &batch, true).expect(1);
    assert_eq!(lab.column("r", "status"), ["succeeded", "failed"]);
    let log = lab.world.run("logs r a-2").stdout;
    assert!(log.contains("code yes 1 hunter2 'quoted'"), "{log}");
    let requests = lab.world.run("plan r.yaml --requests").stdout;
    assert!(!requests.contains("hunter2"), "{requests}");
}

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn behind_a_locked_key_jobs_wait_for_a_login() {
    let lab = Lab::over_ssh("login-locked", "");
    let answer = lab.submit("r", "jobs: [{name: a, command: 'true'}]\n", false);
    assert!(matches!(answer.code, 0 | 5), "{answer:#?}");
    let status = lab
        .world
        .until("r", "a login is asked for", |s| s["clusters"]["lab"]["needs_login"] == true);
    assert_eq!(status["jobs"][0]["status"], "waiting", "{status:#}");
}

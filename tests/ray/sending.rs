//! What is sent, and what is refused before.

use std::fs;

use crate::{
    lab::{Lab, column, node},
    support::job,
};

#[test]
fn code_is_sent_once_for_all_jobs() {
    let lab = Lab::new(&[node(16.0, 8.0)]);
    lab.world.file("src/run.sh", "#!/bin/sh\ncat data/n.txt; echo $1 >> $OUT\n");
    lab.world.file("src/data/n.txt", "data\n");
    lab.world.file("lib/mine/part.py", "VALUE = 7\n");
    let script = lab.world.path().join("src/run.sh");
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let out = lab.world.path().join("out").display().to_string();
    let batch = format!(
        "defaults: {{src_dir: src, cluster: a, env: {{OUT: {out}}}}}\njobs:\n  \
         - {{name: t, command: 'sh ./run.sh {{n}}', sweep: {{n: {{range: [0, 20]}}}}}}\n  \
         - {{name: lib, command: 'ls ${{PYTHONPATH}}/mine >> $OUT', libraries: [lib/mine]}}\n  \
         - {{name: below, command: 'cat n.txt >> $OUT', working_dir: {}/src/data}}\n",
        lab.world.path().display()
    );
    lab.submit("r", &batch, true).expect(0);
    let mut lines: Vec<String> =
        fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected: Vec<String> = (0..20).map(|n: u32| n.to_string()).collect();
    expected.extend(["data".to_owned(), "part.py".to_owned()]);
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(lab.head(0).requests("PUT /api/packages/"), 2, "the code, and the library");
    // The same code again is there already.
    lab.submit("again", &batch, true).expect(0);
    assert_eq!(lab.head(0).requests("PUT /api/packages/"), 2);
}

#[test]
fn what_is_previewed_is_what_is_sent_without_secrets() {
    let lab = Lab::with(&[node(16.0, 8.0)], ", path_map: {/home/alice: /mnt/alice}");
    let secret = lab.world.file("token", "hunter2\n").display().to_string();
    let out = lab.world.path().join("out").display().to_string();
    let batch = format!(
        "jobs:\n  - {{name: t, command: 'echo /home/alice/x $TOKEN > {out}', cluster: a, gpus: 0.5, \
         cpus: 2, memory: 4G, env: {{TOKEN: 'file:{secret}'}}, options: {{resources: {{disk: 1}}}}}}\n"
    );
    lab.world.file("batch.yaml", &batch);
    let plan = lab.world.json("plan batch.yaml --requests --json", 0);
    let http = &plan["requests"][0]["http"];
    assert_eq!((&http["method"], &http["path"]), (&"POST".into(), &"/api/jobs/".into()));
    let body = &http["body"];
    assert_eq!(body["submission_id"], "jd-<run>-1-1");
    assert_eq!(body["entrypoint"], format!("echo /mnt/alice/x $TOKEN > {out}"));
    assert_eq!(
        (&body["entrypoint_num_cpus"], &body["entrypoint_num_gpus"]),
        (&2.into(), &0.5.into())
    );
    assert_eq!(body["entrypoint_memory"], 4_u64 << 30);
    assert_eq!(body["entrypoint_resources"]["disk"], 1);
    assert_eq!(body["runtime_env"]["env_vars"]["TOKEN"], format!("file:{secret}"));
    assert_eq!(body["runtime_env"]["env_vars"]["JOBDECK_JOB"], "t");
    lab.submit("r", &batch, true).expect(0);
    assert_eq!(fs::read_to_string(out).unwrap(), "/mnt/alice/x hunter2\n");
    let journal = fs::read_to_string(lab.world.state().join("runs/r/journal.jsonl")).unwrap();
    assert!(!journal.contains("hunter2"));
}

#[test]
fn faults_are_told_before_anything_is_sent() {
    let lab = Lab::new(&[node(16.0, 8.0)]);
    for (fields, words) in [
        ("command: python train.py", "`train.py` is a relative path"),
        ("command: ./run.sh", "`./run.sh` is a relative path"),
        ("command: x, gpus: 1.5", "above one GPU only whole numbers"),
        ("command: x, submission_id: a/b", "cannot be the id of a job"),
        ("command: x, type: workspace", "does not run jobs of type workspace"),
    ] {
        let batch = format!("jobs: [{{name: t, cluster: a, {fields}}}]");
        let answer = lab.submit("r", &batch, false).expect(2);
        assert!(answer.stdout.contains(words), "{fields}: {answer:#?}");
    }
    for (fields, words) in [
        ("options: {resource: {a: 1}}", "did you mean `resources`?"),
        ("runtime_env: {working_dir: /home/alice/project}", "write `src_dir:`"),
    ] {
        let batch = format!("jobs: [{{name: t, cluster: a, command: x, {fields}}}]");
        lab.world.file("odd.yaml", &batch);
        let answer = lab.world.run("plan odd.yaml --requests").expect(2);
        assert!(answer.stdout.contains(words), "{fields}: {answer:#?}");
        lab.submit("r", &batch, true).expect(2);
    }
    assert_eq!(lab.head(0).requests("POST"), 0);
    lab.world.file(
        "ok.yaml",
        "jobs: [{name: t, cluster: a, command: python /x/train.py, time_limit: 1h}]",
    );
    let answer = lab.world.run("plan ok.yaml").expect(0);
    let told = format!("{}{}", answer.stdout, answer.stderr);
    assert!(told.contains("not used on Ray: `time_limit`"), "{told}");
}

#[test]
fn ends_are_told_with_their_causes_and_logs() {
    let lab = Lab::new(&[node(16.0, 8.0)]);
    let batch = r"
jobs:
  - {name: exit, command: 'echo some trouble; exit 3', cluster: a}
  - {name: signal, command: 'kill -9 $$', cluster: a}
  - {name: odd, command: 'printf ''odd\377\n''', cluster: a}
";
    lab.submit("r", batch, true).expect(1);
    let status = lab.status("r");
    assert_eq!(column(&status, "status"), ["failed", "failed", "succeeded"]);
    assert_eq!(job(&status, "exit")["exit_code"], 3);
    assert_eq!(job(&status, "exit")["reason"], "exit code 3");
    assert_eq!(job(&status, "exit")["error"], "some trouble");
    assert_eq!(job(&status, "signal")["reason"], "ended by signal 9");
    let log = lab.world.run("logs r odd").expect(0);
    assert!(log.stdout.contains("odd"), "{log:#?}");
}

#[test]
fn a_simulation_is_a_command_and_wants_its_token() {
    let lab = Lab::new(&[]);
    let mut command = lab.world.command();
    command.args(["simulate", "ray"]).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let told: serde_json::Value = serde_json::from_str(&line).unwrap();
    lab.world.config(&format!("clusters: {{sim: {}}}", told["config"]));
    lab.submit("r", "jobs: [{name: t, command: 'true', gpus: 1}]", true).expect(0);
    let url = told["url"].as_str().unwrap();
    lab.world.config(&format!("clusters: {{sim: {{kind: ray, address: '{url}', token: wrong}}}}"));
    let clusters = lab.world.run("clusters --json").json();
    let error = clusters["clusters"][0]["error"].as_str().unwrap();
    assert!(error.contains("Invalid authentication token"), "{error}");
    crate::support::signal(&child, rustix::process::Signal::INT);
    assert!(crate::wait::end(&mut child).success());
}

//! The whole journey by keys: open, preview, confirm, watch, read, retry.

use crate::{
    home::{Home, key},
    wait,
};

const BATCH: &str = "name: tour
jobs:
  - {name: good, command: 'echo all is well'}
  - {name: bad, command: 'echo the reason >&2; test -e mended'}
";

#[test]
fn compose_preview_confirm_watch_read_and_retry() {
    let home = Home::new();
    let file = home.write("tour.yaml", BATCH);
    let mut term = home.start(&[file.to_str().expect("utf-8")], 120, 32);
    term.sees("good");
    term.keys("p");
    term.sees("nothing has been submitted");
    term.keys("S");
    term.sees("Submit tour?");
    // Any other key than `y` sends nothing.
    term.keys("x");
    term.until("the box to close", |s| !s.contains("Submit tour?"));
    assert_ne!(home.run(&["status"]).code, 0, "something was submitted without `y`");
    term.keys("S");
    term.sees("Submit tour?");
    term.keys("y");
    term.until("both ends", |s| s.contains("succeeded") && s.contains("failed"));
    term.keys("F");
    term.until("failed only", |s| s.contains("bad") && !s.contains("good"));
    term.keys("l");
    term.sees("log");
    term.keys("\t");
    term.sees("the reason");
    term.keys(key::ESC);
    home.write("mended", "");
    term.keys("F");
    term.until("all again", |s| s.contains("good"));
    term.keys("R");
    term.until("the retry box", |s| s.contains("Retry"));
    term.keys("y");
    term.until("both succeeded", |s| {
        s.matches("succeeded").count() >= 2 && !s.contains("✗ failed")
    });
    term.keys("q");
    assert_eq!(term.ends(), 0);
    let text = home.run(&["status", "--json"]).stdout;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("one document");
    assert_eq!(answer["jobs"][1]["attempt"], 2, "{text}");
    assert_eq!(answer["counts"]["succeeded"], 2, "{text}");
}

#[test]
fn the_retry_box_says_that_the_code_has_changed_since() {
    let home = Home::new();
    std::fs::create_dir(home.path().join("src")).expect("a folder of code");
    home.write("src/run.sh", "exit 3\n");
    let file = home
        .write("code.yaml", "name: code\njobs: [{name: c, src_dir: src, command: sh run.sh}]\n");
    home.run(&["submit", file.to_str().expect("utf-8"), "--yes", "--wait"]);
    let mut term = home.start(&[], 80, 24);
    term.sees("5 Clusters");
    term.keys("4");
    term.sees("code");
    term.keys(key::ENTER);
    term.sees("exit 3");
    term.keys("r");
    let same = term.sees("with the code as first sent");
    assert!(!same.contains("changed"), "{same}");
    term.keys("n");
    term.until("the box to close", |s| !s.contains("as first sent"));

    home.write("src/run.sh", "exit 0\n");
    term.keys("r");
    // The path is long and wraps.
    term.until("what was found", |s| s.contains("has changed") || s.contains("changed since"));
    term.sees("e, then Ctrl-O, retries with the code as it is now");
    term.keys("n");
    term.until("the box to close", |s| !s.contains("as first sent"));
    term.keys("e");
    term.until("what was found", |s| s.contains("has changed") || s.contains("changed since"));
    term.keys("\x0f\r");
    term.until("the question, without a word of it", |s| {
        s.contains("with the code as it is now") && !s.contains("changed")
    });
    term.keys("y");
    term.sees("✓ succeeded");
    term.keys("q");
    assert_eq!(term.ends(), 0);
}

#[test]
fn tables_are_sorted_as_they_were_left() {
    let home = Home::new();
    let file = home.write(
        "order.yaml",
        "name: order\njobs: [{name: zebra, command: 'true'}, {name: ant, command: 'true'}]\n",
    );
    let path = file.to_str().expect("utf-8");
    assert_eq!(home.run(&["submit", path, "--yes", "--wait"]).code, 0);
    let open = |look: &dyn Fn(&mut crate::term::Term)| {
        let mut term = home.start(&[], 100, 30);
        term.sees("5 Clusters");
        term.keys("4");
        term.sees("order");
        look(&mut term);
        term.keys("q");
        assert_eq!(term.ends(), 0);
    };
    let places = |screen: &str| screen.find("zebra").zip(screen.find("ant "));
    open(&|term| {
        term.keys("s");
        term.sees("1 run · by batch");
        term.keys(key::ENTER);
        term.until("as in the batch", |s| places(s).is_some_and(|(zebra, ant)| zebra < ant));
        term.keys("sso");
        term.sees("sorted by name, reversed");
        term.keys("o");
        term.until("by name", |s| places(s).is_some_and(|(zebra, ant)| ant < zebra));
    });
    open(&|term| {
        term.sees("1 run · by batch");
        term.keys(key::ENTER);
        term.until("by name", |s| places(s).is_some_and(|(zebra, ant)| ant < zebra));
    });
    // What cannot be read says nothing.
    home.write(".state/jobdeck/ui.json", "{\"sort\": 7");
    open(&|term| {
        term.sees("1 run · newest first");
    });
}

#[test]
fn jobs_outlive_a_killed_window() {
    let home = Home::new();
    let file = home.write(
        "long.yaml",
        "name: long\njobs:\n  - {name: sleeper, command: 'while ! test -e go; do sleep 0.05; done; exit 5'}\n",
    );
    let mut term = home.start(&[file.to_str().expect("utf-8")], 100, 30);
    term.sees("sleeper");
    term.keys("p");
    term.sees("nothing has been submitted");
    term.keys("S");
    term.sees("Submit long?");
    term.keys("y");
    term.until("it runs", |s| s.contains("running"));
    term.signal("-KILL");
    term.ends();
    home.write("go", "");
    let text = home.run(&["wait", "last", "--timeout", "30s", "--json"]).stdout;
    let answer: serde_json::Value = serde_json::from_str(&text).expect("one document");
    assert_eq!(answer["jobs"][0]["exit_code"], 5, "{text}");
    assert_eq!(answer["jobs"][0]["status"], "failed", "{text}");
}

#[test]
fn two_windows_killed_at_once_leave_each_job_started_once() {
    let home = Home::new();
    // Two at a time, so that the rest waits in the windows; those from the ninth on do
    // not end before the windows are dead.
    home.write(
        ".config/jobdeck/config.yaml",
        "clusters: {local: {kind: local, cpus: 8, max_inflight: 2}}\n",
    );
    let file = home.write(
        "pair.yaml",
        "name: pair\njobs:\n  - name: j\n    sweep: {i: {range: [0, 20]}}\n    command: |\n      \
         echo {i} >> started\n      \
         until test -e go || { test -e begin && test {i} -lt 8; }; do sleep 0.05; done\n",
    );
    let mut first = home.start(&[file.to_str().expect("utf-8")], 100, 30);
    first.sees("pair");
    first.keys("p");
    first.sees("nothing has been submitted");
    first.keys("S");
    first.sees("Submit pair?");
    first.keys("y");
    first.until("it runs", |s| s.contains("running"));
    let mut second = home.start(&[], 100, 30);
    second.sees("Compose");
    second.keys("4");
    second.sees("pair");
    second.keys(key::ENTER);
    second.until("the run", |s| s.contains("running"));

    let started = || -> Vec<String> {
        let text = std::fs::read_to_string(home.path().join("started")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    home.write("begin", "");
    wait::until_so("it is half way", || started().len() > 6);
    first.signal("-KILL");
    second.signal("-KILL");
    first.ends();
    second.ends();
    assert!(started().len() <= 10, "the rest waited in the windows");
    home.write("go", "");
    assert_eq!(home.run(&["wait", "last", "--timeout", "60s"]).code, 0);
    let mut names = started();
    names.sort();
    names.dedup();
    assert_eq!((started().len(), names.len()), (20, 20), "{:?}", started());
}

#[test]
fn a_batch_begins_with_a_template_and_becomes_one() {
    let home = Home::new();
    let mut term = home.start(&[], 100, 30);
    term.sees("begin with a template");
    term.keys("T");
    term.sees("torchrun");
    term.keys("train");
    term.keys(key::ENTER);
    term.sees("begun with the template train");
    term.keys(key::CTRL_T);
    term.sees("as a template named");
    term.keys("ing");
    term.keys(key::ENTER);
    term.sees("template training saved");
    term.keys("T");
    term.until("it in the list", |s| s.contains("of which template") && s.contains(" user "));
    term.keys(key::ESC);
    term.until("the list to close", |s| !s.contains("of which template"));
    term.keys("q");
    term.sees("Leave jobdeck?");
    term.keys("y");
    assert_eq!(term.ends(), 0);
    let kept = home.path().join(".config/jobdeck/templates/training.yaml");
    let text = std::fs::read_to_string(kept).expect("the template");
    assert_eq!(home.run(&["templates", "training"]).stdout, text);
    assert_eq!(home.run(&["templates", "train"]).stdout, text, "as it came");
    assert_ne!(home.run(&["status"]).code, 0, "nothing was submitted");
}

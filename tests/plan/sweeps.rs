//! Sweeps and placeholders.

use super::*;

/// A batch of one sweep entry with this command, sweep and further fields.
fn sweep(command: &str, sweep: &str, more: &str) -> String {
    format!("- name: s\n  command: {command}\n  sweep: {sweep}\n{more}")
}

#[test]
fn a_grid_counts_its_first_key_slowest() {
    let plan = good(&sweep("x {a} {b}", "{a: [1, 2], b: [p, q, r]}", ""));
    assert_eq!(commands(&plan), ["x 1 p", "x 1 q", "x 1 r", "x 2 p", "x 2 q", "x 2 r"]);
    assert_eq!(names(&plan), ["s-1", "s-2", "s-3", "s-4", "s-5", "s-6"]);
    assert_eq!(plan.jobs[0].spec.group.as_deref(), Some("s"));
    assert_eq!(plan.jobs[3].spec.params.to_string(), "a=2 b=p");
}

#[test]
fn a_zip_takes_values_side_by_side() {
    let plan = good(&sweep("x {a} {b}", "{a: [1, 2], b: [p, q]}", "  sweep_mode: zip"));
    assert_eq!(commands(&plan), ["x 1 p", "x 2 q"]);
    one_error(
        &sweep("x {a} {b}", "{a: [1, 2], b: [p]}", "  sweep_mode: zip"),
        &["jobs[0].sweep", "equally many", "a has 2, b has 1"],
    );
}

#[test]
fn values_keep_the_text_they_are_written_with() {
    let plan = good(&sweep("x {v}", "{v: [1e-3, 007, '0x1F', 1.50, true, ~]}", ""));
    assert_eq!(commands(&plan), ["x 1e-3", "x 007", "x 0x1F", "x 1.50", "x true", "x '~'"]);
}

#[test]
fn a_value_that_is_not_written_is_null_and_stays_so_when_the_batch_is_written_again() {
    let text =
        "jobs:\n  - name: s\n    command: x {v}\n    sweep:\n      v:\n        - a\n        -\n";
    let plan = good(text);
    assert_eq!(commands(&plan), ["x a", "x null"]);
    let again = jobdeck::yaml::emit(&jobdeck::yaml::parse(text.as_bytes()).unwrap());
    assert_eq!(good(&again).jobs, plan.jobs, "{again}");
}

#[test]
fn ranges_are_half_open_and_exact() {
    let plan = good(&sweep("x {a} {b}", "{a: {range: [0, 3]}, b: {range: [0.1, 0.4, 0.1]}}", ""));
    assert_eq!(plan.jobs.len(), 9);
    assert_eq!(shell(&plan.jobs[8]), "x 2 0.3");
    one_error(&sweep("x {a}", "{a: {range: [3, 0]}}", ""), &["jobs[0].sweep.a.range", "empty"]);
    one_error(&sweep("x {a}", "{a: {rang: [0, 3]}}", ""), &["did you mean `range`"]);
    one_error(&sweep("x {a}", "{a: {range: 3}}", ""), &["two or three numbers"]);
}

#[test]
fn excluded_combinations_are_left_out() {
    // By text, or as numbers when both are: 1e-1 and 0.1 are the same.
    let plan = good(&sweep(
        "x {a} {b}",
        "{a: [1e-1, 1], b: [p, q]}",
        "  exclude: [{a: 0.1, b: q}, {a: 1.0, b: p}]",
    ));
    assert_eq!(commands(&plan), ["x 1e-1 p", "x 1 q"]);
    assert_eq!(names(&plan), ["s-1", "s-2"], "positions close up");
    one_error(
        &sweep("x {a}", "{a: [1, 2]}", "  exclude: [{a: 2}, {a: 3}]"),
        &["jobs[0].exclude[1]", "excludes nothing"],
    );
    one_error(
        &sweep("x {a}", "{a: [1, 2]}", "  exclude: {b: 3}"),
        &["jobs[0].exclude.b", "`b` is not a parameter"],
    );
    one_error(&sweep("x {a}", "{a: [1]}", "  exclude: [{a: 1}]"), &["nothing is left"]);
}

#[test]
fn included_combinations_are_added_at_the_end() {
    let plan =
        good(&sweep("x {lr} {seed}", "{lr: [1, 2], seed: [3]}", "  include: [{lr: 1.0, seed: 9}]"));
    assert_eq!(commands(&plan), ["x 1 3", "x 2 3", "x 1.0 9"]);
    one_error(
        &sweep("x {lr} {seed}", "{lr: [1], seed: [3]}", "  include: [{lr: 5}]"),
        &["`{seed}` has no value", "include"],
    );
    one_error(
        &sweep("x {lr}", "{lr: [1]}", "  include: [{lrr: 5}]"),
        &["jobs[0].include[0].lrr", "did you mean `lr`"],
    );
    one_warning(&sweep("x {lr}", "{lr: [1]}", "  include: [{lr: 1}]"), &["repeats"]);
}

#[test]
fn repeated_values_are_told_once_a_parameter_and_not_in_a_zip() {
    one_warning(&sweep("x {a}", "{a: [1, 1, 1]}", ""), &["sweep.a[1]", "`1` stands here more"]);
    one_warning(
        &sweep("x {a}", "{a: [1, 2, 1, 2, 3]}", ""),
        &["sweep.a[2]", "2 values stand here more than once: `1`, `2`"],
    );
    let zip = sweep("x {a} {b}", "{a: [1, 1, 2], b: [3, 4, 4]}", "  sweep_mode: zip");
    assert_eq!(warnings(&good(&zip)), [""; 0]);
}

#[test]
fn a_range_that_holds_too_much_says_so() {
    for range in ["[0, 1e12]", "[0, 1e300, 1e-300]"] {
        one_error(&sweep("x {a}", &format!("{{a: {{range: {range}}}}}"), ""), &["too many values"]);
    }
    one_error(&sweep("x {a}", "{a: {range: [3, 0]}}", ""), &["empty", "write `{range:"]);
}

#[test]
fn faulty_sweeps_are_told_once_and_keep_a_row() {
    for (text, word) in [
        ("{}", "no parameters"),
        ("[1]", "a list where parameters"),
        ("{a: []}", "no values"),
        ("{a: 1}", "a number where a list of values"),
        ("{a: [[1]]}", "a list where one value"),
        ("{a b: [1]}", "cannot be the name"),
        ("{run: [1]}", "cannot be swept"),
        ("{a: {range: [0, 1e9]}}", "1000000000 values"),
    ] {
        let text = sweep("x", text, "");
        one_error(&text, &[word]);
        assert_eq!(plan(&text).jobs.len(), 1, "{text}");
    }
    one_error("[{name: a, command: x, include: [{a: 1}]}]", &["without a sweep"]);
    one_error(&sweep("x {a}", "{a: [1]}", "  sweep_mode: gird"), &["did you mean `grid`"]);
    one_error(&sweep("x {a}", "{a: [1], a: [2]}", ""), &["stands here twice"]);
}

#[test]
fn absurd_sizes_are_refused_before_they_are_built() {
    let many = "{range: [0, 1000]}";
    let text = sweep("x {a}{b}{c}", &format!("{{a: {many}, b: {many}, c: {many}}}"), "");
    one_error(&text, &["makes 1000000000 jobs", "at most 1000000"]);
    let text = format!(
        "{}\n{}",
        sweep("x {a}", "{a: [1, 2]}", ""),
        sweep("x {a}{b}", &format!("{{a: {many}, b: {many}}}"), "").replace("name: s", "name: t")
    );
    one_error(&text, &["jobs[1]", "more than 1000000 jobs"]);
}

#[test]
fn a_hundred_thousand_jobs_share_what_they_can() {
    let text = sweep(
        "python train.py --a {a} --b {b}",
        "{a: {range: [0, 100]}, b: {range: [0, 1000]}}",
        "  gpus: 1\n  env: {A: '1'}\n  options: {x: 1}",
    );
    let plan = plan(&text);
    assert!(plan.is_ok(), "{:?}", errors(&plan));
    assert_eq!((plan.totals.jobs, plan.totals.gpus.ceil()), (100_000, 100_000));
    let [first, last] = [&plan.jobs[0].spec, &plan.jobs[99_999].spec];
    assert_eq!(last.name, "s-100000");
    assert!(std::sync::Arc::ptr_eq(&first.env, &last.env));
    assert!(std::sync::Arc::ptr_eq(&first.options, &last.options));
    assert!(size_of_val(&**first) < 700, "{} bytes a job", size_of_val(&**first));
}

#[test]
fn exact_placeholders_bring_their_type() {
    let plan = good(&sweep(
        "x",
        "{g: [1, 0.5], e: [true, false]}",
        "  gpus: \"{g}\"\n  exclusive: '{e}'\n  tags: ['{g}', 'g{g}']\n  memory: '{g}G'\n  time_limit: '{g}0h'
  exclude: [{g: 0.5}]",
    ));
    let spec = &plan.jobs[0].spec;
    assert_eq!((spec.gpus, spec.exclusive), (Gpus::whole(1), true));
    assert_eq!(spec.tags, ["1", "g1"]);
    assert_eq!(spec.memory.unwrap().to_string(), "1G");
    assert_eq!(spec.time_limit.unwrap().secs(), 36_000);
    // A fault of the entry is one finding, not one per job.
    one_error(
        &sweep("x", "{g: [one, two, three]}", "  gpus: '{g}'"),
        &["jobs[0].gpus", "`one` is not a number of GPUs"],
    );
    // Braces without quotes are a map to YAML.
    one_error(
        &sweep("x {g}", "{g: [1]}", "  gpus: {g}"),
        &["jobs[0].gpus", "quote a placeholder: \"{g}\""],
    );
}

#[test]
fn placeholders_stand_in_every_field_of_a_sweep() {
    let plan = good(
        "- name: s
  sweep: {p: [a, b]}
  command: [run, 'it is {p}', '{p}']
  project: 'project-{p}'
  cluster: [local]
  env: {X: '{p} {name} {run}', Y: \"{p}\"}
  metadata: {k: '{p}'}
  working_dir: 'out/{p}'
  options: {queue: '{p}'}
  priority: '{p}'
",
    );
    let spec = &plan.jobs[1].spec;
    assert_eq!(spec.command, Some(Command::Argv(vec!["run".into(), "it is b".into(), "b".into()])));
    assert_eq!(spec.project.as_deref(), Some("project-b"));
    assert_eq!(spec.env["X"], "b s-2 {run}");
    assert!(spec.holes);
    assert_eq!(spec.working_dir.as_deref(), Some("/data/batches/out/b"));
    assert_eq!(spec.options["local"]["queue"], "b");
    assert_eq!(plan.totals.gpus_by_project.len(), 2);
}

#[test]
fn a_value_arrives_as_literal_text_in_a_command() {
    let plan = good(&sweep(
        "'a {x} ''{x}'' \"{x}\" {x!raw} {{x}} ${x} ${HOME}'",
        "{x: [\"it's $1\", b]}",
        "",
    ));
    assert_eq!(
        commands(&plan),
        [
            r#"a 'it'\''s $1' 'it'\''s $1' "it's \$1" it's $1 {x} ${x} ${HOME}"#,
            r#"a b 'b' "b" b {x} ${x} ${HOME}"#
        ]
    );
}

#[test]
fn without_a_sweep_braces_are_literal() {
    let plan = good(
        "- {name: a, command: \"awk '{print $1}' {x} {{y}} {name} {run}\", metadata: {m: '{name}'}}",
    );
    assert_eq!(shell(&plan.jobs[0]), "awk '{print $1}' {x} {{y}} a {run}");
    assert_eq!(plan.jobs[0].spec.metadata["m"], "{name}");
}

#[test]
fn run_and_attempt_are_filled_in_when_it_is_sent() {
    let plan = good(&sweep("x --out {run}/{name}.{attempt} {a}", "{a: [1]}", ""));
    let spec = &plan.jobs[0].spec;
    assert_eq!(shell(&plan.jobs[0]), "x --out {run}/s-1.{attempt} 1");
    let run = jobdeck::domain::ids::RunId::new("r7").unwrap();
    assert_eq!(spec.filled(&run, 2).command, Some(Command::Shell("x --out r7/s-1.2 1".into())));
    one_error(
        &sweep("x {a}", "{a: [1]}", "  metadata: {m: '{run}'}"),
        &["metadata", "`{run}` has no value"],
    );
}

#[test]
fn a_literal_run_beside_one_that_is_filled_in_is_told_wherever_it_stands() {
    let fault = "a literal `{run}` beside one that is filled in";
    let filled = "- {name: a, command: 'x {run}', env: {V: '{{run}}'}}";
    one_error(filled, &["jobs[0].env", fault]);
    one_error("- {name: a, command: [x, '{run}', '{{attempt}}']}", &["jobs[0].command", fault]);
    one_error(&sweep("x {a} {run}", "{a: [1, '{run}']}", "  env: {V: '{a}'}"), &[fault]);
    good("- {name: a, command: 'x {{run}}', env: {V: '{{run}}'}, metadata: {m: '{{run}}'}}");
    good("- {name: a, command: 'x {run}', env: {V: '{run}'}, metadata: {m: '{{run}}'}}");
}

#[test]
fn unknown_and_unused_placeholders_are_told() {
    one_error(
        &sweep("x {lrr} {seed}", "{lr: [1, 2], seed: [1]}", "")
            .replace("sweep: {lr", "env: {A: '{lr}'}\n  sweep: {lr"),
        &["jobs[0].command", "`{lrr}` has no value", "did you mean `lr`"],
    );
    one_warning(
        &sweep("x {lr}", "{lr: [1], seed: [1]}", ""),
        &["jobs[0].sweep.seed", "used nowhere", "JOBDECK_PARAM_SEED"],
    );
    let both = plan(&sweep("x {A} {a}", "{a: [1], A: [2]}", ""));
    assert!(warnings(&both)[0].contains("both arrive as JOBDECK_PARAM_A"));
}

#[test]
fn names_made_of_values_are_used_as_they_are() {
    let plan = good(
        "- {name: 'run-{a}-{b}', command: 'x {a} {b}', sweep: {a: [1e-3], b: [p, q]}}
- {name: after, command: y, depends_on: ['run-{a}-{b}', run-1e-3-p]}",
    );
    assert_eq!(names(&plan), ["run-1e-3-p", "run-1e-3-q", "after"]);
    assert_eq!(job(&plan, "after").depends_on.len(), 3);
    one_error(
        "[{name: 'n{a}', command: 'x {a} {b}', sweep: {a: [1], b: [1, 2]}}]",
        &["jobs[0].name", "several jobs of the group are named `n1`"],
    );
    one_error(
        "[{name: 'n{a}', command: 'x', sweep: {a: ['p q', r/s]}}]",
        &["jobs[0].name", "a blank"],
    );
}

#[test]
fn places_that_cannot_be_quoted_are_told() {
    one_error(&sweep("'x `y {a}`'", "{a: [1]}", ""), &["backticks"]);
}

mod properties {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_grid_has_the_product_of_its_values(sizes in proptest::collection::vec(1_usize..6, 1..5), max in 1_u32..40) {
            let (mut command, mut values) = (String::from("x"), Vec::new());
            for (i, size) in sizes.iter().enumerate() {
                let _ = write!(command, " {{p{i}}}");
                values.push(format!("p{i}: {{range: [0, {size}]}}"));
            }
            let text = format!(
                "max_concurrent: {max}\njobs:\n- name: s\n  gpus: '{{p0}}'\n  command: '{command}'\n  sweep: {{{}}}",
                values.join(", ")
            );
            let plan = plan(&text);
            prop_assert!(plan.is_ok(), "{:?}", errors(&plan));
            let product: usize = sizes.iter().product();
            prop_assert_eq!(plan.jobs.len(), product);
            let distinct: std::collections::HashSet<_> = commands(&plan).into_iter().collect();
            prop_assert_eq!(distinct.len(), product);
            // Totals are sums of the parts, and no more runs at once than there is.
            let sum: Gpus = plan.jobs.iter().map(|j| j.total_gpus).sum();
            prop_assert_eq!(plan.totals.gpus, sum);
            prop_assert_eq!(plan.totals.gpus_by_cluster.values().copied().sum::<Gpus>(), sum);
            prop_assert!(plan.totals.peak_gpus <= sum);
            let most = plan.jobs.iter().map(|j| j.total_gpus).max().unwrap_or_default();
            prop_assert!(plan.totals.peak_gpus <= most.times(u64::from(max)));
            prop_assert_eq!(plan.entries[0].jobs, product);
        }
    }
}

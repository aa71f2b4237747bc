//! Layers, bounds, and all that can be wrong at once.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::domain::resources::Gpus;

/// Files of the layers in a folder of their own.
struct Layers {
    folder: TempDir,
    sources: Sources,
}

impl Layers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, sources: Sources::default() }
    }
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }
    fn etc(mut self, text: &str) -> Self {
        let path = self.file("etc/config.yaml", text);
        self.sources.etc_dir = path.parent().map(Into::into);
        self
    }
    fn user(mut self, text: &str) -> Self {
        self.sources.user = Some(self.file("user.yaml", text));
        self
    }
    fn explicit(mut self, text: &str) -> Self {
        self.sources.explicit = Some(self.file("explicit.yaml", text));
        self
    }
    fn clusters(mut self, text: &str) -> Self {
        self.sources.clusters = Some(self.file("clusters.yaml", text));
        self
    }
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.variables.push((name.into(), value.into()));
        self
    }
    fn load(&self) -> Config {
        load(&self.sources).unwrap_or_else(|e| panic!("{:#?}", e.0))
    }
    /// All errors as text, without the folder.
    fn errors(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let errors = load(&self.sources).map(|_| ()).expect_err("it should not load").0;
        errors.iter().map(|report| report.to_string().replace(&folder, "")).collect()
    }
}

fn entry<'a>(config: &'a Config, name: &str) -> &'a ClusterEntry {
    &config.clusters[&ClusterId::new(name)]
}

fn other(config: &Config, name: &str) -> serde_json::Value {
    match &entry(config, name).settings {
        KindSettings::Other(fields) => fields.clone().into(),
        other => panic!("{name}: {other:?}"),
    }
}

fn ray<'a>(config: &'a Config, name: &str) -> &'a RaySettings {
    match &entry(config, name).settings {
        KindSettings::Ray(settings) => settings,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_ray_cluster_needs_an_address() {
    let load =
        |fields: &str| Layers::new().user(&format!("clusters: {{a: {{kind: ray{fields}}}}}"));
    let config = load(", head_address: \"ray://h:10001\", patience: 1m").load();
    assert_eq!(ray(&config, "a").address, "http://h:8265");
    assert_eq!(ray(&config, "a").patience_ms, Some(60_000));
    let errors = load("").errors();
    assert!(errors[0].contains("clusters.a has no address"), "{errors:?}");
    assert_eq!(load(", enabled: false").load().clusters.len(), 1);
}

#[test]
fn without_any_file_there_is_local() {
    let config = Layers::new().load();
    assert_eq!(config, Config::built_in());
}

#[test]
fn an_empty_file_is_no_trouble() {
    for text in ["", "# nothing yet\n", "clusters:\nlimits:\n", "null"] {
        let config = Layers::new().user(text).load();
        assert_eq!(config.clusters, Config::built_in().clusters, "{text:?}");
    }
}

#[test]
fn later_layers_win_field_by_field() {
    let config = Layers::new()
        .etc("limits: {max_gpus_per_job: 8}\nclusters: {lab: {kind: slurm, partition: gpu, account: team}}\n")
        .user("limits: {max_batch_size: 20}\nclusters: {lab: {partition: debug}, here: {kind: local, gpus: 2}}\n")
        .explicit("default_cluster: here\nclusters: {here: {cpus: 1.5}}\n")
        .variable("JOBDECK_DEFAULT_CLUSTER", "lab")
        .variable("JOBDECK_THEME", "paper")
        .variable("JOBDECK_UI_CONFIRM_JOBS", "5")
        .load();
    assert_eq!(config.default_cluster, Some(ClusterId::new("lab")));
    assert_eq!(config.limits.max_gpus_per_job, Some(Gpus::whole(8)));
    assert_eq!(config.limits.max_batch_size, Some(20));
    let lab = SlurmSettings {
        partition: Some("debug".into()),
        account: Some("team".into()),
        ..SlurmSettings::default()
    };
    assert_eq!(entry(&config, "lab").settings, KindSettings::Slurm(Box::new(lab)));
    let here = LocalSettings { gpus: LocalGpus::Count(2), cpus: Some(1.5), grace_secs: None };
    assert_eq!(entry(&config, "here").settings, KindSettings::Local(here));
    assert_eq!(config.ui.theme.as_deref(), Some("paper"));
    assert_eq!(config.ui.confirm_jobs, 5);
    assert_eq!(config.sources.len(), 3);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn the_site_bounds_what_users_set() {
    let config = Layers::new()
        .etc(concat!(
            "limits: {max_gpus_per_job: 8, max_batch_size: 100, allowed_projects: [a, b], ",
            "require_confirmation: true}\n",
            "clusters: {lab: {kind: slurm, min_interval: 10s, limits: {max_gpus_per_job: 4}}}\n",
        ))
        .user(concat!(
            "limits: {max_gpus_per_job: 64, max_batch_size: 10, allowed_projects: [b, c], ",
            "require_confirmation: false}\n",
            "clusters: {lab: {min_interval: 2, limits: {max_gpus_per_job: 32}}}\n",
        ))
        .variable("JOBDECK_MAX_BATCH_SIZE", "1000")
        .load();
    assert_eq!(config.limits.max_gpus_per_job, Some(Gpus::whole(8)));
    assert_eq!(config.limits.max_batch_size, Some(100));
    assert_eq!(config.limits.allowed_projects, Some(vec!["b".to_owned()]));
    assert_eq!(config.limits.require_confirmation, Some(true));
    assert_eq!(entry(&config, "lab").min_interval_ms, Some(10_000));
    assert_eq!(entry(&config, "lab").limits.max_gpus_per_job, Some(Gpus::whole(4)));
    assert_eq!(config.warnings.len(), 6, "{:#?}", config.warnings);
}

#[test]
fn users_may_be_stricter_than_the_site() {
    let config = Layers::new()
        .etc("limits: {max_gpus_per_job: 8, allowed_projects: [\"*\"]}\nclusters: {lab: {kind: slurm, min_interval: 5s}}\n")
        .user("limits: {max_gpus_per_job: 0.5, allowed_projects: [mine]}\nclusters: {lab: {min_interval: 1m}}\n")
        .load();
    assert_eq!(config.limits.max_gpus_per_job.unwrap().to_string(), "0.5");
    assert_eq!(config.limits.allowed_projects, Some(vec!["mine".to_owned()]));
    assert_eq!(entry(&config, "lab").min_interval_ms, Some(60_000));
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn all_projects_in_a_user_layer_do_not_lift_the_sites_list() {
    let config = Layers::new()
        .etc("limits: {allowed_projects: [a]}")
        .user("limits: {allowed_projects: [\"*\"]}")
        .load();
    assert_eq!(config.limits.allowed_projects, Some(vec!["a".to_owned()]));
}

#[test]
fn everything_wrong_is_said_at_once_with_its_place() {
    let errors = Layers::new()
        .user(concat!(
            "default_cluster: labb\n",
            "limts: {max_batch_size: 3}\n",
            "limits:\n",
            "  max_batch_size: many\n",
            "  max_gpus_per_job: -2\n",
            "  allowed_projects: project-01\n",
            "clusters:\n",
            "  lab: {kind: slrum}\n",
            "  labs: {kind: slurm, min_interval: 5 parsecs, partiton: gpu}\n",
            "  bare: {gpus: 1}\n",
            "  here: {kind: local, enabled: maybe, gpus: some}\n",
            "  runai: {kind: runai, url: tenant.run.ai}\n",
        ))
        .variable("JOBDECK_MOUSE", "sometimes")
        .errors();
    let expected = [
        "user.yaml:2:1: unknown key `limts`\n  hint: did you mean `limits`?",
        "user.yaml:4:19: limits.max_batch_size: expected a whole number of at least 1, found `many`",
        "user.yaml:5:21: limits.max_gpus_per_job: a number of GPUs cannot be negative\n  hint: write `0` for none",
        "user.yaml:6:21: limits.allowed_projects: expected a list, found text\n  hint: write `[\"project-01\"]`",
        "user.yaml:8:15: clusters.lab.kind: no kind of cluster is called `slrum`\n  hint: did you mean `slurm`?",
        "user.yaml:9:37: clusters.labs.min_interval: `5 parsecs` is not a duration\n  hint: write `5s`, `500ms`, `2m` or a number of seconds",
        "user.yaml:9:48: unknown key `clusters.labs.partiton`\n  hint: did you mean `partition`?",
        "user.yaml:10:3: clusters.bare has no `kind`\n  hint: add one of local, slurm, ray, runai, runai-kube, dshpc",
        "user.yaml:11:32: clusters.here.enabled: expected true or false, found text `maybe`",
        "user.yaml:11:45: clusters.here.gpus: expected `auto` or a number of slots, found `some`",
        "user.yaml:12:29: clusters.runai.url: `tenant.run.ai` is not an http or https address\n  hint: write `http://tenant.run.ai`",
        "JOBDECK_MOUSE: expected true or false, found text `sometimes`",
        "user.yaml:1:18: default_cluster: no cluster is called `labb`\n  hint: did you mean `lab`?",
    ];
    assert_eq!(errors, expected);
}

#[test]
fn a_misspelt_kind_hides_nothing_else_of_its_cluster() {
    let errors = Layers::new()
        .user(concat!(
            "default_cluster: a\n",
            "clusters:\n",
            "  a: {kind: locall, gpuz: 1, cpus: few}\n",
            "  b: {kind: abacus, enabld: true, max_inflight: 0, partiton: gpu, api_key: k}\n",
            "  c: {adress: \"http://10.0.0.1:8265\", limits: {max_batch_siz: 1}}\n",
        ))
        .errors();
    let kinds = "local, slurm, ray, runai, runai-kube, dshpc";
    let expected = [
        "user.yaml:3:13: clusters.a.kind: no kind of cluster is called `locall`\n  hint: did you mean `local`?".to_owned(),
        "user.yaml:3:21: unknown key `clusters.a.gpuz`\n  hint: did you mean `gpus`?".to_owned(),
        "user.yaml:3:36: clusters.a.cpus: expected a number of zero or more, found `few`".to_owned(),
        format!("user.yaml:4:13: clusters.b.kind: no kind of cluster is called `abacus`\n  hint: use one of {kinds}"),
        "user.yaml:4:21: unknown key `clusters.b.enabld`\n  hint: did you mean `enabled`?".to_owned(),
        "user.yaml:4:49: clusters.b.max_inflight: expected a whole number of at least 1, found `0`".to_owned(),
        "user.yaml:4:52: unknown key `clusters.b.partiton`\n  hint: did you mean `partition`?".to_owned(),
        format!("user.yaml:5:3: clusters.c has no `kind`\n  hint: add one of {kinds}"),
        "user.yaml:5:7: unknown key `clusters.c.adress`\n  hint: did you mean `address`?".to_owned(),
        "user.yaml:5:48: unknown key `clusters.c.limits.max_batch_siz`\n  hint: did you mean `max_batch_size`?".to_owned(),
    ];
    assert_eq!(errors, expected);
}

#[test]
fn a_default_cluster_of_unknown_kind_is_one_error() {
    let layers = Layers::new().user("default_cluster: c\nclusters: {c: {gpus: 1}}\n");
    assert_eq!(layers.errors().len(), 1, "{:?}", layers.errors());
}

#[test]
fn a_key_that_stands_twice_is_an_error() {
    let errors = Layers::new().user("limits: {max_batch_size: 1}\nlimits: {}\n").errors();
    assert!(errors[0].starts_with("user.yaml:2:1: the file: `limits` stands twice"), "{errors:?}");
}

#[test]
fn an_unknown_key_that_is_like_no_other_only_warns() {
    let config =
        Layers::new().user("clusters: {l: {kind: local, zebra: 1}}\nweather: fine\n").load();
    assert_eq!(config.warnings.len(), 2);
    assert!(config.warnings[1].ends_with(":2:1: unknown key `weather`"), "{:?}", config.warnings);
}

#[test]
fn a_text_that_is_no_yaml_has_its_line() {
    let errors = Layers::new().user("clusters: {\n  lab: [\n").errors();
    assert_eq!(errors.len(), 1);
    assert!(errors[0].starts_with("user.yaml:"), "{errors:?}");
}

#[test]
fn a_file_asked_for_by_name_must_be_there() {
    let mut layers = Layers::new();
    layers.sources.user = Some(layers.folder.path().join("absent.yaml"));
    assert_eq!(layers.load().sources, Vec::<PathBuf>::new());
    layers.sources.explicit = Some(layers.folder.path().join("absent.yaml"));
    assert!(layers.errors()[0].starts_with("cannot read the configuration absent.yaml"));
    layers.sources.explicit = Some(layers.folder.path().to_owned());
    assert!(layers.errors()[0].ends_with("it is a folder"));
}

#[test]
fn plain_secrets_are_advised_against_and_references_are_kept() {
    let config = Layers::new()
        .user(concat!(
            "clusters:\n",
            "  a: {kind: dshpc, url: \"http://localhost:8001/\", api_key: hunter2}\n",
            "  b: {kind: dshpc, url: \"http://localhost:8001\", api_key: \"env:DSHPC_API_KEY\"}\n",
        ))
        .load();
    assert_eq!(config.advice.len(), 1);
    assert!(config.advice[0].contains("clusters.a.api_key is a plain secret"));
    assert!(!config.advice[0].contains("hunter2"));
    assert_eq!(other(&config, "b")["api_key"], "env:DSHPC_API_KEY");
    assert_eq!(other(&config, "a")["url"], "http://localhost:8001");
}

#[test]
fn a_cluster_of_another_kind_forgets_what_only_the_old_kind_knew() {
    let config = Layers::new()
        .etc("clusters: {lab: {kind: slurm, partition: gpu, tags: [big], min_interval: 9s}}")
        .user("clusters: {lab: {kind: local, gpus: 3}}")
        .load();
    let lab = entry(&config, "lab");
    assert_eq!(lab.tags, ["big"]);
    assert_eq!(lab.min_interval_ms, Some(9000));
    assert!(matches!(
        lab.settings,
        KindSettings::Local(LocalSettings { gpus: LocalGpus::Count(3), .. })
    ));
}

#[test]
fn the_ray_schedulers_own_file_loads_as_it_is() {
    let layers = Layers::new().clusters(concat!(
        "clusters:\n",
        "  cpu_cluster:\n",
        "    head_address: \"123.456.789.0:10001\"\n",
        "    runtime_env:\n",
        "      pip:\n        - \"numpy\"\n        - \"pandas\"\n",
        "      env_vars:\n        - \"PYTHONPATH=/opt/code\"\n",
        "    prefer: true\n    weight: 1.0\n    tags: [\"cpu\", \"stable\"]\n",
        "  gpu_cluster: {head_address: \"10.0.0.2:10002\", prefer: false, weight: 0.8, tags: [gpu]}\n",
    ));
    let config = layers.load();
    assert_eq!(config.clusters.len(), 2);
    let cpu = entry(&config, "cpu_cluster");
    assert_eq!(
        (cpu.kind, cpu.tags.clone()),
        (ClusterKind::Ray, vec!["cpu".into(), "stable".into()])
    );
    let env = r#"{"pip": ["numpy", "pandas"], "env_vars": {"PYTHONPATH": "/opt/code"}}"#;
    let expected = RaySettings {
        address: "http://123.456.789.0:8265".into(),
        head_address: Some("123.456.789.0:10001".into()),
        runtime_env: serde_json::from_str(env).unwrap(),
        prefer: true,
        weight: Some(1.0),
        ..RaySettings::default()
    };
    assert_eq!(*ray(&config, "cpu_cluster"), expected);
    assert_eq!(ray(&config, "gpu_cluster").address, "http://10.0.0.2:8265");
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn the_ray_schedulers_list_form_loads_too() {
    let config = Layers::new()
        .clusters("clusters:\n- {name: a, head_address: h:1, dashboard: \"h:9000\"}\n- {name: b, dashboard: \"https://x/\"}\n")
        .load();
    assert_eq!(ray(&config, "a").address, "http://h:9000");
    assert_eq!(ray(&config, "b").address, "https://x");
    let errors = Layers::new().clusters("- 1\n").errors();
    assert!(errors[0].contains("no `clusters` in it"), "{errors:?}");
    let errors = Layers::new().clusters("clusters: {a: {weight: heavy}}\n").errors();
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn variables_that_mean_nothing_are_told_and_those_of_jobs_are_not() {
    let config = Layers::new()
        .variable("JOBDECK_THEEM", "x")
        .variable("JOBDECK_RUN", "r")
        .variable("JOBDECK_PARAM_LR", "1")
        .variable("JOBDECK_ALLOWED_PROJECTS", "a, b")
        .variable("HOME", "/")
        .load();
    assert_eq!(
        config.warnings,
        ["JOBDECK_THEEM means nothing to jobdeck; did you mean JOBDECK_THEME?"]
    );
    assert_eq!(config.limits.allowed_projects, Some(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn a_list_in_a_variable_may_be_written_as_in_the_file() {
    for text in ["[\"a\", \"b\"]", "[a, b]", "a,b", " [ 'a' , b ] "] {
        let config = Layers::new().variable("JOBDECK_ALLOWED_PROJECTS", text).load();
        let allowed = config.limits.allowed_projects.unwrap();
        assert_eq!(allowed, ["a", "b"], "{text}");
    }
    for text in ["[\"a\"", "[[a]]", "[{a: b}]"] {
        let errors = Layers::new().variable("JOBDECK_ALLOWED_PROJECTS", text).errors();
        assert!(errors[0].contains("list"), "{errors:?}");
    }
}

#[test]
fn only_settings_are_suggested_for_a_variable() {
    let warning = |name: &str| {
        let config = Layers::new().variable(name, "x").load();
        assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
        config.warnings[0].clone()
    };
    for name in ["JOBDECK_FOO", "JOBDECK_RUNS", "JOBDECK_JOBS"] {
        assert_eq!(warning(name), format!("{name} means nothing to jobdeck"));
    }
    assert!(warning("JOBDECK_STATE_DRI").ends_with("did you mean JOBDECK_STATE_DIR?"));
    let limits = warning("JOBDECK_LIMITS");
    assert!(limits.contains("its settings are JOBDECK_LIMITS_MAX_BATCH_SIZE, "), "{limits}");
}

#[test]
fn durations() {
    for (text, ms) in [("5s", 5000), ("500ms", 500), ("2", 2000), ("1.5", 1500), ("2m", 120_000)] {
        assert_eq!(duration_ms(text), Some(ms), "{text}");
    }
    for text in ["", "s", "-1", "0", "5 parsecs", "2d", "1e99", "nan"] {
        assert_eq!(duration_ms(text), None, "{text}");
    }
}

#[test]
fn the_schema_knows_every_field() {
    let schema = schema::schema();
    let of_kind = &schema["properties"]["clusters"]["additionalProperties"]["oneOf"];
    for (i, kind) in ClusterKind::ALL.into_iter().enumerate() {
        let properties = &of_kind[i]["properties"];
        assert_eq!(properties["kind"]["const"], kind.word());
        for field in fields::of_cluster(kind) {
            assert!(properties.get(field.name).is_some(), "{} {}", kind.word(), field.name);
        }
    }
    for field in fields::LIMITS {
        let described = &schema["properties"]["limits"]["properties"][field.name]["description"];
        assert_eq!(described, field.help);
    }
}

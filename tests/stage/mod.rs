//! The whole program without a terminal, a clock, a disk or a cluster: the model,
//! scripted keys, and a world that answers every effect at once.
//!
//! ```text
//! "p S y" ─▶ keys ─▶ update ─▶ effects (all kept) ─▶ World ─▶ messages ─▶ update …
//!                                                       Stage::draw ─▶ Buffer
//! ```

#![allow(clippy::unwrap_used, clippy::panic, dead_code, reason = "tests may end by a panic")]

use std::collections::VecDeque;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use jiff::Timestamp;
use jobdeck::{
    app::{
        effect::{Effect, RunCommand},
        keymap::Chord,
        model::{Model, Settings},
        msg::{ClusterHealth, LogPart, Msg, RunSummary, Told},
        sample,
        update::update,
    },
    domain::{
        action::RemoteAction,
        ids::{ClusterId, JobIx, RunId},
        plan::Plan,
        plan_json::Estimate,
        planner::{self, PlanContext},
        resources::Gpus,
        run::{Accepted, JobFacts, Record, Run, Stamped},
        site::{Capabilities, Capacity, ClusterKind, ClusterView},
        status::{Cause, Status},
    },
    runtime::templates::{self, Folders},
    ui::{self, theme::Theme},
    yaml,
};
use ratatui::buffer::Buffer;

/// When the stage's day begins.
pub fn dawn() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().unwrap()
}

/// The batch most screens show: every type, a sweep, dependencies.
pub const BATCH: &str = "\
name: fine-tune-mlp
max_concurrent: 12
defaults: {cluster: local, project: project-01}
jobs:
  - {name: fetch-data, command: ./fetch.sh}
  - {type: distributed, name: pretrain, workers: 3, gpus: 2, framework: pytorch, command: torchrun train.py, depends_on: [fetch-data]}
  - {type: workspace, name: analysis, gpus: 1, workspace_type: custom, command: jupyter lab --port 8888}
  - name: fine-tune
    command: python train.py --lr {lr} --seed {seed}
    gpus: 1
    time_limit: 4h
    env: {WANDB_PROJECT: mlp}
    sweep:
      lr: [1e-3, 1e-2, 1e-1]
      seed: {range: [0, 9]}
    depends_on: [pretrain]
  - {name: report, command: python report.py, depends_on: [fine-tune]}
";

/// The log of a job that failed.
pub const TRACEBACK: &str = "\
loading data from /data/mlp
\u{1b}[32mepoch 1\u{1b}[0m  loss 2.3104  12.1 it/s
\u{1b}[32mepoch 2\u{1b}[0m  loss 1.8710  12.0 it/s
\rstep 1200/4000\rstep 1600/4000\rstep 1712/4000
Traceback (most recent call last):
  File \"train.py\", line 88, in <module>
    loss.backward()
torch.cuda.OutOfMemoryError: \u{1b}[31mCUDA out of memory\u{1b}[0m. Tried to allocate 2.40 GiB
";

/// What answers effects; what a test wants to be odd it changes here.
#[derive(Debug)]
pub struct World {
    pub health: Vec<ClusterHealth>,
    pub runs: Vec<RunSummary>,
    pub log: Vec<u8>,
    pub plans: PlanContext,
    /// Effects are kept and not answered.
    pub silent: bool,
}

impl Default for World {
    fn default() -> Self {
        let capacity = Capacity {
            gpus_total: Some(Gpus::whole(8)),
            gpus_free: Some(Gpus::whole(5)),
            cpus_total: Some(64.0),
            cpus_free: Some(40.0),
            memory_total: Some(256 << 30),
            gpus_per_node: Some(Gpus::whole(8)),
            queue: Some(2),
            running: Some(3),
            version: Some("jobdeck 0.1.0".into()),
            ..Capacity::default()
        };
        let id = ClusterId::new("local");
        let mut view = ClusterView::new(id.clone(), ClusterKind::Local);
        view.capacity = Some((dawn(), capacity.clone()));
        let health = ClusterHealth {
            id: id.clone(),
            kind: ClusterKind::Local,
            enabled: true,
            can: Capabilities::of(ClusterKind::Local),
            capacity: Some(capacity),
            offers: None,
            last_seen: Some(dawn()),
            error: None,
            needs_login: false,
            latency_ms: Some(2),
            requests_per_minute: 12,
        };
        let plans = PlanContext {
            clusters: [(id, view)].into_iter().collect(),
            now: dawn(),
            ..PlanContext::default()
        };
        let log = b"loading data\n\x1b[32mepoch 1\x1b[0m loss 2.31\nepoch 2 loss 1.87\n".to_vec();
        Self { health: vec![health], runs: history(), log, plans, silent: false }
    }
}

/// Earlier runs, for the Runs view.
pub fn history() -> Vec<RunSummary> {
    let run = |id: &str, batch: &str, hours: i64, counts: &[(Status, usize)]| RunSummary {
        run: RunId::new(id).unwrap(),
        batch: batch.into(),
        created_at: dawn() - jiff::SignedDuration::from_hours(hours),
        ended: counts.iter().all(|(s, _)| s.is_ended()),
        counts: counts.to_vec(),
        gpus: Gpus::whole(8),
        unsent: counts.iter().filter(|(s, _)| *s == Status::Waiting).map(|(_, n)| n).sum(),
        held: None,
        damaged: None,
        conductor: None,
    };
    let mut live = run(
        "7k2fq9xm",
        "fine-tune-mlp",
        1,
        &[(Status::Succeeded, 14), (Status::Running, 8), (Status::Waiting, 7), (Status::Failed, 2)],
    );
    live.conductor = Some("a background process (pid 4711)".into());
    let mut held =
        run("0bq4m2ca", "ablation", 30, &[(Status::Succeeded, 3), (Status::Waiting, 97)]);
    held.held = Some("10 jobs failed (max_failures)".into());
    let mut damaged = run("v9s7tk31", "?", 200, &[]);
    damaged.damaged = Some("plan.json cannot be read".into());
    vec![
        live,
        run("c3x8h0pe", "训练-🚀-sweep", 5, &[(Status::Succeeded, 27)]),
        held,
        run("nightly-2026-02-27", "nightly", 72, &[(Status::Succeeded, 40), (Status::Failed, 1)]),
        run("m4d2zz10", "quickstart", 90, &[(Status::Stopped, 6), (Status::Succeeded, 2)]),
        damaged,
    ]
}

impl World {
    pub fn plan(&self, name: &str, text: &str) -> Plan {
        match yaml::parse(text.as_bytes()) {
            Ok(node) => planner::make(name, None, &node, &self.plans),
            Err(e) => Plan::unreadable(name, e.finding()),
        }
    }

    fn answer(&self, effect: &Effect, now: Timestamp) -> Vec<Msg> {
        match effect {
            Effect::Plan { revision, name, text, .. } => {
                vec![Msg::Planned { revision: *revision, plan: Box::new(self.plan(name, text)) }]
            }
            Effect::RenderRequests { revision, plan } => {
                let lines = plan.jobs.iter().map(|j| format!("── {}\n$ sh -c …\n", j.spec.name));
                vec![Msg::Requests { revision: *revision, text: lines.collect() }]
            }
            Effect::AskAbout { revision, plan } => {
                let told = Told { estimates: Self::estimates(plan, now), ..Told::default() };
                vec![Msg::ToldAbout { revision: *revision, told }]
            }
            Effect::Submit { plan } => {
                let run = RunId::new("7k2fq9xm").unwrap();
                let Ok(approved) = Plan::clone(plan).approve(run.clone(), now) else {
                    panic!("a plan with errors was submitted")
                };
                vec![
                    Msg::RunOpened { run: Box::new(Run::new(&approved)), conducting: true },
                    Msg::Conducting { run, conducting: true, other: None },
                ]
            }
            Effect::OpenFile { path, .. } => {
                vec![Msg::FileOpened { path: path.clone(), text: BATCH.into() }]
            }
            Effect::Quickstart => vec![Msg::Cloned {
                name: "quickstart".into(),
                text: jobdeck::runtime::effects::QUICKSTART.into(),
            }],
            Effect::ListTemplates => vec![Msg::Templates(templates::read(&Folders::default()))],
            Effect::SaveTemplate { name, .. } => vec![Msg::TemplateSaved {
                path: format!("/home/ada/.config/jobdeck/templates/{name}.yaml").into(),
                name: name.clone(),
                shadows: Vec::new(),
            }],
            Effect::SaveFile { path, .. } => vec![Msg::FileSaved { path: path.clone() }],
            Effect::SaveDraft { .. } => vec![Msg::DraftSaved],
            Effect::ListFolder { path } => {
                let names = [("batches", true), ("sweep.yaml", false), ("sweep-big.yaml", false)];
                let names = names.iter().map(|(n, dir)| ((*n).to_owned(), *dir)).collect();
                vec![Msg::Folder { path: path.clone(), names }]
            }
            Effect::ListRuns => vec![Msg::Runs(self.runs.clone())],
            Effect::OpenRun { run } => {
                vec![Msg::RunOpened { run: Box::new(self.started(run)), conducting: true }]
            }
            Effect::CloneRun { run } => {
                vec![Msg::Cloned { name: run.to_string(), text: BATCH.into() }]
            }
            Effect::LogIn { cluster } => {
                vec![Msg::LoggedIn { cluster: cluster.clone(), error: None }]
            }
            Effect::FollowLog(request) => vec![Msg::Log(LogPart {
                serial: request.serial,
                offset: 0,
                bytes: self.log.clone(),
                total: self.log.len() as u64,
                complete: false,
            })],
            Effect::CheckClusters => vec![Msg::Clusters(self.health.clone())],
            Effect::Run { command, .. } => match command {
                RunCommand::Cancel { jobs, .. }
                | RunCommand::Act { jobs, .. }
                | RunCommand::Retry { jobs, .. } => {
                    vec![Msg::Notice(format!("{} jobs", jobs.len()))]
                }
                RunCommand::Send | RunCommand::StopSending => vec![],
            },
            Effect::CloseRun
            | Effect::StopLog
            | Effect::Copy { .. }
            | Effect::Refresh
            | Effect::PausePolling(_)
            | Effect::CompareCode { .. }
            | Effect::Suspend
            | Effect::Retake
            | Effect::Quit => vec![],
        }
    }

    /// Each job starts twenty minutes after the one before it.
    fn estimates(plan: &Plan, now: Timestamp) -> Vec<Estimate> {
        let starts = (0..).map(|n| now + jiff::SignedDuration::from_mins(20 * n));
        plan.jobs
            .iter()
            .zip(starts)
            .filter_map(|(job, starts_at)| {
                let jobs = vec![job.spec.name.clone()];
                Some(Estimate { cluster: job.cluster.clone()?, jobs, starts_at })
            })
            .collect()
    }

    /// A run of the batch with a bit of everything, as a window first sees it.
    pub fn started(&self, id: &RunId) -> Run {
        let plan = self.plan("fine-tune-mlp", BATCH);
        let began = dawn() - jiff::SignedDuration::from_mins(12);
        let approved = plan.approve(id.clone(), began).unwrap();
        let mut run = Run::new(&approved);
        for stamped in a_busy_morning(&run) {
            run.apply(&stamped);
        }
        run
    }
}

/// What happened to a run so far: all sent, some running, some failed.
pub fn a_busy_morning(run: &Run) -> Vec<Stamped> {
    let mut records = Vec::new();
    let mut add = |mins: i64, secs: i64, record: Record| {
        let at = run.created_at
            + jiff::SignedDuration::from_mins(mins)
            + jiff::SignedDuration::from_secs(secs);
        records.push(Stamped { at, epoch: 1, record });
    };
    let local = ClusterId::new("local");
    let conductor = jobdeck::domain::run::Conductor {
        host: "desk".into(),
        boot: "b".into(),
        pid: 4711,
        start: 1,
        epoch: 1,
        background: false,
        yields: false,
    };
    add(0, 0, Record::Opened { conductor });
    let count = run.jobs.len() as u32;
    for ix in 0..count {
        let job = JobIx(ix);
        // The last jobs still wait for those before them.
        if ix + 8 >= count {
            let reason = "waits for fine-tune".to_owned();
            add(0, 1, Record::Waits { job, reason });
            continue;
        }
        add(0, 1, Record::Intent { cluster: local.clone(), jobs: vec![(job, 1)] });
        let accepted = Accepted {
            remote_id: format!("{}", 9100 + ix),
            remote_name: None,
            url: None,
            log_path: Some(format!("/state/logs/{ix}")),
        };
        add(0, 2, Record::Accepted { job, attempt: 1, accepted });
        let mut facts = JobFacts::of(Status::Running);
        facts.node = Some("desk".into());
        let start = i64::from(ix) / 4;
        facts.started_at = Some(run.created_at + jiff::SignedDuration::from_mins(start));
        add(start, 5, Record::Observed { job, attempt: 1, facts: facts.clone() });
        if ix + 16 >= count {
            continue;
        }
        let end = start + 3;
        facts.finished_at = Some(run.created_at + jiff::SignedDuration::from_mins(end));
        if ix % 7 == 4 {
            facts.status = Status::Failed;
            facts.cause = Some(if ix % 2 == 0 { Cause::Oom } else { Cause::Exit });
            facts.exit_code = Some(1);
            facts.reason = Some("exit 1 · CUDA out of memory".into());
        } else {
            facts.status = Status::Succeeded;
            facts.exit_code = Some(0);
        }
        add(end, 0, Record::Observed { job, attempt: 1, facts });
    }
    records
}

/// Model, world and every effect so far.
#[derive(Debug)]
pub struct Stage {
    pub model: Model,
    pub world: World,
    pub effects: Vec<Effect>,
    pub theme: Theme,
}

impl Stage {
    pub fn new(width: u16, height: u16) -> Self {
        let settings = Settings { cluster_names: vec!["local".into()], ..Settings::default() };
        let terminal = ui::theme::Terminal { depth: ui::theme::Depth::True, light: None };
        let (theme, problems) = ui::theme::choose(Some("dark"), &[], terminal);
        assert!(problems.is_empty(), "{problems:?}");
        let mut stage = Self {
            model: Model::new(settings, dawn(), width, height),
            world: World::default(),
            effects: Vec::new(),
            theme,
        };
        stage.send(Msg::Clusters(stage.world.health.clone()));
        stage
    }

    /// With a batch open in Compose.
    pub fn with_batch(width: u16, height: u16, text: &str) -> Self {
        let mut stage = Self::new(width, height);
        stage.send(Msg::FileOpened {
            path: "/home/ada/fine-tune-mlp.yaml".into(),
            text: text.into(),
        });
        stage
    }

    /// With a run open in Monitor.
    pub fn with_run(width: u16, height: u16) -> Self {
        let mut stage = Self::new(width, height);
        let run = stage.world.started(&RunId::new("7k2fq9xm").unwrap());
        stage.send(Msg::RunOpened { run: Box::new(run), conducting: true });
        stage
    }

    /// With the sample run open in Monitor.
    pub fn with_sample(width: u16, height: u16) -> Self {
        let mut stage = Self::new(width, height);
        stage.world.health = sample::health(false);
        stage.world.log = TRACEBACK.as_bytes().to_vec();
        stage.send(Msg::Clusters(stage.world.health.clone()));
        stage.send(Msg::Tick(sample::now()));
        stage.send(Msg::RunOpened { run: Box::new(sample::small()), conducting: true });
        stage
    }

    /// A message, and everything that follows from it.
    pub fn send(&mut self, msg: Msg) {
        let mut waiting = VecDeque::from([msg]);
        while let Some(msg) = waiting.pop_front() {
            let effects = update(&mut self.model, msg);
            for effect in effects {
                if !self.world.silent {
                    waiting.extend(self.world.answer(&effect, self.model.now));
                }
                self.effects.push(effect);
            }
        }
    }

    pub fn key(&mut self, key: KeyEvent) {
        self.send(Msg::Key(key));
    }

    /// Keys as in the table of actions, separated by spaces; `'words` types them.
    pub fn keys(&mut self, script: &str) -> &mut Self {
        for token in script.split_whitespace() {
            if let Some(text) = token.strip_prefix('\'').filter(|t| !t.is_empty()) {
                for c in text.chars() {
                    self.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
                }
            } else {
                let chord: Chord = token.parse().unwrap();
                self.key(chord.event());
            }
        }
        self
    }

    pub fn resize(&mut self, width: u16, height: u16) {
        self.send(Msg::Resize { width, height });
    }

    pub fn draw(&self) -> Buffer {
        ui::snapshot::buffer(&self.model, &self.theme)
    }

    /// The screen as text, one line a row.
    pub fn text(&self) -> String {
        ui::snapshot::characters(&self.draw())
    }

    /// Effects that send something to a cluster.
    pub fn sent(&self) -> Vec<&Effect> {
        self.effects.iter().filter(|e| sends(e)).collect()
    }
}

/// Only an answered confirm box may make these.
pub fn sends(effect: &Effect) -> bool {
    use RemoteAction::{Hold, Release};
    match effect {
        Effect::Submit { .. } => true,
        Effect::Run { command, .. } => !matches!(
            command,
            RunCommand::StopSending | RunCommand::Act { action: Hold | Release, .. }
        ),
        _ => false,
    }
}

/// Shares the plan's jobs; for tests that need a large one.
pub fn large_batch(jobs: usize) -> String {
    let mut text = String::from("name: large\njobs:\n");
    text.push_str("  - name: job\n    command: echo {n}\n    sweep:\n      n: {range: [0, ");
    text.push_str(&jobs.to_string());
    text.push_str("]}\n");
    text
}

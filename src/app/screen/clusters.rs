//! The clusters view: whether each answers, what it has, and what to do.

use crossterm::event::{MouseButton, MouseEventKind};
use jiff::{SignedDuration, Timestamp};

use super::{Context, Filtered, Step};
use crate::{
    app::{
        effect::Effect,
        filter::FilterLine,
        keymap::{Action, Scope},
        list::Cursor,
        msg::{ClusterHealth, Msg},
    },
    domain::{ids::ClusterId, resources::Gpus, site::ClusterKind},
};

/// While what they say changes by itself the clusters are asked this often.
const INTERVAL: SignedDuration = SignedDuration::from_secs(10);
/// Never more often than this, whatever happens.
const PACE: SignedDuration = SignedDuration::from_secs(2);

/// How a cluster stands, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    SwitchedOff,
    NeedsLogin,
    NoAnswer,
    Answers,
    /// It was not asked yet, or has not answered yet.
    Asking,
}

impl State {
    pub fn of(health: &ClusterHealth) -> Self {
        if !health.enabled {
            Self::SwitchedOff
        } else if health.needs_login {
            Self::NeedsLogin
        } else if health.error.is_some() {
            Self::NoAnswer
        } else if health.last_seen.is_some() {
            Self::Answers
        } else {
            Self::Asking
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched off",
            Self::NeedsLogin => "needs login",
            Self::NoAnswer => "no answer",
            Self::Answers => "answers",
            Self::Asking => "asking",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClustersView {
    /// In the rows that match the filter.
    pub cursor: Cursor,
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<FilterLine<ClusterId>>,
    /// When they were asked last.
    asked: Option<Timestamp>,
    /// Something happened since that changes what they would say.
    wanted: bool,
    /// Jobs that run and the GPUs they have, as the open run told last.
    in_use: (usize, Gpus),
}

/// What to do about a cluster, in imperative fragments.
pub fn advice(health: &ClusterHealth) -> Vec<String> {
    let id = &health.id;
    if !health.enabled {
        return vec![format!("it is switched off: set `enabled: true` under `clusters.{id}`")];
    }
    if health.needs_login && health.can.login {
        return vec![
            "press L: ssh asks at the terminal for what it wants to know".to_owned(),
            "jobs for it wait until then; nothing is lost".to_owned(),
        ];
    }
    if health.error.is_some() {
        let first = match health.kind {
            ClusterKind::Local => "look at the state folder and its disk: `jobdeck doctor`",
            ClusterKind::Slurm => "check the network, ssh and `sinfo`: `jobdeck doctor`",
            _ => "check its address and credentials: `jobdeck doctor`",
        };
        return vec![
            first.to_owned(),
            "jobs there keep their last known state; nothing is sent until it answers".to_owned(),
        ];
    }
    if health.capacity.as_ref().is_some_and(|c| c.gpus_total == Some(Gpus::ZERO)) {
        return vec![match health.kind {
            ClusterKind::Local => {
                format!("no GPUs were found here; jobs without GPUs run (`clusters.{id}.gpus`)")
            }
            _ => "it says that it has no GPUs".to_owned(),
        }];
    }
    Vec::new()
}

impl ClustersView {
    /// The clusters that match the filter, by name, kind and state.
    pub fn shown<'a>(&self, clusters: &'a [ClusterHealth]) -> Vec<&'a ClusterHealth> {
        let words: Vec<String> = self.filter.split_whitespace().map(str::to_lowercase).collect();
        let fits = |health: &&ClusterHealth| {
            let state = State::of(health).word();
            let hay = format!("{} {} {state}", health.id, health.kind.word()).to_lowercase();
            words.iter().all(|word| hay.contains(word))
        };
        clusters.iter().filter(fits).collect()
    }

    /// The cluster under the cursor.
    pub fn selected<'a>(&self, clusters: &'a [ClusterHealth]) -> Option<&'a ClusterHealth> {
        self.shown(clusters).get(self.cursor.at).copied()
    }

    /// The filter, or what clusters say, has changed: the cursor goes to this
    /// cluster where it is shown, and else stays on a row.
    pub fn go_to(&mut self, cluster: Option<&ClusterId>, clusters: &[ClusterHealth], height: u16) {
        let shown = self.shown(clusters);
        if let Some(at) = shown.iter().position(|health| Some(&health.id) == cluster) {
            self.cursor.at = at;
        }
        self.cursor.settle(shown.len(), Self::page(height, clusters.len()));
    }

    /// Rows of the table; the rest of the body tells of the one under the cursor.
    pub fn page(height: u16, clusters: usize) -> usize {
        let body = usize::from(height.saturating_sub(2));
        clusters.min(body.saturating_sub(12).max(4))
    }

    /// The clusters are asked now.
    pub fn asked(&mut self, now: Timestamp) {
        self.asked = Some(now);
        self.wanted = false;
    }

    /// They are to be asked as soon as the pace allows.
    pub fn want(&mut self) {
        self.wanted = true;
    }

    /// They will be asked without anybody doing anything.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// What the open run has in use; when it is something else than before, what
    /// the clusters said is not true any more.
    pub fn saw(&mut self, running: usize, gpus: Gpus) {
        self.wanted |= self.in_use != (running, gpus);
        self.in_use = (running, gpus);
    }

    /// Time to ask again. `changing`: what they say changes by itself and shows.
    pub fn is_due(&self, now: Timestamp, changing: bool) -> bool {
        let Some(asked) = self.asked else { return self.wanted || changing };
        let since = now.duration_since(asked);
        // A clock that was set back counts as long enough.
        let over = |span| since >= span || since < SignedDuration::ZERO;
        (self.wanted && over(PACE)) || (changing && over(INTERVAL))
    }

    /// The scope whose keys count now; `Anywhere` is always added.
    pub fn scope(&self) -> Scope {
        Scope::Clusters
    }

    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        _column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let len = self.shown(cx.clusters).len();
        let page = Self::page(cx.height, cx.clusters.len());
        match kind {
            MouseEventKind::ScrollUp => self.cursor.scroll(-1, len, page),
            MouseEventKind::ScrollDown => self.cursor.scroll(1, len, page),
            MouseEventKind::Down(MouseButton::Left) if row >= 2 => {
                let at = self.cursor.top + usize::from(row - 2);
                if at < len && at < self.cursor.top + page {
                    self.cursor.at = at;
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// Answers an action of this scope or a movement. `Back` with nothing of its
    /// own to close is answered with [`Step::Back`].
    pub fn on_action(&mut self, action: Action, cx: &Context<'_>) -> Vec<Step> {
        match action {
            Action::Back if self.filter.is_empty() => vec![Step::Back],
            Action::Back => {
                let selected = self.selected(cx.clusters).map(|health| health.id.clone());
                self.filter.clear();
                self.go_to(selected.as_ref(), cx.clusters, cx.height);
                Vec::new()
            }
            Action::Filter => {
                let selected = self.selected(cx.clusters).map(|health| health.id.clone());
                self.typing = Some(FilterLine::new(&self.filter, selected));
                Vec::new()
            }
            Action::Activate => vec![Step::Do(Effect::CheckClusters)],
            Action::LogIn => self
                .selected(cx.clusters)
                .map(|health| Step::Do(Effect::LogIn { cluster: health.id.clone() }))
                .into_iter()
                .collect(),
            action => {
                let len = self.shown(cx.clusters).len();
                self.cursor.on_action(action, len, Self::page(cx.height, cx.clusters.len()));
                Vec::new()
            }
        }
    }

    /// News for this view; what it shows is the model's `health`.
    pub fn on_msg(&mut self, _msg: Msg, _cx: &Context<'_>) -> Vec<Step> {
        Vec::new()
    }

    /// Whether the action makes sense now; `Err` says why not.
    pub fn enabled(&self, action: Action, clusters: &[ClusterHealth]) -> Result<(), &'static str> {
        match action {
            Action::LogIn => match self.selected(clusters) {
                None if clusters.is_empty() => Err("no cluster has answered yet"),
                None => Err("there is no cluster here"),
                Some(health) if !health.enabled => Err("it is switched off"),
                Some(health) if !health.can.login => {
                    Err("it needs no login: it is not reached by ssh")
                }
                Some(_) => Ok(()),
            },
            Action::Filter if clusters.is_empty() => Err("no cluster has answered yet"),
            Action::Mark | Action::MarkAll => Err("there is nothing to mark here"),
            _ => Ok(()),
        }
    }
}

impl Filtered for ClustersView {
    type Row = ClusterId;

    fn typing(&mut self) -> &mut Option<FilterLine<ClusterId>> {
        &mut self.typing
    }

    fn narrow(&mut self, filter: String, home: Option<ClusterId>, cx: &Context<'_>) {
        let selected = self.selected(cx.clusters).map(|health| health.id.clone());
        self.filter = filter;
        self.go_to(selected.as_ref(), cx.clusters, cx.height);
        self.go_to(home.as_ref(), cx.clusters, cx.height);
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyCode;

    use super::*;
    use crate::{app::model::Settings, domain::site::Capabilities};

    fn cluster(name: &str, kind: ClusterKind, error: Option<&str>) -> ClusterHealth {
        ClusterHealth {
            id: ClusterId::new(name),
            kind,
            enabled: true,
            can: Capabilities::of(kind),
            capacity: None,
            offers: None,
            last_seen: Some(Timestamp::UNIX_EPOCH),
            error: error.map(str::to_owned),
            needs_login: false,
            latency_ms: None,
            requests_per_minute: 0,
        }
    }

    #[test]
    fn a_filter_leaves_the_cursor_on_its_cluster_and_keys_act_on_the_row_shown() {
        let settings = Settings::default();
        let clusters = vec![
            cluster("local", ClusterKind::Local, None),
            cluster("north", ClusterKind::Slurm, Some("down")),
            cluster("south", ClusterKind::Slurm, None),
        ];
        let context = |clusters| Context {
            now: Timestamp::UNIX_EPOCH,
            width: 80,
            height: 24,
            settings: &settings,
            clusters,
        };
        let mut view = ClustersView::default();
        let names = |view: &ClustersView, clusters: &[ClusterHealth]| -> Vec<String> {
            view.shown(clusters).iter().map(|health| health.id.to_string()).collect()
        };
        let cx = context(&clusters);
        view.on_action(Action::Bottom, &cx);
        view.on_action(Action::Filter, &cx);
        for c in "slurm".chars() {
            assert_eq!(view.on_key(KeyCode::Char(c).into(), &cx), Some(Vec::new()));
        }
        assert_eq!(names(&view, &clusters), ["north", "south"]);
        assert_eq!(view.selected(&clusters).unwrap().id.as_str(), "south");
        view.on_key(KeyCode::Enter.into(), &cx);
        let log_in = view.on_action(Action::LogIn, &cx);
        assert_eq!(log_in, [Step::Do(Effect::LogIn { cluster: ClusterId::new("south") })]);

        // States are words of the filter; news leaves the cursor on its cluster.
        view.on_action(Action::Filter, &cx);
        view.on_paste(" answers", &cx);
        assert_eq!(names(&view, &clusters), ["south"]);
        let mut news = clusters.clone();
        news[1].error = None;
        let id = ClusterId::new("south");
        view.go_to(Some(&id), &news, 24);
        assert_eq!((view.cursor.at, names(&view, &news).len()), (1, 2));
        let cx = context(&news);
        view.on_paste("x", &cx);
        assert_eq!(view.selected(&clusters), None);
        assert_eq!(view.enabled(Action::LogIn, &clusters), Err("there is no cluster here"));
        assert!(view.on_action(Action::LogIn, &cx).is_empty());

        // Esc puts the filter back as it was, and then takes it away.
        view.on_key(KeyCode::Esc.into(), &cx);
        assert_eq!(view.filter, "slurm");
        assert_eq!(view.selected(&clusters).unwrap().id, id);
        assert!(view.on_action(Action::Back, &cx).is_empty());
        assert_eq!((view.cursor.at, view.shown(&clusters).len()), (2, 3));
        assert_eq!(view.on_action(Action::Back, &cx), [Step::Back]);
    }
}

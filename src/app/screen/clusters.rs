//! The clusters view: whether each answers, what it has, and what to do.

use crossterm::event::{KeyEvent, MouseButton, MouseEventKind};
use jiff::{SignedDuration, Timestamp};

use super::{Context, Step};
use crate::{
    app::{
        effect::Effect,
        keymap::{Action, Scope},
        list::Cursor,
        msg::{ClusterHealth, Msg},
    },
    domain::{resources::Gpus, site::ClusterKind},
};

/// While what they say changes by itself the clusters are asked this often.
const INTERVAL: SignedDuration = SignedDuration::from_secs(10);
/// Never more often than this, whatever happens.
const PACE: SignedDuration = SignedDuration::from_secs(2);

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClustersView {
    pub cursor: Cursor,
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

    /// Text entry takes keys before the keymap does; there is none here.
    pub fn on_key(&mut self, _key: KeyEvent, _cx: &Context<'_>) -> Option<Vec<Step>> {
        None
    }

    /// Pasted text, while this view has the keys.
    pub fn on_paste(&mut self, _text: &str, _cx: &Context<'_>) -> Vec<Step> {
        Vec::new()
    }

    /// A click, drag or wheel in the body; the place counts from its corner.
    pub fn on_mouse(
        &mut self,
        kind: MouseEventKind,
        _column: u16,
        row: u16,
        cx: &Context<'_>,
    ) -> Vec<Step> {
        let len = cx.clusters.len();
        let page = Self::page(cx.height, len);
        match kind {
            MouseEventKind::ScrollUp => self.cursor.scroll(-1, len, page),
            MouseEventKind::ScrollDown => self.cursor.scroll(1, len, page),
            MouseEventKind::Down(MouseButton::Left) if row >= 2 => {
                let at = self.cursor.top + usize::from(row - 2);
                if at < len {
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
            Action::Back => vec![Step::Back],
            Action::Activate => vec![Step::Do(Effect::CheckClusters)],
            Action::LogIn => cx
                .clusters
                .get(self.cursor.at)
                .map(|health| Step::Do(Effect::LogIn { cluster: health.id.clone() }))
                .into_iter()
                .collect(),
            action => {
                let len = cx.clusters.len();
                self.cursor.on_action(action, len, Self::page(cx.height, len));
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
            Action::LogIn => match clusters.get(self.cursor.at) {
                None => Err("no cluster has answered yet"),
                Some(health) if !health.enabled => Err("it is switched off"),
                Some(health) if !health.can.login => {
                    Err("it needs no login: it is not reached by ssh")
                }
                Some(_) => Ok(()),
            },
            Action::Filter | Action::Mark | Action::MarkAll => {
                Err("there is nothing to filter or mark here")
            }
            _ => Ok(()),
        }
    }
}

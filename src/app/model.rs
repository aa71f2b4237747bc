//! Everything the screen shows.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    keymap::{Keymap, Scope},
    msg::ClusterHealth,
    orders::{Orders, SortedBy},
    overlay::{Overlay, Prompt},
    screen::{
        Context, View,
        clusters::ClustersView,
        compose::Compose,
        monitor::{Monitor, Opened},
        preview::Preview,
        runs::Runs,
    },
};
use crate::domain::{
    ids::ClusterId,
    site::{ClusterViews, Limits},
};

/// What is configured and fixed for the session.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Above this many jobs the confirm box wants the number typed first.
    pub confirm_jobs: u64,
    pub confirm_gpus: u64,
    /// Names of the configured, enabled clusters, default first.
    pub cluster_names: Vec<String>,
    /// Projects known from limits and clusters, for pick-lists.
    pub projects: Vec<String>,
    pub default_cluster: Option<String>,
    /// Of all clusters.
    pub limits: Limits,
    /// What the configuration says of each cluster.
    pub views: ClusterViews,
    /// For times of day on the screen.
    pub time_zone: TimeZone,
}

impl Default for Settings {
    /// What there is without a configuration: one cluster, `local`; times in UTC.
    fn default() -> Self {
        Self {
            confirm_jobs: 100,
            confirm_gpus: 64,
            cluster_names: vec!["local".into()],
            projects: Vec::new(),
            default_cluster: None,
            limits: Limits::default(),
            views: ClusterViews::default(),
            time_zone: TimeZone::UTC,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub now: Timestamp,
    pub width: u16,
    pub height: u16,
    pub settings: Settings,
    pub keymap: Keymap,
    pub view: View,
    /// Views that Esc goes back to, newest last.
    pub back: Vec<View>,
    pub compose: Compose,
    pub preview: Preview,
    pub monitor: Monitor,
    pub runs: Runs,
    pub clusters: ClustersView,
    /// Health of every configured cluster, for the header and the Clusters view.
    pub health: Vec<ClusterHealth>,
    /// Bottom first.
    pub overlays: Vec<Overlay>,
    /// The question that was answered with a name to open or save, until that worked.
    pub naming: Option<Prompt>,
    /// The last passing word, and when it came.
    pub notice: Option<(Timestamp, String)>,
    /// When Ctrl-C was pressed once.
    pub leaving: Option<Timestamp>,
    pub quitting: bool,
    /// Clusters are asked nothing that is only for looking.
    pub paused: bool,
    /// A login has the terminal: nothing is drawn.
    pub lent: bool,
}

impl Model {
    pub fn new(settings: Settings, now: Timestamp, width: u16, height: u16) -> Self {
        Self {
            now,
            width,
            height,
            settings,
            keymap: Keymap::default(),
            view: View::default(),
            back: Vec::new(),
            compose: Compose::default(),
            preview: Preview::default(),
            monitor: Monitor::default(),
            runs: Runs::default(),
            clusters: ClustersView::default(),
            health: Vec::new(),
            overlays: Vec::new(),
            naming: None,
            notice: None,
            leaving: None,
            quitting: false,
            paused: false,
            lent: false,
        }
    }

    /// How the tables are sorted, to be kept for the next session.
    pub fn orders(&self) -> Orders {
        let runs = SortedBy { by: self.runs.sort, reverse: self.runs.reverse };
        Orders { monitor: self.monitor.sorted(), runs }
    }

    /// Tables are to be sorted as in an earlier session.
    pub fn set_orders(&mut self, orders: Orders) {
        self.monitor.set_sorted(orders.monitor);
        (self.runs.sort, self.runs.reverse) = (orders.runs.by, orders.runs.reverse);
    }

    /// The scope whose keys count now, beside `Anywhere`.
    pub fn scope(&self) -> Scope {
        match self.view {
            View::Compose => self.compose.scope(),
            View::Preview => self.preview.scope(),
            View::Monitor => self.monitor.scope(),
            View::Runs => self.runs.scope(),
            View::Clusters => self.clusters.scope(),
        }
    }

    /// A filter is being typed: keys are its text.
    pub fn is_filtering(&self) -> bool {
        match self.view {
            View::Compose => self.compose.typing.is_some(),
            View::Preview => self.preview.typing.is_some(),
            View::Monitor => self.monitor.opened().is_some_and(Opened::is_filtering),
            View::Runs => self.runs.typing.is_some(),
            View::Clusters => self.clusters.typing.is_some(),
        }
    }

    /// Seconds since the oldest answer of these clusters that is still the newest of
    /// its cluster; those that do not answer have their own words for it.
    pub fn data_age(&self, counts: impl Fn(&ClusterId) -> bool) -> Option<i64> {
        let answers =
            self.health.iter().filter(|h| h.enabled && h.error.is_none() && counts(&h.id));
        let oldest = answers.filter_map(|h| h.last_seen).min()?;
        Some(self.now.duration_since(oldest).as_secs())
    }

    /// What views may know of the rest; for drawing and tests.
    pub fn context(&self) -> Context<'_> {
        Context {
            now: self.now,
            width: self.width,
            height: self.height,
            settings: &self.settings,
            clusters: &self.health,
        }
    }
}

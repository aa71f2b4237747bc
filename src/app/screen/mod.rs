//! The five views as nested models. Each owns its state and answers actions
//! with [`Step`]s; it never reaches into another view.

use jiff::Timestamp;

use super::{effect::Effect, form::Target, overlay::Overlay};
use crate::domain::{site::ClusterViews, tree::Pos};

pub mod clusters;
pub mod compose;
mod filtered;
pub mod monitor;
pub mod preview;
pub mod runs;

pub use filtered::Filtered;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum View {
    #[default]
    Compose,
    Preview,
    Monitor,
    Runs,
    Clusters,
}

impl View {
    /// In the order of their number keys.
    pub const ALL: [Self; 5] =
        [Self::Compose, Self::Preview, Self::Monitor, Self::Runs, Self::Clusters];

    pub fn title(self) -> &'static str {
        match self {
            Self::Compose => "Compose",
            Self::Preview => "Preview",
            Self::Monitor => "Monitor",
            Self::Runs => "Runs",
            Self::Clusters => "Clusters",
        }
    }
}

/// What a screen wants done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Do(Effect),
    Go(View),
    Push(Overlay),
    Notice(String),
    /// Nothing of the screen's own to close: the shell goes one view back.
    Back,
    /// Go to a field in Compose, or to its place in the text when no form has it.
    FocusField {
        target: Target,
        field: Option<String>,
        at: Option<Pos>,
    },
}

/// What a screen may know of the rest when it answers.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub now: Timestamp,
    pub width: u16,
    pub height: u16,
    pub settings: &'a super::model::Settings,
    pub clusters: &'a [super::msg::ClusterHealth],
}

impl Context<'_> {
    /// What a plan would know of each cluster: its configuration, and the capacity
    /// it last told.
    pub fn views(&self) -> ClusterViews {
        let mut views = self.settings.views.clone();
        for health in self.clusters {
            if let (Some(view), Some(at), Some(capacity)) =
                (views.get_mut(&health.id), health.last_seen, &health.capacity)
            {
                view.capacity = Some((at, capacity.clone()));
            }
        }
        views
    }
}

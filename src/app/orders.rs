//! How the tables are sorted; kept from one session to the next.

use serde::{Deserialize, Serialize};

use super::screen::{monitor, runs};

/// What the rows of a table are sorted by, and whether the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortedBy<S> {
    pub by: S,
    #[serde(default)]
    pub reverse: bool,
}

/// The order of every table that can be sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Orders {
    pub monitor: SortedBy<monitor::order::Sort>,
    pub runs: SortedBy<runs::Sort>,
}

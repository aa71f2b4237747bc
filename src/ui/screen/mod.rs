//! One file a view.

pub mod clusters;
pub mod compose;
pub mod monitor;
pub mod preview;
pub mod runs;

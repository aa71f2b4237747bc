//! The pure core: words, amounts, batches, plans, runs. Nothing here reads a
//! clock, a file or a network; time and random bits arrive as arguments.

pub mod action;
pub mod awake;
pub mod batch;
pub mod change;
pub mod fields;
pub mod finding;
pub mod identity;
pub mod ids;
pub mod job;
pub mod library;
pub mod nearest;
pub mod params;
pub mod placeholder;
pub mod placement;
mod placer;
pub mod plan;
pub mod plan_json;
pub mod planner;
pub mod resources;
pub mod run;
pub mod schema;
pub mod send;
pub mod shell;
pub mod site;
pub mod status;
pub mod sweep;
pub mod totals;
pub mod tree;
pub mod unfill;

//! An entry is read again before it is written: does it make the same jobs?

use serde_json::Value as Json;

use super::fields::Start;
use crate::domain::{
    job::{ClusterChoice, JobSpec},
    planner::{self, PlanContext},
    tree::{Node, Span, Value},
};

/// The entry makes exactly these jobs. Where they go and what they wait for depends on
/// others and is not compared.
pub(super) fn holds(entry: &Node, jobs: &[JobSpec], start: Start) -> bool {
    let document = Node { span: Span::default(), value: Value::Seq(vec![entry.clone()]) };
    let plan = planner::make("", None, &document, &PlanContext::default());
    let same = |(made, wanted): (&JobSpec, &JobSpec)| {
        bare(made.clone())
            == bare(JobSpec { working_dir: start.folder(wanted).cloned(), ..wanted.clone() })
    };
    plan.jobs.len() == jobs.len() && plan.jobs.iter().map(|job| &*job.spec).zip(jobs).all(same)
}

/// What an entry by itself says of a job, without what means nothing.
fn bare(spec: JobSpec) -> JobSpec {
    let options = spec.options.iter().filter(|(_, inside)| !is_empty(inside));
    let options = options.map(|(kind, inside)| (kind.clone(), inside.clone())).collect();
    JobSpec {
        entry: 0,
        cluster: ClusterChoice::Default,
        depends_on: Vec::new(),
        base_dir: None,
        submission_id: None,
        options: std::sync::Arc::new(options),
        ..spec
    }
}

fn is_empty(value: &Json) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

//! The requests of a plan; the rest of that answer is
//! [`crate::domain::plan_json::PlanAnswer`].

use serde::Serialize;

use crate::cluster::{Payload, Request};

/// One request, as it would be sent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestAnswer {
    pub cluster: String,
    /// Names of the jobs it carries.
    pub jobs: Vec<String>,
    /// `http` or `command`.
    #[serde(flatten)]
    pub payload: Payload,
}

impl From<&Request> for RequestAnswer {
    fn from(request: &Request) -> Self {
        Self {
            cluster: request.cluster.to_string(),
            jobs: request.jobs.iter().map(|job| job.spec.name.clone()).collect(),
            payload: request.payload.clone(),
        }
    }
}

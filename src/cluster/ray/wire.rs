//! What a Ray head says, read liberally: what is missing is a default, what is odd
//! is left out, so that a field of another version never hides the rest.
//!
//! Source: answers of Ray 2.9 and 2.60.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A record of `GET /api/jobs/` and `GET /api/jobs/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Job {
    /// `SUBMISSION`; `DRIVER` rows are other people's interactive sessions.
    #[serde(rename = "type", deserialize_with = "lenient")]
    pub kind: String,
    /// `null` for drivers.
    #[serde(deserialize_with = "lenient")]
    pub submission_id: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub status: String,
    #[serde(deserialize_with = "lenient")]
    pub message: Option<String>,
    #[serde(deserialize_with = "lenient")]
    pub error_type: Option<String>,
    /// Milliseconds since 1970; when it was submitted, not when it began to run.
    #[serde(deserialize_with = "lenient")]
    pub start_time: Option<i64>,
    /// Milliseconds since 1970; 0 or `null` while it has not ended.
    #[serde(deserialize_with = "lenient")]
    pub end_time: Option<i64>,
    #[serde(deserialize_with = "lenient")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// `null` until it runs.
    #[serde(deserialize_with = "lenient")]
    pub driver_node_id: Option<String>,
    /// Negative: the number of a signal.
    #[serde(deserialize_with = "lenient")]
    pub driver_exit_code: Option<i32>,
}

/// The answer to a submission.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Submitted {
    #[serde(deserialize_with = "lenient")]
    pub submission_id: String,
}

/// `GET /api/version`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Version {
    #[serde(deserialize_with = "lenient")]
    pub ray_version: Option<String>,
}

/// `GET /api/v0/nodes`: who lives, exact totals, no word of what is free.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Nodes {
    #[serde(deserialize_with = "lenient")]
    data: NodesData,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct NodesData {
    #[serde(deserialize_with = "lenient")]
    result: NodesResult,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct NodesResult {
    #[serde(deserialize_with = "lenient")]
    result: Vec<Node>,
}

impl Nodes {
    /// All of them, the dead ones too.
    pub fn all(&self) -> &[Node] {
        &self.data.result.result
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Node {
    #[serde(rename = "node_id", deserialize_with = "lenient")]
    pub id: String,
    #[serde(rename = "node_ip", deserialize_with = "lenient")]
    pub ip: String,
    #[serde(rename = "is_head_node", deserialize_with = "lenient")]
    pub is_head: bool,
    /// `ALIVE` or `DEAD`.
    #[serde(deserialize_with = "lenient")]
    pub state: String,
    /// By name; `memory` in bytes.
    #[serde(deserialize_with = "lenient")]
    pub resources_total: BTreeMap<String, f64>,
}

impl Node {
    pub fn is_alive(&self) -> bool {
        self.state == "ALIVE"
    }
}

/// `GET /api/cluster_status`: what is used, by node; made anew every five seconds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    #[serde(deserialize_with = "lenient")]
    data: StatusData,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct StatusData {
    /// `null` in the first seconds of a head.
    #[serde(rename = "clusterStatus", deserialize_with = "lenient")]
    cluster_status: Option<Report>,
}

impl Status {
    pub fn report(&self) -> Option<&Report> {
        self.data.cluster_status.as_ref()
    }
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Seconds since 1970 on the head's clock: when this was made.
    #[serde(deserialize_with = "lenient")]
    pub time: Option<f64>,
    #[serde(rename = "loadMetricsReport", deserialize_with = "lenient")]
    pub load: Load,
}

/// Pairs of used and total, by name of the resource.
pub type Usage = BTreeMap<String, (f64, f64)>;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Load {
    /// Names are in camel case here, save `CPU`, `GPU` and `memory` (bytes).
    #[serde(rename = "usageByNode", deserialize_with = "lenient")]
    pub usage_by_node: BTreeMap<String, Usage>,
    /// What waits there: shapes of requests and how many of each.
    #[serde(rename = "resourceDemand", deserialize_with = "lenient")]
    pub demand: Vec<(BTreeMap<String, f64>, f64)>,
}

/// The value, or its default where it has another shape.
fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + serde::de::DeserializeOwned,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_does_not_hide_the_rest() {
        let job: Job = serde_json::from_str(
            r#"{"type": "SUBMISSION", "submission_id": "jd-r-1-1", "status": "RUNNING",
                "metadata": {"a": 1}, "end_time": "soon", "message": null, "new": [1]}"#,
        )
        .unwrap();
        assert_eq!(job.submission_id.as_deref(), Some("jd-r-1-1"));
        assert_eq!((job.status.as_str(), job.end_time, job.metadata), ("RUNNING", None, None));
    }

    #[test]
    fn a_head_that_has_just_started_has_no_report() {
        let status: Status = serde_json::from_str(r#"{"data": {"clusterStatus": null}}"#).unwrap();
        assert_eq!(status.report(), None);
        let status: Status = serde_json::from_str("{}").unwrap();
        assert_eq!(status.report(), None);
    }
}

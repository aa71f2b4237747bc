//! One set of job states for every kind of cluster.
//!
//! ```text
//! waiting ─▶ submitting ─▶ pending ─▶ running ─▶ succeeded │ failed │ stopped
//!    │           │  └▶ unknown (looked up) ┘           └▶ lost (may be corrected)
//!    └▶ not_submitted  └▶ rejected
//! ```

use serde::{Deserialize, Serialize};

/// Where a job stands. The word always comes with a reason for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Approved, not sent yet: for another job, for room, for a limit, held.
    Waiting,
    /// Being sent.
    Submitting,
    /// Sent, no answer yet: being looked up.
    Unknown,
    /// Accepted by the cluster, queued or suspended there.
    Pending,
    Running,
    Succeeded,
    Failed,
    /// Ended after a cancel.
    Stopped,
    /// The cluster refused it.
    Rejected,
    /// The cluster answers, does not know it, and no end was seen.
    Lost,
    /// Will not be sent.
    NotSubmitted,
}

impl Status {
    /// All states in the order they are counted and shown.
    pub const ALL: [Self; 11] = [
        Self::Running,
        Self::Pending,
        Self::Submitting,
        Self::Unknown,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed,
        Self::Rejected,
        Self::Lost,
        Self::Stopped,
        Self::NotSubmitted,
    ];

    /// The word used in JSON, in CSV and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Submitting => "submitting",
            Self::Unknown => "unknown",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::NotSubmitted => "not_submitted",
        }
    }

    /// The words for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Unknown => "unconfirmed",
            Self::NotSubmitted => "not submitted",
            other => other.word(),
        }
    }

    /// A symbol that stands beside the word; state is never told by colour alone.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Waiting => "○",
            Self::Submitting => "↑",
            Self::Unknown => "?",
            Self::Pending => "◷",
            Self::Running => "●",
            Self::Succeeded => "✓",
            Self::Failed => "✗",
            Self::Stopped => "■",
            Self::Rejected => "⊘",
            Self::Lost => "!",
            Self::NotSubmitted => "–",
        }
    }

    /// No further change is expected (`lost` may still be corrected).
    pub fn is_ended(self) -> bool {
        matches!(
            self,
            Self::Succeeded
                | Self::Failed
                | Self::Stopped
                | Self::Rejected
                | Self::Lost
                | Self::NotSubmitted
        )
    }

    /// The cluster has it, or may have it: it must be watched.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Submitting | Self::Unknown | Self::Pending | Self::Running)
    }

    /// What `retry --failed` takes and what makes `wait` exit with 1.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Rejected | Self::Lost)
    }
}

/// Why an ended job ended as it did; for grouping and for retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Oom,
    Timeout,
    Node,
    Preempted,
    Launch,
    Image,
    Exit,
    Dependency,
    Cancelled,
    Rejected,
    Lost,
    Other,
}

impl Cause {
    pub const ALL: [Self; 12] = [
        Self::Oom,
        Self::Timeout,
        Self::Node,
        Self::Preempted,
        Self::Launch,
        Self::Image,
        Self::Exit,
        Self::Dependency,
        Self::Cancelled,
        Self::Rejected,
        Self::Lost,
        Self::Other,
    ];

    /// The word used in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Oom => "oom",
            Self::Timeout => "timeout",
            Self::Node => "node",
            Self::Preempted => "preempted",
            Self::Launch => "launch",
            Self::Image => "image",
            Self::Exit => "exit",
            Self::Dependency => "dependency",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Lost => "lost",
            Self::Other => "other",
        }
    }

    /// The words for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Oom => "out of memory",
            Self::Timeout => "time limit",
            Self::Node => "node failure",
            Self::Launch => "did not start",
            Self::Image => "image",
            Self::Exit => "exit code",
            other => other.word(),
        }
    }

    /// `max_retries` may start a new attempt after this by itself: the job is
    /// not to blame.
    pub fn is_retried_automatically(self) -> bool {
        matches!(self, Self::Node | Self::Preempted | Self::Launch | Self::Lost)
    }
}

macro_rules! words {
    ($type:ty, $what:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
        impl std::str::FromStr for $type {
            type Err = super::ids::InvalidId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.into_iter().find(|v| v.word() == text).ok_or_else(|| {
                    super::ids::InvalidId {
                        what: $what,
                        text: text.to_owned(),
                        why: "no such word",
                    }
                })
            }
        }
    };
}
words!(Status, "status");
words!(Cause, "cause");

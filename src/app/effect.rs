//! What the update asks the runtime to do; plain data.

use std::{path::PathBuf, sync::Arc};

use super::msg::HalfTyped;
use crate::domain::{
    action::RemoteAction,
    ids::{ClusterId, JobIx, RunId},
    plan::Plan,
};

/// A stream of a job's output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stream {
    #[default]
    Stdout,
    Stderr,
}

/// A request to a run's conductor.
#[derive(Clone, Debug, PartialEq)]
pub enum RunCommand {
    Cancel {
        jobs: Vec<JobIx>,
        /// In the words of who asks.
        why: Option<String>,
    },
    /// Hold, release or requeue jobs that their cluster has.
    Act { action: RemoteAction, jobs: Vec<JobIx> },
    /// `changes`: field name and new text, as with `retry --set`.
    Retry { jobs: Vec<JobIx>, changes: Vec<(String, String)>, current_code: bool },
    /// Go on sending what is held.
    Send,
    /// Send nothing more; what is unsent becomes `not_submitted`, retryable.
    StopSending,
}

/// Which log to follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRequest {
    /// Echoed in every answer; answers of older requests are ignored.
    pub serial: u64,
    pub run: RunId,
    pub job: JobIx,
    /// `None`: the newest.
    pub attempt: Option<u32>,
    pub stream: Stream,
    /// Rank of a distributed job's worker.
    pub worker: u32,
    pub range: LogRange,
}

/// Which part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogRange {
    /// The last `tail` bytes, then what is appended, until [`Effect::StopLog`].
    Follow { tail: u64 },
    /// Up to `len` bytes from `offset`, once.
    Window { offset: u64, len: u64 },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Read, expand, place and check this text. Newest revision wins.
    Plan {
        revision: u64,
        name: String,
        base_dir: Option<PathBuf>,
        text: String,
        /// Earlier work has changed: read it anew, whatever was read before.
        again: bool,
    },
    /// Render the requests of a plan, for `v` in Preview.
    RenderRequests {
        revision: u64,
        plan: Box<Plan>,
    },
    /// Ask the clusters of a plan what they say to it; nothing is submitted. Answered
    /// by `Msg::ToldAbout`.
    AskAbout {
        revision: u64,
        plan: Box<Plan>,
    },
    /// Only ever made by a confirm box that was answered by `y`.
    Submit {
        plan: Box<Plan>,
    },
    /// `may_be_new`: a file that is not there is a batch to be written, answered
    /// by `Msg::FileNew`.
    OpenFile {
        path: PathBuf,
        may_be_new: bool,
    },
    /// The example batch that comes with the program; answered by `Msg::Cloned`.
    Quickstart,
    /// Read the libraries; answered by `Msg::Templates`.
    ListTemplates,
    /// Keep a text in the user's library; answered by `Msg::TemplateSaved`, or by
    /// `Msg::TemplateExists` when one of this name is there and not to be replaced.
    SaveTemplate {
        name: String,
        text: String,
        replace: bool,
    },
    /// Answered by `Msg::FileSaved`, or by `Msg::FileDiffers` when something else
    /// is there than is known.
    SaveFile {
        path: PathBuf,
        text: String,
        /// The file's text as it was last read or written; `None`: it is new.
        known: Option<String>,
        /// Replace it whatever is there.
        replace: bool,
    },
    /// `text: None` forgets the draft.
    SaveDraft {
        id: String,
        path: Option<PathBuf>,
        text: Option<String>,
        half_typed: Vec<HalfTyped>,
    },
    /// File names for the open and save prompts.
    ListFolder {
        path: PathBuf,
    },
    ListRuns,
    /// Opens a run in Monitor: conducts it if nobody else does and it has work.
    OpenRun {
        run: RunId,
    },
    CloseRun,
    /// The run as a batch text, for "clone into Compose".
    CloneRun {
        run: RunId,
    },
    Run {
        run: RunId,
        command: RunCommand,
    },
    /// Whether folders of code are as they were when the run was sent; answered by
    /// `Msg::CodeCompared`. `jobs` are echoed: whom the question is about.
    CompareCode {
        run: RunId,
        jobs: Vec<JobIx>,
        folders: Vec<Arc<str>>,
    },
    FollowLog(LogRequest),
    StopLog,
    /// Ask every cluster for capacity and health now.
    CheckClusters,
    /// To the terminal's clipboard (OSC 52).
    Copy {
        text: String,
    },
    /// Lend the terminal to the login of this cluster; answered by `Msg::LoggedIn`.
    LogIn {
        cluster: ClusterId,
    },
    /// Poll the watched run now.
    Refresh,
    /// Ask the clusters of the open run, and of those opened later, nothing that
    /// is only for looking; `false`: go on, at once.
    PausePolling(bool),
    /// Give the terminal back to the shell until it continues this program.
    Suspend,
    /// Take the terminal again after that, whoever stopped the program.
    Retake,
    Quit,
}

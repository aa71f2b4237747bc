//! What can happen to the application; plain data.

use std::{path::PathBuf, sync::Arc};

use crossterm::event::{KeyEvent, MouseEvent};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        finding::Finding,
        ids::{ClusterId, JobIx, RunId},
        library::{Library, Tier},
        plan::Plan,
        plan_json::Estimate,
        run::Run,
        site::{Capabilities, Capacity, ClusterKind, Offers},
        status::Status,
    },
    error::Report,
};

/// Text of a field that says nothing yet, and so is not in the batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HalfTyped {
    /// The job's place in the batch, from 0; `None`: a field of the batch itself.
    pub entry: Option<usize>,
    pub field: String,
    pub text: String,
}

/// An unsaved batch left by an earlier session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub id: String,
    pub path: Option<PathBuf>,
    pub text: String,
    pub half_typed: Vec<HalfTyped>,
    pub saved_at: Timestamp,
}

/// One line of the run history.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    pub run: RunId,
    pub batch: String,
    pub created_at: Timestamp,
    pub ended: bool,
    pub counts: Vec<(Status, usize)>,
    pub gpus: crate::domain::resources::Gpus,
    pub unsent: usize,
    /// Why nothing more is sent for now.
    pub held: Option<String>,
    /// The run cannot be read; why.
    pub damaged: Option<String>,
    /// Who conducts it now, in words; `None`: nobody.
    pub conductor: Option<String>,
}

/// How a cluster is.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterHealth {
    pub id: ClusterId,
    pub kind: ClusterKind,
    pub enabled: bool,
    pub can: Capabilities,
    /// Of the newest answer, whatever its age.
    pub capacity: Option<Capacity>,
    /// Names for fields of its own, of the newest answer that told them.
    pub offers: Option<Arc<Offers>>,
    /// When it last answered.
    pub last_seen: Option<Timestamp>,
    /// Why the newest request got no answer.
    pub error: Option<String>,
    pub needs_login: bool,
    pub latency_ms: Option<u64>,
    pub requests_per_minute: u32,
}

/// How a folder of code stands to what was sent of it, when it is not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeSince {
    Changed,
    Unreadable,
}

/// What clusters said to a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    pub estimates: Vec<Estimate>,
    /// What is not known of the plan yet.
    pub findings: Vec<Finding>,
    /// Clusters that did not answer, with why.
    pub troubles: Vec<String>,
}

/// Part of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPart {
    pub serial: u64,
    pub offset: u64,
    pub bytes: Vec<u8>,
    /// Size of the log when read.
    pub total: u64,
    /// The job has ended and this reaches the end.
    pub complete: bool,
}

/// What stands under the pointer, where only drawing knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// A row of the form, from 0.
    Field(usize),
    /// A value of the open list, from 0: of a pick-list, the palette or file names.
    Choice(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Msg {
    Key(KeyEvent),
    Paste(String),
    Mouse(MouseEvent),
    /// A click on something that drawing found.
    Click(Hit),
    Resize {
        width: u16,
        height: u16,
    },
    /// The time; sent with every wake-up and once a second while a running time shows.
    Tick(Timestamp),
    Planned {
        revision: u64,
        plan: Box<Plan>,
    },
    Requests {
        revision: u64,
        text: String,
    },
    /// Answers [`Effect::AskAbout`](super::effect::Effect::AskAbout).
    ToldAbout {
        revision: u64,
        told: Told,
    },
    FileOpened {
        path: PathBuf,
        text: String,
    },
    /// No file is there yet; one will be when the batch is saved.
    FileNew {
        path: PathBuf,
    },
    FileSaved {
        path: PathBuf,
    },
    /// Nothing was saved: the file has another text than was known.
    FileDiffers {
        path: PathBuf,
        /// It was to be a new file.
        new: bool,
    },
    Templates(Library),
    TemplateSaved {
        name: String,
        path: PathBuf,
        /// Tiers whose template of this name is hidden now.
        shadows: Vec<Tier>,
    },
    /// Nothing was saved: the user's library has one of this name.
    TemplateExists {
        name: String,
        path: PathBuf,
        text: String,
    },
    Drafts(Vec<Draft>),
    DraftSaved,
    Folder {
        path: PathBuf,
        names: Vec<(String, bool)>,
    },
    Runs(Vec<RunSummary>),
    /// A run was started or opened; Monitor shows it.
    RunOpened {
        run: Box<Run>,
        conducting: bool,
    },
    /// The opened run as it stands now, and its rows that changed, each once.
    RunNews {
        run: Box<Run>,
        changed: Arc<[JobIx]>,
    },
    /// The opened run afresh: what was told of it before is not what counts.
    RunReplaced {
        run: Box<Run>,
    },
    /// Whether this window sends for the run, and who else does.
    Conducting {
        run: RunId,
        conducting: bool,
        other: Option<String>,
    },
    /// Folders of code that are not as they were when these jobs were first sent.
    CodeCompared {
        run: RunId,
        jobs: Vec<JobIx>,
        since: Vec<(Arc<str>, CodeSince)>,
    },
    Cloned {
        name: String,
        text: String,
    },
    Clusters(Vec<ClusterHealth>),
    Log(LogPart),
    LogFailed {
        serial: u64,
        why: String,
    },
    /// A passing word that something worked.
    Notice(String),
    /// Something did not work; shown until dismissed.
    Failed(Report),
    /// The login that had the terminal has ended; why it did not succeed.
    LoggedIn {
        cluster: ClusterId,
        error: Option<String>,
    },
    /// The program was stopped and goes on: the terminal may look like anything.
    Continued,
    /// The system asks the program to end (hang-up, terminate).
    Terminate,
    /// Ctrl-C, where the terminal makes a signal of it.
    Interrupt,
}

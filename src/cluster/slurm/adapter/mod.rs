//! What the adapter does: one call of Slurm's commands for each wish.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    render::Place,
    site::{self, Site},
    transport::{Ran, Transport},
};
use crate::{
    cluster::{ClusterError, Failed, SiteFacts, origin::Origin},
    config::SlurmSettings,
    domain::{
        ids::ClusterId,
        site::{Capabilities, Capacity, ClusterKind},
    },
};

mod act;
mod look;
mod submit;

const QUERY: Duration = Duration::from_secs(20);
const ACCOUNTING: Duration = Duration::from_secs(40);
/// Ids in one call.
const IDS: usize = 200;

/// Every query prints times in seconds and whole sets of tasks, whatever the user
/// has set; nothing in the environment changes a job.
const CLEAN: &str = "\
for name in $(env | sed -n 's/^\\(S[A-Z]*_[A-Z_]*\\)=.*/\\1/p'); do
  case $name in SBATCH_*|SQUEUE_*|SACCT_*|SCANCEL_*|SINFO_*) unset \"$name\" ;; esac
done
";
const AS_NUMBERS: &str = "export SLURM_TIME_FORMAT=%s SLURM_BITSTR_LEN=0 LC_ALL=C\n";

#[derive(Debug)]
pub struct Slurm {
    pub id: ClusterId,
    pub capabilities: Capabilities,
    pub transport: Transport,
    settings: SlurmSettings,
    origin: Origin,
    /// What was learned last.
    site: Mutex<Option<Site>>,
}

impl Slurm {
    pub fn new(
        id: ClusterId,
        settings: SlurmSettings,
        sockets: &std::path::Path,
        origin: Origin,
    ) -> Self {
        Self {
            transport: Transport::new(id.clone(), &settings, sockets),
            capabilities: Capabilities {
                login: settings.ssh.is_some(),
                ..Capabilities::of(ClusterKind::Slurm)
            },
            id,
            settings,
            origin,
            site: Mutex::default(),
        }
    }

    pub fn place<'a>(&'a self, site: &'a Site) -> Place<'a> {
        Place {
            id: &self.id,
            settings: &self.settings,
            site,
            origin: self.origin.known().unwrap_or("<origin>"),
        }
    }

    fn known_site(&self) -> Option<Site> {
        self.site.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn site(&self) -> Result<Site, ClusterError> {
        if let Some(site) = self.known_site() {
            return Ok(site);
        }
        self.facts().await?;
        Ok(self.known_site().unwrap_or_default())
    }

    /// A query that must succeed; its text.
    async fn query(&self, program: &str, limit: Duration) -> Result<String, ClusterError> {
        let ran = self.ask(program, limit).await?;
        match ran.code {
            0 => Ok(ran.text().into_owned()),
            _ => Err(self.failed(&ran)),
        }
    }

    async fn ask(&self, program: &str, limit: Duration) -> Result<Ran, Failed> {
        self.transport.ask(&format!("{CLEAN}{AS_NUMBERS}{program}"), limit).await
    }

    /// Slurm's commands are there, and say no: the controller is away, or there is
    /// no Slurm.
    fn failed(&self, ran: &Ran) -> ClusterError {
        let last = ran.stderr.lines().rev().find(|line| !line.trim().is_empty());
        let why = last.map_or_else(|| format!("ended with code {}", ran.code), str::to_owned);
        if ran.code == 127 {
            let words = format!("{why}: Slurm's commands are not on the PATH there (set `prefix`)");
            return ClusterError::Refused { cluster: self.id.clone(), words };
        }
        ClusterError::Unreachable { cluster: self.id.clone(), why, retry_after: None }
    }

    pub async fn facts(&self) -> Result<SiteFacts, ClusterError> {
        let answer = self.query(site::ASK, ACCOUNTING).await?;
        let (version, site) = site::read(&answer);
        self.origin()?;
        *self.site.lock().unwrap_or_else(PoisonError::into_inner) = Some(site.clone());
        Ok(site.into_facts(version, self.settings.account.as_deref()))
    }

    pub async fn capacity(&self) -> Result<Capacity, ClusterError> {
        Ok(site::capacity(&self.query(site::ASK_CAPACITY, QUERY).await?))
    }

    /// Letters of the state folder, in the names of all jobs sent from it.
    fn origin(&self) -> Result<&str, ClusterError> {
        self.origin.made().map_err(|error| {
            let words = format!("the state folder cannot be used: {error}");
            ClusterError::Refused { cluster: self.id.clone(), words }
        })
    }
}

/// Where a job leaves its exit code.
pub fn mark_path(log_path: &str) -> String {
    format!("{}/exit", log_path.strip_suffix("/stdout").unwrap_or(log_path))
}

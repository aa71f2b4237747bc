//! Code is sent once: into a folder named by its content, for all jobs and runs.

use std::time::Duration;

use super::adapter::Slurm;
use crate::{
    cluster::{ClusterError, CodeBundle},
    domain::shell::quote,
};

/// Code may be some hundred megabytes over a slow line.
const SEND: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_secs(30);

/// Where code with this hash lies: `<folder>/code/<hash>/<its own name>`, so that a
/// library can be imported by its name from the folder above.
pub fn place(folder: &str, hash: &str, name: &str) -> String {
    format!("{folder}/code/{}/{name}", hash.get(..32).unwrap_or(hash))
}

/// Sends code unless it is there. It appears there whole, by a rename.
pub async fn stage(slurm: &Slurm, folder: &str, code: &CodeBundle) -> Result<(), ClusterError> {
    let place = place(folder, &code.hash, &code.name);
    let there = format!("[ -d {} ]", quote(&place));
    if slurm.transport.run(&there, LOOK).await?.code == 0 {
        return Ok(());
    }
    let above = place.rsplit_once('/').map_or("", |(above, _)| above);
    let draft = format!("{above}.{:08x}.part", fastrand::u32(..));
    let unpack = format!(
        "mkdir -p -- {draft} && tar -C {draft} -xf - && {{ mv -- {draft} {above} || {{ rm -rf -- {draft}; [ -d {place} ]; }}; }}",
        draft = quote(&draft),
        above = quote(above),
        place = quote(&place),
    );
    let ran = slurm.transport.send_tar(&code.path, &unpack, SEND).await?;
    if ran == 0 {
        Ok(())
    } else {
        let words = format!("the code in {} could not be sent (code {ran})", code.name);
        Err(ClusterError::Refused { cluster: slurm.id.clone(), words })
    }
}

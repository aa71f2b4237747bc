//! Code is sent once: into a folder named by its content, for all jobs and runs.
//!
//! ```text
//! <folder>/code/<hash>/<name>             the code
//! <folder>/code/<hash>.used/<origin>.<run>   a run that needs it; with the last of
//!                                            them the code goes as well
//! ```

use std::{fmt::Write as _, time::Duration};

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
    format!("{folder}/code/{}/{name}", short(hash))
}

fn short(hash: &str) -> &str {
    hash.get(..32).unwrap_or(hash)
}

/// The name under which a run is noted as one that needs code.
pub fn user(origin: &str, run: &str) -> String {
    format!("{origin}.{run}")
}

/// Lines of shell that note the run and fail when the code is not there: somebody
/// else may have removed what nobody needed. In this order, see [`release`].
pub fn claim(folder: &str, code: &CodeBundle, user: &str) -> String {
    let used = quote(&format!("{folder}/code/{}.used", short(&code.hash)));
    let place = quote(&place(folder, &code.hash, &code.name));
    format!(
        "mkdir -p -- {used} && : >{used}/{} && [ -d {place} ] || {{ echo 'the code is not there' >&2; false; }}",
        quote(user)
    )
}

/// Lines of shell that take back what [`claim`] noted, and remove code that no run
/// needs. Code is moved aside before it is removed: a run that claims it meanwhile
/// either finds it gone, or is found in the folder of users.
pub fn release(folder: &str, user: &str) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "for used in {}/*.used; do\n\
         [ -d \"$used\" ] || continue\n\
         rm -f -- \"$used\"/{}\n\
         [ -z \"$(ls -A -- \"$used\")\" ] || continue\n\
         code=${{used%.used}}; aside=$code.gone\n\
         [ ! -d \"$code\" ] || mv -- \"$code\" \"$aside\" || continue\n\
         if rmdir -- \"$used\"; then rm -rf -- \"$aside\"; else mv -- \"$aside\" \"$code\"; fi\n\
         done\n",
        quote(&format!("{folder}/code")),
        quote(user)
    );
    out
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

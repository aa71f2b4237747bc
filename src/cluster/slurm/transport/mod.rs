//! Running commands where Slurm is: on this machine, or over one shared ssh
//! connection to a login node.
//!
//! Every call is one small program for `/bin/sh`, given on standard input, so that
//! nothing passes through a second shell as an argument. What it prints stands
//! between two marks that no one can foresee: a login shell may print what it
//! likes around them. That the first mark came back tells that the call has begun;
//! without it nothing was done.
//!
//! ```text
//! ssh -M (once, kept) ◀─ ssh -S … sh -s ◀─ program ─▶ <mark> output <mark> code, errors
//! ```

use std::{
    path::Path,
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::Instant,
};

use self::{
    connection::{Ssh, last_words},
    frame::{find, framed, mark, opening, unframed},
};
use crate::{
    cluster::{ClusterError, Failed},
    config::SlurmSettings,
    domain::{ids::ClusterId, shell::quote},
};

mod connection;
mod frame;
#[cfg(test)]
pub mod scripted;

pub use frame::{Ran, here, words};

/// Most that one call may answer, in bytes.
const MOST: u64 = 256 << 20;
/// Requests at once, and so many a second after that: under the limiter that
/// controllers have from version 23 on.
const BURST: f64 = 30.0;
const RATE: f64 = 2.0;

/// The way to one cluster.
#[derive(Debug)]
pub struct Transport {
    cluster: ClusterId,
    ssh: Option<Ssh>,
    prefix: Option<String>,
    budget: Mutex<Budget>,
    /// Answers in place of a shell.
    #[cfg(test)]
    pub script: Option<scripted::Script>,
}

/// Requests that may be made at once.
#[derive(Debug)]
struct Budget {
    left: f64,
    at: Option<Instant>,
}

impl Budget {
    /// How long to wait before the next request.
    fn take(&mut self, now: Instant) -> Duration {
        if let Some(at) = self.at {
            let gained = now.saturating_duration_since(at).as_secs_f64() * RATE;
            self.left = (self.left + gained).min(BURST);
        }
        self.at = Some(now);
        self.left -= 1.0;
        if self.left >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.left / RATE) }
    }
}

impl Transport {
    /// `sockets`: a folder with a short path, for the shared connection.
    pub fn new(cluster: ClusterId, settings: &SlurmSettings, sockets: &Path) -> Self {
        let budget = Mutex::new(Budget { left: BURST, at: None });
        Self {
            cluster,
            ssh: Ssh::of(settings, sockets),
            prefix: settings.prefix.clone(),
            budget,
            #[cfg(test)]
            script: None,
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> ClusterError {
        ClusterError::Unreachable {
            cluster: self.cluster.clone(),
            why: why.into(),
            retry_after: None,
        }
    }

    /// Runs a program that asks the controller: not oftener than sites allow.
    ///
    /// # Errors
    /// [`Failed`]: whether it had begun.
    pub async fn ask(&self, program: &str, limit: Duration) -> Result<Ran, Failed> {
        let wait = {
            let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
            budget.take(Instant::now())
        };
        tokio::time::sleep(wait).await;
        self.run(program, limit).await
    }

    /// Runs a program for `/bin/sh` there.
    ///
    /// # Errors
    /// [`Failed`]: whether it had begun.
    pub async fn run(&self, program: &str, limit: Duration) -> Result<Ran, Failed> {
        #[cfg(test)]
        if let Some(script) = &self.script {
            return Ok(script.answer(program));
        }
        let end = Instant::now() + limit;
        if let Some(ssh) = &self.ssh {
            let connected = tokio::time::timeout_at(end, self.connect(ssh)).await;
            connected
                .unwrap_or_else(|_| Err(self.unreachable("ssh does not answer")))
                .map_err(Failed::Before)?;
        }
        let mark = mark();
        let text = framed(&mark, self.prefix.as_deref(), program);
        let mut command = match &self.ssh {
            None => {
                let mut command = Command::new("/bin/sh");
                command.arg("-s");
                command
            }
            Some(ssh) => {
                let mut command = ssh.command();
                command.args(["-o", "ControlMaster=no", "-T", "--", &ssh.host, "exec /bin/sh -s"]);
                command
            }
        };
        let words =
            tempfile::tempfile().map_err(|e| Failed::Before(self.unreachable(e.to_string())))?;
        let kept =
            words.try_clone().map_err(|e| Failed::Before(self.unreachable(e.to_string())))?;
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A file: a connection left behind by ssh would keep a pipe open.
            .stderr(words)
            // Ctrl-C is ours, not that of what we started.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|e| {
            Failed::Before(self.unreachable(format!("cannot start ssh or sh: {e}")))
        })?;
        let mut answer = Vec::new();
        let finished = tokio::time::timeout_at(end, async {
            let stdin = child.stdin.take();
            let stdout = child.stdout.take();
            let write = async {
                if let Some(mut stdin) = stdin {
                    // It may end without reading all of it.
                    let _ = stdin.write_all(text.as_bytes()).await;
                    let _ = stdin.shutdown().await;
                }
            };
            let read = async {
                if let Some(stdout) = stdout {
                    let _ = stdout.take(MOST).read_to_end(&mut answer).await;
                }
            };
            tokio::join!(write, read);
            child.wait().await
        })
        .await;
        let begun = find(&answer, &opening(&mark)).is_some();
        let why =
            |error: ClusterError| if begun { Failed::Amid(error) } else { Failed::Before(error) };
        let Ok(finished) = finished else {
            self.forget(child).await;
            return Err(why(self.unreachable(format!("no answer in {} s", limit.as_secs()))));
        };
        if let Some(ran) = unframed(&mark, &answer) {
            return Ok(ran);
        }
        let said = last_words(kept);
        if begun {
            return Err(why(self.unreachable(format!("the answer broke off: {said}"))));
        }
        let code = finished.ok().and_then(|status| status.code());
        Err(why(self.refused(code, &said)))
    }

    /// Sends a folder as a tar stream to a program there; its exit code.
    ///
    /// # Errors
    /// [`Failed`]: it could not be started, or did not end.
    pub async fn send_tar(
        &self,
        folder: &Path,
        program: &str,
        limit: Duration,
    ) -> Result<i32, Failed> {
        let amid = |why: String| Failed::Amid(self.unreachable(why));
        let (Some(above), Some(name)) = (folder.parent(), folder.file_name()) else {
            return Err(Failed::Before(self.unreachable("no folder to send")));
        };
        let mut command = match &self.ssh {
            None => {
                let mut command = Command::new("/bin/sh");
                command.args(["-c", program]);
                command
            }
            Some(ssh) => {
                self.connect(ssh).await.map_err(Failed::Before)?;
                let mut command = ssh.command();
                command.args(["-o", "ControlMaster=no", "-T", "--", &ssh.host]);
                command.arg(format!("exec /bin/sh -c {}", quote(program)));
                command
            }
        };
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(above).args(["-cf", "-", "--"]).arg(name);
        tar.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut tar = tar.spawn().map_err(|e| amid(format!("tar cannot be started: {e}")))?;
        let stream: Stdio = tar
            .stdout
            .take()
            .and_then(|stdout| stdout.try_into().ok())
            .ok_or_else(|| amid("tar gives nothing".to_owned()))?;
        command.stdin(stream).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).kill_on_drop(true);
        let both = async { tokio::try_join!(command.status(), tar.wait()) };
        match tokio::time::timeout(limit, both).await {
            Err(_) => Err(amid(format!("the code was not sent in {} s", limit.as_secs()))),
            Ok(Err(error)) => Err(amid(error.to_string())),
            Ok(Ok((there, here))) if here.success() => Ok(there.code().unwrap_or(-1)),
            Ok(Ok(_)) => Err(amid(format!("{} cannot be read as a whole", folder.display()))),
        }
    }

    /// Ends a call that takes too long, and what it started.
    async fn forget(&self, mut child: tokio::process::Child) {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(group) = pid.and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = child.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(prefix: Option<&str>) -> Transport {
        let settings =
            SlurmSettings { prefix: prefix.map(str::to_owned), ..SlurmSettings::default() };
        Transport::new(ClusterId::new("lab"), &settings, Path::new("/nonexistent"))
    }

    async fn run(program: &str) -> Ran {
        local(None).run(program, Duration::from_secs(30)).await.unwrap()
    }

    #[tokio::test]
    async fn output_words_and_code_come_back_apart() {
        let ran = run("printf 'a\\000\\377\\n\\n'; echo oops >&2; exit 7").await;
        assert_eq!(ran.stdout, b"a\0\xff\n\n");
        assert_eq!((ran.code, ran.stderr.as_str()), (7, "oops"));
        let ran = run("true").await;
        assert_eq!((ran.code, ran.stdout.len()), (0, 0));
    }

    #[tokio::test]
    async fn any_text_passes_as_it_is() {
        for text in ["a\n", "$(id) `id` \\ '\" %s\n\n", "JOBDECK_END\nx\n", "", "訓練 ) esac ;;\n"]
        {
            let ran = run(&format!("cat {}", here(text))).await;
            assert_eq!(String::from_utf8(ran.stdout).unwrap(), text);
            let ran = run(&format!("printf %s {}", words(&[text]))).await;
            assert_eq!(ran.text(), text);
        }
    }

    #[tokio::test]
    async fn a_program_without_an_end_was_begun_and_one_cut_off_was_not() {
        let slow = local(None).run("echo x; exec sleep 600", Duration::from_millis(500)).await;
        assert!(matches!(slow, Err(Failed::Amid(_))), "{slow:?}");
        // The prefix opens a quote that nothing closes: no shell gets past it.
        let broken =
            local(Some("echo '")).run("touch /nonexistent/x", Duration::from_secs(5)).await;
        assert!(matches!(broken, Err(Failed::Before(_))), "{broken:?}");
    }

    #[test]
    fn requests_are_spread_out_after_the_first_thirty() {
        let mut budget = Budget { left: BURST, at: None };
        let now = Instant::now();
        for _ in 0..30 {
            assert_eq!(budget.take(now), Duration::ZERO);
        }
        assert_eq!(budget.take(now), Duration::from_millis(500));
        assert_eq!(budget.take(now), Duration::from_secs(1));
        assert_eq!(budget.take(now + Duration::from_mins(1)), Duration::ZERO);
    }
}

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
    io::{Read as _, Seek as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::Instant,
};

use crate::{
    cluster::ClusterError,
    config::SlurmSettings,
    domain::{ids::ClusterId, shell::quote},
};

/// Most that one call may answer, in bytes.
const MOST: u64 = 256 << 20;
/// Time for the connection to come about, in which ssh itself gives up.
const CONNECT_SECS: u64 = 15;
/// Requests at once, and so many a second after that: under the limiter that
/// controllers have from version 23 on.
const BURST: f64 = 30.0;
const RATE: f64 = 2.0;

/// What a program of a call ended with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Ran {
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.stdout)
    }
}

/// Why a call has no answer.
#[derive(Clone, Debug)]
pub enum Failed {
    /// It did not begin: nothing was done.
    Before(ClusterError),
    /// It began, and its end is not known.
    Amid(ClusterError),
}

impl From<Failed> for ClusterError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Before(error) | Failed::Amid(error) => error,
        }
    }
}

/// The way to one cluster.
#[derive(Debug)]
pub struct Transport {
    cluster: ClusterId,
    ssh: Option<Ssh>,
    prefix: Option<String>,
    budget: Mutex<Budget>,
}

#[derive(Debug)]
struct Ssh {
    host: String,
    options: Vec<String>,
    socket: PathBuf,
    /// Held while the shared connection is made.
    connecting: tokio::sync::Mutex<()>,
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
        let ssh = settings.ssh.as_ref().map(|host| Ssh {
            host: host.clone(),
            options: settings.ssh_options.clone(),
            socket: sockets.join("%C"),
            connecting: tokio::sync::Mutex::default(),
        });
        let budget = Mutex::new(Budget { left: BURST, at: None });
        Self { cluster, ssh, prefix: settings.prefix.clone(), budget }
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

    /// What ssh's own failure means.
    fn refused(&self, code: Option<i32>, said: &str) -> ClusterError {
        let login = ["Permission denied", "Host key verification failed", "authentication"];
        if self.ssh.is_some() && login.iter().any(|words| said.contains(words)) {
            return ClusterError::NeedsLogin {
                cluster: self.cluster.clone(),
                why: said.to_owned(),
            };
        }
        let said = match (said, code) {
            ("", Some(code)) => format!("ended with code {code}"),
            ("", None) => "was killed".to_owned(),
            (said, _) => said.to_owned(),
        };
        self.unreachable(said)
    }

    /// Makes the shared connection when there is none.
    async fn connect(&self, ssh: &Ssh) -> Result<(), ClusterError> {
        let _one = ssh.connecting.lock().await;
        let mut check = ssh.command();
        check.args(["-O", "check", "--", &ssh.host]);
        check.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        if check.status().await.is_ok_and(|status| status.success()) {
            return Ok(());
        }
        if let Some(folder) = ssh.socket.parent() {
            private_folder(folder).map_err(|why| self.unreachable(why))?;
        }
        let words = tempfile::tempfile().map_err(|e| self.unreachable(e.to_string()))?;
        let kept = words.try_clone().map_err(|e| self.unreachable(e.to_string()))?;
        let mut master = ssh.command();
        master.args(MASTER).args(["-f", "-N", "--", &ssh.host]);
        master.stdin(Stdio::null()).stdout(Stdio::null()).stderr(words);
        master.process_group(0).kill_on_drop(true);
        match master.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.refused(status.code(), &last_words(kept))),
            Err(error) => Err(self.unreachable(format!("ssh cannot be started: {error}"))),
        }
    }

    /// The command that asks a person at the terminal for what ssh wants to know,
    /// and leaves the shared connection behind; `None`: there is no ssh.
    pub fn login(&self) -> Option<std::process::Command> {
        let ssh = self.ssh.as_ref()?;
        if let Some(folder) = ssh.socket.parent() {
            private_folder(folder).ok()?;
        }
        let mut command = std::process::Command::new("ssh");
        command.args(&ssh.options).arg("-o").arg(ssh.control_path());
        command.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=8h"]);
        command.args(["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]);
        command.args(["--", &ssh.host, "true"]);
        Some(command)
    }
}

/// The shared connection is kept ten minutes after the last call. It notices by
/// itself when the other side is gone; what goes through it does not.
const MASTER: [&str; 8] = [
    "-o",
    "ControlMaster=yes",
    "-o",
    "ControlPersist=600",
    "-o",
    "ServerAliveInterval=5",
    "-o",
    "ServerAliveCountMax=3",
];

impl Ssh {
    fn control_path(&self) -> String {
        format!("ControlPath={}", self.socket.display())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        command.args(&self.options).arg("-o").arg(self.control_path());
        command.args(["-o", "BatchMode=yes", "-o", &format!("ConnectTimeout={CONNECT_SECS}")]);
        command
    }
}

/// A word that no output holds by chance or by intent.
fn mark() -> String {
    format!("jobdeck-{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..))
}

fn opening(mark: &str) -> Vec<u8> {
    format!("{mark} begin\n").into_bytes()
}

/// The program between its marks. It is a function first: a shell that gets only
/// a part of it runs nothing.
fn framed(mark: &str, prefix: Option<&str>, program: &str) -> String {
    let prefix = prefix.map(|text| format!("{text}\n")).unwrap_or_default();
    format!(
        "program() {{\n{prefix}{program}\n}}\n\
         printf '\\n%s\\n' '{mark} begin'\n\
         exec 3>&1\n\
         words=$( {{ program </dev/null >&3 3>&-; }} 2>&1 )\n\
         code=$?\n\
         printf '\\n%s %s\\n%s\\n%s\\n' '{mark} end' \"$code\" \"$words\" '{mark} over'\n\
         exit 0\n"
    )
}

/// What came between the marks; `None` unless all of it did.
fn unframed(mark: &str, answer: &[u8]) -> Option<Ran> {
    let opening = opening(mark);
    let from = find(answer, &opening)? + opening.len();
    let rest = answer.get(from..)?;
    let closing = format!("\n{mark} end ");
    let end = find(rest, closing.as_bytes())?;
    let tail = String::from_utf8_lossy(rest.get(end + closing.len()..)?);
    let (code, words) = tail.split_once('\n')?;
    let words = words.split_once(&format!("{mark} over")).map(|(words, _)| words)?;
    let stdout = rest.get(..end)?.to_vec();
    Some(Ran { code: code.trim().parse().ok()?, stdout, stderr: words.trim_end().to_owned() })
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// The last thing ssh said that is not a mere notice.
fn last_words(mut file: std::fs::File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.take(1 << 16).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.last().map(|line| (*line).to_owned()).unwrap_or_default()
}

/// A folder that is the user's own: whoever can write there could answer for the
/// cluster.
fn private_folder(path: &Path) -> Result<(), String> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    let meta = made.and_then(|()| std::fs::symlink_metadata(path));
    match meta {
        Err(error) => Err(format!("{} cannot be used: {error}", path.display())),
        Ok(meta)
            if meta.is_dir()
                && meta.uid() == rustix::process::getuid().as_raw()
                && meta.mode().trailing_zeros() >= 6 =>
        {
            Ok(())
        }
        Ok(_) => {
            Err(format!("{} must be a folder of yours that nobody else can enter", path.display()))
        }
    }
}

/// A command line for a program: every word quoted.
pub fn words<S: AsRef<str>>(argv: &[S]) -> String {
    argv.iter().map(|word| quote(word.as_ref())).collect::<Vec<_>>().join(" ")
}

/// A here-document that holds exactly this text, and ends with a line break.
pub fn here(text: &str) -> String {
    let mut end = "JOBDECK_END".to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    let line_break = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    format!("<<'{end}'\n{text}{line_break}{end}\n")
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
    fn noise_around_the_marks_is_passed_over() {
        let answer = b"motd\n\nM begin\nout\nM end 3\nwords\nM over\nbye";
        let ran = unframed("M", answer).unwrap();
        assert_eq!((ran.code, ran.text().as_ref(), ran.stderr.as_str()), (3, "out", "words"));
        let whole = answer.len() - "\nbye".len();
        for cut in 0..whole {
            assert_eq!(unframed("M", &answer[..cut]), None, "cut at byte {cut}");
        }
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

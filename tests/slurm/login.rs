//! A login that needs a person, on a terminal.

use portable_pty::CommandBuilder;

use crate::{lab::Lab, term::Term};

#[test]
#[ignore = "needs the cluster of tests/engines/slurm.sh"]
fn after_a_login_what_waited_is_sent_by_itself() {
    let lab = Lab::over_ssh("login-locked", "");
    lab.submit("r", "jobs: [{name: a, command: echo hello}]\n", false);
    lab.world.until("r", "a login is asked for", |s| s["clusters"]["lab"]["needs_login"] == true);
    let plain = lab.world.command();
    let mut command = CommandBuilder::new(plain.get_program());
    command.args(["login", "lab"]);
    command.env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.cwd(lab.world.path());
    let mut term = Term::spawn(command, 80, 24);
    term.sees("passphrase");
    term.keys("jobdeck\r");
    term.sees("logged in to lab");
    assert_eq!(term.ends(), 0);
    lab.world.until("r", "sent and ended", |s| s["counts"]["succeeded"] == 1);
    assert_eq!(lab.world.run("logs r a").stdout.trim(), "hello");
}

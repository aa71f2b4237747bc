//! What the program writes about itself: schemas, completions, the manual page.

use std::io::{self, Write};

use clap::{Arg, CommandFactory};
use clap_mangen::Man;

use super::{
    Answer,
    args::{Cli, SchemaOf},
    out::Out,
};
use crate::{
    config,
    domain::{nearest::nearest, schema, site::ClusterKind},
    error::{Kind, Report},
};

/// `schema batch|config`: always JSON.
pub fn schema(out: &Out, of: SchemaOf) -> Answer {
    match of {
        SchemaOf::Config => out.document(&config::schema::schema())?,
        SchemaOf::Batch => out.document(&schema::batch())?,
    }
    Ok(0)
}

pub fn completions(out: &Out, shell: clap_complete::Shell) -> Answer {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "jobdeck", &mut bytes);
    answer(out, "completions", &bytes)
}

/// One page for all commands.
pub fn man(out: &Out) -> Answer {
    let page = manual()
        .map_err(|e| Report::new(Kind::Internal, format!("cannot write the manual page: {e}")))?;
    answer(out, "man", &page)
}

fn manual() -> io::Result<Vec<u8>> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let main = Man::new(command.clone()).manual("jobdeck manual");
    let mut page = Vec::new();
    main.render_title(&mut page)?;
    main.render_name_section(&mut page)?;
    main.render_synopsis_section(&mut page)?;
    main.render_description_section(&mut page)?;
    main.render_options_section(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let quiet = |arg: Arg| {
            let hide = arg.is_global_set() || arg.get_id() == "help";
            arg.hide(hide)
        };
        let section = Man::new(sub.clone().mut_args(quiet));
        let mut text = Vec::new();
        section.render_description_section(&mut text)?;
        section.render_synopsis_section(&mut text)?;
        section.render_options_section(&mut text)?;
        // Its sections become parts of one; the first needs no title.
        let text = String::from_utf8_lossy(&text).replace(".SH DESCRIPTION\n", "");
        let text = text.replace(".SH ", ".SS ");
        writeln!(page, ".SH \"{}\"\n{text}", sub.get_name().to_uppercase())?;
    }
    page.write_all(MANUAL_END.as_bytes())?;
    Ok(page)
}

/// What clap does not know.
const MANUAL_END: &str = "\
.SH EXIT STATUS
.TP
0
ok
.TP
1
a job failed, was rejected or is lost (wait, \\-\\-wait); a submission was refused
.TP
2
wrong usage, no such run or job, or the batch has errors
.TP
3
the configuration is wrong
.TP
4
a confirmation is needed; nothing was sent
.TP
5
a cluster that was needed, or the state folder, cannot be reached
.TP
70
a bug of jobdeck
.TP
124
wait \\-\\-timeout ran out
.TP
130
interrupted
.SH FILES
.TP
$XDG_CONFIG_HOME/jobdeck/config.yaml
the user's configuration
.TP
/etc/jobdeck/config.yaml
the site's; its limits bound the user's
.TP
$XDG_CONFIG_HOME/jobdeck/templates, /etc/jobdeck/templates
templates, the user's and the site's; a file with the name of another hides it
.TP
$XDG_STATE_HOME/jobdeck
runs, logs, drafts
.SH ENVIRONMENT
.TP
JOBDECK_STATE_DIR
moves the state folder
.TP
JOBDECK_CONFIG, JOBDECK_CLUSTERS
as \\-\\-config and \\-\\-clusters
.TP
JOBDECK_DEFAULT_CLUSTER, JOBDECK_THEME, JOBDECK_MAX_GPUS_PER_JOB, ...
fields of the configuration
.TP
NO_COLOR
no colours
";

/// Of which kinds there is none.
pub fn no_simulation(kind: &str) -> Report {
    let words = ClusterKind::ALL.map(ClusterKind::word);
    let known = words.contains(&kind);
    let message = match kind {
        "local" => {
            "`local` is real: it runs processes on this machine, without a simulation".into()
        }
        _ if known => format!("this build has no simulation of `{kind}`"),
        _ => format!("no kind of cluster is called `{kind}`"),
    };
    let report = Report::new(Kind::Usage, message);
    match nearest(kind, words) {
        Some(near) if !known => report.hint(format!("did you mean `{near}`?")),
        _ => report.hint("there is one of `ray`; `jobdeck demo` shows the local executor"),
    }
}

/// Text as it is, or as the one member of a document.
fn answer(out: &Out, name: &str, bytes: &[u8]) -> Answer {
    if out.json {
        let text = String::from_utf8_lossy(bytes);
        out.document(&serde_json::json!({ "schema_version": 1, name: text }))?;
    } else {
        out.bytes(bytes);
    }
    Ok(0)
}

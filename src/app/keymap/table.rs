//! The table itself. A row is an action in a scope; an action whose keys differ
//! by scope has several rows.

use super::{Action, Scope};

/// One action in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub action: Action,
    pub scope: Scope,
    pub keys: &'static [&'static str],
    /// For the palette and the configuration.
    pub name: &'static str,
    /// For help: what it does.
    pub doc: &'static str,
    /// For the footer; empty: never there.
    pub short: &'static str,
    /// In the footer, higher stays longer when there is little room.
    pub weight: u8,
}

const fn row(
    action: Action,
    scope: Scope,
    keys: &'static [&'static str],
    name: &'static str,
    doc: &'static str,
) -> Entry {
    Entry { action, scope, keys, name, doc, short: "", weight: 0 }
}

const fn shown(
    action: Action,
    scope: Scope,
    keys: &'static [&'static str],
    name: &'static str,
    doc: &'static str,
    (short, weight): (&'static str, u8),
) -> Entry {
    Entry { action, scope, keys, name, doc, short, weight }
}

use Action as A;
use Scope::{Anywhere, Clusters, Compose, Form, Logs, Monitor, Preview, Runs, Text};

/// Every action of the program. In the footer they stand in this order.
#[rustfmt::skip]
pub const TABLE: &[Entry] = &[
    // Compose
    shown(A::NewJob, Compose, &["n"], "new job", "add a job; choose its type", ("new", 90)),
    shown(A::EditJob, Compose, &["e"], "edit job", "edit the job in its form", ("edit", 80)),
    shown(A::DuplicateJob, Compose, &["D"], "duplicate job", "duplicate the job, to change one thing", ("duplicate", 50)),
    shown(A::DeleteJob, Compose, &["x"], "delete job", "delete the marked jobs, or this one", ("delete", 45)),
    shown(A::Undo, Compose, &["u"], "undo", "take the last change back", ("undo", 40)),
    row(A::Redo, Compose, &["ctrl-y"], "redo", "make it again"),
    row(A::MoveJobDown, Compose, &["J"], "move job down", "move the job down"),
    row(A::MoveJobUp, Compose, &["K"], "move job up", "move the job up"),
    shown(A::EditYaml, Compose, &["E"], "edit as YAML", "the whole batch as YAML in an editor pane", ("as YAML", 55)),
    shown(A::Save, Compose, &["ctrl-s"], "save", "save the batch", ("save", 60)),
    row(A::NextFailed, Compose, &["f8"], "next finding", "go to the next finding"),
    row(A::SaveAs, Compose, &["W"], "save as", "save the batch under another name"),
    shown(A::Open, Compose, &["ctrl-o"], "open", "open a batch file", ("open", 30)),
    shown(A::Templates, Compose, &["T"], "templates", "put in the jobs of a template, or begin with one", ("templates", 10)),
    row(A::SaveTemplate, Compose, &["ctrl-t"], "save as template", "keep the marked jobs, or this one, as a template"),
    row(A::Quickstart, Compose, &["Q"], "quickstart", "open the example batch that runs on any machine"),
    shown(A::Preview, Compose, &["p"], "preview", "dry run: what would be submitted", ("preview", 100)),
    // Form: what is not here is typed
    shown(A::NextPane, Form, &["tab"], "next field", "to the next field; after the last to the table", ("next field", 95)),
    row(A::PreviousPane, Form, &["shift-tab"], "previous field", "to the field before"),
    shown(A::Activate, Form, &["enter"], "choose", "list the known values, unfold, or go on", ("choose", 80)),
    shown(A::PageDown, Form, &["pgdn"], "next job", "the same field of the next job", ("next job", 50)),
    row(A::PageUp, Form, &["pgup"], "previous job", "the same field of the job before"),
    shown(A::Undo, Form, &["ctrl-z"], "undo", "take the last change back", ("undo", 40)),
    row(A::Redo, Form, &["ctrl-y"], "redo", "make it again"),
    shown(A::Save, Form, &["ctrl-s"], "save", "save the batch", ("save", 60)),
    row(A::Open, Form, &["ctrl-o"], "open", "open a batch file"),
    shown(A::Preview, Form, &["ctrl-p"], "preview", "dry run: what would be submitted", ("preview", 70)),
    shown(A::Back, Form, &["esc"], "done", "back to the table; what was typed stays", ("done", 100)),
    shown(A::Help, Form, &["f1"], "help", "what can be pressed here", ("help", 99)),
    // Text of the batch
    shown(A::NextFailed, Text, &["f8"], "next finding", "go to the next finding", ("next finding", 80)),
    shown(A::Undo, Text, &["ctrl-z"], "undo", "take the last change back", ("undo", 50)),
    row(A::Redo, Text, &["ctrl-y"], "redo", "make it again"),
    shown(A::Save, Text, &["ctrl-s"], "save", "save the batch", ("save", 60)),
    row(A::Open, Text, &["ctrl-o"], "open", "open a batch file"),
    shown(A::Preview, Text, &["ctrl-p"], "preview", "dry run: what would be submitted", ("preview", 70)),
    shown(A::Back, Text, &["esc"], "done", "back to the table; the text stays", ("done", 100)),
    shown(A::Help, Text, &["f1"], "help", "what can be pressed here", ("help", 99)),
    // Preview
    shown(A::Submit, Preview, &["S"], "submit", "ask to submit the batch", ("submit", 100)),
    shown(A::ShowRequests, Preview, &["v"], "show requests", "exactly what would be sent", ("requests", 80)),
    shown(A::AskClusters, Preview, &["o"], "ask online", "what the clusters would refuse, and when jobs would start", ("online", 75)),
    // Monitor
    shown(A::Logs, Monitor, &["l"], "logs", "open or close the log of the job", ("logs", 100)),
    shown(A::Retry, Monitor, &["r"], "retry", "retry the marked jobs, or this one", ("retry", 90)),
    row(A::RetryWith, Monitor, &["e"], "retry with changes", "retry with more memory, more time, another value"),
    shown(A::RetryFailed, Monitor, &["R"], "retry all failed", "retry every failed, rejected or lost job", ("retry failed", 70)),
    shown(A::Cancel, Monitor, &["c"], "cancel", "cancel the marked jobs, or this one", ("cancel", 80)),
    row(A::CancelWith, Monitor, &["C"], "cancel, say why", "say why, then cancel the marked jobs, or this one"),
    row(A::Hold, Monitor, &["H"], "hold", "the cluster does not start the marked jobs, or this one, until they are released"),
    row(A::Release, Monitor, &["U"], "release", "the marked jobs, or this one, may start again"),
    row(A::Requeue, Monitor, &["Q"], "requeue", "the cluster ends the marked jobs, or this one, and starts them anew"),
    shown(A::FailedOnly, Monitor, &["F"], "failed only", "show only what went wrong", ("failed only", 50)),
    shown(A::GroupByCause, Monitor, &["g"], "group by cause", "gather failed jobs by what went wrong", ("by cause", 45)),
    shown(A::Fold, Monitor, &["z"], "fold", "fold or unfold a group", ("fold", 40)),
    row(A::FoldAll, Monitor, &["Z"], "fold all", "fold every group, or unfold all"),
    row(A::MarkRange, Monitor, &["v"], "mark range", "mark from the last mark to here"),
    row(A::InvertMarks, Monitor, &["i"], "invert marks", "mark what is not marked, and the other way round"),
    row(A::NextFailed, Monitor, &["n"], "next failed", "go to the next job that went wrong"),
    shown(A::SendHeld, Monitor, &["S"], "send held", "go on sending what is held", ("send", 60)),
    row(A::StopSending, Monitor, &["X"], "stop sending", "send nothing more; what is unsent stays retryable"),
    row(A::CopyId, Monitor, &["y"], "copy id", "copy the cluster's id of the job; while a workspace runs its address"),
    // Log pane
    shown(A::Follow, Logs, &["f"], "follow", "follow the log, or stop", ("follow", 98)),
    shown(A::Wrap, Logs, &["w"], "wrap", "wrap long lines", ("wrap", 60)),
    shown(A::SwitchStream, Logs, &["tab"], "switch stream", "standard output or standard error", ("out/err", 95)),
    row(A::Search, Logs, &["/"], "search", "search the log"),
    row(A::NextMatch, Logs, &["n"], "next match", "go to the next match"),
    row(A::PreviousMatch, Logs, &["N"], "previous match", "go to the match before"),
    row(A::NextError, Logs, &["!"], "next error", "go to the next line that looks like an error"),
    row(A::OnlyMatches, Logs, &["&"], "only matches", "show only the lines that match the search, or all"),
    row(A::PreviousAttempt, Logs, &["["], "previous attempt", "the log of the attempt before"),
    row(A::NextAttempt, Logs, &["]"], "next attempt", "the log of the attempt after"),
    row(A::PreviousWorker, Logs, &["{"], "previous worker", "the log of the distributed job's worker before"),
    row(A::NextWorker, Logs, &["}"], "next worker", "the log of the distributed job's worker after"),
    row(A::Top, Logs, &["g"], "top", "go to the first"),
    // Runs
    shown(A::CloneRun, Runs, &["D", "C"], "clone run", "open the run's batch in Compose, to change and send again", ("clone", 90)),
    // Clusters
    shown(A::LogIn, Clusters, &["L"], "log in", "the terminal goes to ssh, for a password or a code", ("log in", 90)),
    // Sorting
    shown(A::Sort, Monitor, &["s"], "sort", "sort by the next column", ("sort", 35)),
    row(A::SortReverse, Monitor, &["o"], "reverse order", "sort the other way round"),
    shown(A::Sort, Runs, &["s"], "sort", "sort by the next column", ("sort", 35)),
    row(A::SortReverse, Runs, &["o"], "reverse order", "sort the other way round"),
    // Anywhere
    row(A::Activate, Compose, &["enter"], "edit job", "edit the job in its form"),
    shown(A::Activate, Preview, &["enter"], "go to", "from a finding to its field; on a job all its values", ("open", 85)),
    shown(A::Activate, Monitor, &["enter"], "detail", "all that is known of the job", ("detail", 85)),
    shown(A::Activate, Clusters, &["enter"], "ask now", "ask the clusters now", ("ask now", 85)),
    shown(A::Activate, Anywhere, &["enter"], "open", "open or choose what is under the cursor", ("open", 85)),
    row(A::Mark, Anywhere, &["space"], "mark", "mark, or take the mark away"),
    row(A::MarkAll, Anywhere, &["a"], "mark all", "mark all that is shown, or none"),
    row(A::Up, Anywhere, &["up", "k"], "up", "up"),
    row(A::Down, Anywhere, &["down", "j"], "down", "down"),
    row(A::Left, Anywhere, &["left", "h"], "left", "left"),
    row(A::Right, Anywhere, &["right"], "right", "right"),
    row(A::Right, Compose, &["l"], "right", "right"),
    row(A::Right, Preview, &["l"], "right", "right"),
    row(A::Right, Runs, &["l"], "right", "right"),
    row(A::Right, Clusters, &["l"], "right", "right"),
    row(A::Top, Anywhere, &["home"], "top", "go to the first"),
    row(A::Top, Compose, &["g"], "top", "go to the first"),
    row(A::Top, Preview, &["g"], "top", "go to the first"),
    row(A::Top, Runs, &["g"], "top", "go to the first"),
    row(A::Top, Clusters, &["g"], "top", "go to the first"),
    row(A::Bottom, Anywhere, &["end", "G"], "bottom", "go to the last"),
    row(A::PageUp, Anywhere, &["pgup", "ctrl-b", "ctrl-u"], "page up", "a page up"),
    row(A::PageDown, Anywhere, &["pgdn", "ctrl-f", "ctrl-d"], "page down", "a page down"),
    row(A::NextPane, Anywhere, &["tab"], "next pane", "to the next pane or field"),
    row(A::PreviousPane, Anywhere, &["shift-tab"], "previous pane", "to the pane or field before"),
    row(A::Back, Anywhere, &["esc"], "back", "one step back; text is never lost"),
    shown(A::Filter, Anywhere, &["/"], "filter", "show only rows that match", ("filter", 30)),
    row(A::GoCompose, Anywhere, &["1"], "go to Compose", "the batch being written"),
    row(A::GoPreview, Anywhere, &["2"], "go to Preview", "the dry run of it"),
    row(A::GoMonitor, Anywhere, &["3"], "go to Monitor", "the jobs of a run"),
    row(A::GoRuns, Anywhere, &["4"], "go to Runs", "every earlier run"),
    row(A::GoClusters, Anywhere, &["5"], "go to Clusters", "health and room of every cluster"),
    row(A::Refresh, Anywhere, &["ctrl-r"], "refresh", "ask the clusters now"),
    row(A::PausePolling, Anywhere, &["P"], "pause polling", "ask no cluster how jobs are, or go on asking; sending goes on"),
    shown(A::Help, Anywhere, &["?", "f1"], "help", "what can be pressed here", ("help", 99)),
    shown(A::Palette, Anywhere, &[":"], "commands", "find an action by its name", ("commands", 20)),
    row(A::Refresh, Form, &["ctrl-r"], "refresh", "ask the clusters now"),
    row(A::Refresh, Text, &["ctrl-r"], "refresh", "ask the clusters now"),
    row(A::Suspend, Anywhere, &["ctrl-z"], "suspend", "back to the shell for a while; `fg` returns"),
    row(A::Quit, Anywhere, &["q"], "quit", "leave; running jobs stay running"),
    row(A::Leave, Anywhere, &["ctrl-c"], "leave", "twice: leave at once; running jobs stay running"),
];

//! One table of actions feeds key handling, the footer, help, the palette and
//! the documentation.
//!
//! ```text
//! key ─▶ Chord ─▶ the scopes that count now, innermost first ─▶ Action
//! ```

use std::{
    fmt::{self, Write},
    str::FromStr,
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

mod table;
pub use table::{Entry, TABLE};

/// Where an action is available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    Anywhere,
    Compose,
    /// A field of a form is edited: letters are text.
    Form,
    /// The batch is edited as YAML: letters are text.
    Text,
    Preview,
    Monitor,
    /// The log pane of Monitor has the keys; Monitor's own keys count too.
    Logs,
    Runs,
    Clusters,
}

impl Scope {
    /// The scopes whose keys count in this one, innermost first.
    pub fn chain(self) -> &'static [Self] {
        match self {
            Self::Anywhere => &[Self::Anywhere],
            Self::Compose => &[Self::Compose, Self::Anywhere],
            Self::Form => &[Self::Form],
            Self::Text => &[Self::Text],
            Self::Preview => &[Self::Preview, Self::Anywhere],
            Self::Monitor => &[Self::Monitor, Self::Anywhere],
            Self::Logs => &[Self::Logs, Self::Monitor, Self::Anywhere],
            Self::Runs => &[Self::Runs, Self::Anywhere],
            Self::Clusters => &[Self::Clusters, Self::Anywhere],
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Anywhere => "Anywhere",
            Self::Compose => "Compose",
            Self::Form => "Form",
            Self::Text => "Text of the batch",
            Self::Preview => "Preview",
            Self::Monitor => "Monitor",
            Self::Logs => "Log pane",
            Self::Runs => "Runs",
            Self::Clusters => "Clusters",
        }
    }
}

/// Everything a key, the palette or the mouse can ask for. Moving is common to
/// all lists; what moves is the focused one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    // anywhere
    GoCompose,
    GoPreview,
    GoMonitor,
    GoRuns,
    GoClusters,
    Help,
    Palette,
    Filter,
    Refresh,
    /// Clusters are not asked how jobs are until it is pressed again.
    PausePolling,
    Quit,
    /// Ctrl-C: twice leaves at once.
    Leave,
    /// The terminal goes back to the shell for a while.
    Suspend,
    Back,
    NextPane,
    PreviousPane,
    Up,
    Down,
    Left,
    Right,
    Top,
    Bottom,
    PageUp,
    PageDown,
    Activate,
    Mark,
    MarkAll,
    /// From the last mark to the cursor.
    MarkRange,
    // compose
    NewJob,
    EditJob,
    DuplicateJob,
    DeleteJob,
    Undo,
    Redo,
    MoveJobDown,
    MoveJobUp,
    EditYaml,
    Save,
    SaveAs,
    Open,
    /// The example batch that comes with the program.
    Quickstart,
    /// Jobs of a template.
    Templates,
    SaveTemplate,
    Preview,
    // preview
    ShowRequests,
    /// What the clusters say to the plan.
    AskClusters,
    Submit,
    // monitor
    Logs,
    Retry,
    /// With changed fields.
    RetryWith,
    RetryFailed,
    Cancel,
    CancelWith,
    Hold,
    Release,
    Requeue,
    Sort,
    SortReverse,
    FailedOnly,
    GroupByCause,
    Fold,
    FoldAll,
    InvertMarks,
    CopyId,
    NextFailed,
    SendHeld,
    StopSending,
    // logs
    Follow,
    Wrap,
    SwitchStream,
    Search,
    NextMatch,
    PreviousMatch,
    PreviousAttempt,
    NextAttempt,
    PreviousWorker,
    NextWorker,
    /// The next line that looks like an error.
    NextError,
    /// Only the lines that match the search.
    OnlyMatches,
    // runs
    CloneRun,
    // clusters
    /// The terminal goes to the cluster's login for a while.
    LogIn,
}

/// One key with its modifiers, as it is written in the table: `n`, `D`,
/// `ctrl-s`, `enter`, `pgup`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Names of keys that are not characters, as written and as shown.
const NAMED: [(&str, &str, KeyCode); 15] = [
    ("enter", "Enter", KeyCode::Enter),
    ("esc", "Esc", KeyCode::Esc),
    ("tab", "Tab", KeyCode::Tab),
    ("shift-tab", "Shift-Tab", KeyCode::BackTab),
    ("backspace", "Backspace", KeyCode::Backspace),
    ("delete", "Del", KeyCode::Delete),
    ("up", "↑", KeyCode::Up),
    ("down", "↓", KeyCode::Down),
    ("left", "←", KeyCode::Left),
    ("right", "→", KeyCode::Right),
    ("home", "Home", KeyCode::Home),
    ("end", "End", KeyCode::End),
    ("pgup", "PgUp", KeyCode::PageUp),
    ("pgdn", "PgDn", KeyCode::PageDown),
    ("space", "Space", KeyCode::Char(' ')),
];

impl Chord {
    /// The chord of a key event. Shift is part of the character, not a modifier.
    pub fn of(key: KeyEvent) -> Self {
        let mut modifiers = key.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT);
        let code = match key.code {
            KeyCode::Tab if key.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            // With Ctrl, terminals differ in whether the letter is upper case.
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::CONTROL) => {
                KeyCode::Char(c.to_ascii_lowercase())
            }
            // Some terminals report the shifted letter as lower case with Shift.
            KeyCode::Char(c) if key.modifiers.contains(KeyModifiers::SHIFT) => {
                KeyCode::Char(c.to_ascii_uppercase())
            }
            code => code,
        };
        if code == KeyCode::BackTab {
            modifiers = KeyModifiers::NONE;
        }
        Self { code, modifiers }
    }

    /// A key event that makes this chord; for scripted keys.
    pub fn event(self) -> KeyEvent {
        let shift = match self.code {
            KeyCode::BackTab => KeyModifiers::SHIFT,
            KeyCode::Char(c) if c.is_uppercase() => KeyModifiers::SHIFT,
            _ => KeyModifiers::NONE,
        };
        KeyEvent::new(self.code, self.modifiers | shift)
    }
}

/// The text names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a key; write `n`, `D`, `ctrl-s`, `enter`, `pgup`")]
pub struct NotAKey(pub String);

impl FromStr for Chord {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let bad = || NotAKey(text.to_owned());
        let mut rest = text;
        let mut modifiers = KeyModifiers::NONE;
        loop {
            if let Some(tail) = rest.strip_prefix("ctrl-").filter(|t| !t.is_empty()) {
                modifiers |= KeyModifiers::CONTROL;
                rest = tail;
            } else if let Some(tail) = rest.strip_prefix("alt-").filter(|t| !t.is_empty()) {
                modifiers |= KeyModifiers::ALT;
                rest = tail;
            } else {
                break;
            }
        }
        let code = if let Some((_, _, code)) = NAMED.iter().find(|(name, ..)| *name == rest) {
            *code
        } else if let Some(n) = rest.strip_prefix('f').and_then(|n| n.parse::<u8>().ok()) {
            KeyCode::F(n)
        } else {
            let mut chars = rest.chars();
            match (chars.next(), chars.next()) {
                (Some(c), None) => KeyCode::Char(c),
                _ => return Err(bad()),
            }
        };
        Ok(Self { code, modifiers })
    }
}

impl fmt::Display for Chord {
    /// As it is shown: `^S`, `D`, `Enter`, `↑`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        let ctrl = self.modifiers.contains(KeyModifiers::CONTROL);
        if let Some((_, shown, _)) = NAMED.iter().find(|(_, _, code)| *code == self.code) {
            if ctrl {
                f.write_str("Ctrl-")?;
            }
            return f.write_str(shown);
        }
        match self.code {
            KeyCode::Char(c) if ctrl => write!(f, "^{}", c.to_ascii_uppercase()),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            _ => f.write_str("?"),
        }
    }
}

/// Which keys do what; made from the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<(Scope, Chord, Action)>,
}

impl Default for Keymap {
    fn default() -> Self {
        let bindings = TABLE
            .iter()
            .flat_map(|entry| {
                entry.keys.iter().filter_map(|key| {
                    key.parse().ok().map(|chord| (entry.scope, chord, entry.action))
                })
            })
            .collect();
        Self { bindings }
    }
}

impl Keymap {
    /// What the key means where `scope` has the keys.
    pub fn action(&self, key: KeyEvent, scope: Scope) -> Option<Action> {
        let chord = Chord::of(key);
        scope.chain().iter().find_map(|scope| {
            self.bindings
                .iter()
                .find(|(s, c, _)| s == scope && *c == chord)
                .map(|(_, _, action)| *action)
        })
    }

    /// The keys of an action that count in this scope, each once, in the order of
    /// the table.
    pub fn keys(&self, action: Action, scope: Scope) -> Vec<Chord> {
        let bound = scope.chain().iter().flat_map(|s| {
            self.bindings.iter().filter(move |(bound, _, a)| bound == s && *a == action)
        });
        let mut keys = Vec::new();
        for (_, chord, _) in bound {
            if !keys.contains(chord) && self.action(chord.event(), scope) == Some(action) {
                keys.push(*chord);
            }
        }
        keys
    }
}

/// Every action of a scope and of the scopes around it, once each.
pub fn entries(scope: Scope) -> impl Iterator<Item = &'static Entry> {
    TABLE
        .iter()
        .enumerate()
        .filter(move |(i, entry)| {
            scope.chain().contains(&entry.scope)
                && !TABLE.iter().take(*i).any(|earlier| {
                    earlier.action == entry.action && scope.chain().contains(&earlier.scope)
                })
        })
        .map(|(_, entry)| entry)
}

/// The whole table for `src/app/keys.md`, a section for each scope.
pub fn markdown() -> String {
    const SCOPES: [Scope; 9] = [
        Scope::Anywhere,
        Scope::Compose,
        Scope::Form,
        Scope::Text,
        Scope::Preview,
        Scope::Monitor,
        Scope::Logs,
        Scope::Runs,
        Scope::Clusters,
    ];
    let mut out = String::from(
        "# Keys\n\nMade from the table of actions that also feeds key handling, the footer, \
         `?` and `:`.\n\nIn the box that asks, only `y` does it; every other key closes it and \
         does nothing.\n",
    );
    for scope in SCOPES {
        let _ = write!(
            out,
            "\n## {}\n\n| keys | action | what it does |\n|---|---|---|\n",
            scope.title()
        );
        for entry in TABLE.iter().filter(|e| e.scope == scope) {
            let keys: Vec<String> = entry
                .keys
                .iter()
                .filter_map(|key| key.parse::<Chord>().ok())
                .map(|chord| format!("`{chord}`"))
                .collect();
            let _ = writeln!(out, "| {} | {} | {} |", keys.join(" "), entry.name, entry.doc);
        }
    }
    out
}

#[cfg(test)]
mod tests;

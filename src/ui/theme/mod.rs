//! Styles by meaning. A widget asks for `theme.failed`, never for red.
//!
//! ```text
//! themes/*.yaml, the user's own ─read─▶ Sheet ─inherits─▶ Theme ─depth of the terminal─▶ Theme
//! ```
//! Chosen once at the start; it lives as long as the program.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::status::Status;

mod choose;
mod color;
mod sheet;

pub use choose::{Terminal, built_in, choose};
pub use color::{Depth, rgb};
pub use sheet::{Sheet, ThemeError};

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident,)*) => {
        /// Every style the program uses.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Theme {
            pub name: String,
            /// How many colours there are; `Depth::None`: styles have none at all,
            /// and colours that come with a log are not shown either.
            pub depth: Depth,
            $($(#[$doc])* pub $role: Style,)*
        }

        impl Theme {
            /// Names of the styles, as in theme files.
            pub const ROLES: &'static [&'static str] = &[$(stringify!($role)),*];

            /// Nothing but the terminal's own text.
            fn plain(name: &str) -> Self {
                Self { name: name.to_owned(), depth: Depth::True, $($role: Style::new(),)* }
            }

            /// A style by its name in theme files.
            pub fn role(&self, name: &str) -> Option<Style> {
                match name {
                    $(stringify!($role) => Some(self.$role),)*
                    _ => None,
                }
            }

            fn role_mut(&mut self, name: &str) -> Option<&mut Style> {
                match name {
                    $(stringify!($role) => Some(&mut self.$role),)*
                    _ => None,
                }
            }
        }
    };
}

roles! {
    /// Ordinary text on the ordinary background.
    text,
    /// Less important text: labels, hints, units.
    dim,
    /// The one accent: the active tab, keys in the footer, the focused field.
    accent,
    /// Headings and totals.
    strong,
    border,
    border_focused,
    /// The row under the cursor.
    selected,
    /// The row under the cursor while another pane has the focus.
    selected_unfocused,
    marked,
    /// Matches of a filter or search.
    matched,
    header,
    /// The tab of the view that is shown.
    tab_active,
    footer,
    key,
    /// Boxes over the screen.
    overlay,
    error,
    warning,
    success,
    /// Data that is old because a cluster does not answer.
    stale,
    input,
    input_focused,
    placeholder,
    running,
    pending,
    waiting,
    succeeded,
    failed,
    stopped,
    unknown,
}

impl Theme {
    /// The built-in theme for dark terminals with the 16 basic colours.
    pub fn basic() -> Self {
        let fg = |c| Style::new().fg(c);
        Self {
            depth: Depth::Ansi16,
            dim: fg(Color::DarkGray),
            accent: fg(Color::Cyan),
            strong: Style::new().add_modifier(Modifier::BOLD),
            border: fg(Color::DarkGray),
            border_focused: fg(Color::Cyan),
            selected: Style::new().add_modifier(Modifier::REVERSED),
            selected_unfocused: Style::new().add_modifier(Modifier::UNDERLINED),
            marked: fg(Color::Yellow),
            matched: fg(Color::Yellow).add_modifier(Modifier::BOLD),
            tab_active: fg(Color::Cyan).add_modifier(Modifier::BOLD),
            footer: fg(Color::DarkGray),
            key: fg(Color::Cyan),
            error: fg(Color::Red),
            warning: fg(Color::Yellow),
            success: fg(Color::Green),
            stale: fg(Color::DarkGray).add_modifier(Modifier::ITALIC),
            input_focused: Style::new().add_modifier(Modifier::UNDERLINED),
            placeholder: fg(Color::DarkGray),
            running: fg(Color::Blue),
            pending: fg(Color::Yellow),
            waiting: fg(Color::DarkGray),
            succeeded: fg(Color::Green),
            failed: fg(Color::Red),
            stopped: fg(Color::Magenta),
            unknown: fg(Color::Yellow).add_modifier(Modifier::BOLD),
            ..Self::plain("basic")
        }
    }

    /// The style of a job's state.
    pub fn status(&self, status: Status) -> Style {
        match status {
            Status::Running => self.running,
            Status::Pending | Status::Submitting => self.pending,
            Status::Waiting | Status::NotSubmitted => self.waiting,
            Status::Succeeded => self.succeeded,
            Status::Failed | Status::Rejected => self.failed,
            Status::Stopped => self.stopped,
            Status::Unknown | Status::Lost => self.unknown,
        }
    }

    /// A style that came from outside, in the colours there are.
    pub fn reduced(&self, style: Style) -> Style {
        color::reduce(style, self.depth)
    }

    /// The same theme for a terminal with fewer colours.
    #[must_use]
    pub fn at(mut self, depth: Depth) -> Self {
        self.depth = depth;
        for role in Self::ROLES {
            if let Some(style) = self.role_mut(role) {
                *style = color::reduce(*style, depth);
            }
        }
        self
    }
}

#[cfg(test)]
mod tests;

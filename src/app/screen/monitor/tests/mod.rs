//! Sessions: keys in, the model and effects out.

mod actions;
mod index;
mod logs;
mod sessions;

use super::{
    index::{Index, RowKey},
    order::Sort,
    *,
};
use crate::{
    app::{
        effect::{LogRange, RunCommand, Stream},
        keymap::Chord,
        model::Model,
        msg::LogPart,
        overlay::{Confirmed, Overlay},
        sample,
        update::update,
    },
    domain::{action::RemoteAction, ids::JobIx, run::Record, status::Status},
};

fn small() -> Model {
    sample::model(sample::small(), 120, 32)
}

/// Keys as the table writes them, with spaces between.
fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace()
        .flat_map(|key| update(model, Msg::Key(key.parse::<Chord>().unwrap().event())))
        .collect()
}

fn type_in(model: &mut Model, text: &str) {
    for c in text.chars() {
        let key = if c == ' ' { "space".to_owned() } else { c.to_string() };
        press(model, &key);
    }
}

fn opened(model: &Model) -> &Opened {
    model.monitor.opened().unwrap()
}

fn name(model: &Model) -> String {
    let opened = opened(model);
    match opened.cursor().key() {
        Some(RowKey::Job(ix)) => opened.run().job(ix).unwrap().spec.name.clone(),
        Some(RowKey::Group(id)) => format!("[{}]", opened.index().roster().group(id).unwrap().name),
        Some(RowKey::Cause(id)) => {
            format!("<{}>", opened.index().tally().troubles.words(id))
        }
        Some(RowKey::Rest) => "<rest>".into(),
        None => String::new(),
    }
}

fn names(model: &Model) -> Vec<String> {
    let opened = opened(model);
    opened.index().jobs().map(|ix| opened.run().job(ix).unwrap().spec.name.clone()).collect()
}

/// The confirm box that is open: what it would do and what it says.
fn question(model: &Model) -> (RunCommand, String) {
    match model.overlays.last() {
        Some(Overlay::Confirm(confirm)) => match &confirm.action {
            Confirmed::Run { command, .. } => {
                (command.clone(), format!("{}\n{}", confirm.title, confirm.lines.join("\n")))
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn notice(model: &Model) -> &str {
    model.notice.as_ref().map_or("", |(_, words)| words.as_str())
}

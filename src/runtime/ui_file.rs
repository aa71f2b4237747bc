//! `ui.json` in the state folder: what the UI remembers from one session to the
//! next. Nothing depends on it: one that is missing, damaged or of a later version
//! is as good as none, and one that cannot be written stays as it was. Of several
//! windows the last one to leave wins.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{app::orders::Orders, journal};

/// Most that is read of it, in bytes.
const MOST: u64 = 4096;

/// What it holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Remembered {
    sort: Orders,
}

/// How tables were sorted when a window was left last.
pub(super) fn read(path: &Path) -> Orders {
    // Not a pipe, which would have the program wait.
    let is_file = fs::metadata(path).is_ok_and(|meta| meta.is_file());
    let text = || {
        let mut text = Vec::new();
        File::open(path).ok()?.take(MOST).read_to_end(&mut text).ok()?;
        Some(text)
    };
    let kept = is_file.then(text).flatten();
    kept.and_then(|text| serde_json::from_slice::<Remembered>(&text).ok()).unwrap_or_default().sort
}

/// Keeps it for the next session.
pub(super) fn write(path: &Path, sort: Orders) {
    if let Ok(text) = serde_json::to_vec(&Remembered { sort }) {
        // Losing it costs pressing `s` again.
        let _ = journal::replace(path, &text, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{orders::SortedBy, screen::monitor::order::Sort};

    #[test]
    fn what_was_kept_is_read_and_anything_else_is_as_good_as_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ui.json");
        assert_eq!(read(&path), Orders::default());
        let monitor = SortedBy { by: Sort::Ran, reverse: true };
        let orders = Orders { monitor, ..Orders::default() };
        write(&path, orders);
        assert_eq!(read(&path), orders);
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            r#"{"sort":{"monitor":{"by":"ran","reverse":true},"runs":{"by":"created","reverse":false}}}"#
        );
        fs::write(&path, r#"{"sort": {"monitor": {"by": "name"}, "cells": 1}, "more": []}"#)
            .unwrap();
        assert_eq!(read(&path).monitor, SortedBy { by: Sort::Name, reverse: false });
        let long = format!(r#"{{"sort": {{}}, "x": "{}"}}"#, "a".repeat(9_999));
        for damaged in ["", "{", "[]", r#"{"sort": {"monitor": {"by": "colour"}}}"#, &long] {
            fs::write(&path, damaged).unwrap();
            assert_eq!(read(&path), Orders::default(), "{damaged:.40}");
        }
        // Where nothing can be written nothing happens.
        write(&folder.path().join("no-such-folder/ui.json"), orders);
        assert_eq!(read(folder.path()), Orders::default());
    }
}

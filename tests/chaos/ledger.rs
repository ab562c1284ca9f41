//! Ledgers: one fact per line, on disk before anybody acts on it.
//!
//! What must stay true: a line is never rewritten; what was recorded survives a kill of this program.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A ledger, shared by all its writers.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    /// Opens the file for appending; creates it if necessary.
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(Mutex::new(file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
    }

    /// Appends one fact.
    pub(crate) fn note(&self, fact: &impl Serialize) {
        let line = serde_json::to_string(fact).expect("a fact is a tree of strings and numbers");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data());
        written.expect("a ledger with gaps would prove nothing");
    }
}

/// All facts of a ledger; none if the file does not exist.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

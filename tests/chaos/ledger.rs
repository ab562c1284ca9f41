//! Ledgers: one fact a line, on the disk before anyone acts on it.
//!
//! What must stay true: a line is never rewritten; what was noted survives a kill of this program.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One ledger, shared by all who write to it.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

impl Ledger {
    /// Opens the file, or makes it.
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Self(Mutex::new(file.unwrap_or_else(|error| panic!("{}: {error}", path.display()))))
    }

    /// Writes one fact.
    pub(crate) fn note(&self, fact: &impl Serialize) {
        let line = serde_json::to_string(fact).expect("a fact is a tree of strings and numbers");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let written = file.write_all(format!("{line}\n").as_bytes()).and_then(|()| file.sync_data());
        written.expect("a ledger with gaps would prove nothing");
    }
}

/// All facts of a ledger; none if there is no such file.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<Vec<T>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(path)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

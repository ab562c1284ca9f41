//! The journal: one line of JSON for each create, update and delete that was carried out, on disk before its response
//! is sent. Tests compare it afterwards with the responses.
//!
//! What must stay true: each line is a change, never a repeat that was answered from a `ClientToken`; a journal that
//! cannot be written stops the stand-in, because an incomplete journal is worse than none.
//!
//! Called by `server`. It does not read the journal; tests do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::state::CloudState;
use crate::domain::clock::Instant;
use crate::eci::Action;

/// The open journal.
#[derive(Debug)]
pub(super) struct Journal(File);

impl Journal {
    /// Opens the file for appending; creates it if necessary.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Writes one change.
    pub(super) fn note(
        &self,
        action: Action,
        params: &[(String, String)],
        answer: &Map<String, Value>,
        state: &CloudState,
        now: Instant,
    ) {
        let given = |key: &str| params.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let Some(id) = given("ImageCacheId").or_else(|| answer.get("ImageCacheId")?.as_str()) else { return };
        let line = json!({
            "at": now,
            "action": action.as_str(),
            "image_cache_id": id,
            "client_token": given("ClientToken"),
            "operation_tag": state.tag(id, "eci-cache-gateway:operation"),
            "ready_at": state.ready_at(id),
        });
        let written = (&self.0).write_all(format!("{line}\n").as_bytes()).and_then(|()| self.0.sync_data());
        written.expect("the journal can be written: with gaps it would be worth nothing");
    }
}

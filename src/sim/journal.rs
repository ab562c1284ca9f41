//! The journal: one line of JSON for each create, update and delete that was carried out, on the disk before its
//! answer leaves. For tests that compare, afterwards, what a caller was told with what really happened.
//!
//! What must stay true: a line stands for one act, never for a repeat that a `ClientToken` answered; a journal that
//! cannot be written stops the stand-in, because a record with gaps is worse than none.
//!
//! Who calls it: `server`. What it does not do: read it back; that is the tests' affair.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::state::CloudState;
use crate::domain::clock::Instant;
use crate::eci::Action;

/// Where acts are written.
#[derive(Debug)]
pub(super) struct Journal(File);

impl Journal {
    /// Opens the file, or makes it; what is in it stays.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Writes one act.
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

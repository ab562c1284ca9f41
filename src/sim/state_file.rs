//! The state file: read at the start, written after each change.
//!
//! What must stay true: a change is in the file before its response is sent; the file is complete at any time (it is
//! written beside the old one, then renamed); an older state never replaces a newer one, whatever the order of the
//! writers. Concurrent changes share a write. A failed write is only logged, and the stand-in keeps serving.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::StandInState;
use super::state::CloudState;
use crate::domain::clock::Instant;

/// The file of one stand-in.
#[derive(Debug)]
pub(super) struct StateFile {
    path: PathBuf,
    /// Locked from copying the state to the rename.
    writing: Mutex<()>,
}

/// The file, and the state in it. Without a path, there is no file and the state is empty.
pub(super) fn open(path: Option<&Path>, now: Instant) -> (Option<StateFile>, CloudState) {
    let Some(path) = path else { return (None, CloudState::default()) };
    let keeper = Some(StateFile { path: path.to_owned(), writing: Mutex::default() });
    let error = match read(path) {
        Ok(state) => return (keeper, state),
        Err(error) => error,
    };
    let aside = beside(path, &format!(".unreadable-{}", now.format("%Y%m%dT%H%M%SZ")));
    let file = path.display();
    match fs::rename(path, &aside) {
        Ok(()) => {
            let aside = aside.display();
            tracing::warn!(%file, %aside, error = &error as &dyn std::error::Error, "the stand-in's state cannot be \
                read: moved it aside, starting empty");
            (keeper, CloudState::default())
        }
        Err(rename) => {
            // The file may contain somebody's data: better not to save anything than to overwrite it.
            let (error, rename) = (&error as &dyn std::error::Error, rename.to_string());
            tracing::warn!(%file, error, rename, "the stand-in's state cannot be read or moved aside: keeping nothing");
            (None, CloudState::default())
        }
    }
}

/// Writes the state if it has changed and there is a file; returns once it is written.
pub(super) async fn keep(shared: &Arc<StandInState>) {
    if shared.keeper.is_none() {
        return;
    }
    let shared = Arc::clone(shared);
    // Spawned in the same step as the change, so that a caller that disconnects cannot prevent it.
    let writing = tokio::task::spawn_blocking(move || {
        let Some(keeper) = &shared.keeper else { return };
        if let Err(error) = keeper.write(&shared) {
            tracing::warn!(file = %keeper.path.display(), error = &error as &dyn std::error::Error, "could not write \
                the stand-in's state");
        }
    });
    // If the writer panicked or the runtime ended, this write is lost; the next change writes the state.
    let _ended = writing.await;
}

impl StateFile {
    fn write(&self, shared: &StandInState) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let text = {
            let mut state = shared.state();
            if !state.take_changed() {
                return Ok(());
            }
            serde_json::to_vec(&*state)?
        };
        let fresh = beside(&self.path, ".new");
        let mut file = File::create(&fresh)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&fresh, &self.path)
    }
}

fn read(path: &Path) -> io::Result<CloudState> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(CloudState::default()),
        read => read?,
    };
    Ok(serde_json::from_slice::<CloudState>(&text)?.indexed())
}

/// A name in the same directory, so that the rename is atomic.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

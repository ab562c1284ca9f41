//! Where a verification reads from: the database in one view, or what was exported from it.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Verification, VerificationReport};
use crate::app::Error;
use crate::app::audit::checkpoints;
use crate::crypto::note::NoteVerifier;
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::retention::Leaves;
use crate::store::{AuditView, Store};

/// Leaves in one part.
const PART: i64 = 4_000;
/// The most rows without a leaf that are looked at.
const UNSEALED: i64 = 10_000;

/// What a verification knows beforehand.
#[derive(Debug, Clone, Default)]
pub struct VerificationSubject {
    /// The keys that may have signed.
    pub keys: Vec<NoteVerifier>,
    /// A checkpoint that was saved before, whose signature has been verified.
    pub saved: Option<Checkpoint>,
    /// Entries that were not sealed when it was looked before.
    pub waited: HashSet<Uuid>,
}

/// Verifies the audit of a database. Beside the report: the entries that the sealer has yet to reach.
pub async fn verify(
    store: &Store,
    subject: &VerificationSubject,
) -> Result<(VerificationReport, HashSet<Uuid>), Error> {
    let mut view = store.audit_view().await?;
    let dropped = dropped(&mut view).await?;
    let mut verification = Verification::new(subject.keys.clone(), subject.saved.clone(), dropped);
    while verification.feed(view.page(verification.next(), PART).await?) {}
    verification.end();
    let waiting = verification.unsealed(&view.unsealed(UNSEALED).await?, &subject.waited);
    Ok((verification.report(), waiting))
}

/// The note of the newest checkpoint that one of these keys signed.
pub async fn newest_checkpoint(store: &Store, keys: &[NoteVerifier]) -> Result<Option<String>, Error> {
    Ok(checkpoints::newest(store, keys).await?.good.map(|(note, _)| note))
}

async fn dropped(view: &mut AuditView) -> Result<Leaves, Error> {
    // What cannot be read accounts for nothing: the missing rows are then told.
    Ok(view.dropped().await?.and_then(|text| text.parse().ok()).unwrap_or_default())
}

//! Where a verification reads from: a consistent view of the database, or an exported file.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Verification, VerificationReport};
use crate::app::Error;
use crate::app::audit::checkpoints;
use crate::crypto::note::NoteVerifier;
use crate::domain::audit::checkpoint::Checkpoint;
use crate::domain::audit::retention::Leaves;
use crate::store::{AuditView, Store};

/// The number of leaves in one page.
const PART: i64 = 4_000;
/// The most rows without a leaf to look at.
const UNSEALED: i64 = 10_000;

/// What a verification knows in advance.
#[derive(Debug, Clone, Default)]
pub struct VerificationSubject {
    /// The keys that may have signed.
    pub keys: Vec<NoteVerifier>,
    /// A checkpoint that was saved earlier, with its signature already verified.
    pub saved: Option<Checkpoint>,
    /// Entries that were not sealed at the previous check.
    pub waited: HashSet<Uuid>,
}

/// Verifies the audit log of a database. Returns the report, and the entries that are still waiting for the sealer.
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
    // If it cannot be read, it explains nothing, so the missing rows are reported.
    Ok(view.dropped().await?.and_then(|text| text.parse().ok()).unwrap_or_default())
}

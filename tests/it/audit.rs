//! The audit's tree: sealing, verification, proofs, and who may access it.
#![cfg(test)]

mod alterations;
mod command;
pub(crate) mod forgery;
mod functions;
mod hindrance;
mod reads;
mod roles;
mod sealer;

use std::collections::HashSet;

use eci_cache_gateway::app::audit::verification::{VerificationReport, VerificationSubject, verify};
use eci_cache_gateway::domain::audit::checkpoint::Checkpoint;
use eci_cache_gateway::store::Store;

use crate::support::gateway::audit_keys;

/// Verifies the database like `audit verify`: unsealed entries are checked again.
async fn verified(store: &Store, saved: Option<Checkpoint>) -> VerificationReport {
    let mut subject = VerificationSubject { keys: audit_keys().verifiers(), saved, waited: HashSet::new() };
    let (report, waiting) = verify(store, &subject).await.unwrap();
    if waiting.is_empty() {
        return report;
    }
    subject.waited = waiting;
    verify(store, &subject).await.unwrap().0
}

/// The newest checkpoint.
async fn newest(store: &Store) -> Checkpoint {
    let note = store.audit_checkpoint(None).await.unwrap().unwrap();
    Checkpoint::parse(audit_keys().verifiers()[0].open(&note).unwrap()).unwrap()
}

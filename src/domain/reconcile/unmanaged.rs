//! Decides who owns a cache that the cloud lists and that has no row.
//!
//! What must stay true: a cache is removed only if a create of ours certainly made it and nobody can ever learn of it.
//! The tag alone proves nothing, because tags can be copied: the operation must be in this database, it must be a
//! create that was sent and has ended, and the name and creation time must fit. Everything else is left alone, and
//! offered for adoption.
//!
//! Called by `app::reconciler`. It removes nothing itself.

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::OPERATION_TAG;
use crate::domain::operation::{Operation, OperationKind, OperationState, OperationTimings};

/// How far the cloud's clock may be behind ours.
const SKEW: Duration = Duration::minutes(1);

/// What to do about an unmanaged cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmanaged {
    /// Nothing yet: it belongs, or may belong, to an operation that has not ended, or whose request may still be
    /// accepted again.
    Wait,
    /// It belongs to nobody here: offer it for adoption.
    Found,
    /// Left behind by a create of ours that ended differently: remove it.
    Orphan,
}

/// The operation whose tag it carries.
pub fn tagged(seen: &Observation) -> Option<OperationId> {
    let (_, value) = seen.tags.iter().find(|(key, _)| key == OPERATION_TAG)?;
    value.parse().ok()
}

/// Decides about `seen`, which has no row. `operation` is the one that its tag names, if this database has it;
/// `creating` says whether a create with its name is in progress.
pub fn judge(
    seen: &Observation,
    operation: Option<&Operation>,
    creating: bool,
    now: Instant,
    rule: &OperationTimings,
) -> Unmanaged {
    let Some(operation) = operation else {
        return if creating { Unmanaged::Wait } else { Unmanaged::Found };
    };
    if !matches!(operation.state, OperationState::Succeeded | OperationState::Refused) {
        return Unmanaged::Wait;
    }
    let Some(last_signed) = operation.progress.last_signed_at else { return Unmanaged::Found };
    let closed_at = last_signed + rule.acceptance + rule.list_lag;
    let within = seen.created_at.is_some_and(|made| made >= operation.created_at - SKEW && made <= closed_at);
    let made_by_it = operation.progress.kind == OperationKind::Create && within && seen.name == operation.spec.name;
    match made_by_it {
        false => Unmanaged::Found,
        true if now < closed_at => Unmanaged::Wait,
        true => Unmanaged::Orphan,
    }
}

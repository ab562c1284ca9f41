//! A cache that the cloud lists and no row knows: whose is it?
//!
//! What must stay true: only what a create of ours has surely made, and nobody can ever hear of, is removed. The tag
//! alone proves nothing, for tags can be copied: the operation must be one of this database, a create that was sent
//! and has ended, and name and time of making must fit. Everything else is left alone, and offered for adoption.
//!
//! Who calls it: `app::reconciler`. What it does not do: remove.

use chrono::Duration;

use crate::domain::clock::Instant;
use crate::domain::ids::OperationId;
use crate::domain::image_cache::observation::Observation;
use crate::domain::image_cache::spec::OPERATION_TAG;
use crate::domain::operation::{Operation, OperationKind, OperationState, OperationTimings};

/// How far the cloud's clock may be behind ours.
const SKEW: Duration = Duration::minutes(1);

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmanaged {
    /// Nothing yet: it is, or may be, of an operation that has not ended, or may still be accepted once more.
    Wait,
    /// Nobody's here: offer it.
    Found,
    /// Left behind by a create of ours that ended otherwise: remove it.
    Orphan,
}

/// The operation whose tag it carries.
pub fn tagged(seen: &Observation) -> Option<OperationId> {
    let (_, value) = seen.tags.iter().find(|(key, _)| key == OPERATION_TAG)?;
    value.parse().ok()
}

/// What to do about `seen`, of which no row knows. `operation` is the one that its tag names, if this database has it;
/// `creating` tells whether a create of its name is under way.
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

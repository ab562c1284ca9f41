//! The lifecycles of operations and caches: each ends, by valid transitions, and the cloud agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use eci_cache_gateway::domain::image_cache::status::Status;
use eci_cache_gateway::domain::transition::reason::SHOWN_AGAIN;

use super::evidence::{Evidence, TransitionFact};

/// The longest recovery.
const RECOVERY: Duration = Duration::from_secs(20);

/// Nothing is running or waiting once everything has come to rest.
pub(super) fn stuck(evidence: &Evidence) -> Vec<String> {
    let over = |state: &str| matches!(state, "succeeded" | "refused");
    let open = evidence.operations.iter().filter(|operation| !over(&operation.state));
    let mut found: Vec<_> = open.map(|operation| format!("{operation:?}")).collect();
    let moving = |status: &str| status.parse::<Status>().map_or(true, |it| it.is_in_motion() || it == Status::Pending);
    found.extend(evidence.caches.iter().filter(|row| moving(&row.status)).map(|row| format!("{row:?}")));
    if evidence.waiting_deliveries > 0 {
        found.push(format!("{} deliveries have not ended", evidence.waiting_deliveries));
    }
    found
}

/// Transitions are numbered without gaps, each starts from the status to which the previous one led, all are valid, and
/// the last one led to the row's status.
pub(super) fn transitions(evidence: &Evidence) -> Vec<String> {
    let mut lives: BTreeMap<&str, Vec<&TransitionFact>> = BTreeMap::new();
    for row in &evidence.transitions {
        lives.entry(&row.image_cache).or_default().push(row);
    }
    let mut found = Vec::new();
    for cache in &evidence.caches {
        let mut life = lives.remove(cache.id.as_str()).unwrap_or_default();
        life.sort_by_key(|row| row.sequence);
        found.extend(faults(&life, evidence.lied).into_iter().map(|fault| format!("{}: {fault}", cache.id)));
        if life.last().is_none_or(|last| last.to != cache.status) {
            found.push(format!("{cache:?} ends with {:?}", life.last()));
        }
    }
    found
}

fn faults(life: &[&TransitionFact], lied: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut before: Option<&str> = None;
    for (number, row) in (1..).zip(life) {
        let legal = match (before, row.from.as_deref()) {
            (None, None) => row.to == "pending" || row.reason == "adopted",
            (Some(before), Some(from)) => before == from && may_become(from, row, lied),
            _ => false,
        };
        if row.sequence != number || !legal {
            found.push(format!("number {number} is {row:?}"));
        }
        before = Some(&row.to);
    }
    found
}

/// An ended cache continues only if the cloud had returned wrong data, and with that reason: a read that does not show
/// a cache may be believed at the end of such a time.
fn may_become(from: &str, row: &TransitionFact, lied: bool) -> bool {
    let (Ok(from), Ok(to)) = (from.parse::<Status>(), row.to.parse::<Status>()) else { return false };
    from.may_become(to) || (lied && row.reason == SHOWN_AGAIN && from.may_come_back_as(to))
}

/// A ready cache exists in the cloud, a deleted one does not.
pub(super) fn agreement(evidence: &Evidence) -> Vec<String> {
    let ids = |action: &str| -> BTreeSet<&str> {
        let acts = evidence.acts.iter().filter(|act| act.action == action);
        acts.map(|act| act.image_cache_id.as_str()).collect()
    };
    let (mut made, removed) = (ids("CreateImageCache"), ids("DeleteImageCache"));
    made.extend(evidence.put().keys());
    let wrong = evidence.caches.iter().filter(|row| {
        let id = row.eci_cache_id.as_deref().unwrap_or_default();
        match row.status.as_str() {
            "ready" => !made.contains(id) || removed.contains(id),
            "deleted" => !id.is_empty() && !removed.contains(id),
            // Withdrawn, because its caller was not told of it.
            "failed" => !row.is_asked() || !id.is_empty(),
            // These clients request nothing that fails or expires.
            _ => true,
        }
    });
    wrong.map(|row| format!("{row:?}")).collect()
}

/// After each fault, a create succeeded in time.
pub(super) fn recovery(evidence: &Evidence) -> Vec<String> {
    let late = evidence.recoveries.iter().filter(|recovery| recovery.took.is_none_or(|took| took > RECOVERY));
    late.map(|recovery| format!("{}: {:?}", recovery.fault, recovery.took)).collect()
}

//! `DeleteImageCache`: in any state, and immediate. There is no state `Deleting`: a deleted cache is no longer listed.

use serde_json::Map;

use super::answer::{ActionRefusal, ActionResult};
use super::ground::ActionContext;
use super::state::CloudState;
use crate::eci::params::read::read_delete;

/// Returns the response without deleting anything.
pub(super) fn pretend(state: &CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (id, region, _) = read_delete(params)?;
    ActionRefusal::unless_dry(params)?;
    let found = state.look_up(ground.at(&region), &id, ground.now);
    found.map(|_| Map::new()).ok_or_else(|| ActionRefusal::not_found(&id))
}

/// Deletes the cache.
pub(super) fn run(state: &mut CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (id, region, _) = read_delete(params)?;
    ActionRefusal::unless_dry(params)?;
    if state.remove(ground.at(&region), &id, ground.now) { Ok(Map::new()) } else { Err(ActionRefusal::not_found(&id)) }
}

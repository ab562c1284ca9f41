//! `DeleteImageCache`: in any state, and at once. There is no `Deleting`: a deleted cache is no longer listed.

use serde_json::Map;

use super::answer::{ActionRefusal, ActionResult};
use super::ground::ActionContext;
use super::state::CloudState;
use crate::eci::params::read::read_delete;

/// What would be answered; nothing is taken away.
pub(super) fn pretend(state: &CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (id, region, _) = read_delete(params)?;
    ActionRefusal::unless_dry(params)?;
    let found = state.look_up(ground.at(&region), &id, ground.now);
    found.map(|_| Map::new()).ok_or_else(|| ActionRefusal::not_found(&id))
}

/// Takes the cache away.
pub(super) fn run(state: &mut CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (id, region, _) = read_delete(params)?;
    ActionRefusal::unless_dry(params)?;
    if state.remove(ground.at(&region), &id, ground.now) { Ok(Map::new()) } else { Err(ActionRefusal::not_found(&id)) }
}

//! `DeleteImageCache`: in any state, and at once. There is no `Deleting`: a deleted cache is no longer listed.

use serde_json::Map;

use super::answer::{Outcome, Refusal};
use super::ground::Ground;
use super::state::State;
use crate::eci::params::read::read_delete;

/// What would be answered; nothing is taken away.
pub(super) fn pretend(state: &State, params: &[(String, String)], ground: &Ground<'_>) -> Outcome {
    let (id, region, _) = read_delete(params)?;
    Refusal::unless_dry(params)?;
    let found = state.look_up(ground.at(&region), &id, ground.now);
    found.map(|_| Map::new()).ok_or_else(|| Refusal::not_found(&id))
}

/// Takes the cache away.
pub(super) fn run(state: &mut State, params: &[(String, String)], ground: &Ground<'_>) -> Outcome {
    let (id, region, _) = read_delete(params)?;
    Refusal::unless_dry(params)?;
    if state.remove(ground.at(&region), &id, ground.now) { Ok(Map::new()) } else { Err(Refusal::not_found(&id)) }
}

//! `DeleteImageCache`: in any state, and at once. There is no `Deleting`: a deleted cache is no longer listed.

use serde_json::Map;

use super::answer::{Outcome, Refusal};
use super::params::Params;
use super::state::{Ground, State};

/// Takes the cache away.
pub(super) fn run(state: &mut State, params: &Params, ground: &Ground<'_>) -> Outcome {
    let id = params.required("ImageCacheId")?;
    let region = params.required("RegionId")?;
    if state.remove(region, id, ground.now) { Ok(Map::new()) } else { Err(Refusal::not_found(id)) }
}

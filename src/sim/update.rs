//! `UpdateImageCache`: only from `Ready` or `UpdateFailed`. What is not given stays as it is.
//!
//! Name, tags, images and the like are as they shall be from the first look on, although the status lags:
//! a new tag proves that the update was accepted, not that its build is done.

use serde_json::Map;

use super::answer::{Outcome, Refusal};
use super::create::Wanted;
use super::machine::{Build, Status};
use super::params::Params;
use super::state::{Cache, Ground, State};

/// Checks the parameters and the state, and begins a new build.
pub(super) fn run(state: &mut State, params: &Params, ground: &Ground<'_>) -> Outcome {
    let id = params.required("ImageCacheId")?;
    let region = params.required("RegionId")?;
    let wanted = Wanted::read(params)?;
    let cache = state.find(region, id, ground.now).ok_or_else(|| Refusal::not_found(id))?;
    let status = cache.build.truth(ground.now).status;
    if ![Status::Ready, Status::UpdateFailed].contains(&status) {
        let message = format!("The current status of the image cache {id} is {}.", status.as_str());
        return Err(Refusal::new(400, "ImageCache.IncorrectStatus", message));
    }
    rebuild(cache, wanted, ground);
    state.note_update(id);
    Ok(Map::new())
}

fn rebuild(cache: &mut Cache, wanted: Wanted, ground: &Ground<'_>) {
    if let Some(name) = &wanted.name {
        cache.name.clone_from(name);
    }
    if !wanted.images.is_empty() {
        cache.images.clone_from(&wanted.images);
    }
    if !wanted.tags.is_empty() {
        cache.tags.clone_from(&wanted.tags);
    }
    cache.size_gib = wanted.size_gib.unwrap_or(cache.size_gib);
    cache.flash = wanted.flash.unwrap_or(cache.flash);
    cache.reuse = wanted.reuse.unwrap_or(cache.reuse);
    cache.expires_at = wanted.expires_at(ground.now).or(cache.expires_at);
    let speed = (cache.flash, cache.reuse);
    let order = wanted.order(&cache.name, &cache.region, &cache.images, cache.size_gib, speed, ground);
    cache.resource_group_id = wanted.resource_group_id.or(cache.resource_group_id.take());
    cache.elimination_strategy = wanted.elimination_strategy.or(cache.elimination_strategy.take());
    cache.past = cache.events(ground.now).into_iter().cloned().collect();
    cache.build = Build::again(&order, &cache.build.shown(ground.now));
}

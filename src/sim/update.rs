//! `UpdateImageCache`: only from `Ready` or `UpdateFailed`. What is not given stays as it is; what an update
//! does not take (zone, annotations, plain-HTTP and insecure registries, OS, roles) is ignored.
//!
//! Name, tags, images and the like are as they shall be from the first look on, although the status lags:
//! a new tag proves that the update was accepted, not that its build is done.

use serde_json::Map;

use super::answer::{Outcome, Refusal};
use super::create::{expires_at, order};
use super::ground::Ground;
use super::limits;
use super::machine::{Build, Status};
use super::state::State;
use crate::eci::params::read::read_update;

/// Checks the parameters and the state, and begins a new build.
pub(super) fn run(state: &mut State, params: &[(String, String)], ground: &Ground<'_>) -> Outcome {
    let (id, region, changes, _) = read_update(params)?;
    let now = ground.now;
    let cache = state.find(ground.at(&region), &id, now).ok_or_else(|| Refusal::not_found(&id))?;
    let spec = changes.onto(&cache.spec);
    limits::check(&spec, &changes.registry_credentials)?;
    let status = cache.build.truth(now).status;
    if ![Status::Ready, Status::UpdateFailed].contains(&status) {
        let message = format!("The current status of the image cache {id} is {}.", status.as_str());
        return Err(Refusal::new(400, "ImageCache.IncorrectStatus", message));
    }
    Refusal::unless_dry(params)?;
    cache.expires_at = expires_at(changes.retention_days, now).or(cache.expires_at);
    cache.past = cache.events(now).into_iter().cloned().collect();
    cache.build = Build::again(&order(&spec, &changes.registry_credentials, ground), &cache.build.shown(now));
    cache.spec = spec;
    state.note_update(&id);
    Ok(Map::new())
}

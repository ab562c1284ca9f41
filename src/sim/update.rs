//! `UpdateImageCache`: only from `Ready` or `UpdateFailed`. What is not given stays unchanged; what an update does not
//! support (zone, annotations, plain-HTTP and insecure registries, OS, roles) is ignored.
//!
//! Name, tags, images and the like are updated at once, although the status lags: a new tag proves that the update was
//! accepted, not that its build is done.

use serde_json::Map;

use super::answer::{ActionRefusal, ActionResult};
use super::create::{expires_at, order};
use super::ground::ActionContext;
use super::limits;
use super::machine::{BuildStatus, PlannedBuild};
use super::state::CloudState;
use crate::eci::params::read::read_update;

/// Checks the parameters and the state, and starts a new build.
pub(super) fn run(state: &mut CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (id, region, changes, _) = read_update(params)?;
    let now = ground.now;
    let cache = state.find(ground.at(&region), &id, now).ok_or_else(|| ActionRefusal::not_found(&id))?;
    let spec = changes.onto(&cache.spec);
    limits::check(&spec, &changes.registry_credentials)?;
    let status = cache.build.truth(now).status;
    if ![BuildStatus::Ready, BuildStatus::UpdateFailed].contains(&status) {
        let message = format!("The current status of the image cache {id} is {}.", status.as_str());
        return Err(ActionRefusal::new(400, "ImageCache.IncorrectStatus", message));
    }
    ActionRefusal::unless_dry(params)?;
    cache.expires_at = expires_at(changes.retention_days, now).or(cache.expires_at);
    cache.past = cache.events(now).into_iter().cloned().collect();
    cache.build = PlannedBuild::again(&order(&spec, &changes.registry_credentials, ground), &cache.build.look_at(now));
    cache.spec = spec;
    state.note_update(&id);
    Ok(Map::new())
}

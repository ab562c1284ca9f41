//! `CreateImageCache`.

use chrono::Duration;
use serde_json::Value;

use super::answer::{ActionRefusal, ActionResult};
use super::ground::ActionContext;
use super::images::{self, Login};
use super::limits;
use super::machine::{Order, PlannedBuild};
use super::state::{CloudCache, CloudState, new_id};
use crate::domain::clock::Instant;
use crate::domain::image_cache::spec::{DEFAULT_SIZE_GIB, ImageCacheSpec, RegistryCredential};
use crate::eci::params::read::read_create;

/// Checks the parameters and starts building a cache.
pub(super) fn run(state: &mut CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let (new, _) = read_create(params)?;
    limits::check(&new.spec, &new.registry_credentials)?;
    ActionRefusal::unless_dry(params)?;
    state.make_room(ground.at(&new.spec.region), ground.now)?;
    let mut spec = new.spec;
    spec.size_gib = spec.size_gib.or(Some(DEFAULT_SIZE_GIB));
    let (id, container_group_id) = begin(state, spec, &new.registry_credentials, ground);
    let answer = [("ImageCacheId", id), ("ContainerGroupId", container_group_id)];
    Ok(answer.map(|(key, value)| (key.to_owned(), Value::String(value))).into_iter().collect())
}

/// Starts building a cache. Returns its id and that of the instance that builds it.
pub(super) fn begin(
    state: &mut CloudState,
    spec: ImageCacheSpec,
    logins: &[RegistryCredential],
    ground: &ActionContext<'_>,
) -> (String, String) {
    let id = new_id("imc-", spec.region.as_str(), ground.entropy);
    let container_group_id = new_id("eci-", spec.region.as_str(), ground.entropy);
    let build = PlannedBuild::first(&order(&spec, logins, ground));
    let cache = CloudCache {
        id: id.clone(),
        account: ground.signatory.account.to_owned(),
        created_at: ground.now,
        expires_at: expires_at(spec.retention_days, ground.now),
        last_matched_at: None,
        container_group_id: container_group_id.clone(),
        build,
        past: Vec::new(),
        spec,
    };
    state.add(cache, ground.signatory.access_key_id);
    (id, container_group_id)
}

/// When a cache created now with this retention expires.
pub(super) fn expires_at(days: Option<i32>, now: Instant) -> Option<Instant> {
    days.map(|days| now + Duration::days(days.into()))
}

/// The build for `spec`. Registry logins are used only for the request that contains them.
pub(super) fn order(spec: &ImageCacheSpec, logins: &[RegistryCredential], ground: &ActionContext<'_>) -> Order {
    let logins: Vec<_> = logins.iter().map(Login::from).collect();
    let region = spec.region.as_str();
    Order {
        begun_at: ground.now,
        speed: ground.speed,
        cache_name: spec.name.clone(),
        images: spec.images.clone(),
        flash: spec.flash.unwrap_or(false),
        reuse: spec.reuse_layers.unwrap_or(false),
        failure: images::failure(&spec.images, &logins, spec.size_gib.unwrap_or(DEFAULT_SIZE_GIB).into()),
        snapshot_id: new_id("s-", region, ground.entropy),
        flash_snapshot_id: new_id("s-", region, ground.entropy),
    }
}

//! Creates and removes caches in bulk, for benchmarks: as if they had been created at another time.

use std::collections::BTreeMap;

use chrono::Duration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::create;
use super::ground::ActionContext;
use super::limits::ONE_IMAGE_SECONDS;
use super::state::CloudState;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::region::Region;

/// The caches to create and to remove.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bulk {
    #[serde(default)]
    put: Vec<SeedCache>,
    #[serde(default)]
    remove: Vec<Remove>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedCache {
    region: Region,
    name: String,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    /// The age of the cache.
    #[serde(default)]
    age_seconds: f64,
    /// The duration of its build.
    build_seconds: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    region: Region,
    image_cache_id: String,
}

/// Returns the ids of the created caches, in order.
pub(super) fn run(state: &mut CloudState, bulk: Bulk, ground: &ActionContext<'_>) -> Result<Value, String> {
    for gone in bulk.remove {
        state.remove(ground.at(&gone.region), &gone.image_cache_id, ground.now);
    }
    let ids = bulk.put.iter().map(|put| one(state, put, ground)).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "put": ids }))
}

fn one(state: &mut CloudState, put: &SeedCache, ground: &ActionContext<'_>) -> Result<String, String> {
    let spec = json!({"name": put.name, "region": put.region, "images": ["nginx:1"], "tags": put.tags, "size_gib": 20});
    let spec: ImageCacheSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
    let age =
        std::time::Duration::try_from_secs_f64(put.age_seconds).map_err(|_| "age_seconds must not be negative")?;
    let begun_at = Duration::from_std(age).ok().and_then(|age| ground.now.checked_sub_signed(age));
    let now = begun_at.ok_or("age_seconds is too long ago")?;
    if !(0.001..=1e9).contains(&put.build_seconds) {
        return Err("build_seconds must be above 0".to_owned());
    }
    let ground = ActionContext { now, speed: ONE_IMAGE_SECONDS / put.build_seconds, ..*ground };
    Ok(create::begin(state, spec, &[], &ground).0)
}

//! One image cache as the cloud would show it: the cloud's own object as last seen, fields that we do not know
//! among them, with what we know better laid over it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::image_cache::ImageCache;
use crate::domain::spec::EliminationStrategy;
use crate::domain::status::Status;

/// Tags of ours begin so: a team has no business with them.
const OWN_TAGS: &str = "eci-cache-gateway:";
/// What the cloud takes where no size is given, in GiB.
const DEFAULT_SIZE: i32 = 20;

/// The cloud's object of `cache`.
pub(super) fn of(cache: &ImageCache) -> Value {
    let mut object = cache.provider.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    let tags = tags(cache, object.get("Tags"));
    let mut put = |name: &str, value: Option<Value>| match value {
        Some(value) => drop(object.insert(name.to_owned(), value)),
        None => drop(object.remove(name)),
    };
    put("ImageCacheId", cache.eci_cache_id.as_ref().map(|id| json!(id)));
    put("ImageCacheName", Some(json!(cache.spec.name)));
    put("Status", Some(json!(status(cache))));
    put("Progress", Some(json!(format!("{}%", cache.progress_percent.unwrap_or(0)))));
    put("Images", Some(json!(cache.spec.images)));
    put("RegionId", Some(json!(cache.spec.region)));
    put("ContainerGroupId", cache.container_group_id.as_ref().map(|id| json!(id)));
    put("SnapshotId", cache.snapshot_id.as_ref().map(|id| json!(id)));
    put("FlashSnapshotId", cache.flash_snapshot_id.as_ref().map(|id| json!(id)));
    put("ExpireDateTime", cache.expires_at.map(time));
    put("LastMatchedTime", cache.last_matched_at.map(time));
    put("Tags", Some(tags));
    default_to(&mut object, "CreationTime", time(cache.created_at));
    default_to(&mut object, "ImageCacheSize", json!(cache.spec.size_gib.unwrap_or(DEFAULT_SIZE)));
    default_to(&mut object, "Events", json!([]));
    let strategy = cache.spec.elimination_strategy.map_or("", EliminationStrategy::as_wire);
    default_to(&mut object, "EliminationStrategy", json!(strategy));
    if let Some(group) = &cache.spec.resource_group_id {
        default_to(&mut object, "ResourceGroupId", json!(group));
    }
    Value::Object(object)
}

/// What the cloud has not told yet.
fn default_to(object: &mut Map<String, Value>, name: &str, value: Value) {
    if object.get(name).is_none_or(Value::is_null) {
        object.insert(name.to_owned(), value);
    }
}

/// The cloud's word. The final ones are never asked for: the cloud no longer lists such caches.
fn status(cache: &ImageCache) -> &str {
    match cache.status {
        Status::Pending | Status::Preparing => "Preparing",
        Status::Creating => "Creating",
        Status::Ready => "Ready",
        Status::Failed => "Failed",
        Status::Updating => "Updating",
        Status::UpdateFailed => "UpdateFailed",
        Status::Unknown | Status::Deleting | Status::Deleted | Status::Expired | Status::Lost => {
            cache.provider_status.as_deref().unwrap_or("Unknown")
        }
    }
}

fn time(at: DateTime<Utc>) -> Value {
    json!(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The team's tags, and those that others have set at the cloud.
fn tags(cache: &ImageCache, seen: Option<&Value>) -> Value {
    let own = cache.spec.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
    let seen = seen.and_then(Value::as_array).into_iter().flatten().filter(|tag| {
        let key = tag["Key"].as_str().unwrap_or_default();
        !key.starts_with(OWN_TAGS) && !cache.spec.tags.contains_key(key)
    });
    own.chain(seen.cloned()).collect()
}

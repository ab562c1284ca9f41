//! One image cache as the cloud would show it: the cloud's own object as last seen, fields that we do not know
//! among them, with what we know better laid over it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::domain::image_cache::ImageCache;
use crate::domain::image_cache::spec::fields::FIELDS;
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_cache::spec::{DEFAULT_SIZE_GIB, GATEWAY_TAGS};
use crate::domain::image_cache::status::Status;

/// The cloud's object of `cache`.
pub(super) fn of(cache: &ImageCache) -> Value {
    let mut object = cache.provider.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    let tags = tags(cache, object.get("Tags"));
    let mut put = |name: &str, value: Option<Value>| match value {
        Some(value) => drop(object.insert(name.to_owned(), value)),
        None => drop(object.remove(name)),
    };
    put("ImageCacheId", cache.eci_cache_id.as_ref().map(|id| json!(id)));
    put(FIELDS.name.wire, Some(json!(cache.spec.name)));
    put("Status", Some(json!(status(cache))));
    put("Progress", Some(json!(format!("{}%", cache.progress_percent.unwrap_or(0)))));
    put("Images", Some(json!(cache.spec.images)));
    put(FIELDS.region.wire, Some(json!(cache.spec.region)));
    put("ContainerGroupId", cache.container_group_id.as_ref().map(|id| json!(id)));
    put("SnapshotId", cache.snapshot_id.as_ref().map(|id| json!(id)));
    put("FlashSnapshotId", cache.flash_snapshot_id.as_ref().map(|id| json!(id)));
    put("ExpireDateTime", cache.expires_at.map(time));
    put("LastMatchedTime", cache.last_matched_at.map(time));
    put("Tags", Some(tags));
    default_to(&mut object, "CreationTime", time(cache.created_at));
    let size = cache.spec.size_gib.map(|size| json!(size));
    given_or(&mut object, FIELDS.size_gib.wire, size, json!(DEFAULT_SIZE_GIB));
    default_to(&mut object, "Events", json!([]));
    let strategy = cache.spec.elimination_strategy.map(|strategy| json!(strategy.as_wire()));
    given_or(&mut object, FIELDS.elimination_strategy.wire, strategy, json!(""));
    if let Some(group) = &cache.spec.resource_group_id {
        object.insert(FIELDS.resource_group_id.wire.to_owned(), json!(group));
    }
    Value::Object(object)
}

/// What was asked for, else what was seen, else the cloud's default.
fn given_or(object: &mut Map<String, Value>, name: &str, given: Option<Value>, default: Value) {
    match given {
        Some(value) => drop(object.insert(name.to_owned(), value)),
        None => default_to(object, name, default),
    }
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
        Status::Unknown | Status::Deleting | Status::Deleted | Status::Expired | Status::Evicted | Status::Lost => {
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
        !key.starts_with(GATEWAY_TAGS) && !cache.spec.tags.contains_key(key)
    });
    own.chain(seen.cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::entropy::Entropy;
    use crate::domain::ids::{CacheId, OperationId};
    use crate::domain::image_cache::BuildEvidence;

    fn cache(provider: Option<Value>) -> ImageCache {
        let (now, entropy) = (Instant::UNIX_EPOCH, Entropy::from_seed(1));
        let spec = json!({"name": "web", "region": "cn-beijing", "images": ["nginx:2"], "tags": {"env": "test"}});
        ImageCache {
            id: CacheId::new(now, &entropy),
            team: "web".parse().unwrap(),
            account: "default".to_owned(),
            spec: serde_json::from_value(spec).unwrap(),
            status: Status::Updating,
            provider_status: Some("Ready".to_owned()),
            generation: 2,
            version: 3,
            sequence: 3,
            operation: OperationId::new(now, &entropy),
            eci_cache_id: Some("imc-1".to_owned()),
            container_group_id: None,
            snapshot_id: Some("s-1".to_owned()),
            flash_snapshot_id: None,
            progress_percent: None,
            failure: None,
            created_at: now,
            updated_at: now,
            ready_at: None,
            expires_at: None,
            evidence: BuildEvidence::default(),
            last_matched_at: None,
            provider,
            misses: 0,
            reconciled: crate::domain::image_cache::drift::Reconciled::default(),
            poll_bucket: None,
        }
    }

    #[test]
    fn what_we_know_better_lies_over_what_was_seen() {
        let seen = json!({
            "ImageCacheId": "imc-1", "Status": "Ready", "Progress": "100%", "Images": ["nginx:1"], "FlashSnapshotId": "s-9",
            "CreationTime": "2026-03-01T08:00:00Z", "ImageCacheSize": "30", "FutureField": {"a": 1}, "Events": null,
            "Tags": [{"Key": "eci-cache-gateway:operation", "Value": "op"}, {"Key": "env", "Value": "old"},
                {"Key": "acs:x", "Value": "y"}],
        });
        let shown = of(&cache(Some(seen)));
        for (name, value) in [
            ("Status", json!("Updating")),
            ("Progress", json!("0%")),
            ("Images", json!(["nginx:2"])),
            ("FlashSnapshotId", Value::Null),
            ("CreationTime", json!("2026-03-01T08:00:00Z")),
            ("ImageCacheSize", json!("30")),
            ("FutureField", json!({"a": 1})),
            ("Events", json!([])),
            ("Tags", json!([{"Key": "env", "Value": "test"}, {"Key": "acs:x", "Value": "y"}])),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
    }

    #[test]
    fn a_cache_that_was_never_looked_at_is_whole() {
        let shown = of(&cache(None));
        for (name, value) in [
            ("ImageCacheId", json!("imc-1")),
            ("ImageCacheName", json!("web")),
            ("RegionId", json!("cn-beijing")),
            ("CreationTime", json!("1970-01-01T00:00:00Z")),
            ("ImageCacheSize", json!(20)),
            ("EliminationStrategy", json!("")),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
        assert!(shown.get("ContainerGroupId").is_none() && shown.get("ExpireDateTime").is_none());
    }
}

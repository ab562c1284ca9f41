//! The responses about image caches under Alibaba's names, parsed leniently.
//!
//! Sources disagree on types, so a number may be a numeric string and vice versa, a null list is empty, and unknown
//! fields are kept in `other`. Only what makes a response useless if it is missing (an id, a status) is required.
//!
//! Called by the client. It does not tell responses from errors; see [`super::fault`].

use chrono::{DateTime, NaiveDateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::image_cache::observation::{Observation, ProviderEvent};

/// The response to `CreateImageCache`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateImageCacheAnswer {
    /// `RequestId`.
    #[serde(default, deserialize_with = "text")]
    pub request_id: Option<String>,
    /// `ImageCacheId`, imc-….
    pub image_cache_id: String,
    /// `ContainerGroupId` of the instance that builds it, eci-….
    #[serde(default, deserialize_with = "text")]
    pub container_group_id: Option<String>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The response to `UpdateImageCache` and `DeleteImageCache`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DoneAnswer {
    /// `RequestId`. Required: nothing else distinguishes this response from any other JSON object.
    pub request_id: String,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The response to `DescribeImageCaches`: one page.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeImageCachesAnswer {
    /// `RequestId`.
    #[serde(default, deserialize_with = "text")]
    pub request_id: Option<String>,
    /// `ImageCaches`. Required: a body without it is not a page, and must not be taken for an empty one.
    #[serde(deserialize_with = "list")]
    pub image_caches: Vec<Value>,
    /// `NextToken`; absent on the last page.
    #[serde(default, deserialize_with = "text")]
    pub next_token: Option<String>,
    /// `TotalCount`. Ambiguous, so nothing depends on it.
    #[serde(default, deserialize_with = "number")]
    pub total_count: Option<i64>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// One image cache of a page.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct WireImageCache {
    /// `ImageCacheId`, imc-….
    pub image_cache_id: String,
    /// `ImageCacheName`.
    #[serde(default, deserialize_with = "text")]
    pub image_cache_name: Option<String>,
    /// `Status`: `Preparing`, `Creating`, `Ready`, `Failed`, `Updating`, `UpdateFailed`, or a new one.
    pub status: String,
    /// `Progress`, such as `"100%"`.
    #[serde(default, deserialize_with = "text")]
    pub progress: Option<String>,
    /// `Images`.
    #[serde(default, deserialize_with = "list")]
    pub images: Vec<String>,
    /// `ImageCacheSize` in GiB.
    #[serde(default, deserialize_with = "number")]
    pub image_cache_size: Option<i64>,
    /// `CreationTime`.
    #[serde(default, deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// `ExpireDateTime`; absent or empty if it never expires.
    #[serde(default, deserialize_with = "text")]
    pub expire_date_time: Option<String>,
    /// `ContainerGroupId`, eci-….
    #[serde(default, deserialize_with = "text")]
    pub container_group_id: Option<String>,
    /// `SnapshotId`, s-…, once the standard snapshot exists.
    #[serde(default, deserialize_with = "text")]
    pub snapshot_id: Option<String>,
    /// `FlashSnapshotId`, s-…, while the local snapshot exists.
    #[serde(default, deserialize_with = "text")]
    pub flash_snapshot_id: Option<String>,
    /// `LastMatchedTime`; absent until an instance has used the cache.
    #[serde(default, deserialize_with = "text")]
    pub last_matched_time: Option<String>,
    /// `ResourceGroupId`.
    #[serde(default, deserialize_with = "text")]
    pub resource_group_id: Option<String>,
    /// `EliminationStrategy`.
    #[serde(default, deserialize_with = "text")]
    pub elimination_strategy: Option<String>,
    /// `Tags`.
    #[serde(default, deserialize_with = "list")]
    pub tags: Vec<Tag>,
    /// `Events`, the newest 50.
    #[serde(default, deserialize_with = "list")]
    pub events: Vec<Event>,
    /// All other fields.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A tag of an image cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    /// `Key`.
    #[serde(default, deserialize_with = "text")]
    pub key: Option<String>,
    /// `Value`.
    #[serde(default, deserialize_with = "text")]
    pub value: Option<String>,
}

/// An event of an image cache.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// `Name`.
    #[serde(default, deserialize_with = "text")]
    pub name: Option<String>,
    /// `Type`: `Normal` or `Warning`.
    #[serde(default, rename = "Type", deserialize_with = "text")]
    pub kind: Option<String>,
    /// `Reason`.
    #[serde(default, deserialize_with = "text")]
    pub reason: Option<String>,
    /// `Message`.
    #[serde(default, deserialize_with = "text")]
    pub message: Option<String>,
    /// `Count`.
    #[serde(default, deserialize_with = "number")]
    pub count: Option<i64>,
    /// `FirstTimestamp`.
    #[serde(default, deserialize_with = "text")]
    pub first_timestamp: Option<String>,
    /// `LastTimestamp`.
    #[serde(default, deserialize_with = "text")]
    pub last_timestamp: Option<String>,
}

impl Observation {
    /// Parses one object of `ImageCaches`, and keeps all of it.
    pub(super) fn read(raw: Value) -> Result<Self, serde_json::Error> {
        let cache = WireImageCache::deserialize(&raw)?;
        Ok(Self { raw, ..cache.into() })
    }
}

impl From<WireImageCache> for Observation {
    fn from(cache: WireImageCache) -> Self {
        let mut events: Vec<ProviderEvent> = cache.events.into_iter().map(ProviderEvent::from).collect();
        // The cloud's order is not documented; ours is newest last. The sort is stable, so equal times keep their
        // order.
        events.sort_by_key(|event| event.last_at);
        Self {
            eci_cache_id: cache.image_cache_id,
            status: cache.status,
            progress_percent: cache.progress.as_deref().and_then(percent),
            container_group_id: cache.container_group_id,
            snapshot_id: cache.snapshot_id,
            flash_snapshot_id: cache.flash_snapshot_id,
            created_at: cache.creation_time.as_deref().and_then(instant),
            expires_at: cache.expire_date_time.as_deref().and_then(instant),
            images: cache.images,
            tags: cache
                .tags
                .into_iter()
                .map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()))
                .collect(),
            name: cache.image_cache_name.unwrap_or_default(),
            size_gib: cache.image_cache_size.and_then(|size| i32::try_from(size).ok()),
            resource_group_id: cache.resource_group_id,
            elimination_strategy: cache.elimination_strategy,
            last_matched_at: cache.last_matched_time.as_deref().and_then(instant),
            raw: Value::Null,
            events,
        }
    }
}

impl From<Event> for ProviderEvent {
    fn from(event: Event) -> Self {
        Self {
            name: event.name.unwrap_or_default(),
            kind: event.kind.unwrap_or_default(),
            reason: event.reason.unwrap_or_default(),
            message: event.message.unwrap_or_default(),
            count: event.count.unwrap_or(1),
            first_at: event.first_timestamp.as_deref().and_then(instant),
            last_at: event.last_timestamp.as_deref().and_then(instant),
        }
    }
}

/// `"42%"`, `"42"` or `"42.5%"` as a whole percentage from 0 to 100.
fn percent(text: &str) -> Option<i32> {
    let whole = text.trim().trim_end_matches('%').trim().split('.').next()?;
    whole.parse::<i32>().ok().filter(|percent| (0..=100).contains(percent))
}

/// A time in the cloud's format (`2019-08-13T08:50:00Z`; older responses omit the seconds or the zone).
fn instant(text: &str) -> Option<Instant> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc)).ok();
    let lenient = || {
        ["%Y-%m-%dT%H:%MZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|time| time.and_utc())
    };
    parsed.or_else(lenient).map(|time| time.trunc_subsecs(6))
}

/// A string, number or boolean as a string; `None` for null and the empty string.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    })
}

/// A whole number or numeric string; `None` for anything else.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    })
}

/// A list; empty for null.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(json: &str) -> Observation {
        serde_json::from_str::<WireImageCache>(json).expect("readable").into()
    }

    #[test]
    fn a_full_cache_is_read() {
        let seen = seen(
            r#"{"ImageCacheId":"imc-1","ImageCacheName":"web","Status":"Ready","Progress":"100%","Images":["nginx:1"],
            "ImageCacheSize":20,"CreationTime":"2019-08-13T08:50:00Z","ExpireDateTime":"2019-08-20T08:50:00Z",
            "ContainerGroupId":"eci-1","SnapshotId":"s-1","FlashSnapshotId":"","RegionId":"cn-beijing",
            "Tags":[{"Key":"imc","Value":"test"},{"Key":"empty"}],
            "Events":[{"Type":"Normal","Reason":"Started","Message":"m","Name":"web.2","Count":"2",
              "FirstTimestamp":"2019-08-13T08:52Z","LastTimestamp":"2019-08-13T08:52:00Z"},
              {"Type":"Normal","Name":"web.1","LastTimestamp":"2019-08-13T08:51:00Z"}]}"#,
        );
        assert_eq!((seen.status.as_str(), seen.progress_percent), ("Ready", Some(100)));
        assert_eq!((seen.snapshot_id.as_deref(), seen.flash_snapshot_id), (Some("s-1"), None));
        assert_eq!(seen.expires_at.zip(seen.created_at).map(|(end, start)| (end - start).num_days()), Some(7));
        assert_eq!(seen.tags, [("imc".into(), "test".into()), ("empty".into(), String::new())]);
        let names: Vec<_> = seen.events.iter().map(|event| (event.name.as_str(), event.count)).collect();
        assert_eq!(names, [("web.1", 1), ("web.2", 2)], "newest last");
        assert_eq!(seen.events[1].first_at, seen.events[1].last_at, "a time without seconds is read");
    }

    #[test]
    fn odd_types_and_nulls_are_read() {
        let seen = seen(
            r#"{"ImageCacheId":"imc-1","Status":"Polishing","Progress":7,"Images":null,"ImageCacheSize":"20",
            "CreationTime":"yesterday","Tags":null,"Events":null,"Novelty":{"a":1}}"#,
        );
        assert_eq!((seen.status.as_str(), seen.progress_percent), ("Polishing", Some(7)));
        assert_eq!((seen.created_at, seen.images.len(), seen.events.len()), (None, 0, 0));
    }

    #[test]
    fn a_page_needs_its_list_and_keeps_what_it_does_not_know() {
        let page: DescribeImageCachesAnswer =
            serde_json::from_str(r#"{"ImageCaches":null,"NextToken":"","TotalCount":"3","New":1}"#).expect("readable");
        assert_eq!((page.next_token, page.total_count, page.other["New"].as_i64()), (None, Some(3), Some(1)));
        assert!(serde_json::from_str::<DescribeImageCachesAnswer>(r#"{"RequestId":"r"}"#).is_err());
    }
}

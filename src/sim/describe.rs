//! `DescribeImageCaches`: filters, and pages of 20, newest first; with `MatchImage`, best first.
//!
//! If newest first, a page's token is the position of the last cache on it, so caches created or deleted between two
//! pages neither hide nor repeat another one. If best first, it is the number of caches returned so far.

use chrono::Duration;
use serde_json::{Map, Value, json};

use super::answer::{ActionRefusal, ActionResult};
use super::ground::ActionContext;
use super::machine::BuildEvent;
use super::match_image;
use super::state::{CloudCache, CloudState};
use crate::domain::clock::Instant;
use crate::domain::filter::DescribeFilter;
use crate::domain::image_cache::spec::EliminationStrategy;
use crate::domain::image_cache::spec::fields::FIELDS;
use crate::domain::image_cache::spec::values::Word;
use crate::domain::image_ref::{ImageRef, ImageRefError};
use crate::eci::params::read::{ParameterError, read_describe};

/// A region with more caches than this is not counted for each page; `TotalCount` may then include caches that were
/// just deleted.
const COUNTED: usize = 1_000;
/// The prefixes of a page's token: by position, and by count.
const PLACE: &str = "p1-";
const COUNT: &str = "m1-";

/// One page of the matching caches.
pub(super) fn run(state: &CloudState, params: &[(String, String)], ground: &ActionContext<'_>) -> ActionResult {
    let filter = read_describe(params)?;
    for (place, image) in (1..).zip(&filter.match_images) {
        let wrong = |error: ImageRefError| ParameterError::invalid(format!("MatchImage.{place}"), &error.to_string());
        image.parse::<ImageRef>().map_err(wrong)?;
    }
    let (now, spot) = (ground.now, ground.at(&filter.region));
    let lag = Duration::seconds(state.limits.list_lag_seconds.into());
    let known = |cache: &CloudCache| !state.lies.hide(&cache.id, now) && fits(&filter, cache, now);
    let shows = |cache: &CloudCache| cache.created_at + lag <= now && known(cache);
    let by_match = !filter.match_images.is_empty();
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let long = state.held(spot) > COUNTED && !state.lies.is_active(now);
    if filter.eci_cache_id.is_none() && filter.tags.is_empty() && !by_match && long {
        let before = filter.next_token.as_ref().map_or(Ok(u64::MAX), |token| number(token, PLACE))?;
        let found = state.listed_before(spot, before, now).filter(|(_, cache)| shows(cache));
        let found: Vec<_> = found.take(limit.saturating_add(1)).collect();
        return Ok(long_page(&found, limit, state.held(spot), now));
    }
    let fitting: Vec<(u64, &CloudCache)> = match &filter.eci_cache_id {
        Some(id) => state.look_up(spot, id, now).into_iter().filter(|(_, cache)| known(cache)).collect(),
        None => match filter.tags.iter().find_map(|(key, value)| Some((key.clone(), value.clone()?))) {
            Some(tag) => state.tagged(spot, &tag, now).filter(|(_, cache)| shows(cache)).collect(),
            None => state.listed(spot, now).filter(|(_, cache)| shows(cache)).collect(),
        },
    };
    let fitting = if by_match { match_image::best(fitting, &filter, now) } else { fitting };
    let from = match (&filter.next_token, by_match) {
        (None, _) => 0,
        (Some(token), true) => usize::try_from(number(token, COUNT)?).map_err(|_| ActionRefusal::next_token())?,
        (Some(token), false) => {
            let before = number(token, PLACE)?;
            fitting.iter().take_while(|(place, _)| *place >= before).count()
        }
    };
    let end = from.saturating_add(limit).min(fitting.len());
    let page = fitting.get(from..end).unwrap_or_default();
    let mut answer = Map::new();
    answer.insert("ImageCaches".to_owned(), page.iter().map(|(_, cache)| show(cache, now)).collect());
    answer.insert("TotalCount".to_owned(), json!(fitting.len()));
    if let Some((place, _)) = page.last().filter(|_| end < fitting.len()) {
        let token = if by_match { format!("{COUNT}{end:x}") } else { format!("{PLACE}{place:x}") };
        answer.insert("NextToken".to_owned(), Value::String(token));
    }
    Ok(answer)
}

/// A page of a list that is too long to be scanned for each page: `found` has one more cache if there is another page.
fn long_page(found: &[(u64, &CloudCache)], limit: usize, held: usize, now: Instant) -> Map<String, Value> {
    let page = &found[..limit.min(found.len())];
    let mut answer = Map::new();
    answer.insert("ImageCaches".to_owned(), page.iter().map(|(_, cache)| show(cache, now)).collect());
    answer.insert("TotalCount".to_owned(), json!(held));
    if let Some((place, _)) = page.last().filter(|_| found.len() > limit) {
        answer.insert("NextToken".to_owned(), Value::String(format!("{PLACE}{place:x}")));
    }
    answer
}

fn number(token: &str, prefix: &str) -> Result<u64, ActionRefusal> {
    let hex = token.strip_prefix(prefix).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    hex.ok_or_else(ActionRefusal::next_token)
}

/// Whether the cache matches every given filter.
fn fits(filter: &DescribeFilter, cache: &CloudCache, now: Instant) -> bool {
    let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    let carries = |(key, value): &(String, Option<String>)| {
        cache.spec.tags.get(key).is_some_and(|its| value.as_ref().is_none_or(|value| value == its))
    };
    let snapshot = |wanted: &str| cache.build.look_at(now).snapshot_id.as_deref() == Some(wanted);
    is(&filter.name, Some(&cache.spec.name))
        && is(&filter.resource_group_id, cache.spec.resource_group_id.as_deref())
        && filter.snapshot_id.as_deref().is_none_or(snapshot)
        && filter.image.as_ref().is_none_or(|image| cache.spec.images.iter().any(|found| names(image, found)))
        && filter.tags.iter().all(carries)
}

/// Whether `wanted` matches `image`: as the whole reference, the repository, or the bare name.
fn names(wanted: &str, image: &str) -> bool {
    let Ok(read) = image.parse::<ImageRef>() else { return wanted == image };
    let repository = read.repository();
    let bare = repository.rsplit('/').next().unwrap_or(repository);
    [image, repository, bare].contains(&wanted)
}

/// A cache as a response contains it. What does not exist yet is left out.
fn show(cache: &CloudCache, now: Instant) -> Value {
    let (look, spec) = (cache.build.look_at(now), &cache.spec);
    let mut shown = json!({
        "ImageCacheId": cache.id,
        (FIELDS.name.wire): spec.name,
        "Status": look.status.as_str(),
        "Progress": format!("{}%", look.progress),
        "Images": spec.images,
        (FIELDS.size_gib.wire): spec.size_gib,
        "CreationTime": time(cache.created_at),
        "ContainerGroupId": cache.container_group_id,
        (FIELDS.region.wire): spec.region,
        "Tags": spec.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>(),
        "Events": cache.events(now).into_iter().map(event).collect::<Vec<_>>(),
    });
    let lru = spec.elimination_strategy.filter(|strategy| *strategy == EliminationStrategy::Lru);
    let optional = [
        ("ExpireDateTime", cache.expires_at.map(time)),
        ("LastMatchedTime", cache.last_matched_at.map(time)),
        ("SnapshotId", look.snapshot_id),
        ("FlashSnapshotId", look.flash_snapshot_id),
        (FIELDS.resource_group_id.wire, spec.resource_group_id.clone()),
        (FIELDS.elimination_strategy.wire, lru.map(|strategy| strategy.as_wire().to_owned())),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            shown[key] = Value::String(value);
        }
    }
    shown
}

fn event(happening: &BuildEvent) -> Value {
    json!({
        "Name": happening.name,
        "Type": if happening.warning { "Warning" } else { "Normal" },
        "Reason": happening.reason,
        "Message": happening.message,
        "Count": 1,
        "FirstTimestamp": time(happening.at),
        "LastTimestamp": time(happening.at),
    })
}

fn time(instant: Instant) -> String {
    instant.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

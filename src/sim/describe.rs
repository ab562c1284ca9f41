//! `DescribeImageCaches`: filters, and pages of 20, newest first.
//!
//! The order is that of creation and a page's token names the last place it showed, so caches that come or go
//! between two pages neither hide nor repeat another one.

use serde_json::{Map, Value, json};

use super::answer::{Outcome, Refusal};
use super::images;
use super::machine::Happening;
use super::params::Params;
use super::state::{Cache, Ground, State};
use crate::domain::clock::Instant;

/// The largest page; a larger `Limit` is cut to it.
const PAGE: i64 = 20;
/// What a page's token begins with.
const TOKEN: &str = "p1-";

/// One page of the caches that fit.
pub(super) fn run(state: &State, params: &Params, ground: &Ground<'_>) -> Outcome {
    let region = params.required("RegionId")?;
    let filter = Filter::read(params)?;
    let limit = params.number("Limit", 1..=i64::MAX)?.unwrap_or(PAGE).min(PAGE);
    let before = params.text("NextToken").map(place).transpose()?;
    let now = ground.now;
    let fitting: Vec<(u64, &Cache)> = match params.text("ImageCacheId") {
        Some(id) => state.look_up(region, id, now).into_iter().filter(|(_, cache)| filter.fits(cache, now)).collect(),
        None => state.listed(region, u64::MAX, now).filter(|(_, cache)| filter.fits(cache, now)).collect(),
    };
    let mut rest = fitting.iter().filter(|(place, _)| before.is_none_or(|before| *place < before)).peekable();
    let mut page = Vec::new();
    let mut last = None;
    while let Some((place, cache)) = rest.next_if(|_| i64::try_from(page.len()).is_ok_and(|shown| shown < limit)) {
        page.push(show(cache, now));
        last = Some(*place);
    }
    let mut answer = Map::new();
    answer.insert("ImageCaches".to_owned(), Value::Array(page));
    answer.insert("TotalCount".to_owned(), json!(fitting.len()));
    if let (Some(place), Some(_)) = (last, rest.peek()) {
        answer.insert("NextToken".to_owned(), Value::String(format!("{TOKEN}{place:x}")));
    }
    Ok(answer)
}

fn place(token: &str) -> Result<u64, Refusal> {
    let hex = token.strip_prefix(TOKEN).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    hex.ok_or_else(|| Refusal::invalid("NextToken", "it must come from an earlier answer"))
}

struct Filter {
    name: Option<String>,
    snapshot_id: Option<String>,
    resource_group_id: Option<String>,
    image: Option<String>,
    tags: Vec<(String, Option<String>)>,
}

impl Filter {
    fn read(params: &Params) -> Result<Self, Refusal> {
        if !params.list("MatchImage", 100)?.is_empty() {
            return Err(Refusal::invalid("MatchImage", "the stand-in does not match images yet"));
        }
        let given = |(key, value): (String, String)| (key, Some(value).filter(|value| !value.is_empty()));
        Ok(Self {
            name: params.owned("ImageCacheName"),
            snapshot_id: params.owned("SnapshotId"),
            resource_group_id: params.owned("ResourceGroupId"),
            image: params.owned("Image"),
            tags: params.tags()?.into_iter().map(given).collect(),
        })
    }

    /// Whether every filter that was given fits.
    fn fits(&self, cache: &Cache, now: Instant) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        let carries = |(key, value): &(String, Option<String>)| {
            cache.tags.iter().any(|(found, its)| found == key && value.as_ref().is_none_or(|value| value == its))
        };
        is(&self.name, Some(&cache.name))
            && is(&self.resource_group_id, cache.resource_group_id.as_deref())
            && (self.snapshot_id.is_none() || is(&self.snapshot_id, cache.build.shown(now).snapshot_id.as_deref()))
            && self.image.as_ref().is_none_or(|image| cache.images.iter().any(|found| names(image, found)))
            && self.tags.iter().all(carries)
    }
}

/// Whether `wanted` names `image`: the whole reference, the repository, or the bare name.
fn names(wanted: &str, image: &str) -> bool {
    let repository = images::parts(image).repository;
    let bare = repository.rsplit('/').next().unwrap_or(repository);
    [image, repository, bare].contains(&wanted)
}

/// A cache as an answer shows it. What does not exist yet is left out.
fn show(cache: &Cache, now: Instant) -> Value {
    let look = cache.build.shown(now);
    let mut shown = json!({
        "ImageCacheId": cache.id,
        "ImageCacheName": cache.name,
        "Status": look.status.as_str(),
        "Progress": format!("{}%", look.progress),
        "Images": cache.images,
        "ImageCacheSize": cache.size_gib,
        "CreationTime": time(cache.created_at),
        "ContainerGroupId": cache.container_group_id,
        "RegionId": cache.region,
        "Tags": cache.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>(),
        "Events": cache.events(now).into_iter().map(event).collect::<Vec<_>>(),
    });
    let optional = [
        ("ExpireDateTime", cache.expires_at.map(time)),
        ("SnapshotId", look.snapshot_id),
        ("FlashSnapshotId", look.flash_snapshot_id),
        ("ResourceGroupId", cache.resource_group_id.clone()),
        ("EliminationStrategy", cache.elimination_strategy.clone()),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            shown[key] = Value::String(value);
        }
    }
    shown
}

fn event(happening: &Happening) -> Value {
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

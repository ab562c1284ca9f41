//! The filters of the list of image caches: the cloud's, and ours on top.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use utoipa::IntoParams;

use crate::app::view::StatusView;
use crate::domain::field::FieldCode;
use crate::domain::filter::{CacheFilter, Page};
use crate::domain::image_cache::spec::MAX_TAGS;
use crate::domain::image_cache::status::Status;
use crate::domain::region::Region;
use crate::http::extract::{FromQuery, QueryPairs};

/// The most values of a filter that may be repeated.
const MAX_VALUES: usize = 20;
/// The most characters of `q`.
const MAX_TEXT: usize = 128;

/// Filters of the list of image caches; everything given must hold.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::http::rest) struct ImageCacheQuery {
    /// Only image caches with one of these statuses. Defaults to all except `deleted`, `expired`, `evicted` and
    /// `lost`.
    #[param(value_type = Vec<StatusView>, required = false, style = Form, explode)]
    status: Vec<Status>,
    /// Only image caches in this region. May be repeated, up to 20 times: any of them.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    region: Vec<Region>,
    /// Only image caches with exactly this name.
    #[param(nullable = false)]
    name: Option<String>,
    /// Only image caches that contain exactly this image. May be repeated, up to 20 times: any of them.
    #[param(required = false, style = Form, explode)]
    image: Vec<String>,
    /// Only image caches in this cloud account. May be repeated, up to 20 times: any of them.
    #[param(required = false, style = Form, explode)]
    cloud_account: Vec<String>,
    /// Only the image cache with this cloud id, `imc-…`.
    #[param(nullable = false)]
    eci_cache_id: Option<String>,
    /// Only image caches with this standard snapshot, `s-…`.
    #[param(nullable = false)]
    snapshot_id: Option<String>,
    /// Only image caches in this resource group.
    #[param(nullable = false)]
    resource_group_id: Option<String>,
    /// Only image caches with this tag: `key`, or `key=value`. May be repeated, up to 20 times; all tags must match.
    #[param(required = false, style = Form, explode)]
    tag: Vec<String>,
    /// Only image caches requested at or after this time.
    #[param(nullable = false)]
    created_after: Option<DateTime<Utc>>,
    /// Only image caches requested before this time.
    #[param(nullable = false)]
    created_before: Option<DateTime<Utc>>,
    /// Only image caches that expire at or after this time; those that never expire are left out.
    #[param(nullable = false)]
    expires_after: Option<DateTime<Utc>>,
    /// Only image caches that expire before this time; those that never expire are left out.
    #[param(nullable = false)]
    expires_before: Option<DateTime<Utc>>,
    /// Only image caches that have been idle since before this time: last matched before it, or never matched and
    /// ready before it.
    #[param(nullable = false)]
    idle_since: Option<DateTime<Utc>>,
    /// Only image caches with this text in their name or in an image, ignoring case: 1 to 128 characters, no
    /// wildcards.
    #[param(nullable = false, min_length = 1, max_length = 128)]
    q: Option<String>,
    /// Only image caches that were (`true`) or were not (`false`) changed outside the gateway, that is, that have a
    /// `drift`.
    #[param(nullable = false)]
    drifted: Option<bool>,
    #[param(ignore)]
    page: Page,
}

impl FromQuery for ImageCacheQuery {
    fn read(pairs: &mut QueryPairs) -> Self {
        Self {
            status: pairs.many("status"),
            region: few(pairs, "region"),
            name: pairs.text("name"),
            image: texts(pairs, "image"),
            cloud_account: texts(pairs, "cloud_account"),
            eci_cache_id: pairs.text("eci_cache_id"),
            snapshot_id: pairs.text("snapshot_id"),
            resource_group_id: pairs.text("resource_group_id"),
            tag: tags(pairs),
            created_after: pairs.instant("created_after"),
            created_before: pairs.instant("created_before"),
            expires_after: pairs.instant("expires_after"),
            expires_before: pairs.instant("expires_before"),
            idle_since: pairs.instant("idle_since"),
            q: text(pairs),
            drifted: pairs.one("drifted"),
            page: pairs.page(),
        }
    }
}

fn tags(pairs: &mut QueryPairs) -> Vec<String> {
    let tags: Vec<String> = pairs.many("tag");
    printable(pairs, "tag", &tags);
    if tags.len() > MAX_TAGS {
        pairs.refuse("tag", FieldCode::OutOfRange, "may be given at most 20 times");
    }
    tags
}

/// The texts of a filter that may be repeated.
fn texts(pairs: &mut QueryPairs, name: &'static str) -> Vec<String> {
    let texts = few(pairs, name);
    printable(pairs, name, &texts);
    texts
}

/// The values of a filter that may be repeated.
fn few<T: FromStr<Err: Display>>(pairs: &mut QueryPairs, name: &'static str) -> Vec<T> {
    let values = pairs.many(name);
    if values.len() > MAX_VALUES {
        pairs.refuse(name, FieldCode::OutOfRange, "may be given at most 20 times");
    }
    values
}

fn printable(pairs: &mut QueryPairs, name: &'static str, texts: &[String]) {
    if texts.iter().any(|text| text.contains(char::is_control)) {
        pairs.refuse(name, FieldCode::Invalid, "must be printable");
    }
}

fn text(pairs: &mut QueryPairs) -> Option<String> {
    let text = pairs.text("q")?;
    if !(1..=MAX_TEXT).contains(&text.chars().count()) {
        pairs.refuse("q", FieldCode::OutOfRange, "must be 1 to 128 characters");
    }
    Some(text)
}

/// `key`, or `key=value`.
pub(in crate::http::rest) fn tag(text: String) -> (String, Option<String>) {
    match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text, None),
    }
}

impl ImageCacheQuery {
    /// What narrows the list, and how much of it.
    pub(in crate::http::rest) fn split(self) -> (CacheFilter, Page) {
        let filter = CacheFilter {
            statuses: self.status,
            regions: self.region,
            name: self.name,
            images: self.image,
            accounts: self.cloud_account,
            eci_cache_id: self.eci_cache_id,
            snapshot_id: self.snapshot_id,
            resource_group_id: self.resource_group_id,
            tags: self.tag.into_iter().map(tag).collect(),
            created_after: self.created_after,
            created_before: self.created_before,
            expires_after: self.expires_after,
            expires_before: self.expires_before,
            idle_since: self.idle_since,
            text: self.q,
            drifted: self.drifted,
        };
        (filter, self.page)
    }
}

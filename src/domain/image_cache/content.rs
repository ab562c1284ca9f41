//! What an image cache contains, whatever its name: answers the question of `ensure`, "is there one like this
//! already?".
//!
//! Two caches have the same content if one serves every instance that the other serves: the same set of images in their
//! full form, and the same size, system, Flash mode and snapshot copies. How it was built (networks, logins,
//! registries, zone, layer reuse) and how it is managed (name, tags, retention, resource group, strategy, comment) do
//! not count. The table of the fields says which is which ([`crate::domain::image_cache::spec::fields`]).
//!
//! An image counts by its digest if it has one (its tag then says nothing), else by its tag: no registry is asked where
//! a tag points today, so a moved tag is the same content. Teams that move tags should name digests.
//!
//! Called by `app` and `store`. It does not search, and does not find out whether a tag and a digest name the same
//! image.

use std::collections::BTreeSet;

use chrono::Duration;
use sha2::{Digest as _, Sha256};

use super::ImageCache;
use super::spec::{ImageCacheSpec, OsType};
use super::status::Status;
use crate::domain::clock::Instant;
use crate::domain::image_ref::ImageRef;

use super::spec::DEFAULT_SIZE_GIB;

/// The full form of an image for comparing contents; a text that is no valid reference is used as it is.
pub fn plain(image: &str) -> String {
    let Ok(full) = image.parse::<ImageRef>() else { return image.to_owned() };
    match full.digest() {
        Some(digest) => format!("{}/{}@{digest}", full.registry(), full.repository()),
        None => full.to_string(),
    }
}

/// A hash of the content: equal for equal contents, and for no others.
pub fn fingerprint(spec: &ImageCacheSpec) -> [u8; 32] {
    let images: BTreeSet<String> = spec.images.iter().map(|image| plain(image)).collect();
    // As JSON, because different contents always give different texts there.
    let mut parts = serde_json::json!({
        "images": images,
        "size_gib": spec.size_gib.unwrap_or(DEFAULT_SIZE_GIB),
        "os_type": spec.os_type.unwrap_or(OsType::Linux),
        "flash": spec.flash.unwrap_or(false),
        "standard_copy_count": spec.standard_copy_count,
        "flash_copy_count": spec.flash_copy_count,
    });
    // These were always part of it, each with its own default. A field that is added later counts only if it was given,
    // so that older requests keep their fingerprint.
    for (field, given) in spec.given() {
        if field.in_content && !given.is_unset() && parts.get(field.name).is_none() {
            parts[field.name] = serde_json::json!(given);
        }
    }
    Sha256::digest(parts.to_string()).into()
}

/// The result of `ensure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// There was none: a new one was requested.
    Created,
    /// One is already being built.
    Joined,
    /// One is already usable.
    Reused,
}

impl Ensured {
    /// The word for it in REST, audit entries and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Joined => "joined",
            Self::Reused => "reused",
        }
    }
}

/// Whether a cache of the same content will do, and how: one that is usable for at least `margin` longer and matches in
/// the cloud what was asked for, or one that is being built.
///
/// A failed cache will not do, nor one whose last update failed (whether the old build still serves is undocumented),
/// nor one whose status at the cloud is unknown to us.
pub fn serves(cache: &ImageCache, now: Instant, margin: Duration) -> Option<Ensured> {
    let lasts = cache.expires_at.is_none_or(|end| end > now + margin);
    match cache.status {
        _ if !lasts || cache.reconciled.content_drifted() => None,
        Status::Ready => Some(Ensured::Reused),
        Status::Pending | Status::Preparing | Status::Creating | Status::Updating => Some(Ensured::Joined),
        _ => None,
    }
}

/// Chooses one of several: a usable one before one that is being built, then the one that lasts longest, then the
/// oldest.
pub fn choose(caches: &[ImageCache], now: Instant, margin: Duration) -> Option<(usize, Ensured)> {
    let fitting = caches.iter().enumerate().filter_map(|(place, cache)| Some((place, serves(cache, now, margin)?)));
    fitting.min_by_key(|(place, how)| {
        let cache = &caches[*place];
        let end = cache.expires_at.unwrap_or(Instant::MAX_UTC);
        (*how != Ensured::Reused, std::cmp::Reverse(end), cache.id)
    })
}

#[cfg(test)]
mod tests;

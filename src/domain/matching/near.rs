//! Why a cache that nearly holds an image does not match, and what would make it match.
//!
//! A near miss is a cache with the same repository path: the registry's host differs (to the matching, the public and
//! the VPC name of one registry are two hosts), or the version does, or the cache itself is not ready, too large, or in
//! another region.

use std::fmt::Write as _;

use super::{DEFAULT_EPHEMERAL_STORAGE_GIB, MatchQuery, Ranking, WeighedCache, age};
use crate::domain::image_cache::status::Status;
use crate::domain::image_ref::ImageRef;

/// The most near misses reported per image: the nearest ones.
pub const MAX_NEAR_MISSES: usize = 5;

/// What keeps a cache from matching, the smallest obstacle first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NearMissReason {
    /// It is not usable, or not usable yet.
    NotReady,
    /// It is larger than the ephemeral storage.
    TooLarge,
    /// It contains the image with a different tag.
    OtherTag,
    /// It holds another digest, or one of the two references has none.
    OtherDigest,
    /// It holds the same path at another registry host.
    OtherRegistryHost,
    /// It is in a different region.
    OtherRegion,
}

impl NearMissReason {
    /// The word for it in REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not_ready",
            Self::TooLarge => "too_large",
            Self::OtherTag => "other_tag",
            Self::OtherDigest => "other_digest",
            Self::OtherRegistryHost => "other_registry_host",
            Self::OtherRegion => "other_region",
        }
    }
}

/// One wanted image and one cache that nearly holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss<'a> {
    /// The requested image.
    pub image: ImageRef,
    /// The image cache that nearly contains it.
    pub cache: &'a WeighedCache,
    /// What it holds instead, as it was requested; the wanted image itself if only the cache is the problem.
    pub held: ImageRef,
    /// Every obstacle; never empty.
    pub reasons: Vec<NearMissReason>,
    /// What would make it match, in sentences.
    pub advice: String,
}

/// The near misses of every wanted image that the winner does not hold exactly; the nearest first for each image, at
/// most [`MAX_NEAR_MISSES`].
pub fn near_misses<'a>(wanted: &MatchQuery, caches: &'a [WeighedCache], ranking: &Ranking<'a>) -> Vec<NearMiss<'a>> {
    let taken = ranking.winner.map_or(&[][..], |winner| &winner.images);
    let missed = wanted.images.iter().filter(|image| !taken.iter().any(|taken| taken.same_image(image)));
    missed.flat_map(|image| nearest(wanted, image, caches)).collect()
}

/// What one cache holds instead of the image, and every obstacle.
struct Near<'a> {
    cache: &'a WeighedCache,
    held: &'a ImageRef,
    reasons: Vec<NearMissReason>,
}

fn nearest<'a>(wanted: &MatchQuery, image: &ImageRef, caches: &'a [WeighedCache]) -> Vec<NearMiss<'a>> {
    let near = caches.iter().filter_map(|cache| near(wanted, image, cache));
    let mut near: Vec<Near<'a>> = near.filter(|near| !near.reasons.is_empty()).collect();
    let age = |near: &Near<'a>| age(near.cache.created_at, near.cache.id);
    near.sort_by_cached_key(|near| (near.reasons.len(), near.reasons.clone(), age(near)));
    near.truncate(MAX_NEAR_MISSES);
    let told = |Near { cache, held, reasons }: Near<'a>| {
        let advice = advice(wanted, image, cache, held, &reasons);
        NearMiss { image: image.clone(), cache, held: held.clone(), reasons, advice }
    };
    near.into_iter().map(told).collect()
}

/// The image of the cache that is nearest to the wanted one, if any has its repository path.
fn near<'a>(wanted: &MatchQuery, image: &ImageRef, cache: &'a WeighedCache) -> Option<Near<'a>> {
    let same_path = cache.images.iter().filter(|held| held.repository() == image.repository());
    let judged = same_path.map(|held| Near { cache, held, reasons: reasons(wanted, image, cache, held) });
    judged.min_by_key(|near| (near.reasons.len(), near.reasons.clone()))
}

fn reasons(wanted: &MatchQuery, image: &ImageRef, cache: &WeighedCache, held: &ImageRef) -> Vec<NearMissReason> {
    let other_version = !image.same_version(held);
    let by_digest = image.digest().is_some() || held.digest().is_some();
    let all = [
        (cache.status != Status::Ready, NearMissReason::NotReady),
        (cache.size_gib > wanted.ephemeral_storage_gib, NearMissReason::TooLarge),
        (other_version && !by_digest, NearMissReason::OtherTag),
        (other_version && by_digest, NearMissReason::OtherDigest),
        (!image.same_registry(held), NearMissReason::OtherRegistryHost),
        (cache.region != wanted.region, NearMissReason::OtherRegion),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect()
}

/// One sentence per reason, but a single one for everything that is wrong with the name, because that is one change.
fn advice(
    wanted: &MatchQuery,
    image: &ImageRef,
    cache: &WeighedCache,
    held: &ImageRef,
    reasons: &[NearMissReason],
) -> String {
    let mut text = String::new();
    let mut named = false;
    for reason in reasons {
        let sentence = match reason {
            NearMissReason::NotReady => not_ready(cache.status),
            NearMissReason::TooLarge => too_large(wanted, cache),
            NearMissReason::OtherRegion => other_region(wanted, cache),
            NearMissReason::OtherTag | NearMissReason::OtherDigest | NearMissReason::OtherRegistryHost if named => {
                continue;
            }
            NearMissReason::OtherTag | NearMissReason::OtherDigest | NearMissReason::OtherRegistryHost => {
                named = true;
                other_name(image, held)
            }
        };
        let space = if text.is_empty() { "" } else { " " };
        // Writing into a String cannot fail.
        let _written = write!(text, "{space}{sentence}");
    }
    text
}

fn not_ready(status: Status) -> String {
    match status {
        Status::Failed => "Its build failed permanently: create a new image cache.".to_owned(),
        Status::UpdateFailed => "Its last update failed: update it again.".to_owned(),
        Status::Deleting => "It is being deleted: create a new image cache.".to_owned(),
        status if status.is_final() => format!("It no longer exists ({status}): create a new image cache."),
        status => format!("It is {status}: wait until it is ready."),
    }
}

fn too_large(wanted: &MatchQuery, cache: &WeighedCache) -> String {
    let (size, storage) = (cache.size_gib, wanted.ephemeral_storage_gib);
    let more = size.saturating_sub(DEFAULT_EPHEMERAL_STORAGE_GIB);
    let extra = if more > 0 { format!(" ({more} GiB of extra ephemeral storage)") } else { String::new() };
    format!(
        "It has {size} GiB and the instance {storage} GiB: give the instance at least {size} GiB of ephemeral \
         storage{extra}, or make the image cache smaller."
    )
}

fn other_region(wanted: &MatchQuery, cache: &WeighedCache) -> String {
    format!(
        "It is in {}: create one in {}, because image caches can be used only in their own region.",
        cache.region, wanted.region
    )
}

fn other_name(image: &ImageRef, held: &ImageRef) -> String {
    format!("It contains {held}, which is not {image}: use that name in the pod, or add {image} to the image cache.")
}

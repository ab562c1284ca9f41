//! Which image cache ECI's automatic matching would take, by the documented order: fits the instance's
//! ephemeral storage; then the best match degree (repository and tag); then the closest size; then the newest.
//!
//! What must stay true: only usable caches of the region are candidates; the order is total, so the same
//! caches always give the same winner. The cloud looks at every cache of its account and we only at one
//! team's, so its choice may be another where teams share an account.
//!
//! Called by `app` for REST's matches, and by the RPC front for the `MatchImage` of DescribeImageCaches. It does not
//! compare the layers within images. [`near`] explains why the other caches do not match.

use super::clock::Instant;
use super::ids::CacheId;
use super::image_cache::ImageCache;
use super::image_cache::status::Status;
use super::image_ref::ImageRef;
use super::region::Region;

pub mod near;

use super::image_cache::spec::DEFAULT_SIZE_GIB;
pub use near::{NearMiss, NearMissReason, near_misses};

/// The ephemeral storage of an instance that does not specify one.
pub const DEFAULT_EPHEMERAL_STORAGE_GIB: i32 = 30;
/// The most images in one query (`MatchImage.N`).
pub const MAX_IMAGES: usize = 100;

/// What the matching is asked for: the properties of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchQuery {
    /// The region of the instance.
    pub region: Region,
    /// The images of the instance, without duplicates.
    pub images: Vec<ImageRef>,
    /// Its ephemeral storage in GiB.
    pub ephemeral_storage_gib: i32,
    /// How many of the images must match exactly for a cache to be taken.
    pub minimum: usize,
}

impl MatchQuery {
    /// An instance with these images. Two spellings of one image count once.
    ///
    /// `full` means that all images must match exactly (`ImageFullMatch`), `minimum` that at least that many
    /// must (`ImageMatchCountRequest`, which the cloud's page words ambiguously: this is how we read it).
    pub fn new(region: Region, images: &[ImageRef], storage: Option<i32>, full: bool, minimum: Option<usize>) -> Self {
        let images = distinct(images);
        let minimum = if full { images.len() } else { minimum.unwrap_or(0) };
        let ephemeral_storage_gib = storage.unwrap_or(DEFAULT_EPHEMERAL_STORAGE_GIB);
        Self { region, images, ephemeral_storage_gib, minimum }
    }
}

/// How well the images of a cache match the wanted ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Degree {
    /// How many of the wanted images it holds exactly: registry, repository, and tag or digest.
    pub exact: usize,
    /// How many of the wanted images it holds the repository of, including the exact matches.
    pub repository: usize,
}

impl Degree {
    /// The degree of the images in `held`. A better degree is greater.
    pub fn of(wanted: &[ImageRef], held: &[ImageRef]) -> Self {
        let count = |fits: fn(&ImageRef, &ImageRef) -> bool| {
            wanted.iter().filter(|wanted| held.iter().any(|held| fits(wanted, held))).count()
        };
        Self { exact: count(ImageRef::same_image), repository: count(ImageRef::same_repository) }
    }
}

/// The fields of an image cache that the matching uses.
#[derive(Debug, Clone, PartialEq)]
pub struct WeighedCache {
    /// The gateway's id of the image cache.
    pub id: CacheId,
    /// The cloud's id of the image cache.
    pub eci_cache_id: Option<String>,
    /// The cloud account that it is in.
    pub account: String,
    /// The name of the image cache.
    pub name: String,
    /// The region in which it can be used.
    pub region: Region,
    /// The status of the image cache.
    pub status: Status,
    /// The size in GiB.
    pub size_gib: i32,
    /// The images that it holds. Texts that are not valid references match nothing, and are left out.
    pub images: Vec<ImageRef>,
    /// When the image cache was created.
    pub created_at: Instant,
}

impl WeighedCache {
    /// The valid references among these texts.
    pub fn held(images: &[String]) -> Vec<ImageRef> {
        images.iter().filter_map(|image| image.parse().ok()).collect()
    }
}

/// A usable cache that holds at least one wanted repository, with its score per criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<'a> {
    /// The image cache.
    pub cache: &'a WeighedCache,
    /// Whether it fits the ephemeral storage.
    pub fits: bool,
    /// The match degree.
    pub degree: Degree,
    /// The ephemeral storage less the cache's size, in GiB; negative if it does not fit.
    pub size_difference_gib: i32,
    /// Whether enough images match exactly.
    pub matches_enough: bool,
}

impl Candidate<'_> {
    /// Whether the matching would take it if there is no better one.
    pub fn can_win(&self) -> bool {
        self.fits && self.matches_enough
    }

    /// Smaller is better. The id breaks ties between caches created at the same instant.
    fn rank(&self) -> impl Ord + use<> {
        let Degree { exact, repository } = self.degree;
        let newest = std::cmp::Reverse((exact, repository));
        (!self.fits, newest, self.size_difference_gib.abs(), age(self.cache.created_at, self.cache.id))
    }
}

/// The result of the matching.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking<'a> {
    /// Every candidate, the best first.
    pub candidates: Vec<Candidate<'a>>,
    /// The cache that would be taken: the first candidate that can win.
    pub winner: Option<&'a WeighedCache>,
}

/// Ranks the usable caches of the region by the documented order.
pub fn rank<'a>(wanted: &MatchQuery, caches: &'a [WeighedCache]) -> Ranking<'a> {
    let usable = caches.iter().filter(|cache| cache.status == Status::Ready && cache.region == wanted.region);
    let mut candidates: Vec<Candidate<'a>> = usable.filter_map(|cache| candidate(wanted, cache)).collect();
    candidates.sort_by_key(Candidate::rank);
    let winner = candidates.iter().find(|candidate| candidate.can_win()).map(|candidate| candidate.cache);
    Ranking { candidates, winner }
}

fn candidate<'a>(wanted: &MatchQuery, cache: &'a WeighedCache) -> Option<Candidate<'a>> {
    let degree = Degree::of(&wanted.images, &cache.images);
    let size_difference_gib = wanted.ephemeral_storage_gib.saturating_sub(cache.size_gib);
    (degree.repository > 0).then_some(Candidate {
        cache,
        fits: size_difference_gib >= 0,
        degree,
        size_difference_gib,
        matches_enough: degree.exact >= wanted.minimum,
    })
}

/// Implements the `MatchImage` of DescribeImageCaches: the caches that match, the best first, and among equals the
/// newest.
///
/// With `full` (`ImageFullMatch`) only those that hold every image exactly. With `count` (`ImageMatchCountRequest`)
/// only those that hold at least that many of the images exactly; sources disagree about what it counts, and this is
/// how we read it. It ignores status, region and size: Describe has separate filters for them.
pub fn matching_caches<'a>(
    caches: &'a [ImageCache],
    images: &[ImageRef],
    full: bool,
    count: Option<usize>,
) -> Vec<&'a ImageCache> {
    let images = distinct(images);
    let minimum = if full { images.len() } else { count.unwrap_or(0) };
    let scored = caches.iter().map(|cache| (Degree::of(&images, &WeighedCache::held(&cache.spec.images)), cache));
    let mut fitting: Vec<_> = scored.filter(|(degree, _)| degree.repository > 0 && degree.exact >= minimum).collect();
    fitting.sort_by_key(|(degree, cache)| (std::cmp::Reverse(*degree), age(cache.created_at, cache.id)));
    fitting.into_iter().map(|(_, cache)| cache).collect()
}

/// A cache's size in GiB.
pub fn size_gib(cache: &ImageCache) -> i32 {
    cache.spec.size_gib.unwrap_or(DEFAULT_SIZE_GIB)
}

/// Sorts the newest first.
fn age(created_at: Instant, id: CacheId) -> std::cmp::Reverse<(Instant, CacheId)> {
    std::cmp::Reverse((created_at, id))
}

/// Each image once, in the order given.
fn distinct(images: &[ImageRef]) -> Vec<ImageRef> {
    let mut seen: Vec<ImageRef> = Vec::new();
    for image in images {
        if !seen.contains(image) {
            seen.push(image.clone());
        }
    }
    seen
}

#[cfg(test)]
pub(crate) mod tests;

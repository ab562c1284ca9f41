//! `MatchImage`: the caches of a region that match a set of images best, in the documented order: they fit (only
//! `Ready` caches match), highest match degree, closest size, newest.
//!
//! No size is requested, so the closest one is the smallest. An exact match counts twice as much as a match of only the
//! repository; a cache that matches no image is not a candidate.

use std::cmp::Reverse;

use super::machine::BuildStatus;
use super::state::CloudCache;
use crate::domain::clock::Instant;
use crate::domain::filter::DescribeFilter;
use crate::domain::image_ref::ImageRef;
use crate::domain::matching::Degree;

/// The candidates, best first.
pub(super) fn best<'a>(
    caches: Vec<(u64, &'a CloudCache)>,
    filter: &DescribeFilter,
    now: Instant,
) -> Vec<(u64, &'a CloudCache)> {
    let wanted = references(&filter.match_images);
    let ready = caches.into_iter().filter(|(_, cache)| cache.build.look_at(now).status == BuildStatus::Ready);
    let mut found: Vec<_> = ready
        .map(|(place, cache)| (Degree::of(&wanted, &references(&cache.spec.images)), place, cache))
        .filter(|(degree, ..)| is_candidate(*degree, filter))
        .collect();
    found.sort_by_key(|(degree, place, cache)| (Reverse(weight(*degree)), cache.spec.size_gib, Reverse(*place)));
    found.into_iter().map(|(_, place, cache)| (place, cache)).collect()
}

/// An exact match counts twice, because it is also a match of the repository.
fn weight(degree: Degree) -> usize {
    degree.exact + degree.repository
}

fn is_candidate(degree: Degree, filter: &DescribeFilter) -> bool {
    let least = usize::try_from(filter.image_match_count.unwrap_or(0)).unwrap_or(usize::MAX);
    let all = filter.match_images.len();
    degree.repository > 0 && degree.exact >= least && (!filter.image_full_match || degree.exact == all)
}

/// A text that is not a reference, in state from an older version, matches nothing.
fn references(images: &[String]) -> Vec<ImageRef> {
    images.iter().filter_map(|image| image.parse().ok()).collect()
}

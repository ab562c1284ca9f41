//! `MatchImage`: the caches of a region that serve a set of images best, in the documented order: they fit
//! (a cache that is not `Ready` serves nobody), best match degree, closest size, newest.
//!
//! No size is asked for, so the closest one is the smallest that is there. An exact match counts twice one of
//! the repository alone; a cache that matches no image at all is no candidate.

use std::cmp::Reverse;

use super::images::{Parts, parts};
use super::machine::Status;
use super::state::Cache;
use crate::domain::clock::Instant;
use crate::domain::filter::DescribeFilter;

/// The candidates, best first.
pub(super) fn best<'a>(caches: Vec<(u64, &'a Cache)>, filter: &DescribeFilter, now: Instant) -> Vec<(u64, &'a Cache)> {
    let ready = caches.into_iter().filter(|(_, cache)| cache.build.shown(now).status == Status::Ready);
    let degree = |cache: &Cache| filter.match_images.iter().map(|wanted| match_one(wanted, cache)).collect::<Vec<_>>();
    let mut found: Vec<_> = ready
        .map(|(place, cache)| (degree(cache), place, cache))
        .filter(|(degrees, ..)| is_candidate(degrees, filter))
        .collect();
    found.sort_by_key(|(degrees, place, cache)| {
        (Reverse(degrees.iter().sum::<u32>()), cache.spec.size_gib, Reverse(*place))
    });
    found.into_iter().map(|(_, place, cache)| (place, cache)).collect()
}

fn is_candidate(degrees: &[u32], filter: &DescribeFilter) -> bool {
    let exact = degrees.iter().filter(|degree| **degree == EXACT).count();
    let enough = filter.image_match_count.is_none_or(|least| u32::try_from(exact).is_ok_and(|exact| exact >= least));
    degrees.iter().any(|degree| *degree > 0) && enough && (!filter.image_full_match || exact == degrees.len())
}

/// Repository and tag.
const EXACT: u32 = 2;

/// How well a cache serves one image: 2 exactly, 1 by its repository, 0 not at all.
fn match_one(wanted: &str, cache: &Cache) -> u32 {
    let wanted = whole(wanted);
    let degree = |image: &String| match whole(image) {
        found if found == wanted => EXACT,
        found if (&found.0, &found.1) == (&wanted.0, &wanted.1) => 1,
        _ => 0,
    };
    cache.spec.images.iter().map(degree).max().unwrap_or(0)
}

/// Host, repository, and tag or digest; `nginx` is `docker.io/library/nginx:latest`.
fn whole(image: &str) -> (String, String, String) {
    let Parts { host, repository, tag } = parts(image);
    let library = host == "docker.io" && !repository.contains('/');
    let repository = if library { format!("library/{repository}") } else { repository.to_owned() };
    let version = image.split_once('@').map_or(tag.unwrap_or("latest"), |(_, digest)| digest);
    (host.to_owned(), repository, version.to_owned())
}

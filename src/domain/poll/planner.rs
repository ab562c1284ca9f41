//! How a polling group is read with the fewest calls: single gets by id, lists by bucket tag, or the full list.
//!
//! The order of the plan is fixed (by key), so that a round that the budget interrupted can continue where it stopped,
//! on any gateway.

use std::collections::BTreeMap;

use super::PAGE;

/// A build that is due, as the planner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The cloud's id.
    pub eci_cache_id: String,
    /// The bucket in its tag.
    pub bucket: Option<String>,
    /// It is being removed: no list can prove that, only a lookup by its id can.
    pub leaves: bool,
}

/// How many caches the cloud would list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListedCounts {
    /// In the whole region, as far as we know.
    pub all: usize,
    /// Under each bucket.
    pub buckets: BTreeMap<String, usize>,
}

/// One read: one call, or a list of several pages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Read {
    /// The list of one bucket.
    Bucket {
        /// The tag's value.
        bucket: String,
        /// How many pages it is expected to have.
        pages: usize,
    },
    /// One cache by its id.
    Get {
        /// The cloud's id.
        eci_cache_id: String,
    },
    /// Everything in the region.
    All {
        /// How many pages it is expected to have.
        pages: usize,
        /// The page to start with, if a round continues.
        next_token: Option<String>,
    },
}

impl Read {
    /// How many calls it takes.
    pub fn calls(&self) -> usize {
        match self {
            Self::Get { .. } => 1,
            Self::Bucket { pages, .. } | Self::All { pages, .. } => *pages,
        }
    }

    /// The name of the method, for metrics.
    pub fn way(&self) -> &'static str {
        match self {
            Self::Get { .. } => "by_id",
            Self::Bucket { .. } => "by_bucket",
            Self::All { .. } => "by_list",
        }
    }

    /// The key that a round stores for the last read it made.
    pub fn key(&self) -> String {
        match self {
            Self::Bucket { bucket, .. } => format!("b:{bucket}"),
            Self::Get { eci_cache_id } => format!("g:{eci_cache_id}"),
            Self::All { next_token, .. } => format!("l:{}", next_token.as_deref().unwrap_or_default()),
        }
    }
}

/// The reads that return every due build with the fewest calls, in the order of their keys. `cursor` is the key that
/// the round had reached; reads up to it are done already.
pub fn plan(due: &[Due], listed: &ListedCounts, cursor: Option<&str>) -> Vec<Read> {
    let pages = pages(listed.all);
    if let Some(token) = cursor.and_then(|cursor| cursor.strip_prefix("l:")) {
        return vec![Read::All { pages, next_token: Some(token.to_owned()) }];
    }
    let (leaving, building): (Vec<&Due>, Vec<&Due>) = due.iter().partition(|build| build.leaves);
    let mut reads = apart(&building, listed);
    if pages < reads.iter().map(Read::calls).sum() {
        reads = vec![Read::All { pages, next_token: None }];
    }
    reads.extend(leaving.into_iter().map(get));
    reads.sort();
    reads.retain(|read| cursor.is_none_or(|cursor| *read.key() > *cursor));
    reads
}

/// The first of `reads` that together take no more than `calls`; a full list may use all that are left.
pub fn portion(reads: Vec<Read>, calls: usize) -> Vec<Read> {
    let mut left = calls;
    let fitting = reads.into_iter().map_while(|read| match read {
        Read::All { pages, next_token } if left > 0 => Some(Read::All { pages: pages.min(left), next_token }),
        read => {
            let rest = left.checked_sub(read.calls())?;
            left = rest;
            Some(read)
        }
    });
    fitting.collect()
}

fn get(build: &Due) -> Read {
    Read::Get { eci_cache_id: build.eci_cache_id.clone() }
}

/// Reads each bucket by its list if that takes fewer calls than its due builds, everything else by id. If both cost the
/// same, by id: that also proves absence.
fn apart(due: &[&Due], listed: &ListedCounts) -> Vec<Read> {
    let mut members: BTreeMap<Option<&str>, Vec<&Due>> = BTreeMap::new();
    for build in due {
        members.entry(build.bucket.as_deref()).or_default().push(build);
    }
    let mut reads = Vec::new();
    for (bucket, builds) in members {
        let pages = bucket.map(|bucket| pages(listed.buckets.get(bucket).copied().unwrap_or(0)));
        match (bucket, pages) {
            (Some(bucket), Some(pages)) if pages < builds.len() => {
                reads.push(Read::Bucket { bucket: bucket.to_owned(), pages });
            }
            _ => reads.extend(builds.into_iter().map(get)),
        }
    }
    reads
}

fn pages(caches: usize) -> usize {
    caches.div_ceil(PAGE).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(count: usize, bucket: Option<&str>) -> Vec<Due> {
        let one = |number| Due {
            eci_cache_id: format!("{}{number:03}", bucket.unwrap_or("x")),
            bucket: bucket.map(str::to_owned),
            leaves: false,
        };
        (0..count).map(one).collect()
    }

    fn listed(all: usize, buckets: &[(&str, usize)]) -> ListedCounts {
        ListedCounts { all, buckets: buckets.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect() }
    }

    fn ways(reads: &[Read]) -> Vec<(&'static str, usize)> {
        reads.iter().map(|read| (read.way(), read.calls())).collect()
    }

    #[test]
    fn the_fewest_calls_win() {
        let one = due(1, Some("a"));
        assert_eq!(ways(&plan(&one, &listed(5_000, &[("a", 20)]), None)), [("by_id", 1)]);
        let both = [due(20, Some("a")), due(2, Some("b"))].concat();
        assert_eq!(
            ways(&plan(&both, &listed(5_000, &[("a", 20), ("b", 20)]), None)),
            [("by_bucket", 1), ("by_bucket", 1)]
        );
        let untagged = due(500, None);
        assert_eq!(ways(&plan(&untagged, &listed(600, &[]), None)), [("by_list", 30)]);
        assert_eq!(plan(&untagged, &listed(50_000, &[]), None).len(), 500);
        let scattered: Vec<_> = (0..40).flat_map(|n| due(2, Some(&format!("s{n:02}")))).collect();
        assert_eq!(ways(&plan(&scattered, &listed(100, &[]), None)), [("by_list", 5)]);
        assert_eq!(plan(&[], &listed(9, &[]), None), []);
    }

    #[test]
    fn what_is_being_removed_is_asked_for_by_its_id() {
        let mut builds = due(60, None);
        builds[..2].iter_mut().for_each(|build| build.leaves = true);
        assert_eq!(ways(&plan(&builds, &listed(60, &[]), None)), [("by_id", 1), ("by_id", 1), ("by_list", 3)]);
        let rest = plan(&builds, &listed(60, &[]), Some("g:x001"));
        assert_eq!(ways(&rest), [("by_list", 3)]);
    }

    #[test]
    fn a_round_that_was_cut_short_goes_on_where_it_stopped() {
        let builds = [due(20, Some("a")), due(3, None)].concat();
        let all = listed(5_000, &[("a", 30)]);
        let first = portion(plan(&builds, &all, None), 3);
        assert_eq!(ways(&first), [("by_bucket", 2), ("by_id", 1)]);
        let cursor = first.last().map(Read::key);
        let rest = plan(&builds, &all, cursor.as_deref());
        assert_eq!(rest.iter().map(Read::key).collect::<Vec<_>>(), ["g:x001", "g:x002"]);
        assert_eq!(portion(rest, 0), []);
    }

    #[test]
    fn a_full_list_goes_on_with_its_token() {
        let builds = due(500, None);
        let first = portion(plan(&builds, &listed(600, &[]), None), 12);
        assert_eq!(first, [Read::All { pages: 12, next_token: None }]);
        let rest = plan(&builds, &listed(600, &[]), Some("l:p1-7"));
        assert_eq!(rest, [Read::All { pages: 30, next_token: Some("p1-7".into()) }]);
    }
}

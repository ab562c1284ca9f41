//! When to look at the cloud again, and in which way.

use chrono::Duration;

use super::status::Status;

/// Most ids that are asked for one by one before a list is cheaper (a list shows 20 a page).
pub const MOST_SINGLE_LOOKS: usize = 4;

/// How to read a group of caches of one account and region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// One DescribeImageCaches per id.
    ById,
    /// The whole list, page by page.
    ByList,
}

/// The way that needs fewer calls: `in_motion` single looks, or the pages of `known` caches.
pub fn reading(in_motion: usize, known: usize) -> Reading {
    let pages = known.div_ceil(20).max(1);
    if in_motion <= MOST_SINGLE_LOOKS || in_motion <= pages { Reading::ById } else { Reading::ByList }
}

/// How long until the next look at a build of that age.
///
/// The first looks are quick (a Flash cache or a refusal shows early), an old build is looked at less
/// often: a tenth of its age, between `least` and `most`. `spread` in `0..1000` adds up to a tenth, so
/// that groups do not march in step.
pub fn interval(age: Duration, least: Duration, most: Duration, spread: i32) -> Duration {
    let plain = (age / 10).clamp(least, most);
    plain + plain * spread.clamp(0, 1_000) / 10_000
}

/// Whether the tracker must look at a cache of that status at all.
pub fn needs_looking(status: Status) -> bool {
    status.is_in_motion()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_read_by_id_and_many_by_list() {
        assert_eq!(reading(1, 5_000), Reading::ById);
        assert_eq!(reading(500, 5_000), Reading::ByList);
        assert_eq!(reading(20, 20), Reading::ByList);
    }

    #[test]
    fn the_interval_follows_the_age_within_its_bounds() {
        let of = |age| interval(Duration::seconds(age), Duration::seconds(1), Duration::seconds(15), 0);
        assert_eq!((of(0), of(50), of(3_600)), (Duration::seconds(1), Duration::seconds(5), Duration::seconds(15)));
    }
}

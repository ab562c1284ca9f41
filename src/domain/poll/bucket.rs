//! Which builds share a tag: builds of one region and class that start together will be ready at about the same time,
//! so one list by the tag returns a page of builds that are due together.
//!
//! A bucket takes one page of builds, or closes after two minutes, whichever comes first. Each gateway opens its own;
//! nothing is shared, and nothing is lost if a gateway forgets them.

use std::collections::HashMap;

use chrono::Duration;

use super::PAGE;
use crate::domain::clock::Instant;
use crate::domain::image_cache::spec::{ImageCacheSpec, MAX_TAGS};

/// The tag of the bucket, in addition to the operation's.
pub const BUCKET_TAG: &str = "eci-cache-gateway:bucket";
/// How long a bucket takes builds: less than the usual spread of build times, or it would have to be read for longer.
const OPEN_FOR: Duration = Duration::seconds(120);

/// Whether a team's tags leave room for the bucket's tag as well as the operation's, which has priority.
pub fn has_room(tags: usize) -> bool {
    tags + 2 <= MAX_TAGS
}

/// Builds of one class take about the same time: the same kind of operation, a similar number of images, and the same
/// Flash mode, which makes builds short.
pub fn class(kind: &str, images: usize, flash: bool) -> String {
    let size = match images {
        0..=1 => "1",
        2..=4 => "2-4",
        5..=9 => "5-9",
        _ => "10+",
    };
    format!("{kind}/{size}{}", if flash { "/flash" } else { "" })
}

#[derive(Debug)]
struct OpenBucket {
    name: String,
    members: usize,
    opened_at: Instant,
}

/// The buckets that still take builds, by region and class.
#[derive(Debug, Default)]
pub struct Buckets(HashMap<String, OpenBucket>);

impl Buckets {
    /// The bucket for a new build; none if there is no room for its tag. `fresh` names the bucket if a new one is
    /// opened.
    pub fn place(&mut self, spec: &ImageCacheSpec, now: Instant, fresh: u64) -> Option<String> {
        if !has_room(spec.tags.len()) {
            return None;
        }
        let class = class("create", spec.images.len(), spec.flash.unwrap_or(false));
        let key = format!("{} {class}", spec.region);
        let is_open = |open: &OpenBucket| open.members < PAGE && (now - open.opened_at).abs() < OPEN_FOR;
        if !self.0.get(&key).is_some_and(is_open) {
            self.0.insert(key.clone(), OpenBucket { name: format!("{fresh:016x}"), members: 0, opened_at: now });
        }
        let open = self.0.get_mut(&key)?;
        open.members += 1;
        Some(open.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(images: usize, tags: usize) -> ImageCacheSpec {
        let images: Vec<String> = (0..images).map(|number| format!("nginx:{number}")).collect();
        let tags: HashMap<String, String> = (0..tags).map(|number| (format!("k{number}"), String::new())).collect();
        serde_json::from_value(
            serde_json::json!({"name": "web", "region": "cn-beijing", "images": images, "tags": tags}),
        )
        .expect("the test's own JSON")
    }

    fn at(second: i64) -> Instant {
        Instant::UNIX_EPOCH + Duration::seconds(second)
    }

    #[test]
    fn a_bucket_holds_a_page_of_like_builds_that_began_together() {
        let mut buckets = Buckets::default();
        for _ in 0..PAGE {
            assert_eq!(buckets.place(&spec(1, 0), at(0), 1).as_deref(), Some("0000000000000001"));
        }
        assert_eq!(buckets.place(&spec(1, 0), at(1), 2).as_deref(), Some("0000000000000002"), "full");
        assert_eq!(buckets.place(&spec(9, 0), at(1), 3).as_deref(), Some("0000000000000003"), "another class");
        assert_eq!(buckets.place(&spec(1, 0), at(120), 4).as_deref(), Some("0000000000000002"));
        assert_eq!(buckets.place(&spec(1, 0), at(121), 5).as_deref(), Some("0000000000000005"), "too late");
    }

    #[test]
    fn a_team_keeps_its_twenty_tags() {
        let mut buckets = Buckets::default();
        assert!(buckets.place(&spec(1, 18), at(0), 1).is_some());
        assert_eq!(buckets.place(&spec(1, 19), at(0), 1), None);
    }
}

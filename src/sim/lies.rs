//! Hidden image caches, requested by tests: for a while the cloud does not return some of its image caches.
//!
//! What must stay true: which ones are hidden depends only on their ids and on the percentage, so repeated reads agree,
//! and a larger percentage hides everything that a smaller one hides; only reads are affected: creates, updates and
//! deletes find everything.

use chrono::Duration;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::domain::clock::Instant;

/// The longest duration in seconds: a day.
const LONGEST: i64 = 86_400;

/// A request of the admin API.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LieRequest {
    /// The percentage of hidden caches.
    hide_percent: i64,
    /// For how many seconds of the stand-in's time; until it is ended, if absent.
    for_seconds: Option<i64>,
}

/// The current lie, if there is one.
#[derive(Debug, Default)]
pub(super) struct CurrentLie(Option<Lie>);

#[derive(Debug, Clone, Copy)]
struct Lie {
    hide_percent: i64,
    until: Option<Instant>,
}

impl CurrentLie {
    /// Replaces the current one, or returns why the request is invalid.
    pub(super) fn tell(&mut self, asked: &LieRequest, now: Instant) -> Result<(), &'static str> {
        let LieRequest { hide_percent, for_seconds } = *asked;
        if !(1..=100).contains(&hide_percent) {
            return Err("hide_percent must be 1 to 100; DELETE lies ends them");
        }
        if for_seconds.is_some_and(|seconds| !(1..=LONGEST).contains(&seconds)) {
            return Err("for_seconds must be 1 to 86400, or absent: until DELETE lies");
        }
        self.0 = Some(Lie { hide_percent, until: for_seconds.map(|seconds| now + Duration::seconds(seconds)) });
        Ok(())
    }

    /// Shows every image cache again.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }

    /// Whether anything is hidden at `now`.
    pub(super) fn is_active(&self, now: Instant) -> bool {
        self.current(now).is_some()
    }

    /// Whether the image cache with this id is hidden at `now`.
    pub(super) fn hide(&self, id: &str, now: Instant) -> bool {
        self.current(now).is_some_and(|lie| place(id) < lie.hide_percent)
    }

    fn current(&self, now: Instant) -> Option<Lie> {
        self.0.filter(|lie| lie.until.is_none_or(|until| now < until))
    }
}

/// An id's position from 0 to 99.
fn place(id: &str) -> i64 {
    let hash = Sha256::digest(id.as_bytes());
    i64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])) % 100
}
